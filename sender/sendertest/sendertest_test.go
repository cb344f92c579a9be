package sendertest_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/sendertest"
)

const secret = "key of the post office"

// TestSoundSender shows that the suite is content with a sound sender, and how
// little a fixture is.
func TestSoundSender(t *testing.T) {
	sendertest.Run(t, fixture(""))
}

// TestPoorProvider shows that a provider need not be able to do everything.
func TestPoorProvider(t *testing.T) {
	f := fixture("")
	rich := f.New
	f.Marks = false
	f.New = func(t testing.TB, clock func() time.Time) sendertest.Setup {
		s := rich(t, clock)
		return sendertest.Setup{Sender: s.Sender, Provider: sendertest.Provider{Taken: s.Provider.Taken}}
	}
	sendertest.Run(t, f)
}

// TestFlawedSenders runs the suite on flawed senders, each in a process of its
// own, because a failing subtest fails its parents.
func TestFlawedSenders(t *testing.T) {
	const variable = "SENDERTEST_FLAW"
	if flaw := os.Getenv(variable); flaw != "" {
		sendertest.Run(t, fixture(flaw))
		return
	}
	for flaw, by := range map[string]string{
		"no name":                   "has_a_name",
		"capital name":              "has_a_name",
		"name changes":              "has_a_name",
		"trims":                     "hands_over_once,_unchanged",
		"cuts":                      "hands_over_once,_unchanged",
		"normalizes line ends":      "hands_over_once,_unchanged",
		"sends twice":               "hands_over_once,_unchanged",
		"other reference":           "hands_over_once,_unchanged",
		"no mark":                   "marks_what_it_repeats",
		"new mark each time":        "marks_what_it_repeats",
		"same mark for all":         "marks_what_it_repeats",
		"bad recipient is no route": "tells_refusals_apart/bad_recipient",
		"no route is bad recipient": "tells_refusals_apart/no_route",
		"not now is no route":       "tells_refusals_apart/not_now",
		"refusal is success":        "tells_refusals_apart",
		"tries again by itself":     "tells_refusals_apart/not_now",
		"error quotes":              "tells_refusals_apart",
		"error quotes encoded":      "tells_refusals_apart",
		"wrapped error quotes":      "tells_refusals_apart",
		"error holds the secret":    "tells_refusals_apart",
		"broken answer is success":  "recovers",
		"never recovers":            "recovers",
		"takes the second answer":   "takes_no_answer_for_another",
		"sends without a caller":    "gives_up_with_its_caller/before",
		"silent when given up":      "gives_up_with_its_caller/while_it_waits",
		"given up is no route":      "gives_up_with_its_caller/while_it_waits",
		"does not wait":             "gives_up_with_its_caller/while_it_waits",
		"carries anything":          "refuses_other_channels",
		"says it carries anything":  "refuses_other_channels",
		"says it carries nothing":   "refuses_other_channels",
		"other channel is not now":  "refuses_other_channels",
		"sends late":                "sends_nothing_late",
		"late is no route":          "sends_nothing_late",
		"never in the last second":  "sends_nothing_late",
		"one reference for all":     "is_safe_for_concurrent_use",
		"tells twice":               "receipts/are_told",
		"tells nothing":             "receipts/are_told",
		"mixes up deliveries":       "receipts/are_told",
		"tells no sender":           "receipts/are_told",
		"tells another message":     "receipts/are_told",
		"detail names recipient":    "receipts/are_told",
		"tells the undecided":       "receipts/settle_nothing",
		"refuses the undecided":     "receipts/settle_nothing",
		"not found is 500":          "receipts/are_answered_as_the_listener_says",
		"trouble is 204":            "receipts/are_answered_as_the_listener_says",
		"answers with the trouble":  "receipts/are_answered_as_the_listener_says",
		"believes everybody":        "receipts/are_not_forged",
		"forged is 204":             "receipts/are_not_forged",
		"forged is 500":             "receipts/are_not_forged",
		"state is not signed":       "receipts/are_not_altered",
		"query is not signed":       "receipts/are_not_altered",
		"first value counts":        "receipts/are_not_altered",
		"signs only the state":      "receipts/are_not_altered",
		"signs only the message":    "receipts/are_not_mixed",
		"garbage is 500":            "receipts/are_no_garbage",
	} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFlawedSenders$")
			cmd.Env = append(os.Environ(), variable+"="+flaw)
			out, err := cmd.CombinedOutput()
			if exit := new(exec.ExitError); !errors.As(err, &exit) {
				t.Fatalf("the suite passes it: %v", err)
			}
			if !strings.Contains(string(out), "--- FAIL: TestFlawedSenders/"+by) {
				t.Errorf("%q did not fail:\n%.4000s", by, out)
			}
		})
	}
}

// office is a provider in memory. Its next answer is a word.
type office struct {
	mu    sync.Mutex
	taken []sendertest.Taken
	next  string
	there chan struct{}
}

// answer is what the office says of a letter; two of them if it says so twice.
type answer struct{ ref, refusal string }

