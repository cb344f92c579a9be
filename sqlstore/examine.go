package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Examination is what Examine found.
type Examination struct {
	Software       string            // "SQLite", "PostgreSQL 15.14"
	Schema, Newest int64             // the last migration that the database has, and the last that Open would bring
	NewestEvent    time.Time         // zero: there is none
	Checks         map[string][]byte // what CheckKeys would ask for, by key id

	// These are empty where Schema is not Newest.
	Backlog        twinlatch.Backlog
	Administrators []twinlatch.AccountSummary // a thousand of them, by login
}

// Examine looks at a database as Open would find it and changes nothing. An
// error says why Open would fail; it wraps fs.ErrNotExist where Open would make
// the file.
func Examine(ctx context.Context, database string, now time.Time) (Examination, error) {
	e, err := examine(ctx, database, now)
	if err != nil {
		return Examination{}, fmt.Errorf("sqlstore: %w", err)
	}
	return e, nil
}

func examine(ctx context.Context, database string, now time.Time) (e Examination, err error) {
	var db *sql.DB
	path, isSQLite := strings.CutPrefix(database, "sqlite:")
	if isSQLite {
		if _, err := os.Stat(path); err != nil {
			return e, err
		}
		db, err = examineSQLite(ctx, path, &e.Software)
	} else {
		db, err = examinePostgres(ctx, database, &e.Software)
	}
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if e.Newest, err = newestMigration(); err != nil {
		return e, err
	}
	err = db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&e.Schema)
	if err != nil && missingTable(err) || err == nil && e.Schema == 0 {
		return e, nil
	}
	if err != nil {
		return e, err
	}
	v := &Store{read: db}
	if e.NewestEvent, err = v.NewestEvent(ctx); err != nil {
		return e, err
	}
	if e.Checks, err = checksOf(ctx, db, e.Schema); err != nil || e.Schema != e.Newest {
		return e, err
	}
	if e.Backlog, err = v.Backlog(ctx, now); err != nil {
		return e, err
	}
	e.Administrators, err = v.ListAccounts(ctx, twinlatch.AccountQuery{
		Realm: twinlatch.MainRealm, Group: twinlatch.AdminGroup, Limit: 1000,
	}, now)
	return e, err
}

func checksOf(ctx context.Context, db *sql.DB, schema int64) (map[string][]byte, error) {
	const retiring = 5 // the migration that brought retired_at
	query := `SELECT id, value FROM key_checks WHERE id <> '' AND retired_at IS NULL`
	if schema < retiring {
		query = `SELECT id, value FROM key_checks WHERE id <> ''`
	}
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	checks := map[string][]byte{}
	for rows.Next() {
		var id string
		var value []byte
		if err := rows.Scan(&id, &value); err != nil {
			return nil, err
		}
		checks[id] = value
	}
	return checks, rows.Err()
}

func newestMigration() (newest int64, err error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	for _, name := range names {
		number, _, _ := strings.Cut(strings.TrimPrefix(name, "migrations/"), "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, err
		}
		newest = max(newest, n)
	}
	return newest, err
}

// Fits reports why CheckKeys would refuse keys with these check values; nil: it
// would not.
func (e Examination) Fits(checks map[string][]byte) error {
	for id, value := range e.Checks {
		if check, ok := checks[id]; !ok {
			return fmt.Errorf("%w: key %q is missing", twinlatch.ErrWrongKeys, id)
		} else if string(check) != string(value) {
			return fmt.Errorf("%w: key %q is another one", twinlatch.ErrWrongKeys, id)
		}
	}
	return nil
}
