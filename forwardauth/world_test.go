package forwardauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/forwardauth"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/pages"
	"github.com/twinlatch/twinlatch/rules"
	"github.com/twinlatch/twinlatch/twinlatchtest"
	"github.com/twinlatch/twinlatch/web"
)

// The words in which the other files tell their stories: a door and our pages on one
// database, people, and browsers that follow redirects from one to the other.

// Where browsers are. Only proxy is trusted.
const (
	home     = "192.0.2.1"
	home6    = "2001:db8:1::1"
	cafe     = "198.51.100.7"
	proxy    = "10.0.0.1"
	ours     = "https://id.example.com"
	password = "four unrelated words here"
)

// apps are the rules of most stories.
var apps = []string{
	"https://wiki.example.com/ second-step",
	"https://wiki.example.com/status public",
	"https://wiki.example.com/closed deny",
	"https://wiki.example.com/admin second-step within=15m",
	"https://wiki.example.com/staff second-step group=staff group=board",
	"https://files.example.net:8443/ signed-in",
	"http://app.localhost:3000/ second-step",
}

type world struct {
	*twinlatchtest.Env
	t     testing.TB
	door  *forwardauth.Door
	pages http.Handler
	cfg   forwardauth.Config
	store *breakable
}

// breakable is a store that can no longer read sessions.
type breakable struct {
	twinlatch.Store
	broken atomic.Bool
}

var errBroken = errors.New("the disk is on fire")

func (s *breakable) Session(ctx context.Context, id twinlatch.AccountID, n twinlatch.SessionID) (*twinlatch.SessionRow, error) {
	if s.broken.Load() {
		return nil, errBroken
	}
	return s.Store.Session(ctx, id, n)
}

func (s *breakable) Hosted(ctx context.Context, id twinlatch.AccountID, n twinlatch.SessionID, host string) (*twinlatch.SessionRow, error) {
	if s.broken.Load() {
		return nil, errBroken
	}
	return s.Store.Hosted(ctx, id, n, host)
}

// newWorld is a door for apps, and the pages at ours. Change changes what the door is
// made of.
func newWorld(t testing.TB, change ...func(*forwardauth.Config)) *world {
	t.Helper()
	return newWorldOf(t, apps, change...)
}

func newWorldOf(t testing.TB, lines []string, change ...func(*forwardauth.Config)) *world {
	t.Helper()
	w := &world{t: t, store: new(breakable)}
	w.Env = twinlatchtest.New(t, func(c *twinlatch.Config) { w.store.Store, c.Store = c.Store, w.store })
	w.build(lines, change...)
	return w
}

// build makes the door and the pages of the Service.
func (w *world) build(lines []string, change ...func(*forwardauth.Config)) {
	w.t.Helper()
	address, err := url.Parse(ours)
	w.ok(err)
	w.cfg = forwardauth.Config{
		Service: w.Service, Address: address, Rules: rulesOf(w.t, lines), Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	}
	for _, c := range change {
		c(&w.cfg)
	}
	w.door, err = forwardauth.New(w.cfg)
	w.ok(err)
	w.pages, err = pages.New(pages.Config{Service: w.Service, Address: w.cfg.Address, Proxies: w.cfg.Proxies, Apps: w.cfg.Rules, Domain: w.cfg.CookieDomain})
	w.ok(err)
}

func rulesOf(t testing.TB, lines []string) *rules.Set {
	t.Helper()
	set, err := rules.New(lines, config.ParseDuration)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) later(d time.Duration) { w.Clock.Advance(d) }

// kinds are the endpoints, by the names of proxies.
var kinds = []string{"forward", "nginx", "envoy"}

