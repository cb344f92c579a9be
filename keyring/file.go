package keyring

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

const about = `# The keys of Twinlatch. They open the secrets in its database: authenticator
# apps, phone numbers, passwords. Whoever has this file and the database has all
# of them. Whoever loses this file loses every second factor and password, and
# nothing brings them back: keep a copy, apart from the database's backups.
#
# Only the server may read this file (mode 0600). Its lines are: purpose, id, day
# of creation, key in base64. The last "seal" key encrypts, those above it only
# decrypt. "mac" makes digests and never changes. How to add a seal key is said
# in docs/operating.md, under "Keys".

`

const (
	fileMode = 0o600
	maxFile  = 1 << 20
)

var encoding = base64.StdEncoding.Strict()

// Create writes a new key file of mode 0600 with one key to seal and one for
// digests, made of 72 bytes from rand; now is the day that it notes. It never
// overwrites: if path exists, even as a link to nowhere, the error wraps
// fs.ErrExist. The file appears whole or not at all, and is on the disk when
// Create returns.
func Create(path string, rand io.Reader, now time.Time) error {
	fill := func(f *os.File) error {
		mac, err := newLine("mac", rand, now)
		if err != nil {
			return err
		}
		seal, err := newLine("seal", rand, now)
		if err != nil {
			return err
		}
		return finish(f, about+mac+seal)
	}
	place := func(temp string) error { // unlike a rename, a link never overwrites
		if err := os.Link(temp, path); err != nil {
			return err
		}
		return os.Remove(temp)
	}
	exists := fmt.Errorf("keyring: the key file %q exists and is never overwritten; to add a key, use Rotate: %w", path, fs.ErrExist)
	if _, err := os.Lstat(path); err == nil { // the link would tell as well, but only after writing
		return exists
	}
	err := write(path, fill, place)
	if errors.Is(err, fs.ErrExist) {
		return exists
	}
	return err
}

// Load reads a key file. The error says which line is wrong and never quotes it;
// it wraps fs.ErrNotExist if there is no file. A file that its group or others
// may read, write or execute is an error too.
func Load(path string) (*Ring, error) {
	text, _, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	ring, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("keyring: key file %q: %w", path, err)
	}
	return ring, nil
}

// read checks the mode of the opened file, so that nobody can swap it between.
func read(path string) (string, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", nil, noFile(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", nil, err
	}
	if mode := info.Mode().Perm(); hasModes && mode&0o077 != 0 {
		return "", nil, fmt.Errorf("the key file %q is open to other users (mode %04o); close it with: chmod 600 %q", path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", nil, err
	}
	if len(text) > maxFile {
		return "", nil, fmt.Errorf("%q is larger than 1 MiB, so it is not a key file", path)
	}
	return string(text), info, nil
}

func noFile(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no key file %q; put it back from a copy or, for a new database, create one: %w", path, fs.ErrNotExist)
	}
	return err
}

// parse reads the text of a key file. Its errors name lines and quote nothing:
// anything in this file may be a key in the wrong column.
func parse(text string) (*Ring, error) {
	var seals, macs []key
	ids, roots := map[[idSize]byte]int{}, map[string]int{} // to their lines
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		purpose, k, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if other := ids[k.id]; other > 0 {
			return nil, fmt.Errorf("lines %d and %d have the same id; remove the one that is not yours", other, n)
		}
		if other := roots[k.root.Reveal()]; other > 0 {
			return nil, fmt.Errorf("lines %d and %d have the same key; remove one of them", other, n)
		}
		ids[k.id], roots[k.root.Reveal()] = n, n
		if purpose == "mac" {
			macs = append(macs, k)
		} else {
			seals = append(seals, k)
		}
	}
	return newRing(seals, macs)
}

func parseLine(line string) (purpose string, k key, err error) {
	fields := strings.Fields(line)
	if len(fields) != 4 {
		return "", key{}, fmt.Errorf("there must be 4 words (purpose, id, day, key) and there are %d", len(fields))
	}
	purpose, id, day, root := fields[0], fields[1], fields[2], fields[3]
	if !slices.Contains([]string{"seal", "mac"}, purpose) {
		return "", key{}, errors.New(`the purpose (first word) must be "seal" or "mac"`)
	}
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != idSize || id != strings.ToLower(id) {
		return "", key{}, errors.New("the id (second word) must be 8 digits of 0-9 and a-f")
	}
	made, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return "", key{}, errors.New("the day (third word) must look like 2006-01-02")
	}
	r, err := encoding.DecodeString(root)
	if err != nil || len(r) != rootSize {
		return "", key{}, errors.New("the key (fourth word) must be 44 characters of base64; was it cut?")
	}
	return purpose, key{id: [idSize]byte(b), made: made, root: twinlatch.NewSecret(string(r))}, nil
}

// newLine makes a key.
func newLine(purpose string, rand io.Reader, now time.Time) (string, error) {
	var b [idSize + rootSize]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("no randomness for a key: %w", err)
	}
	id, root := b[:idSize], b[idSize:]
	return fmt.Sprintf("%-4s %x %s %s\n", purpose, id, now.UTC().Format(time.DateOnly), encoding.EncodeToString(root)), nil
}

// finish writes the whole file, which must be one that Load will take.
func finish(f *os.File, text string) error {
	if _, err := parse(text); err != nil {
		return fmt.Errorf("the key file would not be readable: %w", err)
	}
	_, err := f.WriteString(text)
	return err
}

// write fills path+".new" and lets place move it to path. The name is always
// the same and must not exist, so that it is a lock as well: of two rotations at
// once the later would else lose the key of the earlier.
func write(path string, fill func(*os.File) error, place func(temp string) error) error {
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keyring: %q exists, so the keys are being written right now or that was interrupted; if nothing is running, remove it and try again", temp)
	}
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	err = fill(f)
	if err == nil {
		err = f.Chmod(fileMode) // whatever the umask
	}
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = place(temp)
	}
	if err != nil { // later it may be the lock of somebody else
		_ = os.Remove(temp)
		return fmt.Errorf("keyring: %w", err)
	}
	return syncDir(filepath.Dir(path))
}
