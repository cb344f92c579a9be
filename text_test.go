package twinlatch

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Text from outside that means harm.
var hostileTexts = []string{
	"", "\x00", "a\x00b", "\xff", "\xed\xa0\x80", "a\xc3", strings.Repeat("ä", 1000), "\x1b[2J\x1b]0;x\a", "two\nlines", "\r\n", "\u0085", "\u2028", "\u2029", "\u202e reversed",
	"\u2066\u2069", "\ufeff", "\ufffd", "😀", "e\u0301", "<script>", "'; DROP TABLE accounts; --", "%s%n", "${jndi:x}", "\u200b", "\x7f", "\t",
}

func checkClip(t *testing.T, text string, n int) {
	t.Helper()
	kept := clip(text, n)
	switch {
	case len(kept) > n:
		t.Fatalf("clip(%q, %d) has %d bytes", text, n, len(kept))
	case !utf8.ValidString(kept):
		t.Fatalf("clip(%q, %d) = %q is not UTF-8", text, n, kept)
	case strings.ContainsFunc(kept, unicode.IsControl):
		t.Fatalf("clip(%q, %d) = %q has control characters", text, n, kept)
	case clip(kept, n) != kept:
		t.Fatalf("clip(%q, %d) is not done with once", text, n)
	case len(text) <= n && isLine(text) && kept != text:
		t.Fatalf("clip(%q, %d) = %q changed a good text", text, n, kept)
	}
}

func TestClippedTextFits(t *testing.T) {
	t.Parallel()
	for _, text := range hostileTexts {
		for _, n := range []int{0, 1, 2, 3, 4, 5, 256} {
			checkClip(t, text, n)
		}
	}
	for text, want := range map[string]string{"Firefox": "Firef", "ääää": "ää", "abcdefgh": "abcde", "a\xffb\x00c": "abc", "ab😀": "ab"} {
		if kept := clip(text, 5); kept != want {
			t.Errorf("clip(%q, 5) = %q, want %q", text, kept, want)
		}
	}
}

func FuzzClip(f *testing.F) {
	for i, text := range hostileTexts {
		f.Add(text, i)
	}
	f.Fuzz(func(t *testing.T, text string, n int) { checkClip(t, text, n&0xffff) })
}

func TestWhatIsALine(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"a\x00b", "\xff", "\xed\xa0\x80", "two\nlines", "\r", "\u0085", "\u2028", "\u2029", "\u202a", "\u202e", "\u2066", "\u2069", "\x7f", "\x1b[2J", "\t", "a\xc3",
	} {
		if isLine(text) {
			t.Errorf("%q is a line", text)
		}
	}
	for _, text := range []string{"", "Work phone", "Zoë", "אבג", "日本語", "😀", "<b>", "\ufffd", strings.Repeat("x", 1<<16)} {
		if !isLine(text) {
			t.Errorf("%q is no line", text)
		}
	}
}

func FuzzParseBackupCode(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add(text)
	}
	f.Add("k7m2-9xqd-4tbn-w3fp")
	f.Add("K7M2 9XQD 4TBN W3FP")
	f.Add("OIL0-1oil-0101-ooll")
	f.Fuzz(func(t *testing.T, text string) {
		code, err := parseBackupCode(NewSecret(text))
		if err != nil {
			if field := new(FieldError); !errors.As(err, &field) || code != "" || strings.Contains(err.Error(), text) && len(text) > 4 {
				t.Fatalf("%q: %q, %v", text, code, err)
			}
			return
		}
		if len(code) != codeLength || strings.Trim(code, crockford) != "" {
			t.Fatalf("%q is read as %q", text, code)
		}
		if again, err := parseBackupCode(NewSecret(code)); err != nil || again != code {
			t.Fatalf("%q is read as %q: %v", code, again, err)
		}
		if shouted, err := parseBackupCode(NewSecret(strings.ToUpper(code))); err != nil || shouted != code {
			t.Fatalf("in capitals %q is read as %q: %v", code, shouted, err)
		}
	})
}

// steps is randomness of which one knows what it gives.
type steps byte

func (s *steps) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(*s)
		*s++
	}
	return len(p), nil
}

// Each letter is as likely as the others: 256 bytes are each letter eight times.
func TestBackupCodesAreEvenlyRandom(t *testing.T) {
	t.Parallel()
	var random steps
	letters := map[rune]int{}
	for range 256 / codeLength {
		code, err := newBackupCode(&random)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := parseBackupCode(code); err != nil || text != strings.ReplaceAll(code.Reveal(), "-", "") {
			t.Fatalf("%q is read as %q: %v", code.Reveal(), text, err)
		}
		for _, r := range strings.ReplaceAll(code.Reveal(), "-", "") {
			letters[r]++
		}
	}
	for _, r := range crockford {
		if letters[r] != 8 {
			t.Errorf("%q comes %d times", r, letters[r])
		}
	}
	if _, err := newBackupCode(strings.NewReader("too short")); err == nil {
		t.Error("a code without randomness")
	}
}
