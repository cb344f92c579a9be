package twinlatch

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Factor is an enrolled instance of a Method: this phone, that key. There are
// no half-enrolled factors; until confirmed it is a Challenge.
type Factor struct {
	ID         FactorID
	Kind       Kind
	Name       string // "Work phone"
	Hint       string // all that may be shown before the second step
	Shown      string // what its owner may see in settings: the phone number; often empty
	Counter    int64  // highest use counter seen; see Proof
	CreatedAt  time.Time
	LastUsedAt time.Time // zero: never
	CopiedAt   time.Time // when somebody used a copy of it, by what its counter says; zero: never
}

// OpenFactor is a Factor with its secret opened; only a Method sees one.
type OpenFactor struct {
	Factor
	Secret Secret
}

// StoredFactor is a Factor as a Store sees it.
type StoredFactor struct {
	Factor
	Digest []byte // unique per account and kind
	Sealed Sealed
}

// MaxFactorName is the length of a factor's name, in characters.
const MaxFactorName = 60

func factorPlace(id AccountID, f FactorID) Place {
	return Place{Account: id, Table: "factors", Row: string(f)}
}

// Factors lists what is enrolled, oldest first, with what its owner may see.
func (s *Service) Factors(ctx context.Context, by Authority) ([]Factor, error) {
	id, _ := by.authority()
	var factors []Factor
	err := s.cfg.Store.View(ctx, id, func(v View) error {
		if err := s.allowed(v, by, see); err != nil {
			return err
		}
		stored, err := v.Factors()
		if err != nil {
			return err
		}
		factors, err = s.shown(id, stored)
		return err
	})
	return factors, err
}

// shown fills in what the owner may see.
func (s *Service) shown(id AccountID, stored []StoredFactor) ([]Factor, error) {
	factors := bare(stored)
	for i, f := range stored {
		method, able := s.methods[f.Kind].(interface{ Show(OpenFactor) string })
		if !able {
			continue
		}
		open, err := s.open(id, stored[i:i+1])
		if err != nil {
			return nil, err
		}
		factors[i].Shown = method.Show(open[0])
	}
	return factors, nil
}

// hinted makes longer hints for factors of a kind that have the same.
func (s *Service) hinted(id AccountID, stored []StoredFactor) ([]Factor, error) {
	type hint struct {
		kind Kind
		text string
	}
	seen := map[hint]int{}
	for _, f := range stored {
		seen[hint{f.Kind, f.Hint}]++
	}
	factors := bare(stored)
	for i, f := range stored {
		method, able := s.methods[f.Kind].(interface{ LongHint(OpenFactor) string })
		if !able || seen[hint{f.Kind, f.Hint}] < 2 {
			continue
		}
		open, err := s.open(id, stored[i:i+1])
		if err != nil {
			return nil, err
		}
		factors[i].Hint = method.LongHint(open[0])
	}
	return factors, nil
}

func bare(stored []StoredFactor) []Factor {
	factors := make([]Factor, len(stored))
	for i, f := range stored {
		factors[i] = f.Factor
	}
	return factors
}

// RenameFactor gives a factor another name: 1 to MaxFactorName characters, else
// a *FieldError. ErrNotFound: it is not one of the account's.
func (s *Service) RenameFactor(ctx context.Context, by Authority, f FactorID, name string, c Client) error {
	name, err := factorName(name)
	if err != nil {
		return err
	}
	return s.change(ctx, by, look, func(tx Tx, id AccountID, actor string) error {
		old, err := findFactor(tx, f)
		if err != nil {
			return err
		}
		if err := tx.RenameFactor(f, name); err != nil {
			return err
		}
		return s.record(tx, id, actor, c, EventFactorRenamed, withReason(by, about(old.Kind, name)))
	})
}

func factorName(name string) (string, error) {
	name = strings.TrimSpace(norm.NFC.String(name))
	if name == "" || utf8.RuneCountInString(name) > MaxFactorName || !isLine(name) {
		return "", nameError("name", MaxFactorName)
	}
	return name, nil
}

