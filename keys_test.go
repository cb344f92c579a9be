package twinlatch_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/totp"
)

// Everything that must not be seen, as plainly and as deeply as it can lie.
func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	const marker = "tulip-secret-AZaz09-_AZaz09-_AZaz09-_AZaz09-"
	token, err := twinlatch.ParseToken(someToken[:54] + marker[1:])
	if err != nil {
		t.Fatal(err)
	}
	secret := twinlatch.NewSecret(marker)
	prompt := twinlatch.Prompt{
		Text: marker, Args: map[string]string{"a": marker}, QR: marker, Manual: marker, Options: json.RawMessage(`"` + marker + `"`),
	}
	answer := twinlatch.Answer{"code": marker}
	challenge := twinlatch.Challenge{ID: "id", Purpose: twinlatch.Enroll, Kind: "totp", Prompt: prompt}

	type exported struct {
		S twinlatch.Secret
		T twinlatch.Token
		A twinlatch.Answer
	}
	type unexported struct {
		s twinlatch.Secret
		t twinlatch.Token
	}
	values := map[string]any{
		"a secret":                    secret,
		"a pointer to a secret":       &secret,
		"a token":                     token,
		"a pointer to a token":        &token,
		"an answer":                   answer,
		"a pointer to an answer":      &answer,
		"secrets":                     []twinlatch.Secret{secret},
		"tokens":                      map[string]twinlatch.Token{"t": token},
		"a struct":                    exported{secret, token, answer},
		"a pointer to a struct":       &exported{secret, token, answer},
		"a struct of hidden fields":   unexported{secret, token},
		"a pointer to hidden fields":  &unexported{secret, token},
		"structs in a map":            map[string][]exported{"x": {{secret, token, answer}}},
		"an account to be made":       twinlatch.NewAccount{Login: "ann", Password: secret},
		"a factor opened":             twinlatch.OpenFactor{Secret: secret},
		"a factor found":              twinlatch.NewFactor{Secret: secret},
		"a wrapped one":               fmt.Errorf("%v %v %v", secret, token, answer),
		"a prompt":                    prompt,
		"a pointer to a prompt":       &prompt,
		"prompts":                     []twinlatch.Prompt{prompt},
		"a challenge":                 challenge,
		"a pointer to a challenge":    &challenge,
		"a challenge as it is stored": twinlatch.StoredChallenge{Challenge: challenge},
	}
	promptInJSON := func(name string) bool { // which the API shows on purpose
		return strings.Contains(name, "prompt") || strings.Contains(name, "challenge")
	}
	for name, value := range values {
		// Not %p and %w: fmt asks nobody for them, but vet refuses them.
		for _, verb := range strings.Fields("%v %+v %#v %s %q %x %X %d %t %o %c %U %e %T %10.3v %-5s %08b %y") {
			if text := fmt.Sprintf(verb, value); hasMarker(text, marker) {
				t.Errorf("%s, %s: %s", name, verb, text)
			}
		}
		if text := fmt.Sprint(value) + fmt.Sprintln(value); hasMarker(text, marker) {
			t.Errorf("%s, printed: %s", name, text)
		}
		if b, err := json.Marshal(value); err == nil && !promptInJSON(name) && hasMarker(string(b), marker) {
			t.Errorf("%s, as JSON: %s", name, b)
		}
		for kind, handler := range map[string]func(*bytes.Buffer) slog.Handler{
			"text": func(b *bytes.Buffer) slog.Handler {
				return slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
			},
			"JSON": func(b *bytes.Buffer) slog.Handler {
				return slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
			},
		} {
			if kind == "JSON" && name == "prompts" {
				continue // nobody logs a list of them, and a list cannot be stopped
			}
			var log bytes.Buffer
			slog.New(handler(&log)).With("with", value).WithGroup("g").Debug("message", "value", value, slog.Group("group", "value", value))
			if hasMarker(log.String(), marker) {
				t.Errorf("%s, in a %s log: %s", name, kind, log.String())
			}
		}
	}
	equal(t, "a secret prints as", fmt.Sprintf("%v %+v %#v %s %x", secret, secret, secret, secret, secret), strings.Repeat(" [secret]", 5)[1:])
	equal(t, "revealed", secret.Reveal(), marker)
	equal(t, "the zero secret", twinlatch.Secret{}.Reveal(), "")
	var read twinlatch.Answer
	if err := json.Unmarshal([]byte(`{"code":"123456"}`), &read); err != nil || read["code"] != "123456" {
		t.Errorf("an answer is read from JSON: %v, %v", read, err)
	}
}

