package smpp

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twinlatch/twinlatch"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"Address":    func(c *Config) { c.Address = "smsc.example" },
		"Address ":   func(c *Config) { c.Address = ":2775" },
		"Address  ":  func(c *Config) { c.Address = "smsc.example:0" },
		"Address   ": func(c *Config) { c.Address = "smsc.example:smpp" },
		"SystemID":   func(c *Config) { c.SystemID = "" },
		"SystemID ":  func(c *Config) { c.SystemID = strings.Repeat("a", 16) },
		"SystemID  ": func(c *Config) { c.SystemID = "a\x00b" },
		"Password":   func(c *Config) { c.Password = twinlatch.NewSecret("ninechars") },
		"Password ":  func(c *Config) { c.Password = twinlatch.NewSecret("pässword") },
		"SystemType": func(c *Config) { c.SystemType = strings.Repeat("a", 13) },
		"Source":     func(c *Config) { c.Source = "Example & Sons" },
		"Source ":    func(c *Config) { c.Source = "12" },
		"Source  ":   func(c *Config) { c.Source = "+0123456789" },
		"Source   ":  func(c *Config) { c.Source = "1234567890123456" },
		"Window":     func(c *Config) { c.Window = -1 },
		"Window ":    func(c *Config) { c.Window = 1001 },
		"ReceiptIDs": func(c *Config) { c.ReceiptIDs = "octal" },
	} {
		c := Config{Address: "smsc.example:2775", SystemID: "twinlatch", Password: twinlatch.NewSecret("s3cr3t/1")}
		change(&c)
		_, err := New(c)
		if err == nil || !strings.HasPrefix(err.Error(), "smpp: "+strings.TrimSpace(name)+" ") || strings.Contains(err.Error(), c.Password.Reveal()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for source, want := range map[string]address{
		"":              {0, 0, ""},
		"+447700900167": {1, 1, "447700900167"},
		"447700900167":  {1, 1, "447700900167"},
		"60123":         {3, 0, "60123"},
		"Example 24/7":  {},
		"R&D 24-7":      {5, 0, "R&D 24-7"},
		"12345678901a":  {},
		"1234567890a":   {5, 0, "1234567890a"},
	} {
		if got, ok := sourceAddress(source); got != want || ok != (want != address{} || source == "") {
			t.Errorf("%q: %+v, %v", source, got, ok)
		}
	}
}

// The bind is as §4.1 writes it, octet by octet.
func TestBinds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		only bool
		want string
	}{
		{false, "\x00\x00\x00\x2c\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x01twinlatch\x00s3cr3t/1\x00type\x00\x34\x00\x00\x00"},
		{true, "\x00\x00\x00\x2c\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01twinlatch\x00s3cr3t/1\x00type\x00\x34\x00\x00\x00"},
	} {
		inBubble(t, func(t *testing.T) {
			s, _ := enter(t, func(c *Config) { c.TransmitterOnly, c.SystemType = row.only, "type" }, func(p *peer) {
				got, _ := p.read()
				if !bytes.Equal(got.encode(), []byte(row.want)) {
					t.Errorf("the SMSC got %q, want %q", got.encode(), row.want)
				}
				p.write(reply(got, "smsc\x00"))
				p.serve()
			})
			if _, err := sendIn(s, time.Second); err != nil {
				t.Error(err)
			}
		})
	}
}

// submit_sm is as §4.4.1 writes it: in E.164 to E.164, for so long as the message
// is good, with a receipt.
func TestSubmits(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s, _ := enter(t, func(c *Config) { c.Source = "+15005550006" }, func(p *peer) {
			p.bind()
			m := p.expect(submitSM)
			const want = "\x00\x01\x0115005550006\x00\x01\x01447700900167\x00\x00\x00\x00\x00000000000959000R\x00\x01\x00\x00\x00\x06483920"
			if string(m.body) != want {
				t.Errorf("the SMSC got %q, want %q", m.body, want)
			}
			p.write(reply(m, ""))
			p.serve()
		})
		m := text("483920")
		m.ExpiresAt = m.ExpiresAt.Add(-time.Nanosecond)
		if ref, err := s.Send(t.Context(), m); ref != "" || err != nil {
			t.Errorf("Send: %q, %v", ref, err)
		}
	})
	for d, want := range map[time.Duration]string{
		time.Second:                              "000000000001000R",
		90 * time.Minute:                         "000000013000000R",
		25*time.Hour + time.Minute + time.Second: "000001010101000R",
		30 * 24 * time.Hour:                      "000030000000000R",
		1000 * 24 * time.Hour:                    "000030000000000R",
	} {
		if got := relative(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestWhatIsNeverSent(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s, h := enter(t, nil, good)
		for name, row := range map[string]struct {
			change func(*twinlatch.Message)
			want   error
		}{
			"no number":             {func(m *twinlatch.Message) { m.To = twinlatch.NewSecret("447700900167") }, twinlatch.ErrBadRecipient},
			"more than one":         {func(m *twinlatch.Message) { m.To = twinlatch.NewSecret("+447700900167\x00") }, twinlatch.ErrBadRecipient},
			"eleven parts":          {func(m *twinlatch.Message) { m.Body = twinlatch.NewSecret(strings.Repeat("a", 10*153+1)) }, twinlatch.ErrNoRoute},
			"eleven parts of UCS-2": {func(m *twinlatch.Message) { m.Body = twinlatch.NewSecret(strings.Repeat("я", 10*67+1)) }, twinlatch.ErrNoRoute},
			"expired":               {func(m *twinlatch.Message) { m.ExpiresAt = time.Now() }, nil},
		} {
			m := text("483920")
			row.change(&m)
			if _, err := s.Send(t.Context(), m); err == nil || row.want != nil && !errors.Is(err, row.want) {
				t.Errorf("%s: %v, want %v", name, err, row.want)
			}
		}
		if h.count() != 0 {
			t.Error("the Sender connected for nothing")
		}
	})
}