// PreferFactor makes a factor the one asked first.
func (s *Service) PreferFactor(ctx context.Context, by Authority, f FactorID, c Client) error {
	return s.change(ctx, by, alter, func(tx Tx, id AccountID, actor string) error {
		factor, err := findFactor(tx, f)
		if err != nil {
			return err
		}
		if err := tx.SetPreferred(f); err != nil {
			return err
		}
		return s.record(tx, id, actor, c, EventFactorPreferred, withReason(by, about(factor.Kind, factor.Name)))
	})
}

// RemoveFactor removes f, ends its open challenges and all other sessions. With
// the last factor two-step verification is off and the backup codes are gone.
func (s *Service) RemoveFactor(ctx context.Context, by Authority, f FactorID, c Client) error {
	return s.change(ctx, by, alter, func(tx Tx, id AccountID, actor string) error {
		factor, err := findFactor(tx, f)
		if err != nil {
			return err
		}
		if err := tx.DeleteFactor(f); err != nil {
			return err
		}
		if err := s.record(tx, id, actor, c, EventFactorRemoved, withReason(by, about(factor.Kind, factor.Name))); err != nil {
			return err
		}
		left, err := tx.Factors()
		if err != nil {
			return err
		}
		if len(left) > 0 {
			_, err := tx.DeleteSessions(sessionOf(by))
			return err
		}
		return s.turnOff(tx, by, c)
	})
}

// TurnOff removes all factors and backup codes and ends all other sessions;
// OnBehalf all. ErrTwoStepOff: there is none.
func (s *Service) TurnOff(ctx context.Context, by Authority, c Client) error {
	return s.change(ctx, by, alter, func(tx Tx, id AccountID, actor string) error {
		factors, err := tx.Factors()
		if err != nil {
			return err
		}
		if len(factors) == 0 {
			return ErrTwoStepOff
		}
		for _, f := range factors {
			more := about(f.Kind, f.Name)
			more["all"] = "yes"
			if err := s.record(tx, id, actor, c, EventFactorRemoved, withReason(by, more)); err != nil {
				return err
			}
		}
		return s.turnOff(tx, by, c)
	})
}

func (s *Service) turnOff(tx Tx, by Authority, c Client) error {
	id, actor := by.authority()
	if err := tx.DeleteAll(); err != nil {
		return err
	}
	if _, err := tx.DeleteSessions(sessionOf(by)); err != nil {
		return err
	}
	if err := forgetCodes(tx, sessionOf(by)); err != nil {
		return err
	}
	return s.record(tx, id, actor, c, EventTwoStepOff, withReason(by, nil))
}

// forgetCodes takes from the session that stays what it verified. When a factor
// exists again, it has to verify again like all others.
func forgetCodes(tx Tx, id SessionID) error {
	if id == "" {
		return nil
	}
	row, err := tx.Session(id)
	if err != nil {
		return err
	}
	s := row.Session
	s.V4, s.V6, s.AMR, s.Recovered = Slot{}, Slot{}, nil, false
	return tx.UpdateSession(s, row.SecretHash, row.SecretHash)
}

func findFactor(v View, id FactorID) (Factor, error) {
	stored, err := v.Factors()
	if err != nil {
		return Factor{}, err
	}
	for _, f := range stored {
		if f.ID == id {
			return f.Factor, nil
		}
	}
	return Factor{}, ErrNotFound
}

func about(k Kind, name string) map[string]string {
	return map[string]string{"kind": string(k), "name": name}
}

// open opens the secrets of factors for their Method.
func (s *Service) open(id AccountID, stored []StoredFactor) ([]OpenFactor, error) {
	factors := make([]OpenFactor, len(stored))
	for i, f := range stored {
		plain, err := s.cfg.Keys.Open(f.Sealed, factorPlace(id, f.ID))
		if err != nil {
			return nil, err
		}
		factors[i] = OpenFactor{f.Factor, NewSecret(string(plain))}
	}
	return factors, nil
}

// ofKind keeps the factors of a kind.
func ofKind(stored []StoredFactor, k Kind) []StoredFactor {
	var of []StoredFactor
	for _, f := range stored {
		if f.Kind == k {
			of = append(of, f)
		}
	}
	return of
}
