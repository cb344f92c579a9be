package sqlstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	postgres := twinlatchtest.Postgres(t)
	ascii := strings.Replace(postgres, "?", "_ascii?", 1)
	run(t, postgres, `CREATE DATABASE `+nameOf(ascii)+` TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'`)
	for database, want := range map[string]string{
		"":                           `"sqlite:PATH" or "postgres://…"`,
		"test.db":                    `"sqlite:PATH" or "postgres://…"`,
		"mysql://user:hunter2@db/x":  `"sqlite:PATH" or "postgres://…"`,
		"sqlite:":                    "path of a file",
		"sqlite::memory:":            "path of a file",
		"sqlite:file:test.db?mode=w": "path of a file",
		"sqlite://test.db":           "without //",
		"sqlite:" + dir:              "is a directory",
		"sqlite:" + garbage:          "not a database",
		"sqlite:" + garbage + "/x":   "not a directory",
		"postgres://user:hunter2@127.0.0.1:1/x?connect_timeout=5": "127.0.0.1",
		"postgres://user:hunter2@127.0.0.1:port/x":                "parse",
		strings.Replace(postgres, "?", "_absent?", 1):             "does not exist",
		postgres + "&synchronous_commit=off":                      "synchronous_commit is off",
		postgres + "&default_transaction_read_only=on":            "not the primary",
		ascii: "ENCODING 'UTF8'",
	} {
		t.Run(database, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			s, err := sqlstore.Open(ctx, database)
			if err == nil {
				s.Close()
				t.Fatal("it opens")
			}
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error is %q, want %q and no password in it", err, want)
			}
		})
	}
}

func nameOf(database string) string {
	return database[strings.LastIndex(database, "/")+1 : strings.Index(database, "?")]
}

func run(t *testing.T, database, query string) {
	t.Helper()
	write, _ := open(t, database).Handles()
	if _, err := write.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func TestOpenTakesAnyPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "dir")
	path := filepath.Join(dir, "a b?c#d%20é&x=1+2;:.db")
	s := open(t, "sqlite:"+path)
	signedIn(t, s, "ann")
	for name, want := range map[string]os.FileMode{
		dir: 0o700 | os.ModeDir, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600,
	} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	t.Chdir(dir)
	again := open(t, "sqlite:"+filepath.Base(path))
	if _, err := again.Session(t.Context(), "ann", "session"); err != nil {
		t.Error(err)
	}
}

func TestPragmasHoldOnEveryConnection(t *testing.T) {
	s := open(t, twinlatchtest.SQLite(t))
	write, read := s.Handles()
	if n := write.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d connections write", n)
	}
	for range 3 { // connections, as none goes back before the test ends
		conn, err := read.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000", "query_only": "1",
		} {
			var have string
			if err := conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&have); err != nil || have != want {
				t.Errorf("%s is %s, %v", pragma, have, err)
			}
		}
		if _, err := conn.ExecContext(t.Context(), "DELETE FROM accounts"); err == nil {
			t.Error("a connection that reads writes")
		}
	}
}

// A transaction that waits for another process's gets its turn.
func TestSQLiteWaitsForOtherWriters(t *testing.T) {
	database := twinlatchtest.SQLite(t)
	first, second := open(t, database), open(t, database)
	signedIn(t, first, "ann")
	lock := func(tx twinlatch.Tx) error { return tx.Lock() }
	waits := make(chan error, 1)
	err := first.Tx(t.Context(), "ann", func(tx twinlatch.Tx) error {
		if err := tx.Lock(); err != nil {
			return err
		}
		go func() { waits <- second.Tx(t.Context(), "ann", lock) }()
		// A reader does not wait.
		_, err := second.Session(t.Context(), "ann", "session")
		return err
	})
	if err := errors.Join(err, <-waits); err != nil {
		t.Fatal(err)
	}
}

// Two transactions of one account that wait for each other: PostgreSQL ends
// one, which is run again.
func TestDeadlockIsRunAgain(t *testing.T) {
	s := open(t, twinlatchtest.Postgres(t)+"&deadlock_timeout=10ms")
	signedIn(t, s, "ann")
	var runs [2]int
	met := make(chan struct{})
	errs := make(chan error, 2)
	for i, names := range [2][2]string{{"a", "b"}, {"b", "a"}} {
		go func() {
			errs <- s.Tx(t.Context(), "ann", func(tx twinlatch.Tx) error {
				runs[i]++
				if _, err := tx.Try(names[0], twinlatch.Throttle{}, time.Now()); err != nil {
					return err
				}
				if runs[i] == 1 { // both hold their first row
					select {
					case met <- struct{}{}:
					case <-met:
					}
				}
				_, err := tx.Try(names[1], twinlatch.Throttle{}, time.Now())
				return err
			})
		}()
	}
	if err := errors.Join(<-errs, <-errs); err != nil {
		t.Fatal(err)
	}
	if runs[0]+runs[1] < 3 { // under load it may end both
		t.Errorf("transactions ran %v times", runs)
	}
}

// Sweep waits for a session that is renewed just now, and then leaves it.
func TestSweepLeavesWhatIsRenewed(t *testing.T) {
	s := open(t, twinlatchtest.Postgres(t))
	signedIn(t, s, "ann")
	row, err := s.Session(t.Context(), "ann", "session")
	if err != nil {
		t.Fatal(err)
	}
	late := row.Session.ExpiresAt
	row.Session.ExpiresAt = late.Add(time.Hour)
	swept := make(chan error, 1)
	err = s.Tx(t.Context(), "ann", func(tx twinlatch.Tx) error {
		if err := tx.UpdateSession(row.Session, row.SecretHash, row.SecretHash); err != nil {
			return err
		}
		go func() { swept <- s.Sweep(t.Context(), late, late) }()
		db, _ := s.Handles()
		for waiting := 0; waiting == 0; { // until Sweep waits for us
			if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_locks WHERE NOT granted`).Scan(&waiting); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, <-swept); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Session(t.Context(), "ann", "session"); err != nil {
		t.Errorf("renewed session: %v", err)
	}
}

func TestConflictsEndWithTheContext(t *testing.T) {
	s := open(t, twinlatchtest.SQLite(t))
	ctx, cancel := context.WithCancel(t.Context())
	conflict := &pgconn.PgError{Code: "40001"}
	runs := 0
	err := s.Tx(ctx, "ann", func(twinlatch.Tx) error {
		if runs++; runs == 5 {
			cancel()
		}
		return conflict
	})
	if err != conflict || runs != 5 {
		t.Errorf("%d runs, %v", runs, err)
	}
}
