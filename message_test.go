package twinlatch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/text"
)

const minute = time.Minute

func TestANumberIsEnrolledByTheCodeSentToIt(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	ann := newWorld(t, texting(post)).person("ann@example.com").signIn(home)
	ch, err := ann.getCode("+44 7700 900167")
	ann.ok(err)
	equal(t, "delivery", ch.Delivery, twinlatch.Sent)
	equal(t, "letters", len(post.letters()), 1)
	l := post.letters()[0]
	equal(t, "to", l.to, mobile)
	equal(t, "body", l.body, l.pin()+" is your Acme code. Do not share it with anyone.\n\n@id.example.com #"+l.pin())
	equal(t, "factors", len(ann.factors()), 0)
	f, token, err := ann.FinishEnroll(ctx, ann.passed(), ch.ID, code("the message: "+l.body), home)
	ann.ok(ann.keep(token, err))
	equal(t, "hint", f.Hint, "•••• 67")
	equal(t, "name", f.Name, "•••• 67")
	equal(t, "shown to its owner", ann.factors()[0].Shown, "+44 7700 900167")
	equal(t, "AMR", ann.session().AMR, []string{"sms"})
	account, err := ann.Account(ctx, ann.account.ID)
	ann.ok(err)
	equal(t, "on", account.TwoStep, true)

	_, err = ann.getCode(mobile)
	var bad *twinlatch.FieldError
	if !errors.As(err, &bad) || bad.Key != "err.phone.used" {
		t.Errorf("the same number again: %v", err)
	}
}

// "Send again" is the same code of the same question, and does not prolong it.
func TestSendAgain(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	ann := newWorld(t, texting(post)).texted(post, "ann@example.com", mobile).signIn(cafe)
	first, err := ann.sendTo("")
	ann.ok(err)
	asked := ann.Now()
	equal(t, "again from", first.ResendAt, asked.Add(30*time.Second))
	again := func() error {
		ch, err := ann.sendTo("")
		if err == nil {
			equal(t, "question", ch.ID, first.ID)
			equal(t, "end", ch.ExpiresAt, first.ExpiresAt)
			equal(t, "again from", ch.ResendAt, ann.Now().Add(minute))
		}
		return err
	}
	ann.later(30*time.Second - time.Millisecond)
	ann.unchanged("too early", func() { limited(t, again()) })
	ann.later(time.Millisecond)
	ann.ok(again())
	ann.later(minute - time.Millisecond)
	limited(t, again())
	ann.later(time.Millisecond)
	ann.ok(again())
	equal(t, "letters", len(post.letters()), 4)
	if all := post.letters()[1:]; pins(all) != strings.Repeat(all[0].pin()+" ", 3) {
		t.Errorf("codes %s", pins(all))
	}
	if all := post.letters(); all[1].id == all[2].id || all[2].id == all[3].id {
		t.Error("two messages with one ID: vendors would drop the second")
	}
	ann.later(10*minute - 91*time.Second + time.Second - time.Millisecond) // 1 ms before its end
	ann.ok(ann.answer(post.pin()))
}

func TestACodeIsOverAtItsEnd(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]error{
		10*minute - time.Millisecond: nil, 10 * minute: twinlatch.ErrExpired, 10*minute + time.Second: twinlatch.ErrExpired,
	} {
		post := &postman{name: "post"}
		ann := newWorld(t, texting(post)).texted(post, "ann@example.com", mobile)
		ann.later(30 * day) // a stale session lives longer than a code
		_, err := ann.sendTo("")
		ann.ok(err)
		ann.later(after)
		refused(t, ann.answer(post.pin()), want)
	}
}

