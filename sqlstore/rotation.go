package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

// sealedTable is a table with sealed texts. Its statements have the same
// parameters as those of the others, but for where a row is (see at).
type sealedTable struct {
	name  string // also of the Place
	count string
	under string // $1 key, behind $2 account and $3 row, $4 how many
	put   string // where the row is, then the new text and key, then the old ones
	at    func(twinlatch.Place) []any
}

// sealedTables are all tables that have a key_id.
func sealedTables() []sealedTable {
	of := func(p twinlatch.Place) []any { return []any{string(p.Account), p.Row} }
	return []sealedTable{
		{"passwords",
			`SELECT key_id, COUNT(*) FROM passwords GROUP BY key_id`,
			`SELECT account_id, '', hash FROM passwords
			WHERE key_id = $1 AND (account_id, CAST('' AS TEXT)) > ($2, CAST($3 AS TEXT)) ORDER BY account_id LIMIT $4`,
			`UPDATE passwords SET hash = $2, key_id = $3 WHERE account_id = $1 AND hash = $4 AND key_id = $5`,
			func(p twinlatch.Place) []any { return []any{string(p.Account)} }},
		{"factors",
			`SELECT key_id, COUNT(*) FROM factors GROUP BY key_id`,
			`SELECT account_id, id, secret FROM factors
			WHERE key_id = $1 AND (account_id, id) > ($2, $3) ORDER BY account_id, id LIMIT $4`,
			`UPDATE factors SET secret = $3, key_id = $4 WHERE account_id = $1 AND id = $2 AND secret = $5 AND key_id = $6`, of},
		{"challenges",
			`SELECT key_id, COUNT(*) FROM challenges GROUP BY key_id`,
			`SELECT account_id, id, question FROM challenges
			WHERE key_id = $1 AND (account_id, id) > ($2, $3) ORDER BY account_id, id LIMIT $4`,
			`UPDATE challenges SET question = $3, key_id = $4 WHERE account_id = $1 AND id = $2 AND question = $5 AND key_id = $6`, of},
		{"outbox",
			`SELECT key_id, COUNT(*) FROM outbox GROUP BY key_id`,
			`SELECT account_id, id, message FROM outbox
			WHERE key_id = $1 AND (account_id, id) > ($2, $3) ORDER BY account_id, id LIMIT $4`,
			`UPDATE outbox SET message = $3, key_id = $4 WHERE account_id = $1 AND id = $2 AND message = $5 AND key_id = $6`, of},
		{"requests", // of no account
			`SELECT key_id, COUNT(*) FROM requests GROUP BY key_id`,
			`SELECT '', id, request FROM requests
			WHERE key_id = $1 AND (CAST('' AS TEXT), id) > ($2, $3) ORDER BY id LIMIT $4`,
			`UPDATE requests SET request = $2, key_id = $3 WHERE id = $1 AND request = $4 AND key_id = $5`,
			func(p twinlatch.Place) []any { return []any{p.Row} }},
		{"devices", // likewise
			`SELECT key_id, COUNT(*) FROM devices GROUP BY key_id`,
			`SELECT '', kind || '/' || name, sealed FROM devices
			WHERE key_id = $1 AND (CAST('' AS TEXT), kind || '/' || name) > ($2, $3) ORDER BY kind || '/' || name LIMIT $4`,
			`UPDATE devices SET sealed = $3, key_id = $4 WHERE kind = $1 AND name = $2 AND sealed = $5 AND key_id = $6`,
			func(p twinlatch.Place) []any {
				kind, name, _ := strings.Cut(p.Row, "/")
				return []any{kind, name}
			}},
	}
}

// Sealing implements twinlatch.Store.
func (s *Store) Sealing(ctx context.Context, key string, now time.Time) error {
	return s.unowned(ctx, func(t *tx) error {
		return t.must(fmt.Errorf("%w: key %q was retired", twinlatch.ErrWrongKeys, key), `
			UPDATE key_checks SET seen_at = CASE WHEN seen_at > $2 THEN seen_at ELSE CAST($2 AS BIGINT) END
			WHERE id = $1 AND id <> '' AND retired_at IS NULL`, key, millis(now))
	})
}

