package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/locale"
)

// accountRow is an account as programs get it.
type accountRow struct {
	ID          twinlatch.AccountID    `json:"id"`
	Login       string                 `json:"login"`
	Name        string                 `json:"name"`
	State       twinlatch.AccountState `json:"state"`
	Groups      []string               `json:"groups"`
	Methods     []twinlatch.Kind       `json:"methods"`
	Language    string                 `json:"language,omitempty"`
	CreatedAt   time.Time              `json:"created_at"`
	ConfirmedAt time.Time              `json:"confirmed_at,omitzero"`
	EnrollFrom  time.Time              `json:"enroll_from,omitzero"` // from then on it must have two-step verification, and has not
	ResetAt     time.Time              `json:"reset_at,omitzero"`
	DisabledAt  time.Time              `json:"disabled_at,omitzero"`
	SignedInAt  time.Time              `json:"signed_in_at,omitzero"`
	PausedUntil time.Time              `json:"paused_until,omitzero"`
}

func rowOf(a twinlatch.AccountSummary, now time.Time) accountRow {
	return accountRow{
		ID: a.ID, Login: a.Login, Name: a.DisplayName, State: a.StateOf(now), Language: a.Locale,
		Groups: append([]string{}, a.Groups...), Methods: append([]twinlatch.Kind{}, a.Kinds...),
		CreatedAt: a.CreatedAt, ConfirmedAt: a.ConfirmedAt, EnrollFrom: a.EnrollFrom, ResetAt: a.ResetAt, DisabledAt: a.DisabledAt,
		SignedInAt: a.SignedInAt, PausedUntil: a.PausedUntil,
	}
}

// plainly says what the core refuses to who types commands about an account.
func plainly(err error, login string) error {
	var bad *twinlatch.FieldError
	switch {
	case errors.Is(err, twinlatch.ErrNotFound):
		return fmt.Errorf("there is no account %s", word(login))
	case errors.Is(err, twinlatch.ErrExists):
		return fmt.Errorf("there is an account %s already", word(twinlatch.FoldLogin(login)))
	case errors.Is(err, twinlatch.ErrTwoStepOff):
		return fmt.Errorf("%s has no 2-step verification that could be reset", word(login))
	case errors.As(err, &bad) && bad.Field == "language":
		return errors.New("language: want a tag such as en, cs or pt-BR")
	case errors.As(err, &bad):
		english, lost := locale.English()
		if lost != nil {
			return err
		}
		if said, lost := english.Say(bad.Key, bad.Args); lost == nil {
			return fmt.Errorf("%s: %s", bad.Field, said)
		}
	}
	return err
}
