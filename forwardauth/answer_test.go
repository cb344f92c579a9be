package forwardauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/forwardauth"
	"github.com/twinlatch/twinlatch/web"
)

const wiki = "https://wiki.example.com/"

// identity are the headers of every answer that lets pass, with their values.
func (a *answer) identity() map[string]string {
	a.t.Helper()
	all := map[string]string{}
	for _, name := range []string{"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "X-2sv-At", "X-2sv-Method"} {
		values, sent := a.Header[name]
		if !sent || len(values) != 1 {
			a.t.Errorf("%s: %s was sent %d times", a.asks, name, len(values))
			continue
		}
		all[name] = values[0]
	}
	return all
}

// tells fails the test unless the app is told these, in the order of identity.
func (a *answer) tells(user, email, name, groups, at, method string) {
	a.t.Helper()
	got := a.is(http.StatusOK).identity()
	for name, want := range map[string]string{"Remote-User": user, "Remote-Email": email, "Remote-Name": name, "Remote-Groups": groups, "X-2sv-At": at, "X-2sv-Method": method} {
		if got[name] != want {
			a.t.Errorf("%s: %s is %q, want %q", a.asks, name, got[name], want)
		}
	}
	if a.body != "" {
		a.t.Errorf("%s: a body %q", a.asks, a.body)
	}
	a.has("Cache-Control", "no-store").has("Location", "").has("Content-Type", "")
}

// problem reads why a request does not pass. A person gets a page, and the problem in a header.
func (a *answer) problem() (p struct{ Type, Title, Reason, URL string }) {
	a.t.Helper()
	a.has("Cache-Control", "no-store").has("X-Content-Type-Options", "nosniff")
	document, sent := a.body, a.Header.Get("X-2sv-Problem")
	if a.isPage() {
		document = sent
	} else {
		a.has("Content-Type", "application/problem+json")
	}
	var all struct {
		Type, Title, Reason, URL string
		Status                   int
	}
	if err := json.Unmarshal([]byte(document), &all); err != nil || all.Status != a.StatusCode || all.Title == "" {
		a.t.Errorf("%s: %v: the problem is %s", a.asks, err, document)
	}
	if sent != "" && sent != strings.TrimSpace(document) {
		a.t.Errorf("%s: the header says %s, the body %s", a.asks, sent, document)
	}
	p.Type, p.Title, p.Reason, p.URL = all.Type, all.Title, all.Reason, all.URL
	return p
}

func TestWhoPassesIsToldToTheApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.protected("ana@example.com", "board", "staff")
	at := w.Now().Format(time.RFC3339)
	for _, kind := range kinds {
		ana.kind = kind
		ana.arrives(wiki)
		ana.gets(wiki+"a?b=c").tells("ana@example.com", "ana@example.com", "Ana Nováková", "board,staff", at, "otp")
		ana.asks("POST", wiki+"a").tells("ana@example.com", "ana@example.com", "Ana Nováková", "board,staff", at, "otp")
	}
}

// What is told is kept for the next check of a session, in one of not many places.
func TestEverybodyIsToldApartAndAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const files = "https://files.example.net:8443/"
	places := map[string]bool{}
	var all []*browser
	for shared := false; !shared || len(all) < 10; {
		b := w.person(fmt.Sprintf("p%d@example.com", len(all))).signIn()
		b.arrives(files)
		all = append(all, b)
		place := string(b.passed().SessionID()[:2])
		shared = shared || places[place]
		places[place] = true
	}
	for range 2 {
		for _, b := range all {
			b.gets(files).tells(b.Login, b.Login, "Ana Nováková", "", "", "")
		}
	}
	b := all[0]
	w.ok(w.SetName(t.Context(), b.passed(), "Ana Malá", from(home)))
	b.gets(files).tells(b.Login, b.Login, "Ana Malá", "", "", "")
	b.enroll()
	at := w.Now().Format(time.RFC3339)
	b.arrives(files).tells(b.Login, b.Login, "Ana Malá", "", at, "otp")
	w.ok(w.SetGroups(t.Context(), operator, b.ID, []string{"board"}, from(home)))
	b.gets(files).tells(b.Login, b.Login, "Ana Malá", "board", at, "otp")
}

