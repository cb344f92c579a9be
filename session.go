package twinlatch

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/netip"
	"time"
)

// Client says from where a request came. IP is what the door decided to trust,
// the zero Addr when it cannot tell; the core never looks at headers.
type Client struct {
	IP        netip.Addr
	UserAgent string // kept to 256 bytes
	Locale    string // language of the page, BCP 47: that of messages to an account without a choice
	Host      string // of the app whose own token it sent, see Service.HandOver; empty: it sent ours

	claim string // see Service.SignUp
}

// Session is one browser that did the first step, at CreatedAt. V4 and V6 tell
// when and where it did the second, per address family, because browsers flip
// between the two. There is no "pending" flag: whether the session may pass is
// always computed by Policy.Decide from these facts.
type Session struct {
	Account    AccountID
	ID         SessionID
	UserAgent  string
	CreatedAt  time.Time
	PasswordAt time.Time  // the last right first step: sign-in or a confirmation
	SeenAt     time.Time  // the last request served, to five minutes
	SeenIP     netip.Addr // where from; zero: unknown
	ExpiresAt  time.Time  // Policy.SignInFor after a sign-in that owes the second step, else Policy.SessionFor
	V4, V6     Slot
	AMR        []string // RFC 8176 values of the last second step; empty after a backup code
	Recovered  bool     // the last second step was a backup code
}

// Slot is an address that did the second step, and when. The zero Slot: none.
type Slot struct {
	IP netip.Addr
	At time.Time
}

// VerifiedAt is when the last code was accepted; zero: never.
func (s Session) VerifiedAt() time.Time {
	if s.V4.At.After(s.V6.At) {
		return s.V4.At
	}
	return s.V6.At
}

// VerifiedFrom is the address that counts for ip: the last verified one of its
// family, or of the other family when there is none; zero: none.
func (s Session) VerifiedFrom(ip netip.Addr) netip.Addr {
	first, second := s.V6, s.V4
	if canonical(ip).Is4() {
		first, second = s.V4, s.V6
	}
	if first.IP.IsValid() {
		return first.IP
	}
	return second.IP
}

// verified notes that the second step was done from ip, and gives a sign-in the
// life of a session.
func (s *Session) verified(ip netip.Addr, now time.Time, p Policy) {
	ip = canonical(ip)
	s.slot(ip, now)
	s.SeenAt, s.SeenIP = now, ip
	s.ExpiresAt = s.CreatedAt.Add(p.SessionFor)
}

// slot notes when the second step was done for a canonical ip.
func (s *Session) slot(ip netip.Addr, at time.Time) {
	if ip.Is4() {
		s.V4 = Slot{ip, at}
	} else {
		s.V6 = Slot{ip, at}
	}
}

// Check answers the one question every door asks: may this browser pass now?
// An unknown, expired or revoked token is not an error but NeedFirstStep; err is
// for broken systems only. A refused request changes nothing.
func (s *Service) Check(ctx context.Context, t Token, c Client) (Decision, error) {
	if t.account == "" {
		return Decision{}, nil
	}
	row, err := s.opened(ctx, t, c)
	if errors.Is(err, ErrNotFound) {
		return Decision{}, nil
	}
	if err != nil {
		return Decision{}, err
	}
	if digest := t.digest(); subtle.ConstantTimeCompare(row.SecretHash, digest[:]) != 1 {
		return Decision{}, nil
	}
	now := s.now()
	d := s.decide(row, c, now)
	if d.Step == Pass {
		s.touch(ctx, &row.Session, c, now)
	}
	return d, nil
}

func (s *Service) opened(ctx context.Context, t Token, c Client) (*SessionRow, error) {
	if c.Host != "" {
		return s.cfg.Store.Hosted(ctx, t.account, SessionID(t.row), c.Host)
	}
	return s.cfg.Store.Session(ctx, t.account, SessionID(t.row))
}

// touch notes a served request, to five minutes. A session list that is a
// little old is no reason to refuse a request.
func (s *Service) touch(ctx context.Context, session *Session, c Client, now time.Time) {
	every := 5 * time.Minute
	if idle := s.cfg.Policy.IdleFor; idle > 0 {
		every = min(every, idle/10)
	}
	stale := now.Add(-every)
	if session.SeenAt.Before(stale) {
		s.note(ctx, session.Account, session.ID, canonical(c.IP), now, stale)
	}
}

