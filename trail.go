package twinlatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// Trail is what a Store knows about the events of all accounts together.
type Trail interface {
	// AllEvents lists at most n events of all accounts behind a position, in the
	// order of positions.
	AllEvents(ctx context.Context, behind Position, n int) ([]Event, error)

	// RecentEvents lists at most n events of all accounts before a position, the
	// zero Position being behind all, against the order of positions.
	RecentEvents(ctx context.Context, before Position, n int) ([]Event, error)

	// Chains lists at most n accounts with the heads of their chains, by ID,
	// behind one.
	Chains(ctx context.Context, behind AccountID, n int) ([]Chain, error)

	// Stray is an event of an account that does not exist. ErrNotFound: there is
	// none, as it should be.
	Stray(ctx context.Context) (Event, error)

	// Grown lists at most n chains that are not as the newest checkpoint has them.
	Grown(ctx context.Context, n int) ([]Head, error)

	// AddCheckpoint keeps a checkpoint, and notes in each chain that it has its
	// head. Guard: ErrExists when c.Seq is not the next one.
	AddCheckpoint(ctx context.Context, c Checkpoint) error

	// Checkpoints lists at most n behind a number, oldest first.
	Checkpoints(ctx context.Context, behind int64, n int) ([]Checkpoint, error)

	// LastCheckpoint is the one with the highest number, without its heads; the
	// zero Checkpoint when there is none.
	LastCheckpoint(ctx context.Context) (Checkpoint, error)

	// Hashes gives of each head the hash that the event with its number has now;
	// nil where there is none.
	Hashes(ctx context.Context, heads []Head) ([][]byte, error)
}

// Position is where an event stands among those of all accounts: by time, then
// by account and number. An event may turn up somewhat late, because it takes its
// time before it is written: look back a minute to miss none.
type Position struct {
	At      time.Time
	Account AccountID
	Seq     int64
}

// Position is where e stands.
func (e Event) Position() Position { return Position{e.At, e.Account, e.Seq} }

// Chain is the head of an account's chain of events.
type Chain struct {
	Head
	Checkpointed int64 // the Seq with which the newest checkpoint has it; 0: none has
}

// AllEvents lists events of all accounts behind a position, in the order of
// positions; the zero Position: from the first on. n is at most 1000. It asks for
// no authority: who may see everything is the caller's to know.
func (s *Service) AllEvents(ctx context.Context, behind Position, n int) ([]Event, error) {
	return s.cfg.Store.AllEvents(ctx, behind, min(n, 1000))
}

// RecentEvents lists the newest events of all accounts before a position, the newest
// first; the zero Position: from the newest on. n is at most 1000. Errors are those
// of Accounts.
func (s *Service) RecentEvents(ctx context.Context, by Administrator, before Position, n int) ([]Event, error) {
	if err := s.seeAll(ctx, by); err != nil {
		return nil, err
	}
	return s.cfg.Store.RecentEvents(ctx, before, min(n, 1000))
}

// NewestEvent is when the newest event of any account was written; zero without
// events.
func (s *Service) NewestEvent(ctx context.Context) (time.Time, error) {
	return s.cfg.Store.NewestEvent(ctx)
}

// Verified is what VerifyTrail looked at.
type Verified struct {
	Accounts, Events, Checkpoints int64
	Last                          Checkpoint // the newest
}

// lateness is how long after its time an event may be written, and how far the
// clocks of servers may be apart. What is older than a checkpoint by more is in
// it or in one before.
const lateness = time.Hour

// VerifyTrail walks all checkpoints and the chain of every account and tells each
// problem to found: a *TamperError for the first event of a chain, a
// *CheckpointError where a checkpoint and what it holds do not fit. Servers may
// run meanwhile. The error is for broken systems only.
//
// What it cannot see are events cut off together with all checkpoints since:
// compare Verified.Last with what the log says, or give the log's to Holds.
func (s *Service) VerifyTrail(ctx context.Context, found func(error)) (Verified, error) {
	v := verification{service: s, found: found, held: map[AccountID]int64{}}
	if err := v.checkpoints(ctx); err != nil {
		return v.all, err
	}
	if err := v.chains(ctx); err != nil {
		return v.all, err
	}
	stray, err := s.cfg.Store.Stray(ctx)
	switch {
	case err == nil:
		found(&TamperError{stray.Account, stray.Seq})
	case !errors.Is(err, ErrNotFound):
		return v.all, err
	}
	return v.all, nil
}

// verification is one walk.
type verification struct {
	service  *Service
	all      Verified
	found    func(error)
	held     map[AccountID]int64 // Seq of each chain in the newest checkpoint that has it
	gone     bool                // an account was in a checkpoint that is not there
	complete time.Time           // of the newest checkpoint that has all that had grown
}

func (v *verification) checkpoints(ctx context.Context) error {
	for {
		page, err := v.service.cfg.Store.Checkpoints(ctx, v.all.Last.Seq, 100)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, c := range page {
			want := v.all.Last.Seq + 1
			good := c.Seq == want && bytes.Equal(c.MAC, v.service.mac(c, v.all.Last.MAC))
			if !good {
				v.found(&CheckpointError{Checkpoint: want})
			}
			v.all.Checkpoints++
			v.all.Last = c
			if !good { // what it holds may be anything
				continue
			}
			if len(c.Heads) < checkpointHeads {
				v.complete = c.At
			}
			if err := v.heads(ctx, c); err != nil {
				return err
			}
		}
	}
}

// heads looks for the events that a checkpoint holds.
func (v *verification) heads(ctx context.Context, c Checkpoint) error {
	hashes, err := v.service.cfg.Store.Hashes(ctx, c.Heads)
	if err != nil {
		return err
	}
	for i, h := range c.Heads {
		v.held[h.Account] = h.Seq
		if !bytes.Equal(h.Hash, hashes[i]) {
			v.found(&CheckpointError{c.Seq, h.Account, h.Seq})
		}
	}
	return nil
}

func (v *verification) chains(ctx context.Context) error {
	for behind := AccountID(""); ; {
		page, err := v.service.cfg.Store.Chains(ctx, behind, 1000)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, c := range page {
			v.all.Accounts++
			behind = c.Account
			if err := v.chain(ctx, c); err != nil {
				return err
			}
		}
	}
}

func (v *verification) chain(ctx context.Context, c Chain) error {
	var events int64
	var open Event // the first that no checkpoint holds
	err := v.service.walk(ctx, c.Account, func(e Event) {
		events = e.Seq
		if e.Seq == v.held[c.Account]+1 {
			open = e
		}
	})
	v.all.Events += events
	var tamper *TamperError
	switch {
	case errors.As(err, &tamper):
		v.found(err)
	case err != nil:
		return fmt.Errorf("account %s: %w", c.Account, err)
	case open.Seq > 0 && open.At.Add(lateness).Before(v.complete):
		v.found(fmt.Errorf("%w: no checkpoint holds it, though later ones exist", &TamperError{c.Account, open.Seq}))
	case c.Checkpointed > v.held[c.Account] && !v.gone:
		last, err := v.service.cfg.Store.LastCheckpoint(ctx)
		if err != nil {
			return err
		}
		if v.gone = last.Seq <= v.all.Last.Seq; v.gone { // and not just a newer one
			v.found(&CheckpointError{Checkpoint: last.Seq + 1})
		}
	}
	return nil
}
