package twinlatch_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

func TestSignInWithoutTwoStepPasses(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com")
	d, token, err := ann.SignIn(ctx, twinlatch.MainRealm, "ann@example.com", twinlatch.NewSecret(password), home)
	ann.ok(err)
	if who, ok := d.Passed(); !ok || who.Account().ID != ann.account.ID || who.Session().SeenIP != home.IP || who.Reason() != "" {
		t.Fatalf("%+v", d)
	}
	b := &browser{ann, token, home}
	b.meets(twinlatch.Pass, "")
	b.from = cafe
	b.meets(twinlatch.Pass, "") // there is no code to ask for
	equal(t, "trail", ann.types(), []twinlatch.EventType{twinlatch.EventAccountCreated, twinlatch.EventSignedIn})
	equal(t, "kind", ann.trail()[1].Detail.More["kind"], "password")
}

func TestEverySignInAsksForTheSecondStep(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	for range 3 { // however often this browser has proved it before
		d, token, err := ann.SignIn(ctx, twinlatch.MainRealm, "ann@example.com", twinlatch.NewSecret(password), home)
		ann.ok(err)
		if _, ok := d.Passed(); ok || d.Step != twinlatch.NeedSecondStep || d.Reason != twinlatch.ReasonNewSession {
			t.Fatalf("%+v", d)
		}
		b := &browser{ann.person, token, home}
		b.meets(twinlatch.NeedSecondStep, twinlatch.ReasonNewSession)
		ann.ok(b.answer(ann.newCode()))
		b.meets(twinlatch.Pass, "")
	}
	equal(t, "first steps", ann.count(twinlatch.EventFirstStep), 3)
	equal(t, "second steps", ann.count(twinlatch.EventVerified), 3)
}

// A sign-in may owe its second step for ten minutes. What follows is a session
// of ninety days from the first step, wherever it was finished.
func TestASignInOwesTheSecondStepForTenMinutes(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	late, punctual := ann.signIn(home), ann.signIn(home)
	signedIn := ann.Now()

	ann.later(10*time.Minute - time.Millisecond)
	late.meets(twinlatch.NeedSecondStep, twinlatch.ReasonNewSession)
	punctual.from = cafe
	ann.ok(punctual.answer(ann.code()))
	equal(t, "end", punctual.session().ExpiresAt, signedIn.Add(90*day))
	equal(t, "slot", punctual.session().V4, twinlatch.Slot{IP: cafe.IP, At: ann.Now()})

	kept := late.known()
	ann.later(time.Millisecond)
	late.meets(twinlatch.NeedFirstStep, twinlatch.ReasonExpired)
	ann.unchanged("an answer that came too late", func() {
		_, err := ann.Answer(ctx, kept, code(ann.newCode()), home)
		refused(t, err, twinlatch.ErrNoSession)
	})
}

func TestWrongPasswordAndUnknownLoginAreTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("ann@example.com")
	gone := w.person("gone@example.com")
	w.exec("UPDATE accounts SET disabled_at = 1 WHERE id = $1", string(gone.account.ID))
	_, err := w.CreateAccount(ctx, twinlatch.NewAccount{Login: "no-password@example.com"}, home)
	w.ok(err)
	for who, c := range map[string]struct{ realm, login, password string }{
		"wrong password":              {"main", "ann@example.com", password + "!"},
		"no password given":           {"main", "ann@example.com", ""},
		"unknown":                     {"main", "bob@example.com", password},
		"no login":                    {"main", "", password},
		"other realm":                 {"shop", "ann@example.com", password},
		"disabled":                    {"main", "gone@example.com", password},
		"no password":                 {"main", "no-password@example.com", password},
		"no password and none given":  {"main", "no-password@example.com", ""},
		"a password of a megabyte":    {"main", "ann@example.com", string(make([]byte, 1<<20))},
		"a login with a NUL":          {"main", "ann@example.com\x00", password},
		"a login that is not UTF-8":   {"main", "ann@example.com\xff", password},
		"a login of a megabyte":       {"main", string(make([]byte, 1<<20)), password},
		"the password with a NUL":     {"main", "ann@example.com", password + "\x00"},
		"the password in upper case":  {"main", "ann@example.com", "CORRECT HORSE BATTERY STAPLE"},
		"the password, shortened":     {"main", "ann@example.com", password[:len(password)-1]},
		"the password and a space":    {"main", "ann@example.com", password + " "},
		"another's id for a login":    {"main", string(gone.account.ID), password},
		"the login, percent-encoded":  {"main", "ann%40example.com", password},
		"a pattern instead of a name": {"main", "ann%", password},
	} {
		d, token, err := w.SignIn(ctx, c.realm, c.login, twinlatch.NewSecret(c.password), cafe)
		if !errors.Is(err, twinlatch.ErrWrongPassword) || err.Error() != twinlatch.ErrWrongPassword.Error() {
			t.Errorf("%s: %v", who, err)
		}
		if _, ok := d.Known(); ok || token.Reveal() != "" {
			t.Errorf("%s: came in", who)
		}
	}
}

