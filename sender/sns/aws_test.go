package sns_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/sendertest"
	"github.com/twinlatch/twinlatch/sender/sns"
)

const (
	region    = "eu-west-1"
	accessKey = "AKIAIOSFODNN7EXAMPLE"
	secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	token     = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQW="
)

// fakeAWS is the endpoint of SNS, after the API reference. It refuses what AWS
// would, and quotes the message when it does, as AWS quotes the number.
type fakeAWS struct {
	*httptest.Server
	scope scope
	clock func() time.Time

	mu    sync.Mutex
	taken []sendertest.Taken
	last  url.Values
	next  answer
}

// answer is how AWS deals with one message; take makes the MessageId.
type answer func(w http.ResponseWriter, r *http.Request, form url.Values, take func() string)

func newAWS(t testing.TB, clock func() time.Time) *fakeAWS {
	t.Helper()
	a := &fakeAWS{scope: scope{accessKey, secretKey, token, region, "sns"}, clock: clock}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != "/" || r.URL.RawQuery != "" {
		refuse(http.StatusBadRequest, "InvalidAction", "not a POST to /")(w, r, nil, nil)
		return
	}
	if code, why := a.scope.fault(r, body, a.clock()); code != "" {
		refuse(http.StatusForbidden, code, why)(w, r, nil, nil)
		return
	}
	form, err := url.ParseQuery(string(body))
	if code, why := faultOf(r, form); err != nil || code != "" {
		refuse(http.StatusBadRequest, code, why)(w, r, form, nil)
		return
	}
	a.mu.Lock()
	next := a.next
	a.next, a.last = nil, form
	a.mu.Unlock()
	take := func() string { return a.take(form) }
	if next != nil {
		next(w, r, form, take)
		return
	}
	succeed(w, r, form, take)
}

var numbers = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// faultOf looks at the parameters of Publish, whatever their order.
func faultOf(r *http.Request, form url.Values) (code, why string) {
	switch media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); {
	case media != "application/x-www-form-urlencoded":
		return "MalformedQueryString", "not a form"
	case form.Get("Action") != "Publish" || form.Get("Version") != "2010-03-31":
		return "InvalidAction", "not Publish of 2010-03-31"
	case form.Get("Message") == "" || len([]rune(form.Get("Message"))) > 1600:
		return "InvalidParameter", "Invalid parameter: Message"
	case !numbers.MatchString(form.Get("PhoneNumber")):
		return "InvalidParameter", "Invalid parameter: PhoneNumber Reason: " + form.Get("PhoneNumber") + " is not valid to publish to"
	}
	for name, values := range form {
		if len(values) != 1 {
			return "InvalidParameter", "Invalid parameter: " + name
		}
	}
	return "", ""
}

func succeed(w http.ResponseWriter, _ *http.Request, _ url.Values, take func() string) {
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(w, `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
  <PublishResult>
    <MessageId>%s</MessageId>
  </PublishResult>
  <ResponseMetadata>
    <RequestId>d74b8436-ae13-5ab4-a9ff-ce54dfea72a0</RequestId>
  </ResponseMetadata>
</PublishResponse>`, take())
}

// take notes a message each time that it comes: SNS knows none again.
func (a *fakeAWS) take(form url.Values) (id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id = fmt.Sprintf("567910cd-659e-55d4-8ccb-%012d", len(a.taken)+1)
	a.taken = append(a.taken, sendertest.Taken{To: form.Get("PhoneNumber"), Body: form.Get("Message"), Ref: id})
	return id
}

// then makes next the answer to the next message.
func (a *fakeAWS) then(next answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next = next
}

// refuse answers with an error of the Query API.
func refuse(status int, code, message string) answer {
	return func(w http.ResponseWriter, _ *http.Request, form url.Values, _ func() string) {
		var text bytes.Buffer
		_ = xml.EscapeText(&text, []byte(message+" "+form.Get("PhoneNumber")+" "+form.Get("Message")))
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
  <Error>
    <Type>Sender</Type>
    <Code>%s</Code>
    <Message>%s</Message>
  </Error>
  <RequestId>9dd01905-5012-5f99-8663-4b3ecd0dfaef</RequestId>
</ErrorResponse>`, code, &text)
	}
}

// breakOff takes the message and ends the connection in its answer.
func breakOff(w http.ResponseWriter, _ *http.Request, _ url.Values, take func() string) {
	w.Header().Set("Content-Length", "400")
	fmt.Fprintf(w, "<PublishResponse><PublishResult><MessageId>%s</MessageId></PublishResult>", take())
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// answers says text, quoting the message.
func answers(status int, text string) answer {
	return func(w http.ResponseWriter, _ *http.Request, form url.Values, _ func() string) {
		w.WriteHeader(status)
		fmt.Fprint(w, strings.NewReplacer("{to}", form.Get("PhoneNumber"), "{body}", form.Get("Message")).Replace(text))
	}
}

// babble answers with what is no HTTP.
func babble(w http.ResponseWriter, _ *http.Request, form url.Values, _ func() string) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	fmt.Fprintf(rw, "%s %s\r\n\r\n", form.Get("PhoneNumber"), form.Get("Message"))
	_ = rw.Flush()
}

func (a *fakeAWS) hang() <-chan struct{} {
	there := make(chan struct{})
	a.then(func(_ http.ResponseWriter, r *http.Request, _ url.Values, _ func() string) {
		close(there)
		<-r.Context().Done()
	})
	return there
}

func (a *fakeAWS) provider() sendertest.Provider {
	return sendertest.Provider{
		Taken: func() []sendertest.Taken {
			a.mu.Lock()
			defer a.mu.Unlock()
			return append([]sendertest.Taken(nil), a.taken...)
		},
		RefuseRecipient: func() { a.then(refuse(400, "InvalidParameter", "Invalid parameter: PhoneNumber Reason: ")) },
		RefuseForGood:   func() { a.then(refuse(400, "EndpointDisabled", "Endpoint is disabled")) },
		Fail:            func() { a.then(refuse(429, "Throttled", "Rate exceeded")) },
		Break:           func() { a.then(breakOff) },
		Babble:          func() { a.then(answers(200, "<html>{to} {body}")) },
		Hang:            a.hang,
		// Over HTTP one request has one answer, so AcceptTwice has no meaning.
	}
}

// settings are good ones for a.
func (a *fakeAWS) settings() sns.Config {
	return sns.Config{
		Region:       region,
		AccessKey:    accessKey,
		SecretKey:    twinlatch.NewSecret(secretKey),
		SessionToken: twinlatch.NewSecret(token),
		URL:          a.URL,
		Client:       a.Client(),
		Clock:        a.clock,
	}
}

func newSender(t testing.TB, c sns.Config) *sns.Sender {
	t.Helper()
	s, err := sns.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// attributes are the MessageAttributes of a form: kind and value by name.
func attributes(form url.Values) map[string]string {
	all := map[string]string{}
	for i := 1; form.Has(fmt.Sprintf("MessageAttributes.entry.%d.Name", i)); i++ {
		entry := fmt.Sprintf("MessageAttributes.entry.%d.", i)
		all[form.Get(entry+"Name")] = form.Get(entry+"Value.DataType") + " " + form.Get(entry+"Value.StringValue")
	}
	return all
}

func TestConformance(t *testing.T) {
	sendertest.Run(t, sendertest.Fixture{
		Secrets: []string{secretKey, token},
		New: func(t testing.TB, clock func() time.Time) sendertest.Setup {
			a := newAWS(t, clock)
			return sendertest.Setup{Sender: newSender(t, a.settings()), Provider: a.provider()}
		},
	})
}
