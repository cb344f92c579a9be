package smtp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch/sender/smtp"
)

// TestBadServers is about servers that refuse, lie, hang and babble: what is told,
// who is tried next, and that no letter goes where it should not.
func TestBadServers(t *testing.T) {
	refuse := func(step, line string) func(*desk) {
		return func(d *desk) { d.then(step, func(c *caller) { c.say(line) }) }
	}
	certificate := func(host string, until time.Time) func(*desk) {
		return func(d *desk) { d.tls, d.roots = certified(t, host, until) }
	}
	later := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		does  func(*desk)
		class string
		says  string
	}{
		// Who comes in
		"a greeting that comes late":   {func(d *desk) { d.then("", (*caller).wait) }, "later", "greeting: it took too long"},
		"no service":                   {refuse("", "421 4.3.2 go away"), "later", "greeting: refused with 421 4.3.2"},
		"no service for us":            {refuse("", "554 5.7.1 you are on a list"), "later", "greeting: refused with 554 5.7.1"},
		"a greeting of something else": {refuse("", "HTTP/1.1 400 Bad Request"), "later", "greeting: the server does not speak SMTP"},
		"a greeting without an end":    {func(d *desk) { d.then("", babble("x")) }, "later", "greeting: the server says too much"},
		"a greeting of lines for ever": {func(d *desk) { d.then("", babble("220-hello\r\n")) }, "later", "greeting: the server says too much"},
		"one byte at a time":           {func(d *desk) { d.then("", drip) }, "later", "greeting: it took too long"},
		"a greeting and then nothing":  {func(d *desk) { d.then("", func(c *caller) { c.say("220 hello"); c.Close() }) }, "later", "greeting: the connection ended, or the server does not speak SMTP"},
		"no welcome": {func(d *desk) {
			d.then("EHLO", func(c *caller) { c.say("550 who?"); d.then("HELO", func(c *caller) { c.say("550 who?") }) })
		}, "later", "greeting: refused with 550"},
		"a server of the last century": {refuse("EHLO", "502 what"), "later", "greeting: refused with 502"},

		// Encryption
		"STARTTLS stripped":         {refuse("EHLO", "250 desk"), "later", "STARTTLS: the server does not offer it"},
		"STARTTLS refused":          {refuse("STARTTLS", "454 4.7.0 not now"), "later", "STARTTLS: refused with 454 4.7.0"},
		"STARTTLS and then no TLS":  {refuse("STARTTLS", "220 go ahead\r\n220 surprise"), "later", "STARTTLS: the server does not speak TLS there"},
		"STARTTLS and then nothing": {func(d *desk) { d.then("STARTTLS", func(c *caller) { c.say("220 go ahead"); c.wait() }) }, "later", "STARTTLS: it took too long"},
		"answers before STARTTLS": {func(d *desk) {
			d.then("STARTTLS", func(c *caller) { c.say("220 go ahead", "250-desk", "250 AUTH PLAIN"); c.encrypt() })
		}, "taken", ""},
		"another host's certificate": {certificate("elsewhere.example", later), "later", "STARTTLS: tls: failed to verify certificate: x509: certificate is valid for elsewhere.example, not localhost"},
		"a certificate that is over": {certificate("localhost", time.Now().Add(-time.Hour)), "later", "STARTTLS: tls: failed to verify certificate: x509: certificate has expired"},
		"nobody's certificate":       {func(d *desk) { d.tls, _ = certified(t, "localhost", later) }, "later", "STARTTLS: tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		"TLS 1.1":                    {func(d *desk) { d.tls.MaxVersion = tls.VersionTLS11 }, "later", "STARTTLS: "},

		// Authentication
		"a password refused":          {refuse("AUTH", "535 5.7.8 wrong"), "later", "sign-in: refused with 535 5.7.8"},
		"a user who has to wait":      {refuse("AUTH", "454 4.7.0 try later"), "later", "sign-in: refused with 454 4.7.0"},
		"no way to sign in":           {encrypted("250 desk"), "later", "sign-in: the server offers none of SCRAM-SHA-256, SCRAM-SHA-1, PLAIN and LOGIN"},
		"only ways that we do not go": {encrypted("250-desk", "250 AUTH CRAM-MD5 NTLM XOAUTH2"), "later", "sign-in: the server offers none of"},
		"too many questions":          {func(d *desk) { encrypted("250-desk", "250 AUTH LOGIN")(d); d.then("AUTH", ask("more", 9)) }, "later", "sign-in: the connection ended, or the server does not speak SMTP"},
		"a day of arithmetic": {func(d *desk) {
			encrypted("250-desk", "250 AUTH SCRAM-SHA-256")(d)
			d.then("AUTH", scram(2_000_000_000))
		}, "later", "sign-in: the server wants too many rounds of SCRAM"},
		"negative arithmetic": {func(d *desk) { encrypted("250-desk", "250 AUTH SCRAM-SHA-256")(d); d.then("AUTH", scram(-1)) }, "later", "sign-in: the server wants too many rounds of SCRAM"},

		// The sender: our own address, put right by whoever runs this
		"nobody may write as us": {refuse("MAIL", "550 5.7.1 not your address"), "later", "sender: refused with 550 5.7.1"},
		"a quota":                {refuse("MAIL", "452 4.5.3 too many"), "later", "sender: refused with 452 4.5.3"},

		// The recipient
		"nobody there":                   {refuse("RCPT", "550 5.1.1 unknown"), "bad recipient", "recipient: refused with 550 5.1.1"},
		"nobody there, without a reason": {refuse("RCPT", "550 unknown"), "bad recipient", "recipient: refused with 550"},
		"no such name":                   {refuse("RCPT", "553 no"), "bad recipient", "recipient: refused with 553"},
		"no mail there":                  {refuse("RCPT", "556 5.1.10 null MX"), "bad recipient", "recipient: refused with 556 5.1.10"},
		"a mailbox that is closed":       {refuse("RCPT", "550 5.2.1 disabled"), "bad recipient", "recipient: refused with 550 5.2.1"},
		"a full mailbox":                 {refuse("RCPT", "452 4.2.2 full"), "later", "recipient: refused with 452 4.2.2"},
		"a greylist":                     {refuse("RCPT", "451 4.7.1 come again"), "later", "recipient: refused with 451 4.7.1"},
		"no relaying":                    {refuse("RCPT", "550 5.7.1 relaying denied"), "later", "recipient: refused with 550 5.7.1"},
		"no relaying, unexplained":       {refuse("RCPT", "554 relaying denied"), "later", "recipient: refused with 554"},
		"the sender, said late":          {refuse("RCPT", "550 5.1.8 sender's domain unknown"), "later", "recipient: refused with 550 5.1.8"},
		"sign in first":                  {refuse("RCPT", "530 5.7.0 sign in"), "later", "recipient: refused with 530 5.7.0"},
		"a code in the text":             {refuse("RCPT", "554 the user 5.1.1 wrote"), "later", "recipient: refused with 554"},
		"a code that is none":            {refuse("RCPT", "999 what"), "later", "recipient: refused with 999"},

		// The e-mail
		"no e-mails":              {refuse("DATA", "554 5.5.1 no"), "later", "e-mail: refused with 554 5.5.1"},
		"an e-mail too large":     {refuse(".", "552 5.3.4 too large"), "no route", "answer to the e-mail: refused with 552 5.3.4"},
		"an e-mail that is spam":  {refuse(".", "554 5.7.1 spam"), "no route", "answer to the e-mail: refused with 554 5.7.1"},
		"nobody there, said late": {refuse(".", "550 5.1.1 unknown"), "bad recipient", "answer to the e-mail: refused with 550 5.1.1"},
		"no place for it":         {refuse(".", "452 4.3.1 disk full"), "later", "answer to the e-mail: refused with 452 4.3.1"},
		"cut before the answer":   {func(d *desk) { d.then(".", func(c *caller) { c.keep(); c.Close() }) }, "later", "answer to the e-mail: the connection ended, or the server does not speak SMTP"},
		"cut in the answer's text": {func(d *desk) {
			d.then(".", func(c *caller) { c.keep(); _, _ = io.WriteString(c, "250 2.0"); c.Close() })
		}, "taken", ""},
		"no answer":                {func(d *desk) { d.then(".", func(c *caller) { c.keep(); c.wait() }) }, "later, and it may have it", "answer to the e-mail: context deadline exceeded"},
		"an answer of garbage":     {func(d *desk) { d.then(".", func(c *caller) { c.keep(); c.say("\x00\xff" + string(c.letter)) }) }, "later", "answer to the e-mail: the server does not speak SMTP"},
		"an answer without an end": {func(d *desk) { d.then(".", func(c *caller) { c.keep(); babble("250-ok\r\n")(c) }) }, "later", "answer to the e-mail: the server says too much"},
		"no good-bye":              {func(d *desk) { d.then("QUIT", (*caller).wait) }, "taken", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, false)
			c.does(d)
			s := newSender(t, d.config())
			patience := 20 * time.Second
			if strings.Contains(c.says, "too long") || strings.Contains(c.says, "deadline") {
				patience = time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			began := time.Now()
			_, err := s.Send(ctx, message())
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			if got := class(err); got != c.class || err != nil && !strings.HasPrefix(err.Error(), "smtp: "+c.says) {
				t.Errorf("%s: %v, want %s: %s", got, err, c.class, c.says)
			}
			mustTellNothing(t, err)
			if strings.HasPrefix(name, "STARTTLS") && strings.Contains(d.commands(), "MAIL") {
				t.Errorf("said in the clear:\n%s", d.commands())
			}
		})
	}
}

