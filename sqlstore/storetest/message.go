package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// newMessage writes a message of a challenge that is open until later.
func (s *suite) newMessage(t *testing.T, id twinlatch.AccountID, c twinlatch.ChallengeID, change func(*twinlatch.StoredMessage)) twinlatch.StoredMessage {
	t.Helper()
	m := twinlatch.StoredMessage{
		Account: id, ID: twinlatch.MessageID(s.id()), Challenge: c, Channel: twinlatch.Text, Route: "GB",
		Sealed: twinlatch.Sealed{Key: "k1", Text: allBytes()}, Tries: 1, Delivery: twinlatch.Queued,
		NextAt: now.Add(time.Second), CreatedAt: now, ExpiresAt: now.Add(10 * time.Minute),
	}
	if change != nil {
		change(&m)
	}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Enqueue(m) })
	return m
}

// asked is an open challenge of a session that lives.
func (s *suite) asked(t *testing.T, id twinlatch.AccountID) twinlatch.StoredChallenge {
	t.Helper()
	return s.newChallenge(t, id, s.newSession(t, id, []byte("hash")).ID)
}

// lease takes what is due at a time, for a minute.
func (s *suite) lease(t *testing.T, at time.Time, n int) []twinlatch.StoredMessage {
	t.Helper()
	due, err := s.store.Lease(t.Context(), at, at.Add(time.Minute), n)
	if err != nil {
		t.Fatal(err)
	}
	return due
}

func (s *suite) delivery(t *testing.T, id twinlatch.AccountID, c twinlatch.ChallengeID, want twinlatch.Delivery) {
	t.Helper()
	s.read(t, id, func(v twinlatch.View) error {
		got, err := v.Delivery(c)
		if want == "" {
			is(t, err, twinlatch.ErrNotFound)
			return nil
		}
		same(t, got, want)
		return err
	})
}

