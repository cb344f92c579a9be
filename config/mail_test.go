package config_test

import (
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/config"
)

const (
	mailHere = "address = 'https://id.example.com'\n[mail]\n"
	mailFrom = "from = 'Example <noreply@example.com>'\n"
	mailHost = "host = 'smtp.example.com:587'\n"
	mailUser = "user = 'mailer'\npassword = 'hunter2'\n"
)

func TestMail(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, text := range []string{
		"",
		"tls = 'tls'",
		mailHost + mailFrom,
		mailHost + mailFrom + mailUser,
		mailHost + mailFrom + "tls = 'none'",
		mailFrom + mailUser + "tls = 'none'\nhost = '[::1]:25'",
		mailFrom + mailUser + "tls = 'tls'\nhost = 'smtp.example.com:465'",
	} {
		c := load(t, config.Source{File: file(t, mailHere+text)})
		if (c.Mail.Host == "") != !strings.Contains(text, "host") || c.Mail.TLS == "" {
			t.Errorf("%q: %+v", text, c.Mail)
		}
	}
	if c := load(t, config.Source{Dev: true, File: file(t, "[mail]\n"+mailFrom+mailUser)}); c.Mail.Host != "" || c.Mail.TLS != "starttls" {
		t.Errorf("in development: %+v", c.Mail)
	}
}

func TestBadMailSettings(t *testing.T) {
	const wantFrom = "want one address, for instance Example <noreply@example.com>"
	for text, want := range map[string]string{
		"host = 'smtp.example.com'":       `setting mail.host from FILE is "smtp.example.com": want host:port, for instance smtp.example.com:587`,
		"host = 'smtp.example.com:smtp'":  `setting mail.host from FILE is "smtp.example.com:smtp": the port is not a number from 1 to 65535`,
		"host = 'smtp.example.com:0'":     `setting mail.host from FILE is "smtp.example.com:0": the port is not a number from 1 to 65535`,
		"host = ':25'":                    `setting mail.host from FILE is ":25": the host is neither a name nor an IP address`,
		"host = 'smtp_1:25'":              `setting mail.host from FILE is "smtp_1:25": the host is neither a name nor an IP address`,
		"tls = 'ssl'":                     `setting mail.tls from FILE is "ssl": want starttls, tls or none`,
		"tls = true":                      `setting mail.tls from FILE: want text in quotes`,
		"from = 'Example'":                `setting mail.from from FILE is "Example": ` + wantFrom,
		"from = 'a@example.com, b@c.net'": `setting mail.from from FILE is "a@example.com, b@c.net": ` + wantFrom,
		"from = \"A\\r\\n <a@c.net>\"":    `setting mail.from from FILE is "A\r\n <a@c.net>": ` + wantFrom,
		"helo = 'a b'":                    `setting mail.helo from FILE is "a b": want the name of a host`,
		"user = \"a\\nb\"":                `setting mail.user from FILE is "a\nb": want one line`,
		"password = \"hunter2\\nhunter\"": `setting mail.password from FILE: want one line`,
		"server = 'x'":                    `unknown setting mail.server in FILE; the nearest known one is mail.user`,

		mailFrom:                                `setting mail.from from FILE is "Example <noreply@example.com>": without mail.host no e-mail is sent`,
		mailHost:                                `setting mail.host from FILE is "smtp.example.com:587": e-mails want mail.from as well`,
		mailHost + mailFrom + "user = 'mailer'": `setting mail.host from FILE is "smtp.example.com:587": mail.user and mail.password go together`,
		mailHost + mailFrom + "password = 'hunter2'":          `setting mail.host from FILE is "smtp.example.com:587": mail.user and mail.password go together`,
		mailHost + mailFrom + mailUser + "tls = 'none'":       `setting mail.tls from FILE is "none": the password would travel in the clear`,
		mailFrom + mailUser + "host = 'smtp.example.com:465'": `setting mail.host from FILE is "smtp.example.com:465": port 465 is encrypted from the first byte: add mail.tls = "tls"`,
	} {
		name := file(t, mailHere+text)
		_, err := config.Load(config.Source{File: name})
		if err == nil || strings.ReplaceAll(err.Error(), name, "FILE") != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}
