// Package storetest is the suite that every twinlatch.Store must pass:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) twinlatch.Store { … })
//	}
//
// It checks that everything comes back as it was written, that an account never
// reaches another one, that a transaction is kept whole or not at all, and that
// each guard lets exactly the allowed number of 64 concurrent callers through.
package storetest

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Run runs the suite. open opens a new, empty Store and closes it when its test
// ends.
func Run(t *testing.T, open func(t *testing.T) twinlatch.Store) {
	s := &suite{store: open(t)}
	for _, test := range []struct {
		name string
		run  func(*suite, *testing.T)
	}{
		{"account", (*suite).account},
		{"account, one login", (*suite).oneLogin},
		{"account, lock", (*suite).lock},
		{"account, language", (*suite).locale},
		{"account, update", (*suite).updateAccount},
		{"account, hold", (*suite).hold},
		{"account, reserved login", (*suite).reserved},
		{"account, erase", (*suite).erase},
		{"administer", (*suite).administer},
		{"account, preferred factor", (*suite).preferred},
		{"account, password", (*suite).password},
		{"factor", (*suite).factor},
		{"factor, one of a kind", (*suite).oneOfAKind},
		{"factor, delete", (*suite).deleteFactor},
		{"factor, delete all", (*suite).deleteAll},
		{"factor, advance", (*suite).advance},
		{"factor, copied", (*suite).copied},
		{"factor, removing the last two", (*suite).removeLastTwo},
		{"challenge", (*suite).challenge},
		{"challenge, open", (*suite).openChallenge},
		{"challenge, spend", (*suite).spend},
		{"challenge, consume", (*suite).consume},
		{"challenge, settle", (*suite).settle},
		{"challenge, send again", (*suite).resend},
		{"message, receipts", (*suite).receipts},
		{"ticket", (*suite).ticket},
		{"ticket, hand-over", (*suite).handOverTicket},
		{"session", (*suite).session},
		{"session, absent", (*suite).absentSession},
		{"session, update", (*suite).updateSession},
		{"session, touch", (*suite).touch},
		{"session, list and delete", (*suite).listSessions},
		{"session, hosts", (*suite).host},
		{"session, end of hosts", (*suite).hostsEnd},
		{"backup codes", (*suite).backupCodes},
		{"network", (*suite).network},
		{"limit", (*suite).limit},
		{"limit, return", (*suite).returnLimit},
		{"tries, free", (*suite).triesFree},
		{"tries, most", (*suite).triesMost},
		{"tries, daily", (*suite).triesDaily},
		{"tries, concurrent", (*suite).triesConcurrent},
		{"event", (*suite).event},
		{"event, pages", (*suite).eventPages},
		{"event, chain", (*suite).chain},
		{"transaction", (*suite).transaction},
		{"transaction, view", (*suite).view},
		{"isolation", (*suite).isolation},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(s, t) })
	}
	for _, test := range []struct {
		name string
		run  func(*suite, *testing.T)
	}{
		{"keys", (*suite).keys},
		{"keys, several starters", (*suite).starters},
		{"keys, starters with other keys", (*suite).otherStarters},
		{"keys, uses", (*suite).keyUses},
		{"keys, texts under one", (*suite).under},
		{"keys, reseal", (*suite).reseal},
		{"keys, retire", (*suite).retire},
		{"requirements", (*suite).requirements},
		{"account, lists", (*suite).lists},
		{"event, newest", (*suite).newestEvent},
		{"trail, all events", (*suite).allEvents},
		{"trail, chains", (*suite).chains},
		{"trail, checkpoints", (*suite).checkpoints},
		{"message, outbox", (*suite).outbox},
		{"message, without a challenge", (*suite).notices},
		{"message, lease", (*suite).leaseOnce},
		{"message, routes", (*suite).routes},
		{"requests", (*suite).requests},
		{"sweep", (*suite).sweep},
		{"sweep, hosts", (*suite).hostsSwept},
		{"close", (*suite).close},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(&suite{store: open(t)}, t) })
	}
}

const callers = 64

