package twinlatch_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// What a method may say about its questions, its proofs, and what it cannot judge.

// A question takes as many answers, and is open for as long, as its method says,
// and never more than the policy does.
func TestAQuestionOfItsOwnMeasure(t *testing.T) {
	t.Parallel()
	said := &spoken{kind: "word", tries: 1, open: 5 * time.Minute}
	ann := newWorld(t, alsoSpoken(said)).protected("ann@example.com")
	enrollment, err := ann.BeginEnroll(ctx, ann.passed(), "word", map[string]string{"word": "tulip"}, home)
	ann.ok(err)
	equal(t, "answers to the enrollment", enrollment.TriesLeft, 1)
	equal(t, "it is open until", enrollment.ExpiresAt, ann.Now().Add(5*time.Minute))
	f := ann.choose("word", "tulip")
	ann.ok(ann.PreferFactor(ctx, ann.passed(), f.ID, home))

	b := ann.signIn(cafe)
	first, err := b.Ask(ctx, b.known(), "", cafe)
	ann.ok(err)
	equal(t, "answers", first.TriesLeft, 1)
	equal(t, "open until", first.ExpiresAt, ann.Now().Add(5*time.Minute))
	wrong := new(twinlatch.WrongCodeError)
	if err := b.say("rose"); !errors.As(err, &wrong) || wrong.TriesLeft != 0 {
		t.Fatalf("a wrong answer: %v", err)
	}
	refused(t, b.say("tulip"), twinlatch.ErrExpired) // it answers nothing that is open
	second, err := b.Asked(ctx, b.known())
	ann.ok(err)
	if second.ID == first.ID {
		t.Error("the question that was answered is asked again")
	}
	ann.later(5*time.Minute - time.Millisecond)
	ann.ok(b.say("tulip"))

	late := ann.signIn(cafe)
	_, err = late.Ask(ctx, late.known(), "", cafe)
	ann.ok(err)
	ann.later(5 * time.Minute)
	refused(t, late.say("tulip"), twinlatch.ErrExpired)
	ann.ok(late.say("tulip")) // to the question that was asked instead

	said.tries, said.open = 1000, 1000*day
	greedy := ann.signIn(cafe)
	asked, err := greedy.Ask(ctx, greedy.known(), "", cafe)
	ann.ok(err)
	equal(t, "answers at most", asked.TriesLeft, twinlatch.DefaultPolicy().Tries)
	equal(t, "open at most until", asked.ExpiresAt, ann.Now().Add(twinlatch.DefaultPolicy().CodeFor))
}

// Who has the password and guesses at what nobody can guess keeps nobody out, and
// does not fill the trail.
func TestGuessingWhatCannotBeGuessed(t *testing.T) {
	t.Parallel()
	said := &spoken{kind: "word", unguessable: true}
	ann := newWorld(t, alsoSpoken(said)).protected("ann@example.com")
	f := ann.choose("word", "tulip")
	ann.ok(ann.PreferFactor(ctx, ann.passed(), f.ID, home))
	guesses := 0
	for i := range 20 {
		thief := ann.signIn(at(fmt.Sprintf("203.0.113.%d", i)))
		for range 5 {
			_, err := thief.Ask(ctx, thief.known(), "", thief.from)
			ann.ok(err)
			refused(t, thief.say("rose"), twinlatch.ErrWrongCode)
			guesses++
		}
	}
	if n := ann.count(twinlatch.EventWrongCode); n == 0 || n > 6 {
		t.Errorf("%d wrong answers make %d lines of the trail", guesses, n)
	}
	for _, from := range []twinlatch.Client{home, cafe} {
		owner := ann.signIn(from)
		_, err := owner.Ask(ctx, owner.known(), "", from)
		ann.ok(err)
		ann.ok(owner.say("tulip"))
	}
	before := ann.count(twinlatch.EventWrongCode)
	b := ann.signIn(home)
	_, err := b.Ask(ctx, b.known(), "", home)
	ann.ok(err)
	refused(t, b.say("rose"), twinlatch.ErrWrongCode)
	equal(t, "after a right one they are written again", ann.count(twinlatch.EventWrongCode), before+1)
}

