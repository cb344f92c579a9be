package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

const (
	wiki  = "wiki.example.com"
	files = "files.example.com"
)

func (s *suite) putHost(t *testing.T, id twinlatch.AccountID, n twinlatch.SessionID, host, hash string) {
	t.Helper()
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.PutHost(n, host, []byte(hash), now) })
}

// hosted fails the test unless a session has this token for a host; "": none.
func (s *suite) hosted(t *testing.T, id twinlatch.AccountID, n twinlatch.SessionID, host, hash string) {
	t.Helper()
	row, err := s.store.Hosted(t.Context(), id, n, host)
	if hash == "" {
		is(t, err, twinlatch.ErrNotFound)
		return
	}
	if err != nil {
		t.Errorf("%s: %v", host, err)
		return
	}
	same(t, string(row.SecretHash), hash)
	own := session(t, s, id, n) // all but the hash is the session's
	own.SecretHash = row.SecretHash
	same(t, *row, own)
}

// host: one token for each host of each session, which is not the session's own.
func (s *suite) host(t *testing.T) {
	id, other := s.newAccount(t), s.newAccount(t)
	n, second, theirs := s.newSession(t, id, []byte("own")), s.newSession(t, id, []byte("own")), s.newSession(t, other, []byte("own"))
	s.hosted(t, id, n.ID, wiki, "")
	s.putHost(t, id, n.ID, wiki, "one")
	s.putHost(t, id, n.ID, files, "two")
	s.hosted(t, id, n.ID, wiki, "one")
	s.hosted(t, id, n.ID, files, "two")
	same(t, session(t, s, id, n.ID).SecretHash, []byte("own"))
	for _, of := range []struct {
		account twinlatch.AccountID
		session twinlatch.SessionID
		host    string
	}{
		{id, second.ID, wiki}, {other, n.ID, wiki}, {other, theirs.ID, wiki}, {id, theirs.ID, wiki}, {id, "absent", wiki}, {"nobody", n.ID, wiki},
		{id, n.ID, ""}, {id, n.ID, "absent.example.com"}, {id, n.ID, "WIKI.example.com"}, {id, n.ID, wiki + "."}, {"", "", ""},
	} {
		s.hosted(t, of.account, of.session, of.host, "")
	}
	s.putHost(t, id, n.ID, wiki, "three")
	s.hosted(t, id, n.ID, wiki, "three")
	s.hosted(t, id, n.ID, files, "two")
	for _, absent := range []twinlatch.SessionID{"absent", theirs.ID, ""} {
		s.refused(t, twinlatch.ErrNoSession, id, func(tx twinlatch.Tx) error { return tx.PutHost(absent, wiki, []byte("x"), now) })
	}
	s.hosted(t, other, theirs.ID, wiki, "")

	s.newFactor(t, id, "totp") // what is read is of now
	s.hosted(t, id, n.ID, wiki, "three")
	race(t, callers, nil, func(i int) error { // the last one's counts
		return s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
			return errors.Join(tx.Lock(), tx.PutHost(n.ID, wiki, []byte{byte(i)}, now))
		})
	})
	row, err := s.store.Hosted(t.Context(), id, n.ID, wiki)
	is(t, err, nil)
	same(t, len(row.SecretHash), 1)
}