func (o *office) script(next string) func() {
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.next = next
	}
}

func (o *office) hang() <-chan struct{} {
	o.script("hang")()
	o.there = make(chan struct{})
	return o.there
}

func (o *office) all() []sendertest.Taken {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]sendertest.Taken(nil), o.taken...)
}

func (o *office) ask(ctx context.Context, to, body, mark string) []answer {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := o.next
	o.next = ""
	switch next {
	case "hang":
		close(o.there)
		<-ctx.Done()
		return nil
	case "", "twice":
		ref := fmt.Sprint("letter ", len(o.taken)+1)
		o.taken = append(o.taken, sendertest.Taken{To: to, Body: body, Mark: mark, Ref: ref})
		if next == "twice" {
			return []answer{{ref: ref}, {ref: ref}}
		}
		return []answer{{ref: ref}}
	}
	return []answer{{refusal: next}}
}

// post is a sender of the office.
type post struct {
	flaw   string
	office *office
	clock  func() time.Time

	mu    sync.Mutex
	calls int
	first string
	left  []answer // to read
	stuck bool
}

func fixture(flaw string) sendertest.Fixture {
	return sendertest.Fixture{
		Marks:   true,
		Secrets: []string{secret},
		New: func(_ testing.TB, clock func() time.Time) sendertest.Setup {
			o := &office{}
			p := &post{flaw: flaw, office: o, clock: clock}
			return sendertest.Setup{
				Sender: p,
				Provider: sendertest.Provider{
					Taken:           o.all,
					RefuseRecipient: o.script("unknown"),
					RefuseForGood:   o.script("never"),
					Fail:            o.script("later"),
					Break:           o.script("broken"),
					Babble:          o.script("babble"),
					AcceptTwice:     o.script("twice"),
					Hang:            o.hang,
				},
				Receipts: &sendertest.Receipts{
					Handler:   p.receipts,
					Good:      p.notices(secret, ""),
					Forged:    p.notices("another key", ""),
					Undecided: p.notices(secret, "on its way"),
				},
			}
		},
	}
}

func (p *post) has(flaw string) bool { return p.flaw == flaw }

func (p *post) Name() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	switch {
	case p.has("no name"):
		return ""
	case p.has("capital name"):
		return "Post"
	case p.has("name changes"):
		return fmt.Sprintf("post%d", p.calls)
	}
	return "post"
}

func (p *post) Carries(by twinlatch.Channel) bool {
	switch {
	case p.has("says it carries nothing"):
		return false
	case p.has("says it carries anything"):
		return true
	}
	return by == twinlatch.Text
}

func (p *post) Send(ctx context.Context, m twinlatch.Message) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	left := m.ExpiresAt.Sub(p.clock())
	switch {
	case m.Channel != twinlatch.Text && p.has("other channel is not now"):
		return "", errors.New("post: not by this way")
	case m.Channel != twinlatch.Text && !p.has("carries anything"):
		return "", fmt.Errorf("post: %w", twinlatch.ErrNoRoute)
	case ctx.Err() != nil && !p.has("sends without a caller"):
		return "", ctx.Err()
	case left <= 0 && p.has("late is no route"):
		return "", fmt.Errorf("post: %w", twinlatch.ErrNoRoute)
	case left <= 0 && !p.has("sends late"), left <= time.Second && p.has("never in the last second"):
		return "", errors.New("post: too late")
	case p.stuck:
		return "", errors.New("post: out of order")
	}
	body, mark := m.Body.Reveal(), string(m.ID)
	switch p.flaw {
	case "trims":
		body = strings.TrimSpace(body)
	case "cuts":
		body = body[:min(160, len(body))]
	case "normalizes line ends":
		body = strings.ReplaceAll(body, "\r\n", "\n")
	case "no mark":
		mark = ""
	case "new mark each time":
		mark += fmt.Sprint(p.calls)
	case "same mark for all":
		mark = "x"
	case "sends twice":
		p.office.ask(ctx, m.To.Reveal(), body, mark)
	case "does not wait":
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		p.office.ask(ctx, "", "", "")
	}
	p.left = append(p.left, p.office.ask(ctx, m.To.Reveal(), body, mark)...)
	if len(p.left) == 0 {
		return p.giveUp(ctx)
	}
	a := p.left[0]
	p.left = p.left[1:]
	if !p.has("takes the second answer") {
		p.left = nil
	}
	if a.refusal == "later" && p.has("tries again by itself") {
		a = p.office.ask(ctx, m.To.Reveal(), body, mark)[0]
	}
	if a.refusal != "" {
		return p.refused(a.refusal, m)
	}
	if p.first == "" {
		p.first = a.ref
	}
	switch p.flaw {
	case "other reference":
		return a.ref + "!", nil
	case "one reference for all":
		return p.first, nil
	}
	return a.ref, nil
}

func (p *post) giveUp(ctx context.Context) (string, error) {
	switch p.flaw {
	case "silent when given up":
		return "", nil
	case "given up is no route":
		return "", twinlatch.ErrNoRoute
	}
	return "", fmt.Errorf("post: no answer: %w", ctx.Err())
}

