package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/twinlatch/twinlatch"
)

const (
	attempts = 100                    // to run a transaction that loses conflicts
	longest  = 100 * time.Millisecond // wait between two of them
)

// Tx implements twinlatch.Store.
func (s *Store) Tx(ctx context.Context, id twinlatch.AccountID, fn func(twinlatch.Tx) error) error {
	return retry(ctx, func() error {
		own := &tx{}
		defer func() { s.changed(own, id) }()
		return within(ctx, s.write, nil, func(t *sql.Tx) error {
			own.view = view{ctx, t, string(id)}
			return fn(own)
		})
	})
}

// changed tells checks that what they read of an account may have changed.
func (s *Store) changed(t *tx, id twinlatch.AccountID) {
	if t.beyond {
		s.cached.changedAll()
		return
	}
	s.cached.changed(id)
}

// View implements twinlatch.Store.
func (s *Store) View(ctx context.Context, id twinlatch.AccountID, fn func(twinlatch.View) error) error {
	return retry(ctx, func() error {
		return within(ctx, s.read, s.snapshot, func(t *sql.Tx) error {
			return fn(&view{ctx, t, string(id)})
		})
	})
}

// within runs fn in one transaction, which ends when fn does, also by a panic.
func within(ctx context.Context, db *sql.DB, opts *sql.TxOptions, fn func(*sql.Tx) error) error {
	t, err := db.BeginTx(ctx, opts)
	if err != nil {
		return wrap(err)
	}
	defer func() { _ = t.Rollback() }() // nothing after a commit
	if err := fn(t); err != nil {
		return err
	}
	err = t.Commit()
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil { // it was rolled back because of that
		err = ctx.Err()
	}
	return wrap(err)
}

// retry runs fn again while it loses conflicts, after random waits that grow.
func retry(ctx context.Context, fn func() error) error {
	wait := time.Millisecond
	for n := 1; ; n++ {
		err := fn()
		if err == nil || n == attempts || !conflict(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(wait)):
		}
		wait = min(2*wait, longest)
	}
}

// view implements twinlatch.View.
type view struct {
	ctx context.Context // of the transaction
	sql *sql.Tx
	id  string // of the account
}

// tx implements twinlatch.Tx.
type tx struct {
	view
	beyond bool // it changed what checks read of other accounts
}

var (
	_ twinlatch.View = (*view)(nil)
	_ twinlatch.Tx   = (*tx)(nil)
)

// row reads one row; twinlatch.ErrNotFound when there is none.
func (v *view) row(dest []any, query string, args ...any) error {
	return found(v.sql.QueryRowContext(v.ctx, query, args...).Scan(dest...))
}

func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return twinlatch.ErrNotFound
	}
	return wrap(err)
}

// list reads rows; scan is called for each.
func (v *view) list(scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := v.sql.QueryContext(v.ctx, query, args...)
	if err != nil {
		return wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return wrap(err)
		}
	}
	return wrap(rows.Err())
}

// exec returns how many rows a statement changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	result, err := t.sql.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, wrap(err)
	}
	n, err := result.RowsAffected()
	return n, wrap(err)
}

// do runs a statement whose number of rows does not matter.
func (t *tx) do(query string, args ...any) error {
	_, err := t.exec(query, args...)
	return err
}

// must runs a statement that has to change a row; none means refused.
func (t *tx) must(refused error, query string, args ...any) error {
	n, err := t.exec(query, args...)
	if err == nil && n == 0 {
		return refused
	}
	return err
}
