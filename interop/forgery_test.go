package interop

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"testing"

	"github.com/twinlatch/twinlatch/twinlatchtest/securitykey"
)

// attempt is what an attacker has: a session that got a question, a key that
// could answer it, and all of the site.
type attempt struct {
	*person
	owner *person // of the account, where the second step is done
	key   *securitykey.Key
	question
}

// A forgery makes a response that must be refused.
type forgery func(*attempt) string

// forged is a forgery with its name. The names begin with the step of Web
// Authentication Level 3, §7.1 or §7.2, that finds it, or say whose attack it is.
type forged struct {
	name   string
	forge  forgery
	status int // 0: refused
}

func (a *attempt) register(lies ...securitykey.Lie) string {
	a.t.Helper()
	return made(a.t)(a.key.Register(origin, a.options, lies...))
}

func (a *attempt) sign(lies ...securitykey.Lie) string {
	a.t.Helper()
	return made(a.t)(a.key.Sign(origin, a.options, lies...))
}

// registering lies while it registers, signing while it signs.
func registering(lies ...securitykey.Lie) forgery {
	return func(a *attempt) string { a.t.Helper(); return a.register(lies...) }
}

func signing(lies ...securitykey.Lie) forgery {
	return func(a *attempt) string { a.t.Helper(); return a.sign(lies...) }
}

// by is a forgery with a key that is set up otherwise.
func by(change func(*securitykey.Key), f forgery) forgery {
	return func(a *attempt) string { a.t.Helper(); change(a.key); return f(a) }
}

// asking is a forgery after the client changed the options.
func asking(change func(options map[string]any), f forgery) forgery {
	return func(a *attempt) string {
		a.t.Helper()
		a.options = json.RawMessage(edited(change)(string(a.options)))
		return f(a)
	}
}

// instead is a forgery that is no response at all.
func instead(text string) forgery { return func(*attempt) string { return text } }

// The lies that tables need, by what they change.

func claims(change func(*securitykey.Claims)) securitykey.Lie { return securitykey.Lie{Claims: change} }

func message(change func(*securitykey.Message)) securitykey.Lie {
	return securitykey.Lie{Message: change}
}

func attestation(change func(*securitykey.AttestationObject)) securitykey.Lie {
	return securitykey.Lie{Attestation: change}
}

func reply(change func(*securitykey.Reply)) securitykey.Lie { return securitykey.Lie{Reply: change} }

func text(change func(string) string) securitykey.Lie { return securitykey.Lie{Text: change} }

// members changes the response as a JSON object.
func members(change func(map[string]any)) securitykey.Lie { return text(edited(change)) }

// response changes its member "response".
func response(change func(map[string]any)) securitykey.Lie {
	return members(func(m map[string]any) { change(m["response"].(map[string]any)) })
}

// clientData changes the client data as a JSON object, and clientText as text.
func clientData(change func(map[string]any)) securitykey.Lie { return clientText(edited(change)) }

func clientText(change func(string) string) securitykey.Lie {
	return message(func(m *securitykey.Message) { m.ClientDataJSON = []byte(change(string(m.ClientDataJSON))) })
}

// authData changes the authenticator data as bytes, before they are signed.
func authData(change func([]byte) []byte) securitykey.Lie {
	return message(func(m *securitykey.Message) { m.AuthData = change(slices.Clone(m.AuthData)) })
}

// object replaces the attestation object, which is not signed, by other CBOR.
func object(change func(right []byte) []byte) securitykey.Lie {
	return reply(func(r *securitykey.Reply) {
		r.Response.AttestationObject = change(slices.Clone(r.Response.AttestationObject))
	})
}

// cose changes the public key; coseBytes replaces its CBOR.
func cose(change func(securitykey.COSE)) securitykey.Lie {
	return claims(func(c *securitykey.Claims) { change(c.Attested.PublicKey) })
}

func coseBytes(cbor ...byte) securitykey.Lie {
	return claims(func(c *securitykey.Claims) { c.Attested.RawKey = cbor })
}

// from lets the browser be elsewhere.
func from(origin string) securitykey.Lie {
	return claims(func(c *securitykey.Claims) { c.ClientData.Origin = origin })
}

// edited changes JSON as an object.
func edited(change func(map[string]any)) func(string) string {
	return func(text string) string {
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			panic(err)
		}
		change(m)
		out, err := json.Marshal(m)
		if err != nil {
			panic(err)
		}
		return string(out)
	}
}

// without removes a member, with sets one.
func without(name string) func(map[string]any) {
	return func(m map[string]any) { delete(m, name) }
}

func with(name string, value any) func(map[string]any) {
	return func(m map[string]any) { m[name] = value }
}

func hashOf(party string) []byte {
	hash := sha256.Sum256([]byte(party))
	return hash[:]
}

// flip changes one bit of the last byte.
func flip(b []byte) []byte {
	b = slices.Clone(b)
	b[len(b)-1] ^= 1
	return b
}

// run is one table: each forgery in a subtest, against people of its own.
func run(t *testing.T, all []forged, try func(t *testing.T, f forged)) {
	t.Helper()
	names := map[string]bool{}
	for _, f := range all {
		if names[f.name] {
			t.Errorf("two cases are called %q", f.name)
		}
		names[f.name] = true
		if f.status == 0 {
			f.status = refused
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			try(t, f)
		})
	}
}
