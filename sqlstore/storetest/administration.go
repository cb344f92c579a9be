package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

func (s *suite) change(t *testing.T, id twinlatch.AccountID, do func(*twinlatch.Account)) {
	t.Helper()
	s.tx(t, id, func(tx twinlatch.Tx) error {
		a, err := tx.Account()
		if err != nil {
			return err
		}
		do(&a)
		return tx.UpdateAccount(a)
	})
}

func (s *suite) updateAccount(t *testing.T) {
	id := s.newAccount(t)
	before := now.Add(-time.Hour)
	s.change(t, id, func(a *twinlatch.Account) {
		a.Login, a.DisplayName, a.Locale, a.Groups = "new "+string(id), "Zoë", "cs", []string{"admin", "staff"}
		a.ConfirmedAt, a.ResetAt, a.DisabledAt, a.DeletedAt = now, before, now.Add(time.Minute), now.Add(time.Hour)
	})
	s.read(t, id, func(v twinlatch.View) error {
		got, err := v.Account()
		same(t, got, twinlatch.Account{
			ID: id, Realm: twinlatch.MainRealm, Login: "new " + string(id), DisplayName: "Zoë", Locale: "cs", Groups: []string{"admin", "staff"},
			CreatedAt: now, ConfirmedAt: now, ResetAt: before, EnrollFrom: before, DisabledAt: now.Add(time.Minute), DeletedAt: now.Add(time.Hour),
		})
		return err
	})

	// Of many who want one login one gets it, and a login in use nobody.
	login := s.id()
	ids := make([]twinlatch.AccountID, callers)
	for i := range ids {
		ids[i] = s.newAccount(t)
	}
	race(t, 1, twinlatch.ErrExists, func(i int) error {
		return s.store.Tx(t.Context(), ids[i], func(tx twinlatch.Tx) error {
			a, err := tx.Account()
			if err != nil {
				return err
			}
			a.Login = login
			return tx.UpdateAccount(a)
		})
	})
	other := s.newAccount(t)
	s.refused(t, twinlatch.ErrExists, other, func(tx twinlatch.Tx) error {
		a, err := tx.Account()
		if err != nil {
			return err
		}
		a.Login = login
		return tx.UpdateAccount(a)
	})
}

