package twinlatch

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Checkpoint holds the heads of chains of events under a MAC, which who can write
// the database cannot make. Checkpoints are a chain themselves.
type Checkpoint struct {
	Seq   int64 // 1, 2, 3 …
	At    time.Time
	Heads []Head // of the chains that had grown
	MAC   []byte // over all above and the MAC of the checkpoint before
}

// Head is the newest event of a chain.
type Head struct {
	Account AccountID
	Seq     int64
	Hash    []byte
}

// String is what the log has of it: its number and its MAC.
func (c Checkpoint) String() string {
	return fmt.Sprintf("%d:%s", c.Seq, base64.RawURLEncoding.EncodeToString(c.MAC))
}

// checkpointHeads is how many heads one checkpoint has at most.
const checkpointHeads = 1000

// Checkpoint has new checkpoints hold every chain that has grown, and logs them.
// The server calls it every few minutes, in any number of processes; what an
// attacker may still change unnoticed is as much as was written since the last
// call. It also notes which key this process seals with (see RetireKey).
//
// ErrWrongKeys: that key was retired. A *CheckpointError: a checkpoint that this
// process knows is not in the Store any more, or is another one.
func (s *Service) Checkpoint(ctx context.Context) error {
	s.seen.Lock()
	defer s.seen.Unlock()
	noted := s.noteKey(ctx)
	for {
		last, err := s.cfg.Store.LastCheckpoint(ctx)
		if err != nil {
			return errors.Join(noted, err)
		}
		if err := s.remember(last); err != nil {
			return errors.Join(noted, err)
		}
		heads, err := s.cfg.Store.Grown(ctx, checkpointHeads)
		if err != nil || len(heads) == 0 {
			return errors.Join(noted, err)
		}
		next := Checkpoint{Seq: last.Seq + 1, At: s.now(), Heads: heads}
		next.MAC = s.mac(next, last.MAC)
		err = s.cfg.Store.AddCheckpoint(ctx, next)
		if errors.Is(err, ErrExists) { // another process made it, and has the rest as well
			return noted
		}
		if err != nil {
			return errors.Join(noted, err)
		}
		s.cfg.Log.InfoContext(ctx, "checkpoint", "checkpoint", next.String(), "chains", len(heads))
		if len(heads) < checkpointHeads {
			return errors.Join(noted, s.remember(next))
		}
	}
}

// remember compares the last checkpoint with the one that this process saw
// before: a database that goes back behind it was tampered with or restored.
func (s *Service) remember(last Checkpoint) error {
	seen := s.seen.checkpoint
	if last.Seq < seen.Seq || last.Seq == seen.Seq && !bytes.Equal(last.MAC, seen.MAC) {
		return &CheckpointError{Checkpoint: seen.Seq}
	}
	s.seen.checkpoint = last
	return nil
}

// mac is what c.MAC has to be after a checkpoint with the MAC before.
func (s *Service) mac(c Checkpoint, before []byte) []byte {
	number := func(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	data := [][]byte{before, number(c.Seq), number(c.At.UnixMilli())}
	for _, h := range c.Heads {
		data = append(data, []byte(h.Account), number(h.Seq), h.Hash)
	}
	return s.cfg.Keys.MAC("checkpoint", data...)
}

// Holds reports whether the trail still has a checkpoint of the log, as
// Checkpoint.String wrote it there. A *CheckpointError: it has not.
func (s *Service) Holds(ctx context.Context, logged string) error {
	var seq int64
	if _, err := fmt.Sscanf(logged, "%d:", &seq); err != nil || seq < 1 {
		return fmt.Errorf("%.100q is no checkpoint of the log, as in 17:…", logged)
	}
	page, err := s.cfg.Store.Checkpoints(ctx, seq-1, 1)
	if err != nil {
		return err
	}
	if len(page) == 0 || page[0].String() != logged {
		return &CheckpointError{Checkpoint: seq}
	}
	return nil
}
