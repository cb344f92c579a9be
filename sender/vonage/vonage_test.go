package vonage_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/sendertest"
	"github.com/twinlatch/twinlatch/sender/vonage"
)

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func now() time.Time { return start }

func TestConformance(t *testing.T) {
	for name, signed := range map[string]bool{"signed": true, "with the API secret": false} {
		t.Run(name, func(t *testing.T) {
			sendertest.Run(t, sendertest.Fixture{New: setup(signed), Secrets: []string{secret, signature}})
		})
	}
}

func message() twinlatch.Message {
	return twinlatch.Message{
		ID: "abcdefghijklmnopqrstuvwxyz", Channel: twinlatch.Text, Country: "GB",
		To:        twinlatch.NewSecret("+447700900167"),
		Body:      twinlatch.NewSecret("483920 is your code"),
		ExpiresAt: start.Add(10 * time.Minute),
	}
}

// TestSignature has the value that the tests of Vonage's Python and Ruby
// libraries have for SHA-256 HMAC, and the rule about delimiters.
func TestSignature(t *testing.T) {
	const want = "a321e824b9b816be7c3f28859a31749a098713d39f613c80d455bbaffae1cd24"
	published := map[string]string{"timestamp": "1461605396", "b": "2", "a": "1", "sig": "is left out"}
	if got := hex.EncodeToString(vonage.Sign("secret", published)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	with, without := map[string]string{"text": "You & Me = Love"}, map[string]string{"text": "You _ Me _ Love"}
	if !bytes.Equal(vonage.Sign("secret", with), vonage.Sign("secret", without)) {
		t.Error("delimiters in values are signed as they are")
	}
}

func TestRequest(t *testing.T) {
	at := strconv.FormatInt(start.Unix(), 10)
	for name, c := range map[string]struct {
		change func(*vonage.Config)
		body   string
		left   time.Duration
		want   url.Values
	}{
		"signed": {nil, "a=b&c", 10 * time.Minute, url.Values{
			"type": {"text"}, "ttl": {"600000"}, "callback": {callback}, "timestamp": {at},
		}},
		"with the API secret": {func(c *vonage.Config) {
			c.Signature, c.Secret, c.Callback = twinlatch.Secret{}, twinlatch.NewSecret(secret), ""
		}, "€", time.Second, url.Values{"type": {"text"}, "ttl": {"20000"}, "api_secret": {secret}}},
		"with both": {func(c *vonage.Config) { c.Secret = twinlatch.NewSecret(secret) }, "ç", 30 * 24 * time.Hour, url.Values{
			"type": {"unicode"}, "ttl": {"604800000"}, "callback": {callback}, "timestamp": {at},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, now)
			m := message()
			m.Body, m.ExpiresAt = twinlatch.NewSecret(c.body), start.Add(c.left)
			ref, err := newSender(t, f, c.change).Send(t.Context(), m)
			if err != nil || ref != f.all()[0].Ref {
				t.Fatalf("Send: %q, %v", ref, err)
			}
			for name, value := range map[string]string{
				"api_key": key, "from": from, "to": "447700900167", "text": c.body, "client-ref": "abcdefghijklmnopqrstuvwxyz",
			} {
				c.want.Set(name, value)
			}
			got := f.last()
			got.Del("sig") // the fake has checked it
			if got.Encode() != c.want.Encode() {
				t.Errorf("sent\n%s, want\n%s", got.Encode(), c.want.Encode())
			}
		})
	}
}

// TestAlphabet is about each character by itself: what the alphabet has goes as
// "text", and arrives.
func TestAlphabet(t *testing.T) {
	f := newFake(t, now)
	s := newSender(t, f, nil)
	for r := range rune(0x2100) {
		in := strings.ContainsRune(gsm, r)
		if !in && r > 0x17f && r%97 != 0 { // a sample of the others is enough
			continue
		}
		m := message()
		m.Body = twinlatch.NewSecret(string(r))
		if _, err := s.Send(t.Context(), m); err != nil {
			t.Fatalf("%q: %v", r, err)
		}
		if kind := f.last().Get("type"); (kind == "text") != in {
			t.Errorf("%q is of type %s", r, kind)
		}
	}
}

