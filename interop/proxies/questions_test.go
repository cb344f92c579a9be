package proxies

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestBodyGoesToTheAppAndNotToTheCheck(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		s := newStub(t)
		p := k.start(t, s.address)
		long := strings.Repeat("All work and no play makes Jack a dull boy.\n", 10_000)
		for name, r := range map[string]request{
			"short":   {body: "a=1&b=2"},
			"long":    {body: long},
			"chunked": {header: "Transfer-Encoding: chunked\n", body: "3\r\na=1\r\n4\r\n&b=2\r\n0\r\n\r\n"},
		} {
			r.method, r.header = "POST", r.header+"Cookie: session=ann\nContent-Type: application/x-www-form-urlencoded\n"
			want := r.body
			if name == "chunked" {
				want = "a=1&b=2"
			}
			if got := p.send(t, r).reached(t); got.Body != want || got.Method != "POST" {
				t.Errorf("%s: the app got %s with %d bytes, want %d", name, got.Method, len(got.Body), len(want))
			}
			q := s.last(t)
			if q.method != "POST" || q.body != "" || q.header.Get("Content-Length") != "" && q.header.Get("Content-Length") != "0" {
				t.Errorf("%s: the check was asked about %s, with body %.20q and Content-Length %q", name, q.method, q.body, q.header.Get("Content-Length"))
			}
		}
	})
}

func TestHEAD(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		s := newStub(t)
		p := k.start(t, s.address)
		if got := p.send(t, request{method: "HEAD", header: "Cookie: session=ann\n"}); got.StatusCode != http.StatusOK {
			t.Errorf("%s, want 200", got.Status)
		}
		if got := p.wiki.requests(); len(got) != 1 || got[0].Method != "HEAD" {
			t.Errorf("the app got %v, want one HEAD", got)
		}
		if q := s.last(t); q.method != "HEAD" {
			t.Errorf("the check was asked about %s", q.method)
		}
		if got := p.send(t, request{method: "HEAD", header: fetch}); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s, want 401", got.Status)
		}
	})
}

// The check hears of the path that the app gets, and both as it was sent.
func TestPathIsNotTouched(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		s := newStub(t)
		p := k.start(t, s.address)
		for _, target := range []string{
			"/", "//x", "//x//y/", "/a/%2e%2e/b", "/a/./b/../c", "/a%2Fb", "/a%2fb", "/a;b", "/a;b=c/d", "/a%20b+c", "/?q=a%20b&c=1", "/x?", "/x??a=/../b", "/%C3%A4",
			"/.twinlatch/done?ticket=a%2Bb", "/.twinlatch/../x", "/.twinlatch-check?x", "/%2Etwinlatch-check", "/a%3Fb%23c", "/handled/x", "/a:b@c", "/x?url=http://y/%0d%0a",
		} {
			got := p.send(t, request{target: target, header: "Cookie: session=ann\n"})
			if strings.HasPrefix(target, "/.twinlatch-check") || strings.HasPrefix(target, "/%2Etwinlatch-check") {
				if k.Name == "nginx" {
					continue // the name of the question itself
				}
			}
			if got.StatusCode != http.StatusOK {
				t.Errorf("%s: %s", target, got.Status)
				continue
			}
			reached, q := got.reached(t), s.last(t)
			if want := "http://" + p.host(wikiHost) + target; q.url != want {
				t.Errorf("%s: the check was asked about %s, want %s", target, q.url, want)
			}
			if reached.URI != target {
				t.Errorf("%s: the app got %s", target, reached.URI)
			}
		}
	})
}

