// Package keyring is twinlatch.Keys from a file: it seals secrets at rest with
// AES-256-GCM and makes keyed digests with HMAC-SHA-256, under keys that lie in
// one small text file which only the server may read.
//
//	err := keyring.Create("keys", rand.Reader, time.Now()) // once
//	ring, err := keyring.Load("keys")                      // at every start
//
// # Keys
//
// The file holds roots of 256 random bits: one or more to seal, exactly one for
// digests. A root is only ever the input of HKDF-SHA-256 (RFC 5869), which makes
// a key of its own for each account and table and for each purpose of a digest.
// So no key seals enough texts for its random nonces to meet.
//
// # Rotation
//
// Rotate adds a root; from the next Load on it seals, and the older ones still
// open. The root for digests stays, because what it digested cannot be computed
// again.
//
// Where several servers share a store, all of them need a new root before the
// first one seals with it. The last seal line of the file is the one that seals,
// so add the new root above it ([Spare]), give every server that file, restart
// them all, and only then have it seal ([Use]), server by server.
//
// An old root may go when nothing lies under it and nobody seals with it:
// twinlatch.Service.RetireKey sees to both, and then [Remove] takes its line out
// of every copy of the file.
//
// # What it is not
//
// It is no key management service: whoever can read the file and the database
// can read everything. It keeps no copy of the file, and without the file every
// second factor and password is lost. A Ring does not watch its file.
package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

// A sealed text is: version | key id | nonce | ciphertext and tag.
const (
	version    = 1
	idSize     = 4
	nonceSize  = 12 // of GCM, NIST SP 800-38D §8.2.2
	tagSize    = 16
	rootSize   = 32
	headerSize = 1 + idSize
)

// Ring is a twinlatch.Keys whose keys came from a file. It does not change, so
// it is safe for concurrent use, and it shows its keys to nobody: fmt and slog
// print their ids. Make one with Load.
type Ring struct {
	seals []key // oldest first: the last one seals, all of them open
	mac   key
	rand  io.Reader // of nonces
}

type key struct {
	id   [idSize]byte
	made time.Time
	root twinlatch.Secret // rootSize bytes
}

func (k key) name() string { return hex.EncodeToString(k.id[:]) }

// derive is HKDF-SHA-256 with the root as input.
func (k key) derive(salt []byte, info string) []byte {
	derived, err := hkdf.Key(sha256.New, []byte(k.root.Reveal()), salt, info, rootSize)
	if err != nil { // only for a length that SHA-256 cannot give
		panic("keyring: " + err.Error())
	}
	return derived
}

// aead is the cipher of one account and table.
func (k key) aead(at twinlatch.Place) (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.derive([]byte(at.Account), "twinlatch/v1/seal/"+at.Table))
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return aead, nil
}

// WithNonces is the same Ring with nonces from rand, which must be safe for
// concurrent use. It is for tests: two texts of one account and table sealed
// under the same nonce can be read and forged without the key.
func (r *Ring) WithNonces(rand io.Reader) *Ring {
	ring := *r
	ring.rand = rand
	return &ring
}

// Seal encrypts plain, of any length, with the newest key. The text is 33 bytes
// longer and opens only at the same place. An error means that there was no
// randomness.
func (r *Ring) Seal(plain []byte, at twinlatch.Place) (twinlatch.Sealed, error) {
	k := r.seals[len(r.seals)-1]
	aead, err := k.aead(at)
	if err != nil {
		return twinlatch.Sealed{}, err
	}
	text := make([]byte, headerSize+nonceSize, headerSize+nonceSize+len(plain)+tagSize)
	text[0] = version
	copy(text[1:], k.id[:])
	header, nonce := text[:headerSize], text[headerSize:]
	if _, err := io.ReadFull(r.rand, nonce); err != nil {
		return twinlatch.Sealed{}, fmt.Errorf("keyring: no randomness for a nonce: %w", err)
	}
	text = aead.Seal(text, nonce, plain, bind(header, at))
	return twinlatch.Sealed{Key: k.name(), Text: text}, nil
}

