package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

func factors(t *testing.T, s *suite, id twinlatch.AccountID) (all []twinlatch.StoredFactor) {
	t.Helper()
	s.read(t, id, func(v twinlatch.View) (err error) {
		all, err = v.Factors()
		return err
	})
	return all
}

func twoStep(t *testing.T, s *suite, id twinlatch.AccountID) bool {
	t.Helper()
	var a twinlatch.Account
	s.read(t, id, func(v twinlatch.View) (err error) {
		a, err = v.Account()
		return err
	})
	return a.TwoStep
}

func (s *suite) factor(t *testing.T) {
	id := s.newAccount(t)
	if len(factors(t, s, id)) != 0 || twoStep(t, s, id) {
		t.Error("a new account has factors")
	}
	young := twinlatch.StoredFactor{
		Factor: twinlatch.Factor{
			ID: "young", Kind: "webauthn", Name: "Ключ 🔑", Hint: "•••• 42", Counter: 1<<63 - 1,
			CreatedAt: now, LastUsedAt: now.Add(time.Second), CopiedAt: now.Add(time.Minute),
		},
		Digest: allBytes(), Sealed: twinlatch.Sealed{Key: "k1", Text: allBytes()},
	}
	old := twinlatch.StoredFactor{
		Factor: twinlatch.Factor{ID: "old", Kind: "text", CreatedAt: now.Add(-time.Hour)},
		Digest: []byte{0}, Sealed: twinlatch.Sealed{Text: []byte{0}},
	}
	s.tx(t, id, func(tx twinlatch.Tx) error {
		if err := tx.InsertFactor(young); err != nil {
			return err
		}
		return tx.InsertFactor(old)
	})
	same(t, factors(t, s, id), []twinlatch.StoredFactor{old, young})
	if !twoStep(t, s, id) {
		t.Error("two-step verification is off")
	}

	s.tx(t, id, func(tx twinlatch.Tx) error {
		if err := tx.RenameFactor(old.ID, "New name"); err != nil {
			return err
		}
		return tx.Used(old.ID, now)
	})
	old.Name, old.LastUsedAt = "New name", now
	same(t, factors(t, s, id), []twinlatch.StoredFactor{old, young})
	s.refused(t, twinlatch.ErrNotFound, id, func(tx twinlatch.Tx) error { return tx.RenameFactor("absent", "x") })
	s.refused(t, twinlatch.ErrNotFound, id, func(tx twinlatch.Tx) error { return tx.Used("absent", now) })
	s.refused(t, twinlatch.ErrReplayed, id, func(tx twinlatch.Tx) error { return tx.Used(young.ID, now) }) // it counts

	empty := twinlatch.StoredFactor{Factor: twinlatch.Factor{ID: "empty"}}
	id = s.newAccount(t)
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.InsertFactor(empty) })
	got := factors(t, s, id)
	if len(got) != 1 || len(got[0].Digest) != 0 || len(got[0].Sealed.Text) != 0 {
		t.Fatalf("got %+v", got)
	}
	same(t, got[0].Factor, empty.Factor)
}

func (s *suite) oneOfAKind(t *testing.T) {
	id := s.newAccount(t)
	insert := func(kind twinlatch.Kind) error {
		f := twinlatch.StoredFactor{Factor: twinlatch.Factor{ID: twinlatch.FactorID(s.id()), Kind: kind}, Digest: []byte("digest")}
		return s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error { return tx.InsertFactor(f) })
	}
	race(t, 1, twinlatch.ErrExists, func(int) error { return insert("totp") })
	is(t, insert("totp"), twinlatch.ErrExists)
	is(t, insert("yubico"), nil)
	if n := len(factors(t, s, id)); n != 2 {
		t.Errorf("%d factors", n)
	}
}

