package forwardauth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/forwardauth"
	"github.com/twinlatch/twinlatch/web"
)

const (
	files = "https://files.example.net:8443/"
	local = "http://app.localhost:3000/"
)

// The product in one story: sign in once, with both steps, on the way to one app; the
// others open without a question, each with a cookie of its own.
func TestFromAnAppToItsPageByBothSteps(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		w := newWorld(t)
		ana, _ := w.protected("ana@example.com", "staff")
		b := ana.browser()
		b.kind = kind
		b.isAsked(wiki+"page?a=b%20c", "/sign-in")
		b.posts("email", "ana@example.com", "password", password).is(200)
		b.isAt("/verify")
		b.posts("code", ana.code()).tells("ana@example.com", "ana@example.com", "Ana Nováková", "staff", w.Now().Format(time.RFC3339), "otp")
		if b.at() != wiki+"page?a=b%20c" {
			t.Fatalf("at %s", b.at())
		}
		b.gets(wiki + "other")
		for _, address := range []string{files + "x", local} {
			b.arrives(address)
			if len(b.tickets()) != 1 {
				t.Errorf("%s: went %q", address, b.went)
			}
			b.arrives(address)
			if len(b.went) != 1 {
				t.Errorf("%s again: went %q", address, b.went)
			}
		}
		if own, app, other := b.token().Reveal(), b.tokenAt(wiki).Reveal(), b.tokenAt(files).Reveal(); own == app || app == other || own == other || app == "" {
			t.Error("hosts share a token")
		}
		if got := names(b.cookies(wiki)); !slices.Equal(got, []string{"__Host-twinlatch", "__Host-twinlatch-state"}) {
			t.Errorf("cookies %v", got)
		}
		if got := names(b.cookies(local)); !slices.Equal(got, []string{"twinlatch", "twinlatch-state"}) {
			t.Errorf("cookies %v", got)
		}
	}
}

// A session without two-step verification goes where that is enough, and is led to a
// method where it is not.
func TestWithoutTwoStepVerification(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bo := w.person("bo@example.com").signIn()
	bo.arrives(files)
	bo.isAsked(wiki, "/required")
	if bo.at() != ours+"/required?return_to="+url.QueryEscape(handOver(t, bo.went[1])) {
		t.Errorf("at %s", bo.at())
	}
	bo.enroll()
	bo.arrives(wiki)
}

// handOver is an address of ours without its origin.
func handOver(t *testing.T, address string) string {
	t.Helper()
	path, ok := strings.CutPrefix(address, ours)
	if !ok || !strings.HasPrefix(path, web.HandOverPath) {
		t.Fatalf("%s is no hand-over", address)
	}
	return path
}

// The answer to a good ticket is a cookie and the way to the page, and never a pass.
func TestTheAnswerToATicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.protected("ana@example.com")
	for kind, status := range map[string]int{"forward": 302, "nginx": 401, "envoy": 302} {
		ana.kind = kind
		ana.header.Set("User-Agent", kind)
		b := ana.browser()
		b.keep(ana.token())
		b.kind = kind
		to := b.asks("GET", wiki+"p?q=%2F").Header.Get("Location")
		ticket := b.page("GET", to, nil).is(303).Header.Get("Location")
		u, err := url.Parse(ticket)
		w.ok(err)
		if u.Scheme+"://"+u.Host+"/" != wiki || u.Path != web.RedeemPath || u.Query().Get("return_to") != "/p?q=%2F" || u.Query().Has("again") {
			t.Errorf("the ticket is %s", ticket)
		}
		a := b.asks("GET", ticket).is(status).has("Location", wiki+"p?q=%2F").has("Cache-Control", "no-store").has("Remote-User", "")
		line := a.Header.Get("Set-Cookie")
		if !strings.HasPrefix(line, "__Host-twinlatch=") || !strings.HasSuffix(line, "; Path=/; Max-Age=7776000; HttpOnly; Secure; SameSite=Lax") {
			t.Errorf("the cookie is %s", line)
		}
		b.gets(wiki)
	}
}

