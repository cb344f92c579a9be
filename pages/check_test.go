package pages

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/twinlatch/twinlatch/web"
)

// What holds for every answer and every page. Each browser of these tests
// checks it of all that it sees, so a page that nobody thought of here is
// checked as well as long as one test opens it.

// checkAnswer is about the headers of pages, redirects, files and errors alike.
func checkAnswer(p *page, https bool) {
	p.t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "same-origin",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
	} {
		if got := p.header.Values(name); len(got) != 1 || got[0] != want {
			p.t.Errorf("%s: %s is %q, want %q", p.request, name, got, want)
		}
	}
	checkPolicy(p)
	hsts := ""
	if https {
		hsts = "max-age=63072000"
	}
	if got := p.header.Get("Strict-Transport-Security"); got != hsts {
		p.t.Errorf("%s: Strict-Transport-Security is %q, want %q", p.request, got, hsts)
	}
	caching := "no-store"
	if strings.HasPrefix(p.path, "/static/") && p.status == http.StatusOK {
		caching = "public, max-age=31536000, immutable"
	}
	if got := p.header.Values("Cache-Control"); len(got) != 1 || got[0] != caching {
		p.t.Errorf("%s: Cache-Control is %q, want %q", p.request, got, caching)
	}
	if (p.location != "") != (p.status == http.StatusSeeOther) {
		p.t.Errorf("%s: status %d goes to %q", p.request, p.status, p.location)
	}
	if p.location != "" && !isOurs(p.location) && !isOnward(p, p.location) {
		p.t.Errorf("%s: sends the browser to %q", p.request, p.location)
	}
	if p.body != "" && p.header.Get("Content-Type") == "" {
		p.t.Errorf("%s: no Content-Type", p.request)
	}
	checkCookie(p, https)
}

// checkPolicy reads the content security policy as a browser does: what it does
// not name is not allowed.
func checkPolicy(p *page) {
	p.t.Helper()
	policy := map[string]string{}
	for _, directive := range strings.Split(p.header.Get("Content-Security-Policy"), ";") {
		name, sources, _ := strings.Cut(strings.TrimSpace(directive), " ")
		if _, twice := policy[name]; twice {
			p.t.Errorf("%s: two %s in the policy", p.request, name)
		}
		policy[name] = sources
	}
	for name, want := range map[string]string{
		"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' data:", "connect-src": "'self'",
		"form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
	} {
		if policy[name] != want {
			p.t.Errorf("%s: policy %s %q, want %q", p.request, name, policy[name], want)
		}
		delete(policy, name)
	}
	for name, sources := range policy {
		p.t.Errorf("%s: policy %s %q is new: is it safe?", p.request, name, sources)
	}
}

// checkCookie is about Set-Cookie: at most one of a session or a language, each small one at most
// once, and no attribute that it does not need.
func checkCookie(p *page, https bool) {
	p.t.Helper()
	seen := map[string]bool{}
	lines := slices.DeleteFunc(slices.Clone(p.header.Values("Set-Cookie")), func(line string) bool {
		name, small := checkSmallCookie(p, https, line)
		if small && seen[name] {
			p.t.Errorf("%s: %s is set twice", p.request, name)
		}
		seen[name] = true
		return small
	})
	if len(lines) == 0 {
		return
	}
	if len(lines) > 1 {
		p.t.Fatalf("%s: %d cookies: %q", p.request, len(lines), lines)
	}
	if p.path == "/language" || p.path == profilePath {
		checkLanguageCookie(p, https, lines[0])
		return
	}
	form := `^twinlatch=(|[a-z2-7]{26}\.[a-z2-7]{26}\.[A-Za-z0-9_-]{43}); Path=/; Max-Age=(0|7776000); HttpOnly; SameSite=Lax$`
	if https {
		form = `^__Host-twinlatch=(|[a-z2-7]{26}\.[a-z2-7]{26}\.[A-Za-z0-9_-]{43}); Path=/; Max-Age=(0|7776000); HttpOnly; Secure; SameSite=Lax$`
	}
	m := regexp.MustCompile(form).FindStringSubmatch(lines[0])
	if m == nil || (m[1] == "") != (m[2] == "0") {
		p.t.Errorf("%s: cookie %q", p.request, lines[0])
	}
	if cleared := m != nil && m[1] == ""; cleared && p.path != "/sign-out" {
		p.t.Errorf("%s clears the cookie", p.request)
	}
}