func TestACodeIsForOneNumber(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	ann := newWorld(t, texting(post)).texted(post, "ann@example.com", mobile)
	first := ann.factors()[0].ID
	second := ann.addNumber(post, other).ID
	b := ann.signIn(cafe)
	ann.later(minute)
	_, err := b.sendTo(first)
	b.ok(err)
	equal(t, "to", post.letters()[2].to, mobile)
	old := post.pin()
	ch, err := b.sendTo(second)
	b.ok(err)
	equal(t, "asked", ch.Factor, second)
	equal(t, "to", post.letters()[3].to, other)
	refused(t, b.answer(old), twinlatch.ErrWrongCode)

	// What was asked last is asked again, not what is asked first.
	ways, err := b.Ways(ctx, b.known())
	b.ok(err)
	equal(t, "next", ways.Next.ID, second)
	equal(t, "asked first", ways.Factors[0].ID, first)
	equal(t, "hint", ways.Factors[1].Hint, "•••• 42")
	b.later(minute)
	_, err = b.sendTo("")
	b.ok(err)
	equal(t, "to", post.letters()[4].to, other)
	b.ok(b.answer(post.pin()))

	third := ann.addNumber(post, "+447700901142").ID
	_ = third
	ways, err = ann.Ways(ctx, ann.known())
	ann.ok(err)
	equal(t, "hints that are alike", []string{ways.Factors[0].Hint, ways.Factors[1].Hint, ways.Factors[2].Hint}, []string{"•••• 67", "•••• 0542", "•••• 1142"})
}

func TestACodeDiesWithItsFactor(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	ann := newWorld(t, texting(post)).texted(post, "ann@example.com", mobile)
	f := ann.addNumber(post, other)
	ann.later(minute)
	b := ann.signIn(cafe)
	post.fails(errDown)
	ch, err := b.sendTo(f.ID)
	b.ok(err)
	equal(t, "delivery", ch.Delivery, twinlatch.Queued)
	ann.ok(ann.RemoveFactor(ctx, ann.passed(), f.ID, home))
	post.fails(nil)
	b.later(minute)
	n, err := b.Deliver(ctx)
	b.ok(err)
	equal(t, "tried", n, 0)
}

// Opening a page asks nothing of a method that sends, and an answer without a
// question does not either.
func TestOnlyAskSends(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	ann := newWorld(t, texting(post)).texted(post, "ann@example.com", mobile).signIn(cafe)
	_, err := ann.Asked(ctx, ann.known())
	refused(t, err, twinlatch.ErrNotFound)
	_, err = ann.Ways(ctx, ann.known())
	ann.ok(err)
	refused(t, ann.answer("123456"), twinlatch.ErrExpired)
	equal(t, "letters", len(post.letters()), 1) // that of the enrollment
}

func TestWithoutASenderNothingIsSent(t *testing.T) {
	t.Parallel()
	ann := newWorld(t, texting()).person("ann@example.com").signIn(home)
	ann.unchanged("no sender", func() {
		_, err := ann.getCode(mobile)
		refused(t, err, twinlatch.ErrNoRoute)
	})
}

func TestSendersInTheirOrder(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		first, second error
		want          twinlatch.Delivery
		asked         [2]int
	}{
		"the first takes it":                     {nil, nil, twinlatch.Sent, [2]int{1, 0}},
		"the first refuses":                      {twinlatch.ErrNoRoute, nil, twinlatch.Sent, [2]int{1, 1}},
		"the first fails":                        {errDown, nil, twinlatch.Sent, [2]int{1, 1}},
		"the first times out":                    {context.DeadlineExceeded, nil, twinlatch.Sent, [2]int{1, 1}},
		"a bad number is not tried elsewhere":    {twinlatch.ErrBadRecipient, nil, twinlatch.Failed, [2]int{1, 0}},
		"a bad number at the second":             {errDown, twinlatch.ErrBadRecipient, twinlatch.Failed, [2]int{1, 1}},
		"all refuse: it is not tried again":      {twinlatch.ErrNoRoute, twinlatch.ErrNoRoute, twinlatch.Failed, [2]int{1, 1}},
		"all fail: it waits":                     {errDown, errDown, twinlatch.Queued, [2]int{1, 1}},
		"one refuses, the other fails: it waits": {twinlatch.ErrNoRoute, errDown, twinlatch.Queued, [2]int{1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := &postman{name: "first"}, &postman{name: "second"}
			first.fails(row.first)
			second.fails(row.second)
			ann := newWorld(t, texting(first, second)).person("ann@example.com").signIn(home)
			ch, err := ann.getCode(mobile)
			ann.ok(err)
			equal(t, "delivery", ch.Delivery, row.want)
			equal(t, "asked", [2]int{first.calls(), second.calls()}, row.asked)
			open, err := ann.Enrollment(ctx, ann.passed(), ch.ID)
			ann.ok(err)
			equal(t, "delivery on the page", open.Delivery, row.want)
			n, err := ann.Deliver(ctx)
			ann.ok(err)
			equal(t, "due at once", n, 0)
		})
	}
}

