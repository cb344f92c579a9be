package proxies

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// ours are the six headers, and what WSGI, PHP and CGI take for them.
func ours(header http.Header) map[string]string {
	found := map[string]string{}
	for name, values := range header {
		plain := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return '-'
		}, strings.ToLower(name))
		if strings.HasPrefix(plain, "remote-") || strings.HasPrefix(plain, "x-2sv-") {
			if value := strings.Join(values, " and "); value != "" {
				found[name] = value
			}
		}
	}
	return found
}

// spoofed is what a client sends who would like to be root.
const spoofed = "Remote-User: root\nremote-user: root2\nREMOTE-EMAIL: root@example.test\nRemote-Name: Root\nRemote-Groups: admin\n" +
	"X-2SV-At: 2036-01-01T00:00:00Z\nX-2SV-Method: webauthn\n" +
	"Remote_User: root\nREMOTE_EMAIL: root\nRemote_Name: root\nremote_groups: admin\nX_2SV_At: 2036\nX-2SV_Method: webauthn\nX_2SV-At: 2036\n"

func TestAppIsToldWhoItIsAndByNobodyElse(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		p := k.start(t, newStub(t).address)
		for _, session := range []string{"ann", "nobody"} {
			for _, connection := range []string{"", "Connection: close, Remote-User, X-2SV-At\n", "Connection: upgrade, Remote-User, X-2SV-At\nUpgrade: h2c\n"} {
				got := p.send(t, request{header: "Cookie: session=" + session + "\n" + spoofed + connection}).reached(t)
				want := identity
				if session == "nobody" {
					want = nil
				}
				if fmt.Sprint(ours(got.Header)) != fmt.Sprint(want) && len(want)+len(ours(got.Header)) > 0 {
					t.Errorf("%s, %q: the app was told\n %v, want\n %v", session, connection, ours(got.Header), want)
				}
			}
		}
	})
}

func TestPageViewIsSentToTheSignIn(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		p := k.start(t, newStub(t).address)
		for _, method := range []string{"GET", "HEAD", "POST"} {
			got := p.send(t, request{method: method, target: "/deep?x=1", header: page})
			if got.StatusCode != http.StatusFound || got.Header.Get("Location") != signIn {
				t.Errorf("%s: %s to %q, want 302 to %q", method, got.Status, got.Header.Get("Location"), signIn)
			}
			if cookies := got.Header["Set-Cookie"]; len(cookies) != 1 || cookies[0] != ticket {
				t.Errorf("%s: cookies are %q, want one %q", method, cookies, ticket)
			}
			if got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: Cache-Control is %q, want no-store", method, got.Header.Get("Cache-Control"))
			}
		}
		p.wantNothing(t)
	})
}

func TestFetchIsToldInJSON(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		p := k.start(t, newStub(t).address)
		for _, target := range []string{"/api", "/handled/api", "/.twinlatch/done?ticket=x", "//", "/static/../api"} {
			got := p.send(t, request{method: "POST", target: target, header: fetch, body: `{"change":true}`})
			if got.StatusCode != http.StatusUnauthorized || got.body != problem {
				t.Errorf("%s: %s with %q, want 401 with %q", target, got.Status, got.body, problem)
			}
			for name, want := range map[string]string{"Content-Type": "application/problem+json", "Www-Authenticate": challenge, "Cache-Control": "no-store", "Set-Cookie": "", "Location": ""} {
				if got := strings.Join(got.Header[name], " and "); got != want {
					t.Errorf("%s: %s is %q, want %q", target, name, got, want)
				}
			}
		}
		p.wantNothing(t)
	})
}

func TestGuestIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		p := k.start(t, newStub(t).address)
		got := p.send(t, request{header: page + "Cookie: session=guest\n"})
		if got.StatusCode != http.StatusForbidden {
			t.Errorf("%s, want 403", got.Status)
		}
		// auth_request drops the body of the answer; nginx shows a page of its own.
		if k.Name == "nginx" {
			if !strings.Contains(got.body, "403 Forbidden") || got.Header.Get("Content-Type") != "text/html" {
				t.Errorf("shows %q, %q", got.Header.Get("Content-Type"), got.body)
			}
		} else if got.body != refusal || got.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("shows %q, %q, want %q", got.Header.Get("Content-Type"), got.body, refusal)
		}
		got = p.send(t, request{header: fetch + "Cookie: session=guest\n"})
		if got.StatusCode != http.StatusForbidden || got.body != problem || got.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s with %q, %q, want 403 with %q", got.Status, got.Header.Get("Content-Type"), got.body, problem)
		}
		p.wantNothing(t)
	})
}

