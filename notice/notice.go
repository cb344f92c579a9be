// Package notice writes the e-mails that owners of accounts get about the security
// of their accounts, plain and as HTML. It says what happened, when, from where
// and on which device, and has a link that ends all sessions, for those who did
// not do it. No code and no secret but that link is in a mail.
package notice

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"html/template"
	"net/url"
	"slices"
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
	Words   *locale.Languages       // the account's choice decides
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
	words := speech{w.cfg.Words.For(a.Locale)}
	about := w.topic(words, a, e)
	if about.subject == "" {
		return nil
	}
	m, err := w.write(words, a, e, t, about)
	if err != nil {
		return nil
	}
	return m
}

// speech is the language of a mail.
type speech struct{ *locale.Language }

// topic is what a mail is about.
type topic struct {
	subject, lead string            // message keys
	args          map[string]string // their placeholders
	what          string            // the method or device concerned
	more          []string          // sentences after the table
	to            string            // the address that it goes to; empty: the account's
	link          string            // where its button leads instead of "This was not me", with the token below it
	button        string            // message key of that button
	secure        string            // message key of what is said instead of "Was this you?", where that does not matter
	signIn        bool              // its button leads to sign-in, without a token
}

// wrongCodes are how many make a mail: more of them would be no news.
var wrongCodes = [...]string{"5", "20", "100"}

func (w *Writer) topic(words speech, a twinlatch.Account, e twinlatch.Event) topic {
	more := e.Detail.More
	if e.Confirms(a) {
		return topic{subject: "mail.confirm.subject", lead: "mail.confirm.lead", link: "/email/", button: "mail.confirm.button", to: more["to"]}
	}
	switch e.Type {
	case twinlatch.EventSignUpAgain:
		return topic{subject: "mail.exists.subject", lead: "mail.exists.lead", button: "signin.submit", signIn: true}
	case twinlatch.EventAddressChanged:
		return topic{
			subject: "mail.address.subject", lead: "mail.address.lead", args: map[string]string{"email": more["to"]},
			more: []string{words.say("mail.address.back")},
		}
	case twinlatch.EventAddressRestored:
		return topic{subject: "mail.restored.subject", lead: "mail.restored.lead", args: map[string]string{"email": more["to"]}}
	case twinlatch.EventTwoStepReset:
		return topic{subject: "mail.reset.subject", lead: "mail.reset.lead"}
	case twinlatch.EventResetAsked:
		return topic{subject: "mail.link.subject", lead: "mail.link.lead", link: "/reset/", button: "mail.link.button"}
	case twinlatch.EventPasswordReset, twinlatch.EventPasswordChanged:
		return topic{subject: "mail.password.subject", lead: "mail.password.lead"}
	case twinlatch.EventFactorAdded:
		return w.factor(words, topic{subject: "mail.added.subject", lead: "mail.added.lead"}, more)
	case twinlatch.EventFactorRemoved:
		if more["all"] == "" { // else turning it off says it
			return w.factor(words, topic{subject: "mail.removed.subject", lead: "mail.removed.lead"}, more)
		}
	case twinlatch.EventTwoStepOn:
		return topic{subject: "mail.on.subject", lead: "mail.on.lead"}
	case twinlatch.EventTwoStepOff:
		return topic{subject: "mail.off.subject", lead: "mail.off.lead"}
	case twinlatch.EventBackupCodesMade:
		return topic{subject: "mail.codes.subject", lead: "mail.codes.lead"}
	case twinlatch.EventRecovered:
		return topic{subject: "mail.backup.subject", lead: "mail.backup.lead", more: []string{
			words.say("mail.backup.left", "n", more["left"], "total", strconv.Itoa(twinlatch.BackupCodeCount)), words.say("mail.backup.low"),
		}}
	case twinlatch.EventVerified, twinlatch.EventSignedIn:
		if more["network"] == "new" {
			return topic{subject: "mail.signin.subject", lead: "mail.signin.lead", args: map[string]string{"device": words.device(e.Detail.UserAgent)}}
		}
	case twinlatch.EventReplayed:
		if more["copied"] == "new" {
			return w.factor(words, topic{
				subject: "mail.copied.subject", lead: "mail.copied.lead", more: []string{words.say("mail.copied.where")}, secure: "mail.copied.secure",
			}, more)
		}
	case twinlatch.EventWrongCode, twinlatch.EventWrongBackup:
		for _, n := range wrongCodes {
			if more["times"] == n && w.unguessable(more["kind"]) { // nobody typed a code
				return w.factor(words, topic{subject: "mail.guess.subject", lead: "mail.guess.lead"}, more)
			}
			if more["times"] == n {
				return topic{subject: "mail.locked.subject", lead: "mail.locked.lead"}
			}
		}
	}
	return topic{}
}

