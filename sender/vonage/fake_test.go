package vonage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/sendertest"
	"github.com/twinlatch/twinlatch/sender/vonage"
)

const (
	key       = "abcd1234"
	secret    = "abcdef0123456789"
	signature = "0123456789abcdef0123456789abcdef0123456789abcdef"
	from      = "Example"
	callback  = "https://login.example.com/receipts/vonage"
)

// fake is Vonage as the reference of the SMS API describes it. It fails the test
// if the request has what that page does not know.
type fake struct {
	t     testing.TB
	url   string
	clock func() time.Time

	mu    sync.Mutex
	taken []sendertest.Taken
	forms []url.Values
	next  func(w http.ResponseWriter, r *http.Request, form url.Values) // nil: as documented
}

func newFake(t testing.TB, clock func() time.Time) *fake {
	f := &fake{t: t, clock: clock}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		f.t.Errorf("the form cannot be read: %v", err)
	}
	if r.Method != http.MethodPost || r.URL.String() != "/sms/json" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		f.t.Errorf("%s %s of %s", r.Method, r.URL, r.Header.Get("Content-Type"))
	}
	f.mu.Lock()
	next := f.next
	f.next = nil
	f.mu.Unlock()
	if next != nil {
		next(w, r, r.PostForm)
		return
	}
	if status, text := f.check(r.PostForm); status != 0 {
		refuse(w, status, text)
		return
	}
	answer(w, f.take(r.PostForm))
}

var known = regexp.MustCompile(`^(api_key|api_secret|sig|timestamp|from|to|text|type|ttl|client-ref|callback)$`)

// check is what Vonage checks, and refuses with the status that is documented.
func (f *fake) check(form url.Values) (status int, text string) {
	fields := map[string]string{}
	for name, values := range form {
		if !known.MatchString(name) || len(values) != 1 {
			f.t.Errorf("parameter %q = %q", name, values)
		}
		fields[name] = values[0]
	}
	for _, name := range []string{"api_key", "from", "to", "text"} {
		if fields[name] == "" {
			return 2, "Missing " + name + " param"
		}
	}
	sent, err := strconv.ParseInt(fields["timestamp"], 10, 64)
	ttl, ttlErr := strconv.Atoi(fields["ttl"])
	at, urlErr := url.Parse(fields["callback"])
	switch {
	case form.Has("sig") && form.Has("api_secret"):
		return 32, "Signature and API Secret disallowed"
	case fields["api_key"] != key, !form.Has("sig") && fields["api_secret"] != secret:
		return 4, "Bad Credentials"
	case form.Has("sig") && (err != nil || f.clock().Sub(time.Unix(sent, 0)).Abs() > time.Hour || fields["sig"] != fmt.Sprintf("%x", vonage.Sign(signature, fields))):
		return 14, "Invalid Signature"
	case !regexp.MustCompile(`^[0-9]{7,15}$`).MatchString(fields["to"]):
		return 3, "Invalid to param " + fields["to"]
	case !regexp.MustCompile(`^([0-9]{1,15}|[A-Za-z0-9 ]{1,11})$`).MatchString(fields["from"]):
		return 15, "Invalid sender address"
	case fields["type"] != "text" && fields["type"] != "unicode":
		return 3, "Invalid type param"
	case form.Has("ttl") && (ttlErr != nil || ttl < 20_000 || ttl > 604_800_000):
		return 3, "Invalid ttl param"
	case len(fields["client-ref"]) > 40:
		return 3, "Invalid client-ref param"
	case form.Has("callback") && (urlErr != nil || at.Host == ""):
		return 23, "Invalid callback URL"
	case len(utf16.Encode([]rune(fields["text"]))) > 3200:
		return 12, "Message too long: " + fields["text"]
	}
	return 0, ""
}

// gsm is what phones show of each character, as in 3GPP TS 23.038 §6.2.1.
const gsm = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà\f^{}\\[~]|€"

// take returns the message's parts. What a text of type "text" cannot hold
// becomes a question mark.
func (f *fake) take(form url.Values) (parts []map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, one, many := form.Get("text"), 70, 67
	units := len(utf16.Encode([]rune(text)))
	if form.Get("type") == "text" {
		text = strings.Map(func(r rune) rune {
			if !strings.ContainsRune(gsm, r) {
				return '?'
			}
			return r
		}, text)
		one, many = 160, 153
		units = len([]rune(text)) + len(text) - len(strings.NewReplacer("^", "", "{", "", "}", "", "\\", "", "[", "", "~", "", "]", "", "|", "").Replace(text)) + strings.Count(text, "€")
	}
	n := 1
	if units > one {
		n = (units + many - 1) / many
	}
	for i := range n {
		parts = append(parts, map[string]string{
			"to": form.Get("to"), "message-id": fmt.Sprintf("0A00%06X%02X", len(f.taken)+1, i), "status": "0",
			"remaining-balance": "3.14159265", "message-price": "0.03330000", "network": "12345", "client-ref": form.Get("client-ref"),
		})
	}
	f.taken = append(f.taken, sendertest.Taken{To: "+" + form.Get("to"), Body: text, Ref: parts[0]["message-id"]})
	f.forms = append(f.forms, form)
	return parts
}

func (f *fake) all() []sendertest.Taken {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]sendertest.Taken(nil), f.taken...)
}

// last is the form of the newest message that was taken.
func (f *fake) last() url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.forms[len(f.forms)-1]
}

