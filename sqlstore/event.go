package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Head implements twinlatch.View.
func (v *view) Head() (seq int64, hash []byte, err error) {
	err = v.row([]any{&seq, &hash}, `SELECT event_seq, event_hash FROM accounts WHERE id = $1`, v.id)
	return seq, hash, err
}

// Append implements twinlatch.Tx.
func (t *tx) Append(e twinlatch.Event) error {
	if err := t.own(e.Account); err != nil {
		return err
	}
	if err := t.must(twinlatch.ErrExists, `
		UPDATE accounts SET event_seq = $2, event_hash = $3 WHERE id = $1 AND event_seq = $2 - 1`,
		t.id, e.Seq, blob(e.Hash)); err != nil {
		return err
	}
	d, err := detail(e.Detail)
	if err != nil {
		return wrap(err)
	}
	return t.do(`
		INSERT INTO events (account_id, seq, at, type, actor, detail, detail_digest, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		t.id, e.Seq, millis(e.At), string(e.Type), e.Actor, d, blob(e.DetailDigest), blob(e.Hash))
}

// detail is nil for an erased one.
func detail(d twinlatch.Detail) (any, error) {
	if d.Salt == nil && !d.IP.IsValid() && d.UserAgent == "" && len(d.More) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(d)
	return string(b), err
}

// Events implements twinlatch.View.
func (v *view) Events(before int64, n int) ([]twinlatch.Event, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	return v.events(`
		SELECT account_id, seq, at, type, actor, detail, detail_digest, hash
		FROM events WHERE account_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3`, v.id, before, int64(max(n, 0)))
}

func (v *view) events(query string, args ...any) ([]twinlatch.Event, error) {
	var all []twinlatch.Event
	err := v.list(func(rows *sql.Rows) error {
		var e twinlatch.Event
		var d sql.NullString
		if err := rows.Scan((*string)(&e.Account), &e.Seq, (*moment)(&e.At), (*string)(&e.Type), &e.Actor, &d, &e.DetailDigest, &e.Hash); err != nil {
			return err
		}
		if d.Valid && json.Unmarshal([]byte(d.String), &e.Detail) != nil {
			// Somebody wrote this. As it is no detail, its digest does not fit.
			e.Detail = twinlatch.Detail{More: map[string]string{"detail": d.String}}
		}
		all = append(all, e)
		return nil
	}, query, args...)
	return all, err
}

// NewestEvent implements twinlatch.Store.
func (s *Store) NewestEvent(ctx context.Context) (time.Time, error) {
	var at moment
	err := retry(ctx, func() error {
		return found(s.read.QueryRowContext(ctx, `SELECT at FROM events ORDER BY at DESC LIMIT 1`).Scan(&at))
	})
	if errors.Is(err, twinlatch.ErrNotFound) {
		err = nil
	}
	return time.Time(at), err
}
