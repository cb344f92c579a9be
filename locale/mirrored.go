package locale

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// Mirrored is English for eyes only, ar-XB: each letter is replaced by one that is
// written from right to left, and each word grows by 40 percent and more. Pages
// that hold in it hold in Arabic and in German.
func Mirrored() (*Language, error) {
	english, err := English()
	if err != nil {
		return nil, err
	}
	messages := make(map[string]string, len(english.messages))
	for key, text := range english.messages {
		messages[key] = mirrored(text)
	}
	messages["lang.dir"] = "rtl"
	return newLanguage("ar-XB", language.English, messages)
}

const (
	fromLeft  = "abcdefghijklmnopqrstuvwxyz"
	fromRight = "ابكدعفغهيجقلمنوپطرستحڤصخىز"
	lengthens = "ـ" // kashida, which makes a word longer
)

// mirrored leaves {placeholders} as they are.
func mirrored(text string) string {
	letters := []rune(fromRight)
	var out strings.Builder
	word, placeholder := 0, false
	end := func() {
		out.WriteString(strings.Repeat(lengthens, (word*2+4)/5))
		word = 0
	}
	for _, r := range text {
		at := strings.IndexRune(fromLeft, r|0x20)
		switch {
		case placeholder || r >= utf8.RuneSelf || at < 0:
			end()
			out.WriteRune(r)
			placeholder = r == '{' || placeholder && r != '}'
		default:
			word++
			out.WriteRune(letters[at])
		}
	}
	end()
	return out.String()
}