func (f *fake) script(next func(w http.ResponseWriter, r *http.Request, form url.Values)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = next
}

// refuseNext quotes, as Vonage does.
func (f *fake) refuseNext(status int) {
	f.script(func(w http.ResponseWriter, _ *http.Request, form url.Values) {
		refuse(w, status, form.Get("to")+" cannot get "+form.Get("text")+" from "+secret)
	})
}

func refuse(w http.ResponseWriter, status int, text string) {
	answer(w, []map[string]string{{"status": strconv.Itoa(status), "error-text": text}})
}

func answer(w http.ResponseWriter, parts []map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"message-count": strconv.Itoa(len(parts)), "messages": parts})
}

// breakOff promises more than it writes.
func (f *fake) breakOff(w http.ResponseWriter, _ *http.Request, form url.Values) {
	f.take(form)
	w.Header().Set("Content-Length", "200")
	_, _ = w.Write([]byte(`{"message-count":"1","messages":[{"to":"` + form.Get("to")))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// babble answers what is not HTTP, and quotes.
func (f *fake) babble(w http.ResponseWriter, _ *http.Request, form url.Values) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		f.t.Error(err)
		return
	}
	_, _ = fmt.Fprintf(conn, "%s %s %s\r\n\r\n", form.Get("to"), form.Get("text"), signature)
	_ = conn.Close()
}

func (f *fake) acceptTwice(w http.ResponseWriter, _ *http.Request, form url.Values) {
	parts := f.take(form)
	answer(w, append(parts, parts...))
}

func (f *fake) hang() <-chan struct{} {
	there := make(chan struct{})
	f.script(func(_ http.ResponseWriter, r *http.Request, _ url.Values) {
		close(there)
		<-r.Context().Done()
	})
	return there
}

// fields are a delivery receipt as the reference has it, at the given time.
func fields(n sendertest.Notice, status, code string, at time.Time) map[string]string {
	return map[string]string{
		"msisdn": strings.TrimPrefix(n.To, "+"), "to": from, "network-code": "12345", "messageId": n.Ref,
		"price": "0.03330000", "status": status, "scts": "2603040507", "err-code": code, "api-key": key,
		"client-ref": string(n.Message), "message-timestamp": at.UTC().Format("2006-01-02 15:04:05"),
		"timestamp": strconv.FormatInt(at.Unix(), 10), "nonce": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
	}
}

// forms are the three ways in which a receipt arrives, signed.
func forms(with string, fields map[string]string) []*http.Request {
	values := url.Values{}
	fields["sig"] = fmt.Sprintf("%x", vonage.Sign(with, fields))
	for name, value := range fields {
		values.Set(name, value)
	}
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	get := httptest.NewRequest(http.MethodGet, callback+"?"+values.Encode(), nil)
	post := httptest.NewRequest(http.MethodPost, callback, strings.NewReader(values.Encode()))
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	object := httptest.NewRequest(http.MethodPost, callback, bytes.NewReader(text))
	object.Header.Set("Content-Type", "application/json")
	return []*http.Request{get, post, object}
}

func receipts(with string) func(sendertest.Notice) []*http.Request {
	return func(n sendertest.Notice) []*http.Request {
		if n.Delivery == twinlatch.Delivered {
			return forms(with, fields(n, "delivered", "0", start))
		}
		return forms(with, fields(n, "failed", "9", start))
	}
}

func newSender(t testing.TB, f *fake, change func(*vonage.Config)) *vonage.Sender {
	t.Helper()
	c := vonage.Config{
		Key: key, Signature: twinlatch.NewSecret(signature), From: from, URL: f.url, Callback: callback,
		Client: &http.Client{Transport: &http.Transport{}}, Clock: f.clock,
	}
	if change != nil {
		change(&c)
	}
	s, err := vonage.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Client.CloseIdleConnections)
	return s
}

// setup is with the signature secret, or with the API secret and no receipts.
func setup(signed bool) func(testing.TB, func() time.Time) sendertest.Setup {
	return func(t testing.TB, clock func() time.Time) sendertest.Setup {
		f := newFake(t, clock)
		s := newSender(t, f, func(c *vonage.Config) {
			if !signed {
				c.Signature, c.Secret, c.Callback = twinlatch.Secret{}, twinlatch.NewSecret(secret), ""
			}
		})
		made := sendertest.Setup{
			Sender: s,
			Provider: sendertest.Provider{
				Taken:           f.all,
				RefuseRecipient: func() { f.refuseNext(33) },
				RefuseForGood:   func() { f.refuseNext(29) },
				Fail:            func() { f.refuseNext(1) },
				Break:           func() { f.script(f.breakOff) },
				Babble:          func() { f.script(f.babble) },
				AcceptTwice:     func() { f.script(f.acceptTwice) },
				Hang:            f.hang,
			},
		}
		if signed {
			made.Receipts = &sendertest.Receipts{
				Handler: func(tell func(context.Context, twinlatch.Receipt) error) http.Handler { return s.Receipts(tell) },
				Good:    receipts(signature),
				Forged:  receipts("another secret"),
				Undecided: func(n sendertest.Notice) (all []*http.Request) {
					for _, word := range []string{"accepted", "buffered", "unknown", "new"} {
						all = append(all, forms(signature, fields(n, word, "0", start))...)
					}
					return all
				},
			}
		}
		return made
	}
}
