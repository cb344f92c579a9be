package twinlatch_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// many is how often the same thing is tried at the same moment.
const many = 200

// crowd is the browsers of one person, all half signed in.
func (p *person) crowd(n int) []*browser {
	p.t.Helper()
	all := make([]*browser, n)
	for i := range all {
		_, token, err := p.StartSession(ctx, p.account.ID, home)
		p.ok(err)
		all[i] = &browser{p, token, home}
	}
	return all
}

// knowns are who the browsers are, asked before the race.
func knowns(all []*browser) []twinlatch.Known {
	who := make([]twinlatch.Known, len(all))
	for i, b := range all {
		who[i] = b.known()
	}
	return who
}

// refusals are the errors that may meet somebody who comes second.
var refusals = []error{
	twinlatch.ErrReplayed, twinlatch.ErrWrongCode, twinlatch.ErrExpired, twinlatch.ErrNoTriesLeft, twinlatch.ErrLimited, twinlatch.ErrNoSession,
}

// oneWinner fails the test unless one result is no error and the others are refusals.
func oneWinner(t *testing.T, results []error) {
	t.Helper()
	winners := 0
	for _, err := range results {
		if err == nil {
			winners++
			continue
		}
		expected := false
		for _, refusal := range refusals {
			expected = expected || errors.Is(err, refusal)
		}
		if !expected {
			t.Errorf("a refusal says %v", err)
		}
	}
	if winners != 1 {
		t.Fatalf("%d of %d came in", winners, len(results))
	}
}

// passing counts the browsers that may pass with a token that they hold.
func passing(all []*browser) (n int) {
	for _, b := range all {
		if b.check().Step == twinlatch.Pass {
			n++
		}
	}
	return n
}

func TestParallelRightCodesInOneSession(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		b := ann.signIn(home)
		who, right := b.known(), ann.code()
		var token atomic.Value
		oneWinner(t, together(many, func(int) error {
			won, err := w.Answer(ctx, who, code(right), home)
			if err == nil {
				token.Store(won)
			}
			return err
		}))
		b.meets(twinlatch.NeedFirstStep, "") // the token of the first step
		b.token = token.Load().(twinlatch.Token)
		b.meets(twinlatch.Pass, "")
		equal(t, "accepted", ann.count(twinlatch.EventVerified), 1)
	})
}

func TestParallelRightCodesInManySessions(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		crowd := ann.crowd(many)
		who, right := knowns(crowd), ann.code()
		oneWinner(t, together(many, func(i int) error { return crowd[i].keep(w.Answer(ctx, who[i], code(right), home)) }))
		equal(t, "sessions that pass", passing(crowd), 1)
		equal(t, "accepted", ann.count(twinlatch.EventVerified), 1)
	})
}

func TestOneBackupCodeInParallelInOneSession(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		codes := ann.backupCodes()
		who := ann.signIn(home).known()
		oneWinner(t, together(many, func(int) error {
			_, err := w.Recover(ctx, who, codes[0], home)
			return err
		}))
		ann.recoveredOnce()
	})
}

func TestOneBackupCodeInParallelInManySessions(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		codes := ann.backupCodes()
		crowd := ann.crowd(many)
		who := knowns(crowd)
		oneWinner(t, together(many, func(i int) error { return crowd[i].keep(w.Recover(ctx, who[i], codes[0], home)) }))
		equal(t, "sessions that pass", passing(crowd), 1)
		ann.recoveredOnce()
	})
}

func (p *person) recoveredOnce() {
	p.t.Helper()
	left, err := p.BackupCodes(ctx, p.operator())
	p.ok(err)
	equal(p.t, "codes left", left.Left, 9)
	equal(p.t, "recovered", p.count(twinlatch.EventRecovered), 1)
}

// Without the throttle in the way, every answer is judged and the same one wins.
func TestParallelRightCodesWithoutAThrottle(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		crowd := ann.crowd(20)
		who, right := knowns(crowd), ann.code()
		stop := make(chan struct{})
		forgiven := make(chan struct{})
		db := w.database()
		go func() {
			defer close(forgiven)
			// With pauses: SQLite's lock is not fair to others.
			often := time.NewTicker(5 * time.Millisecond)
			defer often.Stop()
			for {
				select {
				case <-stop:
					return
				case <-often.C:
					_, _ = db.Exec("DELETE FROM tries")
				}
			}
		}()
		oneWinner(t, together(len(crowd), func(i int) error { return crowd[i].keep(w.Answer(ctx, who[i], code(right), home)) }))
		close(stop)
		<-forgiven
		equal(t, "accepted", ann.count(twinlatch.EventVerified), 1)
	})
}

