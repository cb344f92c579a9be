package twinlatch

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func lan(n byte) netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 32) }

// In each row people come in that order, named by their network, while somebody
// works; want is the order in which their turn comes, sent who is sent away.
func TestNetworksTakeTurns(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		room             int
		come, want, sent string
	}{
		"as they come":                       {5, "abcde", "abcde", ""},
		"one network":                        {5, "aaaa", "aaaa", ""},
		"nobody waits for who asks often":    {9, "aaaaab", "abaaaa", ""},
		"two of them":                        {9, "aaaabbb", "abababa", ""},
		"a late one comes before the second": {9, "aaabcb", "abcaba", ""},
		"no room":                            {0, "ab", "", "ab"},
		"the last one of a crowd makes room": {3, "aaab", "aba", "a"},
		"and the one before":                 {3, "aaabc", "abc", "aa"},
		"but not for one of its own":         {3, "aaaa", "aaa", "a"},
		"nor for one who comes no earlier":   {3, "abcd", "abc", "d"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				turns := newTurns(1, row.room)
				if err := turns.take(t.Context(), lan(0), time.Hour); err != nil {
					t.Fatal(err)
				}
				var mu sync.Mutex
				var came, sent strings.Builder
				for _, who := range row.come {
					go func() {
						err := turns.take(t.Context(), lan(byte(who)), time.Hour)
						mu.Lock()
						defer mu.Unlock()
						if errors.Is(err, ErrBusy) {
							sent.WriteRune(who)
							return
						}
						came.WriteRune(who)
						turns.done()
					}()
					synctest.Wait()
				}
				turns.done()
				synctest.Wait()
				if came.String() != row.want || sent.String() != row.sent {
					t.Errorf("their turn came as %q, sent away %q", came.String(), sent.String())
				}
				if turns.free != 1 || len(turns.waiting) != 0 {
					t.Errorf("left behind: %+v", turns)
				}
			})
		})
	}
}

// Who has waited too long, or goes away, leaves no gap.
func TestWhoWaitsMayLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(1, 3)
		impatient, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		if err := turns.take(t.Context(), lan(0), time.Hour); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			if err := turns.take(t.Context(), lan(1), time.Second); !errors.Is(err, ErrBusy) {
				t.Errorf("after a second: %v", err)
			}
		})
		all.Go(func() {
			if err := turns.take(impatient, lan(2), time.Hour); !errors.Is(err, context.Canceled) {
				t.Errorf("who went away: %v", err)
			}
		})
		all.Go(func() {
			if err := turns.take(t.Context(), lan(3), time.Hour); err != nil {
				t.Errorf("who stayed: %v", err)
			}
			turns.done()
		})
		time.Sleep(time.Minute) // of the bubble's clock
		leave()
		synctest.Wait()
		turns.done()
		all.Wait()
		if turns.free != 1 || len(turns.waiting) != 0 {
			t.Errorf("left behind: %+v", turns)
		}
	})
}

// However people come, wait, are sent away and leave: no more than allowed work,
// nobody waits while somebody could work, and nobody is in line twice as long as
// others of the same round.
func TestTurnsKeepTheirNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		working, room := rapid.IntRange(1, 3).Draw(t, "working"), rapid.IntRange(0, 5).Draw(t, "room")
		turns := newTurns(working, room)
		var waiting []*turn
		busy := 0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"come", "come", "done", "leave"}).Draw(t, "step") {
			case "come":
				mine, err := turns.line(lan(rapid.Byte().Draw(t, "from") % 3))
				switch {
				case mine != nil:
					waiting = append(waiting, mine)
				case err == nil:
					busy++
				}
			case "done":
				if busy > 0 {
					turns.done()
					busy--
				}
			case "leave":
				if len(waiting) > 0 {
					turns.leave(rapid.SampledFrom(waiting).Draw(t, "who"))
				}
			}
			waiting = slices.DeleteFunc(waiting, func(w *turn) bool {
				select {
				case begin := <-w.come:
					if begin {
						busy++
					}
					return true
				default:
					return !slices.Contains(turns.waiting, w)
				}
			})
			if busy+turns.free != working || len(turns.waiting) > room || turns.free > 0 && len(turns.waiting) > 0 || len(waiting) != len(turns.waiting) {
				t.Fatalf("%d work and %d could, %d wait (%d know it)", busy, turns.free, len(turns.waiting), len(waiting))
			}
			if !slices.IsSortedFunc(turns.waiting, func(a, b *turn) int { return a.round - b.round }) {
				t.Fatal("out of turn")
			}
		}
	})
}

// The last one away a moment before its turn gives the turn on.
func TestATurnThatComesTooLateIsGivenOn(t *testing.T) {
	t.Parallel()
	turns := newTurns(1, 2)
	var all sync.WaitGroup
	for range 200 {
		if err := turns.take(t.Context(), lan(0), time.Hour); err != nil {
			t.Fatal(err)
		}
		impatient, leave := context.WithCancel(t.Context())
		all.Go(func() {
			if turns.take(impatient, lan(1), time.Hour) == nil {
				turns.done()
			}
		})
		all.Go(leave)
		all.Go(turns.done)
		all.Wait()
		if turns.free != 1 || len(turns.waiting) != 0 {
			t.Fatalf("left behind: %+v", turns)
		}
	}
}
