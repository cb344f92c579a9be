package locale_test

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/twinlatch/twinlatch/locale"
)

// This file compares the languages with each other.

// languages are all, English first.
func languages(t testing.TB) *locale.Languages {
	t.Helper()
	all, err := locale.ForDevelopment()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// translations are those that people made, by tag.
func translations(t *testing.T) map[string]*locale.Language {
	t.Helper()
	files, err := filepath.Glob("messages.*.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*locale.Language{}
	for _, l := range languages(t).Offered[1:] {
		all[l.Tag] = l
	}
	if len(all) == 0 || len(all) != len(files)-1 {
		t.Fatalf("%d translations in %q", len(all), files)
	}
	return all
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// placeholders are the names of those in a message, each once.
func placeholders(text string) []string {
	var names []string
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// message is a message with its placeholders.
func message(t *testing.T, l *locale.Language, key string) string {
	t.Helper()
	args := map[string]string{}
	for {
		text, err := l.Say(key, args)
		if err == nil {
			return text
		}
		m := regexp.MustCompile(`no value for \{(\w+)\}`).FindStringSubmatch(err.Error())
		if m == nil {
			t.Fatal(err)
		}
		args[m[1]] = "{" + m[1] + "}"
	}
}

var plural = regexp.MustCompile(`^(.+)(\.zero|\.one|\.two|\.few|\.many|\.other)$`)

// stem is a key without the ending of its plural.
func stem(key string) (string, bool) {
	if m := plural.FindStringSubmatch(key); m != nil {
		return m[1], true
	}
	return key, false
}

func stems(l *locale.Language) []string {
	all := map[string]bool{}
	for _, key := range l.Keys() {
		key, _ = stem(key)
		all[key] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// endings are the forms that the counts of a language need. What is counted here
// is whole, so the form of fractions, "many" in Czech, is needed by nobody.
func endings(l *locale.Language) []string {
	all := map[string]bool{}
	for n := range 1000 {
		all[l.Plural("", n)] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func TestEveryLanguageSaysTheSame(t *testing.T) {
	want := stems(english(t))
	for tag, l := range translations(t) {
		got := stems(l)
		for _, key := range want {
			if !slices.Contains(got, key) {
				t.Errorf("%s does not say %q", tag, key)
			}
		}
		for _, key := range got {
			if !slices.Contains(want, key) {
				t.Errorf("only %s says %q", tag, key)
			}
		}
	}
}

// A plural has all forms that the language has, and no others.
func TestPluralsAreComplete(t *testing.T) {
	for _, l := range languages(t).Known {
		forms := map[string][]string{}
		for _, key := range l.Keys() {
			if of, ok := stem(key); ok {
				forms[of] = append(forms[of], strings.TrimPrefix(key, of))
			}
		}
		if len(forms) < 5 {
			t.Fatalf("%s: plurals of %d messages", l.Tag, len(forms))
		}
		for of, have := range forms {
			slices.Sort(have)
			if !slices.Equal(have, endings(l)) {
				t.Errorf("%s: %s has %q, want %q", l.Tag, of, have, endings(l))
			}
		}
	}
}

// The form of one thing may leave its number out.
func TestTranslationsHaveTheSamePlaceholders(t *testing.T) {
	source := english(t)
	for _, l := range languages(t).Known {
		for _, key := range l.Keys() {
			from := key
			if of, ok := stem(key); ok {
				from = of + ".other"
				if strings.HasSuffix(key, ".one") && source.Has(key) {
					from = key
				}
			}
			if got, want := placeholders(message(t, l, key)), placeholders(message(t, source, from)); !slices.Equal(got, want) {
				t.Errorf("%s: %s has %q, want %q", l.Tag, key, got, want)
			}
		}
	}
}

// What is the same in another language is so on purpose.
func TestNothingIsLeftInEnglish(t *testing.T) {
	same := map[string][]string{
		"cs": {"app.name", "lang.dir", "list.more", "title.page"},
	}
	for tag, l := range translations(t) {
		for _, key := range l.Keys() {
			if english(t).Has(key) && message(t, l, key) == message(t, english(t), key) && !slices.Contains(same[tag], key) {
				t.Errorf("%s: %s is %q as in English", tag, key, message(t, l, key))
			}
		}
	}
}

// A message is one line of plain text; markup and values are the template's.
func TestMessagesArePlain(t *testing.T) {
	for _, l := range languages(t).Known {
		for _, key := range l.Keys() {
			text := message(t, l, key)
			if text == "" || strings.TrimSpace(text) != text || strings.ContainsAny(strings.ReplaceAll(text, " > ", ""), "<>&\n\t\"'") || regexp.MustCompile(`\s\s`).MatchString(text) {
				t.Errorf("%s: %s: %q", l.Tag, key, text)
			}
			if rest := placeholder.ReplaceAllString(text, ""); strings.ContainsAny(rest, "{}") {
				t.Errorf("%s: %s: %q has a brace too many", l.Tag, key, text)
			}
		}
	}
}

// Files can be read side by side: one message a line, none twice, in the order of
// English; forms that English has not stand among its own.
func TestFilesHaveTheOrderOfEnglish(t *testing.T) {
	want := keysOf(t, "en")
	for tag := range translations(t) {
		got := slices.DeleteFunc(keysOf(t, tag), func(key string) bool { return !slices.Contains(want, key) })
		for i, key := range got {
			if i >= len(want) || want[i] != key {
				t.Errorf("messages.%s.json: %q stands where English has another message", tag, key)
				break
			}
		}
	}
}

func keysOf(t *testing.T, tag string) []string {
	t.Helper()
	f, err := os.Open("messages." + tag + ".json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var keys []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSuffix(strings.TrimSpace(lines.Text()), ",")
		if line == "{" || line == "}" {
			continue
		}
		var one map[string]string
		if err := json.Unmarshal([]byte("{"+line+"}"), &one); err != nil || len(one) != 1 {
			t.Fatalf("messages.%s.json: %s: %v", tag, line, err)
		}
		for key := range one {
			if slices.Contains(keys, key) {
				t.Errorf("messages.%s.json: %q twice", tag, key)
			}
			keys = append(keys, key)
		}
	}
	return keys
}

// Czech is set as Czech is printed: no line ends in a preposition of one letter or
// between a number and what it counts, and quotation marks are „these“.
func TestCzechTypography(t *testing.T) {
	l := translations(t)["cs"]
	for name, wrong := range map[string]*regexp.Regexp{
		"a short word at the end of a line":         regexp.MustCompile(`(?i)(^|[\s\x{a0}(„])[ksvzouai] `),
		"a number apart from what it counts":        regexp.MustCompile(`(\d|\{(n|minutes|seconds)\}) (\d|min|s[ .]|s$|sekund|záložní|znak|klíč|den|dny|dní)`),
		"a dot of a date at the end of a line":      regexp.MustCompile(`\{day\}\. `),
		"quotation marks of other languages":        regexp.MustCompile(`[”‘’"']|“[^“„]*“|„[^“]*$`),
		"three dots, or a dash in place of a minus": regexp.MustCompile(`\.\.\.|--| - `),
	} {
		for _, key := range l.Keys() {
			if text := message(t, l, key); key != "sms.body" && wrong.MatchString(text) {
				t.Errorf("%s: %q has %s", key, text, name)
			}
		}
	}
}

// A text message costs twice as much with one letter that is not in GSM-7 (3GPP
// TS 23.038 §6.2.1), and more when it is long.
func TestTextMessagesAreCheap(t *testing.T) {
	const gsm7 = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	for _, l := range languages(t).Offered {
		body, err := l.Say("sms.body", map[string]string{"code": "123456", "app": strings.Repeat("x", 30)})
		if err != nil {
			t.Fatal(err)
		}
		// The rest of 160 is for "@id.example.com #123456" below.
		if n := utf8.RuneCountInString(body); n > 90 || !strings.Contains(body, "123456") {
			t.Errorf("%s: %d characters: %q", l.Tag, n, body)
		}
		if strings.Trim(body, gsm7) != "" {
			t.Errorf("%s: %q has %q", l.Tag, body, strings.Trim(body, gsm7))
		}
	}
}

// Mirrored is English in other letters: nothing of it is left, all is longer, and
// what is no word is as it was.
func TestMirrored(t *testing.T) {
	l := languages(t).Tagged("ar-XB")
	if l.Dir != "rtl" {
		t.Errorf("direction %q", l.Dir)
	}
	latin := regexp.MustCompile(`[A-Za-z]`)
	for _, key := range l.Keys() {
		if key == "lang.dir" {
			continue
		}
		text, from := message(t, l, key), message(t, english(t), key)
		bare, source := placeholder.ReplaceAllString(text, ""), placeholder.ReplaceAllString(from, "")
		if latin.MatchString(bare) {
			t.Errorf("%s: %q", key, text)
		}
		letters := len(latin.FindAllString(source, -1))
		if more := utf8.RuneCountInString(bare) - utf8.RuneCountInString(source); more*5 < letters*2 {
			t.Errorf("%s: %d letters have grown by %d", key, letters, more)
		}
	}
	if got := message(t, l, "step.of"); got != "ستعپــ {n} وفـ {total}" {
		t.Errorf("%q", got)
	}
}
