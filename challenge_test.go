package twinlatch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

func TestACodeWorksOnceEver(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	first, second := ann.signIn(home), ann.signIn(cafe)
	used := ann.code()
	ann.ok(first.answer(used))

	refused(t, second.answer(used), twinlatch.ErrReplayed) // in another session
	refused(t, first.answer(used), twinlatch.ErrReplayed)  // in the same
	refused(t, ann.answer(used), twinlatch.ErrReplayed)    // as a fresh proof for settings
	ann.later(step)
	refused(t, second.answer(used), twinlatch.ErrReplayed) // while the window still has it
	ann.later(step)
	refused(t, second.answer(used), twinlatch.ErrWrongCode)
	second.meets(twinlatch.NeedSecondStep, twinlatch.ReasonNewSession)
	equal(t, "replays in the trail", ann.count(twinlatch.EventReplayed), 4)
	equal(t, "wrong ones", ann.count(twinlatch.EventWrongCode), 1)
}

func TestTheCodeThatConfirmedTheAppDoesNotSignIn(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com")
	ann.app = ann.signIn(home).enroll("")
	confirming := ann.code()
	b := ann.signIn(cafe)
	refused(t, b.answer(confirming), twinlatch.ErrReplayed)
	ann.later(step)
	refused(t, b.answer(confirming), twinlatch.ErrReplayed)
	ann.ok(b.answer(ann.code()))
}

func TestOlderCodesDieWithNewerOnes(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	b := ann.signIn(home)
	older, now, newer := ann.app.Code(ann.Now()), ann.app.Code(ann.Now().Add(step)), ann.app.Code(ann.Now().Add(2*step))
	ann.later(step)
	ann.ok(b.answer(newer)) // of an app whose clock is ahead
	refused(t, b.answer(now), twinlatch.ErrReplayed)
	refused(t, b.answer(older), twinlatch.ErrReplayed)
}

// A spent code stays spent however it is written. What is no code at all costs
// no try.
func TestASpentCodeInOtherClothesIsSpent(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	b := ann.signIn(home)
	used := ann.code()
	ann.ok(b.answer(used))
	wide := strings.Map(func(r rune) rune { return r - '0' + '０' }, used)
	arabic := strings.Map(func(r rune) rune { return r - '0' + '٠' }, used)
	for _, text := range []string{
		used[:3] + " " + used[3:], used[:3] + "-" + used[3:], " " + used, used + " ", "  " + used + "  ", strings.Join(strings.Split(used, ""), " "),
		strings.Join(strings.Split(used, ""), "-"), "-" + used, used + "-", used[:2] + "- -" + used[2:],
	} {
		refused(t, b.answer(text), twinlatch.ErrReplayed)
		ann.exec("DELETE FROM tries")
	}
	who := b.known()
	for _, text := range []string{
		"", " ", "0" + used, used + "0", used[:5], used + "\n", "\n" + used, "\t" + used, used + "\x00", "\x00" + used, used + "\r", used[:3] + "\u00a0" + used[3:],
		used[:3] + "\u200b" + used[3:], used[:3] + "\u2009" + used[3:], "\ufeff" + used, wide, arabic, wide[:3] + used[1:], "+" + used, "0x" + used, used + ".0", used + "e0",
		used + "," + used, used + " " + used, "[" + used + "]", "{}", "null", "٠", strings.Repeat("0", 1<<20), "\xff" + used, used[:3] + "_" + used[3:],
	} {
		var field *twinlatch.FieldError
		ann.unchanged(fmt.Sprintf("%.20q", text), func() {
			if _, err := ann.Answer(ctx, who, code(text), home); !errors.As(err, &field) || field.Field != "code" {
				t.Errorf("%.20q: %v", text, err)
			}
		}, "sessions", "factors", "tries", "events", "limits")
	}
}

