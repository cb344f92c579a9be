package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch/config"
)

// doctorOf is a doctor whose findings can be read.
func doctorOf(t *testing.T, cfg *config.Config) *doctor {
	t.Helper()
	return &doctor{cfg: cfg, now: time.Now(), tell: func(finding) {}}
}

func TestWhichAddressTheServerSees(t *testing.T) {
	ip := netip.MustParseAddr
	for _, row := range []struct {
		what      string
		seen      string // "": it cannot tell
		forwarded string
		local     string
		want      verdict
		says      string
	}{
		{"no proxy", "192.0.2.1", "none", "192.0.2.1", good, "sees this machine as 192.0.2.1"},
		{"a proxy that tells", "192.0.2.1", "believed", "192.0.2.1", good, "sees this machine as 192.0.2.1"},
		{"NAT before the proxy", "192.0.2.1", "believed", "10.0.0.2", warn, "which is not 10.0.0.2"},
		{"NAT", "192.0.2.1", "none", "10.0.0.2", warn, "which is not 10.0.0.2"},
		{"a proxy that we do not know", "10.0.0.9", "ignored", "192.0.2.1", fail, "everybody has the address 10.0.0.9"},
		{"a proxy on the same machine that we do not know", "127.0.0.1", "ignored", "192.0.2.1", fail, `proxies = ["127.0.0.1"]`},
		{"a proxy on the same machine that tells nothing", "127.0.0.1", "none", "192.0.2.1", fail, "have it set X-Forwarded-For"},
		{"a proxy nearby that tells nothing", "10.0.0.9", "none", "192.0.2.1", fail, `proxies = ["10.0.0.9"]`},
		{"a proxy that we know and that tells nothing", "", "none", "192.0.2.1", fail, "cannot tell it"},
		{"a proxy that tells nonsense", "", "believed", "192.0.2.1", fail, "cannot tell it"},
		{"doctor on the proxy's own machine", "", "believed", "203.0.113.9", warn, "doctor comes from 203.0.113.9, which is one of proxies"},
		{"the same without the header", "", "none", "203.0.113.9", fail, "have the proxy set X-Forwarded-For"},
	} {
		s := seen{Forwarded: row.forwarded, local: ip(row.local)}
		if row.seen != "" {
			s.IP = ip(row.seen)
		}
		d := doctorOf(t, &config.Config{Address: &url.URL{Scheme: "https", Host: "id.example.com"}, Proxies: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}})
		d.clientIP(s)
		if f := d.all[0]; f.Verdict != row.want || !strings.Contains(f.Text+" "+f.Do, row.says) || f.Verdict != good && f.Do == "" {
			t.Errorf("%s: %+v", row.what, f)
		}
	}
}

func TestDoctorAsksByTheWayOfBrowsers(t *testing.T) {
	var answer http.HandlerFunc
	https := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	defer https.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	defer plain.Close()
	says := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(body)) }
	}
	for _, row := range []struct {
		what, url string
		answer    http.HandlerFunc
		want      []finding // check and verdict; Text is a part of it
	}{
		{"a certificate of nobody", https.URL, says(""), []finding{{Check: "tls", Verdict: fail, Text: "certificate"}}},
		{"another program", plain.URL, says("<html>"), []finding{{Check: "address", Verdict: warn, Text: "answered something else"}}},
		{"another JSON", plain.URL, says("{}"), []finding{{Check: "address", Verdict: warn, Text: "answered something else"}}},
		{"a redirection", plain.URL, http.RedirectHandler("/", http.StatusFound).ServeHTTP, []finding{{Check: "address", Verdict: warn, Text: "answered 302 Found"}}},
		{"an error", plain.URL, http.NotFound, []finding{{Check: "address", Verdict: warn, Text: "answered 404 Not Found"}}},
		{"ours", plain.URL, says(`{"ip":"127.0.0.1","forwarded":"none"}`), []finding{
			{Check: "address", Verdict: good}, {Check: "tls", Verdict: good, Text: "none is needed"}, {Check: "client IP", Verdict: good, Text: "as 127.0.0.1"},
		}},
		{"ours, which cannot tell", plain.URL, says(`{"ip":"","forwarded":"believed"}`), []finding{
			{Check: "address", Verdict: good}, {Check: "tls", Verdict: good}, {Check: "client IP", Verdict: fail},
		}},
	} {
		answer = row.answer
		address, err := url.Parse(row.url)
		if err != nil {
			t.Fatal(err)
		}
		d := doctorOf(t, &config.Config{Address: address})
		d.server(t.Context())
		if len(d.all) != len(row.want) {
			t.Errorf("%s: %+v", row.what, d.all)
			continue
		}
		for i, want := range row.want {
			if have := d.all[i]; have.Check != want.Check || have.Verdict != want.Verdict || !strings.Contains(have.Text, want.Text) {
				t.Errorf("%s: %+v, want %+v", row.what, have, want)
			}
		}
	}
}

func TestCertificatesThatEndSoon(t *testing.T) {
	for left, want := range map[time.Duration]verdict{90 * 24 * time.Hour: good, 13 * 24 * time.Hour: warn} {
		d := doctorOf(t, nil)
		d.certificate(&tls.ConnectionState{Version: tls.VersionTLS13, PeerCertificates: []*x509.Certificate{{NotAfter: d.now.Add(left)}}})
		if f := d.all[0]; f.Verdict != want || !strings.HasPrefix(f.Text, "TLS 1.3; ") {
			t.Errorf("%v: %+v", left, f)
		}
	}
}
