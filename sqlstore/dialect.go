package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"
)

// Everything in which the two databases differ is in this file.

const (
	busyTimeout    = 10 * time.Second // how long SQLite waits for another process
	sqliteBusy     = 5                // SQLITE_BUSY
	connectTimeout = 10 * time.Second
	poolSize       = 20 // connections to PostgreSQL, per process
)

func openSQLite(ctx context.Context, path string) (_ *Store, err error) {
	switch {
	case path == "", path == ":memory:", strings.HasPrefix(path, "file:"):
		return nil, errors.New(`"sqlite:PATH" needs the path of a file`)
	case strings.HasPrefix(path, "//"):
		return nil, errors.New(`write "sqlite:PATH" without //`)
	}
	if err := createFile(path); err != nil {
		return nil, err
	}
	s := &Store{snapshot: &sql.TxOptions{ReadOnly: true}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", path, err), s.Close())
		}
	}()
	// A connection that reads first and writes later would fail with
	// SQLITE_BUSY at once, so write transactions begin as such (_txlock). What is
	// deleted is overwritten: of an erased person nothing stays in free pages.
	if s.write, err = sqliteHandle(ctx, path, 1, "&_txlock=immediate&_pragma=secure_delete(1)"); err != nil {
		return nil, err
	}
	if err := migrate(ctx, s.write, goose.DialectSQLite3); err != nil {
		return nil, err
	}
	if s.read, err = sqliteHandle(ctx, path, max(4, 2*runtime.GOMAXPROCS(0)), "&_pragma=query_only(1)"); err != nil {
		return nil, err
	}
	if err := errors.Join(checkPragmas(ctx, s.write, "0"), checkPragmas(ctx, s.read, "1")); err != nil {
		return nil, err
	}
	for query, run := range map[string]*queryRow{selectSession: &s.session, selectHosted: &s.hosted} {
		stmt, err := s.read.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		*run = func(ctx context.Context, args ...any) *sql.Row {
			// The driver watches a context that can end from another goroutine,
			// which costs more than this read of a few microseconds.
			return stmt.QueryRowContext(context.WithoutCancel(ctx), args...)
		}
	}
	if s.cached, err = newCache(path); err != nil {
		return nil, err
	}
	return s, nil
}

// createFile makes the file before SQLite does, so that it and the WAL beside
// it, which gets the same mode, are for their owner only.
func createFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func sqliteHandle(ctx context.Context, path string, conns int, more string) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		fmt.Sprintf("?_pragma=busy_timeout(%d)", busyTimeout.Milliseconds()) +
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" + more
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	// Of several starters that turn a new file to WAL at once, those that lose
	// are told so without waiting.
	err = db.PingContext(ctx)
	for end := time.Now().Add(busyTimeout); busy(err) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		err = db.PingContext(ctx)
	}
	return db, err
}

func busy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xFF == sqliteBusy
}

// checkPragmas asks whether the settings really hold: WAL, for instance, is
// silently refused by file systems without shared memory.
func checkPragmas(ctx context.Context, db *sql.DB, queryOnly string) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, p := range [...]struct{ name, want string }{
		{"busy_timeout", fmt.Sprint(busyTimeout.Milliseconds())},
		{"journal_mode", "wal"},
		{"synchronous", "2"},
		{"foreign_keys", "1"},
		{"query_only", queryOnly},
	} {
		var have string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(&have); err != nil {
			return err
		}
		if have != p.want {
			return fmt.Errorf("%s is %s and not %s; is it on a local disk?", p.name, have, p.want)
		}
	}
	return nil
}

func postgresHandle(database string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(database)
	if err != nil {
		return nil, err // without the password
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "twinlatch"
	}
	return stdlib.OpenDB(*config), nil
}

func openPostgres(ctx context.Context, database string) (_ *Store, err error) {
	db, err := postgresHandle(database)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(poolSize)
	db.SetMaxIdleConns(poolSize)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(time.Hour)
	s := &Store{
		write: db, read: db,
		snapshot: &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead},
		// pgx prepares by itself, and does not when default_query_exec_mode
		// says that a pooler is between.
		session: func(ctx context.Context, args ...any) *sql.Row {
			return db.QueryRowContext(ctx, selectSession, args...)
		},
		hosted: func(ctx context.Context, args ...any) *sql.Row {
			return db.QueryRowContext(ctx, selectHosted, args...)
		},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := checkSettings(ctx, db); err != nil {
		return nil, err
	}
	// A table as lock and not an advisory lock, which poolers break.
	locker, err := lock.NewPostgresTableLocker(
		lock.WithTableLockTimeout(200*time.Millisecond, 1500), // five minutes
		lock.WithTableLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	return s, migrate(ctx, db, goose.DialectPostgres, goose.WithLocker(locker))
}

func checkSettings(ctx context.Context, db *sql.DB) error {
	for _, p := range [...]struct {
		name string
		fits func(have string) bool
		hint string
	}{
		{"synchronous_commit", func(have string) bool { return have != "off" }, "a used code could be used again after a crash"},
		{"transaction_read_only", func(have string) bool { return have == "off" }, "this is not the primary"},
		{"server_encoding", func(have string) bool { return have == "UTF8" }, "create the database with ENCODING 'UTF8'"},
	} {
		var have string
		if err := db.QueryRowContext(ctx, "SHOW "+p.name).Scan(&have); err != nil {
			return err
		}
		if !p.fits(have) {
			return fmt.Errorf("%s is %s: %s", p.name, have, p.hint)
		}
	}
	return nil
}

// conflict reports whether a transaction lost against others and may be run
// again: serialization_failure and deadlock_detected.
func conflict(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// taken reports whether a unique key stood against a statement: unique_violation,
// SQLITE_CONSTRAINT_UNIQUE.
func taken(err error) bool {
	var pg *pgconn.PgError
	var lite *sqlite.Error
	return errors.As(err, &pg) && pg.Code == "23505" || errors.As(err, &lite) && lite.Code() == 2067
}

// examineSQLite opens a file that exists, only to read.
func examineSQLite(ctx context.Context, path string, software *string) (_ *sql.DB, err error) {
	connector, err := sqlite.NewConnector("file:" + (&url.URL{Path: path}).EscapedPath() +
		fmt.Sprintf("?_pragma=busy_timeout(%d)&_pragma=query_only(1)", busyTimeout.Milliseconds()))
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", path, err), db.Close())
		}
	}()
	var mode string
	*software = "SQLite"
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return nil, err
	}
	if mode != "wal" && mode != "delete" { // delete: of a file that Open has not seen yet
		return nil, fmt.Errorf("journal_mode is %s and not wal; is it on a local disk?", mode)
	}
	return db, nil
}

func examinePostgres(ctx context.Context, database string, software *string) (_ *sql.DB, err error) {
	db, err := postgresHandle(database)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	var version string
	if err := db.QueryRowContext(ctx, "SHOW server_version").Scan(&version); err != nil {
		return nil, err
	}
	*software = "PostgreSQL " + version
	return db, checkSettings(ctx, db)
}

// missingTable reports whether a statement failed because a table is not there.
func missingTable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "42P01" || strings.Contains(err.Error(), "no such table")
}
