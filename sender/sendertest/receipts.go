package sendertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/twinlatch/twinlatch"
)

// Receipts are what the vendor tells later, by HTTP. Its requests are as the
// vendor sends them, without headers that it neither signs nor needs: the suite
// changes each value in turn, and each change must be noticed.
type Receipts struct {
	// Handler is the Receipts method of the sender.
	Handler func(tell func(context.Context, twinlatch.Receipt) error) http.Handler

	// Good makes genuine receipts, one for each form that the vendor uses. They
	// name the recipient where the vendor does.
	Good func(Notice) []*http.Request

	// Forged makes the same ones, signed with another secret.
	Forged func(Notice) []*http.Request

	// Undecided makes genuine ones that settle nothing; Notice.Delivery is "".
	Undecided func(Notice) []*http.Request
}

// Notice is what a receipt says.
type Notice struct {
	Message  twinlatch.MessageID
	Ref      string // as of a Send
	To       string // of the message
	Delivery twinlatch.Delivery
}

// ledger is a listener that remembers, and answers with err.
type ledger struct {
	mu   sync.Mutex
	told []twinlatch.Receipt
	err  error
}

func (l *ledger) tell(_ context.Context, r twinlatch.Receipt) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, r)
	return l.err
}

// ask returns the status code of the answer and what was told.
func (l *ledger) ask(h http.Handler, r *http.Request) (int, []twinlatch.Receipt) {
	l.mu.Lock()
	l.told = nil
	l.mu.Unlock()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	l.mu.Lock()
	defer l.mu.Unlock()
	return w.Code, l.told
}

func (s suite) receipts(t *testing.T) {
	b := s.setup(t)
	if b.Receipts == nil {
		return
	}
	m := s.message("one", body)
	notice := Notice{Message: m.ID, Ref: send(t, b.Sender, m), To: s.to(0), Delivery: twinlatch.Delivered}
	failed := notice
	failed.Delivery = twinlatch.Failed
	c := counter{b, notice, failed}
	t.Run("are told", c.areTold)
	t.Run("settle nothing", c.settleNothing)
	t.Run("are answered as the listener says", c.areAnswered)
	t.Run("are not forged", c.areNotForged)
	t.Run("are not altered", c.areNotAltered)
	t.Run("are not mixed", c.areNotMixed)
	t.Run("are no garbage", c.areNoGarbage)
}

// counter is where receipts arrive.
type counter struct {
	Setup
	good, failed Notice
}

func (c counter) areTold(t *testing.T) {
	l := &ledger{}
	h := c.Receipts.Handler(l.tell)
	for _, n := range []Notice{c.good, c.failed} {
		for _, r := range c.Receipts.Good(n) {
			code, told := l.ask(h, r)
			if code < 200 || code > 299 || len(told) != 1 {
				t.Fatalf("%s: answered %d, told %d times", n.Delivery, code, len(told))
			}
			got := told[0]
			known := got.Message == n.Message || got.Message == "" && got.Ref != ""
			if got.Sender != c.Sender.Name() || got.Delivery != n.Delivery || !known || got.Ref != "" && got.Ref != n.Ref {
				t.Errorf("told %+v of %+v", got, n)
			}
			if strings.Contains(got.Detail, strings.TrimPrefix(n.To, "+")) {
				t.Errorf("the detail %q names the recipient", got.Detail)
			}
		}
	}
}

func (c counter) settleNothing(t *testing.T) {
	l := &ledger{}
	h := c.Receipts.Handler(l.tell)
	n := c.good
	n.Delivery = ""
	for _, r := range c.Receipts.Undecided(n) {
		if code, told := l.ask(h, r); code < 200 || code > 299 || len(told) != 0 {
			t.Errorf("answered %d, told %+v, want nothing", code, told)
		}
	}
}

func (c counter) areAnswered(t *testing.T) {
	secret := errors.New("a secret of the listener")
	for err, want := range map[error]int{twinlatch.ErrNotFound: http.StatusNotFound, secret: http.StatusInternalServerError} {
		l := &ledger{err: err}
		for _, r := range c.Receipts.Good(c.good) {
			w := httptest.NewRecorder()
			c.Receipts.Handler(l.tell).ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%v: answered %d, want %d", err, w.Code, want)
			}
			if strings.Contains(w.Body.String(), secret.Error()) {
				t.Errorf("the vendor is told %q", w.Body)
			}
		}
	}
}

// refuses says that r was noticed as not genuine.
func (c counter) refuses(t *testing.T, what string, r *http.Request) {
	t.Helper()
	l := &ledger{}
	code, told := l.ask(c.Receipts.Handler(l.tell), r)
	if code < 400 || code > 499 {
		t.Errorf("%s: answered %d, want a refusal", what, code)
	}
	if len(told) != 0 {
		t.Errorf("%s: told %+v", what, told)
	}
}

func (c counter) areNotForged(t *testing.T) {
	for _, n := range []Notice{c.good, c.failed} {
		for _, r := range c.Receipts.Forged(n) {
			c.refuses(t, "signed with another secret", r)
		}
	}
}

func (c counter) areNotAltered(t *testing.T) {
	for _, r := range c.Receipts.Good(c.good) {
		sent := open(t, r)
		for i, v := range sent.values {
			what := r.Method + " with " + v.place + " " + v.name
			c.refuses(t, what+" changed", sent.with(i, changed(v.value)).request(t))
			c.refuses(t, what+" emptied", sent.with(i, "").request(t))
			c.refuses(t, what+" dropped", sent.without(i).request(t))
			if v.place == "query" || v.place == "form" {
				c.refuses(t, what+" first of two", sent.twice(i, i, changed(v.value)).request(t))
				c.refuses(t, what+" second of two", sent.twice(i, i+1, changed(v.value)).request(t))
			}
		}
	}
}

