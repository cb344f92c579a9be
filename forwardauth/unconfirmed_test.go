package forwardauth_test

import (
	"context"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/forwardauth"
)

// nobody is a mail server that takes everything.
type nobody struct{}

func (nobody) Name() string                                            { return "nobody" }
func (nobody) Carries(c twinlatch.Channel) bool                        { return c == twinlatch.Email }
func (nobody) Send(context.Context, twinlatch.Message) (string, error) { return "", nil }

// Anybody may sign up under any address, and apps know people by theirs. So who has not
// shown that the address is theirs is named to no app, with a cookie of the app's host
// or with ours.
func TestAnUnconfirmedAddressIsNotNamed(t *testing.T) {
	t.Parallel()
	const files, status = "https://files.example.com/", "https://wiki.example.com/status"
	lines := []string{"https://wiki.example.com/ second-step", status + " public", files + " signed-in"}
	for _, shared := range []bool{false, true} {
		w := newWorldOf(t, lines)
		w.Config.Notice = func(twinlatch.Account, twinlatch.Event, twinlatch.Token) *twinlatch.Message { return nil }
		w.Config.Sending.Senders = append(w.Config.Sending.Senders, nobody{})
		var err error
		w.Service, err = twinlatch.New(t.Context(), w.Config)
		w.ok(err)
		w.build(lines, func(c *forwardauth.Config) {
			if shared {
				c.CookieDomain = "example.com"
			}
		})
		a, err := w.CreateAccount(t.Context(), twinlatch.NewAccount{Login: "ceo@example.com", Password: twinlatch.NewSecret(password)}, from(home))
		w.ok(err)
		b := (&person{world: w, Account: a}).signIn()
		for _, kind := range kinds {
			b.kind = kind
			if p := b.follows(files); p.is(403).StatusCode != 403 || p.Header.Get("Remote-User") != "" {
				t.Errorf("%s: named %q", kind, p.Header.Get("Remote-User"))
			}
			b.isAt("/auth/handover")
			if got := b.asks("GET", status).is(200).Header.Get("Remote-Email"); got != "" {
				t.Errorf("%s: named %q", kind, got)
			}
			if shared {
				q := b.question("POST", files)
				if p := w.ask(q).is(403).problem(); p.Type != "urn:twinlatch:problem:unconfirmed" {
					t.Errorf("the problem is %v", p)
				}
			}
		}
		d, err := w.Check(t.Context(), b.token(), from(home))
		w.ok(err)
		who, _ := d.Passed()
		if _, err := w.IssueHandOver(t.Context(), who, "files.example.com", "digest"); err != twinlatch.ErrUnconfirmed {
			t.Errorf("a hand-over: %v", err)
		}
	}
}

// An application calls its accounts what it likes, also by the address of somebody here.
func TestAnAccountOfAnApplicationIsNotNamed(t *testing.T) {
	t.Parallel()
	const files = "https://files.example.com/"
	w := newWorldOf(t, []string{files + " signed-in"}, func(c *forwardauth.Config) { c.CookieDomain = "example.com" })
	for _, realm := range []string{"shop", twinlatch.MainRealm} {
		a, err := w.CreateAccount(t.Context(), twinlatch.NewAccount{Realm: realm, Login: "ceo@example.com", Confirmed: true}, from(home))
		w.ok(err)
		_, token, err := w.StartSession(t.Context(), a.ID, from(home))
		w.ok(err)
		for _, kind := range kinds {
			r := question(kind, "GET", files) // a page view, which is led nowhere
			r.Header.Set("Accept", "text/html")
			r.Header.Set("Cookie", "__Secure-twinlatch="+token.Reveal())
			if p := w.ask(r); realm == twinlatch.MainRealm {
				p.tells("ceo@example.com", "ceo@example.com", "ceo@example.com", "", "", "")
			} else if got := p.is(403).has("Remote-User", "").problem(); got.Type != "urn:twinlatch:problem:not-allowed" || got.Reason != "realm" {
				t.Errorf("%s: the problem is %v", kind, got)
			}
		}
	}
}
