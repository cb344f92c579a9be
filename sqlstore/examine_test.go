package sqlstore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

func TestExamine(t *testing.T) {
	for name, database := range databases() {
		t.Run(name, func(t *testing.T) {
			url := database(t)
			if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
				_, err := sqlstore.Examine(t.Context(), url, twinlatchtest.Start())
				if _, made := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || !errors.Is(made, fs.ErrNotExist) {
					t.Errorf("no file: %v, %v", err, made)
				}
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			e, err := sqlstore.Examine(t.Context(), url, twinlatchtest.Start())
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
			e, err = sqlstore.Examine(t.Context(), url, twinlatchtest.Start())
			if err != nil || e.Schema != e.Newest || !e.NewestEvent.Equal(twinlatchtest.Start()) {
				t.Errorf("%+v, %v", e, err)
			}
			if len(e.Administrators) > 0 || e.Backlog.Waiting > 0 {
				t.Errorf("of nobody: %+v", e)
			}
			is(t, s.Tx(t.Context(), "bob", func(tx twinlatch.Tx) error {
				return errors.Join(
					tx.InsertAccount(twinlatch.Account{ID: "bob", Realm: twinlatch.MainRealm, Login: "bob", Groups: []string{twinlatch.AdminGroup}}),
					tx.Enqueue(twinlatch.StoredMessage{
						Account: "bob", ID: "m", Channel: twinlatch.Email, Delivery: twinlatch.Queued, Tries: 2,
						CreatedAt: twinlatchtest.Start(), ExpiresAt: twinlatchtest.Start().Add(time.Hour),
					}))
			}), nil)
			e, err = sqlstore.Examine(t.Context(), url, twinlatchtest.Start())
			if err != nil || len(e.Administrators) != 1 || e.Administrators[0].Login != "bob" || e.Backlog.Waiting != 1 {
				t.Errorf("an administrator who waits for a mail: %+v, %v", e, err)
			}
			is(t, e.Fits(map[string][]byte{"a": {1}, "b": {2}, "d": {4}}), nil)
			is(t, e.Fits(map[string][]byte{"a": {1}}), twinlatch.ErrWrongKeys)
			is(t, e.Fits(map[string][]byte{"a": {1}, "b": {3}}), twinlatch.ErrWrongKeys)
		})
	}
	if _, err := sqlstore.Examine(t.Context(), "sqlite:"+t.TempDir(), twinlatchtest.Start()); err == nil {
		t.Error("a folder is a database")
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.Examine(t.Context(), "sqlite:"+text, twinlatchtest.Start()); err == nil {
		t.Error("a text is a database")
	}
	if _, err := sqlstore.Examine(t.Context(), twinlatchtest.Postgres(t)+"&synchronous_commit=off", twinlatchtest.Start()); err == nil || !strings.Contains(err.Error(), "synchronous_commit is off") {
		t.Errorf("not durable: %v", err)
	}
}
