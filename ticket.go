package twinlatch

import (
	"context"
	"crypto/subtle"
	"errors"
	"time"
)

// StoredTicket is what a link opens, once, as a Store sees it.
type StoredTicket struct {
	ID                   TicketID
	Purpose              TicketPurpose
	Address              string    // the e-mail address that it is about; often empty
	Claim                string    // digest of what the browser has that it is for; often empty
	Session              SessionID // that a hand-over carries; else empty
	Host                 string    // where to; else empty
	SecretHash           []byte
	CreatedAt, ExpiresAt time.Time
}

// TicketPurpose is what a ticket is good for. It is good for nothing else.
type TicketPurpose string

const (
	TicketReset    TicketPurpose = "reset"    // to choose a new password
	TicketAlarm    TicketPurpose = "alarm"    // "This was not me": to end all sessions, and to take Address back
	TicketEmail    TicketPurpose = "email"    // mail to Address reaches its owner
	TicketHandOver TicketPurpose = "handover" // a session gets a token for a host
)

// How long tickets are good.
const (
	resetFor    = 30 * time.Minute
	alarmFor    = 7 * day
	emailFor    = day
	handOverFor = time.Minute
)

// newTicket makes a ticket of an account and the Token that opens it.
func (s *Service) newTicket(id AccountID, p TicketPurpose, lasts time.Duration) (StoredTicket, Token, error) {
	tid, err := newID[TicketID](s.cfg.Rand)
	if err != nil {
		return StoredTicket{}, Token{}, err
	}
	token, err := newToken(s.cfg.Rand, id, tid)
	now := s.now()
	return StoredTicket{ID: tid, Purpose: p, SecretHash: token.hash(), CreatedAt: now, ExpiresAt: now.Add(lasts)}, token, err
}

// redeem uses a ticket up. Guard: ErrExpired.
func redeem(tx Tx, t Token, p TicketPurpose, now time.Time) error {
	return tx.Redeem(StoredTicket{ID: TicketID(t.row), Purpose: p, SecretHash: t.hash()}, now)
}

// CheckTicket says whether a link can be used: nil, or ErrExpired when it was
// used, is too old, or never existed. Nothing is used by asking.
func (s *Service) CheckTicket(ctx context.Context, t Token, p TicketPurpose) error {
	_, _, err := s.ticketed(ctx, t, p)
	return err
}

// ticketed is a ticket and the account that it belongs to.
func (s *Service) ticketed(ctx context.Context, t Token, p TicketPurpose) (a Account, k StoredTicket, err error) {
	if t.account == "" {
		return Account{}, StoredTicket{}, ErrExpired
	}
	err = s.cfg.Store.View(ctx, t.account, func(v View) error {
		k, err = v.Ticket(TicketID(t.row))
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(k.SecretHash, t.hash()) != 1 || k.Purpose != p || !s.now().Before(k.ExpiresAt) {
			return ErrNotFound
		}
		if a, err = v.Account(); err == nil && !a.DisabledAt.IsZero() {
			err = ErrNotFound
		}
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return Account{}, StoredTicket{}, ErrExpired
	}
	return a, k, err
}
