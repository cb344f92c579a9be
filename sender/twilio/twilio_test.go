package twilio_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/sendertest"
	"github.com/twinlatch/twinlatch/sender/twilio"
)

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func TestConformance(t *testing.T) {
	sendertest.Run(t, sendertest.Fixture{New: setup, Secrets: []string{token}})
}

func message() twinlatch.Message {
	return twinlatch.Message{
		ID: "abcdefghijklmnopqrstuvwxyz", Channel: twinlatch.Text, Country: "GB",
		To:        twinlatch.NewSecret("+447700900167"),
		Body:      twinlatch.NewSecret("483920 is your code"),
		ExpiresAt: start.Add(10 * time.Minute),
	}
}

// TestSignature has the values of Twilio's documentation ("Webhooks security")
// and of the tests of its libraries.
func TestSignature(t *testing.T) {
	form := url.Values{
		"Digits": {"1234"}, "CallSid": {"CA1234567890ABCDE"}, "To": {"+18005551212"},
		"Caller": {"+14158675309"}, "From": {"+14158675309"},
	}
	for at, want := range map[string]string{
		"https://mycompany.com/myapp.php?foo=1&bar=2":     "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
		"https://mycompany.com:443/myapp.php?foo=1&bar=2": "kvajT1Ptam85bY51eRf/AJRuM3w=",
		"http://mycompany.com:80/myapp.php?foo=1&bar=2":   "0ZXoZLH/DfblKGATFgpif+LLRf4=",
	} {
		if got := base64.StdEncoding.EncodeToString(twilio.Sign("12345", at, form)); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}

func TestRequest(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*twilio.Config)
		left   time.Duration
		want   url.Values
	}{
		"number": {nil, 10 * time.Minute, url.Values{
			"From": {from}, "ValidityPeriod": {"600"}, "StatusCallback": {callback + "?message=abcdefghijklmnopqrstuvwxyz"},
		}},
		"messaging service": {func(c *twilio.Config) { c.From = service }, time.Minute, url.Values{
			"MessagingServiceSid": {service}, "ValidityPeriod": {"60"}, "StatusCallback": {callback + "?message=abcdefghijklmnopqrstuvwxyz"},
		}},
		"no receipts":       {func(c *twilio.Config) { c.Callback = "" }, 1999 * time.Millisecond, url.Values{"From": {from}, "ValidityPeriod": {"1"}}},
		"a path of its own": {func(c *twilio.Config) { c.URL += "/"; c.Callback = "" }, 24 * time.Hour, url.Values{"From": {from}, "ValidityPeriod": {"36000"}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			m := message()
			m.ExpiresAt = start.Add(c.left)
			ref, err := newSender(t, f, c.change).Send(t.Context(), m)
			if err != nil || ref != f.all()[0].Ref {
				t.Fatalf("Send: %q, %v", ref, err)
			}
			c.want.Set("To", "+447700900167")
			c.want.Set("Body", "483920 is your code")
			if got := f.last().Encode(); got != c.want.Encode() {
				t.Errorf("sent\n%s, want\n%s", got, c.want.Encode())
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	bad, no := twinlatch.ErrBadRecipient, twinlatch.ErrNoRoute
	for _, c := range []struct {
		code, status int
		want         error // nil: neither
	}{
		{21211, 400, bad}, {21214, 400, bad}, {21217, 400, bad}, {21265, 400, bad}, {21610, 400, bad}, {21614, 400, bad}, {21635, 400, bad},
		{21266, 400, no}, {21408, 403, no}, {21606, 400, no}, {21608, 400, no}, {21612, 400, no}, {21617, 400, no}, {21703, 400, no},
		{20003, 401, nil}, {20005, 403, nil}, {20404, 404, nil}, {20429, 429, nil}, {21611, 400, nil}, {63038, 429, nil},
		{20500, 500, nil}, {20503, 503, nil}, {99999, 400, nil}, {0, 400, nil}, {0, 502, nil},
	} {
		f := newFake(t)
		f.refuseNext(c.code, c.status)
		_, err := newSender(t, f, nil).Send(t.Context(), message())
		if err == nil || errors.Is(err, bad) != (c.want == bad) || errors.Is(err, no) != (c.want == no) {
			t.Errorf("code %d, status %d: %v, want %v", c.code, c.status, err, c.want)
		}
		if err != nil && c.code != 0 && !strings.Contains(err.Error(), fmt.Sprint(c.code)) {
			t.Errorf("code %d is not in %q", c.code, err)
		}
	}
}

func TestWhatTheFakeRefuses(t *testing.T) {
	f := newFake(t)
	long := message()
	long.Body = twinlatch.NewSecret(strings.Repeat("é", 1601))
	if _, err := newSender(t, f, nil).Send(t.Context(), long); !errors.Is(err, twinlatch.ErrNoRoute) {
		t.Errorf("1601 characters: %v", err)
	}
	long.Body = twinlatch.NewSecret(strings.Repeat("é", 1600))
	if _, err := newSender(t, f, nil).Send(t.Context(), long); err != nil {
		t.Errorf("1600 characters: %v", err)
	}
	other := newSender(t, f, func(c *twilio.Config) { c.Token = twinlatch.NewSecret("wrong") })
	_, err := other.Send(t.Context(), message())
	if err == nil || errors.Is(err, twinlatch.ErrNoRoute) || !strings.Contains(err.Error(), "20003") {
		t.Errorf("wrong token: %v", err)
	}
}

// TestAnswers are those that no vendor should give.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		text   string
		want   error
	}{
		"created, and nothing":   {201, "", nil},
		"created, and HTML":      {201, "<p>+447700900167: 483920 is your code</p>", nil},
		"created, half":          {201, `{"sid":"SM0123456789abcdef0123456789abcdef"`, nil},
		"created, two":           {201, `{"sid":"SM0123456789abcdef0123456789abcdef"}{}`, nil},
		"created, without name":  {201, `{"sid":""}`, nil},
		"created, another thing": {201, `{"sid":"CA0123456789abcdef0123456789abcdef"}`, nil},
		"created, endless":       {201, `{"sid":"SM0123456789abcdef0123456789abcdef","x":"` + strings.Repeat("x", 1<<20) + `"}`, nil},
		"created, and failed":    {201, string(resource("SM0123456789abcdef0123456789abcdef", nil, "failed", 30005)), twinlatch.ErrBadRecipient},
		"created, and filtered":  {201, string(resource("SM0123456789abcdef0123456789abcdef", nil, "failed", 30007)), twinlatch.ErrNoRoute},
		"created, and lost":      {201, string(resource("SM0123456789abcdef0123456789abcdef", nil, "failed", 30008)), nil},
		"no content":             {204, "", nil},
		"refused, and HTML":      {400, "<p>21211</p>", nil},
		"broken gateway":         {502, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.script(func(w http.ResponseWriter, _ *http.Request, _ url.Values) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.text))
			})
			ref, err := newSender(t, f, nil).Send(t.Context(), message())
			bad, no := errors.Is(err, twinlatch.ErrBadRecipient), errors.Is(err, twinlatch.ErrNoRoute)
			if err == nil || ref != "" || bad != (c.want == twinlatch.ErrBadRecipient) || no != (c.want == twinlatch.ErrNoRoute) {
				t.Errorf("%q, %v, want %v", ref, err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), "7700") || strings.Contains(err.Error(), "483920")) {
				t.Errorf("the error quotes: %v", err)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	f, other := newFake(t), newFake(t)
	for _, code := range []int{301, 302, 307, 308} {
		f.script(func(w http.ResponseWriter, r *http.Request, _ url.Values) {
			http.Redirect(w, r, other.url+r.URL.Path, code)
		})
		if _, err := newSender(t, f, nil).Send(t.Context(), message()); err == nil {
			t.Errorf("status %d is no error", code)
		}
	}
	if len(f.all())+len(other.all()) != 0 {
		t.Error("a redirect was followed")
	}
}

