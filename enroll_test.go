package twinlatch_test

import (
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// beginning is an enrollment that was begun and not confirmed.
func (b *browser) beginning(fields map[string]string) (twinlatch.Challenge, twinlatchtest.App) {
	b.t.Helper()
	ch, err := b.BeginEnroll(ctx, b.passed(), totp.Kind, fields, b.from)
	b.ok(err)
	return ch, twinlatchtest.Scan(b.t, ch.Prompt.QR)
}

// confirm finishes an enrollment.
func (b *browser) confirm(ch twinlatch.ChallengeID, text string) error {
	b.t.Helper()
	_, token, err := b.FinishEnroll(ctx, b.passed(), ch, code(text), b.from)
	return b.keep(token, err)
}

func TestTheFirstFactorTurnsTwoStepOn(t *testing.T) {
	t.Parallel()
	p := newWorld(t).person("ann@example.com")
	ann, phone, tablet := p.signIn(home), p.signIn(cafe), p.signIn(home6)
	p.app = ann.enroll("my phone")

	ann.meets(twinlatch.Pass, "")
	equal(t, "slot", ann.session().V4, twinlatch.Slot{IP: home.IP, At: p.Now()})
	equal(t, "amr", ann.session().AMR, []string{"otp"})
	a, err := p.Account(ctx, p.account.ID)
	p.ok(err)
	equal(t, "on", a.TwoStep, true)

	// Nobody is signed out, everybody else is asked, also at the same address.
	phone.from = home
	for _, other := range []*browser{phone, tablet} {
		other.meets(twinlatch.NeedSecondStep, twinlatch.ReasonNewSession)
		equal(t, "end", other.session().ExpiresAt, other.session().CreatedAt.Add(90*day))
		p.ok(other.answer(p.newCode()))
		other.meets(twinlatch.Pass, "")
	}
	equal(t, "trail", p.types()[4:6], []twinlatch.EventType{twinlatch.EventFactorAdded, twinlatch.EventTwoStepOn})
	equal(t, "named", p.trail()[4].Detail.More, map[string]string{"kind": "totp", "name": "my phone"})
	ann.enroll("second")
	equal(t, "turned on", p.count(twinlatch.EventTwoStepOn), 1)
}

func TestNothingIsEnrolledUntilItIsConfirmed(t *testing.T) {
	t.Parallel()
	p := newWorld(t).person("ann@example.com")
	ann := p.signIn(home)
	ann.unchanged("to begin", func() { ann.beginning(nil) }, "factors", "sessions", "events", "backup_codes")
	ann.meets(twinlatch.Pass, "")
	ch, _ := ann.beginning(nil)
	ann.unchanged("a wrong code", func() {
		refused(t, ann.confirm(ch.ID, "000000"), twinlatch.ErrWrongCode)
	}, "factors", "sessions", "backup_codes", "tries", "events")

	protected := newWorld(t).protected("bob@example.com")
	_, pending := protected.beginning(nil)
	b := protected.signIn(cafe)
	refused(t, b.answer(pending.Code(b.Now())), twinlatch.ErrWrongCode) // the new one is not there yet
	p.ok(b.answer(protected.code()))                                    // and the old one is
}

func TestAnEnrollmentIsShownWhileItIsOpen(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com").signIn(home)
	ch, _ := ann.beginning(nil)
	shown, err := ann.Enrollment(ctx, ann.passed(), ch.ID)
	ann.ok(err)
	equal(t, "QR", shown.Prompt.QR, ch.Prompt.QR)
	equal(t, "tries", shown.TriesLeft, 5)

	other := ann.signIn(home)
	_, err = other.Enrollment(ctx, other.passed(), ch.ID)
	refused(t, err, twinlatch.ErrNotFound)
	_, err = ann.Enrollment(ctx, ann.operator(), ch.ID)
	refused(t, err, twinlatch.ErrNotFound)
	for _, id := range []twinlatch.ChallengeID{"", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "\x00\xff"} {
		_, err = ann.Enrollment(ctx, ann.passed(), id)
		refused(t, err, twinlatch.ErrNotFound)
	}
	again, _ := ann.beginning(nil) // a new one ends the one before
	_, err = ann.Enrollment(ctx, ann.passed(), ch.ID)
	refused(t, err, twinlatch.ErrNotFound)
	ann.later(10*time.Minute - time.Millisecond)
	_, err = ann.Enrollment(ctx, ann.passed(), again.ID)
	ann.ok(err)
	ann.later(time.Millisecond)
	_, err = ann.Enrollment(ctx, ann.passed(), again.ID)
	refused(t, err, twinlatch.ErrNotFound)
}

func TestAnEnrollmentIsConfirmedOnceByItsOwnSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.person("ann@example.com").signIn(home), w.person("bob@example.com").signIn(home)
	other := ann.signIn(home)
	ch, app := ann.beginning(nil)
	right := app.Code(w.Now())
	w.unchanged("the code of somebody else's enrollment", func() {
		refused(t, other.confirm(ch.ID, right), twinlatch.ErrExpired)
		refused(t, bob.confirm(ch.ID, right), twinlatch.ErrExpired)
		_, _, err := w.FinishEnroll(ctx, ann.operator(), ch.ID, code(right), home)
		refused(t, err, twinlatch.ErrExpired)
	})
	w.ok(ann.confirm(ch.ID, right))
	refused(t, ann.confirm(ch.ID, right), twinlatch.ErrExpired)
	w.later(step)
	refused(t, ann.confirm(ch.ID, app.Code(w.Now())), twinlatch.ErrExpired)

	asked, err := ann.Ask(ctx, ann.known(), "", home)
	w.ok(err)
	refused(t, ann.confirm(asked.ID, app.Code(w.Now())), twinlatch.ErrExpired) // a verification enrolls nothing
	w.ok(ann.answer(app.Code(w.Now())))
}

