package storetest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

func (s *suite) backupCodes(t *testing.T) {
	id := s.newAccount(t)
	have := func(want twinlatch.BackupCodes) {
		t.Helper()
		s.read(t, id, func(v twinlatch.View) error {
			got, err := v.BackupCodes()
			same(t, got, want)
			return err
		})
	}
	none := func() {
		t.Helper()
		s.read(t, id, func(v twinlatch.View) error {
			_, err := v.BackupCodes()
			is(t, err, twinlatch.ErrNotFound)
			return nil
		})
	}
	use := func(digest []byte) error {
		return s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error { return tx.UseBackupCode(digest, now) })
	}
	none()
	is(t, use([]byte{0}), twinlatch.ErrWrongCode)
	digests := [][]byte{{0}, {0xFF}, allBytes()}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.ReplaceBackupCodes(allBytes(), digests, now) })
	have(twinlatch.BackupCodes{Salt: allBytes(), Left: 3, Total: 3, CreatedAt: now})

	race(t, 1, twinlatch.ErrWrongCode, func(int) error { return use(allBytes()) })
	have(twinlatch.BackupCodes{Salt: allBytes(), Left: 2, Total: 3, CreatedAt: now})
	race(t, 2, twinlatch.ErrWrongCode, func(i int) error { return use(digests[i%3]) })
	have(twinlatch.BackupCodes{Salt: allBytes(), Left: 0, Total: 3, CreatedAt: now})
	is(t, use([]byte{1}), twinlatch.ErrWrongCode)

	later := now.Add(time.Hour)
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.ReplaceBackupCodes([]byte("salt"), [][]byte{{1}, {0}}, later) })
	have(twinlatch.BackupCodes{Salt: []byte("salt"), Left: 2, Total: 2, CreatedAt: later})
	is(t, use([]byte{0xFF}), twinlatch.ErrWrongCode)
	is(t, use([]byte{0}), nil)
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.ReplaceBackupCodes(nil, nil, later) })
	none()
	is(t, use([]byte{1}), twinlatch.ErrWrongCode)
}

func (s *suite) network(t *testing.T) {
	id := s.newAccount(t)
	v4, v6 := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("2001:db8:0:1::/64")
	verified := func(n netip.Prefix, since time.Time, want bool) {
		t.Helper()
		s.read(t, id, func(v twinlatch.View) error {
			got, err := v.Verified(n, since)
			if got != want {
				t.Errorf("%v since %v: %v", n, since, got)
			}
			return err
		})
	}
	put := func(n netip.Prefix, at time.Time) {
		t.Helper()
		s.tx(t, id, func(tx twinlatch.Tx) error { return tx.PutNetwork(n, at) })
	}
	verified(v4, time.Time{}, false)
	put(v4, now)
	verified(v4, now, true)
	verified(v4, now.Add(time.Millisecond), false)
	verified(v6, time.Time{}, false)
	put(v6, now)
	put(v4, now.Add(time.Hour))
	verified(v4, now.Add(time.Hour), true)
	verified(v6, now.Add(time.Hour), false)

	other := s.newAccount(t)
	s.tx(t, other, func(tx twinlatch.Tx) error { return tx.PutNetwork(v6, now) })
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.ForgetNetworks() })
	verified(v4, time.Time{}, false)
	verified(v6, time.Time{}, false)
	s.read(t, other, func(v twinlatch.View) error {
		kept, err := v.Verified(v6, now)
		if !kept {
			t.Error("another account has forgotten its network")
		}
		return err
	})

	// The unknown network is never a known one.
	put(netip.Prefix{}, now)
	verified(netip.Prefix{}, time.Time{}, false)
}
