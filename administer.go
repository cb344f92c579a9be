package twinlatch

import (
	"context"
	"slices"
	"strings"
	"time"
)

// NewAccountBy is CreateAccount by an operator, who may put the account into
// AdminGroup. Without a password the owner gets a link to choose one, where mails
// are sent. It asks no limit and needs no reason. ErrForbidden: by is no operator;
// other errors are those of CreateAccount.
func (s *Service) NewAccountBy(ctx context.Context, by Administrator, n NewAccount) (Account, error) {
	if !by.operator {
		return Account{}, ErrForbidden
	}
	a, err := s.newAccount(n)
	if err != nil {
		return Account{}, err
	}
	password, linked := n.Password, n.Password.p == nil && s.Mails()
	if linked { // only who has a password can ask for another link
		if password, err = s.unknown(); err != nil {
			return Account{}, err
		}
	}
	var hash string
	if password.p != nil {
		if err := CheckPassword(password, a.Login, a.DisplayName); err != nil {
			return Account{}, err
		}
		if hash, err = s.hasher.hash(ctx, Client{}.IP, s.cfg.Rand, normal(password)); err != nil {
			return Account{}, err
		}
	}
	more := by.why(nil)
	if len(a.Groups) > 0 {
		more["groups"] = strings.Join(a.Groups, " ")
	}
	events := []EventType{EventAccountCreated}
	if linked {
		events = append(events, EventResetAsked)
	}
	if err := s.insertAccount(ctx, a, hash, by.actor, Client{}, more, events...); err != nil {
		return Account{}, err
	}
	return a, nil
}

// ResetTwoStep removes all factors and backup codes of an account, lifts its
// pauses and ends its sessions. Its owner is told, and has to enroll a factor at
// the next sign-in. ErrTwoStepOff: there is nothing to reset. A bad reason is a
// *FieldError; ErrNotFound: it is deleted or absent; ErrForbidden also for the own
// account. Other errors are those of Accounts.
func (s *Service) ResetTwoStep(ctx context.Context, by Administrator, id AccountID, c Client) error {
	return s.administer(ctx, by, id, func(tx Tx, a *Account) error {
		factors, err := tx.Factors()
		if err != nil {
			return err
		}
		if len(factors) == 0 {
			return ErrTwoStepOff
		}
		for _, f := range factors {
			more := by.why(about(f.Kind, f.Name))
			more["all"] = "yes"
			if err := s.record(tx, id, by.actor, c, EventFactorRemoved, more); err != nil {
				return err
			}
		}
		if err := tx.DeleteAll(); err != nil {
			return err
		}
		if _, err := tx.DeleteSessions(""); err != nil {
			return err
		}
		a.Preferred, a.ResetAt = "", s.now()
		return s.record(tx, id, by.actor, c, EventTwoStepReset, by.why(nil))
	})
}

// EndSessions ends all sessions of an account. Errors are those of ResetTwoStep.
func (s *Service) EndSessions(ctx context.Context, by Administrator, id AccountID, c Client) error {
	return s.administer(ctx, by, id, func(tx Tx, a *Account) error {
		if _, err := tx.DeleteSessions(""); err != nil {
			return err
		}
		return s.record(tx, id, by.actor, c, EventSessionsEnded, by.why(nil))
	})
}

// Disable ends all sessions of an account and lets nobody sign in to it. One that
// is disabled stays so. Errors are those of ResetTwoStep.
func (s *Service) Disable(ctx context.Context, by Administrator, id AccountID, c Client) error {
	return s.administer(ctx, by, id, func(tx Tx, a *Account) error {
		if !a.DisabledAt.IsZero() {
			return nil
		}
		if _, err := tx.DeleteSessions(""); err != nil {
			return err
		}
		if err := deadLinks(tx); err != nil {
			return err
		}
		a.DisabledAt = s.now()
		return s.record(tx, id, by.actor, c, EventAccountDisabled, by.why(nil))
	})
}

// Enable takes Disable back. Errors are those of ResetTwoStep.
func (s *Service) Enable(ctx context.Context, by Administrator, id AccountID, c Client) error {
	return s.administer(ctx, by, id, func(tx Tx, a *Account) error {
		if a.DisabledAt.IsZero() {
			return nil
		}
		a.DisabledAt = time.Time{}
		return s.record(tx, id, by.actor, c, EventAccountEnabled, by.why(nil))
	})
}

// Delete erases what is known about a person. What stays are the events of the
// account, without address, device and names in them, so that the trail can still be
// verified. Its login is free. Errors are those of ResetTwoStep.
func (s *Service) Delete(ctx context.Context, by Administrator, id AccountID, c Client) error {
	return s.administer(ctx, by, id, func(tx Tx, a *Account) error {
		if a.TwoStep { // for the count of those that have it on
			if err := s.record(tx, id, by.actor, Client{}, EventTwoStepOff, nil); err != nil {
				return err
			}
		}
		if err := tx.Erase(); err != nil {
			return err
		}
		now := s.now()
		*a = Account{
			ID: id, Realm: a.Realm, Login: "deleted:" + string(id), CreatedAt: a.CreatedAt,
			DisabledAt: now, DeletedAt: now,
		}
		if err := tx.UpdateAccount(*a); err != nil {
			return err
		}
		return s.record(tx, id, by.actor, c, EventAccountDeleted, by.why(nil))
	})
}

// SetGroups says in which groups an account is. Who is in AdminGroup only an
// operator can change (ErrForbidden), so that no administrator makes another one.
// What no group may be called is a *FieldError. Other errors are those of
// ResetTwoStep.
func (s *Service) SetGroups(ctx context.Context, by Administrator, id AccountID, groups []string, c Client) error {
	groups, err := groupNames(groups)
	if err != nil {
		return err
	}
	return s.administer(ctx, by, id, func(tx Tx, a *Account) error {
		was := a.IsAdmin()
		if slices.Equal(a.Groups, groups) {
			return nil
		}
		a.Groups = groups
		if !by.operator && a.IsAdmin() != was {
			return ErrForbidden
		}
		return s.record(tx, id, by.actor, c, EventGroupsChanged, by.why(map[string]string{"groups": strings.Join(groups, " ")}))
	})
}
