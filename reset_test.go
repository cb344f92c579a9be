package twinlatch_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

const newPassword = "another horse battery staple"

// mailed configures notices for all events, "type token", and who carries them.
func mailed(p *postman) func(*twinlatch.Config) {
	p.mail = true
	return func(c *twinlatch.Config) {
		c.Notice = func(a twinlatch.Account, e twinlatch.Event, t twinlatch.Token) *twinlatch.Message {
			return &twinlatch.Message{Subject: string(e.Type), Body: twinlatch.NewSecret(string(e.Type) + " " + t.Reveal())}
		}
		c.Sending.Senders = append(c.Sending.Senders, p)
	}
}

// mail is the newest mail for an event, and the link in it.
func (p *person) mail(postman *postman, of twinlatch.EventType) twinlatch.Token {
	p.t.Helper()
	for tried := 1; tried > 0; {
		var err error
		tried, err = p.Deliver(ctx)
		p.ok(err)
	}
	var found twinlatch.Token
	for _, l := range postman.letters() {
		kind, token, _ := strings.Cut(l.body, " ")
		if l.to == p.account.Login && kind == string(of) {
			var err error
			found, err = twinlatch.ParseToken(token)
			p.ok(err)
		}
	}
	return found
}

func (p *person) forgot(from twinlatch.Client) error {
	return p.ForgotPassword(ctx, twinlatch.MainRealm, p.account.Login, from)
}

func (p *person) signsInWith(t *testing.T, password string, want error) {
	t.Helper()
	p.later(time.Hour) // so that no limit is in the way
	_, _, err := p.SignIn(ctx, twinlatch.MainRealm, p.account.Login, twinlatch.NewSecret(password), home)
	refused(t, err, want)
}

// A link works once, for half an hour, and gives no more than a password.
func TestResetAForgottenPassword(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		other := ann.signInFully(cafe)
		ann.ok(ann.forgot(cafe))
		link := ann.mail(post, twinlatch.EventResetAsked)
		ann.ok(ann.CheckTicket(ctx, link, twinlatch.TicketReset))
		ann.ok(ann.CheckTicket(ctx, link, twinlatch.TicketReset)) // looking uses nothing

		field := new(twinlatch.FieldError)
		if err := ann.ResetPassword(ctx, link, twinlatch.NewSecret("short"), cafe); !errors.As(err, &field) {
			t.Fatalf("a bad password: %v", err)
		}
		factors := w.rows("factors", "backup_codes")
		ann.ok(ann.ResetPassword(ctx, link, twinlatch.NewSecret(newPassword), cafe))
		equal(t, "factors and backup codes", w.rows("factors", "backup_codes"), factors)
		for _, b := range []*browser{ann, other} {
			b.meets(twinlatch.NeedFirstStep, "")
		}
		equal(t, "sessions", strings.TrimSpace(w.rows("sessions")), "")
		refused(t, ann.ResetPassword(ctx, link, twinlatch.NewSecret(newPassword), cafe), twinlatch.ErrExpired)
		refused(t, ann.CheckTicket(ctx, link, twinlatch.TicketReset), twinlatch.ErrExpired)
		ann.signsInWith(t, password, twinlatch.ErrWrongPassword)
		ann.later(time.Hour)
		d, _, err := ann.SignIn(ctx, twinlatch.MainRealm, ann.account.Login, twinlatch.NewSecret(newPassword), home)
		ann.ok(err)
		equal(t, "the second step is asked as before", d.Step, twinlatch.NeedSecondStep)
		equal(t, "in the trail", ann.count(twinlatch.EventPasswordReset), 1)
		ann.ok(ann.VerifyEvents(ctx, ann.account.ID))
		if ann.mail(post, twinlatch.EventPasswordReset).Reveal() == "" {
			t.Error("the owner is not told")
		}
	}, mailed(post))
}