// Apps whose users must not change with their address get the account's ID.
func TestIdentityByID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *forwardauth.Config) { c.IDs = true })
	p, ana := w.protected("ana@example.com")
	ana.arrives(wiki).tells(string(p.ID), "ana@example.com", "Ana Nováková", "", w.Now().Format(time.RFC3339), "otp")
}

// Without two-step verification there is no second step to tell of, and a backup code
// is no method.
func TestIdentityWithoutAMethod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const files = "https://files.example.net:8443/"
	w.person("bo@example.com").signIn().arrives(files).tells("bo@example.com", "bo@example.com", "Ana Nováková", "", "", "")

	_, ana := w.protected("ana@example.com")
	codes, err := w.NewBackupCodes(t.Context(), ana.passed(), from(home))
	w.ok(err)
	d, err := w.Check(t.Context(), ana.token(), from(home))
	w.ok(err)
	known, _ := d.Known()
	w.later(time.Hour)
	token, err := w.Recover(t.Context(), known, codes[0], from(home))
	w.ok(err)
	ana.keep(token)
	ana.arrives(wiki).tells("ana@example.com", "ana@example.com", "Ana Nováková", "", w.Now().Format(time.RFC3339), "backup-code")
	ana.answer()
	ana.arrives(wiki).tells("ana@example.com", "ana@example.com", "Ana Nováková", "", w.Now().Format(time.RFC3339), "otp")
}

// What is public passes for everybody, and nobody is named, whoever they are: the app
// never sees what a client sent under these names.
func TestPublicTellsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.protected("ana@example.com")
	ana.arrives(wiki)
	stranger := w.browser()
	stranger.header.Set("Remote-User", "root")
	for _, b := range []*browser{ana, stranger} {
		for _, kind := range kinds {
			b.kind = kind
			for _, path := range []string{"status", "status/x", "status?a=b"} {
				for _, method := range []string{"GET", "POST", "DELETE"} {
					b.asks(method, wiki+path).tells("", "", "", "", "", "")
				}
			}
		}
	}
	stranger.appIP = "somewhere" // which nobody has to know
	stranger.gets(wiki+"status").tells("", "", "", "", "", "")
	if found := stranger.cookies(wiki); len(found) > 0 {
		t.Errorf("a stranger got cookies: %v", names(found))
	}
}

// A page view is led away: by 302, or for auth_request by 401 with Location.
func TestPageViewsAreLed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for kind, status := range map[string]int{"forward": 302, "nginx": 401, "envoy": 302} {
		b := w.browser()
		b.kind = kind
		a := b.asks("GET", wiki+"a%2Fb?c=d&e=%20").is(status).has("Cache-Control", "no-store").has("WWW-Authenticate", "")
		to, err := url.Parse(a.Header.Get("Location"))
		w.ok(err)
		h, ok := web.ReadHandOver(to.RequestURI())
		if !ok || to.Scheme+"://"+to.Host != ours || h.To != wiki+"a%2Fb?c=d&e=%20" || h.Again || h.Form {
			t.Errorf("%s: leads to %s", kind, to)
		}
		state := b.cookies(wiki)
		if got := names(state); !slices.Equal(got, []string{"__Host-twinlatch-state"}) || h.State != twinlatch.StateDigest(twinlatch.NewSecret(state[0].Value)) {
			t.Errorf("%s: cookies %v, state %q", kind, got, h.State)
		}
		if a.body != "" {
			t.Errorf("%s: a body %q", kind, a.body)
		}
		// A second tab keeps the first one's.
		if a := b.asks("GET", wiki+"other").is(status); len(a.Cookies()) > 0 {
			t.Errorf("%s: another state %v", kind, a.Cookies())
		}
	}
}

func TestStateCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for address, want := range map[string]string{
		wiki:                         `__Host-twinlatch-state=*; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax`,
		"http://app.localhost:3000/": `twinlatch-state=*; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax`,
	} {
		seen := map[string]bool{}
		for range 10 {
			line := w.browser().asks("GET", address).is(302).Header.Get("Set-Cookie")
			_, value, _ := strings.Cut(line, "=")
			value, _, _ = strings.Cut(value, ";")
			if got := strings.Replace(line, value, "*", 1); got != want || len(value) != 26 || seen[value] {
				t.Errorf("%s: %s", address, line)
			}
			seen[value] = true
		}
	}
}

// Everything else is told what is missing, and where a person does it.
func TestProblems(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.protected("ana@example.com")
	ana.arrives(wiki)
	off := w.person("bo@example.com").signIn()
	off.arrives("https://files.example.net:8443/")
	for _, kind := range kinds {
		for name, c := range map[string]struct {
			who              *browser
			address          string
			before           func()
			status           int
			problem, reason  string
			challenge, leads string
		}{
			"nobody":   {w.browser(), wiki + "api?x=1", nil, 401, "sign-in", "", "Bearer", wiki},
			"no group": {ana, wiki + "staff", nil, 403, "not-allowed", "group", "", wiki},
			"closed":   {ana, wiki + "closed/x", nil, 403, "denied", "denied", "", ""},
			"off":      {off, "https://files.example.net:8443/", nil, 200, "", "", "", ""},
			"elsewhere": {ana, wiki, func() { ana.appIP = cafe }, 401, "verification-required", "ip_changed",
				`Bearer error="insufficient_user_authentication", max_age=2592000`, wiki},
			"not recent": {ana, wiki + "admin", func() { w.later(16 * time.Minute) }, 401, "verification-required", "not_recent",
				`Bearer error="insufficient_user_authentication", max_age=2592000`, wiki},
		} {
			t.Run(kind+", "+name, func(t *testing.T) {
				ana.appIP = home
				b := *c.who
				b.kind, b.header = kind, http.Header{"Accept": {"application/json"}}
				if c.before != nil {
					c.before()
					b.appIP = c.who.appIP
				}
				a := b.asks("GET", c.address).is(c.status)
				if c.status == 200 {
					return
				}
				p := a.has("Location", "").has("WWW-Authenticate", c.challenge).problem()
				if p.Type != "urn:twinlatch:problem:"+c.problem || p.Reason != c.reason {
					t.Errorf("the problem is %s", a.body)
				}
				if (a.Header.Get("X-2sv-Problem") != "") != (kind == "nginx") {
					t.Errorf("X-2sv-Problem is %q", a.Header.Get("X-2sv-Problem"))
				}
				to, err := url.Parse(p.URL)
				w.ok(err)
				if h, _ := web.ReadHandOver(to.RequestURI()); h.To != c.leads {
					t.Errorf("leads to %s", p.URL)
				}
				if len(a.Cookies()) > 0 {
					t.Errorf("cookies %v", a.Cookies())
				}
			})
		}
	}
}