func (s *Service) note(ctx context.Context, id AccountID, session SessionID, ip netip.Addr, now, stale time.Time) {
	err := s.cfg.Store.Tx(ctx, id, func(tx Tx) error { return tx.Touch(session, ip, now, stale) })
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "last request not noted", "account", id, "error", err)
	}
}

// SignOut ends the token's session. A token that opens none is no error.
func (s *Service) SignOut(ctx context.Context, t Token, c Client) error {
	if t.account == "" {
		return nil
	}
	err := s.cfg.Store.Tx(ctx, t.account, func(tx Tx) error {
		locked := tx.Lock()
		if locked != nil && !errors.Is(locked, ErrDisabled) {
			return locked
		}
		row, err := tx.Session(SessionID(t.row))
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(row.SecretHash, t.hash()) != 1 {
			return ErrNotFound
		}
		if err := tx.DeleteSession(SessionID(t.row)); err != nil {
			return err
		}
		if locked != nil { // a disabled account may still sign out
			return nil
		}
		return s.record(tx, t.account, self, c, EventSignedOut, nil)
	})
	return ignoreNotFound(err)
}

func ignoreNotFound(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// MaxSessions is how many sessions are listed; there may be more.
const MaxSessions = 100

// Sessions lists live sessions, the one with the newest request first, at most
// MaxSessions.
func (s *Service) Sessions(ctx context.Context, by Authority) ([]Session, error) {
	id, _ := by.authority()
	var sessions []Session
	err := s.cfg.Store.View(ctx, id, func(v View) (err error) {
		if err = s.allowed(v, by, look); err != nil {
			return err
		}
		sessions, err = v.Sessions(s.now())
		return err
	})
	return sessions, err
}

// EndSession ends one session. ErrNotFound: it is not one of the account's.
func (s *Service) EndSession(ctx context.Context, by Authority, session SessionID, c Client) error {
	return s.change(ctx, by, look, func(tx Tx, id AccountID, actor string) error {
		if !isID(string(session)) {
			return ErrNotFound
		}
		ended, err := tx.Session(session)
		if err != nil {
			return err
		}
		if err := tx.DeleteSession(session); err != nil {
			return err
		}
		more := map[string]string{"device": ended.Session.UserAgent}
		return s.record(tx, id, actor, c, EventSessionEnded, withReason(by, more))
	})
}

// EndOtherSessions ends all sessions but the one of by; OnBehalf all.
func (s *Service) EndOtherSessions(ctx context.Context, by Authority, c Client) error {
	return s.change(ctx, by, look, func(tx Tx, id AccountID, actor string) error {
		if _, err := tx.DeleteSessions(sessionOf(by)); err != nil {
			return err
		}
		return s.record(tx, id, actor, c, EventOthersEnded, withReason(by, nil))
	})
}

// sessionOf is the session that acts; OnBehalf none.
func sessionOf(by Authority) SessionID {
	who, _ := by.own()
	return who.Session().ID
}

// change runs do in a transaction that has locked the account and asked whether
// by may make such a change.
func (s *Service) change(ctx context.Context, by Authority, kind change, do func(tx Tx, id AccountID, actor string) error) error {
	id, actor := by.authority()
	return s.cfg.Store.Tx(ctx, id, func(tx Tx) error {
		if err := s.mayChange(tx, by, kind); err != nil {
			return err
		}
		return do(tx, id, actor)
	})
}

// mayChange locks the account and asks whether by may make such a change.
func (s *Service) mayChange(tx Tx, by Authority, kind change) error {
	if err := tx.Lock(); err != nil {
		return err
	}
	return s.allowed(tx, by, kind)
}

// MayChange says whether who may change how its account is protected now: nil,
// ErrNotFresh or ErrRecovered. It is advice for pages; each change asks again.
func (s *Service) MayChange(who Passed) error {
	if who.facts == nil {
		return ErrNoSession
	}
	return s.cfg.Policy.allow(alter, who.row.Account, who.row.Session, s.now())
}
