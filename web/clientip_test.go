package web_test

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/web"
)

// proxies are those that the operator trusts in these tests.
func proxies() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:f::/48")}
}

func clientIP(peer string, proxies []netip.Prefix, forwarded ...string) netip.Addr {
	return web.ClientIP(requestFrom(peer, forwarded), proxies)
}

// connectedIP is clientIP of a request over a connection that was looked at before.
func connectedIP(peer string, proxies []netip.Prefix, forwarded ...string) netip.Addr {
	r := requestFrom(peer, forwarded)
	c := connection{remote: &net.UnixAddr{Name: peer}}
	if from, err := netip.ParseAddrPort(peer); err == nil {
		c.remote, r.RemoteAddr = net.TCPAddrFromAddrPort(from), "not read"
	}
	return web.ClientIP(r.WithContext(web.WithPeer(r.Context(), c)), proxies)
}

type connection struct {
	net.Conn
	remote net.Addr
}

func (c connection) RemoteAddr() net.Addr { return c.remote }

func requestFrom(peer string, forwarded []string) *http.Request {
	r := &http.Request{RemoteAddr: peer, Header: http.Header{}}
	if forwarded != nil {
		r.Header["X-Forwarded-For"] = forwarded
	}
	return r
}

func TestClientIP(t *testing.T) {
	const proxy, client, unknown = "10.0.0.1:40000", "192.0.2.1", ""
	hops := func(n int) string { return client + strings.Repeat(", 10.1.1.1", n-1) }
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"a peer without a header", "192.0.2.1:40000", nil, client},
		{"IPv6", "[2001:db8::1]:40000", nil, "2001:db8::1"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.1]:40000", nil, client},
		{"a zone", "[fe80::1%eth0]:40000", nil, "fe80::1"},
		{"loopback", "127.0.0.1:40000", nil, "127.0.0.1"},

		{"the peer is no proxy: header ignored", "192.0.2.1:40000", []string{"198.51.100.7"}, client},
		{"nor does nonsense in it matter", "192.0.2.1:40000", []string{"nonsense", ","}, client},
		{"next to the proxies is not among them", "11.0.0.1:40000", []string{"198.51.100.7"}, "11.0.0.1"},

		{"behind a proxy", proxy, []string{client}, client},
		{"behind an IPv6 proxy", "[2001:db8:f::1]:1", []string{client}, client},
		{"behind a proxy, IPv4 in IPv6", "[::ffff:10.0.0.1]:40000", []string{client}, client},
		{"behind a proxy, IPv6", proxy, []string{"2001:db8::1"}, "2001:db8::1"},
		{"spaces and tabs", proxy, []string{" \t192.0.2.1\t "}, client},
		{"a forwarded address in IPv6", proxy, []string{"::ffff:192.0.2.1"}, client},
		{"two proxies", proxy, []string{client + ", 10.0.0.2"}, client},
		{"a proxy in IPv6 notation", proxy, []string{client + ", ::ffff:10.0.0.2"}, client},
		{"the right-most that is no proxy", proxy, []string{"198.51.100.7, 192.0.2.1, 10.0.0.2"}, client},
		{"what the client wrote does not count", proxy, []string{"10.0.0.9, 198.51.100.7, 192.0.2.1"}, client},
		{"malformed beyond the walk", proxy, []string{"nonsense, , 192.0.2.1"}, client},
		{"several lines are one", proxy, []string{"198.51.100.7", "192.0.2.1", "10.0.0.2"}, client},
		{"the last line counts", proxy, []string{client, "198.51.100.7"}, "198.51.100.7"},

		{"no header", proxy, nil, unknown},
		{"an empty header", proxy, []string{""}, unknown},
		{"spaces only", proxy, []string{"  "}, unknown},
		{"a comma", proxy, []string{","}, unknown},
		{"an empty element on the walk", proxy, []string{"192.0.2.1,"}, unknown},
		{"an empty line after it", proxy, []string{client, ""}, unknown},
		{"an empty element behind a proxy", proxy, []string{"192.0.2.1, , 10.0.0.2"}, unknown},
		{"malformed on the walk", proxy, []string{"192.0.2.1, nonsense, 10.0.0.2"}, unknown},
		{"malformed itself", proxy, []string{"unknown"}, unknown},
		{"obfuscated", proxy, []string{"_hidden"}, unknown},
		{"only proxies", proxy, []string{"10.0.0.3, 10.0.0.2"}, unknown},
		{"a port", proxy, []string{"192.0.2.1:80"}, unknown},
		{"brackets", proxy, []string{"[2001:db8::1]"}, unknown},
		{"brackets and a port", proxy, []string{"[2001:db8::1]:80"}, unknown},
		{"quotes", proxy, []string{`"192.0.2.1"`}, unknown},
		{"a zone on the walk", proxy, []string{"fe80::1%eth0"}, unknown},
		{"a zone that hides another", proxy, []string{"2001:db8::1%192.0.2.1"}, unknown},
		{"a mask", proxy, []string{"192.0.2.1/32"}, unknown},
		{"leading zeros", proxy, []string{"192.000.002.001"}, unknown},
		{"a number", proxy, []string{"3221225985"}, unknown},
		{"hexadecimal", proxy, []string{"0xc0000201"}, unknown},
		{"three parts", proxy, []string{"192.0.1"}, unknown},
		{"too large a part", proxy, []string{"300.1.1.1"}, unknown},
		{"the unspecified address", proxy, []string{"0.0.0.0"}, unknown},
		{"the unspecified address, IPv6", proxy, []string{"::"}, unknown},
		{"the unspecified address, mapped", proxy, []string{"::ffff:0.0.0.0"}, unknown},
		{"multicast", proxy, []string{"224.0.0.1"}, unknown},
		{"multicast, IPv6", proxy, []string{"ff02::1"}, unknown},
		{"multicast, mapped", proxy, []string{"::ffff:224.0.0.1"}, unknown},
		{"a line end", proxy, []string{"192.0.2.1\r\n"}, unknown},
		{"a NUL", proxy, []string{"192.0.2.1\x00"}, unknown},
		{"other spaces", proxy, []string{"192.0.2.1\u00a0"}, unknown},
		{"full-width digits", proxy, []string{"１９２.0.2.1"}, unknown},

		{"32 hops", proxy, []string{hops(32)}, client},
		{"33 hops", proxy, []string{hops(33)}, unknown},
		{"33 hops on 33 lines", proxy, append([]string{client}, slices.Repeat([]string{"10.1.1.1"}, 32)...), unknown},
		{"4000 hops", proxy, []string{hops(4000)}, unknown},
		{"4 KiB", proxy, []string{strings.Repeat(" ", 4096-len(client)) + client}, client},
		{"4 KiB and one byte", proxy, []string{strings.Repeat(" ", 4097-len(client)) + client}, unknown},
		{"4 KiB beyond the walk", proxy, []string{strings.Repeat("x", 4097) + ", " + client}, unknown},

		{"a Unix socket", "@", []string{client}, unknown},
		{"no peer", "", nil, unknown},
		{"a peer without a port", "192.0.2.1", nil, unknown},
		{"a name", "localhost:80", nil, unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := netip.Addr{}
			if c.want != unknown {
				want = netip.MustParseAddr(c.want)
			}
			if got := clientIP(c.peer, proxies(), c.forwarded...); got != want {
				t.Errorf("%s by way of %q is %v, want %v", c.peer, c.forwarded, got, want)
			}
			if got := connectedIP(c.peer, proxies(), c.forwarded...); got != want {
				t.Errorf("over a connection: %s by way of %q is %v, want %v", c.peer, c.forwarded, got, want)
			}
		})
	}
}

