package smtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail/smtp"
)

// step is a part of the conversation with the server.
type step string

const (
	connecting step = "connection"
	greeting   step = "greeting"
	encrypting step = "STARTTLS"
	signingIn  step = "sign-in"
	sender     step = "sender"
	recipient  step = "recipient"
	content    step = "e-mail"
	taking     step = "answer to the e-mail" // from here on the server may have it
)

// conversation is one connection, for one letter.
type conversation struct {
	*Sender
	conn   net.Conn
	end    func()
	client *smtp.Client
	data   io.WriteCloser
}

// submit hands a letter over. It ends with ctx, in whatever step it is.
func (s *Sender) submit(ctx context.Context, to string, letter []byte) error {
	c := conversation{Sender: s, end: func() {}}
	defer func() { c.end() }()
	for _, do := range []struct {
		step step
		it   func() error
	}{
		{connecting, func() error { return c.connect(ctx) }},
		{greeting, c.greet},
		{encrypting, c.encrypt},
		{signingIn, c.signIn},
		{sender, func() error { return c.client.Mail("<" + s.from.Address + ">") }},
		{recipient, func() error { return c.client.Rcpt("<" + to + ">") }},
		{content, func() error { return c.write(letter) }},
		{taking, func() error { return c.data.Close() }},
	} {
		if err := do.it(); err != nil {
			return do.step.failed(ctx, err)
		}
	}
	_, _ = c.client.Text.Cmd("QUIT") // whoever has the letter may take their time to say good-bye
	return nil
}

func (c *conversation) connect(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	forget := context.AfterFunc(ctx, func() { conn.Close() })
	c.end = func() {
		forget()
		conn.Close()
	}
	c.conn = &bounded{Conn: conn, left: longestTalk}
	if c.tls == ImplicitTLS {
		encrypted := tls.Client(c.conn, c.trust)
		c.conn = encrypted
		return encrypted.HandshakeContext(ctx)
	}
	return nil
}

func (c *conversation) greet() (err error) {
	if c.client, err = smtp.NewClient(c.conn, c.host); err != nil {
		return err
	}
	c.client.SkipSMTPUTF8(true) // all that we say is ASCII, and who is next may not know it
	return c.client.Hello(c.helo)
}

func (c *conversation) encrypt() error {
	if c.tls != StartTLS {
		return nil
	}
	if offered, _ := c.client.Extension("STARTTLS"); !offered {
		return complaint("the server does not offer it")
	}
	return c.client.StartTLS(c.trust)
}

func (c *conversation) signIn() error {
	if c.user == "" {
		return nil
	}
	_, offers := c.client.Extension("AUTH")
	offered := strings.Fields(offers)
	user, password, inClear := c.user, c.password.Reveal(), c.tls == NoTLS // New has seen that it stays on this machine
	for _, way := range []struct {
		name string
		auth smtp.Auth
	}{
		{"SCRAM-SHA-256", hasty{smtp.ScramSHA256Auth(user, password)}},
		{"SCRAM-SHA-1", hasty{smtp.ScramSHA1Auth(user, password)}},
		{"PLAIN", smtp.PlainAuth("", user, password, c.host, inClear)},
		{"LOGIN", smtp.LoginAuth(user, password, c.host, inClear)},
	} {
		if slices.Contains(offered, way.name) {
			return c.client.Auth(way.auth)
		}
	}
	return complaint("the server offers none of SCRAM-SHA-256, SCRAM-SHA-1, PLAIN and LOGIN")
}

func (c *conversation) write(letter []byte) (err error) {
	if c.data, err = c.client.Data(); err == nil {
		_, err = c.data.Write(letter)
	}
	return err
}

// hasty does not count as long as a server may tell it to: the library would, for
// days, and nothing stops it.
type hasty struct{ smtp.Auth }

const mostRounds = 1_000_000

// Next implements smtp.Auth.
func (h hasty) Next(challenge []byte, more bool) ([]byte, error) {
	if _, rounds, found := bytes.Cut(challenge, []byte(",i=")); found {
		rounds, _, _ = bytes.Cut(rounds, []byte(","))
		if n, err := strconv.Atoi(string(rounds)); err != nil || n < 1 || n > mostRounds {
			return nil, complaint("the server wants too many rounds of SCRAM")
		}
	}
	return h.Auth.Next(challenge, more)
}

// bounded is a connection whose other end cannot talk for ever.
type bounded struct {
	net.Conn
	left int
}

const longestTalk = 256 << 10 // bytes; certificates are most of it

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, complaint("the server says too much")
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