func (s *suite) deleteFactor(t *testing.T) {
	id := s.newAccount(t)
	first, second := s.newFactor(t, id, "totp"), s.newFactor(t, id, "totp")
	text := s.newFactor(t, id, "text")
	challenge := func(purpose twinlatch.Purpose, kind twinlatch.Kind, f twinlatch.FactorID) (c twinlatch.StoredChallenge) {
		c.ID, c.Session = twinlatch.ChallengeID(s.id()), twinlatch.SessionID(s.id())
		c.Purpose, c.Kind, c.Factor, c.TriesLeft = purpose, kind, f, 5
		c.CreatedAt, c.ExpiresAt = now, now.Add(time.Minute)
		s.tx(t, id, func(tx twinlatch.Tx) error { return tx.InsertChallenge(c) })
		return c
	}
	exists := func(c twinlatch.StoredChallenge, want bool) {
		t.Helper()
		s.read(t, id, func(v twinlatch.View) error {
			_, err := v.Challenge(c.ID, c.Session)
			if (err == nil) != want {
				t.Errorf("challenge %s of %s for %q: %v", c.Purpose, c.Kind, c.Factor, err)
			}
			return nil
		})
	}
	ofFirst, ofSecond := challenge(twinlatch.Verify, "totp", first.ID), challenge(twinlatch.Verify, "totp", second.ID)
	ofAny, ofText := challenge(twinlatch.Verify, "totp", ""), challenge(twinlatch.Verify, "text", text.ID)
	enroll := challenge(twinlatch.Enroll, "totp", "")

	s.tx(t, id, func(tx twinlatch.Tx) error {
		if err := tx.SetPreferred(first.ID); err != nil {
			return err
		}
		return tx.DeleteFactor(first.ID)
	})
	same(t, len(factors(t, s, id)), 2)
	exists(ofFirst, false)
	exists(ofSecond, true)
	exists(ofAny, true)
	exists(ofText, true)
	s.read(t, id, func(v twinlatch.View) error {
		a, err := v.Account()
		if a.Preferred != "" {
			t.Errorf("a removed factor is preferred")
		}
		return err
	})

	s.tx(t, id, func(tx twinlatch.Tx) error {
		if err := tx.SetPreferred(text.ID); err != nil {
			return err
		}
		return tx.DeleteFactor(second.ID)
	})
	exists(ofSecond, false)
	exists(ofAny, false)
	exists(ofText, true)
	exists(enroll, true)
	s.read(t, id, func(v twinlatch.View) error {
		a, err := v.Account()
		if a.Preferred != text.ID || !a.TwoStep {
			t.Errorf("got %+v", a)
		}
		return err
	})
	s.refused(t, twinlatch.ErrNotFound, id, func(tx twinlatch.Tx) error { return tx.DeleteFactor(second.ID) })
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.DeleteFactor(text.ID) })
	if twoStep(t, s, id) {
		t.Error("two-step verification is on without factors")
	}
}

func (s *suite) deleteAll(t *testing.T) {
	id := s.newAccount(t)
	f := s.newFactor(t, id, "totp")
	s.newFactor(t, id, "text")
	c := s.newChallenge(t, id, "session")
	session := s.newSession(t, id, []byte("hash"))
	once := twinlatch.Throttle{Most: 1}
	s.tx(t, id, func(tx twinlatch.Tx) error {
		if _, err := tx.Try("totp/all", once, now); err != nil {
			return err
		}
		if err := tx.SetPreferred(f.ID); err != nil {
			return err
		}
		return tx.ReplaceBackupCodes([]byte("salt"), [][]byte{{1}, {2}}, now)
	})
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.DeleteAll() })
	same(t, len(factors(t, s, id)), 0)
	s.tx(t, id, func(tx twinlatch.Tx) error {
		a, err := tx.Account()
		if err != nil || a.TwoStep || a.Preferred != "" {
			t.Errorf("account %+v, %v", a, err)
		}
		_, err = tx.BackupCodes()
		is(t, err, twinlatch.ErrNotFound)
		_, err = tx.Challenge(c.ID, c.Session)
		is(t, err, twinlatch.ErrNotFound)
		if _, err = tx.Try("totp/all", once, now); err != nil {
			t.Errorf("tries remain: %v", err)
		}
		_, err = tx.Session(session.ID)
		return err
	})
}

