package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// parseProxies reads networks and plain addresses between commas. Nothing is an
// empty list: no forwarding header is believed.
func parseProxies(value string) ([]netip.Prefix, error) {
	if strings.TrimSpace(value) == "" {
		return nil, nil
	}
	var list []netip.Prefix
	for text := range strings.SplitSeq(value, ",") {
		p, err := parseNetwork(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	if coversAll(list) {
		return nil, errors.New("covers all addresses: anybody could then choose the address we see, and a stolen session would pass from anywhere; list your proxies only")
	}
	return list, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%s is neither an address nor a network such as 10.0.0.0/8", quote(text))
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 { // peers are compared unmapped
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() { // a slip of /8 for /32 trusts 16 million machines
		return netip.Prefix{}, fmt.Errorf("%s has bits after its network; write %v or %v", quote(text), p.Masked(), p.Addr())
	}
	return p, nil
}

// coversAll says whether some list together holds every address that a client
// on the Internet can have, of one family.
func coversAll(list []netip.Prefix) bool {
	prefix := netip.MustParsePrefix
	reserved := []netip.Prefix{prefix("0.0.0.0/8"), prefix("127.0.0.0/8"), prefix("224.0.0.0/3")}
	v4 := append(reserved, list...)
	return covers(v4, prefix("0.0.0.0/0")) || covers(list, prefix("2000::/3"))
}

// covers says whether list together holds every address of p.
func covers(list []netip.Prefix, p netip.Prefix) bool {
	inside := false
	for _, q := range list {
		if q.Bits() <= p.Bits() && q.Contains(p.Addr()) {
			return true
		}
		inside = inside || p.Contains(q.Addr())
	}
	if !inside {
		return false
	}
	low, high := halves(p)
	return covers(list, low) && covers(list, high)
}

// halves splits p, which is larger than one address, in two.
func halves(p netip.Prefix) (low, high netip.Prefix) {
	bits := p.Bits()
	raw := p.Addr().AsSlice()
	raw[bits/8] |= 0x80 >> (bits % 8)
	upper, _ := netip.AddrFromSlice(raw)
	return netip.PrefixFrom(p.Addr(), bits+1), netip.PrefixFrom(upper, bits+1)
}
