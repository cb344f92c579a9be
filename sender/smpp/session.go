package smpp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Timers, §7.2.
const (
	idle     = 30 * time.Second // enquire_link_timer: silence after which we ask
	patience = 10 * time.Second // for a connection, an enquiry, one whole PDU
	response = 30 * time.Second // response_timer: a request that is not answered frees its place
	parting  = 3 * time.Second  // for the answer to unbind
)

// maxDeliveries is how many deliver_sm are worked on at once; the SMSC is told to
// try the others later.
const maxDeliveries = 100

var (
	errProtocol = errors.New("the peer does not follow the protocol")
	errDead     = errors.New("the peer is silent")
	errUnbound  = errors.New("the peer ended the session")
	errSilent   = errors.New("no answer in time")
)

// session is one connection to the SMSC. Many may send requests at the same time;
// one goroutine reads and one writes, until done.
type session struct {
	conn    net.Conn
	deliver func(pdu) (status uint32)
	window  chan struct{} // has a place for each submit_sm without an answer
	out     chan frame
	work    chan struct{} // has a place for each deliver_sm that is worked on
	tasks   *sync.WaitGroup
	began   time.Time

	mu       sync.Mutex
	sequence uint32
	waiting  map[uint32]*request
	bound    bool // the peer accepted the bind
	proved   bool // and answered a submit_sm
	err      error
	done     chan struct{} // closed when err is there
}

// request waits for the answer with its sequence number.
type request struct {
	command uint32
	answer  chan pdu
	timer   *time.Timer
	release func()
}

// frame is a PDU to be written. With a reason, the session is over after it.
type frame struct {
	pdu
	last error
}

// newSession starts to read and to write. The goroutines are added to tasks and
// end with the session.
func newSession(conn net.Conn, window int, tasks *sync.WaitGroup, deliver func(pdu) uint32) *session {
	s := &session{
		conn:    conn,
		deliver: deliver,
		window:  make(chan struct{}, window),
		out:     make(chan frame),
		work:    make(chan struct{}, maxDeliveries),
		tasks:   tasks,
		began:   time.Now(),
		waiting: map[uint32]*request{},
		done:    make(chan struct{}),
	}
	tasks.Go(s.read)
	tasks.Go(s.write)
	return s
}

// end closes the connection. The first reason counts.
func (s *session) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = fmt.Errorf("smpp: the connection is over: %w", why)
	for _, r := range s.waiting {
		r.timer.Stop()
	}
	close(s.done)
	_ = s.conn.Close() // nothing is lost that was not lost before
}

// over returns why the session is over, or nil.
func (s *session) over() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// useful says whether the session did something for us, so that a new one may be
// tried at once.
func (s *session) useful() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proved || time.Since(s.began) > time.Minute
}

// submit is ask for a submit_sm: it waits for a place in the window first and has
// the body made then.
func (s *session) submit(ctx context.Context, body func() ([]byte, error)) (pdu, error) {
	select {
	case s.window <- struct{}{}:
		leave := func() { <-s.window }
		b, err := body()
		if err != nil {
			leave()
			return pdu{}, err
		}
		return s.ask(ctx, submitSM, b, leave)
	case <-s.done:
		return pdu{}, s.over()
	case <-ctx.Done():
		return pdu{}, fmt.Errorf("smpp: no place in the window: %w", ctx.Err())
	}
}

// ask sends a request and waits for its answer, of whatever status. When ctx ends
// before that, the request still counts as open until it is answered, or until
// nobody expects that any more: only then release is called.
func (s *session) ask(ctx context.Context, command uint32, body []byte, release func()) (pdu, error) {
	r := &request{command: command, answer: make(chan pdu, 1), release: release}
	sequence, err := s.open(r)
	if err != nil {
		release()
		return pdu{}, err
	}
	select {
	case s.out <- frame{pdu: pdu{command: command, sequence: sequence, body: body}}:
	case <-s.done:
		return pdu{}, s.over()
	case <-ctx.Done():
		s.take(sequence)
		return pdu{}, fmt.Errorf("smpp: not sent: %w", ctx.Err())
	}
	select {
	case p, answered := <-r.answer:
		if !answered {
			return pdu{}, fmt.Errorf("smpp: %w", errSilent)
		}
		return p, nil
	case <-s.done:
		select {
		case p, answered := <-r.answer: // it came just before the end
			if answered {
				return p, nil
			}
		default:
		}
		return pdu{}, s.over()
	case <-ctx.Done():
		return pdu{}, fmt.Errorf("smpp: %w: %w", errSilent, ctx.Err())
	}
}

// part unbinds, §4.2.
func (s *session) part() error {
	ctx, cancel := context.WithTimeout(context.Background(), parting)
	defer cancel()
	_, err := s.ask(ctx, unbind, nil, func() {})
	return err
}