// One network is slowed down all the same.
func TestANetworkThatGuessesWhatCannotBeGuessed(t *testing.T) {
	t.Parallel()
	ann := newWorld(t, alsoSpoken(&spoken{kind: "word", unguessable: true})).protected("ann@example.com")
	f := ann.choose("word", "tulip")
	guesses := 0
	for {
		thief := ann.signIn(cafe)
		_, err := thief.Ask(ctx, thief.known(), f.ID, cafe)
		ann.ok(err)
		if err := thief.say("rose"); !errors.Is(err, twinlatch.ErrWrongCode) {
			limited(t, err)
			break
		}
		guesses++
		if guesses%5 == 0 {
			ann.later(time.Second)
		}
	}
	equal(t, "guesses of one network", guesses, 30)
}

// A method that asks somebody else may hear that the answer was used, or nothing.
func TestWhatAMethodCannotKnow(t *testing.T) {
	t.Parallel()
	said := &spoken{kind: "word", unguessable: true}
	ann := newWorld(t, alsoSpoken(said)).protected("ann@example.com")
	f := ann.choose("word", "tulip")
	ann.ok(ann.PreferFactor(ctx, ann.passed(), f.ID, home))
	b := ann.signIn(cafe)
	_, err := b.Ask(ctx, b.known(), "", cafe)
	ann.ok(err)

	said.refers = fmt.Errorf("word: %w", twinlatch.ErrReplayed)
	wrong := new(twinlatch.WrongCodeError)
	if err := b.say("tulip"); !errors.As(err, &wrong) || !errors.Is(err, twinlatch.ErrReplayed) || wrong.TriesLeft != 4 {
		t.Errorf("used before: %v", err)
	}
	equal(t, "replays in the trail", ann.count(twinlatch.EventReplayed), 1)

	said.refers = &twinlatch.WrongCodeError{Cause: twinlatch.ErrWrongCode, Key: "err.other"}
	if err := b.say("tulip"); !errors.As(err, &wrong) || wrong.Key != "err.other" || wrong.TriesLeft != 3 {
		t.Errorf("wrong, and why: %v", err)
	}
	before := ann.rows("limits")
	said.refers = fmt.Errorf("word: the server is down: %w", twinlatch.ErrUnavailable)
	refused(t, b.say("tulip"), twinlatch.ErrUnavailable)
	equal(t, "what the network may still do", ann.rows("limits"), before)
	b.meets(twinlatch.NeedSecondStep, twinlatch.ReasonNewSession)
	said.refers = nil
	ann.ok(b.say("tulip"))

	ch, err := b.BeginEnroll(ctx, b.passed(), "word", map[string]string{"word": "rose"}, cafe)
	ann.ok(err)
	for _, no := range []error{twinlatch.ErrReplayed, twinlatch.ErrUnavailable, twinlatch.ErrWrongCode} {
		said.refers = no
		_, _, err := b.FinishEnroll(ctx, b.passed(), ch.ID, word("rose"), cafe)
		refused(t, err, no)
	}
	said.refers = nil
	_, token, err := b.FinishEnroll(ctx, b.passed(), ch.ID, word("rose"), cafe)
	ann.ok(b.keep(token, err))
}

// How it was done is what the proof says, and is in the session and the trail.
func TestAMROfAProof(t *testing.T) {
	t.Parallel()
	said := &spoken{kind: "word"}
	ann := newWorld(t, alsoSpoken(said)).protected("ann@example.com")
	f := ann.choose("word", "tulip")
	for _, amr := range [][]string{nil, {"hwk", "user"}} {
		said.proves = func(p twinlatch.Proof) twinlatch.Proof { p.AMR = amr; return p }
		want := amr
		if amr == nil {
			want = []string{"kba"}
		}
		b := ann.signIn(home)
		_, err := b.Ask(ctx, b.known(), f.ID, home)
		ann.ok(err)
		ann.ok(b.say("tulip"))
		equal(t, "amr of the session", b.session().AMR, want)
		equal(t, "amr in the trail", ann.last(twinlatch.EventVerified).Detail.More["amr"], strings.Join(want, " "))
	}
}