// A long text goes in parts, of which the last asks for a receipt; when one is
// refused the rest stays here.
func TestPartsFollowEachOther(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		var got []shortMessage
		s, _ := enter(t, nil, func(p *peer) {
			p.bind()
			for i := range 4 {
				m := p.expect(submitSM)
				short, err := parseShortMessage(m.body)
				if err != nil {
					t.Error(err)
				}
				got = append(got, short)
				r := reply(m, string(rune('a'+i))+"\x00")
				if i == 3 {
					r.status = 0x58
				}
				p.write(r)
			}
			p.serve()
		})
		long := text(strings.Repeat("x", 307))
		if ref, err := s.Send(t.Context(), long); ref != "c" || err != nil {
			t.Errorf("Send: %q, %v; want the last part's reference", ref, err)
		}
		_, err := s.Send(t.Context(), long)
		mustPass(t, err)
		for i, want := range []byte{0, 0, 1, 0} {
			if got[i].registered != want || got[i].class != 0x40 || got[i].text[5] != byte(i%3+1) || got[i].text[4] != 3 {
				t.Errorf("part %d: registered_delivery %d, class %#x, header %x", i, got[i].registered, got[i].class, got[i].text[:6])
			}
		}
		if got[0].text[3] != got[2].text[3] || got[0].text[3] == got[3].text[3] {
			t.Error("the parts of a text have one reference, and the next text another")
		}
	})
}

// Without a listener the Sender connects when there is something to send: at
// once after a first failure, then not before a wait that grows, and Send fails
// at once meanwhile.
func TestReconnectsForSend(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s, h := enter(t, nil, nil, nil, nil, good)
		for _, want := range []int{1, 2, 2} {
			_, err := sendIn(s, time.Second)
			mustPass(t, err)
			if h.count() != want {
				t.Errorf("%d tries to connect, want %d", h.count(), want)
			}
		}
		time.Sleep(time.Second)
		_, err := sendIn(s, time.Second)
		mustPass(t, err)
		time.Sleep(2 * time.Second)
		if _, err := sendIn(s, time.Second); err != nil || h.count() != 4 {
			t.Errorf("at last: %v after %d tries", err, h.count())
		}
	})
}

// With a listener it connects by itself, forever, and waits between half and all
// of 1, 2, 4 … 60 seconds.
func TestReconnectsForReceipts(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s, h := enter(t, nil, nil)
		s.Receipts(func(context.Context, twinlatch.Receipt) error { return nil })
		time.Sleep(time.Hour)
		_ = s.Close()
		most := []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second}
		for i := 1; i < len(h.dials); i++ {
			limit := longest
			if i-1 < len(most) {
				limit = most[i-1]
			}
			if waited := h.dials[i].Sub(h.dials[i-1]); waited < limit/2 || waited > limit {
				t.Errorf("wait %d is %v, want %v to %v", i, waited, limit/2, limit)
			}
		}
		if len(h.dials) < 60 || len(h.dials) > 140 {
			t.Errorf("%d tries in an hour", len(h.dials))
		}
	})
}

// After a connection that was of use the next try is made at once.
func TestALostConnectionIsMadeAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		breaks := func(p *peer) { p.bind(); p.write(reply(p.expect(submitSM), "id\x00")) }
		s, h := enter(t, nil, breaks, breaks, breaks, breaks, good)
		s.Receipts(func(context.Context, twinlatch.Receipt) error { return nil })
		for range 5 {
			if _, err := sendIn(s, time.Second); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if h.count() != 5 || h.dials[4] != h.dials[0] {
			t.Errorf("connected at %v", h.dials)
		}
	})
}

