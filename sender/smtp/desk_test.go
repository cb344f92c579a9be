package smtp_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/sendertest"
	"github.com/twinlatch/twinlatch/sender/smtp"
)

const (
	user     = "mailer@example.com"
	password = "correct horse battery"
	from     = "Twinlatch <noreply@example.com>"
)

// certified is a certificate for a host name and what its clients trust.
func certified(t testing.TB, host string, until time.Time) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

// desk is a mail server by hand, on this machine: sound until it is told what to
// do at a step, and then only the next time. Steps are "" (somebody came in), the
// commands, and "." (the end of an e-mail).
type desk struct {
	t        testing.TB
	listener net.Listener
	tls      *tls.Config
	implicit bool
	roots    *x509.CertPool

	mu    sync.Mutex
	at    map[string]func(*caller)
	heard []string // commands, oldest first
	taken []sendertest.Taken
}

// caller is who came to the desk.
type caller struct {
	net.Conn
	desk      *desk
	in        *bufio.Reader
	encrypted bool
	line      string // what it said last
	from, to  string
	letter    []byte
}

func newDesk(t testing.TB, implicit bool) *desk {
	t.Helper()
	d := &desk{t: t, at: map[string]func(*caller){}, implicit: implicit}
	d.tls, d.roots = certified(t, "localhost", time.Now().Add(time.Hour))
	var err error
	if d.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.listener.Close() })
	go func() {
		for {
			conn, err := d.listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			go d.serve(conn)
		}
	}()
	return d
}

// host is the desk's address under a name.
func (d *desk) host() string {
	_, port, _ := net.SplitHostPort(d.listener.Addr().String())
	return "localhost:" + port
}

// config is that of a sender who knows how to talk to the desk.
func (d *desk) config() smtp.Config {
	c := smtp.Config{Host: d.host(), User: user, Password: twinlatch.NewSecret(password), From: from, Roots: d.roots, Clock: now}
	if d.implicit {
		c.TLS = smtp.ImplicitTLS
	}
	return c
}

// then says what happens the next time at a step instead of the usual.
func (d *desk) then(step string, does func(*caller)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at[step] = does
}

func (d *desk) all() []sendertest.Taken {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]sendertest.Taken(nil), d.taken...)
}

func (d *desk) commands() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.heard, "\n")
}

func (c *caller) say(lines ...string) {
	_, _ = io.WriteString(c.Conn, strings.Join(lines, "\r\n")+"\r\n")
}

// wait answers nothing until the other side goes.
func (c *caller) wait() { _, _ = io.Copy(io.Discard, c.Conn) }

// keep takes the letter.
func (c *caller) keep() {
	c.desk.mu.Lock()
	defer c.desk.mu.Unlock()
	c.desk.taken = append(c.desk.taken, read(c.desk.t, c.to, c.letter))
}

func (d *desk) serve(conn net.Conn) {
	defer conn.Close()
	c := &caller{Conn: conn, desk: d}
	if d.implicit {
		c.encrypt()
	}
	c.in = bufio.NewReader(c.Conn)
	c.step("", func() { c.say("220 desk ESMTP") })
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return
		}
		c.line = strings.TrimRight(line, "\r\n")
		verb, _, _ := strings.Cut(strings.ToUpper(c.line), " ")
		d.mu.Lock()
		d.heard = append(d.heard, c.line)
		d.mu.Unlock()
		c.step(verb, func() { c.answer(verb) })
	}
}

// step does what was asked for at it, or the usual.
func (c *caller) step(name string, usual func()) {
	c.desk.mu.Lock()
	does := c.desk.at[name]
	delete(c.desk.at, name)
	c.desk.mu.Unlock()
	if does != nil {
		does(c)
		return
	}
	usual()
}

func (c *caller) encrypt() {
	c.Conn = tls.Server(c.Conn, c.desk.tls)
	c.in, c.encrypted = bufio.NewReader(c.Conn), true
}

func (c *caller) answer(verb string) {
	switch verb {
	case "EHLO":
		offers := []string{"250-desk", "250-8BITMIME", "250-SMTPUTF8"}
		if c.encrypted {
			offers = append(offers, "250-AUTH PLAIN LOGIN")
		} else {
			offers = append(offers, "250-STARTTLS")
		}
		c.say(append(offers, "250 ENHANCEDSTATUSCODES")...)
	case "STARTTLS":
		c.say("220 go ahead")
		c.encrypt()
	case "AUTH":
		word := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
		if c.line == "AUTH PLAIN "+word {
			c.say("235 2.7.0 welcome")
		} else {
			c.say("535 5.7.8 who are you")
		}
	case "MAIL":
		c.from = c.line
		c.say("250 2.1.0 ok")
	case "RCPT":
		c.to = strings.TrimSuffix(strings.TrimPrefix(c.line, "RCPT TO:<"), ">")
		c.say("250 2.1.5 ok")
	case "DATA":
		c.say("354 go on")
		letter, err := io.ReadAll(textproto.NewReader(c.in).DotReader())
		if err != nil {
			return
		}
		c.letter = letter
		c.step(".", func() {
			c.keep()
			c.say("250 2.0.0 ok: queued as 4FkXyz")
		})
	case "QUIT":
		c.say("221 bye")
	default:
		c.say("500 5.5.1 what")
	}
}

// read takes a letter apart with the parsers of the standard library.
func read(t testing.TB, to string, letter []byte) sendertest.Taken {
	m, err := mail.ReadMessage(bytes.NewReader(letter))
	if err != nil {
		t.Errorf("no e-mail: %v\n%s", err, letter)
		return sendertest.Taken{}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Error(err)
	}
	body := io.Reader(quotedprintable.NewReader(m.Body))
	if kind, more, _ := mime.ParseMediaType(m.Header.Get("Content-Type")); kind == "multipart/alternative" {
		if body, err = multipart.NewReader(m.Body, more["boundary"]).NextPart(); err != nil {
			t.Error(err)
		}
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Error(err)
	}
	return sendertest.Taken{To: to, Subject: subject, Body: string(text), Mark: m.Header.Get("Message-Id")}
}

// quoting refuses with a code and with all that the caller said.
func quoting(code string) func(*caller) {
	return func(c *caller) { c.say(fmt.Sprintf("%s %q %q", code, c.line, c.letter)) }
}
