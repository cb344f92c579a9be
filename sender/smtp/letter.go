package smtp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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
	e.SetGenHeaderPreformatted(gomail.HeaderSubject, encoded(line(m.Subject)))
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

const longestSubject = 200 // characters; longer ones are cut

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

// encoded is a subject in ASCII, folded (RFC 2047). The library would begin long
// ones on the second line, which some readers take for a blank, and leave as they
// are those that only look encoded.
func encoded(subject string) string {
	const plain, word = 66, 39 // bytes; both fit on a line of 76 after "Subject: "
	odd := strings.ContainsFunc(subject, func(r rune) bool { return r > unicode.MaxASCII })
	if len(subject) <= plain && !odd && !strings.Contains(subject, "=?") {
		return subject
	}
	var words []string
	for len(subject) > 0 {
		n := 0
		for i, r := range subject {
			if i+utf8.RuneLen(r) > word {
				break
			}
			n = i + utf8.RuneLen(r)
		}
		words = append(words, "=?UTF-8?B?"+base64.StdEncoding.EncodeToString([]byte(subject[:n]))+"?=")
		subject = subject[n:]
	}
	return strings.Join(words, "\r\n ")
}

func text(body twinlatch.Secret) string {
	return strings.ToValidUTF8(body.Reveal(), string(unicode.ReplacementChar))
}