// KeyUses implements twinlatch.Store.
func (s *Store) KeyUses(ctx context.Context) (map[string]twinlatch.KeyUse, error) {
	var uses map[string]twinlatch.KeyUse
	err := retry(ctx, func() error {
		uses = map[string]twinlatch.KeyUse{}
		return within(ctx, s.read, s.snapshot, func(t *sql.Tx) error { return keyUses(&view{ctx, t, ""}, uses) })
	})
	return uses, err
}

func keyUses(v *view, uses map[string]twinlatch.KeyUse) error {
	if err := v.list(func(rows *sql.Rows) error {
		var id string
		use := twinlatch.KeyUse{Texts: map[string]int{}}
		err := rows.Scan(&id, (*moment)(&use.SeenAt), (*moment)(&use.RetiredAt))
		uses[id] = use
		return err
	}, `SELECT id, seen_at, retired_at FROM key_checks WHERE id <> ''`); err != nil {
		return err
	}
	for _, table := range sealedTables() {
		if err := v.list(func(rows *sql.Rows) error {
			var id string
			var n int
			if err := rows.Scan(&id, &n); err != nil {
				return err
			}
			use := uses[id]
			if use.Texts == nil {
				use.Texts = map[string]int{}
			}
			use.Texts[table.name] = n
			uses[id] = use
			return nil
		}, table.count); err != nil {
			return err
		}
	}
	return nil
}

// Under implements twinlatch.Store. The order is that of the tables, and in each
// that of account and row.
func (s *Store) Under(ctx context.Context, key string, behind twinlatch.Place, n int) ([]twinlatch.SealedText, error) {
	var all []twinlatch.SealedText
	err := retry(ctx, func() error {
		all = nil
		return within(ctx, s.read, s.snapshot, func(t *sql.Tx) error {
			tables := sealedTables()
			first := max(0, slices.IndexFunc(tables, func(t sealedTable) bool { return t.name == behind.Table }))
			for i, table := range tables[first:] {
				if i > 0 || behind.Table == "" {
					behind = twinlatch.Place{}
				}
				if err := (&view{ctx, t, ""}).list(func(rows *sql.Rows) error {
					text := twinlatch.SealedText{Place: twinlatch.Place{Table: table.name}, Sealed: twinlatch.Sealed{Key: key}}
					err := rows.Scan((*string)(&text.Account), &text.Row, &text.Text)
					all = append(all, text)
					return err
				}, table.under, key, string(behind.Account), behind.Row, max(0, n-len(all))); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return all, err
}

// Reseal implements twinlatch.Store. A text that somebody replaced meanwhile is
// another one, and stays.
func (s *Store) Reseal(ctx context.Context, texts []twinlatch.Resealed) (resealed int, err error) {
	tables := map[string]sealedTable{}
	for _, table := range sealedTables() {
		tables[table.name] = table
	}
	err = s.unowned(ctx, func(t *tx) error {
		resealed = 0
		for _, r := range texts {
			table, ok := tables[r.Table]
			if !ok {
				return fmt.Errorf("sqlstore: nothing is sealed in table %q", r.Table)
			}
			n, err := t.exec(table.put, append(table.at(r.Place), blob(r.New.Text), r.New.Key, blob(r.Old.Text), r.Old.Key)...)
			if err != nil {
				return err
			}
			resealed += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return resealed, nil
}

// Retire implements twinlatch.Store.
func (s *Store) Retire(ctx context.Context, key string, unseen, now time.Time) error {
	return s.unowned(ctx, func(t *tx) error {
		var known bool
		if err := t.row([]any{&known}, `SELECT EXISTS (SELECT 1 FROM key_checks WHERE id = $1 AND id <> '')`, key); err != nil {
			return err
		}
		if !known {
			return twinlatch.ErrNotFound
		}
		// First, so that nobody can begin to seal with it any more.
		if err := t.must(twinlatch.ErrExists, `
			UPDATE key_checks SET retired_at = COALESCE(retired_at, $2) WHERE id = $1 AND (seen_at IS NULL OR seen_at <= $3)`,
			key, millis(now), millis(unseen)); err != nil {
			return err
		}
		for _, table := range sealedTables() {
			var account, row string
			var text []byte
			err := t.row([]any{&account, &row, &text}, table.under, key, "", "", 1)
			if err == nil {
				return twinlatch.ErrExists
			}
			if !errors.Is(err, twinlatch.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}
