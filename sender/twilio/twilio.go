// Package twilio sends text messages through Twilio: twinlatch.Sender over the
// Programmable Messaging REST API, version 2010-04-01, with net/http alone.
//
// Settings: the account SID ("AC…") and its auth token, which authenticates
// requests and signs receipts, so an API key does not do; and whom messages come
// from, a number in E.164, a short code, an alphanumeric sender ID or, better, a
// messaging service ("MG…"). At Twilio, allow the countries under Messaging >
// Settings > Geo permissions and register the sender where the country demands
// it. Receipts need nothing there: each message names the address of Callback,
// which must be reachable from the internet under exactly this URL, whatever a
// proxy rewrites behind it.
//
// Limits: 1,600 characters a message; Twilio drops it from its queue when it
// expires, at the latest after ten hours. Twilio takes no idempotency key for
// messages: if it took one and its answer got lost, the next try is a second
// message. A receipt carries no time, so a genuine one can be repeated; it
// changes nothing, because it says the same of the same message. Twilio does not
// repeat receipts on its own that were not answered well.
//
// Sources, by name, on twilio.com/docs: "Messages resource", "Error and Warning
// Dictionary", "Track the Message Status of Outbound Messages", "Webhooks
// security".
package twilio

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
const Name = "twilio"

const (
	api         = "https://api.twilio.com"
	maxAnswer   = 64 << 10 // bytes; a message resource has about 1,000
	maxValidity = 36_000   // seconds, "Messages resource", ValidityPeriod
)

// Config is an account at Twilio.
type Config struct {
	Account  string           // SID, "AC" and 32 hexadecimal digits
	Token    twinlatch.Secret // auth token of the account
	From     string           // E.164, short code, sender ID, or a messaging service's SID
	URL      string           // of the API; empty: https://api.twilio.com
	Callback string           // public URL where receipts arrive, without query; empty: none
	Client   *http.Client     // nil: one with the default transport
	Clock    func() time.Time // nil: time.Now
}

// Sender is Twilio as a twinlatch.Sender. Make one with New.
type Sender struct {
	account  string
	token    twinlatch.Secret
	from     string
	messages string // URL of the list of messages
	callback string
	signed   []string // the spellings of callback that Twilio may sign
	client   *http.Client
	clock    func() time.Time
}

var (
	accountSID = regexp.MustCompile(`^AC[0-9a-f]{32}$`)
	serviceSID = regexp.MustCompile(`^MG[0-9a-f]{32}$`)
	messageSID = regexp.MustCompile(`^(SM|MM)[0-9a-f]{32}$`)
	number     = regexp.MustCompile(`^(\+[1-9][0-9]{6,14}|[0-9]{3,8})$`)
	senderID   = regexp.MustCompile(`^[A-Za-z0-9 +_&-]{1,11}$`) // and a letter in it
	letter     = regexp.MustCompile(`[A-Za-z]`)
)

// New makes the sender. Its errors are one line that begins with "twilio: " and
// the name of the field that is wrong, and hold no secret. URLs have to be https,
// except to this machine.
func New(c Config) (*Sender, error) {
	switch {
	case !accountSID.MatchString(c.Account):
		return nil, fmt.Errorf("twilio: Account is %.40q, not \"AC\" and 32 hexadecimal digits", c.Account)
	case c.Token.Reveal() == "":
		return nil, errors.New("twilio: Token is missing: the auth token of the account")
	case !serviceSID.MatchString(c.From) && !number.MatchString(c.From) && !(senderID.MatchString(c.From) && letter.MatchString(c.From)):
		return nil, fmt.Errorf("twilio: From is %.40q, not a number as +15005550006, a short code, a sender ID of 1 to 11 characters or a messaging service \"MG…\"", c.From)
	}
	base, err := address("URL", cmp.Or(c.URL, api))
	if err != nil {
		return nil, err
	}
	s := &Sender{
		account:  c.Account,
		token:    c.Token,
		from:     c.From,
		messages: strings.TrimSuffix(base.String(), "/") + "/2010-04-01/Accounts/" + c.Account + "/Messages.json",
		callback: c.Callback,
		client:   &http.Client{},
		clock:    time.Now,
	}
	if c.Callback != "" {
		at, err := address("Callback", c.Callback)
		if err != nil {
			return nil, err
		}
		s.signed = spellings(c.Callback, *at)
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
		return nil, fmt.Errorf("twilio: %s is no URL", field)
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, fmt.Errorf("twilio: %s must be without user, query and fragment", field)
	}
	here, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && here.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return nil, fmt.Errorf("twilio: %s must begin with https://", field)
	}
	return u, nil
}

// Name implements twinlatch.Sender. It is the constant Name.
func (*Sender) Name() string { return Name }

// Carries implements twinlatch.Sender: text messages only.
func (*Sender) Carries(by twinlatch.Channel) bool { return by == twinlatch.Text }

