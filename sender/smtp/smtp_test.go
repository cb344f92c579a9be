package smtp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/sendertest"
	"github.com/twinlatch/twinlatch/sender/smtp"
)

func now() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }

const address = "ann.specimen@example.com"

func message() twinlatch.Message {
	return twinlatch.Message{
		ID: "abcdefghijklmnopqrstuvwxyz", Channel: twinlatch.Email, To: twinlatch.NewSecret(address),
		Subject: "A new sign-in", Body: twinlatch.NewSecret("483920 is the body"), HTML: twinlatch.NewSecret("<p>483920 is the body"),
		ExpiresAt: now().Add(time.Hour),
	}
}

func newSender(t testing.TB, c smtp.Config) *smtp.Sender {
	t.Helper()
	s, err := smtp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	for name, implicit := range map[string]bool{"STARTTLS": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			sendertest.Run(t, sendertest.Fixture{
				Channel: twinlatch.Email, Marks: true, Secrets: []string{password, user},
				New: func(t testing.TB, clock func() time.Time) sendertest.Setup {
					d := newDesk(t, implicit)
					c := d.config()
					c.Clock = clock
					next := func(step string, does func(*caller)) func() { return func() { d.then(step, does) } }
					return sendertest.Setup{Sender: newSender(t, c), Provider: sendertest.Provider{
						Taken:           d.all,
						RefuseRecipient: next("RCPT", quoting("550 5.1.1")),
						RefuseForGood:   next(".", quoting("554 5.7.1")),
						Fail:            next(".", quoting("451 4.3.0")),
						Break:           next(".", func(c *caller) { c.keep(); _, _ = c.Write([]byte("25")); c.Close() }),
						Babble:          next(".", func(c *caller) { c.keep(); c.say(string(c.letter)) }),
						AcceptTwice:     next(".", func(c *caller) { c.keep(); c.say("250 ok", "250 ok") }),
						Hang: func() <-chan struct{} {
							there := make(chan struct{})
							d.then(".", func(c *caller) { close(there); c.wait() })
							return there
						},
					}}
				},
			})
		})
	}
}

// mustTellNothing is about every error.
func mustTellNothing(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		text := fmt.Sprintf("%v %+v %#v", e, e, e)
		for _, secret := range []string{"specimen", "483920", "sign-in\"", password, user} {
			if strings.Contains(text, secret) {
				t.Errorf("an error tells %q: %s", secret, text)
			}
		}
		if strings.ContainsAny(e.Error(), "\r\n") {
			t.Errorf("more than one line: %q", e)
		}
	}
}

// class is which of the three kinds an error is.
func class(err error) string {
	switch {
	case err == nil:
		return "taken"
	case errors.Is(err, twinlatch.ErrBadRecipient):
		return "bad recipient"
	case errors.Is(err, twinlatch.ErrNoRoute):
		return "no route"
	case errors.Is(err, context.DeadlineExceeded):
		return "later, and it may have it"
	}
	return "later"
}

