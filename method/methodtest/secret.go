package methodtest

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
)

// tellsNoSecret: what people see of a factor before the second step says nothing
// that would let somebody do it.
func (s suite) tellsNoSecret(t *testing.T) {
	p := s.enroll(t, "ann")
	q := s.ask(t, p, "verify", s.use)
	secrets := []string{p.found.Secret.Reveal()}
	for _, a := range []twinlatch.Answer{p.answer, s.parse(t, p.device.Verify(t, q, s.use))} {
		for _, value := range a {
			secrets = append(secrets, value)
		}
	}
	prompt, err := json.Marshal(q.Prompt)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{"hint": p.found.Hint, "name": p.found.Name, "verification prompt": string(prompt)}
	for where, text := range shown {
		text = strings.ToLower(strings.ReplaceAll(text, " ", ""))
		for _, secret := range secrets {
			for _, form := range []string{
				secret,
				hex.EncodeToString([]byte(secret)),
				base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(secret)),
				base64.RawStdEncoding.EncodeToString([]byte(secret)),
				base64.RawURLEncoding.EncodeToString([]byte(secret)),
			} {
				if secret != "" && strings.Contains(text, strings.ToLower(form)) {
					t.Errorf("the %s shows the factor's secret or an answer", where)
				}
			}
		}
	}
}
