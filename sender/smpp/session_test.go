package smpp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever an SMSC does instead of answering, Send fails in a way that lets the
// message be tried again, and the next one gets through on a new connection.
func TestPeersThatDoNotFollowTheProtocol(t *testing.T) {
	t.Parallel()
	header := func(length uint32) []byte {
		return append(binary.BigEndian.AppendUint32(nil, length), make([]byte, 12)...)
	}
	for name, row := range map[string]struct {
		does func(p *peer, submit pdu)
		most time.Duration // until Send fails
	}{
		"closes":              {func(*peer, pdu) {}, 0},
		"length 0":            {func(p *peer, _ pdu) { p.raw(header(0)); p.idle() }, 0},
		"length 15":           {func(p *peer, _ pdu) { p.raw(header(15)); p.idle() }, 0},
		"length of 64 KiB +1": {func(p *peer, _ pdu) { p.raw(header(maxPDU + 1)); p.idle() }, 0},
		"length of 4 GiB":     {func(p *peer, _ pdu) { p.raw(header(1<<32 - 1)); p.idle() }, 0},
		"another protocol":    {func(p *peer, _ pdu) { p.raw([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); p.idle() }, 0},
		"half a length":       {func(p *peer, m pdu) { p.raw(reply(m, "id\x00").encode()[:3]) }, 0},
		"half a header":       {func(p *peer, m pdu) { p.raw(reply(m, "id\x00").encode()[:10]) }, 0},
		"half a body":         {func(p *peer, m pdu) { p.raw(reply(m, "id\x00").encode()[:17]) }, 0},
		"half, and waits":     {func(p *peer, m pdu) { p.raw(reply(m, "id\x00").encode()[:17]); p.idle() }, patience},
		"octet by octet": {func(p *peer, m pdu) {
			for _, b := range reply(m, "id\x00").encode() {
				p.raw([]byte{b})
				time.Sleep(time.Second)
			}
		}, patience},
		"answers to another command":   {func(p *peer, m pdu) { m.command = enquireLink; p.write(reply(m, "")); p.idle() }, 0},
		"answers to a bind":            {func(p *peer, m pdu) { m.command = bindTransceiver; p.write(reply(m, "smsc\x00")); p.idle() }, 0},
		"an endless message_id":        {func(p *peer, m pdu) { p.write(reply(m, strings.Repeat("1", 1000)+"\x00")); p.idle() }, 0},
		"a message_id without its end": {func(p *peer, m pdu) { p.write(reply(m, "id")); p.idle() }, 0},
		"does not know what it got":    {func(p *peer, _ pdu) { p.write(pdu{command: genericNack, status: statusLength}); p.idle() }, 0},
		"unbinds":                      {func(p *peer, _ pdu) { p.write(pdu{command: unbind, sequence: 7}); p.expect(unbind | answer) }, 0},
		"is silent":                    {func(p *peer, _ pdu) { p.idle() }, response},
		"asks and reads no more": {func(p *peer, _ pdu) {
			p.write(pdu{command: enquireLink, sequence: 1})
			time.Sleep(time.Hour)
		}, patience},
		"reads no more": {func(*peer, pdu) { time.Sleep(time.Minute) }, response},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s, h := enter(t, nil, func(p *peer) { p.bind(); row.does(p, p.expect(submitSM)) }, good)
				began := time.Now()
				_, err := sendIn(s, time.Minute)
				mustPass(t, err)
				if took := time.Since(began); took > row.most {
					t.Errorf("Send failed after %v, want %v at most", took, row.most)
				}
				if row.most > patience { // found out only by asking
					time.Sleep(idle + patience - time.Since(began))
					synctest.Wait()
				}
				if ref, err := sendIn(s, time.Second); ref != "id" || err != nil || h.count() != 2 {
					t.Errorf("the next Send: %q, %v, over connection %d", ref, err, h.count())
				}
			})
		})
	}
}

// A PDU whose length cannot be is answered before the connection ends.
func TestAnImpossibleLengthIsNamed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s, _ := enter(t, nil, func(p *peer) {
			p.bind()
			p.expect(submitSM)
			p.raw(make([]byte, 4))
			if nack := p.expect(genericNack); nack.status != statusLength || nack.sequence != 0 {
				t.Errorf("answered %+v", nack)
			}
		})
		_, err := sendIn(s, time.Minute)
		mustPass(t, err)
	})
}

