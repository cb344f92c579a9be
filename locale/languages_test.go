package locale_test

import (
	"slices"
	"strings"
	"testing"
)

func TestLanguageOfAReader(t *testing.T) {
	all := languages(t)
	for _, c := range []struct {
		wishes string // separated by |
		want   string
	}{
		{"", "en"}, {"|", "en"},
		{"en", "en"}, {"cs", "cs"}, {"cs-CZ", "cs"}, {"CS-cz", "cs"}, {"cs_CZ", "cs"}, {"cs-Latn-CZ-x-mine", "cs"},
		{"en-GB", "en"}, {"en-US,en;q=0.9", "en"}, {"en-GB,en;q=0.9,cs;q=0.8", "en"},
		{"cs-CZ,cs;q=0.9,en;q=0.8", "cs"}, {"cs,en-US;q=0.7,en;q=0.3", "cs"}, {" cs , en ; q=0.8 ", "cs"}, {",,cs", "cs"},
		{"en;q=0.1,cs;q=0.2", "cs"}, {"cs;q=0.1,en;q=0.2", "en"}, {"cs;q=0,en;q=0.1", "en"}, {"en;q=0,cs;q=0.1", "cs"}, {"cs;q=0", "en"},

		// Languages that we do not speak.
		{"de", "en"}, {"de-DE,cs;q=0.1", "cs"}, {"de,fr;q=0.5,cs;q=0.2,en;q=0.1", "cs"}, {"de,fr", "en"}, {"uk,ru", "en"},
		{"sk-SK,sk;q=0.9,cs;q=0.8,en;q=0.7", "cs"}, {"sk", "en"}, {"zh-Hant-TW", "en"}, {"*", "en"}, {"de,*;q=0.5", "en"},

		// What is no Accept-Language.
		{"junk junk", "en"}, {"cs;q=x", "en"}, {"cs, ???", "en"}, {"\x00", "en"}, {"čs", "en"}, {strings.Repeat("cs,", 400), "en"}, {strings.Repeat("-", 999), "en"},

		// The first wish that can be met counts.
		{"cs|en", "cs"}, {"en|cs", "en"}, {"|cs|en", "cs"}, {"de|cs|en", "cs"}, {"junk junk|cs", "cs"}, {"||cs-CZ,en;q=0.1", "cs"},

		// The mirrored language is nobody's: only its exact tag brings it.
		{"ar-XB", "ar-XB"}, {"|ar-XB|cs", "ar-XB"}, {"ar", "en"}, {"ar-EG,ar", "en"}, {"ar-XB,cs", "cs"}, {"ar-xb", "en"},
	} {
		if got := all.For(strings.Split(c.wishes, "|")...).Tag; got != c.want {
			t.Errorf("%.60q: %s, want %s", c.wishes, got, c.want)
		}
	}
	if got := all.For().Tag; got != "en" {
		t.Errorf("no wish: %s", got)
	}
}

func TestTaggedIsExact(t *testing.T) {
	all := languages(t)
	for _, l := range all.Known {
		if all.Tagged(l.Tag) != l {
			t.Errorf("%s is another", l.Tag)
		}
	}
	for _, tag := range []string{"", "de", "CS", "cs-CZ", "cs,en", "ar"} {
		if l := all.Tagged(tag); l != nil {
			t.Errorf("%q: %s", tag, l.Tag)
		}
	}
}

// FuzzFor: whatever a browser sends, its reader gets a language that is offered.
func FuzzFor(f *testing.F) {
	f.Add("cs-CZ,cs;q=0.9,en;q=0.8", "en")
	f.Add("*;q=0", "x-y-z")
	all := languages(f)
	f.Fuzz(func(t *testing.T, first, second string) {
		got := all.For(first, second)
		if !slices.Contains(all.Known, got) || got.Tag == "ar-XB" && first != "ar-XB" && second != "ar-XB" {
			t.Errorf("%q, %q: %s", first, second, got.Tag)
		}
	})
}
