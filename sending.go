package twinlatch

import (
	"context"
	"errors"
	"time"
)

// Sending says who carries messages and how many there may be at most, because
// each costs money and strangers may have them sent ("pumping"). All limits are
// counted in the Store, by all processes together. Zero numbers mean those of
// DefaultSending.
type Sending struct {
	Senders        []Sender // in order of trial
	PerHour        int      // messages in all
	CountryPerHour int      // to one country
	NetworkPerHour int      // asked for from one IPv4 address; IPv6 see docs/security.md
	Budget         int      // what messages may cost in 24 hours; 0: no such limit

	// Price is what a message to a country (ISO 3166-1 alpha-2) costs, in the
	// unit of Budget: thousandths of a currency, say. nil: 1.
	Price func(country string) int
}

// DefaultSending is what the zero numbers of Sending mean.
func DefaultSending() Sending {
	return Sending{PerHour: 1000, CountryPerHour: 300, NetworkPerHour: 30}
}

func (s Sending) withDefaults() Sending {
	d := DefaultSending()
	for _, n := range []struct{ value, fallback *int }{
		{&s.PerHour, &d.PerHour}, {&s.CountryPerHour, &d.CountryPerHour}, {&s.NetworkPerHour, &d.NetworkPerHour},
	} {
		if *n.value == 0 {
			*n.value = *n.fallback
		}
	}
	if s.Price == nil {
		s.Price = func(string) int { return 1 }
	}
	return s
}

func (s Sending) validate() error {
	if s.PerHour < 0 || s.CountryPerHour < 0 || s.NetworkPerHour < 0 || s.Budget < 0 {
		return errors.New("sending: limits must not be negative")
	}
	return nil
}

// What one number and one account may get.
const (
	numberPerHour = 5
	numberPerDay  = 10
	accountPerDay = 20
)

// A route is paused when of this many messages fewer than one in answerShare had
// their code typed back.
const (
	AnswersJudged = 50 // messages of a route that are judged together
	answerShare   = 5
	PausedFor     = time.Hour // how long a route is paused then
)

// routeOf is what is judged together. Strangers can have codes of enrollments
// sent that nobody types; owners must not pay for it when they sign in.
func routeOf(e envelope, p Purpose) string {
	if e.Country == "" {
		return ""
	}
	return e.Country + " " + string(p)
}

// AnswersEnough reports whether so many typed codes of so many messages are what
// people do, and not what machines do.
func AnswersEnough(answered, messages int64) bool { return answered*answerShare >= messages }

