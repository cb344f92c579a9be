// Package sendertest is the suite that each twinlatch.Sender must pass: it holds
// a sender to the contract in message.go of the core, from outside, with a
// provider that is played by the sender's own test. A sender is done when it
// passes:
//
//	func TestConformance(t *testing.T) {
//		sendertest.Run(t, sendertest.Fixture{New: newSetup, Secrets: []string{token}})
//	}
//
// The provider follows what the vendor published, to the letter: whatever the
// vendor would refuse, it refuses. What the suite cannot know, as how the vendor
// wants to be asked, is for the sender's own tests. Only tests import it.
package sendertest

import (
	"context"
	"fmt"
	"html"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Fixture is a sender and what is needed to try it.
type Fixture struct {
	// New makes a sender and a provider for it alone. Both end with the test
	// and take the time from clock.
	New func(t testing.TB, clock func() time.Time) Setup

	// Channel is the one that the sender is tried with; empty: Text. One that
	// carries several is tried with each.
	Channel twinlatch.Channel

	// Secrets are the values in the sender's settings that no error may hold.
	Secrets []string

	// Marks says that the vendor can be given a mark by which it knows a message
	// again that is sent twice: Taken.Mark.
	Marks bool
}

// Setup is one sender with its provider.
type Setup struct {
	Sender   twinlatch.Sender
	Provider Provider
	Receipts *Receipts // nil: the vendor tells nothing later by HTTP
}

// Provider is the vendor. It takes each message, unless one of the functions
// after Taken was called, which is about the next message only. Such a function
// is nil where the vendor cannot do so: then it is not tried. Whoever refuses
// quotes recipient and body in its answer, for senders that pass it on.
// All are safe for concurrent use.
type Provider struct {
	// Taken are all messages that the vendor will deliver, oldest first.
	Taken func() []Taken

	RefuseRecipient func() // nobody at this address, whoever sends
	RefuseForGood   func() // this vendor or account does not carry such messages
	Fail            func() // not now: an internal error, too much at once
	Break           func() // the connection ends in the middle of the answer
	Babble          func() // the answer is not of the protocol
	AcceptTwice     func() // takes it once and says so twice

	// Hang answers nothing until the sender gives up. The channel is closed as
	// soon as the message is there.
	Hang func() (there <-chan struct{})
}

// Taken is a message as the vendor got it.
type Taken struct {
	To      string // Text: in E.164, however the vendor writes it
	Subject string // Email
	Body    string // Email: the plain text, whatever its line ends; one at the end does not count
	Mark    string // by which the vendor knows it again; only with Fixture.Marks
	Ref     string // what the vendor called it, "" if it gives no names
}

// Run runs the suite. It takes no longer than the sender itself does.
func Run(t *testing.T, f Fixture) {
	s := suite{f}
	if s.Channel == "" {
		s.Channel = twinlatch.Text
	}
	t.Run("has a name", s.hasName)
	t.Run("hands over once, unchanged", s.handsOver)
	t.Run("marks what it repeats", s.marks)
	t.Run("tells refusals apart", s.tellsApart)
	t.Run("recovers", s.recovers)
	t.Run("takes no answer for another", s.acceptsTwice)
	t.Run("gives up with its caller", s.givesUp)
	t.Run("refuses other channels", s.refusesOthers)
	t.Run("sends nothing late", s.sendsNothingLate)
	t.Run("is safe for concurrent use", s.isConcurrent)
	t.Run("receipts", s.receipts)
}

const (
	subject = "A code for Ann & Söhne 🔑"
	body    = "483920 is your code for Example & Sons.\n\n@example.com #483920"
	soon    = 30 * time.Second // after which a test does not wait any longer
)

type suite struct{ Fixture }

func start() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }

// to is the i-th recipient: a number of the range that Ofcom keeps for drama, or
// an address of the domain that RFC 2606 keeps for examples.
func (s suite) to(i int) string {
	if s.Channel == twinlatch.Email {
		return fmt.Sprintf("ann.specimen%02d@example.com", i)
	}
	return fmt.Sprintf("+4477009001%02d", i)
}

// message is a good one, with an ID as the core makes them.
func (s suite) message(id, body string) twinlatch.Message {
	m := twinlatch.Message{
		ID:        twinlatch.MessageID((id + strings.Repeat("a", 26))[:26]),
		Channel:   s.Channel,
		To:        twinlatch.NewSecret(s.to(0)),
		Body:      twinlatch.NewSecret(body),
		ExpiresAt: start().Add(10 * time.Minute),
	}
	if s.Channel == twinlatch.Email {
		m.Subject, m.HTML = subject, twinlatch.NewSecret("<p>"+html.EscapeString(body))
	} else {
		m.Country = "GB"
	}
	return m
}

