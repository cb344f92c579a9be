package securitykey

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"time"
)

// Attestation is how a Key says what it is when it registers.
type Attestation string

// The formats of the standard that it knows.
const (
	None   Attestation = "none"
	Self   Attestation = "self"     // packed, signed by the credential itself
	Packed Attestation = "packed"   // with a certificate of a CA that nobody knows
	U2F    Attestation = "fido-u2f" // likewise; see NewU2F
)

func (a Attestation) certified() bool { return a == Packed || a == U2F }

// certificate is the template of an attestation certificate, as §8.2.1 wants it.
func certificate(aaguid [16]byte, a Attestation) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject: pkix.Name{
			Country: []string{"SE"}, Organization: []string{"Twinlatch"},
			OrganizationalUnit: []string{"Authenticator Attestation"}, CommonName: "Security key in software",
		},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC),
		BasicConstraintsValid: true,
	}
	if a == Packed {
		id, err := asn1.Marshal(aaguid[:])
		if err != nil {
			panic(err) // sixteen bytes always are an octet string
		}
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4}, Value: id}}
	}
	return c
}

// issue signs the certificate with a CA made for it.
func (k *Key) issue(template *x509.Certificate) ([]byte, error) {
	ca, err := ES256.newKey(k.rand)
	if err != nil {
		return nil, err
	}
	if k.attester == nil {
		if k.attester, err = ES256.newKey(k.rand); err != nil {
			return nil, err
		}
	}
	parent := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Nobody's CA"}, IsCA: true, BasicConstraintsValid: true}
	return x509.CreateCertificate(k.rand, template, parent, k.attester.Public(), ca)
}

// attest makes the attestation statement.
func (k *Key) attest(said Claims, m Message) (format string, statement map[string]any, err error) {
	if k.Attestation == None {
		return "none", map[string]any{}, nil
	}
	signer, data := m.Signer, m.signed()
	statement = map[string]any{}
	if said.Certificate != nil {
		der, err := k.issue(said.Certificate)
		if err != nil {
			return "", nil, err
		}
		statement["x5c"], signer = [][]byte{der}, k.attester
	}
	switch k.Attestation {
	case Self:
		statement["alg"] = int(k.Algorithm)
	case Packed:
		statement["alg"] = int(ES256)
	case U2F:
		if data, err = u2f(said, m); err != nil {
			return "", nil, err
		}
	default:
		return "", nil, errors.New("securitykey: unknown attestation " + string(k.Attestation))
	}
	statement["sig"], err = sign(signer, data)
	if k.Attestation == U2F {
		return "fido-u2f", statement, err
	}
	return "packed", statement, err
}

// u2f is what a U2F key signs when it registers: §8.6.
func u2f(said Claims, m Message) ([]byte, error) {
	x, hasX := said.Attested.PublicKey[-2].([]byte)
	y, hasY := said.Attested.PublicKey[-3].([]byte)
	if !hasX || !hasY {
		return nil, ErrNotSupported
	}
	hash := sha256.Sum256(m.ClientDataJSON)
	return slices.Concat([]byte{0}, said.RPIDHash, hash[:], said.Attested.ID, []byte{4}, x, y), nil
}
