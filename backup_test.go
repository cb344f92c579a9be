package twinlatch_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

func TestABackupCodeLetsInOnce(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	codes := ann.backupCodes()
	equal(t, "codes", len(codes), 10)
	form := regexp.MustCompile(`^([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$`)
	for _, c := range codes {
		if !form.MatchString(c.Reveal()) {
			t.Errorf("%q", c.Reveal())
		}
	}
	b := ann.signIn(cafe)
	ann.ok(b.recover(codes[0]))
	b.meets(twinlatch.Pass, "")
	s := b.session()
	equal(t, "recovered", s.Recovered, true)
	equal(t, "amr", len(s.AMR), 0)
	equal(t, "slot", s.V4, twinlatch.Slot{IP: cafe.IP, At: ann.Now()})
	equal(t, "end", s.ExpiresAt, s.CreatedAt.Add(90*day))
	equal(t, "left", ann.last(twinlatch.EventRecovered).Detail.More["left"], "9")
	left, err := ann.BackupCodes(ctx, ann.passed())
	ann.ok(err)
	equal(t, "left", left.Left, 9)
	equal(t, "of", left.Total, 10)
	equal(t, "made", left.CreatedAt, ann.Now())

	// Used and wrong are the same.
	other := ann.signIn(cafe)
	used := other.recover(codes[0])
	ann.exec("DELETE FROM tries")
	wrong := other.recover(twinlatch.NewSecret("0000-0000-0000-0000"))
	refused(t, used, twinlatch.ErrWrongCode)
	equal(t, "used and wrong", used, wrong)
	other.meets(twinlatch.NeedSecondStep, twinlatch.ReasonNewSession)
	equal(t, "wrong ones in the trail", ann.count(twinlatch.EventWrongBackup), 2)
}

// A backup code verifies a live session too, and answers a challenge that is open.
func TestABackupCodeVerifiesAStaleSession(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	codes := ann.backupCodes()
	ann.from = cafe
	asked, err := ann.Ask(ctx, ann.known(), "", cafe)
	ann.ok(err)
	ann.ok(ann.recover(codes[0]))
	ann.meets(twinlatch.Pass, "")
	_, err = ann.Asked(ctx, ann.known())
	refused(t, err, twinlatch.ErrNotFound)
	again, err := ann.Ask(ctx, ann.known(), "", cafe)
	ann.ok(err)
	if again.ID == asked.ID {
		t.Error("the challenge outlived the recovery")
	}
}

// Whoever recovered may set up a new factor, which proves the rest.
func TestRecoveryAllowsANewFactorAndNothingMore(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	codes := ann.backupCodes()
	b := ann.signIn(cafe)
	ann.ok(b.recover(codes[0]))
	b.unchanged("what a backup code does not allow", func() {
		refused(t, b.RemoveFactor(ctx, b.passed(), ann.app.id, cafe), twinlatch.ErrRecovered)
		refused(t, b.PreferFactor(ctx, b.passed(), ann.app.id, cafe), twinlatch.ErrRecovered)
		refused(t, b.TurnOff(ctx, b.passed(), cafe), twinlatch.ErrRecovered)
		_, err := b.NewBackupCodes(ctx, b.passed(), cafe)
		refused(t, err, twinlatch.ErrRecovered)
		refused(t, b.MayChange(b.passed()), twinlatch.ErrRecovered)
	})
	ann.ok(b.RenameFactor(ctx, b.passed(), ann.app.id, "lost", cafe))

	newPhone := b.enroll("new")
	equal(t, "recovered", b.session().Recovered, false)
	ann.ok(b.MayChange(b.passed()))
	ann.ok(b.RemoveFactor(ctx, b.passed(), ann.app.id, cafe))
	ann.later(step)
	ann.ok(b.answer(newPhone.Code(ann.Now())))
}

func TestAFactorLiftsTheRecoveryMark(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	codes := ann.backupCodes()
	ann.ok(ann.recover(codes[0])) // also of a session that was verified
	refused(t, ann.MayChange(ann.passed()), twinlatch.ErrRecovered)
	ann.later(30 * day)
	ann.ok(ann.recover(codes[1]))
	refused(t, ann.MayChange(ann.passed()), twinlatch.ErrRecovered)
	ann.ok(ann.answer(ann.code()))
	ann.ok(ann.MayChange(ann.passed()))
}

// Codes are hashed as they were when they were made, whatever passwords cost since, and
// never at more than 19 MiB.
func TestBackupCodesOutliveOtherCosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.protected("ann@example.com")
	codes := ann.backupCodes()
	for i, cost := range []twinlatch.Hashing{{Memory: 64 << 10, Passes: 3, Lanes: 4}, {Memory: 16, Passes: 1, Lanes: 2}} {
		cost.Parallel, cost.Queue, cost.Wait = 8, 100, time.Minute
		w.Config.Hashing = cost
		var err error
		w.Service, err = twinlatch.New(ctx, w.Config)
		w.ok(err)
		b := ann.signIn(cafe)
		w.ok(b.recover(codes[i]))
		b.meets(twinlatch.Pass, "")
	}
	w.Config.Hashing.Memory, w.Config.Hashing.Passes = 64<<10, 3
	var err error
	w.Service, err = twinlatch.New(ctx, w.Config)
	w.ok(err)
	ann = w.protected("bob@example.com")
	ann.backupCodes()
	var how string
	w.ok(w.database().QueryRow(`SELECT MAX(salt) FROM backup_codes WHERE account_id = $1`, string(ann.account.ID)).Scan(&how))
	if !strings.HasPrefix(how, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("made at %s", how)
	}
}

