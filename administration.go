package twinlatch

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"
)

// Administration is what a Store knows about accounts together, and how
// administrators change them.
type Administration interface {
	// Administer is Tx on the account target, for an administrator whose own account
	// admin can be read in it (empty: none). Of all such transactions each sees what
	// those before it did, so that two administrators who disable each other end as
	// if one had come first.
	Administer(ctx context.Context, admin, target AccountID, fn func(admin View, tx Tx) error) error

	// ListAccounts lists those that q asks for, by login.
	ListAccounts(ctx context.Context, q AccountQuery, now time.Time) ([]AccountSummary, error)

	// CountAccounts counts those that q asks for, whatever their state.
	CountAccounts(ctx context.Context, q AccountQuery, now time.Time) (AccountCounts, error)

	// Adoption counts, for each day of UTC on which something changed, how many
	// accounts there were at its end and how many had two-step verification on, the
	// earliest first.
	Adoption(ctx context.Context, realm string) ([]AdoptionDay, error)

	// Requirements lists those of a realm, that for everybody first, then by group.
	Requirements(ctx context.Context, realm string) ([]Requirement, error)

	// Backlog counts what is in the outbox and was not delivered.
	Backlog(ctx context.Context, now time.Time) (Backlog, error)
}

// Administrator is by whose right accounts of others are seen and changed: an
// Authority over any account. The zero Administrator is nobody.
type Administrator struct {
	operator      bool
	who           Passed // not of an operator
	actor, reason string
}

// ByAdministrator is the right of a person in AdminGroup, who has two-step
// verification on and gave a fresh proof with a factor; that is asked of the
// database each time. A reason is needed for changes and kept in the event.
func ByAdministrator(who Passed, reason string) Administrator {
	return Administrator{who: who, actor: "admin:" + string(who.Account().ID), reason: reason}
}

// ByOperator is the right of who can run commands on the server: "command". It is
// not checked: the caller has made sure.
func ByOperator(actor, reason string) Administrator {
	return Administrator{operator: true, actor: actor, reason: reason}
}

// MaxReason is how long a reason may be, in characters.
const MaxReason = 200

// administers asks, of the state inside the transaction, whether by may do
// something: look, or alter with a reason.
func (s *Service) administers(admin View, by Administrator, kind change) error {
	if kind != look {
		if err := checkReason(by.reason); err != nil {
			return err
		}
	}
	if by.operator {
		return nil
	}
	row, step, err := s.current(admin, by.who.facts)
	if err != nil {
		return err
	}
	switch a := row.Account; {
	case !a.IsAdmin() || a.Realm != MainRealm:
		return ErrForbidden
	case !a.TwoStep: // nobody but themselves vouches for them
		return ErrTwoStepOff
	case step != Pass:
		return ErrNotFresh
	case row.Session.Recovered:
		return ErrRecovered
	default:
		return s.cfg.Policy.allow(kind, a, row.Session, s.now())
	}
}

func checkReason(reason string) error {
	reason = strings.TrimSpace(reason)
	if reason == "" || utf8.RuneCountInString(reason) > MaxReason || !isLine(reason) {
		return &FieldError{Field: "reason", Key: "err.reason", Args: map[string]string{"n": itoa(MaxReason)}}
	}
	return nil
}

// why is the reason and more of an event.
func (by Administrator) why(more map[string]string) map[string]string {
	if more == nil {
		more = map[string]string{}
	}
	if reason := strings.TrimSpace(by.reason); reason != "" {
		more["why"] = reason
	}
	return more
}

func (by Administrator) id() AccountID { return by.who.Account().ID }

// MayAdminister says whether who may act as an administrator now: nil, or what
// ByAdministrator meets. It is advice for pages; each act asks again.
func (s *Service) MayAdminister(ctx context.Context, who Passed) error {
	return s.cfg.Store.View(ctx, who.Account().ID, func(v View) error {
		return s.administers(v, ByAdministrator(who, "-"), alter)
	})
}

// seeAll asks whether by may see all accounts.
func (s *Service) seeAll(ctx context.Context, by Administrator) error {
	return s.cfg.Store.View(ctx, by.id(), func(v View) error { return s.administers(v, by, look) })
}

// administer runs do in a transaction that has locked the account target, also a
// disabled one, and asked whether by may change it. Nobody is their own
// administrator (ErrForbidden).
func (s *Service) administer(ctx context.Context, by Administrator, target AccountID, do func(tx Tx, a *Account) error) error {
	if !isID(string(target)) {
		return ErrNotFound
	}
	return s.cfg.Store.Administer(ctx, by.id(), target, func(admin View, tx Tx) error {
		if err := s.administers(admin, by, alter); err != nil {
			return err
		}
		if target == by.id() {
			return ErrForbidden
		}
		if err := tx.Hold(); err != nil {
			return err
		}
		return updateAccount(tx, func(a *Account) error {
			if a.Realm == RealmSystem {
				return ErrNotFound
			}
			return do(tx, a)
		})
	})
}

// AccountQuery says which accounts.
type AccountQuery struct {
	Realm  string       // empty: MainRealm
	Find   string       // part of the login or the name, in any case; empty: all
	Group  string       // in this group; empty: any
	State  AccountState // empty: any
	Offset int          // how many to leave out, from the first on
	Limit  int          // at most; 1 to 1000
}

// AccountState is the state of an account's two-step verification.
type AccountState string

