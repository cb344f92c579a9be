package sqlstore

import (
	"time"

	"github.com/twinlatch/twinlatch"
)

// BackupCodes implements twinlatch.View.
func (v *view) BackupCodes() (twinlatch.BackupCodes, error) {
	var b twinlatch.BackupCodes
	err := v.row([]any{&b.Salt, &b.Left, &b.Total, (*moment)(&b.CreatedAt)}, `
		SELECT salt, COUNT(*) - COUNT(used_at), COUNT(*), MIN(created_at)
		FROM backup_codes WHERE account_id = $1 GROUP BY salt`, v.id)
	return b, err
}

// ReplaceBackupCodes implements twinlatch.Tx.
func (t *tx) ReplaceBackupCodes(salt []byte, digests [][]byte, now time.Time) error {
	if err := t.do(`DELETE FROM backup_codes WHERE account_id = $1`, t.id); err != nil {
		return err
	}
	for _, digest := range digests {
		if err := t.do(`INSERT INTO backup_codes (account_id, digest, salt, created_at) VALUES ($1, $2, $3, $4)`,
			t.id, blob(digest), blob(salt), millis(now)); err != nil {
			return err
		}
	}
	return nil
}

// UseBackupCode implements twinlatch.Tx.
func (t *tx) UseBackupCode(digest []byte, now time.Time) error {
	return t.must(twinlatch.ErrWrongCode, `
		UPDATE backup_codes SET used_at = $3 WHERE account_id = $1 AND digest = $2 AND used_at IS NULL`,
		t.id, blob(digest), millis(now))
}