func (s *suite) outbox(t *testing.T) {
	id := s.newAccount(t)
	c := s.asked(t, id)
	m := s.newMessage(t, id, c.ID, nil)
	same(t, len(s.lease(t, now.Add(time.Second-time.Millisecond), 9)), 0)
	at := m.NextAt
	leased := m
	leased.Tries, leased.NextAt = 2, at.Add(time.Minute)
	same(t, s.lease(t, at, 9), []twinlatch.StoredMessage{leased})
	same(t, len(s.lease(t, at, 9)), 0)
	same(t, len(s.lease(t, at.Add(time.Minute-time.Millisecond), 9)), 0)

	// A lease that has ended can no longer say anything.
	again := s.lease(t, at.Add(time.Minute), 9)
	same(t, len(again), 1)
	leased.Delivery = twinlatch.Sent
	s.refused(t, twinlatch.ErrNotFound, id, func(tx twinlatch.Tx) error { return tx.Sent(leased) })
	s.delivery(t, id, c.ID, twinlatch.Queued)
	done := again[0]
	done.Delivery, done.Sender, done.Ref, done.NextAt = twinlatch.Sent, "twilio", "SM1", time.Time{}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Sent(done) })
	s.delivery(t, id, c.ID, twinlatch.Sent)
	same(t, len(s.lease(t, at.Add(5*time.Minute), 9)), 0)

	// The newest message of a challenge counts.
	s.newMessage(t, id, c.ID, func(m *twinlatch.StoredMessage) { m.CreatedAt = now.Add(time.Second); m.NextAt = time.Time{} })
	s.delivery(t, id, c.ID, twinlatch.Queued)
	s.delivery(t, id, "another", "")

	// What nobody needs any more is not due: its challenge was answered, has
	// ended or is gone, or it is of no use by now.
	for name, end := range map[string]func(twinlatch.Tx, twinlatch.StoredChallenge) error{
		"answered":   func(tx twinlatch.Tx, c twinlatch.StoredChallenge) error { return tx.Answered(c.ID) },
		"consumed":   func(tx twinlatch.Tx, c twinlatch.StoredChallenge) error { return tx.Consume(c.ID, c.Session, now) },
		"removed":    func(tx twinlatch.Tx, _ twinlatch.StoredChallenge) error { return tx.DeleteAll() },
		"signed out": func(tx twinlatch.Tx, c twinlatch.StoredChallenge) error { return tx.DeleteSession(c.Session) },
		"without tries": func(tx twinlatch.Tx, c twinlatch.StoredChallenge) error {
			for range c.TriesLeft {
				if _, err := tx.Spend(c.ID, c.Session, now); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		c := s.asked(t, id)
		s.newMessage(t, id, c.ID, nil)
		s.tx(t, id, func(tx twinlatch.Tx) error { return end(tx, c) })
		if due := s.lease(t, now.Add(2*time.Second), 9); len(due) != 0 {
			t.Errorf("%s: still due", name)
		}
	}
	c = s.asked(t, id)
	late := s.newMessage(t, id, c.ID, nil)
	same(t, len(s.lease(t, late.ExpiresAt, 9)), 0)
}

// notices are messages without a challenge: only their own end ends them.
func (s *suite) notices(t *testing.T) {
	id := s.newAccount(t)
	c := s.asked(t, id)
	end := now.Add(24 * time.Hour)
	m := s.newMessage(t, id, "", func(m *twinlatch.StoredMessage) {
		m.Channel, m.Route, m.Tries, m.NextAt, m.ExpiresAt = twinlatch.Email, "", 0, now, end
	})
	s.tx(t, id, func(tx twinlatch.Tx) error {
		return errors.Join(tx.Answered(c.ID), tx.Consume(c.ID, c.Session, now), tx.DeleteSession(c.Session), tx.DeleteAll())
	})
	leased := m
	leased.Tries, leased.NextAt = 1, now.Add(time.Minute)
	same(t, s.lease(t, now, 9), []twinlatch.StoredMessage{leased})
	same(t, len(s.lease(t, now, 9)), 0)

	// Nobody took it: it is tried again, until the last moment.
	leased.NextAt = end.Add(-time.Millisecond)
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Sent(leased) })
	same(t, len(s.lease(t, leased.NextAt.Add(-time.Millisecond), 9)), 0)
	again := s.lease(t, leased.NextAt, 9)
	same(t, len(again), 1)
	same(t, again[0].Tries, 2)
	same(t, len(s.lease(t, end, 9)), 0)

	// What was sent is kept until its end and then forgotten, uncounted.
	done := again[0]
	done.Delivery, done.Sender, done.NextAt = twinlatch.Sent, "smtp", time.Time{}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Sent(done) })
	_, err := s.store.Settle(t.Context(), end.Add(-time.Millisecond))
	is(t, err, nil)
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Sent(done) })
	paused, err := s.store.Settle(t.Context(), end)
	is(t, err, nil)
	same(t, len(paused), 0)
	s.refused(t, twinlatch.ErrNotFound, id, func(tx twinlatch.Tx) error { return tx.Sent(done) })
}

// Of many messages each is had by one of many callers, those due first first.
func (s *suite) leaseOnce(t *testing.T) {
	id := s.newAccount(t)
	want := map[twinlatch.MessageID]bool{}
	for i := range 40 {
		c := s.asked(t, id)
		m := s.newMessage(t, id, c.ID, func(m *twinlatch.StoredMessage) { m.NextAt = now.Add(-time.Duration(i) * time.Second) })
		want[m.ID] = true
	}
	first := s.lease(t, now, 1)
	if len(first) != 1 || !first[0].NextAt.Equal(now.Add(time.Minute)) {
		t.Fatalf("leased %v", first)
	}
	delete(want, first[0].ID)
	var mu sync.Mutex
	race(t, callers, nil, func(int) error {
		due, err := s.store.Lease(t.Context(), now, now.Add(time.Minute), 3)
		mu.Lock()
		defer mu.Unlock()
		for _, m := range due {
			if !want[m.ID] {
				t.Errorf("%s was had twice", m.ID)
			}
			delete(want, m.ID)
		}
		return err
	})
	for _, m := range s.lease(t, now, 99) {
		delete(want, m.ID)
	}
	same(t, len(want), 0)
}

