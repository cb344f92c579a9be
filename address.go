package twinlatch

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"
)

// SignUp is CreateAccount for strangers, who must not learn whether a login has an
// account: it does the same, in the same time, for one that is taken. Its owner is
// told by mail. Where mails are sent (Mails), the new one gets a link for
// ConfirmAddress; the claim is for the browser that signed up, to show there.
//
// Errors are those of CreateAccount but ErrExists; *LimitError also after too many
// for this login.
func (s *Service) SignUp(ctx context.Context, n NewAccount, c Client) (claim Secret, err error) {
	a, err := s.newAccount(n)
	if err != nil {
		return Secret{}, err
	}
	if _, err := s.take(ctx, s.perLogin("signup", a.Realm, a.Login, c)); err != nil {
		return Secret{}, err
	}
	hash, err := s.newPassword(ctx, a, n.Password, c)
	if err != nil {
		return Secret{}, err
	}
	if claim, err = newSecret(s.cfg.Rand); err != nil {
		return Secret{}, err
	}
	c.claim = digestOf(claim)
	err = s.insertAccount(ctx, a, hash, self, c, nil, EventAccountCreated)
	if errors.Is(err, ErrExists) {
		err = nil
		if s.Mails() { // else nobody could be told
			err = s.putRequest(ctx, request{Kind: requestSignUp, Realm: a.Realm, Login: a.Login}, resetFor, c)
		}
	}
	return claim, err
}

func digestOf(claim Secret) string {
	sum := sha256.Sum256([]byte(claim.Reveal()))
	return secretEncoding.EncodeToString(sum[:])
}

// answerTaken tells the owner of a login that somebody wants to have it.
func (s *Service) answerTaken(ctx context.Context, id AccountID, c Client) error {
	return s.cfg.Store.Tx(ctx, id, func(tx Tx) error {
		if err := tx.Lock(); err != nil {
			return err
		}
		return s.record(tx, id, self, c, EventSignUpAgain, nil)
	})
}

// AskConfirmation sends the link for ConfirmAddress again. One that is confirmed
// already gets none. *LimitError: too many were sent. ErrNoSession, ErrNotFresh: who is
// not there any more, or owes the second step.
func (s *Service) AskConfirmation(ctx context.Context, who Enrolling, c Client) error {
	a := who.Account()
	err := s.cfg.Store.View(ctx, a.ID, func(v View) error { return s.allowed(v, who, see) })
	if err != nil {
		return err
	}
	if _, err := s.take(ctx, s.perLogin("confirm", a.Realm, a.Login, c), s.mailLimit("mails/confirm", a.Realm, a.Login)); err != nil {
		return err
	}
	return s.changeAccount(ctx, who, see, func(tx Tx, a *Account, actor string) error {
		if !a.ConfirmedAt.IsZero() {
			return nil
		}
		return s.record(tx, a.ID, actor, c, EventAddressAsked, nil)
	})
}

// ChangeAddress asks whether mail to another address reaches the person: nothing
// has changed until they open the link in it (ConfirmAddress). It does the same, in
// the same time, for an address that has an account already; its owner is told. It
// needs a fresh proof. What no account may be called is a *FieldError; *LimitError:
// too many were asked for. ErrNoSession, ErrNotFresh and ErrRecovered as in TurnOff.
func (s *Service) ChangeAddress(ctx context.Context, who Passed, login string, c Client) error {
	a := who.Account()
	err := s.cfg.Store.View(ctx, a.ID, func(v View) error { return s.allowed(v, who, alter) })
	if err != nil {
		return err
	}
	login = foldIn(a.Realm, login)
	if a.Realm != MainRealm || login == "" || len(login) > maxLogin || !isLine(login) || !s.Mails() {
		return &FieldError{Field: "email", Key: "signup.err.email"}
	}
	own := Limit{Scope: "account:" + string(a.ID), Name: "address", Most: mailsPerLogin, Window: time.Hour}
	if _, err := s.take(ctx, own, s.perLogin("address", a.Realm, login, c)); err != nil {
		return err
	}
	return s.putRequest(ctx, request{Kind: requestAddress, Realm: a.Realm, Login: login, Account: a.ID}, resetFor, c)
}

// askAddress sends the link to an address that is free.
func (s *Service) askAddress(ctx context.Context, r request, c Client) error {
	return s.cfg.Store.Tx(ctx, r.Account, func(tx Tx) error {
		if err := tx.Lock(); err != nil {
			return err
		}
		return s.record(tx, r.Account, self, c, EventAddressAsked, map[string]string{"to": r.Login})
	})
}

