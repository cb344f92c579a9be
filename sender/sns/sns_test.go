package sns_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/sns"
)

func now() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }

func message() twinlatch.Message {
	return twinlatch.Message{
		ID:        "abcdefghijklmnopqrstuvwxyz",
		Channel:   twinlatch.Text,
		To:        twinlatch.NewSecret("+447700900167"),
		Body:      twinlatch.NewSecret("483920 is your code for Ann & Sons"),
		Country:   "GB",
		ExpiresAt: now().Add(time.Hour),
	}
}

// mustTellNothing is about every error.
func mustTellNothing(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		text := fmt.Sprintf("%v %#v", e, e)
		for _, secret := range []string{"900167", "483920", "Ann", secretKey, token, "Signature="} {
			if strings.Contains(text, secret) {
				t.Errorf("an error tells %q: %s", secret, text)
			}
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	a := newAWS(t, now)
	secret := twinlatch.NewSecret
	for name, c := range map[string]struct {
		change func(*sns.Config)
		says   string // "" is good
	}{
		"all":                      {func(*sns.Config) {}, ""},
		"the URL of the region":    {func(c *sns.Config) { c.URL = "" }, ""},
		"no session token":         {func(c *sns.Config) { c.SessionToken = twinlatch.Secret{} }, ""},
		"a region of a government": {func(c *sns.Config) { c.Region = "us-gov-west-1" }, ""},
		"no region":                {func(c *sns.Config) { c.Region = "" }, "region"},
		"a zone":                   {func(c *sns.Config) { c.Region = "eu-west-1a" }, "region"},
		"a host as region":         {func(c *sns.Config) { c.Region = "evil.example/eu-west-1" }, "region"},
		"no access key":            {func(c *sns.Config) { c.AccessKey = "" }, "access key"},
		"keys that were swapped":   {func(c *sns.Config) { c.AccessKey = secretKey }, "access key"},
		"no secret key":            {func(c *sns.Config) { c.SecretKey = secret("") }, "secret key"},
		"a secret key with CR":     {func(c *sns.Config) { c.SecretKey = secret(secretKey + "\r") }, "secret key"},
		"a token in two lines":     {func(c *sns.Config) { c.SessionToken = secret("a\nb") }, "session token"},
		"a sender ID":              {func(c *sns.Config) { c.SenderID = "4-Example1" }, ""},
		"a sender ID of digits":    {func(c *sns.Config) { c.SenderID = "12345" }, "sender ID"},
		"a sender ID with spaces":  {func(c *sns.Config) { c.SenderID = "My shop" }, "sender ID"},
		"a long sender ID":         {func(c *sns.Config) { c.SenderID = "abcdefghijkl" }, "sender ID"},
		"a price":                  {func(c *sns.Config) { c.MaxPrice = "0.05" }, ""},
		"a price in words":         {func(c *sns.Config) { c.MaxPrice = "$1" }, "price"},
		"a negative price":         {func(c *sns.Config) { c.MaxPrice = "-1" }, "price"},
		"https":                    {func(c *sns.Config) { c.URL = "https://vpce.sns.example/" }, ""},
		"http to this machine":     {func(c *sns.Config) { c.URL = "http://localhost:4566" }, ""},
		"http elsewhere":           {func(c *sns.Config) { c.URL = "http://sns.example" }, "https"},
		"a URL with a path":        {func(c *sns.Config) { c.URL = "https://sns.example/a" }, "URL"},
		"a URL with a user":        {func(c *sns.Config) { c.URL = "https://a:" + token + "@sns.example" }, "URL"},
		"no URL at all":            {func(c *sns.Config) { c.URL = "sns.example" }, "URL"},
	} {
		config := a.settings()
		c.change(&config)
		_, err := sns.New(config)
		switch {
		case (err == nil) != (c.says == ""):
			t.Errorf("%s: %v", name, err)
		case err != nil && (!strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %q, want one line about %q", name, err, c.says)
		}
		mustTellNothing(t, err)
	}
}

func TestParametersOfPublish(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*sns.Config)
		want   map[string]string
	}{
		"none": {func(*sns.Config) {}, map[string]string{"AWS.SNS.SMS.SMSType": "String Transactional"}},
		"all": {
			func(c *sns.Config) { c.SenderID, c.MaxPrice = "Example", "0.50" },
			map[string]string{"AWS.SNS.SMS.SMSType": "String Transactional", "AWS.SNS.SMS.SenderID": "String Example", "AWS.SNS.SMS.MaxPrice": "Number 0.50"},
		},
	} {
		a := newAWS(t, now)
		config := a.settings()
		c.change(&config)
		ref, err := newSender(t, config).Send(t.Context(), message())
		if err != nil || ref != "567910cd-659e-55d4-8ccb-000000000001" {
			t.Fatalf("%s: Send: %q, %v", name, ref, err)
		}
		if got := attributes(a.last); !maps.Equal(got, c.want) {
			t.Errorf("%s: attributes %v, want %v", name, got, c.want)
		}
		if want := 4 + 3*len(c.want); len(a.last) != want {
			t.Errorf("%s: %d parameters, want %d", name, len(a.last), want)
		}
	}
}

