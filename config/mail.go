package config

import (
	"errors"
	"net"
	"net/mail"
	"net/netip"
	"strconv"

	"github.com/twinlatch/twinlatch"
)

// Mail is how e-mails are sent.
type Mail struct {
	Host     string // host:port; empty: no e-mails
	TLS      string // "starttls", "tls" or "none"
	User     string // empty: nobody signs in there
	Password twinlatch.Secret
	From     string // "Example <noreply@example.com>"
	Helo     string // what we call ourselves; empty: the domain of From
}

// mailSettings are those that begin with "mail.".
func mailSettings() []Setting {
	return []Setting{
		{Key: "mail.host", set: setMailHost,
			Help: "Mail server that takes our e-mails, host:port, for instance smtp.example.com:587. Without it: no e-mails; with --dev: the outbox."},
		{Key: "mail.tls", Default: "starttls", set: setMailTLS,
			Help: "How that connection is encrypted: starttls (port 587), tls (from the first byte, port 465), none."},
		{Key: "mail.user", set: func(c *Config, v string) error { return oneLine(&c.Mail.User, v) },
			Help: "User at the mail server. Without it: nobody signs in."},
		{Key: "mail.password", secret: true, set: setMailPassword,
			Help: "Password of that user."},
		{Key: "mail.from", set: setMailFrom,
			Help: "Whom e-mails are from: Example <noreply@example.com>."},
		{Key: "mail.helo", set: setMailHelo,
			Help: "Name by which the mail server is greeted. Without it: the domain of mail.from."},
	}
}

func setMailHost(c *Config, value string) error {
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		return errors.New("want host:port, for instance smtp.example.com:587")
	}
	if _, err := netip.ParseAddr(host); err != nil && !isHostname(host) {
		return errors.New("the host is neither a name nor an IP address")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return errors.New("the port is not a number from 1 to 65535")
	}
	c.Mail.Host = value
	return nil
}

func setMailTLS(c *Config, value string) error {
	switch value {
	case "starttls", "tls", "none":
		c.Mail.TLS = value
		return nil
	}
	return errors.New("want starttls, tls or none")
}

func setMailPassword(c *Config, value string) error {
	var line string
	err := oneLine(&line, value)
	c.Mail.Password = twinlatch.NewSecret(line)
	return err
}

func setMailFrom(c *Config, value string) error {
	if _, err := mail.ParseAddress(value); err != nil || !isOneLine(value) {
		return errors.New("want one address, for instance Example <noreply@example.com>")
	}
	c.Mail.From = value
	return nil
}

func setMailHelo(c *Config, value string) error {
	if !isHostname(value) {
		return errors.New("want the name of a host")
	}
	c.Mail.Helo = value
	return nil
}

// checkMail looks at what its settings mean together. In development mode a part
// of them may stay there while the outbox takes the e-mails.
func (c *Config) checkMail() error {
	m := c.Mail
	host, port, _ := net.SplitHostPort(m.Host)
	switch password := m.Password.Reveal(); {
	case m.Host == "" && m.From != "" && !c.Dev:
		return c.refuse("mail.from", errors.New("without mail.host no e-mail is sent"))
	case m.Host == "":
		return nil
	case m.From == "":
		return c.refuse("mail.host", errors.New("e-mails want mail.from as well"))
	case (m.User == "") != (password == ""):
		return c.refuse("mail.host", errors.New("mail.user and mail.password go together"))
	case m.User != "" && m.TLS == "none" && !isLoopback(host):
		return c.refuse("mail.tls", errors.New("the password would travel in the clear"))
	case m.TLS == "starttls" && port == "465":
		return c.refuse("mail.host", errors.New("port 465 is encrypted from the first byte: add mail.tls = \"tls\""))
	}
	return nil
}
