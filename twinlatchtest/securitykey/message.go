package securitykey

import (
	"crypto"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// message serialises the claims. The flags ED and AT say what is there unless
// they lie; what is there depends on the fields alone.
func (c Claims) message(signer crypto.Signer) (Message, error) {
	clientData, err := json.Marshal(c.ClientData)
	if err != nil {
		return Message{}, err
	}
	data := append(slices.Clone(c.RPIDHash), byte(c.Flags))
	data = binary.BigEndian.AppendUint32(data, c.Counter)
	if a := c.Attested; a != nil {
		key := a.RawKey
		if key == nil {
			if key, err = encode(a.PublicKey); err != nil {
				return Message{}, err
			}
		}
		data = append(data, a.AAGUID[:]...)
		data = binary.BigEndian.AppendUint16(data, uint16(len(a.ID)))
		data = append(append(data, a.ID...), key...)
	}
	if c.Extensions != nil {
		extensions, err := encode(c.Extensions)
		if err != nil {
			return Message{}, err
		}
		data = append(data, extensions...)
	}
	return Message{ClientDataJSON: clientData, AuthData: data, Signer: signer}, nil
}

// signed is what the signature of a response is over.
func (m Message) signed() []byte {
	hash := sha256.Sum256(m.ClientDataJSON)
	return slices.Concat(m.AuthData, hash[:])
}

// encode is CBOR in the canonical form of CTAP2.
func encode(v any) ([]byte, error) {
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	return mode.Marshal(v)
}
