package forwardauth_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch/forwardauth"
)

// Once: With a cookie for the domain nothing carries a second step from the address
// by which our pages are reached to the one by which the app is: there is no ticket, so
// no HandOver, and the pages see somebody who passes. The browser is sent back and
// forth until it gives up.
func TestNoSharedCookieAndTwoAddresses(t *testing.T) {
	t.Parallel()
	for _, old := range []time.Duration{time.Minute, time.Hour} {
		w := newWorld(t, func(c *forwardauth.Config) { c.CookieDomain = "example.com" })
		_, b := w.protected("ana@example.com")
		w.later(old)
		b.appIP = home6
		b.opens(wiki) // in circles
	}
}

// Once: Both families are known. At the pages' address the second step is as young as
// within= wants, and too old to be carried; at the app's it is older than within=. The
// pages have nothing to ask, HandOver finds that the session passes, the app asks
// again: in circles, for as long as the difference lasts.
func TestNoWithinAndTwoAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana, b := w.protected("ana@example.com")
	b.arrives(wiki) // IPv4, both
	w.later(20 * time.Minute)
	b.ip = home6
	b.answer() // a code at our pages, by IPv6
	w.later(5 * time.Minute)
	b.opens(wiki + "admin") // in circles
	b.isAt("/verify")
	b.posts("code", ana.code()).is(200)
}

// Once: url.URL.Hostname has no brackets and rules.Hostname keeps them, so an app on
// the same IPv6 address is not seen to share cookies with our pages.
func TestNoSameIPv6Host(t *testing.T) {
	t.Parallel()
	cfg := newWorld(t).cfg
	cfg.Address, _ = url.Parse("http://[::1]:8080")
	cfg.Rules = rulesOf(t, []string{"http://[::1]:3000/ second-step"})
	if _, err := forwardauth.New(cfg); err == nil {
		t.Error("an app on the host of our pages is accepted")
	}
}

// Once: The door shortens addresses to come back to so that they have 2000 characters
// behind the origin; Set.Return takes 2048 with it. With a host name of more than some 40
// characters a long address leads to "not found", and stays so.
func TestNoLongAddressAtALongName(t *testing.T) {
	t.Parallel()
	const long = "https://documentation.engineering.department.subsidiary.example.com/"
	w := newWorldOf(t, []string{long + " second-step"})
	_, b := w.protected("ana@example.com")
	address := long + "search?q="
	for len(address)-len(long) < 1990 {
		address += "x"
	}
	b.arrives(address)
}

// Once: An address of many characters that a query escapes is longer in the return_to
// of a return_to than web.ReturnTo takes: after the sign-in she is at Security, not at the
// page.
func TestNoEscapedAddressAfterASignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana, _ := w.protected("ana@example.com")
	b := ana.browser()
	address := wiki + "search?"
	for len(address) < 1990 {
		address += "&f[]=1" // filters, as many apps have them
	}
	b.isAsked(address, "/sign-in")
	b.posts("email", "ana@example.com", "password", password)
	b.posts("code", ana.code())
	if b.at() != address {
		t.Errorf("she is at %.80s", b.at())
	}
}

// Once an app by HTTP below a domain whose shared cookie is Secure: the cookie
// never reaches the app, no other one is made, and the browser goes in circles.
func TestNoSecureSharedCookieAndAnAppByHTTP(t *testing.T) {
	t.Parallel()
	address, _ := url.Parse("https://id.localhost")
	w := newWorld(t, func(c *forwardauth.Config) { c.Address, c.CookieDomain = address, "localhost" })
	_, b := w.protected("ana@example.com")
	b.opens(local)
}
