package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
)

type sendTestCommand struct {
	Config string `placeholder:"FILE" help:"Configuration file (twinlatch.toml, if there is one)."`
	To     string `required:"" placeholder:"RECIPIENT" help:"E-mail address, or number as +447700900167."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help is shown by --help, below the flags.
func (sendTestCommand) Help() string {
	return "An address gets an e-mail (mail.host), a number a text message (text.senders): the senders are tried in their order until one takes it. " +
		"Whether it arrives they do not know. Nothing is counted, and the database is not needed."
}

var (
	anAddress = regexp.MustCompile(`^[^\s@]+@[^\s@]+$`)
	aNumber   = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
)

// channel is by which way the recipient is reached.
func (c *sendTestCommand) channel() twinlatch.Channel {
	switch {
	case anAddress.MatchString(c.To):
		return twinlatch.Email
	case aNumber.MatchString(c.To):
		return twinlatch.Text
	}
	return ""
}

// Validate is called by kong before Run.
func (c *sendTestCommand) Validate() error {
	if c.channel() == "" {
		return errors.New("--to wants an e-mail address, or a number as +447700900167")
	}
	return nil
}

// attempt is what became of the test, and what those said that did not take it.
type attempt struct {
	Channel twinlatch.Channel   `json:"channel"`
	Message twinlatch.MessageID `json:"message"`
	Sender  string              `json:"sender"` // empty: nobody took it
	Ref     string              `json:"ref"`
	Failed  []failure           `json:"failed"`
}

type failure struct {
	Sender string `json:"sender"`
	Error  string `json:"error"`
}

// Run sends one message by the senders of the settings.
func (c *sendTestCommand) Run(t terminal) error {
	cfg, err := config.Read(config.Source{File: c.Config, Env: t.env})
	if err != nil {
		return err
	}
	all, err := newSenders(cfg)
	if err != nil {
		return err
	}
	if !all.carries(c.channel()) {
		setting := map[twinlatch.Channel]string{twinlatch.Email: "mail.host", twinlatch.Text: "text.senders"}[c.channel()]
		return errors.Join(fmt.Errorf("nobody sends that: set %s", setting), all.close())
	}
	a := sendTest(context.Background(), all, c.channel(), c.To)
	if c.JSON {
		err = printJSON(t.out, a)
	} else if a.Sender != "" {
		for _, f := range a.Failed {
			fmt.Fprintf(t.err, "%s did not take it: %s\n", f.Sender, f.Error)
		}
		fmt.Fprintf(t.out, "%s took it\n", a.Sender)
	}
	if a.Sender == "" {
		var reasons []string
		for _, f := range a.Failed {
			reasons = append(reasons, f.Error)
		}
		err = errors.Join(err, fmt.Errorf("nobody took it: %s", strings.Join(reasons, "; ")))
	}
	return errors.Join(err, all.close())
}

// sendTest tries the senders of a channel as the service does.
func sendTest(ctx context.Context, all *senders, by twinlatch.Channel, to string) attempt {
	const patience = 5 * time.Second // with each
	m := twinlatch.Message{
		ID: twinlatch.MessageID(strings.ToLower(rand.Text())), Channel: by, To: twinlatch.NewSecret(to), ExpiresAt: time.Now().Add(10 * time.Minute),
		Body: twinlatch.NewSecret("This is a test: Twinlatch can send messages."),
	}
	if by == twinlatch.Email {
		m.Subject, m.HTML = "A test of Twinlatch", twinlatch.NewSecret("<!doctype html><p>"+m.Body.Reveal()+"</p>")
	}
	a := attempt{Channel: by, Message: m.ID, Failed: []failure{}}
	for _, sender := range all.named {
		if !sender.Carries(by) {
			continue
		}
		within, cancel := context.WithTimeout(ctx, patience)
		ref, err := sender.Send(within, m)
		cancel()
		if err == nil {
			a.Sender, a.Ref = sender.Name(), ref
			break
		}
		a.Failed = append(a.Failed, failure{sender.Name(), err.Error()})
		if errors.Is(err, twinlatch.ErrBadRecipient) {
			break
		}
	}
	return a
}
