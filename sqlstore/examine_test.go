package sqlstore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

func TestExamine(t *testing.T) {
	for name, database := range databases() {
		t.Run(name, func(t *testing.T) {
			url := database(t)
			if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
				_, err := sqlstore.Examine(t.Context(), url)
				if _, made := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || !errors.Is(made, fs.ErrNotExist) {
					t.Errorf("no file: %v, %v", err, made)
				}
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			e, err := sqlstore.Examine(t.Context(), url)
			if err != nil || e.Schema != 0 || e.Newest < 5 || e.Software == "" || len(e.Checks) > 0 {
				t.Errorf("an empty one: %+v, %v", e, err)
			}
			s := open(t, url)
			is(t, s.CheckKeys(t.Context(), map[string][]byte{"a": {1}, "b": {2}, "c": {3}}), nil)
			is(t, s.Retire(t.Context(), "c", twinlatchtest.Start(), twinlatchtest.Start()), nil)
			is(t, s.Tx(t.Context(), "ann", func(tx twinlatch.Tx) error {
				return errors.Join(
					tx.InsertAccount(twinlatch.Account{ID: "ann", Login: "ann"}),
					tx.Append(twinlatch.Event{Account: "ann", Seq: 1, At: twinlatchtest.Start()}))
			}), nil)
			e, err = sqlstore.Examine(t.Context(), url)
			if err != nil || e.Schema != e.Newest || !e.NewestEvent.Equal(twinlatchtest.Start()) {
				t.Errorf("%+v, %v", e, err)
			}
			is(t, e.Fits(map[string][]byte{"a": {1}, "b": {2}, "d": {4}}), nil)
			is(t, e.Fits(map[string][]byte{"a": {1}}), twinlatch.ErrWrongKeys)
			is(t, e.Fits(map[string][]byte{"a": {1}, "b": {3}}), twinlatch.ErrWrongKeys)
		})
	}
	if _, err := sqlstore.Examine(t.Context(), "sqlite:"+t.TempDir()); err == nil {
		t.Error("a folder is a database")
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.Examine(t.Context(), "sqlite:"+text); err == nil {
		t.Error("a text is a database")
	}
	if _, err := sqlstore.Examine(t.Context(), twinlatchtest.Postgres(t)+"&synchronous_commit=off"); err == nil || !strings.Contains(err.Error(), "synchronous_commit is off") {
		t.Errorf("not durable: %v", err)
	}
}