// babble says a thing for ever.
func babble(what string) func(*caller) {
	return func(c *caller) {
		for block := bytes.Repeat([]byte(what), 1000); ; {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	}
}

// drip says good things slowly.
func drip(c *caller) {
	for range 1000 {
		if _, err := io.WriteString(c, "2"); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// encrypted offers these once the connection is encrypted.
func encrypted(lines ...string) func(*desk) {
	return func(d *desk) {
		d.then("STARTTLS", func(c *caller) {
			d.then("EHLO", func(c *caller) { c.say(lines...) })
			c.say("220 go ahead")
			c.encrypt()
		})
	}
}

// ask asks so often.
func ask(question string, times int) func(*caller) {
	return func(c *caller) {
		for range times {
			c.say("334 " + base64.StdEncoding.EncodeToString([]byte(question)))
			if line, err := c.in.ReadString('\n'); err != nil || strings.HasPrefix(line, "*") {
				break
			}
		}
		c.Close()
	}
}

// scram asks for so many rounds.
func scram(rounds int) func(*caller) {
	return func(c *caller) {
		c.say("334 ")
		line, err := c.in.ReadString('\n')
		first, bad := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		if err != nil || bad != nil {
			return
		}
		_, nonce, _ := strings.Cut(string(first), ",r=")
		c.say("334 " + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "r=%sours,s=c2FsdA==,i=%d", nonce, rounds)))
		_, _ = c.in.ReadString('\n')
		c.say("535 5.7.8 no")
	}
}

// What is asked for by TLS from the first byte is not had by less.
func TestTLSFromTheFirstByte(t *testing.T) {
	for name, c := range map[string]struct {
		implicit bool
		change   func(*desk, *smtp.Config)
		want     string
	}{
		"a server without":           {false, func(_ *desk, c *smtp.Config) { c.TLS = smtp.ImplicitTLS }, "smtp: connection: the server does not speak TLS there"},
		"another certificate":        {true, func(d *desk, _ *smtp.Config) { d.tls, _ = certified(t, "localhost", time.Now().Add(time.Hour)) }, "smtp: connection: tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		"a server that waits for it": {true, func(_ *desk, c *smtp.Config) { c.TLS = smtp.StartTLS }, "smtp: greeting: it took too long"},
	} {
		d := newDesk(t, c.implicit)
		config := d.config()
		c.change(d, &config)
		config.Roots = d.roots
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		_, err := newSender(t, config).Send(ctx, message())
		cancel()
		if class(err) != "later" || !strings.HasPrefix(err.Error(), c.want) || len(d.all()) != 0 {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		mustTellNothing(t, err)
	}
}

func TestNobodyListens(t *testing.T) {
	d := newDesk(t, false)
	d.listener.Close()
	_, err := newSender(t, d.config()).Send(t.Context(), message())
	if class(err) != "later" || !strings.Contains(err.Error(), "connection refused") {
		t.Error(err)
	}
	c := d.config()
	c.Host = "nobody.invalid:25"
	_, err = newSender(t, c).Send(t.Context(), message())
	if class(err) != "later" || !strings.Contains(err.Error(), "smtp: connection: ") {
		t.Error(err)
	}
}

// The same message has the same Message-ID, however often it is tried, so that
// who gets both can tell.
func TestALostAnswerIsTriedAgainUnderTheSameID(t *testing.T) {
	d := newDesk(t, false)
	s := newSender(t, d.config())
	d.then(".", func(c *caller) { c.keep(); c.Close() })
	if _, err := s.Send(t.Context(), message()); err == nil {
		t.Fatal("no error")
	}
	if _, err := s.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	all := d.all()
	if len(all) != 2 || all[0].Mark != "<abcdefghijklmnopqrstuvwxyz@example.com>" || all[0] != all[1] {
		t.Errorf("took %+v", all)
	}
}

// A sender keeps nothing of a conversation.
func TestNothingIsLeftOpen(t *testing.T) {
	before := runtime.NumGoroutine()
	d := newDesk(t, false)
	s := newSender(t, d.config())
	for i := range 20 {
		switch i % 4 {
		case 1:
			d.then("RCPT", quoting("550 5.1.1"))
		case 2:
			d.then("DATA", func(c *caller) { c.Close() })
		case 3:
			d.then(".", (*caller).wait)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, _ = s.Send(ctx, message())
		cancel()
	}
	d.listener.Close()
	for range 100 {
		if runtime.NumGoroutine() <= before+1 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d goroutines, before %d", runtime.NumGoroutine(), before)
}
