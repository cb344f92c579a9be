package main

import (
	"math"
	"sync"
	"testing"
	"time"
)

func TestDevClock(t *testing.T) {
	var c devClock
	if d := time.Until(c.Now()).Abs(); d > time.Minute || c.Offset() != 0 {
		t.Errorf("a new clock is off by %v", d)
	}
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			if err := c.Advance(24 * time.Hour); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	const month = 30 * 24 * time.Hour
	if d := time.Until(c.Now().Add(-month)).Abs(); d > time.Minute || c.Offset() != month {
		t.Errorf("after 30 days the clock is off by %v", d)
	}
	for _, d := range []time.Duration{0, -1, math.MinInt64, math.MaxInt64, farthest} {
		if c.Advance(d) == nil {
			t.Errorf("advanced by %v", d)
		}
	}
	if err := c.Advance(farthest - month); err != nil {
		t.Error(err)
	}
	if c.Advance(1) == nil || c.Offset() != farthest {
		t.Errorf("offset %v", c.Offset())
	}
}
