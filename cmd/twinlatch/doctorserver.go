package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"time"
)

// seen is what the server told about one request at its public address.
type seen struct {
	IP        netip.Addr `json:"ip"`
	Forwarded string     `json:"forwarded"`

	local, remote netip.Addr // of the connection, as we see it
	tls           *tls.ConnectionState
}

const certificateSoon = 14 * 24 * time.Hour

// server asks the running server, by the way that browsers take.
func (d *doctor) server(ctx context.Context) {
	if d.cfg.Dev && d.cfg.Address.Port() == "0" {
		d.find("address", good, "", "any free port of this machine")
		return
	}
	s, err := askAddress(ctx, d.cfg.Address.JoinPath("client-ip").String())
	var certificate *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &certificate), errors.As(err, &unknown):
		d.find("tls", fail, "browsers refuse it as well", "the certificate of %s is not good: %s", d.cfg.Address, err)
		return
	case err != nil:
		d.find("address", warn, "start the server and its proxy, and run doctor again", "nobody answers at %s as a server: %s", d.cfg.Address, err)
		return
	}
	d.find("address", good, "", "the server answers at %s", d.cfg.Address)
	d.certificate(s.tls)
	d.clientIP(s)
}

// askAddress makes one request, with no proxy of ours and no redirection.
func askAddress(ctx context.Context, url string) (s seen, err error) {
	ctx, cancel := context.WithTimeout(ctx, healthcheckPatience)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		s.local, s.remote = addrOf(c.Conn.LocalAddr()), addrOf(c.Conn.RemoteAddr())
	}})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return s, err
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if errors.Is(err, context.DeadlineExceeded) {
		return s, fmt.Errorf("no answer in %v", healthcheckPatience)
	}
	if err != nil {
		return s, cause(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return s, fmt.Errorf("GET /client-ip answered %s", res.Status)
	}
	s.tls = res.TLS
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<10)).Decode(&s); err != nil || s.Forwarded == "" {
		return s, errors.New("GET /client-ip answered something else")
	}
	return s, nil
}

func addrOf(a net.Addr) netip.Addr {
	if at, ok := a.(*net.TCPAddr); ok {
		return at.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

func (d *doctor) certificate(state *tls.ConnectionState) {
	if state == nil {
		d.find("tls", good, "", "none is needed on this machine")
		return
	}
	left := state.PeerCertificates[0].NotAfter.Sub(d.now)
	until := state.PeerCertificates[0].NotAfter.Format(time.DateOnly)
	if left < certificateSoon {
		d.find("tls", warn, "renew it", "%s; the certificate is good until %s only", tls.VersionName(state.Version), until)
		return
	}
	d.find("tls", good, "", "%s; the certificate is good until %s", tls.VersionName(state.Version), until)
}

// clientIP judges which address the server took us for. A wrong one breaks the
// rule that a change of address asks for a code.
func (d *doctor) clientIP(s seen) {
	const check = "client IP"
	const behind = `see "Behind a proxy" in docs/operating.md`
	switch {
	case !s.IP.IsValid() && s.Forwarded == "believed" && slices.ContainsFunc(d.cfg.Proxies, func(p netip.Prefix) bool { return p.Contains(s.local) }):
		d.find(check, warn, fmt.Sprintf("ask %s from another machine; %s", d.cfg.Address.JoinPath("client-ip"), behind),
			"the server cannot tell it, because doctor comes from %s, which is one of proxies", s.local)
	case !s.IP.IsValid():
		d.find(check, fail, "have the proxy set X-Forwarded-For; "+behind, "the server cannot tell it, so nobody gets in")
	case s.Forwarded == "ignored":
		d.find(check, fail, fmt.Sprintf("if that is your proxy: proxies = [%q]; %s", s.IP, behind),
			"everybody has the address %s: what forwards for them is not one of proxies", s.IP)
	case s.IP == s.local:
		d.find(check, good, "", "the server sees this machine as %s", s.IP)
	case s.IP.IsLoopback(), s.IP.IsPrivate() && s.Forwarded == "none":
		d.find(check, fail, fmt.Sprintf("have it set X-Forwarded-For, and: proxies = [%q]; %s", s.IP, behind),
			"the server sees this machine as %s and not as %s: a proxy does not tell it", s.IP, s.local)
	default:
		d.find(check, warn, "right if that is the address of this machine on the Internet; "+behind, "the server sees this machine as %s, which is not %s", s.IP, s.local)
	}
}