// A message that nobody took is tried again, ever more seldom, until it would be
// of no use; then it has failed.
func TestAMessageIsTriedUntilItsEnd(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	post.fails(errDown)
	ann := newWorld(t, texting(post)).person("ann@example.com").signIn(home)
	ch, err := ann.getCode(mobile)
	ann.ok(err)
	began := ann.Now()
	var at []time.Duration
	for ann.Now().Before(ch.ExpiresAt) {
		ann.later(time.Second)
		n, err := ann.Deliver(ctx)
		ann.ok(err)
		if n > 0 {
			at = append(at, ann.Now().Sub(began))
		}
	}
	if len(at) < 10 || at[0] != 2*time.Second || at[1] != 6*time.Second {
		t.Errorf("tried at %v", at)
	}
	post.fails(nil)
	n, err := ann.Deliver(ctx)
	ann.ok(err)
	equal(t, "after its end", n+len(post.letters()), 0)
}

func TestWhatWasQueuedArrivesWhenTheVendorIsBack(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	post.fails(errDown)
	ann := newWorld(t, texting(post)).person("ann@example.com").signIn(home)
	ch, err := ann.getCode(mobile)
	ann.ok(err)
	post.fails(nil)
	ann.later(2 * time.Second)
	n, err := ann.Deliver(ctx)
	ann.ok(err)
	equal(t, "tried", n, 1)
	_, token, err := ann.FinishEnroll(ctx, ann.passed(), ch.ID, code(post.pin()), home)
	ann.ok(ann.keep(token, err))
}

// Once its code was typed a message that is still waiting need not be sent.
func TestWhatWasAnsweredIsNotSent(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	ann := newWorld(t, texting(post)).person("ann@example.com").signIn(home)
	ch, err := ann.getCode(mobile)
	ann.ok(err)
	ann.later(30 * time.Second)
	post.fails(errDown)
	again, err := ann.getCode(mobile)
	ann.ok(err)
	equal(t, "sent again", again.ID, ch.ID)
	_, token, err := ann.FinishEnroll(ctx, ann.passed(), ch.ID, code(post.pin()), home)
	ann.ok(ann.keep(token, err))
	post.fails(nil)
	ann.later(minute)
	n, err := ann.Deliver(ctx)
	ann.ok(err)
	equal(t, "tried", n, 0)
}

// A sender that fails again and again is left alone for half a minute, then asked
// once.
func TestTheCircuitOpens(t *testing.T) {
	t.Parallel()
	down, up := &postman{name: "down"}, &postman{name: "up"}
	down.fails(errDown)
	w := newWorld(t, texting(down, up))
	send := func(i int) {
		t.Helper()
		b := w.person(fmt.Sprintf("p%d@example.com", i)).signIn(at(fmt.Sprintf("10.0.0.%d", i)))
		ch, err := b.getCode(fmt.Sprintf("+4477009001%02d", i))
		w.ok(err)
		equal(t, "delivery", ch.Delivery, twinlatch.Sent)
	}
	for i := range 8 {
		send(i)
	}
	equal(t, "asked", down.calls(), 5)
	w.later(30*time.Second - time.Millisecond)
	send(8)
	equal(t, "asked", down.calls(), 5)
	w.later(time.Millisecond)
	send(9)
	send(10)
	equal(t, "asked once", down.calls(), 6)
	down.fails(nil)
	w.later(30 * time.Second)
	send(11)
	send(12)
	equal(t, "asked again", down.calls(), 8)
	equal(t, "arrived", len(down.letters())+len(up.letters()), 13)
}

