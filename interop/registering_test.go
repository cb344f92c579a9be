package interop

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/twinlatch/twinlatch/twinlatchtest/securitykey"
)

// Registering a new credential, §7.1: each forgery is refused, nothing is
// enrolled, and an honest key is enrolled afterwards.
func TestRegistering(t *testing.T) {
	s := newSite(t)
	run(t, slices.Concat(registration().common(), registrations(), keys(), statements()), func(t *testing.T, f forged) {
		p := s.person(t)
		a := &attempt{person: p, owner: p, key: newKey(), question: p.adds()}
		p.answers(a.question, f.forge(a)).is(f.status)
		p.mustHaveNoKey()
		honest := newKey()
		p.enroll(honest)
		p.elsewhere().verify(honest)
	})
}

func registration() ceremony {
	return ceremony{
		section: "§7.1", json: 6, kind: 7, challenge: 8, origin: 9, cross: 10, top: 11, data: 13, party: 14, up: 15, backup: 17,
		is: "webauthn.create", isNot: "webauthn.get", lying: registering,
		otherSession: func(a *attempt) question { return a.elsewhere().adds() },
		otherAccount: func(a *attempt) question { return a.site.person(a.t).adds() },
	}
}

// self, packed and u2f let the key attest.
func self(k *securitykey.Key)   { k.Attestation = securitykey.Self }
func packed(k *securitykey.Key) { k.Attestation = securitykey.Packed }
func u2f(k *securitykey.Key) {
	k.Attestation, k.AAGUID, k.Flags = securitykey.U2F, [16]byte{}, securitykey.UP
}

// members of the attestation object, after CBOR.
func objectWith(change func(map[string]any)) securitykey.Lie {
	return object(func(right []byte) []byte {
		var m map[string]any
		if err := cbor.Unmarshal(right, &m); err != nil {
			panic(err)
		}
		change(m)
		return encoded(m)
	})
}