// question is what a proxy asks, as each kind of them does.
func question(kind, method, address string) *http.Request {
	scheme, rest, _ := strings.Cut(address, "://")
	host, uri := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, uri = rest[:i], rest[i:]
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host, r.RemoteAddr = "id.example.com", proxy+":40000"
	r.Header.Set("X-Forwarded-For", home)
	switch kind {
	case "forward":
		r.RequestURI = "/auth/forward"
		r.Header.Set("X-Forwarded-Method", method)
		r.Header.Set("X-Forwarded-Proto", scheme)
		r.Header.Set("X-Forwarded-Host", host)
		r.Header.Set("X-Forwarded-Uri", uri)
	case "nginx":
		r.RequestURI = "/auth/nginx"
		r.Header.Set("X-Original-Method", method)
		r.Header.Set("X-Original-Url", address)
	case "envoy":
		r.Method, r.Host, r.RequestURI = method, host, "/auth/envoy"+uri
		r.Header.Set("X-Forwarded-Proto", scheme)
	}
	return r
}

// answer is what a proxy gets.
type answer struct {
	*http.Response
	t    testing.TB
	body string
	asks string // what was asked
}

func (w *world) ask(r *http.Request) *answer {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.door.ServeHTTP(rec, r)
	return w.read(rec, r.Method+" "+r.RequestURI+" "+r.Header.Get("X-Forwarded-Host")+r.Header.Get("X-Forwarded-Uri")+r.Header.Get("X-Original-Url"))
}

func (w *world) read(rec *httptest.ResponseRecorder, asks string) *answer {
	w.t.Helper()
	a := &answer{Response: rec.Result(), t: w.t, asks: asks}
	body, err := io.ReadAll(a.Body)
	w.ok(err)
	a.body = string(body)
	return a
}

func (a *answer) is(status int) *answer {
	a.t.Helper()
	if a.StatusCode != status {
		a.t.Fatalf("%s: %s to %q, want %d: %.600s", a.asks, a.Status, a.Header.Get("Location"), status, a.body)
	}
	return a
}

// has fails the test unless a header was sent once, with this value; "": not at all.
func (a *answer) has(name, value string) *answer {
	a.t.Helper()
	if got := a.Header.Values(name); value == "" && len(got) > 0 || value != "" && (len(got) != 1 || got[0] != value) {
		a.t.Errorf("%s: %s is %q, want %q", a.asks, name, got, value)
	}
	return a
}

// person has an account, and with an authenticator app two-step verification.
type person struct {
	*world
	twinlatch.Account
	app   twinlatchtest.App
	works bool // the app
}

func (w *world) person(login string, groups ...string) *person {
	w.t.Helper()
	a, err := w.CreateAccount(w.t.Context(), twinlatch.NewAccount{
		Login: login, DisplayName: "Ana Nováková", Password: twinlatch.NewSecret(password), Confirmed: true, Groups: groups,
	}, from(home))
	w.ok(err)
	return &person{world: w, Account: a}
}

func from(ip string) twinlatch.Client {
	return twinlatch.Client{IP: netip.MustParseAddr(ip), UserAgent: "Firefox"}
}

// protected is a person with an app, and the browser in which it was enrolled.
func (w *world) protected(login string, groups ...string) (*person, *browser) {
	w.t.Helper()
	p := w.person(login, groups...)
	b := p.signIn()
	b.enroll()
	return p, b
}

func (p *person) code() string {
	p.later(30 * time.Second)
	return p.app.Code(p.Now())
}

// browser is one with cookies. It is at ip, as our pages see it, and at appIP, as the
// proxy in front of apps does.
type browser struct {
	*person
	jar       http.CookieJar
	ip, appIP string
	kind      string // of the proxy
	header    http.Header
	went      []string // where the last page view led
}

func (w *world) browser() *browser { return (&person{world: w}).browser() }

func (p *person) browser() *browser {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	p.ok(err)
	return &browser{person: p, jar: jar, ip: home, appIP: home, kind: "forward", header: http.Header{
		"User-Agent": {"Firefox"}, "Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}, "Sec-Fetch-Mode": {"navigate"},
	}}
}

func (b *browser) moves(ip string) { b.ip, b.appIP = ip, ip }