// NewAddress is the address that a link of ConfirmAddress is about, and whether it
// is another one than the account has. ErrExpired as in CheckTicket.
func (s *Service) NewAddress(ctx context.Context, t Token) (address string, changes bool, err error) {
	a, k, err := s.ticketed(ctx, t, TicketEmail)
	return k.Address, k.Address != a.Login, err
}

// ConfirmAddress notes, by the link in a mail, that it reaches the owner of the
// account, and makes a new address theirs. All other links of the kind, and those to
// choose a new password, are dead. The old address is told.
//
// The link alone is not enough: whoever reads the mail may be a stranger to the
// account, because somebody else signed up with their address, or mistyped it. It
// takes the account's own session as well, or, for the address of a sign-up, what
// SignUp gave to the browser; the zero Enrolling and Secret are nobody's.
// ErrNoSession: neither; ErrNotFresh: that session owes its second step. ErrExpired:
// the link was used, is too old, or the address is another account's meanwhile.
func (s *Service) ConfirmAddress(ctx context.Context, t Token, who Enrolling, claim Secret, c Client) error {
	a, k, err := s.ticketed(ctx, t, TicketEmail)
	if err != nil {
		return err
	}
	claimed := k.Claim != "" && subtle.ConstantTimeCompare([]byte(k.Claim), []byte(digestOf(claim))) == 1
	err = s.cfg.Store.Tx(ctx, a.ID, func(tx Tx) error {
		if err := tx.Lock(); err != nil {
			return err
		}
		return updateAccount(tx, func(a *Account) error {
			changes, kind := k.Address != a.Login, see
			if changes {
				kind = look
			}
			switch {
			case claimed && !changes:
			case who.Account().ID != a.ID:
				return ErrNoSession
			default:
				if err := s.allowed(tx, who, kind); err != nil {
					return err
				}
			}
			if err := redeem(tx, t, TicketEmail, s.now()); err != nil {
				return err
			}
			if err := deadLinks(tx); err != nil {
				return err
			}
			if changes {
				more := map[string]string{"from": a.Login, "to": k.Address}
				if err := s.record(tx, a.ID, self, c, EventAddressChanged, more); err != nil {
					return err
				}
				a.Login, a.ConfirmedAt = k.Address, s.now()
				return nil
			}
			return s.confirm(tx, a, c)
		})
	})
	if errors.Is(err, ErrDisabled) || errors.Is(err, ErrExists) {
		err = ErrExpired
	}
	return err
}

// deadLinks kills the links that were mailed to an address, or would bring one back.
func deadLinks(tx Tx) error {
	if err := tx.DeleteTickets(TicketEmail, time.Time{}); err != nil {
		return err
	}
	return tx.DeleteTickets(TicketReset, time.Time{})
}

// confirmed notes that mail to login reached the owner of the account.
func (s *Service) confirmed(tx Tx, login string, c Client) error {
	return updateAccount(tx, func(a *Account) error {
		if a.Login != login {
			return nil
		}
		return s.confirm(tx, a, c)
	})
}

func (s *Service) confirm(tx Tx, a *Account, c Client) error {
	if !a.ConfirmedAt.IsZero() {
		return nil
	}
	a.ConfirmedAt = s.now()
	return s.record(tx, a.ID, self, c, EventAddressConfirmed, nil)
}

// restoreAddress gives an account back the address from which somebody says that
// they did not change it: nobody else could take it in the meantime. What whoever
// changed it could take it back with is dead: their links, and their own way to say
// the same of the changes that they made.
func (s *Service) restoreAddress(tx Tx, k StoredTicket, c Client) error {
	if err := deadLinks(tx); err != nil {
		return err
	}
	if err := tx.DeleteTickets(TicketAlarm, k.CreatedAt); err != nil {
		return err
	}
	return updateAccount(tx, func(a *Account) error {
		if a.Login == k.Address {
			return nil
		}
		more := map[string]string{"from": a.Login, "to": k.Address}
		a.Login, a.ConfirmedAt = k.Address, s.now()
		if err := tx.UpdateAccount(*a); err != nil {
			return err
		}
		return s.record(tx, a.ID, self, c, EventAddressRestored, more)
	})
}

// Unconfirmed reports whether somebody has to show first that mail reaches them, before
// they may add a factor or be named to apps: anybody can sign up under any address. It is
// false where no mails are sent.
func (s *Service) Unconfirmed(a Account) bool {
	return s.Mails() && a.Realm == MainRealm && a.ConfirmedAt.IsZero()
}