func TestNobodyGetsInWithoutAnAnswer(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		p := k.start(t, newStub(t).address)
		for _, session := range []string{"broken", "cut"} {
			if got := p.send(t, request{header: page + "Cookie: session=" + session + "\n"}); got.StatusCode < 500 {
				t.Errorf("%s: %s, want 5xx", session, got.Status)
			}
		}
		if got := p.send(t, request{header: page + "Cookie: session=strange\n"}); got.StatusCode < 400 {
			t.Errorf("strange: %s, want an error", got.Status)
		}
		// nginx and Caddy cannot tell.
		if k.Name == "haproxy" || k.Name == "apache" {
			if got := p.send(t, request{header: page + "Cookie: session=bare\n"}); got.StatusCode < 500 {
				t.Errorf("bare: %s, want 5xx", got.Status)
			}
		}
		p.wantNothing(t)
		down := k.start(t, freeAddress(t))
		if got := down.send(t, request{method: "POST", header: "Cookie: session=ann\n", body: "x=1"}); got.StatusCode < 500 {
			t.Errorf("down: %s, want 5xx", got.Status)
		}
		down.wantNothing(t)
	})
}

// wantNothing: no request got through.
func (p *Proxy) wantNothing(t *testing.T) {
	t.Helper()
	if got := append(p.wiki.requests(), p.files.requests()...); len(got) > 0 {
		t.Errorf("%d requests got through, the first was %+v", len(got), got[0])
	}
}

// A refused body must not be taken for the next request on that connection.
func TestConnectionGoesOnAfterARefusal(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		p := k.start(t, newStub(t).address)
		conn := p.dial(t, "")
		answers := bufio.NewReader(conn)
		inner := "GET /smuggled HTTP/1.1\r\nHost: " + p.host(wikiHost) + "\r\nCookie: session=ann\r\n\r\n"
		got := p.sendOn(t, conn, answers, request{method: "POST", header: fetch, body: inner})
		if got.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%s, want 401", got.Status)
		}
		if !got.Close {
			got = p.sendOn(t, conn, answers, request{target: "/next", header: "Cookie: session=ann\n"})
			if reached := got.reached(t); reached.URI != "/next" {
				t.Errorf("the app got %s, want /next", reached.URI)
			}
		}
		for _, r := range p.wiki.requests() {
			if r.URI == "/smuggled" {
				t.Error("the body of a refused request got through as a request")
			}
		}
	})
}

func TestWebSocket(t *testing.T) {
	const upgrade = "Connection: keep-alive, Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
	onEach(t, func(t *testing.T, k Kind) {
		p := k.start(t, newStub(t).address)
		if got := p.send(t, request{target: "/live", header: upgrade + "Sec-Fetch-Mode: websocket\n"}); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("without a session: %s, want 401", got.Status)
		}
		p.wantNothing(t)
		conn := p.dial(t, "")
		answers := bufio.NewReader(conn)
		fmt.Fprintf(conn, "GET /live HTTP/1.1\r\nHost: %s\r\n%s\r\n", p.host(wikiHost), strings.ReplaceAll(upgrade+"Cookie: session=ann\n"+spoofed, "\n", "\r\n"))
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%s, want 101", response.Status)
		}
		for _, word := range []string{"hello", "goodbye"} {
			fmt.Fprintf(conn, "%s\n", word)
			line, err := answers.ReadString('\n')
			if err != nil && err != io.EOF || line != "you said "+word+"\n" {
				t.Fatalf("heard %q (%v)", line, err)
			}
		}
		if got := ours(p.wiki.requests()[0].Header); fmt.Sprint(got) != fmt.Sprint(identity) {
			t.Errorf("the app was told %v", got)
		}
	})
}