// signIn does both steps at our pages in a new browser, the second where it is on.
func (p *person) signIn() *browser {
	p.t.Helper()
	b := p.browser()
	b.again()
	return b
}

// again signs in, in the same browser.
func (b *browser) again() {
	b.t.Helper()
	_, token, err := b.SignIn(b.t.Context(), twinlatch.MainRealm, b.Login, twinlatch.NewSecret(password), from(b.ip))
	b.ok(err)
	b.keep(token)
	if b.works {
		b.answer()
	}
}

// ownCookie is that of our pages.
func (w *world) ownCookie() web.Cookie {
	return web.Cookie{Secure: w.cfg.Address.Scheme == "https", For: time.Hour, Domain: w.cfg.CookieDomain}
}

func (b *browser) keep(token twinlatch.Token) {
	rec := httptest.NewRecorder()
	b.ownCookie().Write(rec, token)
	b.jar.SetCookies(b.cfg.Address, rec.Result().Cookies())
}

// token is the cookie that our pages get, and tokenAt that of an app.
func (b *browser) token() twinlatch.Token { b.t.Helper(); return b.tokenAt(b.cfg.Address.String()) }

func (b *browser) tokenAt(address string) twinlatch.Token {
	b.t.Helper()
	for _, c := range b.cookies(address) {
		if strings.HasSuffix(c.Name, "twinlatch") {
			token, err := twinlatch.ParseToken(c.Value)
			b.ok(err)
			return token
		}
	}
	return twinlatch.Token{}
}

func (b *browser) cookies(address string) []*http.Cookie {
	u, err := url.Parse(address)
	b.ok(err)
	return b.jar.Cookies(u)
}

// passed is who our pages know.
func (b *browser) passed() twinlatch.Passed {
	b.t.Helper()
	d, err := b.Check(b.t.Context(), b.token(), from(b.ip))
	b.ok(err)
	who, ok := d.Passed()
	if !ok {
		b.t.Fatalf("our pages do not let her pass: %q", d.Reason)
	}
	return who
}

func (b *browser) enroll() {
	b.t.Helper()
	ch, err := b.BeginEnroll(b.t.Context(), b.passed(), totp.Kind, nil, from(b.ip))
	b.ok(err)
	b.app, b.works = twinlatchtest.Scan(b.t, ch.Prompt.QR), true
	_, token, err := b.FinishEnroll(b.t.Context(), b.passed(), ch.ID, twinlatch.Answer{"code": b.app.Code(b.Now())}, from(b.ip))
	b.ok(err)
	b.keep(token)
}

// answer does the second step.
func (b *browser) answer() {
	b.t.Helper()
	code := b.code()
	d, err := b.Check(b.t.Context(), b.token(), from(b.ip))
	b.ok(err)
	who, ok := d.Known()
	if !ok {
		b.t.Fatal("the browser is not signed in")
	}
	token, err := b.Answer(b.t.Context(), who, twinlatch.Answer{"code": code}, from(b.ip))
	b.ok(err)
	b.keep(token)
}

// question is one of the browser's requests, as its proxy asks.
func (b *browser) question(method, address string) *http.Request {
	b.t.Helper()
	r := question(b.kind, method, address)
	for name, values := range b.header {
		r.Header[name] = values
	}
	r.Header.Set("X-Forwarded-For", b.appIP)
	for _, c := range b.cookies(address) {
		r.AddCookie(c)
	}
	return r
}

// asks is one request to an app; the cookies of the answer are kept, as a proxy hands
// them on.
func (b *browser) asks(method, address string) *answer {
	b.t.Helper()
	a := b.world.ask(b.question(method, address))
	u, err := url.Parse(address)
	b.ok(err)
	b.jar.SetCookies(u, a.Cookies())
	return a
}