// open gives r the next sequence number, §3.2: from 1 to 0x7FFFFFFF and again.
func (s *session) open(r *request) (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	for taken := true; taken; _, taken = s.waiting[s.sequence] {
		s.sequence = s.sequence%maxSequence + 1
	}
	sequence := s.sequence
	s.waiting[sequence] = r
	r.timer = time.AfterFunc(response, func() {
		if r := s.take(sequence); r != nil {
			close(r.answer)
		}
	})
	return sequence, nil
}

// take ends the request with this number, and returns it if there is one.
func (s *session) take(sequence uint32) *request {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.waiting[sequence]
	if r == nil || s.err != nil {
		return nil
	}
	delete(s.waiting, sequence)
	r.timer.Stop()
	r.release()
	return r
}

// write is the only one that writes.
func (s *session) write() {
	for {
		select {
		case f := <-s.out:
			err := s.conn.SetWriteDeadline(time.Now().Add(patience))
			if err == nil {
				_, err = s.conn.Write(f.encode())
			}
			if err = errors.Join(f.last, err); err != nil {
				s.end(err)
				return
			}
		case <-s.done:
			return
		}
	}
}

// push has something written that gets no answer.
func (s *session) push(f frame) {
	select {
	case s.out <- f:
	case <-s.done:
	}
}

// read is the only one that reads.
func (s *session) read() {
	in := bufio.NewReader(s.conn)
	for {
		p, err := s.next(in)
		switch {
		case errors.Is(err, errLength):
			s.push(frame{pdu{command: genericNack, status: statusLength}, err})
			return
		case err != nil:
			s.end(err)
			return
		case p.command&answer != 0:
			s.settle(p)
		default:
			s.serve(p)
		}
	}
}

// next waits for the next PDU. In the silence before it the peer is asked once
// whether it is there. Once it has begun it must come soon.
func (s *session) next(in *bufio.Reader) (pdu, error) {
	err := s.await(in, idle)
	if err != nil && isTimeout(err) {
		s.tasks.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_, _ = s.ask(ctx, enquireLink, nil, func() {}) // the reader sees what comes of it
		})
		if err = s.await(in, patience); err != nil && isTimeout(err) {
			err = errDead
		}
	}
	if err != nil {
		return pdu{}, err
	}
	s.limit(patience)
	return readPDU(in)
}

// await returns as soon as there is something to read.
func (s *session) await(in *bufio.Reader, d time.Duration) error {
	s.limit(d)
	_, err := in.Peek(1)
	return err
}

// limit is for the reads that follow. A connection of which it fails is closed:
// what came before can still be read, and after it the error.
func (s *session) limit(d time.Duration) { _ = s.conn.SetReadDeadline(time.Now().Add(d)) }

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// settle gives an answer to who waits for it. One that nobody waits for is late
// or comes twice; one to another command, or to nothing that could be read, means
// that the two sides do not understand each other.
func (s *session) settle(p pdu) {
	if p.command == genericNack && p.sequence == 0 {
		s.end(fmt.Errorf("generic_nack: %s", reason(p.status)))
		return
	}
	r := s.take(p.sequence)
	switch {
	case r == nil:
		return
	case p.command != genericNack && p.command != r.command|answer:
		s.end(errProtocol)
		return
	}
	s.mu.Lock()
	s.bound = s.bound || (r.command == bindTransceiver || r.command == bindTransmitter) && p.command != genericNack && p.status == statusOK
	s.proved = s.proved || r.command == submitSM && p.command != genericNack
	s.mu.Unlock()
	r.answer <- p
}

// serve answers a request of the peer.
func (s *session) serve(p pdu) {
	reply := pdu{command: p.command | answer, sequence: p.sequence}
	s.mu.Lock()
	bound := s.bound
	s.mu.Unlock()
	switch {
	case p.command == enquireLink:
		s.push(frame{pdu: reply})
	case p.command == unbind:
		s.push(frame{reply, errUnbound})
	case p.command == alert:
	case p.command == deliverSM && !bound:
		reply.status = statusBindState
		s.push(frame{pdu: reply})
	case p.command == deliverSM:
		s.receive(p, reply)
	default:
		s.push(frame{pdu: pdu{command: genericNack, status: statusCommand, sequence: p.sequence}})
	}
}

// receive works on a deliver_sm while others come.
func (s *session) receive(p, reply pdu) {
	select {
	case s.work <- struct{}{}:
		s.tasks.Go(func() {
			defer func() { <-s.work }()
			reply.status = s.deliver(p)
			if reply.status == statusOK {
				reply.body = []byte{0} // message_id, unused, §4.6.2
			}
			s.push(frame{pdu: reply})
		})
	default:
		reply.status = statusTemporary
		s.push(frame{pdu: reply})
	}
}