// Answers that nobody waits for change nothing; a refusal by generic_nack is
// about its request alone.
func TestAnswersOutOfTurn(t *testing.T) {
	t.Parallel()
	for name, does := range map[string]func(p *peer, m pdu){
		"to nothing": func(p *peer, m pdu) {
			p.write(pdu{command: m.command | answer, sequence: m.sequence + 1}, reply(m, "right\x00"))
		},
		"twice": func(p *peer, m pdu) { p.write(reply(m, "right\x00"), reply(m, "wrong\x00")) },
		"refused after accepted": func(p *peer, m pdu) {
			no := reply(m, "")
			no.status = statusDestination
			p.write(reply(m, "right\x00"), no)
		},
		"of an unknown command": func(p *peer, m pdu) { p.write(pdu{command: 0xFFFF_FFFF, sequence: 99}, reply(m, "right\x00")) },
		"to the one before": func(p *peer, m pdu) {
			p.write(pdu{command: m.command | answer, sequence: m.sequence - 1}, reply(m, "right\x00"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s, h := enter(t, nil, func(p *peer) { p.bind(); does(p, p.expect(submitSM)); does(p, p.expect(submitSM)); p.serve() })
				for range 2 {
					if ref, err := sendIn(s, time.Second); ref != "right" || err != nil {
						t.Errorf("Send: %q, %v", ref, err)
					}
				}
				if ref, err := sendIn(s, time.Second); ref != "id" || err != nil || h.count() != 1 {
					t.Errorf("the last Send: %q, %v, over connection %d", ref, err, h.count())
				}
			})
		})
	}
	t.Run("generic_nack", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			s, h := enter(t, nil, func(p *peer) {
				p.bind()
				m := p.expect(submitSM)
				p.write(pdu{command: genericNack, status: statusDestination, sequence: m.sequence})
				p.serve()
			})
			_, err := sendIn(s, time.Second)
			mustPass(t, err)
			if _, err := sendIn(s, time.Second); err != nil || h.count() != 1 {
				t.Errorf("the next Send: %v, over connection %d", err, h.count())
			}
		})
	})
}

// An answer that comes after the caller went away is not taken for another's.
func TestALateAnswerIsNobodys(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s, _ := enter(t, nil, func(p *peer) {
			p.bind()
			first := p.expect(submitSM)
			second := p.expect(submitSM)
			p.write(reply(first, "first\x00"), reply(second, "second\x00"))
			p.serve()
		})
		_, err := sendIn(s, time.Second)
		mustPass(t, err)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send: %v", err)
		}
		if ref, err := sendIn(s, time.Second); ref != "second" || err != nil {
			t.Errorf("the next Send: %q, %v", ref, err)
		}
	})
}

// An answer counts although the connection ends right after it.
func TestAnswersBeforeTheEnd(t *testing.T) {
	t.Parallel()
	for range 100 { // two channels are ready, and either may be looked at first
		inBubble(t, func(t *testing.T) {
			s, _ := enter(t, nil, func(p *peer) { p.bind(); p.write(reply(p.expect(submitSM), "id\x00")) })
			if ref, err := sendIn(s, time.Second); ref != "id" || err != nil {
				t.Errorf("Send: %q, %v", ref, err)
			}
		})
	}
}

// Answers may come in any order.
func TestAnswersInAnotherOrder(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s, _ := enter(t, nil, func(p *peer) {
			p.bind()
			var all []pdu
			for range 5 {
				all = append(all, p.expect(submitSM))
			}
			for i := range all {
				m := all[len(all)-1-i]
				short, err := parseShortMessage(m.body)
				if err != nil {
					t.Error(err)
				}
				p.write(reply(m, "id of "+string(short.text)+"\x00"))
			}
			p.serve()
		})
		var all sync.WaitGroup
		for _, body := range []string{"a", "b", "c", "d", "e"} {
			all.Go(func() {
				if ref, err := s.Send(t.Context(), text(body)); ref != "id of "+body || err != nil {
					t.Errorf("Send of %s: %q, %v", body, ref, err)
				}
			})
		}
		all.Wait()
	})
}

// No more messages than the window has places are without an answer. A place is
// free again with the answer, or when nobody expects one any more.
func TestWindow(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		const places, messages = 3, 8
		submits := make(chan pdu, messages)
		var smsc *peer
		s, _ := enter(t, func(c *Config) { c.Window = places }, func(p *peer) {
			smsc = p
			p.bind()
			for {
				switch got, ok := p.read(); {
				case !ok:
					return
				case got.command == submitSM:
					submits <- got
				case got.command&answer == 0:
					p.write(reply(got, ""))
				}
			}
		})
		var all sync.WaitGroup
		for range messages {
			all.Go(func() { _, _ = sendIn(s, time.Hour) })
		}
		synctest.Wait()
		if len(submits) != places {
			t.Fatalf("%d messages are under way, want %d", len(submits), places)
		}
		smsc.write(reply(<-submits, "id\x00"))
		synctest.Wait()
		if len(submits) != places { // two left, one new
			t.Errorf("after an answer %d messages are under way, want %d", len(submits), places)
		}
		if _, err := sendIn(s, time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a Send without a place: %v", err)
		}
		for range places {
			<-submits
		}
		time.Sleep(response)
		synctest.Wait()
		if len(submits) != places {
			t.Errorf("after the others were given up %d messages are under way, want %d", len(submits), places)
		}
		_ = s.Close() // the SMSC does answer it
		all.Wait()
	})
}