// A login that its last owner can take back is nobody else's in the realm.
func (s *suite) reserved(t *testing.T) {
	owner, login := s.newAccount(t), s.id()
	alarm := twinlatch.StoredTicket{
		ID: twinlatch.TicketID(s.id()), Purpose: twinlatch.TicketAlarm, Address: login, SecretHash: []byte("hash"), CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
	s.tx(t, owner, func(tx twinlatch.Tx) error { return tx.InsertTicket(alarm) })
	insert := func(realm string) error {
		a := twinlatch.Account{ID: twinlatch.AccountID(s.id()), Realm: realm, Login: login, CreatedAt: now}
		err := s.store.Tx(t.Context(), a.ID, func(tx twinlatch.Tx) error {
			if err := tx.InsertAccount(a); !errors.Is(err, twinlatch.ErrExists) {
				return err
			}
			return nil // the transaction goes on, without the account
		})
		is(t, err, nil)
		return s.store.View(t.Context(), a.ID, func(v twinlatch.View) error { _, err := v.Account(); return err })
	}
	is(t, insert(twinlatch.MainRealm), twinlatch.ErrNotFound)
	is(t, insert("shop"), nil)
	other := s.newAccount(t)
	take := func(tx twinlatch.Tx) error {
		a, err := tx.Account()
		if err != nil {
			return err
		}
		a.Login = login
		return tx.UpdateAccount(a)
	}
	s.refused(t, twinlatch.ErrExists, other, take)
	s.tx(t, owner, take)
	s.tx(t, owner, func(tx twinlatch.Tx) error { return tx.DeleteTickets(twinlatch.TicketAlarm, now.Add(time.Millisecond)) })
	s.change(t, owner, func(a *twinlatch.Account) { a.Login = s.id() })
	s.refused(t, twinlatch.ErrExists, other, take) // the ticket is from before that time
	s.tx(t, owner, func(tx twinlatch.Tx) error { return tx.DeleteTickets(twinlatch.TicketAlarm, now) })
	s.tx(t, other, take)
}

func (s *suite) hold(t *testing.T) {
	id := s.newAccount(t)
	hold := func(tx twinlatch.Tx) error { return tx.Hold() }
	s.tx(t, id, hold)
	s.change(t, id, func(a *twinlatch.Account) { a.DisabledAt = now })
	s.tx(t, id, hold)
	s.change(t, id, func(a *twinlatch.Account) { a.DeletedAt = now })
	s.refused(t, twinlatch.ErrNotFound, id, hold)
	s.refused(t, twinlatch.ErrNotFound, "nobody", hold)
}

// Each of those who administer sees what those before it did: of 64 who look
// whether anybody came before, one finds nobody.
func (s *suite) administer(t *testing.T) {
	first := s.newAccount(t)
	ids := make([]twinlatch.AccountID, callers)
	for i := range ids {
		ids[i] = s.newAccount(t)
	}
	errLate := errors.New("somebody came before")
	race(t, 1, errLate, func(i int) error {
		return s.store.Administer(t.Context(), first, ids[i], func(admin twinlatch.View, tx twinlatch.Tx) error {
			for _, id := range ids { // one account tells of another by the row of requirements
				if err := tx.DeleteRequirement("turns", string(id)); err == nil {
					return errLate
				} else if !errors.Is(err, twinlatch.ErrNotFound) {
					return err
				}
			}
			a, err := admin.Account()
			if err != nil || a.ID != first {
				return fmt.Errorf("the administrator is %q: %v", a.ID, err)
			}
			return tx.PutRequirement("turns", twinlatch.Requirement{Group: string(ids[i]), From: now})
		})
	})
	// All or nothing, and of the target only.
	id := s.newAccount(t)
	broken := errors.New("broken")
	is(t, s.store.Administer(t.Context(), first, id, func(_ twinlatch.View, tx twinlatch.Tx) error {
		if err := tx.SetPreferred(""); err != nil {
			return err
		}
		if err := tx.PutPassword(twinlatch.Sealed{Key: "k1", Text: []byte("x")}, now); err != nil {
			return err
		}
		return broken
	}), broken)
	s.read(t, id, func(v twinlatch.View) error {
		_, err := v.Password()
		is(t, err, twinlatch.ErrNotFound)
		return nil
	})
	is(t, s.store.Administer(t.Context(), "", id, func(v twinlatch.View, _ twinlatch.Tx) error {
		_, err := v.Account()
		return err
	}), twinlatch.ErrNotFound)
}

func (s *suite) requirements(t *testing.T) {
	id := s.newAccount(t)
	s.change(t, id, func(a *twinlatch.Account) { a.Groups = []string{"a", "staff"} })
	put := func(realm string, r twinlatch.Requirement) {
		s.tx(t, id, func(tx twinlatch.Tx) error { return tx.PutRequirement(realm, r) })
	}
	due := func(want time.Time) {
		t.Helper()
		s.read(t, id, func(v twinlatch.View) error {
			a, err := v.Account()
			if !a.EnrollFrom.Equal(want) {
				t.Errorf("due %v, want %v", a.EnrollFrom, want)
			}
			return err
		})
	}
	due(time.Time{})
	put("other", twinlatch.Requirement{From: now})
	put(twinlatch.MainRealm, twinlatch.Requirement{Group: "taff", From: now})
	put(twinlatch.MainRealm, twinlatch.Requirement{Group: "staff-x", From: now})
	due(time.Time{})
	put(twinlatch.MainRealm, twinlatch.Requirement{From: now.Add(-time.Hour), Grace: time.Hour})
	due(now.Add(time.Hour))
	put(twinlatch.MainRealm, twinlatch.Requirement{Group: "staff", From: now.Add(time.Minute)})
	due(now.Add(time.Minute))
	s.change(t, id, func(a *twinlatch.Account) { a.ResetAt = now.Add(time.Second) })
	due(now.Add(time.Second))
	s.newFactor(t, id, "totp")
	due(time.Time{})

	all, err := s.store.Requirements(t.Context(), twinlatch.MainRealm)
	is(t, err, nil)
	same(t, all, []twinlatch.Requirement{
		{From: now.Add(-time.Hour), Grace: time.Hour}, {Group: "staff", From: now.Add(time.Minute)}, {Group: "staff-x", From: now}, {Group: "taff", From: now},
	})
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.DeleteRequirement(twinlatch.MainRealm, "taff") })
	s.refused(t, twinlatch.ErrNotFound, id, func(tx twinlatch.Tx) error { return tx.DeleteRequirement(twinlatch.MainRealm, "taff") })
	s.refused(t, twinlatch.ErrNotFound, id, func(tx twinlatch.Tx) error { return tx.DeleteRequirement("other", "staff") })
}