// TestEndpointOfTheRegion asks no network: the client takes the request away.
func TestEndpointOfTheRegion(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-1":     "https://sns.eu-west-1.amazonaws.com/",
		"us-gov-west-1": "https://sns.us-gov-west-1.amazonaws.com/",
		"cn-north-1":    "https://sns.cn-north-1.amazonaws.com.cn/",
	} {
		var got string
		config := newAWS(t, now).settings()
		config.URL, config.Region = "", region
		config.Client = &http.Client{Transport: carrier(func(r *http.Request) (*http.Response, error) {
			got = r.URL.String()
			return nil, errors.New("taken away with " + r.Header.Get("Authorization"))
		})}
		_, err := newSender(t, config).Send(t.Context(), message())
		mustTellNothing(t, err)
		if err == nil || got != want {
			t.Errorf("%s: %v, asked %s, want %s", region, err, got, want)
		}
	}
}

type carrier func(*http.Request) (*http.Response, error)

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// TestKeysAndClocksMustBeRight shows that the fake looks at the signature.
func TestKeysAndClocksMustBeRight(t *testing.T) {
	secret := twinlatch.NewSecret
	for name, c := range map[string]struct {
		change func(*sns.Config)
		says   string // "" is sent
	}{
		"all right":             {func(*sns.Config) {}, ""},
		"another secret key":    {func(c *sns.Config) { c.SecretKey = secret(secretKey[1:]) }, "SignatureDoesNotMatch"},
		"another access key":    {func(c *sns.Config) { c.AccessKey = accessKey[1:] }, "InvalidClientTokenId"},
		"another session token": {func(c *sns.Config) { c.SessionToken = secret(token[1:]) }, "InvalidClientTokenId"},
		"another region":        {func(c *sns.Config) { c.Region = "eu-west-2" }, "SignatureDoesNotMatch"},
		"14 minutes late":       {func(c *sns.Config) { c.Clock = at(-14 * time.Minute) }, ""},
		"14 minutes early":      {func(c *sns.Config) { c.Clock = at(14 * time.Minute) }, ""},
		"16 minutes late":       {func(c *sns.Config) { c.Clock = at(-16 * time.Minute) }, "RequestExpired"},
		"16 minutes early":      {func(c *sns.Config) { c.Clock = at(16 * time.Minute) }, "RequestExpired"},
	} {
		a := newAWS(t, now)
		config := a.settings()
		c.change(&config)
		_, err := newSender(t, config).Send(t.Context(), message())
		switch {
		case (err == nil) != (c.says == "") || (len(a.taken) == 1) != (c.says == ""):
			t.Errorf("%s: %v, taken %d", name, err, len(a.taken))
		case err != nil && (!strings.Contains(err.Error(), c.says) || classOf(err) != "plain"):
			t.Errorf("%s: %q, want a plain error about %s", name, err, c.says)
		}
		mustTellNothing(t, err)
	}
}

func at(off time.Duration) func() time.Time {
	return func() time.Time { return now().Add(off) }
}

func classOf(err error) string {
	switch {
	case err == nil:
		return "none"
	case errors.Is(err, twinlatch.ErrBadRecipient):
		return "recipient"
	case errors.Is(err, twinlatch.ErrNoRoute):
		return "route"
	}
	return "plain"
}

