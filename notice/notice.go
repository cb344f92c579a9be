// Package notice writes the e-mails that owners of accounts get about the security
// of their accounts, plain and as HTML. It says what happened, when, from where
// and on which device, and has a link that ends all sessions, for those who did
// not do it. No code and no secret but that link is in a mail.
package notice

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	texttemplate "text/template"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/locale"
	"github.com/twinlatch/twinlatch/web"
)

//go:embed templates/*
var templates embed.FS

// Config is what the mails need to know. All of it is required.
type Config struct {
	Name    string                  // of the service: "Twinlatch"
	Address *url.URL                // where links lead
	Methods []twinlatch.Description // for what they are called
	Words   *locale.Language
}

// Writer writes mails. It is safe for concurrent use.
type Writer struct {
	cfg   Config
	plain *texttemplate.Template
	html  *template.Template
}

// New parses the templates.
func New(c Config) (*Writer, error) {
	if c.Name == "" || c.Address == nil || c.Words == nil {
		return nil, errors.New("notice: name, address and words are required")
	}
	plain, err := texttemplate.ParseFS(templates, "templates/mail.txt")
	if err != nil {
		return nil, err
	}
	html, err := template.ParseFS(templates, "templates/mail.html")
	if err != nil {
		return nil, err
	}
	return &Writer{c, plain, html}, nil
}

// Write is the twinlatch.Notice. An event that nobody needs a mail for is nil, and
// so is one whose words are missing, which tests find.
func (w *Writer) Write(a twinlatch.Account, e twinlatch.Event, t twinlatch.Token) *twinlatch.Message {
	about := w.topic(e)
	if about.key == "" {
		return nil
	}
	m, err := w.write(a, e, t, about)
	if err != nil {
		return nil
	}
	return m
}

// topic is what a mail is about.
type topic struct {
	key  string            // of its words: "mail.<key>.subject" and ".lead"
	args map[string]string // their placeholders
	what string            // the method or device concerned
	more []string          // sentences after the table
	link string            // where its button leads instead of "This was not me"
}

// wrongCodes are how many make a mail: more of them would be no news.
var wrongCodes = [...]string{"5", "20", "100"}

func (w *Writer) topic(e twinlatch.Event) topic {
	more := e.Detail.More
	switch e.Type {
	case twinlatch.EventResetAsked:
		return topic{key: "link", link: "/reset/"}
	case twinlatch.EventPasswordReset, twinlatch.EventPasswordChanged:
		return topic{key: "password"}
	case twinlatch.EventFactorAdded:
		return w.factor("added", more)
	case twinlatch.EventFactorRemoved:
		if more["all"] == "" { // else turning it off says it
			return w.factor("removed", more)
		}
	case twinlatch.EventTwoStepOn:
		return topic{key: "on"}
	case twinlatch.EventTwoStepOff:
		return topic{key: "off"}
	case twinlatch.EventBackupCodesMade:
		return topic{key: "codes"}
	case twinlatch.EventRecovered:
		return topic{key: "backup", more: []string{
			w.say("mail.backup.left", "n", more["left"], "total", strconv.Itoa(twinlatch.BackupCodeCount)), w.say("mail.backup.low"),
		}}
	case twinlatch.EventVerified, twinlatch.EventSignedIn:
		if more["network"] == "new" {
			return topic{key: "signin", args: map[string]string{"device": w.device(e.Detail.UserAgent)}}
		}
	case twinlatch.EventWrongCode, twinlatch.EventWrongBackup:
		for _, n := range wrongCodes {
			if more["times"] == n {
				return topic{key: "locked"}
			}
		}
	}
	return topic{}
}

func (w *Writer) factor(key string, more map[string]string) topic {
	method := more["kind"]
	for _, d := range w.cfg.Methods {
		if string(d.Kind) == more["kind"] {
			method = w.say("method." + d.Name)
		}
	}
	what := method
	if name := more["name"]; name != "" && name != method {
		what += ", " + name
	}
	return topic{key: key, args: map[string]string{"method": method}, what: what}
}

// letter is what the templates see.
type letter struct {
	Lang, Dir            string
	Subject, Hello, Lead string
	Rows                 [][2]string
	More                 []string
	You, NotYou          string // empty where there is nothing to be done
	Button               string
	Link                 string
	Foot                 string
}

func (w *Writer) write(a twinlatch.Account, e twinlatch.Event, t twinlatch.Token, about topic) (*twinlatch.Message, error) {
	args := map[string]string{"app": w.cfg.Name}
	for name, value := range about.args {
		args[name] = value
	}
	subject, err := w.cfg.Words.Say("mail."+about.key+".subject", args)
	if err != nil {
		return nil, err
	}
	lead, err := w.cfg.Words.Say("mail."+about.key+".lead", about.args)
	if err != nil {
		return nil, err
	}
	l := letter{
		Lang: w.cfg.Words.Tag, Dir: w.cfg.Words.Dir,
		Subject: oneLine(subject), Hello: w.say("mail.hello", "name", a.DisplayName), Lead: lead, More: about.more,
		You: w.say("mail.you"), NotYou: w.say("mail.not_you"), Button: w.say("mail.not_you.button"),
		Link: w.cfg.Address.JoinPath("not-me", t.Reveal()).String(),
		Foot: w.say("mail.foot", "account", a.Login),
	}
	if about.link != "" {
		l.You, l.NotYou, l.Button = "", "", w.say("mail.link.button")
		l.Link = w.cfg.Address.JoinPath(about.link, t.Reveal()).String()
	}
	if about.what != "" {
		l.Rows = append(l.Rows, [2]string{w.say("mail.what"), about.what})
	}
	l.Rows = append(l.Rows, [2]string{w.say("mail.when"), w.cfg.Words.DateTime(e.At)})
	if device := w.device(e.Detail.UserAgent); device != "" {
		l.Rows = append(l.Rows, [2]string{w.say("mail.device"), device})
	}
	if ip := e.Detail.IP; ip.IsValid() {
		l.Rows = append(l.Rows, [2]string{w.say("mail.where"), ip.String()})
	}
	var plain, html bytes.Buffer
	if err := w.plain.Execute(&plain, l); err != nil {
		return nil, err
	}
	if err := w.html.Execute(&html, l); err != nil {
		return nil, err
	}
	return &twinlatch.Message{Subject: l.Subject, Body: twinlatch.NewSecret(plain.String()), HTML: twinlatch.NewSecret(html.String())}, nil
}

// device is "Firefox, Linux".
func (w *Writer) device(userAgent string) string {
	d := web.DeviceOf(userAgent)
	switch {
	case d.Browser != "" && d.System != "":
		return w.cfg.Words.List([]string{d.Browser, d.System})
	case d.Browser+d.System != "":
		return d.Browser + d.System
	}
	return w.say("sec.dev.unknown")
}

func (w *Writer) say(key string, pairs ...string) string {
	args := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i]] = pairs[i+1]
	}
	text, err := w.cfg.Words.Say(key, args)
	if err != nil {
		return key
	}
	return text
}

// oneLine keeps names from adding headers.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
