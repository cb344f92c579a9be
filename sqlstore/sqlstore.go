// Package sqlstore keeps everything in SQLite or PostgreSQL: it is the
// twinlatch.Store of the server and of most applications.
//
//	store, err := sqlstore.Open(ctx, "sqlite:var/twinlatch.db")
//	store, err := sqlstore.Open(ctx, "postgres://twinlatch@db.example/twinlatch")
//
// Open brings the schema up to date. Any number of processes may open one
// database at the same time, on both.
//
// # One set of SQL
//
// Both databases run the same schema and the same statements, written by hand
// in the file that has the name of their noun. All that differs stands in
// dialect.go. Statements that decide something (one code, one use) are single
// conditional ones whose number of rows is the verdict; the default isolation
// level READ COMMITTED is enough for them, and serializable works too:
// transactions that lost a conflict are run again.
//
// # SQLite
//
// The file is created for its owner only. One connection writes, the others
// read. WAL and synchronous=FULL are required: what was acknowledged survives
// kill -9 and loss of power. The file must be on a local disk.
//
// # PostgreSQL
//
// The URL is a libpq URL; give it sslmode=verify-full on a network that is not
// yours. It must name the primary. Open refuses synchronous_commit=off. Behind
// a pooler in transaction mode (PgBouncer before 1.21, or a newer
// one with max_prepared_statements = 0) add
// default_query_exec_mode=exec. The role owns its schema, or has at least
// CREATE in it when the version of Twinlatch is new to the database.
//
// # What it will not do
//
// It does not encrypt: what is secret comes sealed from the core. It does not
// back up. Text with a NUL byte is an error on PostgreSQL.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/twinlatch/twinlatch"
)

// Store is a twinlatch.Store in SQLite or PostgreSQL.
type Store struct {
	write, read *sql.DB        // the same on PostgreSQL
	snapshot    *sql.TxOptions // of a consistent read
	session     queryRow       // runs selectSession
	hosted      queryRow       // runs selectHosted
	cached      *cache         // of both; nil: they read each time
}

var _ twinlatch.Store = (*Store)(nil)

type queryRow func(ctx context.Context, args ...any) *sql.Row

// Open opens "sqlite:PATH" or "postgres://…", creates what is missing and
// brings the schema up to date. The error says what is wrong with the database
// as it is found: unreachable, not durable, in another character set.
func Open(ctx context.Context, database string) (*Store, error) {
	scheme, rest, _ := strings.Cut(database, ":")
	var s *Store
	var err error
	switch scheme {
	case "sqlite":
		s, err = openSQLite(ctx, rest)
	case "postgres", "postgresql":
		s, err = openPostgres(ctx, database)
	default:
		// The whole text is not repeated: it may hold a password.
		err = errors.New(`a database is "sqlite:PATH" or "postgres://…"`)
	}
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	return s, nil
}

// Ping implements twinlatch.Store: the database answers and has our schema.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM key_checks WHERE id = ''`).Scan(&n)
	return wrap(err)
}

// Close implements twinlatch.Store. It waits for statements that run.
func (s *Store) Close() error {
	var errs []error
	for _, db := range [...]*sql.DB{s.read, s.write} {
		if db != nil { // Open has failed between the two
			errs = append(errs, db.Close())
		}
	}
	return wrap(errors.Join(errs...))
}

// wrap tells which layer an unexpected error comes from.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlstore: %w", err)
}