func TestRefusals(t *testing.T) {
	bad, no := twinlatch.ErrBadRecipient, twinlatch.ErrNoRoute
	for status, want := range map[int]error{
		7: bad, 33: bad,
		2: no, 3: no, 6: no, 11: no, 12: no, 15: no, 22: no, 23: no, 29: no,
		1: nil, 4: nil, 5: nil, 8: nil, 9: nil, 10: nil, 14: nil, 32: nil, 77: nil,
	} {
		f := newFake(t, now)
		f.refuseNext(status)
		_, err := newSender(t, f, nil).Send(t.Context(), message())
		if err == nil || errors.Is(err, bad) != (want == bad) || errors.Is(err, no) != (want == no) {
			t.Errorf("status %d: %v, want %v", status, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), fmt.Sprint(status)) {
			t.Errorf("status %d is not in %q", status, err)
		}
	}
}

func TestWhatTheFakeRefuses(t *testing.T) {
	f := newFake(t, now)
	long := message()
	long.Body = twinlatch.NewSecret(strings.Repeat("é", 3201))
	if _, err := newSender(t, f, nil).Send(t.Context(), long); !errors.Is(err, twinlatch.ErrNoRoute) {
		t.Errorf("3201 characters: %v", err)
	}
	for want, change := range map[string]func(*vonage.Config){
		"14": func(c *vonage.Config) { c.Signature = twinlatch.NewSecret("wrong") },
		"4 ": func(c *vonage.Config) { c.Key = "abcd1235" },
	} {
		_, err := newSender(t, f, change).Send(t.Context(), message())
		if err == nil || errors.Is(err, twinlatch.ErrNoRoute) || !strings.Contains(err.Error(), "status "+want) {
			t.Errorf("wrong credentials: %v, want status %s", err, want)
		}
	}
}

// TestParts is about long messages: Vonage answers for each part.
func TestParts(t *testing.T) {
	f := newFake(t, now)
	long := message()
	long.Body = twinlatch.NewSecret(strings.Repeat("0123456789", 40))
	ref, err := newSender(t, f, nil).Send(t.Context(), long)
	if err != nil || ref != "0A0000000100" {
		t.Errorf("three parts: %q, %v", ref, err)
	}
	f.script(func(w http.ResponseWriter, _ *http.Request, form url.Values) {
		answer(w, append(f.take(form)[:2], map[string]string{"status": "9", "error-text": "Quota Exceeded"}))
	})
	if ref, err := newSender(t, f, nil).Send(t.Context(), long); err == nil || ref != "" || !strings.Contains(err.Error(), "9 no credit") {
		t.Errorf("the third part refused: %q, %v", ref, err)
	}
}

