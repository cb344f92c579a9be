package twinlatch_test

import (
	"errors"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/totp"
)

func TestRemovingAFactorEndsOtherSessions(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	second := ann.enroll("second")
	codes := ann.backupCodes()
	phone, pending := ann.signInFully(cafe), ann.signIn(cafe)
	ann.ok(ann.RemoveFactor(ctx, ann.passed(), second.id, home))
	phone.meets(twinlatch.NeedFirstStep, "")
	pending.meets(twinlatch.NeedFirstStep, "")
	ann.meets(twinlatch.Pass, "") // two-step verification is still on
	equal(t, "on", ann.check().Step, twinlatch.Pass)
	left, err := ann.BackupCodes(ctx, ann.passed())
	ann.ok(err)
	equal(t, "codes left", left.Left, len(codes))

	b := ann.signIn(home)
	ann.later(step)
	refused(t, b.answer(second.Code(ann.Now())), twinlatch.ErrWrongCode) // its codes are dead
	ann.ok(b.answer(ann.code()))
	ann.unchanged("to remove it again", func() {
		refused(t, ann.RemoveFactor(ctx, ann.passed(), second.id, home), twinlatch.ErrNotFound)
	})
	equal(t, "the trail names it", ann.last(twinlatch.EventFactorRemoved).Detail.More["name"], "second")
}

func TestTheLastFactorTurnsTwoStepOff(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]func(*browser) error{
		"removed":    func(b *browser) error { return b.RemoveFactor(ctx, b.passed(), b.app.id, home) },
		"turned off": func(b *browser) error { return b.TurnOff(ctx, b.passed(), home) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ann := newWorld(t).protected("ann@example.com")
			codes := ann.backupCodes()
			phone, pending := ann.signInFully(cafe), ann.signIn(cafe)
			kept := pending.known()
			ann.ok(off(ann))

			a, err := ann.Account(ctx, ann.account.ID)
			ann.ok(err)
			equal(t, "on", a.TwoStep, false)
			left, err := ann.BackupCodes(ctx, ann.passed())
			ann.ok(err)
			equal(t, "codes", left.Total, 0)
			phone.meets(twinlatch.NeedFirstStep, "")
			ann.meets(twinlatch.Pass, "")
			types := ann.types()
			equal(t, "trail", types[len(types)-2:], []twinlatch.EventType{twinlatch.EventFactorRemoved, twinlatch.EventTwoStepOff})

			// A sign-in that owed a code is no session now.
			pending.meets(twinlatch.NeedFirstStep, "")
			_, err = ann.Answer(ctx, kept, code(ann.newCode()), cafe)
			refused(t, err, twinlatch.ErrNoSession)
			ann.person.signIn(cafe).meets(twinlatch.Pass, "")

			_, err = ann.NewBackupCodes(ctx, ann.passed(), home) // no codes alone
			refused(t, err, twinlatch.ErrTwoStepOff)
			refused(t, ann.TurnOff(ctx, ann.passed(), home), twinlatch.ErrTwoStepOff)

			// On again, the old codes stay dead.
			ann.app = ann.enroll("again")
			b := ann.signIn(cafe)
			for _, old := range codes[:3] {
				refused(t, b.recover(old), twinlatch.ErrWrongCode)
			}
			_, err = ann.Recover(ctx, b.known(), ann.backupCodes()[0], cafe) // the new ones are alive
			ann.ok(err)
		})
	}
}

// A session that turned two-step verification off proved a factor that is no
// more. When another session turns it on, it is asked like all others.
func TestTurningOffForgetsWhatTheSessionVerified(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	ann.ok(ann.TurnOff(ctx, ann.passed(), home))
	equal(t, "amr", len(ann.session().AMR), 0)
	other := ann.signIn(home)
	ann.person.app = other.enroll("")
	other.meets(twinlatch.Pass, "")
	ann.meets(twinlatch.NeedSecondStep, twinlatch.ReasonNewSession)
	ann.ok(ann.answer(ann.newCode()))
	ann.meets(twinlatch.Pass, "")
}

// Two-step verification is on exactly while there is a factor, also when the
// last two are removed at the same moment.
func TestTheLastTwoFactorsRemovedInParallel(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		second := ann.enroll("second")
		ann.backupCodes()
		factors := []twinlatch.FactorID{ann.app.id, second.id}
		who := ann.passed()
		for _, err := range together(2, func(i int) error { return w.RemoveFactor(ctx, who, factors[i], home) }) {
			w.ok(err)
		}
		equal(t, "factors", len(ann.factors()), 0)
		codes, err := w.BackupCodes(ctx, ann.operator())
		w.ok(err)
		equal(t, "codes", codes.Total, 0)
		equal(t, "off", ann.count(twinlatch.EventTwoStepOff), 1)
		equal(t, "removed", ann.count(twinlatch.EventFactorRemoved), 2)
	})
}

