package interop

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/html"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/webauthn"
	"github.com/twinlatch/twinlatch/pages"
	"github.com/twinlatch/twinlatch/twinlatchtest"
	"github.com/twinlatch/twinlatch/twinlatchtest/securitykey"
)

// The site of the tests, and a second address of it.
const (
	rpID      = "example.com"
	origin    = "https://id.example.com"
	otherPort = "https://login.example.com:8443"

	security = "/settings/user/security"
	refused  = http.StatusUnprocessableEntity
)

// site is the pages at https://id.example.com, with security keys and nothing
// else as second step, reached over TLS.
type site struct {
	*twinlatchtest.Env
	server *httptest.Server
	people atomic.Uint32
}

func newSite(t testing.TB, change ...func(*webauthn.Config)) *site {
	t.Helper()
	cfg := webauthn.Config{ID: rpID, Name: "Twinlatch", Origins: []string{origin, otherPort}}
	for _, c := range change {
		c(&cfg)
	}
	keys, err := webauthn.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Env: twinlatchtest.New(t, func(c *twinlatch.Config) { c.Methods = []twinlatch.Method{keys} })}
	door, err := pages.New(pages.Config{Service: s.Service, Address: address, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewTLSServer(door)
	t.Cleanup(s.server.Close)
	return s
}

// person has a browser and an account, and is signed in.
type person struct {
	t      testing.TB
	site   *site
	client *http.Client
	ip     string
	email  string
	at     string // the origin of the pages; empty: origin
}

const password = "four unrelated words here"

// person makes another at each call, at an address of their own: what one does
// wrong takes nothing from the limits of the next.
func (s *site) person(t testing.TB) *person {
	t.Helper()
	n := s.people.Add(1)
	p := &person{t: t, site: s, ip: fmt.Sprintf("198.18.%d.%d", n>>8, n&0xff), email: fmt.Sprintf("ana%d@example.org", n)}
	p.client = p.newClient()
	p.post("/sign-up", "name", "Ana", "email", p.email, "password", password).goes("/sign-in")
	p.signIn().goes(security)
	return p
}

// newClient is a browser that follows no redirect. All names and ports lead to the
// server.
func (p *person) newClient() *http.Client {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	client := *p.site.server.Client()
	transport := client.Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, p.site.server.Listener.Addr().String())
	}
	p.t.Cleanup(transport.CloseIdleConnections)
	client.Transport, client.Jar = transport, jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// elsewhere is the same person at another browser, past the password only.
func (p *person) elsewhere() *person {
	p.t.Helper()
	other := *p
	other.client = p.newClient()
	other.signIn()
	return &other
}

func (p *person) signIn() *page {
	p.t.Helper()
	return p.post("/sign-in", "email", p.email, "password", password)
}

func (p *person) get(path string) *page {
	p.t.Helper()
	return p.send(http.MethodGet, path, "")
}

// post sends a form of our own page; fields are names and values by turns.
func (p *person) post(path string, fields ...string) *page {
	p.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return p.send(http.MethodPost, path, form.Encode())
}

func (p *person) send(method, path, body string) *page {
	p.t.Helper()
	at := cmp.Or(p.at, origin)
	r, err := http.NewRequestWithContext(p.t.Context(), method, at+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-For", p.ip)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", at)
	}
	res, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	doc, err := html.Parse(strings.NewReader(string(text)))
	if err != nil {
		p.t.Fatal(err)
	}
	return &page{t: p.t, request: method + " " + path, status: res.StatusCode, location: res.Header.Get("Location"), doc: doc}
}

// newKey is a key on a key ring, set up by change.
func newKey(change ...func(*securitykey.Key)) *securitykey.Key {
	k := securitykey.New(rand.Reader)
	for _, c := range change {
		c(k)
	}
	return k
}

// question is a form that waits for a key.
type question struct {
	action  string
	hidden  []string // names and values by turns
	options json.RawMessage
}

func (q question) challenge(t testing.TB) string {
	t.Helper()
	var asked struct{ Challenge string }
	if err := json.Unmarshal(q.options, &asked); err != nil {
		t.Fatal(err)
	}
	return asked.Challenge
}

