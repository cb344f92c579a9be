package twinlatch_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

const (
	wikiHost  = "wiki.example.com"
	filesHost = "files.example.com"
)

// state is the secret that a browser has for the host of an app.
var state = twinlatch.NewSecret("abcdefghijklmnopqrstuvwxyz")

// ticket asks for one for the browser's own state.
func (b *browser) ticket(host string) twinlatch.Token {
	b.t.Helper()
	token, err := b.IssueHandOver(ctx, b.passed(), host, twinlatch.StateDigest(state))
	b.ok(err)
	return token
}

// at is a browser with the token of an app's host.
func (b *browser) at(host string, from twinlatch.Client) *browser {
	b.t.Helper()
	token, err := b.HandOver(ctx, b.ticket(host), host, state, from)
	b.ok(err)
	from.Host = host
	return &browser{b.person, token, from}
}

// A hand-over gives a token that opens one host, and nothing else; that of our pages
// opens no other one.
func TestHandOver(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		wiki, files := ann.at(wikiHost, home), ann.at(filesHost, home)
		for name, c := range map[string]struct {
			b    *browser
			host string
		}{"our pages": {ann, ""}, "wiki": {wiki, wikiHost}, "files": {files, filesHost}} {
			for _, host := range []string{"", wikiHost, filesHost, "unknown.example.com", "WIKI.example.com", wikiHost + ":8443"} {
				from := home
				from.Host = host
				d, err := w.Check(ctx, c.b.token, from)
				w.ok(err)
				if passes := d.Step == twinlatch.Pass; passes != (host == c.host) {
					t.Errorf("the token of %s at %q: %d", name, host, d.Step)
				}
			}
		}
		equal(t, "the session", wiki.passed().Session().ID, ann.session().ID)
		equal(t, "in the trail", ann.last(twinlatch.EventAppOpened).Detail.More["app"], filesHost)
		equal(t, "times", ann.count(twinlatch.EventAppOpened), 2)

		again := ann.at(wikiHost, home) // a host has one token
		wiki.meets(twinlatch.NeedFirstStep, "")
		again.meets(twinlatch.Pass, "")
		files.meets(twinlatch.Pass, "")
		w.unchanged("to sign out with the token of a host", func() { w.ok(w.SignOut(ctx, again.token, home)) })
	})
}

// A ticket is good for one browser, one host, one minute and one time.
func TestWhatATicketIsGoodFor(t *testing.T) {
	t.Parallel()
	expired := twinlatch.ErrExpired
	for name, c := range map[string]struct {
		before func(b *browser)
		host   string
		state  twinlatch.Secret
		want   error
	}{
		"this":            {nil, wikiHost, state, nil},
		"59 seconds":      {func(b *browser) { b.later(59 * time.Second) }, wikiHost, state, nil},
		"a minute":        {func(b *browser) { b.later(time.Minute) }, wikiHost, state, expired},
		"another host":    {nil, filesHost, state, expired},
		"the same, upper": {nil, "WIKI.example.com", state, expired},
		"no host":         {nil, "", state, expired},
		"another state":   {nil, wikiHost, twinlatch.NewSecret("bbcdefghijklmnopqrstuvwxyz"), expired},
		"its digest":      {nil, wikiHost, twinlatch.NewSecret(twinlatch.StateDigest(state)), expired},
		"an empty state":  {nil, wikiHost, twinlatch.NewSecret(""), expired},
		"no state":        {nil, wikiHost, twinlatch.Secret{}, expired},
		"signed out":      {func(b *browser) { b.ok(b.SignOut(ctx, b.token, home)) }, wikiHost, state, twinlatch.ErrNoSession},
		"ended":           {func(b *browser) { b.ok(b.EndOtherSessions(ctx, b.operator(), home)) }, wikiHost, state, twinlatch.ErrNoSession},
		"disabled":        {func(b *browser) { b.ok(b.Disable(ctx, command, b.account.ID, home)) }, wikiHost, state, expired},
		"deleted":         {func(b *browser) { b.ok(b.Delete(ctx, command, b.account.ID, home)) }, wikiHost, state, expired},
		"a new code": {func(b *browser) { // which ends what the old token gave
			b.ok(b.answer(b.newCode()))
		}, wikiHost, state, expired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ann := newWorld(t).protected("ann@example.com")
			ticket := ann.ticket(wikiHost)
			if c.before != nil {
				c.before(ann)
			}
			events := ann.rows("events")
			token, err := ann.HandOver(ctx, ticket, c.host, c.state, home)
			refused(t, err, c.want)
			if c.want != nil {
				equal(t, "the token", token.Reveal(), "")
				equal(t, "events", ann.rows("events"), events)
			}
			if c.host == "" {
				return
			}
			// Also a ticket that was shown in the wrong place.
			_, err = ann.HandOver(ctx, ticket, wikiHost, state, home)
			if err == nil {
				t.Error("it is good for more than one time")
			}
		})
	}
}

