package sqlstore

import (
	"context"
	"time"
)

// batch is how many rows a statement of Sweep deletes at most, so that nobody
// waits long for SQLite's only writer.
const batch = 1000

// Sweep implements twinlatch.Store. A challenge that was consumed goes when its
// time is over. Each statement asks twice whether a row has ended, because on
// PostgreSQL only the outer question is asked again after waiting for a row
// that somebody renews.
func (s *Store) Sweep(ctx context.Context, now, since time.Time) error {
	defer s.cached.changedAll()
	for _, dead := range [...]struct {
		query  string
		before time.Time
	}{
		{`DELETE FROM sessions WHERE expires_at <= $1 AND (account_id, id) IN (
			SELECT account_id, id FROM sessions WHERE expires_at <= $1 LIMIT $2)`, now},
		{`DELETE FROM challenges WHERE expires_at <= $1 AND (account_id, id) IN (
			SELECT account_id, id FROM challenges WHERE expires_at <= $1 LIMIT $2)`, now},
		{`DELETE FROM tickets WHERE expires_at <= $1 AND (account_id, id) IN (
			SELECT account_id, id FROM tickets WHERE expires_at <= $1 LIMIT $2)`, now},
		{`DELETE FROM limits WHERE resets_at <= $1 AND (scope, name) IN (
			SELECT scope, name FROM limits WHERE resets_at <= $1 LIMIT $2)`, now},
		{`DELETE FROM networks WHERE verified_at < $1 AND (account_id, prefix) IN (
			SELECT account_id, prefix FROM networks WHERE verified_at < $1 LIMIT $2)`, since},
	} {
		for more := true; more; {
			err := retry(ctx, func() error {
				result, err := s.write.ExecContext(ctx, dead.query, millis(dead.before), int64(batch))
				if err != nil {
					return wrap(err)
				}
				n, err := result.RowsAffected()
				more = n == batch
				return wrap(err)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
