package proxies

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// These tests have the program itself behind the proxies. Their client is nobody
// that it knows; those who sign in are in package e2e.

// someone is where the client of these tests is: not at the address of a proxy.
const someone = "127.0.0.9"

func TestProgram(t *testing.T) {
	program := Build(t)
	for _, k := range Kinds {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			s := k.Site(t, program, "")
			t.Run("page", s.pageIsLed)
			t.Run("long address", s.longAddressIsLed)
			t.Run("fetch", s.fetchIsTold)
			t.Run("refused", func(t *testing.T) { s.personReads(t, k.Name) })
			t.Run("public", s.publicIsOpen)
			t.Run("confusion", s.noPathConfuses)
		})
	}
}

func (s *Site) pageIsLed(t *testing.T) {
	for _, method := range []string{"GET", "HEAD"} {
		for _, target := range []string{"/", "/a%2Fb?x=1&y=a%20b", "/admin", "/staff/x", "//a", "/publicity", "/public/../a", "/a/%2e%2e/b"} {
			got := s.proxy.send(t, request{from: someone, method: method, target: target, header: page})
			to, err := url.Parse(got.Header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			if got.StatusCode != http.StatusFound || to.Scheme+"://"+to.Host+to.Path != s.Address+"/auth/handover" ||
				to.Query().Get("return_to") != s.Wiki+target || to.Query().Get("state") == "" {
				t.Errorf("%s %s: %s to %s", method, target, got.Status, to)
			}
			state := got.Cookies()
			if len(state) != 1 || state[0].Name != "twinlatch-state" || !state[0].HttpOnly || state[0].Path != "/" || state[0].Domain != "" {
				t.Errorf("%s %s: cookies %v", method, target, state)
			}
		}
	}
	s.proxy.wantNothing(t)
}

// longAddressIsLed: the address of a page, with filters as apps have them, is in that of the
// sign-in it leads to, and in what our pages answer.
func (s *Site) longAddressIsLed(t *testing.T) {
	ours := func(address string) answer {
		return s.proxy.send(t, request{from: someone, host: s.proxy.host(idHost), target: strings.TrimPrefix(address, s.Address), header: page})
	}
	for _, filters := range []int{20, 60, 120, 200} {
		target := "/search?" + strings.Repeat("&f[]=%C3%A9", filters)
		led := s.proxy.send(t, request{from: someone, target: target, header: page})
		to, err := url.Parse(led.Header.Get("Location"))
		if err != nil || led.StatusCode != http.StatusFound || to.Path != "/auth/handover" || !strings.HasPrefix(s.Wiki+target, to.Query().Get("return_to")) {
			t.Fatalf("%d characters: %s to %s: %s", len(target), led.Status, to, led.body)
		}
		asked := ours(to.String())
		signIn := asked.Header.Get("Location")
		if asked.StatusCode != http.StatusSeeOther || !strings.HasPrefix(signIn, "/sign-in?return_to=") {
			t.Fatalf("%d characters: %s to %q: %s", len(target), asked.Status, signIn, asked.body)
		}
		if got := ours(signIn); got.StatusCode != http.StatusOK || !strings.Contains(got.body, "/forgot?return_to=") {
			t.Fatalf("%d characters: %s: %s", len(target), got.Status, got.body)
		}
	}
	s.proxy.wantNothing(t)
}

func (s *Site) fetchIsTold(t *testing.T) {
	for _, method := range []string{"GET", "POST", "DELETE"} {
		got := s.proxy.send(t, request{from: someone, method: method, target: "/api", header: fetch + "Referer: " + s.Wiki + "/deep?a=b\n"})
		var p struct {
			Type, URL string
			Status    int
		}
		if err := json.Unmarshal([]byte(got.body), &p); err != nil || got.StatusCode != http.StatusUnauthorized || got.Header.Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%s: %s, %v, %s", method, got.Status, err, got.body)
		}
		to, err := url.Parse(p.URL)
		if err != nil || p.Type != "urn:twinlatch:problem:sign-in" || p.Status != http.StatusUnauthorized || to.Query().Get("return_to") != s.Wiki+"/deep?a=b" {
			t.Errorf("%s: the problem is %s", method, got.body)
		}
		if got.Header.Get("WWW-Authenticate") != "Bearer" || len(got.Cookies()) > 0 {
			t.Errorf("%s: headers %v", method, got.Header)
		}
	}
	for target, host := range map[string]string{"/closed": "", "/closed/x": "", "/.twinlatch/": "", "/.twinlatch/handover?ticket=x&return_to=/": ""} {
		if got := s.proxy.send(t, request{from: someone, target: target, host: host, header: page}); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s, want 403", target, got.Status)
		}
	}
	s.proxy.wantNothing(t)
}

// personReads: who may not go on reads why in her language, and of nginx that it is forbidden.
func (s *Site) personReads(t *testing.T, proxy string) {
	got := s.proxy.send(t, request{from: someone, target: "/closed", header: page + "Accept-Language: cs\n"})
	kind, wants, policy := "text/html; charset=utf-8", "Tuto stránku nelze otevřít", "default-src 'none'"
	if proxy == "nginx" {
		kind, wants, policy = "text/html", "403 Forbidden", ""
	}
	if got.Header.Get("Content-Type") != kind || !strings.Contains(got.body, wants) || !strings.HasPrefix(got.Header.Get("Content-Security-Policy"), policy) {
		t.Errorf("%s, %v: %s", got.Status, got.Header, got.body)
	}
	s.proxy.wantNothing(t)
}

