package interop

import (
	"encoding/base32"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/totp"
)

// oathtool makes the codes of n steps from at on, with the OATH Toolkit. The
// secret goes by standard input.
func oathtool(t *testing.T, secret []byte, at time.Time, n int) []string {
	t.Helper()
	path, err := exec.LookPath("oathtool")
	if err != nil {
		t.Fatal("this test compares with oathtool; install it with: apt-get install oathtool")
	}
	cmd := exec.CommandContext(t.Context(), path, "--totp=SHA1", "--digits=6", "--time-step-size=30s", "--base32",
		fmt.Sprintf("--window=%d", n-1), fmt.Sprintf("--now=@%d", at.Unix()), "-")
	cmd.Stdin = strings.NewReader(base32.StdEncoding.EncodeToString(secret) + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("oathtool: %v: %s", err, out)
	}
	codes := strings.Fields(string(out))
	if len(codes) != n {
		t.Fatalf("oathtool gave %d codes, not %d", len(codes), n)
	}
	return codes
}

// Our codes are those of oathtool, and our method accepts oathtool as an app.
func TestOathtool(t *testing.T) {
	const steps = 40
	random := rand.NewChaCha8([32]byte([]byte("the secrets of this test, always")))
	m, err := totp.New("Example")
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]time.Time{
		"1970":                time.Unix(0, 0),
		"2001":                time.Unix(1_000_000_000, 0),
		"now":                 time.Now(),
		"end of 31 bits 2038": time.Unix(1<<31-600, 0),
		"end of 32 bits 2106": time.Unix(1<<32-600, 0),
		"2603":                time.Unix(20_000_000_000, 0),
	} {
		t.Run(name, func(t *testing.T) {
			for range 8 {
				in := twinlatch.Input{Account: twinlatch.Account{Login: "ann"}, Now: from, Rand: random}
				q, err := m.BeginEnroll(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				_, _, secret, err := totp.ParseURI(q.Prompt.QR)
				if err != nil {
					t.Fatal(err)
				}
				codes := oathtool(t, secret, from, steps)
				found, err := m.FinishEnroll(t.Context(), in, q.State, twinlatch.Answer{"code": codes[0]})
				if err != nil {
					t.Fatalf("not enrolled with oathtool's code: %v", err)
				}
				in.Factors = []twinlatch.OpenFactor{{Factor: twinlatch.Factor{ID: "f", Kind: totp.Kind}, Secret: found.Secret}}
				for i, code := range codes {
					in.Now = from.Add(time.Duration(i) * 30 * time.Second)
					if ours := totp.Code(secret, in.Now); ours != code {
						t.Errorf("at %d: our code is %s, oathtool's %s", in.Now.Unix(), ours, code)
					}
					a, err := m.Parse(twinlatch.Answer{"code": code})
					if err != nil {
						t.Fatal(err)
					}
					proof, err := m.FinishVerify(t.Context(), in, nil, a)
					if err != nil || *proof.Counter < in.Now.Unix()/30 {
						t.Errorf("at %d: oathtool's code gives %v", in.Now.Unix(), err)
					}
				}
			}
		})
	}
}
