package server

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// change is a deadline that is set while a read waits, both as times after its begin.
type change struct{ at, deadline time.Duration }

const never, over = time.Duration(-1), time.Duration(-2)

// firstOver is when the deadline of a read is over for the first time, and until when that
// stays so.
func firstOver(changes []change, end time.Duration) (from, until time.Duration) {
	for i, c := range changes {
		until = end
		if i+1 < len(changes) {
			until = changes[i+1].at
		}
		switch {
		case c.deadline == over:
			return c.at, until
		case c.deadline != never && max(c.deadline, c.at) < until:
			return max(c.deadline, c.at), until
		}
	}
	return end, end
}

// ticking is a connection whose deadlines are looked at, and its other end.
func ticking(t *testing.T) (c *timedConn, there net.Conn, stop func()) {
	here, there := net.Pipe()
	d := newDeadlines(nil)
	c = d.keep(here)
	ctx, cancel := context.WithCancel(t.Context())
	go d.run(ctx)
	return c, there, func() {
		cancel()
		there.Close()
		c.Close()
	}
}

// Reads that wait for data while deadlines come and go: none ends early, and none more than a
// tick late. Deadlines that are over when they are set end a read at once, as net/http wants.
func TestDeadlinesAreNeverEarlyAndOneTickLateAtMost(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			draw := rand.New(rand.NewPCG(seed, 1))
			c, there, stop := ticking(t)
			defer stop()
			for range 100 {
				const end = 8 * time.Second // when there is data at last
				began := time.Now()
				var changes []change
				for at := time.Duration(0); at < end && len(changes) < 6; at += time.Duration(1 + draw.Int64N(int64(2*time.Second))) {
					deadline := at + time.Duration(draw.Int64N(int64(2*time.Second)))
					switch draw.IntN(4) {
					case 0:
						deadline = never
					case 1:
						deadline = over
					}
					changes = append(changes, change{at, deadline})
				}
				done := make(chan struct{})
				var writing sync.WaitGroup
				writing.Go(func() {
					for _, change := range changes {
						time.Sleep(time.Until(began.Add(change.at)))
						select {
						case <-done: // the read is over
							return
						default:
						}
						to := began.Add(change.deadline)
						switch change.deadline {
						case never:
							to = time.Time{}
						case over:
							to = longAgo()
						}
						if err := c.SetReadDeadline(to); err != nil {
							t.Error(err)
						}
					}
					select {
					case <-done:
					case <-time.After(time.Until(began.Add(end))):
						_, _ = there.Write([]byte("x"))
					}
				})
				synctest.Wait()
				_, err := c.Read(make([]byte, 1))
				took := time.Since(began)
				close(done)
				writing.Wait()
				from, until := firstOver(changes, end)
				switch late := err != nil; {
				case late && !errors.Is(err, os.ErrDeadlineExceeded):
					t.Fatal(err)
				case late && took < from:
					t.Fatalf("early: after %v, %+v", took, changes)
				case took > from+tick && until > from+tick:
					t.Fatalf("late: after %v and not %v, %+v", took, from, changes)
				}
				if err := c.SetReadDeadline(time.Time{}); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// What net/http does to stop a read in another goroutine, while deadlines are looked at all the
// time: the read always ends, and the next one always gets what comes.
func TestStoppingAReadAgainAndAgain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	d := newDeadlines(listener)
	peer, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	c, err := d.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	looking.Go(func() {
		for ctx.Err() == nil {
			d.look()
		}
	})
	defer looking.Wait()
	defer cancel()
	b := make([]byte, 1)
	for i := range 5000 {
		stopped := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			stopped <- err
		}()
		_ = c.SetReadDeadline(time.Now().Add(time.Duration(i%7) * 10 * time.Microsecond)) // which may be over by itself
		_ = c.SetReadDeadline(longAgo())
		if err := <-stopped; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%d: %v", i, err)
		}
		_ = c.SetReadDeadline(time.Time{})
		if _, err := peer.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, b); err != nil || b[0] != byte(i) {
			t.Fatalf("%d: %x, %v", i, b, err)
		}
	}
	if err := c.Close(); err != nil || len(d.open) != 0 {
		t.Errorf("%v, %d open", err, len(d.open))
	}
}

// Somebody changes a deadline while another tells the connection that it is over, or no longer
// is. Whoever looks meanwhile has to wait until it knows.
func TestADeadlineThatChangesMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		before int32
		at     []int64 // then, and after each time that the connection was told
		want   []bool  // told that it is over
	}{
		"over, and taken back": {notOver, []int64{5, 0}, []bool{true, false}},
		"taken back, and over": {isOver, []int64{0, 5}, []bool{false, true}},
		"over":                 {notOver, []int64{5}, []bool{true}},
		"again and again":      {isOver, []int64{20, 5, 0, 10}, []bool{false, true, false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			var told []bool
			var l deadline
			l.told.Store(c.before)
			l.at.Store(c.at[0])
			l.tell = func(to time.Time) error {
				if l.told.Load() != telling || l.mu.TryLock() {
					t.Error("others think that it is told, or tell it as well")
				}
				if told = append(told, to == longAgo()); len(told) < len(c.at) {
					l.at.Store(c.at[len(told)])
				}
				return nil
			}
			if err := l.look(10); err != nil || !slices.Equal(told, c.want) || l.told.Load() != l.state(10) {
				t.Errorf("%v: told %v, want %v", err, told, c.want)
			}
		})
	}
}

// Writes have a deadline of their own, and half a connection can be closed.
func TestDeadlineOfAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, stop := ticking(t)
		defer stop()
		began := time.Now()
		if err := c.SetDeadline(began.Add(3 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := c.Write([]byte("x"))
		if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took < 3*time.Second || took > 3*time.Second+tick {
			t.Errorf("%v after %v", err, took)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		if err := c.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