func TestRemovingAFactorKillsItsChallenges(t *testing.T) {
	t.Parallel()
	ann := newWorld(t, alsoSpoken(&spoken{kind: "word"})).protected("ann@example.com")
	f, g := ann.choose("word", "tulip"), ann.choose("word", "rose")
	_, err := ann.Ask(ctx, ann.known(), f.ID, home)
	ann.ok(err)
	ann.ok(ann.RemoveFactor(ctx, ann.passed(), f.ID, home))
	refused(t, ann.say("tulip"), twinlatch.ErrWrongCode) // another word answers it still
	ann.ok(ann.RemoveFactor(ctx, ann.passed(), g.ID, home))
	_, err = ann.Asked(ctx, ann.known())
	refused(t, err, twinlatch.ErrNotFound)

	// In flight: judged before the factor was removed, settled after.
	var remove func()
	slow := &spoken{kind: "slow", proves: func(p twinlatch.Proof) twinlatch.Proof { remove(); return p }}
	bob := newWorld(t, alsoSpoken(slow)).protected("bob@example.com")
	h := bob.choose("slow", "tulip")
	_, err = bob.Ask(ctx, bob.known(), h.ID, home)
	bob.ok(err)
	remove = func() { bob.ok(bob.RemoveFactor(ctx, bob.passed(), h.ID, home)) }
	slot := bob.session().V4
	if err := bob.say("tulip"); !errors.Is(err, twinlatch.ErrExpired) {
		t.Errorf("a factor that is no more: %v", err)
	}
	equal(t, "slot", bob.session().V4, slot)
}

// Whoever can write the database cannot give one person's app to another, nor a
// question of one session to another: what is sealed opens in its place only.
func TestASecretInAnotherPlaceDoesNotOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, thief := w.protected("ann@example.com"), w.protected("thief@example.com")
	b := ann.signIn(home)
	w.exec("UPDATE factors SET secret = (SELECT secret FROM factors WHERE account_id = $1), key_id = (SELECT key_id FROM factors WHERE account_id = $1), counter = 0 WHERE account_id = $2",
		string(thief.account.ID), string(ann.account.ID))
	for _, text := range []string{thief.code(), ann.code()} {
		if err := b.answer(text); err == nil || errors.Is(err, twinlatch.ErrWrongCode) || errors.Is(err, twinlatch.ErrReplayed) {
			t.Errorf("an app that was moved: %v", err)
		}
	}
	b.meets(twinlatch.NeedSecondStep, twinlatch.ReasonNewSession)

	asked, _ := thief.beginning(nil)
	ours, _ := thief.beginning(nil)
	w.exec("UPDATE challenges SET question = (SELECT question FROM challenges WHERE id = $1) WHERE id = $2", string(asked.ID), string(ours.ID))
	if _, err := thief.Enrollment(ctx, thief.passed(), ours.ID); err == nil || errors.Is(err, twinlatch.ErrNotFound) {
		t.Errorf("a question that was moved: %v", err)
	}
}

func TestTheOneAskedFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bob := w.protected("bob@example.com")
	ann := w.protected("ann@example.com")
	second := ann.enroll("second")
	first := func() twinlatch.FactorID {
		ways, err := ann.Ways(ctx, ann.known())
		w.ok(err)
		return ways.Factors[0].ID
	}
	equal(t, "the oldest", first(), ann.app.id)
	w.ok(ann.PreferFactor(ctx, ann.passed(), second.id, home))
	equal(t, "the chosen", first(), second.id)
	for _, id := range []twinlatch.FactorID{"", bob.app.id, "\x00"} {
		w.unchanged("to choose what is not hers", func() {
			refused(t, ann.PreferFactor(ctx, ann.passed(), id, home), twinlatch.ErrNotFound)
			refused(t, ann.RemoveFactor(ctx, ann.passed(), id, home), twinlatch.ErrNotFound)
			refused(t, ann.RenameFactor(ctx, ann.passed(), id, "mine", home), twinlatch.ErrNotFound)
		})
	}
	w.ok(ann.RemoveFactor(ctx, ann.passed(), second.id, home))
	equal(t, "what is left", first(), ann.app.id)
	equal(t, "preferred", ann.count(twinlatch.EventFactorPreferred), 1)
}

func TestRenamingAFactor(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	ann.later(day) // no fresh proof is needed
	ann.ok(ann.RenameFactor(ctx, ann.passed(), ann.app.id, "Work phone", home))
	equal(t, "name", ann.factors()[0].Name, "Work phone")
	equal(t, "trail", ann.last(twinlatch.EventFactorRenamed).Detail.More, map[string]string{"kind": string(totp.Kind), "name": "Work phone"})
}