// While the circuits of all are open messages wait.
func TestMessagesWaitForOpenCircuits(t *testing.T) {
	t.Parallel()
	down := &postman{name: "down"}
	down.fails(errDown)
	w := newWorld(t, texting(down))
	for i := range 7 {
		ch, err := w.person(fmt.Sprintf("p%d@example.com", i)).signIn(at(fmt.Sprintf("10.0.0.%d", i))).getCode(fmt.Sprintf("+4477009001%02d", i))
		w.ok(err)
		equal(t, "delivery", ch.Delivery, twinlatch.Queued)
	}
	equal(t, "asked", down.calls(), 5)
	down.fails(nil)
	w.later(minute)
	for range 2 { // while one tries the sender again, others may wait once more
		for n := 1; n > 0; {
			var err error
			n, err = w.Deliver(ctx)
			w.ok(err)
		}
		w.later(10 * time.Second)
	}
	equal(t, "arrived", len(down.letters()), 7)
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	ann := newWorld(t, texting(post)).person("ann@example.com").signIn(home)
	ch, err := ann.getCode(mobile)
	ann.ok(err)
	id := post.letters()[0].id
	shows := func(want twinlatch.Delivery) {
		t.Helper()
		open, err := ann.Enrollment(ctx, ann.passed(), ch.ID)
		ann.ok(err)
		equal(t, "delivery", open.Delivery, want)
	}
	shows(twinlatch.Sent)
	for _, r := range []twinlatch.Receipt{{}, {Message: id}, {Message: id, Delivery: twinlatch.Sent}, {Message: id, Delivery: "odd"}, {Delivery: twinlatch.Failed}} {
		ann.unchanged("a receipt that says nothing", func() { ann.ok(ann.Receive(ctx, r)) })
	}
	refused(t, ann.Receive(ctx, twinlatch.Receipt{Sender: "post", Message: "another", Delivery: twinlatch.Failed}), twinlatch.ErrNotFound)
	refused(t, ann.Receive(ctx, twinlatch.Receipt{Sender: "other", Ref: "post-" + string(id), Delivery: twinlatch.Failed}), twinlatch.ErrNotFound)
	ann.ok(ann.Receive(ctx, twinlatch.Receipt{Sender: "post", Ref: "post-" + string(id), Delivery: twinlatch.Failed, Detail: "30005"}))
	shows(twinlatch.Failed)
	ann.ok(ann.Receive(ctx, twinlatch.Receipt{Sender: "post", Message: id, Delivery: twinlatch.Delivered}))
	shows(twinlatch.Delivered)
	ann.ok(ann.Receive(ctx, twinlatch.Receipt{Sender: "post", Message: id, Delivery: twinlatch.Failed}))
	shows(twinlatch.Delivered)
}

// A receipt may come before the vendor's answer.
func TestAReceiptThatOvertakesTheAnswer(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, texting(post))
	lost := errors.New("the answer was lost")
	post.does = func(_ context.Context, m twinlatch.Message) error {
		if err := w.Receive(ctx, twinlatch.Receipt{Sender: "post", Message: m.ID, Delivery: twinlatch.Delivered}); err != nil {
			t.Error(err)
		}
		return lost
	}
	ann := w.person("ann@example.com").signIn(home)
	ch, err := ann.getCode(mobile)
	ann.ok(err)
	open, err := ann.Enrollment(ctx, ann.passed(), ch.ID)
	ann.ok(err)
	equal(t, "delivery", open.Delivery, twinlatch.Delivered)
	w.later(minute)
	n, err := w.Deliver(ctx)
	w.ok(err)
	equal(t, "tried again", n, 0)
}

// A sender of somebody else's may panic: that is no more than a failure.
func TestASenderThatPanics(t *testing.T) {
	t.Parallel()
	wild, post := &postman{name: "wild"}, &postman{name: "post"}
	wild.does = func(context.Context, twinlatch.Message) error { panic("wild") }
	ann := newWorld(t, texting(wild, post)).person("ann@example.com").signIn(home)
	ch, err := ann.getCode(mobile)
	ann.ok(err)
	equal(t, "delivery", ch.Delivery, twinlatch.Sent)
}

// A vendor that takes messages and never answers costs: it is not tried for ever.
func TestAVendorThatAnswersTooLate(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	post.fails(context.DeadlineExceeded)
	ann := newWorld(t, texting(post)).person("ann@example.com").signIn(home)
	ch, err := ann.getCode(mobile)
	ann.ok(err)
	for range 20 {
		ann.later(time.Minute / 2)
		_, err := ann.Deliver(ctx)
		ann.ok(err)
	}
	equal(t, "tries", post.calls(), 3)
	_ = ch
}

// While a message waits for its vendor, another press waits with it.
func TestSendAgainInAnOutage(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	post.fails(errDown)
	ann := newWorld(t, texting(post)).person("ann@example.com").signIn(home)
	first, err := ann.getCode(mobile)
	ann.ok(err)
	for range 5 {
		ann.later(minute)
		again, err := ann.getCode(mobile)
		ann.ok(err)
		equal(t, "question", again.ID, first.ID)
	}
	post.fails(nil)
	ann.later(minute)
	_, err = ann.Deliver(ctx)
	ann.ok(err)
	equal(t, "letters", len(post.letters()), 1)
}

