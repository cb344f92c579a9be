package twinlatch

import (
	"cmp"
	"context"
)

// Notice writes the e-mail that the owner of an account gets for an event, or nil
// for none. The token is for a link in it: of EventResetAsked to choose a new
// password (ResetPassword); of EventAddressAsked, and of EventAccountCreated while the
// account is not confirmed, to confirm the address (ConfirmAddress); of all others, also
// EventSignUpAgain, "This was not me" (RaiseAlarm). Only Subject, Body
// and HTML of the message are used. It is called inside a transaction, so it must be
// quick and must not use the Service.
type Notice func(a Account, e Event, t Token) *Message

// Confirms reports whether the Token of the Notice for an event is for ConfirmAddress.
func (e Event) Confirms(a Account) bool {
	switch e.Type {
	case EventAddressAsked:
		return true
	case EventAccountCreated:
		return a.ConfirmedAt.IsZero()
	}
	return false
}

// Mails reports whether owners get mails: without Config.Notice nobody can get a link.
func (s *Service) Mails() bool { return s.cfg.Notice != nil }

// noticeFor is how long a notice is tried to be sent.
const noticeFor = day

// notify puts the notice of an event, if there is one, into the outbox, in the
// transaction of the change. It is sent afterwards: broken mail stops nobody.
// Accounts of applications have no address that we know.
func (s *Service) notify(tx Tx, e Event, c Client) error {
	if s.cfg.Notice == nil {
		return nil
	}
	a, err := tx.Account()
	if err != nil || a.Realm != MainRealm || !a.DeletedAt.IsZero() {
		return err
	}
	if a.ConfirmedAt.IsZero() && !e.Confirms(a) && e.Type != EventResetAsked && e.Type != EventSignUpAgain {
		return nil // whose address it is, is not known
	}
	a.Locale = cmp.Or(a.Locale, c.Locale)
	purpose, lasts, to, about := TicketAlarm, alarmFor, a.Login, ""
	switch {
	case e.Type == EventResetAsked:
		purpose, lasts = TicketReset, resetFor
	case e.Type == EventAddressChanged:
		about = a.Login // that which it was until now
	case e.Confirms(a):
		if e.Detail.More["to"] != "" {
			to = e.Detail.More["to"]
		}
		purpose, lasts, about = TicketEmail, emailFor, to
	}
	ticket, token, err := s.newTicket(a.ID, purpose, lasts)
	if err != nil {
		return err
	}
	ticket.Address = about
	if purpose == TicketEmail && about == a.Login {
		ticket.Claim = c.claim
	}
	m := s.cfg.Notice(a, e, token)
	if m == nil {
		return nil
	}
	if err := tx.InsertTicket(ticket); err != nil {
		return err
	}
	now := s.now()
	letter := *m
	letter.Channel, letter.To, letter.Country = Email, NewSecret(to), ""
	stored, err := s.newMessage(a.ID, *envelopeOf(&letter), Challenge{ExpiresAt: now.Add(min(lasts, noticeFor))}, now)
	if err != nil {
		return err
	}
	stored.Tries, stored.NextAt = 0, now // nobody waits for it
	return tx.Enqueue(stored)
}

// Due gets a value when something was written that Deliver should see to now.
// Whoever calls Deliver in a loop need not wait for its next turn.
func (s *Service) Due() <-chan struct{} { return s.due }

func (s *Service) wake() {
	select {
	case s.due <- struct{}{}:
	default:
	}
}

// waking is a Store that says so when a commit has left a message that is due:
// not before, or whoever looks then finds none.
type waking struct {
	Store
	wake func()
}

func (w waking) Tx(ctx context.Context, id AccountID, fn func(Tx) error) error {
	due := false
	err := w.Store.Tx(ctx, id, func(tx Tx) error {
		due = false
		return fn(wakingTx{tx, &due})
	})
	if due {
		w.wake()
	}
	return err
}

func (w waking) Administer(ctx context.Context, admin, target AccountID, fn func(View, Tx) error) error {
	due := false
	err := w.Store.Administer(ctx, admin, target, func(v View, tx Tx) error {
		due = false
		return fn(v, wakingTx{tx, &due})
	})
	if due {
		w.wake()
	}
	return err
}

type wakingTx struct {
	Tx
	due *bool
}

func (t wakingTx) Enqueue(m StoredMessage) error {
	*t.due = *t.due || !m.NextAt.IsZero() && !m.NextAt.After(m.CreatedAt)
	return t.Tx.Enqueue(m)
}