// Of any number of guesses five are judged. The others are told to wait or to
// begin anew, before anybody looks at them.
func TestParallelWrongCodes(t *testing.T) {
	const guesses = 500
	for name, sessions := range map[string]int{"in one session": 1, "in many sessions": 50} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				ann := w.protected("ann@example.com")
				crowd := ann.crowd(sessions)
				who, wrong := knowns(crowd), ann.wrongCode()
				judged := 0
				for _, err := range together(guesses, func(i int) error {
					_, err := w.Answer(ctx, who[i%sessions], code(wrong), home)
					return err
				}) {
					switch {
					case errors.Is(err, twinlatch.ErrWrongCode):
						judged++
					case errors.Is(err, twinlatch.ErrLimited), errors.Is(err, twinlatch.ErrNoTriesLeft), errors.Is(err, twinlatch.ErrExpired):
					default:
						t.Errorf("%v", err)
					}
				}
				equal(t, "judged", judged, 5)
				equal(t, "in the trail", ann.count(twinlatch.EventWrongCode), 5)
				b := crowd[0]
				limited(t, b.answer(ann.code()))
				ann.later(step)
				ann.ok(b.answer(ann.code()))
			})
		})
	}
}

func TestParallelWrongPasswords(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.person("ann@example.com")
		judged := 0
		for _, err := range together(many, func(int) error {
			_, _, err := w.SignIn(ctx, twinlatch.MainRealm, "ann@example.com", twinlatch.NewSecret("wrong"), home)
			return err
		}) {
			if errors.Is(err, twinlatch.ErrWrongPassword) {
				judged++
			} else {
				limited(t, err)
			}
		}
		equal(t, "judged", judged, 10)
	})
}

func TestParallelConfirmationsOfOneEnrollment(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.person("ann@example.com").signIn(home)
		ch, app := ann.beginning(nil)
		who, right := ann.passed(), app.Code(w.Now())
		oneWinner(t, together(50, func(int) error {
			_, _, err := w.FinishEnroll(ctx, who, ch.ID, code(right), home)
			return err
		}))
		equal(t, "factors", len(ann.factors()), 1)
		equal(t, "turned on", ann.count(twinlatch.EventTwoStepOn), 1)
	})
}

// Whatever two changes meet, the account is afterwards as if one had come after
// the other: on exactly with a factor, codes only with it, a chain that holds.
func TestParallelChangesLeaveAConsistentAccount(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for round := range 6 {
			ann := w.protected(fmt.Sprint("ann", round))
			extra := ann.enroll("extra")
			old := ann.backupCodes()
			pending := ann.signIn(home)
			who, half := ann.passed(), pending.known()
			changes := []func() error{
				func() error { return w.RemoveFactor(ctx, who, extra.id, home) },
				func() error { return w.RemoveFactor(ctx, who, ann.app.id, home) },
				func() error { return w.TurnOff(ctx, who, home) },
				func() error { _, err := w.NewBackupCodes(ctx, who, home); return err },
				func() error { _, err := w.Recover(ctx, half, old[1], home); return err },
				func() error { return pending.keep(w.Answer(ctx, half, code(ann.code()), home)) },
				func() error { return w.EndOtherSessions(ctx, who, home) },
				func() error { return w.SignOut(ctx, pending.token, home) },
				func() error { _, _, err := w.StartSession(ctx, ann.account.ID, home); return err },
			}
			a, b := round%len(changes), (round*5+3)%len(changes)
			together(10, func(i int) error { return changes[[]int{a, b}[i%2]]() })

			account, err := w.Account(ctx, ann.account.ID)
			w.ok(err)
			factors := len(ann.factors())
			equal(t, "on exactly with a factor", account.TwoStep, factors > 0)
			codes, err := w.BackupCodes(ctx, ann.operator())
			w.ok(err)
			if codes.Total > 0 && factors == 0 {
				t.Error("codes without a factor")
			}
			if codes.Total != 0 && codes.Total != 10 {
				t.Errorf("%d codes", codes.Total)
			}
			ann.trail()
		}
	})
}