// One step before and one after, to the millisecond.
func TestTheWindowOfACode(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	b := ann.signInFully(home)
	for _, row := range []struct {
		early time.Duration // before the code's step begins
		want  error
	}{
		{step + time.Millisecond, twinlatch.ErrWrongCode},
		{step, nil},
		{time.Millisecond, nil},
		{0, nil},
		{-step + time.Millisecond, nil},
		{-step, nil},
		{-2*step + time.Millisecond, nil},
		{-2 * step, twinlatch.ErrWrongCode},
		{-2*step - time.Millisecond, twinlatch.ErrWrongCode},
	} {
		begins := ann.Now().Truncate(step).Add(10 * step)
		ann.later(begins.Add(-row.early).Sub(ann.Now()))
		if err := b.answer(ann.app.Code(begins)); !errors.Is(err, row.want) {
			t.Errorf("%v before its step: %v, want %v", row.early, err, row.want)
		}
		ann.exec("DELETE FROM tries")
	}
}

func TestTheCodesOfOthersAreWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.protected("ann@example.com"), w.protected("bob@example.com")
	b := ann.signIn(home)
	refused(t, b.answer(bob.code()), twinlatch.ErrWrongCode)
	b.meets(twinlatch.NeedSecondStep, twinlatch.ReasonNewSession)

	codes := bob.backupCodes()
	refused(t, b.recover(codes[0]), twinlatch.ErrWrongCode)
	w.ok(bob.recover(codes[0])) // which is still Bob's
	w.unchanged("to ask Bob's app", func() {
		_, err := ann.Ask(ctx, b.known(), bob.app.id, home)
		refused(t, err, twinlatch.ErrNotFound)
	})
}

func TestAnyAppAnswersAndEachCountsItsOwnCodes(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	second := ann.enroll("second")
	third := ann.enroll("third")
	ann.later(step)
	for _, app := range []device{third, ann.app, second} {
		b := ann.signIn(home)
		ann.ok(b.answer(app.Code(ann.Now()))) // in the same step
		refused(t, b.answer(app.Code(ann.Now())), twinlatch.ErrReplayed)
		ann.exec("DELETE FROM tries")
	}
	factors, err := ann.Factors(ctx, ann.operator())
	ann.ok(err)
	for _, f := range factors {
		equal(t, "the counter of "+f.Name, f.Counter, ann.Now().Unix()/30)
		equal(t, "last used", f.LastUsedAt, ann.Now())
	}
	equal(t, "the trail names the app", ann.last(twinlatch.EventVerified).Detail.More["name"], "second")
}

func TestAskingAgainGivesTheSameChallenge(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	b := ann.signIn(home)
	_, err := b.Asked(ctx, b.known())
	refused(t, err, twinlatch.ErrNotFound)
	first, err := b.Ask(ctx, b.known(), "", home)
	ann.ok(err)
	equal(t, "life", first.ExpiresAt, ann.Now().Add(10*time.Minute))
	refused(t, b.answer(ann.wrongCode()), twinlatch.ErrWrongCode)
	ann.later(time.Minute)
	for _, factor := range []twinlatch.FactorID{"", ann.app.id} {
		ann.unchanged("asking again", func() {
			again, err := b.Ask(ctx, b.known(), factor, home)
			ann.ok(err)
			equal(t, "challenge", again.ID, first.ID)
			equal(t, "end", again.ExpiresAt, first.ExpiresAt)
			equal(t, "tries", again.TriesLeft, 4)
			equal(t, "prompt", again.Prompt.Text, first.Prompt.Text)
		})
	}
	asked, err := b.Asked(ctx, b.known())
	ann.ok(err)
	equal(t, "asked", asked.ID, first.ID)

	other := ann.signIn(home) // a challenge belongs to its session
	_, err = other.Asked(ctx, other.known())
	refused(t, err, twinlatch.ErrNotFound)

	ann.ok(b.answer(ann.code()))
	_, err = b.Asked(ctx, b.known())
	refused(t, err, twinlatch.ErrNotFound)
}

