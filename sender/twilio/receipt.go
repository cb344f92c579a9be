package twilio

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/twinlatch/twinlatch"
)

const (
	messageField = "message" // of the query of a callback: our ID
	maxReceipt   = 64 << 10  // bytes; Twilio sends about 300
)

// Receipts is where Config.Callback must lead. It passes on what was delivered
// and what failed, and ignores what is still on its way. tell is called once for
// each genuine receipt, and again if Twilio repeats it.
//
// It answers 204, also to what it ignores; 403 to what Twilio did not sign for
// this account and URL; 404 if tell says twinlatch.ErrNotFound, and 500 if it
// says anything else. Without Config.Callback all is 403. The Host header does
// not count: the signature covers the configured URL and the request's query.
func (s *Sender) Receipts(tell func(context.Context, twinlatch.Receipt) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		receipt, genuine := s.receipt(w, r)
		switch {
		case !genuine:
			w.WriteHeader(http.StatusForbidden)
			return
		case receipt.Delivery == "":
			w.WriteHeader(http.StatusNoContent)
			return
		}
		switch err := tell(r.Context(), receipt); {
		case err == nil:
			w.WriteHeader(http.StatusNoContent)
		case errors.Is(err, twinlatch.ErrNotFound):
			w.WriteHeader(http.StatusNotFound)
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
}

// receipt reads a request that Twilio signed. Delivery is empty if it settles
// nothing.
func (s *Sender) receipt(w http.ResponseWriter, r *http.Request) (twinlatch.Receipt, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxReceipt)
	if err := r.ParseForm(); err != nil {
		return twinlatch.Receipt{}, false
	}
	form := r.PostForm
	status := form["MessageStatus"]
	if !s.signs(r.URL.RawQuery, form, r.Header.Get("X-Twilio-Signature")) ||
		form.Get("AccountSid") != s.account || len(status) != 1 {
		return twinlatch.Receipt{}, false
	}
	receipt := twinlatch.Receipt{Sender: Name, Message: twinlatch.MessageID(r.URL.Query().Get(messageField))}
	if sid := form.Get("MessageSid"); messageSID.MatchString(sid) {
		receipt.Ref = sid
	}
	switch status[0] {
	case "delivered":
		receipt.Delivery = twinlatch.Delivered
	case "undelivered", "failed":
		receipt.Delivery = twinlatch.Failed
		receipt.Detail = status[0]
		if code, err := strconv.ParseUint(form.Get("ErrorCode"), 10, 20); err == nil {
			receipt.Detail = strconv.FormatUint(code, 10) + " " + cmp.Or(reasons[int(code)], status[0])
		}
	}
	return receipt, true
}

// signs says whether Twilio signed the form for one of our spellings.
func (s *Sender) signs(query string, form url.Values, signature string) bool {
	given, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil {
		return false
	}
	genuine := false
	for _, at := range s.signed {
		if hmac.Equal(given, sign(s.token.Reveal(), at+"?"+query, form)) {
			genuine = true
		}
	}
	return genuine
}

// sign is X-Twilio-Signature before base64: HMAC-SHA1 over the URL and then each
// name and value of the form, sorted, without delimiters ("Webhooks security").
// As in Twilio's own libraries a value that is there twice counts once.
func sign(token, at string, form url.Values) []byte {
	h := hmac.New(sha1.New, []byte(token))
	h.Write([]byte(at))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, value := range slices.Compact(slices.Sorted(slices.Values(form[name]))) {
			h.Write([]byte(name + value))
		}
	}
	return h.Sum(nil)
}

// spellings are the URLs that Twilio may have signed for a callback: whether it
// names the port differs from product to product, and its own libraries try
// both.
func spellings(callback string, at url.URL) []string {
	host := at.Hostname()
	if strings.Contains(host, ":") { // IPv6
		host = "[" + host + "]"
	}
	port := ":443"
	if at.Scheme == "http" {
		port = ":80"
	}
	all := []string{callback}
	if at.Port() != "" {
		port = ""
	}
	at.Host = host + port
	return append(all, at.String())
}
