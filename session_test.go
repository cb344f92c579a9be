package twinlatch_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// The product in one story: after the code, nothing is asked for thirty days;
// then a code, and again nothing.
func TestALiveSessionIsAskedEveryThirtyDays(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	ann.ok(ann.answer(ann.code()))
	for range 2 {
		for range 29 { // a request each day does not prolong
			ann.later(day)
			ann.meets(twinlatch.Pass, "")
		}
		ann.later(day - time.Second)
		ann.meets(twinlatch.Pass, "")
		ann.later(time.Second)
		ann.meets(twinlatch.NeedSecondStep, twinlatch.ReasonCodeTooOld)
		ann.ok(ann.answer(ann.code()))
		ann.meets(twinlatch.Pass, "")
	}
	equal(t, "the trail says why", ann.reasons(twinlatch.EventAsked), []string{"code_too_old", "code_too_old"})
	equal(t, "and when it was answered", ann.reasons(twinlatch.EventVerified), []string{"", "code_too_old", "code_too_old"})
}

func (p *person) reasons(of twinlatch.EventType) (all []string) {
	for _, e := range p.trail() {
		if e.Type == of {
			all = append(all, e.Detail.More["reason"])
		}
	}
	return all
}

func TestALiveSessionEndsAfterNinetyDays(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	ann.later(90*day - step - time.Millisecond)
	ann.meets(twinlatch.NeedSecondStep, twinlatch.ReasonCodeTooOld)
	ann.ok(ann.answer(ann.code()))
	ann.meets(twinlatch.Pass, "")
	ann.later(time.Millisecond)
	ann.meets(twinlatch.NeedFirstStep, twinlatch.ReasonExpired)
	ann.ok(ann.Sweep(ctx))
	ann.meets(twinlatch.NeedFirstStep, "")
}

func TestANewAddressIsAsked(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	ann.from = cafe
	ann.meets(twinlatch.NeedSecondStep, twinlatch.ReasonIPChanged)
	ann.from = home
	ann.meets(twinlatch.Pass, "") // at the café nobody proved anything
	ann.from = cafe
	ann.ok(ann.answer(ann.newCode()))
	ann.meets(twinlatch.Pass, "")
	ann.from = home
	ann.meets(twinlatch.NeedSecondStep, twinlatch.ReasonIPChanged)
	ann.ok(ann.answer(ann.newCode()))
	ann.meets(twinlatch.Pass, "")
	equal(t, "the trail says why", ann.reasons(twinlatch.EventVerified), []string{"ip_changed", "ip_changed"})
	equal(t, "and that it was asked", ann.reasons(twinlatch.EventAsked), []string{"ip_changed", "ip_changed"})
}

func TestDualStackIsAskedOncePerFamily(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	ann.from = home6
	ann.meets(twinlatch.NeedSecondStep, twinlatch.ReasonIPChanged)
	ann.later(day)
	ann.ok(ann.answer(ann.code()))
	for range 3 {
		for _, ip := range []string{"192.0.2.1", "2001:db8:0:1::1", "2001:db8:0:1::9", "::ffff:192.0.2.1"} {
			ann.from = at(ip)
			ann.meets(twinlatch.Pass, "")
		}
	}
	equal(t, "verified from, over IPv4", ann.session().VerifiedFrom(home.IP), home.IP)
	equal(t, "verified from, over IPv6", ann.session().VerifiedFrom(home6.IP), home6.IP)
	ann.later(29 * day)
	ann.from = home
	ann.meets(twinlatch.NeedSecondStep, twinlatch.ReasonCodeTooOld) // thirty days for each
	ann.from = home6
	ann.meets(twinlatch.Pass, "")
}

func TestWhatASessionTellsAboutItsCodes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	v4, v6 := twinlatch.Slot{IP: home.IP, At: now}, twinlatch.Slot{IP: home6.IP, At: now.Add(-day)}
	for _, row := range []struct {
		session  twinlatch.Session
		at       time.Time
		from, ip string
	}{
		{twinlatch.Session{}, time.Time{}, "", "192.0.2.1"},
		{twinlatch.Session{V4: v4}, now, "192.0.2.1", "198.51.100.7"},
		{twinlatch.Session{V4: v4}, now, "192.0.2.1", "2001:db8::1"},
		{twinlatch.Session{V4: v4}, now, "192.0.2.1", ""},
		{twinlatch.Session{V6: v6}, now.Add(-day), "2001:db8:0:1::1", "198.51.100.7"},
		{twinlatch.Session{V4: v4, V6: v6}, now, "192.0.2.1", "::ffff:198.51.100.7"},
		{twinlatch.Session{V4: v4, V6: v6}, now, "2001:db8:0:1::1", "2001:db8::1"},
	} {
		equal(t, "VerifiedAt", row.session.VerifiedAt(), row.at)
		equal(t, "VerifiedFrom "+row.ip, row.session.VerifiedFrom(address(row.ip)), address(row.from))
	}
}

