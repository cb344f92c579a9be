package twinlatch_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// act is a function of the Service that somebody calls by some right.
type act struct {
	name  string
	needs need
	as    func(twinlatch.Authority) error
	who   func(twinlatch.Passed) error
	half  func(twinlatch.Known) error
}

type need int

const (
	toLook      need = iota // read, rename, end sessions
	toAdd                   // a fresh proof
	toAlter                 // a fresh proof that is no backup code
	firstStep               // half a sign-in
	offAndFirst             // two-step verification off
	advice                  // about the moment of the check
)

func (a act) by(who twinlatch.Passed, half twinlatch.Known) error {
	switch {
	case a.as != nil:
		return a.as(who)
	case a.who != nil:
		return a.who(who)
	}
	return a.half(half)
}

// busy is a browser in the middle of everything, so that each act can be done.
type busy struct {
	*browser
	second     device
	phone      *browser
	phoneID    twinlatch.SessionID
	codes      []twinlatch.Secret
	enrollment twinlatch.Challenge
	third      twinlatchtest.App
	link       twinlatch.Token // to another address
}

func newBusy(t testing.TB, change ...func(*twinlatch.Config)) *busy {
	var link twinlatch.Token
	mails := func(c *twinlatch.Config) {
		c.Notice = func(_ twinlatch.Account, e twinlatch.Event, token twinlatch.Token) *twinlatch.Message {
			if e.Type != twinlatch.EventAddressAsked {
				return nil
			}
			link = token
			return &twinlatch.Message{Subject: "A link"}
		}
	}
	ann := newWorld(t, append(change, mails)...).protected("ann@example.com")
	ann.exec("UPDATE accounts SET member_of = 'admin'")
	b := &busy{browser: ann, second: ann.enroll("second")}
	b.ok(b.ChangeAddress(ctx, b.passed(), "ann@example.net", home))
	_, err := b.Deliver(ctx)
	b.ok(err)
	b.link = link
	b.phone = ann.signInFully(cafe)
	b.phoneID = b.phone.session().ID
	b.codes = ann.backupCodes()
	b.enrollment, err = b.BeginEnroll(ctx, b.passed(), totp.Kind, nil, home)
	b.ok(err)
	b.third = twinlatchtest.Scan(t, b.enrollment.Prompt.QR)
	_, err = b.Ask(ctx, b.known(), "", home)
	b.ok(err)
	b.later(step)
	return b
}

