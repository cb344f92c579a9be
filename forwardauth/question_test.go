package forwardauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/forwardauth"
)

// Who looks at a page is led; who only fetches is told. Browsers say which it is
// (Fetch Metadata); of others it is taken from what they accept.
func TestWhatIsAPageView(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const html = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, row := range []struct {
		method string
		header http.Header
		view   bool
	}{
		{"GET", http.Header{"Sec-Fetch-Mode": {"navigate"}}, true},
		{"GET", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {html}}, true},
		{"GET", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {"image/*"}}, true},
		{"HEAD", http.Header{"Sec-Fetch-Mode": {"navigate"}}, true},
		{"HEAD", http.Header{"Accept": {html}}, true},
		{"GET", http.Header{"Accept": {html}}, true},
		{"GET", http.Header{"Accept": {"application/json, text/html"}}, true},
		{"GET", http.Header{"Sec-Fetch-Mode": {"cors"}, "Accept": {html}}, false},
		{"GET", http.Header{"Sec-Fetch-Mode": {"no-cors"}, "Accept": {html}}, false},
		{"GET", http.Header{"Sec-Fetch-Mode": {"same-origin"}, "Accept": {html}}, false},
		{"GET", http.Header{"Sec-Fetch-Mode": {"websocket"}}, false},
		{"GET", http.Header{"Sec-Fetch-Mode": {""}, "Accept": {html}}, false},
		{"GET", http.Header{"Sec-Fetch-Mode": {"NAVIGATE"}}, false},
		{"GET", http.Header{"Accept": {html}, "X-Requested-With": {"XMLHttpRequest"}}, false},
		{"GET", http.Header{"Accept": {"application/json"}}, false},
		{"GET", http.Header{"Accept": {"*/*"}}, false},
		{"GET", http.Header{"Accept": {"text/event-stream"}}, false},
		{"GET", http.Header{}, false},
		{"get", http.Header{"Sec-Fetch-Mode": {"navigate"}}, false},
		{"POST", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {html}}, false}, // it would be lost by a redirect
		{"PUT", http.Header{"Accept": {html}}, false},
		{"OPTIONS", http.Header{"Accept": {html}}, false},
		{"DELETE", http.Header{"Accept": {html}}, false},
		{"PROPFIND", http.Header{"Accept": {html}}, false},
	} {
		for _, kind := range kinds {
			r := question(kind, row.method, wiki+"x")
			for name, values := range row.header {
				r.Header[name] = values
			}
			a := w.ask(r)
			if led := a.Header.Get("Location") != ""; led != row.view {
				t.Errorf("%s, %s %v: led is %v", kind, row.method, row.header, led)
			}
			if !row.view {
				a.is(401).has("WWW-Authenticate", "Bearer").problem()
			}
			if state := len(a.Cookies()) > 0; state != row.view {
				t.Errorf("%s, %s %v: got a state is %v", kind, row.method, row.header, state)
			}
		}
	}
}

// open are rules that let everybody pass, so that whatever is refused is so by the
// question itself.
var open = []string{"https://wiki.example.com/ public"}

// said are the headers by which each kind of proxy says what it is asked for.
var said = map[string][]string{
	"forward": {"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri"},
	"nginx":   {"X-Original-Url", "X-Original-Method"},
	"envoy":   {"X-Forwarded-Proto"},
}

// A question has to say everything, once.
func TestQuestionsThatSayTooLittleOrTooMuch(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, open)
	for kind, headers := range said {
		w.ask(question(kind, "GET", wiki+"x")).tells("", "", "", "", "", "")
		for _, name := range headers {
			for what, change := range map[string]func([]string) []string{
				"missing":           func([]string) []string { return nil },
				"empty":             func([]string) []string { return []string{""} },
				"twice":             func(v []string) []string { return append(v, v[0]) },
				"and another":       func(v []string) []string { return append(v, "x") },
				"another and it":    func(v []string) []string { return append([]string{"https://evil.example/"}, v...) },
				"and an empty one":  func(v []string) []string { return append(v, "") },
				"several as a list": func(v []string) []string { return []string{v[0] + ", " + v[0]} },
			} {
				if kind != "envoy" && strings.HasSuffix(name, "Method") && what == "several as a list" {
					continue // nobody decides by it
				}
				if strings.HasSuffix(name, "Uri") && what == "several as a list" {
					continue // see below: a comma is part of a path, a space is none
				}
				r := question(kind, "GET", wiki+"x")
				r.Header[name] = change(r.Header[name])
				if len(r.Header[name]) == 0 {
					delete(r.Header, name)
				}
				if a := w.ask(r); a.StatusCode != 403 {
					t.Errorf("%s, %s %s: %s", kind, name, what, a.Status)
				} else {
					a.problem()
				}
			}
		}
	}
}