func (w *Writer) unguessable(kind string) bool {
	return slices.ContainsFunc(w.cfg.Methods, func(d twinlatch.Description) bool { return string(d.Kind) == kind && d.Unguessable })
}

func (w *Writer) factor(words speech, about topic, more map[string]string) topic {
	method := more["kind"]
	for _, d := range w.cfg.Methods {
		if string(d.Kind) == more["kind"] {
			method = words.say("method." + d.Name)
		}
	}
	what := method
	if name := more["name"]; name != "" && name != method {
		what += ", " + name
	}
	about.args, about.what = map[string]string{"method": method}, what
	return about
}

// letter is what the templates see.
type letter struct {
	Lang, Dir     string
	Subject, Lead string
	Hello         string // often empty
	Rows          [][2]string
	More          []string
	You, NotYou   string // empty where there is nothing to be done
	Button        string
	Link          string
	Foot          string
}

func (w *Writer) write(words speech, a twinlatch.Account, e twinlatch.Event, t twinlatch.Token, about topic) (*twinlatch.Message, error) {
	args := map[string]string{"app": w.cfg.Name}
	for name, value := range about.args {
		args[name] = value
	}
	subject, err := words.Say(about.subject, args)
	if err != nil {
		return nil, err
	}
	lead, err := words.Say(about.lead, about.args)
	if err != nil {
		return nil, err
	}
	l := letter{
		Lang: words.Tag, Dir: words.Dir,
		Subject: oneLine(subject), Lead: lead, More: about.more,
		You: words.say("mail.you"), NotYou: words.say("mail.not_you"), Button: words.say("mail.not_you.button"),
		Link: w.cfg.Address.JoinPath("not-me", t.Reveal()).String(),
		Foot: words.say("mail.foot", "account", cmp.Or(about.to, a.Login)),
	}
	// An address that is not shown to be the owner's may be a stranger's: whoever
	// typed it could write to them by way of a name.
	if !a.ConfirmedAt.IsZero() && about.to == "" {
		l.Hello = words.say("mail.hello", "name", a.DisplayName)
	}
	switch {
	case about.signIn:
		l.Link = w.cfg.Address.JoinPath("sign-in").String()
	case about.link != "":
		l.Link = w.cfg.Address.JoinPath(about.link, t.Reveal()).String()
	}
	if about.button != "" {
		l.You, l.NotYou, l.Button = "", "", words.say(about.button)
	}
	if about.secure != "" {
		l.You, l.NotYou = "", words.say(about.secure)
	}
	if about.what != "" {
		l.Rows = append(l.Rows, [2]string{words.say("mail.what"), about.what})
	}
	l.Rows = append(l.Rows, [2]string{words.say("mail.when"), words.DateTime(e.At)})
	if device := words.device(e.Detail.UserAgent); device != "" {
		l.Rows = append(l.Rows, [2]string{words.say("mail.device"), device})
	}
	if ip := e.Detail.IP; ip.IsValid() {
		l.Rows = append(l.Rows, [2]string{words.say("mail.where"), ip.String()})
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
func (s speech) device(userAgent string) string {
	d := web.DeviceOf(userAgent)
	switch {
	case d.Browser != "" && d.System != "":
		return s.List([]string{d.Browser, d.System})
	case d.Browser+d.System != "":
		return d.Browser + d.System
	}
	return s.say("sec.dev.unknown")
}

func (s speech) say(key string, pairs ...string) string {
	args := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i]] = pairs[i+1]
	}
	text, err := s.Say(key, args)
	if err != nil {
		return key
	}
	return text
}

// oneLine keeps names from adding headers.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
