package securitykey

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

const (
	rpID    = "example.com"
	origin  = "https://id.example.com"
	toMake  = `{"challenge":"Y2hhbGxlbmdlIQ","rp":{"id":"example.com"},"user":{"id":"YW5h"},"pubKeyCredParams":[{"alg":-7},{"alg":-8},{"alg":-35},{"alg":-36},{"alg":-257}]}`
	toProve = `{"challenge":"Y2hhbGxlbmdlIQ","rpId":"example.com","allowCredentials":[{"id":"ID"}]}`
)

func chance(seed string) *rand.ChaCha8 { return rand.NewChaCha8(sha256.Sum256([]byte(seed))) }

// library judges responses with go-webauthn.
type library struct{ *testing.T }

func (l library) registers(response string) *protocol.ParsedCredentialCreationData {
	l.Helper()
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(response))
	if err != nil {
		l.Fatalf("%v in %s", err, response)
	}
	var all []protocol.CredentialParameter
	for _, a := range []Algorithm{ES256, EdDSA, ES384, ES512, RS256} {
		all = append(all, protocol.CredentialParameter{Type: "public-key", Algorithm: webauthncose.COSEAlgorithmIdentifier(a)})
	}
	if _, err := parsed.Verify("Y2hhbGxlbmdlIQ", rpID, []string{origin}, nil, nil, protocol.TopOriginExplicitVerificationMode, false, false, true, nil, all, protocol.AttestationPolicy{}, protocol.SignaturePolicy{}); err != nil {
		l.Fatalf("%v, %+v in %s", err, errors.Unwrap(err), response)
	}
	return parsed
}

func (l library) accepts(made *protocol.ParsedCredentialCreationData, response string) *protocol.ParsedCredentialAssertionData {
	l.Helper()
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(response))
	if err != nil {
		l.Fatalf("%v in %s", err, response)
	}
	public := made.Response.AttestationObject.AuthData.AttData.CredentialPublicKey
	if err := parsed.Verify("Y2hhbGxlbmdlIQ", rpID, "", []string{origin}, nil, nil, protocol.TopOriginExplicitVerificationMode, false, false, true, public, protocol.SignaturePolicy{}); err != nil {
		l.Fatalf("%v in %s", err, response)
	}
	return parsed
}

// register is a key with one credential, and the options that ask for it.
func (l library) register(k *Key) (made *protocol.ParsedCredentialCreationData, options json.RawMessage) {
	l.Helper()
	response, err := k.Register(origin, json.RawMessage(toMake))
	if err != nil {
		l.Fatal(err)
	}
	made = l.registers(response)
	return made, json.RawMessage(strings.Replace(toProve, "ID", made.ID, 1))
}

// What the key says is what go-webauthn takes, whatever it is made of.
func TestAlgorithmsAndAttestations(t *testing.T) {
	for name, algorithm := range map[string]Algorithm{"ES256": ES256, "EdDSA": EdDSA, "ES384": ES384, "ES512": ES512, "RS256": RS256} {
		for format, attestation := range map[string]Attestation{"none": None, "packed self": Self, "packed": Packed, "fido-u2f": U2F} {
			if attestation == U2F && algorithm != ES256 {
				continue // it knows no other
			}
			t.Run(name+" "+format, func(t *testing.T) {
				k := New(chance(name))
				if attestation == U2F {
					k = NewU2F(chance(name))
				}
				k.Algorithm, k.Attestation = algorithm, attestation
				made, options := library{t}.register(k)
				if want, _, _ := strings.Cut(format, " "); made.Response.AttestationObject.Format != want {
					t.Errorf("format %q, want %q", made.Response.AttestationObject.Format, want)
				}
				for i := range uint32(3) {
					response, err := k.Sign(origin, options)
					if err != nil {
						t.Fatal(err)
					}
					if count := (library{t}).accepts(made, response).Response.AuthenticatorData.Counter; count != i+1 {
						t.Errorf("counter %d at use %d", count, i+1)
					}
				}
			})
		}
	}
}

// A passkey does not count, may be copied, and knows whose it is.
func TestPasskey(t *testing.T) {
	k := NewPasskey(chance("passkey"))
	made, _ := library{t}.register(k)
	response, err := k.Sign(origin, json.RawMessage(`{"challenge":"Y2hhbGxlbmdlIQ","rpId":"example.com"}`))
	if err != nil {
		t.Fatal(err)
	}
	got := library{t}.accepts(made, response).Response
	if got.AuthenticatorData.Counter != 0 || Flags(got.AuthenticatorData.Flags) != UP|UV|BE|BS || string(got.UserHandle) != "ana" {
		t.Errorf("%+v", got)
	}
}