// page is one request to our pages.
func (b *browser) page(method, address string, form url.Values) *answer {
	b.t.Helper()
	r := httptest.NewRequest(method, address, strings.NewReader(form.Encode()))
	for name, values := range b.header {
		r.Header[name] = values
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.cfg.Address.String())
	}
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(b.ip), 40000).String()
	for _, c := range b.cookies(address) {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	b.pages.ServeHTTP(rec, r)
	a := b.read(rec, method+" "+address)
	b.jar.SetCookies(r.URL, a.Cookies())
	return a
}

// most redirects that browsers follow.
const mostHops = 20

// opens looks at a page, and goes wherever answers lead.
func (b *browser) opens(address string) *answer {
	b.t.Helper()
	b.went = nil
	return b.follows(address)
}

func (b *browser) follows(address string) *answer {
	b.t.Helper()
	for range mostHops {
		b.went = append(b.went, address)
		var a *answer
		if strings.HasPrefix(address, b.cfg.Address.String()+"/") {
			a = b.page(http.MethodGet, address, nil)
		} else {
			a = b.asks(http.MethodGet, address)
		}
		to := a.Header.Get("Location")
		if _, after, ok := strings.Cut(a.Header.Get("Refresh"), "url="); ok {
			to = after
		}
		if to == "" {
			return a
		}
		if strings.HasPrefix(to, "/") {
			to = b.cfg.Address.String() + to
		}
		address = to
	}
	b.t.Fatalf("redirects go in circles:\n%s", strings.Join(b.went, "\n"))
	return nil
}

// posts sends a form to where the browser is, and goes on from there.
func (b *browser) posts(fields ...string) *answer {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	a := b.page(http.MethodPost, b.at(), form)
	if to := a.Header.Get("Location"); to != "" {
		return b.follows(b.cfg.Address.String() + to)
	}
	return a
}

// at is where the last page view ended.
func (b *browser) at() string { return b.went[len(b.went)-1] }

// isAt fails the test unless the browser is at a page of ours.
func (b *browser) isAt(path string) {
	b.t.Helper()
	if u, err := url.Parse(b.at()); err != nil || u.Scheme+"://"+u.Host != b.cfg.Address.String() || u.Path != path {
		b.t.Fatalf("at %s, want %s:\n%s", b.at(), path, strings.Join(b.went, "\n"))
	}
}

// gets fails the test unless a page of an app opens at once, without being led away.
func (b *browser) gets(address string) *answer {
	b.t.Helper()
	return b.asks(http.MethodGet, address).is(http.StatusOK)
}

// arrives fails the test unless a page of an app opens in the end.
func (b *browser) arrives(address string) *answer {
	b.t.Helper()
	a := b.opens(address).is(http.StatusOK)
	if b.at() != address {
		b.t.Fatalf("at %s, want %s:\n%s", b.at(), address, strings.Join(b.went, "\n"))
	}
	return a
}

// isAsked fails the test unless the way to an app's page leads to a page of ours.
func (b *browser) isAsked(address, path string) *answer {
	b.t.Helper()
	a := b.opens(address).is(http.StatusOK)
	b.isAt(path)
	return a
}

// tickets are those that the last page view carried.
func (b *browser) tickets() (all []string) {
	for _, at := range b.went {
		if strings.Contains(at, web.RedeemPath) {
			all = append(all, at)
		}
	}
	return all
}

// ticket asks our pages for one, and does not use it.
func (b *browser) ticket(address string) string {
	b.t.Helper()
	to := b.asks(http.MethodGet, address).is(http.StatusFound).Header.Get("Location")
	ticket := b.page(http.MethodGet, to, nil).is(http.StatusSeeOther).Header.Get("Location")
	if !strings.Contains(ticket, web.RedeemPath+"?") {
		b.t.Fatalf("no ticket, but %s", ticket)
	}
	return ticket
}

func names(cookies []*http.Cookie) (all []string) {
	for _, c := range cookies {
		all = append(all, c.Name)
	}
	slices.Sort(all)
	return all
}
