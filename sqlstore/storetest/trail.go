package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

func (s *suite) allEvents(t *testing.T) {
	ids := []twinlatch.AccountID{s.newAccount(t), s.newAccount(t), s.newAccount(t)}
	var want []twinlatch.Event
	for seq := int64(1); seq <= 4; seq++ {
		for _, id := range ids {
			e := twinlatch.Event{
				Account: id, Seq: seq, At: now.Add(time.Duration(seq/2) * time.Minute), Type: twinlatch.EventVerified, Actor: "self",
				DetailDigest: []byte{1}, Hash: []byte{2},
			}
			s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Append(e) })
			want = append(want, e)
		}
	}
	slices.SortFunc(want, func(a, b twinlatch.Event) int {
		switch {
		case !a.At.Equal(b.At):
			return a.At.Compare(b.At)
		case a.Account != b.Account:
			return map[bool]int{true: -1, false: 1}[a.Account < b.Account]
		}
		return int(a.Seq - b.Seq)
	})
	for _, n := range []int{1, 2, 5, 100} {
		var have []twinlatch.Event
		for behind := (twinlatch.Position{}); ; behind = have[len(have)-1].Position() {
			page, err := s.store.AllEvents(t.Context(), behind, n)
			if err != nil || len(page) > n {
				t.Fatalf("%d events, %v", len(page), err)
			}
			if len(page) == 0 {
				break
			}
			have = append(have, page...)
		}
		same(t, have, want)
	}
	s.recentEvents(t, want)
	since, err := s.store.AllEvents(t.Context(), twinlatch.Position{At: now.Add(2 * time.Minute)}, 100)
	same(t, since, want[9:])
	is(t, err, nil)
	none, err := s.store.AllEvents(t.Context(), twinlatch.Position{}, 0)
	same(t, len(none), 0)
	is(t, err, nil)
	_, err = s.store.Stray(t.Context())
	is(t, err, twinlatch.ErrNotFound)
}

// recentEvents reads all events from the newest on and compares them with want,
// which has the oldest first.
func (s *suite) recentEvents(t *testing.T, want []twinlatch.Event) {
	t.Helper()
	want = slices.Clone(want)
	slices.Reverse(want)
	for _, n := range []int{1, 2, 5, 100} {
		var have []twinlatch.Event
		for before := (twinlatch.Position{}); ; before = have[len(have)-1].Position() {
			page, err := s.store.RecentEvents(t.Context(), before, n)
			if err != nil || len(page) > n {
				t.Fatalf("%d events, %v", len(page), err)
			}
			if len(page) == 0 {
				break
			}
			have = append(have, page...)
		}
		same(t, have, want)
	}
	none, err := s.store.RecentEvents(t.Context(), twinlatch.Position{}, 0)
	same(t, len(none), 0)
	is(t, err, nil)
}

// chained appends n events with their number as hash, and returns the head.
func (s *suite) chained(t *testing.T, id twinlatch.AccountID, n int64) twinlatch.Head {
	t.Helper()
	s.tx(t, id, func(tx twinlatch.Tx) error {
		for seq := int64(1); seq <= n; seq++ {
			if err := tx.Append(twinlatch.Event{Account: id, Seq: seq, At: now, Hash: []byte{byte(seq)}}); err != nil {
				return err
			}
		}
		return nil
	})
	return twinlatch.Head{Account: id, Seq: n, Hash: []byte{byte(n)}}
}