func TestQuestionsAboutNonsense(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, open)
	for _, address := range []string{
		"", "https", "https://", "https:///", "https:///x", "://wiki.example.com/", "//wiki.example.com/", "wiki.example.com/",
		"https://wiki.example.com", "https://wiki.example.com?x", "https://wiki.example.com?x/", "https://wiki.example.com#/", `https://wiki.example.com\/`,
		"ftp://wiki.example.com/", "http://wiki.example.com/", "HTTPS://wiki.example.com/", "javascript://wiki.example.com/",
		"https://wiki.example.com:80/", "https://wiki.example.com:8443/", "https://wiki.example.com:/", "https://wiki.example.com:0443/", "https://wiki.example.com:99999999999/",
		"https://user@wiki.example.com/", "https://user:pw@wiki.example.com/", "https://wiki.example.com@evil.example/", "https://evil.example/", "https://evil.example/wiki.example.com/",
		"https://wiki.example.com.evil.example/", "https://xwiki.example.com/", "https://example.com/", "https://*.example.com/", "https://wiki.example.com../", "https://.wiki.example.com/", "https://wiki..example.com/",
		"https://wiki.example.com,evil.example/", "https://wiki.example.com, wiki.example.com/", "https://wiki.example.com /", "https:// wiki.example.com/", "https://wiki.example.com\x00/", "https://wiki.example.com%00/", "https://wiki%2eexample.com/",
		"https://[::1]/", "https://wiki.example.com]/", "https://wiki.example.com/ x", "https://wiki.example.com/\tx", "https://wiki.example.com/x HTTP/1.1",
		"https://wiki.example.com/" + strings.Repeat("x", 16<<10),
	} {
		for _, kind := range kinds {
			a := w.ask(question(kind, "GET", address))
			if a.StatusCode != 403 && a.StatusCode != 404 {
				t.Errorf("%s, %.60q: %s", kind, address, a.Status)
				continue
			}
			a.has("Location", "").problem()
			if len(a.Cookies()) > 0 {
				t.Errorf("%s, %.60q: cookies", kind, address)
			}
		}
	}
	for _, address := range []string{
		"https://wiki.example.com/", "https://WIKI.example.COM/", "https://wiki.example.com./", "https://wiki.example.com:443/", "wss://wiki.example.com/", "https://wiki.example.com/a,b", "https://wiki.example.com//x", "https://wiki.example.com/?",
		"https://wiki.example.com/" + strings.Repeat("x", 16<<10-1),
	} {
		for _, kind := range kinds {
			w.ask(question(kind, "GET", address)).is(200)
		}
	}
}

// A peer that is no proxy of ours is told nothing and believed nothing.
func TestPeersThatAreNoProxies(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, open)
	for peer, known := range map[string]bool{
		"10.0.0.1:1": true, "10.255.255.255:65535": true, "[::ffff:10.0.0.1]:1": true,
		"11.0.0.1:1": false, "192.0.2.1:40000": false, "127.0.0.1:1": false, "[::1]:1": false, "[::ffff:11.0.0.1]:1": false, "[64:ff9b::10.0.0.1]:1": false,
		"10.0.0.1": false, "": false, "@": false, "proxy:80": false, "10.0.0.1:x": false, "10.0.0.1, 10.0.0.2:1": false,
	} {
		for _, kind := range kinds {
			r := question(kind, "GET", wiki)
			r.RemoteAddr = peer
			if a := w.ask(r); known {
				a.is(200)
			} else if p := a.is(403).has("Location", "").problem(); p.Type != "urn:twinlatch:problem:unknown-proxy" {
				t.Errorf("%s: the problem is %v", peer, p)
			}
		}
	}
}