// Many who send at once share one connection, and a caller who goes away does
// not end the try for the others.
func TestOneConnectionForAll(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s, h := enter(t, nil, func(p *peer) {
			m := p.expect(bindTransceiver)
			time.Sleep(5 * time.Second)
			p.write(reply(m, "smsc\x00"))
			p.serve()
		})
		var all sync.WaitGroup
		all.Go(func() {
			_, err := sendIn(s, time.Second)
			mustPass(t, err)
		})
		for range 20 {
			all.Go(func() {
				if _, err := sendIn(s, time.Minute); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if h.count() != 1 {
			t.Errorf("%d connections", h.count())
		}
	})
}

// Close unbinds and leaves nothing behind: the bubble would not end otherwise.
func TestClose(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		smsc func(*peer)
		fine bool
	}{
		"answered": {func(p *peer) {
			p.bind()
			m := p.expect(submitSM)
			p.write(reply(m, "id\x00"))
			p.write(reply(p.expect(unbind), ""))
		}, true},
		"not answered": {func(p *peer) {
			p.bind()
			m := p.expect(submitSM)
			p.write(reply(m, "id\x00"))
			p.expect(unbind)
			p.idle()
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s, h := enter(t, nil, row.smsc)
				if _, err := sendIn(s, time.Second); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				if err := s.Close(); (err == nil) != row.fine {
					t.Errorf("Close: %v", err)
				}
				if took := time.Since(began); took > parting {
					t.Errorf("Close took %v", took)
				}
				if err := s.Close(); err != nil {
					t.Errorf("the second Close: %v", err)
				}
				s.Receipts(func(context.Context, twinlatch.Receipt) error { return nil })
				_, err := sendIn(s, time.Second)
				mustPass(t, err)
				if h.count() != 1 {
					t.Error("a closed Sender connects")
				}
			})
		})
	}
	for name, smsc := range map[string]func(*peer){"never connected": nil, "while it binds": func(p *peer) { p.idle() }} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s, _ := enter(t, nil, smsc)
				var all sync.WaitGroup
				if smsc != nil {
					all.Go(func() { _, err := sendIn(s, time.Minute); mustPass(t, err) })
					synctest.Wait()
				}
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				all.Wait()
			})
		})
	}
}

func TestErrorsOfBind(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		does func(*peer)
		want string
	}{
		"wrong password": {func(p *peer) {
			m := reply(p.expect(bindTransceiver), "")
			m.status = statusPassword
			p.write(m)
			p.idle()
		}, "smpp: bind refused: 0xe ESME_RINVPASWD, wrong password"},
		"unknown to us": {func(p *peer) { m := reply(p.expect(bindTransceiver), ""); m.status = 0x4A1; p.write(m); p.idle() }, "smpp: bind refused: 0x4a1"},
		"nack": {func(p *peer) {
			p.write(pdu{command: genericNack, status: statusCommand, sequence: p.expect(bindTransceiver).sequence})
			p.idle()
		}, "smpp: bind refused: 0x3 ESME_RINVCMDID, unknown command"},
		"silence": {func(p *peer) { p.idle() }, "smpp: bind: smpp: no answer in time: context deadline exceeded"},
		"no SMSC": {nil, "smpp: nobody is there"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s, _ := enter(t, nil, row.does)
				_, err := sendIn(s, time.Minute)
				mustPass(t, err)
				if err.Error() != row.want {
					t.Errorf("Send: %q, want %q", err, row.want)
				}
			})
		})
	}
}

// Refusals of messages are for this message, this SMSC or for now.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for status, want := range map[uint32]error{
		statusDestination: twinlatch.ErrBadRecipient,
		statusSource:      twinlatch.ErrNoRoute, statusTargetTON: twinlatch.ErrNoRoute, statusTargetNPI: twinlatch.ErrNoRoute,
		statusMsgLength: twinlatch.ErrNoRoute, statusClass: twinlatch.ErrNoRoute, statusSourceTON: twinlatch.ErrNoRoute,
		0x58: nil, 0x14: nil, 0x08: nil, 0x45: nil, 0x62: nil, statusBindState: nil, 0x400: nil, 0xFFFF_FFFF: nil,
	} {
		inBubble(t, func(t *testing.T) {
			s, _ := enter(t, nil, func(p *peer) {
				p.bind()
				m := reply(p.expect(submitSM), "447700900167 483920\x00")
				m.status = status
				p.write(m)
				p.serve()
			})
			_, err := sendIn(s, time.Second)
			if want == nil {
				mustPass(t, err)
			} else if !errors.Is(err, want) {
				t.Errorf("%#x: %v, want %v", status, err, want)
			}
		})
	}
}