// What no sender was able to carry does not count against anybody's day.
func TestWhatNobodyCarriesIsNotCounted(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	post.fails(twinlatch.ErrNoRoute)
	ann := newWorld(t, texting(post)).person("ann@example.com").signIn(home)
	for range 30 {
		ch, err := ann.getCode(mobile)
		ann.ok(err)
		equal(t, "delivery", ch.Delivery, twinlatch.Failed)
		ann.later(minute)
		ann.ok(ann.keep(ann.ConfirmPassword(ctx, ann.passed().Enrolling(), twinlatch.NewSecret(password), home)))
	}
	post.fails(nil)
	_, err := ann.getCode(mobile)
	ann.ok(err)
}

// A message whose commit was answered with an error may be in the database: then
// it is sent, and counted.
func TestACommitWithoutAnAnswerIsCounted(t *testing.T) {
	t.Parallel()
	post, store := &postman{name: "post"}, &faulty{}
	w := newWorld(t, texting(post), breaking(store))
	ann := w.person("ann@example.com").signIn(home)
	counts := func() (n int) {
		w.ok(w.database().QueryRow("SELECT COALESCE(SUM(taken), 0) FROM limits WHERE name LIKE 'message%'").Scan(&n))
		return n
	}
	store.only = "Enqueue"
	_, err := ann.getCode(mobile)
	refused(t, err, errBroken)
	equal(t, "counted", counts(), 0)
	store.only = "commit"
	_, err = ann.getCode(mobile)
	refused(t, err, errBroken)
	if counts() == 0 {
		t.Error("a commit that may have happened was given back")
	}
}

// The person need not wait for the answer: what was promised is sent.
func TestAMessageIsSentWithoutItsClient(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	ann := newWorld(t, texting(post)).person("ann@example.com").signIn(home)
	impatient, leave := context.WithCancel(ctx)
	post.does = func(ctx context.Context, _ twinlatch.Message) error {
		leave()
		return ctx.Err()
	}
	_, err := ann.BeginEnroll(impatient, ann.passed(), text.Kind, map[string]string{"phone": mobile}, home)
	ann.ok(err)
	equal(t, "letters", len(post.letters()), 1)
}

// A sender that hangs is given up after five seconds, and the next one asked.
func TestASenderThatHangs(t *testing.T) {
	t.Parallel()
	first, second := &postman{name: "first"}, &postman{name: "second"}
	first.does = func(ctx context.Context, _ twinlatch.Message) error {
		end, ok := ctx.Deadline()
		if left := time.Until(end); !ok || left > 5*time.Second {
			t.Errorf("it may take %v", left)
		}
		return context.DeadlineExceeded
	}
	ann := newWorld(t, texting(first, second)).person("ann@example.com").signIn(home)
	ch, err := ann.getCode(mobile)
	ann.ok(err)
	equal(t, "delivery", ch.Delivery, twinlatch.Sent)
}

