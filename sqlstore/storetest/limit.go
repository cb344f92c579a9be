package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// until checks that err is a *LimitError with that time.
func until(t *testing.T, err error, want time.Time) {
	t.Helper()
	var limit *twinlatch.LimitError
	if !errors.As(err, &limit) {
		t.Errorf("got %v, want a *LimitError", err)
	} else if !limit.RetryAt.Equal(want) {
		t.Errorf("retry at %v, want %v", limit.RetryAt, want)
	}
}

// take is Take for those who do not give back.
func (s *suite) take(t *testing.T, l twinlatch.Limit, at time.Time) error {
	t.Helper()
	end, err := s.store.Take(t.Context(), l, at)
	if err == nil && (!end.After(at) || end.After(at.Add(l.Window))) {
		t.Errorf("a window of %v that was entered at %v ends at %v", l.Window, at, end)
	}
	return err
}

func (s *suite) limit(t *testing.T) {
	l := twinlatch.Limit{Scope: "ip:" + s.id(), Name: "code", Most: 10, Window: 10 * time.Minute}
	take := func(l twinlatch.Limit, at time.Time) error { return s.take(t, l, at) }
	race(t, 10, twinlatch.ErrLimited, func(int) error { return take(l, now) })
	end := now.Add(l.Window)
	until(t, take(l, now.Add(time.Minute)), end)
	until(t, take(l, end.Add(-time.Millisecond)), end)

	// Another scope, another name: another counter.
	other := l
	other.Name = "password"
	is(t, take(other, now), nil)
	other.Scope = "ip:" + s.id()
	is(t, take(other, now), nil)

	// A higher limit finds the same count.
	higher := l
	higher.Most = 11
	is(t, take(higher, now), nil)
	until(t, take(higher, now), end)

	// The window begins with its first take, not with its last.
	spread := l
	spread.Scope, spread.Most = "ip:"+s.id(), 2
	is(t, take(spread, now), nil)
	is(t, take(spread, end.Add(-time.Minute)), nil)
	until(t, take(spread, end.Add(-time.Minute)), end)

	// A new window begins with the first take after the old one.
	late := end.Add(time.Minute)
	race(t, 10, twinlatch.ErrLimited, func(int) error { return take(l, late) })
	until(t, take(l, late), late.Add(l.Window))

	is(t, take(twinlatch.Limit{Scope: s.id(), Window: time.Minute}, now), twinlatch.ErrLimited)

	// Some cost more than others.
	money := twinlatch.Limit{Scope: "all", Name: s.id(), Most: 100, Window: time.Hour, Cost: 40}
	small := money
	small.Cost = 20
	is(t, take(money, now), nil)
	is(t, take(money, now), nil)
	until(t, take(money, now), now.Add(time.Hour))
	is(t, take(small, now), nil)
	until(t, take(small, now), now.Add(time.Hour))
	is(t, s.store.Return(t.Context(), money, now.Add(time.Hour)), nil)
	is(t, take(money, now), nil)
	money.Cost = 101
	until(t, take(money, now.Add(2*time.Hour)), time.Time{})
}

func (s *suite) returnLimit(t *testing.T) {
	l := twinlatch.Limit{Scope: "ip:" + s.id(), Name: "code", Most: 3, Window: time.Minute}
	take := func(at time.Time) error { return s.take(t, l, at) }
	end := now.Add(l.Window)
	giveBack := func() {
		t.Helper()
		if err := s.store.Return(t.Context(), l, end); err != nil {
			t.Fatal(err)
		}
	}
	giveBack() // of nothing
	for range 3 {
		is(t, take(now), nil)
	}
	giveBack()
	is(t, take(now), nil)
	until(t, take(now), now.Add(time.Minute))
	for range 5 { // not under zero
		giveBack()
	}
	for range 3 {
		is(t, take(now), nil)
	}
	until(t, take(now), now.Add(time.Minute))

	// What returns after the window does not prolong it or lend to the next.
	giveBack()
	late := now.Add(time.Minute)
	for range 3 {
		is(t, take(late), nil)
	}
	giveBack()
	until(t, take(late), late.Add(time.Minute))
	end = late.Add(time.Minute)
	giveBack()
	is(t, take(late.Add(time.Second)), nil)
	until(t, take(late), end)

	// Nothing is lost when many take and return at once.
	l = twinlatch.Limit{Scope: "ip:" + s.id(), Name: "code", Most: callers, Window: time.Minute}
	race(t, callers, nil, func(int) error {
		end, err := s.store.Take(t.Context(), l, now)
		if err != nil {
			return err
		}
		return s.store.Return(t.Context(), l, end)
	})
	race(t, callers, nil, func(int) error { return take(now) })
	until(t, take(now), now.Add(time.Minute))
}

// try is one try in a transaction of its own.
func (s *suite) try(t *testing.T, id twinlatch.AccountID, th twinlatch.Throttle, at time.Time) (run int, err error) {
	err = s.store.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
		run, err = tx.Try("totp/known", th, at)
		return err
	})
	return run, err
}

// passes checks a try that is let through as the run-th.
func (s *suite) passes(t *testing.T, id twinlatch.AccountID, th twinlatch.Throttle, at time.Time, run int) {
	t.Helper()
	got, err := s.try(t, id, th, at)
	if err != nil || got != run {
		t.Errorf("run %d, %v; want %d", got, err, run)
	}
}

