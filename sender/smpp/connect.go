package smpp

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
)

// longest is the longest wait between two tries to connect.
const longest = time.Minute

var errClosed = errors.New("smpp: the sender is closed")

// attempt is one try to connect, for all who wait for it.
type attempt struct {
	done    chan struct{} // closed when one of the others is there
	session *session
	err     error
}

// bound returns the session, and makes one if there is none. After a try that
// failed it fails at once until it is time for the next one.
func (s *Sender) bound(ctx context.Context) (*session, error) {
	try, err := s.attempt()
	if err != nil {
		return nil, err
	}
	select {
	case <-try.done:
		return try.session, try.err
	case <-ctx.Done():
		return nil, fmt.Errorf("smpp: no connection in time: %w", ctx.Err())
	}
}

// attempt is the try that leads to the session there is, the one under way, or a
// new one.
func (s *Sender) attempt() (*attempt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if t := s.try; t != nil && t.session != nil {
		why := t.session.over()
		if why == nil {
			return t, nil
		}
		if t.session.useful() {
			s.failures = 0
		}
		s.failed(why)
	}
	if s.try != nil {
		return s.try, nil
	}
	if time.Now().Before(s.next) {
		return nil, fmt.Errorf("smpp: waiting before the next try to connect, after: %w", s.last)
	}
	s.try = &attempt{done: make(chan struct{})}
	try := s.try
	s.tasks.Go(func() { s.connect(try) })
	return try, nil
}

// failed, under the lock, notes that there is no session and when to try again:
// at once after the first failure, then after waits that double.
func (s *Sender) failed(why error) {
	s.try, s.last = nil, why
	s.failures++
	s.next = time.Now().Add(wait(s.failures))
}

// wait is a random time, so that many clients do not come back at once: between
// half and all of 1, 2, 4 … seconds, and none after the first failure.
func wait(failures int) time.Duration {
	if failures < 2 {
		return 0
	}
	most := min(time.Second<<min(failures-2, 30), longest)
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return most/2 + time.Duration(binary.BigEndian.Uint64(b[:])%uint64(most/2))
}

// connect fulfils t.
func (s *Sender) connect(t *attempt) {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	session, err := s.bind(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(t.done)
	switch {
	case err != nil:
		t.err = err
		s.failed(err)
	case s.closed:
		t.err = errClosed
		session.end(errClosed)
	default:
		t.session = session
	}
}

// bind connects and binds. Its errors hold no secret.
func (s *Sender) bind(ctx context.Context) (*session, error) {
	conn, err := s.dial(ctx, "tcp", s.config.Address)
	if err != nil {
		return nil, fmt.Errorf("smpp: %w", err)
	}
	if s.config.TLS {
		if conn, err = s.encrypt(ctx, conn); err != nil {
			return nil, fmt.Errorf("smpp: %w", err)
		}
	}
	command := uint32(bindTransceiver)
	if s.config.TransmitterOnly {
		command = bindTransmitter
	}
	body, err := bindBody(s.config.SystemID, s.config.Password.Reveal(), s.config.SystemType)
	if err != nil {
		_ = conn.Close()
		return nil, errors.New("smpp: no bind can be made of the settings")
	}
	live := newSession(conn, s.config.Window, &s.tasks, s.deliver)
	p, err := live.ask(ctx, command, body, func() {})
	switch {
	case err != nil:
		err = fmt.Errorf("smpp: bind: %w", err)
	case p.command == genericNack || p.status != statusOK:
		err = errors.New("smpp: bind refused: " + reason(p.status))
	default:
		return live, nil
	}
	live.end(err)
	return nil, err
}

// encrypt is TLS on conn, to the name in the address. It closes conn if that
// fails.
func (s *Sender) encrypt(ctx context.Context, conn net.Conn) (net.Conn, error) {
	name, _, err := net.SplitHostPort(s.config.Address)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	secure := tls.Client(conn, &tls.Config{ServerName: name, RootCAs: s.config.Roots, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

// keep stays bound, for receipts.
func (s *Sender) keep() {
	for s.ctx.Err() == nil {
		live, err := s.bound(s.ctx)
		if err == nil {
			select {
			case <-live.done:
			case <-s.ctx.Done():
			}
			continue
		}
		s.mu.Lock()
		again := time.Until(s.next)
		s.mu.Unlock()
		s.rest(again)
	}
}

// rest waits, unless the Sender is closed.
func (s *Sender) rest(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}
