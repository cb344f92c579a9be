package twinlatch

import (
	"context"
	"errors"
	"time"
)

// Requirement makes two-step verification compulsory for accounts of MainRealm.
type Requirement struct {
	Group string        // those in it; empty: everybody
	From  time.Time     // from then on
	Grace time.Duration // and not before an account is this old, so that new ones have time to enroll
}

// RealmSystem is the realm of the one account that is nobody's: its events are what
// administrators did to no single account.
const RealmSystem = "system"

// systemAccount is its ID.
const systemAccount = AccountID("systemsystemsystemsystemsy")

// MaxGrace is how long Requirement.Grace may be.
const MaxGrace = 366 * day

// Require sets the requirement for its group, or replaces it. Accounts without a
// factor are led to enroll one when it is due, also in sessions that live. A zero
// From, a negative Grace, or one over MaxGrace, and a bad Group are a *FieldError.
// Other errors are those of ResetTwoStep.
func (s *Service) Require(ctx context.Context, by Administrator, r Requirement, c Client) error {
	if r.Group != "" {
		if err := GroupName(r.Group); err != nil {
			return err
		}
	}
	if r.Grace < 0 || r.Grace > MaxGrace {
		return &FieldError{Field: "grace", Key: "err.grace", Args: map[string]string{"n": itoa(int(MaxGrace / day))}}
	}
	if r.From.IsZero() {
		return &FieldError{Field: "from", Key: "err.date"}
	}
	r.From, r.Grace = r.From.UTC().Truncate(time.Millisecond), r.Grace.Truncate(time.Millisecond)
	return s.forAll(ctx, by, func(tx Tx) error {
		if err := tx.PutRequirement(MainRealm, r); err != nil {
			return err
		}
		return s.record(tx, systemAccount, by.actor, c, EventRequired, by.why(map[string]string{
			"group": r.Group, "from": r.From.Format(time.RFC3339), "grace": r.Grace.String(),
		}))
	})
}

// NoLongerRequire takes the requirement for a group back. ErrNotFound: there is
// none. Other errors are those of ResetTwoStep.
func (s *Service) NoLongerRequire(ctx context.Context, by Administrator, group string, c Client) error {
	return s.forAll(ctx, by, func(tx Tx) error {
		if err := tx.DeleteRequirement(MainRealm, group); err != nil {
			return err
		}
		return s.record(tx, systemAccount, by.actor, c, EventNotRequired, by.why(map[string]string{"group": group}))
	})
}

// Requirements lists them, that for everybody first. Errors are those of Accounts.
func (s *Service) Requirements(ctx context.Context, by Administrator) ([]Requirement, error) {
	if err := s.seeAll(ctx, by); err != nil {
		return nil, err
	}
	return s.cfg.Store.Requirements(ctx, MainRealm)
}

// forAll is administer for what concerns no single account. It is written down in
// the trail of systemAccount.
func (s *Service) forAll(ctx context.Context, by Administrator, do func(tx Tx) error) error {
	return s.cfg.Store.Administer(ctx, by.id(), systemAccount, func(admin View, tx Tx) error {
		if err := s.administers(admin, by, alter); err != nil {
			return err
		}
		err := tx.InsertAccount(Account{ID: systemAccount, Realm: RealmSystem, Login: RealmSystem, CreatedAt: s.now()})
		if err != nil && !errors.Is(err, ErrExists) {
			return err
		}
		if err := tx.Hold(); err != nil {
			return err
		}
		return do(tx)
	})
}
