package twinlatch

import (
	"fmt"
	"io"
	"log/slog"
)

// Keys seals secrets at rest. Implementations are safe for concurrent use.
type Keys interface {
	// Seal encrypts plain with the newest key so that it opens only at the
	// same place. Sealing the same text twice gives two different texts.
	Seal(plain []byte, at Place) (Sealed, error)

	// Open decrypts what Seal made, finding the key by the id in the sealed
	// text. A text from another place, an altered one or one under an unknown
	// key is an error; there is no other answer than the whole plain text.
	Open(s Sealed, at Place) ([]byte, error)

	// MAC is a keyed digest (32 bytes) of things that are too short to be
	// hashed without a key: phone numbers, backup codes. It stays the same when
	// keys are rotated. Data are length-prefixed: ("ab","c") is not ("a","bc").
	MAC(purpose string, data ...[]byte) []byte

	// IDs are the ids of the keys that seal and open, oldest first; Seal uses
	// the last.
	IDs() []string

	// Checks gives a public check value for each key, by key id, so that a
	// Store can tell whether it was written with the same keys.
	Checks() map[string][]byte
}

// Place is where a sealed text lies. It is authenticated with the text, so that
// a sealed secret which somebody moved to another row does not open.
type Place struct {
	Account AccountID
	Table   string // "factors", "challenges", "passwords"
	Row     string // empty where an account has one row
}

// Sealed is a text under a key, as it lies in the Store.
type Sealed struct {
	Key  string // id of the key, so that rotation finds what is left under it
	Text []byte
}

// Secret is text that must not be seen. It formats, logs and marshals as
// "[secret]" and cannot be compared with ==.
//
// The text is behind a pointer because fmt does not call methods on values in
// unexported fields; there it prints the address.
type Secret struct {
	_ [0]func()
	p *string
}

// NewSecret hides s.
func NewSecret(s string) Secret { return Secret{p: &s} }

// Reveal is the text itself; empty for the zero Secret.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

const hidden = "[secret]"

// Format implements fmt.Formatter for every verb, %#v and %x included.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
