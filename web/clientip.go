// Package web is what all doors share about HTTP: the session cookie, the
// client's address, the security headers and handlers that return errors. It
// knows nothing about pages or JSON.
//
// It is stable from 1.0 on.
package web

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// A longer X-Forwarded-For is not a chain of proxies.
const (
	maxHops        = 32
	maxForwardedIP = 4 << 10
)

// ClientIP is the address of the client as far as the operator's proxies can be
// trusted; the zero Addr when it is unknown. IPv4 in IPv6 is unmapped.
//
// A peer that is not in proxies is the client, and its X-Forwarded-For is
// ignored. Behind a peer in proxies the header, all lines of it together, is
// walked from right to left over addresses in proxies; the first other one is
// the client. Anything on the walk that is not a plain address makes the client
// unknown, as does a missing header, one that names proxies only, and one of
// more than 32 hops or 4 KiB.
func ClientIP(r *http.Request, proxies []netip.Prefix) netip.Addr {
	ip, _ := Client(r, proxies)
	return ip
}

// Client is ClientIP, and whether the request comes from one of proxies.
func Client(r *http.Request, proxies []netip.Prefix) (ip netip.Addr, proxied bool) {
	ip, proxied = peer(r, proxies)
	if proxied {
		ip = forwardedFor(r, proxies)
	}
	return ip, proxied
}

// forwardedFor is the client as proxies tell it; the zero Addr when they do not.
func forwardedFor(r *http.Request, proxies []netip.Prefix) netip.Addr {
	lines := r.Header["X-Forwarded-For"]
	forwarded := ""
	if len(lines) == 1 {
		forwarded = lines[0]
	} else {
		forwarded = strings.Join(lines, ",")
	}
	if forwarded == "" || len(forwarded) > maxForwardedIP {
		return netip.Addr{}
	}
	if strings.Count(forwarded, ",") >= maxHops {
		return netip.Addr{}
	}
	for more := true; more; {
		last := forwarded
		var i int
		if i = strings.LastIndexByte(forwarded, ','); i >= 0 {
			forwarded, last = forwarded[:i], forwarded[i+1:]
		}
		more = i >= 0
		hop, err := netip.ParseAddr(strings.Trim(last, " \t"))
		if err != nil || hop.Zone() != "" {
			return netip.Addr{}
		}
		hop = hop.Unmap()
		switch {
		case hop.IsUnspecified() || hop.IsMulticast():
			return netip.Addr{}
		case !contains(proxies, hop):
			return hop
		}
	}
	return netip.Addr{}
}

// peer is who sent a request, the zero Addr when that is unknown, and whether it is one
// of proxies.
func peer(r *http.Request, proxies []netip.Prefix) (ip netip.Addr, proxied bool) {
	ip, known := r.Context().Value(peerOf{}).(netip.Addr)
	if !known {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			return netip.Addr{}, false
		}
		ip = plainIP(from.Addr())
	}
	return ip, contains(proxies, ip)
}

func plainIP(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }

// peerOf is the key of a connection's peer.
type peerOf struct{}

// WithPeer is an http.Server.ConnContext: the address of a peer is read once and not
// for each request. Without it ClientIP reads http.Request.RemoteAddr; with it what a
// middleware writes there counts for nothing.
func WithPeer(ctx context.Context, c net.Conn) context.Context {
	from, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, peerOf{}, plainIP(from.AddrPort().Addr()))
}

func contains(proxies []netip.Prefix, ip netip.Addr) bool {
	for _, p := range proxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