const (
	StateOn       AccountState = "on"
	StateOff      AccountState = "off"      // nor required now
	StateRequired AccountState = "required" // required now, and not set up
	StateDisabled AccountState = "disabled" // the account itself, whatever its two-step verification
)

// StateOf is the state of an account.
func (a Account) StateOf(now time.Time) AccountState {
	switch {
	case !a.DisabledAt.IsZero():
		return StateDisabled
	case a.TwoStep:
		return StateOn
	case !a.EnrollFrom.IsZero() && !now.Before(a.EnrollFrom):
		return StateRequired
	}
	return StateOff
}

// AccountSummary is an account as administrators see it in a list.
type AccountSummary struct {
	Account
	Kinds       []Kind    // of its factors, each once, the oldest first
	SignedInAt  time.Time // the last sign-in that was done with; zero: never
	PausedUntil time.Time // answers of a method are refused until then, because wrong ones came; zero: not
}

// AccountCounts are numbers of accounts by state; each is in one.
type AccountCounts struct{ On, Off, Required, Disabled int }

// All is how many there are.
func (c AccountCounts) All() int { return c.On + c.Off + c.Required + c.Disabled }

// AdoptionDay is how things stood at the end of a day.
type AdoptionDay struct {
	Day          time.Time // its begin, UTC
	Accounts, On int
}

// Backlog is what the outbox did not get delivered.
type Backlog struct {
	Waiting int       // tried and not taken by anybody yet
	Oldest  time.Time // when the oldest of these was written; zero: there is none
	Failed  int       // given up, of those that have not expired
}

// Accounts lists the accounts that q asks for, by login, and counts those of all
// states. ErrForbidden, ErrTwoStepOff, ErrNotFresh, ErrRecovered: by may not see them.
// ErrNoSession: their session has ended.
func (s *Service) Accounts(ctx context.Context, by Administrator, q AccountQuery) ([]AccountSummary, AccountCounts, error) {
	if err := s.seeAll(ctx, by); err != nil {
		return nil, AccountCounts{}, err
	}
	if q.Realm == "" {
		q.Realm = MainRealm
	}
	if !isLine(q.Find) || q.Group != "" && GroupName(q.Group) != nil {
		return nil, AccountCounts{}, nil // nothing is called so, and databases differ in what they say
	}
	q.Limit, q.Offset = max(1, min(q.Limit, 1000)), max(0, q.Offset)
	q.Find = FoldLogin(clip(q.Find, maxLogin))
	counts, err := s.cfg.Store.CountAccounts(ctx, q, s.now())
	if err != nil {
		return nil, AccountCounts{}, err
	}
	all, err := s.cfg.Store.ListAccounts(ctx, q, s.now())
	return all, counts, err
}

// AccountFile is all that an administrator sees of one account.
type AccountFile struct {
	Account
	Factors  []Factor // as their owner sees them before the second step: no numbers
	Sessions []Session
	Backup   BackupCodes
}

// AccountFile reads one account. ErrNotFound: it is deleted or absent. Other errors
// are those of Accounts.
func (s *Service) AccountFile(ctx context.Context, by Administrator, id AccountID) (AccountFile, error) {
	if err := s.seeAll(ctx, by); err != nil {
		return AccountFile{}, err
	}
	var file AccountFile
	if !isID(string(id)) {
		return file, ErrNotFound
	}
	err := s.cfg.Store.View(ctx, id, func(v View) (err error) {
		if file.Account, err = v.Account(); err != nil {
			return err
		}
		if !file.DeletedAt.IsZero() || file.Realm == RealmSystem {
			return ErrNotFound
		}
		stored, err := v.Factors()
		if err != nil {
			return err
		}
		file.Factors = bare(stored)
		if file.Sessions, err = v.Sessions(s.now()); err != nil {
			return err
		}
		file.Backup, err = v.BackupCodes()
		return ignoreNotFound(err)
	})
	return file, err
}

// AccountEvents lists the newest events of an account before seq, also of a deleted
// one, as Events does. Errors are those of Accounts.
func (s *Service) AccountEvents(ctx context.Context, by Administrator, id AccountID, before int64, n int) ([]Event, error) {
	if err := s.seeAll(ctx, by); err != nil {
		return nil, err
	}
	if !isID(string(id)) {
		return nil, ErrNotFound
	}
	return s.Events(ctx, OnBehalf(id, by.actor, ""), before, n)
}

// MayReadTrail says whether by may read the events of all accounts (AllEvents,
// VerifyTrail). Errors are those of Accounts.
func (s *Service) MayReadTrail(ctx context.Context, by Administrator) error { return s.seeAll(ctx, by) }

// Adoption is how many accounts of MainRealm there were and how many had two-step
// verification on, at the end of each day on which that changed, the earliest first.
// Errors are those of Accounts.
func (s *Service) Adoption(ctx context.Context, by Administrator) ([]AdoptionDay, error) {
	if err := s.seeAll(ctx, by); err != nil {
		return nil, err
	}
	return s.cfg.Store.Adoption(ctx, MainRealm)
}

// Backlog is what mail or text messages are stuck with. Errors are those of Accounts.
func (s *Service) Backlog(ctx context.Context, by Administrator) (Backlog, error) {
	if err := s.seeAll(ctx, by); err != nil {
		return Backlog{}, err
	}
	return s.cfg.Store.Backlog(ctx, s.now())
}
