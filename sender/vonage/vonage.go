// Package vonage sends text messages through Vonage, formerly Nexmo:
// twinlatch.Sender over its SMS API with net/http alone.
//
// Settings: the API key, and the signature secret or the API secret; and whom
// messages come from, a number or an alphanumeric sender ID. With the signature
// secret no secret travels, and it alone authenticates receipts. At Vonage,
// choose "SHA-256 HMAC" as signature method in the dashboard's settings, and ask
// support to sign the webhooks of the account: without that receipts come
// without "sig" and are refused. The address for receipts need not be entered
// there: each message names that of Callback. GET, POST and POST-JSON are all
// understood.
//
// Limits: Vonage keeps trying for at least 20 seconds, however little time a
// message has left. It takes no idempotency key: if it took a message and its
// answer got lost, the next try is a second message. A receipt is good for five
// minutes around its own timestamp; until then it can be repeated, which changes
// nothing. A long message has a receipt for each of its parts, all with the same
// Message, of which only the first has the Ref that Send returned.
//
// Sources, by name, on developer.vonage.com: "SMS API" (reference),
// "Troubleshooting SMS", "Delivery Receipts", "Signing Messages"; and 3GPP TS
// 23.038 §6.2.1 for what fits into a text that is not Unicode.
package vonage

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Name is what settings, logs and receipts call this sender.
const Name = "vonage"

const (
	api       = "https://rest.nexmo.com"
	maxAnswer = 64 << 10         // bytes; one part takes about 200
	minTTL    = 20 * time.Second // "SMS API", ttl
	maxTTL    = 7 * 24 * time.Hour
)

// Config is an account at Vonage.
type Config struct {
	Key       string           // API key, 8 letters and digits
	Secret    twinlatch.Secret // API secret; not used if there is a Signature
	Signature twinlatch.Secret // signature secret, for SHA-256 HMAC; needed for receipts
	From      string           // number without "+", or sender ID of at most 11 characters
	URL       string           // of the API; empty: https://rest.nexmo.com
	Callback  string           // public URL where receipts arrive, without query; empty: none
	Client    *http.Client     // nil: one with the default transport
	Clock     func() time.Time // nil: time.Now
}

// Sender is Vonage as a twinlatch.Sender. Make one with New.
type Sender struct {
	key       string
	secret    twinlatch.Secret
	signature twinlatch.Secret
	from      string
	messages  string // URL
	callback  string
	client    *http.Client
	clock     func() time.Time
}

var (
	apiKey   = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)
	number   = regexp.MustCompile(`^[0-9]{3,15}$`)
	senderID = regexp.MustCompile(`^[A-Za-z0-9 ._-]{1,11}$`) // and a letter in it
	letter   = regexp.MustCompile(`[A-Za-z]`)
)

// New makes the sender. Its errors are one line that begins with "vonage: " and
// the name of the field that is wrong, and hold no secret. URLs have to be https,
// except to this machine.
func New(c Config) (*Sender, error) {
	switch {
	case !apiKey.MatchString(c.Key):
		return nil, fmt.Errorf("vonage: Key is %.40q, not an API key of letters and digits", c.Key)
	case c.Secret.Reveal() == "" && c.Signature.Reveal() == "":
		return nil, errors.New("vonage: Signature is missing: the signature secret, or the API secret as Secret")
	case c.Callback != "" && c.Signature.Reveal() == "":
		return nil, errors.New("vonage: Signature is missing: receipts at Callback cannot be authenticated without it")
	case !number.MatchString(c.From) && !(senderID.MatchString(c.From) && letter.MatchString(c.From)):
		return nil, fmt.Errorf("vonage: From is %.40q, not a number as 447700900000 or a sender ID of 1 to 11 characters", c.From)
	}
	base, err := address("URL", cmp.Or(c.URL, api))
	if err != nil {
		return nil, err
	}
	if c.Callback != "" {
		if _, err := address("Callback", c.Callback); err != nil {
			return nil, err
		}
	}
	s := &Sender{
		key:       c.Key,
		secret:    c.Secret,
		signature: c.Signature,
		from:      c.From,
		messages:  strings.TrimSuffix(base.String(), "/") + "/sms/json",
		callback:  c.Callback,
		client:    &http.Client{},
		clock:     time.Now,
	}
	if c.Client != nil {
		*s.client = *c.Client
	}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.Clock != nil {
		s.clock = c.Clock
	}
	return s, nil
}

// address reads the URL in a field.
func address(field, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("vonage: %s is no URL", field)
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, fmt.Errorf("vonage: %s must be without user, query and fragment", field)
	}
	here, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && here.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return nil, fmt.Errorf("vonage: %s must begin with https://", field)
	}
	return u, nil
}

// Name implements twinlatch.Sender. It is the constant Name.
func (*Sender) Name() string { return Name }

// Carries implements twinlatch.Sender: text messages only.
func (*Sender) Carries(by twinlatch.Channel) bool { return by == twinlatch.Text }