func TestHostileLoginsAreUnknownOnPostgreSQLToo(t *testing.T) {
	w := worldOn(t, twinlatchtest.Postgres(t))
	for _, login := range []string{"a\x00b", "\xff\xfe", "a\nb", "\u202ea"} {
		_, _, err := w.SignIn(ctx, twinlatch.MainRealm, login, twinlatch.NewSecret(password), home)
		refused(t, err, twinlatch.ErrWrongPassword)
		_, err = w.FindAccount(ctx, twinlatch.MainRealm, login)
		refused(t, err, twinlatch.ErrNotFound)
	}
}

func TestALoginIsForgiving(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("Zoë@Example.COM")
	for _, login := range []string{"zoë@example.com", "  ZOË@EXAMPLE.COM\t", "zoe\u0308@example.com"} {
		_, _, err := ann.SignIn(ctx, twinlatch.MainRealm, login, twinlatch.NewSecret(password), home)
		ann.ok(err)
	}
}

// leaving are Keys that opens a password hash when the client is just gone.
type leaving struct {
	twinlatch.Keys
	leave func()
}

func (l *leaving) Open(s twinlatch.Sealed, at twinlatch.Place) ([]byte, error) {
	if l.leave != nil {
		l.leave()
	}
	return l.Keys.Open(s, at)
}

// Whoever guesses a password cannot hide that it was right by going away.
func TestARightPasswordLeavesItsTrace(t *testing.T) {
	t.Parallel()
	keys := &leaving{}
	ann := newWorld(t, func(c *twinlatch.Config) {
		keys.Keys = c.Keys
		c.Keys = keys
	}).protected("ann@example.com")
	impatient, leave := context.WithCancel(ctx)
	keys.leave = leave
	_, _, err := ann.SignIn(impatient, twinlatch.MainRealm, "ann@example.com", twinlatch.NewSecret(password), cafe)
	ann.ok(err)
	equal(t, "first steps", ann.count(twinlatch.EventFirstStep), 1)
}

// Step one alone changes nothing that others have.
func TestTheFirstStepChangesNoOtherSession(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	ann.backupCodes()
	thief := &browser{from: cafe}
	ann.unchanged("a hundred first steps", func() {
		for range 100 {
			thief = ann.signIn(cafe)
		}
		w := ann.world
		w.exec("DELETE FROM sessions WHERE id <> $1", string(ann.session().ID))
	}, "sessions", "factors", "backup_codes", "challenges", "tries", "passwords", "networks")
	ann.meets(twinlatch.Pass, "")
	thief.meets(twinlatch.NeedFirstStep, "")
}

// reads counts what a Service asks its Store.
type reads struct {
	twinlatch.Store
	n atomic.Int64
}

func (r *reads) AccountByLogin(c context.Context, realm, login string) (twinlatch.AccountID, error) {
	r.n.Add(1)
	return r.Store.AccountByLogin(c, realm, login)
}

func (r *reads) View(c context.Context, id twinlatch.AccountID, fn func(twinlatch.View) error) error {
	r.n.Add(1)
	return r.Store.View(c, id, fn)
}

func (r *reads) Tx(c context.Context, id twinlatch.AccountID, fn func(twinlatch.Tx) error) error {
	r.n.Add(1)
	return r.Store.Tx(c, id, fn)
}

// The time is the same because the work is: the same reads and one hash of the
// same size. (Not parallel: it looks at the memory of the process.)
func TestAnUnknownLoginCostsTheWorkOfAWrongPassword(t *testing.T) {
	const memory = 4 << 10 // KiB of a hash
	store := &reads{}
	w := newWorld(t, func(c *twinlatch.Config) {
		store.Store = c.Store
		c.Store, c.Hashing.Memory = store, memory
	})
	w.person("ann@example.com")
	work := func(login, password string) (reads int64, hashes int) {
		var before, after runtime.MemStats
		store.n.Store(0)
		runtime.ReadMemStats(&before)
		_, _, err := w.SignIn(ctx, twinlatch.MainRealm, login, twinlatch.NewSecret(password), home)
		runtime.ReadMemStats(&after)
		refused(t, err, twinlatch.ErrWrongPassword)
		return store.n.Load(), int(after.TotalAlloc-before.TotalAlloc) / (memory << 10)
	}
	wantReads, wantHashes := work("ann@example.com", "a wrong password")
	if wantHashes != 1 {
		t.Fatalf("a wrong password costs %d hashes", wantHashes)
	}
	for name, login := range map[string]string{"unknown": "bob@example.com", "impossible": "\x00"} {
		if reads, hashes := work(login, password); reads > wantReads || hashes != wantHashes {
			t.Errorf("%s: %d reads, %d hashes; a wrong password %d, %d", name, reads, hashes, wantReads, wantHashes)
		}
	}
	if reads, hashes := work("ann@example.com", string(make([]byte, 2000))); reads != wantReads || hashes != 1 {
		t.Errorf("a password that is too long: %d reads, %d hashes", reads, hashes)
	}
}

func TestAnApplicationMayDoTheFirstStepItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, err := w.CreateAccount(ctx, twinlatch.NewAccount{Realm: "shop", Login: "customer 7"}, home)
	w.ok(err)
	d, token, err := w.StartSession(ctx, a.ID, home)
	w.ok(err)
	if _, ok := d.Passed(); !ok {
		t.Fatalf("%+v", d)
	}
	b := &browser{&person{world: w, account: a}, token, home}
	b.app = b.enroll("")
	d, _, err = w.StartSession(ctx, a.ID, home)
	w.ok(err)
	equal(t, "second step", d.Step, twinlatch.NeedSecondStep)

	for _, id := range []twinlatch.AccountID{"", "nobody", "aaaaaaaaaaaaaaaaaaaaaaaaaa"} {
		w.unchanged("a session of nobody", func() {
			d, token, err := w.StartSession(ctx, id, home)
			refused(t, err, twinlatch.ErrDisabled)
			if _, ok := d.Known(); ok || token.Reveal() != "" {
				t.Errorf("%q came in", id)
			}
		})
	}
}

// While two-step verification is off, the password is the fresh proof.
func TestConfirmingThePasswordIsAFreshProof(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com").signIn(home)
	ann.later(10 * time.Minute)
	refused(t, ann.MayChange(ann.passed()), twinlatch.ErrNotFresh)
	_, err := ann.BeginEnroll(ctx, ann.passed(), "totp", nil, home)
	refused(t, err, twinlatch.ErrNotFresh)

	_, err = ann.ConfirmPassword(ctx, ann.passed().Enrolling(), twinlatch.NewSecret("not the password"), home)
	refused(t, err, twinlatch.ErrWrongPassword)
	refused(t, ann.MayChange(ann.passed()), twinlatch.ErrNotFresh)

	old := ann.token
	ann.ok(ann.keep(ann.ConfirmPassword(ctx, ann.passed().Enrolling(), twinlatch.NewSecret(password), home)))
	ann.ok(ann.MayChange(ann.passed()))
	(&browser{ann.person, old, home}).meets(twinlatch.NeedFirstStep, "")
	equal(t, "confirmations", ann.count(twinlatch.EventConfirmed), 1)

	ann.later(10 * time.Minute)
	ann.ok(ann.keep(ann.ConfirmFirstStep(ctx, ann.passed().Enrolling(), home))) // an application did it
	ann.ok(ann.MayChange(ann.passed()))
}

func TestWithTwoStepOnThePasswordIsNoFreshProof(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	ann.later(10 * time.Minute)
	who := ann.passed()
	ann.unchanged("a confirmation", func() {
		_, err := ann.ConfirmPassword(ctx, who.Enrolling(), twinlatch.NewSecret(password), home)
		refused(t, err, twinlatch.ErrNotFresh)
		_, err = ann.ConfirmFirstStep(ctx, who.Enrolling(), home)
		refused(t, err, twinlatch.ErrNotFresh)
	}, "sessions", "events", "accounts")
	refused(t, ann.MayChange(ann.passed()), twinlatch.ErrNotFresh)
}

// While two-step verification is off a sign-in from elsewhere is told as well. What
// became known so says nothing once it is on.
func TestASignInFromANewNetwork(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.person("ann@example.com") // at home
		news := func(from twinlatch.Client) string {
			t.Helper()
			ann.signIn(from)
			return ann.last(twinlatch.EventSignedIn).Detail.More["network"]
		}
		equal(t, "where they signed up", news(home), "")
		equal(t, "elsewhere", news(cafe), "new")
		equal(t, "there again", news(cafe), "")
		equal(t, "from nowhere", news(nowhere), "")
		w.later(90*day + time.Millisecond)
		equal(t, "after 90 days", news(cafe), "new")

		b := ann.signIn(home)
		ann.app = b.enroll("")
		late := ann.signIn(cafe)
		w.ok(late.answer(ann.newCode()))
		equal(t, "the first second step from there", ann.last(twinlatch.EventVerified).Detail.More["network"], "new")
	})
}