// acts are all there are: TestEveryActIsListed sees to it.
func (b *busy) acts() []act {
	errorOf := func(_ any, err error) error { return err }
	return []act{
		{name: "Sessions", needs: toLook, as: func(by twinlatch.Authority) error { return errorOf(b.Sessions(ctx, by)) }},
		{name: "Factors", needs: toLook, as: func(by twinlatch.Authority) error { return errorOf(b.Factors(ctx, by)) }},
		{name: "BackupCodes", needs: toLook, as: func(by twinlatch.Authority) error { return errorOf(b.BackupCodes(ctx, by)) }},
		{name: "Events", needs: toLook, as: func(by twinlatch.Authority) error { return errorOf(b.Events(ctx, by, 0, 9)) }},
		{name: "Enrollment", needs: toLook, as: func(by twinlatch.Authority) error { return errorOf(b.Enrollment(ctx, by, b.enrollment.ID)) }},
		{name: "RenameFactor", needs: toLook, as: func(by twinlatch.Authority) error { return b.RenameFactor(ctx, by, b.app.id, "new", home) }},
		{name: "SetLocale", needs: toLook, as: func(by twinlatch.Authority) error { return b.SetLocale(ctx, by, "cs") }},
		{name: "SetName", needs: toLook, as: func(by twinlatch.Authority) error { return b.SetName(ctx, by, "Ann", home) }},
		{name: "IssueHandOver", needs: toLook, who: func(who twinlatch.Passed) error {
			return errorOf(b.IssueHandOver(ctx, who, "wiki.example.com", "digest"))
		}},
		{name: "ConfirmAddress", needs: toLook, who: func(who twinlatch.Passed) error {
			return b.ConfirmAddress(ctx, b.link, who.Enrolling(), twinlatch.Secret{}, home)
		}},
		{name: "EndSession", needs: toLook, as: func(by twinlatch.Authority) error { return b.EndSession(ctx, by, b.phoneID, home) }},
		{name: "EndOtherSessions", needs: toLook, as: func(by twinlatch.Authority) error { return b.EndOtherSessions(ctx, by, home) }},
		{name: "BeginEnroll", needs: toAdd, as: func(by twinlatch.Authority) error {
			return errorOf(b.BeginEnroll(ctx, by, totp.Kind, nil, home))
		}},
		{name: "FinishEnroll", needs: toAdd, as: func(by twinlatch.Authority) error {
			_, _, err := b.FinishEnroll(ctx, by, b.enrollment.ID, code(b.third.Code(b.Now())), home)
			return err
		}},
		{name: "PreferFactor", needs: toAlter, as: func(by twinlatch.Authority) error { return b.PreferFactor(ctx, by, b.second.id, home) }},
		{name: "RemoveFactor", needs: toAlter, as: func(by twinlatch.Authority) error { return b.RemoveFactor(ctx, by, b.second.id, home) }},
		{name: "TurnOff", needs: toAlter, as: func(by twinlatch.Authority) error { return b.TurnOff(ctx, by, home) }},
		{name: "NewBackupCodes", needs: toAlter, as: func(by twinlatch.Authority) error { return errorOf(b.NewBackupCodes(ctx, by, home)) }},
		{name: "ChangePassword", needs: toAlter, who: func(who twinlatch.Passed) error {
			return b.ChangePassword(ctx, who, twinlatch.NewSecret(password), twinlatch.NewSecret(newPassword), home)
		}},
		{name: "ConfirmPassword", needs: offAndFirst, who: func(who twinlatch.Passed) error {
			return errorOf(b.ConfirmPassword(ctx, who.Enrolling(), twinlatch.NewSecret(password), home))
		}},
		{name: "ConfirmFirstStep", needs: offAndFirst, who: func(who twinlatch.Passed) error { return errorOf(b.ConfirmFirstStep(ctx, who.Enrolling(), home)) }},
		{name: "AskConfirmation", needs: toLook, who: func(who twinlatch.Passed) error { return b.AskConfirmation(ctx, who.Enrolling(), home) }},
		{name: "ChangeAddress", needs: toAlter, who: func(who twinlatch.Passed) error { return b.ChangeAddress(ctx, who, "ann@example.org", home) }},
		{name: "MayAdminister", needs: advice, who: func(who twinlatch.Passed) error { return b.MayAdminister(ctx, who) }},
		{name: "MayChange", needs: advice, who: func(who twinlatch.Passed) error { return b.MayChange(who) }},
		{name: "Ways", needs: firstStep, half: func(who twinlatch.Known) error { return errorOf(b.Ways(ctx, who)) }},
		{name: "Ask", needs: firstStep, half: func(who twinlatch.Known) error { return errorOf(b.Ask(ctx, who, "", home)) }},
		{name: "Asked", needs: firstStep, half: func(who twinlatch.Known) error { return errorOf(b.Asked(ctx, who)) }},
		{name: "Answer", needs: firstStep, half: func(who twinlatch.Known) error { return errorOf(b.Answer(ctx, who, code(b.code()), home)) }},
		{name: "Recover", needs: firstStep, half: func(who twinlatch.Known) error { return errorOf(b.Recover(ctx, who, b.codes[0], home)) }},
	}
}

