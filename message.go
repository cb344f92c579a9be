package twinlatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Message goes to a person. It holds a code or a link, so it does not print.
type Message struct {
	ID        MessageID // the same at each try, for the vendor's deduplication
	Channel   Channel
	To        Secret    // Text: a number in E.164, "+447700900167"; Email: an address, "ana@example.com"
	Subject   string    // Email: one line
	Body      Secret    // plain text
	HTML      Secret    // Email: the same as HTML; may be empty
	Country   string    // Text: of the number, ISO 3166-1 alpha-2, or "001" for none
	ExpiresAt time.Time // of no use afterwards
}

// Channel is by which way a Message travels.
type Channel string

const (
	Text  Channel = "text"  // a text message (SMS)
	Email Channel = "email" // an e-mail
)

// Sender carries messages; each vendor is one. Implementations are safe for
// concurrent use and heed ctx, which always ends within seconds. sendertest
// holds the suite that each must pass.
type Sender interface {
	// Name is what settings, logs and receipts call it: "twilio".
	Name() string

	// Carries says by which channels it sends, each time the same.
	Carries(Channel) bool

	// Send hands a message over and returns the vendor's name for it, which
	// may be empty. ErrNoRoute: this Sender never will, for instance because it
	// does not carry the channel; the next one is tried. ErrBadRecipient: nobody
	// will, nothing more is tried. Any other error: the next one is tried now,
	// and all again later until the message expires, but three times at most when
	// it is context.DeadlineExceeded, after which the vendor may have it. Errors
	// hold neither recipient nor body.
	Send(ctx context.Context, m Message) (ref string, err error)
}

// Delivery is what became of a message.
type Delivery string

const (
	Queued    Delivery = "queued"    // nobody took it yet
	Sent      Delivery = "sent"      // a vendor took it
	Delivered Delivery = "delivered" // the phone has it
	Failed    Delivery = "failed"    // the phone will not get it
)

// Receipt is what a vendor says later about a message.
type Receipt struct {
	Sender   string    // Name of the Sender
	Message  MessageID // where the vendor gives our ID back; else Ref counts
	Ref      string    // what Send returned
	Delivery Delivery  // Delivered or Failed; others are ignored
	Detail   string    // the vendor's reason, for the log: "30005 unknown handset"
}

// StoredMessage is a Message as a Store sees it: sealed.
type StoredMessage struct {
	Account   AccountID
	ID        MessageID
	Challenge ChallengeID // whose code it brings; empty: none, it is of use until it expires
	Channel   Channel
	Route     string // country and purpose: how many of its codes are typed back is judged together
	Sealed    Sealed
	Tries     int // leases so far
	Delivery  Delivery
	Sender    string    // who took it
	Ref       string    // the vendor's name for it
	NextAt    time.Time // when it is to be tried again; zero: no more
	CreatedAt time.Time
	ExpiresAt time.Time
}

// envelope is the plain text of StoredMessage.Sealed, and of what a challenge
// keeps to send again.
type envelope struct {
	Channel Channel `json:"channel"`
	To      string  `json:"to"`
	Subject string  `json:"subject,omitempty"`
	Body    string  `json:"body"`
	HTML    string  `json:"html,omitempty"`
	Country string  `json:"country,omitempty"`
}

func envelopeOf(m *Message) *envelope {
	if m == nil {
		return nil
	}
	return &envelope{m.Channel, m.To.Reveal(), m.Subject, m.Body.Reveal(), m.HTML.Reveal(), m.Country}
}

func messagePlace(id AccountID, m MessageID) Place {
	return Place{Account: id, Table: "outbox", Row: string(m)}
}

const (
	sendLease  = 30 * time.Second // longer than all senders may take together
	sendWithin = 5 * time.Second  // one sender
	firstAgain = 30 * time.Second // until a message may be sent again
	laterAgain = time.Minute      // and until it may the next time
	firstRetry = 2 * time.Second  // of a message that nobody took, doubling
	lastRetry  = time.Minute
	leaseBatch = 20
	triesMaybe = 3 // of a message that a sender without an answer may have taken: each can cost
)

// newMessage writes a message for the outbox. Whoever writes it sends it, and
// has the lease of it from the start; if that one dies, others find it.
func (s *Service) newMessage(id AccountID, e envelope, ch Challenge, now time.Time) (StoredMessage, error) {
	mid, err := newID[MessageID](s.cfg.Rand)
	if err != nil {
		return StoredMessage{}, err
	}
	plain, err := json.Marshal(e)
	if err != nil {
		return StoredMessage{}, err
	}
	sealed, err := s.cfg.Keys.Seal(plain, messagePlace(id, mid))
	return StoredMessage{
		Account: id, ID: mid, Challenge: ch.ID, Channel: e.Channel, Route: routeOf(e, ch.Purpose), Sealed: sealed, Tries: 1,
		Delivery: Queued, NextAt: now.Add(sendLease), CreatedAt: now, ExpiresAt: ch.ExpiresAt,
	}, err
}

// Deliver sends what is due in the outbox: notices, and messages whose sending
// failed, or whose sender died. It returns how many it tried; the server calls it again
// and again. Any number of processes may do so at the same time.
func (s *Service) Deliver(ctx context.Context) (tried int, err error) {
	if _, err := s.answerRequests(ctx); err != nil {
		return 0, err
	}
	paused, err := s.cfg.Store.Settle(ctx, s.now())
	if err != nil {
		return 0, err
	}
	for _, route := range paused {
		s.cfg.Log.WarnContext(ctx, "text messages paused: nobody types their codes back", "route", route, "for", PausedFor)
	}
	now := s.now()
	due, err := s.cfg.Store.Lease(ctx, now, now.Add(sendLease), leaseBatch)
	if err != nil {
		return 0, err
	}
	var all sync.WaitGroup
	for _, m := range due {
		all.Go(func() { s.send(ctx, m) })
	}
	all.Wait()
	return len(due), nil
}