// same reports whether a body arrived as it was sent. Lines of an e-mail end in
// one way only, the last one always.
func (s suite) same(got, sent string) bool {
	if s.Channel != twinlatch.Email {
		return got == sent
	}
	lines := func(text string) string { return strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n") }
	return lines(got) == lines(sent)
}

func (s suite) setup(t *testing.T) Setup { return s.New(t, start) }

// send fails the test if the sender does not take m, and returns its reference.
func send(t *testing.T, sender twinlatch.Sender, m twinlatch.Message) string {
	t.Helper()
	ref, err := sender.Send(t.Context(), m)
	if err != nil {
		t.Fatalf("Send: %v", err)
	}
	return ref
}

func (s suite) hasName(t *testing.T) {
	a, b := s.setup(t), s.setup(t)
	name := a.Sender.Name()
	if !regexp.MustCompile(`^[a-z][a-z0-9_-]*$`).MatchString(name) {
		t.Errorf("the name is %q, want lower-case letters", name)
	}
	send(t, a.Sender, s.message("one", body))
	if again, other := a.Sender.Name(), b.Sender.Name(); again != name || other != name {
		t.Errorf("the name is %q, then %q, and %q of another one", name, again, other)
	}
}

func (s suite) handsOver(t *testing.T) {
	for name, text := range map[string]string{
		"short":             "483920",
		"with a link":       "https://example.com/a?b=c&d=%20+e#f",
		"with a line break": body,
		"with CR and LF":    "one\r\ntwo",
		"with blanks":       " a  b ",
		"with markup":       `<b>"R&amp;D"</b> '\n' {{.}} ${x} %s`,
		"GSM-7 extension":   "€ ^{}\\[~]| £¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà",
		"160 characters":    strings.Repeat("0123456789", 16),
		"161 characters":    strings.Repeat("0123456789", 16) + "!",
		"400 characters":    strings.Repeat("0123456789", 40),
		"UCS-2":             "Ваш код: 483920",
		"emoji":             "483920 🔑👩‍👩‍👧",
		"long UCS-2":        strings.Repeat("код 🔑 ", 30),
		"not normalized":    "e\u0301 \u00e9",
		"right to left":     "الرمز \u200f483920",
	} {
		t.Run(name, func(t *testing.T) {
			b := s.setup(t)
			ref := send(t, b.Sender, s.message("one", text))
			all := b.Provider.Taken()
			if len(all) != 1 {
				t.Fatalf("the provider got %d messages, want 1", len(all))
			}
			if got := all[0]; got.To != s.to(0) || !s.same(got.Body, text) || got.Subject != s.message("one", text).Subject {
				t.Errorf("the provider got %q, %q for %q, want %q for %q", got.Subject, got.Body, got.To, text, s.to(0))
			}
			if ref != all[0].Ref {
				t.Errorf("the reference is %q, want %q", ref, all[0].Ref)
			}
		})
	}
}

func (s suite) marks(t *testing.T) {
	if !s.Marks {
		return
	}
	b := s.setup(t)
	for _, id := range []string{"one", "one", "two"} {
		send(t, b.Sender, s.message(id, body))
	}
	all := b.Provider.Taken()
	if len(all) == 2 { // it knew the second one again
		if all[0].Mark == "" || all[0].Mark == all[1].Mark {
			t.Errorf("two messages have the marks %q and %q", all[0].Mark, all[1].Mark)
		}
		return
	}
	if len(all) != 3 || all[0].Mark == "" || all[0].Mark != all[1].Mark {
		t.Fatalf("the same message, sent twice, has other marks or none: %v", all)
	}
	if all[0].Mark == all[2].Mark {
		t.Errorf("another message has the same mark %q", all[2].Mark)
	}
}

func (s suite) tellsApart(t *testing.T) {
	for _, c := range []struct {
		name string
		next func(Provider) func()
		want error // nil: neither of the two
	}{
		{"bad recipient", func(p Provider) func() { return p.RefuseRecipient }, twinlatch.ErrBadRecipient},
		{"no route", func(p Provider) func() { return p.RefuseForGood }, twinlatch.ErrNoRoute},
		{"not now", func(p Provider) func() { return p.Fail }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := s.setup(t)
			next := c.next(b.Provider)
			if next == nil {
				return
			}
			next()
			_, err := b.Sender.Send(t.Context(), s.message("one", body))
			s.mustBe(t, err, c.want)
			mustTake(t, b.Provider, 0)
			send(t, b.Sender, s.message("two", body))
			mustTake(t, b.Provider, 1)
		})
	}
}

// recovers is about answers after which nobody knows whether the message was
// taken.
func (s suite) recovers(t *testing.T) {
	for name, next := range map[string]func(Provider) func(){
		"closes mid-answer": func(p Provider) func() { return p.Break },
		"babbles":           func(p Provider) func() { return p.Babble },
	} {
		t.Run(name, func(t *testing.T) {
			b := s.setup(t)
			next := next(b.Provider)
			if next == nil {
				return
			}
			next()
			_, err := b.Sender.Send(t.Context(), s.message("one", body))
			s.mustBe(t, err, nil)
			before := len(b.Provider.Taken())
			if before > 1 {
				t.Errorf("the provider took %d messages of one Send", before)
			}
			send(t, b.Sender, s.message("two", body))
			mustTake(t, b.Provider, before+1)
		})
	}
}

