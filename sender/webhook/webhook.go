// Package webhook carries text messages to a gateway of your own: each is posted as
// JSON to one URL, signed by the rules of Standard Webhooks 1.0.0
// (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md,
// symmetric signatures), and the gateway may tell later what became of it.
//
//	POST /your/path
//	webhook-id: the ID of the message, the same at each try
//	webhook-timestamp: when this try was made, Unix seconds
//	webhook-signature: v1,… one for each secret, with spaces between
//
//	{"type":"message.send","timestamp":"2026-03-04T05:06:07Z","data":{
//	 "id":"…","channel":"text","to":"+447700900167","body":"…",
//	 "country":"GB","expires_at":"2026-03-04T05:16:07Z"}}
//
// The gateway verifies the signature, drops an ID that it knows, and answers
// within five seconds:
//
//	2xx          taken; {"ref":"…"} may name the message, up to 200 characters
//	422          nobody can reach this recipient
//	410          this gateway will never carry this message, the next sender may
//	all else     not now: the next sender is tried, and this one again later
//
// Redirects are not followed. Of an answer at most 64 KiB are read. Country is
// ISO 3166-1 alpha-2, "001" for a number of no country, or "".
//
// Receipts is the handler for what the gateway tells later.
//
// Settings: the URL, which is https, or http to this machine, and the secrets,
// "whsec_" and 24 to 64 random bytes in base64. To rotate, put the new secret
// before the old one, then give it to the gateway, then remove the old one. Both
// directions use the same secrets; the bodies tell them apart, so the gateway
// must look at "type".
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/twinlatch/twinlatch"
)

const (
	name    = "webhook"
	maxBody = 64 << 10 // bytes of an answer and of a receipt
	maxRef  = 200      // bytes
)

// Config is the gateway.
type Config struct {
	URL     string             // may have a token in it: it is never logged
	Secrets []twinlatch.Secret // "whsec_…", at least one; all sign, and each is accepted
	Client  *http.Client       // nil is a new one; redirects are never followed
	Clock   func() time.Time   // nil is time.Now
}

// Sender is a gateway as a twinlatch.Sender. Make one with New.
type Sender struct {
	url    string
	keys   keys
	client *http.Client
	clock  func() time.Time
}

// New makes the sender; it does not ask the gateway. Errors hold neither secrets
// nor the URL.
func New(c Config) (*Sender, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, errors.New("webhook: the URL must be https:// with a host, without user and fragment")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, errors.New("webhook: the URL must be https://, or http:// to this machine")
	}
	keys, err := newKeys(c.Secrets)
	if err != nil {
		return nil, err
	}
	s := &Sender{url: u.String(), keys: keys, client: &http.Client{}, clock: c.Clock}
	if c.Client != nil {
		own := *c.Client
		s.client = &own
	}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if s.clock == nil {
		s.clock = time.Now
	}
	return s, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Name implements twinlatch.Sender: "webhook".
func (*Sender) Name() string { return name }

// Carries implements twinlatch.Sender: text messages only.
func (*Sender) Carries(by twinlatch.Channel) bool { return by == twinlatch.Text }

// event is the body of a request.
type event struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	ID        twinlatch.MessageID `json:"id"`
	Channel   twinlatch.Channel   `json:"channel"`
	To        string              `json:"to"`
	Body      string              `json:"body"`
	Country   string              `json:"country"`
	ExpiresAt time.Time           `json:"expires_at"`
}

// Send implements twinlatch.Sender. An answer that breaks off is an error,
// whatever its status; the gateway knows the next try by its webhook-id.
func (s *Sender) Send(ctx context.Context, m twinlatch.Message) (ref string, err error) {
	now := s.clock()
	switch {
	case !s.Carries(m.Channel):
		return "", fmt.Errorf("webhook: channel %.40q: %w", m.Channel, twinlatch.ErrNoRoute)
	case ctx.Err() != nil:
		return "", fmt.Errorf("webhook: not sent: %w", ctx.Err())
	case !now.Before(m.ExpiresAt):
		return "", errors.New("webhook: not sent: the message is expired")
	}
	r, err := s.request(ctx, m, now)
	if err != nil {
		return "", err
	}
	response, err := s.client.Do(r)
	if err != nil {
		return "", fmt.Errorf("webhook: no answer: %w", reason(err))
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return "", fmt.Errorf("webhook: no whole answer: %w", reason(err))
	}
	switch code := response.StatusCode; {
	case code >= 200 && code <= 299:
		return refOf(text), nil
	case code == http.StatusUnprocessableEntity:
		return "", fmt.Errorf("webhook: status %d: %w", code, twinlatch.ErrBadRecipient)
	case code == http.StatusGone:
		return "", fmt.Errorf("webhook: status %d: %w", code, twinlatch.ErrNoRoute)
	default:
		return "", fmt.Errorf("webhook: status %d", code)
	}
}

// request is a signed message.
func (s *Sender) request(ctx context.Context, m twinlatch.Message, now time.Time) (*http.Request, error) {
	body, err := json.Marshal(event{"message.send", now.UTC(), data{
		m.ID, m.Channel, m.To.Reveal(), m.Body.Reveal(), m.Country, m.ExpiresAt.UTC(),
	}})
	if err != nil {
		return nil, errors.New("webhook: the message cannot be written as JSON")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("webhook: the request cannot be made")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Twinlatch")
	s.keys.sign(r.Header, string(m.ID), now, body)
	return r, nil
}

// refOf is the gateway's name for a message; "" if it gave none that can be kept.
func refOf(text []byte) string {
	var answer struct {
		Ref string `json:"ref"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Ref) > maxRef {
		return ""
	}
	return answer.Ref
}
