package smpp

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twinlatch/twinlatch"
)

// hall is where connections arrive: each is served by the next of the scripts,
// the last one by all that come later. Time is that of the bubble.
type hall struct {
	t       *testing.T
	scripts []func(*peer)
	mu      sync.Mutex
	dials   []time.Time
	all     sync.WaitGroup
}

// peer is the SMSC's end of one connection.
type peer struct {
	*testing.T
	net.Conn
}

func (h *hall) dial(context.Context, string, string) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	script := h.scripts[min(len(h.dials), len(h.scripts)-1)]
	h.dials = append(h.dials, time.Now())
	if script == nil {
		return nil, errors.New("nobody is there")
	}
	ours, theirs := net.Pipe()
	h.all.Go(func() {
		defer func() { _ = theirs.Close() }()
		script(&peer{h.t, theirs})
	})
	return ours, nil
}

func (h *hall) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.dials)
}

// enter makes a Sender whose connections arrive at scripts; it ends with the
// bubble's test.
func enter(t *testing.T, change func(*Config), scripts ...func(*peer)) (*Sender, *hall) {
	t.Helper()
	h := &hall{t: t, scripts: scripts}
	c := Config{
		Address: "smsc.example:2775", SystemID: "twinlatch", Password: twinlatch.NewSecret("s3cr3t/1"), Source: "Example",
		Dial: h.dial,
	}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close() // tests that are about Close look at its error
		h.all.Wait()
	})
	return s, h
}

// read returns what comes next; ok is false at the end of the connection.
func (p *peer) read() (pdu, bool) {
	got, err := readPDU(p.Conn)
	return got, err == nil
}

// expect reads a PDU that must be this command.
func (p *peer) expect(command uint32) pdu {
	got, ok := p.read()
	if !ok || got.command != command {
		p.Errorf("the SMSC got %#x (%v), want %#x", got.command, ok, command)
	}
	return got
}

func (p *peer) write(out ...pdu) {
	for _, one := range out {
		p.raw(one.encode())
	}
}

// raw does not care whether the other side is still there.
func (p *peer) raw(b []byte) { _, _ = p.Write(b) }

// reply is the good answer to a request.
func reply(to pdu, body string) pdu {
	return pdu{command: to.command | answer, sequence: to.sequence, body: []byte(body)}
}

func (p *peer) bind() { p.write(reply(p.expect(bindTransceiver), "smsc\x00")) }

// serve is a good SMSC: it answers everything until the end.
func (p *peer) serve() {
	for {
		got, ok := p.read()
		if !ok {
			return
		}
		if got.command&answer == 0 {
			p.write(reply(got, map[uint32]string{submitSM: "id\x00", bindTransceiver: "smsc\x00", bindTransmitter: "smsc\x00"}[got.command]))
		}
	}
}

// idle reads until the end and answers nothing.
func (p *peer) idle() {
	for ok := true; ok; {
		_, ok = p.read()
	}
}

func good(p *peer) { p.serve() }

func text(body string) twinlatch.Message {
	return twinlatch.Message{
		ID: "one", Channel: twinlatch.Text, To: twinlatch.NewSecret("+447700900167"), Body: twinlatch.NewSecret(body),
		Country: "GB", ExpiresAt: time.Now().Add(10 * time.Minute),
	}
}

// sendIn is Send with so much patience.
func sendIn(s *Sender, d time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return s.Send(ctx, text("483920"))
}

// mustPass says that err lets the message be tried again, and tells nothing.
func mustPass(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error, want one")
	}
	if errors.Is(err, twinlatch.ErrNoRoute) || errors.Is(err, twinlatch.ErrBadRecipient) {
		t.Errorf("%v is for good", err)
	}
	for _, secret := range []string{"447700900167", "483920", "s3cr3t"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("an error tells %s: %v", secret, err)
		}
	}
}

// inBubble runs f where no time passes but when all wait.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
