package bench

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/webauthn"
	"github.com/twinlatch/twinlatch/twinlatchtest"
	"github.com/twinlatch/twinlatch/twinlatchtest/securitykey"
)

const origin = "https://id.example.com"

func newSecurityKeys(b *testing.B) *webauthn.Method {
	b.Helper()
	m, err := webauthn.New(webauthn.Config{ID: "example.com", Name: "Bench", Origins: []string{origin}})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// BenchmarkAssertion is what the method does with one answer of a security key.
// Its baseline is the bare check of a signature over as many bytes.
func BenchmarkAssertion(b *testing.B) {
	for name, algorithm := range map[string]securitykey.Algorithm{"ES256": securitykey.ES256, "EdDSA": securitykey.EdDSA, "RS256": securitykey.RS256} {
		b.Run(name, func(b *testing.B) {
			b.Run("method", func(b *testing.B) { assertion(b, algorithm) })
			b.Run("baseline-signature", func(b *testing.B) { bareSignature(b, algorithm) })
		})
	}
}

func assertion(b *testing.B, algorithm securitykey.Algorithm) {
	ctx := context.Background()
	m, key := newSecurityKeys(b), securitykey.New(rand.Reader)
	key.Algorithm = algorithm
	in := twinlatch.Input{Account: twinlatch.Account{ID: "ana", Login: "ana@example.com"}, Now: time.Now(), Rand: rand.Reader}
	q, err := m.BeginEnroll(ctx, in)
	if err != nil {
		b.Fatal(err)
	}
	response, err := key.Register(origin, q.Prompt.Options)
	if err != nil {
		b.Fatal(err)
	}
	found, err := m.FinishEnroll(ctx, in, q.State, twinlatch.Answer{"response": response})
	if err != nil {
		b.Fatal(err)
	}
	in.Factors = []twinlatch.OpenFactor{{Factor: twinlatch.Factor{ID: "key", Kind: webauthn.Kind}, Secret: found.Secret}}
	if q, err = m.BeginVerify(ctx, in); err != nil {
		b.Fatal(err)
	}
	if response, err = key.Sign(origin, q.Prompt.Options); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		a, err := m.Parse(twinlatch.Answer{"response": response})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.FinishVerify(ctx, in, q.State, a); err != nil {
			b.Fatal(err)
		}
	}
}

func bareSignature(b *testing.B, algorithm securitykey.Algorithm) {
	signed := make([]byte, 37+sha256.Size) // authenticator data and a hash
	digest := func() []byte { sum := sha256.Sum256(signed); return sum[:] }
	var signer crypto.Signer
	var err error
	hash, message := crypto.SHA256, digest()
	switch algorithm {
	case securitykey.ES256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case securitykey.RS256:
		signer, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		hash, message = 0, signed
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		b.Fatal(err)
	}
	signature, err := signer.Sign(rand.Reader, message, hash)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		right := false
		switch public := signer.Public().(type) {
		case *ecdsa.PublicKey:
			right = ecdsa.VerifyASN1(public, digest(), signature)
		case *rsa.PublicKey:
			right = rsa.VerifyPKCS1v15(public, hash, digest(), signature) == nil
		case ed25519.PublicKey:
			right = ed25519.Verify(public, signed, signature)
		}
		if !right {
			b.Fatal("the signature is wrong")
		}
	}
}

// BenchmarkAnswerOfKey is Service.Answer with a security key: the assertion and
// all that is written. Signing in, the question and the key are not in it.
func BenchmarkAnswerOfKey(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			database := twinlatchtest.SQLite(b)
			if name == "postgres" {
				database = twinlatchtest.Postgres(b)
			}
			answers(b, database)
		})
	}
}

func answers(b *testing.B, database string) {
	ctx := context.Background()
	env := twinlatchtest.On(b, database, func(c *twinlatch.Config) { c.Methods = []twinlatch.Method{newSecurityKeys(b)} })
	if _, err := env.CreateAccount(ctx, twinlatch.NewAccount{Login: "ana@example.com", Password: twinlatch.NewSecret(password)}, client); err != nil {
		b.Fatal(err)
	}
	signIn := func() twinlatch.Decision {
		d, _, err := env.SignIn(ctx, twinlatch.MainRealm, "ana@example.com", twinlatch.NewSecret(password), client)
		if err != nil {
			b.Fatal(err)
		}
		return d
	}
	who, _ := signIn().Passed()
	asked, err := env.BeginEnroll(ctx, who, webauthn.Kind, nil, client)
	if err != nil {
		b.Fatal(err)
	}
	key := securitykey.New(rand.Reader)
	response, err := key.Register(origin, asked.Prompt.Options)
	if err != nil {
		b.Fatal(err)
	}
	if _, _, err := env.FinishEnroll(ctx, who, asked.ID, twinlatch.Answer{"response": response}, client); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		known, _ := signIn().Known()
		asked, err := env.Ask(ctx, known, "", client)
		if err != nil {
			b.Fatal(err)
		}
		response, err := key.Sign(origin, asked.Prompt.Options)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, err := env.Answer(ctx, known, twinlatch.Answer{"response": response}, client); err != nil {
			b.Fatal(err)
		}
	}
}