// The same randomness gives the same key.
func TestDeterministic(t *testing.T) {
	for _, a := range []Algorithm{ES256, EdDSA, ES384, ES512} {
		var said [2]string
		for i := range said {
			k := New(chance("always"))
			k.Algorithm, k.Attestation = a, Self
			var err error
			if said[i], err = k.Register(origin, json.RawMessage(toMake)); err != nil {
				t.Fatal(err)
			}
		}
		if said[0] != said[1] {
			t.Errorf("%d differs", a)
		}
	}
}

// A clone signs as the original does, and counts for itself.
func TestClone(t *testing.T) {
	k := New(chance("clone"))
	made, options := library{t}.register(k)
	clone := k.Clone()
	for range 3 {
		if _, err := k.Sign(origin, options); err != nil {
			t.Fatal(err)
		}
	}
	response, err := clone.Sign(origin, options)
	if err != nil {
		t.Fatal(err)
	}
	if count := (library{t}).accepts(made, response).Response.AuthenticatorData.Counter; count != 1 {
		t.Errorf("counter %d", count)
	}
}

// Browser and key refuse what they would refuse.
func TestRefusals(t *testing.T) {
	k := New(chance("refusals"))
	k.Flags = UP
	made, options := library{t}.register(k)
	for name, c := range map[string]struct {
		origin, options string
		want            error
	}{
		"another site":       {"https://evil.example", toMake, ErrOrigin},
		"a lookalike":        {"https://id-example.com", toMake, ErrOrigin},
		"a suffix":           {"https://example.com.evil.example", toMake, ErrOrigin},
		"no TLS":             {"http://id.example.com", toMake, ErrOrigin},
		"it is excluded":     {origin, `{"excludeCredentials":[{"id":"` + made.ID + `"}],` + toMake[1:], ErrExcluded},
		"it knows no PIN":    {origin, `{"authenticatorSelection":{"userVerification":"required"},` + toMake[1:], ErrNotAllowed},
		"unknown algorithms": {origin, strings.Replace(toMake, "-7", "-999", 1), ErrNotSupported},
	} {
		if _, err := k.Register(c.origin, json.RawMessage(c.options)); !errors.Is(err, c.want) {
			t.Errorf("registering, %s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		origin, options string
		want            error
	}{
		"another site":            {"https://evil.example", string(options), ErrOrigin},
		"another relying party":   {"https://evil.example", strings.Replace(string(options), rpID, "evil.example", 1), ErrNotAllowed},
		"another credential":      {origin, toProve, ErrNotAllowed},
		"any, but it is not told": {origin, strings.Replace(string(options), "allowCredentials", "x", 1), ErrNotAllowed},
		"it knows no PIN":         {origin, `{"userVerification":"required",` + string(options[1:]), ErrNotAllowed},
	} {
		if _, err := k.Sign(c.origin, json.RawMessage(c.options)); !errors.Is(err, c.want) {
			t.Errorf("signing, %s: %v", name, err)
		}
	}
}

// Lies are told at each stage, and what follows holds to them.
func TestLies(t *testing.T) {
	k := New(chance("lies"))
	var stages []string
	response, err := k.Register(origin, json.RawMessage(toMake), Lie{
		Claims:      func(c *Claims) { stages = append(stages, "claims"); c.Counter, c.Attested.ID = 41, []byte("mine") },
		Message:     func(m *Message) { stages = append(stages, "message") },
		Attestation: func(o *AttestationObject) { stages = append(stages, "attestation") },
		Reply:       func(r *Reply) { stages = append(stages, "reply") },
		Text:        func(s string) string { stages = append(stages, "text"); return s },
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(stages, " "); got != "claims message attestation reply text" {
		t.Errorf("stages: %s", got)
	}
	made := library{t}.registers(response)
	id := base64.RawURLEncoding.EncodeToString([]byte("mine"))
	if made.ID != id || made.Response.AttestationObject.AuthData.Counter != 41 {
		t.Errorf("registered %q with counter %d", made.ID, made.Response.AttestationObject.AuthData.Counter)
	}
	response, err = k.Sign(origin, json.RawMessage(strings.Replace(toProve, "ID", id, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if count := (library{t}).accepts(made, response).Response.AuthenticatorData.Counter; count != 42 {
		t.Errorf("counter %d", count)
	}
}
