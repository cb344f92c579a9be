package sqlstore

import (
	"errors"
	"time"

	"github.com/twinlatch/twinlatch"
)

const selectChallenge = `SELECT id, purpose, session_id, kind, factor_id, question, key_id, tries_left, resend_at, created_at, expires_at
	FROM challenges WHERE account_id = $1 AND session_id = $2 AND consumed_at IS NULL`

func (v *view) challenge(query string, args ...any) (twinlatch.StoredChallenge, error) {
	var c twinlatch.StoredChallenge
	err := v.row([]any{
		(*string)(&c.ID), (*string)(&c.Purpose), (*string)(&c.Session), (*string)(&c.Kind), (*string)(&c.Factor),
		&c.Sealed.Text, &c.Sealed.Key, &c.TriesLeft, (*moment)(&c.ResendAt), (*moment)(&c.CreatedAt), (*moment)(&c.ExpiresAt),
	}, query, args...)
	return c, err
}

// Challenge implements twinlatch.View.
func (v *view) Challenge(c twinlatch.ChallengeID, s twinlatch.SessionID) (twinlatch.StoredChallenge, error) {
	return v.challenge(selectChallenge+` AND id = $3`, v.id, string(s), string(c))
}

// Open implements twinlatch.View.
func (v *view) Open(s twinlatch.SessionID, p twinlatch.Purpose, now time.Time) (twinlatch.StoredChallenge, error) {
	return v.challenge(selectChallenge+` AND purpose = $3 AND tries_left > 0 AND expires_at > $4
		ORDER BY created_at DESC, id LIMIT 1`, v.id, string(s), string(p), millis(now))
}

// Newest implements twinlatch.View.
func (v *view) Newest(s twinlatch.SessionID, p twinlatch.Purpose) (twinlatch.StoredChallenge, error) {
	return v.challenge(selectChallenge+` AND purpose = $3 ORDER BY created_at DESC, id LIMIT 1`, v.id, string(s), string(p))
}

// InsertChallenge implements twinlatch.Tx.
func (t *tx) InsertChallenge(c twinlatch.StoredChallenge) error {
	if err := t.do(`
		UPDATE challenges SET consumed_at = $4 WHERE account_id = $1 AND session_id = $2 AND purpose = $3
		AND consumed_at IS NULL AND tries_left > 0`,
		t.id, string(c.Session), string(c.Purpose), millis(c.CreatedAt)); err != nil {
		return err
	}
	return t.do(`
		INSERT INTO challenges (account_id, id, purpose, session_id, kind, factor_id, question, key_id,
			tries_left, resend_at, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		t.id, string(c.ID), string(c.Purpose), string(c.Session), string(c.Kind), string(c.Factor),
		blob(c.Sealed.Text), c.Sealed.Key, c.TriesLeft, maybe(c.ResendAt), millis(c.CreatedAt), millis(c.ExpiresAt))
}

// EndChallenges implements twinlatch.Tx.
func (t *tx) EndChallenges(s twinlatch.SessionID, p twinlatch.Purpose, now time.Time) error {
	return t.do(`
		UPDATE challenges SET consumed_at = $4
		WHERE account_id = $1 AND session_id = $2 AND purpose = $3 AND consumed_at IS NULL`,
		t.id, string(s), string(p), millis(now))
}

// Spend implements twinlatch.Tx.
func (t *tx) Spend(c twinlatch.ChallengeID, s twinlatch.SessionID, now time.Time) (left int, err error) {
	err = t.row([]any{&left}, `
		UPDATE challenges SET tries_left = tries_left - 1
		WHERE account_id = $1 AND id = $2 AND session_id = $3
		AND consumed_at IS NULL AND expires_at > $4 AND tries_left > 0
		RETURNING tries_left`, t.id, string(c), string(s), millis(now))
	if !errors.Is(err, twinlatch.ErrNotFound) {
		return left, err
	}
	err = t.row([]any{&left}, `
		SELECT tries_left FROM challenges
		WHERE account_id = $1 AND id = $2 AND session_id = $3
		AND consumed_at IS NULL AND expires_at > $4`, t.id, string(c), string(s), millis(now))
	switch {
	case err == nil:
		return 0, twinlatch.ErrNoTriesLeft
	case errors.Is(err, twinlatch.ErrNotFound):
		return 0, twinlatch.ErrExpired
	}
	return 0, err
}

// Consume implements twinlatch.Tx. It asks for no tries: the answer that it
// rewards was counted before, maybe as the last.
func (t *tx) Consume(c twinlatch.ChallengeID, s twinlatch.SessionID, now time.Time) error {
	return t.must(twinlatch.ErrExpired, `
		UPDATE challenges SET consumed_at = $4
		WHERE account_id = $1 AND id = $2 AND session_id = $3
		AND consumed_at IS NULL AND expires_at > $4`, t.id, string(c), string(s), millis(now))
}

// Resend implements twinlatch.Tx.
func (t *tx) Resend(c twinlatch.ChallengeID, s twinlatch.SessionID, now, next time.Time) error {
	const open = `account_id = $1 AND id = $2 AND session_id = $3
		AND consumed_at IS NULL AND expires_at > $4 AND tries_left > 0 AND resend_at IS NOT NULL`
	n, err := t.exec(`UPDATE challenges SET resend_at = $5 WHERE `+open+` AND resend_at <= $4`,
		t.id, string(c), string(s), millis(now), millis(next))
	if err != nil || n > 0 {
		return err
	}
	var refused twinlatch.LimitError
	err = t.row([]any{(*moment)(&refused.RetryAt)}, `SELECT resend_at FROM challenges WHERE `+open,
		t.id, string(c), string(s), millis(now))
	switch {
	case err == nil:
		return &refused
	case errors.Is(err, twinlatch.ErrNotFound):
		return twinlatch.ErrExpired
	}
	return err
}