func (p *post) refused(why string, m twinlatch.Message) (string, error) {
	class := map[string]error{"unknown": twinlatch.ErrBadRecipient, "never": twinlatch.ErrNoRoute}[why]
	switch {
	case why == "unknown" && p.has("bad recipient is no route"), why == "later" && p.has("not now is no route"):
		class = twinlatch.ErrNoRoute
	case why == "never" && p.has("no route is bad recipient"):
		class = twinlatch.ErrBadRecipient
	case p.has("refusal is success"), why == "broken" && p.has("broken answer is success"):
		return "", nil
	case why == "babble":
		p.stuck = p.has("never recovers")
	}
	if class == nil {
		class = errors.New("later")
	}
	switch p.flaw {
	case "error quotes":
		return "", fmt.Errorf("post: %s: %w", m.To.Reveal(), class)
	case "error quotes encoded":
		return "", fmt.Errorf("post: %q: %w", m.Body.Reveal(), class)
	case "wrapped error quotes":
		return "", quiet{fmt.Errorf("%s: %w", m.To.Reveal(), class)}
	case "error holds the secret":
		return "", &url.Error{Op: "Post", URL: "https://" + secret, Err: class}
	}
	return "", fmt.Errorf("post: %w", class)
}

// quiet hides the text of what it wraps.
type quiet struct{ error }

func (quiet) Error() string   { return "refused" }
func (q quiet) Unwrap() error { return q.error }

// mac signs query and body with key, or what the flaw leaves of them.
func (p *post) mac(key, query, body string) string {
	form, err := url.ParseQuery(body)
	switch {
	case err != nil:
	case p.has("state is not signed"):
		form.Del("state")
		body = form.Encode()
	case p.has("signs only the state"):
		query, body = "", form.Get("state")
	case p.has("first value counts"):
		body = form.Get("message") + form.Get("state") + form.Get("to")
	case p.has("signs only the message"):
		form.Del("state")
		query, body = "", form.Encode()
	}
	if p.has("query is not signed") {
		query = ""
	}
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(query + "\n" + body))
	return hex.EncodeToString(h.Sum(nil))
}

func (p *post) notices(key, state string) func(sendertest.Notice) []*http.Request {
	return func(n sendertest.Notice) []*http.Request {
		word := state
		if word == "" {
			word = string(n.Delivery)
		}
		body := url.Values{"message": {string(n.Message)}, "state": {word}, "to": {n.To}}.Encode()
		r := httptest.NewRequest(http.MethodPost, "/receipts?ref="+url.QueryEscape(n.Ref), strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Signature", p.mac(key, r.URL.RawQuery, body))
		return []*http.Request{r}
	}
}

func (p *post) receipts(tell func(context.Context, twinlatch.Receipt) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		form, formErr := url.ParseQuery(string(text))
		if (err != nil || formErr != nil) && p.has("garbage is 500") {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		genuine := err == nil && formErr == nil && r.Method == http.MethodPost &&
			hmac.Equal([]byte(r.Header.Get("Signature")), []byte(p.mac(secret, r.URL.RawQuery, string(text))))
		if !genuine && !p.has("believes everybody") {
			w.WriteHeader(map[string]int{"forged is 204": 204, "forged is 500": 500, "": 403}[p.only("forged is 204", "forged is 500")])
			return
		}
		p.settle(w, r, tell, form)
	})
}

// only is the flaw if it is one of those, else "".
func (p *post) only(flaws ...string) string {
	for _, flaw := range flaws {
		if p.has(flaw) {
			return flaw
		}
	}
	return ""
}

func (p *post) settle(w http.ResponseWriter, r *http.Request, tell func(context.Context, twinlatch.Receipt) error, form url.Values) {
	told := twinlatch.Receipt{
		Sender: "post", Message: twinlatch.MessageID(form.Get("message")), Ref: r.URL.Query().Get("ref"),
		Delivery: twinlatch.Delivery(form.Get("state")), Detail: "7",
	}
	decided := told.Delivery == twinlatch.Delivered || told.Delivery == twinlatch.Failed
	switch {
	case !decided && p.has("refuses the undecided"):
		w.WriteHeader(http.StatusBadRequest)
		return
	case !decided && !p.has("tells the undecided"), p.has("tells nothing"):
		w.WriteHeader(http.StatusNoContent)
		return
	}
	switch p.flaw {
	case "tells twice":
		_ = tell(r.Context(), told)
	case "mixes up deliveries":
		told.Delivery = twinlatch.Delivered
	case "tells no sender":
		told.Sender = ""
	case "tells another message":
		told.Message = "another"
	case "detail names recipient":
		told.Detail = "unknown: " + form.Get("to")
	}
	err := tell(r.Context(), told)
	switch {
	case err == nil, p.has("trouble is 204"):
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, twinlatch.ErrNotFound) && !p.has("not found is 500"):
		w.WriteHeader(http.StatusNotFound)
	case p.has("answers with the trouble"):
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		w.WriteHeader(http.StatusInternalServerError)
	}
}
