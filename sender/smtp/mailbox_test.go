package smtp_test

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/smtp"
)

// mailbox are mail servers that others wrote: Debian's python3-aiosmtpd, with
// Python's parser of e-mails behind them.
type mailbox struct {
	t     testing.TB
	ports map[string]int
	roots *x509.CertPool
	lines *bufio.Scanner
}

// arrived is an e-mail as Python reads it.
type arrived struct {
	From    string
	To      []string
	Helo    string
	User    bool
	TLS     bool
	Headers [][2]string
	Type    string
	Text    string
	HTML    string
	Defects []string
	ASCII   bool
	Longest int
	Bare    int // line feeds that end no line
}

func (a arrived) header(name string) string {
	var all []string
	for _, h := range a.Headers {
		if strings.EqualFold(h[0], name) {
			all = append(all, h[1])
		}
	}
	return strings.Join(all, "|")
}

func newMailbox(t testing.TB) *mailbox {
	t.Helper()
	config, roots := certified(t, "localhost", time.Now().Add(time.Hour))
	key, err := x509.MarshalPKCS8PrivateKey(config.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"certificate": {Type: "CERTIFICATE", Bytes: config.Certificates[0].Certificate[0]}, "key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/usr/bin/python3", "testdata/mailbox.py", user, password, filepath.Join(dir, "certificate"), filepath.Join(dir, "key"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
			t.Errorf("the mailbox: %v\n%s", err, &stderr)
		}
	})
	m := &mailbox{t: t, roots: roots, lines: bufio.NewScanner(stdout)}
	m.lines.Buffer(nil, 16<<20)
	if !m.lines.Scan() || json.Unmarshal(m.lines.Bytes(), &m.ports) != nil {
		t.Fatalf("no mailbox; is python3-aiosmtpd of Debian there (.ci/setup)?\n%s", &stderr)
	}
	return m
}

// sender is one for the server of a way of encryption and of authentication;
// "": there is none.
func (m *mailbox) sender(way smtp.TLS, mechanism string) *smtp.Sender {
	m.t.Helper()
	c := smtp.Config{
		Host: fmt.Sprintf("localhost:%d", m.ports[string(way)+" "+mechanism]), TLS: way,
		From: "Příliš žluťoučký <noreply@příklad.example>", Roots: m.roots, Clock: now,
	}
	if mechanism != "" {
		c.User, c.Password = user, twinlatch.NewSecret(password)
	}
	return newSender(m.t, c)
}

// next is what arrived next.
func (m *mailbox) next() arrived {
	m.t.Helper()
	var a arrived
	if !m.lines.Scan() {
		m.t.Fatal("nothing arrived")
	}
	if err := json.Unmarshal(m.lines.Bytes(), &a); err != nil {
		m.t.Fatal(err)
	}
	return a
}

func TestEncryptionAndAuthentication(t *testing.T) {
	m := newMailbox(t)
	for _, way := range []smtp.TLS{smtp.StartTLS, smtp.ImplicitTLS, smtp.NoTLS} {
		for _, mechanism := range []string{"PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1", ""} {
			if _, err := m.sender(way, mechanism).Send(t.Context(), message()); err != nil {
				t.Errorf("%s %s: %v", way, mechanism, err)
				continue
			}
			got := m.next()
			if got.User != (mechanism != "") || got.TLS != (way != smtp.NoTLS) || got.Helo != "xn--pklad-zsa96e.example" ||
				got.From != "noreply@xn--pklad-zsa96e.example" || len(got.To) != 1 || got.To[0] != address {
				t.Errorf("%s %s: %+v", way, mechanism, got)
			}
		}
		c := smtp.Config{
			Host: fmt.Sprintf("localhost:%d", m.ports[string(way)+" SCRAM-SHA-256"]), TLS: way, From: from, Roots: m.roots,
			Clock: now, User: user, Password: twinlatch.NewSecret(password + "!"),
		}
		_, err := newSender(t, c).Send(t.Context(), message())
		if class(err) != "later" || !strings.HasPrefix(err.Error(), "smtp: sign-in: refused with 535 5.7.8") {
			t.Errorf("%s, a wrong password: %v", way, err)
		}
		mustTellNothing(t, err)
	}
}

