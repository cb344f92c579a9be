package web_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/twinlatch/twinlatch/web"
)

const urlencoded = "application/x-www-form-urlencoded"

func form(contentType, body string) (map[string]string, error) {
	r := httptest.NewRequest("POST", "/?code=from-the-query", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return web.Form(httptest.NewRecorder(), r)
}

func TestForm(t *testing.T) {
	for body, want := range map[string]map[string]string{
		"":                     {},
		"a=b":                  {"a": "b"},
		"a=b&c=d":              {"a": "b", "c": "d"},
		"a=":                   {"a": ""},
		"a":                    {"a": ""},
		"=b":                   {"": "b"},
		"a=%C3%A9+x":           {"a": "é x"},
		"a=1%0D%0A2%00":        {"a": "1\r\n2\x00"}, // whether that is a name is not said here
		"A=1&a=2":              {"A": "1", "a": "2"},
		"code%5B%5D=1":         {"code[]": "1"},
		"a=%EF%BF%BD":          {"a": "\ufffd"},
		"a=b&":                 {"a": "b"},
		"code=123456&x=&x%00=": {"code": "123456", "x": "", "x\x00": ""},
	} {
		got, err := form(urlencoded, body)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: %q, %v", body, got, err)
		}
	}
	for _, contentType := range []string{urlencoded + "; charset=utf-8", "Application/X-WWW-Form-Urlencoded", urlencoded + " ; x=y"} {
		if got, err := form(contentType, "a=b"); err != nil || got["a"] != "b" {
			t.Errorf("%q: %q, %v", contentType, got, err)
		}
	}
}

func TestFormRefuses(t *testing.T) {
	for _, c := range []struct{ contentType, body string }{
		{"", "a=b"},
		{"text/plain", "a=b"},
		{"application/json", `{"a":"b"}`},
		{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n"},
		{urlencoded + "; =", "a=b"},
		{urlencoded + ", text/plain", "a=b"},
		{urlencoded, "a=1&a=2"},
		{urlencoded, "a=1&a=1"},
		{urlencoded, "a&a"},
		{urlencoded, "a=1&%61=2"},
		{urlencoded, "a=%ff"},
		{urlencoded, "a=\xff"},
		{urlencoded, "a=%ed%a0%80"}, // half a surrogate pair
		{urlencoded, "%ff=a"},
		{urlencoded, "a=%zz"},
		{urlencoded, "a=%"},
		{urlencoded, "a=b;c=d"},
	} {
		if got, err := form(c.contentType, c.body); !errors.Is(err, web.ErrForm) || got != nil {
			t.Errorf("%q %q: %q, %v", c.contentType, c.body, got, err)
		}
	}
}

func TestFormSize(t *testing.T) {
	if got, err := form(urlencoded, "a="+strings.Repeat("b", web.MaxForm-2)); err != nil || len(got["a"]) != web.MaxForm-2 {
		t.Errorf("as large as may be: %v", err)
	}
	for _, size := range []int{web.MaxForm + 1, 1 << 20} {
		_, err := form(urlencoded, "a="+strings.Repeat("b", size-2))
		var large *http.MaxBytesError
		if !errors.As(err, &large) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// A body of unknown length is a form like any other; one that breaks off is none.
func TestFormStream(t *testing.T) {
	for name, c := range map[string]struct {
		body io.Reader
		err  error
	}{
		"whole":      {io.MultiReader(strings.NewReader("a="), strings.NewReader("b")), nil},
		"broken off": {io.MultiReader(strings.NewReader("a="), broken{}), web.ErrForm},
	} {
		r := httptest.NewRequest("POST", "/", c.body)
		r.Header.Set("Content-Type", urlencoded)
		if _, err := web.Form(httptest.NewRecorder(), r); !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// FuzzForm: a field has one value, in UTF-8, and comes from the body.
func FuzzForm(f *testing.F) {
	for _, body := range []string{"a=b&c=d", "a=1&a=2", "a=%ff", "a=b;c=d", "&&=&", "a=%00"} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := form(urlencoded, body)
		if err != nil {
			return
		}
		values, err := url.ParseQuery(body)
		if err != nil || len(values) != len(got) {
			t.Fatalf("%q: read %q, has %q, %v", body, got, values, err)
		}
		for name, value := range got {
			if !utf8.ValidString(value) || len(values[name]) != 1 || values[name][0] != value || strings.Contains(value, "from-the-query") && !strings.Contains(fmt.Sprint(values), "from-the-query") {
				t.Errorf("%q: %q is %q", body, name, value)
			}
		}
	})
}