func TestAChallengeEndsAfterTenMinutes(t *testing.T) {
	t.Parallel()
	mail := &spoken{kind: "mail", sends: true}
	ann := newWorld(t, alsoSpoken(mail)).protected("ann@example.com")
	f := ann.choose("mail", "tulip")
	ann.ok(ann.PreferFactor(ctx, ann.passed(), f.ID, home))
	for early, want := range map[time.Duration]error{time.Millisecond: nil, 0: twinlatch.ErrExpired} {
		first, err := ann.Ask(ctx, ann.known(), "", home)
		ann.ok(err)
		ann.later(10*time.Minute - early)
		refused(t, ann.say("tulip"), want)
		_, err = ann.Asked(ctx, ann.known())
		refused(t, err, twinlatch.ErrNotFound)
		again, err := ann.Ask(ctx, ann.known(), "", home)
		ann.ok(err)
		if again.ID == first.ID {
			t.Error("a challenge that is over is asked again")
		}
		ann.ok(ann.say("tulip"))
	}
}

// A message is sent only when somebody asks for it; a code box needs no asking.
func TestAMethodThatSendsIsNotAskedByAnAnswer(t *testing.T) {
	t.Parallel()
	mail := &spoken{kind: "mail", sends: true}
	ann := newWorld(t, alsoSpoken(mail)).protected("ann@example.com")
	f := ann.choose("mail", "tulip")
	b := ann.signIn(home)
	ann.ok(ann.PreferFactor(ctx, ann.passed(), f.ID, home))
	ann.unchanged("an answer to nothing", func() { refused(t, b.say("tulip"), twinlatch.ErrExpired) })
	_, err := b.Ask(ctx, b.known(), "", home)
	ann.ok(err)
	ann.ok(b.say("tulip"))
}

func TestAskingAnotherKindEndsTheChallenge(t *testing.T) {
	t.Parallel()
	word1, word2 := &spoken{kind: "word"}, &spoken{kind: "name"}
	ann := newWorld(t, alsoSpoken(word1, word2)).protected("ann@example.com")
	f, g := ann.choose("word", "tulip"), ann.choose("name", "rose")
	b := ann.signIn(home)
	first, err := b.Ask(ctx, b.known(), "", home)
	ann.ok(err)
	equal(t, "asked first", first.Kind, "totp") // the one enrolled first
	other, err := b.Ask(ctx, b.known(), f.ID, home)
	ann.ok(err)
	equal(t, "asked", other.Kind, "word")
	var field *twinlatch.FieldError
	if err := b.answer(ann.code()); !errors.As(err, &field) { // judged by the word's method
		t.Errorf("a code for a word: %v", err)
	}
	refused(t, b.say("rose"), twinlatch.ErrWrongCode) // the word of another kind
	equal(t, "judged by the other", word2.judged.Load(), 1)
	_, err = b.Ask(ctx, b.known(), g.ID, home)
	ann.ok(err)
	ann.ok(b.say("rose"))
	equal(t, "amr", b.session().AMR, []string{"kba"})
	ann.ok(ann.answer(ann.newCode()))
	equal(t, "amr", ann.session().AMR, []string{"otp"})
}

func TestWaysShowsWhatIsThere(t *testing.T) {
	t.Parallel()
	ann := newWorld(t, alsoSpoken(&spoken{kind: "word"})).protected("ann@example.com")
	b := ann.signIn(home)
	f := ann.choose("word", "tulip")
	names := func() (names []string, backup bool) {
		ways, err := b.Ways(ctx, b.known())
		ann.ok(err)
		for _, f := range ways.Factors {
			names = append(names, f.Name+f.Hint)
		}
		return names, ways.Backup
	}
	have, backup := names()
	equal(t, "ways", have, []string{"app", "a wordt…"})
	equal(t, "backup", backup, false)
	ann.ok(ann.PreferFactor(ctx, ann.passed(), f.ID, home))
	codes := ann.backupCodes()
	have, backup = names()
	equal(t, "ways", have, []string{"a wordt…", "app"})
	equal(t, "backup", backup, true)
	ann.exec("UPDATE backup_codes SET used_at = 1")
	_, backup = names()
	equal(t, "backup, all used", backup, false)
	_ = codes
}

