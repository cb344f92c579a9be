package sqlstore_test

import (
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// What is sealed in a table that rotation does not know would be lost with its key.
func TestEveryTableWithAKeyIsRotated(t *testing.T) {
	s := open(t, twinlatchtest.SQLite(t))
	_, read := s.Handles()
	rows, err := read.QueryContext(t.Context(), `
		SELECT m.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
		WHERE m.type = 'table' AND c.name = 'key_id'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	tables := 0
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		tables++
		if _, err := s.Reseal(t.Context(), []twinlatch.Resealed{{Place: twinlatch.Place{Table: table}}}); err != nil {
			t.Errorf("%s: %v", table, err)
		}
	}
	if err := rows.Err(); err != nil || tables < 5 {
		t.Errorf("%d tables, %v", tables, err)
	}
}

// Devices lie under keys like what accounts have.
func TestDevicesAreRotated(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		is(t, s.CheckKeys(ctx, map[string][]byte{"k1": {1}}), nil)
		is(t, s.InsertDevices(ctx, []sqlstore.Device{device("a"), device("b"), device("c/d")}), nil)
		for behind := (twinlatch.Place{}); ; {
			page, err := s.Under(ctx, "k1", behind, 2)
			is(t, err, nil)
			if len(page) == 0 {
				break
			}
			is(t, s.Retire(ctx, "k1", device("").CreatedAt, device("").CreatedAt), twinlatch.ErrExists)
			for _, text := range page {
				n, err := s.Reseal(ctx, []twinlatch.Resealed{{Place: text.Place, Old: text.Sealed, New: twinlatch.Sealed{Key: "k2", Text: []byte(text.Row)}}})
				if n != 1 || err != nil {
					t.Errorf("%v: %d, %v", text.Place, n, err)
				}
				behind = text.Place
			}
		}
		for _, name := range []string{"a", "b", "c/d"} {
			d, err := s.Device(ctx, "yubico", name)
			if err != nil || d.Sealed.Key != "k2" || string(d.Sealed.Text) != sqlstore.DevicePlace("yubico", name).Row {
				t.Errorf("%s: %+v, %v", name, d, err)
			}
		}
		uses, err := s.KeyUses(ctx)
		if err != nil || uses["k2"].Texts["devices"] != 3 || len(uses["k1"].Texts) != 0 {
			t.Errorf("%+v, %v", uses, err)
		}
		is(t, s.Retire(ctx, "k1", device("").CreatedAt, device("").CreatedAt), nil)
	})
}