func TestNobodyPassesFromAnUnknownAddress(t *testing.T) {
	t.Parallel()
	for _, bind := range []twinlatch.IPBinding{twinlatch.SameIP, twinlatch.SameSubnet, twinlatch.AnyIP} {
		ann := newWorld(t, func(c *twinlatch.Config) { c.Policy.BindIP = bind }).protected("ann@example.com")
		codes := ann.backupCodes()
		ann.from = nowhere
		ann.meets(twinlatch.NeedSecondStep, twinlatch.ReasonIPChanged)
		ann.unchanged("a code from nowhere", func() {
			refused(t, ann.answer(ann.newCode()), twinlatch.ErrUnknownAddress)
			refused(t, ann.recover(codes[0]), twinlatch.ErrUnknownAddress)
		})
		ann.meets(twinlatch.NeedSecondStep, twinlatch.ReasonIPChanged)
	}
}

func TestARefusedRequestChangesNothing(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	pending := ann.signIn(home)
	old := ann.token
	ann.ok(ann.answer(ann.newCode()))
	ann.later(time.Hour) // the last request noted is old enough for a new one
	for name, refused := range map[string]*browser{
		"from another address":   {ann.person, ann.token, cafe},
		"from another family":    {ann.person, ann.token, home6},
		"from nowhere":           {ann.person, ann.token, nowhere},
		"after the first step":   pending,
		"with a token of before": {ann.person, old, home},
		"with no token":          {ann.person, twinlatch.Token{}, home},
	} {
		ann.unchanged("a request "+name, func() {
			if d := refused.check(); d.Step == twinlatch.Pass {
				t.Errorf("%s: passes", name)
			}
		})
	}
	ann.later(30 * day)
	ann.unchanged("a request after thirty days", func() { ann.meets(twinlatch.NeedSecondStep, twinlatch.ReasonCodeTooOld) })
	ann.later(60 * day)
	ann.unchanged("a request after ninety days", func() { ann.meets(twinlatch.NeedFirstStep, twinlatch.ReasonExpired) })
}

// The last request is noted to five minutes, so that not every request writes.
func TestServedRequestsAreNotedToFiveMinutes(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com").signIn(home)
	start := ann.session().SeenAt
	for range 5 {
		ann.unchanged("a request within five minutes", func() { ann.meets(twinlatch.Pass, "") })
		ann.later(time.Minute)
	}
	ann.unchanged("a request after five minutes", func() { ann.meets(twinlatch.Pass, "") })
	ann.later(time.Millisecond)
	ann.from = cafe
	ann.meets(twinlatch.Pass, "")
	equal(t, "seen", ann.session().SeenAt, start.Add(5*time.Minute+time.Millisecond))
	equal(t, "seen from", ann.session().SeenIP, cafe.IP)

	idle := newWorld(t, func(c *twinlatch.Config) { c.Policy.IdleFor = 10 * time.Minute }).person("ann@example.com").signIn(home)
	for range 30 { // somebody who asks something every five minutes is not idle
		idle.later(5 * time.Minute)
		idle.meets(twinlatch.Pass, "")
	}
	idle.later(10 * time.Minute)
	idle.meets(twinlatch.NeedFirstStep, twinlatch.ReasonExpired)
}

// A token is good for one level: each change of level makes a new one, and the
// old one is dead at once.
func TestTheTokenChangesAtEveryLevel(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com")
	b := ann.signIn(home)
	var dead []twinlatch.Token
	changes := func(what string, change func()) {
		t.Helper()
		dead = append(dead, b.token)
		change()
		for i, old := range dead {
			if d, err := b.Check(ctx, old, home); err != nil || d.Step != twinlatch.NeedFirstStep || d.Reason != "" {
				t.Errorf("after %s token %d is alive: %+v, %v", what, i, d, err)
			}
		}
		b.meets(twinlatch.Pass, "")
	}
	changes("the password", func() {
		ann.ok(b.keep(b.ConfirmPassword(ctx, b.passed().Enrolling(), twinlatch.NewSecret(password), home)))
	})
	changes("the first step", func() { ann.ok(b.keep(b.ConfirmFirstStep(ctx, b.passed().Enrolling(), home))) })
	changes("the first app", func() { ann.app = b.enroll("one") })
	changes("the second app", func() { b.enroll("two") })
	changes("a code", func() { ann.ok(b.answer(ann.newCode())) })
	backup := b.backupCodes()
	changes("a backup code", func() { ann.ok(b.recover(backup[0])) })
	changes("a code after it", func() { ann.ok(b.answer(ann.newCode())) })
	ann.later(30 * day)
	changes("a code after thirty days", func() { ann.ok(b.answer(ann.code())) })

	kept := b.known()
	ann.ok(b.answer(ann.newCode()))
	_, err := ann.Answer(ctx, kept, code(ann.newCode()), home)
	refused(t, err, twinlatch.ErrNoSession) // who was checked with the old token
}

func TestATokenOfAnotherSessionOpensNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.protected("ann@example.com"), w.protected("bob@example.com")
	parts := func(token twinlatch.Token) (account, session, secret string) {
		text := token.Reveal()
		return text[:26], text[27:53], text[54:]
	}
	account, session, secret := parts(ann.token)
	bobs, bobSession, bobSecret := parts(bob.token)
	for _, forged := range []string{
		bobs + "." + session + "." + secret,
		account + "." + bobSession + "." + secret,
		account + "." + session + "." + bobSecret,
		bobs + "." + bobSession + "." + secret,
		account + "." + session + "." + strings.Repeat("A", 43),
	} {
		token, err := twinlatch.ParseToken(forged)
		w.ok(err)
		(&browser{ann.person, token, home}).meets(twinlatch.NeedFirstStep, "")
		w.unchanged("to sign out with it", func() { w.ok(w.SignOut(ctx, token, home)) })
	}
	ann.meets(twinlatch.Pass, "")
}

func TestSignOutEndsTheSessionOnce(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	pending := ann.signIn(cafe)
	for range 2 {
		ann.ok(ann.SignOut(ctx, ann.token, home))
		ann.meets(twinlatch.NeedFirstStep, "")
	}
	pending.meets(twinlatch.NeedSecondStep, twinlatch.ReasonNewSession)
	ann.ok(pending.SignOut(ctx, pending.token, cafe)) // which half a sign-in can
	pending.meets(twinlatch.NeedFirstStep, "")
	ann.ok(ann.SignOut(ctx, twinlatch.Token{}, home))
	equal(t, "signed out", ann.count(twinlatch.EventSignedOut), 2)
}

func TestADisabledAccountMaySignOut(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	ann.exec("UPDATE accounts SET disabled_at = 1")
	ann.ok(ann.SignOut(ctx, ann.token, home))
	ann.exec("UPDATE accounts SET disabled_at = NULL")
	ann.meets(twinlatch.NeedFirstStep, "")
}

func TestEndingSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bob := w.protected("bob@example.com")
	ann := w.protected("ann@example.com")
	phone, tablet := ann.signInFully(cafe), ann.signInFully(home6)
	ann.later(time.Hour)
	ann.meets(twinlatch.Pass, "")

	found, err := ann.Sessions(ctx, ann.passed())
	w.ok(err)
	var ids []twinlatch.SessionID
	for _, s := range found {
		ids = append(ids, s.ID)
	}
	equal(t, "newest request first", ids, []twinlatch.SessionID{ann.session().ID, tablet.session().ID, phone.session().ID})

	w.ok(ann.EndSession(ctx, ann.passed(), phone.session().ID, home))
	phone.meets(twinlatch.NeedFirstStep, "")
	tablet.meets(twinlatch.Pass, "")
	bobs := bob.session().ID
	w.unchanged("to end what is not there, not hers, or nonsense", func() {
		for _, id := range []twinlatch.SessionID{found[2].ID, bobs, "", "\x00\xff"} {
			refused(t, ann.EndSession(ctx, ann.passed(), id, home), twinlatch.ErrNotFound)
		}
	})

	w.ok(ann.EndOtherSessions(ctx, ann.passed(), home))
	tablet.meets(twinlatch.NeedFirstStep, "")
	ann.meets(twinlatch.Pass, "")
	bob.meets(twinlatch.Pass, "")

	w.ok(ann.EndSession(ctx, ann.passed(), ann.session().ID, home)) // also one's own
	ann.meets(twinlatch.NeedFirstStep, "")
	again := ann.signInFully(home)
	w.ok(w.EndOtherSessions(ctx, ann.operator(), cafe))
	again.meets(twinlatch.NeedFirstStep, "")
	equal(t, "the trail names the device", ann.trail()[len(ann.trail())-1].Detail.More["why"], "lost phone")
}

// Nobody outside the core makes a Passed: not from a Known, which would be one
// conversion away if the types looked alike, and not by saying Pass.
func TestPassedCannotBeForged(t *testing.T) {
	t.Parallel()
	if reflect.TypeFor[twinlatch.Known]().ConvertibleTo(reflect.TypeFor[twinlatch.Passed]()) {
		t.Error("Passed(known) compiles")
	}
	ann := newWorld(t).protected("ann@example.com")
	for name, d := range map[string]twinlatch.Decision{
		"after the first step": ann.signIn(home).check(),
		"of nobody":            {},
	} {
		d.Step = twinlatch.Pass
		if _, ok := d.Passed(); ok {
			t.Errorf("a Decision %s whose Step was overwritten passes", name)
		}
	}
	d := ann.check()
	d.Step = twinlatch.NeedSecondStep
	if _, ok := d.Passed(); ok {
		t.Error("a Decision passes that says it does not")
	}
}