// What makes a ticket worthless. Nobody passes by it; a browser that tries is led to
// the page, which asks anew.
func TestTicketsThatAreWorthless(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(b *browser, ticket string) (*browser, string)
		good  bool
	}{
		"nothing":    {func(b *browser, ticket string) (*browser, string) { return b, ticket }, true},
		"59 seconds": {func(b *browser, ticket string) (*browser, string) { b.later(59 * time.Second); return b, ticket }, true},
		"60 seconds": {func(b *browser, ticket string) (*browser, string) { b.later(60 * time.Second); return b, ticket }, false},
		"61 seconds": {func(b *browser, ticket string) (*browser, string) { b.later(61 * time.Second); return b, ticket }, false},
		"used": {func(b *browser, ticket string) (*browser, string) {
			b.asks("GET", ticket).is(302)
			b.jar.SetCookies(b.cfg.Address, nil)
			return b, ticket
		}, false},
		"another host": {func(b *browser, ticket string) (*browser, string) {
			b.asks("GET", files).is(302) // so that it has a state there
			return b, strings.Replace(ticket, wiki, files, 1)
		}, false},
		"another browser": {func(b *browser, ticket string) (*browser, string) {
			thief := b.world.browser()
			thief.asks("GET", wiki).is(302)
			return thief, ticket
		}, false},
		"signed out": {func(b *browser, ticket string) (*browser, string) {
			b.ok(b.SignOut(b.t.Context(), b.token(), from(home)))
			return b, ticket
		}, false},
		"other sessions ended": {func(b *browser, ticket string) (*browser, string) {
			other := b.signIn()
			b.ok(b.EndOtherSessions(b.t.Context(), other.passed(), from(home)))
			return b, ticket
		}, false},
		"account disabled": {func(b *browser, ticket string) (*browser, string) {
			b.ok(b.Disable(b.t.Context(), operator, b.ID, from(home)))
			return b, ticket
		}, false},
		"account deleted": {func(b *browser, ticket string) (*browser, string) {
			b.ok(b.Delete(b.t.Context(), operator, b.ID, from(home)))
			return b, ticket
		}, false},
		"another secret": {func(b *browser, ticket string) (*browser, string) {
			i := strings.Index(ticket, "ticket=") + len("ticket=") + 54
			return b, ticket[:i] + strings.Repeat("A", 43) + ticket[i+43:]
		}, false},
		"the session's own token": {func(b *browser, ticket string) (*browser, string) {
			return b, wiki + strings.TrimPrefix(web.Redemption{Ticket: b.token().Reveal(), To: "/x"}.Path(), "/")
		}, false},
		"no ticket": {func(b *browser, ticket string) (*browser, string) {
			return b, wiki + strings.TrimPrefix(web.Redemption{To: "/x"}.Path(), "/")
		}, false},
		"garbage": {func(b *browser, ticket string) (*browser, string) {
			return b, wiki + strings.TrimPrefix(web.Redemption{Ticket: "a.b\x00", To: "/x"}.Path(), "/")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			_, ana := w.protected("ana@example.com")
			b, ticket := c.spoil(ana, ana.ticket(wiki+"x"))
			before := b.tokenAt(ticket)
			host, _, _ := strings.Cut(strings.TrimPrefix(ticket, "https://"), "/")
			a := b.asks("GET", ticket).is(302).has("Location", "https://"+host+"/x").has("Remote-User", "")
			got := b.tokenAt(ticket).Reveal() != before.Reveal()
			if got != c.good {
				t.Fatalf("got a token: %v, want %v: %s", got, c.good, a.Header)
			}
			if !c.good && name != "used" {
				b.asks("GET", "https://"+host+"/x").is(302)
			}
		})
	}
}

// A ticket without the state of a browser gives nothing, and is dead from then on: whoever
// made somebody bring it there may read it there. The one that it was made for gets
// another one.
func TestTicketInABrowserWithoutState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.protected("ana@example.com")
	victim := w.browser()
	for _, kind := range kinds {
		victim.kind = kind
		ticket := ana.ticket(wiki)
		if p := victim.asks("GET", ticket).is(403).has("Location", "").problem(); p.Type != "urn:twinlatch:problem:no-state" {
			t.Errorf("the problem is %v", p)
		}
		before := ana.tokenAt(wiki).Reveal()
		ana.asks("GET", ticket).is(302)
		if ana.tokenAt(wiki).Reveal() != before {
			t.Error("it was good afterwards")
		}
	}
	ticket := ana.ticket(wiki)
	twice := ana.question("GET", ticket) // somebody planted another state
	twice.Header.Set("Cookie", twice.Header.Get("Cookie")+"; __Host-twinlatch-state="+strings.Repeat("a", 26))
	w.ask(twice).is(403)
	ana.asks("GET", ana.ticket(wiki)).is(302)
	ana.gets(wiki)
}