// Who sends "GET http://one/ HTTP/1.1" with "Host: another" gets into neither by
// the rights for the other.
func TestCheckAndAppHearOfTheSameHost(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		s := newStub(t)
		p := k.start(t, s.address)
		wiki, files := p.host(wikiHost), p.host(filesHost)
		for _, r := range []request{
			{target: "http://" + wiki + "/a%2Fb?c=1"},
			{target: "http://" + files + "/a%2Fb?c=1"},
			{target: "http://" + wiki + "/a%2Fb?c=1", host: files},
			{target: "http://" + files + "/a%2Fb?c=1", host: wiki},
			{target: "/a%2Fb?c=1", host: "unknown.example.test"},
			{target: "/a%2Fb?c=1", host: wiki + "\r\nX-Forwarded-Host: " + files},
			{target: "/a%2Fb?c=1", host: wikiHost},
			{target: "/a%2Fb?c=1", host: strings.ToUpper(wiki)},
			{target: "/a%2Fb?c=1", host: filesHost + ":80"},
		} {
			before := len(s.asked())
			got := p.send(t, withCookie(r))
			if got.StatusCode != http.StatusOK || got.body == "" {
				continue
			}
			reached := got.reached(t)
			if len(s.asked()) == before {
				t.Errorf("%s, Host %s: the app was reached without a question", r.target, r.host)
			}
			q := s.last(t)
			if want := "http://" + reached.Host + "/a%2Fb?c=1"; q.url != want {
				t.Errorf("%s, Host %s: the check was asked about %s, but the app got %s", r.target, r.host, q.url, want)
			}
			if !strings.HasPrefix(strings.ToLower(reached.Host), reached.App) {
				t.Errorf("%s, Host %s: %s was reached as %s", r.target, r.host, reached.App, reached.Host)
			}
		}
		if len(p.files.requests()) == 0 || len(p.wiki.requests()) == 0 {
			t.Error("one of the apps cannot be reached at all")
		}
	})
}

// nginx and Apache have virtual hosts that also answer for names they do not
// have, so there the operator says which app it is.
func TestNameOfTheAppIsNotTheClients(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		if k.Name != "nginx" && k.Name != "apache" {
			return // the others match the name that the client sent, and pass that on
		}
		s := newStub(t)
		p := k.start(t, s.address)
		reached := p.send(t, withCookie(request{host: wikiHost})).reached(t)
		if q := s.last(t); q.url != "http://"+p.host(wikiHost)+"/" || reached.Host != p.host(wikiHost) {
			t.Errorf("the check was asked about %s, and the app got Host %s", q.url, reached.Host)
		}
	})
}

// Caddy 2.6 reads whom to connect to when it connects, and that may be after
// forward_auth is done: then a shared connection for questions leads to the app, and
// whose question goes there gets in (https://github.com/caddyserver/caddy/pull/7859).
func TestCaddyAsksEachQuestionOnAConnectionOfItsOwn(t *testing.T) {
	s := newStub(t)
	for _, k := range Kinds {
		if k.Name != "caddy" {
			continue
		}
		p := k.start(t, s.address)
		p.send(t, withCookie(request{})).reached(t)
		if !s.last(t).close {
			t.Error("the connection stays open for others")
		}
	}
}

// People come back to what they asked for, not to what Caddy made of it.
func TestCheckHearsOfThePathBeforeARewrite(t *testing.T) {
	s := newStub(t)
	for _, k := range Kinds {
		if k.Name != "caddy" {
			continue
		}
		p := k.start(t, s.address)
		reached := p.send(t, withCookie(request{target: "/old/x?y=z"})).reached(t)
		if q := s.last(t); q.url != "http://"+p.host(wikiHost)+"/old/x?y=z" || reached.URI != "/new?from=%2Fold%2Fx" {
			t.Errorf("the check was asked about %s, the app got %s", q.url, reached.URI)
		}
	}
}

func withCookie(r request) request {
	r.header += "Cookie: session=ann\n"
	return r
}

func TestCheckHearsNothingFromTheClientThatTheProxyShouldSay(t *testing.T) {
	const lies = "X-Original-URL: http://evil.example.test/\nX-Original-Method: TRACE\nX-Forwarded-Method: TRACE\nX-Forwarded-Proto: gopher\n" +
		"X-Forwarded-Host: evil.example.test\nX-Forwarded-Uri: /evil\nX-Forwarded-For: 203.0.113.9, 203.0.113.10\nX-Forwarded-For: 203.0.113.11\n" +
		"Forwarded: for=203.0.113.9;host=evil.example.test;proto=gopher\nX-Real-IP: 203.0.113.9\nX_Forwarded_For: 203.0.113.9\nX-Forwarded-Port: 2036\n"
	onEach(t, func(t *testing.T, k Kind) {
		s := newStub(t)
		p := k.start(t, s.address)
		for _, connection := range []string{"", "Connection: close, X-Forwarded-For, X-Forwarded-Uri, X-Original-URL, X-Forwarded-Host\n"} {
			p.send(t, request{method: "PUT", target: "/good", header: lies + connection + "Cookie: session=ann\n"}).reached(t)
			q := s.last(t)
			if q.url != "http://"+p.host(wikiHost)+"/good" || q.method != "PUT" || q.client != "127.0.0.1" {
				t.Errorf("the check was asked about %s %s by %s", q.method, q.url, q.client)
			}
			for name, values := range q.header {
				for _, lie := range []string{"evil", "203.0.113", "gopher", "TRACE"} {
					plain := strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-Original-") || name == "Forwarded"
					if plain && strings.Contains(strings.Join(values, ","), lie) {
						t.Errorf("the check got %s: %q", name, values)
					}
				}
			}
			got := p.wiki.requests()[0]
			for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Forwarded-Host"} {
				for _, value := range got.Header[name] {
					if strings.Contains(value, "203.0.113") || strings.Contains(value, "evil") {
						t.Errorf("the app got %s: %q", name, value)
					}
				}
			}
		}
	})
}

