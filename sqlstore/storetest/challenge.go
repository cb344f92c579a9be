package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

func (s *suite) challenge(t *testing.T) {
	id := s.newAccount(t)
	for name, c := range map[string]twinlatch.StoredChallenge{
		"every field": {
			Challenge: twinlatch.Challenge{
				Purpose: twinlatch.Enroll, Kind: "webauthn", Factor: "factor", TriesLeft: 7, ExpiresAt: now.Add(time.Minute),
			},
			Sealed: twinlatch.Sealed{Key: "k1", Text: allBytes()}, CreatedAt: now,
		},
		"zero values": {Sealed: twinlatch.Sealed{Text: []byte{0}}},
	} {
		t.Run(name, func(t *testing.T) {
			c.ID, c.Session = twinlatch.ChallengeID(s.id()), twinlatch.SessionID(s.id())
			s.tx(t, id, func(tx twinlatch.Tx) error { return tx.InsertChallenge(c) })
			s.read(t, id, func(v twinlatch.View) error {
				got, err := v.Challenge(c.ID, c.Session)
				same(t, got, c)
				_, other := v.Challenge(c.ID, "another session")
				is(t, other, twinlatch.ErrNotFound)
				_, other = v.Challenge("another", c.Session)
				is(t, other, twinlatch.ErrNotFound)
				return err
			})
		})
	}
}

// open checks which challenge of a session is the open one, if any.
func open(t *testing.T, s *suite, id twinlatch.AccountID, session twinlatch.SessionID, at time.Time, want twinlatch.ChallengeID) {
	t.Helper()
	s.read(t, id, func(v twinlatch.View) error {
		c, err := v.Open(session, twinlatch.Verify, at)
		if want == "" {
			is(t, err, twinlatch.ErrNotFound)
			return nil
		}
		if c.ID != want {
			t.Errorf("open is %q, want %q", c.ID, want)
		}
		return err
	})
}

func (s *suite) openChallenge(t *testing.T) {
	id := s.newAccount(t)
	open(t, s, id, "session", now, "")
	first := s.newChallenge(t, id, "session")
	open(t, s, id, "session", now, first.ID)
	open(t, s, id, "another", now, "")
	open(t, s, id, "session", first.ExpiresAt.Add(-time.Millisecond), first.ID)
	open(t, s, id, "session", first.ExpiresAt, "")

	// A new one ends the one before it of the session and purpose, no other.
	ofOther := s.newChallenge(t, id, "another")
	enroll := first
	enroll.ID, enroll.Purpose = twinlatch.ChallengeID(s.id()), twinlatch.Enroll
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.InsertChallenge(enroll) })
	second := first
	second.ID, second.CreatedAt = twinlatch.ChallengeID(s.id()), now.Add(time.Second)
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.InsertChallenge(second) })
	open(t, s, id, "session", now, second.ID)
	open(t, s, id, "another", now, ofOther.ID)
	s.read(t, id, func(v twinlatch.View) error {
		_, err := v.Challenge(first.ID, first.Session)
		is(t, err, twinlatch.ErrNotFound)
		_, err = v.Open("session", twinlatch.Enroll, now)
		return err
	})

	// One without tries cannot be answered any more, but consumed: its last
	// answer may be on its way when the next one is asked.
	s.tx(t, id, func(tx twinlatch.Tx) error {
		for range second.TriesLeft {
			if _, err := tx.Spend(second.ID, "session", now); err != nil {
				return err
			}
		}
		return nil
	})
	open(t, s, id, "session", now, "")
	third := s.newChallenge(t, id, "session")
	open(t, s, id, "session", now, third.ID)
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Consume(second.ID, "session", now) })

	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.EndChallenges("session", twinlatch.Verify, now) })
	open(t, s, id, "session", now, "")
	open(t, s, id, "another", now, ofOther.ID)
	s.refused(t, twinlatch.ErrExpired, id, func(tx twinlatch.Tx) error { return tx.Consume(third.ID, "session", now) })
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Consume(enroll.ID, "session", now) })
}

