package interop

import (
	"encoding/asn1"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/twinlatchtest/securitykey"
)

// Verifying an assertion, §7.2: each forgery is refused, the session still waits
// for its second step, and the honest key does it afterwards.
func TestAuthenticating(t *testing.T) {
	s := newSite(t)
	run(t, slices.Concat(authentication().common(), assertions(), signatures()), func(t *testing.T, f forged) {
		owner := s.person(t)
		key := newKey()
		owner.enroll(key)
		p := owner.elsewhere()
		p.mustWait()
		a := &attempt{person: p, owner: owner, key: key, question: p.asked()}
		p.answers(a.question, f.forge(a)).is(f.status)
		p.mustWait()
		p.verify(key)
	})
}

func authentication() ceremony {
	return ceremony{
		section: "§7.2", json: 9, kind: 10, challenge: 11, origin: 12, cross: 13, top: 14, data: 7, party: 15, up: 16, backup: 18,
		is: "webauthn.get", isNot: "webauthn.create", lying: signing,
		otherSession: func(a *attempt) question { return a.elsewhere().asked() },
		otherAccount: func(a *attempt) question {
			p := a.site.person(a.t)
			p.enroll(newKey())
			return p.elsewhere().asked()
		},
	}
}

// allowing lets the client sign with credentials that were not asked for: those
// of key.
func (a *attempt) allowing(key *securitykey.Key) *attempt {
	key = key.Clone()
	key.Discoverable = true
	other := *a
	other.key, other.options = key, json.RawMessage(edited(without("allowCredentials"))(string(a.options)))
	return &other
}

func anonymous(r *securitykey.Reply) { r.Response.UserHandle = nil }

// assertions are wrong in what was asked and who answers.
func assertions() []forged {
	withHandle := func(handle func(a *attempt) []byte) forgery {
		return func(a *attempt) string {
			said := handle(a)
			return a.sign(reply(func(r *securitykey.Reply) { r.Response.UserHandle = said }))
		}
	}
	return []forged{
		{name: "§7.2 step 3: the response is an attestation", forge: func(a *attempt) string {
			q := a.owner.adds()
			return made(a.t)(newKey().Register(origin, q.options))
		}},
		{name: "§7.2 step 3: the authenticator data are missing", forge: signing(response(without("authenticatorData")))},
		{name: "§7.2 step 3: the authenticator data are a number", forge: signing(response(with("authenticatorData", 1)))},
		{name: "§7.2 step 3: the authenticator data are no base64url", forge: signing(response(with("authenticatorData", "%%%")))},
		{name: "§7.2 step 3: the signature is a list", forge: signing(response(with("signature", []int{1})))},
		{name: "§7.2 step 3: the user handle is a number", forge: signing(response(with("userHandle", 1)))},

		{name: "§7.2 step 5: a credential that was added after the question", forge: func(a *attempt) string {
			later := newKey()
			a.owner.enroll(later)
			return a.allowing(later).sign(reply(anonymous))
		}},
		{name: "§7.2 step 5: a credential that was never registered", forge: func(a *attempt) string {
			unknown := newKey()
			made(a.t)(unknown.Register(origin, a.owner.adds().options))
			return a.allowing(unknown).sign(reply(anonymous))
		}},
		{name: "§7.2 step 5: the id of nothing", forge: signing(reply(func(r *securitykey.Reply) { r.ID, r.RawID = []byte("no"), []byte("no") }))},
		{name: "§7.2 step 6: a credential of another account", forge: func(a *attempt) string {
			other, key := a.site.person(a.t), newKey()
			other.enroll(key)
			return a.allowing(key).sign(reply(anonymous))
		}},
		{name: "§7.2 step 6: a credential of another account, with its user handle", forge: func(a *attempt) string {
			other, key := a.site.person(a.t), newKey()
			other.enroll(key)
			return a.allowing(key).sign()
		}},
		{name: "§7.2 step 6: a credential of another account under our id", forge: func(a *attempt) string {
			other, key := a.site.person(a.t), newKey()
			other.enroll(key)
			var ours struct {
				Allow []struct{ ID securitykey.Bytes } `json:"allowCredentials"`
			}
			if err := json.Unmarshal(a.options, &ours); err != nil {
				a.t.Fatal(err)
			}
			return a.allowing(key).sign(reply(func(r *securitykey.Reply) {
				anonymous(r)
				r.ID, r.RawID = ours.Allow[0].ID, ours.Allow[0].ID
			}))
		}},
		{name: "§7.2 step 6: the user handle of another account", forge: withHandle(func(a *attempt) []byte {
			var other struct {
				User struct{ ID securitykey.Bytes }
			}
			if err := json.Unmarshal(a.site.person(a.t).adds().options, &other); err != nil {
				a.t.Fatal(err)
			}
			return other.User.ID
		})},
		{name: "§7.2 step 6: a user handle of nobody", forge: withHandle(func(*attempt) []byte { return []byte("nobody") })},
		{name: "§7.2 step 6: a user handle of one NUL", forge: withHandle(func(*attempt) []byte { return []byte{0} })},

		{name: "§7.2 step 11: the challenge of a registration", forge: func(a *attempt) string {
			return a.sign(clientData(with("challenge", a.owner.adds().challenge(a.t))))
		}},
		{name: "§7.2 step 11: the challenge has taken its one answer", forge: func(a *attempt) string {
			right := a.sign()
			a.answers(a.question, a.sign(from("https://evil.example"))).is(refused)
			return right
		}},
		{name: "§7.2 step 11: replayed from another session", forge: func(a *attempt) string {
			other := a.elsewhere()
			q := other.asked()
			right := made(a.t)(a.key.Sign(origin, q.options))
			other.answers(q, right).goes(security)
			return right
		}},
		{name: "§7.2 step 11: challenge and all of another session", forge: func(a *attempt) string {
			return made(a.t)(a.key.Sign(origin, a.elsewhere().asked().options))
		}},
		{name: "§7.2 step 11: the form names its own challenge", forge: func(a *attempt) string {
			// OneUptime, CVE-2026-28787: the expected challenge came with the request.
			stale := a.sign(clientData(with("challenge", "AAAA")))
			a.post(a.action, "response", stale, "challenge", "AAAA", "state", `{"challenge":"AAAA"}`).is(refused)
			return stale
		}},
		{name: "§7.2 step 19: backup eligible, which it was not", forge: signing(claims(func(c *securitykey.Claims) { c.Flags |= securitykey.BE }))},
		{name: "§7.2 step 19: backed up, which it cannot be", forge: signing(claims(func(c *securitykey.Claims) { c.Flags |= securitykey.BE | securitykey.BS }))},
	}
}