func (s *suite) advance(t *testing.T) {
	id := s.newAccount(t)
	f := s.newFactor(t, id, "totp")
	advance := func(counter int64, at time.Time) error {
		return s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error { return tx.Advance(f.ID, counter, at) })
	}
	race(t, 1, twinlatch.ErrReplayed, func(int) error { return advance(58_000_000, now) })
	race(t, 0, twinlatch.ErrReplayed, func(int) error { return advance(58_000_000, now) })
	is(t, advance(57_999_999, now), twinlatch.ErrReplayed)
	is(t, advance(58_000_001, now.Add(time.Minute)), nil)
	s.refused(t, twinlatch.ErrNotFound, id, func(tx twinlatch.Tx) error { return tx.Advance("absent", 1, now) })
	s.refused(t, twinlatch.ErrNotFound, id, func(tx twinlatch.Tx) error { return tx.Used("absent", now) })
	s.refused(t, twinlatch.ErrReplayed, id, func(tx twinlatch.Tx) error { return tx.Used(f.ID, now) })
	f.Counter, f.LastUsedAt = 58_000_001, now.Add(time.Minute)
	same(t, factors(t, s, id), []twinlatch.StoredFactor{f})
}

// copied is news once, and again after a while.
func (s *suite) copied(t *testing.T) {
	id := s.newAccount(t)
	f := s.newFactor(t, id, "webauthn")
	errOld := errors.New("no news")
	copied := func(now, before time.Time) error {
		return s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
			news, err := tx.Copied(f.ID, now, before)
			if err == nil && !news {
				err = errOld
			}
			return err
		})
	}
	race(t, 1, errOld, func(int) error { return copied(now, now.Add(-time.Hour)) })
	is(t, copied(now.Add(time.Hour), now.Add(-time.Millisecond)), errOld)
	f.CopiedAt = now
	same(t, factors(t, s, id), []twinlatch.StoredFactor{f})
	race(t, 1, errOld, func(int) error { return copied(now.Add(time.Hour), now) })
	f.CopiedAt = now.Add(time.Hour)
	same(t, factors(t, s, id), []twinlatch.StoredFactor{f})
	is(t, s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error { return tx.DeleteFactor(f.ID) }), nil)
	is(t, copied(now.Add(48*time.Hour), now.Add(24*time.Hour)), errOld)
}

// removeLastTwo removes both factors of an account at once, each caller as the
// core does: who finds no factor left takes the backup codes away. Under READ
// COMMITTED without Lock each would see the other's factor, and the codes would
// live on.
func (s *suite) removeLastTwo(t *testing.T) {
	type account struct {
		id      twinlatch.AccountID
		factors [2]twinlatch.FactorID
	}
	accounts := make([]account, callers/2)
	for i := range accounts {
		id := s.newAccount(t)
		accounts[i] = account{id, [2]twinlatch.FactorID{s.newFactor(t, id, "totp").ID, s.newFactor(t, id, "text").ID}}
		s.tx(t, id, func(tx twinlatch.Tx) error { return tx.ReplaceBackupCodes([]byte("salt"), [][]byte{{1}}, now) })
	}
	race(t, callers, nil, func(i int) error {
		a := accounts[i/2]
		return s.store.Tx(t.Context(), a.id, func(tx twinlatch.Tx) error {
			if err := tx.Lock(); err != nil {
				return err
			}
			if err := tx.DeleteFactor(a.factors[i%2]); err != nil {
				return err
			}
			left, err := tx.Factors()
			if err != nil || len(left) > 0 {
				return err
			}
			return tx.DeleteAll()
		})
	})
	for _, a := range accounts {
		same(t, len(factors(t, s, a.id)), 0)
		s.read(t, a.id, func(v twinlatch.View) error {
			_, err := v.BackupCodes()
			is(t, err, twinlatch.ErrNotFound)
			return nil
		})
	}
}
