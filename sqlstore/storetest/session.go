package storetest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// session reads one by both ways, which must agree.
func session(t *testing.T, s *suite, id twinlatch.AccountID, n twinlatch.SessionID) twinlatch.SessionRow {
	t.Helper()
	found, err := s.store.Session(t.Context(), id, n)
	if err != nil {
		t.Fatal(err)
	}
	row := *found
	s.read(t, id, func(v twinlatch.View) error {
		viewed, err := v.Session(n)
		same(t, viewed, row)
		a, _ := v.Account()
		same(t, row.Account, a)
		return err
	})
	return row
}

func everyField() twinlatch.Session {
	return twinlatch.Session{
		UserAgent: "Mozilla/5.0 (X11; Linux) 🦊", CreatedAt: now, PasswordAt: now.Add(time.Second),
		SeenAt: now.Add(2 * time.Second), SeenIP: netip.MustParseAddr("2001:db8::1"), ExpiresAt: now.Add(time.Hour),
		V4:  twinlatch.Slot{IP: netip.MustParseAddr("192.0.2.1"), At: now.Add(3 * time.Second)},
		V6:  twinlatch.Slot{IP: netip.MustParseAddr("2001:db8::2"), At: now.Add(4 * time.Second)},
		AMR: []string{"pwd", "otp", "mfa"}, Recovered: true,
	}
}

func (s *suite) session(t *testing.T) {
	for name, n := range map[string]twinlatch.Session{
		"every field": everyField(),
		"zero values": {},
		"odd addresses": {
			SeenIP: netip.MustParseAddr("fe80::1%eth0"), V4: twinlatch.Slot{IP: netip.MustParseAddr("::ffff:192.0.2.1")},
			V6: twinlatch.Slot{At: now}, AMR: []string{"hwk"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := s.newAccount(t)
			n.Account, n.ID = id, twinlatch.SessionID(s.id())
			s.tx(t, id, func(tx twinlatch.Tx) error { return tx.InsertSession(n, allBytes()) })
			row := session(t, s, id, n.ID)
			same(t, row.Session, n)
			same(t, row.SecretHash, allBytes())
			if row.Account.TwoStep {
				t.Error("two-step verification is on")
			}
			s.newFactor(t, id, "totp")
			if !session(t, s, id, n.ID).Account.TwoStep {
				t.Error("two-step verification is off")
			}
		})
	}
	t.Run("disabled account", func(t *testing.T) {
		a := twinlatch.Account{ID: twinlatch.AccountID(s.id()), Login: s.id(), CreatedAt: now, DisabledAt: now}
		s.tx(t, a.ID, func(tx twinlatch.Tx) error { return tx.InsertAccount(a) })
		n := s.newSession(t, a.ID, nil)
		same(t, session(t, s, a.ID, n.ID).Account, a)
	})
}

func (s *suite) absentSession(t *testing.T) {
	id, other := s.newAccount(t), s.newAccount(t)
	n := s.newSession(t, id, nil)
	for _, of := range []struct {
		account twinlatch.AccountID
		session twinlatch.SessionID
	}{{id, "absent"}, {other, n.ID}, {"nobody", n.ID}, {"", ""}} {
		_, err := s.store.Session(t.Context(), of.account, of.session)
		is(t, err, twinlatch.ErrNotFound)
		s.read(t, of.account, func(v twinlatch.View) error {
			_, err := v.Session(of.session)
			is(t, err, twinlatch.ErrNotFound)
			return nil
		})
	}
	if err := s.store.Tx(t.Context(), other, func(tx twinlatch.Tx) error { return tx.InsertSession(n, nil) }); err == nil {
		t.Error("a transaction wrote a session of another account")
	}
	s.refused(t, twinlatch.ErrNotFound, other, func(tx twinlatch.Tx) error { return tx.DeleteSession(n.ID) })
	session(t, s, id, n.ID)
}

