package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"github.com/twinlatch/twinlatch"
)

// look runs fn on one consistent state of all accounts.
func (s *Store) look(ctx context.Context, fn func(*view) error) error {
	return retry(ctx, func() error {
		return within(ctx, s.read, s.snapshot, func(t *sql.Tx) error { return fn(&view{ctx, t, ""}) })
	})
}

// AllEvents implements twinlatch.Store.
func (s *Store) AllEvents(ctx context.Context, behind twinlatch.Position, n int) (all []twinlatch.Event, err error) {
	err = s.look(ctx, func(v *view) error {
		all, err = v.events(`
			SELECT account_id, seq, at, type, actor, detail, detail_digest, hash FROM events
			WHERE (at, account_id, seq) > ($1, $2, $3) ORDER BY at, account_id, seq LIMIT $4`,
			millis(behind.At), string(behind.Account), behind.Seq, int64(max(n, 0)))
		return err
	})
	return all, err
}

// RecentEvents implements twinlatch.Store.
func (s *Store) RecentEvents(ctx context.Context, before twinlatch.Position, n int) (all []twinlatch.Event, err error) {
	at := millis(before.At)
	if before == (twinlatch.Position{}) {
		at = math.MaxInt64
	}
	err = s.look(ctx, func(v *view) error {
		all, err = v.events(`
			SELECT account_id, seq, at, type, actor, detail, detail_digest, hash FROM events
			WHERE (at, account_id, seq) < ($1, $2, $3) ORDER BY at DESC, account_id DESC, seq DESC LIMIT $4`,
			at, string(before.Account), before.Seq, int64(max(n, 0)))
		return err
	})
	return all, err
}

// Chains implements twinlatch.Store.
func (s *Store) Chains(ctx context.Context, behind twinlatch.AccountID, n int) (all []twinlatch.Chain, err error) {
	err = s.look(ctx, func(v *view) error {
		all = nil
		return v.list(func(rows *sql.Rows) error {
			var c twinlatch.Chain
			err := rows.Scan((*string)(&c.Account), &c.Seq, &c.Hash, &c.Checkpointed)
			all = append(all, c)
			return err
		}, `SELECT id, event_seq, event_hash, checkpoint_seq FROM accounts WHERE id > $1 ORDER BY id LIMIT $2`, string(behind), int64(max(n, 0)))
	})
	return all, err
}

// Stray implements twinlatch.Store. A foreign key stands against it, which who
// can write the database can also drop.
func (s *Store) Stray(ctx context.Context) (stray twinlatch.Event, err error) {
	err = s.look(ctx, func(v *view) error {
		all, err := v.events(`
			SELECT account_id, seq, at, type, actor, detail, detail_digest, hash FROM events
			WHERE NOT EXISTS (SELECT 1 FROM accounts AS a WHERE a.id = account_id)
			ORDER BY account_id, seq LIMIT 1`)
		if err == nil && len(all) == 0 {
			return twinlatch.ErrNotFound
		}
		if err == nil {
			stray = all[0]
		}
		return err
	})
	return stray, err
}

// Hashes implements twinlatch.Store.
func (s *Store) Hashes(ctx context.Context, heads []twinlatch.Head) (hashes [][]byte, err error) {
	err = s.look(ctx, func(v *view) error {
		hashes = make([][]byte, len(heads))
		for i, h := range heads {
			err := v.row([]any{&hashes[i]}, `SELECT hash FROM events WHERE account_id = $1 AND seq = $2`, string(h.Account), h.Seq)
			if err != nil && !errors.Is(err, twinlatch.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	return hashes, err
}