// From nobody knows where nobody passes, whoever they are.
func TestUnknownAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.protected("ana@example.com")
	off := w.person("bo@example.com").signIn()
	const files = "https://files.example.net:8443/"
	ana.arrives(wiki)
	off.arrives(files)
	for _, forwarded := range [][]string{
		nil, {""}, {"unknown"}, {"somewhere"}, {"_hidden"}, {"192.0.2.1:80"}, {"[192.0.2.1]"}, {"192.0.2"}, {"0.0.0.0"}, {"::"}, {"224.0.0.1"}, {"fe80::1%eth0"}, {"192.0.2.1,"}, {",192.0.2.1,"},
		{"192.0.2.1, unknown"}, {"192.0.2.1;"}, {"10.0.0.1"}, {"10.0.0.1, 10.0.0.2"}, {"192.0.2.1", "x"}, {"192.0.2.1\x00"}, {strings.Repeat("10.0.0.1,", 40) + "192.0.2.1"}, {strings.Repeat(" ", 5000) + "192.0.2.1"},
	} {
		for _, kind := range kinds {
			for address, b := range map[string]*browser{wiki: ana, files: off} {
				b.kind = kind
				r := b.question("GET", address)
				if r.Header["X-Forwarded-For"] = forwarded; forwarded == nil {
					delete(r.Header, "X-Forwarded-For")
				}
				if p := w.ask(r).is(403).has("Location", "").problem(); p.Type != "urn:twinlatch:problem:unknown-address" {
					t.Errorf("%q: the problem is %v", forwarded, p)
				}
			}
		}
	}
	ana.gets(wiki)
	off.gets(files)
}

// The address is the last one that is no proxy; what a client adds in front is its own.
func TestAddressIsWhatTheProxySays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.protected("ana@example.com")
	ana.arrives(wiki)
	for forwarded, status := range map[string]int{
		home: 200, cafe + ", " + home: 200, home + ", 10.9.9.9": 200, "::ffff:" + home: 200, "garbage, " + home: 200,
		cafe: 302, home + ", " + cafe: 302, home + ", " + cafe + ", 10.9.9.9": 302, home6: 302,
	} {
		r := ana.question("GET", wiki)
		r.Header.Set("X-Forwarded-For", forwarded)
		r.Header.Set("X-Real-Ip", home)
		r.Header.Set("Forwarded", "for="+home)
		w.ask(r).is(status)
	}
}

// Endpoints have one spelling. Every other one is 404, also for who would pass.
func TestEndpointsHaveOneSpelling(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, open)
	for _, uri := range []string{
		"/auth", "/auth/", "/auth/forward/", "//auth/forward", "/auth//forward", "/auth/./forward", "/auth/../auth/forward", "/auth/forward/x", "/auth/forward;x", "/auth/forward%20", "/auth/%66orward", "/AUTH/forward", "/auth/Forward",
		"/auth/nginx/", "/auth/nginx/x", "/auth/nginx%2f", "/auth/nginx\\", "/auth/envoy", "/auth/envoyx/", "/auth//envoy/", "/auth/forwards", "/auth/handover",
		"http://id.example.com/auth/forward", "https://id.example.com/auth/nginx", "http://wiki.example.com/auth/envoy/", "auth/forward", "*", "", "id.example.com:443",
	} {
		for _, kind := range []string{"forward", "nginx"} {
			for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "CONNECT"} {
				r := question(kind, "GET", wiki)
				r.Method, r.RequestURI = method, uri
				if a := w.ask(r); a.StatusCode != 404 {
					t.Errorf("%s %s: %s", method, uri, a.Status)
				}
			}
		}
	}
	for _, uri := range []string{"/auth/forward", "/auth/forward?", "/auth/forward?rd=https://evil.example/"} {
		r := question("forward", "GET", wiki)
		r.RequestURI = uri
		w.ask(r).is(200).has("Location", "")
	}
	r := question("nginx", "GET", wiki)
	r.RequestURI = "/auth/forward" // the headers of one kind are none of the other
	w.ask(r).is(403)
	r = question("forward", "GET", wiki)
	r.RequestURI = "/auth/nginx"
	w.ask(r).is(403)
}