// A message that expires while it waits for a place is not sent.
func TestNothingIsSentLate(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s, _ := enter(t, func(c *Config) { c.Window = 1 }, func(p *peer) {
			p.bind()
			m := p.expect(submitSM)
			time.Sleep(20 * time.Second)
			p.write(reply(m, "id\x00"))
			for {
				got, ok := p.read()
				if !ok {
					return
				}
				if got.command == submitSM {
					t.Error("the SMSC got a message that had expired")
				}
				p.write(reply(got, "\x00"))
			}
		})
		var all sync.WaitGroup
		all.Go(func() { _, _ = sendIn(s, time.Minute) })
		synctest.Wait()
		m := text("late")
		m.ExpiresAt = time.Now().Add(20 * time.Second)
		_, err := s.Send(t.Context(), m)
		mustPass(t, err)
		all.Wait()
	})
}

// An idle connection is asked every 30 seconds and lives; a dead one is closed
// 40 seconds after its last sign of life.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		enquiries, died := 0, time.Duration(0)
		s, h := enter(t, nil, func(p *peer) {
			p.bind()
			p.write(reply(p.expect(submitSM), "id\x00"))
			for range 20 {
				p.write(reply(p.expect(enquireLink), ""))
				enquiries++
			}
			last := time.Now()
			p.idle()
			died = time.Since(last)
		}, good)
		if _, err := sendIn(s, time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20*idle + time.Second)
		synctest.Wait()
		if enquiries != 20 || h.count() != 1 {
			t.Errorf("%d enquiries over %d connections in ten minutes", enquiries, h.count())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if died != idle+patience {
			t.Errorf("the dead connection was closed after %v", died)
		}
		if _, err := sendIn(s, time.Second); err != nil || h.count() != 2 {
			t.Errorf("Send afterwards: %v, over connection %d", err, h.count())
		}
	})
}

// So it is with TLS, where a read that timed out must not spoil the connection.
func TestKeepAliveWithTLS(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil) // for its certificate, which is of example.com
	web.Close()
	inBubble(t, func(t *testing.T) {
		s, h := enter(t, func(c *Config) {
			c.TLS, c.Address, c.Roots = true, "example.com:3550", x509.NewCertPool()
			c.Roots.AddCert(web.Certificate())
		}, func(p *peer) {
			p.Conn = tls.Server(p.Conn, web.TLS)
			p.serve()
		})
		for range 3 {
			if _, err := sendIn(s, time.Second); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * idle)
		}
		if h.count() != 1 {
			t.Errorf("%d connections", h.count())
		}
	})
}

// What the SMSC may ask is answered, what it may not is refused.
func TestRequestsOfThePeer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		asked := make(chan struct{})
		s, _ := enter(t, nil, func(p *peer) {
			m := p.expect(bindTransceiver)
			p.write(pdu{command: deliverSM, sequence: 1})
			if got := p.expect(deliverSM | answer); got.status != statusBindState || got.sequence != 1 {
				t.Errorf("deliver_sm before the bind is answered %+v", got)
			}
			p.write(reply(m, "smsc\x00"))
			for command, want := range map[uint32]pdu{
				enquireLink: {command: enquireLink | answer, sequence: 42},
				submitSM:    {command: genericNack, status: statusCommand, sequence: 42},
				0x0000_0103: {command: genericNack, status: statusCommand, sequence: 42}, // data_sm
				0x7FFF_FFFF: {command: genericNack, status: statusCommand, sequence: 42},
			} {
				p.write(pdu{command: alert, sequence: 41}, pdu{command: command, sequence: 42, body: []byte("garbage")})
				if got, _ := p.read(); got.command != want.command || got.status != want.status || got.sequence != want.sequence {
					t.Errorf("%#x is answered %+v, want %+v", command, got, want)
				}
			}
			close(asked)
			p.serve()
		})
		if _, err := s.bound(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-asked
		if _, err := sendIn(s, time.Second); err != nil {
			t.Error(err)
		}
	})
}

// Sequence numbers go from 1 to 0x7FFFFFFF and again, past those still waiting.
func TestSequenceNumbers(t *testing.T) {
	t.Parallel()
	s := &session{waiting: map[uint32]*request{}, done: make(chan struct{})}
	for _, row := range []struct{ last, want uint32 }{{0, 1}, {5, 6}, {maxSequence - 1, maxSequence}, {maxSequence, 2}} {
		s.sequence = row.last
		r := &request{release: func() {}}
		got, err := s.open(r)
		r.timer.Stop()
		if got != row.want || err != nil {
			t.Errorf("after %#x comes %#x (%v), want %#x", row.last, got, err, row.want)
		}
	}
}