func TestWhatKillsALink(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kill func(*browser, *postman)
		want error
	}{
		"29 minutes": {func(b *browser, _ *postman) { b.later(29 * time.Minute) }, nil},
		"time":       {func(b *browser, _ *postman) { b.later(30 * time.Minute) }, twinlatch.ErrExpired},
		"another link that was used": {func(b *browser, post *postman) {
			b.ok(b.forgot(home))
			b.ok(b.ResetPassword(ctx, b.mail(post, twinlatch.EventResetAsked), twinlatch.NewSecret(newPassword+"!"), home))
		}, twinlatch.ErrExpired},
		"another link": {func(b *browser, post *postman) { b.ok(b.forgot(home)); b.mail(post, twinlatch.EventResetAsked) }, nil},
		"a new password": {func(b *browser, _ *postman) {
			b.ok(b.answer(b.newCode())) // a fresh proof
			b.ok(b.ChangePassword(ctx, b.passed(), twinlatch.NewSecret(password), twinlatch.NewSecret(newPassword+"!"), home))
		}, twinlatch.ErrExpired},
		"the account is disabled": {func(b *browser, _ *postman) {
			b.exec("UPDATE accounts SET disabled_at = 1")
		}, twinlatch.ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			post := &postman{name: "post"}
			ann := newWorld(t, mailed(post)).protected("ann@example.com")
			ann.ok(ann.forgot(home))
			link := ann.mail(post, twinlatch.EventResetAsked)
			c.kill(ann, post)
			refused(t, ann.CheckTicket(ctx, link, twinlatch.TicketReset), c.want)
			refused(t, ann.ResetPassword(ctx, link, twinlatch.NewSecret(newPassword), home), c.want)
		})
	}
}

// A link is good for what it is for, in the account that it is for.
func TestLinksAreNotMixedUp(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	ann, bob := w.protected("ann@example.com"), w.protected("bob@example.com")
	ann.ok(ann.forgot(home))
	bob.ok(bob.forgot(home))
	reset, alarm := ann.mail(post, twinlatch.EventResetAsked), ann.mail(post, twinlatch.EventFactorAdded)
	bobs := strings.Split(bob.mail(post, twinlatch.EventResetAsked).Reveal(), ".")
	anns := strings.Split(reset.Reveal(), ".")
	mixed := func(account, row, secret string) twinlatch.Token {
		token, err := twinlatch.ParseToken(account + "." + row + "." + secret)
		w.ok(err)
		return token
	}
	for name, token := range map[string]twinlatch.Token{
		"none":                twinlatch.Token{},
		"of an alarm":         alarm,
		"of a session":        ann.token,
		"of another account":  mixed(anns[0], bobs[1], bobs[2]),
		"in another account":  mixed(bobs[0], anns[1], anns[2]),
		"with another secret": mixed(anns[0], anns[1], bobs[2]),
	} {
		refused(t, w.CheckTicket(ctx, token, twinlatch.TicketReset), twinlatch.ErrExpired)
		w.unchanged(name, func() {
			refused(t, w.ResetPassword(ctx, token, twinlatch.NewSecret(newPassword), home), twinlatch.ErrExpired)
		})
	}
	refused(t, w.RaiseAlarm(ctx, reset, home), twinlatch.ErrExpired)
	d, err := w.Check(ctx, reset, home)
	if d.Step == twinlatch.Pass || err != nil {
		t.Errorf("a link is a session: %v, %v", d.Step, err)
	}
}

// Of any number of presses one counts.
func TestALinkWorksOnce(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		ann.ok(ann.forgot(home))
		link := ann.mail(post, twinlatch.EventResetAsked)
		var presses sync.WaitGroup
		results := make([]error, 20)
		for i := range results {
			presses.Go(func() {
				results[i] = w.ResetPassword(ctx, link, twinlatch.NewSecret(fmt.Sprint(newPassword, i)), home)
			})
		}
		presses.Wait()
		won := 0
		for _, err := range results {
			if err == nil {
				won++
			} else {
				refused(t, err, twinlatch.ErrExpired)
			}
		}
		equal(t, "presses that counted", won, 1)
	}, mailed(post))
}