func (s suite) acceptsTwice(t *testing.T) {
	b := s.setup(t)
	if b.Provider.AcceptTwice == nil {
		return
	}
	b.Provider.AcceptTwice()
	for i, id := range []string{"one", "two", "three"} {
		ref := send(t, b.Sender, s.message(id, id))
		mustTake(t, b.Provider, i+1)
		if last := b.Provider.Taken()[i]; last.Ref != ref || !s.same(last.Body, id) {
			t.Errorf("message %q has the reference %q, want %q", id, ref, last.Ref)
		}
	}
}

func (s suite) givesUp(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		b := s.setup(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := b.Sender.Send(ctx, s.message("one", body))
		s.mustBe(t, err, nil)
		mustTake(t, b.Provider, 0)
	})
	t.Run("while it waits", func(t *testing.T) {
		b := s.setup(t)
		if b.Provider.Hang == nil {
			return
		}
		there := b.Provider.Hang()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() {
			_, err := b.Sender.Send(ctx, s.message("one", body))
			done <- err
		}()
		select {
		case <-there:
		case err := <-done:
			t.Fatalf("Send returned before the provider answered: %v", err)
		}
		cancel()
		select {
		case err := <-done:
			s.mustBe(t, err, nil)
		case <-time.After(soon):
			t.Fatal("Send goes on without its caller")
		}
		send(t, b.Sender, s.message("two", body))
	})
	t.Run("when its time is over", func(t *testing.T) {
		b := s.setup(t)
		if b.Provider.Hang == nil {
			return
		}
		b.Provider.Hang()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		done := make(chan error, 1)
		go func() {
			_, err := b.Sender.Send(ctx, s.message("one", body))
			done <- err
		}()
		select {
		case err := <-done:
			s.mustBe(t, err, nil)
		case <-time.After(soon):
			t.Fatal("Send has no end")
		}
	})
}

func (s suite) refusesOthers(t *testing.T) {
	b := s.setup(t)
	if !b.Sender.Carries(s.Channel) {
		t.Errorf("it does not carry %q", s.Channel)
	}
	for _, channel := range []twinlatch.Channel{twinlatch.Text, twinlatch.Email, "", "TEXT", "carrier pigeon"} {
		if known := channel == twinlatch.Text || channel == twinlatch.Email; b.Sender.Carries(channel) {
			if !known {
				t.Errorf("it carries %q", channel)
			}
			continue
		}
		m := s.message("one", body)
		m.Channel = channel
		_, err := b.Sender.Send(t.Context(), m)
		s.mustBe(t, err, twinlatch.ErrNoRoute)
	}
	mustTake(t, b.Provider, 0)
}

func (s suite) sendsNothingLate(t *testing.T) {
	b := s.setup(t)
	for _, late := range []time.Duration{0, time.Second, time.Hour} {
		m := s.message("one", body)
		m.ExpiresAt = start().Add(-late)
		_, err := b.Sender.Send(t.Context(), m)
		s.mustBe(t, err, nil)
	}
	mustTake(t, b.Provider, 0)
	m := s.message("one", body)
	m.ExpiresAt = start().Add(time.Second)
	send(t, b.Sender, m)
	mustTake(t, b.Provider, 1)
}

// isConcurrent is for the race detector, and for references that go astray.
func (s suite) isConcurrent(t *testing.T) {
	const many = 32
	b := s.setup(t)
	var (
		refs [many]string
		all  sync.WaitGroup
	)
	for i := range many {
		all.Go(func() {
			m := s.message(fmt.Sprintf("n%c%c", 'a'+i/16, 'a'+i%16), fmt.Sprintf("code %d", i))
			m.To = twinlatch.NewSecret(s.to(i))
			b.Sender.Name()
			ref, err := b.Sender.Send(t.Context(), m)
			if err != nil {
				t.Errorf("Send: %v", err)
			}
			refs[i] = ref
		})
	}
	all.Wait()
	mustTake(t, b.Provider, many)
	for _, got := range b.Provider.Taken() {
		i := 0
		if _, err := fmt.Sscanf(got.Body, "code %d", &i); err != nil || i < 0 || i >= many {
			t.Fatalf("the provider got %q", got.Body)
		}
		if got.To != s.to(i) || got.Ref != refs[i] {
			t.Errorf("message %d went to %s as %q, want %s as %q", i, got.To, got.Ref, s.to(i), refs[i])
		}
	}
}

func mustTake(t *testing.T, p Provider, want int) {
	t.Helper()
	if got := len(p.Taken()); got != want {
		t.Fatalf("the provider took %d messages, want %d", got, want)
	}
}
