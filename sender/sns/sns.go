// Package sns carries text messages by Amazon Simple Notification Service: the
// action Publish of its Query API, version 2010-03-31, to a phone number, signed
// with AWS Signature Version 4.
//
// What it follows: the SNS API reference (Publish, Common Errors), the SNS
// developer guide ("Publishing to a mobile phone"), the IAM user guide ("AWS
// Signature Version 4 for API requests").
//
// Limits. The access key needs the permission sns:Publish; keys are those of the
// settings, roles of the machine are not looked up. AWS refuses what is signed
// more than 15 minutes off its own clock. A body is at most 1,600 characters. A
// success says that AWS took the message: opt-outs, the SMS sandbox, the monthly
// spend limit and MaxPrice often show only in the logs that AWS writes to
// CloudWatch, and there are no receipts by HTTP.
//
// SNS knows no idempotency for text messages. When an answer is lost, the next
// try sends the message again, and the person gets the same code twice.
package sns

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/twinlatch/twinlatch"
)

const (
	name        = "sns"
	version     = "2010-03-31"
	contentType = "application/x-www-form-urlencoded; charset=utf-8"
	maxAnswer   = 64 << 10 // bytes
)

// Config is the account at AWS.
type Config struct {
	Region       string           // "eu-west-1"; one in which SNS carries text messages
	AccessKey    string           // the ID of the access key
	SecretKey    twinlatch.Secret // its secret
	SessionToken twinlatch.Secret // of temporary keys; or none

	SenderID string // shown as the sender where the country allows it: 1 to 11 letters, digits and hyphens, a letter among them; or none
	MaxPrice string // in US dollars for each message, "0.50"; AWS drops dearer ones silently; or none

	URL    string           // "" is https://sns.{Region}.amazonaws.com; http only to this machine
	Client *http.Client     // nil is a new one; redirects are never followed
	Clock  func() time.Time // nil is time.Now; signs and decides what is expired
}

// Sender is SNS as a twinlatch.Sender. Make one with New.
type Sender struct {
	url, region string
	keys        aws.Credentials
	attributes  []attribute
	signer      *v4.Signer
	client      *http.Client
	clock       func() time.Time
}

// attribute is a MessageAttribute.
type attribute struct{ name, kind, value string }

var (
	regions    = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)
	accessKeys = regexp.MustCompile(`^[A-Za-z0-9_]{16,128}$`)
	senderIDs  = regexp.MustCompile(`^[0-9-]*[A-Za-z][A-Za-z0-9-]*$`)
	prices     = regexp.MustCompile(`^[0-9]{1,6}(\.[0-9]{1,6})?$`)
)