// After a counter has moved, no proof does without.
func TestAFactorThatCountsCounts(t *testing.T) {
	t.Parallel()
	said := &spoken{kind: "word"}
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		f := ann.choose("word", "tulip")
		counter := func(n int64) *int64 { return &n }
		for i, c := range []struct {
			counter *int64
			want    error
		}{
			{nil, nil}, {nil, nil}, {counter(3), nil}, {nil, twinlatch.ErrReplayed}, {counter(0), twinlatch.ErrReplayed},
			{counter(3), twinlatch.ErrReplayed}, {counter(4), nil}, {counter(1 << 32), nil},
		} {
			said.proves = func(p twinlatch.Proof) twinlatch.Proof { p.Counter = c.counter; return p }
			b := ann.signIn(at(fmt.Sprintf("203.0.113.%d", i)))
			_, err := b.Ask(ctx, b.known(), f.ID, b.from)
			ann.ok(err)
			refused(t, b.say("tulip"), c.want)
		}
		told := ann.last(twinlatch.EventReplayed).Detail.More
		if !maps.Equal(told, map[string]string{"kind": "word", "name": f.Name}) {
			t.Errorf("the trail says %v", told)
		}
	}, alsoSpoken(said))
}

// The name may come with the confirming answer.
func TestANameWithTheAnswer(t *testing.T) {
	t.Parallel()
	ann := newWorld(t, alsoSpoken(&spoken{kind: "word"})).protected("ann@example.com")
	ch, err := ann.BeginEnroll(ctx, ann.passed(), "word", map[string]string{"word": "tulip", "name": "First"}, home)
	ann.ok(err)
	open, err := ann.Enrollment(ctx, ann.passed(), ch.ID)
	ann.ok(err)
	equal(t, "the name so far", open.Name, "First")
	answer := word("tulip")
	answer["name"] = strings.Repeat("x", twinlatch.MaxFactorName+1)
	_, _, err = ann.FinishEnroll(ctx, ann.passed(), ch.ID, answer, home)
	if field := new(twinlatch.FieldError); !errors.As(err, &field) || field.Field != "name" {
		t.Errorf("a name that is too long: %v", err)
	}
	open, err = ann.Enrollment(ctx, ann.passed(), ch.ID)
	ann.ok(err)
	equal(t, "answers left: it cost none", open.TriesLeft, twinlatch.DefaultPolicy().Tries)
	answer["name"] = " Key ring "
	f, token, err := ann.FinishEnroll(ctx, ann.passed(), ch.ID, answer, home)
	ann.ok(ann.keep(token, err))
	equal(t, "its name", f.Name, "Key ring")
}

// Who has an old cookie and asks one method after another, or answers what cannot
// be right, writes one line: that the session was asked.
func TestAskingAgainIsNoNews(t *testing.T) {
	t.Parallel()
	said, other := &spoken{kind: "word", unguessable: true, tries: 1}, &spoken{kind: "sentence"}
	ann := newWorld(t, alsoSpoken(said, other)).protected("ann@example.com")
	one, two := ann.choose("word", "tulip"), ann.choose("sentence", "a tulip")
	ann.from = cafe
	ann.meets(twinlatch.NeedSecondStep, twinlatch.ReasonIPChanged)
	for i := range 40 {
		f := one.ID
		if i%2 == 1 {
			f = two.ID
		}
		_, err := ann.Ask(ctx, ann.known(), f, cafe)
		ann.ok(err)
		if i < 10 && i%2 == 0 {
			refused(t, ann.say("rose"), twinlatch.ErrWrongCode)
		}
	}
	equal(t, "lines that it was asked", ann.count(twinlatch.EventAsked), 1)
	ann.later(twinlatch.DefaultPolicy().CodeFor)
	_, err := ann.Ask(ctx, ann.known(), one.ID, cafe)
	ann.ok(err)
	equal(t, "lines when it was asked once more", ann.count(twinlatch.EventAsked), 2)
}

