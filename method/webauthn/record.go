package webauthn

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"

	"github.com/go-webauthn/webauthn/metadata"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"github.com/twinlatch/twinlatch"
)

// record is the credential record of §4 as a factor's secret. Nothing in it is
// one; the signature count is the factor's counter.
type record struct {
	ID         []byte                            `json:"id"`
	PublicKey  []byte                            `json:"public_key"` // COSE_Key
	Transports []protocol.AuthenticatorTransport `json:"transports,omitempty"`
	Copyable   bool                              `json:"backup_eligible,omitempty"`
	Model      []byte                            `json:"aaguid,omitempty"`
	Format     string                            `json:"attestation,omitempty"`
}

func recordOf(c *webauthn.Credential) record {
	return record{
		ID: c.ID, PublicKey: c.PublicKey, Transports: known(c.Transport), Copyable: c.Flags.BackupEligible,
		Model: c.Authenticator.AAGUID, Format: c.AttestationFormat,
	}
}

// known keeps the transports that the specification knows (§5.8.4), each once:
// they come from the client and go back to it.
func known(transports []protocol.AuthenticatorTransport) []protocol.AuthenticatorTransport {
	var kept []protocol.AuthenticatorTransport
	for _, t := range [...]protocol.AuthenticatorTransport{protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard, protocol.Hybrid, protocol.Internal} {
		if slices.Contains(transports, t) {
			kept = append(kept, t)
		}
	}
	return kept
}

func (r record) secret() (twinlatch.Secret, error) {
	text, err := json.Marshal(r)
	return twinlatch.NewSecret(string(text)), err
}

// owner is the account and its keys, as webauthn.User.
type owner struct {
	account twinlatch.Account
	keys    []key
}

type key struct {
	factor     twinlatch.FactorID
	credential webauthn.Credential
}

func ownerOf(in twinlatch.Input) (owner, error) {
	o := owner{account: in.Account}
	for _, f := range in.Factors {
		var r record
		if err := json.Unmarshal([]byte(f.Secret.Reveal()), &r); f.Kind != Kind || err != nil || len(r.ID) == 0 {
			return o, fmt.Errorf("webauthn: factor %q of kind %q has no credential of this method", f.ID, f.Kind)
		}
		o.keys = append(o.keys, key{f.ID, webauthn.Credential{
			ID: r.ID, PublicKey: r.PublicKey, Transport: r.Transports, AttestationFormat: r.Format,
			Flags:         webauthn.CredentialFlags{BackupEligible: r.Copyable},
			Authenticator: webauthn.Authenticator{AAGUID: r.Model, SignCount: uint32(f.Counter)},
		}})
	}
	return o, nil
}

func (o owner) WebAuthnID() []byte          { return []byte(o.account.ID) }
func (o owner) WebAuthnName() string        { return o.account.Login }
func (o owner) WebAuthnDisplayName() string { return o.account.DisplayName }

func (o owner) WebAuthnCredentials() []webauthn.Credential {
	var all []webauthn.Credential
	for _, k := range o.keys {
		all = append(all, k.credential)
	}
	return all
}

func (o owner) descriptors() []protocol.CredentialDescriptor {
	return webauthn.Credentials(o.WebAuthnCredentials()).CredentialDescriptors()
}

func (o owner) has(credential []byte) bool { return o.factor(credential) != "" }

// factor is the one with a credential; empty: there is none.
func (o owner) factor(credential []byte) twinlatch.FactorID {
	for _, k := range o.keys {
		if bytes.Equal(k.credential.ID, credential) {
			return k.factor
		}
	}
	return ""
}

const (
	maxKey     = 1 << 10 // bytes of a COSE_Key; an RSA key of maxModulus has half
	maxModulus = 4096    // bits
)

// checkCost refuses what nobody needs and what would take long to verify: strangers
// may send what they like.
func checkCost(o protocol.AttestationObject) error {
	if err := checkKey(o.AuthData.AttData.CredentialPublicKey); err != nil {
		return err
	}
	switch protocol.AttestationFormat(o.Format) {
	case protocol.AttestationFormatAndroidSafetyNet, protocol.AttestationFormatCompound:
		return fmt.Errorf("webauthn: attestation %q is not accepted: %w", o.Format, twinlatch.ErrWrongCode)
	}
	chain, _ := o.AttStatement["x5c"].([]any)
	for _, raw := range chain {
		der, _ := raw.([]byte)
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return wrong(err)
		}
		if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > maxModulus {
			return fmt.Errorf("webauthn: a certificate with an RSA key of %d bits is not accepted: %w", k.N.BitLen(), twinlatch.ErrWrongCode)
		}
	}
	return nil
}

// checkKey refuses a public key that could not verify anything later, or that is
// too weak. Without attestation nothing else has looked at it yet.
func checkKey(cose []byte) error {
	if len(cose) > maxKey {
		return fmt.Errorf("webauthn: a public key of %d bytes is not accepted: %w", len(cose), twinlatch.ErrWrongCode)
	}
	parsed, err := webauthncose.ParsePublicKey(cose)
	if err != nil {
		return wrong(err)
	}
	if key, ok := parsed.(webauthncose.RSAPublicKeyData); ok {
		n, e := new(big.Int).SetBytes(key.Modulus), new(big.Int).SetBytes(key.Exponent)
		if key.Algorithm != int64(webauthncose.AlgRS256) || n.BitLen() < 2048 || n.BitLen() > maxModulus || n.Bit(0) == 0 || e.BitLen() < 2 || e.BitLen() > 31 || e.Bit(0) == 0 {
			return fmt.Errorf("webauthn: an RSA key of %d bits and exponent %d bits long is not accepted: %w", n.BitLen(), e.BitLen(), twinlatch.ErrWrongCode)
		}
	}
	return nil
}

// checkModel holds a credential to Config.Models.
func (m *Method) checkModel(c *webauthn.Credential) error {
	if len(m.models) == 0 {
		return nil
	}
	model := c.Authenticator.AAGUID
	proved := slices.Contains([]string{string(metadata.BasicFull), string(metadata.AttCA)}, c.AttestationType)
	if !proved || !slices.ContainsFunc(m.models, func(allowed []byte) bool { return bytes.Equal(allowed, model) }) {
		return &twinlatch.WrongCodeError{
			Cause: fmt.Errorf("webauthn: model %s with %s attestation is not on the list: %w", uuid.UUID(model), c.AttestationFormat, twinlatch.ErrWrongCode),
			Key:   "err.key.model",
		}
	}
	return nil
}