// hostsEnd: a new secret of the session ends all, whatever else is updated none, and a
// transaction that fails changes nothing.
func (s *suite) hostsEnd(t *testing.T) {
	id := s.newAccount(t)
	n, second := s.newSession(t, id, []byte("own")), s.newSession(t, id, []byte("own"))
	has := func(first, other string) {
		t.Helper()
		s.hosted(t, id, n.ID, wiki, first)
		s.hosted(t, id, n.ID, files, first)
		s.hosted(t, id, second.ID, wiki, other)
	}
	begin := func() {
		t.Helper()
		s.putHost(t, id, n.ID, wiki, "host")
		s.putHost(t, id, n.ID, files, "host")
		s.putHost(t, id, second.ID, wiki, "other")
		has("host", "other")
	}
	begin()
	later := everyField()
	later.Account, later.ID = id, n.ID
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.UpdateSession(later, []byte("own"), []byte("own")) })
	has("host", "other")
	s.tx(t, id, func(tx twinlatch.Tx) error {
		return tx.Touch(n.ID, later.SeenIP, now.Add(time.Hour), now.Add(time.Hour))
	})
	has("host", "other")
	s.refused(t, twinlatch.ErrNoSession, id, func(tx twinlatch.Tx) error { return tx.UpdateSession(later, []byte("wrong"), []byte("new")) })
	has("host", "other")
	broken := errors.New("broken off")
	s.refused(t, broken, id, func(tx twinlatch.Tx) error {
		return errors.Join(tx.UpdateSession(later, []byte("own"), []byte("new")), broken)
	})
	has("host", "other")
	ticket := func(of twinlatch.SessionID) twinlatch.StoredTicket {
		return twinlatch.StoredTicket{ID: twinlatch.TicketID(of), Purpose: "p", SecretHash: []byte("t"), CreatedAt: now, ExpiresAt: now.Add(time.Hour), Session: of, Host: wiki}
	}
	s.tx(t, id, func(tx twinlatch.Tx) error {
		return errors.Join(tx.InsertTicket(ticket(n.ID)), tx.InsertTicket(ticket(second.ID)))
	})
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.UpdateSession(later, []byte("own"), []byte("new")) })
	has("", "other")
	s.refused(t, twinlatch.ErrExpired, id, func(tx twinlatch.Tx) error { return tx.Redeem(ticket(n.ID), now) })
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Redeem(ticket(second.ID), now) })

	begin()
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.DeleteSession(n.ID) })
	has("", "other")
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.InsertSession(n, []byte("own")) }) // nothing comes back
	has("", "other")

	begin()
	s.tx(t, id, func(tx twinlatch.Tx) error { _, err := tx.DeleteSessions(second.ID); return err })
	has("", "other")
	s.tx(t, id, func(tx twinlatch.Tx) error { _, err := tx.DeleteSessions(""); return err })
	has("", "")

	// Erase takes the account's, and no other's.
	s.tx(t, id, func(tx twinlatch.Tx) error {
		return errors.Join(tx.InsertSession(n, []byte("own")), tx.InsertSession(second, []byte("own")))
	})
	begin()
	neighbour := s.newAccount(t)
	theirs := s.newSession(t, neighbour, []byte("own"))
	s.putHost(t, neighbour, theirs.ID, wiki, "theirs")
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Erase() })
	has("", "")
	s.hosted(t, neighbour, theirs.ID, wiki, "theirs")
}

// hostsSwept is on a store of its own: they end with their session, and not before.
func (s *suite) hostsSwept(t *testing.T) {
	id := s.newAccount(t)
	n := s.newSession(t, id, []byte("own"))
	s.putHost(t, id, n.ID, wiki, "host")
	is(t, s.store.Sweep(t.Context(), n.ExpiresAt.Add(-time.Millisecond), now), nil)
	s.hosted(t, id, n.ID, wiki, "host")
	is(t, s.store.Sweep(t.Context(), n.ExpiresAt, now), nil)
	s.hosted(t, id, n.ID, wiki, "")
}

// handOverTicket: what a ticket of a hand-over carries comes back, and is nothing that
// Redeem compares.
func (s *suite) handOverTicket(t *testing.T) {
	id := s.newAccount(t)
	k := twinlatch.StoredTicket{
		ID: twinlatch.TicketID(s.id()), Purpose: twinlatch.TicketHandOver, Address: "ann@example.com", Claim: "digest", Session: twinlatch.SessionID(s.id()), Host: wiki,
		SecretHash: allBytes(), CreatedAt: now, ExpiresAt: now.Add(time.Minute),
	}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.InsertTicket(k) })
	s.read(t, id, func(v twinlatch.View) error {
		got, err := v.Ticket(k.ID)
		same(t, got, k)
		return err
	})
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.DeleteTickets(twinlatch.TicketReset, time.Time{}) })
	s.refused(t, twinlatch.ErrExpired, id, func(tx twinlatch.Tx) error { return tx.Redeem(k, k.ExpiresAt) })
	bare := twinlatch.StoredTicket{ID: k.ID, Purpose: k.Purpose, SecretHash: k.SecretHash}
	race(t, 1, twinlatch.ErrExpired, func(int) error {
		return s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error { return tx.Redeem(bare, now) })
	})
}