// Open decrypts what Seal made at the same place, with whichever key of the
// ring it was sealed. Anything else is an error that says what may have
// happened and where, and no plain text.
func (r *Ring) Open(s twinlatch.Sealed, at twinlatch.Place) ([]byte, error) {
	if len(s.Text) < headerSize+nonceSize+tagSize {
		return nil, refuse(at, "it was cut short")
	}
	if s.Text[0] != version {
		return nil, refuse(at, fmt.Sprintf("its format is %d and this program knows only %d; was it written by a newer one?", s.Text[0], version))
	}
	header, nonce, text := s.Text[:headerSize], s.Text[headerSize:headerSize+nonceSize], s.Text[headerSize+nonceSize:]
	k, ok := r.find([idSize]byte(header[1:]))
	if !ok {
		return nil, refuse(at, fmt.Sprintf("it is under key %x, which the key file lacks; put that line back from a copy", header[1:]))
	}
	if s.Key != k.name() {
		return nil, refuse(at, fmt.Sprintf("it is under key %s, but stored as if under %q: the row was altered", k.name(), s.Key))
	}
	aead, err := k.aead(at)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nonce, text, bind(header, at))
	if err != nil {
		return nil, refuse(at, "it was altered, or moved here from another row, or sealed under another key with this id")
	}
	return plain, nil
}

// MAC is HMAC-SHA-256 (RFC 2104) over the data, each prefixed with its length,
// under a key for this purpose alone. It is 32 bytes and stays the same through
// rotation.
func (r *Ring) MAC(purpose string, data ...[]byte) []byte {
	h := hmac.New(sha256.New, r.mac.derive(nil, "twinlatch/v1/mac/"+purpose))
	var text []byte
	for _, d := range data {
		text = appendPrefixed(text[:0], d)
		h.Write(text)
	}
	return h.Sum(nil)
}

// Checks gives for each key of the file, the one for digests included, 32 bytes
// that only this key makes and that tell nothing about it.
func (r *Ring) Checks() map[string][]byte {
	checks := map[string][]byte{r.mac.name(): r.mac.check("mac")}
	for _, k := range r.seals {
		checks[k.name()] = k.check("seal")
	}
	return checks
}

func (k key) check(purpose string) []byte {
	h := hmac.New(sha256.New, k.derive(nil, "twinlatch/v1/check/"+purpose))
	h.Write(k.id[:])
	return h.Sum(nil)
}

// IDs are the ids of the keys that seal and open, oldest first; Seal uses the
// last. An id is 8 lower-case hex digits, as in twinlatch.Sealed.Key.
func (r *Ring) IDs() []string {
	ids := make([]string, len(r.seals))
	for i, k := range r.seals {
		ids[i] = k.name()
	}
	return ids
}

// Key is what may be known about a key.
type Key struct {
	ID   string    // 8 lower-case hex digits
	Made time.Time // the day, in UTC
	MAC  bool      // it makes digests; else it seals and opens
}

// Keys are all keys of the file: the one for digests, then those of IDs.
func (r *Ring) Keys() []Key {
	all := []Key{{r.mac.name(), r.mac.made, true}}
	for _, k := range r.seals {
		all = append(all, Key{k.name(), k.made, false})
	}
	return all
}

// Format implements fmt.Formatter: every verb prints the ids.
func (r *Ring) Format(f fmt.State, _ rune) {
	if r == nil {
		_, _ = io.WriteString(f, "keyring.Ring(nil)")
		return
	}
	_, _ = fmt.Fprintf(f, "keyring.Ring(%s)", strings.Join(r.IDs(), " "))
}

func (r *Ring) find(id [idSize]byte) (key, bool) {
	for _, k := range r.seals {
		if k.id == id {
			return k, true
		}
	}
	return key{}, false
}

// bind is what is authenticated with a text: its header and its place.
func bind(header []byte, at twinlatch.Place) []byte {
	b := append([]byte(nil), header...)
	b = appendPrefixed(b, []byte(at.Account))
	b = appendPrefixed(b, []byte(at.Table))
	return appendPrefixed(b, []byte(at.Row))
}

// appendPrefixed appends the length of s in 8 bytes and s, so that what was
// joined can be taken apart in one way only.
func appendPrefixed(b, s []byte) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
}

func refuse(at twinlatch.Place, why string) error {
	return fmt.Errorf("keyring: the sealed text in %q of account %q, row %q, does not open: %s", at.Table, at.Account, at.Row, why)
}

// newRing checks what the parser cannot know from one line.
func newRing(seals, macs []key) (*Ring, error) {
	switch {
	case len(seals) == 0:
		return nil, errors.New(`there is no "seal" key; is this the whole file?`)
	case len(macs) == 0:
		return nil, errors.New(`there is no "mac" key; is this the whole file?`)
	case len(macs) > 1:
		return nil, fmt.Errorf(`there are %d "mac" keys and must be one; keep the one that the store was written with`, len(macs))
	}
	return &Ring{seals: seals, mac: macs[0], rand: rand.Reader}, nil
}