func TestAnswersOfAWS(t *testing.T) {
	const phone = "Invalid parameter: PhoneNumber Reason: "
	for _, c := range []struct {
		name string
		next answer
		want string
	}{
		{"a bad number", refuse(400, "InvalidParameter", phone), "recipient"},
		{"a bad number, newer", refuse(400, "InvalidParameterValue", phone), "recipient"},
		{"a bad number, as SDKs say it", refuse(400, "InvalidParameterException", phone), "recipient"},
		{"a bad number, as validation", refuse(400, "ValidationException", phone), "recipient"},
		{"STOP", refuse(400, "OptedOut", "opted out"), "recipient"},
		{"a body that is too long", refuse(400, "InvalidParameter", "Invalid parameter: Message too long"), "route"},
		{"a bad attribute", refuse(400, "ParameterValueInvalid", "Invalid parameter: MessageAttributes"), "route"},
		{"no such endpoint", refuse(400, "EndpointDisabled", ""), "route"},
		{"no permission", refuse(403, "AuthorizationError", "User: arn is not authorized to perform: SNS:Publish on resource:"), "plain"},
		{"no permission, newer", refuse(403, "AccessDenied", ""), "plain"},
		{"no such key", refuse(403, "InvalidClientTokenId", ""), "plain"},
		{"an old session token", refuse(403, "ExpiredToken", ""), "plain"},
		{"a quota", refuse(400, "QuotaExceeded", "monthly spend"), "plain"},
		{"no subscription", refuse(403, "OptInRequired", ""), "plain"},
		{"too fast", refuse(429, "Throttled", ""), "plain"},
		{"too fast, elsewhere", refuse(400, "Throttling", ""), "plain"},
		{"too fast, by a bad name", refuse(429, "InvalidParameter", phone), "plain"},
		{"a fault of theirs", refuse(500, "InternalError", ""), "plain"},
		{"a fault by a bad name", refuse(503, "InvalidParameter", phone), "plain"},
		{"an unknown code", refuse(400, "SomethingNew", phone), "plain"},
		{"a code that is a number", refuse(400, "+447700900167", phone), "plain"},
		{"a code in several words", refuse(400, "InvalidParameter 483920", phone), "plain"},
		{"no code", refuse(400, "", phone), "plain"},
		{"no XML", answers(400, "{to} {body}"), "plain"},
		{"an empty refusal", answers(403, ""), "plain"},
		{"JSON", answers(400, `{"code":"InvalidParameter","message":"PhoneNumber {to}"}`), "plain"},
		{"a proxy", answers(502, "<html>{to}"), "plain"},
		{"an error as success", refuse(200, "InvalidParameter", phone), "plain"},
		{"an empty success", answers(200, ""), "plain"},
		{"a success without an ID", answers(200, "<PublishResponse><PublishResult/></PublishResponse>"), "plain"},
		{"a success that is not closed", answers(200, "<PublishResponse><PublishResult><MessageId>a"), "plain"},
		{"a success with a text as ID", answers(200, "<PublishResponse><PublishResult><MessageId>to {to}, a b</MessageId></PublishResult></PublishResponse>"), "plain"},
		{"a success of over 64 KiB", answers(200, "<PublishResponse>"+strings.Repeat(" ", 64<<10)+"<PublishResult><MessageId>a</MessageId></PublishResult></PublishResponse>"), "plain"},
		{"entities that grow", answers(400, `<!DOCTYPE a [<!ENTITY b "{to}">]><ErrorResponse><Error><Code>&b;&b;</Code></Error></ErrorResponse>`), "plain"},
		{"an answer that breaks off", breakOff, "plain"},
		{"no HTTP", babble, "plain"},
		{"a redirect", redirect, "plain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAWS(t, now)
			a.then(c.next)
			ref, err := newSender(t, a.settings()).Send(t.Context(), message())
			if classOf(err) != c.want || ref != "" {
				t.Errorf("%q, %v, want %s", ref, err, c.want)
			}
			mustTellNothing(t, err)
		})
	}
}

// redirect sends on to where the message would be taken.
func redirect(w http.ResponseWriter, r *http.Request, _ url.Values, _ func() string) {
	http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
}

func TestErrorsNameTheRequest(t *testing.T) {
	a := newAWS(t, now)
	a.then(refuse(429, "Throttled", ""))
	_, err := newSender(t, a.settings()).Send(t.Context(), message())
	if want := "sns: Throttled (status 429, request 9dd01905-5012-5f99-8663-4b3ecd0dfaef)"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestNobodyListens(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	config := newAWS(t, now).settings()
	config.URL = closed.URL
	_, err := newSender(t, config).Send(t.Context(), message())
	if classOf(err) != "plain" || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
	mustTellNothing(t, err)
}