// Asking tells nothing: the same is done for every login, before it is looked for.
func TestAskingForALinkTellsNothing(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	ann := w.protected("ann@example.com")
	ann.mail(post, "")
	asked := func(login string) string {
		w.exec("DELETE FROM limits")
		before := w.rows()
		w.ok(w.ForgotPassword(ctx, twinlatch.MainRealm, login, home))
		if now := w.rows(); now == before {
			t.Fatal("nothing was written")
		}
		w.unchanged("asking", func() {}, "accounts", "events", "outbox", "tickets")
		n := strings.Count(w.rows("requests"), "\n") + strings.Count(w.rows("limits"), "\n")
		return fmt.Sprint(n)
	}
	if a, b := asked("ann@example.com"), asked("nobody@example.com"); a == "" || b == "" {
		t.Errorf("%q for a login that exists, %q for another", a, b)
	}
	if text := w.rows("requests", "limits"); strings.Contains(text, "example.com") {
		t.Errorf("a login can be read: %s", text)
	}
	sent := len(post.letters())
	ann.mail(post, "")
	equal(t, "mails", len(post.letters())-sent, 1)
	equal(t, "requests that are left", strings.TrimSpace(w.rows("requests")), "")
	w.ok(w.ForgotPassword(ctx, twinlatch.MainRealm, strings.Repeat("x", 300), home))
	w.ok(w.ForgotPassword(ctx, twinlatch.MainRealm, "a\nb", home))
	equal(t, "requests for what is no login", strings.TrimSpace(w.rows("requests")), "")
}

func TestAskingTooOftenForALink(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	ann := w.person("ann@example.com")
	for _, login := range []string{"ann@example.com", "nobody@example.com"} {
		for range 5 {
			w.ok(w.ForgotPassword(ctx, twinlatch.MainRealm, login, home))
		}
		limited(t, w.ForgotPassword(ctx, twinlatch.MainRealm, login, home))
	}
	w.ok(ann.forgot(cafe)) // a stranger does not keep the owner from it
	for i := range 20 {
		w.ok(w.ForgotPassword(ctx, twinlatch.MainRealm, fmt.Sprintf("p%d@example.com", i), home))
	}
	limited(t, w.ForgotPassword(ctx, twinlatch.MainRealm, "another@example.com", home))
	w.later(time.Hour)
	w.ok(ann.forgot(home))
}

// Accounts of applications have no password of ours and no address that we know;
// disabled ones get nothing.
func TestWhoGetsNoLink(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	_, err := w.CreateAccount(ctx, twinlatch.NewAccount{Realm: "shop", Login: "u1"}, home)
	w.ok(err)
	_, err = w.CreateAccount(ctx, twinlatch.NewAccount{Login: "free@example.com"}, home)
	w.ok(err)
	gone := w.person("gone@example.com")
	w.exec("UPDATE accounts SET disabled_at = 1 WHERE login = 'gone@example.com'")
	for tried := 1; tried > 0; {
		tried, err = w.Deliver(ctx)
		w.ok(err)
	}
	before := len(post.letters())
	w.ok(w.ForgotPassword(ctx, "shop", "u1", home))
	w.ok(w.ForgotPassword(ctx, twinlatch.MainRealm, "free@example.com", home))
	w.ok(gone.forgot(home))
	gone.mail(post, "")
	equal(t, "mails", len(post.letters())-before, 0)
	equal(t, "requests that are left", strings.TrimSpace(w.rows("requests")), "")
}