// now has milliseconds, to see whether they are kept.
var now = time.Date(2027, 1, 15, 8, 0, 0, 123e6, time.UTC)

type suite struct {
	store twinlatch.Store
	last  atomic.Int64
}

// id is one that nothing else in the suite has.
func (s *suite) id() string { return fmt.Sprintf("%026d", s.last.Add(1)) }

// tx runs a transaction that has to succeed.
func (s *suite) tx(t *testing.T, id twinlatch.AccountID, fn func(twinlatch.Tx) error) {
	t.Helper()
	if err := s.store.Tx(t.Context(), id, fn); err != nil {
		t.Fatal(err)
	}
}

// refused runs a transaction that has to fail with want.
func (s *suite) refused(t *testing.T, want error, id twinlatch.AccountID, fn func(twinlatch.Tx) error) {
	t.Helper()
	if err := s.store.Tx(t.Context(), id, fn); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// read runs a view that has to succeed.
func (s *suite) read(t *testing.T, id twinlatch.AccountID, fn func(twinlatch.View) error) {
	t.Helper()
	if err := s.store.View(t.Context(), id, fn); err != nil {
		t.Fatal(err)
	}
}

// newAccount inserts an account.
func (s *suite) newAccount(t *testing.T) twinlatch.AccountID {
	t.Helper()
	id := s.id()
	a := twinlatch.Account{
		ID: twinlatch.AccountID(id), Realm: twinlatch.MainRealm, Login: id + "@example.com",
		DisplayName: "Ann", Locale: "en", CreatedAt: now,
	}
	s.tx(t, a.ID, func(tx twinlatch.Tx) error { return tx.InsertAccount(a) })
	return a.ID
}

func (s *suite) newFactor(t *testing.T, id twinlatch.AccountID, kind twinlatch.Kind) twinlatch.StoredFactor {
	t.Helper()
	f := twinlatch.StoredFactor{
		Factor: twinlatch.Factor{ID: twinlatch.FactorID(s.id()), Kind: kind, Name: "Phone", CreatedAt: now},
		Digest: []byte(s.id()), Sealed: twinlatch.Sealed{Key: "k1", Text: []byte("sealed")},
	}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.InsertFactor(f) })
	return f
}

func (s *suite) newChallenge(t *testing.T, id twinlatch.AccountID, session twinlatch.SessionID) twinlatch.StoredChallenge {
	t.Helper()
	c := twinlatch.StoredChallenge{
		Challenge: twinlatch.Challenge{
			ID: twinlatch.ChallengeID(s.id()), Purpose: twinlatch.Verify, Session: session, Kind: "totp",
			TriesLeft: 5, ExpiresAt: now.Add(10 * time.Minute),
		},
		Sealed: twinlatch.Sealed{Key: "k1", Text: []byte("sealed")}, CreatedAt: now,
	}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.InsertChallenge(c) })
	return c
}

func (s *suite) newSession(t *testing.T, id twinlatch.AccountID, secretHash []byte) twinlatch.Session {
	t.Helper()
	n := twinlatch.Session{
		Account: id, ID: twinlatch.SessionID(s.id()), UserAgent: "Firefox", CreatedAt: now, PasswordAt: now,
		SeenAt: now, SeenIP: netip.MustParseAddr("192.0.2.1"), ExpiresAt: now.Add(time.Hour),
	}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.InsertSession(n, secretHash) })
	return n
}

// race calls fn from 64 goroutines at once; exactly allowed of the calls
// succeed, all others fail with want.
func race(t *testing.T, allowed int, want error, fn func(caller int) error) {
	t.Helper()
	errs := make([]error, callers)
	start := make(chan struct{})
	var ready, done sync.WaitGroup
	for i := range callers {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			errs[i] = fn(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	succeeded := 0
	for _, err := range errs {
		switch {
		case err == nil:
			succeeded++
		case !errors.Is(err, want):
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if succeeded != allowed {
		t.Errorf("%d of %d callers succeeded, want %d", succeeded, callers, allowed)
	}
}

// same compares what was read with what was written.
func same(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

// is checks an error.
func is(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// allBytes has every byte, 0x00 and 0xFF included.
func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}
