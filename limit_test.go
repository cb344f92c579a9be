package twinlatch_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// limited is when to come back; it fails the test unless err is a LimitError.
func limited(t testing.TB, err error) time.Time {
	t.Helper()
	var limit *twinlatch.LimitError
	if !errors.As(err, &limit) || !errors.Is(err, twinlatch.ErrLimited) {
		t.Fatalf("the error is %v, want a LimitError", err)
	}
	return limit.RetryAt
}

// The curve of wrong codes: five free, then 30 s, doubling to an hour; twenty a
// day, a hundred in all. Whoever waits as told comes this far.
func TestWrongCodesSlowDown(t *testing.T) {
	t.Parallel()
	ann := newWorld(t, func(c *twinlatch.Config) { c.Policy.SignInFor = 80 * day }).protected("ann@example.com")
	b := ann.signIn(home)
	wrong := func() error { return b.answer(ann.wrongCode()) }
	for range 5 {
		refused(t, wrong(), twinlatch.ErrWrongCode)
	}
	for _, wait := range []time.Duration{
		30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute,
		time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour,
	} {
		equal(t, "come back", limited(t, wrong()), ann.Now().Add(wait))
		ann.later(wait - time.Millisecond)
		limited(t, wrong())
		ann.later(time.Millisecond)
		refused(t, wrong(), twinlatch.ErrWrongCode)
	}
	ann.later(time.Hour)
	equal(t, "after twenty", limited(t, wrong()), twinlatchtest.Start().Add(step+day)) // a day after the first

	judged := 20
	for again := ann.Now(); !again.IsZero(); { // the next days
		ann.later(again.Sub(ann.Now()))
		if err := wrong(); errors.Is(err, twinlatch.ErrWrongCode) {
			judged++
		} else {
			again = limited(t, err)
		}
	}
	equal(t, "guesses in all", judged, 100)
	ann.later(15 * day)
	equal(t, "after a hundred, waiting does not help", limited(t, wrong()), time.Time{})
	equal(t, "nor does the right one", limited(t, b.answer(ann.code())), time.Time{})
	equal(t, "in the trail", ann.count(twinlatch.EventWrongCode), 100)
}

// Waits begin anew after a right code, and after the app was set up anew.
func TestASuccessForgives(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	b := ann.signIn(home)
	for range 3 {
		for range 4 {
			refused(t, b.answer(ann.wrongCode()), twinlatch.ErrWrongCode)
		}
		ann.ok(b.answer(ann.newCode()))
	}
	for range 5 {
		refused(t, b.answer(ann.wrongCode()), twinlatch.ErrWrongCode)
	}
	limited(t, b.answer(ann.code()))
	ann.app = b.enroll("anew")
	refused(t, b.answer(ann.code()), twinlatch.ErrReplayed) // judged again
}

// While it has to wait, an answer is not looked at: right and wrong are the same
// and neither changes anything.
func TestAThrottledAnswerSaysNothing(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	b := ann.signIn(home)
	for range 5 {
		refused(t, b.answer(ann.wrongCode()), twinlatch.ErrWrongCode)
	}
	_, err := b.Ask(ctx, b.known(), "", home) // five tries are over, a new challenge is open
	ann.ok(err)
	who := b.known()
	var first error
	for i, text := range []string{ann.wrongCode(), ann.code(), ann.wrongCode(), ann.app.Code(ann.Now().Add(-step)), ann.code()} {
		ann.unchanged("a throttled answer", func() {
			_, err := ann.Answer(ctx, who, code(text), home)
			limited(t, err)
			if i == 0 {
				first = err
			}
			equal(t, "answer", err, first)
		})
	}
	ann.later(step)
	ann.ok(b.answer(ann.code()))
}

// None of these gives a guesser more tries.
func TestNothingResetsTheTries(t *testing.T) {
	t.Parallel()
	for name, try := range map[string]func(ann *browser, last *browser) *browser{
		"new challenges": func(ann, b *browser) *browser {
			ann.exec("UPDATE challenges SET consumed_at = 1 WHERE consumed_at IS NULL AND purpose = 'verify'")
			_, err := b.Ask(ctx, b.known(), "", home)
			ann.ok(err)
			return b
		},
		"the password again": func(ann, _ *browser) *browser { return ann.signIn(home) },
		"another method": func(ann, b *browser) *browser {
			_, err := b.Ask(ctx, b.known(), ann.factors()[1].ID, home)
			ann.ok(err)
			ann.ok(b.say("tulip"))
			_, err = b.Ask(ctx, b.known(), ann.app.id, home)
			ann.ok(err)
			return b
		},
		"a sign-out": func(ann, b *browser) *browser {
			ann.ok(b.SignOut(ctx, b.token, home))
			return ann.signIn(home)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ann := newWorld(t, alsoSpoken(&spoken{kind: "word"})).protected("ann@example.com")
			ann.choose("word", "tulip")
			b := ann.signIn(home)
			for range 5 {
				b = try(ann, b)
				refused(t, b.answer(ann.wrongCode()), twinlatch.ErrWrongCode)
			}
			for range 3 {
				b = try(ann, b)
				limited(t, b.answer(ann.wrongCode()))
				limited(t, b.answer(ann.code()))
			}
		})
	}
}

