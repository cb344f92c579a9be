package twilio_test

import (
	"context"
	"encoding/base64"
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
	"unicode/utf8"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/sendertest"
	"github.com/twinlatch/twinlatch/sender/twilio"
)

const (
	account  = "AC0123456789abcdef0123456789abcdef"
	token    = "fedcba9876543210fedcba9876543210"
	from     = "+15005550006"
	service  = "MGfedcba9876543210fedcba9876543210"
	callback = "https://login.example.com/receipts/twilio"
)

// fake is Twilio as the "Messages resource" describes it. It fails the test if
// the request has what that page does not know.
type fake struct {
	t   testing.TB
	url string

	mu    sync.Mutex
	taken []sendertest.Taken
	forms []url.Values
	next  func(w http.ResponseWriter, r *http.Request, form url.Values) // nil: as documented
}

func newFake(t testing.TB) *fake {
	f := &fake{t: t}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		f.t.Errorf("the form cannot be read: %v", err)
	}
	f.mu.Lock()
	next := f.next
	f.next = nil
	f.mu.Unlock()
	if next != nil {
		next(w, r, r.PostForm)
		return
	}
	if code, status, message := f.check(r); code != 0 {
		refuse(w, code, status, message)
		return
	}
	sid := f.take(r.PostForm)
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(resource(sid, r.PostForm, "queued", nil))
}

var (
	known = []string{"To", "From", "MessagingServiceSid", "Body", "StatusCallback", "ValidityPeriod"}
	e164  = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)
)

// check is what Twilio checks, and refuses with the code that is documented.
func (f *fake) check(r *http.Request) (code, status int, message string) {
	user, password, ok := r.BasicAuth()
	form := r.PostForm
	validity, err := strconv.Atoi(form.Get("ValidityPeriod"))
	switch {
	case !ok || user != account || password != token:
		return 20003, 401, "Authenticate"
	case r.Method != http.MethodPost || r.URL.Path != "/2010-04-01/Accounts/"+account+"/Messages.json" || r.URL.RawQuery != "":
		return 20404, 404, "The requested resource " + r.URL.String() + " was not found"
	case r.Header.Get("Content-Type") != "application/x-www-form-urlencoded":
		return 20422, 415, "Unsupported media type"
	case form.Get("To") == "":
		return 21604, 400, "A 'To' phone number is required."
	case !e164.MatchString(form.Get("To")):
		return 21211, 400, "The 'To' number " + form.Get("To") + " is not a valid phone number."
	case (form.Get("From") == "") == (form.Get("MessagingServiceSid") == ""):
		return 21603, 400, "A 'From' phone number is required."
	case form.Get("Body") == "":
		return 21602, 400, "Message body is required."
	case utf8.RuneCountInString(form.Get("Body")) > 1600:
		return 21617, 400, "The concatenated message body exceeds the 1600 character limit: " + form.Get("Body")
	case form.Has("ValidityPeriod") && (err != nil || validity < 1 || validity > 36000):
		return 21624, 400, "Invalid validity period value"
	}
	if at, err := url.Parse(form.Get("StatusCallback")); form.Has("StatusCallback") && (err != nil || at.Host == "" || strings.Contains(at.Host, "_")) {
		return 21609, 400, "The 'StatusCallback' URL is not a valid URL."
	}
	for name, values := range form {
		if !strings.Contains(" "+strings.Join(known, " ")+" ", " "+name+" ") || len(values) != 1 {
			f.t.Errorf("parameter %q = %q", name, values)
		}
	}
	return 0, 0, ""
}

func (f *fake) take(form url.Values) (sid string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sid = fmt.Sprintf("SM%032x", len(f.taken)+1)
	f.taken = append(f.taken, sendertest.Taken{To: form.Get("To"), Body: form.Get("Body"), Ref: sid})
	f.forms = append(f.forms, form)
	return sid
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

// refuseNext quotes, as Twilio does.
func (f *fake) refuseNext(code, status int) {
	f.script(func(w http.ResponseWriter, _ *http.Request, form url.Values) {
		refuse(w, code, status, form.Get("To")+" cannot get "+form.Get("Body")+", see "+token)
	})
}

func refuse(w http.ResponseWriter, code, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"code": code, "message": message, "status": status,
		"more_info": fmt.Sprintf("https://www.twilio.com/docs/errors/%d", code),
	})
}