// hasMarker looks for a text and for what verbs make of it.
func hasMarker(text, marker string) bool {
	tail := marker[len(marker)-20:]
	for _, form := range []string{
		tail, hex.EncodeToString([]byte(tail)), strings.ToUpper(hex.EncodeToString([]byte(tail))), base64.StdEncoding.EncodeToString([]byte(marker))[:20],
	} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// A whole life with the log at debug: nothing secret is in the log, in an error,
// or readable in the files of the database.
func TestNoSecretLeaksInAWholeJourney(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w := newWorld(t, breaking(&faulty{only: "Touch"}), func(c *twinlatch.Config) {
		c.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))
	})
	secrets := map[string][]byte{}
	plant := func(name, text string) { secrets[name] = []byte(text) }
	plant("password", password)

	ann := w.person("ann@example.com")
	b := ann.signIn(home)
	plant("first token", b.token.Reveal()[54:])
	ch, err := b.BeginEnroll(ctx, b.passed(), totp.Kind, nil, home)
	w.ok(err)
	encoded := strings.ReplaceAll(ch.Prompt.Manual, " ", "")
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(encoded)
	w.ok(err)
	plant("TOTP secret", encoded)
	plant("TOTP secret as shown", ch.Prompt.Manual)
	plant("TOTP secret, raw", string(raw))
	plant("TOTP secret, hex", hex.EncodeToString(raw))
	plant("TOTP secret, base64", base64.RawStdEncoding.EncodeToString(raw))
	var problems strings.Builder
	note := func(err error) { fmt.Fprintf(&problems, "%v %+v %#v\n", err, err, err) }
	note(b.confirm(ch.ID, "000000"))
	ann.app = func() device { // as enroll does it
		w.ok(b.confirm(ch.ID, totp.Code(raw, w.Now())))
		return device{}
	}()
	plant("confirming code", totp.Code(raw, w.Now()))
	codes := b.backupCodes()
	for i, c := range codes {
		plant(fmt.Sprint("backup code ", i), c.Reveal())
		plant(fmt.Sprint("backup code, bare ", i), strings.ReplaceAll(c.Reveal(), "-", ""))
	}
	for i := range 3 {
		w.later(step)
		b = ann.signIn(cafe)
		plant(fmt.Sprint("half token ", i), b.token.Reveal()[54:])
		used := totp.Code(raw, w.Now())
		w.ok(b.answer(used))
		note(b.answer(used))
		plant(fmt.Sprint("code ", i), used)
		plant(fmt.Sprint("token ", i), b.token.Reveal()[54:])
	}
	w.ok(b.recover(codes[0]))
	note(b.recover(codes[0]))
	note(b.recover(twinlatch.NewSecret(codes[1].Reveal() + "x")))
	_, _, err = w.SignIn(ctx, "main", "ann@example.com", twinlatch.NewSecret(password+" wrong"), home)
	note(err)
	_, err = w.CreateAccount(ctx, twinlatch.NewAccount{Login: "bob", Password: twinlatch.NewSecret("short" + password[:5])}, home)
	note(err)
	w.later(day)
	b.passed() // cannot be noted: that is logged
	d, err := w.Check(ctx, b.token, home)
	w.ok(err)
	fmt.Fprintf(&problems, "%v %+v %#v", d, d, d)
	w.ok(w.SignOut(ctx, b.token, cafe))

	if !strings.Contains(log.String(), "last request not noted") {
		t.Errorf("the journey has logged nothing: %s", log.String())
	}
	path := strings.TrimPrefix(w.url, "sqlite:")
	for _, name := range []string{path, path + "-wal"} {
		file, err := os.ReadFile(name)
		w.ok(err)
		if len(file) < 1000 || name == path+"-wal" && !bytes.Contains(file, []byte("ann@example.com")) {
			t.Fatalf("%s is not what we think it is", name)
		}
		search(t, name, file, secrets)
	}
	search(t, "the log", log.Bytes(), secrets)
	search(t, "errors", []byte(problems.String()), secrets)
}

func search(t *testing.T, where string, text []byte, secrets map[string][]byte) {
	t.Helper()
	for name, secret := range secrets {
		if bytes.Contains(text, secret) || bytes.Contains(bytes.ToLower(text), bytes.ToLower(secret)) && len(secret) > 6 {
			t.Errorf("%s is in %s", name, where)
		}
	}
}
