//go:build unix

package keyring

import (
	"bytes"
	"crypto/rand"
	"os"
	"slices"
	"strings"
	"testing"
)

// Servers that share a store get a new key in steps, and at each of them every
// server opens what every other one seals.
func TestSpareAndUse(t *testing.T) {
	path := create(t)
	first := load(t, path)
	note := append(readFile(t, path), "# a note after the last key"...)
	if err := os.WriteFile(path, note, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Spare(path, rand.Reader, day); err != nil {
		t.Fatal(err)
	}
	spare := load(t, path)
	ids := spare.IDs()
	if len(ids) != 2 || ids[1] != first.IDs()[0] {
		t.Fatalf("ids: %v, were %v", ids, first.IDs())
	}
	if err := Use(path, ids[0]); err != nil {
		t.Fatal(err)
	}
	used := load(t, path)
	if got := used.IDs(); !slices.Equal(got, []string{ids[1], ids[0]}) {
		t.Errorf("ids: %v, were %v", got, ids)
	}
	for _, pair := range [][2]*Ring{{first, spare}, {spare, first}, {spare, used}, {used, spare}} {
		if plain, err := pair[1].Open(seal(t, pair[0], "a secret", here), here); err != nil || string(plain) != "a secret" {
			t.Errorf("%v does not open what %v seals: %v", pair[1], pair[0], err)
		}
	}
	if !bytes.Contains(readFile(t, path), []byte("# a note after the last key\n")) {
		t.Error("the note is gone")
	}
	if err := Use(path, ids[0]); err != nil || !slices.Equal(load(t, path).IDs(), used.IDs()) {
		t.Errorf("to use the one that is used: %v", err)
	}
}

func TestRemove(t *testing.T) {
	path := create(t)
	old := load(t, path)
	if err := Rotate(path, rand.Reader, day); err != nil {
		t.Fatal(err)
	}
	text := seal(t, old, "a secret", here)
	if err := Remove(path, old.IDs()[0]); err != nil {
		t.Fatal(err)
	}
	r := load(t, path)
	if ids := r.IDs(); len(ids) != 1 || ids[0] == old.IDs()[0] {
		t.Errorf("ids: %v", ids)
	}
	if _, err := r.Open(text, here); err == nil || !strings.Contains(err.Error(), "lacks") {
		t.Errorf("what the removed key sealed opens: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got := names(t, path); !slices.Equal(got, []string{"keys"}) {
		t.Errorf("files: %v", got)
	}
}

func TestKeysThatStay(t *testing.T) {
	path := create(t)
	keys := load(t, path).Keys()
	if len(keys) != 2 || !keys[0].MAC || keys[1].MAC || keys[1].Made.Format("2006-01-02") != "2026-03-05" {
		t.Fatalf("keys: %+v", keys)
	}
	before := readFile(t, path)
	for what, err := range map[string]error{
		"the one that seals":   Remove(path, keys[1].ID),
		"it never changes":     Remove(path, keys[0].ID),
		"never changes":        Use(path, keys[0].ID),
		`no key "00000000"`:    Remove(path, "00000000"),
		`there is no key ""`:   Use(path, ""),
		"there is no key file": Use(path+"-nowhere", keys[1].ID),
	} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want %q", err, what)
		}
	}
	if !bytes.Equal(readFile(t, path), before) {
		t.Error("the file changed")
	}
	if got := names(t, path); !slices.Equal(got, []string{"keys"}) {
		t.Errorf("files: %v", got)
	}
}
