package webhook_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/webhook"
)

func now() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }

func message() twinlatch.Message {
	return twinlatch.Message{
		ID:        "abcdefghijklmnopqrstuvwxyz",
		Channel:   twinlatch.Text,
		To:        twinlatch.NewSecret("+447700900167"),
		Body:      twinlatch.NewSecret("483920 is your code for Ann & Sons"),
		Country:   "GB",
		ExpiresAt: now().Add(10 * time.Minute),
	}
}

// mustTellNothing is about every error.
func mustTellNothing(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		text := fmt.Sprintf("%v %#v", e, e)
		for _, secret := range []string{"900167", "483920", pathToken, "MfKQ9"} {
			if strings.Contains(text, secret) {
				t.Errorf("an error tells %q: %s", secret, text)
			}
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	const url = "https://gateway.example/" + pathToken
	for name, c := range map[string]struct {
		url     string
		secrets []string
		good    bool
	}{
		"https":                   {url, []string{newSecret}, true},
		"https with a query":      {url + "?a=" + pathToken, []string{newSecret}, true},
		"two secrets":             {url, []string{newSecret, oldSecret}, true},
		"http to this machine":    {"http://localhost:8080/a", []string{newSecret}, true},
		"http to its IPv4":        {"http://127.0.0.9/", []string{newSecret}, true},
		"http to its IPv6":        {"http://[::1]:80/", []string{newSecret}, true},
		"http elsewhere":          {"http://gateway.example/" + pathToken, []string{newSecret}, false},
		"http to a disguise":      {"http://localhost.example/", []string{newSecret}, false},
		"http to all addresses":   {"http://0.0.0.0/", []string{newSecret}, false},
		"no scheme":               {"gateway.example/" + pathToken, []string{newSecret}, false},
		"another scheme":          {"ftp://gateway.example/" + pathToken, []string{newSecret}, false},
		"no host":                 {"https:///" + pathToken, []string{newSecret}, false},
		"no URL":                  {"", []string{newSecret}, false},
		"a broken URL":            {"https://gateway.example/%zz" + pathToken, []string{newSecret}, false},
		"a user in the URL":       {"https://ann:" + pathToken + "@gateway.example/", []string{newSecret}, false},
		"a fragment":              {url + "#a", []string{newSecret}, false},
		"no secret":               {url, nil, false},
		"an empty secret":         {url, []string{""}, false},
		"a bad one of two":        {url, []string{newSecret, "whsec_"}, false},
		"a secret without prefix": {url, []string{strings.TrimPrefix(newSecret, "whsec_")}, false},
		"a secret of 23 bytes":    {url, []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaQ="}, false},
		"a secret of 64 bytes":    {url, []string{"whsec_" + strings.Repeat("MfKQ", 21) + "MQ=="}, true},
		"a secret of 65 bytes":    {url, []string{"whsec_" + strings.Repeat("MfKQ", 21) + "MfI="}, false},
		"a public key":            {url, []string{"whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, false},
		"a secret with a space":   {url, []string{newSecret + " "}, false},
	} {
		t.Run(name, func(t *testing.T) {
			config := webhook.Config{URL: c.url}
			for _, s := range c.secrets {
				config.Secrets = append(config.Secrets, twinlatch.NewSecret(s))
			}
			_, err := webhook.New(config)
			if (err == nil) != c.good {
				t.Errorf("New: %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			mustTellNothing(t, err)
		})
	}
}

func TestGatewayGetsAllThatIsDocumented(t *testing.T) {
	g := newGateway(t, now, newSecret)
	m := message()
	ref, err := g.sender(t, newSecret).Send(t.Context(), m)
	if err != nil || ref != "ref-1" {
		t.Fatalf("Send: %q, %v", ref, err)
	}
	var want sent
	want.Type, want.Timestamp = "message.send", now()
	want.Data.ID, want.Data.Channel, want.Data.Country = "abcdefghijklmnopqrstuvwxyz", "text", "GB"
	want.Data.To, want.Data.Body, want.Data.ExpiresAt = m.To.Reveal(), m.Body.Reveal(), m.ExpiresAt
	if g.last != want {
		t.Errorf("got %+v, want %+v", g.last, want)
	}
}

// TestRotation goes through one: the gateway learns of the new secret later.
func TestRotation(t *testing.T) {
	for _, c := range []struct {
		gateway string
		ours    []string
		good    bool
	}{
		{oldSecret, []string{oldSecret}, true},
		{oldSecret, []string{newSecret, oldSecret}, true},
		{newSecret, []string{newSecret, oldSecret}, true},
		{newSecret, []string{newSecret}, true},
		{newSecret, []string{oldSecret}, false},
	} {
		g := newGateway(t, now, c.gateway)
		s := g.sender(t, c.ours...)
		if _, err := s.Send(t.Context(), message()); (err == nil) != c.good {
			t.Errorf("the gateway has %s, we %s: %v", c.gateway, c.ours, err)
		}
		l := &listener{}
		code := l.post(s, receipt(t, c.gateway, now(), map[string]string{"id": "a", "delivery": "delivered"}))
		if (code == http.StatusNoContent) != c.good || (len(l.told) == 1) != c.good {
			t.Errorf("the gateway has %s, we %s: receipt answered %d", c.gateway, c.ours, code)
		}
	}
}

// TestLibraryAcceptsAll lets the library look at its own clock as well.
func TestLibraryAcceptsAll(t *testing.T) {
	g := newGateway(t, time.Now, newSecret)
	g.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = g.peer.Verify(body, r.Header)
		}
		if err != nil || strings.Count(r.Header.Get("webhook-signature"), "v1,") != 2 {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	m := message()
	m.ExpiresAt = time.Now().Add(time.Minute)
	if _, err := g.sender(t, newSecret, oldSecret).Send(t.Context(), m); err != nil {
		t.Error(err)
	}
}

func TestAnswersOfTheGateway(t *testing.T) {
	body := func(status int, text string) answer {
		return func(w http.ResponseWriter, _ *http.Request, _ sent, _ func() string) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
		}
	}
	for name, c := range map[string]struct {
		next answer
		ref  string
		want error // errPlain: none of the two classes
	}{
		"204":                      {body(204, ""), "", nil},
		"202 with a reference":     {body(202, `{"ref":"a","more":1}`), "a", nil},
		"200 with another text":    {body(200, "OK"), "", nil},
		"200 with another JSON":    {body(200, `["a"]`), "", nil},
		"200 with a number":        {body(200, `{"ref":7}`), "", nil},
		"a reference of 200":       {body(200, `{"ref":"`+strings.Repeat("r", 200)+`"}`), strings.Repeat("r", 200), nil},
		"a reference of 201":       {body(200, `{"ref":"`+strings.Repeat("r", 201)+`"}`), "", nil},
		"a text of over 64 KiB":    {body(200, `{"pad":"`+strings.Repeat("p", 64<<10)+`","ref":"a"}`), "", nil},
		"301":                      {redirect(301), "", errPlain},
		"307":                      {redirect(307), "", errPlain},
		"308":                      {redirect(308), "", errPlain},
		"400":                      {refuse(400), "", errPlain},
		"401":                      {refuse(401), "", errPlain},
		"404":                      {refuse(404), "", errPlain},
		"410":                      {refuse(410), "", twinlatch.ErrNoRoute},
		"422":                      {refuse(422), "", twinlatch.ErrBadRecipient},
		"429":                      {refuse(429), "", errPlain},
		"500":                      {refuse(500), "", errPlain},
		"504":                      {refuse(504), "", errPlain},
		"422 that breaks off":      {body422, "", errPlain},
		"no HTTP, with the number": {babble, "", errPlain},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, now, newSecret)
			g.then(c.next)
			ref, err := g.sender(t, newSecret).Send(t.Context(), message())
			mustTellNothing(t, err)
			known := errors.Is(err, twinlatch.ErrNoRoute) || errors.Is(err, twinlatch.ErrBadRecipient)
			right := errors.Is(err, c.want)
			if errors.Is(c.want, errPlain) {
				right = err != nil && !known
			}
			if ref != c.ref || !right {
				t.Errorf("Send: %.20q, %v, want %.20q, %v", ref, err, c.ref, c.want)
			}
		})
	}
}

var errPlain = errors.New("neither ErrNoRoute nor ErrBadRecipient")

// redirect sends on to where the message would be taken.
func redirect(status int) answer {
	return func(w http.ResponseWriter, r *http.Request, _ sent, _ func() string) {
		http.Redirect(w, r, r.URL.Path, status)
	}
}

func body422(w http.ResponseWriter, _ *http.Request, m sent, _ func() string) {
	w.Header().Set("Content-Length", "400")
	w.WriteHeader(http.StatusUnprocessableEntity)
	_, _ = w.Write([]byte(m.Data.To))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func TestClientsRedirectsAreNotFollowedEither(t *testing.T) {
	g := newGateway(t, now, newSecret)
	client := g.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
	g.then(redirect(http.StatusPermanentRedirect))
	if _, err := g.sender(t, newSecret).Send(t.Context(), message()); err == nil || len(g.taken) != 0 {
		t.Errorf("Send: %v, taken %d", err, len(g.taken))
	}
	if client.CheckRedirect(nil, nil) != nil {
		t.Error("the caller's client was changed")
	}
}

func TestUnreachableGateways(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	foreign := httptest.NewUnstartedServer(http.NotFoundHandler())
	foreign.Config.ErrorLog = quiet()
	foreign.StartTLS()
	defer foreign.Close()
	for name, c := range map[string]struct {
		url, says string
	}{
		"nobody listens":        {closed.URL, "connection refused"},
		"an unknown authority":  {foreign.URL, "certificate"},
		"TLS to what has none":  {strings.Replace(newGateway(t, now, newSecret).URL, "http:", "https:", 1), ""},
		"a port that cannot be": {"https://127.0.0.1:1/", "connection refused"},
	} {
		s, err := webhook.New(webhook.Config{
			URL:     c.url + "/" + pathToken,
			Secrets: []twinlatch.Secret{twinlatch.NewSecret(newSecret)},
			Client:  &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}},
			Clock:   now,
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Send(t.Context(), message())
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		mustTellNothing(t, err)
	}
}

// TestVector is the example of the reference implementations.
func TestVector(t *testing.T) {
	at := time.Unix(1614265330, 0)
	peer, err := standardwebhooks.NewWebhook(newSecret)
	if err != nil {
		t.Fatal(err)
	}
	const body, want = `{"test": 2432232314}`, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got, err := peer.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(body)); err != nil || got != want {
		t.Fatalf("the library makes %s, %v, want %s", got, err, want)
	}
	s := newGateway(t, func() time.Time { return at }, newSecret).sender(t, newSecret)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	r.Header.Set("webhook-timestamp", "1614265330")
	r.Header.Set("webhook-signature", want)
	l := &listener{}
	if code := l.post(s, r); code != http.StatusBadRequest { // genuine, and no receipt
		t.Errorf("answered %d", code)
	}
}
