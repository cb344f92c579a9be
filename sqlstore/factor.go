package sqlstore

import (
	"database/sql"
	"errors"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Factors implements twinlatch.View.
func (v *view) Factors() ([]twinlatch.StoredFactor, error) {
	var all []twinlatch.StoredFactor
	err := v.list(func(rows *sql.Rows) error {
		var f twinlatch.StoredFactor
		err := rows.Scan((*string)(&f.ID), (*string)(&f.Kind), &f.Name, &f.Hint, &f.Digest, &f.Sealed.Text, &f.Sealed.Key,
			&f.Counter, (*moment)(&f.CreatedAt), (*moment)(&f.LastUsedAt), (*moment)(&f.CopiedAt))
		all = append(all, f)
		return err
	}, `
		SELECT id, kind, name, hint, digest, secret, key_id, counter, created_at, last_used_at, copied_at
		FROM factors WHERE account_id = $1 ORDER BY created_at, id`, v.id)
	return all, err
}

// InsertFactor implements twinlatch.Tx.
func (t *tx) InsertFactor(f twinlatch.StoredFactor) error {
	return t.must(twinlatch.ErrExists, `
		INSERT INTO factors (account_id, id, kind, name, hint, digest, secret, key_id, counter, created_at, last_used_at, copied_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT DO NOTHING`,
		t.id, string(f.ID), string(f.Kind), f.Name, f.Hint, blob(f.Digest), blob(f.Sealed.Text), f.Sealed.Key,
		f.Counter, millis(f.CreatedAt), maybe(f.LastUsedAt), maybe(f.CopiedAt))
}

// RenameFactor implements twinlatch.Tx.
func (t *tx) RenameFactor(f twinlatch.FactorID, name string) error {
	return t.must(twinlatch.ErrNotFound, `
		UPDATE factors SET name = $3 WHERE account_id = $1 AND id = $2`, t.id, string(f), name)
}

// DeleteFactor implements twinlatch.Tx. The verifications that ask for it go
// with it, and those that ask for any of its kind when none is left.
func (t *tx) DeleteFactor(f twinlatch.FactorID) error {
	var kind string
	err := t.row([]any{&kind}, `
		DELETE FROM factors WHERE account_id = $1 AND id = $2 RETURNING kind`, t.id, string(f))
	if err != nil {
		return err
	}
	if err := t.do(`
		DELETE FROM challenges WHERE account_id = $1 AND purpose = 'verify'
		AND (factor_id = $2 OR kind = $3
			AND NOT EXISTS (SELECT 1 FROM factors WHERE account_id = $1 AND kind = $3))`, t.id, string(f), kind); err != nil {
		return err
	}
	return t.do(`UPDATE accounts SET preferred = '' WHERE id = $1 AND preferred = $2`, t.id, string(f))
}

// DeleteAll implements twinlatch.Tx.
func (t *tx) DeleteAll() error {
	for _, query := range [...]string{
		`DELETE FROM factors WHERE account_id = $1`,
		`DELETE FROM backup_codes WHERE account_id = $1`,
		`DELETE FROM tries WHERE account_id = $1`,
		`DELETE FROM challenges WHERE account_id = $1 AND purpose = 'verify'`,
		`UPDATE accounts SET preferred = '' WHERE id = $1`,
	} {
		if err := t.do(query, t.id); err != nil {
			return err
		}
	}
	return nil
}

// Advance implements twinlatch.Tx.
func (t *tx) Advance(f twinlatch.FactorID, counter int64, now time.Time) error {
	return t.counted(f, `
		UPDATE factors SET counter = $3, last_used_at = $4
		WHERE account_id = $1 AND id = $2 AND counter < $3`, t.id, string(f), counter, maybe(now))
}

// Used implements twinlatch.Tx.
func (t *tx) Used(f twinlatch.FactorID, now time.Time) error {
	return t.counted(f, `
		UPDATE factors SET last_used_at = $3 WHERE account_id = $1 AND id = $2 AND counter = 0`, t.id, string(f), maybe(now))
}

// counted runs a guard on the counter of a factor, and tells a factor that is gone
// from one whose counter stands against it.
func (t *tx) counted(f twinlatch.FactorID, query string, args ...any) error {
	err := t.must(twinlatch.ErrReplayed, query, args...)
	if !errors.Is(err, twinlatch.ErrReplayed) {
		return err
	}
	var one int
	if err := t.row([]any{&one}, `SELECT 1 FROM factors WHERE account_id = $1 AND id = $2`, t.id, string(f)); err != nil {
		return err
	}
	return twinlatch.ErrReplayed
}

// Copied implements twinlatch.Tx.
func (t *tx) Copied(f twinlatch.FactorID, now, before time.Time) (news bool, err error) {
	n, err := t.exec(`
		UPDATE factors SET copied_at = $3
		WHERE account_id = $1 AND id = $2 AND (copied_at IS NULL OR copied_at <= $4)`, t.id, string(f), millis(now), millis(before))
	return n > 0, err
}
