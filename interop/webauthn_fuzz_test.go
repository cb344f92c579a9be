package interop

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/webauthn"
	"github.com/twinlatch/twinlatch/twinlatchtest/securitykey"
)

// bothCeremonies is the method between two questions and their right answers.
// It is the same in each process: fuzzing has several.
type bothCeremonies struct {
	method                *webauthn.Method
	in                    twinlatch.Input // with the factor that the key signs for
	enroll, verify        twinlatch.Question
	registered, signed    string
	registeredBy, signing []byte // authenticator data of the right answers
}

func newBothCeremonies(t testing.TB) *bothCeremonies {
	t.Helper()
	method, err := webauthn.New(webauthn.Config{ID: rpID, Name: "Twinlatch", Origins: []string{origin}})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte([]byte("the same for all fuzzing workers")))
	key := securitykey.New(random)
	key.Attestation = securitykey.Self // so that what it registers is signed
	c := &bothCeremonies{method: method, in: twinlatch.Input{
		Account: twinlatch.Account{ID: "ana", Login: "ana@example.org"}, Now: time.Unix(1_800_000_000, 0), Rand: random,
	}}
	if c.enroll, err = method.BeginEnroll(t.Context(), c.in); err != nil {
		t.Fatal(err)
	}
	c.registered = made(t)(key.Register(origin, c.enroll.Prompt.Options, message(func(m *securitykey.Message) { c.registeredBy = m.AuthData })))
	found, err := method.FinishEnroll(t.Context(), c.in, c.enroll.State, twinlatch.Answer{"response": c.registered})
	if err != nil {
		t.Fatal(err)
	}
	c.in.Factors = []twinlatch.OpenFactor{{Factor: twinlatch.Factor{ID: "key", Kind: webauthn.Kind}, Secret: found.Secret}}
	if c.verify, err = method.BeginVerify(t.Context(), c.in); err != nil {
		t.Fatal(err)
	}
	c.signed = made(t)(key.Sign(origin, c.verify.Prompt.Options, message(func(m *securitykey.Message) { c.signing = m.AuthData })))
	return c
}

// judge hands a response to both ceremonies, and fails the test if one accepts
// what the key did not sign.
func (c *bothCeremonies) judge(t *testing.T, response string) {
	a, err := c.method.Parse(twinlatch.Answer{"response": response})
	if err != nil {
		return
	}
	without := c.in
	without.Factors = nil
	if _, err := c.method.FinishEnroll(t.Context(), without, c.enroll.State, a); err == nil {
		said, err := protocol.ParseCredentialCreationResponseBytes([]byte(response))
		if err != nil {
			t.Fatal(err)
		}
		raw := said.Raw.AttestationResponse
		if said.Response.AttestationObject.Format == "packed" && (!bytes.Equal(said.Response.AttestationObject.RawAuthData, c.registeredBy) ||
			!bytes.Equal(raw.ClientDataJSON, clientDataOf(t, c.registered))) {
			t.Fatalf("registered by what was not signed: %s", response)
		}
	}
	if _, err := c.method.FinishVerify(t.Context(), c.in, c.verify.State, a); err == nil {
		said, err := protocol.ParseCredentialRequestResponseBytes([]byte(response))
		if err != nil {
			t.Fatal(err)
		}
		raw := said.Raw.AssertionResponse
		if !bytes.Equal(raw.AuthenticatorData, c.signing) || !bytes.Equal(raw.ClientDataJSON, clientDataOf(t, c.signed)) {
			t.Fatalf("verified by what was not signed: %s", response)
		}
	}
}

func clientDataOf(t *testing.T, response string) []byte {
	t.Helper()
	var r securitykey.Reply
	if err := json.Unmarshal([]byte(response), &r); err != nil {
		t.Fatal(err)
	}
	return r.Response.ClientDataJSON
}

// FuzzResponse changes responses as text.
func FuzzResponse(f *testing.F) {
	c := newBothCeremonies(f)
	for _, seed := range []string{c.registered, c.signed, "{}", "", `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`} {
		f.Add(seed)
	}
	f.Fuzz(c.judge)
}

// FuzzParts changes what is inside of the base64url: the given part at one place,
// by what is put there instead of as many bytes.
func FuzzParts(f *testing.F) {
	c := newBothCeremonies(f)
	for part := range uint8(6) {
		for _, at := range []uint16{0, 1, 31, 32, 36, 37, 54, 60, 90, 130} {
			f.Add(part, at, []byte{0xff})
			f.Add(part, at, []byte{})
			f.Add(part, at, bytes.Repeat([]byte{0x81}, 40))
		}
	}
	f.Fuzz(func(t *testing.T, part uint8, at uint16, instead []byte) {
		response := c.registered
		if part%2 == 1 {
			response = c.signed
		}
		var r securitykey.Reply
		if err := json.Unmarshal([]byte(response), &r); err != nil {
			t.Fatal(err)
		}
		changed := []*securitykey.Bytes{
			&r.Response.ClientDataJSON, &r.Response.ClientDataJSON, &r.Response.AttestationObject, &r.Response.AuthenticatorData,
			&r.RawID, &r.Response.Signature,
		}[part%6]
		from := min(int(at), len(*changed))
		to := min(from+max(1, len(instead)), len(*changed))
		*changed = slices.Concat((*changed)[:from], instead, (*changed)[to:])
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		c.judge(t, string(text))
	})
}
