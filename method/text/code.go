package text

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"

	"github.com/twinlatch/twinlatch"
)

const (
	digits   = 6
	codes    = 1_000_000 // there are
	maxInput = 1024      // bytes of an answer, which may be a whole message
)

// draw makes a code, each of the million with the same probability: of 2^24
// numbers it uses the first 16 million and throws the rest back. One number in 22
// is thrown back, so a hundred in a row are no randomness.
func draw(random io.Reader) (string, error) {
	const fair = 1<<24 - 1<<24%codes
	var b [3]byte
	for range 100 {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return "", fmt.Errorf("text: no randomness for a code: %w", err)
		}
		if n := int(b[0])<<16 | int(b[1])<<8 | int(b[2]); n < fair {
			return fmt.Sprintf("%0*d", digits, n%codes), nil
		}
	}
	return "", errors.New("text: the randomness for a code repeats itself")
}

// isCode is about ASCII: other scripts have digits of their own, which would be
// other texts for the same code.
func isCode(s string) bool {
	return len(s) == digits && strings.Trim(s, "0123456789") == ""
}

var (
	phone      = regexp.MustCompile(`\+[0-9][-0-9 ().]*`)
	anyBound   = regexp.MustCompile(`@[^\s@#]+ #([0-9]{6})$`)
	digitsOnly = regexp.MustCompile(`[0-9]+`)
)

// Parse implements twinlatch.Method. It takes six ASCII digits with spaces and
// hyphens between them, or finds them in a whole message: in the origin-bound
// last line with our host, else as the only six digits that stand alone. It keeps
// the digits and nothing else.
func (m *Method) Parse(a twinlatch.Answer) (twinlatch.Answer, error) {
	typed := a[codeField]
	if len(typed) > maxInput {
		return nil, invalid("err.code.short")
	}
	typed = strings.TrimSpace(strings.Map(plain, typed))
	bare := strings.NewReplacer(" ", "", "-", "").Replace(typed)
	switch {
	case bare == "":
		return nil, invalid("err.code.empty")
	case isCode(bare):
		return twinlatch.Answer{codeField: bare}, nil
	}
	if code := m.bound(typed); code != "" {
		return twinlatch.Answer{codeField: code}, nil
	}
	switch found := alone(typed); {
	case len(found) == 1:
		return twinlatch.Answer{codeField: found[0]}, nil
	case len(found) == 0 && strings.ContainsFunc(typed, notNumeric):
		return nil, invalid("err.code.letters")
	}
	return nil, invalid("err.code.short")
}

// plain makes one space and one hyphen of all that there are.
func plain(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.Is(unicode.Pd, r):
		return '-'
	}
	return r
}

// notNumeric is what "digits only" is the right thing to say about.
func notNumeric(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) && r > unicode.MaxASCII
}

// bound is the code of the origin-bound last line, if the text ends with one. Of
// lines no more is known: a box of one line joins what is pasted into it.
func (m *Method) bound(typed string) string {
	if m.host == "" {
		if found := anyBound.FindStringSubmatch(typed); found != nil {
			return found[1]
		}
		return ""
	}
	i := len(typed) - digits
	if i > 0 && isCode(typed[i:]) && strings.HasSuffix(typed[:i], "@"+m.host+" #") {
		return typed[i:]
	}
	return ""
}

// alone are the different codes that stand alone in a text: six digits, also as
// "123 456" or "123-456", that are not part of a word, of a longer number, of a
// decimal or of a phone number with its country code.
func alone(typed string) (found []string) {
	typed = phone.ReplaceAllString(typed, " + ")
	runs := digitsOnly.FindAllStringIndex(typed, -1)
	seen := map[string]bool{}
	for i := 0; i < len(runs); i++ {
		start, end := runs[i][0], runs[i][1]
		code := typed[start:end]
		if len(code) == digits/2 && i+1 < len(runs) && joined(typed, runs, i) && !joined(typed, runs, i-1) && !joined(typed, runs, i+1) {
			end = runs[i+1][1]
			code += typed[runs[i+1][0]:end]
		}
		if len(code) == digits && !seen[code] && ends(typed[:start], typed[end:]) {
			seen[code] = true
			found = append(found, code)
		}
	}
	return found
}

// joined says that only a space or a hyphen is between runs i and i+1.
func joined(typed string, runs [][]int, i int) bool {
	if i < 0 || i+1 >= len(runs) {
		return false
	}
	between := typed[runs[i][1]:runs[i+1][0]]
	return between == " " || between == "-"
}

// ends says that no word and no number goes on before or after. Letters beyond
// ASCII are let pass: Chinese, Japanese and Thai put no spaces around numbers.
func ends(before, after string) bool {
	return !goesOnBefore.MatchString(before) && !goesOnAfter.MatchString(after)
}

var (
	goesOnBefore = regexp.MustCompile(`(?:[A-Za-z_\p{Nd}]|[0-9][.,:/])$`)
	goesOnAfter  = regexp.MustCompile(`^(?:[A-Za-z_\p{Nd}]|[.,:/][0-9])`)
)

func invalid(key string) error { return &twinlatch.FieldError{Field: codeField, Key: key} }
