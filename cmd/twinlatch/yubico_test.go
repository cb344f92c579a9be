package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/keyring"
	"github.com/twinlatch/twinlatch/method/yubico"
	"github.com/twinlatch/twinlatch/method/yubicotest"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// imported is a database in which an operator has imported keys, by the command.
func imported(t *testing.T, database string, keys ...*twinlatchtest.YubiKey) yubikeys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := createKeys(path); err != nil {
		t.Fatal(err)
	}
	lines := ""
	for _, k := range keys {
		lines += k.Line()
	}
	var out, errs strings.Builder
	env := []string{"TWINLATCH_DATABASE=" + database, "TWINLATCH_KEYS=" + path}
	if code := run([]string{"yubikey", "import"}, terminal{strings.NewReader(lines), &out, &errs, env}); code != exitOK {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	ring, err := keyring.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlstore.Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return yubikeys{store, ring}
}

func onEach(t *testing.T, test func(*testing.T, string)) {
	for name, database := range map[string]func(testing.TB) string{"sqlite": twinlatchtest.SQLite, "postgres": twinlatchtest.Postgres} {
		t.Run(name, func(t *testing.T) { test(t, database(t)) })
	}
}

// validate asks the method of the settings, as the service does.
func validate(t *testing.T, y yubikeys, c config.Yubico, otp string) error {
	t.Helper()
	method, err := newYubicoOTP(&config.Config{Yubico: c}, y.keys, y.store)
	if err != nil || method == nil {
		t.Fatal(method, err)
	}
	_, err = method.FinishEnroll(t.Context(), twinlatch.Input{Rand: rand.Reader}, nil, twinlatch.Answer{"code": otp})
	return err
}

func TestImportedYubiKeysAreJudgedHere(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		k, stranger := twinlatchtest.NewYubiKey(), twinlatchtest.NewYubiKey()
		y := imported(t, database, k)
		own := config.Yubico{Validate: "own"}
		first, second := k.Touch(), k.Touch()
		for _, c := range []struct {
			otp  string
			want error
		}{
			{second, nil},
			{second, twinlatch.ErrReplayed},
			{first, twinlatch.ErrReplayed},
			{k.Identity + stranger.Touch()[12:], twinlatch.ErrWrongCode},
			{stranger.Touch(), twinlatch.ErrWrongCode},
			{k.Touch(), nil},
		} {
			if err := validate(t, y, own, c.otp); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.otp, err, c.want)
			}
		}
	})
}

// Any number of replicas with one password: one of them says yes.
func TestOnePasswordPassesOnce(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		k := twinlatchtest.NewYubiKey()
		y := imported(t, database, k)
		other, err := sqlstore.Open(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = other.Close() })
		for range 5 {
			otp, err := yubico.ParseOTP(k.Touch())
			if err != nil {
				t.Fatal(err)
			}
			errs := make(chan error)
			for i := range 16 {
				replica := yubico.NewOwn(yubikeys{[]*sqlstore.Store{y.store, other}[i%2], y.keys})
				go func() {
					_, err := replica.Validate(t.Context(), nil, otp)
					errs <- err
				}()
			}
			passed := 0
			for range 16 {
				if err := <-errs; err == nil {
					passed++
				} else if !errors.Is(err, twinlatch.ErrReplayed) {
					t.Error(err)
				}
			}
			if passed != 1 {
				t.Errorf("%d of 16 passed", passed)
			}
		}
	})
}

func TestSecretsOfYubiKeysAreSealed(t *testing.T) {
	database, k := twinlatchtest.SQLite(t), twinlatchtest.NewYubiKey()
	y := imported(t, database, k)
	if err := y.store.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(strings.TrimPrefix(database, "sqlite:") + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range [][]byte{k.Key[:], k.Private[:], fmt.Appendf(nil, "%x", k.Key), fmt.Appendf(nil, "%x", k.Private)} {
			if bytes.Contains(text, secret) {
				t.Errorf("%s holds a secret of a YubiKey", name)
			}
		}
	}
}

// Who can write the database cannot give one key the secrets of another.
func TestSecretsOfYubiKeysDoNotMove(t *testing.T) {
	k, thief := twinlatchtest.NewYubiKey(), twinlatchtest.NewYubiKey()
	y := imported(t, twinlatchtest.SQLite(t), k, thief)
	stolen, err := y.store.Device(t.Context(), yubico.Kind, thief.Identity)
	if err != nil {
		t.Fatal(err)
	}
	if err := y.store.DeleteDevice(t.Context(), yubico.Kind, k.Identity); err != nil {
		t.Fatal(err)
	}
	stolen.Name = k.Identity
	if err := y.store.InsertDevices(t.Context(), []sqlstore.Device{stolen}); err != nil {
		t.Fatal(err)
	}
	err = validate(t, y, config.Yubico{Validate: "own"}, k.Identity+thief.Touch()[12:])
	if !errors.Is(err, twinlatch.ErrUnavailable) || errors.Is(err, twinlatch.ErrWrongCode) {
		t.Error(err)
	}
}

func TestTwoImportsAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		y := imported(t, database, twinlatchtest.NewYubiKey())
		k := twinlatchtest.NewYubiKey()
		var rewritten twinlatchtest.YubiKey
		rewritten.Identity, rewritten.Key = k.Identity, [16]byte{1}
		errs := make(chan error)
		for i := range 8 {
			key := []*twinlatchtest.YubiKey{k, &rewritten}[i%2]
			go func() {
				all, err := yubico.ReadDevices(strings.NewReader(key.Line()))
				if err == nil {
					_, _, err = y.add(context.Background(), all, time.Now())
				}
				errs <- err
			}()
		}
		for range 8 {
			if err := <-errs; err != nil && !strings.Contains(err.Error(), "nothing was imported") {
				t.Error(err)
			}
		}
		if all, err := y.store.Devices(t.Context(), yubico.Kind); err != nil || len(all) != 2 {
			t.Errorf("%v, %v", all, err)
		}
	})
}

func TestValidationServersAreAsked(t *testing.T) {
	k := twinlatchtest.NewYubiKey()
	y := imported(t, twinlatchtest.SQLite(t), k) // which does not matter here
	const secret = "dHdlbnR5IGJ5dGVzIG9mIGtleSE="
	server := yubicotest.New(t, "12345", secret)
	c := config.Yubico{Validate: "server", Servers: []string{server.URL}, ID: "12345", Secret: twinlatch.NewSecret(secret)}
	if err := validate(t, y, c, k.Touch()); !errors.Is(err, twinlatch.ErrWrongCode) {
		t.Errorf("of an unknown key: %v", err)
	}
	server.Add(k.Identity, k.Private[:], k.Key[:])
	otp := k.Touch()
	if err := validate(t, y, c, otp); err != nil {
		t.Error(err)
	}
	if err := validate(t, y, c, otp); !errors.Is(err, twinlatch.ErrReplayed) {
		t.Errorf("again: %v", err)
	}
}

func TestYubicoOTPIsOff(t *testing.T) {
	if method, err := newYubicoOTP(&config.Config{}, nil, nil); method != nil || err != nil {
		t.Errorf("%v, %v", method, err)
	}
}