// New makes the sender. It does not ask AWS whether the keys are good. Errors
// name the setting and hold no secret.
func New(c Config) (*Sender, error) {
	secret, token := c.SecretKey.Reveal(), c.SessionToken.Reveal()
	switch {
	case !regions.MatchString(c.Region):
		return nil, fmt.Errorf("sns: %.40q is no region of AWS; one is \"eu-west-1\"", c.Region)
	case !accessKeys.MatchString(c.AccessKey):
		return nil, errors.New("sns: the access key is not the ID of one; those are 16 and more letters and digits")
	case secret == "" || !printable(secret):
		return nil, errors.New("sns: the secret key is missing, or has spaces or signs that no key has")
	case !printable(token):
		return nil, errors.New("sns: the session token has spaces or signs that no token has")
	case c.SenderID != "" && (len(c.SenderID) > 11 || !senderIDs.MatchString(c.SenderID)):
		return nil, fmt.Errorf("sns: %.40q cannot be a sender ID; take 1 to 11 letters, digits and hyphens, at least one letter", c.SenderID)
	case c.MaxPrice != "" && !prices.MatchString(c.MaxPrice):
		return nil, fmt.Errorf("sns: %.40q is no price in US dollars; one is \"0.50\"", c.MaxPrice)
	}
	endpoint, err := endpoint(c.URL, c.Region)
	if err != nil {
		return nil, err
	}
	s := &Sender{
		url:        endpoint,
		region:     c.Region,
		keys:       aws.Credentials{AccessKeyID: c.AccessKey, SecretAccessKey: secret, SessionToken: token},
		attributes: []attribute{{"AWS.SNS.SMS.SMSType", "String", "Transactional"}},
		signer:     v4.NewSigner(),
		client:     &http.Client{},
		clock:      c.Clock,
	}
	if c.SenderID != "" {
		s.attributes = append(s.attributes, attribute{"AWS.SNS.SMS.SenderID", "String", c.SenderID})
	}
	if c.MaxPrice != "" {
		s.attributes = append(s.attributes, attribute{"AWS.SNS.SMS.MaxPrice", "Number", c.MaxPrice})
	}
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

// endpoint is the URL of the API, ending in "/".
func endpoint(text, region string) (string, error) {
	if text == "" {
		domain := "amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			domain += ".cn"
		}
		return "https://sns." + region + "." + domain + "/", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("sns: the URL must be https:// and a host, with nothing after it")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return "", errors.New("sns: the URL must be https://, or http:// to this machine")
	}
	u.Path = "/"
	return u.String(), nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// Name implements twinlatch.Sender: "sns".
func (*Sender) Name() string { return name }

// Carries implements twinlatch.Sender: text messages only.
func (*Sender) Carries(by twinlatch.Channel) bool { return by == twinlatch.Text }

// Send implements twinlatch.Sender. It carries twinlatch.Text only. The
// reference is the MessageId of AWS.
//
// What AWS says about the number is ErrBadRecipient: InvalidParameter of
// PhoneNumber, OptedOut. What it says about this message is ErrNoRoute: other
// parameters, EndpointDisabled. All else is about the account or about AWS and
// is mended without the message being changed, so it is a plain error, which the
// operator sees and which lets the circuit breaker open: keys and permissions
// (AuthorizationError), quotas and spend limits, Throttled, 5xx, time-outs, and
// answers that cannot be read.
func (s *Sender) Send(ctx context.Context, m twinlatch.Message) (ref string, err error) {
	now := s.clock()
	switch {
	case m.Channel != twinlatch.Text:
		return "", fmt.Errorf("sns: channel %.40q: %w", m.Channel, twinlatch.ErrNoRoute)
	case ctx.Err() != nil:
		return "", fmt.Errorf("sns: not sent: %w", ctx.Err())
	case !now.Before(m.ExpiresAt):
		return "", errors.New("sns: not sent: the message is expired")
	}
	r, err := s.request(ctx, m, now)
	if err != nil {
		return "", err
	}
	response, err := s.client.Do(r)
	if err != nil {
		return "", fmt.Errorf("sns: no answer: %w", reason(err))
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("sns: no whole answer: %w", reason(err))
	}
	if response.StatusCode == http.StatusOK {
		return taken(text)
	}
	return "", refused(response.StatusCode, text)
}

// request is a signed Publish.
func (s *Sender) request(ctx context.Context, m twinlatch.Message, now time.Time) (*http.Request, error) {
	form := url.Values{
		"Action":      {"Publish"},
		"Version":     {version},
		"PhoneNumber": {m.To.Reveal()},
		"Message":     {m.Body.Reveal()},
	}
	for i, a := range s.attributes {
		entry := "MessageAttributes.entry." + strconv.Itoa(i+1)
		form.Set(entry+".Name", a.name)
		form.Set(entry+".Value.DataType", a.kind)
		form.Set(entry+".Value.StringValue", a.value)
	}
	body := form.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(body))
	if err != nil {
		return nil, errors.New("sns: the request cannot be made")
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", "Twinlatch")
	sum := sha256.Sum256([]byte(body))
	if err := s.signer.SignHTTP(ctx, s.keys, r, hex.EncodeToString(sum[:]), name, s.region, now); err != nil {
		return nil, errors.New("sns: the request cannot be signed")
	}
	return r, nil
}