func checkLanguageCookie(p *page, https bool, line string) {
	p.t.Helper()
	form := `^lang=([A-Za-z-]+; Path=/; Max-Age=31536000|; Path=/; Max-Age=0); HttpOnly; SameSite=Lax$`
	if https {
		form = `^lang=([A-Za-z-]+; Path=/; Max-Age=31536000|; Path=/; Max-Age=0); HttpOnly; Secure; SameSite=Lax$`
	}
	if !regexp.MustCompile(form).MatchString(line) {
		p.t.Errorf("%s: cookie %q", p.request, line)
	}
}

// smallCookies are what pages keep in a browser for later ones: which requests bring them, for
// how long and with what, and which take them away.
var smallCookies = map[string]struct{ brings, with, takes string }{
	"mailed": {`^POST /sign-up`, `[A-Za-z0-9_-]+; Path=/; Max-Age=300`, `^GET /sign-in`},
	"claim":  {`^POST /sign-up`, `[A-Za-z0-9_-]{43}; Path=/; Max-Age=86400`, `^never$`},
	"wanted": {`^POST /(sign-up|forgot)\?return_to=|^GET /auth/handover\?`, `[A-Za-z0-9_-]+; Path=/; Max-Age=(3600|86400)`, `^POST /(reset/|email/|sign-up|forgot|sign-out)`},
}

// checkSmallCookie is the name of one of them; false: it is none.
func checkSmallCookie(p *page, https bool, line string) (string, bool) {
	p.t.Helper()
	prefix, end := "", "; HttpOnly; SameSite=Lax"
	if https {
		prefix, end = "__Host-", "; HttpOnly; Secure; SameSite=Lax"
	}
	whole, value, _ := strings.Cut(line, "=")
	name, prefixed := strings.CutPrefix(whole, prefix)
	c, small := smallCookies[name]
	if !small || !prefixed {
		return "", false
	}
	where, form := c.brings, "^"+c.with+end+"$"
	if strings.HasPrefix(value, ";") {
		where, form = c.takes, "^; Path=/; Max-Age=0"+end+"$"
	}
	if !regexp.MustCompile(form).MatchString(value) || !regexp.MustCompile(where).MatchString(p.request) {
		p.t.Errorf("%s: cookie %q", p.request, line)
	}
	return name, true
}

// isOurs says whether an address stays on this host, for a browser as well as
// for net/url: browsers take "\" for "/" and leave out tabs and line ends.
func isOurs(to string) bool {
	to = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.TrimFunc(to, func(r rune) bool { return r <= ' ' }))
	u, err := url.Parse(to)
	return err == nil && strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && u.Host == "" && u.Scheme == ""
}

// isOnward says whether an answer leads to an app of appRules: only a hand-over may.
func isOnward(p *page, to string) bool {
	return p.path == web.HandOverPath && slices.ContainsFunc(appRules, func(line string) bool {
		u, err := url.Parse(strings.Fields(line)[0])
		return err == nil && strings.HasPrefix(to, u.Scheme+"://"+u.Host+"/")
	})
}

// checkSecrets looks for what the person typed as a secret.
func checkSecrets(p *page, typed []string) {
	p.t.Helper()
	for _, secret := range typed {
		if strings.Contains(p.body, secret) || strings.Contains(p.body, html.EscapeString(secret)) || strings.Contains(p.location, secret) {
			p.t.Errorf("%s: the answer repeats the secret %q", p.request, secret)
		}
	}
}

