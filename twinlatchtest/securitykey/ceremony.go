package securitykey

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"slices"
)

// descriptor and offer are parts of options.
type (
	descriptor struct {
		ID Bytes `json:"id"`
	}
	offer struct {
		Algorithm Algorithm `json:"alg"`
	}
)

// Register makes a credential for a page at origin: navigator.credentials.create.
func (k *Key) Register(origin string, options json.RawMessage, told ...Lie) (response string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var asked struct {
		Challenge string `json:"challenge"`
		RP        struct {
			ID string `json:"id"`
		} `json:"rp"`
		User struct {
			ID Bytes `json:"id"`
		} `json:"user"`
		Algorithms []offer      `json:"pubKeyCredParams"`
		Exclude    []descriptor `json:"excludeCredentials"`
		Selection  struct {
			UserVerification string `json:"userVerification"`
		} `json:"authenticatorSelection"`
	}
	if err := json.Unmarshal(options, &asked); err != nil {
		return "", err
	}
	rp, err := scope(origin, asked.RP.ID)
	switch {
	case err != nil:
		return "", err
	case k.find(rp, asked.Exclude) != nil:
		return "", ErrExcluded
	case !k.proves(asked.Selection.UserVerification):
		return "", ErrNotAllowed
	}
	if !slices.ContainsFunc(asked.Algorithms, func(o offer) bool { return o.Algorithm == k.Algorithm }) {
		return "", ErrNotSupported
	}
	made := &credential{rp: rp, user: asked.User.ID, id: make([]byte, 32)}
	if _, err := io.ReadFull(k.rand, made.id); err != nil {
		return "", err
	}
	if made.key, err = k.Algorithm.newKey(k.rand); err != nil {
		return "", err
	}
	said := k.claims("webauthn.create", asked.Challenge, origin, made)
	said.Flags |= AT
	said.Attested = &Attested{AAGUID: k.AAGUID, ID: made.id, PublicKey: k.Algorithm.cose(made.key.Public())}
	if k.Attestation.certified() {
		said.Certificate = certificate(k.AAGUID, k.Attestation)
	}
	tell(&said, told, inClaims)
	made.id, made.counter = said.Attested.ID, said.Counter
	message, err := said.message(made.key)
	if err != nil {
		return "", err
	}
	tell(&message, told, inMessage)
	object := AttestationObject{AuthData: message.AuthData}
	if object.Format, object.Statement, err = k.attest(said, message); err != nil {
		return "", err
	}
	tell(&object, told, inAttestation)
	encoded, err := encode(object)
	if err != nil {
		return "", err
	}
	k.credentials = append(k.credentials, made)
	return made.reply(Response{ClientDataJSON: message.ClientDataJSON, AttestationObject: encoded, Transports: k.Transports}).text(told)
}

// Sign answers a page at origin: navigator.credentials.get.
func (k *Key) Sign(origin string, options json.RawMessage, told ...Lie) (response string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var asked struct {
		Challenge        string       `json:"challenge"`
		RP               string       `json:"rpId"`
		Allow            []descriptor `json:"allowCredentials"`
		UserVerification string       `json:"userVerification"`
	}
	if err := json.Unmarshal(options, &asked); err != nil {
		return "", err
	}
	rp, err := scope(origin, asked.RP)
	if err != nil {
		return "", err
	}
	if len(asked.Allow) == 0 && k.Discoverable {
		for _, c := range k.credentials {
			asked.Allow = append(asked.Allow, descriptor{c.id})
		}
	}
	used := k.find(rp, asked.Allow)
	if used == nil || !k.proves(asked.UserVerification) {
		return "", ErrNotAllowed
	}
	used.counter += k.Step
	said := k.claims("webauthn.get", asked.Challenge, origin, used)
	tell(&said, told, inClaims)
	message, err := said.message(used.key)
	if err != nil {
		return "", err
	}
	tell(&message, told, inMessage)
	answer := Response{ClientDataJSON: message.ClientDataJSON, AuthenticatorData: message.AuthData}
	if answer.Signature, err = sign(message.Signer, message.signed()); err != nil {
		return "", err
	}
	if k.Discoverable {
		answer.UserHandle = used.user
	}
	return used.reply(answer).text(told)
}

func (c *credential) reply(r Response) *Reply {
	return &Reply{ID: c.id, RawID: c.id, Type: "public-key", Response: r, Extensions: map[string]any{}}
}

func (k *Key) claims(what, challenge, origin string, c *credential) Claims {
	rp := sha256.Sum256([]byte(c.rp))
	return Claims{
		ClientData: ClientData{Type: what, Challenge: challenge, Origin: origin},
		RPIDHash:   rp[:], Flags: k.Flags, Counter: c.counter,
	}
}