// A year of guessing by somebody who has the password, from ever new networks
// and at home, with a new sign-in for each guess.
func TestAYearOfGuessing(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	judged := 0
	for night := 0; night < 365; night += 5 {
		ann.later(5 * day)
		for guess := range 5 {
			from := at(fmt.Sprintf("10.%d.%d.%d", night/256, night%256, guess))
			if guess == 0 {
				from = home
			}
			err := ann.signIn(from).answer(ann.wrongCode())
			if errors.Is(err, twinlatch.ErrWrongCode) {
				judged++
			} else {
				limited(t, err)
			}
		}
	}
	if judged > 100 {
		t.Errorf("%d guesses were judged", judged)
	}
	equal(t, "in the trail", ann.count(twinlatch.EventWrongCode), judged)
}

// Wrong codes from networks where the owner was are counted apart from those of
// strangers, so that a stranger with the password does not slow the owner down.
func TestAStrangerWithThePasswordDoesNotSlowTheOwner(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com") // at home
	stranger := ann.signIn(cafe)
	for range 5 {
		refused(t, stranger.answer(ann.wrongCode()), twinlatch.ErrWrongCode)
	}
	stranger.from = at("203.0.113.1") // all strange networks are one
	limited(t, stranger.answer(ann.wrongCode()))

	owner := ann.signIn(at("::ffff:192.0.2.1"))
	refused(t, owner.answer(ann.wrongCode()), twinlatch.ErrWrongCode)
	ann.ok(owner.answer(ann.code()))

	// Over IPv6 a network is a /64, and it is known for ninety days.
	ann.later(step)
	ann.ok(ann.signInFully(home6).SignOut(ctx, twinlatch.Token{}, home6))
	for range 5 {
		refused(t, stranger.answer(ann.wrongCode()), twinlatch.ErrWrongCode)
	}
	b := ann.signIn(at("2001:db8:0:1:aaaa::1"))
	refused(t, b.answer(ann.wrongCode()), twinlatch.ErrWrongCode)
	b.from = at("2001:db8:0:2::1")
	limited(t, b.answer(ann.wrongCode()))
	ann.exec("UPDATE networks SET verified_at = verified_at - $1", 90*day.Milliseconds()+1)
	b.from = home6
	limited(t, b.answer(ann.wrongCode()))
}

// Whoever does not have the password cannot do anything about the second step,
// and wrong passwords from elsewhere do not hinder the owner.
func TestAStrangerWithoutThePasswordDoesNotSlowTheOwner(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	for n := range 40 {
		from := at(fmt.Sprintf("203.0.113.%d", n))
		for range 11 {
			_, _, err := ann.SignIn(ctx, twinlatch.MainRealm, "ann@example.com", twinlatch.NewSecret("guess"), from)
			if !errors.Is(err, twinlatch.ErrWrongPassword) {
				limited(t, err)
			}
		}
	}
	ann.ok(ann.signIn(home).answer(ann.code()))
	ann.ok(ann.signIn(at("203.0.113.200")).answer(ann.newCode()))
}

// Ten wrong passwords for one login from one network in fifteen minutes; the
// same for logins that do not exist.
func TestTheLimitOfALogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("ann@example.com")
	try := func(login, password string, from twinlatch.Client) error {
		_, _, err := w.SignIn(ctx, twinlatch.MainRealm, login, twinlatch.NewSecret(password), from)
		return err
	}
	for _, login := range []string{"ann@example.com", "nobody@example.com"} {
		for range 10 {
			refused(t, try(login, "wrong", cafe), twinlatch.ErrWrongPassword)
		}
		equal(t, "come back", limited(t, try(login, "wrong", cafe)), w.Now().Add(15*time.Minute))
		equal(t, "in other letters", limited(t, try(" "+login+" ", password, cafe)), w.Now().Add(15*time.Minute))
	}
	refused(t, try("ann@example.com", password, home), nil) // another network
	refused(t, try("bob@example.com", "wrong", cafe), twinlatch.ErrWrongPassword)
	w.later(15*time.Minute - time.Millisecond)
	limited(t, try("ann@example.com", password, cafe))
	w.later(time.Millisecond)
	refused(t, try("ann@example.com", password, cafe), nil)
	for range 9 {
		refused(t, try("ann@example.com", "wrong", cafe), twinlatch.ErrWrongPassword)
	}
	for range 20 { // right ones do not count, and do not forgive
		refused(t, try("ann@example.com", password, cafe), nil)
	}
	refused(t, try("ann@example.com", "wrong", cafe), twinlatch.ErrWrongPassword)
	limited(t, try("ann@example.com", password, cafe))
}