// TestAnswers are those that no vendor should give.
func TestAnswers(t *testing.T) {
	const good = `{"messages":[{"message-id":"0A0000000123ABCD1","status":"0"}]`
	for name, c := range map[string]struct {
		status int
		text   string
	}{
		"nothing":              {200, ""},
		"HTML":                 {200, "<p>447700900167: 483920 is your code</p>"},
		"half":                 {200, good},
		"two":                  {200, good + "}{}"},
		"no messages":          {200, `{"message-count":"0","messages":[]}`},
		"no name":              {200, `{"messages":[{"message-id":"","status":"0"}]}`},
		"no status":            {200, `{"messages":[{"message-id":"0A0000000123ABCD1"}]}`},
		"status is a quote":    {200, `{"messages":[{"status":"447700900167"}]}`},
		"status is text":       {200, `{"messages":[{"status":"447700900167 483920 is your code"}]}`},
		"other types":          {200, `{"messages":{"status":"0"}}`},
		"endless":              {200, good + `,"x":"` + strings.Repeat("x", 1<<20) + `"}`},
		"good, but not HTTP's": {500, good + "}"},
		"unauthorized":         {401, good + "}"},
		"too many":             {429, ""},
		"no content":           {204, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, now)
			f.script(func(w http.ResponseWriter, _ *http.Request, _ url.Values) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.text))
			})
			ref, err := newSender(t, f, nil).Send(t.Context(), message())
			if err == nil || ref != "" || errors.Is(err, twinlatch.ErrBadRecipient) || errors.Is(err, twinlatch.ErrNoRoute) {
				t.Errorf("%q, %v", ref, err)
			}
			if err != nil && (strings.Contains(err.Error(), "7700") || strings.Contains(err.Error(), "483920")) {
				t.Errorf("the error quotes: %v", err)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	f, other := newFake(t, now), newFake(t, now)
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
	f := newFake(t, now)
	gone := httptest.NewServer(f)
	gone.Close()
	_, err := newSender(t, f, func(c *vonage.Config) { c.URL = gone.URL }).Send(t.Context(), message())
	if err == nil || errors.Is(err, twinlatch.ErrNoRoute) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	strange := httptest.NewUnstartedServer(f)
	strange.Config.ErrorLog = log.New(io.Discard, "", 0)
	strange.StartTLS()
	t.Cleanup(strange.Close)
	_, err = newSender(t, f, func(c *vonage.Config) { c.URL = strange.URL }).Send(t.Context(), message())
	if err == nil || errors.Is(err, twinlatch.ErrNoRoute) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody knows: %v", err)
	}
}

func TestSettings(t *testing.T) {
	good := vonage.Config{Key: key, Signature: twinlatch.NewSecret(signature), From: from, Callback: callback}
	if _, err := vonage.New(good); err != nil {
		t.Fatal(err)
	}
	for field, changes := range map[string][]func(*vonage.Config){
		"Key": {func(c *vonage.Config) { c.Key = "" }, func(c *vonage.Config) { c.Key = "a&b" }},
		"Signature": {
			func(c *vonage.Config) { c.Signature = twinlatch.Secret{} },
			func(c *vonage.Config) { c.Signature, c.Secret = twinlatch.Secret{}, twinlatch.NewSecret(secret) }, // and Callback
		},
		"From": {
			func(c *vonage.Config) { c.From = "" },
			func(c *vonage.Config) { c.From = "+447700900000" },
			func(c *vonage.Config) { c.From = "Example company" },
			func(c *vonage.Config) { c.From = "Ex\nample" },
		},
		"URL": {
			func(c *vonage.Config) { c.URL = "rest.nexmo.com" },
			func(c *vonage.Config) { c.URL = "http://rest.nexmo.com" },
			func(c *vonage.Config) { c.URL = "https://a:b@rest.nexmo.com" },
		},
		"Callback": {
			func(c *vonage.Config) { c.Callback = "/receipts" },
			func(c *vonage.Config) { c.Callback = "http://login.example.com/receipts" },
			func(c *vonage.Config) { c.Callback = callback + "?a=b" },
		},
	} {
		for i, change := range changes {
			c := good
			change(&c)
			_, err := vonage.New(c)
			if err == nil || !strings.HasPrefix(err.Error(), "vonage: "+field+" ") || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), signature) {
				t.Errorf("%s, %d: %v", field, i, err)
			}
		}
	}
}

func TestTheCallersClientIsLeftAlone(t *testing.T) {
	client := &http.Client{}
	if _, err := vonage.New(vonage.Config{Key: key, Signature: twinlatch.NewSecret(signature), From: from, Client: client}); err != nil {
		t.Fatal(err)
	}
	if client.CheckRedirect != nil {
		t.Error("the client was changed")
	}
}
