package twinlatch

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/netip"
	"time"
)

// vouchFor is how old a second step may be that a hand-over carries to the address
// from which the app is reached.
const vouchFor = 2 * time.Minute

// IssueHandOver makes a ticket that gives the browser of who a token of its own for
// the host of a protected app: a name in lower case, without port, because cookies
// do not tell ports apart. It can be used once within a minute, there only, and only
// by the browser that has state, a secret of that host's; digest is StateDigest of it.
// ErrUnconfirmed.
func (s *Service) IssueHandOver(ctx context.Context, who Passed, host, digest string) (Token, error) {
	if s.Unconfirmed(who.Account()) {
		return Token{}, ErrUnconfirmed
	}
	ticket, token, err := s.newTicket(who.Account().ID, TicketHandOver, handOverFor)
	if err != nil {
		return Token{}, err
	}
	ticket.Session, ticket.Host, ticket.Claim = who.Session().ID, host, digest
	err = s.cfg.Store.Tx(ctx, who.Account().ID, func(tx Tx) error {
		if err := s.mayChange(tx, who, look); err != nil {
			return err
		}
		return tx.InsertTicket(ticket)
	})
	return token, err
}

// StateDigest is what our pages get to know of the state of a browser. Who knows it can have a ticket
// made for that browser that signs it in as themselves, and nothing else.
func StateDigest(state Secret) string { return digestOf(state) }

// HandOver uses a ticket of IssueHandOver up for a token that Check accepts with
// Client.Host only. It dies with the session, and at every change of its token.
//
// The app may be reached from another address than our pages, by IPv4 where they are
// by IPv6. A second step at most two minutes old counts from there too: the state shows
// that the browser which brings the ticket is the one that asked for it. An older one
// does not: ErrNotFresh, and the ticket stays good. ErrExpired: it was used, is too old,
// is for another host or another browser, or never existed. ErrNoSession: the session
// has ended, or has a new token since. A ticket that was shown in the wrong place, or
// without a state, is used up as well: it is in somebody's log there.
func (s *Service) HandOver(ctx context.Context, t Token, host string, state Secret, c Client) (Token, error) {
	if t.account == "" || host == "" {
		return Token{}, ErrExpired
	}
	var token Token
	var wrong error
	err := s.cfg.Store.Tx(ctx, t.account, func(tx Tx) error {
		if err := tx.Lock(); err != nil {
			return err
		}
		now := s.now()
		ticket, err := tx.Ticket(TicketID(t.row))
		if err != nil {
			return err
		}
		if err := redeem(tx, t, TicketHandOver, now); err != nil {
			return err
		}
		wrong = nil
		if state.Reveal() == "" || ticket.Host != host || subtle.ConstantTimeCompare([]byte(ticket.Claim), []byte(digestOf(state))) != 1 {
			wrong = ErrExpired
			return nil
		}
		row, err := tx.Session(ticket.Session)
		if errors.Is(err, ErrNotFound) {
			return ErrNoSession
		}
		if err != nil {
			return err
		}
		if err := s.vouch(tx, &row, canonical(c.IP), now); err != nil {
			return err
		}
		if token, err = newToken(s.cfg.Rand, t.account, row.Session.ID); err != nil {
			return err
		}
		if err := tx.PutHost(row.Session.ID, host, token.hash(), now); err != nil {
			return err
		}
		return s.record(tx, t.account, self, c, EventAppOpened, map[string]string{"app": host})
	})
	if err == nil {
		err = wrong
	}
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrDisabled):
		err = ErrExpired
	case err != nil:
	default:
		return token, nil
	}
	return Token{}, err
}

// vouch lets a session pass from ip, when it does not yet and its second step is
// young enough. ErrNotFresh: it is not. ErrNoSession: it is over.
func (s *Service) vouch(tx Tx, row *SessionRow, ip netip.Addr, now time.Time) error {
	last := row.Session.VerifiedAt()
	young := row.Account.TwoStep && !last.IsZero() && now.Before(last.Add(vouchFor))
	if slot, same := s.cfg.Policy.slotFor(&row.Session, ip); young && ip.IsValid() && (!same || slot.At.Before(last)) {
		row.Session.slot(ip, last)
		if err := tx.UpdateSession(row.Session, row.SecretHash, row.SecretHash); err != nil {
			return err
		}
		if err := tx.PutNetwork(network(ip), now); err != nil {
			return err
		}
	}
	switch step, _ := s.cfg.Policy.Decide(row.Account, row.Session, now, ip); step {
	case Pass:
		return nil
	case NeedFirstStep:
		return ErrNoSession
	}
	return ErrNotFresh
}
