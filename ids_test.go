package twinlatch_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
)

const someToken = "aaaaaaaaaaaaaaaaaaaaaaaaaa.zzzzzzzzzzzzzzzzzzzzzzzz27.AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZa"

func TestATokenIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com").signIn(home)
	text := ann.token.Reveal()
	if !regexp.MustCompile(`^[a-z2-7]{26}\.[a-z2-7]{26}\.[A-Za-z0-9_-]{43}$`).MatchString(text) {
		t.Errorf("a token is %q", text)
	}
	read, err := twinlatch.ParseToken(text)
	ann.ok(err)
	equal(t, "token", read.Reveal(), text)
	ann.token = read
	ann.meets(twinlatch.Pass, "")
	equal(t, "the zero token", twinlatch.Token{}.Reveal(), "")
}

// The Store has no token in it, only the hash of its secret.
func TestTokensAreKeptAsHashes(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	secret := ann.token.Reveal()[54:]
	if strings.Contains(ann.rows(), secret) {
		t.Error("the secret of a token is in the database")
	}
}

func TestWhatIsNoTokenIsNoSession(t *testing.T) {
	t.Parallel()
	if _, err := twinlatch.ParseToken(someToken); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":              "",
		"dots":               "..",
		"one part":           strings.ReplaceAll(someToken, ".", "a"),
		"two parts":          someToken[:53],
		"four parts":         someToken[:96] + ".",
		"one more":           someToken + "A",
		"one less":           someToken[:96],
		"space before":       " " + someToken,
		"space after":        someToken + " ",
		"line break":         someToken + "\n",
		"line break inside":  someToken[:96] + "\n",
		"capitals in an id":  "A" + someToken[1:],
		"a digit too many":   "1" + someToken[1:],
		"eight":              "8" + someToken[1:],
		"standard base64":    someToken[:60] + "+" + someToken[61:],
		"slash":              someToken[:60] + "/" + someToken[61:],
		"padding":            someToken[:96] + "=",
		"NUL":                "\x00" + someToken[1:],
		"not UTF-8":          "\xff" + someToken[1:],
		"wide letters":       "ａ" + someToken[3:],
		"empty account":      strings.Repeat(".", 27) + someToken[27:],
		"other separator":    strings.ReplaceAll(someToken, ".", ":"),
		"percent-encoded":    strings.ReplaceAll(someToken, ".", "%2E"),
		"two tokens":         someToken + "; " + someToken,
		"quoted":             `"` + someToken + `"`,
		"a megabyte":         strings.Repeat("a", 1<<20),
		"dot in the secret":  someToken[:60] + "." + someToken[61:],
		"dot in the account": someToken[:5] + "." + someToken[6:],
	} {
		token, err := twinlatch.ParseToken(text)
		if !errors.Is(err, twinlatch.ErrNoSession) || token.Reveal() != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(someToken)
	f.Add("")
	f.Add(strings.Repeat("a", 26) + "." + strings.Repeat("7", 26) + "." + strings.Repeat("_", 43))
	w := newWorld(f)
	ann := w.person("ann@example.com").signIn(home)
	right := ann.token.Reveal()
	f.Fuzz(func(t *testing.T, text string) {
		token, err := twinlatch.ParseToken(text)
		if err != nil {
			if !errors.Is(err, twinlatch.ErrNoSession) || token.Reveal() != "" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if token.Reveal() != text {
			t.Fatalf("%q is read as %q", text, token.Reveal())
		}
		if d, err := w.Check(ctx, token, home); err != nil || d.Step != twinlatch.NeedFirstStep && text != right {
			t.Fatalf("%q opens a session: %v", text, err)
		}
	})
}

func TestIDsAreRandomAndAlike(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	form := regexp.MustCompile(`^[a-z2-7]{25}[aeimquy4]$`) // 128 bits: two of the last letter are unused
	seen := map[string]bool{}
	for range 20 {
		b := ann.signIn(home)
		ch, err := b.Ask(ctx, b.known(), "", home)
		ann.ok(err)
		for _, id := range []string{string(b.session().ID), string(ch.ID)} {
			if !form.MatchString(id) || seen[id] {
				t.Errorf("id %q", id)
			}
			seen[id] = true
		}
	}
	for _, id := range []string{string(ann.account.ID), string(ann.app.id)} {
		if !form.MatchString(id) {
			t.Errorf("id %q", id)
		}
	}
}