func TestBackupCodesForgiveHowTheyAreCopied(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	confusing := regexp.MustCompile(`[01]`)
	codes := ann.backupCodes()
	for i, write := range []func(string) string{
		strings.ToUpper,
		func(c string) string { return strings.ReplaceAll(c, "-", "") },
		func(c string) string { return strings.ReplaceAll(c, "-", " ") },
		func(c string) string { return "  " + strings.Join(strings.Split(c, ""), " ") + "\t" },
		func(c string) string { return strings.ReplaceAll(strings.ReplaceAll(c, "0", "O"), "1", "I") },
		func(c string) string { return strings.ReplaceAll(strings.ReplaceAll(c, "0", "o"), "1", "l") },
		func(c string) string { return strings.ReplaceAll(strings.ReplaceAll(c, "0", "o"), "1", "L") },
		func(c string) string { return confusing.ReplaceAllString(c, "$0") + "----" },
	} {
		if err := ann.recover(twinlatch.NewSecret(write(codes[i].Reveal()))); err != nil {
			t.Errorf("%q: %v", write(codes[i].Reveal()), err)
		}
	}
	who := ann.known()
	ann.unchanged("what is no backup code", func() {
		for _, text := range []string{
			"", "-", "123456", "k7m2-9xqd-4tbn", "k7m2-9xqd-4tbn-w3fp-0", "k7m2-9xqd-4tbn-w3fu", "k7m2-9xqd-4tbn-w3f!", "k7m2-9xqd-4tbn-w3f\n",
			strings.Repeat("0", 1<<20), "k7m2-9xqd-4tbn-w3f\xff", "ｋ7m2-9xqd-4tbn-w3fp", "k7m2\u20109xqd-4tbn-w3fp", codes[9].Reveal() + codes[8].Reveal(),
		} {
			var field *twinlatch.FieldError
			if _, err := ann.Recover(ctx, who, twinlatch.NewSecret(text), home); !errors.As(err, &field) || field.Field != "code" {
				t.Errorf("%.30q: %v", text, err)
			}
		}
	})
}

func TestNewBackupCodesKillTheOld(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	old := ann.backupCodes()
	ann.ok(ann.recover(old[0]))
	ann.ok(ann.answer(ann.newCode()))
	codes := ann.backupCodes()
	left, err := ann.BackupCodes(ctx, ann.passed())
	ann.ok(err)
	equal(t, "left", left.Left, 10)
	refused(t, ann.recover(old[1]), twinlatch.ErrWrongCode)
	ann.ok(ann.recover(codes[1]))
	equal(t, "made", ann.count(twinlatch.EventBackupCodesMade), 2)
}

// Codes alone are no two-step verification, and do not turn it on.
func TestBackupCodesAloneAreNothing(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com").signIn(home)
	ann.unchanged("codes without a factor", func() {
		_, err := ann.NewBackupCodes(ctx, ann.passed(), home)
		refused(t, err, twinlatch.ErrTwoStepOff)
		_, err = ann.NewBackupCodes(ctx, ann.operator(), home)
		refused(t, err, twinlatch.ErrTwoStepOff)
	})
	none, err := ann.BackupCodes(ctx, ann.passed())
	ann.ok(err)
	equal(t, "codes", none.Total, 0)
	ann.person.signIn(cafe).meets(twinlatch.Pass, "")

	ann.app = ann.enroll("")
	b := ann.signIn(cafe)
	refused(t, b.recover(twinlatch.NewSecret("0000-0000-0000-0000")), twinlatch.ErrWrongCode) // as if there were some
}

// Wrong backup codes count on their own: they neither slow the app down nor does
// a right one forgive it.
func TestBackupCodesCountApart(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	codes := ann.backupCodes()
	b := ann.signIn(home)
	for range 5 {
		refused(t, b.answer(ann.wrongCode()), twinlatch.ErrWrongCode)
	}
	refused(t, b.answer(ann.code()), twinlatch.ErrLimited)
	ann.ok(b.recover(codes[0]))
	refused(t, b.answer(ann.code()), twinlatch.ErrLimited) // forgives nothing

	for left := 4; left >= 0; left-- {
		var wrong *twinlatch.WrongCodeError
		if err := b.recover(twinlatch.NewSecret("0000-0000-0000-0000")); !errors.As(err, &wrong) || wrong.TriesLeft != left {
			t.Fatalf("%+v, want %d left", err, left)
		}
	}
	ann.unchanged("a backup code that has to wait", func() {
		right, wrong := b.recover(codes[1]), b.recover(twinlatch.NewSecret("0000-0000-0000-0000"))
		refused(t, right, twinlatch.ErrLimited)
		equal(t, "right and wrong", right, wrong)
	}, "sessions", "backup_codes", "tries", "events", "factors")
	ann.later(step)
	ann.ok(b.recover(codes[1]))
	for range 5 { // a success forgives its own
		refused(t, b.recover(codes[1]), twinlatch.ErrWrongCode)
	}
}

// The pause after a hundred wrong ones is lifted by new codes: they are set up
// anew.
func TestNewBackupCodesLiftThePause(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	ann.backupCodes()
	ann.exec("INSERT INTO tries (account_id, name, run, next_at, day, day_at) VALUES ($1, 'backup/all', 100, NULL, 1, 0)", string(ann.account.ID))
	var limit *twinlatch.LimitError
	if err := ann.recover(twinlatch.NewSecret("0000-0000-0000-0000")); !errors.As(err, &limit) || !limit.RetryAt.IsZero() {
		t.Fatalf("after a hundred: %v", err)
	}
	ann.later(365 * time.Hour)
	if err := ann.recover(twinlatch.NewSecret("0000-0000-0000-0000")); !errors.As(err, &limit) {
		t.Fatalf("two weeks later: %v", err)
	}
	ann.ok(ann.answer(ann.code()))
	codes := ann.backupCodes()
	ann.ok(ann.recover(codes[0]))
}