// adds begins to add a key.
func (p *person) adds() question {
	p.t.Helper()
	return p.get(p.post(security + "/add/webauthn").is(http.StatusSeeOther).location).is(http.StatusOK).question("create")
}

// asked is the question of the second step.
func (p *person) asked() question {
	p.t.Helper()
	return p.get("/verify").is(http.StatusOK).question("get")
}

func (p *person) answers(q question, response string) *page {
	p.t.Helper()
	return p.post(q.action, append(q.hidden, "response", response)...)
}

// enroll adds a key.
func (p *person) enroll(k *securitykey.Key) {
	p.t.Helper()
	q := p.adds()
	p.answers(q, made(p.t)(k.Register(origin, q.options))).goes(security)
}

// removesFirst removes the key that was added first.
func (p *person) removesFirst() {
	p.t.Helper()
	p.post(p.get(security).is(http.StatusOK).link("/remove")).goes(security)
}

// verify does the second step with a key.
func (p *person) verify(k *securitykey.Key) {
	p.t.Helper()
	q := p.asked()
	p.answers(q, made(p.t)(k.Sign(origin, q.options))).goes(security)
}

// made is the response of a key that must give one.
func made(t testing.TB) func(response string, err error) string {
	return func(response string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
}

// mustWait fails the test if the second step is done.
func (p *person) mustWait() {
	p.t.Helper()
	if at := p.get(security); at.status != http.StatusSeeOther || !strings.HasPrefix(at.location, "/verify") {
		p.t.Fatalf("Security answers %d %q to somebody who did not verify", at.status, at.location)
	}
}

// mustHaveNoKey fails the test if anything is enrolled: then a new sign-in would
// have a second step.
func (p *person) mustHaveNoKey() {
	p.t.Helper()
	if at := p.elsewhere().get(security); at.status != http.StatusOK {
		p.t.Fatalf("Security answers %d %q: something is enrolled", at.status, at.location)
	}
}

// page is an answer as a person and a browser see it.
type page struct {
	t        testing.TB
	request  string
	status   int
	location string
	doc      *html.Node
}

// is fails the test unless the answer has this status.
func (p *page) is(status int) *page {
	p.t.Helper()
	if p.status != status {
		p.t.Fatalf("%s: status %d %s, want %d: %s", p.request, p.status, p.location, status, p.text())
	}
	return p
}

// goes fails the test unless the answer is 303 to this place.
func (p *page) goes(to string) *page {
	p.t.Helper()
	if p.is(http.StatusSeeOther); p.location != to {
		p.t.Fatalf("%s: goes to %q, want %q", p.request, p.location, to)
	}
	return p
}

// says fails the test unless a text can be read on the page.
func (p *page) says(text string) *page {
	p.t.Helper()
	if !strings.Contains(p.text(), text) {
		p.t.Errorf("%s: %q is not on the page: %s", p.request, text, p.text())
	}
	return p
}

// question is the page's form for a key.
func (p *page) question(ceremony string) question {
	p.t.Helper()
	for form := range p.all("form") {
		if attr(form, "data-webauthn") != ceremony {
			continue
		}
		q := question{action: attr(form, "action"), options: json.RawMessage(attr(form, "data-options"))}
		for n := range form.Descendants() {
			if n.Data == "input" && attr(n, "name") != "response" {
				q.hidden = append(q.hidden, attr(n, "name"), attr(n, "value"))
			}
		}
		return q
	}
	p.t.Fatalf("%s: no form waits for a key: %s", p.request, p.text())
	return question{}
}

// link is the first whose address ends so.
func (p *page) link(suffix string) string {
	p.t.Helper()
	for a := range p.all("a") {
		if to := attr(a, "href"); strings.HasSuffix(to, suffix) {
			return to
		}
	}
	p.t.Fatalf("%s: nothing leads to %s: %s", p.request, suffix, p.text())
	return ""
}

func (p *page) all(element string) iter.Seq[*html.Node] {
	return func(yield func(*html.Node) bool) {
		for n := range p.doc.Descendants() {
			if n.Type == html.ElementNode && n.Data == element && !yield(n) {
				return
			}
		}
	}
}

// text is what can be read on the page, with single spaces.
func (p *page) text() string {
	var text strings.Builder
	for n := range p.doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style" {
			text.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