func TestClientIsTheOneWhoConnected(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		isTheClient(t, k, freeAddress(t), "127.0.0.1", "127.0.0.5", "127.9.8.7")
	})
}

func TestClientByIPv6(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		_, port, _ := net.SplitHostPort(freeAddress(t))
		isTheClient(t, k, net.JoinHostPort("::1", port), "::1")
	})
}

// isTheClient wants the check and the app to hear from where a client connected to the proxy's
// address, not what it says itself.
func isTheClient(t *testing.T, k Kind, address string, clients ...string) {
	t.Helper()
	s := newStub(t)
	p := k.startAt(t, address, s.address)
	for _, from := range clients {
		got := p.send(t, request{from: from, header: "X-Forwarded-For: 203.0.113.9\nCookie: session=ann\n"}).reached(t)
		if q := s.last(t); q.client != from {
			t.Errorf("the check heard of %q, want %q", q.client, from)
		}
		if told := got.Header.Get("X-Forwarded-For"); told != from {
			t.Errorf("the app heard of %q, want %q", told, from)
		}
	}
}

// What the check needs to know a page view, and to know the person again.
func TestCheckHearsWhatItNeeds(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		s := newStub(t)
		p := k.start(t, s.address)
		want := map[string]string{
			"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Mode": "navigate", "X-Requested-With": "XMLHttpRequest",
			"Referer": "https://elsewhere.example.test/?a=b", "User-Agent": "Mozilla/5.0 (Test)", "Cookie": "session=ann; other=\"b=c\"",
		}
		header := ""
		for name, value := range want {
			header += name + ": " + value + "\n"
		}
		p.send(t, request{header: header}).reached(t)
		q := s.last(t)
		for name, value := range want {
			if got := strings.Join(q.header[name], " and "); got != value {
				t.Errorf("%s is %q, want %q", name, got, value)
			}
		}
		p.send(t, request{header: "Cookie: session=ann\n"}).reached(t)
		for name := range want {
			if got := strings.Join(s.last(t).header[name], ""); name != "Cookie" && name != "User-Agent" && got != "" {
				t.Errorf("nobody sent %s, and the check got %q", name, got)
			}
		}
	})
}

// HTTP/1.0 has no Host; who sends one is served all the same.
func TestHTTP10(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		s := newStub(t)
		p := k.start(t, s.address)
		got := p.send(t, request{version: "HTTP/1.0", header: "Cookie: session=ann\n" + spoofed})
		if reached := got.reached(t); reached.Header.Get("Remote-User") != "ann" {
			t.Errorf("the app was told %v", ours(reached.Header))
		}
		if got := p.send(t, request{version: "HTTP/1.0", header: page}); got.StatusCode != http.StatusFound {
			t.Errorf("%s, want 302", got.Status)
		}
	})
}

func TestLongRequests(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		s := newStub(t)
		p := k.start(t, s.address)
		target := "/?" + strings.Repeat("q=long&", 700)
		got := p.send(t, request{target: target, header: "Cookie: session=ann; other=" + strings.Repeat("c", 3500) + "\n"}).reached(t)
		if got.URI != target || s.last(t).url != "http://"+p.host(wikiHost)+target {
			t.Errorf("the app got %d bytes, the check %d, want %d", len(got.URI), len(s.last(t).url), len(target))
		}
		// Whatever is too long must not get past the check.
		before := len(p.wiki.requests())
		p.send(t, request{target: "/" + strings.Repeat("x", 7000), header: "Cookie: other=" + strings.Repeat("c", 7000) + "\n" + fetch})
		if len(p.wiki.requests()) != before {
			t.Error("a long request got through without a session")
		}
	})
}