// To guess the password in the settings is no easier than at the door.
func TestTheLimitOfAConfirmation(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com").signIn(home)
	confirm := func(text string) error {
		return ann.keep(ann.ConfirmPassword(ctx, ann.passed().Enrolling(), twinlatch.NewSecret(text), home))
	}
	for range 20 { // right ones do not count
		ann.ok(confirm(password))
	}
	for n := range 10 {
		if n%2 == 0 { // both doors together
			refused(t, confirm("wrong"), twinlatch.ErrWrongPassword)
			continue
		}
		_, _, err := ann.SignIn(ctx, twinlatch.MainRealm, "ann@example.com", twinlatch.NewSecret("wrong"), home)
		refused(t, err, twinlatch.ErrWrongPassword)
	}
	limited(t, confirm("wrong"))
	equal(t, "right and wrong", confirm(password), confirm("wrong"))
}

// A right password of an account that is disabled tells nothing, also not by
// leaving the limits alone.
func TestADisabledAccountCountsLikeAWrongPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("ann@example.com")
	w.exec("UPDATE accounts SET disabled_at = 1")
	for range 10 {
		_, _, err := w.SignIn(ctx, twinlatch.MainRealm, "ann@example.com", twinlatch.NewSecret(password), home)
		refused(t, err, twinlatch.ErrWrongPassword)
	}
	_, _, err := w.SignIn(ctx, twinlatch.MainRealm, "ann@example.com", twinlatch.NewSecret(password), home)
	limited(t, err)
}

// Each network has so many wrong passwords in ten minutes, whatever the logins,
// and so many wrong codes, whatever the accounts. Fresh addresses of one IPv6
// network are no fresh networks.
func TestTheLimitOfANetwork(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		network string
		from    func(n int) twinlatch.Client
		most    int
	}{
		{"an IPv4 address", func(int) twinlatch.Client { return home }, 30},
		{"the same, mapped", func(n int) twinlatch.Client { return []twinlatch.Client{home, at("::ffff:192.0.2.1")}[n%2] }, 30},
		{"unknown addresses together", func(int) twinlatch.Client { return nowhere }, 30},
		{"a /64", func(n int) twinlatch.Client { return v6(0, 1, uint16(n)) }, 60},
		{"a /56", func(n int) twinlatch.Client { return v6(0, uint16(n%256), 1) }, 120},
		{"a /48", func(n int) twinlatch.Client { return v6(0, uint16(n*251), 1) }, 240},
	} {
		t.Run(row.network, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			wrong := func(n int) error {
				_, _, err := w.SignIn(ctx, twinlatch.MainRealm, fmt.Sprint("user", n), twinlatch.NewSecret("guess"), row.from(n))
				return err
			}
			for n := range row.most {
				refused(t, wrong(n), twinlatch.ErrWrongPassword)
			}
			w.unchanged("one too many", func() { equal(t, "come back", limited(t, wrong(row.most)), w.Now().Add(10*time.Minute)) }, "accounts", "sessions", "events")
			w.later(10*time.Minute - time.Millisecond)
			limited(t, wrong(row.most+1))
			w.later(time.Millisecond)
			refused(t, wrong(row.most+2), twinlatch.ErrWrongPassword)
		})
	}
}

func v6(c, d, host uint16) twinlatch.Client {
	b := netip.MustParseAddr("2001:db8::").As16()
	b[4], b[5], b[6], b[7], b[14], b[15] = byte(c>>8), byte(c), byte(d>>8), byte(d), byte(host>>8), byte(host)
	return twinlatch.Client{IP: netip.AddrFrom16(b)}
}

// One guess at each of many accounts is stopped as well; a right code gives its
// try back.
func TestTheCodesOfANetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.protected("owner@example.com")
	owner.from = cafe
	for range 40 {
		w.ok(owner.answer(owner.newCode()))
	}
	var victims []*browser
	for n := range 7 {
		victims = append(victims, w.protected(fmt.Sprint("victim", n)).signIn(cafe))
	}
	for n := range 30 {
		refused(t, victims[n/5].answer(victims[n/5].wrongCode()), twinlatch.ErrWrongCode)
	}
	equal(t, "come back", limited(t, victims[6].answer(victims[6].code())), w.Now().Add(10*time.Minute))
	limited(t, owner.answer(owner.newCode()))
	owner.from = home
	w.ok(owner.answer(owner.newCode()))
	ch, app := owner.beginning(nil) // enrolling counts too
	owner.from = cafe
	_, _, err := w.FinishEnroll(ctx, owner.operator(), ch.ID, code(app.Code(w.Now())), cafe)
	refused(t, err, twinlatch.ErrExpired)
	owner.from = home
	_, _, err = w.FinishEnroll(ctx, owner.passed(), ch.ID, code(app.Code(w.Now())), cafe)
	limited(t, err)
	w.ok(owner.confirm(ch.ID, app.Code(w.Now())))
}