func TestSettingsAreChecked(t *testing.T) {
	good := smtp.Config{Host: "smtp.example.com:587", From: from, User: user, Password: twinlatch.NewSecret(password)}
	const wantFrom = ", want Example <noreply@example.com>, in ASCII before the @"
	for name, c := range map[string]struct {
		change func(*smtp.Config)
		want   string // "": it is good
	}{
		"all":                   {func(*smtp.Config) {}, ""},
		"no user":               {func(c *smtp.Config) { c.User, c.Password = "", twinlatch.Secret{} }, ""},
		"an address alone":      {func(c *smtp.Config) { c.From = "noreply@example.com" }, ""},
		"international":         {func(c *smtp.Config) { c.From = "Příklad <noreply@příklad.example>" }, ""},
		"IPv6":                  {func(c *smtp.Config) { c.Host = "[::1]:25" }, ""},
		"clear here":            {func(c *smtp.Config) { c.TLS, c.Host = smtp.NoTLS, "127.0.0.1:25" }, ""},
		"clear without user":    {func(c *smtp.Config) { c.TLS, c.User, c.Password = smtp.NoTLS, "", twinlatch.Secret{} }, ""},
		"a password in clear":   {func(c *smtp.Config) { c.TLS = smtp.NoTLS }, "without TLS the password would travel in the clear"},
		"a disguise":            {func(c *smtp.Config) { c.TLS, c.Host = smtp.NoTLS, "localhost.example.com:25" }, "without TLS the password would travel in the clear"},
		"no host":               {func(c *smtp.Config) { c.Host = "" }, `Host is "", want host:port, for instance smtp.example.com:587`},
		"no port":               {func(c *smtp.Config) { c.Host = "smtp.example.com" }, `Host is "smtp.example.com", want host:port, for instance smtp.example.com:587`},
		"a port by name":        {func(c *smtp.Config) { c.Host = "a:smtp" }, `Host is "a:smtp", want host:port, for instance smtp.example.com:587`},
		"port 0":                {func(c *smtp.Config) { c.Host = "a:0" }, `Host is "a:0", want host:port, for instance smtp.example.com:587`},
		"another TLS":           {func(c *smtp.Config) { c.TLS = "maybe" }, `TLS is "maybe", want starttls, tls or none`},
		"a user alone":          {func(c *smtp.Config) { c.Password = twinlatch.Secret{} }, "User and Password go together"},
		"a password alone":      {func(c *smtp.Config) { c.User = "" }, "User and Password go together"},
		"a password of lines":   {func(c *smtp.Config) { c.Password = twinlatch.NewSecret(password + "\n") }, "User and Password must be one line each"},
		"nobody":                {func(c *smtp.Config) { c.From = "" }, `From is ""` + wantFrom},
		"a name alone":          {func(c *smtp.Config) { c.From = "Example" }, `From is "Example"` + wantFrom},
		"two":                   {func(c *smtp.Config) { c.From = "a@example.com, b@example.com" }, `From is "a@example.com, b@example.com"` + wantFrom},
		"a header in it":        {func(c *smtp.Config) { c.From = "A\r\nBcc: b@example.com <a@example.com>" }, `From is "A\r\nBcc: b@example.com <a@example.com>"` + wantFrom},
		"an encoded header":     {func(c *smtp.Config) { c.From = "=?utf-8?q?A=0D=0ABcc:b?= <a@example.com>" }, `From is "=?utf-8?q?A=0D=0ABcc:b?= <a@example.com>"` + wantFrom},
		"not ASCII":             {func(c *smtp.Config) { c.From = "jörg@example.com" }, `From is "jörg@example.com"` + wantFrom},
		"a domain that is none": {func(c *smtp.Config) { c.From = "a@[127.0.0.1]" }, `From is "a@[127.0.0.1]"` + wantFrom},
		"a greeting of two":     {func(c *smtp.Config) { c.Helo = "a b" }, `Helo is "a b", want a host name`},
		"a greeting of lines":   {func(c *smtp.Config) { c.Helo = "a\r\nRSET" }, `Helo is "a\r\nRSET", want a host name`},
	} {
		config := good
		c.change(&config)
		_, err := smtp.New(config)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || err.Error() != "smtp: "+c.want):
			t.Errorf("%s: %v, want %s", name, err, c.want)
		case err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestConversation shows the whole of one: what is said, and that nothing in it
// names this machine or this program.
func TestConversation(t *testing.T) {
	d := newDesk(t, false)
	var letter []byte
	d.then(".", func(c *caller) { letter = c.letter; c.keep(); c.say("250 ok") })
	if _, err := newSender(t, d.config()).Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	want := `EHLO example.com
STARTTLS
EHLO example.com
AUTH PLAIN AG1haWxlckBleGFtcGxlLmNvbQBjb3JyZWN0IGhvcnNlIGJhdHRlcnk=
MAIL FROM:<noreply@example.com> BODY=8BITMIME
RCPT TO:<ann.specimen@example.com>
DATA`
	if got := d.commands(); got != want && got != want+"\nQUIT" {
		t.Errorf("said\n%s\nwant\n%s", got, want)
	}
	header, _, _ := strings.Cut(string(letter), "\n\n")
	boundary := header[strings.LastIndex(header, "=")+1:]
	const wantLetter = `Auto-Submitted: auto-generated
Date: Wed, 04 Mar 2026 05:06:07 +0000
MIME-Version: 1.0
Message-ID: <abcdefghijklmnopqrstuvwxyz@example.com>
Subject: A new sign-in
From: "Twinlatch" <noreply@example.com>
To: <ann.specimen@example.com>
Content-Type: multipart/alternative;
 boundary=BOUNDARY

--BOUNDARY
Content-Transfer-Encoding: quoted-printable
Content-Type: text/plain; charset=UTF-8

483920 is the body
--BOUNDARY
Content-Transfer-Encoding: quoted-printable
Content-Type: text/html; charset=UTF-8

<p>483920 is the body
--BOUNDARY--
`
	if got := strings.ReplaceAll(string(letter), boundary, "BOUNDARY"); got != wantLetter {
		t.Errorf("wrote\n%s\nwant\n%s", got, wantLetter)
	}
}

func TestTheGreetingCanBeSet(t *testing.T) {
	d := newDesk(t, false)
	c := d.config()
	c.Helo = "mail.example.net"
	if _, err := newSender(t, c).Send(t.Context(), message()); err != nil || !strings.HasPrefix(d.commands(), "EHLO mail.example.net\n") {
		t.Errorf("%v, said\n%s", err, d.commands())
	}
}

func TestAddresses(t *testing.T) {
	d := newDesk(t, false)
	s := newSender(t, d.config())
	for to, want := range map[string]string{
		"ann@example.com":                      "taken",
		"Ann.O'Brien+2sv@example.com":          "taken",
		"ann@example":                          "taken",
		"ann@příklad.example":                  "taken",
		"a@" + strings.Repeat("b.", 125) + "c": "taken",

		"":                                "bad recipient",
		"ann":                             "bad recipient",
		"@example.com":                    "bad recipient",
		"ann@":                            "bad recipient",
		"ann@@example.com":                "bad recipient",
		"ann @example.com":                "bad recipient",
		" ann@example.com":                "bad recipient",
		"ann@example.com ":                "bad recipient",
		"ann@example.com.":                "bad recipient",
		"ann@example..com":                "bad recipient",
		"ann@-example.com":                "bad recipient",
		".ann@example.com":                "bad recipient",
		"a..n@example.com":                "bad recipient",
		"ann@[192.0.2.1]":                 "bad recipient",
		"Ann <ann@example.com>":           "bad recipient",
		"<ann@example.com>":               "bad recipient",
		"ann@example.com (Ann)":           "bad recipient",
		`"ann"@example.com`:               "bad recipient",
		`"a> SIZE=1 <b"@example.com`:      "bad recipient",
		"ann@example.com,bob@example.com": "bad recipient",
		"ann@example.com\r\nRCPT TO:<bob@example.com>": "bad recipient",
		"ann\r\n@example.com":                          "bad recipient",
		"ann@exam\x00ple.com":                          "bad recipient",
		"ann\xff@example.com":                          "bad recipient",
		strings.Repeat("a", 65) + "@example.com":       "bad recipient",
		"a@" + strings.Repeat("b.", 126) + "c":         "bad recipient",
		"jörg@example.com":                             "no route",
	} {
		m := message()
		m.To = twinlatch.NewSecret(to)
		before := len(d.all())
		_, err := s.Send(t.Context(), m)
		if got := class(err); got != want {
			t.Errorf("%q: %s (%v), want %s", to, got, err, want)
		}
		if took := len(d.all()) - before; (took == 1) != (want == "taken") {
			t.Errorf("%q: took %d", to, took)
		}
		if err != nil && to != "" && to != "ann" && strings.Contains(err.Error(), to) {
			t.Errorf("%q is in %v", to, err)
		}
	}
	if got := d.all(); !strings.Contains(fmt.Sprint(got), "{ann@xn--pklad-zsa96e.example ") {
		t.Errorf("the domain's letters: %+v", got)
	}
}

func TestAMessageWithoutAnIDIsNotSent(t *testing.T) {
	d := newDesk(t, false)
	s := newSender(t, d.config())
	for _, id := range []twinlatch.MessageID{"", "a b", "a@b", "a>\r\nBcc: b@example.com"} {
		m := message()
		m.ID = id
		if _, err := s.Send(t.Context(), m); class(err) != "later" || len(d.all()) != 0 {
			t.Errorf("%q: %v", id, err)
		}
	}
}
