package web

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"unicode/utf8"
)

// MaxForm is the largest form a door reads, in bytes.
const MaxForm = 64 << 10

// ErrForm means that a request is no form that a page of ours can send: another
// media type, a field given twice, not UTF-8.
var ErrForm = errors.New("form cannot be read")

// Form reads a posted form. Every field has one value: an attacker's second
// "code" or "email" is refused rather than chosen from. A body over MaxForm is
// *http.MaxBytesError, anything else that is wrong ErrForm.
func Form(w http.ResponseWriter, r *http.Request) (map[string]string, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.ContentLength != 0 && (err != nil || media != "application/x-www-form-urlencoded") {
		return nil, ErrForm
	}
	r.Body = http.MaxBytesReader(w, r.Body, MaxForm)
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, err
		}
		return nil, ErrForm
	}
	return single(r.PostForm)
}

func single(values url.Values) (map[string]string, error) {
	fields := make(map[string]string, len(values))
	for name, v := range values {
		if len(v) != 1 || !utf8.ValidString(name) || !utf8.ValidString(v[0]) {
			return nil, ErrForm
		}
		fields[name] = v[0]
	}
	return fields, nil
}
