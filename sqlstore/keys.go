package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twinlatch/twinlatch"
)

// CheckKeys implements twinlatch.Store. Each key has a row of its own, so two
// starters with different keys would not meet; the row with the empty id makes them wait.
func (s *Store) CheckKeys(ctx context.Context, checks map[string][]byte) error {
	if _, ok := checks[""]; ok {
		return wrap(errors.New("a key without id"))
	}
	return retry(ctx, func() error {
		return within(ctx, s.write, nil, func(t *sql.Tx) error { return checkKeys(&tx{view: view{ctx, t, ""}}, checks) })
	})
}

func checkKeys(t *tx, checks map[string][]byte) error {
	if err := t.do(`
		INSERT INTO key_checks (id, value) VALUES ('', $1)
		ON CONFLICT (id) DO UPDATE SET value = excluded.value`, []byte{}); err != nil {
		return err
	}
	known := map[string]bool{}
	if err := t.list(func(rows *sql.Rows) error {
		var id string
		var value []byte
		var retiredAt moment
		if err := rows.Scan(&id, &value, &retiredAt); err != nil {
			return err
		}
		known[id] = true
		if check, ok := checks[id]; !ok {
			if !time.Time(retiredAt).IsZero() {
				return nil
			}
			return fmt.Errorf("%w: key %q is missing", twinlatch.ErrWrongKeys, id)
		} else if !bytes.Equal(check, value) {
			return fmt.Errorf("%w: key %q is another one", twinlatch.ErrWrongKeys, id)
		}
		return nil
	}, `SELECT id, value, retired_at FROM key_checks WHERE id <> '' ORDER BY id`); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(checks)) {
		if known[id] {
			continue
		}
		if err := t.do(`INSERT INTO key_checks (id, value) VALUES ($1, $2)`, id, blob(checks[id])); err != nil {
			return err
		}
	}
	return nil
}
