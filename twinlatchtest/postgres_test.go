//go:build unix

package twinlatchtest_test

import (
	"bufio"
	"context"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/twinlatch/twinlatch/twinlatchtest"
)

func TestPostgresGivesEmptyDatabases(t *testing.T) {
	first, second := twinlatchtest.Postgres(t), twinlatchtest.Postgres(t)
	if first == second {
		t.Fatalf("the same database twice: %s", first)
	}
	for _, database := range []string{first, second} {
		conn, err := pgx.Connect(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		var tables int
		if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&tables); err != nil {
			t.Fatal(err)
		}
		if tables != 0 {
			t.Errorf("%s has %d tables", database, tables)
		}
		if _, err := conn.Exec(t.Context(), `CREATE TABLE mine (id BIGINT)`); err != nil {
			t.Error(err)
		}
	}
}

// The server ends with its process, however that ends.
func TestPostgresDoesNotOutliveItsProcess(t *testing.T) {
	child := exec.Command(os.Args[0], "-test.run=^TestPostgresInChild$")
	child.Env = append(os.Environ(), "TWINLATCHTEST_CHILD=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	database := strings.TrimSpace(line)
	if _, err := url.Parse(database); err != nil {
		t.Fatal(err)
	}
	if err := connect(t, database); err != nil {
		t.Fatalf("while it lives: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	for end := time.Now().Add(20 * time.Second); connect(t, database) == nil; {
		if time.Now().After(end) {
			t.Fatal("the server is still there")
		}
	}
}

// TestPostgresInChild is the process that the test above kills.
func TestPostgresInChild(t *testing.T) {
	if os.Getenv("TWINLATCHTEST_CHILD") == "" {
		return
	}
	_, _ = os.Stdout.WriteString(twinlatchtest.Postgres(t) + "\n")
	select {}
}

func connect(t *testing.T, database string) error {
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		return err
	}
	return conn.Close(t.Context())
}
