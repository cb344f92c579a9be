package locale

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// Languages are those that the product speaks. They are safe for concurrent use.
type Languages struct {
	Offered []*Language      // English first, then by tag
	Known   []*Language      // and those that only their exact tag brings
	matcher language.Matcher // of Offered
}

// All are the languages that there is a catalogue for.
func All() (*Languages, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	english, err := English()
	if err != nil {
		return nil, err
	}
	all := &Languages{Offered: []*Language{english}}
	for _, e := range entries {
		tag := strings.TrimSuffix(strings.TrimPrefix(e.Name(), "messages."), ".json")
		if tag == english.Tag {
			continue
		}
		l, err := load(tag)
		if err != nil {
			return nil, err
		}
		all.Offered = append(all.Offered, l)
	}
	var tags []language.Tag
	for _, l := range all.Offered {
		tags = append(tags, l.rules)
	}
	all.Known, all.matcher = all.Offered, language.NewMatcher(tags)
	return all, nil
}

// ForDevelopment are All, and Mirrored for who asks for it by its tag.
func ForDevelopment() (*Languages, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	mirrored, err := Mirrored()
	if err != nil {
		return nil, err
	}
	all.Known = append(slices.Clone(all.Offered), mirrored)
	return all, nil
}

// maxWish is a long Accept-Language, in bytes; browsers send some 50.
const maxWish = 1000

// For is the language of a reader: that of the first wish that can be met, else
// English. A wish is a language tag or an Accept-Language (RFC 9110 §12.5.4). One
// that is empty, malformed or longer than 1000 bytes counts as none.
func (ls *Languages) For(wishes ...string) *Language {
	for _, wish := range wishes {
		if l := ls.Tagged(wish); l != nil {
			return l
		}
		if len(wish) > maxWish {
			continue
		}
		tags, _, err := language.ParseAcceptLanguage(wish)
		if err != nil {
			continue
		}
		if _, i, sure := ls.matcher.Match(tags...); sure != language.No {
			return ls.Offered[i]
		}
	}
	return ls.Offered[0]
}

// Tagged is the known language with exactly this tag; nil: there is none.
func (ls *Languages) Tagged(tag string) *Language {
	for _, l := range ls.Known {
		if l.Tag == tag {
			return l
		}
	}
	return nil
}