// What breaks in between is done again.
func TestAnAnswerToARequestThatBreaks(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	f := new(faulty)
	w := newWorld(t, mailed(post), breaking(f))
	ann := w.person("ann@example.com")
	for _, statement := range []string{"AccountByLogin", "begin", "Lock", "Password", "InsertTicket", "Enqueue", "commit"} {
		ann.mail(post, "")
		before := len(post.letters())
		w.exec("DELETE FROM limits")
		w.ok(ann.forgot(home))
		f.only = statement
		_, _ = w.Deliver(ctx)
		f.only = ""
		equal(t, "mails when "+statement+" broke", len(post.letters())-before, 0)
		w.later(31 * time.Second)
		ann.mail(post, "")
		equal(t, "mails afterwards", len(post.letters())-before, 1)
	}
}

func TestChangeThePassword(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	ann := newWorld(t, mailed(post)).protected("ann@example.com")
	other := ann.signInFully(cafe)
	change := func(old, fresh string) error {
		return ann.ChangePassword(ctx, ann.passed(), twinlatch.NewSecret(old), twinlatch.NewSecret(fresh), home)
	}
	field := new(twinlatch.FieldError)
	if err := change(password, "short"); !errors.As(err, &field) {
		t.Errorf("a bad password: %v", err)
	}
	refused(t, change("not it, not at all", newPassword), twinlatch.ErrWrongPassword)
	ann.ok(change(password, newPassword))
	other.meets(twinlatch.NeedFirstStep, "")
	ann.meets(twinlatch.Pass, "")
	if ann.mail(post, twinlatch.EventPasswordChanged).Reveal() == "" {
		t.Error("the owner is not told")
	}
	ann.later(11 * time.Minute)
	refused(t, change(newPassword, password), twinlatch.ErrNotFresh)
	refused(t, ann.ChangePassword(ctx, twinlatch.Passed{}, twinlatch.NewSecret(newPassword), twinlatch.NewSecret(password), home), twinlatch.ErrNoSession)
	ann.signsInWith(t, password, twinlatch.ErrWrongPassword)
	ann.signsInWith(t, newPassword, nil)
}

// "This was not me" ends all sessions and mails a link, and changes nothing else.
func TestAnAlarm(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	ann := newWorld(t, mailed(post)).protected("ann@example.com")
	link := ann.mail(post, twinlatch.EventFactorAdded)
	kept := ann.rows("factors", "backup_codes", "passwords")
	ann.ok(ann.CheckTicket(ctx, link, twinlatch.TicketAlarm))
	ann.later(6 * day)
	ann.ok(ann.RaiseAlarm(ctx, link, cafe))
	equal(t, "sessions", strings.TrimSpace(ann.rows("sessions")), "")
	equal(t, "what protects the account", ann.rows("factors", "backup_codes", "passwords"), kept)
	refused(t, ann.RaiseAlarm(ctx, link, cafe), twinlatch.ErrExpired)
	reset := ann.mail(post, twinlatch.EventResetAsked)
	ann.ok(ann.ResetPassword(ctx, reset, twinlatch.NewSecret(newPassword), cafe))
	late := ann.mail(post, twinlatch.EventPasswordReset)
	ann.later(7 * day)
	refused(t, ann.RaiseAlarm(ctx, late, cafe), twinlatch.ErrExpired)
}

// Broken mail stops nobody; it is tried again for a day.
func TestNoticesWhenMailIsBroken(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	post.fails(errors.New("down"))
	ann := newWorld(t, mailed(post)).protected("ann@example.com")
	_, err := ann.Deliver(ctx)
	ann.ok(err)
	ann.ok(ann.TurnOff(ctx, ann.passed(), home))
	post.fails(nil)
	ann.later(23 * time.Hour)
	if ann.mail(post, twinlatch.EventTwoStepOff).Reveal() == "" {
		t.Error("the owner is not told")
	}
	post.fails(errors.New("down"))
	ann = ann.signIn(home)
	ann.enroll("Phone")
	_, err = ann.Deliver(ctx)
	ann.ok(err)
	post.fails(nil)
	before := len(post.letters())
	ann.later(day)
	ann.mail(post, "")
	equal(t, "mails of yesterday", len(post.letters())-before, 0)
	equal(t, "mails that wait", strings.TrimSpace(ann.rows("outbox")), "")
}
