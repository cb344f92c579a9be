package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

func (s *suite) newTicket(t *testing.T, id twinlatch.AccountID, p twinlatch.TicketPurpose) twinlatch.StoredTicket {
	t.Helper()
	k := twinlatch.StoredTicket{
		ID: twinlatch.TicketID(s.id()), Purpose: p, SecretHash: allBytes(), CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.InsertTicket(k) })
	return k
}

func (s *suite) ticket(t *testing.T) {
	id, other := s.newAccount(t), s.newAccount(t)
	k := s.newTicket(t, id, twinlatch.TicketReset)
	exists := func(id twinlatch.AccountID, want bool) {
		t.Helper()
		s.read(t, id, func(v twinlatch.View) error {
			got, err := v.Ticket(k.ID)
			if !want {
				is(t, err, twinlatch.ErrNotFound)
				return nil
			}
			same(t, got, k)
			return err
		})
	}
	exists(id, true)
	exists(other, false)
	redeem := func(k twinlatch.StoredTicket, at time.Time) func(twinlatch.Tx) error {
		return func(tx twinlatch.Tx) error { return tx.Redeem(k, at) }
	}
	for name, change := range map[string]func(*twinlatch.StoredTicket){
		"another":        func(k *twinlatch.StoredTicket) { k.ID = "absent" },
		"another one's":  func(k *twinlatch.StoredTicket) { k.Purpose = twinlatch.TicketAlarm },
		"another secret": func(k *twinlatch.StoredTicket) { k.SecretHash = []byte{1} },
	} {
		wrong := k
		change(&wrong)
		t.Log(name)
		s.refused(t, twinlatch.ErrExpired, id, redeem(wrong, now))
	}
	s.refused(t, twinlatch.ErrExpired, other, redeem(k, now))
	s.refused(t, twinlatch.ErrExpired, id, redeem(k, k.ExpiresAt))
	race(t, 1, twinlatch.ErrExpired, func(int) error {
		return s.store.Tx(t.Context(), id, redeem(k, k.ExpiresAt.Add(-time.Millisecond)))
	})
	exists(id, false)

	alarm := s.newTicket(t, id, twinlatch.TicketAlarm)
	k = s.newTicket(t, id, twinlatch.TicketReset)
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.DeleteTickets(twinlatch.TicketReset, time.Time{}) })
	exists(id, false)
	k = alarm
	exists(id, true)
	if err := s.store.Sweep(t.Context(), alarm.ExpiresAt, now); err != nil {
		t.Fatal(err)
	}
	exists(id, false)
}

// requests is on a store of its own: all of them are due together.
func (s *suite) requests(t *testing.T) {
	put := func(id twinlatch.RequestID, due time.Time) {
		t.Helper()
		r := twinlatch.StoredRequest{ID: id, Sealed: twinlatch.Sealed{Key: "k1", Text: allBytes()}, NextAt: due, ExpiresAt: now.Add(time.Hour)}
		if err := s.store.PutRequest(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	lease := func(at time.Time, n int) (ids []twinlatch.RequestID) {
		t.Helper()
		due, err := s.store.LeaseRequests(t.Context(), at, at.Add(time.Minute), n)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range due {
			ids = append(ids, r.ID)
			same(t, r.Sealed, twinlatch.Sealed{Key: "k1", Text: allBytes()})
		}
		return ids
	}
	same(t, len(lease(now, 10)), 0)
	put("one", now)
	put("later", now.Add(time.Minute))
	same(t, lease(now, 10), []twinlatch.RequestID{"one"})
	same(t, len(lease(now, 10)), 0) // it is leased
	if err := s.store.DeleteRequest(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if err := s.store.DeleteRequest(t.Context(), "one"); err != nil { // twice is once
		t.Fatal(err)
	}
	same(t, lease(now.Add(time.Minute), 10), []twinlatch.RequestID{"later"})
	same(t, lease(now.Add(2*time.Minute), 10), []twinlatch.RequestID{"later"}) // nobody deleted it
	same(t, len(lease(now.Add(time.Hour), 10)), 0)                             // it is too old

	for i := range callers {
		put(twinlatch.RequestID(rune('a'+i%26))+twinlatch.RequestID(s.id()), now)
	}
	var mu sync.Mutex
	got := map[twinlatch.RequestID]int{}
	race(t, callers, nil, func(int) error {
		due, err := s.store.LeaseRequests(t.Context(), now, now.Add(time.Minute), 3)
		mu.Lock()
		defer mu.Unlock()
		for _, r := range due {
			got[r.ID]++
		}
		return err
	})
	for id, n := range got {
		if n != 1 {
			t.Errorf("request %s was leased %d times", id, n)
		}
	}
	same(t, len(got), callers)
}