// checkHTML is about every page.
func checkHTML(p *page, d *door, own []string) {
	p.t.Helper()
	if !strings.HasPrefix(p.body, "<!doctype html>\n") {
		p.t.Errorf("%s: begins with %.40q", p.request, p.body)
	}
	for element, want := range map[string]int{"html": 1, "title": 1, "h1": 1, "main": 1, "base": 0, "style": 0, "iframe": 0, "object": 0, "embed": 0} {
		if n := count(p.all(element)) - drawn(p, element); n != want {
			p.t.Errorf("%s: %d <%s>", p.request, n, element)
		}
	}
	spoken := checkLanguage(p, d)
	title, wrong := p.text("title"), spoken.say("title.error", "title", "")
	// A message that was not delivered is an error, whenever one looks.
	if failed := p.method != "GET" && p.status >= 400 || p.text("h1") == spoken.say("err.sms.title"); failed != strings.HasPrefix(title, wrong) || !strings.HasSuffix(title, " – "+spoken.say("app.name")) {
		p.t.Errorf("%s: status %d has title %q", p.request, p.status, title)
	}
	if vary := p.header.Get("Vary"); vary != "Accept-Encoding, Accept-Language, Cookie" {
		p.t.Errorf("%s: Vary is %q", p.request, vary)
	}
	checkElements(p, d)
	checkWords(p, d, own)
	if spoken.words.Tag == mirrored {
		checkMirrored(p)
	}
}

// checkLanguage is about what a page says of its language. It returns the door in
// that language.
func checkLanguage(p *page, d *door) *Pages {
	p.t.Helper()
	spoken := d.in[p.header.Get("Content-Language")]
	if spoken == nil {
		p.t.Fatalf("%s: Content-Language is %q", p.request, p.header.Get("Content-Language"))
	}
	for n := range p.all("html") {
		if attr(n, "lang") != spoken.words.Tag || attr(n, "dir") != spoken.words.Dir {
			p.t.Errorf("%s: lang %q, dir %q", p.request, attr(n, "lang"), attr(n, "dir"))
		}
	}
	return spoken
}

// drawn counts elements of a kind that are inside pictures: these have titles of
// their own.
func drawn(p *page, element string) (n int) {
	for e := range p.all(element) {
		if e.Namespace == "svg" {
			n++
		}
	}
	return n
}

func count(all func(func(*html.Node) bool)) (n int) {
	for range all {
		n++
	}
	return n
}

// checkElements is about what must not be in a page, and what must be with what.
func checkElements(p *page, d *door) {
	p.t.Helper()
	ids := map[string]bool{}
	var refers []string
	focus := 0
	for n := range p.doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
				p.t.Errorf("%s: <%s> has inline code: %s=%q", p.request, n.Data, a.Key, a.Val)
			case a.Key == "id" && (ids[a.Val] || a.Val == ""):
				p.t.Errorf("%s: id %q twice", p.request, a.Val)
			case a.Key == "id":
				ids[a.Val] = true
			case slices.Contains([]string{"for", "aria-describedby", "aria-labelledby", "data-copy", "data-say", "data-reveal"}, a.Key):
				refers = append(refers, strings.Fields(a.Val)...)
			case a.Key == "autofocus":
				focus++
			}
		}
		checkElement(p, d, n)
	}
	for _, id := range refers {
		if !ids[id] {
			p.t.Errorf("%s: there is no #%s", p.request, id)
		}
	}
	if focus > 1 {
		p.t.Errorf("%s: %d fields have the focus", p.request, focus)
	}
}

