package sqlstore_test

import (
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/sqlstore/storetest"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// databases gives a new, empty database of each kind.
func databases() map[string]func(testing.TB) string {
	postgres := func(more string) func(testing.TB) string {
		return func(t testing.TB) string { return twinlatchtest.Postgres(t) + more }
	}
	return map[string]func(testing.TB) string{
		"sqlite":                twinlatchtest.SQLite,
		"postgres":              postgres(""),
		"postgres serializable": postgres("&default_transaction_isolation=serializable"),
		"postgres exec":         postgres("&default_query_exec_mode=exec"), // as behind a pooler
	}
}

func TestStore(t *testing.T) {
	for name, database := range databases() {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) twinlatch.Store { return open(t, database(t)) })
		})
	}
}

func open(t testing.TB, database string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
