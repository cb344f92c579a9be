package sqlstore_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sqlstore"
)

// onEach runs a test on each database.
func onEach(t *testing.T, test func(*testing.T, *sqlstore.Store)) {
	for name, database := range databases() {
		t.Run(name, func(t *testing.T) { test(t, open(t, database(t))) })
	}
}

func device(name string) sqlstore.Device {
	return sqlstore.Device{
		Kind: "yubico", Name: name, Sealed: twinlatch.Sealed{Key: "k1", Text: []byte{0, 1, 0xff}},
		CreatedAt: time.Date(2026, 3, 4, 5, 6, 7, 8_000_000, time.UTC),
	}
}

func is(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDevices(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		_, err := s.Device(ctx, "yubico", "a")
		is(t, err, twinlatch.ErrNotFound)
		is(t, s.DeleteDevice(ctx, "yubico", "a"), twinlatch.ErrNotFound)
		is(t, s.AdvanceDevice(ctx, "yubico", "a", 1), twinlatch.ErrReplayed)
		all, err := s.Devices(ctx, "yubico")
		if err != nil || len(all) != 0 {
			t.Errorf("%v, %v", all, err)
		}

		is(t, s.InsertDevices(ctx, nil), nil)
		is(t, s.InsertDevices(ctx, []sqlstore.Device{device("b"), device("a")}), nil)
		got, err := s.Device(ctx, "yubico", "a")
		if err != nil || !reflect.DeepEqual(got, device("a")) {
			t.Errorf("%+v, %v", got, err)
		}
		all, err = s.Devices(ctx, "yubico")
		if err != nil || len(all) != 2 || all[0].Name != "a" || all[1].Name != "b" || all[0].Sealed.Text != nil || !all[0].CreatedAt.Equal(device("a").CreatedAt) {
			t.Errorf("%+v, %v", all, err)
		}

		is(t, s.AdvanceDevice(ctx, "yubico", "a", 1<<23), nil)
		is(t, s.AdvanceDevice(ctx, "yubico", "a", 1<<23), twinlatch.ErrReplayed)
		is(t, s.AdvanceDevice(ctx, "yubico", "a", 1<<22), twinlatch.ErrReplayed)
		is(t, s.AdvanceDevice(ctx, "yubico", "b", 1), nil)
		if got, err := s.Device(ctx, "yubico", "a"); err != nil || got.Counter != 1<<23 {
			t.Errorf("%+v, %v", got, err)
		}

		is(t, s.DeleteDevice(ctx, "yubico", "a"), nil)
		is(t, s.DeleteDevice(ctx, "yubico", "a"), twinlatch.ErrNotFound)
		is(t, s.InsertDevices(ctx, []sqlstore.Device{device("a")}), nil)
		if got, err := s.Device(ctx, "yubico", "a"); err != nil || got.Counter != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// A name is one device, whatever its letters, and only in its kind.
func TestDevicesOfOtherKinds(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store) {
		other, capital := device("a"), device("A")
		other.Kind = "oath"
		is(t, s.InsertDevices(t.Context(), []sqlstore.Device{device("a"), other, capital}), nil)
		is(t, s.AdvanceDevice(t.Context(), "yubico", "a", 5), nil)
		for _, d := range []sqlstore.Device{other, capital} {
			if got, err := s.Device(t.Context(), d.Kind, d.Name); err != nil || got.Counter != 0 {
				t.Errorf("%+v, %v", got, err)
			}
		}
		is(t, s.DeleteDevice(t.Context(), "oath", "a"), nil)
		if all, err := s.Devices(t.Context(), "yubico"); err != nil || len(all) != 2 {
			t.Errorf("%v, %v", all, err)
		}
	})
}

func TestInsertDevicesReplacesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store) {
		is(t, s.InsertDevices(t.Context(), []sqlstore.Device{device("b")}), nil)
		is(t, s.AdvanceDevice(t.Context(), "yubico", "b", 7), nil)
		other := device("b")
		other.Sealed.Text = []byte("another")
		for _, all := range [][]sqlstore.Device{{other}, {device("a"), other, device("c")}, {device("a"), device("c"), device("c")}} {
			is(t, s.InsertDevices(t.Context(), all), twinlatch.ErrExists)
		}
		all, err := s.Devices(t.Context(), "yubico")
		if err != nil || len(all) != 1 || all[0].Counter != 7 {
			t.Errorf("%+v, %v", all, err)
		}
		if got, err := s.Device(t.Context(), "yubico", "b"); err != nil || string(got.Sealed.Text) != string(device("b").Sealed.Text) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// at calls fn from 32 goroutines at once and counts those that succeed.
func at(t *testing.T, refused error, fn func(i int) error) (succeeded int) {
	errs := make([]error, 32)
	var done sync.WaitGroup
	start := make(chan struct{})
	for i := range errs {
		done.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	done.Wait()
	for _, err := range errs {
		if err == nil {
			succeeded++
		} else {
			is(t, err, refused)
		}
	}
	return succeeded
}

func TestOneOfManyAdvancesADevice(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store) {
		is(t, s.InsertDevices(t.Context(), []sqlstore.Device{device("a")}), nil)
		for counter := int64(1); counter <= 3; counter++ {
			if n := at(t, twinlatch.ErrReplayed, func(int) error { return s.AdvanceDevice(t.Context(), "yubico", "a", counter) }); n != 1 {
				t.Errorf("%d of 32 advanced to %d", n, counter)
			}
		}
		// Of different counters those succeed that come in order, the highest always.
		at(t, twinlatch.ErrReplayed, func(i int) error { return s.AdvanceDevice(t.Context(), "yubico", "a", int64(100+i)) })
		if got, err := s.Device(t.Context(), "yubico", "a"); err != nil || got.Counter != 131 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestOneOfManyInsertsADevice(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store) {
		n := at(t, twinlatch.ErrExists, func(i int) error {
			shared := []sqlstore.Device{device("a"), device("b"), device(fmt.Sprint("own", i))}
			if i%2 == 0 {
				slices.Reverse(shared) // which would deadlock if nobody ran it again
			}
			return s.InsertDevices(t.Context(), shared)
		})
		all, err := s.Devices(t.Context(), "yubico")
		if n != 1 || err != nil || len(all) != 3 {
			t.Errorf("%d of 32 inserted; there are %v, %v", n, all, err)
		}
	})
}