func TestAnEnrollmentHasFiveTries(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com").signIn(home)
	ch, app := ann.beginning(nil)
	for left := 4; left >= 0; left-- {
		var field *twinlatch.FieldError
		if err := ann.confirm(ch.ID, "12345"); !errors.As(err, &field) { // costs none
			t.Fatal(err)
		}
		var wrong *twinlatch.WrongCodeError
		if err := ann.confirm(ch.ID, "000000"); !errors.As(err, &wrong) || wrong.TriesLeft != left {
			t.Fatalf("%+v, want %d left", err, left)
		}
	}
	refused(t, ann.confirm(ch.ID, app.Code(ann.Now())), twinlatch.ErrExpired)
	equal(t, "factors", len(ann.factors()), 0)
}

func (p *person) factors() []twinlatch.Factor {
	p.t.Helper()
	all, err := p.Factors(ctx, p.operator())
	p.ok(err)
	return all
}

func TestAnEnrollmentNeedsAnAddress(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com").signIn(home)
	ch, app := ann.beginning(nil)
	ann.unchanged("a confirmation from nowhere", func() {
		_, _, err := ann.FinishEnroll(ctx, ann.passed(), ch.ID, code(app.Code(ann.Now())), nowhere)
		refused(t, err, twinlatch.ErrUnknownAddress)
	})
	ann.ok(ann.confirm(ch.ID, app.Code(ann.Now())))
}

// What the person sends does not become the secret.
func TestTheServerMakesTheSecret(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com").signIn(home)
	given := map[string]string{"secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "State": "x", "name": "phone"}
	secrets := map[string]bool{}
	for range 5 {
		ch, _ := ann.beginning(given)
		secret := strings.ReplaceAll(ch.Prompt.Manual, " ", "")
		raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
		ann.ok(err)
		if len(raw) != 20 || secret == given["secret"] || secrets[secret] {
			t.Fatalf("secret of %d bytes", len(raw))
		}
		secrets[secret] = true
	}
	equal(t, "the caller's map", len(given), 3)
}

func TestNamesOfFactors(t *testing.T) {
	t.Parallel()
	ann := newWorld(t, alsoSpoken(&spoken{kind: "word"})).protected("ann@example.com")
	equal(t, "without a name", ann.factors()[0].Name, "app")
	ann.choose("word", "tulip")
	equal(t, "of the method's choice", ann.factors()[1].Name, "a word")
	for given, kept := range map[string]string{
		"Work phone": "Work phone", "  spaces  ": "spaces", "Zoe\u0308": "Zoë", "🔑": "🔑", strings.Repeat("ä", 60): strings.Repeat("ä", 60), "<b>&\"": "<b>&\"", "\ufffd": "\ufffd",
	} {
		ch, _ := ann.beginning(map[string]string{"name": given})
		ann.exec("UPDATE challenges SET consumed_at = 1 WHERE id = $1", string(ch.ID))
		ann.ok(ann.RenameFactor(ctx, ann.passed(), ann.app.id, given, home))
		equal(t, "name", ann.factors()[0].Name, kept)
	}
	who := ann.passed()
	for _, given := range []string{
		"", "   ", strings.Repeat("x", 61), strings.Repeat("ä", 61), "two\nlines", "a\x00b", "a\x1b[2J", "\xff", "a\u202eb", "a\u2028b", "a\u2066b", "a\u0085b", "a\u007fb",
	} {
		ann.unchanged(fmt.Sprintf("the name %q", given), func() {
			var field *twinlatch.FieldError
			if err := ann.RenameFactor(ctx, who, ann.app.id, given, home); !errors.As(err, &field) || field.Field != "name" || field.Args["n"] != "60" {
				t.Errorf("%q: %v", given, err)
			}
			if given == "" {
				return // to begin without a name is allowed
			}
			if _, err := ann.BeginEnroll(ctx, who, totp.Kind, map[string]string{"name": given}, home); !errors.As(err, &field) {
				t.Errorf("%q: %v", given, err)
			}
		})
	}
	ann.trail()
}

func TestOnlyConfiguredMethodsCanBeAdded(t *testing.T) {
	t.Parallel()
	ann := newWorld(t, alsoSpoken(&spoken{kind: "word"})).person("ann@example.com").signIn(home)
	for _, kind := range []twinlatch.Kind{"", "sms", "TOTP", "backup", "\x00"} {
		_, err := ann.BeginEnroll(ctx, ann.passed(), kind, nil, home)
		refused(t, err, twinlatch.ErrNotFound)
	}
	var field *twinlatch.FieldError
	if _, err := ann.BeginEnroll(ctx, ann.passed(), "word", nil, home); !errors.As(err, &field) { // its own field is missing
		t.Error(err)
	}
	ch, err := ann.BeginEnroll(ctx, ann.passed(), "word", map[string]string{"word": "tulip"}, home)
	ann.ok(err)
	less := ann.Config
	less.Methods = less.Methods[:1]
	ann.Service, err = twinlatch.New(ctx, less)
	ann.ok(err)
	_, _, err = ann.FinishEnroll(ctx, ann.passed(), ch.ID, word("tulip"), home)
	refused(t, err, twinlatch.ErrExpired)
}

func TestTheVerySameThingIsEnrolledOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, alsoSpoken(&spoken{kind: "word"}, &spoken{kind: "name"}))
	ann, bob := w.person("ann@example.com").signIn(home), w.person("bob@example.com").signIn(home)
	ann.choose("word", "tulip")
	ch, err := ann.BeginEnroll(ctx, ann.passed(), "word", map[string]string{"word": "tulip"}, home)
	w.ok(err)
	w.unchanged("the same again", func() {
		_, _, err := ann.FinishEnroll(ctx, ann.passed(), ch.ID, word("tulip"), home)
		refused(t, err, twinlatch.ErrExists)
	}, "factors", "sessions", "events")
	ann.choose("word", "rose")
	ann.choose("name", "tulip") // as something else
	bob.choose("word", "tulip") // by somebody else, who learns nothing
}

