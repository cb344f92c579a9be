package forwardauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

// Browsers reach our pages by one address and an app by another one. A code just
// entered counts for both; an older one is asked for once more, and then both are
// known. The way never goes in circles: the browser of these tests would say so.
func TestPagesByIPv6AndAppsByIPv4(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pages, app string
	}{
		"IPv6, then IPv4": {home6, home},
		"IPv4, then IPv6": {home, home6},
		"IPv4 in IPv6":    {home6, "::ffff:" + home},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for old, carried := range map[time.Duration]bool{
				0: true, time.Minute: true, 2*time.Minute - time.Second: true, 2 * time.Minute: false, time.Hour: false, 29 * 24 * time.Hour: false,
			} {
				w := newWorld(t)
				ana, _ := w.protected("ana@example.com")
				b := ana.browser()
				b.ip, b.appIP = c.pages, c.app
				b.again()
				w.later(old)
				if carried {
					b.arrives(wiki)
					if len(b.tickets()) != 1 {
						t.Errorf("%v: went %q", old, b.went)
					}
				} else {
					b.isAsked(wiki, "/verify")
					if h, _ := web.ReadHandOver(handOver(t, b.went[len(b.went)-2])); !h.Again {
						t.Errorf("%v: went %q", old, b.went)
					}
					b.posts("code", ana.code()).is(200).has("Remote-User", "ana@example.com")
				}
				for range 3 {
					b.gets(wiki)
					b.passed() // at our pages
				}
				b.later(time.Hour)
				b.gets(wiki)
				b.arrives(files) // both addresses are known, so no code is asked
			}
		})
	}
}

// An app on two addresses by turns, one of each family, is asked for no more codes
// once both have had theirs.
func TestAnAppByBothFamilies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana, b := w.protected("ana@example.com")
	b.arrives(wiki)
	b.appIP = home6
	b.arrives(wiki) // the code is a moment old
	w.later(time.Hour)
	for range 5 {
		b.appIP = home
		b.gets(wiki)
		b.appIP = home6
		b.gets(wiki)
	}
	b.appIP = "2001:db8:9::1"
	b.isAsked(wiki, "/verify")
	b.posts("code", ana.code()).is(200)
	b.gets(wiki)
}

// Of one family only one address is known. Pages and app in two networks of the same
// family are asked by turns, but not in circles.
func TestTwoNetworksOfOneFamily(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{home, cafe}, {home6, "2001:db8:2::1"}} {
		w := newWorld(t)
		ana, _ := w.protected("ana@example.com")
		b := ana.browser()
		b.ip, b.appIP = c[0], c[1]
		b.again()
		b.arrives(wiki)
		w.later(time.Hour)
		b.gets(wiki)
		b.isAsked(files, "/verify")
		b.posts("code", ana.code()).is(200).has("Remote-User", "ana@example.com")
		if b.at() != files {
			t.Errorf("at %s", b.at())
		}
	}
}

// At an address that nobody knows no ticket is used up, and the second try says so.
func TestTicketAtAnUnknownAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.protected("ana@example.com")
	ticket := ana.ticket(wiki)
	r := ana.question("GET", ticket)
	r.Header.Set("X-Forwarded-For", "somewhere")
	if h, _ := web.ReadHandOver(handOver(t, w.ask(r).is(302).Header.Get("Location"))); !h.Again || h.To != wiki || h.State == "" {
		t.Errorf("leads to %+v", h)
	}
	r = ana.question("GET", ticket+"&again=1")
	r.Header.Set("X-Forwarded-For", "somewhere")
	refused := w.ask(r).is(403).has("Location", "")
	if p := refused.problem(); p.Type != "urn:twinlatch:problem:unknown-address" || !refused.isPage() || !strings.Contains(refused.body, "Your address changes from one request to the next") {
		t.Errorf("the problem is %v: %s", p, refused.body)
	}
	ana.asks("GET", ticket).is(302).has("Location", wiki)
	ana.gets(wiki)
}

// A thief's copy of an app's cookie is worth nothing from elsewhere, and his try
// changes nothing.
func TestStolenCookieFromElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.protected("ana@example.com")
	ana.arrives(wiki)
	thief := w.browser()
	thief.moves(cafe)
	for range 3 {
		r := thief.question("GET", wiki)
		r.Header.Set("Cookie", "__Host-twinlatch="+ana.tokenAt(wiki).Reveal())
		w.ask(r).is(302)
	}
	ana.gets(wiki)
	if s := ana.passed().Session(); s.V4.IP.String() != home || s.SeenIP.String() != home {
		t.Errorf("the session is %+v", s)
	}
}

// Whoever may not be anywhere else is asked, also where another policy counts subnets.
func TestPolicyOfAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.protected("ana@example.com")
	ana.arrives(wiki)
	for ip, passes := range map[string]bool{home: true, "192.0.2.2": false, cafe: false, home6: false} {
		ana.appIP = ip
		if a := ana.asks("GET", wiki); (a.StatusCode == 200) != passes {
			t.Errorf("%s: %s", ip, a.Status)
		}
	}
	if got := w.Policy().BindIP; got != twinlatch.SameIP {
		t.Fatalf("the policy is %d", got)
	}
}
