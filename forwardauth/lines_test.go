package forwardauth

import (
	"bufio"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/twinlatch/twinlatch/web"
)

// onTheWire is the header of an answer that has these lines.
func onTheWire(t *testing.T, lines []byte) (http.Header, error) {
	t.Helper()
	in := bufio.NewReader(io.MultiReader(strings.NewReader("HTTP/1.1 200 OK\r\n"), strings.NewReader(string(lines)), strings.NewReader("Content-Length: 0\r\n\r\nEND")))
	a, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, err
	}
	if rest, _ := io.ReadAll(in); string(rest) != "END" {
		t.Fatalf("the header ends too early, before %q", rest)
	}
	delete(a.Header, "Content-Length")
	return a.Header, nil
}

// FuzzLines: whatever somebody is called, an app is told the same by lines as by what net/http
// makes of headers: seven, each once.
func FuzzLines(f *testing.F) {
	var answer *identity
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer.tell(w.Header())
		w.WriteHeader(http.StatusOK)
	}))
	f.Cleanup(server.Close)
	f.Add("ana@example.com", "Ana Nováková", "board,staff", "2026-11-30T17:00:00Z", "otp")
	f.Add("", "", "", "", "")
	f.Add("ana", "Ana\r\nRemote-User: admin\r\n\r\nHTTP/1.1 200 OK", "\n", "\r", "a: b")
	f.Add(" ana ", "\tAna\x00\x7f", "é\xff", ":", "\r\n\r\n")
	f.Fuzz(func(t *testing.T, user, name, groups, at, method string) {
		id := newIdentity([6]string{user, user, name, groups, at, method})
		got, unreadable := onTheWire(t, id.lines())
		answer = id
		res, err := http.Get(server.URL)
		if err != nil {
			if unreadable == nil || !strings.ContainsFunc(user+name+groups+at+method, unicode.IsControl) {
				t.Fatal(err)
			}
			return // the core has no such names
		}
		res.Body.Close()
		want := res.Header
		delete(want, "Date")
		delete(want, "Content-Length")
		if !maps.EqualFunc(got, want, slices.Equal) || len(got) != 7 {
			t.Errorf("by lines\n%q, by headers\n%q", got, want)
		}
	})
}

// taker is a ResponseWriter that takes lines.
type taker struct {
	*httptest.ResponseRecorder
	status int
	lines  []byte
}

func (w *taker) WriteHeaderLines(status int, lines []byte) { w.status, w.lines = status, lines }

var _ web.HeaderLineWriter = (*taker)(nil)

// Where lines are taken nothing else is written, and the next one is told the same.
func TestPassesByLines(t *testing.T) {
	d, id := &Door{}, newIdentity([6]string{"ana", "ana@example.com", "Ana", "", "", "otp"})
	plain := httptest.NewRecorder()
	d.pass(plain, id)
	for range 2 {
		w := &taker{ResponseRecorder: httptest.NewRecorder()}
		d.pass(w, id)
		if got, err := onTheWire(t, w.lines); err != nil || w.status != http.StatusOK || !maps.EqualFunc(got, plain.Header(), slices.Equal) {
			t.Errorf("%d with %v, want 200 with %v", w.status, got, plain.Header())
		}
		if len(w.Header()) > 0 || w.Body.Len() > 0 || w.Flushed {
			t.Errorf("written beside it: %v %q", w.Header(), w.Body)
		}
	}
}
