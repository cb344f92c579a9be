package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// deadlines makes connections whose deadlines are numbers that are looked at a few times a second.
// net/http sets seven for each request, and the timers that they would start and stop are a
// fortieth of the instructions of a check. A deadline is never early, and late by a tick, or by two when it is set while
// they are looked at.
type deadlines struct {
	net.Listener
	base time.Time
	now  atomic.Int64 // since base, at the last tick

	mu   sync.Mutex
	open map[*timedConn]struct{}
}

const tick = 250 * time.Millisecond

// longAgo is a deadline that is over.
func longAgo() time.Time { return time.Unix(1, 0) }

func newDeadlines(l net.Listener) *deadlines {
	d := &deadlines{Listener: l, base: time.Now(), open: map[*timedConn]struct{}{}}
	d.now.Store(d.since(time.Now()))
	return d
}

// since is a time as a number that is not zero.
func (d *deadlines) since(t time.Time) int64 { return max(1, int64(t.Sub(d.base))) }

// Accept implements net.Listener.
func (d *deadlines) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return d.keep(c), nil
}

func (d *deadlines) keep(c net.Conn) *timedConn {
	t := &timedConn{Conn: c, of: d, read: deadline{tell: c.SetReadDeadline}, write: deadline{tell: c.SetWriteDeadline}}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[t] = struct{}{}
	return t
}

// run ends what is over until ctx ends.
func (d *deadlines) run(ctx context.Context) {
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			d.look()
		}
	}
}

func (d *deadlines) look() {
	now := d.since(time.Now())
	d.now.Store(now)
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.open {
		_, _ = c.read.look(now), c.write.look(now) // of a closed one: nobody reads it any more
	}
}

// timedConn is a connection with its deadlines, and what is to be put into the next answer.
type timedConn struct {
	net.Conn
	of          *deadlines
	read, write deadline

	lines   []byte // header lines of the answer that comes next, see checkWriter
	spliced []byte // an answer with its lines; kept for the next one
}

// SetReadDeadline implements net.Conn.
func (c *timedConn) SetReadDeadline(t time.Time) error { return c.read.set(c.of, t) }

// SetWriteDeadline implements net.Conn.
func (c *timedConn) SetWriteDeadline(t time.Time) error { return c.write.set(c.of, t) }

// SetDeadline implements net.Conn.
func (c *timedConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Close implements net.Conn.
func (c *timedConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite is what net/http does to a connection whose client may still be sending.
func (c *timedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// deadline is that of one direction.
type deadline struct {
	at   atomic.Int64 // as deadlines counts; 0: never
	told atomic.Int32 // what the connection knows
	mu   sync.Mutex   // who tells it
	tell func(time.Time) error
}

// What a connection knows: that its time is not over, that it is, or either of the two, because it
// is being told, or could not be and has to be told again.
const (
	notOver int32 = iota
	isOver
	telling
)

func (l *deadline) set(of *deadlines, t time.Time) error {
	at := int64(0)
	if !t.IsZero() {
		at = of.since(t)
	}
	l.at.Store(at)
	return l.look(of.now.Load())
}

// look tells the connection when its time is over, or no longer is. It returns when the
// connection knows: whoever changes at looks afterwards, and either finds telling and waits, or
// the one who tells finds the change.
func (l *deadline) look(now int64) error {
	if l.told.Load() == l.state(now) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.told.Load() != l.state(now) {
		l.told.Store(telling)
		state, t := l.state(now), time.Time{}
		if state == isOver {
			t = longAgo()
		}
		if err := l.tell(t); err != nil {
			return err
		}
		l.told.Store(state)
	}
	return nil
}

// state is what the connection ought to know.
func (l *deadline) state(now int64) int32 {
	if at := l.at.Load(); at != 0 && at <= now {
		return isOver
	}
	return notOver
}