func (s *suite) receipts(t *testing.T) {
	id := s.newAccount(t)
	c := s.newChallenge(t, id, "session")
	m := s.newMessage(t, id, c.ID, nil)
	tell := func(r twinlatch.Receipt) error { return s.store.Receive(t.Context(), r) }
	is(t, tell(twinlatch.Receipt{Sender: "twilio", Ref: "SM-" + string(m.ID), Delivery: twinlatch.Failed}), twinlatch.ErrNotFound)
	is(t, tell(twinlatch.Receipt{Sender: "twilio", Message: "another", Delivery: twinlatch.Failed}), twinlatch.ErrNotFound)

	// While nobody took it nobody can have failed to deliver it.
	is(t, tell(twinlatch.Receipt{Sender: "twilio", Message: m.ID, Delivery: twinlatch.Failed}), twinlatch.ErrNotFound)
	s.delivery(t, id, c.ID, twinlatch.Queued)
	m.Delivery, m.Sender, m.Ref, m.NextAt = twinlatch.Sent, "twilio", "SM-"+string(m.ID), time.Time{}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Sent(m) })
	is(t, tell(twinlatch.Receipt{Sender: "vonage", Message: m.ID, Delivery: twinlatch.Failed}), twinlatch.ErrNotFound)
	s.delivery(t, id, c.ID, twinlatch.Sent)
	is(t, tell(twinlatch.Receipt{Sender: "twilio", Message: m.ID, Delivery: twinlatch.Failed}), nil)
	s.delivery(t, id, c.ID, twinlatch.Failed)

	// A receipt that overtakes our own note stays, and ends the matter.
	early := s.newMessage(t, id, s.asked(t, id).ID, nil)
	is(t, tell(twinlatch.Receipt{Sender: "twilio", Message: early.ID, Delivery: twinlatch.Delivered}), nil)
	early.NextAt = now.Add(time.Second) // the vendor's answer was lost: to be tried again
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Sent(early) })
	s.delivery(t, id, early.Challenge, twinlatch.Delivered)
	for _, due := range s.lease(t, now.Add(time.Minute), 99) {
		if due.ID == early.ID {
			t.Error("what was delivered is sent again")
		}
	}

	is(t, tell(twinlatch.Receipt{Sender: "vonage", Ref: m.Ref, Delivery: twinlatch.Delivered}), twinlatch.ErrNotFound)
	is(t, tell(twinlatch.Receipt{Sender: "twilio", Ref: m.Ref, Delivery: twinlatch.Delivered}), nil)
	s.delivery(t, id, c.ID, twinlatch.Delivered)
	is(t, tell(twinlatch.Receipt{Sender: "twilio", Ref: m.Ref, Delivery: twinlatch.Failed}), nil)
	s.delivery(t, id, c.ID, twinlatch.Delivered)
}

