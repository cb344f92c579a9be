package securitykey

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
)

// Why a browser gives no response. The comments name the DOMException.
var (
	ErrExcluded     = errors.New("securitykey: it is registered already")                    // InvalidStateError
	ErrNotAllowed   = errors.New("securitykey: no credential fits, or the user is unproved") // NotAllowedError
	ErrNotSupported = errors.New("securitykey: none of the algorithms is known to it")       // NotSupportedError
	ErrOrigin       = errors.New("securitykey: the page is not of this relying party")       // SecurityError
)

// Flags are those of the authenticator data.
type Flags byte

// They are named as in the standard.
const (
	UP Flags = 1 << 0 // somebody touched it
	UV Flags = 1 << 2 // who gave the PIN or a finger
	BE Flags = 1 << 3 // the credential may be backed up
	BS Flags = 1 << 4 // and is
	AT Flags = 1 << 6 // attested credential data follow
	ED Flags = 1 << 7 // extensions follow
)

// Key is a security key in a browser. Change its fields before it is used; New,
// NewPasskey and NewU2F set them. It is safe for concurrent use.
type Key struct {
	Algorithm    Algorithm // of credentials made from now on
	Attestation  Attestation
	AAGUID       [16]byte
	Flags        Flags  // in every response; AT comes by itself when registering
	Step         uint32 // how far a use moves the signature counter; 0: it does not count
	Discoverable bool   // it gives back the user handle, and signs without a list of credentials
	Transports   []string

	rand     io.Reader
	attester crypto.Signer // made when first needed

	mu          sync.Mutex
	credentials []*credential
}

type credential struct {
	id, user []byte
	rp       string
	key      crypto.Signer
	counter  uint32
}

// New is a key as one carries on a key ring: ES256, with a PIN, counting, and
// without attestation. Random decides everything that it draws, except RSA keys.
func New(random io.Reader) *Key {
	return &Key{
		Algorithm: ES256, Attestation: None, Flags: UP | UV, Step: 1, Transports: []string{"nfc", "usb"},
		AAGUID: [16]byte([]byte("twinlatch's key.")), rand: random,
	}
}

// NewPasskey is a key as phones and password managers have: backed up, and
// therefore without a counter.
func NewPasskey(random io.Reader) *Key {
	k := New(random)
	k.Flags, k.Step, k.Discoverable, k.Transports = UP|UV|BE|BS, 0, true, []string{"hybrid", "internal"}
	return k
}

// NewU2F is a key of before WebAuthn: it knows no PIN and no model, and attests.
func NewU2F(random io.Reader) *Key {
	k := New(random)
	k.Attestation, k.Flags, k.AAGUID = U2F, UP, [16]byte{}
	return k
}

// Clone is a copy of all that the key holds. From now on their counters differ.
func (k *Key) Clone() *Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	other := &Key{
		Algorithm: k.Algorithm, Attestation: k.Attestation, AAGUID: k.AAGUID, Flags: k.Flags, Step: k.Step,
		Discoverable: k.Discoverable, Transports: k.Transports, rand: k.rand, attester: k.attester,
	}
	for _, c := range k.credentials {
		copied := *c
		other.credentials = append(other.credentials, &copied)
	}
	return other
}

// find is the newest credential of the relying party that is one of ids.
func (k *Key) find(rp string, ids []descriptor) *credential {
	for i := len(k.credentials) - 1; i >= 0; i-- {
		c := k.credentials[i]
		for _, d := range ids {
			if c.rp == rp && bytes.Equal(c.id, d.ID) {
				return c
			}
		}
	}
	return nil
}

// proves says whether the key does what the options require of the user.
func (k *Key) proves(userVerification string) bool {
	return userVerification != "required" || k.Flags&UV != 0
}

// scope is the relying party that a page at origin may ask for.
func scope(origin, rp string) (string, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrOrigin, err)
	}
	host := u.Hostname()
	if rp == "" {
		rp = host
	}
	if secure := u.Scheme == "https" || host == "localhost"; !secure || host != rp && !strings.HasSuffix(host, "."+rp) {
		return "", fmt.Errorf("%w: %s asks for %s", ErrOrigin, origin, rp)
	}
	return rp, nil
}