func (s *suite) updateSession(t *testing.T) {
	id := s.newAccount(t)
	before := s.newSession(t, id, []byte("old"))
	after := everyField()
	after.Account, after.ID = id, before.ID
	update := func(hash []byte) error {
		return s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
			return tx.UpdateSession(after, []byte("old"), hash)
		})
	}
	race(t, 1, twinlatch.ErrNoSession, func(int) error { return update([]byte("new")) })
	is(t, update([]byte("newer")), twinlatch.ErrNoSession)
	want := after
	want.UserAgent, want.CreatedAt = before.UserAgent, before.CreatedAt
	row := session(t, s, id, before.ID)
	same(t, row.Session, want)
	same(t, row.SecretHash, []byte("new"))

	// Back to nothing.
	zero := twinlatch.Session{Account: id, ID: before.ID}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.UpdateSession(zero, []byte("new"), []byte("new")) })
	zero.UserAgent, zero.CreatedAt = before.UserAgent, before.CreatedAt
	same(t, session(t, s, id, before.ID).Session, zero)

	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.DeleteSession(before.ID) })
	s.refused(t, twinlatch.ErrNoSession, id, func(tx twinlatch.Tx) error {
		return tx.UpdateSession(zero, []byte("new"), []byte("newer"))
	})
	_, err := s.store.Session(t.Context(), id, before.ID)
	is(t, err, twinlatch.ErrNotFound)
}

func (s *suite) touch(t *testing.T) {
	id := s.newAccount(t)
	n := s.newSession(t, id, []byte("hash"))
	ip := netip.MustParseAddr("2001:db8::1")
	touch := func(at time.Time) {
		t.Helper()
		s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Touch(n.ID, ip, at, at.Add(-5*time.Minute)) })
		same(t, session(t, s, id, n.ID).Session, n)
	}
	touch(now.Add(time.Minute))
	touch(now.Add(5 * time.Minute))
	n.SeenAt, n.SeenIP = now.Add(5*time.Minute+time.Millisecond), ip
	touch(n.SeenAt)
	ip = netip.Addr{}
	n.SeenAt, n.SeenIP = now.Add(time.Hour), ip
	touch(n.SeenAt)
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Touch("absent", ip, now, now) })
}

func (s *suite) listSessions(t *testing.T) {
	id := s.newAccount(t)
	ids := func(at time.Time) (got []twinlatch.SessionID) {
		t.Helper()
		s.read(t, id, func(v twinlatch.View) error {
			all, err := v.Sessions(at)
			for _, n := range all {
				same(t, session(t, s, id, n.ID).Session, n)
				got = append(got, n.ID)
			}
			return err
		})
		return got
	}
	same(t, ids(now), []twinlatch.SessionID(nil))
	for name, seen := range map[twinlatch.SessionID]time.Duration{"a": 2, "b": 1, "c": 3} {
		n := everyField()
		n.Account, n.ID, n.SeenAt, n.ExpiresAt = id, name, now.Add(seen*time.Minute), now.Add(seen*time.Hour)
		s.tx(t, id, func(tx twinlatch.Tx) error { return tx.InsertSession(n, []byte("hash")) })
	}
	same(t, ids(now), []twinlatch.SessionID{"c", "a", "b"})
	same(t, ids(now.Add(time.Hour-time.Millisecond)), []twinlatch.SessionID{"c", "a", "b"})
	same(t, ids(now.Add(time.Hour)), []twinlatch.SessionID{"c", "a"})

	deleted := func(except twinlatch.SessionID, want int) {
		t.Helper()
		s.tx(t, id, func(tx twinlatch.Tx) error {
			n, err := tx.DeleteSessions(except)
			same(t, n, want)
			return err
		})
	}
	deleted("a", 2)
	same(t, ids(now), []twinlatch.SessionID{"a"})
	deleted("a", 0)
	deleted("", 1)
	s.refused(t, twinlatch.ErrNotFound, id, func(tx twinlatch.Tx) error { return tx.DeleteSession("a") })
	same(t, ids(now), []twinlatch.SessionID(nil))

	for range twinlatch.MaxSessions + 1 {
		s.newSession(t, id, []byte("hash"))
	}
	same(t, len(ids(now)), twinlatch.MaxSessions)
	deleted("", twinlatch.MaxSessions+1)
}
