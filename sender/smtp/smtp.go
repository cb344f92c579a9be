// Package smtp sends e-mails by submission to one mail server: twinlatch.Sender
// over SMTP (RFC 5321, RFC 6409), with TLS and authentication.
//
// Settings: the server as host:port, whom e-mails are from, and mostly a user and
// a password. The connection is encrypted by STARTTLS (port 587) or from its first
// byte (port 465), or not at all, which somebody has to ask for and which never
// carries a password to another machine. The certificate must be valid for the
// host, and nothing is sent to a server that does not offer what was asked for.
// Of what the server offers the first of SCRAM-SHA-256, SCRAM-SHA-1, PLAIN and
// LOGIN is used.
//
// Each message is one connection, one recipient and one e-mail: the text, and the
// HTML beside it where there is some. Its Message-ID is that of the message at the
// domain of From, the same at each try. Neither its headers nor the greeting
// (HELO) name this machine or this program. A control character in a subject
// becomes a blank.
//
// What the server answers decides who is tried next:
//
//	recipient refused for good        5yz to RCPT about this mailbox: ErrBadRecipient
//	e-mail refused for good           5yz after its end: ErrNoRoute, it stays the same
//	all other refusals                an ordinary error: sign-in, the sender address,
//	                                  relaying and quotas can be put right while it waits
//
// A refusal of the recipient is about the mailbox when its enhanced code
// (RFC 3463) says so, X.1.z but for the sender's X.1.7 and X.1.8, X.2.z or X.4.4;
// without such a code when it is 550, 551, 553 or 556. Answers quote recipients
// and texts, so errors hold their codes only.
//
// Limits: a person's address is of ASCII letters before the @, because not every
// server on the way takes others (SMTPUTF8); the domain may be international. When
// the answer to an e-mail is lost, nobody knows whether it was taken: it is sent
// again, and who gets both can tell by the Message-ID. Whether an e-mail arrived is
// not known; servers say so in an e-mail to From.
package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/twinlatch/twinlatch"
)

// Name is what settings and logs call this sender.
const Name = "smtp"

// TLS says how the connection is encrypted.
type TLS string

const (
	StartTLS    TLS = "starttls" // after the greeting, before anything else
	ImplicitTLS TLS = "tls"      // from the first byte
	NoTLS       TLS = "none"     // not at all
)

// Config is a mail server and who writes.
type Config struct {
	Host     string           // "smtp.example.com:587"
	TLS      TLS              // empty: StartTLS
	User     string           // empty: no authentication
	Password twinlatch.Secret // of User
	From     string           // "Example <noreply@example.com>", or the address alone
	Helo     string           // what we call ourselves; empty: the domain of From
	Roots    *x509.CertPool   // who may certify the server; nil: whom this machine trusts
	Clock    func() time.Time // nil: time.Now
}

// Sender is a mail server as a twinlatch.Sender. Make one with New.
type Sender struct {
	address, host string
	tls           TLS
	trust         *tls.Config
	user          string
	password      twinlatch.Secret
	from          mail.Address
	domain, helo  string
	clock         func() time.Time
}

const longestName = 64 // characters of whom e-mails are from

// messageID is what the part of a Message-ID before the @ may be made of.
var messageID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// New makes the sender; it does not ask the server. Errors hold no secret.
func New(c Config) (*Sender, error) {
	host, port, err := net.SplitHostPort(c.Host)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || n == 0 {
		return nil, fmt.Errorf("smtp: Host is %.80q, want host:port, for instance smtp.example.com:587", c.Host)
	}
	switch c.TLS {
	case "":
		c.TLS = StartTLS
	case StartTLS, ImplicitTLS, NoTLS:
	default:
		return nil, fmt.Errorf("smtp: TLS is %.20q, want starttls, tls or none", c.TLS)
	}
	switch password := c.Password.Reveal(); {
	case (c.User == "") != (password == ""):
		return nil, errors.New("smtp: User and Password go together")
	case strings.ContainsFunc(c.User+password, unicode.IsControl):
		return nil, errors.New("smtp: User and Password must be one line each")
	case c.User != "" && c.TLS == NoTLS && !loopback(host):
		return nil, errors.New("smtp: without TLS the password would travel in the clear")
	}
	from, domain, err := author(c.From)
	if err != nil {
		return nil, err
	}
	s := &Sender{
		address: c.Host, host: host, tls: c.TLS, trust: &tls.Config{ServerName: host, RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
		user: c.User, password: c.Password, from: from, domain: domain, helo: c.Helo, clock: c.Clock,
	}
	if s.helo == "" {
		s.helo = domain
	}
	if !isHost(s.helo) {
		return nil, fmt.Errorf("smtp: Helo is %.80q, want a host name", c.Helo)
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	return s, nil
}

// author reads whom e-mails are from.
func author(text string) (from mail.Address, domain string, err error) {
	a, err := mail.ParseAddress(text)
	if err == nil {
		a.Address, domain, err = mailbox(a.Address)
	}
	if err != nil || strings.ContainsFunc(a.Name, unicode.IsControl) || len([]rune(a.Name)) > longestName {
		return mail.Address{}, "", fmt.Errorf("smtp: From is %.80q, want Example <noreply@example.com>, in ASCII before the @", text)
	}
	return *a, domain, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// Name implements twinlatch.Sender. It is the constant Name.
func (*Sender) Name() string { return Name }

// Carries implements twinlatch.Sender: e-mails only.
func (*Sender) Carries(by twinlatch.Channel) bool { return by == twinlatch.Email }

// Send implements twinlatch.Sender. There is no reference: what servers call an
// e-mail stands somewhere in a sentence.
func (s *Sender) Send(ctx context.Context, m twinlatch.Message) (ref string, err error) {
	now := s.clock()
	switch {
	case !s.Carries(m.Channel):
		return "", fmt.Errorf("smtp: %w: it carries e-mails only", twinlatch.ErrNoRoute)
	case ctx.Err() != nil:
		return "", connecting.failed(ctx, ctx.Err())
	case !now.Before(m.ExpiresAt):
		return "", errors.New("smtp: not sent: the message is expired")
	case !messageID.MatchString(string(m.ID)):
		return "", errors.New("smtp: not sent: the message has no usable ID")
	}
	to, _, err := mailbox(m.To.Reveal())
	if err != nil {
		return "", fmt.Errorf("smtp: recipient: %w", err)
	}
	letter, err := s.letter(m, to, now)
	if err != nil {
		return "", err
	}
	return "", s.submit(ctx, to, letter)
}
