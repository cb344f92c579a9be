package twinlatch_test

import (
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/keyring"
)

// keyFile is a key file and how processes use it.
type keyFile struct {
	t    *testing.T
	path string
}

func newKeyFile(t *testing.T) keyFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	refused(t, keyring.Create(path, rand.Reader, time.Now()), nil)
	return keyFile{t, path}
}

func (f keyFile) load() *keyring.Ring {
	f.t.Helper()
	ring, err := keyring.Load(f.path)
	refused(f.t, err, nil)
	return ring
}

func (f keyFile) rotate() *keyring.Ring {
	f.t.Helper()
	refused(f.t, keyring.Rotate(f.path, rand.Reader, time.Now()), nil)
	return f.load()
}

// restarted is the same world with the keys that the file has now.
func (w *world) restarted(keys *keyring.Ring) *world {
	w.t.Helper()
	again := *w
	env := *w.Env
	env.Keys, env.Config.Keys = keys, keys
	again.Env = &env
	var err error
	again.Service, err = twinlatch.New(ctx, again.Config)
	w.ok(err)
	return &again
}

// Everything that somebody has survives the end of the key that sealed it:
// password, app, an open question, backup codes, and that a secret is enrolled
// only once.
func TestAKeyIsRotatedAndRetired(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		file := newKeyFile(t)
		w.exec("DELETE FROM key_checks")
		w = w.restarted(file.load())
		old := w.Keys.IDs()[0]
		ann := w.protected("ann@example.com")
		codes := ann.backupCodes()
		half := ann.signIn(home)
		_, err := half.Ask(ctx, half.known(), "", home)
		w.ok(err)

		w = w.restarted(file.rotate())
		newest := w.Keys.IDs()[1]
		var used *twinlatch.KeyInUseError
		if _, err := w.RetireKey(ctx, old); !errors.As(err, &used) || used.Key != old || !used.SeenAt.Equal(w.Now().Add(-step)) {
			t.Fatalf("retired while somebody seals with it: %v", err)
		}
		uses, err := w.KeyUses(ctx)
		w.ok(err)
		equal(t, "texts", uses[old].Texts, map[string]int{"passwords": 1, "factors": 1, "challenges": 2})
		ann.world, half.world = w, w
		w.later(15 * minute)
		n, err := w.RetireKey(ctx, old)
		w.ok(err)
		equal(t, "resealed", n, 4)
		n, err = w.RetireKey(ctx, old)
		w.ok(err)
		equal(t, "resealed again", n, 0)
		w.ok(keyring.Remove(file.path, old))
		w = w.restarted(file.load())
		ann.world, half.world = w, w
		equal(t, "keys", w.Keys.IDs(), []string{newest})
		w.ok(ann.recover(codes[0]))
		w.ok(ann.signIn(home).answer(ann.newCode()))
		uses, err = w.KeyUses(ctx)
		w.ok(err)
		equal(t, "texts under the old key", len(uses[old].Texts), 0)
		if uses[old].RetiredAt.IsZero() || uses[newest].SeenAt.IsZero() {
			t.Errorf("%+v", uses)
		}
	})
}

// Of keys that cannot be retired, and of processes that are late.
func TestKeysThatCannotBeRetired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := newKeyFile(t)
	w.exec("DELETE FROM key_checks")
	first := file.load()
	w = w.restarted(first)
	ann := w.protected("ann@example.com")
	old, mac := first.IDs()[0], first.Keys()[0].ID
	second := w.restarted(file.rotate())
	w.later(15 * minute)
	w.ok(w.Checkpoint(ctx)) // the first process is still there
	for key, want := range map[string]string{
		mac: "not found", "": "not found", "00000000": "not found",
		second.Keys.IDs()[1]: "is the one that seals", old: "a process that seals with key " + old,
	} {
		if _, err := second.RetireKey(ctx, key); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("key %s: %v, want %q", key, err, want)
		}
	}
	if _, err := w.RetireKey(ctx, old); err == nil || !strings.Contains(err.Error(), "is the one that seals") {
		t.Errorf("by the process that seals with it: %v", err)
	}
	w.later(15 * minute)

	// A text that does not open keeps its key, and all others get the new one.
	w.exec("UPDATE passwords SET hash = x'00'")
	n, err := second.RetireKey(ctx, old)
	if err == nil || !strings.Contains(err.Error(), "1 texts do not open") || !strings.Contains(err.Error(), string(ann.account.ID)) {
		t.Errorf("a broken text: %d, %v", n, err)
	}
	w.exec("DELETE FROM passwords")
	_, err = second.RetireKey(ctx, old)
	w.ok(err)

	// Who comes with the old file cannot seal any more, and neither can the
	// process that never restarted pretend that it may.
	config := w.Config
	config.Keys = first
	_, err = twinlatch.New(ctx, config)
	refused(t, err, twinlatch.ErrWrongKeys)
	refused(t, w.Checkpoint(ctx), twinlatch.ErrWrongKeys)
}

// Servers go on while a key is retired.
func TestAKeyIsRetiredWhilePeopleSignIn(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		file := newKeyFile(t)
		w.exec("DELETE FROM key_checks")
		w = w.restarted(file.load())
		people := make([]*browser, 8)
		for i := range people {
			people[i] = w.protected(string(rune('a'+i)) + "@example.com")
		}
		old := w.Keys.IDs()[0]
		w = w.restarted(file.rotate())
		w.later(15 * minute)
		code := make([]string, len(people))
		for i, p := range people {
			p.world = w
			code[i] = p.code()
		}
		for _, err := range together(len(people)+2, func(i int) error {
			if i >= len(people) {
				_, err := w.RetireKey(ctx, old)
				return err
			}
			b := people[i].signIn(home)
			return b.answer(code[i])
		}) {
			w.ok(err)
		}
		uses, err := w.KeyUses(ctx)
		w.ok(err)
		equal(t, "left", len(uses[old].Texts), 0)
	})
}
