package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/sender/outbox"
	"github.com/twinlatch/twinlatch/sender/smpp"
	"github.com/twinlatch/twinlatch/sender/smtp"
	"github.com/twinlatch/twinlatch/sender/sns"
	"github.com/twinlatch/twinlatch/sender/twilio"
	"github.com/twinlatch/twinlatch/sender/vonage"
	"github.com/twinlatch/twinlatch/sender/webhook"
)

// newTextSender makes a sender by its name. Adding one is adding a case.
func newTextSender(name string, cfg *config.Config) (twinlatch.Sender, error) {
	secret := func(key string) twinlatch.Secret { return cfg.Text.Settings[name+"."+key] }
	text := func(key string) string { return secret(key).Reveal() }
	callback := ""
	if cfg.Address != nil { // else nobody listens
		callback = cfg.Address.JoinPath("receipts", name).String()
	}
	switch name {
	case "twilio":
		return twilio.New(twilio.Config{
			Account: text("account"), Token: secret("token"), From: text("from"), URL: text("url"), Callback: callback,
		})
	case "vonage":
		if text("signature") == "" { // receipts could not be believed
			callback = ""
		}
		return vonage.New(vonage.Config{
			Key: text("key"), Secret: secret("secret"), Signature: secret("signature"), From: text("from"), URL: text("url"), Callback: callback,
		})
	case "sns":
		return sns.New(sns.Config{
			Region: text("region"), AccessKey: text("access_key"), SecretKey: secret("secret_key"), SessionToken: secret("session_token"),
			SenderID: text("sender_id"), MaxPrice: text("max_price"), URL: text("url"),
		})
	case "smpp":
		return smpp.New(smpp.Config{
			Address: text("address"), TLS: text("tls") == "yes", SystemID: text("system_id"), Password: secret("password"),
			SystemType: text("system_type"), Source: text("source"), TransmitterOnly: text("receipts") == "no", ReceiptIDs: smpp.IDs(text("receipt_ids")),
		})
	case "webhook":
		return webhook.New(webhook.Config{URL: text("url"), Secrets: cfg.Text.Secrets("webhook.secret")})
	}
	return nil, fmt.Errorf("there is no sender %q", name)
}

func newMailSender(m config.Mail) (twinlatch.Sender, error) {
	return smtp.New(smtp.Config{Host: m.Host, TLS: smtp.TLS(m.TLS), User: m.User, Password: m.Password, From: m.From, Helo: m.Helo})
}

// senders are those of the settings.
type senders struct {
	named []twinlatch.Sender
	all   []twinlatch.Sender // as the service gets them
}

func newSenders(cfg *config.Config) (*senders, error) {
	s := &senders{}
	for _, name := range cfg.Text.Senders {
		if name == "outbox" { // which development mode has anyway
			continue
		}
		sender, err := newTextSender(name, cfg)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("setting text.%w", err), s.close())
		}
		s.named = append(s.named, sender)
	}
	if cfg.Mail.Host != "" {
		sender, err := newMailSender(cfg.Mail)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("setting mail: %w", err), s.close())
		}
		s.named = append(s.named, sender)
	}
	s.all = slices.Clone(s.named)
	return s, nil
}

// carries reports whether anybody sends by a channel.
func (s *senders) carries(by twinlatch.Channel) bool {
	return slices.ContainsFunc(s.all, func(sender twinlatch.Sender) bool { return sender.Carries(by) })
}

// listen has receipts told, and returns the handlers of those that come by HTTP.
func (s *senders) listen(tell func(context.Context, twinlatch.Receipt) error) map[string]http.Handler {
	handlers := map[string]http.Handler{}
	for _, sender := range s.named {
		switch r := sender.(type) {
		case interface {
			Receipts(func(context.Context, twinlatch.Receipt) error) http.Handler
		}:
			if h := r.Receipts(tell); h != nil {
				handlers[sender.Name()] = h
			}
		case interface {
			Receipts(func(context.Context, twinlatch.Receipt) error)
		}:
			r.Receipts(tell)
		}
	}
	return handlers
}

func (s *senders) close() error {
	var errs []error
	for _, sender := range s.named {
		if c, ok := sender.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// copied keeps in development mode what a real sender carries as well.
type copied struct {
	twinlatch.Sender
	outbox *outbox.Outbox
}

// Send implements twinlatch.Sender.
func (c copied) Send(ctx context.Context, m twinlatch.Message) (string, error) {
	if _, err := c.outbox.Send(ctx, m); err != nil {
		return "", err
	}
	return c.Sender.Send(ctx, m)
}

// only is a sender for one channel, whatever else it could carry.
type only struct {
	twinlatch.Sender
	channel twinlatch.Channel
}

// Carries implements twinlatch.Sender.
func (o only) Carries(by twinlatch.Channel) bool { return by == o.channel }
