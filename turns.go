package twinlatch

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// turns lets so many callers work at a time and so many more wait. Networks take
// turns (start-time fair queueing), and when too many wait, the one who would
// come last is sent away: whoever asks often waits for himself, not others for
// him.
type turns struct {
	mu      sync.Mutex
	free    int     // who may begin at once; then nobody waits
	room    int     // how many may wait
	waiting []*turn // in the order in which they come
	round   int     // of the one who came last
}

type turn struct {
	from  netip.Prefix
	round int       // one after that of the network's turn before
	come  chan bool // true: begin; false: sent away
}

func newTurns(working, waiting int) *turns { return &turns{free: working, room: waiting} }

// take returns when the caller may begin; then it must call done. ErrBusy: too
// many wait, or it took longer than patience.
func (t *turns) take(ctx context.Context, from netip.Prefix, patience time.Duration) error {
	mine, err := t.line(from)
	if mine == nil {
		return err
	}
	end := time.NewTimer(patience)
	defer end.Stop()
	select {
	case begin := <-mine.come:
		if !begin {
			return ErrBusy
		}
		return nil
	case <-end.C:
		err = ErrBusy
	case <-ctx.Done():
		err = ctx.Err()
	}
	if !t.leave(mine) && <-mine.come { // it came at the same moment
		t.done()
	}
	return err
}

// line puts a caller in line; without a turn and an error it may begin at once.
func (t *turns) line(from netip.Prefix) (*turn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free > 0 {
		t.free--
		return nil, nil
	}
	mine := &turn{from, t.round + 1, make(chan bool, 1)}
	for _, w := range t.waiting {
		if w.from == from {
			mine.round = w.round + 1
		}
	}
	if len(t.waiting) >= t.room {
		last := len(t.waiting) - 1
		if last < 0 || t.waiting[last].round <= mine.round {
			return nil, ErrBusy
		}
		t.waiting[last].come <- false
		t.waiting = t.waiting[:last]
	}
	at, _ := slices.BinarySearchFunc(t.waiting, mine.round, func(w *turn, round int) int {
		if w.round <= round {
			return -1
		}
		return 1
	})
	t.waiting = slices.Insert(t.waiting, at, mine)
	return mine, nil
}

// leave takes a caller out of the line. false: its turn came or it was sent away.
func (t *turns) leave(mine *turn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := slices.Index(t.waiting, mine)
	if at < 0 {
		return false
	}
	t.waiting = slices.Delete(t.waiting, at, at+1)
	return true
}

// done lets the next one begin.
func (t *turns) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.free++
		return
	}
	next := t.waiting[0]
	t.waiting = slices.Delete(t.waiting, 0, 1)
	t.round = next.round
	next.come <- true
}
