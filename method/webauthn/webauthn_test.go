package webauthn

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	mathrand "math/rand/v2"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/methodtest"
	"github.com/twinlatch/twinlatch/twinlatchtest/securitykey"
)

const origin = "https://id.example.com"

func newMethod(t testing.TB, change ...func(*Config)) *Method {
	t.Helper()
	c := Config{ID: "example.com", Name: "Twinlatch", Origins: []string{origin, "https://www.example.com:8443"}}
	for _, f := range change {
		f(&c)
	}
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// device is a key in a browser at our page, with one credential.
type device struct {
	*securitykey.Key
	id *string
}

func newDevice(key *securitykey.Key) device { return device{key, new(string)} }

func (d device) Fields() map[string]string { return nil }

func (d device) Enroll(t testing.TB, q twinlatch.Question, _ time.Time) twinlatch.Answer {
	t.Helper()
	response, err := d.Register(origin, q.Prompt.Options)
	if err != nil {
		t.Fatal(err)
	}
	var reply struct{ ID string }
	if err := json.Unmarshal([]byte(response), &reply); err != nil {
		t.Fatal(err)
	}
	*d.id = reply.ID
	return twinlatch.Answer{"response": response}
}

// Verify answers also when it is asked for other credentials.
func (d device) Verify(t testing.TB, q twinlatch.Question, _ time.Time) twinlatch.Answer {
	t.Helper()
	var options map[string]any
	if err := json.Unmarshal(q.Prompt.Options, &options); err != nil {
		t.Fatal(err)
	}
	options["allowCredentials"] = []map[string]string{{"type": "public-key", "id": *d.id}}
	changed, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	response, err := d.Sign(origin, changed)
	if err != nil {
		t.Fatal(err)
	}
	return twinlatch.Answer{"response": response}
}

func TestConformance(t *testing.T) {
	for name, make := range map[string]func() *securitykey.Key{
		"security key": func() *securitykey.Key { return securitykey.New(rand.Reader) },
		"passkey":      func() *securitykey.Key { return securitykey.NewPasskey(rand.Reader) },
		"U2F":          func() *securitykey.Key { return securitykey.NewU2F(rand.Reader) },
	} {
		t.Run(name, func(t *testing.T) {
			methodtest.Run(t, methodtest.Fixture{
				Method: newMethod(t),
				Device: func(testing.TB) methodtest.Device { return newDevice(make()) },
				Wrong: func(right twinlatch.Answer) (all []twinlatch.Answer) {
					for _, field := range []string{"clientDataJSON", "attestationObject", "authenticatorData", "signature"} {
						var reply map[string]any
						if json.Unmarshal([]byte(right["response"]), &reply) != nil {
							panic("the answer is not JSON")
						}
						response := reply["response"].(map[string]any)
						text, there := response[field].(string)
						if !there {
							continue
						}
						raw, err := base64.RawURLEncoding.DecodeString(text)
						if err != nil {
							panic(err)
						}
						raw[len(raw)/2] ^= 1
						response[field] = base64.RawURLEncoding.EncodeToString(raw)
						changed, _ := json.Marshal(reply)
						all = append(all, twinlatch.Answer{"response": string(changed)})
					}
					return append(all, twinlatch.Answer{"response": "{}"})
				},
			})
		})
	}
}

// What a browser is asked.
func TestOptions(t *testing.T) {
	m := newMethod(t)
	in := twinlatch.Input{
		Account: twinlatch.Account{ID: "abcdefgh", Login: "ana@example.com", DisplayName: "Ana Novak"},
		Rand:    mathrand.NewChaCha8([32]byte{1}),
	}
	challenge := func() string {
		raw := make([]byte, 32)
		_, _ = mathrand.NewChaCha8([32]byte{1}).Read(raw)
		return base64.RawURLEncoding.EncodeToString(raw)
	}()
	q, err := m.BeginEnroll(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, q.Prompt.Options, `{
		"rp": {"id": "example.com", "name": "Twinlatch"},
		"user": {"id": "YWJjZGVmZ2g", "name": "ana@example.com", "displayName": "Ana Novak"},
		"challenge": "`+challenge+`", "timeout": 300000, "attestation": "none",
		"pubKeyCredParams": [{"type": "public-key", "alg": -7}, {"type": "public-key", "alg": -8}, {"type": "public-key", "alg": -257}],
		"authenticatorSelection": {"residentKey": "discouraged", "requireResidentKey": false, "userVerification": "preferred"}
	}`)
	if q.Tries != 1 || q.For != 5*time.Minute {
		t.Errorf("%d tries in %s", q.Tries, q.For)
	}

	key := securitykey.New(rand.Reader)
	key.Transports = []string{"usb", "nfc", "usb", "cable from 2019", "internal"}
	response, err := key.Register(origin, q.Prompt.Options)
	if err != nil {
		t.Fatal(err)
	}
	found, err := m.FinishEnroll(t.Context(), in, q.State, twinlatch.Answer{"response": response})
	if err != nil {
		t.Fatal(err)
	}
	in.Factors = []twinlatch.OpenFactor{{Factor: twinlatch.Factor{ID: "f", Kind: Kind}, Secret: found.Secret}}
	in.Rand = mathrand.NewChaCha8([32]byte{1})
	known := `[{"type": "public-key", "id": "` + base64.RawURLEncoding.EncodeToString(found.Digest) + `", "transports": ["usb", "nfc", "internal"]}]`
	if q, err = m.BeginVerify(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, q.Prompt.Options, `{
		"rpId": "example.com", "challenge": "`+challenge+`", "timeout": 300000, "userVerification": "preferred", "allowCredentials": `+known+`
	}`)
	if q, err = m.BeginEnroll(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	var options map[string]json.RawMessage
	if err := json.Unmarshal(q.Prompt.Options, &options); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, options["excludeCredentials"], known)

	// A browser obeys; who does not is told.
	again := bytes.Replace(q.Prompt.Options, []byte("excludeCredentials"), []byte("excludeNothing"), 1)
	response, err = key.Register(origin, again, securitykey.Lie{Claims: func(c *securitykey.Claims) { c.Attested.ID = found.Digest }, Reply: func(r *securitykey.Reply) {
		r.ID, r.RawID = found.Digest, found.Digest
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.FinishEnroll(t.Context(), in, q.State, twinlatch.Answer{"response": response})
	if field := new(twinlatch.FieldError); !errors.As(err, &field) || field.Key != "add.key.known" {
		t.Errorf("the same key twice: %v", err)
	}
}

func sameJSON(t *testing.T, have []byte, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(have, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got\n%s\nwant\n%s", have, want)
	}
}

// RFC 8176: what may be copied is no hardware key. None claims a PIN or a finger.
func TestAMR(t *testing.T) {
	m := newMethod(t)
	for _, c := range []struct {
		key  *securitykey.Key
		want []string
	}{
		{securitykey.New(rand.Reader), []string{"hwk", "user"}},
		{securitykey.NewU2F(rand.Reader), []string{"hwk", "user"}},
		{securitykey.NewPasskey(rand.Reader), []string{"pop", "user"}},
	} {
		in := twinlatch.Input{Account: twinlatch.Account{ID: "a", Login: "ana@example.com"}, Rand: rand.Reader}
		q, err := m.BeginEnroll(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		d := newDevice(c.key)
		found, err := m.FinishEnroll(t.Context(), in, q.State, d.Enroll(t, q, time.Time{}))
		if err != nil || !reflect.DeepEqual(found.AMR, c.want) {
			t.Errorf("enrolled by %v, %v; want %v", found.AMR, err, c.want)
		}
		in.Factors = []twinlatch.OpenFactor{{Factor: twinlatch.Factor{ID: "f", Kind: Kind}, Secret: found.Secret}}
		if q, err = m.BeginVerify(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		proof, err := m.FinishVerify(t.Context(), in, q.State, d.Verify(t, q, time.Time{}))
		if err != nil || !reflect.DeepEqual(proof.AMR, c.want) {
			t.Errorf("verified by %v, %v; want %v", proof.AMR, err, c.want)
		}
	}
}

// A key that was enrolled after the question cannot answer it, and one that was
// removed keeps the others from nothing.
func TestKeysThatComeAndGo(t *testing.T) {
	m := newMethod(t)
	in := twinlatch.Input{Account: twinlatch.Account{ID: "a", Login: "ana@example.com"}, Rand: rand.Reader}
	var devices []device
	var factors []twinlatch.OpenFactor
	for _, id := range []twinlatch.FactorID{"first", "second", "third"} {
		d := newDevice(securitykey.New(rand.Reader))
		q, err := m.BeginEnroll(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		found, err := m.FinishEnroll(t.Context(), in, q.State, d.Enroll(t, q, time.Time{}))
		if err != nil {
			t.Fatal(err)
		}
		devices = append(devices, d)
		factors = append(factors, twinlatch.OpenFactor{Factor: twinlatch.Factor{ID: id, Kind: Kind}, Secret: found.Secret})
	}
	in.Factors = factors[:2]
	q, err := m.BeginVerify(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	in.Factors = factors[1:] // the first is removed, the third is new
	for i, want := range []string{"", "second", ""} {
		proof, err := m.FinishVerify(t.Context(), in, q.State, devices[i].Verify(t, q, time.Time{}))
		if want != "" {
			if err != nil || string(proof.Factor) != want {
				t.Errorf("key %d proves %q, %v", i, proof.Factor, err)
			}
			continue
		}
		if wrong := new(twinlatch.WrongCodeError); !errors.As(err, &wrong) || wrong.Key != "err.key.wrong" {
			t.Errorf("key %d: %v", i, err)
		}
	}
}

func TestModels(t *testing.T) {
	allowed := securitykey.New(rand.Reader)
	text := "7477696e-6c61-7463-6827-73206b65792e" // twinlatch's key.
	m := newMethod(t, func(c *Config) { c.Models = []string{"cb69481e-8ff7-4039-93ec-0a2729a154a8", text} })
	for _, c := range []struct {
		name   string
		change func(*securitykey.Key)
		ok     bool
	}{
		{"it proves its model", func(k *securitykey.Key) { k.Attestation = securitykey.Packed }, true},
		{"it does not", func(k *securitykey.Key) {}, false},
		{"it says so itself", func(k *securitykey.Key) { k.Attestation = securitykey.Self }, false},
		{"another model", func(k *securitykey.Key) { k.Attestation, k.AAGUID[0] = securitykey.Packed, 0 }, false},
		{"no model", func(k *securitykey.Key) { k.Attestation, k.AAGUID = securitykey.Packed, [16]byte{} }, false},
		{"older than models", func(k *securitykey.Key) { k.Attestation, k.AAGUID = securitykey.U2F, [16]byte{} }, false},
	} {
		key := allowed.Clone()
		c.change(key)
		in := twinlatch.Input{Account: twinlatch.Account{ID: "a", Login: "ana@example.com"}, Rand: rand.Reader}
		q, err := m.BeginEnroll(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(q.Prompt.Options), `"attestation":"direct"`) {
			t.Fatalf("nobody is asked for a model: %s", q.Prompt.Options)
		}
		_, err = m.FinishEnroll(t.Context(), in, q.State, newDevice(key).Enroll(t, q, time.Time{}))
		wrong := new(twinlatch.WrongCodeError)
		switch {
		case c.ok && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case !c.ok && (!errors.As(err, &wrong) || wrong.Key != "err.key.model"):
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no ID":                      func(c *Config) { c.ID = "" },
		"an address as the ID":       func(c *Config) { c.ID, c.Origins = "192.0.2.1", []string{"https://192.0.2.1"} },
		"an IPv6 address as the ID":  func(c *Config) { c.ID = "::1" },
		"a URL as the ID":            func(c *Config) { c.ID = "https://example.com" },
		"a port in the ID":           func(c *Config) { c.ID = "example.com:443" },
		"capitals in the ID":         func(c *Config) { c.ID = "Example.com" },
		"an empty label":             func(c *Config) { c.ID = "example..com" },
		"a dot at the end":           func(c *Config) { c.ID = "example.com." },
		"a hyphen at the end":        func(c *Config) { c.ID = "example-.com" },
		"a public suffix":            func(c *Config) { c.ID, c.Origins = "co.uk", []string{"https://example.co.uk"} },
		"a suffix of many customers": func(c *Config) { c.ID, c.Origins = "github.io", []string{"https://example.github.io"} },
		"one of the customers": func(c *Config) {
			c.ID, c.Origins = "github.io", []string{"https://github.io", "https://example.github.io"}
		},
		"names below localhost": func(c *Config) {
			c.ID, c.Origins = "localhost", []string{"http://localhost", "http://id.localhost:8080"}
		},
		"no name":                    func(c *Config) { c.Name = "" },
		"no origin":                  func(c *Config) { c.Origins = nil },
		"an origin of another site":  func(c *Config) { c.Origins = []string{"https://example.org"} },
		"one that only ends so":      func(c *Config) { c.Origins = []string{"https://badexample.com"} },
		"one above":                  func(c *Config) { c.Origins = []string{"https://com"} },
		"http":                       func(c *Config) { c.Origins = []string{"http://example.com"} },
		"a path":                     func(c *Config) { c.Origins = []string{"https://example.com/"} },
		"a port that is the default": func(c *Config) { c.Origins = []string{"https://example.com:443"} },
		"capitals in the origin":     func(c *Config) { c.Origins = []string{"https://ID.example.com"} },
		"a user":                     func(c *Config) { c.Origins = []string{"https://ana@example.com"} },
		"another scheme":             func(c *Config) { c.Origins = []string{"ftp://example.com"} },
		"user verification":          func(c *Config) { c.UserVerification = "always" },
		"no AAGUID":                  func(c *Config) { c.Models = []string{"YubiKey 5"} },
		"an AAGUID in braces":        func(c *Config) { c.Models = []string{"{cb69481e-8ff7-4039-93ec-0a2729a154a8}"} },
		"an AAGUID of zeros":         func(c *Config) { c.Models = []string{"00000000-0000-0000-0000-000000000000"} },
	} {
		c := Config{ID: "example.com", Name: "Twinlatch", Origins: []string{origin}}
		change(&c)
		if m, err := New(c); err == nil || m != nil || !strings.HasPrefix(err.Error(), "webauthn: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []Config{
		{ID: "localhost", Name: "x", Origins: []string{"http://localhost:8080", "https://localhost"}},
		{ID: "example.com", Name: "x", Origins: []string{"https://example.com", "https://a.b.example.com:8443"}, UserVerification: "discouraged"},
		{ID: "xn--bcher-kva.example", Name: "x", Origins: []string{"https://xn--bcher-kva.example"}, UserVerification: "required"},
		{ID: "example.co.uk", Name: "x", Origins: []string{"https://example.co.uk", "https://id.example.co.uk"}},
		{ID: "github.io", Name: "x", Origins: []string{"https://github.io"}},
		{ID: "id.localhost", Name: "x", Origins: []string{"http://id.localhost:8080"}},
	} {
		if _, err := New(c); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestUsable(t *testing.T) {
	for address, want := range map[string]bool{
		"https://id.example.com": true, "https://id.example.com:8443": true, "http://localhost:8080": true, "https://localhost": true,
		"http://id.example.com": false, "http://127.0.0.1:8080": false, "https://192.0.2.1": false, "https://[2001:db8::1]": false, "http://[::1]:8080": false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if Usable(u) != want {
			t.Errorf("%s: %v", address, !want)
		}
	}
}

// What is not as this package writes it is broken, and nobody is let in or told.
func TestBrokenSecretsAndStates(t *testing.T) {
	m := newMethod(t)
	in := twinlatch.Input{Account: twinlatch.Account{ID: "a", Login: "ana@example.com"}, Rand: rand.Reader}
	q, err := m.BeginEnroll(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	answer := newDevice(securitykey.New(rand.Reader)).Enroll(t, q, time.Time{})
	for _, state := range []string{"", "{}", `{"challenge":"AAAA"}`, "x"} {
		if _, err := m.FinishEnroll(t.Context(), in, []byte(state), answer); err == nil || errors.Is(err, twinlatch.ErrWrongCode) {
			t.Errorf("state %q: %v", state, err)
		}
	}
	for _, secret := range []string{"", "{}", "x", `{"id":""}`} {
		in.Factors = []twinlatch.OpenFactor{{Factor: twinlatch.Factor{ID: "f", Kind: Kind}, Secret: twinlatch.NewSecret(secret)}}
		if _, err := m.BeginVerify(t.Context(), in); err == nil {
			t.Errorf("secret %q is asked for", secret)
		}
		if _, err := m.FinishVerify(t.Context(), in, q.State, answer); err == nil || errors.Is(err, twinlatch.ErrWrongCode) {
			t.Errorf("secret %q: %v", secret, err)
		}
	}
	in.Factors, in.Rand = nil, bytes.NewReader(nil)
	if _, err := m.BeginEnroll(t.Context(), in); err == nil {
		t.Error("a challenge without randomness")
	}
}

// What would take long to verify is refused before.
func TestCostlyKeysAndCertificates(t *testing.T) {
	m := newMethod(t)
	in := twinlatch.Input{Account: twinlatch.Account{ID: "a", Login: "ana@example.com"}, Rand: rand.Reader}
	huge := new(big.Int).Lsh(big.NewInt(1), 20_000)
	huge.SetBit(huge, 0, 1)
	for name, lie := range map[string]securitykey.Lie{
		"a certificate of 20,000 bits": {Attestation: func(o *securitykey.AttestationObject) {
			signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
			der, err := x509.CreateCertificate(rand.Reader, template, template, &rsa.PublicKey{N: huge, E: 65537}, signer)
			if err != nil {
				t.Fatal(err)
			}
			o.Format, o.Statement = "packed", map[string]any{"alg": -257, "sig": []byte{1}, "x5c": []any{der}}
		}},
		"a certificate that is none": {Attestation: func(o *securitykey.AttestationObject) {
			o.Format, o.Statement = "packed", map[string]any{"alg": -7, "sig": []byte{1}, "x5c": []any{[]byte("x")}}
		}},
		"SafetyNet": {Attestation: func(o *securitykey.AttestationObject) {
			o.Format, o.Statement = "android-safetynet", map[string]any{"ver": "1"}
		}},
		"compound":             {Attestation: func(o *securitykey.AttestationObject) { o.Format = "compound" }},
		"a key of 2,000 bytes": {Claims: func(c *securitykey.Claims) { c.Attested.PublicKey[-70000] = make([]byte, 2000) }},
	} {
		q, err := m.BeginEnroll(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		response, err := securitykey.New(rand.Reader).Register(origin, q.Prompt.Options, lie)
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err = m.FinishEnroll(t.Context(), in, q.State, twinlatch.Answer{"response": response}); !errors.Is(err, twinlatch.ErrWrongCode) {
			t.Errorf("%s: %v", name, err)
		}
		t.Log(name, err)
	}
}

// What clients say about extensions is not looked at, whatever it is.
func TestExtensionsAreIgnored(t *testing.T) {
	m := newMethod(t)
	in := twinlatch.Input{Account: twinlatch.Account{ID: "a", Login: "ana@example.com"}, Rand: rand.Reader}
	q, err := m.BeginEnroll(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	strange := securitykey.Lie{Reply: func(r *securitykey.Reply) { r.Extensions = map[string]any{"appid": "x", "credProps": 7} }}
	response, err := securitykey.New(rand.Reader).Register(origin, q.Prompt.Options, strange)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = m.FinishEnroll(t.Context(), in, q.State, twinlatch.Answer{"response": response}); err != nil {
		t.Error(err)
	}
}
