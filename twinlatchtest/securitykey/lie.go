package securitykey

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
)

// Lie changes a response at stages of its making, in this order. What follows a
// stage is done with what the lie left: serialised, hashed, signed. So a lie in
// Claims is signed, and one in Reply is what somebody between key and server
// does. Functions that are nil let the truth pass.
type Lie struct {
	Claims      func(*Claims)
	Message     func(*Message)
	Attestation func(*AttestationObject) // when registering
	Reply       func(*Reply)
	Text        func(string) string
}

// Claims are what a response is going to say.
type Claims struct {
	ClientData  ClientData
	RPIDHash    []byte
	Flags       Flags // says what follows; what really follows is decided below
	Counter     uint32
	Attested    *Attested         // nil when signing
	Extensions  map[string]any    // nil: none
	Certificate *x509.Certificate // of the attestation, yet to be issued; nil: none
}

// ClientData is what the browser says.
type ClientData struct {
	Type         string `json:"type"`
	Challenge    string `json:"challenge"`
	Origin       string `json:"origin"`
	CrossOrigin  bool   `json:"crossOrigin"`
	TopOrigin    string `json:"topOrigin,omitempty"`
	TokenBinding any    `json:"tokenBinding,omitempty"`
}

// Attested is a new credential.
type Attested struct {
	AAGUID    [16]byte
	ID        []byte
	PublicKey COSE
	RawKey    []byte // instead of PublicKey, unless it is nil
}

// Message is what is signed, and by whom.
type Message struct {
	ClientDataJSON []byte
	AuthData       []byte
	Signer         crypto.Signer
}

// AttestationObject is yet to be encoded as CBOR.
type AttestationObject struct {
	Format    string         `cbor:"fmt"`
	Statement map[string]any `cbor:"attStmt"`
	AuthData  []byte         `cbor:"authData"`
}

// Reply is the JSON of a PublicKeyCredential.
type Reply struct {
	ID         Bytes          `json:"id"`
	RawID      Bytes          `json:"rawId"`
	Type       string         `json:"type"`
	Response   Response       `json:"response"`
	Extensions map[string]any `json:"clientExtensionResults"`
}

// Response has an AttestationObject, or AuthenticatorData with a Signature.
type Response struct {
	ClientDataJSON    Bytes    `json:"clientDataJSON"`
	AttestationObject Bytes    `json:"attestationObject,omitempty"`
	Transports        []string `json:"transports,omitempty"`
	AuthenticatorData Bytes    `json:"authenticatorData,omitempty"`
	Signature         Bytes    `json:"signature,omitempty"`
	UserHandle        Bytes    `json:"userHandle,omitempty"`
}

// Bytes are base64url without padding in JSON.
type Bytes []byte

// MarshalText encodes them.
func (b Bytes) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText decodes them.
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawURLEncoding.AppendDecode(nil, text)
	return err
}

// tell lets each lie have its turn at one stage.
func tell[T any](v *T, told []Lie, at func(Lie) func(*T)) {
	for _, l := range told {
		if change := at(l); change != nil {
			change(v)
		}
	}
}

func inClaims(l Lie) func(*Claims)                 { return l.Claims }
func inMessage(l Lie) func(*Message)               { return l.Message }
func inAttestation(l Lie) func(*AttestationObject) { return l.Attestation }
func inReply(l Lie) func(*Reply)                   { return l.Reply }

// text is the response as JSON.
func (r *Reply) text(told []Lie) (string, error) {
	tell(r, told, inReply)
	said, err := json.Marshal(r)
	text := string(said)
	for _, l := range told {
		if l.Text != nil {
			text = l.Text(text)
		}
	}
	return text, err
}
