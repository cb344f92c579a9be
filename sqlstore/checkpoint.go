package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/twinlatch/twinlatch"
)

// Grown implements twinlatch.Store. It asks for heads that differ and not for
// higher ones: a number that somebody put up would else keep a chain out.
func (s *Store) Grown(ctx context.Context, n int) (all []twinlatch.Head, err error) {
	err = s.look(ctx, func(v *view) error {
		all = nil
		return v.list(func(rows *sql.Rows) error {
			var h twinlatch.Head
			err := rows.Scan((*string)(&h.Account), &h.Seq, &h.Hash)
			all = append(all, h)
			return err
		}, `SELECT id, event_seq, event_hash FROM accounts WHERE event_seq <> checkpoint_seq ORDER BY id LIMIT $1`, int64(max(n, 0)))
	})
	return all, err
}

// AddCheckpoint implements twinlatch.Store.
func (s *Store) AddCheckpoint(ctx context.Context, c twinlatch.Checkpoint) error {
	heads := make([][3]any, len(c.Heads))
	for i, h := range c.Heads {
		heads[i] = [3]any{h.Account, h.Seq, h.Hash}
	}
	text, err := json.Marshal(heads)
	if err != nil {
		return wrap(err)
	}
	return s.unowned(ctx, func(t *tx) error {
		if err := t.must(twinlatch.ErrExists, `
			INSERT INTO checkpoints (seq, at, heads, mac)
			SELECT CAST($1 AS BIGINT), $2, $3, $4 WHERE $1 = (SELECT COALESCE(MAX(seq), 0) + 1 FROM checkpoints)
			ON CONFLICT DO NOTHING`, c.Seq, millis(c.At), string(text), blob(c.MAC)); err != nil {
			return err
		}
		for _, h := range c.Heads {
			if err := t.do(`UPDATE accounts SET checkpoint_seq = $2 WHERE id = $1`, string(h.Account), h.Seq); err != nil {
				return err
			}
		}
		return nil
	})
}

// Checkpoints implements twinlatch.Store.
func (s *Store) Checkpoints(ctx context.Context, behind int64, n int) (all []twinlatch.Checkpoint, err error) {
	err = s.look(ctx, func(v *view) error {
		all = nil
		return v.list(func(rows *sql.Rows) error {
			var c twinlatch.Checkpoint
			var heads string
			if err := rows.Scan(&c.Seq, (*moment)(&c.At), &heads, &c.MAC); err != nil {
				return err
			}
			c.Heads = headsOf(heads)
			all = append(all, c)
			return nil
		}, `SELECT seq, at, heads, mac FROM checkpoints WHERE seq > $1 ORDER BY seq LIMIT $2`, behind, int64(max(n, 0)))
	})
	return all, err
}

// headsOf gives what can be read of a text that somebody may have edited. The
// MAC is over what is read, so nothing is lost by leaving the rest out.
func headsOf(text string) []twinlatch.Head {
	var rows [][]json.RawMessage
	if json.Unmarshal([]byte(text), &rows) != nil {
		return nil
	}
	heads := make([]twinlatch.Head, len(rows))
	for i, row := range rows {
		h := &heads[i]
		if len(row) != 3 {
			return nil
		}
		for j, into := range [...]any{&h.Account, &h.Seq, &h.Hash} {
			if json.Unmarshal(row[j], into) != nil {
				return nil
			}
		}
	}
	return heads
}

// LastCheckpoint implements twinlatch.Store.
func (s *Store) LastCheckpoint(ctx context.Context) (c twinlatch.Checkpoint, err error) {
	err = s.look(ctx, func(v *view) error {
		c = twinlatch.Checkpoint{}
		err := v.row([]any{&c.Seq, (*moment)(&c.At), &c.MAC}, `SELECT seq, at, mac FROM checkpoints ORDER BY seq DESC LIMIT 1`)
		if errors.Is(err, twinlatch.ErrNotFound) {
			return nil
		}
		return err
	})
	return c, err
}