func resource(sid string, form url.Values, status string, code any) []byte {
	text, err := json.Marshal(map[string]any{
		"sid": sid, "account_sid": account, "api_version": "2010-04-01", "status": status,
		"to": form.Get("To"), "from": form.Get("From"), "messaging_service_sid": nil,
		"body": form.Get("Body"), "num_segments": "1", "num_media": "0", "direction": "outbound-api",
		"error_code": code, "error_message": nil, "price": nil, "price_unit": "USD",
		"date_created": "Wed, 04 Mar 2026 05:06:07 +0000", "date_updated": "Wed, 04 Mar 2026 05:06:07 +0000", "date_sent": nil,
		"uri":              "/2010-04-01/Accounts/" + account + "/Messages/" + sid + ".json",
		"subresource_uris": map[string]string{"media": "/2010-04-01/Accounts/" + account + "/Messages/" + sid + "/Media.json"},
	})
	if err != nil {
		panic(err)
	}
	return text
}

// breakOff promises more than it writes.
func (f *fake) breakOff(w http.ResponseWriter, _ *http.Request, form url.Values) {
	text := resource(f.take(form), form, "queued", nil)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(text[:len(text)/2])
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
	_, _ = fmt.Fprintf(conn, "%s %s %s\r\n\r\n", form.Get("To"), form.Get("Body"), token)
	_ = conn.Close()
}

func (f *fake) hang() <-chan struct{} {
	there := make(chan struct{})
	f.script(func(_ http.ResponseWriter, r *http.Request, _ url.Values) {
		close(there)
		<-r.Context().Done()
	})
	return there
}

// status makes a status callback as "Track the Message Status of Outbound
// Messages" and "Webhooks security" have it.
func status(with string, n sendertest.Notice, status string, more url.Values) *http.Request {
	form := url.Values{
		"AccountSid": {account}, "ApiVersion": {"2010-04-01"}, "From": {from}, "To": {n.To},
		"MessageSid": {n.Ref}, "SmsSid": {n.Ref}, "MessageStatus": {status}, "SmsStatus": {status},
	}
	for name, values := range more {
		form[name] = values
	}
	at := callback + "?message=" + string(n.Message)
	r := httptest.NewRequest(http.MethodPost, at, strings.NewReader(form.Encode()))
	r.Host = "behind-the-proxy:8080"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(twilio.Sign(with, at, form)))
	return r
}

func receipts(with string) func(sendertest.Notice) []*http.Request {
	return func(n sendertest.Notice) []*http.Request {
		if n.Delivery == twinlatch.Delivered {
			return []*http.Request{status(with, n, "delivered", nil)}
		}
		more := url.Values{"ErrorCode": {"30005"}}
		return []*http.Request{status(with, n, "undelivered", more), status(with, n, "failed", more)}
	}
}

func newSender(t testing.TB, f *fake, change func(*twilio.Config)) *twilio.Sender {
	t.Helper()
	c := twilio.Config{
		Account: account, Token: twinlatch.NewSecret(token), From: from, URL: f.url, Callback: callback,
		Client: &http.Client{Transport: &http.Transport{}},
		Clock:  func() time.Time { return start },
	}
	if change != nil {
		change(&c)
	}
	s, err := twilio.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Client.CloseIdleConnections)
	return s
}

func setup(t testing.TB, clock func() time.Time) sendertest.Setup {
	f := newFake(t)
	s := newSender(t, f, func(c *twilio.Config) { c.Clock = clock })
	return sendertest.Setup{
		Sender: s,
		Provider: sendertest.Provider{
			Taken:           f.all,
			RefuseRecipient: func() { f.refuseNext(21211, 400) },
			RefuseForGood:   func() { f.refuseNext(21408, 403) },
			Fail:            func() { f.refuseNext(20429, 429) },
			Break:           func() { f.script(f.breakOff) },
			Babble:          func() { f.script(f.babble) },
			Hang:            f.hang,
		},
		Receipts: &sendertest.Receipts{
			Handler: func(tell func(context.Context, twinlatch.Receipt) error) http.Handler { return s.Receipts(tell) },
			Good:    receipts(token),
			Forged:  receipts("another token"),
			Undecided: func(n sendertest.Notice) (all []*http.Request) {
				for _, word := range []string{"queued", "sending", "sent", "accepted", "scheduled", "read", "canceled", "new"} {
					all = append(all, status(token, n, word, nil))
				}
				return all
			},
		},
	}
}