func (s *suite) lists(t *testing.T) {
	on, off, required, disabled, deleted := s.newAccount(t), s.newAccount(t), s.newAccount(t), s.newAccount(t), s.newAccount(t)
	s.newFactor(t, on, "totp")
	s.newFactor(t, on, "text")
	s.newFactor(t, on, "totp")
	s.change(t, required, func(a *twinlatch.Account) { a.ResetAt, a.Groups = now, []string{"staff"} })
	s.change(t, disabled, func(a *twinlatch.Account) { a.DisabledAt = now })
	s.change(t, deleted, func(a *twinlatch.Account) { a.DeletedAt, a.DisabledAt = now, now })
	s.change(t, off, func(a *twinlatch.Account) { a.DisplayName = "ZOË %_\\" })
	find := func(q twinlatch.AccountQuery, want ...twinlatch.AccountID) {
		t.Helper()
		q.Realm = twinlatch.MainRealm
		if q.Limit == 0 {
			q.Limit = 100
		}
		all, err := s.store.ListAccounts(t.Context(), q, now)
		is(t, err, nil)
		var ids []twinlatch.AccountID
		for _, a := range all {
			ids = append(ids, a.ID)
		}
		same(t, ids, want)
	}
	find(twinlatch.AccountQuery{}, on, off, required, disabled)
	find(twinlatch.AccountQuery{Offset: 1, Limit: 2}, off, required)
	for _, text := range []string{"zoë", "%", "_", `\`, "%_\\"} {
		find(twinlatch.AccountQuery{Find: text}, off)
	}
	find(twinlatch.AccountQuery{Find: "zo_"})
	find(twinlatch.AccountQuery{Group: "staff"}, required)
	find(twinlatch.AccountQuery{Group: "staf"})
	find(twinlatch.AccountQuery{State: twinlatch.StateOn}, on)
	find(twinlatch.AccountQuery{State: twinlatch.StateOff}, off)
	find(twinlatch.AccountQuery{State: twinlatch.StateRequired}, required)
	find(twinlatch.AccountQuery{State: twinlatch.StateDisabled}, disabled)
	counts, err := s.store.CountAccounts(t.Context(), twinlatch.AccountQuery{Realm: twinlatch.MainRealm, State: twinlatch.StateOn}, now)
	is(t, err, nil)
	same(t, counts, twinlatch.AccountCounts{On: 1, Off: 1, Required: 1, Disabled: 1})
	all, err := s.store.ListAccounts(t.Context(), twinlatch.AccountQuery{Realm: twinlatch.MainRealm, Limit: 1}, now)
	is(t, err, nil)
	same(t, len(all[0].Kinds), 2)
	find(twinlatch.AccountQuery{State: twinlatch.StateRequired, Find: string(required)}, required)
	if counts, err = s.store.CountAccounts(t.Context(), twinlatch.AccountQuery{Realm: twinlatch.MainRealm}, now.Add(-time.Second)); err != nil || counts.Required != 0 {
		t.Errorf("required before its time: %+v, %v", counts, err)
	}
}

func (s *suite) erase(t *testing.T) {
	id, other := s.newAccount(t), s.newAccount(t)
	for _, id := range []twinlatch.AccountID{id, other} {
		f := s.newFactor(t, id, "totp")
		n := s.newSession(t, id, []byte("hash"))
		s.newChallenge(t, id, n.ID)
		s.tx(t, id, func(tx twinlatch.Tx) error {
			return errors.Join(
				tx.SetPreferred(f.ID),
				tx.PutPassword(twinlatch.Sealed{Key: "k1", Text: []byte("x")}, now),
				tx.ReplaceBackupCodes([]byte("salt"), [][]byte{[]byte("digest")}, now),
				tx.Append(twinlatch.Event{Account: id, Seq: 1, At: now, Type: "t", Detail: twinlatch.Detail{Salt: []byte("salt"), UserAgent: "Firefox"}, Hash: []byte("h")}),
			)
		})
	}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Erase() })
	for _, id := range []twinlatch.AccountID{id, other} {
		erased := id != other
		s.read(t, id, func(v twinlatch.View) error {
			factors, err := v.Factors()
			is(t, err, nil)
			sessions, err := v.Sessions(now)
			is(t, err, nil)
			events, err := v.Events(0, 10)
			is(t, err, nil)
			a, err := v.Account()
			is(t, err, nil)
			_, noPassword := v.Password()
			_, noCodes := v.BackupCodes()
			for what, gone := range map[string]bool{
				"factors": len(factors) == 0, "sessions": len(sessions) == 0, "password": noPassword != nil, "codes": noCodes != nil,
				"preferred": a.Preferred == "", "detail": events[0].Detail.UserAgent == "" && events[0].Detail.Salt == nil,
			} {
				if gone != erased {
					t.Errorf("%s of %s: gone %v, want %v", what, id, gone, erased)
				}
			}
			return nil
		})
	}
}