func TestWithTwoStepOffThereIsNothingToAsk(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com").signIn(home)
	ann.unchanged("asking", func() {
		_, err := ann.Ask(ctx, ann.known(), "", home)
		refused(t, err, twinlatch.ErrTwoStepOff)
		refused(t, ann.answer("123456"), twinlatch.ErrTwoStepOff)
		refused(t, ann.recover(twinlatch.NewSecret("k7m2-9xqd-4tbn-w3fp")), twinlatch.ErrTwoStepOff)
		ways, err := ann.Ways(ctx, ann.known())
		ann.ok(err)
		equal(t, "ways", len(ways.Factors), 0)
	})
}

// An operator who takes a method out of the configuration locks nobody in: what
// has other factors goes on, and none of the old kind counts.
func TestAMethodThatIsNoLongerConfigured(t *testing.T) {
	t.Parallel()
	ann := newWorld(t, alsoSpoken(&spoken{kind: "word"})).protected("ann@example.com")
	f := ann.choose("word", "tulip")
	codes := ann.backupCodes()
	b := ann.signIn(home)
	_, err := b.Ask(ctx, b.known(), f.ID, home)
	ann.ok(err)

	less := ann.Config
	less.Methods = less.Methods[:1]
	ann.Service, err = twinlatch.New(ctx, less)
	ann.ok(err)
	refused(t, b.answer(ann.newCode()), twinlatch.ErrExpired) // what was asked is gone
	_, err = b.Ask(ctx, b.known(), f.ID, home)
	refused(t, err, twinlatch.ErrNotFound)
	_, err = b.Ask(ctx, b.known(), ann.app.id, home)
	ann.ok(err)
	ann.ok(b.answer(ann.newCode()))
	ann.ok(b.RemoveFactor(ctx, b.passed(), ann.app.id, home))

	last := ann.signIn(cafe)
	last.meets(twinlatch.NeedSecondStep, twinlatch.ReasonNewSession) // it is still on
	_, err = last.Ask(ctx, last.known(), "", cafe)
	refused(t, err, twinlatch.ErrNotFound)
	ann.ok(last.recover(codes[0]))
}

// A guess that was counted is judged and written down, also when the client does
// not wait for it.
func TestAJudgedGuessIsFinishedWithoutItsClient(t *testing.T) {
	t.Parallel()
	said := &spoken{kind: "word"}
	ann := newWorld(t, alsoSpoken(said)).protected("ann@example.com")
	f := ann.choose("word", "tulip")
	ann.ok(ann.PreferFactor(ctx, ann.passed(), f.ID, home))
	for text, want := range map[string]error{"rose": twinlatch.ErrWrongCode, "tulip": nil} {
		impatient, leave := context.WithCancel(ctx)
		said.during = leave
		b := ann.signIn(cafe)
		_, err := b.Ask(ctx, b.known(), "", cafe)
		ann.ok(err)
		refused(t, b.keep(ann.Answer(impatient, b.known(), word(text), cafe)), want)
		b.meets(map[error]twinlatch.Step{nil: twinlatch.Pass, twinlatch.ErrWrongCode: twinlatch.NeedSecondStep}[want], b.check().Reason)
	}
	equal(t, "wrong", ann.count(twinlatch.EventWrongCode), 1)
	equal(t, "right", ann.count(twinlatch.EventVerified), 1)
}

// A method that is wrong about whom it judged lets nobody in.
func TestAMethodThatProvesSomethingElse(t *testing.T) {
	t.Parallel()
	liar := &spoken{kind: "word", proves: func(twinlatch.Proof) twinlatch.Proof { return twinlatch.Proof{Factor: "another"} }}
	ann := newWorld(t, alsoSpoken(liar)).protected("ann@example.com")
	f := ann.choose("word", "tulip")
	b := ann.signIn(home)
	_, err := b.Ask(ctx, b.known(), f.ID, home)
	ann.ok(err)
	ann.unchanged("a proof of another factor", func() {
		if err := b.say("tulip"); err == nil || errors.Is(err, twinlatch.ErrWrongCode) {
			t.Errorf("%v", err)
		}
	}, "sessions", "factors", "events")
}