func checkElement(p *page, d *door, n *html.Node) {
	p.t.Helper()
	switch n.Data {
	case "script":
		if !strings.HasPrefix(attr(n, "src"), "/static/") || textOf(n) != "" {
			p.t.Errorf("%s: script from %q, or inline", p.request, attr(n, "src"))
		}
	case "form":
		method := strings.ToUpper(attr(n, "method"))
		search := method == "GET" && attr(n, "role") == "search" // the one kind that changes nothing
		if method != "POST" && !search || !d.routed(method, attr(n, "action")) {
			p.t.Errorf("%s: a form sends %q to %q", p.request, attr(n, "method"), attr(n, "action"))
		}
	case "a":
		to := attr(n, "href")
		secret := strings.HasPrefix(to, "otpauth://totp/") && strings.HasPrefix(p.path, security+"/confirm/") ||
			strings.HasPrefix(to, "data:text/plain") && p.path == security+"/backup-codes" && has(n, "download")
		if !strings.HasPrefix(to, "#") && !secret && !isOnward(p, to) && !d.routed("GET", to) {
			p.t.Errorf("%s: link to %q", p.request, to)
		}
		checkNamed(p, n)
	case "button":
		checkNamed(p, n)
	case "img":
		if !has(n, "alt") || !strings.HasPrefix(attr(n, "src"), "data:image/png;base64,") {
			p.t.Errorf("%s: image %.40q, alternative text %q", p.request, attr(n, "src"), attr(n, "alt"))
		}
	case "input":
		checkInput(p, n)
	case "select":
		checkLabelled(p, n)
	case "link":
		if to := attr(n, "href"); !d.routed("GET", to) {
			p.t.Errorf("%s: loads %q", p.request, to)
		}
	}
}

func checkNamed(p *page, n *html.Node) {
	p.t.Helper()
	if textOf(n) == "" {
		p.t.Errorf("%s: <%s> without a name", p.request, n.Data)
	}
}

func checkInput(p *page, n *html.Node) {
	p.t.Helper()
	if attr(n, "type") == "hidden" || attr(n, "aria-hidden") == "true" {
		return
	}
	if attr(n, "type") == "radio" {
		if n.Parent.Data != "label" || textOf(n.Parent) == "" {
			p.t.Errorf("%s: %q is a choice without a label", p.request, attr(n, "name"))
		}
		return
	}
	checkLabelled(p, n)
	if name := attr(n, "name"); (name == "password" || name == "code") && has(n, "value") {
		p.t.Errorf("%s: %s is filled in", p.request, name)
	}
	if attr(n, "autocomplete") == "" {
		p.t.Errorf("%s: input %q does not say what completes it", p.request, attr(n, "name"))
	}
}

func checkLabelled(p *page, n *html.Node) {
	p.t.Helper()
	labels := 0
	for l := range p.all("label") {
		if attr(l, "for") == attr(n, "id") && textOf(l) != "" {
			labels++
		}
	}
	if labels != 1 {
		p.t.Errorf("%s: %s %q has %d labels", p.request, n.Data, attr(n, "name"), labels)
	}
}

// checkWords finds what should have been replaced by words, in what is not the
// person's own.
func checkWords(p *page, d *door, own []string) {
	p.t.Helper()
	text := p.text("html")
	for _, theirs := range own {
		text = strings.ReplaceAll(text, theirs, "")
	}
	for word := range strings.FieldsSeq(text) {
		if d.words.Has(word) {
			p.t.Errorf("%s: shows the key %q", p.request, word)
		}
	}
	for _, left := range []string{"{", "}", "[secret]", "<nil>", "%!"} {
		if strings.Contains(text, left) {
			p.t.Errorf("%s: shows %q: %s", p.request, left, text)
		}
	}
	if strings.Contains(p.body, "ZgotmplZ") {
		p.t.Errorf("%s: html/template refused a value", p.request)
	}
}

// routed says whether an address of ours has a route.
func (d *door) routed(method, to string) bool {
	u, err := url.Parse(to)
	if err != nil || !isOurs(to) {
		return false
	}
	_, pattern := d.mux.Handler(&http.Request{Method: method, URL: u, Host: d.cfg.Address.Host})
	return pattern != ""
}