// What is no ticket of a hand-over is none.
func TestForgedTickets(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	ann, bob := w.protected("ann@example.com"), w.protected("bob@example.com")
	w.ok(ann.forgot(home))
	reset := ann.mail(post, twinlatch.EventResetAsked)
	hers, his := ann.ticket(wikiHost).Reveal(), bob.ticket(wikiHost).Reveal()
	for name, text := range map[string]string{
		"her session":       ann.token.Reveal(),
		"a link in a mail":  reset.Reveal(),
		"another's secret":  hers[:54] + his[54:],
		"another's row":     hers[:27] + his[27:],
		"another's account": his[:27] + hers[27:],
	} {
		token, err := twinlatch.ParseToken(text)
		w.ok(err)
		w.unchanged(name, func() {
			_, err = w.HandOver(ctx, token, wikiHost, state, home)
			refused(t, err, twinlatch.ErrExpired)
		})
	}
	_, err := w.HandOver(ctx, twinlatch.Token{}, wikiHost, state, home)
	refused(t, err, twinlatch.ErrExpired)
	// And a ticket opens nothing else.
	ticket := ann.ticket(filesHost)
	for _, purpose := range []twinlatch.TicketPurpose{twinlatch.TicketReset, twinlatch.TicketAlarm, twinlatch.TicketEmail} {
		refused(t, w.CheckTicket(ctx, ticket, purpose), twinlatch.ErrExpired)
	}
	refused(t, w.ResetPassword(ctx, ticket, twinlatch.NewSecret(newPassword), home), twinlatch.ErrExpired)
	(&browser{ann.person, ticket, home}).meets(twinlatch.NeedFirstStep, "")
}

// Who does not pass gets no ticket: what was checked a moment ago is checked again.
func TestWhoGetsATicket(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b *browser){
		"ended":    func(b *browser) { b.ok(b.EndOtherSessions(ctx, b.operator(), home)) },
		"disabled": func(b *browser) { b.ok(b.Disable(ctx, command, b.account.ID, home)) },
		"deleted":  func(b *browser) { b.ok(b.Delete(ctx, command, b.account.ID, home)) },
		"older":    func(b *browser) { b.ok(b.answer(b.newCode())) }, // another token
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ann := newWorld(t).protected("ann@example.com")
			who := ann.passed()
			end(ann)
			ann.unchanged("a ticket", func() {
				if _, err := ann.IssueHandOver(ctx, who, wikiHost, twinlatch.StateDigest(state)); err == nil {
					t.Error("a ticket")
				}
			})
		})
	}
	w := newWorld(t)
	if _, err := w.IssueHandOver(ctx, twinlatch.Passed{}, wikiHost, twinlatch.StateDigest(state)); err == nil {
		t.Error("a ticket for nobody")
	}
}

// A second step counts for one more address while it is young.
func TestWhatAHandOverCarries(t *testing.T) {
	t.Parallel()
	notFresh := twinlatch.ErrNotFresh
	for name, c := range map[string]struct {
		from twinlatch.Client
		old  time.Duration
		want error
	}{
		"the same address":              {home, 29 * day, nil},
		"another family":                {home6, 0, nil},
		"another family, 119 seconds":   {home6, 2*time.Minute - time.Second, nil},
		"another family, two minutes":   {home6, 2 * time.Minute, notFresh},
		"another address":               {cafe, 2*time.Minute - time.Second, nil},
		"another address, two minutes":  {cafe, 2 * time.Minute, notFresh},
		"another address, 29 days":      {cafe, 29 * day, notFresh},
		"nobody knows where":            {nowhere, 0, notFresh},
		"nobody knows where, 2 minutes": {nowhere, 2 * time.Minute, notFresh},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ann := newWorld(t).protected("ann@example.com")
			ann.ok(ann.answer(ann.newCode()))
			at := ann.session().VerifiedAt()
			ann.later(c.old)
			ticket := ann.ticket(wikiHost)
			if c.want != nil {
				ann.unchanged("a hand-over", func() {
					_, err := ann.HandOver(ctx, ticket, wikiHost, state, c.from)
					refused(t, err, c.want)
				})
				_, err := ann.HandOver(ctx, ticket, wikiHost, state, home) // the ticket stays good
				ann.ok(err)
				return
			}
			token, err := ann.HandOver(ctx, ticket, wikiHost, state, c.from)
			ann.ok(err)
			c.from.Host = wikiHost
			app := &browser{ann.person, token, c.from}
			app.meets(twinlatch.Pass, "")
			equal(t, "the second step was done", app.session().VerifiedAt(), at)
			equal(t, "its age there", app.passed().SecondStepAge(), c.old)
			app.later(30*day - c.old - time.Second) // thirty days from when it was done
			app.meets(twinlatch.Pass, "")
			app.later(time.Second)
			app.meets(twinlatch.NeedSecondStep, twinlatch.ReasonCodeTooOld)
		})
	}
}