// Send implements twinlatch.Sender. The reference is the message SID. A refusal
// of the number, and of one who answered STOP, is ErrBadRecipient. What the
// account or its sender may not carry (country, combination of sender and
// number, length) is ErrNoRoute. Wrong credentials and a suspended account are
// neither: operators can set them right while messages wait.
func (s *Sender) Send(ctx context.Context, m twinlatch.Message) (string, error) {
	if m.Channel != twinlatch.Text {
		return "", fmt.Errorf("twilio: %w: it carries text messages only", twinlatch.ErrNoRoute)
	}
	validity := int64(m.ExpiresAt.Sub(s.clock()) / time.Second)
	if validity < 1 {
		return "", errors.New("twilio: the message has expired")
	}
	form := url.Values{
		"To":             {m.To.Reveal()},
		"Body":           {m.Body.Reveal()},
		"ValidityPeriod": {strconv.FormatInt(min(validity, maxValidity), 10)},
	}
	if serviceSID.MatchString(s.from) {
		form.Set("MessagingServiceSid", s.from)
	} else {
		form.Set("From", s.from)
	}
	if s.callback != "" {
		form.Set("StatusCallback", s.callback+"?"+url.Values{messageField: {string(m.ID)}}.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.messages, strings.NewReader(form.Encode()))
	if err != nil {
		return "", errors.New("twilio: no request can be made of the settings")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(s.account, s.token.Reveal())
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

// answer is a message resource or an error, told apart by the HTTP status.
type answer struct {
	SID       string `json:"sid"`
	Status    any    `json:"status"`     // of a message a string, of an error a number
	ErrorCode int    `json:"error_code"` // of a message
	Code      int    `json:"code"`       // of an error
}

// judge reads Twilio's answer. Its texts are not passed on: they quote.
func judge(status int, text []byte) (string, error) {
	var a answer
	readable := len(text) <= maxAnswer && json.Unmarshal(text, &a) == nil
	switch {
	case status >= 400 && readable && a.Code != 0:
		return "", refusal(status, a.Code)
	case status != http.StatusCreated && status != http.StatusOK:
		return "", fmt.Errorf("twilio: answered with HTTP status %d", status)
	case !readable || !messageSID.MatchString(a.SID):
		return "", errors.New("twilio: the answer is no message resource")
	case a.Status == "failed" || a.Status == "undelivered" || a.Status == "canceled":
		return "", refusal(status, a.ErrorCode)
	}
	return a.SID, nil
}

// refusal is the error for a code of the "Error and Warning Dictionary". What is
// not listed may pass: wrong credentials (20003), a suspended account (20005), a
// full queue (21611), too many requests (20429), daily limits (63038).
func refusal(status, code int) error {
	text := strconv.Itoa(code)
	if why := reasons[code]; why != "" {
		text += " " + why
	}
	switch code {
	case 21211, 21214, 21217, 21265, 21610, 21614, 21635, 30005, 30006:
		return fmt.Errorf("twilio: %w: %s", twinlatch.ErrBadRecipient, text)
	case 21212, 21266, 21408, 21601, 21602, 21603, 21606, 21608, 21609, 21612, 21617,
		21659, 21660, 21661, 21701, 21703, 21704, 21705, 30004, 30007, 30034:
		return fmt.Errorf("twilio: %w: %s", twinlatch.ErrNoRoute, text)
	}
	return fmt.Errorf("twilio: refused with HTTP status %d: %s", status, text)
}

// reasons are in our words, for the log. Codes from 30000 on come in receipts.
var reasons = map[int]string{
	20003: "wrong credentials",
	20429: "too many requests",
	21211: "invalid number",
	21265: "a short code",
	21408: "country not allowed in the account",
	21606: "sender not usable for this destination",
	21608: "a trial account sends to verified numbers only",
	21610: "recipient has opted out",
	21611: "queue of the sender is full",
	21612: "sender cannot reach this number",
	21614: "not a mobile number",
	21617: "longer than 1600 characters",
	21635: "landline",
	30001: "queue overflow",
	30002: "account suspended",
	30003: "unreachable handset",
	30004: "destination blocked",
	30005: "unknown handset",
	30006: "landline or unreachable carrier",
	30007: "filtered by the carrier",
	30008: "unknown error",
	30034: "number is not registered for A2P",
	30036: "expired in the queue",
	30450: "country prefix blocked against pumping",
}

// unanswered tells of err what is safe: an answer that is no HTTP is quoted in
// it, and so may be who the message is for.
func unanswered(ctx context.Context, err error) error {
	var timeout net.Error
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("twilio: no answer: %w", ctx.Err())
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("twilio: no answer in time")
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("twilio: %w", op)
	case errors.As(err, &certificate):
		return fmt.Errorf("twilio: %w", certificate)
	}
	return errors.New("twilio: the connection broke, or the answer is not HTTP")
}