// Neither number nor code is in the log at its lowest level, in the database or
// in an error.
func TestNothingTellsTheNumber(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var mu sync.Mutex
	post := &postman{name: "post"}
	w := newWorld(t, texting(post), func(c *twinlatch.Config) {
		c.Log = slog.New(slog.NewJSONHandler(&guardedWriter{w: &log, mu: &mu}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	ann := w.texted(post, "ann@example.com", mobile)
	b := ann.signIn(cafe)
	for _, err := range []error{nil, errDown, twinlatch.ErrBadRecipient, twinlatch.ErrNoRoute} {
		post.fails(err)
		_, err := b.sendTo("")
		b.ok(err)
		b.later(minute)
		_, err = b.Deliver(ctx)
		b.ok(err)
	}
	b.ok(b.Receive(ctx, twinlatch.Receipt{Sender: "post", Message: post.letters()[1].id, Delivery: twinlatch.Failed, Detail: "unknown handset"}))
	b.ok(b.answer(post.pin()))
	for where, found := range map[string]string{"log": log.String(), "database": b.rows()} {
		for _, secret := range []string{mobile, "447700900167", "7700 900167", "00900167", post.pin()} {
			if strings.Contains(found, secret) {
				t.Errorf("the %s holds %s:\n%s", where, secret, found)
			}
		}
	}
	if !strings.Contains(log.String(), "sender failed") {
		t.Errorf("the log says nothing: %s", &log)
	}
}

type guardedWriter struct {
	w  *bytes.Buffer
	mu *sync.Mutex
}

func (g *guardedWriter) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.w.Write(b)
}

// killed runs do until it ends or its goroutine does (runtime.Goexit), as a
// process does that is killed: nothing more happens in it.
func killed(do func()) bool {
	ended := make(chan bool, 1)
	go func() {
		yes := true
		defer func() { ended <- yes }()
		do()
		yes = false
	}()
	return <-ended
}

// Wherever the process dies while it sends: what was promised arrives after the
// restart, and a vendor that looks at IDs never takes it twice.
func TestNoMessageIsLostOrDoubledByACrash(t *testing.T) {
	t.Parallel()
	const trials = 120
	post, store := &postman{name: "post"}, &faulty{}
	w := newWorld(t, texting(post), breaking(store))
	twice := 0
	for i := range trials {
		w.exec("DELETE FROM routes") // nobody types codes here
		b := w.person(fmt.Sprintf("p%d@example.com", i)).signIn(at(fmt.Sprintf("10.0.%d.%d", i/200, i%200+1)))
		number := fmt.Sprintf("+4477009%05d", 100+i)
		before := len(post.letters())
		promised := true
		post.does, post.after = nil, nil
		switch i % 4 {
		case 0: // while it is written
			promised = false
			store.only = []string{"InsertChallenge", "Enqueue", "commit"}[i/4%3]
			_, err := b.getCode(number)
			refused(t, err, errBroken)
			store.only = ""
		case 1: // before the vendor has it
			post.does = func(context.Context, twinlatch.Message) error { runtime.Goexit(); return nil }
		case 2: // after
			post.after = func(twinlatch.Message) { runtime.Goexit() }
			twice++
		case 3: // before that is written down
			post.after = func(twinlatch.Message) { store.only = "Sent" }
			twice++
		}
		if promised {
			if dead := killed(func() { _, _ = b.getCode(number) }); dead != (i%4 < 3) {
				t.Fatalf("trial %d: dead %v", i, dead)
			}
		}
		post.does, post.after, store.only = nil, nil, ""

		restarted, err := twinlatch.New(ctx, w.Config)
		w.ok(err)
		w.later(sendLease)
		for n := 1; n > 0; {
			n, err = restarted.Deliver(ctx)
			w.ok(err)
		}
		ids := map[twinlatch.MessageID]bool{}
		for _, l := range post.letters()[before:] {
			equal(t, "to", l.to, number)
			ids[l.id] = true
		}
		want := map[bool]int{true: 1, false: 0}[promised]
		if len(ids) != want {
			t.Fatalf("trial %d: %d messages, want %d", i, len(ids), want)
		}
	}
	equal(t, "letters", len(post.letters()), trials*3/4+twice)
}

// sendLease is how long a message belongs to the process that died with it.
const sendLease = 30 * time.Second

// Any number of processes send at the same time; each message is sent once.
func TestEachMessageIsSentOnce(t *testing.T) {
	post := &postman{name: "post"}
	onBoth(t, func(t *testing.T, w *world) {
		*post = postman{name: "post"}
		post.fails(errDown)
		const messages = 60
		for i := range messages {
			b := w.person(fmt.Sprintf("p%d@example.com", i)).signIn(at(fmt.Sprintf("10.0.0.%d", i+1)))
			_, err := b.getCode(fmt.Sprintf("+4477009%05d", 100+i))
			w.ok(err)
		}
		post.fails(nil)
		for range 2 { // the circuit lets one through first
			w.later(minute)
			together(8, func(int) error {
				for {
					if n, err := w.Deliver(ctx); err != nil || n == 0 {
						return err
					}
				}
			})
		}
		ids := map[twinlatch.MessageID]int{}
		for _, l := range post.letters() {
			if ids[l.id]++; ids[l.id] > 1 {
				t.Errorf("%s was sent twice", l.id)
			}
		}
		equal(t, "messages", len(ids), messages)
	}, texting(post))
}
