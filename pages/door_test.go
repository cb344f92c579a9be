package pages

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// Where the browsers of the tests are. Only proxy is trusted.
const (
	home4    = "192.0.2.1"
	cafe4    = "198.51.100.7"
	home6    = "2001:db8:1::1"
	proxy    = "10.0.0.1"
	insecure = "http://twinlatch.test"
	secure   = "https://id.twinlatch.test"
)

// door is Pages on a fresh database, reached without a network.
type door struct {
	*Pages
	env *twinlatchtest.Env
	box *letterbox     // where its mails arrive; nil: it sends none
	log *lockedBuffer  // all that pages and service log
	mux *http.ServeMux // the patterns of all routes, and nothing behind them

	language string // that its browsers ask for; empty: none
}

// newDoor is a door at http://twinlatch.test. Change changes its configuration.
func newDoor(t testing.TB, change ...func(*Config)) *door {
	t.Helper()
	return doorOn(t, twinlatchtest.Migrated(t), nil, change...)
}

// doorOn is newDoor on a database, with another configuration of the Service.
func doorOn(t testing.TB, database string, core func(*twinlatch.Config), change ...func(*Config)) *door {
	t.Helper()
	d := &door{log: new(lockedBuffer)}
	log := slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey { // its digits could be taken for a code
				return slog.Attr{}
			}
			return a
		},
	}))
	d.env = twinlatchtest.On(t, database, func(c *twinlatch.Config) {
		c.Log = log
		if core != nil {
			core(c)
		}
	})
	address, err := url.Parse(insecure)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Service: d.env.Service, Address: address, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Log: log}
	for _, c := range change {
		c(&cfg)
	}
	if d.Pages, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	d.mux = http.NewServeMux()
	for _, r := range d.routes() {
		d.mux.Handle(r.method+" "+r.path, http.NotFoundHandler())
	}
	return d
}

// overHTTPS is a door that is reached by HTTPS.
func overHTTPS(c *Config) { c.Address, _ = url.Parse(secure) }

// browser is a browser without JavaScript. It keeps cookies, and checks of each
// answer what holds for all: see checkAnswer and checkHTML.
type browser struct {
	t         testing.TB
	door      *door
	jar       http.CookieJar
	ip        string // the peer
	forwarded string // X-Forwarded-For, if any
	header    http.Header
	typed     []string // secrets that no answer may repeat
	own       []string // texts of the person's that look like ours
}

func (d *door) browser(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, door: d, jar: jar, ip: home4, header: http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}}}
	if d.language != "" {
		b.header.Set("Accept-Language", d.language)
	}
	return b
}

// nowhere makes the browser's address unknown: its proxy says nonsense.
func (b *browser) nowhere() { b.ip, b.forwarded = proxy, "somewhere" }

// base is the door's own address.
func (b *browser) base() *url.URL { return b.door.cfg.Address }

// token is the session cookie that the browser has.
func (b *browser) token() string {
	for _, c := range b.jar.Cookies(b.base().JoinPath("/")) {
		if c.Name == b.door.cookie.Name() {
			return c.Value
		}
	}
	return ""
}

// withToken is another browser with the same cookie.
func (b *browser) withToken(token string) *browser {
	b.t.Helper()
	other := b.door.browser(b.t)
	other.jar.SetCookies(b.base(), []*http.Cookie{{Name: b.door.cookie.Name(), Value: token, Path: "/", Secure: b.door.cookie.Secure}})
	return other
}

func (b *browser) get(path string) *page {
	b.t.Helper()
	return b.send(b.request("GET", path, ""))
}

// post sends a form; fields are names and values by turns.
func (b *browser) post(path string, fields ...string) *page {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
		if slices.Contains([]string{"password", "code"}, fields[i]) && len(fields[i+1]) >= 6 {
			b.typed = append(b.typed, fields[i+1])
		}
	}
	return b.send(b.request("POST", path, form.Encode()))
}

// request is a request as a browser makes it: a POST is a form of our own page.
func (b *browser) request(method, path, body string) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base().Scheme+"://"+b.base().Host+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for name, values := range b.header {
		r.Header[name] = values
	}
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.base().String())
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return r
}

// send does one request and follows no redirect.
func (b *browser) send(r *http.Request) *page {
	b.t.Helper()
	if b.header.Get("Cookie") == "" {
		for _, c := range b.jar.Cookies(r.URL) {
			r.AddCookie(c)
		}
	}
	if b.forwarded != "" {
		r.Header.Set("X-Forwarded-For", b.forwarded)
	}
	res := b.door.roundTrip(b.t, r, b.ip)
	if cookies := res.Cookies(); len(cookies) > 0 {
		b.jar.SetCookies(r.URL, cookies)
	}
	p := readPage(b.t, r, res)
	checkAnswer(p, b.door.cookie.Secure)
	checkSecrets(p, b.typed)
	if p.doc != nil {
		checkHTML(p, b.door, b.own)
	}
	return p
}

// follow goes where the answer sends the browser, until it is somewhere.
func (b *browser) follow(p *page) *page {
	b.t.Helper()
	for hops := 0; p.status == http.StatusSeeOther; hops++ {
		if hops == 10 {
			b.t.Fatalf("redirects go in circles, now to %s", p.location)
		}
		p = b.get(p.location)
	}
	return p
}

// roundTrip writes the request and reads it as a server does, so that the
// handler sees what comes over a network.
func (d *door) roundTrip(t testing.TB, r *http.Request, ip string) *http.Response {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	received, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	received = received.WithContext(r.Context())
	received.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(ip), 40000).String()
	rec := httptest.NewRecorder()
	d.ServeHTTP(rec, received)
	return rec.Result()
}

// unpacked is the body as the browser sees it.
func unpacked(t testing.TB, res *http.Response) string {
	t.Helper()
	body := io.Reader(res.Body)
	if res.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = z
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// withRequestID gives every request the same number.
func withRequestID(c *Config) {
	c.Request = func(context.Context) string { return "request-1" }
}