func (s *suite) triesFree(t *testing.T) {
	id, th := s.newAccount(t), twinlatch.Throttle{Free: 5}
	for run := 1; run <= 5; run++ {
		s.passes(t, id, th, now, run)
	}
	at := now
	for i, delay := range []time.Duration{30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600} {
		next := at.Add(delay * time.Second)
		for range 3 { // a refused try changes nothing
			_, err := s.try(t, id, th, at)
			until(t, err, next)
			_, err = s.try(t, id, th, next.Add(-time.Millisecond))
			until(t, err, next)
		}
		at = next
		s.passes(t, id, th, at, 6+i)
	}

	// After a success all begins anew.
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Forgive("another", "totp/known") })
	for run := 1; run <= 5; run++ {
		s.passes(t, id, th, at, run)
	}
	_, err := s.try(t, id, th, at)
	until(t, err, at.Add(30*time.Second))

	// A clock that is a little behind does not matter to free tries.
	id = s.newAccount(t)
	s.passes(t, id, th, now, 1)
	s.passes(t, id, th, now.Add(-time.Second), 2)

	id = s.newAccount(t)
	s.passes(t, id, twinlatch.Throttle{Free: 1}, now, 1)
	_, err = s.try(t, id, twinlatch.Throttle{Free: 1}, now)
	until(t, err, now.Add(30*time.Second))

	// A try in a transaction that fails did not happen.
	id = s.newAccount(t)
	for range 3 {
		s.refused(t, twinlatch.ErrExpired, id, func(tx twinlatch.Tx) error {
			if _, err := tx.Try("totp/known", twinlatch.Throttle{Most: 1}, now); err != nil {
				return err
			}
			return twinlatch.ErrExpired
		})
	}
}

func (s *suite) triesMost(t *testing.T) {
	id, th := s.newAccount(t), twinlatch.Throttle{Most: 100}
	for run := 1; run <= 100; run++ {
		s.passes(t, id, th, now, run)
	}
	for _, at := range []time.Time{now, now.AddDate(10, 0, 0)} {
		_, err := s.try(t, id, th, at)
		until(t, err, time.Time{})
	}
	s.tx(t, id, func(tx twinlatch.Tx) error { return tx.Forgive("totp/known") })
	s.passes(t, id, th, now, 1)

	// Where waiting does not help, no delay says that it does.
	id, th = s.newAccount(t), twinlatch.Throttle{Free: 1, Most: 2, Daily: 2}
	s.passes(t, id, th, now, 1)
	_, err := s.try(t, id, th, now)
	until(t, err, now.Add(30*time.Second))
	s.passes(t, id, th, now.Add(30*time.Second), 2)
	_, err = s.try(t, id, th, now.Add(30*time.Second))
	until(t, err, time.Time{})

	// No throttle only counts.
	id = s.newAccount(t)
	for run := 1; run <= 30; run++ {
		s.passes(t, id, twinlatch.Throttle{}, now, run)
	}
}

func (s *suite) triesDaily(t *testing.T) {
	const day = 24 * time.Hour
	id, th := s.newAccount(t), twinlatch.Throttle{Daily: 20, Most: 50}
	at := now
	for run := 1; run <= 40; run++ {
		s.passes(t, id, th, at, run)
		if run%20 != 0 {
			continue
		}
		end := at.Add(day)
		for range 3 {
			_, err := s.try(t, id, th, at.Add(time.Hour))
			until(t, err, end)
			_, err = s.try(t, id, th, end.Add(-time.Millisecond))
			until(t, err, end)
		}
		at = end
	}
	for run := 41; run <= 50; run++ {
		s.passes(t, id, th, at, run)
	}
	_, err := s.try(t, id, th, at)
	until(t, err, time.Time{})

	// The day begins with its first try, and a quiet day begins a new one.
	id, th = s.newAccount(t), twinlatch.Throttle{Daily: 2}
	s.passes(t, id, th, now, 1)
	s.passes(t, id, th, now.Add(23*time.Hour), 2)
	_, err = s.try(t, id, th, now.Add(23*time.Hour))
	until(t, err, now.Add(day))
	s.passes(t, id, th, now.Add(30*time.Hour), 3)
	s.passes(t, id, th, now.Add(53*time.Hour), 4)
	_, err = s.try(t, id, th, now.Add(53*time.Hour))
	until(t, err, now.Add(54*time.Hour))

	// Both a delay and a full day: the later one.
	id, th = s.newAccount(t), twinlatch.Throttle{Free: 1, Daily: 2}
	s.passes(t, id, th, now, 1)
	s.passes(t, id, th, now.Add(time.Minute), 2)
	_, err = s.try(t, id, th, now.Add(time.Minute))
	until(t, err, now.Add(day))
	id = s.newAccount(t)
	s.passes(t, id, th, now, 1)
	s.passes(t, id, th, now.Add(day-time.Second), 2)
	_, err = s.try(t, id, th, now.Add(day-time.Second))
	until(t, err, now.Add(day+59*time.Second))
}

func (s *suite) triesConcurrent(t *testing.T) {
	for name, c := range map[string]struct {
		throttle twinlatch.Throttle
		allowed  int
	}{
		"free":     {twinlatch.Throttle{Free: 5}, 5},
		"free one": {twinlatch.Throttle{Free: 1}, 1},
		"most":     {twinlatch.Throttle{Most: 7}, 7},
		"daily":    {twinlatch.Throttle{Daily: 20, Most: 100}, 20},
		"none":     {twinlatch.Throttle{}, callers},
	} {
		t.Run(name, func(t *testing.T) {
			id := s.newAccount(t)
			runs := make([]int, callers)
			race(t, c.allowed, twinlatch.ErrLimited, func(caller int) (err error) {
				runs[caller], err = s.try(t, id, c.throttle, now)
				return err
			})
			runs = slices.DeleteFunc(runs, func(run int) bool { return run == 0 })
			slices.Sort(runs)
			for i, run := range runs {
				if run != i+1 {
					t.Fatalf("runs are %v", runs)
				}
			}
		})
	}
}