// Nobody is signed in as somebody else by a link that the other one made.
func TestNobodyIsSignedInAsTheThief(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, thief := w.protected("thief@example.com")
	_, ana := w.protected("ana@example.com")
	ana.arrives(wiki)
	stolen := thief.ticket(wiki)
	ana.follows(stolen)
	ana.gets(wiki).has("Remote-User", "ana@example.com")

	// Nor does a link of the thief's state make a ticket that fits into his browser.
	link := thief.asks("GET", files).is(302).Header.Get("Location")
	hers := ana.page("GET", link, nil).is(303).Header.Get("Location")
	if thief.tokenAt(files); !strings.Contains(hers, web.RedeemPath) {
		t.Fatalf("no ticket: %s", hers)
	}
	ana.asks("GET", files)
	if ana.asks("GET", hers).is(302); ana.tokenAt(files).Reveal() != "" {
		t.Error("it fits into hers")
	}
}

// A token opens the host that it is for.
func TestATokenIsForOneHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.protected("ana@example.com")
	ana.arrives(wiki)
	ana.arrives(files)
	for where, token := range map[string]twinlatch.Token{wiki: ana.tokenAt(wiki), files: ana.tokenAt(files), ours: ana.token()} {
		for _, address := range []string{wiki, files, ours} {
			if address == ours {
				if d, err := w.Check(t.Context(), token, from(home)); err != nil || (d.Step == twinlatch.Pass) != (where == ours) {
					t.Errorf("the token of %s at our pages: %d, %v", where, d.Step, err)
				}
				continue
			}
			r := question("forward", "GET", address)
			r.AddCookie(&http.Cookie{Name: "__Host-twinlatch", Value: token.Reveal()})
			if a := w.ask(r); (a.StatusCode == 200) != (where == address) {
				t.Errorf("the token of %s at %s: %s", where, address, a.Status)
			}
		}
	}
	u, err := url.Parse(ours)
	w.ok(err)
	stolen := w.browser() // nor do our pages know it
	stolen.jar.SetCookies(u, []*http.Cookie{{Name: "__Host-twinlatch", Value: ana.tokenAt(wiki).Reveal(), Path: "/", Secure: true}})
	stolen.page("GET", ours+"/settings/user/security", nil).is(303).has("Location", "/sign-in?return_to=%2Fsettings%2Fuser%2Fsecurity")
}

// Ports share cookies, so they share tokens too.
func TestPortsOfOneHostShareAToken(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, []string{"https://wiki.example.com/ second-step", "https://wiki.example.com:8443/ second-step"})
	_, ana := w.protected("ana@example.com")
	ana.arrives(wiki)
	ana.gets("https://wiki.example.com:8443/")
}

// With a cookie for the domain an app gets none of its own. The hand-over still leads
// there: it carries the second step to the address that the app sees.
func TestSharedCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *forwardauth.Config) { c.CookieDomain = "example.com" })
	ana, _ := w.protected("ana@example.com")
	for _, kind := range kinds {
		b := ana.browser()
		b.kind = kind
		b.isAsked(wiki+"x", "/sign-in")
		b.posts("email", "ana@example.com", "password", password)
		b.isAt("/verify")
		b.posts("code", ana.code()).is(200).has("Remote-User", "ana@example.com")
		if b.at() != wiki+"x" {
			t.Errorf("went %q", b.went)
		}
		if got := names(b.cookies(wiki)); !slices.Equal(got, []string{"__Host-twinlatch-state", "__Secure-twinlatch"}) {
			t.Errorf("cookies %v", got)
		}
		b.arrives(files) // which is not in the domain
		if len(b.tickets()) != 1 || len(b.cookies(files)) != 2 {
			t.Errorf("went %q with %v", b.went, names(b.cookies(files)))
		}
		b.ok(b.SignOut(t.Context(), b.token(), from(home)))
		b.isAsked(wiki, "/sign-in")
		b.isAsked(files, "/sign-in")
	}
}

// The session list and the trail show what happened.
func TestTheTrailNamesTheApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, ana := w.protected("ana@example.com")
	ana.arrives(wiki)
	ana.arrives(files)
	ana.gets(wiki)
	events, err := w.Events(t.Context(), twinlatch.OnBehalf(p.ID, "test", "see"), 0, 100)
	w.ok(err)
	var opened []string
	for _, e := range events {
		if e.Type == twinlatch.EventAppOpened {
			opened = append(opened, e.Detail.More["app"])
		}
	}
	if !slices.Equal(opened, []string{"files.example.net", "wiki.example.com"}) {
		t.Errorf("opened %q", opened)
	}
}