func TestEveryActIsListed(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	for _, a := range newBusy(t).acts() {
		listed[a.name] = true
	}
	rights := []reflect.Type{
		reflect.TypeFor[twinlatch.Authority](), reflect.TypeFor[twinlatch.Passed](), reflect.TypeFor[twinlatch.Known](), reflect.TypeFor[twinlatch.Enrolling](),
	}
	for m := range reflect.TypeFor[*twinlatch.Service]().Methods() {
		for i := range m.Type.NumIn() {
			for _, right := range rights {
				if m.Type.In(i) == right && !listed[m.Name] {
					t.Errorf("%s takes %v and is no act of these tests", m.Name, right)
				}
			}
		}
	}
}

// A fresh code allows everything, a backup code little, an old code nothing.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		session string
		before  func(*busy)
		want    map[need]error
	}{
		{"a fresh code", func(*busy) {}, map[need]error{offAndFirst: twinlatch.ErrNotFresh}},
		{"a code of ten minutes ago", func(b *busy) { b.later(10*time.Minute - step) }, map[need]error{
			toAdd: twinlatch.ErrNotFresh, toAlter: twinlatch.ErrNotFresh, offAndFirst: twinlatch.ErrNotFresh, advice: twinlatch.ErrNotFresh,
		}},
		{"a backup code", func(b *busy) { b.ok(b.recover(b.codes[1])) }, map[need]error{
			toAlter: twinlatch.ErrRecovered, offAndFirst: twinlatch.ErrNotFresh, advice: twinlatch.ErrRecovered,
		}},
		{"a backup code of ten minutes ago", func(b *busy) {
			b.ok(b.recover(b.codes[1]))
			b.later(10 * time.Minute)
		}, map[need]error{
			toAdd: twinlatch.ErrNotFresh, toAlter: twinlatch.ErrRecovered, offAndFirst: twinlatch.ErrNotFresh, advice: twinlatch.ErrRecovered,
		}},
		{"a backup code, then a code", func(b *busy) {
			b.ok(b.recover(b.codes[1]))
			b.ok(b.answer(b.code()))
			b.later(step)
		}, map[need]error{offAndFirst: twinlatch.ErrNotFresh}},
	} {
		t.Run(row.session, func(t *testing.T) {
			t.Parallel()
			b := newBusy(t)
			row.before(b)
			_, err := b.Ask(ctx, b.passed().Known(), "", home)
			b.ok(err)
			for _, a := range b.acts() {
				if want := row.want[a.needs]; want != nil {
					b.unchanged(a.name, func() {
						if err := a.by(b.passed(), b.known()); !errors.Is(err, want) {
							t.Errorf("%s: %v, want %v", a.name, err, want)
						}
					}, "accounts", "factors", "sessions", "backup_codes", "events", "tries", "challenges")
				}
			}
			b.restoring(func(a act) {
				if row.want[a.needs] != nil || a.name == "Enrollment" && strings.Contains(row.session, "ten minutes") {
					return // refused above, or over by now
				}
				if err := a.by(b.passed(), b.known()); err != nil {
					t.Errorf("%s: %v", a.name, err)
				}
			})
		})
	}
}

// restoring does each act on the same database: what one changed is changed back
// before the next.
func (b *busy) restoring(do func(act)) {
	b.t.Helper()
	b.remember()
	token := b.token
	for _, a := range b.acts() {
		do(a)
		b.token = token
		b.restore()
	}
}