// A request that belongs to a page leads back to that page, if it is the app's.
func TestRequestsLeadBackToTheirPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for referer, want := range map[string]string{
		"":                                                            wiki,
		"https://wiki.example.com/page?a=b#c":                         wiki + "page?a=b",
		"https://wiki.example.com":                                    wiki,
		"https://wiki.example.com/.twinlatch/x":                       wiki,
		"https://user:pw@wiki.example.com/page":                       wiki + "page",
		"https://evil.example/page":                                   wiki,
		"https://wiki.example.com.evil.example/":                      wiki,
		"http://wiki.example.com/page":                                wiki,
		"https://wiki.example.com:8443/page":                          wiki,
		"javascript:alert(1)":                                         wiki,
		"://":                                                         wiki,
		"https://wiki.example.com//evil.example":                      wiki + "/evil.example",
		"https://wiki.example.com/" + strings.Repeat("a", 4000):       wiki,
		"https://wiki.example.com/a?b=" + strings.Repeat("c", 4000):   wiki + "a",
		"https://wiki.example.com/" + strings.Repeat("%C4%8D", 300):   wiki + strings.Repeat("%C4%8D", 300),
		"https://wiki.example.com/a" + strings.Repeat("%C4%8D", 1000): wiki,
	} {
		r := question("forward", "POST", wiki+"api")
		r.Header.Set("Referer", referer)
		to, err := url.Parse(w.ask(r).is(401).problem().URL)
		w.ok(err)
		if h, ok := web.ReadHandOver(to.RequestURI()); !ok || h.To != want {
			t.Errorf("%s: leads to %s", referer, to)
		}
	}
}

// Whatever a client asks for, an address that it is led to is one that a redirect can
// have, and not longer than others take.
func TestAddressesToComeBackTo(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, []string{wiki + " second-step"})
	for uri, want := range map[string]string{
		"/":                               "/",
		"/a#b":                            "/a%23b",
		`/a\b`:                            "/a%5Cb",
		"/a\x7fb":                         "/a%7Fb",
		"/a\x00b":                         "/a%00b",
		"/ä":                              "/%C3%A4",
		"/\xff":                           "/%FF",
		"//evil.example":                  "//evil.example",
		"/a?b=c?d":                        "/a?b=c?d",
		"/.twinlatchx":                    "/.twinlatchx",
		"/" + strings.Repeat("a", 3749):   "/" + strings.Repeat("a", 3749),
		"/" + strings.Repeat("a", 3750):   "/",
		"/a?" + strings.Repeat("b", 3748): "/a",
		"/" + strings.Repeat("ä", 900):    "/",
	} {
		for _, kind := range kinds {
			r := question(kind, "GET", "https://wiki.example.com"+uri)
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			a := w.ask(r)
			to, err := url.Parse(a.Header.Get("Location"))
			w.ok(err)
			if h, ok := web.ReadHandOver(to.RequestURI()); !ok || h.To != "https://wiki.example.com"+want {
				t.Errorf("%s %.40q: leads to %s", kind, uri, to)
			}
		}
	}
}

func TestADoorNeedsItsParts(t *testing.T) {
	t.Parallel()
	good := newWorld(t).cfg
	for name, change := range map[string]func(*forwardauth.Config){
		"no service": func(c *forwardauth.Config) { c.Service = nil },
		"no address": func(c *forwardauth.Config) { c.Address = nil },
		"no rules":   func(c *forwardauth.Config) { c.Rules = nil },
		"our host":   func(c *forwardauth.Config) { c.Rules = rulesOf(t, []string{"https://id.example.com:8443/ deny"}) },
		"no proxies": func(c *forwardauth.Config) { c.Proxies = nil },
	} {
		c := good
		change(&c)
		if _, err := forwardauth.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	good.Proxies = []netip.Prefix{}
	if _, err := forwardauth.New(good); !errors.Is(err, forwardauth.ErrNoProxies) {
		t.Errorf("without proxies: %v", err)
	}
}

// When the database is broken nobody passes, and it is not their fault.
func TestBrokenDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.protected("ana@example.com")
	ana.arrives(wiki)
	w.store.broken.Store(true)
	for _, kind := range kinds {
		ana.kind = kind
		if p := ana.asks("GET", wiki).is(503).has("Location", "").problem(); p.Type != "urn:twinlatch:problem:unavailable" {
			t.Errorf("the problem is %v", p)
		}
		ana.asks("GET", wiki+"status").is(200)
	}
	w.browser().asks("GET", wiki).is(302) // who has no cookie needs no database
}
