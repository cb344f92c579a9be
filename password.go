package twinlatch

import (
	"context"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Length of a password: code points after NFC, and bytes.
const (
	MinPassword      = 12
	MaxPassword      = 256
	maxPasswordBytes = 1024
)

// CheckPassword says with a *FieldError why p may not be chosen: empty, too
// short, too long, on a list of common passwords, or just one of the words about
// the person (login, name). It asks for no mix of characters (NIST SP 800-63B-4
// §3.1.1.2).
func CheckPassword(p Secret, about ...string) error {
	text := normal(p)
	n := utf8.RuneCountInString(text)
	switch {
	case text == "":
		return &FieldError{Field: "password", Key: "signup.err.password"}
	case n < MinPassword:
		return &FieldError{Field: "password", Key: "signup.err.short"}
	case n > MaxPassword || len(text) > maxPasswordBytes:
		return &FieldError{Field: "password", Key: "signup.err.long"}
	case isCommon(text), slices.ContainsFunc(about, func(word string) bool { return FoldLogin(word) == FoldLogin(text) }):
		return &FieldError{Field: "password", Key: "signup.err.common"}
	}
	return nil
}

// normal is the password as it is hashed. NFC makes keyboards that compose and
// keyboards that do not give the same bytes.
func normal(p Secret) string { return norm.NFC.String(p.Reveal()) }

//go:embed passwords.txt
var commonPasswords string

// isCommon finds passwords that guessers try first: listed ones, listed ones
// with digits or signs around them, one character or short piece repeated, and
// runs such as 123456789012 or qwertyuiop[].
func isCommon(p string) bool {
	p = strings.ToLower(p)
	core := strings.TrimFunc(p, func(r rune) bool { return !unicode.IsLetter(r) })
	return listed(p) || listed(core) || (core == "" && isRun(p)) || isRepeated(p) || isRun(p)
}

// listed searches the list, one password a line, a newline before and after each.
func listed(p string) bool {
	if p == "" || strings.ContainsRune(p, '\n') {
		return false
	}
	return strings.Contains(commonPasswords, "\n"+p+"\n")
}

// isRepeated reports whether p is a piece of at most a third of it, repeated.
func isRepeated(p string) bool {
	for n := 1; n <= len(p)/3; n++ {
		if strings.HasPrefix(p[n:], p[:len(p)-n]) {
			return true
		}
	}
	return listed(p[:len(p)/2]) && strings.HasPrefix(p[len(p)/2:], p[:len(p)/2])
}

// isRun reports whether p follows a row of the keyboard, the alphabet or the
// digits, in pieces of at least five, forwards or backwards.
func isRun(p string) bool {
	const piece = 5
	for p != "" {
		longest := 0
		for _, row := range runs {
			for n := min(len(p), len(row)); n > longest; n-- {
				if strings.Contains(row, p[:n]) {
					longest = n
				}
			}
		}
		if longest < piece && longest < len(p) {
			return false
		}
		p = p[longest:]
	}
	return true
}

var runs = [...]string{
	"01234567890123456789", "98765432109876543210", "abcdefghijklmnopqrstuvwxyz", "zyxwvutsrqponmlkjihgfedcba",
	"qwertyuiop[]", "][poiuytrewq", "asdfghjkl;'", "';lkjhgfdsa", "zxcvbnm,./", "/.,mnbvcxz",
	"qwertzuiop", "poiuztrewq", "azertyuiop", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
}

// Hashing says how passwords are hashed: argon2id (RFC 9106), and how many at
// a time, because each takes Memory. Zero fields mean DefaultHashing.
type Hashing struct {
	Memory   uint32        // KiB
	Passes   uint32        // over the memory
	Lanes    uint8         // computed in parallel
	Parallel int           // hashes at the same time in this process
	Queue    int           // callers that may wait for their turn
	Wait     time.Duration // and how long, before ErrBusy
}

// DefaultHashing is the second recommended option of RFC 9106 §4, at most
// 512 MiB at a time.
func DefaultHashing() Hashing {
	parallel := max(1, min(runtime.GOMAXPROCS(0), 8))
	return Hashing{Memory: 64 << 10, Passes: 3, Lanes: 4, Parallel: parallel, Queue: 4 * parallel, Wait: 2 * time.Second}
}

func (h Hashing) withDefaults() Hashing {
	d := DefaultHashing()
	if h.Memory == 0 {
		h.Memory = d.Memory
	}
	if h.Passes == 0 {
		h.Passes = d.Passes
	}
	if h.Lanes == 0 {
		h.Lanes = d.Lanes
	}
	if h.Parallel == 0 {
		h.Parallel = d.Parallel
	}
	if h.Queue == 0 {
		h.Queue = 4 * h.Parallel
	}
	if h.Wait == 0 {
		h.Wait = d.Wait
	}
	return h
}

func (h Hashing) validate() error {
	if h.Parallel < 0 || h.Queue < 0 || h.Wait < 0 {
		return errors.New("hashing: Parallel, Queue and Wait must not be negative")
	}
	if h.Memory > maxMemory || h.Passes > maxPasses || h.Lanes > maxLanes || h.Memory < 8*uint32(h.Lanes) {
		return fmt.Errorf("hashing: Memory must be 8 × Lanes to %d KiB, Passes at most %d, Lanes at most %d", maxMemory, maxPasses, maxLanes)
	}
	return nil
}

// More than this is not believed of a stored hash: somebody who can write the
// database must not be able to stop the server with one row.
const (
	maxMemory = 1 << 20
	maxPasses = 10
	maxLanes  = 16
)

const (
	saltBytes = 16
	hashBytes = 32
)

// hasher runs argon2id with bounded concurrency.
type hasher struct {
	cost  Hashing
	queue chan struct{} // running or waiting
	slots chan struct{} // running
}

func newHasher(cost Hashing) *hasher {
	return &hasher{
		cost:  cost,
		queue: make(chan struct{}, cost.Parallel+cost.Queue),
		slots: make(chan struct{}, cost.Parallel),
	}
}

// do runs fn when it is its turn. ErrBusy: too many are waiting, or for too long.
func (h *hasher) do(ctx context.Context, fn func()) error {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return ErrBusy
	}
	wait := time.NewTimer(h.cost.Wait)
	defer wait.Stop()
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-wait.C:
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
	fn()
	return nil
}