// A copy that signs is written down, whatever its owner did before.
func TestACopyCannotBeHidden(t *testing.T) {
	t.Parallel()
	said := &spoken{kind: "word", unguessable: true}
	ann := newWorld(t, alsoSpoken(said)).protected("ann@example.com")
	f := ann.choose("word", "tulip")
	count := func(n int64) { said.proves = func(p twinlatch.Proof) twinlatch.Proof { p.Counter = &n; return p } }
	say := func(text string, want error) {
		b := ann.signIn(cafe)
		_, err := b.Ask(ctx, b.known(), f.ID, cafe)
		ann.ok(err)
		refused(t, b.say(text), want)
	}
	count(7)
	say("tulip", nil)
	for range 6 {
		say("rose", twinlatch.ErrWrongCode)
	}
	count(6)
	say("tulip", twinlatch.ErrReplayed)
	equal(t, "copies in the trail", ann.count(twinlatch.EventReplayed), 1)
}

// The owner is told of a copy of a key once a day, and its factor remembers until it
// is removed. Codes that people type twice are no copies.
func TestACopyIsRemembered(t *testing.T) {
	t.Parallel()
	for kind, script := range map[twinlatch.Kind]bool{"key": true, "word": false} {
		said := &spoken{kind: kind, unguessable: true, script: script}
		ann := newWorld(t, alsoSpoken(said)).protected("ann@example.com")
		f := ann.choose(kind, "tulip")
		count := func(n int64) { said.proves = func(p twinlatch.Proof) twinlatch.Proof { p.Counter = &n; return p } }
		say := func(want error) {
			b := ann.signIn(cafe)
			_, err := b.Ask(ctx, b.known(), f.ID, cafe)
			ann.ok(err)
			refused(t, b.say("tulip"), want)
		}
		count(7)
		say(nil)
		count(6)
		var news []string
		for _, wait := range []time.Duration{0, day - time.Millisecond, time.Millisecond, 0} {
			ann.later(wait)
			say(twinlatch.ErrReplayed)
			news = append(news, ann.last(twinlatch.EventReplayed).Detail.More["copied"])
		}
		count(8)
		say(nil)
		factors, err := ann.Factors(ctx, ann.operator())
		ann.ok(err)
		if script {
			equal(t, "news", news, []string{"new", "", "new", ""})
			equal(t, "remembered", factors[1].CopiedAt, ann.Now())
		} else {
			equal(t, "news", news, []string{"", "", "", ""})
			equal(t, "remembered", factors[1].CopiedAt, time.Time{})
		}
	}
}

// A factor that is removed while its answer is judged was not copied.
func TestRemovedWhileItIsJudged(t *testing.T) {
	t.Parallel()
	said := &spoken{kind: "key", unguessable: true, script: true}
	ann := newWorld(t, alsoSpoken(said)).protected("ann@example.com")
	f := ann.choose("key", "tulip")
	n := int64(7)
	said.proves = func(p twinlatch.Proof) twinlatch.Proof { p.Counter = &n; return p }
	_, err := ann.Ask(ctx, ann.known(), f.ID, home)
	ann.ok(err)
	said.during = func() { ann.ok(ann.RemoveFactor(ctx, ann.passed(), f.ID, home)) }
	refused(t, ann.say("tulip"), twinlatch.ErrExpired)
	equal(t, "copies in the trail", ann.count(twinlatch.EventReplayed), 0)
}

// Hanging up while somebody else is asked gives no limit back.
func TestHangingUpDuringAnEnrollment(t *testing.T) {
	t.Parallel()
	said := &spoken{kind: "word"}
	ann := newWorld(t, alsoSpoken(said)).protected("ann@example.com")
	ch, err := ann.BeginEnroll(ctx, ann.passed(), "word", map[string]string{"word": "tulip"}, home)
	ann.ok(err)
	impatient, leave := context.WithCancel(ctx)
	said.enrolling = leave
	_, token, err := ann.FinishEnroll(impatient, ann.passed(), ch.ID, word("tulip"), home)
	ann.ok(ann.keep(token, err))
}
