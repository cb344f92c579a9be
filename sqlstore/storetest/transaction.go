package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

func (s *suite) transaction(t *testing.T) {
	id := s.filled(t)
	before := s.snapshot(t, id)
	boom := errors.New("boom")
	changeAll := func(tx twinlatch.Tx) error {
		var errs []error
		for _, w := range writes(before) {
			errs = append(errs, w.run(tx))
		}
		return errors.Join(errs...)
	}
	t.Run("fn fails", func(t *testing.T) {
		for _, w := range writes(before) {
			err := s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
				if err := w.run(tx); err != nil {
					t.Errorf("%s: %v", w.name, err)
				}
				return boom
			})
			if err != boom {
				t.Errorf("got %v, want the error of fn as it is", err)
			}
			same(t, s.snapshot(t, id), before)
		}
	})
	t.Run("fn panics", func(t *testing.T) {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is lost")
				}
			}()
			_ = s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
				_ = tx.DeleteAll()
				panic("boom")
			})
		}()
		same(t, s.snapshot(t, id), before)
		s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Lock() }) // and nothing is still locked
	})
	t.Run("context ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := s.store.Tx(ctx, id, func(tx twinlatch.Tx) error {
			err := tx.DeleteAll()
			cancel()
			return err
		})
		is(t, err, context.Canceled)
		same(t, s.snapshot(t, id), before)
		is(t, s.store.Tx(ctx, id, func(twinlatch.Tx) error { return nil }), context.Canceled)
		is(t, s.store.View(ctx, id, func(twinlatch.View) error { return nil }), context.Canceled)
		_, err = s.store.Session(ctx, id, before.Sessions[0].Session.ID)
		is(t, err, context.Canceled)
	})
	t.Run("reads what it wrote", func(t *testing.T) {
		s.refused(t, boom, id, func(tx twinlatch.Tx) error {
			if err := tx.DeleteAll(); err != nil {
				return err
			}
			if a, err := tx.Account(); err != nil || a.TwoStep {
				t.Errorf("got %+v, %v", a, err)
			}
			return boom
		})
	})
	t.Run("of another account", func(t *testing.T) {
		for name, write := range map[string]func(twinlatch.Tx) error{
			"account":        func(tx twinlatch.Tx) error { return tx.InsertAccount(twinlatch.Account{ID: "other", Login: s.id()}) },
			"session":        func(tx twinlatch.Tx) error { return tx.InsertSession(twinlatch.Session{Account: "other"}, nil) },
			"update session": func(tx twinlatch.Tx) error { return tx.UpdateSession(twinlatch.Session{Account: "other"}, nil, nil) },
			"event":          func(tx twinlatch.Tx) error { return tx.Append(twinlatch.Event{Account: "other", Seq: before.Seq + 1}) },
		} {
			if err := s.store.Tx(t.Context(), id, write); err == nil {
				t.Errorf("%s of another account was written", name)
			}
		}
		same(t, s.snapshot(t, id), before)
	})
	t.Run("kept whole", func(t *testing.T) {
		s.tx(t, id, changeAll)
		after := s.snapshot(t, id)
		if after.Seq != before.Seq+1 || len(after.Events) != len(before.Events)+1 || len(after.Factors) != 0 || len(after.Sessions) != 0 {
			t.Errorf("got %+v", after)
		}
	})
}

func (s *suite) view(t *testing.T) {
	id := s.filled(t)
	before := s.snapshot(t, id)
	boom := errors.New("boom")
	if err := s.store.View(t.Context(), id, func(twinlatch.View) error { return boom }); err != boom {
		t.Errorf("got %v, want the error of fn as it is", err)
	}
	s.read(t, id, func(v twinlatch.View) error {
		if tx, ok := v.(twinlatch.Tx); ok && tx.Lock() == nil {
			t.Error("a view writes")
		}
		return nil
	})
	// One state, whatever others commit meanwhile.
	s.read(t, id, func(v twinlatch.View) error {
		first, err := read(v)
		if err != nil {
			return err
		}
		for _, w := range writes(before) {
			s.tx(t, id, w.run)
			again, err := read(v)
			if err != nil {
				return err
			}
			same(t, again, first)
		}
		return nil
	})
	if after := s.snapshot(t, id); after.Seq == before.Seq {
		t.Error("nothing was committed meanwhile")
	}
}

func (s *suite) close(t *testing.T) {
	if err := s.store.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := s.newAccount(t)
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	if s.store.Ping(t.Context()) == nil {
		t.Error("a closed store answers")
	}
	if _, err := s.store.Session(t.Context(), id, ""); err == nil || errors.Is(err, twinlatch.ErrNotFound) {
		t.Errorf("session: %v", err)
	}
	if _, err := s.store.Take(t.Context(), twinlatch.Limit{Scope: "all", Most: 1, Window: time.Minute}, now); err == nil {
		t.Error("a closed store takes")
	}
}