// What a method cannot take, because it is enrolled already or is of the wrong model,
// is no guess: it leaves the network what it had.
func TestWhatCannotBeEnrolledIsNoGuess(t *testing.T) {
	t.Parallel()
	said := &spoken{kind: "word"}
	w := newWorld(t, alsoSpoken(said))
	ann := w.protected("ann@example.com")
	finish := func() error {
		ch, err := ann.BeginEnroll(ctx, ann.passed(), "word", map[string]string{"word": "tulip"}, home)
		ann.ok(err)
		_, _, err = ann.FinishEnroll(ctx, ann.passed(), ch.ID, word("tulip"), home)
		return err
	}
	said.refers = fmt.Errorf("spoken: %w", &twinlatch.FieldError{Field: "word", Key: "err.known"})
	for range 40 {
		var field *twinlatch.FieldError
		if err := finish(); !errors.As(err, &field) || field.Key != "err.known" {
			t.Fatal(err)
		}
	}
	said.refers = twinlatch.ErrWrongCode
	for range 30 {
		refused(t, finish(), twinlatch.ErrWrongCode)
	}
	refused(t, finish(), twinlatch.ErrLimited)
}

func TestAnAccountHasTwentyFactorsAtMost(t *testing.T) {
	t.Parallel()
	p := newWorld(t, alsoSpoken(&spoken{kind: "word"})).person("ann@example.com")
	ann := p.signIn(home)
	for n := range 19 {
		ann.choose("word", fmt.Sprint("word ", n))
	}
	p.app = ann.enroll("")
	word := slices.IndexFunc(ann.factors(), func(f twinlatch.Factor) bool { return f.Kind == "word" })
	p.ok(ann.RemoveFactor(ctx, ann.passed(), ann.factors()[word].ID, home))
	p.ok(ann.PreferFactor(ctx, ann.passed(), p.app.id, home))
	other := p.signInFully(cafe)
	one, first := ann.beginning(nil)
	two, second := other.beginning(nil)
	p.ok(ann.confirm(one.ID, first.Code(p.Now())))
	var field *twinlatch.FieldError
	if err := other.confirm(two.ID, second.Code(p.Now())); !errors.As(err, &field) || field.Key != "err.factors" {
		t.Errorf("the 21st, begun before: %v", err)
	}
	if _, err := ann.BeginEnroll(ctx, ann.passed(), totp.Kind, nil, home); !errors.As(err, &field) || field.Args["n"] != "20" {
		t.Errorf("the 21st: %v", err)
	}
	equal(t, "factors", len(p.factors()), 20)
}