// While two-step verification is off there is nothing to carry, and nothing asked.
func TestHandOverWithoutTwoStepVerification(t *testing.T) {
	t.Parallel()
	bob := newWorld(t).person("bob@example.com").signIn(home)
	app := bob.at(wikiHost, cafe)
	app.meets(twinlatch.Pass, "")
	app.from.IP = home6.IP
	app.meets(twinlatch.Pass, "")
}

// Whatever changes the token of a session, or ends it, ends those of hosts.
func TestWhatEndsTokensOfHosts(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b *browser){
		"a code":             func(b *browser) { b.ok(b.answer(b.newCode())) },
		"a second method":    func(b *browser) { b.enroll("two") },
		"sign-out":           func(b *browser) { b.ok(b.SignOut(ctx, b.token, home)) },
		"end of the session": func(b *browser) { b.ok(b.EndSession(ctx, b.passed(), b.session().ID, home)) },
		"end of all":         func(b *browser) { b.ok(b.EndSessions(ctx, command, b.account.ID, home)) },
		"reset by a helper":  func(b *browser) { b.ok(b.ResetTwoStep(ctx, command, b.account.ID, home)) },
		"disabled":           func(b *browser) { b.ok(b.Disable(ctx, command, b.account.ID, home)) },
		"deleted":            func(b *browser) { b.ok(b.Delete(ctx, command, b.account.ID, home)) },
		"ninety days, swept": func(b *browser) { b.later(90 * day); b.ok(b.Sweep(ctx)) },
		"ninety days":        func(b *browser) { b.later(90 * day) },
		"another new token":  func(b *browser) { b.at(wikiHost, home) },
		"end by an operator": func(b *browser) { b.ok(b.EndOtherSessions(ctx, b.operator(), home)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ann := newWorld(t).protected("ann@example.com")
			app := ann.at(wikiHost, home)
			app.meets(twinlatch.Pass, "")
			end(ann)
			if d := app.check(); d.Step != twinlatch.NeedFirstStep {
				t.Errorf("it is answered %d %q", d.Step, d.Reason)
			}
		})
	}
}

// Of any number of callers with one ticket one gets a token, and it is the host's.
func TestParallelHandOvers(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		ticket := ann.ticket(wikiHost)
		var won atomic.Value
		oneWinner(t, together(32, func(int) error {
			token, err := w.HandOver(ctx, ticket, wikiHost, state, home)
			if err == nil {
				won.Store(token)
			}
			return err
		}))
		from := home
		from.Host = wikiHost
		(&browser{ann.person, won.Load().(twinlatch.Token), from}).meets(twinlatch.Pass, "")
		equal(t, "in the trail", ann.count(twinlatch.EventAppOpened), 1)
	})
}

// A new code and hand-overs at the same moment: no token of before passes afterwards
// unless it was made after the code.
func TestAHandOverBesideANewCode(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		tickets := make([]twinlatch.Token, 15)
		for i := range tickets {
			tickets[i] = ann.ticket(wikiHost)
		}
		who, right := ann.known(), ann.newCode()
		tokens, opened := make([]twinlatch.Token, len(tickets)), 0
		for i, err := range together(len(tickets)+1, func(i int) error {
			if i == len(tickets) {
				return ann.keep(w.Answer(ctx, who, code(right), home))
			}
			var err error
			tokens[i], err = w.HandOver(ctx, tickets[i], wikiHost, state, home)
			return err
		}) {
			switch {
			case err == nil:
				opened++
			case i == len(tickets), !errors.Is(err, twinlatch.ErrExpired): // the new code ends those that are not used yet
				t.Errorf("%d: %v", i, err)
			}
		}
		opened-- // which was the code
		from := home
		from.Host = wikiHost
		passes := 0
		for _, token := range tokens {
			if d, err := w.Check(ctx, token, from); err == nil && d.Step == twinlatch.Pass {
				passes++
			}
		}
		if passes > 1 {
			t.Errorf("%d tokens of one host pass", passes)
		}
		ann.meets(twinlatch.Pass, "")
		types := ann.types()
		if n := len(slices.DeleteFunc(types, func(e twinlatch.EventType) bool { return e != twinlatch.EventAppOpened })); n != opened {
			t.Errorf("%d hand-overs in the trail, %d succeeded", n, opened)
		}
	})
}