func encoded(v any) []byte {
	b, err := cbor.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// registrations are wrong in the response and in what it attests.
func registrations() []forged {
	all := []forged{
		{name: "§7.1 step 3: the response is an assertion", forge: registering(response(func(m map[string]any) {
			m["authenticatorData"], m["signature"] = m["attestationObject"], "AAAA"
			delete(m, "attestationObject")
		}))},
		{name: "§7.1 step 3: the attestation object is missing", forge: registering(response(without("attestationObject")))},
		{name: "§7.1 step 3: the attestation object is a number", forge: registering(response(with("attestationObject", 1)))},
		{name: "§7.1 step 3: the attestation object is no base64url", forge: registering(response(with("attestationObject", "%%%")))},
		{name: "§7.1 step 3: transports are a string", forge: registering(response(with("transports", "usb")))},
		{name: "§7.1 step 8: the challenge has taken its one answer", forge: func(a *attempt) string {
			right := a.register()
			a.answers(a.question, a.register(from("https://evil.example"))).is(refused)
			return right
		}},
		{name: "§7.1 step 12: client data altered after self attestation", forge: by(self, registering(reply(func(r *securitykey.Reply) {
			r.Response.ClientDataJSON = append(r.Response.ClientDataJSON[:len(r.Response.ClientDataJSON)-1], ` }`...)
		})))},
		{name: "§7.1 step 25: a credential id of 1024 bytes", forge: registering(claims(func(c *securitykey.Claims) { c.Attested.ID = make([]byte, 1024) }))},
		{name: "§7.1 step 25: a credential id that is empty", forge: registering(claims(func(c *securitykey.Claims) { c.Attested.ID = []byte{} }))},
		{name: "§7.1 step 27: the response names another credential than it attests", forge: registering(reply(func(r *securitykey.Reply) {
			r.ID, r.RawID = flip(r.ID), flip(r.RawID)
		}))},
	}
	for what, change := range map[string]func([]byte) []byte{
		"empty":                          func([]byte) []byte { return []byte{} },
		"no CBOR":                        func([]byte) []byte { return []byte("{}") },
		"an array":                       func([]byte) []byte { return []byte{0x80} },
		"an empty map":                   func([]byte) []byte { return []byte{0xa0} },
		"null":                           func([]byte) []byte { return []byte{0xf6} },
		"a byte short":                   func(b []byte) []byte { return b[:len(b)-1] },
		"followed by a byte":             func(b []byte) []byte { return append(b, 0) },
		"of indefinite length":           func(b []byte) []byte { b[0] = 0xbf; return append(b, 0xff) },
		"a map with fmt twice":           func(b []byte) []byte { b[0]++; return append(b, "\x63fmt\x64none"...) },
		"tagged":                         func(b []byte) []byte { return append([]byte{0xd9, 0xd9, 0xf7}, b...) },
		"10,000 arrays in each other":    func([]byte) []byte { return append(bytes.Repeat([]byte{0x81}, 10000), 0x80) },
		"a map of 2^32 members":          func([]byte) []byte { return []byte{0xba, 0xff, 0xff, 0xff, 0xff} },
		"an array of 2^63 members":       func([]byte) []byte { return []byte{0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff} },
		"said to have 2^64-1 bytes more": func([]byte) []byte { return []byte("\xa1\x68authData\x5b\xff\xff\xff\xff\xff\xff\xff\xff") },
	} {
		all = append(all, forged{name: "§7.1 step 13: the attestation object is " + what, forge: registering(object(change))})
	}
	for _, name := range []string{"fmt", "attStmt", "authData"} {
		all = append(all,
			forged{name: "§7.1 step 13: the attestation object has no " + name, forge: registering(objectWith(without(name)))},
			forged{name: "§7.1 step 13: the attestation object's " + name + " is null", forge: registering(objectWith(with(name, nil)))},
			forged{name: "§7.1 step 13: the attestation object's " + name + " is a number", forge: registering(objectWith(with(name, 1)))},
			forged{name: "§7.1 step 13: the attestation object's " + name + " is a list", forge: registering(objectWith(with(name, []int{})))},
		)
	}
	for what, change := range map[string]func([]byte) []byte{
		"hides that there is a credential":      func(b []byte) []byte { b[32] &^= byte(securitykey.AT); return b },
		"has no credential and says so":         func(b []byte) []byte { b[32] &^= byte(securitykey.AT); return b[:37] },
		"has no credential":                     func(b []byte) []byte { return b[:37] },
		"ends after the AAGUID":                 func(b []byte) []byte { return b[:53] },
		"ends in the length of the id":          func(b []byte) []byte { return b[:54] },
		"ends after the length of the id":       func(b []byte) []byte { return b[:55] },
		"ends in the id":                        func(b []byte) []byte { return b[:60] },
		"ends after the id":                     func(b []byte) []byte { return b[:87] },
		"has an id as long as can be written":   func(b []byte) []byte { b[53], b[54] = 0xff, 0xff; return b },
		"has an id that takes part of the key":  func(b []byte) []byte { b[54]++; return b },
		"has an id that leaves part to the key": func(b []byte) []byte { b[54]--; return b },
	} {
		all = append(all, forged{name: "§7.1 step 13: the authenticator data " + what, forge: registering(authData(change))})
	}
	return all
}

// keys are credential public keys that must not be stored: nothing but the
// server looks at them, because without attestation nothing is signed.
func keys() []forged {
	all := []forged{
		{name: "§7.1 step 20: ES384, which was not offered", forge: by(
			func(k *securitykey.Key) { k.Algorithm = securitykey.ES384 },
			asking(with("pubKeyCredParams", []any{map[string]any{"alg": securitykey.ES384}}), registering()))},
		{name: "§7.1 step 20: ES512, which was not offered", forge: by(
			func(k *securitykey.Key) { k.Algorithm = securitykey.ES512 },
			asking(with("pubKeyCredParams", []any{map[string]any{"alg": securitykey.ES512}}), registering()))},
	}
	p256, zero, full := elliptic.P256().Params(), make([]byte, 32), bytes.Repeat([]byte{0xff}, 32)
	for what, change := range map[string]func(securitykey.COSE){
		"without alg":                     func(c securitykey.COSE) { delete(c, 3) },
		"with alg as text":                func(c securitykey.COSE) { c[3] = "ES256" },
		"with alg 0":                      func(c securitykey.COSE) { c[3] = 0 },
		"of RS1":                          func(c securitykey.COSE) { c[3] = -65535 },
		"of PS256":                        func(c securitykey.COSE) { c[3] = -37 },
		"of HMAC":                         func(c securitykey.COSE) { c[3] = 5 },
		"of ES256K":                       func(c securitykey.COSE) { c[3] = -47 },
		"that says EdDSA":                 func(c securitykey.COSE) { c[3] = -8 },
		"that says RS256":                 func(c securitykey.COSE) { c[3] = -257 },
		"without kty":                     func(c securitykey.COSE) { delete(c, 1) },
		"of kty OKP":                      func(c securitykey.COSE) { c[1] = 1 },
		"of kty RSA":                      func(c securitykey.COSE) { c[1] = 3 },
		"of kty symmetric":                func(c securitykey.COSE) { c[1] = 4 },
		"of kty 0":                        func(c securitykey.COSE) { c[1] = 0 },
		"without crv":                     func(c securitykey.COSE) { delete(c, -1) },
		"on P-384":                        func(c securitykey.COSE) { c[-1] = 2 },
		"on Ed25519":                      func(c securitykey.COSE) { c[-1] = 6 },
		"on secp256k1":                    func(c securitykey.COSE) { c[-1] = 8 },
		"without x":                       func(c securitykey.COSE) { delete(c, -2) },
		"without y":                       func(c securitykey.COSE) { delete(c, -3) },
		"with y compressed":               func(c securitykey.COSE) { c[-3] = true },
		"with x as text":                  func(c securitykey.COSE) { c[-2] = "x" },
		"with x a byte short":             func(c securitykey.COSE) { c[-2] = c[-2].([]byte)[1:] },
		"with x a byte long":              func(c securitykey.COSE) { c[-2] = append([]byte{0}, c[-2].([]byte)...) },
		"with y empty":                    func(c securitykey.COSE) { c[-3] = []byte{} },
		"beside the curve":                func(c securitykey.COSE) { c[-3] = flip(c[-3].([]byte)) },
		"at the origin":                   func(c securitykey.COSE) { c[-2], c[-3] = zero, zero },
		"at infinity":                     func(c securitykey.COSE) { c[-2], c[-3] = []byte{}, []byte{} },
		"with coordinates over the prime": func(c securitykey.COSE) { c[-2], c[-3] = full, full },
		"with x equal to the prime":       func(c securitykey.COSE) { c[-2] = p256.P.Bytes() },
		"of Ed25519 with 31 bytes":        func(c securitykey.COSE) { remake(c, securitykey.COSE{1: 1, 3: -8, -1: 6, -2: make([]byte, 31)}) },
		"of Ed25519 with 33 bytes":        func(c securitykey.COSE) { remake(c, securitykey.COSE{1: 1, 3: -8, -1: 6, -2: make([]byte, 33)}) },
		"of Ed25519 without crv":          func(c securitykey.COSE) { remake(c, securitykey.COSE{1: 1, 3: -8, -2: full}) },
		"of Ed25519 on X25519":            func(c securitykey.COSE) { remake(c, securitykey.COSE{1: 1, 3: -8, -1: 4, -2: full}) },
		"of Ed25519 on Ed448":             func(c securitykey.COSE) { remake(c, securitykey.COSE{1: 1, 3: -8, -1: 7, -2: make([]byte, 57)}) },
		"of Ed25519 on P-256":             func(c securitykey.COSE) { c[3], c[1] = -8, 1; delete(c, -3) },
		"of RSA without modulus":          func(c securitykey.COSE) { remake(c, securitykey.COSE{1: 3, 3: -257, -2: []byte{1, 0, 1}}) },
		"of RSA without exponent":         func(c securitykey.COSE) { remake(c, securitykey.COSE{1: 3, 3: -257, -1: bytes.Repeat(full, 8)}) },
		"of RSA that says ES256":          func(c securitykey.COSE) { remake(c, modulus(2048)); c[3] = -7 },
		"of RSA with modulus 0":           func(c securitykey.COSE) { remake(c, modulus(0)) },
		"of RSA with modulus 1":           func(c securitykey.COSE) { remake(c, modulus(1)) },
		"of RSA with 512 bits":            func(c securitykey.COSE) { remake(c, modulus(512)) },
		"of RSA with 1024 bits":           func(c securitykey.COSE) { remake(c, modulus(1024)) },
		"of RSA with 2047 bits":           func(c securitykey.COSE) { remake(c, modulus(2047)) },
		"of RSA with 16384 bits":          func(c securitykey.COSE) { remake(c, modulus(16384)) },
		"of RSA with an even modulus":     func(c securitykey.COSE) { remake(c, modulus(2048)); c[-1] = flip(c[-1].([]byte)) },
		"of RSA with exponent 0":          func(c securitykey.COSE) { remake(c, modulus(2048)); c[-2] = []byte{0} },
		"of RSA with exponent 1":          func(c securitykey.COSE) { remake(c, modulus(2048)); c[-2] = []byte{1} },
		"of RSA with an even exponent":    func(c securitykey.COSE) { remake(c, modulus(2048)); c[-2] = []byte{1, 0, 0} },
		"of RSA with a huge exponent":     func(c securitykey.COSE) { remake(c, modulus(2048)); c[-2] = bytes.Repeat(full, 8) },
	} {
		all = append(all, forged{name: "§7.1 step 20: a key " + what, forge: registering(cose(change))})
	}
	for what, said := range map[string][]byte{
		"no map":                     {0x01},
		"an empty map":               {0xa0},
		"null":                       {0xf6},
		"not there":                  {},
		"a map of indefinite length": append(append([]byte{0xbf, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20}, full...), 0xff),
		"a map with kty twice":       {0xa3, 1, 2, 1, 3, 3, 0x26},
		"a map with text for names":  {0xa2, 0x61, '1', 2, 0x61, '3', 0x26},
		"10,000 maps in each other":  bytes.Repeat([]byte{0xa1, 0x01}, 10000),
		"a map of 2^32 members":      {0xba, 0xff, 0xff, 0xff, 0xff},
		"tagged":                     {0xd8, 0x18, 0xa0},
	} {
		all = append(all, forged{name: "§7.1 step 13: the key is " + what, forge: registering(coseBytes(said...))})
	}
	return all
}

// remake makes another key of a COSE map.
func remake(c, other securitykey.COSE) {
	clear(c)
	for name, value := range other {
		c[name] = value
	}
}

// modulus is an RSA key with an odd modulus of that many bits.
func modulus(bits uint) securitykey.COSE {
	n := new(big.Int).Lsh(big.NewInt(1), bits)
	n.Sub(n, big.NewInt(1))
	return securitykey.COSE{1: 3, 3: -257, -1: n.Bytes(), -2: []byte{1, 0, 1}}
}

// statements are wrong attestations.
func statements() []forged {
	var all []forged
	for _, format := range []string{"", "None", "NONE", "nоne", "x", "packed ", "tpm", "android-key", "android-safetynet", "apple", "compound", "fido-u2f"} {
		all = append(all, forged{name: "§7.1 step 21: none is called " + format, forge: registering(attestation(func(o *securitykey.AttestationObject) { o.Format = format }))})
	}
	for _, format := range []string{"none", "", "Packed", "tpm", "android-key", "android-safetynet", "apple", "fido-u2f"} {
		all = append(all, forged{name: "§7.1 step 21: packed is called " + format, forge: by(packed, registering(attestation(func(o *securitykey.AttestationObject) { o.Format = format })))})
	}
	statement := func(name string, value any) securitykey.Lie {
		return attestation(func(o *securitykey.AttestationObject) { o.Statement[name] = value })
	}
	change := func(name string, change func([]byte) []byte) securitykey.Lie {
		return attestation(func(o *securitykey.AttestationObject) { o.Statement[name] = change(o.Statement[name].([]byte)) })
	}
	signedByAnother := message(func(m *securitykey.Message) { m.Signer = stranger() })
	for name, key := range map[string]func(*securitykey.Key){"§8.2 self": self, "§8.2 packed": packed, "§8.6 fido-u2f": u2f} {
		for what, lie := range map[string]securitykey.Lie{
			"signature is wrong":              change("sig", flip),
			"signature is cut":                change("sig", func(b []byte) []byte { return b[:len(b)-1] }),
			"signature is followed by a byte": change("sig", func(b []byte) []byte { return append(b, 0) }),
			"signature is empty":              change("sig", func([]byte) []byte { return []byte{} }),
			"signature is text":               statement("sig", "signed"),
			"signature is missing":            attestation(func(o *securitykey.AttestationObject) { delete(o.Statement, "sig") }),
			"signature is over other client data": reply(func(r *securitykey.Reply) {
				r.Response.ClientDataJSON = append([]byte(" "), r.Response.ClientDataJSON...)
			}),
			"signature is over another id": {
				Attestation: func(o *securitykey.AttestationObject) { o.AuthData[55] ^= 1 },
				Reply: func(r *securitykey.Reply) {
					r.ID = slices.Clone(r.ID)
					r.ID[0] ^= 1
					r.RawID = r.ID
				},
			},
			"statement is empty": attestation(func(o *securitykey.AttestationObject) { clear(o.Statement) }),
		} {
			all = append(all, forged{name: "§7.1 step 22, " + name + ": the " + what, forge: by(key, registering(lie))})
		}
	}
	for name, key := range map[string]func(*securitykey.Key){"§8.2 packed": packed, "§8.6 fido-u2f": u2f} {
		for what, lie := range map[string]securitykey.Lie{
			"the certificate is missing":      attestation(func(o *securitykey.AttestationObject) { delete(o.Statement, "x5c") }),
			"the certificates are none":       statement("x5c", [][]byte{}),
			"the certificate is text":         statement("x5c", []string{"certificate"}),
			"the certificates are no list":    statement("x5c", []byte("certificate")),
			"the certificate is no X.509":     statement("x5c", [][]byte{[]byte("certificate")}),
			"the certificate is of another":   attestation(func(o *securitykey.AttestationObject) { o.Statement["x5c"] = [][]byte{otherCertificate()} }),
			"the certificate is over":         claims(func(c *securitykey.Claims) { c.Certificate.NotAfter = time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC) }),
			"the certificate is not yet good": claims(func(c *securitykey.Claims) { c.Certificate.NotBefore = time.Date(2119, 1, 1, 0, 0, 0, 0, time.UTC) }),
		} {
			all = append(all, forged{name: "§7.1 step 22, " + name + ": " + what, forge: by(key, registering(lie))})
		}
	}
	aaguid := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4}
	for what, lie := range map[string]securitykey.Lie{
		"alg is that of another key":          statement("alg", -257),
		"alg is unknown":                      statement("alg", -999),
		"alg is text":                         statement("alg", "ES256"),
		"alg is missing":                      attestation(func(o *securitykey.AttestationObject) { delete(o.Statement, "alg") }),
		"the certificate has no country":      claims(func(c *securitykey.Claims) { c.Certificate.Subject.Country = nil }),
		"the certificate's country is a name": claims(func(c *securitykey.Claims) { c.Certificate.Subject.Country = []string{"Sweden"} }),
		"the certificate has no organization": claims(func(c *securitykey.Claims) { c.Certificate.Subject.Organization = nil }),
		"the certificate is of another unit":  claims(func(c *securitykey.Claims) { c.Certificate.Subject.OrganizationalUnit = []string{"Sales"} }),
		"the certificate has no name":         claims(func(c *securitykey.Claims) { c.Certificate.Subject.CommonName = "" }),
		"the certificate is a CA's":           claims(func(c *securitykey.Claims) { c.Certificate.IsCA = true }),
		"the certificate is of another model": claims(func(c *securitykey.Claims) { c.Attested.AAGUID[0] ^= 1 }),
		"the certificate's model is critical": claims(func(c *securitykey.Claims) { c.Certificate.ExtraExtensions[0].Critical = true }),
		"the certificate's model is no octets": claims(func(c *securitykey.Claims) {
			c.Certificate.ExtraExtensions = []pkix.Extension{{Id: aaguid, Value: []byte{0x02, 1, 1}}}
		}),
		"the certificate's model is 15 octets": claims(func(c *securitykey.Claims) {
			c.Certificate.ExtraExtensions = []pkix.Extension{{Id: aaguid, Value: append([]byte{0x04, 15}, c.Attested.AAGUID[:15]...)}}
		}),
	} {
		all = append(all, forged{name: "§7.1 step 22, §8.2 packed: " + what, forge: by(packed, registering(lie))})
	}
	return append(all,
		forged{name: "§7.1 step 22, §8.2 self: signed by another key", forge: by(self, registering(signedByAnother))},
		forged{name: "§7.1 step 22, §8.2 self: alg is not that of the key", forge: by(self, registering(statement("alg", -8)))},
		forged{name: "§7.1 step 22, §8.2 self: alg is missing", forge: by(self, registering(attestation(func(o *securitykey.AttestationObject) { delete(o.Statement, "alg") })))},
		forged{name: "§7.1 step 22, §8.2: ECDAA, which is no more", forge: by(self, registering(statement("ecdaaKeyId", []byte("key"))))},
		forged{name: "§7.1 step 22, §8.6 fido-u2f: two certificates", forge: by(u2f, registering(attestation(func(o *securitykey.AttestationObject) {
			x5c := o.Statement["x5c"].([][]byte)
			o.Statement["x5c"] = append(x5c, x5c[0])
		})))},
		forged{name: "§7.1 step 22, §8.7 none: with a statement", forge: registering(statement("sig", []byte("signed")))},
	)
}

// stranger is a key of nobody's.
func stranger() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// otherCertificate is the attestation certificate of another key.
func otherCertificate() []byte {
	var der []byte
	_, err := newKey(packed).Register(origin, []byte(`{"rp":{"id":"example.com"},"pubKeyCredParams":[{"alg":-7}]}`), attestation(func(o *securitykey.AttestationObject) {
		der = o.Statement["x5c"].([][]byte)[0]
	}))
	if err != nil {
		panic(err)
	}
	return der
}
