package keyring

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Every change of a key file is whole or not at all and on the disk when the
// function returns. All that was in the file stays, comments and owner included.
// A Ring that was loaded before goes on with the old keys: load again.

// Rotate adds a new key, made of 36 bytes from rand, that seals from the next
// Load on. For several servers that share a store use Spare and Use, as the
// package comment says.
func Rotate(path string, rand io.Reader, now time.Time) error {
	return add(path, rand, now, func(lines []string) int { return len(lines) })
}

// Spare adds a new key, made of 36 bytes from rand, that opens and does not seal
// yet. See Use.
func Spare(path string, rand io.Reader, now time.Time) error {
	return add(path, rand, now, newest)
}

// Use makes the seal key with an id the one that seals.
func Use(path, id string) error {
	return change(path, func(lines []string) ([]string, error) {
		i, err := lineOf(lines, id)
		if err != nil {
			return nil, err
		}
		line := lines[i]
		return append(slices.Delete(lines, i, i+1), line), nil
	})
}

// Remove takes the seal key with an id out of the file, and what it sealed can
// not be opened any more. It refuses the key that seals. Nobody but the caller
// can know that nothing lies under the key: see twinlatch.Service.RetireKey.
func Remove(path, id string) error {
	return change(path, func(lines []string) ([]string, error) {
		i, err := lineOf(lines, id)
		if err != nil {
			return nil, err
		}
		if i == newest(lines) {
			return nil, fmt.Errorf("key %s is the one that seals; add another one first", id)
		}
		return slices.Delete(lines, i, i+1), nil
	})
}

func add(path string, rand io.Reader, now time.Time, where func(lines []string) int) error {
	return change(path, func(lines []string) ([]string, error) {
		line, err := newLine("seal", rand, now)
		if err != nil {
			return nil, err
		}
		return slices.Insert(lines, where(lines), line), nil
	})
}

// change gives the lines of a good key file, each with its newline, to edit.
func change(path string, edit func(lines []string) ([]string, error)) error {
	target, err := filepath.EvalSymlinks(path) // replace the file, not the link to it
	if err != nil {
		return fmt.Errorf("keyring: %w", noFile(path, err))
	}
	fill := func(f *os.File) error {
		text, old, err := read(path)
		if err != nil {
			return err
		}
		if _, err := parse(text); err != nil {
			return fmt.Errorf("key file %q: %w", path, err)
		}
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		lines, err := edit(slices.Collect(strings.Lines(text)))
		if err != nil {
			return err
		}
		if err := keepOwner(f, old); err != nil {
			return fmt.Errorf("the new key file cannot be given to the owner of the old one; do this as that user: %w", err)
		}
		return finish(f, strings.Join(lines, ""))
	}
	return write(target, fill, func(temp string) error { return os.Rename(temp, target) })
}

// newest is where the key that seals is; a good key file has one.
func newest(lines []string) int {
	i := len(lines) - 1
	for ; i > 0; i-- {
		if purpose, _, err := parseLine(lines[i]); err == nil && purpose == "seal" {
			break
		}
	}
	return i
}

// lineOf finds a seal key.
func lineOf(lines []string, id string) (int, error) {
	for i, line := range lines {
		switch purpose, k, err := parseLine(line); {
		case err != nil || hex.EncodeToString(k.id[:]) != id:
		case purpose == "mac":
			return 0, fmt.Errorf("key %s makes digests, which cannot be made again: it never changes", id)
		default:
			return i, nil
		}
	}
	return 0, fmt.Errorf("there is no key %q in the file", id)
}
