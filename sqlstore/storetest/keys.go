package storetest

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

func (s *suite) keys(t *testing.T) {
	type checks = map[string][]byte
	check := func(c checks) error { return s.store.CheckKeys(t.Context(), c) }
	wrong := func(c checks, key string) {
		t.Helper()
		err := check(c)
		is(t, err, twinlatch.ErrWrongKeys)
		if err != nil && !strings.Contains(err.Error(), key) {
			t.Errorf("%q does not name key %q", err, key)
		}
	}
	is(t, check(nil), nil)
	is(t, check(checks{"k1": allBytes()}), nil)
	is(t, check(checks{"k1": allBytes()}), nil)
	is(t, check(checks{"k1": allBytes(), "k2": {2}}), nil)
	wrong(nil, "k1")
	wrong(checks{"k1": allBytes()}, "k2")
	wrong(checks{"k1": allBytes(), "k2": {3}}, "k2")
	wrong(checks{"k2": {2}, "k3": {3}}, "k1")
	// The refused k3 was not remembered.
	is(t, check(checks{"k1": allBytes(), "k2": {2}}), nil)
	is(t, check(checks{"k1": allBytes(), "k2": {2}, "k3": {4}}), nil)
}

func (s *suite) starters(t *testing.T) {
	checks := map[string][]byte{"k1": {1}, "k2": {2}, "k3": {3}}
	race(t, callers, nil, func(int) error { return s.store.CheckKeys(t.Context(), checks) })
	race(t, callers, nil, func(int) error { return s.store.CheckKeys(t.Context(), checks) })
}

// otherStarters have a key of their own each: whoever is first decides, also on
// a store that was opened before.
func (s *suite) otherStarters(t *testing.T) {
	race(t, callers, nil, func(int) error { return s.store.CheckKeys(t.Context(), nil) })
	race(t, 1, twinlatch.ErrWrongKeys, func(caller int) error {
		return s.store.CheckKeys(t.Context(), map[string][]byte{fmt.Sprint("k", caller): {1}})
	})
}

func (s *suite) sweep(t *testing.T) {
	id := s.newAccount(t)
	session, challenge := s.newSession(t, id, nil), s.newChallenge(t, id, "session")
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.PutNetwork(sharedNetwork, now) })
	limit := twinlatch.Limit{Scope: "all", Name: "code", Most: 1, Window: time.Hour}
	is(t, s.take(t, limit, now), nil)
	const many = 2100 // old networks: more than fits in one statement
	prefix := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
	}
	s.tx(t, id, func(tx twinlatch.Tx) error {
		for i := range many {
			if err := tx.PutNetwork(prefix(i), now.Add(-time.Millisecond)); err != nil {
				return err
			}
		}
		return nil
	})
	s.appended(t, id, 3)
	remain := func(at time.Time, sessions, challenges, networks, limits bool) {
		t.Helper()
		if err := s.store.Sweep(t.Context(), at, now); err != nil {
			t.Fatal(err)
		}
		s.read(t, id, func(v twinlatch.View) error {
			_, err := v.Session(session.ID)
			same(t, err == nil, sessions)
			_, err = v.Challenge(challenge.ID, challenge.Session)
			same(t, err == nil, challenges)
			known, err := v.Verified(sharedNetwork, time.Time{})
			same(t, known, networks)
			return err
		})
		same(t, s.take(t, limit, now) != nil, limits)
	}
	remain(now, true, true, true, true)
	s.read(t, id, func(v twinlatch.View) error {
		for i := range many {
			if known, err := v.Verified(prefix(i), time.Time{}); known || err != nil {
				t.Fatalf("network %d: %v, %v", i, known, err)
			}
		}
		return nil
	})
	remain(challenge.ExpiresAt.Add(-time.Millisecond), true, true, true, true)
	remain(challenge.ExpiresAt, true, false, true, true)
	remain(session.ExpiresAt.Add(-time.Millisecond), true, false, true, true)
	remain(session.ExpiresAt, false, false, true, false) // the limit ends with it

	if err := s.store.Sweep(t.Context(), now, now.Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	s.read(t, id, func(v twinlatch.View) error {
		known, err := v.Verified(sharedNetwork, time.Time{})
		same(t, known, false)
		events, _ := v.Events(0, 10)
		same(t, len(events), 3)
		return err
	})
}