func (s *Site) publicIsOpen(t *testing.T) {
	for _, target := range []string{"/public", "/public/", "/public/a?b=/../c"} {
		got := s.proxy.send(t, request{from: someone, target: target, header: page + spoofed}).reached(t)
		if got.URI != target || len(ours(got.Header)) > 0 {
			t.Errorf("%s: the app got %s of %v", target, got.URI, ours(got.Header))
		}
	}
}

// open matches the paths that all apps take for public ones.
var open = regexp.MustCompile(`^/public(/[a-z]+)*/?(\?.*)?$`)

func (s *Site) noPathConfuses(t *testing.T) {
	p := s.proxy
	wiki, files := p.host(wikiHost), p.host(filesHost)
	var targets []string
	for _, up := range []string{"..", "%2e%2e", "%2E%2E", ".%2e", "%252e%252e", "..;", "..;x", "..%00", "..%20", ".. ", "..%09", "..\t", "%c0%ae%c0%ae", "..%5c", "..\\", "...", "."} {
		for _, slash := range []string{"/", "//", "%2f", "%2F", "%252f", "\\", "%5c", ";/", "/./", "/%2e/", "%ef%bc%8f"} {
			targets = append(targets, "/public"+slash+up+slash+"admin", "/public/"+up+slash+"admin", "/public"+slash+up+"/secret?x=1")
		}
	}
	targets = append(targets, "//", "//public/../admin", "//"+wiki+"/public", "//admin/public", "/public//admin/..", "/public;/../admin", "/PUBLIC/../admin",
		"/./admin", "/%2fpublic/../admin", "/%2Fadmin", "/admin/../public/..", "/admin%2f..%2fpublic%2f..", "/%61dmin", "/ADMIN", "/Admin/x", "/admin;/public",
		"/admin?/public", "/admin%3f/public", "/admin%23/public", "/admin%00/public", "/\\admin", "/admin\\..\\public", "/public%0d%0aX:%20y/../admin",
		"/public%3f/../admin", "/public#/../admin", "/public/?/../../admin", "/secret/public", "/publi%63/../secret", "http://"+wiki+"/public/../admin",
		"http://"+wiki+"/admin", "http://"+files+"/admin", "http://evil.localhost/public", "http://"+wiki+"//admin", "http://"+wiki+"?/public", "http://"+wiki+"/%70ublic/%2e%2e/admin",
		"HTTP://"+wiki+"/public/%2e%2e/admin", "http://x@"+wiki+"/admin", "*", "public/../admin", ".", "?/public", "/.twinlatch/../admin", "/.twinlatch-check", "/%2etwinlatch/")
	lies := []string{
		"", "X-Original-URL: " + s.Wiki + "/public\nX-Original-Method: OPTIONS\n", "X-Original-URL: /public\nX-Rewrite-URL: /public\n",
		"X-Forwarded-Uri: /public\nX-Forwarded-Method: OPTIONS\n", "X-Forwarded-Host: " + files + "\nX-Forwarded-Proto: http\nX-Forwarded-Uri: /public\n",
		"X-Forwarded-Uri: /public\nConnection: close, X-Forwarded-Uri, X-Original-URL, Cookie\n", "Remote-User: root\nX-2SV-At: 2036-01-01T00:00:00Z\n" + spoofed,
		"X-Forwarded-For: 127.0.0.1\nX-Real-IP: 127.0.0.1\nForwarded: for=127.0.0.1;host=" + files + "\n", "X-HTTP-Method-Override: OPTIONS\n", "Upgrade: websocket\nConnection: upgrade\n",
	}
	answered := 0
	ask := func(r request) {
		r.from = someone
		conn := p.dial(t, r.from)
		defer conn.Close()
		if _, err := p.try(conn, bufio.NewReader(conn), r); err == nil {
			answered++
		}
	}
	for _, target := range targets {
		ask(request{target: target, header: page})
	}
	for _, target := range targets[len(targets)-60:] {
		ask(request{method: "HEAD", target: target, header: page})
	}
	for _, lie := range lies {
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"} {
			for _, kind := range []string{page, fetch} {
				ask(request{method: method, target: "/secret", header: kind + lie})
			}
		}
		ask(request{version: "HTTP/1.0", target: "/secret", header: page + lie})
	}
	for _, host := range []string{"localhost", p.host(idHost), files, "WIKI.LOCALHOST", wikiHost + ".", wikiHost + ":80", "evil.example.test", wiki + ", " + files, ""} {
		ask(request{host: host + " ", target: "/secret", header: page})
		ask(request{target: "/secret", header: page + "Host: " + host + "\n"})
		ask(request{host: host, target: "http://" + wiki + "/secret", header: page})
		ask(request{host: wiki, target: "http://" + host + "/secret", header: page})
	}
	for _, got := range append(p.wiki.requests(), p.files.requests()...) {
		if !open.MatchString(got.URI) {
			t.Errorf("%s %s of Host %s got through to %s", got.Method, got.URI, got.Host, got.App)
		}
	}
	if answered < len(targets) {
		t.Errorf("only %d of more than %d requests were answered", answered, len(targets))
	}
}
