package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

func (s *suite) account(t *testing.T) {
	precise := now.Add(999_999 * time.Nanosecond).In(time.FixedZone("CET", 3600))
	for name, a := range map[string]twinlatch.Account{
		"every field": {
			Realm: "shop", Login: "zoë@例え.jp " + s.id(), DisplayName: "Zoë 🜁 'O\"Neil\\%", Locale: "zh-Hant-TW",
			Preferred: "some factor", CreatedAt: now, DisabledAt: now.Add(time.Minute),
		},
		"zero values": {Login: s.id()},
		"to the millisecond": {
			Login: s.id(), CreatedAt: precise, DisabledAt: precise,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a.ID = twinlatch.AccountID(s.id())
			s.tx(t, a.ID, func(tx twinlatch.Tx) error { return tx.InsertAccount(a) })
			if a.CreatedAt.Equal(precise) {
				a.CreatedAt, a.DisabledAt = now, now
			}
			s.read(t, a.ID, func(v twinlatch.View) error {
				got, err := v.Account()
				same(t, got, a)
				return err
			})
			id, err := s.store.AccountByLogin(t.Context(), a.Realm, a.Login)
			if err != nil || id != a.ID {
				t.Errorf("by login: %q, %v", id, err)
			}
		})
	}
	t.Run("absent", func(t *testing.T) {
		s.read(t, "nobody", func(v twinlatch.View) error {
			_, err := v.Account()
			is(t, err, twinlatch.ErrNotFound)
			_, _, err = v.Head()
			is(t, err, twinlatch.ErrNotFound)
			return nil
		})
		_, err := s.store.AccountByLogin(t.Context(), twinlatch.MainRealm, "nobody")
		is(t, err, twinlatch.ErrNotFound)
	})
}

func (s *suite) oneLogin(t *testing.T) {
	login := s.id()
	insert := func(realm string) error {
		a := twinlatch.Account{ID: twinlatch.AccountID(s.id()), Realm: realm, Login: login, CreatedAt: now}
		return s.store.Tx(t.Context(), a.ID, func(tx twinlatch.Tx) error { return tx.InsertAccount(a) })
	}
	race(t, 1, twinlatch.ErrExists, func(int) error { return insert("main") })
	is(t, insert("main"), twinlatch.ErrExists)
	is(t, insert("shop"), nil)

	// After a refusal the transaction goes on.
	id := s.newAccount(t)
	s.tx(t, id, func(tx twinlatch.Tx) error {
		is(t, tx.InsertAccount(twinlatch.Account{ID: id, Realm: "main", Login: login}), twinlatch.ErrExists)
		return tx.PutPassword(twinlatch.Sealed{Key: "k1", Text: []byte("hash")}, now)
	})
	s.read(t, id, func(v twinlatch.View) error {
		_, err := v.Password()
		return err
	})
}

func (s *suite) lock(t *testing.T) {
	disabled := twinlatch.Account{ID: twinlatch.AccountID(s.id()), Login: s.id(), CreatedAt: now, DisabledAt: now}
	s.tx(t, disabled.ID, func(tx twinlatch.Tx) error { return tx.InsertAccount(disabled) })
	lock := func(tx twinlatch.Tx) error { return tx.Lock() }
	s.refused(t, twinlatch.ErrDisabled, disabled.ID, lock)
	s.refused(t, twinlatch.ErrDisabled, "nobody", lock)
	race(t, 0, twinlatch.ErrDisabled, func(int) error { return s.store.Tx(t.Context(), disabled.ID, lock) })

	// Locked changes are serial: what was read is still so when it is written.
	id := s.newAccount(t)
	f := s.newFactor(t, id, "totp")
	race(t, callers, nil, func(int) error {
		return s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
			if err := tx.Lock(); err != nil {
				return err
			}
			factors, err := tx.Factors()
			if err != nil {
				return err
			}
			return tx.Advance(f.ID, factors[0].Counter+1, now)
		})
	})
	s.read(t, id, func(v twinlatch.View) error {
		factors, err := v.Factors()
		if factors[0].Counter != callers {
			t.Errorf("counter is %d", factors[0].Counter)
		}
		return err
	})
}

func (s *suite) locale(t *testing.T) {
	id := s.newAccount(t)
	for _, chosen := range []string{"cs", "zh-Hant-TW", ""} {
		s.tx(t, id, func(tx twinlatch.Tx) error {
			a, err := tx.Account()
			if err != nil {
				return err
			}
			a.Locale = chosen
			return tx.UpdateAccount(a)
		})
		s.read(t, id, func(v twinlatch.View) error {
			a, err := v.Account()
			if a.Locale != chosen {
				t.Errorf("language is %q, want %q", a.Locale, chosen)
			}
			return err
		})
	}
	s.refused(t, twinlatch.ErrNotFound, "nobody", func(tx twinlatch.Tx) error { return tx.UpdateAccount(twinlatch.Account{ID: "nobody", Login: s.id()}) })
}

func (s *suite) preferred(t *testing.T) {
	id := s.newAccount(t)
	f := s.newFactor(t, id, "totp")
	is := func(want twinlatch.FactorID) {
		t.Helper()
		s.read(t, id, func(v twinlatch.View) error {
			a, err := v.Account()
			if a.Preferred != want {
				t.Errorf("preferred is %q, want %q", a.Preferred, want)
			}
			return err
		})
	}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.SetPreferred(f.ID) })
	is(f.ID)
	s.refused(t, twinlatch.ErrNotFound, id, func(tx twinlatch.Tx) error { return tx.SetPreferred("another") })
	is(f.ID)
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.SetPreferred("") })
	is("")
}

func (s *suite) password(t *testing.T) {
	id := s.newAccount(t)
	s.refused(t, twinlatch.ErrNotFound, id, func(tx twinlatch.Tx) error {
		_, err := tx.Password()
		return err
	})
	for _, hash := range []twinlatch.Sealed{
		{Key: "k1", Text: allBytes()},
		{Key: "ключ", Text: []byte("another")},
	} {
		s.tx(t, id, func(tx twinlatch.Tx) error { return tx.PutPassword(hash, now) })
		s.read(t, id, func(v twinlatch.View) error {
			got, err := v.Password()
			same(t, got, hash)
			return err
		})
	}
	if err := s.store.Tx(t.Context(), "nobody", func(tx twinlatch.Tx) error {
		return tx.PutPassword(twinlatch.Sealed{}, now)
	}); err == nil || errors.Is(err, twinlatch.ErrNotFound) {
		t.Errorf("a password without account: %v", err)
	}
}
