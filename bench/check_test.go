package bench

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/forwardauth"
	"github.com/twinlatch/twinlatch/rules"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// app is protected by the rules of a medium company.
const app = "https://wiki.example.com"

var appRules = []string{
	app + "/ second-step", app + "/admin second-step within=15m group=admin", app + "/status public",
	"https://files.example.com/ signed-in", "https://shop.example.org/ public",
}

// guarded is the door for proxies in front of an app that p has opened, and the request
// of a proxy for a page of it.
func guarded(b testing.TB, p *person) (*forwardauth.Door, *http.Request) {
	b.Helper()
	set, err := rules.New(appRules, time.ParseDuration)
	if err != nil {
		b.Fatal(err)
	}
	door, err := forwardauth.New(forwardauth.Config{
		Service: p.Service, Address: &url.URL{Scheme: "https", Host: "id.example.com"}, Rules: set,
		Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	})
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/auth/forward", nil)
	r.RemoteAddr = "127.0.0.1:50000"
	for name, value := range map[string]string{
		"X-Forwarded-Method": "GET", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "wiki.example.com",
		"X-Forwarded-Uri": "/pages/2026/minutes?draft=1", "X-Forwarded-For": client.IP.String(),
		"User-Agent": client.UserAgent, "Accept": "text/html", "Sec-Fetch-Mode": "navigate",
		"Cookie": "theme=dark; __Host-twinlatch=" + p.opened(b, "wiki.example.com").Reveal(),
	} {
		r.Header.Set(name, value)
	}
	return door, r
}

// opened is a token of an app's host.
func (p *person) opened(b testing.TB, host string) twinlatch.Token {
	b.Helper()
	ctx, state := context.Background(), twinlatch.NewSecret("state")
	d, err := p.Check(ctx, p.token, client)
	if err != nil {
		b.Fatal(err)
	}
	who, _ := d.Passed()
	ticket, err := p.IssueHandOver(ctx, who, host, twinlatch.StateDigest(state))
	if err != nil {
		b.Fatal(err)
	}
	token, err := p.HandOver(ctx, ticket, host, state, client)
	if err != nil {
		b.Fatal(err)
	}
	return token
}

// discard is a ResponseWriter that costs nothing itself.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// BenchmarkProxyCheck is the door for proxies without HTTP around it.
func BenchmarkProxyCheck(b *testing.B) {
	door, r := guarded(b, newPerson(b, twinlatchtest.SQLite(b)))
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		door.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			b.Fatal(w.status)
		}
	}
}
