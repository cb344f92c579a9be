package forwardauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/forwardauth"
	"github.com/twinlatch/twinlatch/web"
)

var operator = twinlatch.ByOperator("command", "a test")

// Whatever ends a session or lowers what it may, ends it at all apps with the next
// request; not one is let through on what was true before.
func TestWhatEndsAtAppsAtOnce(t *testing.T) {
	t.Parallel()
	type end func(b *browser)
	for name, c := range map[string]struct {
		end  end
		page string // of ours, where the next page view leads; "-": it passes by way of a new ticket; "+": it still passes
	}{
		"nothing": {func(*browser) {}, "+"},
		"sign-out": {func(b *browser) {
			b.page("POST", ours+"/sign-out", nil).is(200)
		}, "/sign-in"},
		"end of the session elsewhere": {func(b *browser) {
			who := b.passed()
			other := b.signIn()
			b.ok(b.EndSession(b.t.Context(), other.passed(), who.Session().ID, from(home)))
		}, "/sign-in"},
		"end of other sessions": {func(b *browser) {
			b.ok(b.EndOtherSessions(b.t.Context(), b.signIn().passed(), from(home)))
		}, "/sign-in"},
		"end of other sessions, by this one": {func(b *browser) {
			b.signIn()
			b.ok(b.EndOtherSessions(b.t.Context(), b.passed(), from(home)))
		}, "+"},
		"end of all by an administrator": {func(b *browser) { b.ok(b.EndSessions(b.t.Context(), operator, b.ID, from(home))) }, "/sign-in"},
		"account disabled":               {func(b *browser) { b.ok(b.Disable(b.t.Context(), operator, b.ID, from(home))) }, "/sign-in"},
		"account disabled and enabled": {func(b *browser) {
			b.ok(b.Disable(b.t.Context(), operator, b.ID, from(home)))
			b.ok(b.Enable(b.t.Context(), operator, b.ID, from(home)))
		}, "/sign-in"},
		"account deleted": {func(b *browser) { b.ok(b.Delete(b.t.Context(), operator, b.ID, from(home))) }, "/sign-in"},
		"methods reset":   {func(b *browser) { b.ok(b.ResetTwoStep(b.t.Context(), operator, b.ID, from(home))) }, "/sign-in"},
		"another password": {func(b *browser) {
			b.ok(b.ChangePassword(b.t.Context(), b.signIn().passed(), twinlatch.NewSecret(password), twinlatch.NewSecret("five unrelated words are here"), from(home)))
		}, "/sign-in"},
		"turned off": {func(b *browser) {
			b.answer()
			b.ok(b.TurnOff(b.t.Context(), b.passed(), from(home)))
		}, "/required"},
		"a new code":       {func(b *browser) { b.answer() }, "-"},
		"31 days":          {func(b *browser) { b.later(31 * 24 * time.Hour) }, "/verify"},
		"29 days":          {func(b *browser) { b.later(29 * 24 * time.Hour) }, "+"},
		"90 days":          {func(b *browser) { b.later(90 * 24 * time.Hour) }, "/sign-in"},
		"another address":  {func(b *browser) { b.moves(cafe) }, "/verify"},
		"another family":   {func(b *browser) { b.moves(home6) }, "/verify"},
		"swept, and alive": {func(b *browser) { b.ok(b.Sweep(b.t.Context())) }, "+"},
		"required, and on": {func(b *browser) {
			b.ok(b.Require(b.t.Context(), operator, twinlatch.Requirement{From: b.Now()}, from(home)))
		}, "+"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for what, change := range map[string]func(*forwardauth.Config){
				"own cookie": func(*forwardauth.Config) {}, "shared cookie": func(cfg *forwardauth.Config) { cfg.CookieDomain = "example.com" },
			} {
				w := newWorld(t, change)
				_, ana := w.protected("ana@example.com")
				ana.later(time.Hour)
				ana.answer()
				ana.arrives(wiki)
				ana.gets(wiki)
				before := ana.tokenAt(wiki)
				c.end(ana)
				switch c.page {
				case "+":
					ana.gets(wiki)
					continue
				case "-":
					if ana.tokenAt(wiki).Reveal() == before.Reveal() { // the shared one was replaced by the answer
						ana.asks("GET", wiki).is(302)
					}
					ana.arrives(wiki)
				default:
					for _, kind := range kinds {
						ana.kind = kind
						if a := ana.asks("GET", wiki); a.StatusCode != 302 && a.StatusCode != 401 {
							t.Fatalf("%s, %s: %s", what, kind, a.Status)
						}
						ana.isAsked(wiki, c.page)
					}
				}
				if name == "31 days" || name == "another address" || name == "another family" {
					ana.posts("code", ana.code()).is(200).has("Remote-User", "ana@example.com")
				}
				thief := w.browser()
				thief.moves(ana.ip)
				r := thief.question("GET", wiki)
				cookie := web.Cookie{Secure: true, Domain: w.cfg.CookieDomain}
				r.Header.Set("Cookie", cookie.Name()+"="+before.Reveal())
				if c.page != "/required" {
					if a := w.ask(r); a.StatusCode != 302 {
						t.Errorf("%s: the token of before gets %s", what, a.Status)
					}
				}
			}
		})
	}
}