// send tries all senders in their order and notes what became of the message.
// It holds the lease of m. What was begun is finished, also when nobody waits for
// it any more: a vendor that was asked may have taken it.
func (s *Service) send(ctx context.Context, m StoredMessage) StoredMessage {
	ctx = context.WithoutCancel(ctx)
	log := s.cfg.Log.With("message", m.ID, "channel", m.Channel, "try", m.Tries)
	plain, err := s.cfg.Keys.Open(m.Sealed, messagePlace(m.Account, m.ID))
	var e envelope
	if err == nil {
		err = json.Unmarshal(plain, &e)
	}
	if err != nil {
		log.ErrorContext(ctx, "message does not open", "error", err)
		m.Delivery, m.NextAt = Failed, time.Time{}
	} else {
		s.carry(ctx, log, &m, Message{
			ID: m.ID, Channel: m.Channel, To: NewSecret(e.To), Subject: e.Subject, Body: NewSecret(e.Body), HTML: NewSecret(e.HTML),
			Country: e.Country, ExpiresAt: m.ExpiresAt,
		})
	}
	err = s.cfg.Store.Tx(ctx, m.Account, func(tx Tx) error { return tx.Sent(m) })
	if err != nil && !errors.Is(err, ErrNotFound) { // the lease ends by itself: it is sent again
		log.WarnContext(ctx, "sent message not noted", "error", err)
	}
	return m
}

// carry hands a message to the first sender that takes it.
func (s *Service) carry(ctx context.Context, log *slog.Logger, m *StoredMessage, message Message) {
	ctx, cancel := context.WithTimeout(ctx, sendLease-sendWithin)
	defer cancel()
	again, maybe := false, false
	for _, c := range s.carriers {
		if !c.Carries(m.Channel) {
			continue
		}
		if !c.closed(s.now()) {
			again = true
			continue
		}
		ref, err := c.send(ctx, message)
		switch {
		case err == nil:
			c.worked()
			m.Delivery, m.Sender, m.Ref, m.NextAt = Sent, c.Name(), clip(ref, maxRef), time.Time{}
			log.DebugContext(ctx, "message sent", "sender", c.Name())
			return
		case errors.Is(err, ErrBadRecipient):
			c.worked()
			m.Delivery, m.Sender, m.NextAt = Failed, c.Name(), time.Time{}
			log.InfoContext(ctx, "recipient refused", "sender", c.Name(), "error", err)
			return
		case errors.Is(err, ErrNoRoute):
			c.worked()
			log.InfoContext(ctx, "sender refused", "sender", c.Name(), "error", err)
		default:
			again = true
			maybe = maybe || errors.Is(err, context.DeadlineExceeded)
			if m.Tries == 1 { // one bad message does not speak for all
				c.failed(s.now())
			}
			log.WarnContext(ctx, "sender failed", "sender", c.Name(), "error", err)
		}
	}
	now := s.now()
	wait := lastRetry
	if doubled := m.Tries - 1; doubled < 5 {
		wait = firstRetry << doubled
	}
	m.NextAt = now.Add(wait)
	if maybe && m.Tries >= triesMaybe {
		again = false
	}
	if !again || !m.NextAt.Before(m.ExpiresAt) {
		m.Delivery, m.NextAt = Failed, time.Time{}
		level := slog.LevelError
		if !now.Before(m.ExpiresAt) { // it is late, which senders may say as well
			level = slog.LevelWarn
		}
		log.Log(ctx, level, "nobody carries this message")
	}
}

// carries reports whether anybody sends by a channel.
func (s *Service) carries(by Channel) bool {
	return slices.ContainsFunc(s.carriers, func(c *carrier) bool { return c.Carries(by) })
}

const maxRef = 200

// Receive notes what a vendor says about a message. ErrNotFound: there is no
// such message, or not any more.
func (s *Service) Receive(ctx context.Context, r Receipt) error {
	if r.Delivery != Delivered && r.Delivery != Failed || r.Message == "" && r.Ref == "" {
		return nil
	}
	if err := s.cfg.Store.Receive(ctx, r); err != nil {
		return err
	}
	if r.Delivery == Failed {
		s.cfg.Log.InfoContext(ctx, "message not delivered", "sender", r.Sender, "ref", clip(r.Ref, maxRef), "detail", clip(r.Detail, maxRef))
	}
	return nil
}

// carrier is a Sender with a circuit breaker: one that fails again and again is
// left alone for a while, so that people do not wait for it. The breaker is no
// more than advice, so each process has its own.
type carrier struct {
	Sender
	mu    sync.Mutex
	fails int // in a row
	until time.Time
}

const (
	failsToOpen = 5
	openFor     = 30 * time.Second
)

func (c *carrier) send(ctx context.Context, m Message) (ref string, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	defer func() {
		if p := recover(); p != nil { // of somebody else's code; no more than a failure
			err = fmt.Errorf("sender %s: panic: %v", c.Name(), p)
		}
	}()
	return c.Send(ctx, m)
}

// closed reports whether the sender may be tried. After openFor one try is let
// through; it decides.
func (c *carrier) closed(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails < failsToOpen {
		return true
	}
	if now.Before(c.until) {
		return false
	}
	c.until = now.Add(openFor)
	return true
}

func (c *carrier) worked() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails = 0
}

func (c *carrier) failed(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails++
	c.until = now.Add(openFor)
}
