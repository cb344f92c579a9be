package twinlatch

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"time"
)

// StoredRequest is what a stranger asked for by naming a login. Whether there is
// such an account is found out later, so that the answer and its time do not
// depend on it.
type StoredRequest struct {
	ID                RequestID
	Sealed            Sealed
	NextAt, ExpiresAt time.Time
}

// request is the plain text of StoredRequest.Sealed. Without a Kind it asks for a
// link to choose a new password.
type request struct {
	Kind      requestKind `json:"kind,omitempty"`
	Realm     string      `json:"realm"`
	Login     string      `json:"login"`
	Account   AccountID   `json:"account,omitempty"` // requestAddress: whose it is to be
	Browser   string      `json:"browser,omitempty"` // the language of the page
	IP        netip.Addr  `json:"ip"`
	UserAgent string      `json:"user_agent"`
}

type requestKind string

const (
	requestReset   requestKind = ""
	requestSignUp  requestKind = "signup"  // of an account for a login that is taken
	requestAddress requestKind = "address" // to be told at Login that Account is to have it
)

func requestPlace(id RequestID) Place { return Place{Table: "requests", Row: string(id)} }

// How often somebody may have mails sent, in an hour, from one network.
const (
	mailsPerLogin    = 5 // to an address that they have not shown to be theirs
	resetsPerNetwork = 30
)

// perLogin is what one network may do with one login, whether or not that exists.
func (s *Service) perLogin(name, realm, login string, c Client) Limit {
	limit := s.loginLimit(realm, login, c.IP)
	limit.Name, limit.Most, limit.Window = name, mailsPerLogin, time.Hour
	return limit
}

// mailsToAddress is how many mails of a kind strangers may have sent to one address,
// from anywhere, while a link to a new password lives.
const mailsToAddress = 10

// mailLimit keeps strangers with many addresses of the Internet from filling one
// mailbox. Beyond it a request is forgotten and whoever asked is told nothing. Each
// kind has its own, and none lasts longer than the links: an owner who gets no more of
// them has some that work.
func (s *Service) mailLimit(kind, realm, login string) Limit {
	mac := s.cfg.Keys.MAC("mails", []byte(realm), []byte(login))
	return Limit{Scope: "login:" + secretEncoding.EncodeToString(mac[:16]), Name: kind, Most: mailsToAddress, Window: resetFor}
}

// ForgotPassword sends the owner of a login a link to choose a new password. It
// does the same, in the same time, whether or not there is such an account; the
// link follows when Deliver runs next. *LimitError: too many were asked for, from
// this network or for this login.
func (s *Service) ForgotPassword(ctx context.Context, realm, login string, c Client) error {
	login = foldIn(realm, login)
	if len(login) > maxLogin || !isLine(login) {
		return nil // nobody has it
	}
	limits := append(networkLimits("reset", c.IP, resetsPerNetwork, time.Hour), s.perLogin("reset", realm, login, c))
	if _, err := s.take(ctx, limits...); err != nil {
		return err
	}
	return s.putRequest(ctx, request{Realm: realm, Login: login}, resetFor, c)
}

func (s *Service) putRequest(ctx context.Context, r request, lasts time.Duration, c Client) error {
	id, err := newID[RequestID](s.cfg.Rand)
	if err != nil {
		return err
	}
	r.IP, r.UserAgent, r.Browser = canonical(c.IP), clip(c.UserAgent, maxUserAgent), c.Locale
	plain, err := json.Marshal(r)
	if err != nil {
		return err
	}
	sealed, err := s.cfg.Keys.Seal(plain, requestPlace(id))
	if err != nil {
		return err
	}
	now := s.now()
	err = s.cfg.Store.PutRequest(ctx, StoredRequest{ID: id, Sealed: sealed, NextAt: now, ExpiresAt: now.Add(lasts)})
	s.wake()
	return err
}

