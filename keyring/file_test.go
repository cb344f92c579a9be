//go:build unix

package keyring

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

var day = time.Date(2026, 3, 4, 23, 30, 0, 0, time.FixedZone("", -3600)) // the 5th in UTC

func create(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "keys")
	if err := Create(path, rand.Reader, day); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, path string) *Ring {
	t.Helper()
	r, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// names are the files in the directory of path: nothing temporary may stay.
func names(t *testing.T, path string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestCreate(t *testing.T) {
	path := create(t)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if got := names(t, path); !slices.Equal(got, []string{"keys"}) {
		t.Errorf("files: %v", got)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(text, []byte("# ")) || !bytes.Contains(text, []byte("loses every second factor")) {
		t.Error("the file does not say what it is")
	}
	if n := bytes.Count(text, []byte(" 2026-03-05 ")); n != 2 {
		t.Errorf("%d lines of the day in UTC", n)
	}
	r := load(t, path)
	if len(r.IDs()) != 1 || len(r.Checks()) != 2 {
		t.Errorf("keys: %v, %d checks", r, len(r.Checks()))
	}
	again := load(t, path)
	if _, err := again.Open(seal(t, r, "a secret", here), here); err != nil {
		t.Error(err)
	}
	if other := load(t, create(t)); slices.Equal(other.IDs(), r.IDs()) {
		t.Error("two files have the same key")
	}
}

func TestCreateFromFixedRandomness(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	fixed := make([]byte, 72)
	for i := range fixed {
		fixed[i] = byte(i)
	}
	if err := Create(path, bytes.NewReader(fixed), day); err != nil {
		t.Fatal(err)
	}
	if got := load(t, path).IDs(); !slices.Equal(got, []string{"24252627"}) {
		t.Errorf("ids: %v", got)
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	path := create(t)
	before, _ := os.ReadFile(path)
	link := path + "-link"
	if err := os.Symlink(path+"-nowhere", link); err != nil {
		t.Fatal(err)
	}
	directory := path + "-dir"
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, link, directory} {
		err := Create(path, rand.Reader, day)
		if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "never overwritten") {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file changed")
	}
	if got := names(t, path); !slices.Equal(got, []string{"keys", "keys-dir", "keys-link"}) {
		t.Errorf("files: %v", got)
	}
}

func TestManyCreateAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	errs := make([]error, 16)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = Create(path, rand.Reader, day) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d of %d created the file", won, len(errs))
	}
	load(t, path)
}

func TestFailuresLeaveNothing(t *testing.T) {
	broken := iotest.ErrReader(errors.New("no entropy"))
	path := filepath.Join(t.TempDir(), "keys")
	if err := Create(path, broken, day); err == nil || !strings.Contains(err.Error(), "no entropy") {
		t.Errorf("Create: %v", err)
	}
	if err := Create(path, bytes.NewReader(make([]byte, 72)), day); err == nil || strings.Contains(err.Error(), "AAAA") {
		t.Errorf("Create with two equal keys: %v", err)
	}
	if got := names(t, path); len(got) != 0 {
		t.Errorf("files: %v", got)
	}
	if err := Create(filepath.Join(path, "keys"), rand.Reader, day); err == nil {
		t.Error("created in a directory that does not exist")
	}

	path = create(t)
	before, _ := os.ReadFile(path)
	if err := Rotate(path, broken, day); err == nil || !strings.Contains(err.Error(), "no entropy") {
		t.Errorf("Rotate: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file changed")
	}
	if got := names(t, path); !slices.Equal(got, []string{"keys"}) {
		t.Errorf("files: %v", got)
	}
}

func TestRotate(t *testing.T) {
	path := create(t)
	old := load(t, path)
	if err := os.WriteFile(path, append(readFile(t, path), "# a note, no newline"...), 0o600); err != nil {
		t.Fatal(err)
	}
	before := readFile(t, path)
	if err := Rotate(path, rand.Reader, day); err != nil {
		t.Fatal(err)
	}
	if after := readFile(t, path); !bytes.HasPrefix(after, append(before, '\n')) {
		t.Error("what was in the file did not stay")
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got := names(t, path); !slices.Equal(got, []string{"keys"}) {
		t.Errorf("files: %v", got)
	}
	r := load(t, path)
	if ids := r.IDs(); len(ids) != 2 || ids[0] != old.IDs()[0] {
		t.Fatalf("ids: %v, were %v", ids, old.IDs())
	}
	before2 := seal(t, old, "a secret", here)
	if plain, err := r.Open(before2, here); err != nil || string(plain) != "a secret" {
		t.Errorf("sealed before the rotation: %v", err)
	}
	after := seal(t, r, "a secret", here)
	if after.Key != r.IDs()[1] {
		t.Errorf("sealed under %s, not the newest", after.Key)
	}
	if _, err := old.Open(after, here); err == nil || !strings.Contains(err.Error(), "lacks") {
		t.Errorf("the old ring opened a text under the new key: %v", err)
	}
	if !bytes.Equal(old.MAC("p", []byte("x")), r.MAC("p", []byte("x"))) {
		t.Error("MAC changed")
	}
	for id, check := range old.Checks() {
		if !bytes.Equal(r.Checks()[id], check) {
			t.Errorf("check of %s changed", id)
		}
	}
}

func TestRotateThroughALink(t *testing.T) {
	path := create(t)
	link := path + "-link"
	if err := os.Symlink("keys", link); err != nil {
		t.Fatal(err)
	}
	if err := Rotate(link, rand.Reader, day); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link became a file: %v, %v", info.Mode(), err)
	}
	if got := load(t, path).IDs(); len(got) != 2 {
		t.Errorf("ids: %v", got)
	}
}

// root may rotate the keys of the server's user, who must still be able to read
// them. Who is not root owns all files of the test anyway.
func TestRotateKeepsTheOwner(t *testing.T) {
	path := create(t)
	owner := os.Geteuid()
	if owner == 0 {
		owner = 12345
	}
	if err := os.Chown(path, owner, -1); err != nil {
		t.Fatal(err)
	}
	if err := Rotate(path, rand.Reader, day); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Sys().(*syscall.Stat_t).Uid != uint32(owner) || info.Mode() != 0o600 {
		t.Errorf("%+v, %v", info, err)
	}
}

// The later of two rotations must not lose the key of the earlier.
func TestManyRotateAtOnce(t *testing.T) {
	path := create(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range 16 {
		wg.Go(func() {
			err := Rotate(path, rand.Reader, day)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				done++
			} else if !strings.Contains(err.Error(), "being written right now") {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(load(t, path).IDs()); got != 1+done || done == 0 {
		t.Errorf("%d keys after %d rotations", got, done)
	}
}

func TestInterruptedWriting(t *testing.T) {
	path := create(t)
	if err := os.WriteFile(path+".new", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := Rotate(path, rand.Reader, day)
	if err == nil || errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("%v", err)
	}
	if err := Create(path, rand.Reader, day); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create of what exists: %v", err)
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, rand.Reader, day); err == nil || errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("Create while somebody writes: %v", err)
	}
	if got := names(t, path); !slices.Equal(got, []string{"keys.new", "keys.old"}) {
		t.Errorf("removed what another process may be writing: %v", got)
	}
}

func TestMode(t *testing.T) {
	path := create(t)
	for mode := fs.FileMode(0o400); mode < 0o1000; mode++ {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		switch {
		case mode&0o077 == 0 && err != nil && !(os.Getuid() != 0 && errors.Is(err, fs.ErrPermission)):
			t.Errorf("%04o: %v", mode, err)
		case mode&0o077 != 0 && (err == nil || !strings.Contains(err.Error(), fmt.Sprintf("mode %04o); close it with: chmod 600 %q", mode, path))):
			t.Errorf("%04o: %v", mode, err)
		}
	}
	if err := Rotate(path, rand.Reader, day); err == nil {
		t.Error("rotated a file that others can read")
	}
}

func TestNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "create one") {
		t.Errorf("Load: %v", err)
	}
	if err := Rotate(path, rand.Reader, day); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "create one") {
		t.Errorf("Rotate: %v", err)
	}
	if _, err := Load(filepath.Dir(path)); err == nil {
		t.Error("loaded a directory")
	}
}

