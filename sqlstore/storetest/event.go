package storetest

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

func (s *suite) event(t *testing.T) {
	id := s.newAccount(t)
	s.read(t, id, func(v twinlatch.View) error {
		seq, hash, err := v.Head()
		if seq != 0 || len(hash) != 0 {
			t.Errorf("head is %d, %x", seq, hash)
		}
		events, none := v.Events(0, 10)
		if len(events) != 0 || none != nil {
			t.Errorf("%d events, %v", len(events), none)
		}
		return err
	})
	full := twinlatch.Event{
		Account: id, Seq: 1, At: now, Type: twinlatch.EventVerified, Actor: "self",
		Detail: twinlatch.Detail{
			Salt: allBytes(), IP: netip.MustParseAddr("2001:db8::1"), UserAgent: "Zoë's <browser> & 🦊 \u2028\x00\\",
			More: map[string]string{"kind": "totp", "name": "Рабочий 'телефон'", "": ""},
		},
		DetailDigest: allBytes(), Hash: allBytes(),
	}
	erased := twinlatch.Event{Account: id, Seq: 2, At: now.Add(time.Second), DetailDigest: []byte{0}, Hash: []byte{0}}
	salted := twinlatch.Event{Account: id, Seq: 3, Detail: twinlatch.Detail{Salt: []byte{0xFF}}, DetailDigest: []byte{1}, Hash: []byte{1}}
	for _, e := range []twinlatch.Event{full, erased, salted} {
		s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Append(e) })
		s.read(t, id, func(v twinlatch.View) error {
			seq, hash, err := v.Head()
			same(t, seq, e.Seq)
			same(t, hash, e.Hash)
			return err
		})
	}
	s.read(t, id, func(v twinlatch.View) error {
		got, err := v.Events(0, 10)
		same(t, got, []twinlatch.Event{salted, erased, full})
		if err == nil { // its digest is over these bytes
			want, _ := json.Marshal(full.Detail)
			have, _ := json.Marshal(got[2].Detail)
			same(t, string(have), string(want))
		}
		return err
	})
}

// appended appends events with the numbers from 1 to n.
func (s *suite) appended(t *testing.T, id twinlatch.AccountID, n int64) {
	t.Helper()
	s.tx(t, id, func(tx twinlatch.Tx) error {
		for seq := int64(1); seq <= n; seq++ {
			if err := tx.Append(twinlatch.Event{Account: id, Seq: seq, At: now}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *suite) eventPages(t *testing.T) {
	id := s.newAccount(t)
	s.appended(t, id, 7)
	for _, page := range []struct {
		before int64
		n      int
		want   []int64
	}{
		{0, 3, []int64{7, 6, 5}},
		{5, 3, []int64{4, 3, 2}},
		{2, 3, []int64{1}},
		{1, 3, nil},
		{100, 1, []int64{7}},
		{0, 0, nil},
	} {
		s.read(t, id, func(v twinlatch.View) error {
			events, err := v.Events(page.before, page.n)
			var got []int64
			for _, e := range events {
				got = append(got, e.Seq)
			}
			same(t, got, page.want)
			return err
		})
	}
}

func (s *suite) chain(t *testing.T) {
	// All at the same head: one is next.
	id := s.newAccount(t)
	race(t, 1, twinlatch.ErrExists, func(caller int) error {
		return s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
			return tx.Append(twinlatch.Event{Account: id, Seq: 1, At: now, Hash: []byte{byte(caller)}})
		})
	})
	for _, seq := range []int64{-1, 0, 1, 3} {
		s.refused(t, twinlatch.ErrExists, id, func(tx twinlatch.Tx) error {
			return tx.Append(twinlatch.Event{Account: id, Seq: seq, At: now})
		})
	}
	s.refused(t, twinlatch.ErrExists, "nobody", func(tx twinlatch.Tx) error {
		return tx.Append(twinlatch.Event{Account: "nobody", Seq: 1, At: now})
	})

	// Each after its Lock: all, without a fork or a gap. DetailDigest holds
	// the head that each has seen.
	id = s.newAccount(t)
	race(t, callers, nil, func(caller int) error {
		return s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
			if err := tx.Lock(); err != nil {
				return err
			}
			seq, hash, err := tx.Head()
			if err != nil {
				return err
			}
			return tx.Append(twinlatch.Event{
				Account: id, Seq: seq + 1, At: now, DetailDigest: hash, Hash: []byte{byte(caller)},
			})
		})
	})
	s.read(t, id, func(v twinlatch.View) error {
		events, err := v.Events(0, 2*callers)
		if len(events) != callers {
			t.Fatalf("%d events", len(events))
		}
		seq, hash, _ := v.Head()
		for i, e := range events {
			if e.Seq != seq-int64(i) || string(e.Hash) != string(hash) {
				t.Fatalf("event %d does not follow", e.Seq)
			}
			hash = e.DetailDigest
		}
		if len(hash) != 0 {
			t.Errorf("the first event follows %x", hash)
		}
		return err
	})
}

func (s *suite) newestEvent(t *testing.T) {
	newest := func(want time.Time) {
		t.Helper()
		got, err := s.store.NewestEvent(t.Context())
		if err != nil || !got.Equal(want) {
			t.Errorf("newest is %v, %v; want %v", got, err, want)
		}
	}
	newest(time.Time{})
	for _, minute := range []time.Duration{2, 5, 3} {
		id := s.newAccount(t)
		s.tx(t, id, func(tx twinlatch.Tx) error {
			return tx.Append(twinlatch.Event{Account: id, Seq: 1, At: now.Add(minute * time.Minute)})
		})
	}
	newest(now.Add(5 * time.Minute))
}
