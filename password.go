package twinlatch

import (
	"context"
	_ "embed"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// How long a password must and may be, in code points after NFC: a letter with
// its accent counts as one. It may have 1024 bytes at most as well.
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

// isRepeated reports whether p is a piece of at most a third of it, repeated, or
// a common password twice.
func isRepeated(p string) bool {
	for n := 1; n <= len(p)/3; n++ {
		if strings.HasPrefix(p[n:], p[:len(p)-n]) {
			return true
		}
	}
	half := p[:len(p)/2]
	return half != "" && strings.HasPrefix(p[len(half):], half) && isCommon(half)
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

// nobody stands in for an account that does not exist, so that an unknown login
// costs the same work as a wrong password.
const nobody = AccountID("aaaaaaaaaaaaaaaaaaaaaaaaaa")

func passwordPlace(id AccountID) Place { return Place{Account: id, Table: "passwords"} }

func (s *Service) sealedDecoy() (Sealed, error) {
	hash, err := s.hasher.decoy(s.cfg.Rand)
	if err != nil {
		return Sealed{}, err
	}
	return s.cfg.Keys.Seal([]byte(hash), passwordPlace(nobody))
}

// sealPassword hashes and seals a new password.
func (s *Service) sealPassword(ctx context.Context, id AccountID, password Secret, c Client) (Sealed, error) {
	hash, err := s.hasher.hash(ctx, c.IP, s.cfg.Rand, normal(password))
	if err != nil {
		return Sealed{}, err
	}
	return s.cfg.Keys.Seal([]byte(hash), passwordPlace(id))
}

// unknown is a password that nobody knows.
func (s *Service) unknown() (Secret, error) {
	text, err := newID[string](s.cfg.Rand)
	return NewSecret(text), err
}

func (s *Service) unknownPassword(ctx context.Context, id AccountID, c Client) (Sealed, error) {
	password, err := s.unknown()
	if err != nil {
		return Sealed{}, err
	}
	return s.sealPassword(ctx, id, password, c)
}

// checkPassword compares a password with the account's. Account nobody, an
// account without a password and a wrong password cost the same work and are
// all ErrWrongPassword.
func (s *Service) checkPassword(ctx context.Context, id AccountID, password Secret, c Client) (weak bool, err error) {
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
	ok, weak, err := s.hasher.matches(ctx, c.IP, string(stored), text)
	switch {
	case err != nil:
		return false, err
	case !ok || !real:
		return false, ErrWrongPassword
	}
	return weak, nil
}