func TestMalformedFiles(t *testing.T) {
	const key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	for _, c := range []struct{ name, text, says string }{
		{"empty", "", `no "seal" key`},
		{"comments only", about, `no "seal" key`},
		{"no seal", macLine, `no "seal" key`},
		{"no mac", sealLine, `no "mac" key`},
		{"two macs", sealLine + macLine + strings.Replace(seal2Line, "seal", "mac", 1), `2 "mac" keys`},
		{"same id", sealLine + macLine + strings.Replace(seal2Line, "fedcba98", "01234567", 1), "lines 1 and 3 have the same id"},
		{"same key", sealLine + "\n" + macLine + "seal fedcba98 2026-01-02 " + key, "lines 1 and 4 have the same key"},
		{"one key for both", sealLine + "mac fedcba98 2026-01-02 " + key, "lines 1 and 2 have the same key"},
		{"purpose", "SEAL 01234567 2026-01-02 " + key, "line 1: the purpose"},
		{"byte order mark", "\ufeff" + sealLine + macLine, "line 1: the purpose"},
		{"columns swapped", "# x\n" + key + " 01234567 2026-01-02 seal", "line 2: the purpose"},
		{"id is the key", "seal " + key + " 2026-01-02 01234567", "line 1: the id"},
		{"short id", "seal 0123456 2026-01-02 " + key, "line 1: the id"},
		{"long id", "seal 0123456789 2026-01-02 " + key, "line 1: the id"},
		{"id in capitals", "seal 0123456A 2026-01-02 " + key, "line 1: the id"},
		{"day", "seal 01234567 2026-13-02 " + key, "line 1: the day"},
		{"three words", "seal 01234567 " + key, "line 1: there must be 4 words"},
		{"five words", "seal 01234567 2026-01-02 " + key + " # mine", "line 1: there must be 4 words"},
		{"cut key", sealLine + macLine[:len(macLine)-2], "line 2: the key"},
		{"short key", "seal 01234567 2026-01-02 " + key[4:], "line 1: the key"},
		{"long key", "seal 01234567 2026-01-02 AAAA" + key, "line 1: the key"},
		{"loose bits", "seal 01234567 2026-01-02 " + key[:42] + "9=", "line 1: the key"},
		{"alphabet", "seal 01234567 2026-01-02 " + strings.Replace(key, "A", "_", 1), "line 1: the key"},
		{"binary", "\x00\x01\x02", "line 1"},
		{"large", strings.Repeat("#\n", maxFile), "larger than 1 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
				t.Fatalf("%v", err)
			}
			if strings.Contains(err.Error(), key[:16]) {
				t.Errorf("the error shows a key: %v", err)
			}
			if err := Rotate(path, rand.Reader, day); err == nil {
				t.Error("rotated")
			}
			if got := readFile(t, path); string(got) != c.text {
				t.Error("the file changed")
			}
		})
	}
}

func TestForgivingFile(t *testing.T) {
	r := ring(t, "\r\n# note\r\n  "+strings.TrimSpace(sealLine)+"  \r\n", "\t# note\n", strings.ReplaceAll(strings.TrimSpace(macLine), " ", "\t"))
	if got := r.IDs(); !slices.Equal(got, []string{"01234567"}) {
		t.Errorf("ids: %v", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(about + macLine + sealLine + seal2Line)
	f.Add("")
	f.Add(sealLine + sealLine)
	f.Add("seal 01234567 2026-01-02 x")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parse(text)
		if err != nil {
			for _, word := range strings.Fields(text) {
				if len(word) > 20 && strings.Contains(err.Error(), word) {
					t.Fatalf("the error quotes the file: %v", err)
				}
			}
			return
		}
		if len(r.IDs()) == 0 || len(r.Checks()) != len(r.IDs())+1 {
			t.Fatalf("%d keys, %d checks", len(r.IDs()), len(r.Checks()))
		}
		s := seal(t, r, "a secret", here)
		if plain, err := r.Open(s, here); err != nil || string(plain) != "a secret" {
			t.Fatal(err)
		}
	})
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