func TestUnreachable(t *testing.T) {
	f := newFake(t)
	gone := httptest.NewServer(f)
	gone.Close()
	_, err := newSender(t, f, func(c *twilio.Config) { c.URL = gone.URL }).Send(t.Context(), message())
	if err == nil || errors.Is(err, twinlatch.ErrNoRoute) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	strange := httptest.NewUnstartedServer(f)
	strange.Config.ErrorLog = log.New(io.Discard, "", 0)
	strange.StartTLS()
	t.Cleanup(strange.Close)
	_, err = newSender(t, f, func(c *twilio.Config) { c.URL = strange.URL }).Send(t.Context(), message())
	if err == nil || errors.Is(err, twinlatch.ErrNoRoute) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody knows: %v", err)
	}
}

func TestSettings(t *testing.T) {
	good := twilio.Config{Account: account, Token: twinlatch.NewSecret(token), From: from, Callback: callback}
	if _, err := twilio.New(good); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{service, "12345", "Example", "Example 2"} {
		c := good
		c.From = id
		if _, err := twilio.New(c); err != nil {
			t.Errorf("From %q: %v", id, err)
		}
	}
	for field, changes := range map[string][]func(*twilio.Config){
		"Account": {
			func(c *twilio.Config) { c.Account = "" },
			func(c *twilio.Config) { c.Account = "SK0123456789abcdef0123456789abcdef" },
			func(c *twilio.Config) { c.Account = account + "/.." },
		},
		"Token": {func(c *twilio.Config) { c.Token = twinlatch.Secret{} }},
		"From": {
			func(c *twilio.Config) { c.From = "" },
			func(c *twilio.Config) { c.From = service[:33] },
			func(c *twilio.Config) { c.From = "0123456789" },
			func(c *twilio.Config) { c.From = "Example company" },
			func(c *twilio.Config) { c.From = "Ex\nample" },
		},
		"URL": {
			func(c *twilio.Config) { c.URL = "api.twilio.com" },
			func(c *twilio.Config) { c.URL = "http://api.twilio.com" },
			func(c *twilio.Config) { c.URL = "https://a:b@api.twilio.com" },
			func(c *twilio.Config) { c.URL = "ftp://127.0.0.1" },
		},
		"Callback": {
			func(c *twilio.Config) { c.Callback = "/receipts" },
			func(c *twilio.Config) { c.Callback = "http://login.example.com/receipts" },
			func(c *twilio.Config) { c.Callback = callback + "?a=b" },
			func(c *twilio.Config) { c.Callback = callback + "#a" },
		},
	} {
		for i, change := range changes {
			c := good
			change(&c)
			_, err := twilio.New(c)
			if err == nil || !strings.HasPrefix(err.Error(), "twilio: "+field+" ") || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), token) {
				t.Errorf("%s, %d: %v", field, i, err)
			}
		}
	}
}

func TestTheCallersClientIsLeftAlone(t *testing.T) {
	client := &http.Client{}
	if _, err := twilio.New(twilio.Config{Account: account, Token: twinlatch.NewSecret(token), From: from, Client: client}); err != nil {
		t.Fatal(err)
	}
	if client.CheckRedirect != nil {
		t.Error("the client was changed")
	}
}