// signature is ECDSA's in DER.
type signature struct{ R, S *big.Int }

// resigned changes the two numbers of a signature.
func resigned(change func(*signature)) securitykey.Lie {
	return reply(func(r *securitykey.Reply) {
		var s signature
		if _, err := asn1.Unmarshal(r.Response.Signature, &s); err != nil {
			panic(err)
		}
		change(&s)
		der, err := asn1.Marshal(s)
		if err != nil {
			panic(err)
		}
		r.Response.Signature = der
	})
}

// signatures are wrong, or over something else than what is said.
func signatures() []forged {
	var all []forged
	add := func(what string, f forgery) {
		all = append(all, forged{name: "§7.2 step 21: " + what, forge: f})
	}
	for what, change := range map[string]func([]byte) []byte{
		"with a bit flipped":              flip,
		"empty":                           func([]byte) []byte { return nil },
		"a byte short":                    func(b []byte) []byte { return b[:len(b)-1] },
		"without its first byte":          func(b []byte) []byte { return b[1:] },
		"followed by a byte":              func(b []byte) []byte { return append(b, 0) },
		"followed by itself":              func(b []byte) []byte { return append(b, b...) },
		"all zero":                        func(b []byte) []byte { return make([]byte, len(b)) },
		"DER of nothing":                  func([]byte) []byte { return []byte{0x30, 0} },
		"DER with a long length":          func(b []byte) []byte { return append([]byte{0x30, 0x81}, b[1:]...) },
		"DER of indefinite length":        func(b []byte) []byte { return append(append([]byte{0x30, 0x80}, b[2:]...), 0, 0) },
		"DER with r padded":               func(b []byte) []byte { return slices.Concat([]byte{0x30, b[1] + 1, 2, b[3] + 1, 0}, b[4:]) },
		"DER of a third number":           func(b []byte) []byte { return append(append([]byte{0x30, b[1] + 3}, b[2:]...), 2, 1, 1) },
		"two numbers of 32 bytes, no DER": raw,
		"DER of numbers of two million bits": func([]byte) []byte {
			return append([]byte{0x30, 0x82, 0x27, 0x14, 0x02, 0x82, 0x27, 0x10}, make([]byte, 10000)...)
		},
	} {
		add("the signature is "+what, signing(reply(func(r *securitykey.Reply) { r.Response.Signature = change(slices.Clone(r.Response.Signature)) })))
	}
	for what, change := range map[string]func(*signature){
		"r and s are zero":      func(s *signature) { s.R, s.S = new(big.Int), new(big.Int) }, // CVE-2022-21449
		"r is zero":             func(s *signature) { s.R = new(big.Int) },
		"s is zero":             func(s *signature) { s.S = new(big.Int) },
		"r and s are the order": func(s *signature) { s.R, s.S = order(), order() },
		"r is negative":         func(s *signature) { s.R.Neg(s.R) },
		"s is over the order":   func(s *signature) { s.S.Add(s.S, order()) },
		"r and s are swapped":   func(s *signature) { s.R, s.S = s.S, s.R },
	} {
		add(what, signing(resigned(change)))
	}
	add("the signature is another key's", signing(message(func(m *securitykey.Message) { m.Signer = stranger() })))
	add("the signature is missing", signing(response(without("signature"))))
	for what, change := range map[string]func([]byte){
		"the counter":     func(b []byte) { b[36]++ },
		"the flag UV":     func(b []byte) { b[32] ^= byte(securitykey.UV) },
		"a reserved flag": func(b []byte) { b[32] ^= 1 << 1 },
	} {
		add(what+" was altered after signing", signing(reply(func(r *securitykey.Reply) {
			r.Response.AuthenticatorData = slices.Clone(r.Response.AuthenticatorData)
			change(r.Response.AuthenticatorData)
		})))
	}
	add("the client data were altered after signing", signing(reply(func(r *securitykey.Reply) {
		r.Response.ClientDataJSON = []byte(strings.Replace(string(r.Response.ClientDataJSON), "{", "{ ", 1))
	})))
	add("the origin was set right after signing elsewhere", signing(from("https://evil.example"), reply(func(r *securitykey.Reply) {
		r.Response.ClientDataJSON = []byte(strings.Replace(string(r.Response.ClientDataJSON), "https://evil.example", origin, 1))
	})))
	add("the challenge was set right after signing an old one", func(a *attempt) string {
		return a.sign(clientData(with("challenge", strings.Repeat("A", 43))), reply(func(r *securitykey.Reply) {
			r.Response.ClientDataJSON = []byte(strings.Replace(string(r.Response.ClientDataJSON), strings.Repeat("A", 43), a.challenge(a.t), 1))
		}))
	})
	return all
}