// Send implements twinlatch.Sender. The reference is the message-id of the first
// part. A number that is barred or out of service is ErrBadRecipient. What the
// account, its sender or Vonage's routes do not carry is ErrNoRoute. Wrong
// credentials, a suspended account and one without credit are neither: operators
// can set them right while messages wait.
func (s *Sender) Send(ctx context.Context, m twinlatch.Message) (string, error) {
	if m.Channel != twinlatch.Text {
		return "", fmt.Errorf("vonage: %w: it carries text messages only", twinlatch.ErrNoRoute)
	}
	now := s.clock()
	left := m.ExpiresAt.Sub(now)
	if left <= 0 {
		return "", errors.New("vonage: the message has expired")
	}
	body := m.Body.Reveal()
	form := map[string]string{
		"api_key":    s.key,
		"from":       s.from,
		"to":         strings.TrimPrefix(m.To.Reveal(), "+"),
		"text":       body,
		"type":       "text",
		"ttl":        strconv.FormatInt(min(max(left, minTTL), maxTTL).Milliseconds(), 10),
		"client-ref": string(m.ID),
	}
	if !isGSM7(body) {
		form["type"] = "unicode"
	}
	if s.callback != "" {
		form["callback"] = s.callback
	}
	if s.signature.Reveal() != "" {
		form["timestamp"] = strconv.FormatInt(now.Unix(), 10)
		form["sig"] = fmt.Sprintf("%x", sign(s.signature.Reveal(), form))
	} else {
		form["api_secret"] = s.secret.Reveal()
	}
	values := make(url.Values, len(form))
	for name, value := range form {
		values.Set(name, value)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.messages, strings.NewReader(values.Encode()))
	if err != nil {
		return "", errors.New("vonage: no request can be made of the settings")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return "", unanswered(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return "", unanswered(ctx, err)
	}
	return judge(resp.StatusCode, text)
}

// answer has one message for each part.
type answer struct {
	Messages []struct {
		ID     string `json:"message-id"`
		Status string `json:"status"`
	} `json:"messages"`
}

// judge reads Vonage's answer. A message of which a part was refused is refused:
// nobody can read it. Vonage's texts are not passed on: they quote.
func judge(status int, text []byte) (string, error) {
	var a answer
	if status != http.StatusOK {
		return "", fmt.Errorf("vonage: answered with HTTP status %d", status)
	}
	if len(text) > maxAnswer || json.Unmarshal(text, &a) != nil || len(a.Messages) == 0 {
		return "", errors.New("vonage: the answer has no messages")
	}
	for _, part := range a.Messages {
		if part.Status != "0" {
			return "", refusal(part.Status)
		}
	}
	if a.Messages[0].ID == "" {
		return "", errors.New("vonage: the answer names no message")
	}
	return a.Messages[0].ID, nil
}

// refusal is the error for a status of "Troubleshooting SMS". What is not listed
// may pass: throttling (1), credentials (4, 14, 32), an internal error (5), a
// suspended account (8), no credit (9), too many connections (10).
func refusal(status string) error {
	code, err := strconv.ParseUint(status, 10, 16)
	if err != nil {
		return errors.New("vonage: refused with a status that is no number")
	}
	text := strings.TrimSpace(strconv.FormatUint(code, 10) + " " + reasons[int(code)])
	switch code {
	case 7, 33:
		return fmt.Errorf("vonage: %w: %s", twinlatch.ErrBadRecipient, text)
	case 2, 3, 6, 11, 12, 15, 22, 23, 29:
		return fmt.Errorf("vonage: %w: %s", twinlatch.ErrNoRoute, text)
	}
	return fmt.Errorf("vonage: refused with status %s", text)
}

// reasons are in our words, for the log.
var reasons = map[int]string{
	1:  "throttled",
	2:  "missing parameter",
	3:  "invalid parameter",
	4:  "wrong credentials",
	5:  "internal error",
	6:  "cannot be routed",
	7:  "number barred",
	8:  "account suspended",
	9:  "no credit",
	10: "too many connections",
	11: "account is not for the SMS API",
	12: "too long",
	14: "wrong signature",
	15: "sender not allowed",
	22: "wrong network code",
	23: "callback refused",
	29: "a trial account sends to listed numbers only",
	32: "signature and secret together",
	33: "number out of service",
}

// unanswered tells of err what is safe: an answer that is no HTTP is quoted in
// it, and so may be who the message is for.
func unanswered(ctx context.Context, err error) error {
	var timeout net.Error
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("vonage: no answer: %w", ctx.Err())
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("vonage: no answer in time")
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("vonage: %w", op)
	case errors.As(err, &certificate):
		return fmt.Errorf("vonage: %w", certificate)
	}
	return errors.New("vonage: the connection broke, or the answer is not HTTP")
}

// isGSM7 says whether a text fits into the default alphabet and its extension,
// 3GPP TS 23.038 §6.2.1.
func isGSM7(text string) bool {
	const (
		basic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
			"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
		extension = "\f^{}\\[~]|€"
	)
	return strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune(basic+extension, r) }) < 0
}
