package text

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxApp = 30 // characters, so that the English message stays a single one

// body is the sentence and, in a line of its own that is always the last, what
// binds the code to our origin (WICG, Origin-bound one-time codes delivered via
// SMS): phones fill it in on that host only.
func (m *Method) body(locale, code string) (string, error) {
	sentence, err := m.say(locale, code, m.app)
	if err != nil {
		return "", fmt.Errorf("text: no words for the message in %.40q: %w", locale, err)
	}
	if !isLine(sentence) || !strings.Contains(sentence, code) {
		return "", fmt.Errorf("text: the message in %.40q must be a single line with the code", locale)
	}
	if m.host == "" {
		return sentence, nil
	}
	return sentence + "\n\n@" + m.host + " #" + code, nil
}

// english is the sentence where there is no translation.
func english(_, code, app string) (string, error) {
	return code + " is your " + app + " code. Do not share it with anyone.", nil
}

func checkApp(app string) error {
	n := utf8.RuneCountInString(app)
	if n == 0 || n > maxApp || !isLine(app) || strings.TrimSpace(app) != app || strings.ContainsAny(app, "@#") || strings.ContainsFunc(app, isDirection) || sixDigits.MatchString(app) {
		return fmt.Errorf("text: messages cannot carry the name %.80q; choose one of 1 to %d characters, without control characters, line ends, spaces around it, \"@\", \"#\" and six digits in a row", app, maxApp)
	}
	return nil
}

var sixDigits = regexp.MustCompile(`[0-9]{3}[ -]?[0-9]{3}`)

func isDirection(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }

// isLine says that a text is shown as one line and in the order in which it was
// written: none of the embeddings and overrides U+202A to U+202E. Marks and
// isolates pass: right-to-left sentences put a code and a name between isolates.
func isLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) || r >= 0x202a && r <= 0x202e
	})
}

// hostName is labels of letters, digits and hyphens, RFC 1123 §2.1; names of
// other scripts come as "xn--".
var hostName = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)

func cleanHost(host string) (string, error) {
	lower := strings.ToLower(host)
	if host != "" && (len(host) > 253 || !hostName.MatchString(lower)) {
		return "", fmt.Errorf("text: %.80q is no host name; write it without scheme, port and path, such as \"id.example.com\"", host)
	}
	return lower, nil
}
