package proxies

import (
	"maps"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// Neither Traefik nor Envoy is to be had from Debian, so these tests send what
// they document and what their code sends.

// ask sends one question to the check and does not follow where it leads.
func ask(t *testing.T, method, url, host string, header map[string]string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response
}

// visits are requests, what the check has to say of each, and where to.
var visits = []struct {
	name     string
	header   map[string]string
	status   int
	location string
}{
	{"a page without a session", map[string]string{"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}, http.StatusFound, signIn},
	{"a fetch without a session", map[string]string{"Accept": "application/json", "Sec-Fetch-Mode": "cors"}, http.StatusUnauthorized, ""},
	{"a session", map[string]string{"Cookie": "session=ann"}, http.StatusOK, ""},
	{"a session without rights", map[string]string{"Cookie": "session=guest"}, http.StatusForbidden, ""},
}

// traefikSends is what https://doc.traefik.io/traefik/v3.3/reference/routing-configuration/http/middlewares/forwardauth/
// calls "Forward-Request Headers", with the X-Forwarded-Port that newer ones add
// (writeHeader in pkg/middlewares/auth/forward.go of v3.7.13), to a GET of the
// address, whatever the method was.
func traefikSends(method, host, uri, client string) map[string]string {
	return map[string]string{
		"X-Forwarded-Method": method, "X-Forwarded-Proto": "https", "X-Forwarded-Host": host, "X-Forwarded-Uri": uri,
		"X-Forwarded-For": client, "X-Forwarded-Port": "443",
	}
}

func TestWhatTraefikDocumentsThatItSends(t *testing.T) {
	s := newStub(t)
	for _, visit := range visits {
		header := traefikSends("PUT", "wiki.example.test", "/a%2Fb?q=a%20b", "192.0.2.7")
		maps.Copy(header, visit.header)
		got := ask(t, "GET", "http://"+s.address+"/auth/forward", "", header)
		if got.StatusCode != visit.status || got.Header.Get("Location") != visit.location {
			t.Errorf("%s: %s to %q, want %d to %q", visit.name, got.Status, got.Header.Get("Location"), visit.status, visit.location)
		}
		q := s.last(t)
		if q.url != "https://wiki.example.test/a%2Fb?q=a%20b" || q.method != "PUT" || q.client != "192.0.2.7" {
			t.Errorf("%s: understood as %s %s by %s", visit.name, q.method, q.url, q.client)
		}
	}
}

// Traefik takes away the headers that this matches, and puts those of the answer
// that it matches in their place. It knows them in Go's spelling.
func TestTraefikTakesAwayWhatLooksLikeOurs(t *testing.T) {
	text, err := os.ReadFile(documented(t, "traefik/twinlatch.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	setting := regexp.MustCompile(`authResponseHeadersRegex: "(.*)"`).FindSubmatch(text)
	if setting == nil {
		t.Fatal("authResponseHeadersRegex is not set")
	}
	takesAway := regexp.MustCompile(string(setting[1]))
	for name := range identity {
		for _, spelling := range []string{name, strings.ReplaceAll(name, "-", "_"), strings.Replace(name, "-", "_", 1), strings.ReplaceAll(name, "-", ".")} {
			if spelling = http.CanonicalHeaderKey(spelling); !takesAway.MatchString(spelling) {
				t.Errorf("%s stays", spelling)
			}
		}
	}
	for _, name := range []string{"Remote-Addr", "X-Remote-User", "Remoteuser", "X-2sv-At-All", "Set-Cookie"} {
		if takesAway.MatchString(name) {
			t.Errorf("%s is taken away", name)
		}
	}
}

// envoySends is what the section HttpService and AuthorizationRequest of
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/ext_authz/v3/ext_authz.proto
// says: "Content-Length header is set to 0 and the request to the authorization
// service has no message body", method, path (behind path_prefix) and Host are those
// of the client. With use_remote_address Envoy sets X-Forwarded-Proto and appends
// to X-Forwarded-For, and once more its own address when it asks
// (https://github.com/envoyproxy/envoy/issues/21519).
func envoySends(clients string) map[string]string {
	return map[string]string{"Content-Length": "0", "X-Forwarded-Proto": "https", "X-Forwarded-For": clients, "X-Envoy-Internal": "true"}
}

func TestWhatEnvoyDocumentsThatItSends(t *testing.T) {
	s := newStub(t)
	for _, visit := range visits {
		for _, method := range []string{"GET", "PUT", "POST", "HEAD"} {
			header := envoySends("203.0.113.9, 192.0.2.7, 192.0.2.10")
			maps.Copy(header, visit.header)
			got := ask(t, method, "http://"+s.address+"/auth/envoy//a%2Fb?q=a%20b", "wiki.example.test", header)
			if got.StatusCode != visit.status || got.Header.Get("Location") != visit.location {
				t.Errorf("%s, %s: %s to %q, want %d to %q", visit.name, method, got.Status, got.Header.Get("Location"), visit.status, visit.location)
			}
			q := s.last(t)
			if q.url != "https://wiki.example.test//a%2Fb?q=a%20b" || q.method != method || q.client != "203.0.113.9, 192.0.2.7, 192.0.2.10" {
				t.Errorf("%s, %s: understood as %s %s by %s", visit.name, method, q.method, q.url, q.client)
			}
		}
	}
}