func (s *suite) resend(t *testing.T) {
	id := s.newAccount(t)
	c := s.newChallenge(t, id, "session")
	again := func(c twinlatch.ChallengeID, session twinlatch.SessionID, at, next time.Time) error {
		return s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error { return tx.Resend(c, session, at, next) })
	}
	is(t, again(c.ID, c.Session, now, now), twinlatch.ErrExpired) // it has no message
	c = twinlatch.StoredChallenge{
		Challenge: twinlatch.Challenge{
			ID: twinlatch.ChallengeID(s.id()), Session: "session", Purpose: twinlatch.Verify, Kind: "text", Factor: "phone", TriesLeft: 5,
			ResendAt: now.Add(30 * time.Second), ExpiresAt: now.Add(time.Minute),
		},
		Sealed: twinlatch.Sealed{Key: "k1", Text: allBytes()}, CreatedAt: now,
	}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.InsertChallenge(c) })
	s.read(t, id, func(v twinlatch.View) error {
		got, err := v.Newest(c.Session, twinlatch.Verify)
		same(t, got, c)
		return err
	})
	at := c.ResendAt
	until(t, again(c.ID, c.Session, at.Add(-time.Millisecond), at), at)
	is(t, again(c.ID, "another", at, at), twinlatch.ErrExpired)
	is(t, again("another", c.Session, at, at), twinlatch.ErrExpired)
	next := at.Add(20 * time.Second)
	race(t, 1, twinlatch.ErrLimited, func(int) error { return again(c.ID, c.Session, at, next) })
	until(t, again(c.ID, c.Session, at, next), next)
	is(t, again(c.ID, c.Session, next, next.Add(time.Second)), nil)
	is(t, again(c.ID, c.Session, c.ExpiresAt, c.ExpiresAt.Add(time.Hour)), twinlatch.ErrExpired)
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Consume(c.ID, c.Session, next) })
	is(t, again(c.ID, c.Session, next.Add(time.Second), c.ExpiresAt), twinlatch.ErrExpired)
	s.read(t, id, func(v twinlatch.View) error {
		_, err := v.Newest("no session", twinlatch.Verify)
		is(t, err, twinlatch.ErrNotFound)
		return nil
	})
}

// routes: a route whose codes nobody types back is paused.
func (s *suite) routes(t *testing.T) {
	id := s.newAccount(t)
	at := now
	batch := func(route string, messages, answered int, delivery twinlatch.Delivery) []string {
		t.Helper()
		end := at.Add(10 * time.Minute)
		for i := range messages {
			c := twinlatch.ChallengeID(s.id())
			m := s.newMessage(t, id, c, func(m *twinlatch.StoredMessage) {
				m.Route, m.CreatedAt, m.ExpiresAt, m.NextAt = route, at, end, time.Time{}
			})
			m.Delivery = delivery
			s.tx(t, id, func(tx twinlatch.Tx) error {
				if err := tx.Sent(m); err != nil || i >= answered {
					return err
				}
				return tx.Answered(c)
			})
		}
		early, err := s.store.Settle(t.Context(), end.Add(-time.Millisecond))
		is(t, err, nil)
		same(t, len(early), 0)
		// Every process settles; each message is counted once.
		var all []string
		var mu sync.Mutex
		race(t, callers, nil, func(int) error {
			paused, err := s.store.Settle(t.Context(), end)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, paused...)
			return err
		})
		at = end
		return all
	}
	paused := func(route string, at time.Time, want time.Time) {
		t.Helper()
		err := s.store.Paused(t.Context(), route, at)
		if want.IsZero() {
			is(t, err, nil)
			return
		}
		until(t, err, want)
	}
	paused("GB", at, time.Time{})
	same(t, batch("GB", 49, 0, twinlatch.Sent), []string(nil))
	paused("GB", at, time.Time{})
	same(t, batch("GB", 1, 0, twinlatch.Delivered), []string{"GB"})
	end := at.Add(twinlatch.PausedFor)
	paused("GB", at, end)
	paused("GB", end.Add(-time.Millisecond), end)
	paused("GB", end, time.Time{})
	paused("FR", at, time.Time{})

	same(t, batch("FR", 50, 10, twinlatch.Sent), []string(nil)) // one in five is enough
	same(t, batch("FR", 50, 9, twinlatch.Sent), []string{"FR"})
	same(t, batch("", 60, 0, twinlatch.Sent), []string(nil)) // no route, nothing to pause
	same(t, batch("DE", 60, 0, twinlatch.Failed), []string(nil))
	if err := s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
		return tx.Enqueue(twinlatch.StoredMessage{Account: "another"})
	}); err == nil || errors.Is(err, twinlatch.ErrNotFound) {
		t.Errorf("a message of another account: %v", err)
	}
	routes := batch("US", 50, 0, twinlatch.Sent)
	slices.Sort(routes)
	same(t, routes, []string{"US"})
}
