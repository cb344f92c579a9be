package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// sealedRows puts one text of each table that the contract of Tx has under key,
// for each of n accounts, and returns where they lie.
func (s *suite) sealedRows(t *testing.T, key string, n int) map[twinlatch.Place]string {
	t.Helper()
	all := map[twinlatch.Place]string{}
	for range n {
		id := s.newAccount(t)
		put := func(table, row string) twinlatch.Sealed {
			text := "text " + s.id()
			all[twinlatch.Place{Account: id, Table: table, Row: row}] = text
			return twinlatch.Sealed{Key: key, Text: []byte(text)}
		}
		factor, challenge, message := s.id(), s.id(), s.id()
		s.tx(t, id, func(tx twinlatch.Tx) error {
			for _, write := range []func() error{
				func() error { return tx.PutPassword(put("passwords", ""), now) },
				func() error {
					return tx.InsertFactor(twinlatch.StoredFactor{
						Factor: twinlatch.Factor{ID: twinlatch.FactorID(factor), Kind: "totp", CreatedAt: now}, Digest: []byte(factor), Sealed: put("factors", factor),
					})
				},
				func() error {
					return tx.InsertChallenge(twinlatch.StoredChallenge{
						Challenge: twinlatch.Challenge{ID: twinlatch.ChallengeID(challenge), Purpose: twinlatch.Verify, TriesLeft: 5, ExpiresAt: now.Add(time.Minute)},
						Sealed:    put("challenges", challenge), CreatedAt: now,
					})
				},
				func() error {
					return tx.Enqueue(twinlatch.StoredMessage{
						Account: id, ID: twinlatch.MessageID(message), Challenge: twinlatch.ChallengeID(challenge), Channel: "sms",
						Delivery: twinlatch.Queued, Sealed: put("outbox", message), CreatedAt: now, ExpiresAt: now.Add(time.Minute),
					})
				},
			} {
				if err := write(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return all
}

// texts reads all that lies under a key, in pages of n.
func (s *suite) texts(t *testing.T, key string, n int) (all []twinlatch.SealedText) {
	t.Helper()
	for behind := (twinlatch.Place{}); ; {
		page, err := s.store.Under(t.Context(), key, behind, n)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) > n {
			t.Fatalf("a page of %d has %d", n, len(page))
		}
		all = append(all, page...)
		if len(page) < n {
			return all
		}
		behind = page[n-1].Place
	}
}

func (s *suite) keyUses(t *testing.T) {
	is(t, s.store.CheckKeys(t.Context(), map[string][]byte{"old": {1}, "new": {2}}), nil)
	seen := func(key string, at time.Time, want error) {
		t.Helper()
		is(t, s.store.Sealing(t.Context(), key, at), want)
	}
	seen("old", now, nil)
	seen("old", now.Add(time.Minute), nil)
	seen("old", now, nil) // somebody with a clock that is behind
	seen("other", now, twinlatch.ErrWrongKeys)
	seen("", now, twinlatch.ErrWrongKeys)
	s.sealedRows(t, "old", 3)
	s.sealedRows(t, "lost", 1)
	uses, err := s.store.KeyUses(t.Context())
	is(t, err, nil)
	each := func(n int) map[string]int {
		return map[string]int{"passwords": n, "factors": n, "challenges": n, "outbox": n}
	}
	same(t, uses, map[string]twinlatch.KeyUse{
		"old":  {Texts: each(3), SeenAt: now.Add(time.Minute)},
		"new":  {Texts: map[string]int{}},
		"lost": {Texts: each(1)},
	})
}

func (s *suite) under(t *testing.T) {
	want := s.sealedRows(t, "old", 5)
	s.sealedRows(t, "new", 2)
	for _, n := range []int{1, 2, 3, 4, 5, 7, 19, 20, 21, 1000} {
		have := map[twinlatch.Place]string{}
		for _, text := range s.texts(t, "old", n) {
			have[text.Place] = string(text.Text)
			same(t, text.Key, "old")
		}
		same(t, have, want)
	}
	same(t, len(s.texts(t, "nobody's", 10)), 0)
	none, err := s.store.Under(t.Context(), "old", twinlatch.Place{}, 0)
	if len(none) > 0 || err != nil {
		t.Errorf("none is %v, %v", none, err)
	}
}

// A text is replaced where it is still the same, once.
func (s *suite) reseal(t *testing.T) {
	s.sealedRows(t, "old", 3)
	old := s.texts(t, "old", 100)
	var all []twinlatch.Resealed
	for _, text := range old {
		all = append(all, twinlatch.Resealed{Place: text.Place, Old: text.Sealed, New: twinlatch.Sealed{Key: "new", Text: []byte("new " + string(text.Text))}})
	}
	var first twinlatch.AccountID // has a new password meanwhile
	for _, text := range old {
		if text.Table == "passwords" {
			first = text.Account
			break
		}
	}
	s.tx(t, first, func(tx twinlatch.Tx) error {
		return tx.PutPassword(twinlatch.Sealed{Key: "old", Text: []byte("changed")}, now)
	})
	counts := make([]int, callers)
	race(t, callers, nil, func(caller int) (err error) {
		counts[caller], err = s.store.Reseal(t.Context(), all)
		return err
	})
	slices.Sort(counts)
	same(t, counts[callers-1], len(all)-1)
	same(t, counts[callers-2], 0)
	left := s.texts(t, "old", 100)
	if len(left) != 1 || string(left[0].Text) != "changed" || left[0].Account != first {
		t.Errorf("left: %q", left)
	}
	for _, text := range s.texts(t, "new", 100) {
		i := slices.IndexFunc(all, func(r twinlatch.Resealed) bool { return r.Place == text.Place })
		same(t, string(text.Text), string(all[i].New.Text))
	}
	_, err := s.store.Reseal(t.Context(), []twinlatch.Resealed{{Place: twinlatch.Place{Table: "accounts"}}})
	if err == nil {
		t.Error("nothing is sealed in accounts")
	}
}

func (s *suite) retire(t *testing.T) {
	check := func(ids ...string) error {
		checks := map[string][]byte{}
		for _, id := range ids {
			checks[id] = []byte(id)
		}
		return s.store.CheckKeys(t.Context(), checks)
	}
	retire := func(key string, want error) {
		t.Helper()
		is(t, s.store.Retire(t.Context(), key, now, now.Add(time.Hour)), want)
	}
	is(t, check("mac", "old", "new"), nil)
	is(t, s.store.Sealing(t.Context(), "old", now.Add(time.Millisecond)), nil)
	retire("old", twinlatch.ErrExists) // it was seen
	is(t, check("mac", "new"), twinlatch.ErrWrongKeys)
	retire("other", twinlatch.ErrNotFound)
	retire("", twinlatch.ErrNotFound)

	s.sealedRows(t, "new", 1)
	for _, text := range s.texts(t, "new", 10) { // of any table
		retire("new", twinlatch.ErrExists)
		_, err := s.store.Reseal(t.Context(), []twinlatch.Resealed{{Place: text.Place, Old: text.Sealed, New: twinlatch.Sealed{Key: "old"}}})
		is(t, err, nil)
	}
	race(t, callers, nil, func(int) error { return s.store.Retire(t.Context(), "new", now, now.Add(time.Hour)) })
	is(t, check("mac", "old"), nil)
	is(t, check("mac", "old", "new"), nil) // somebody still has it
	is(t, check("mac", "old"), nil)
	is(t, s.store.CheckKeys(t.Context(), map[string][]byte{"mac": []byte("mac"), "old": []byte("old"), "new": {0}}), twinlatch.ErrWrongKeys)
	is(t, s.store.Sealing(t.Context(), "new", now), twinlatch.ErrWrongKeys)
	uses, err := s.store.KeyUses(t.Context())
	is(t, err, nil)
	same(t, uses["new"], twinlatch.KeyUse{Texts: map[string]int{}, RetiredAt: now.Add(time.Hour)})
	same(t, fmt.Sprint(uses["old"].Texts), "map[challenges:1 factors:1 outbox:1 passwords:1]")
}
