package forwardauth_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/forwardauth"
)

// The same questions over a network, as net/http reads them.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *forwardauth.Config) { c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} })
	_, ana := w.protected("ana@example.com")
	token := ana.tokenOf(t, wiki)
	server := httptest.NewServer(w.door)
	t.Cleanup(server.Close)
	send := func(request string) *http.Response {
		t.Helper()
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		w.ok(err)
		defer c.Close()
		_, err = io.WriteString(c, strings.ReplaceAll(request, "\n", "\r\n"))
		w.ok(err)
		method, _, _ := strings.Cut(request, " ")
		res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
		w.ok(err)
		body, err := io.ReadAll(res.Body)
		w.ok(err)
		res.Body = io.NopCloser(strings.NewReader(string(body)))
		return res
	}
	const (
		forward = "X-Forwarded-Method: GET\nX-Forwarded-Proto: https\nX-Forwarded-Host: wiki.example.com\nX-Forwarded-Uri: /x\nX-Forwarded-For: " + home + "\n"
		nginx   = "X-Original-Method: GET\nX-Original-URL: https://wiki.example.com/x\nX-Forwarded-For: " + home + "\n"
		close   = "Connection: close\n\n"
	)
	cookie := "Cookie: a=b; __Host-twinlatch=" + token + "\n"
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"forward":              {"GET /auth/forward HTTP/1.1\nHost: id\n" + forward + cookie + close, 200},
		"nginx":                {"GET /auth/nginx HTTP/1.0\n" + nginx + cookie + "\n", 200},
		"envoy":                {"GET /auth/envoy/a%2Fb?x HTTP/1.1\nHost: wiki.example.com\nX-Forwarded-Proto: https\nX-Forwarded-For: " + home + "\n" + cookie + close, 200},
		"envoy, as it is":      {"GET /auth/envoy//../%2e%2e;x HTTP/1.1\nHost: WIKI.example.com:443\nX-Forwarded-Proto: https\nX-Forwarded-For: " + home + "\n" + cookie + close, 200},
		"lower case names":     {"GET /auth/forward HTTP/1.1\nhost: id\n" + strings.ToLower(forward) + strings.Replace(cookie, "Cookie", "cookie", 1) + close, 200},
		"HEAD":                 {"HEAD /auth/forward HTTP/1.1\nHost: id\n" + forward + close, 401},
		"with a body":          {"POST /auth/forward HTTP/1.1\nHost: id\nContent-Length: 3\n" + forward + "Connection: close\n\nabc", 401},
		"nobody":               {"GET /auth/forward HTTP/1.1\nHost: id\n" + forward + close, 401},
		"nobody, a page":       {"GET /auth/forward HTTP/1.1\nHost: id\nSec-Fetch-Mode: navigate\n" + forward + close, 302},
		"nobody, nginx":        {"GET /auth/nginx HTTP/1.1\nHost: id\nAccept: text/html\n" + nginx + close, 401},
		"two hosts":            {"GET /auth/forward HTTP/1.1\nHost: id\nX-Forwarded-Host: evil.example\n" + forward + cookie + close, 403},
		"folded header":        {"GET /auth/forward HTTP/1.1\nHost: id\nX-Forwarded-Host: wiki.example.com\n evil.example\n" + strings.Replace(forward, "X-Forwarded-Host: wiki.example.com\n", "", 1) + cookie + close, 403},
		"absolute form":        {"GET http://id/auth/forward HTTP/1.1\nHost: id\n" + forward + cookie + close, 404},
		"absolute form, app's": {"GET https://wiki.example.com/auth/envoy/ HTTP/1.1\nHost: wiki.example.com\nX-Forwarded-Proto: https\nX-Forwarded-For: " + home + "\n" + cookie + close, 404},
		"slash":                {"GET /auth/forward/ HTTP/1.1\nHost: id\n" + forward + cookie + close, 404},
		"two slashes":          {"GET //auth/forward HTTP/1.1\nHost: id\n" + forward + cookie + close, 404},
		"dots":                 {"GET /x/../auth/forward HTTP/1.1\nHost: id\n" + forward + cookie + close, 404},
		"star":                 {"OPTIONS * HTTP/1.1\nHost: id\n" + forward + cookie + close, 200}, // net/http answers that itself, and says nothing
		"a line end in a path": {"GET /auth/envoy/%0d%0aRemote-User:%20root HTTP/1.1\nHost: wiki.example.com\nX-Forwarded-Proto: https\nX-Forwarded-For: " + home + "\n" + close, 403},
		"no host":              {"GET /auth/forward HTTP/1.1\n" + forward + cookie + close, 400},
		"underscores":          {"GET /auth/forward HTTP/1.1\nHost: id\n" + strings.ReplaceAll(forward, "X-Forwarded-", "X_Forwarded_") + cookie + close, 403},
	} {
		res := send(c.request)
		if res.StatusCode != c.status {
			body, _ := io.ReadAll(res.Body)
			t.Errorf("%s: %s, want %d: %s", name, res.Status, c.status, body)
		}
		users, told := res.Header["Remote-User"]
		if passes := c.status == 200 && name != "star"; told != passes || passes && users[0] != "ana@example.com" {
			t.Errorf("%s: Remote-User is %q", name, users)
		}
	}

	// Names with other letters arrive as UTF-8, and all six headers also when empty.
	res := send("GET /auth/forward HTTP/1.1\nHost: id\n" + forward + cookie + close)
	for name, want := range map[string]string{"Remote-Name": "Ana Nováková", "Remote-Groups": "", "X-2sv-Method": "otp"} {
		if got := res.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// Questions come on one connection, one after the other, from many browsers.
func TestOneConnectionForMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *forwardauth.Config) { c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} })
	_, ana := w.protected("ana@example.com")
	token := ana.tokenOf(t, wiki)
	server := httptest.NewServer(w.door)
	t.Cleanup(server.Close)
	for i := range 200 {
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/auth/nginx", nil)
		w.ok(err)
		r.Header.Set("X-Original-Url", wiki)
		r.Header.Set("X-Original-Method", "GET")
		r.Header.Set("X-Forwarded-For", home)
		want := http.StatusUnauthorized
		if i%2 == 0 {
			r.AddCookie(&http.Cookie{Name: "__Host-twinlatch", Value: token})
			want = http.StatusOK
		}
		res, err := server.Client().Do(r)
		w.ok(err)
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Fatalf("question %d: %s", i, res.Status)
		}
	}
}

// tokenOf is a token for an app's host, made without a door.
func (b *browser) tokenOf(t *testing.T, address string) string {
	t.Helper()
	w := *b.world
	cfg := b.cfg
	cfg.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	var err error
	w.door, err = forwardauth.New(cfg)
	w.ok(err)
	other := *b
	p := *b.person
	p.world, other.person = &w, &p
	other.arrives(address)
	return other.tokenAt(address).Reveal()
}
