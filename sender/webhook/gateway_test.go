package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/sendertest"
	"github.com/twinlatch/twinlatch/sender/webhook"
)

const (
	newSecret   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	oldSecret   = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	otherSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
	pathToken   = "a-token-in-the-path"
)

// gateway is a receiver that does what the package comment asks of one, with the
// library of the Standard Webhooks project.
type gateway struct {
	*httptest.Server
	peer  *standardwebhooks.Webhook
	clock func() time.Time

	mu    sync.Mutex
	taken []sendertest.Taken
	last  sent
	known map[string]string // ID to reference
	next  answer
}

// answer is how the gateway deals with one message; take makes the reference.
type answer func(w http.ResponseWriter, r *http.Request, m sent, take func() string)

// sent is the published form of a message.
type sent struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		ID        string    `json:"id"`
		Channel   string    `json:"channel"`
		To        string    `json:"to"`
		Body      string    `json:"body"`
		Country   string    `json:"country"`
		ExpiresAt time.Time `json:"expires_at"`
	} `json:"data"`
}

func newGateway(t testing.TB, clock func() time.Time, secret string) *gateway {
	t.Helper()
	peer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{peer: peer, clock: clock, known: map[string]string{}}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if fault := g.fault(r, body); fault != "" {
		http.Error(w, fault, http.StatusBadRequest)
		return
	}
	var m sent
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil || m.Type != "message.send" || m.Data.ID != r.Header.Get("webhook-id") {
		http.Error(w, "not a message", http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	next := g.next
	g.next = nil
	g.mu.Unlock()
	take := func() string { return g.take(m) }
	if next != nil {
		next(w, r, m, take)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"ref":%q}`, take())
}

// fault is what is wrong with a request, or "".
func (g *gateway) fault(r *http.Request, body []byte) string {
	seconds, err := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/"+pathToken:
		return "not a POST to the URL"
	case r.Header.Get("Content-Type") != "application/json":
		return "not JSON"
	case err != nil || g.clock().Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute:
		return "of another time"
	}
	// The library knows no clock but that of the machine.
	if err := g.peer.VerifyIgnoringTimestamp(body, r.Header); err != nil {
		return err.Error()
	}
	return ""
}

// take notes a message, once for each ID.
func (g *gateway) take(m sent) (ref string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = m
	if ref, ok := g.known[m.Data.ID]; ok {
		return ref
	}
	ref = "ref-" + strconv.Itoa(len(g.taken)+1)
	g.known[m.Data.ID] = ref
	g.taken = append(g.taken, sendertest.Taken{To: m.Data.To, Body: m.Data.Body, Mark: m.Data.ID, Ref: ref})
	return ref
}

// then makes a the answer to the next message.
func (g *gateway) then(a answer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = a
}

// refuse answers with a status and quotes the message.
func refuse(status int) answer {
	return func(w http.ResponseWriter, _ *http.Request, m sent, _ func() string) {
		http.Error(w, m.Data.To+" "+m.Data.Body, status)
	}
}

// breakOff takes the message and ends the connection in its answer.
func breakOff(w http.ResponseWriter, _ *http.Request, _ sent, take func() string) {
	w.Header().Set("Content-Length", "400")
	fmt.Fprintf(w, `{"ref":%q`, take())
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// babble answers with what is no HTTP.
func babble(w http.ResponseWriter, _ *http.Request, m sent, _ func() string) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	fmt.Fprintf(rw, "%s %s\r\n\r\n", m.Data.To, m.Data.Body)
	_ = rw.Flush()
}

func (g *gateway) hang() <-chan struct{} {
	there := make(chan struct{})
	g.then(func(_ http.ResponseWriter, r *http.Request, _ sent, _ func() string) {
		close(there)
		<-r.Context().Done()
	})
	return there
}

func (g *gateway) provider() sendertest.Provider {
	return sendertest.Provider{
		Taken: func() []sendertest.Taken {
			g.mu.Lock()
			defer g.mu.Unlock()
			return append([]sendertest.Taken(nil), g.taken...)
		},
		RefuseRecipient: func() { g.then(refuse(http.StatusUnprocessableEntity)) },
		RefuseForGood:   func() { g.then(refuse(http.StatusGone)) },
		Fail:            func() { g.then(refuse(http.StatusServiceUnavailable)) },
		Break:           func() { g.then(breakOff) },
		Babble:          func() { g.then(babble) },
		Hang:            g.hang,
		// Over HTTP one request has one answer, so AcceptTwice has no meaning.
	}
}

// sender makes one that posts to g.
func (g *gateway) sender(t testing.TB, secrets ...string) *webhook.Sender {
	t.Helper()
	c := webhook.Config{URL: g.URL + "/" + pathToken, Client: g.Client(), Clock: g.clock}
	for _, s := range secrets {
		c.Secrets = append(c.Secrets, twinlatch.NewSecret(s))
	}
	s, err := webhook.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// receipt is a request as the gateway makes it, signed by the library.
func receipt(t testing.TB, secret string, at time.Time, fields map[string]string) *http.Request {
	t.Helper()
	body, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := peer.Sign("receipt_1", at, body)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/receipts/webhook", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("webhook-id", "receipt_1")
	r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	r.Header.Set("webhook-signature", signature)
	return r
}

// receipts makes one for each form, with each of the deliveries.
func receipts(t testing.TB, secret string, clock func() time.Time, deliveries ...twinlatch.Delivery) func(sendertest.Notice) []*http.Request {
	return func(n sendertest.Notice) (all []*http.Request) {
		for _, d := range append(deliveries, n.Delivery) {
			if d == "" {
				continue
			}
			for _, fields := range []map[string]string{
				{"id": string(n.Message)},
				{"ref": n.Ref},
				{"id": string(n.Message), "ref": n.Ref, "detail": "handset of " + n.To + " said so", "newer": "field"},
			} {
				fields["delivery"] = string(d)
				all = append(all, receipt(t, secret, clock(), fields))
			}
		}
		return all
	}
}

func TestConformance(t *testing.T) {
	sendertest.Run(t, sendertest.Fixture{
		Secrets: []string{newSecret, oldSecret, strings.TrimPrefix(newSecret, "whsec_"), pathToken},
		Marks:   true,
		New: func(t testing.TB, clock func() time.Time) sendertest.Setup {
			g := newGateway(t, clock, newSecret)
			s := g.sender(t, newSecret, oldSecret)
			return sendertest.Setup{Sender: s, Provider: g.provider(), Receipts: &sendertest.Receipts{
				Handler:   s.Receipts,
				Good:      receipts(t, newSecret, clock),
				Forged:    receipts(t, otherSecret, clock),
				Undecided: receipts(t, newSecret, clock, twinlatch.Queued, twinlatch.Sent),
			}}
		},
	})
}
