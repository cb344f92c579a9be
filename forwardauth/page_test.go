package forwardauth_test

import (
	"cmp"
	"strings"
	"testing"
)

func (a *answer) isPage() bool { return a.Header.Get("Content-Type") == "text/html; charset=utf-8" }

// A person who cannot be led on reads why and what to do, in the browser's language; a program
// and nginx, which shows nothing of ours, get the problem.
func TestPeopleReadWhyTheyCannotGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.protected("ana@example.com")
	ana.arrives(wiki)
	const ticket = wiki + ".twinlatch/handover?ticket=x&return_to=%2F"
	for _, c := range []struct {
		name, address, language string
		broken                  bool
		from                    string // home, where it is empty
		status                  int
		problem                 string
		reads, link             string
	}{
		{name: "nobody may", address: wiki + "closed", status: 403, problem: "denied", reads: "Nobody can open this page of wiki.example.com"},
		{name: "in Czech", address: wiki + "closed", language: "cs-CZ,cs;q=0.9,en;q=0.5", status: 403, problem: "denied", reads: "Tuto stránku nelze otevřít"},
		{name: "no app", address: "https://other.example.com/", status: 403, problem: "no-rule", reads: "other.example.com is not set up here"},
		{name: "markup in the name of the app", address: "https://<b>x</b>.example.com/", status: 403, problem: "no-rule", reads: "&lt;b&gt;x"},
		{name: "a ticket without state", address: ticket, status: 403, problem: "no-state", reads: "Allow cookies for wiki.example.com", link: wiki},
		{name: "ours", address: wiki + ".twinlatch/", status: 403, problem: "no-rule", reads: "There is nothing at this address", link: wiki},
		{name: "from nobody knows where", address: wiki, from: proxy, status: 403, problem: "unknown-address", reads: "Ask the people who run wiki.example.com to check"},
		{name: "broken", address: wiki, broken: true, status: 503, problem: "unavailable", reads: "Wait a minute", link: wiki},
	} {
		for _, kind := range []string{"forward", "envoy"} {
			w.store.broken.Store(c.broken)
			b := ana.person.browser()
			b.kind = kind
			if c.broken {
				b = ana
			}
			b.header.Set("Accept-Language", c.language)
			b.appIP = cmp.Or(c.from, home)
			a := b.asks("GET", c.address).is(c.status)
			if !a.isPage() || a.problem().Type != "urn:twinlatch:problem:"+c.problem {
				t.Errorf("%s, %s: %s", c.name, kind, a.body)
			}
			a.has("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
			page := a.body
			if !strings.Contains(page, c.reads) || strings.Contains(page, "<a ") != (c.link != "") || !strings.Contains(page, c.link) {
				t.Errorf("%s, %s: %s", c.name, kind, page)
			}
			for how, change := range map[string]func(*browser){
				"a script":        func(b *browser) { b.header.Set("Sec-Fetch-Mode", "cors") },
				"behind nginx":    func(b *browser) { b.kind = "nginx" },
				"another program": func(b *browser) { b.header.Del("Sec-Fetch-Mode"); b.header.Set("Accept", "*/*") },
			} {
				other := *b
				other.header = b.header.Clone()
				change(&other)
				a := other.asks("GET", c.address).is(c.status)
				if a.isPage() || a.problem().Type != "urn:twinlatch:problem:"+c.problem {
					t.Errorf("%s, %s: a page: %s", c.name, how, a.body)
				}
				a.has("X-2sv-Problem", "") // of which the snippet for nginx would make the body
			}
			if a := b.asks("POST", c.address); a.isPage() {
				t.Errorf("%s: a page after a POST: %s", c.name, a.body)
			}
		}
	}
	w.store.broken.Store(false)
}