// Other headers of proxies count for nothing, also from a trusted one.
func TestClientIPReadsOneHeader(t *testing.T) {
	for _, name := range []string{"Forwarded", "X-Real-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Client-Ip", "X-Forwarded", "Client-Ip", "Via"} {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{name: {"198.51.100.7"}, "X-Forwarded-For": {"192.0.2.1"}}}
		if got := web.ClientIP(r, proxies()); got.String() != "192.0.2.1" {
			t.Errorf("%s: %v", name, got)
		}
		r.Header.Del("X-Forwarded-For")
		if got := web.ClientIP(r, proxies()); got.IsValid() {
			t.Errorf("%s alone: %v", name, got)
		}
	}
}

// Without configured proxies every header is a lie.
func TestClientIPWithoutProxies(t *testing.T) {
	for _, peer := range []string{"127.0.0.1", "10.0.0.1", "192.0.2.1"} {
		if got := clientIP(peer+":1", nil, "198.51.100.7"); got.String() != peer {
			t.Errorf("%s: %v", peer, got)
		}
	}
}

// FuzzClientIP: what a peer that is no proxy sends has no effect; behind a proxy
// the answer is unknown or a plain address that stands in the header and is no
// proxy; and what stands further left than the answer has no effect.
func FuzzClientIP(f *testing.F) {
	for _, forwarded := range []string{"192.0.2.1", "198.51.100.7, 192.0.2.1, 10.0.0.2", "nonsense, 192.0.2.1", "::ffff:0.0.0.0", "fe80::1%eth0", ",", "", "[::1]:80\n10.0.0.1"} {
		f.Add(forwarded, "198.51.100.9")
	}
	f.Fuzz(func(t *testing.T, forwarded, left string) {
		lines := strings.Split(forwarded, "\n")
		for _, peer := range []string{"192.0.2.55:1", "[2001:db8::55]:1", "[::ffff:192.0.2.55]:1"} {
			if got, want := clientIP(peer, proxies(), lines...), clientIP(peer, proxies()); got != want || !got.IsValid() {
				t.Errorf("%q made %v of %v", lines, got, want)
			}
		}
		got := clientIP("10.0.0.1:1", proxies(), lines...)
		if !got.IsValid() {
			return
		}
		if got.Zone() != "" || got.Is4In6() || got.IsUnspecified() || got.IsMulticast() {
			t.Errorf("%q: %v is no client", lines, got)
		}
		for _, p := range proxies() {
			if p.Contains(got) {
				t.Errorf("%q: %v is a proxy", lines, got)
			}
		}
		stands := slices.ContainsFunc(strings.Split(strings.Join(lines, ","), ","), func(hop string) bool {
			ip, err := netip.ParseAddr(strings.TrimSpace(hop))
			return err == nil && ip.Unmap() == got
		})
		if !stands {
			t.Errorf("%q: nobody said %v", lines, got)
		}
		if more := clientIP("10.0.0.1:1", proxies(), append([]string{left}, lines...)...); more.IsValid() && more != got {
			t.Errorf("%q before %q made %v of %v", left, lines, more, got)
		}
	})
}