// areNotMixed is about receipts that are genuine in parts, as when the signature
// of one is put under another.
func (c counter) areNotMixed(t *testing.T) {
	good, failed := c.Receipts.Good(c.good), c.Receipts.Good(c.failed)
	for i, r := range good {
		to := open(t, r)
		from := open(t, failed[i])
		for j, v := range to.values {
			for _, other := range from.values {
				if other.place == v.place && other.name == v.name && other.value != v.value {
					c.refuses(t, r.Method+" with another's "+v.place+" "+v.name, to.with(j, other.value).request(t))
				}
			}
		}
	}
}

func (c counter) areNoGarbage(t *testing.T) {
	for _, r := range c.Receipts.Good(c.good) {
		sent := open(t, r)
		for name, text := range map[string]string{
			"nothing":      "",
			"noise":        "\x00\xff\xfe%zz&;=\n{",
			"no JSON":      `{"a":`,
			"other JSON":   `[[[1]]]`,
			"JSON null":    `null`,
			"deep JSON":    strings.Repeat(`{"a":`, 20_000),
			"a huge text":  strings.Repeat("a", 4<<20),
			"many values":  strings.Repeat("a=b&", 100_000),
			"bad escaping": "a=%zz&b=%",
		} {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
				for _, content := range []string{"", "application/json", "application/x-www-form-urlencoded", "multipart/form-data", "a/b; c"} {
					bad := httptest.NewRequest(method, sent.path, strings.NewReader(text))
					bad.Header.Set("Content-Type", content)
					for _, v := range sent.values {
						if v.place == "header" {
							bad.Header.Set(v.name, v.value)
						}
					}
					c.refuses(t, method+" of "+name+" as "+content, bad)
				}
			}
		}
		for _, query := range []string{"", "%zz", "a=b;c", strings.Repeat("a=b&", 10_000)} {
			bad := sent.request(t)
			bad.URL.RawQuery = query
			if r.URL.RawQuery != "" {
				c.refuses(t, r.Method+" with another query", bad)
			}
		}
	}
}

// changed is another text of the same length.
func changed(s string) string {
	if strings.HasPrefix(s, "0") {
		return "1" + s[1:]
	}
	return "0" + s[min(1, len(s)):]
}

// parts are a request taken apart into what a forger could change. Each value
// stays encoded as it came, in its place.
type parts struct {
	method, path, content string
	raw                   []byte // the body, if it is neither form nor JSON
	values                []value
}

type value struct{ place, name, value string }

func open(t *testing.T, r *http.Request) parts {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	p := parts{method: r.Method, path: r.URL.Path, content: r.Header.Get("Content-Type")}
	for name, values := range r.Header {
		if name != "Content-Type" && name != "Content-Length" {
			p.values = append(p.values, value{"header", name, values[0]})
		}
	}
	p.addPairs("query", r.URL.RawQuery)
	kind, _, _ := mime.ParseMediaType(p.content)
	switch kind {
	case "application/x-www-form-urlencoded":
		p.addPairs("form", string(text))
	case "application/json":
		fields := map[string]any{}
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatalf("the receipt is no JSON: %v", err)
		}
		for name, v := range fields {
			if v, ok := v.(string); ok && v != "" {
				p.values = append(p.values, value{"json", name, v})
			}
		}
	default:
		p.raw = text
	}
	return p
}

// addPairs leaves those without a value out: that they are missing may be no
// difference.
func (p *parts) addPairs(place, text string) {
	for pair := range strings.SplitSeq(text, "&") {
		if name, v, ok := strings.Cut(pair, "="); ok && v != "" {
			p.values = append(p.values, value{place, name, v})
		}
	}
}

func (p parts) with(i int, v string) parts {
	p.values = append([]value(nil), p.values...)
	p.values[i].value = v
	return p
}

func (p parts) without(i int) parts {
	p.values = append(append([]value(nil), p.values[:i]...), p.values[i+1:]...)
	return p
}

// twice has value i and, at place at, another of the same name.
func (p parts) twice(i, at int, v string) parts {
	other := p.values[i]
	other.value = v
	p.values = append(append(append([]value(nil), p.values[:at]...), other), p.values[at:]...)
	return p
}

func (p parts) request(t *testing.T) *http.Request {
	t.Helper()
	header, fields := http.Header{}, map[string]string{}
	var query, form []string
	for _, v := range p.values {
		switch v.place {
		case "header":
			header.Set(v.name, v.value)
		case "query":
			query = append(query, v.name+"="+v.value)
		case "form":
			form = append(form, v.name+"="+v.value)
		case "json":
			fields[v.name] = v.value
		}
	}
	text := p.raw
	switch {
	case len(form) > 0:
		text = []byte(strings.Join(form, "&"))
	case len(fields) > 0:
		var err error
		if text, err = json.Marshal(fields); err != nil {
			t.Fatal(err)
		}
	}
	r := httptest.NewRequest(p.method, p.path, bytes.NewReader(text))
	r.URL.RawQuery = strings.Join(query, "&")
	r.Header = header
	if p.content != "" {
		header.Set("Content-Type", p.content)
	}
	return r
}