// Who was let in a moment ago is asked again inside the transaction: what was
// true then may not be any more.
func TestAnEndedSessionCannotAct(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*busy){
		"signed out":                 func(b *busy) { b.ok(b.SignOut(ctx, b.token, home)) },
		"ended elsewhere":            func(b *busy) { b.ok(b.EndSession(ctx, b.phone.passed(), b.session().ID, cafe)) },
		"ended with all others":      func(b *busy) { b.ok(b.EndOtherSessions(ctx, b.phone.passed(), cafe)) },
		"ended by the operator":      func(b *busy) { b.ok(b.EndOtherSessions(ctx, b.operator(), cafe)) },
		"renewed by a code":          func(b *busy) { b.ok(b.answer(b.code())); b.later(step) },
		"renewed by a backup code":   func(b *busy) { b.ok(b.recover(b.codes[9])) },
		"a factor removed elsewhere": func(b *busy) { b.ok(b.RemoveFactor(ctx, b.phone.passed(), b.second.id, cafe)) },
		"turned off elsewhere":       func(b *busy) { b.ok(b.TurnOff(ctx, b.phone.passed(), cafe)) },
		"turned off by the operator": func(b *busy) { b.ok(b.TurnOff(ctx, b.operator(), cafe)) },
		"ninety days over":           func(b *busy) { b.later(90 * day) },
		"ninety days over and swept": func(b *busy) { b.later(90 * day); b.ok(b.Sweep(ctx)) },
		"the account disabled":       func(b *busy) { b.exec("UPDATE accounts SET disabled_at = 1") },
		"the account deleted": func(b *busy) {
			for _, table := range []string{"passwords", "factors", "sessions", "challenges", "backup_codes", "networks", "tries", "events", "tickets", "outbox"} {
				b.exec("DELETE FROM " + table)
			}
			b.exec("DELETE FROM accounts")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBusy(t)
			who, half, acts := b.passed(), b.known(), b.acts()
			end(b)
			b.unchanged("acting with it", func() {
				for _, a := range acts {
					err := a.by(who, half)
					if strings.HasSuffix(a.name, "Password") && name == "the account deleted" && errors.Is(err, twinlatch.ErrWrongPassword) {
						continue
					}
					if a.name == "ConfirmAddress" && (strings.HasPrefix(name, "the account") || strings.HasPrefix(name, "ninety days")) && errors.Is(err, twinlatch.ErrExpired) {
						continue
					}
					if a.needs != advice && !errors.Is(err, twinlatch.ErrNoSession) && !errors.Is(err, twinlatch.ErrDisabled) {
						t.Errorf("%s: %v", a.name, err)
					}
					if errors.Is(err, twinlatch.ErrDisabled) && !strings.Contains(name, "the account") {
						t.Errorf("%s: %v", a.name, err)
					}
				}
			}, "accounts", "factors", "sessions", "challenges", "backup_codes", "networks", "tries", "events")
		})
	}
}

// The same when the session has become stale: it keeps its first step only.
func TestAStaleSessionCannotActByWhatItWas(t *testing.T) {
	t.Parallel()
	b := newBusy(t)
	who, acts := b.passed(), b.acts()
	b.later(30 * day)
	b.unchanged("a stale session", func() {
		for _, a := range acts {
			if a.half == nil {
				err := a.by(who, who.Known())
				if a.name == "ConfirmAddress" && errors.Is(err, twinlatch.ErrExpired) {
					continue // the link is too old as well
				}
				if !errors.Is(err, twinlatch.ErrNotFresh) {
					t.Errorf("%s: %v", a.name, err)
				}
			}
		}
	}, "accounts", "factors", "sessions", "challenges", "backup_codes", "networks", "tries", "events")
}

// Passed is a struct with methods, so a pointer to one and a struct around one
// are Authorities as well. Neither may do more.
func TestAPassedInDisguiseIsNoMoreThanAPassed(t *testing.T) {
	t.Parallel()
	b := newBusy(t)
	b.ok(b.recover(b.codes[1]))
	b.later(10 * time.Minute)
	who := b.passed()
	disguises := func() map[string]twinlatch.Authority {
		return map[string]twinlatch.Authority{
			"a pointer":             &who,
			"a struct":              struct{ twinlatch.Passed }{who},
			"a struct of the right": struct{ twinlatch.Authority }{who},
		}
	}
	for name, by := range disguises() {
		b.unchanged(name, func() {
			for _, a := range b.acts() {
				want := map[need]error{toAdd: twinlatch.ErrNotFresh, toAlter: twinlatch.ErrRecovered}[a.needs]
				if want == nil || a.as == nil {
					continue
				}
				if err := a.as(by); !errors.Is(err, want) {
					t.Errorf("%s, %s: %v, want %v", a.name, name, err, want)
				}
			}
		})
	}
	b.ok(b.EndOtherSessions(ctx, &who, home))
	b.meets(twinlatch.Pass, "") // it was not ended with the others
	b.ok(b.SignOut(ctx, b.token, home))
	for name, by := range disguises() {
		for _, a := range b.acts() {
			if a.as == nil {
				continue
			}
			if err := a.as(by); !errors.Is(err, twinlatch.ErrNoSession) {
				t.Errorf("ended, %s, %s: %v", a.name, name, err)
			}
		}
	}
}

