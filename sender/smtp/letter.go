package smtp

import (
	"bytes"
	"errors"
	"net/mail"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"github.com/twinlatch/twinlatch"
)

// letter is a message as an e-mail: RFC 5322, in ASCII, with lines that no server
// breaks.
func (s *Sender) letter(m twinlatch.Message, to string, now time.Time) ([]byte, error) {
	e := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	e.SetDateWithValue(now.UTC())
	e.SetMessageIDWithValue(string(m.ID) + "@" + s.domain)
	e.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's holiday answers
	e.FromMailAddress(&s.from)
	e.ToMailAddress(&mail.Address{Address: to})
	e.Subject(line(m.Subject))
	e.SetBodyString(gomail.TypeTextPlain, text(m.Body))
	if html := text(m.HTML); html != "" {
		e.AddAlternativeString(gomail.TypeTextHTML, html)
	}
	var letter bytes.Buffer
	if _, err := e.WriteTo(&letter); err != nil {
		return nil, errors.New("smtp: the message cannot be written as an e-mail")
	}
	return letter.Bytes(), nil
}

const longestSubject = 200 // characters; longer ones are cut, so that a header line stays one

// line is a subject on one line. It is cleaned and not refused, because names
// that people chose stand in it: nobody shall keep a notice from its owner by one.
func line(subject string) string {
	clean := []rune(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, subject))
	return string(clean[:min(len(clean), longestSubject)])
}

func text(body twinlatch.Secret) string {
	return strings.ToValidUTF8(body.Reveal(), string(unicode.ReplacementChar))
}