// hash makes a PHC string ("$argon2id$v=19$m=…,t=…,p=…$salt$hash") of a password.
func (h *hasher) hash(ctx context.Context, rand io.Reader, password string) (string, error) {
	p := phc{memory: h.cost.Memory, passes: h.cost.Passes, lanes: h.cost.Lanes, salt: make([]byte, saltBytes)}
	if _, err := io.ReadFull(rand, p.salt); err != nil {
		return "", err
	}
	err := h.do(ctx, func() { p.sum = p.of(password) })
	return p.String(), err
}

// matches compares a password with a PHC string. weak means that the string was
// made with other costs than today's and should be made anew.
func (h *hasher) matches(ctx context.Context, stored, password string) (ok, weak bool, err error) {
	p, err := parsePHC(stored)
	if err != nil {
		return false, false, err
	}
	err = h.do(ctx, func() { ok = subtle.ConstantTimeCompare(p.of(password), p.sum) == 1 })
	weak = p.memory != h.cost.Memory || p.passes != h.cost.Passes || p.lanes != h.cost.Lanes
	return ok, weak, err
}

type phc struct {
	memory, passes uint32
	lanes          uint8
	salt, sum      []byte
}

func (p phc) of(password string) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.lanes, hashBytes)
}

func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.passes, p.lanes,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.sum))
}

var errBadHash = errors.New("stored password hash is not readable")

func parsePHC(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, errBadHash
	}
	var p phc
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); n != 3 || err != nil {
		return phc{}, errBadHash
	}
	if p.memory > maxMemory || p.passes > maxPasses || p.lanes > maxLanes || p.passes == 0 || p.lanes == 0 || p.memory < 8*uint32(p.lanes) {
		return phc{}, errBadHash
	}
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	p.sum, err2 = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(p.salt) < 8 || len(p.sum) != hashBytes || p.String() != s {
		return phc{}, errBadHash
	}
	return p, nil
}

// nobody stands in for an account that does not exist, so that an unknown login
// costs the same work as a wrong password.
const nobody = AccountID("aaaaaaaaaaaaaaaaaaaaaaaaaa")

func passwordPlace(id AccountID) Place { return Place{Account: id, Table: "passwords"} }

func (s *Service) sealedDecoy(ctx context.Context) (Sealed, error) {
	hash, err := s.hasher.hash(ctx, s.cfg.Rand, "nobody")
	if err != nil {
		return Sealed{}, err
	}
	return s.cfg.Keys.Seal([]byte(hash), passwordPlace(nobody))
}

// sealPassword hashes and seals a new password.
func (s *Service) sealPassword(ctx context.Context, id AccountID, password Secret) (Sealed, error) {
	hash, err := s.hasher.hash(ctx, s.cfg.Rand, normal(password))
	if err != nil {
		return Sealed{}, err
	}
	return s.cfg.Keys.Seal([]byte(hash), passwordPlace(id))
}

// checkPassword compares a password with the account's. Account nobody, an
// account without a password and a wrong password cost the same work and are
// all ErrWrongPassword.
func (s *Service) checkPassword(ctx context.Context, id AccountID, password Secret) (weak bool, err error) {
	sealed, real := s.decoy, false
	err = s.cfg.Store.View(ctx, id, func(v View) error {
		stored, err := v.Password()
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		sealed, real = stored, err == nil
		return err
	})
	if err != nil {
		return false, err
	}
	place := passwordPlace(id)
	if !real {
		sealed, place = s.decoy, passwordPlace(nobody)
	}
	stored, err := s.cfg.Keys.Open(sealed, place)
	if err != nil {
		return false, err
	}
	text := normal(password)
	if len(text) > maxPasswordBytes {
		text, real = "", false
	}
	ok, weak, err := s.hasher.matches(ctx, string(stored), text)
	switch {
	case err != nil:
		return false, err
	case !ok || !real:
		return false, ErrWrongPassword
	}
	return weak, nil
}
