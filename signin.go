package twinlatch

import (
	"context"
	"errors"
	"time"
)

// SignIn does the first step with a password and starts a session. The
// Decision says whether the second step comes next. An unknown login, a wrong
// password and a disabled account are all ErrWrongPassword, in the same time.
// Too many wrong ones from one network: *LimitError. Too many hashes at once:
// ErrBusy.
func (s *Service) SignIn(ctx context.Context, realm, login string, password Secret, c Client) (Decision, Token, error) {
	login = foldIn(realm, login)
	giveBack, err := s.take(ctx, s.passwordLimits(realm, login, c)...)
	if err != nil {
		return Decision{}, Token{}, err
	}
	id, err := s.find(ctx, realm, login)
	if errors.Is(err, ErrNotFound) {
		id, err = nobody, nil
	}
	if err != nil {
		return Decision{}, Token{}, err
	}
	weak, err := s.checkPassword(ctx, id, password, c)
	if err != nil {
		if !errors.Is(err, ErrWrongPassword) {
			giveBack()
		}
		return Decision{}, Token{}, err
	}
	ctx = context.WithoutCancel(ctx) // a right password leaves its trace, also when nobody waits for the answer
	d, t, err := s.StartSession(ctx, id, c)
	if errors.Is(err, ErrDisabled) { // counts like a wrong password
		return d, t, ErrWrongPassword
	}
	giveBack()
	if weak && err == nil {
		s.strengthen(ctx, id, password, c)
	}
	return d, t, err
}

func (s *Service) passwordLimits(realm, login string, c Client) []Limit {
	return append(networkLimits("password", c.IP, wrongAnswers, tenMinutes), s.loginLimit(realm, login, c.IP))
}

// strengthen hashes a right password again at today's cost. That it cannot is
// no reason to refuse the sign-in.
func (s *Service) strengthen(ctx context.Context, id AccountID, password Secret, c Client) {
	sealed, err := s.sealPassword(ctx, id, password, c)
	if err == nil {
		err = s.cfg.Store.Tx(ctx, id, func(tx Tx) error {
			if err := tx.Lock(); err != nil {
				return err
			}
			return tx.PutPassword(sealed, s.now())
		})
	}
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "password hash not renewed", "account", id, "error", err)
	}
}

// StartSession starts a session for someone whose first step the caller did,
// or SignIn. It changes no other session. ErrDisabled: the account is disabled
// or absent.
func (s *Service) StartSession(ctx context.Context, id AccountID, c Client) (Decision, Token, error) {
	sid, err := newID[SessionID](s.cfg.Rand)
	if err != nil {
		return Decision{}, Token{}, err
	}
	token, err := newToken(s.cfg.Rand, id, sid)
	if err != nil {
		return Decision{}, Token{}, err
	}
	var row *SessionRow
	err = s.cfg.Store.Tx(ctx, id, func(tx Tx) error {
		if err := tx.Lock(); err != nil {
			return err
		}
		a, err := tx.Account()
		if err != nil {
			return err
		}
		now := s.now()
		session := Session{
			Account: id, ID: sid, UserAgent: clip(c.UserAgent, maxUserAgent),
			CreatedAt: now, PasswordAt: now, SeenAt: now, SeenIP: canonical(c.IP),
			ExpiresAt: now.Add(s.cfg.Policy.SessionFor),
		}
		event, more := EventSignedIn, map[string]string{"kind": "password"}
		if a.TwoStep {
			session.ExpiresAt = now.Add(min(s.cfg.Policy.SignInFor, s.cfg.Policy.SessionFor))
			event, more = EventFirstStep, nil
		} else if err := s.noteNetwork(tx, c, now, more); err != nil {
			return err
		}
		if err := tx.InsertSession(session, token.hash()); err != nil {
			return err
		}
		row = &SessionRow{session, a, token.hash()}
		return s.record(tx, id, self, c, event, more)
	})
	if err != nil {
		return Decision{}, Token{}, err
	}
	return s.decide(row, c, s.now()), token, nil
}

// noteNetwork notes from where somebody signs in who owes no second step, and whether
// that is new. The first factor forgets these networks: see knownFor.
func (s *Service) noteNetwork(tx Tx, c Client, now time.Time, more map[string]string) error {
	here := network(c.IP)
	known, err := tx.Verified(here, now.Add(-knownFor))
	if err != nil {
		return err
	}
	if here.IsValid() && !known {
		more["network"] = "new"
	}
	return tx.PutNetwork(here, now)
}

func (s *Service) decide(row *SessionRow, c Client, now time.Time) Decision {
	step, reason, age := s.cfg.Policy.decide(&row.Account, &row.Session, now, c.IP)
	if step == NeedFirstStep {
		return Decision{Reason: reason}
	}
	return Decision{step, reason, &facts{row, c.IP, step, reason, age}}
}

// ConfirmPassword is the fresh proof while two-step verification is off. The
// old Token is dead. Limits and errors are those of SignIn; while two-step
// verification is on it is ErrNotFresh, because a password is not enough then.
func (s *Service) ConfirmPassword(ctx context.Context, who Enrolling, password Secret, c Client) (Token, error) {
	if who.facts == nil {
		return Token{}, ErrNoSession
	}
	a := who.Account()
	giveBack, err := s.take(ctx, s.passwordLimits(a.Realm, a.Login, c)...)
	if err != nil {
		return Token{}, err
	}
	if _, err := s.checkPassword(ctx, a.ID, password, c); err != nil {
		if !errors.Is(err, ErrWrongPassword) {
			giveBack()
		}
		return Token{}, err
	}
	giveBack()
	return s.ConfirmFirstStep(ctx, who, c)
}

// ConfirmFirstStep is ConfirmPassword for an application that did the first
// step again by itself.
func (s *Service) ConfirmFirstStep(ctx context.Context, who Enrolling, c Client) (Token, error) {
	return s.renew(ctx, Known{who.facts}, func(tx Tx, row *SessionRow, now time.Time) error {
		if row.Account.TwoStep {
			return ErrNotFresh
		}
		row.Session.PasswordAt = now
		return s.record(tx, row.Account.ID, self, c, EventConfirmed, nil)
	})
}

// renew changes a session under a new secret, in one transaction: the old token
// is dead when the new one exists. ErrNoSession: the session has ended or was
// renewed meanwhile.
func (s *Service) renew(ctx context.Context, who Known, change func(tx Tx, row *SessionRow, now time.Time) error) (Token, error) {
	if who.facts == nil {
		return Token{}, ErrNoSession
	}
	session := who.Session()
	token, err := newToken(s.cfg.Rand, session.Account, session.ID)
	if err != nil {
		return Token{}, err
	}
	err = s.cfg.Store.Tx(ctx, session.Account, func(tx Tx) error {
		if err := tx.Lock(); err != nil {
			return err
		}
		row, _, err := s.current(tx, who.facts)
		if err != nil {
			return err
		}
		if err := change(tx, &row, s.now()); err != nil {
			return err
		}
		return tx.UpdateSession(row.Session, row.SecretHash, token.hash())
	})
	if err != nil {
		return Token{}, err
	}
	return token, nil
}