// A password reset by mail ends the hosts' tokens with the sessions.
func TestPasswordReset(t *testing.T) {
	t.Parallel()
	var mails letterbox
	w := newWorld(t)
	config := w.Config
	mails.into(&config)
	s, err := twinlatch.New(t.Context(), config)
	w.ok(err)
	_, ana := w.protected("ana@example.com")
	ana.arrives(wiki)
	ana.gets(wiki)
	w.ok(s.ForgotPassword(t.Context(), twinlatch.MainRealm, "ana@example.com", from(home)))
	for tried := 1; tried > 0; {
		tried, err = s.Deliver(t.Context())
		w.ok(err)
	}
	w.ok(s.ResetPassword(t.Context(), mails.link(t), twinlatch.NewSecret("five unrelated words are here"), from(home)))
	ana.asks("GET", wiki).is(302)
	ana.isAsked(wiki, "/sign-in")
}

// Groups count as they are now.
func TestGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, ana := w.protected("ana@example.com")
	ana.arrives(wiki)
	set := func(groups ...string) {
		t.Helper()
		w.ok(w.SetGroups(t.Context(), operator, p.ID, groups, from(home)))
	}
	refused := func() {
		t.Helper()
		a := ana.opens(wiki + "staff/x").is(403)
		ana.isAt(web.HandOverPath)
		for _, text := range []string{"ana@example.com", "wiki.example.com"} {
			if !strings.Contains(a.body, text) {
				t.Errorf("%s is not on the page", text)
			}
		}
	}
	refused()
	set("staff")
	ana.arrives(wiki+"staff/x").has("Remote-Groups", "staff")
	set("board", "others")
	ana.arrives(wiki+"staff/x").has("Remote-Groups", "board,others")
	set("others", "staffx")
	refused()
	ana.arrives(wiki)
	w.browser().isAsked(wiki+"staff", "/sign-in") // who is not signed in may be in one
}

// A rule with within= asks again after that time, and only it.
func TestWithin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana, b := w.protected("ana@example.com")
	b.arrives(wiki + "admin")
	w.later(15 * time.Minute)
	b.gets(wiki + "admin")
	w.later(time.Second)
	b.gets(wiki)
	b.gets(wiki + "administer") // another place
	b.isAsked(wiki+"admin/x", "/verify")
	b.opens(wiki + "admin/x")
	b.posts("code", ana.code()).is(200)
	if b.at() != wiki+"admin/x" {
		t.Errorf("at %s", b.at())
	}
	b.gets(wiki + "admin")
	b.gets(wiki)
}

// The same with 30 days, at an app that is open all the time.
func TestThirtyDaysAtAnApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, b := w.protected("ana@example.com")
	b.arrives(wiki)
	for range 29 {
		w.later(24 * time.Hour)
		b.gets(wiki)
	}
	w.later(24*time.Hour - time.Second)
	b.gets(wiki)
	w.later(time.Second)
	if p := b.asks("POST", wiki).is(401).problem(); p.Reason != "code_too_old" {
		t.Errorf("the problem is %v", p)
	}
}
