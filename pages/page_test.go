package pages

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"
)

// page is an answer as a person and a browser see it.
type page struct {
	t        testing.TB
	request  string // "POST /verify"
	method   string
	path     string
	status   int
	location string
	header   http.Header
	cookies  []*http.Cookie
	body     string
	doc      *html.Node // nil unless it is HTML
}

func readPage(t testing.TB, r *http.Request, res *http.Response) *page {
	t.Helper()
	p := &page{
		t: t, request: r.Method + " " + r.URL.RequestURI(), method: r.Method, path: r.URL.Path, status: res.StatusCode,
		location: res.Header.Get("Location"), header: res.Header, cookies: res.Cookies(), body: unpacked(t, res),
	}
	if strings.HasPrefix(p.header.Get("Content-Type"), "text/html") && p.status != http.StatusSeeOther && r.Method != http.MethodHead {
		var err error
		if p.doc, err = html.Parse(strings.NewReader(p.body)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// is fails the test unless the answer has this status.
func (p *page) is(status int) *page {
	p.t.Helper()
	if p.status != status {
		p.t.Fatalf("%s: status %d %s, want %d: %s", p.request, p.status, p.location, status, p.text("main"))
	}
	return p
}

// goes fails the test unless the answer is 303 to exactly this place.
func (p *page) goes(to string) *page {
	p.t.Helper()
	if p.status != http.StatusSeeOther || p.location != to {
		p.t.Fatalf("%s: status %d %q, want 303 %q: %s", p.request, p.status, p.location, to, p.text("main"))
	}
	return p
}

// says fails the test unless all texts can be read on the page.
func (p *page) says(texts ...string) *page {
	p.t.Helper()
	shown := p.text("body")
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			p.t.Errorf("%s: %q is not on the page: %s", p.request, text, shown)
		}
	}
	return p
}

// hides fails the test if one of the texts can be read on the page.
func (p *page) hides(texts ...string) *page {
	p.t.Helper()
	for _, text := range texts {
		if strings.Contains(p.text("body"), text) {
			p.t.Errorf("%s: %q is on the page", p.request, text)
		}
	}
	return p
}

// titled fails the test unless the page has this title, without the product's
// name.
func (p *page) titled(title string) *page {
	p.t.Helper()
	if got := strings.TrimSuffix(p.text("title"), " – Twinlatch"); got != title {
		p.t.Errorf("%s: title %q, want %q", p.request, got, title)
	}
	return p
}

// refuses fails the test unless the page answers a failed post: 422, the title
// says so, and the message stands beside the field, which has the focus.
func (p *page) refuses(field, message string) *page {
	p.t.Helper()
	p.is(http.StatusUnprocessableEntity).complains(field, message)
	if title := p.text("title"); !strings.HasPrefix(title, "Error: ") {
		p.t.Errorf("%s: title %q", p.request, title)
	}
	return p
}

// complains fails the test unless message stands beside the field.
func (p *page) complains(field, message string) *page {
	p.t.Helper()
	box := p.input(field)
	err := p.byID(attr(box, "id") + "-err")
	switch {
	case err == nil || textOf(err) != message:
		p.t.Errorf("%s: beside %s stands %q, want %q", p.request, field, textOf(err), message)
	case attr(err, "role") != "alert":
		p.t.Errorf("%s: the message is no alert", p.request)
	case attr(box, "aria-invalid") != "true":
		p.t.Errorf("%s: %s is not marked as invalid", p.request, field)
	case !slices.Contains(strings.Fields(attr(box, "aria-describedby")), attr(err, "id")):
		p.t.Errorf("%s: %s is not described by its message", p.request, field)
	}
	return p
}

// notes fails the test unless the page has this message above its form.
func (p *page) notes(message string) *page {
	p.t.Helper()
	if note := p.byID("form-err"); textOf(note) != message || attr(note, "role") != "alert" {
		p.t.Errorf("%s: noted %q, want %q", p.request, textOf(note), message)
	}
	return p
}

// keeps fails the test unless the field still has the value, as far as HTML can
// hold it.
func (p *page) keeps(field, value string) *page {
	p.t.Helper()
	value = strings.NewReplacer("\r\n", "\n", "\x00", "\ufffd").Replace(value)
	if got := attr(p.input(field), "value"); got != value {
		p.t.Errorf("%s: %s is %q, want %q", p.request, field, got, value)
	}
	return p
}

// focuses fails the test unless the field has the focus.
func (p *page) focuses(field string) *page {
	p.t.Helper()
	if !has(p.input(field), "autofocus") {
		p.t.Errorf("%s: %s has no focus", p.request, field)
	}
	return p
}

// input finds a box by its name. The hidden ones are for password managers.
func (p *page) input(name string) *html.Node {
	p.t.Helper()
	for n := range p.all("input") {
		if attr(n, "name") == name && attr(n, "aria-hidden") != "true" {
			return n
		}
	}
	p.t.Fatalf("%s: no input %q: %s", p.request, name, p.text("main"))
	return nil
}

// forms are the addresses that the page posts to.
func (p *page) forms() []string {
	var actions []string
	for n := range p.all("form") {
		actions = append(actions, attr(n, "action"))
	}
	return actions
}

// links are the addresses that the page links to.
func (p *page) links() []string {
	var to []string
	for n := range p.all("a") {
		to = append(to, attr(n, "href"))
	}
	return to
}

// offers fails the test unless the page links or posts to all these addresses.
func (p *page) offers(addresses ...string) *page {
	p.t.Helper()
	for _, address := range addresses {
		same := func(to string) bool { return to == address || strings.ReplaceAll(to, "%2f", "%2F") == address }
		if !slices.ContainsFunc(p.links(), same) && !slices.ContainsFunc(p.forms(), same) {
			p.t.Errorf("%s: no way to %s in %q, %q", p.request, address, p.links(), p.forms())
		}
	}
	return p
}

// link finds an address that begins so, of a link or a form.
func (p *page) link(prefix string) string {
	p.t.Helper()
	for _, to := range slices.Concat(p.links(), p.forms()) {
		if strings.HasPrefix(to, prefix) {
			return to
		}
	}
	p.t.Fatalf("%s: nothing leads to %s: %q %q", p.request, prefix, p.links(), p.forms())
	return ""
}

// find gives the first group of a pattern in the body.
func (p *page) find(pattern string) string {
	p.t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(p.body)
	if m == nil {
		p.t.Fatalf("%s: no %s", p.request, pattern)
	}
	return html.UnescapeString(m[1])
}

func (p *page) all(element string) func(yield func(*html.Node) bool) {
	return func(yield func(*html.Node) bool) {
		if p.doc == nil {
			return
		}
		for n := range p.doc.Descendants() {
			if n.Type == html.ElementNode && n.Data == element && !yield(n) {
				return
			}
		}
	}
}

func (p *page) byID(id string) *html.Node {
	if p.doc != nil {
		for n := range p.doc.Descendants() {
			if n.Type == html.ElementNode && attr(n, "id") == id {
				return n
			}
		}
	}
	return nil
}

// text is what stands in the first element of a kind.
func (p *page) text(element string) string {
	for n := range p.all(element) {
		return textOf(n)
	}
	return ""
}

// textOf is the text in an element, with single spaces.
func textOf(n *html.Node) string {
	if n == nil {
		return ""
	}
	var text strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			text.WriteString(d.Data)
		}
		if d.Type == html.ElementNode && slices.Contains([]string{"p", "div", "li", "h1", "h2", "h3", "dt", "dd", "label", "a", "button"}, d.Data) {
			text.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

func attr(n *html.Node, name string) string {
	if n != nil {
		for _, a := range n.Attr {
			if a.Key == name {
				return a.Val
			}
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return n != nil && slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// lockedBuffer is a text for several goroutines.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// drawing is the picture on a page that says what it shows.
func drawing(p *page) *html.Node {
	for n := range p.all("svg") {
		if attr(n, "role") == "img" {
			return n
		}
	}
	return nil
}
