package main

import (
	"errors"
	"sync/atomic"
	"time"
)

// devClock is the service's clock in development mode: the machine's, moved
// forward by hand. The offset is kept nowhere, so a new start is at the real
// time. It is safe for concurrent use, and no setting can bring it into a server
// that is not in development mode.
type devClock struct{ offset atomic.Int64 }

// farthest is how far a clock may be moved in all.
const farthest = 100 * 365 * 24 * time.Hour

// Now is the moved time.
func (c *devClock) Now() time.Time { return time.Now().Add(c.Offset()) }

// Offset is how far the clock was moved.
func (c *devClock) Offset() time.Duration { return time.Duration(c.offset.Load()) }

// Advance moves the clock forward, never back: sessions and codes that ended
// stay ended.
func (c *devClock) Advance(d time.Duration) error {
	for {
		old := c.offset.Load()
		switch {
		case d <= 0:
			return errors.New("the clock only goes forward")
		case d > farthest-time.Duration(old):
			return errors.New("the clock goes 100 years forward at most")
		}
		if c.offset.CompareAndSwap(old, old+int64(d)) {
			return nil
		}
	}
}