// Whoever is nobody does nothing, and nothing breaks.
func TestZeroValuesDoNothing(t *testing.T) {
	t.Parallel()
	b := newBusy(t)
	var d twinlatch.Decision
	who, passed := d.Passed()
	half, known := d.Known()
	if passed || known || d.Step != twinlatch.NeedFirstStep {
		t.Error("the zero Decision lets in")
	}
	if !reflect.DeepEqual(who.Account(), twinlatch.Account{}) || who.Session().ID != "" || who.Reason() != "" || who.Known() != half || half.Account().ID != "" {
		t.Error("the zero Passed is somebody")
	}
	b.unchanged("nobody", func() {
		for _, a := range b.acts() {
			for name, err := range map[string]error{"zero": a.by(who, half), "literal": a.by(twinlatch.Passed{}, twinlatch.Known{})} {
				if !errors.Is(err, twinlatch.ErrNoSession) && !errors.Is(err, twinlatch.ErrDisabled) {
					t.Errorf("%s, %s: %v", a.name, name, err)
				}
			}
			if a.as != nil {
				if err := a.as(twinlatch.OnBehalf("", "", "")); err == nil && a.needs != toLook {
					t.Errorf("%s on behalf of nobody", a.name)
				}
			}
		}
		d, err := b.Check(ctx, twinlatch.Token{}, home)
		if err != nil || d != (twinlatch.Decision{}) {
			t.Errorf("Check: %+v, %v", d, err)
		}
		b.ok(b.SignOut(ctx, twinlatch.Token{}, home))
	})
}

func TestAnOperatorActsOnBehalf(t *testing.T) {
	t.Parallel()
	b := newBusy(t)
	for _, a := range b.acts() {
		if a.as == nil || a.name == "Enrollment" || a.name == "FinishEnroll" { // which belong to the session
			continue
		}
		if a.name == "RemoveFactor" {
			b.PreferFactor(ctx, b.operator(), b.app.id, home)
		}
		if a.name == "NewBackupCodes" { // after TurnOff
			refused(t, a.as(b.operator()), twinlatch.ErrTwoStepOff)
			continue
		}
		if err := a.as(b.operator()); err != nil && a.name != "EndSession" {
			t.Errorf("%s: %v", a.name, err)
		}
	}
	for _, e := range b.trail() {
		if e.Actor == "admin:eve" && e.Detail.More["why"] != "lost phone" {
			t.Errorf("%s does not say why: %v", e.Type, e.Detail.More)
		}
	}
	last := b.trail()[len(b.trail())-1]
	equal(t, "the last event", last.Type, twinlatch.EventTwoStepOff)
	equal(t, "by", last.Actor, "admin:eve")

	ch, err := b.BeginEnroll(ctx, b.operator(), totp.Kind, map[string]string{"name": "new phone"}, cafe)
	b.ok(err)
	_, err = b.Enrollment(ctx, twinlatch.OnBehalf(b.account.ID, "client:shop", ""), ch.ID)
	b.ok(err)
	f, token, err := b.FinishEnroll(ctx, b.operator(), ch.ID, code(twinlatchtest.Scan(t, ch.Prompt.QR).Code(b.Now())), nowhere)
	b.ok(err)
	equal(t, "name", f.Name, "new phone")
	equal(t, "token", token.Reveal(), "")
}