// answerRequests writes the mails that were asked for.
func (s *Service) answerRequests(ctx context.Context) (n int, err error) {
	now := s.now()
	due, err := s.cfg.Store.LeaseRequests(ctx, now, now.Add(sendLease), leaseBatch)
	if err != nil {
		return 0, err
	}
	for _, r := range due {
		if err := s.answerRequest(ctx, r); err != nil { // the lease ends by itself
			s.cfg.Log.WarnContext(ctx, "request not answered", "request", r.ID, "error", err)
			continue
		}
		if err := s.cfg.Store.DeleteRequest(ctx, r.ID); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (s *Service) answerRequest(ctx context.Context, stored StoredRequest) error {
	plain, err := s.cfg.Keys.Open(stored.Sealed, requestPlace(stored.ID))
	if err != nil {
		return err
	}
	var r request
	if err := json.Unmarshal(plain, &r); err != nil {
		return err
	}
	c := Client{IP: r.IP, UserAgent: r.UserAgent, Locale: r.Browser}
	id, err := s.find(ctx, r.Realm, r.Login)
	if ignoreNotFound(err) != nil {
		return err
	}
	if _, err := s.take(ctx, s.mailLimit("mails/"+string(r.Kind), r.Realm, r.Login)); errors.Is(err, ErrLimited) {
		s.cfg.Log.InfoContext(ctx, "request not answered: too many mails to one address", "request", stored.ID)
		return nil
	} else if err != nil {
		return err
	}
	switch {
	case r.Kind == requestAddress && (id == "" || id == r.Account):
		err = s.askAddress(ctx, r, c)
	case id == "":
		return nil
	case r.Kind == requestReset:
		err = s.answerReset(ctx, id, c)
	default:
		err = s.answerTaken(ctx, id, c)
	}
	if errors.Is(err, ErrDisabled) || errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func (s *Service) answerReset(ctx context.Context, id AccountID, c Client) error {
	return s.cfg.Store.Tx(ctx, id, func(tx Tx) error {
		if err := tx.Lock(); err != nil {
			return err
		}
		if _, err := tx.Password(); err != nil { // an application has it
			return err
		}
		return s.record(tx, id, self, c, EventResetAsked, nil)
	})
}

// ResetPassword sets a new password by the link of ForgotPassword. All sessions
// end and none begins; factors and backup codes stay, so whoever signs in next
// needs the second step as before. All other links of the kind are dead. A bad
// password is a *FieldError and uses nothing. ErrExpired: the link was used, or is
// too old. ErrBusy as in SignIn.
func (s *Service) ResetPassword(ctx context.Context, t Token, password Secret, c Client) error {
	a, _, err := s.ticketed(ctx, t, TicketReset)
	if err != nil {
		return err
	}
	if err := CheckPassword(password, a.Login, a.DisplayName); err != nil {
		return err
	}
	sealed, err := s.sealPassword(ctx, a.ID, password, c)
	if err != nil {
		return err
	}
	err = s.cfg.Store.Tx(ctx, a.ID, func(tx Tx) error {
		if err := tx.Lock(); err != nil {
			return err
		}
		now := s.now()
		if err := redeem(tx, t, TicketReset, now); err != nil {
			return err
		}
		if err := s.confirmed(tx, a.Login, c); err != nil { // the link came by mail
			return err
		}
		return s.putPassword(tx, a.ID, sealed, "", c, EventPasswordReset)
	})
	if errors.Is(err, ErrDisabled) {
		err = ErrExpired
	}
	return err
}

// putPassword sets a new password, ends all sessions but one (empty: all), and
// kills the links to set another one or another address.
func (s *Service) putPassword(tx Tx, id AccountID, sealed Sealed, stays SessionID, c Client, e EventType) error {
	if err := tx.PutPassword(sealed, s.now()); err != nil {
		return err
	}
	if err := deadLinks(tx); err != nil {
		return err
	}
	if _, err := tx.DeleteSessions(stays); err != nil {
		return err
	}
	return s.record(tx, id, self, c, e, nil)
}

// ChangePassword sets a new password for who knows the old one and gave a fresh
// proof. All other sessions end, and links to set another password are dead. The
// session that acts stays.
//
// A bad new password is a *FieldError. ErrWrongPassword: the old one is not right;
// limits and other errors are those of ConfirmPassword.
func (s *Service) ChangePassword(ctx context.Context, who Passed, old, password Secret, c Client) error {
	a := who.Account()
	err := s.cfg.Store.View(ctx, a.ID, func(v View) error { return s.allowed(v, who, alter) })
	if err != nil {
		return err
	}
	if err := CheckPassword(password, a.Login, a.DisplayName); err != nil {
		return err
	}
	giveBack, err := s.take(ctx, s.passwordLimits(a.Realm, a.Login, c)...)
	if err != nil {
		return err
	}
	if _, err := s.checkPassword(ctx, a.ID, old, c); err != nil {
		if !errors.Is(err, ErrWrongPassword) {
			giveBack()
		}
		return err
	}
	giveBack()
	sealed, err := s.sealPassword(ctx, a.ID, password, c)
	if err != nil {
		return err
	}
	return s.change(ctx, who, alter, func(tx Tx, id AccountID, _ string) error {
		return s.putPassword(tx, id, sealed, sessionOf(who), c, EventPasswordChanged)
	})
}

// RaiseAlarm is "This was not me": by the link of a notice it ends all sessions
// and sends a link to choose a new password. Where the notice was that the address
// had changed, the account has its old one again, or else the link would go to
// whoever changed it, and the password is dead: they may know it. It changes nothing
// else, so that a mail that fell into wrong hands can do no more than that. ErrExpired
// as in CheckTicket; ErrBusy as in SignIn.
func (s *Service) RaiseAlarm(ctx context.Context, t Token, c Client) error {
	a, ticket, err := s.ticketed(ctx, t, TicketAlarm)
	if err != nil {
		return err
	}
	var unknown Sealed // a password for who may know the old one
	if ticket.Address != "" {
		if unknown, err = s.unknownPassword(ctx, a.ID, c); err != nil {
			return err
		}
	}
	err = s.cfg.Store.Tx(ctx, a.ID, func(tx Tx) error {
		if err := tx.Lock(); err != nil {
			return err
		}
		if err := redeem(tx, t, TicketAlarm, s.now()); err != nil {
			return err
		}
		if _, err := tx.DeleteSessions(""); err != nil {
			return err
		}
		if err := s.record(tx, a.ID, self, c, EventAlarm, nil); err != nil {
			return err
		}
		if ticket.Address != "" {
			if err := s.restoreAddress(tx, ticket, c); err != nil {
				return err
			}
			switch _, err := tx.Password(); {
			case errors.Is(err, ErrNotFound): // an application has it
			case err != nil:
				return err
			default:
				if err := tx.PutPassword(unknown, s.now()); err != nil {
					return err
				}
			}
		}
		return s.record(tx, a.ID, self, c, EventResetAsked, nil)
	})
	if errors.Is(err, ErrDisabled) {
		err = ErrExpired
	}
	return err
}
