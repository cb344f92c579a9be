package twinlatch

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"io"
)

// Each kind of thing has its own ID type, so that one cannot be passed for
// another. An ID is 128 random bits as 26 characters of lower-case base32
// (RFC 4648 §6, without padding).
type (
	AccountID   string
	FactorID    string
	ChallengeID string
	SessionID   string
	MessageID   string
	TicketID    string
	RequestID   string
)

// Kind names a Method: "totp" is package totp's. It is Description.Kind, stays
// with every factor in the Store, and must never change.
type Kind string

const (
	idBytes      = 16
	idLength     = 26
	secretBytes  = 32
	secretLength = 43
)

var (
	idEncoding     = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	secretEncoding = base64.RawURLEncoding
)

// newID takes 128 bits from rand.
func newID[T ~string](rand io.Reader) (T, error) {
	var b [idBytes]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", err
	}
	return T(idEncoding.EncodeToString(b[:])), nil
}

// Token is the secret that opens one row: a session in a cookie, a ticket in a
// link. As text it is "account.row.secret", so finding the row costs one
// primary-key read; only the SHA-256 of the secret is stored. A Token does not
// print and does not marshal; use Reveal for the cookie or link.
type Token struct {
	account AccountID
	row     string
	secret  Secret
}

func newToken[ID SessionID | TicketID](rand io.Reader, account AccountID, row ID) (Token, error) {
	secret, err := newSecret(rand)
	if err != nil {
		return Token{}, err
	}
	return Token{account, string(row), secret}, nil
}

// newSecret takes 256 bits from rand.
func newSecret(rand io.Reader) (Secret, error) {
	var b [secretBytes]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return Secret{}, err
	}
	return NewSecret(secretEncoding.EncodeToString(b[:])), nil
}

// ParseToken reads what Reveal wrote. Anything else, in length, alphabet or
// number of parts, is ErrNoSession. It does not say whether the session exists.
func ParseToken(s string) (Token, error) {
	if len(s) != idLength+1+idLength+1+secretLength || s[idLength] != '.' || s[2*idLength+1] != '.' {
		return Token{}, ErrNoSession
	}
	account, row, secret := s[:idLength], s[idLength+1:2*idLength+1], s[2*idLength+2:]
	if !isID(account) || !isID(row) || !isSecret(secret) {
		return Token{}, ErrNoSession
	}
	return Token{AccountID(account), row, NewSecret(secret)}, nil
}

// Reveal is the token as text, 97 characters that need no escaping in a cookie
// or URL. It is empty for the zero Token.
func (t Token) Reveal() string {
	if t.account == "" {
		return ""
	}
	return string(t.account) + "." + t.row + "." + t.secret.Reveal()
}

// hash is what the Store keeps of the token. 256 random bits need no slow hash.
func (t Token) hash() []byte {
	h := t.digest()
	return h[:]
}

// digest is hash without memory of its own, for the check of each request.
func (t Token) digest() [sha256.Size]byte {
	var text [secretLength]byte
	return sha256.Sum256(text[:copy(text[:], t.secret.Reveal())])
}

func isID(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return len(s) == idLength
}

func isSecret(s string) bool {
	for i := range len(s) {
		c := s[i]
		if low := c | 0x20; (low < 'a' || low > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(s) == secretLength
}