// However a proxy itself asks, nobody passes without a session.
func TestNobodyPassesByAnyMethod(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, apps)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "", "\x00"} {
		for _, kind := range kinds {
			r := question(kind, method, wiki)
			r.Method = method
			if a := w.ask(r); a.StatusCode < 300 || a.StatusCode >= 500 {
				t.Errorf("%s %q: %s", kind, method, a.Status)
			}
		}
	}
}

// A token is a token in the cookie and nowhere else, once.
func TestTokenElsewhereIsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.protected("ana@example.com")
	ana.arrives(wiki)
	token, own := ana.tokenAt(wiki).Reveal(), ana.token().Reveal()
	const name = "__Host-twinlatch"
	for what, change := range map[string]func(http.Header){
		"bearer":            func(h http.Header) { h.Set("Authorization", "Bearer "+token) },
		"token of our own":  func(h http.Header) { h.Set("Cookie", name+"="+own) },
		"twice":             func(h http.Header) { h.Set("Cookie", name+"="+token+"; "+name+"="+token) },
		"two lines":         func(h http.Header) { h["Cookie"] = []string{name + "=" + token, name + "=" + token} },
		"and an empty one":  func(h http.Header) { h.Set("Cookie", name+"="+token+"; "+name+"=") },
		"without prefix":    func(h http.Header) { h.Set("Cookie", "twinlatch="+token) },
		"domain's name":     func(h http.Header) { h.Set("Cookie", "__Secure-twinlatch="+token) },
		"other case":        func(h http.Header) { h.Set("Cookie", "__host-twinlatch="+token) },
		"as state":          func(h http.Header) { h.Set("Cookie", "__Host-twinlatch-state="+token) },
		"shorter":           func(h http.Header) { h.Set("Cookie", name+"="+token[:len(token)-1]) },
		"longer":            func(h http.Header) { h.Set("Cookie", name+"="+token+"A") },
		"another secret":    func(h http.Header) { h.Set("Cookie", name+"="+token[:54]+strings.Repeat("A", 43)) },
		"the account only":  func(h http.Header) { h.Set("Cookie", name+"="+token[:27]) },
		"upper case":        func(h http.Header) { h.Set("Cookie", name+"="+strings.ToUpper(token)) },
		"huge":              func(h http.Header) { h.Set("Cookie", name+"="+strings.Repeat(token, 50)) },
		"Remote-User":       func(h http.Header) { h.Set("Remote-User", "ana@example.com") },
		"X-Forwarded-User":  func(h http.Header) { h.Set("X-Forwarded-User", "ana@example.com") },
		"Cookie2":           func(h http.Header) { h.Set("Cookie2", name+"="+token) },
		"Proxy-Authorize":   func(h http.Header) { h.Set("Proxy-Authorization", "Bearer "+token) },
		"method overridden": func(h http.Header) { h.Set("X-Http-Method-Override", "OPTIONS") },
	} {
		for _, kind := range kinds {
			r := question(kind, "GET", wiki)
			change(r.Header)
			if a := w.ask(r); a.StatusCode != 401 {
				t.Errorf("%s, %s: %s", kind, what, a.Status)
			}
		}
	}
	ana.gets(wiki)
}

// What is below /.twinlatch/ of an app's host never passes, whatever its rules.
func TestOurPlaceOnAppsHosts(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*forwardauth.Config){
		"own cookie":    func(*forwardauth.Config) {},
		"shared cookie": func(c *forwardauth.Config) { c.CookieDomain = "example.com" },
	} {
		w := newWorldOf(t, open, change)
		_, ana := w.protected("ana@example.com")
		for _, b := range []*browser{w.browser(), ana} {
			for _, kind := range kinds {
				b.kind = kind
				for _, path := range []string{
					"", "x", "handover", "handover?", "handover?ticket=x", "handover?return_to=x", "handover?ticket=x&return_to=", "handover?ticket=x&return_to=//evil.example", "handover?%zz", "handover/?ticket=x&return_to=/", "../x",
					"handover?ticket=x&return_to=/;", "handover?ticket=x&return_to=https://evil.example/",
				} {
					for _, method := range []string{"GET", "POST", "HEAD"} {
						if a := b.asks(method, wiki+".twinlatch/"+path); a.StatusCode != 403 {
							t.Errorf("%s, %s %s: %s %s", what, method, path, a.Status, a.Header.Get("Location"))
						}
					}
				}
			}
		}
	}
}