func (s *suite) chains(t *testing.T) {
	var want []twinlatch.Chain
	var grown []twinlatch.Head
	for n := range int64(5) {
		head := s.chained(t, s.newAccount(t), n+1)
		want = append(want, twinlatch.Chain{Head: head})
		grown = append(grown, head)
	}
	none := s.newAccount(t)
	for _, n := range []int{1, 2, 5, 100} {
		var have []twinlatch.Chain
		for behind := twinlatch.AccountID(""); ; behind = have[len(have)-1].Account {
			page, err := s.store.Chains(t.Context(), behind, n)
			is(t, err, nil)
			if have = append(have, page...); len(page) < n {
				break
			}
		}
		same(t, have[:len(want)], want)
		same(t, []any{len(have), have[len(want)].Account, have[len(want)].Seq}, []any{len(want) + 1, none, int64(0)})
	}
	heads, err := s.store.Grown(t.Context(), 2)
	is(t, err, nil)
	same(t, heads, grown[:2])
	heads, err = s.store.Grown(t.Context(), 100)
	is(t, err, nil)
	same(t, heads, grown)
	hashes, err := s.store.Hashes(t.Context(), []twinlatch.Head{
		grown[1], {Account: grown[1].Account, Seq: 1}, {Account: grown[1].Account, Seq: 3}, {Account: "nobody", Seq: 1}, {Account: none},
	})
	is(t, err, nil)
	same(t, hashes, [][]byte{{2}, {1}, nil, nil, nil})
}

func (s *suite) checkpoints(t *testing.T) {
	last, err := s.store.LastCheckpoint(t.Context())
	is(t, err, nil)
	same(t, last, twinlatch.Checkpoint{})
	ann, bob := s.newAccount(t), s.newAccount(t)
	annsHead, bobsHead := s.chained(t, ann, 2), s.chained(t, bob, 1)
	first := twinlatch.Checkpoint{Seq: 1, At: now, MAC: allBytes(), Heads: []twinlatch.Head{{Account: ann, Seq: 2, Hash: allBytes()}}}
	second := twinlatch.Checkpoint{Seq: 2, At: now.Add(time.Minute), MAC: []byte{2}, Heads: []twinlatch.Head{
		{Account: ann, Seq: 1, Hash: []byte{0}}, {Account: bob, Seq: 1, Hash: []byte{1}},
	}}
	is(t, s.store.AddCheckpoint(t.Context(), second), twinlatch.ErrExists)
	race(t, 1, twinlatch.ErrExists, func(int) error { return s.store.AddCheckpoint(t.Context(), first) })
	heads, err := s.store.Grown(t.Context(), 10)
	is(t, err, nil)
	same(t, heads, []twinlatch.Head{bobsHead})
	is(t, s.store.AddCheckpoint(t.Context(), second), nil)
	for _, seq := range []int64{-1, 0, 1, 2, 4} {
		is(t, s.store.AddCheckpoint(t.Context(), twinlatch.Checkpoint{Seq: seq}), twinlatch.ErrExists)
	}
	// A head that was noted too low has grown.
	heads, err = s.store.Grown(t.Context(), 10)
	is(t, err, nil)
	same(t, heads, []twinlatch.Head{annsHead})
	chains, err := s.store.Chains(t.Context(), "", 10)
	is(t, err, nil)
	same(t, []int64{chains[0].Checkpointed, chains[1].Checkpointed}, []int64{1, 1})

	all, err := s.store.Checkpoints(t.Context(), 0, 10)
	is(t, err, nil)
	same(t, all, []twinlatch.Checkpoint{first, second})
	all, err = s.store.Checkpoints(t.Context(), 0, 1)
	is(t, err, nil)
	same(t, all, []twinlatch.Checkpoint{first})
	all, err = s.store.Checkpoints(t.Context(), 1, 10)
	is(t, err, nil)
	same(t, all, []twinlatch.Checkpoint{second})
	last, err = s.store.LastCheckpoint(t.Context())
	is(t, err, nil)
	same(t, last, twinlatch.Checkpoint{Seq: 2, At: second.At, MAC: second.MAC})

	// Any number of processes take turns and leave no gap.
	race(t, callers, nil, func(int) error {
		for {
			last, err := s.store.LastCheckpoint(t.Context())
			if err == nil {
				err = s.store.AddCheckpoint(t.Context(), twinlatch.Checkpoint{Seq: last.Seq + 1, At: now})
			}
			if !errors.Is(err, twinlatch.ErrExists) {
				return err
			}
		}
	})
	all, err = s.store.Checkpoints(t.Context(), 2, 1000)
	is(t, err, nil)
	same(t, len(all), callers)
	for i, c := range all {
		same(t, c.Seq, int64(i+3))
	}
}