// TestLettersArriveAsTheyAre is about what other programs read in our e-mails.
func TestLettersArriveAsTheyAre(t *testing.T) {
	m := newMailbox(t)
	s := m.sender(smtp.NoTLS, "")
	const wall = "0123456789"
	for name, c := range map[string]struct {
		subject, want string // want: "" as sent
		text, html    string
	}{
		"plain":                                 {subject: "A new sign-in", text: "Hello,\n\nsomebody signed in.\n"},
		"with HTML":                             {subject: "Hello", text: "Hello\n", html: "<!doctype html><p>Hello <b>Ann</b> &amp; Söhne 🔑\n"},
		"Czech":                                 {subject: "Nové přihlášení na účet žluťoučkého koně", text: "Příliš žluťoučký kůň úpěl ďábelské ódy.\n", html: "<p>úpěl ďábelské ódy\n"},
		"emoji":                                 {subject: "🔑 👩‍👩‍👧 " + strings.Repeat("🔑", 60), text: strings.Repeat("🔑", 2000) + "\n"},
		"right to left":                         {subject: "تسجيل دخول جديد", text: "رمز 483920\n"},
		"a long subject":                        {subject: strings.Repeat("word ", 39) + "word"},
		"one long word":                         {subject: strings.Repeat(wall, 20), text: strings.Repeat(wall, 2000) + "\n", html: strings.Repeat(wall, 2000) + "\n"},
		"a subject too long":                    {subject: strings.Repeat("ž", 5000), want: strings.Repeat("ž", 200)},
		"no subject and no text":                {},
		"what looks encoded":                    {subject: "=?utf-8?q?Bcc:_eve?= =41", text: "=41 =?utf-8?q?a?= =\n=0D=0A\n"},
		"dots":                                  {text: ".\n..\n.hidden\n...\nend.\n"},
		"an end in the middle":                  {text: "one\n.\nMAIL FROM:<eve@example.com>\nRCPT TO:<eve@example.com>\nDATA\n.\n", html: "<p>\n.\nQUIT\n"},
		"an end of bare line feeds and returns": {text: "one\n.\ntwo\n"},
		"blanks at line ends":                   {text: "one \ntwo\t\n \n\nthree\n"},
		"from":                                  {text: "From here\n>From there\n"},
		"boundaries":                            {text: "--\n--boundary\n--boundary--\nContent-Type: text/html\n", html: "--boundary--\n"},
		"a header in the text":                  {text: "Bcc: eve@example.com\n\nSubject: other\n"},
		"a header in the subject":               {subject: "Hello\r\nBcc: eve@example.com", want: "Hello  Bcc: eve@example.com"},
		"an end in the subject":                 {subject: "Hello\r\n\r\n<p>Eve", want: "Hello    <p>Eve"},
		"line feed, NUL and escape":             {subject: "a\nb\x00c\x1b[31md\u0085e", want: "a b c [31md e"},
		"letters that are none":                 {subject: "a\xffb\xfe", want: "a\ufffdb\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			message := message()
			message.Subject, message.Body, message.HTML = c.subject, twinlatch.NewSecret(c.text), twinlatch.NewSecret(c.html)
			if _, err := s.Send(t.Context(), message); err != nil {
				t.Fatal(err)
			}
			got := m.next()
			if c.want == "" {
				c.want = c.subject
			}
			if c.text == "" {
				c.text = "\n" // an e-mail ends with a line
			}
			if got.header("Subject") != c.want {
				t.Errorf("subject %.60q, want %.60q", got.header("Subject"), c.want)
			}
			// Each part ends with a line, whether or not the boundary's is counted.
			if got.Text != c.text && got.Text+"\n" != c.text && got.Text != c.text+"\n" || got.HTML != c.html {
				t.Errorf("got %.60q and %.60q, want %.60q and %.60q", got.Text, got.HTML, c.text, c.html)
			}
			want := map[string]string{
				"From": "Příliš žluťoučký <noreply@xn--pklad-zsa96e.example>", "To": address, "Date": "Wed, 04 Mar 2026 05:06:07 +0000",
				"Message-ID": "<abcdefghijklmnopqrstuvwxyz@xn--pklad-zsa96e.example>", "Auto-Submitted": "auto-generated", "MIME-Version": "1.0",
			}
			if len(got.Defects) > 0 {
				t.Errorf("defects: %v", got.Defects)
			}
			for name, value := range want {
				if got.header(name) != value {
					t.Errorf("%s: %q, want %q", name, got.header(name), value)
				}
			}
			for _, h := range got.Headers {
				if _, known := want[h[0]]; !known && h[0] != "Subject" && h[0] != "Content-Type" && h[0] != "Content-Transfer-Encoding" {
					t.Errorf("a header that nobody asked for: %q", h)
				}
			}
			if kind := map[bool]string{false: "text/plain", true: "multipart/alternative"}[c.html != ""]; got.Type != kind {
				t.Errorf("it is %s, want %s", got.Type, kind)
			}
			if !got.ASCII || got.Longest > 998 || got.Bare != 0 || len(got.To) != 1 {
				t.Errorf("ASCII %v, longest line %d, %d bare line feeds, to %v", got.ASCII, got.Longest, got.Bare, got.To)
			}
		})
	}
}