func (s *suite) spend(t *testing.T) {
	id := s.newAccount(t)
	c := s.newChallenge(t, id, "session")
	lefts := make([]int, callers)
	spend := func(caller int) error {
		return s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) (err error) {
			lefts[caller] = -1
			left, err := tx.Spend(c.ID, "session", now)
			if err == nil {
				lefts[caller] = left
			}
			return err
		})
	}
	race(t, 5, twinlatch.ErrNoTriesLeft, spend)
	lefts = slices.DeleteFunc(lefts, func(n int) bool { return n < 0 })
	slices.Sort(lefts)
	same(t, lefts, []int{0, 1, 2, 3, 4})

	fresh := s.newChallenge(t, id, "another")
	for name, try := range map[string]func(twinlatch.Tx) error{
		"another session": func(tx twinlatch.Tx) error { _, err := tx.Spend(fresh.ID, "session", now); return err },
		"absent":          func(tx twinlatch.Tx) error { _, err := tx.Spend("absent", "another", now); return err },
		"over":            func(tx twinlatch.Tx) error { _, err := tx.Spend(fresh.ID, "another", fresh.ExpiresAt); return err },
		"no tries, over":  func(tx twinlatch.Tx) error { _, err := tx.Spend(c.ID, "session", c.ExpiresAt); return err },
		"no tries, other": func(tx twinlatch.Tx) error { _, err := tx.Spend(c.ID, "another", now); return err },
	} {
		t.Run(name, func(t *testing.T) { s.refused(t, twinlatch.ErrExpired, id, try) })
	}
	s.read(t, id, func(v twinlatch.View) error {
		got, err := v.Challenge(fresh.ID, "another")
		same(t, got, fresh)
		return err
	})
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Consume(fresh.ID, "another", now) })
	s.refused(t, twinlatch.ErrExpired, id, func(tx twinlatch.Tx) error {
		_, err := tx.Spend(fresh.ID, "another", now)
		return err
	})
}

func (s *suite) consume(t *testing.T) {
	id := s.newAccount(t)
	c := s.newChallenge(t, id, "session")
	consume := func(session twinlatch.SessionID, at time.Time) error {
		return s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error { return tx.Consume(c.ID, session, at) })
	}
	is(t, consume("another", now), twinlatch.ErrExpired)
	is(t, consume("session", c.ExpiresAt), twinlatch.ErrExpired)
	race(t, 1, twinlatch.ErrExpired, func(int) error { return consume("session", now) })
	open(t, s, id, "session", now, "")
}

// settle is the transaction of a right answer, as the core composes it, from
// callers who all have the same right code: one of them passes.
func (s *suite) settle(t *testing.T) {
	id := s.newAccount(t)
	f := s.newFactor(t, id, "totp")
	old := []byte("old hash")
	session := s.newSession(t, id, old)
	c := s.newChallenge(t, id, session.ID)
	race(t, 1, twinlatch.ErrExpired, func(caller int) error {
		return s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
			if err := tx.Lock(); err != nil {
				return err
			}
			if err := tx.Consume(c.ID, session.ID, now); err != nil {
				return err
			}
			if err := tx.Advance(f.ID, 58_000_000, now); err != nil {
				return err
			}
			if err := tx.UpdateSession(session, old, []byte{byte(caller)}); err != nil {
				return err
			}
			seq, _, err := tx.Head()
			if err != nil {
				return err
			}
			return tx.Append(twinlatch.Event{Account: id, Seq: seq + 1, At: now, Hash: []byte{byte(caller)}})
		})
	})
	s.read(t, id, func(v twinlatch.View) error {
		events, err := v.Events(0, 10)
		if err != nil || len(events) != 1 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		row, err := v.Session(session.ID)
		same(t, row.SecretHash, events[0].Hash) // both of the same caller
		return err
	})
}