// maySend books a message against all limits, or none: *LimitError.
func (s *Service) maySend(ctx context.Context, id AccountID, e envelope, p Purpose, c Client) (giveBack func(), err error) {
	if !s.carries(e.Channel) {
		return nil, ErrNoRoute
	}
	known := false
	if p == Verify {
		err := s.cfg.Store.View(ctx, id, func(v View) (err error) {
			known, err = v.Verified(network(c.IP), s.now().Add(-knownFor))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if err := s.cfg.Store.Paused(ctx, routeOf(e, p), s.now()); err != nil {
		return nil, err
	}
	return s.take(ctx, s.sendLimits(id, e, p, known, c)...)
}

// withMessage runs write in a transaction in which the message of ch, if there
// is one, is written as well, and then sends it. Not when write says that the
// challenge is not its own.
func (s *Service) withMessage(ctx context.Context, id AccountID, ch Challenge, e *envelope, c Client, write func(Tx) (mine bool, err error)) (Delivery, error) {
	if e == nil {
		return "", s.cfg.Store.Tx(ctx, id, func(tx Tx) error {
			_, err := write(tx)
			return err
		})
	}
	giveBack, err := s.maySend(ctx, id, *e, ch.Purpose, c)
	if err != nil {
		return "", err
	}
	ctx = context.WithoutCancel(ctx) // nobody gets away by going away
	var m StoredMessage
	written := false
	err = s.cfg.Store.Tx(ctx, id, func(tx Tx) error {
		written = false
		mine, err := write(tx)
		if err != nil || !mine {
			return err
		}
		if m, err = s.newMessage(id, *e, ch, s.now()); err != nil {
			return err
		}
		if err := tx.Enqueue(m); err != nil {
			return err
		}
		written = true
		return nil
	})
	if !written {
		giveBack()
		return "", err
	}
	if err != nil { // of the commit: it may have happened, and then the message is sent
		return "", err
	}
	m = s.send(ctx, m)
	if m.Delivery == Failed && m.Sender == "" { // nobody was asked to carry it
		giveBack()
	}
	return m.Delivery, nil
}

// resend sends the message of an open challenge again. own locks the account and
// says whose challenge it has to be.
func (s *Service) resend(ctx context.Context, ch Challenge, e envelope, id AccountID, c Client, own func(Tx) (SessionID, error)) (Challenge, error) {
	if s.now().Before(ch.ResendAt) {
		return Challenge{}, &LimitError{RetryAt: ch.ResendAt}
	}
	if ch.Delivery == Queued { // the one before is still to be sent
		return ch, nil
	}
	next := s.now().Add(laterAgain)
	delivery, err := s.withMessage(ctx, id, ch, &e, c, func(tx Tx) (bool, error) {
		session, err := own(tx)
		if err != nil {
			return false, err
		}
		return true, tx.Resend(ch.ID, session, s.now(), next)
	})
	ch.ResendAt, ch.Delivery = next, delivery
	return ch, err
}

// sendLimits are those of one message. What an enrollment sends goes to a number
// that nobody has confirmed: it is counted for that number, whosever account
// asks, so that nobody can have a stranger's phone ring by making accounts. A
// verification goes to a number that its owner confirmed, and is counted for it
// in this account, apart for networks that it verified from: no stranger can use
// up what the owner may get, and nobody with the password what the owner may get
// at home. Of what all share enrollments get half.
//
// The caller's own limits come first: who has reached them touches no others.
func (s *Service) sendLimits(id AccountID, e envelope, p Purpose, known bool, c Client) []Limit {
	whose, account := []byte(id), "message/day"
	switch {
	case p == Enroll:
		whose = nil
	case known:
		whose, account = append(whose, " known"...), "message/day/known"
	}
	mac := s.cfg.Keys.MAC("to", []byte(e.Channel), []byte(e.To), whose)
	to := "to:" + secretEncoding.EncodeToString(mac[:16])
	limits := append([]Limit{{Scope: "account:" + string(id), Name: account, Most: accountPerDay, Window: day}},
		networkLimits("message", c.IP, s.cfg.Sending.NetworkPerHour, time.Hour)...)
	limits = append(limits,
		Limit{Scope: to, Name: "message", Most: 1, Window: firstAgain},
		Limit{Scope: to, Name: "message/hour", Most: numberPerHour, Window: time.Hour},
		Limit{Scope: to, Name: "message/day", Most: numberPerDay, Window: day})
	shared := []Limit{
		{Scope: "country:" + e.Country, Name: "message", Most: s.cfg.Sending.CountryPerHour, Window: time.Hour},
		{Scope: "all", Name: "message", Most: s.cfg.Sending.PerHour, Window: time.Hour},
	}
	if price := s.cfg.Sending.Price(e.Country); s.cfg.Sending.Budget > 0 && price > 0 {
		shared = append(shared, Limit{Scope: "all", Name: "money", Most: s.cfg.Sending.Budget, Window: day, Cost: price})
	}
	for _, l := range shared {
		if p == Enroll {
			half := l
			half.Name, half.Most = l.Name+"/enroll", max((l.Most+1)/2, l.Cost)
			limits = append(limits, half)
		}
		limits = append(limits, l)
	}
	return limits
}
