package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/keyring"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

const sealedPeople = 1500 // each with a password and a factor

// Whenever key retire is killed, the key file opens everything, and running it
// again goes on where it was.
func TestARetirementSurvivesKill(t *testing.T) {
	for name, database := range map[string]func(testing.TB) string{"sqlite": twinlatchtest.SQLite, "postgres": func(t testing.TB) string { return twinlatchtest.Postgres(t) }} {
		t.Run(name, func(t *testing.T) { killRetirements(t, database(t)) })
	}
}

func killRetirements(t *testing.T, database string) {
	path := filepath.Join(t.TempDir(), "keys")
	store, err := sqlstore.Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(createKeys(path))
	first, err := keyring.Load(path)
	check(err)
	check(store.CheckKeys(t.Context(), first.Checks()))
	for n := range sealedPeople {
		check(sealPerson(t, store, first, n))
	}
	check(keyring.Rotate(path, rand.Reader, time.Now()))
	old := first.IDs()[0]

	program, err := exec.LookPath("twinlatch")
	check(err)
	// Each is killed when so many texts are left under the old key; the last
	// ones at about the moment when the key goes, and one is not.
	killed, halfway := 0, 0
	for _, left := range []int{2 * sealedPeople, 2500, 1900, 1000, 400, 100, 0, 0, 0, -1} {
		cmd := exec.Command(program, "key", "retire", "--database", database, "--keys", path, old)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		check(cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		if waitUntilLeft(t, store, old, left, ended) {
			_ = cmd.Process.Kill()
		}
		err := <-ended
		switch exited := (*exec.ExitError)(nil); {
		case errors.As(err, &exited) && exited.Exited():
			if !strings.Contains(stderr.String(), "has no key") { // it was retired before
				t.Fatalf("exit %d: %s", exited.ExitCode(), &stderr)
			}
		case err != nil:
			killed++
		}
		if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if under := openAll(t, store, path); under[old] > 0 && under[old] < 2*sealedPeople {
			halfway++
		}
	}
	if killed < 3 { // how many of them halfway, the machine decides
		t.Errorf("killed %d times only, %d of them halfway", killed, halfway)
	}
	ring, err := keyring.Load(path)
	check(err)
	if slices.Contains(ring.IDs(), old) {
		t.Error("the key is in the file")
	}
	if left := openAll(t, store, path)[old]; left > 0 {
		t.Errorf("%d texts are under the retired key", left)
	}
	t.Logf("killed %d times, %d of them halfway", killed, halfway)
}

// waitUntilLeft reports whether at most so many texts are left under a key before
// the process ended by itself. It gives back what it took from ended.
func waitUntilLeft(t *testing.T, store *sqlstore.Store, key string, left int, ended chan error) bool {
	t.Helper()
	for {
		select {
		case err := <-ended:
			ended <- err
			return false
		default:
		}
		uses, err := store.KeyUses(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		texts := 0
		for _, n := range uses[key].Texts {
			texts += n
		}
		if texts <= left {
			return true
		}
	}
}

func sealPerson(t *testing.T, store *sqlstore.Store, keys twinlatch.Keys, n int) error {
	id, factor := twinlatch.AccountID(fmt.Sprintf("person%d", n)), twinlatch.FactorID(fmt.Sprintf("factor%d", n))
	seal := func(at twinlatch.Place) twinlatch.Sealed {
		sealed, err := keys.Seal([]byte(at.Account), at)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	return store.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
		return errors.Join(
			tx.InsertAccount(twinlatch.Account{ID: id, Realm: twinlatch.MainRealm, Login: string(id)}),
			tx.PutPassword(seal(twinlatch.Place{Account: id, Table: "passwords"}), time.Now()),
			tx.InsertFactor(twinlatch.StoredFactor{
				Factor: twinlatch.Factor{ID: factor, Kind: "totp"}, Digest: []byte(factor),
				Sealed: seal(twinlatch.Place{Account: id, Table: "factors", Row: string(factor)}),
			}))
	})
}

// openAll opens everything with the key file as it is, and counts by key.
func openAll(t *testing.T, store *sqlstore.Store, path string) map[string]int {
	t.Helper()
	ring, err := keyring.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	uses, err := store.KeyUses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	under, all := map[string]int{}, 0
	for id := range uses {
		texts, err := store.Under(t.Context(), id, twinlatch.Place{}, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			if plain, err := ring.Open(text.Sealed, text.Place); err != nil || string(plain) != string(text.Account) {
				t.Fatalf("%+v: %v", text.Place, err)
			}
		}
		under[id] = len(texts)
		all += len(texts)
	}
	if all != 2*sealedPeople {
		t.Fatalf("%d texts of %d", all, 2*sealedPeople)
	}
	return under
}