// order is that of the group of P-256.
func order() *big.Int {
	n, _ := new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
	return n
}

// raw is a signature as JOSE has it.
func raw(der []byte) []byte {
	var s signature
	if _, err := asn1.Unmarshal(der, &s); err != nil {
		panic(err)
	}
	return append(s.R.FillBytes(make([]byte, 32)), s.S.FillBytes(make([]byte, 32))...)
}

// Signatures of the other algorithms are held to as much.
func TestOtherSignatures(t *testing.T) {
	s := newSite(t)
	for name, algorithm := range map[string]securitykey.Algorithm{"EdDSA": securitykey.EdDSA, "RS256": securitykey.RS256} {
		owner, key := s.person(t), newKey(func(k *securitykey.Key) { k.Algorithm = algorithm })
		owner.enroll(key)
		for what, change := range map[string]func([]byte) []byte{
			"with a bit flipped":       flip,
			"with the first bit set":   func(b []byte) []byte { b[0] ^= 0x80; return b },
			"empty":                    func([]byte) []byte { return nil },
			"a byte short":             func(b []byte) []byte { return b[:len(b)-1] },
			"followed by a byte":       func(b []byte) []byte { return append(b, 0) },
			"after a byte":             func(b []byte) []byte { return append([]byte{0}, b...) },
			"all zero":                 func(b []byte) []byte { return make([]byte, len(b)) },
			"one":                      func(b []byte) []byte { return append(make([]byte, len(b)-1), 1) },
			"with the order added":     malleable,
			"one of ECDSA, of nothing": func([]byte) []byte { return []byte{0x30, 6, 2, 1, 1, 2, 1, 1} },
		} {
			t.Run("§7.2 step 21: a signature of "+name+" "+what, func(t *testing.T) {
				p := owner.elsewhere()
				q := p.asked()
				p.answers(q, made(t)(key.Sign(origin, q.options, reply(func(r *securitykey.Reply) {
					r.Response.Signature = change(slices.Clone(r.Response.Signature))
				})))).is(refused)
				p.mustWait()
				p.verify(key)
			})
		}
	}
}

// malleable adds the order of edwards25519 to the second half of a signature,
// which is little-endian: another signature of the same, unless that is checked
// (RFC 8032, §8.4).
func malleable(b []byte) []byte {
	l, _ := new(big.Int).SetString("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed", 16)
	s := slices.Clone(b[32:64])
	slices.Reverse(s)
	sum := l.Add(l, new(big.Int).SetBytes(s))
	le := sum.SetBit(sum, 256, 0).FillBytes(make([]byte, 32)) // of RSA it may be longer
	slices.Reverse(le)
	copy(b[32:], le)
	return b
}