// After 101 a proxy passes on whatever comes, and over HTTP/2 that is any number of
// requests with any headers. So an app may change to WebSockets and to nothing else.
func TestNoOtherUpgrade(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		p := k.start(t, newStub(t).address)
		for _, asked := range []string{
			"Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__\n",
			"Connection: Upgrade\nUpgrade: H2C\nHTTP2-Settings: AAMAAABkAAQAAP__\n",
			"Connection: upgrade\nUpgrade: h2c, websocket\n", "Connection: upgrade\nUpgrade: websocket, h2c\n",
			"Connection: upgrade\nUpgrade: h2c\nUpgrade: websocket\nHTTP2-Settings: AAMAAABkAAQAAP__\n",
			"Connection: upgrade\nUpgrade: websocket\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__\n",
			"Connection: upgrade\nUpgrade: TLS/1.0\n",
		} {
			conn := p.dial(t, "")
			got, err := p.try(conn, bufio.NewReader(conn), request{header: asked + "Cookie: session=ann\n"})
			if to := got.Header.Get("Upgrade"); err == nil && got.StatusCode == http.StatusSwitchingProtocols && !strings.EqualFold(to, "websocket") {
				t.Errorf("%q: changed to %q", asked, to)
			}
		}
		for _, r := range p.wiki.requests() {
			if to := r.Header.Values("Upgrade"); len(to) > 1 || len(to) == 1 && !strings.EqualFold(to[0], "websocket") {
				t.Errorf("the app was asked to change to %q", to)
			}
		}
	})
}

// A Host that could be that of two apps reaches neither, or the one that was judged.
func TestHostOfTwoApps(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		stub := newStub(t)
		p := k.start(t, stub.address)
		wiki, files := p.host(wikiHost), p.host(filesHost)
		for _, hosts := range [][2]string{{wiki, files}, {files, wiki}} {
			for _, between := range []string{",", ", ", "\r\nHost: "} {
				before, reached := len(stub.asked()), [2]int{len(p.wiki.requests()), len(p.files.requests())}
				conn := p.dial(t, "")
				_, _ = p.try(conn, bufio.NewReader(conn), request{host: hosts[0] + between + hosts[1], header: "Cookie: session=ann\n"})
				to := ""
				if len(p.wiki.requests()) > reached[0] {
					to = wikiHost
				}
				if len(p.files.requests()) > reached[1] {
					to += filesHost
				}
				asked := ""
				if all := stub.asked(); len(all) > before {
					asked = all[len(all)-1].url
				}
				if to != "" && !strings.HasPrefix(asked, "http://"+to) {
					t.Errorf("%q: %s was asked about, %s reached", hosts[0]+between+hosts[1], asked, to)
				}
			}
		}
	})
}

// What the app answers is the app's, also where it looks like an answer of the check.
func TestAnswerOfTheAppIsNotTouched(t *testing.T) {
	onEach(t, func(t *testing.T, k Kind) {
		p := k.start(t, newStub(t).address)
		for _, status := range []int{http.StatusFound, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusInternalServerError} {
			got := p.send(t, request{target: fmt.Sprintf("/status/%d", status), header: page + "Cookie: session=ann\n"})
			want := map[string]string{"Location": "/elsewhere", "Set-Cookie": "app=1", "Www-Authenticate": `Basic realm="app"`, "Content-Type": "text/x-app"}
			for name, value := range want {
				if got := strings.Join(got.Header[name], " and "); got != value {
					t.Errorf("%d: %s is %q, want %q", status, name, got, value)
				}
			}
			if got.StatusCode != status || got.body != "the app's own" {
				t.Errorf("%d: %s with %q", status, got.Status, got.body)
			}
		}
	})
}

func TestManyAtATimeAreNotMixedUp(t *testing.T) {
	const people, times = 16, 8
	onEach(t, func(t *testing.T, k Kind) {
		p := k.start(t, newStub(t).address)
		var group sync.WaitGroup
		for i := range people {
			group.Go(func() {
				name := fmt.Sprintf("user-%d", i)
				for range times {
					r, err := http.NewRequest("GET", "http://"+p.address+"/", nil)
					if err != nil {
						t.Error(err)
						return
					}
					r.Host = p.host(wikiHost)
					r.Header.Set("Cookie", "session="+name)
					response, err := http.DefaultTransport.RoundTrip(r)
					if err != nil {
						t.Error(err)
						return
					}
					var got received
					err = json.NewDecoder(response.Body).Decode(&got)
					response.Body.Close()
					if err != nil {
						t.Errorf("%s: %s, %v", name, response.Status, err)
						return
					}
					for header, value := range ours(got.Header) {
						if value != name || len(ours(got.Header)) != len(identity) {
							t.Errorf("%s was called %s in %s", name, value, header)
						}
					}
				}
			})
		}
		group.Wait()
	})
}
