package sqlstore_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

func TestFourStartersMigrateOnce(t *testing.T) {
	for name, database := range databases() {
		t.Run(name, func(t *testing.T) {
			url := database(t)
			errs := make(chan error)
			for range 4 {
				go func() {
					s, err := sqlstore.Open(t.Context(), url)
					if err == nil {
						err = errors.Join(s.Ping(t.Context()), s.Close())
					}
					errs <- err
				}()
			}
			for range 4 {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			migrated(t, url)
		})
	}
}

// The same with processes, and each finds the key of the first.
func TestFourProcessesMigrateOnce(t *testing.T) {
	for name, database := range map[string]string{"sqlite": twinlatchtest.SQLite(t), "postgres": twinlatchtest.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			var children []*writer
			for range 4 {
				children = append(children, startWriter(t, database, 1))
			}
			for _, c := range children {
				if err := c.Wait(); err != nil {
					t.Error(err)
				}
			}
			migrated(t, database)
		})
	}
}

func migrated(t *testing.T, database string) {
	t.Helper()
	write, _ := open(t, database).Handles()
	rows, err := write.QueryContext(t.Context(), `SELECT version_id FROM goose_db_version ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var versions []int
	for rows.Next() {
		var v int
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		versions = append(versions, v)
	}
	if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(versions, want) {
		t.Errorf("versions are %v, want %v", versions, want)
	}
}
