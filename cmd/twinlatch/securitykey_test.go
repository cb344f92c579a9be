package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/twinlatchtest/securitykey"
)

// What the settings say about security keys is what browsers and keys are told.
func TestSettingsOfSecurityKeys(t *testing.T) {
	const other = "cb69481e-8ff7-4039-93ec-0a2729a154a8"
	key := securitykey.New(rand.Reader)
	key.Attestation = securitykey.Packed // which proves its model
	own := hex.EncodeToString(key.AAGUID[:])
	own = own[:8] + "-" + own[8:12] + "-" + own[12:16] + "-" + own[16:20] + "-" + own[20:]
	for name, c := range map[string]struct {
		settings     []string // KEY=VALUE
		id, asks     string   // RP ID and user verification that the browser is told
		origin       string   // where the key is used
		refused, err string   // what the person, or who starts the server, is told
	}{
		"the address":          {nil, "id.example.com", "preferred", "https://id.example.com", "", ""},
		"a domain above":       {[]string{"WEBAUTHN_ID=example.com"}, "example.com", "preferred", "https://id.example.com", "", ""},
		"another origin":       {[]string{"WEBAUTHN_ID=example.com", "WEBAUTHN_ORIGINS=https://www.example.com"}, "example.com", "preferred", "https://www.example.com", "", ""},
		"an origin not listed": {[]string{"WEBAUTHN_ID=example.com"}, "example.com", "preferred", "https://www.example.com", "verify.key.retry", ""},
		"a PIN":                {[]string{"WEBAUTHN_USER_VERIFICATION=required"}, "id.example.com", "required", "https://id.example.com", "", ""},
		"this model":           {[]string{"WEBAUTHN_MODELS=" + other + "," + own}, "id.example.com", "preferred", "https://id.example.com", "", ""},
		"another model":        {[]string{"WEBAUTHN_MODELS=" + other}, "id.example.com", "preferred", "https://id.example.com", "err.key.model", ""},
		"not our domain":       {[]string{"WEBAUTHN_ID=example.org"}, "", "", "", "", "example.org"},
		"everybody's domain":   {[]string{"WEBAUTHN_ID=co.uk", "ADDRESS=https://id.example.co.uk"}, "", "", "", "", "domains of many owners"},
	} {
		t.Run(name, func(t *testing.T) {
			env := []string{"TWINLATCH_ADDRESS=https://id.example.com", "TWINLATCH_KEYS=keys"}
			for _, s := range c.settings {
				env = append(env, "TWINLATCH_"+s)
			}
			cfg, err := config.Load(config.Source{Env: env})
			if err != nil {
				t.Fatal(err)
			}
			method, err := newSecurityKey(cfg)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("told %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			in := twinlatch.Input{Account: twinlatch.Account{ID: "aaaaaaaaaaaaaaaaaaaaaaaaaa", Login: "ana@example.com"}, Rand: rand.Reader}
			q, err := method.BeginEnroll(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			var told struct {
				RP        struct{ ID string }
				Selection struct {
					UserVerification string `json:"userVerification"`
				} `json:"authenticatorSelection"`
			}
			if err := json.Unmarshal(q.Prompt.Options, &told); err != nil || told.RP.ID != c.id || told.Selection.UserVerification != c.asks {
				t.Fatalf("the browser is told %+v, %v", told, err)
			}
			response, err := key.Register(c.origin, q.Prompt.Options)
			if err != nil {
				t.Fatal(err)
			}
			_, err = method.FinishEnroll(context.Background(), in, q.State, twinlatch.Answer{"response": response})
			key := ""
			var field *twinlatch.FieldError
			var wrong *twinlatch.WrongCodeError
			switch {
			case errors.As(err, &field):
				key = field.Key
			case errors.As(err, &wrong):
				key = wrong.Key
			case errors.Is(err, twinlatch.ErrWrongCode):
				key = "verify.key.retry"
			}
			if key != c.refused {
				t.Errorf("refused with %q (%v), want %q", key, err, c.refused)
			}
		})
	}
}
