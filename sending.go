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

// What one number and one account may get. A number is counted whoever's it is,
// so that nobody can have a stranger's phone ring by making accounts.
const (
	numberPerHour = 5
	numberPerDay  = 10
	accountPerDay = 20
)

// A country is paused when of this many messages fewer than one in answerShare
// had their code typed back.
const (
	AnswersJudged = 50        // messages to a country that are judged together
	answerShare   = 5         //
	PausedFor     = time.Hour // how long a country is paused then
)

// AnswersEnough reports whether so many typed codes of so many messages are what
// people do, and not what machines do.
func AnswersEnough(answered, messages int64) bool { return answered*answerShare >= messages }

// maySend books a message against all limits, or none: *LimitError.
func (s *Service) maySend(ctx context.Context, id AccountID, e envelope, c Client) (giveBack func(), err error) {
	if len(s.carriers) == 0 {
		return nil, ErrNoRoute
	}
	if err := s.cfg.Store.Paused(ctx, e.Country, s.now()); err != nil {
		return nil, err
	}
	return s.take(ctx, s.sendLimits(id, e, c)...)
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
	giveBack, err := s.maySend(ctx, id, *e, c)
	if err != nil {
		return "", err
	}
	var m StoredMessage
	mine := false
	err = s.cfg.Store.Tx(ctx, id, func(tx Tx) error {
		if mine, err = write(tx); err != nil || !mine {
			return err
		}
		if m, err = s.newMessage(id, *e, ch, s.now()); err != nil {
			return err
		}
		return tx.Enqueue(m)
	})
	if err != nil || !mine {
		giveBack()
		return "", err
	}
	// What was promised is sent, also when the client is gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendLease-sendWithin)
	defer cancel()
	return s.send(ctx, m), nil
}

// resend sends the message of an open challenge again. own locks the account and
// says whose challenge it has to be.
func (s *Service) resend(ctx context.Context, ch Challenge, e envelope, id AccountID, c Client, own func(Tx) (SessionID, error)) (Challenge, error) {
	if s.now().Before(ch.ResendAt) {
		return Challenge{}, &LimitError{RetryAt: ch.ResendAt}
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

func (s *Service) sendLimits(id AccountID, e envelope, c Client) []Limit {
	mac := s.cfg.Keys.MAC("to", []byte(e.Channel), []byte(e.To))
	to := "to:" + secretEncoding.EncodeToString(mac[:16])
	limits := []Limit{
		{Scope: to, Name: "message", Most: 1, Window: firstAgain},
		{Scope: to, Name: "message/hour", Most: numberPerHour, Window: time.Hour},
		{Scope: to, Name: "message/day", Most: numberPerDay, Window: day},
		{Scope: "account:" + string(id), Name: "message/day", Most: accountPerDay, Window: day},
	}
	limits = append(limits, networkLimits("message", c.IP, s.cfg.Sending.NetworkPerHour, time.Hour)...)
	limits = append(limits,
		Limit{Scope: "country:" + e.Country, Name: "message", Most: s.cfg.Sending.CountryPerHour, Window: time.Hour},
		Limit{Scope: "all", Name: "message", Most: s.cfg.Sending.PerHour, Window: time.Hour})
	if price := s.cfg.Sending.Price(e.Country); s.cfg.Sending.Budget > 0 && price > 0 {
		limits = append(limits, Limit{Scope: "all", Name: "money", Most: s.cfg.Sending.Budget, Window: day, Cost: price})
	}
	return limits
}
