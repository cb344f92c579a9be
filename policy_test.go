package twinlatch_test

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

const (
	month  = 30 * day
	second = time.Second
	milli  = time.Millisecond
)

// accepted is a code that was accepted from ip so long ago.
type accepted struct {
	ip  string
	ago time.Duration
}

// The sentences of the product.
func TestPolicyDecides(t *testing.T) {
	t.Parallel()
	const (
		on  = true
		off = false

		none    = twinlatch.NeedFirstStep
		owes    = twinlatch.NeedSecondStep
		pass    = twinlatch.Pass
		isNew   = twinlatch.ReasonNewSession
		tooOld  = twinlatch.ReasonCodeTooOld
		moved   = twinlatch.ReasonIPChanged
		over    = twinlatch.ReasonExpired
		unknown = ""
	)
	var (
		zero   = twinlatch.Policy{}
		exact6 = twinlatch.Policy{IPv6Prefix: 128}
		wide6  = twinlatch.Policy{IPv6Prefix: 48}
		subnet = twinlatch.Policy{BindIP: twinlatch.SameSubnet}
		anyIP  = twinlatch.Policy{BindIP: twinlatch.AnyIP}
		idle   = twinlatch.Policy{IdleFor: time.Hour}
		weekly = twinlatch.Policy{CodeEvery: 7 * day, SessionFor: 14 * day}
		aal2   = twinlatch.AAL2()

		codes = func(all ...accepted) []accepted { return all }
		home  = func(ago time.Duration) []accepted { return codes(accepted{"192.0.2.1", ago}) }
		home6 = func(ago time.Duration) []accepted { return codes(accepted{"2001:db8:0:1::1", ago}) }
	)
	for _, row := range []struct {
		sentence string
		policy   twinlatch.Policy
		twoStep  bool
		codes    []accepted    // oldest first
		signedIn time.Duration // how long ago
		seen     time.Duration // the last request before this one, how long ago
		ip       string        // of this request
		step     twinlatch.Step
		reason   twinlatch.Reason
	}{
		// Every sign-in.
		{"a sign-in with two-step verification on owes a code", zero, on, nil, 0, 0, "192.0.2.1", owes, isNew},
		{"also after days", zero, on, nil, 89 * day, 0, "192.0.2.1", owes, isNew},
		{"also when no address is asked for", anyIP, on, nil, 0, 0, "192.0.2.1", owes, isNew},
		{"with two-step verification off a sign-in passes", zero, off, nil, 0, 0, "192.0.2.1", pass, ""},
		{"with it off it passes from anywhere, at any age of its code", zero, off, home(80 * day), 80 * day, 0, unknown, pass, ""},

		// Every thirty days.
		{"one second after the code", zero, on, home(second), day, 0, "192.0.2.1", pass, ""},
		{"30 days less one second", zero, on, home(month - second), month, 0, "192.0.2.1", pass, ""},
		{"30 days less one millisecond", zero, on, home(month - milli), month, 0, "192.0.2.1", pass, ""},
		{"exactly 30 days", zero, on, home(month), month, 0, "192.0.2.1", owes, tooOld},
		{"30 days and one millisecond", zero, on, home(month + milli), month + day, 0, "192.0.2.1", owes, tooOld},
		{"activity one millisecond ago does not prolong", zero, on, home(month), month, milli, "192.0.2.1", owes, tooOld},
		{"nor does a month without any shorten", zero, on, home(month - milli), month, month - milli, "192.0.2.1", pass, ""},
		{"the newest code counts", zero, on, codes(accepted{"192.0.2.1", 60 * day}, accepted{"192.0.2.1", day}), 60 * day, 0, "192.0.2.1", pass, ""},
		{"another number of days, less one millisecond", weekly, on, home(7*day - milli), 7 * day, 0, "192.0.2.1", pass, ""},
		{"another number of days", weekly, on, home(7 * day), 7 * day, 0, "192.0.2.1", owes, tooOld},

		// Every new address: IPv4.
		{"the next IPv4 address", zero, on, home(second), day, 0, "192.0.2.2", owes, moved},
		{"another IPv4 address", zero, on, home(second), day, 0, "198.51.100.7", owes, moved},
		{"the same address mapped into IPv6", zero, on, home(second), day, 0, "::ffff:192.0.2.1", pass, ""},
		{"the same address, verified as mapped", zero, on, codes(accepted{"::ffff:192.0.2.1", second}), day, 0, "192.0.2.1", pass, ""},
		{"mapped with a zone", zero, on, home(second), day, 0, "::ffff:192.0.2.1%eth0", pass, ""},
		{"the same address translated into IPv6", zero, on, home(second), day, 0, "64:ff9b::192.0.2.1", pass, ""},
		{"another address, translated", zero, on, home(second), day, 0, "64:ff9b::192.0.2.2", owes, moved},
		{"another address, mapped", zero, on, home(second), day, 0, "::ffff:192.0.2.2", owes, moved},
		{"A, then B: back at A", zero, on, codes(accepted{"192.0.2.1", 2 * second}, accepted{"198.51.100.7", second}), day, 0, "192.0.2.1", owes, moved},
		{"A, then B: still at B", zero, on, codes(accepted{"192.0.2.1", 2 * second}, accepted{"198.51.100.7", second}), day, 0, "198.51.100.7", pass, ""},
		{"a new address with an old code is a new address", zero, on, home(month), month, 0, "198.51.100.7", owes, moved},

		// Every new address: IPv6.
		{"the same IPv6 address", zero, on, home6(second), day, 0, "2001:db8:0:1::1", pass, ""},
		{"inside the /64", zero, on, home6(second), day, 0, "2001:db8:0:1:ffff:ffff:ffff:ffff", pass, ""},
		{"the /64 beside", zero, on, home6(second), day, 0, "2001:db8:0:2::1", owes, moved},
		{"the /64 before", zero, on, home6(second), day, 0, "2001:db8:0:0:ffff:ffff:ffff:ffff", owes, moved},
		{"with a zone", zero, on, home6(second), day, 0, "2001:db8:0:1::1%eth0", pass, ""},
		{"link-local, zones apart", zero, on, codes(accepted{"fe80::1%eth0", second}), day, 0, "fe80::1%wlan0", pass, ""},
		{"all 128 bits, the same", exact6, on, home6(second), day, 0, "2001:db8:0:1::1", pass, ""},
		{"all 128 bits, the last one changed", exact6, on, home6(second), day, 0, "2001:db8:0:1::", owes, moved},
		{"48 bits, inside", wide6, on, home6(second), day, 0, "2001:db8:0:ffff::1", pass, ""},
		{"48 bits, outside", wide6, on, home6(second), day, 0, "2001:db8:1:1::1", owes, moved},
		{"48 bits do not soften IPv4", wide6, on, home(second), day, 0, "192.0.2.2", owes, moved},

		// Dual stack: once for each family.
		{"IPv4 verified, first request over IPv6", zero, on, home(second), day, 0, "2001:db8:0:1::1", owes, moved},
		{"IPv6 verified, first request over IPv4", zero, on, home6(second), day, 0, "192.0.2.1", owes, moved},
		{"both verified, over IPv4", zero, on, append(home(2*second), home6(second)...), day, 0, "192.0.2.1", pass, ""},
		{"both verified, over IPv6", zero, on, append(home(2*second), home6(second)...), day, 0, "2001:db8:0:1::1", pass, ""},
		{"IPv4 is 30 days old, IPv6 is not: over IPv4", zero, on, append(home(month), home6(second)...), month, 0, "192.0.2.1", owes, tooOld},
		{"IPv4 is 30 days old, IPv6 is not: over IPv6", zero, on, append(home(month), home6(second)...), month, 0, "2001:db8:0:1::1", pass, ""},
		{"IPv6 is 30 days old, IPv4 is not: over IPv6", zero, on, append(home6(month), home(second)...), month, 0, "2001:db8:0:1::1", owes, tooOld},
		{"a mapped address is no IPv6", zero, on, append(home6(second), home(month)...), month, 0, "::ffff:192.0.2.1", owes, tooOld},

		// An address that the door cannot tell.
		{"an unknown address is never fresh", zero, on, home(second), day, 0, unknown, owes, moved},
		{"not when any address will do", anyIP, on, home(second), day, 0, unknown, owes, moved},
		{"not in any subnet", subnet, on, home(second), day, 0, unknown, owes, moved},
		{"not even where a code was accepted from nowhere", zero, on, codes(accepted{unknown, second}), day, 0, unknown, owes, moved},
		{"which opens no other address either", zero, on, codes(accepted{unknown, second}), day, 0, "2001:db8:0:1::1", owes, moved},
		{"0.0.0.0 is another address", zero, on, home(second), day, 0, "0.0.0.0", owes, moved},
		{":: is another address", zero, on, home6(second), day, 0, "::", owes, moved},

		// Softer by configuration.
		{"subnet: inside the /24", subnet, on, home(second), day, 0, "192.0.2.255", pass, ""},
		{"subnet: the /24 beside", subnet, on, home(second), day, 0, "192.0.3.1", owes, moved},
		{"subnet: inside the /48", subnet, on, home6(second), day, 0, "2001:db8:0:ffff::1", pass, ""},
		{"subnet: the /48 beside", subnet, on, home6(second), day, 0, "2001:db8:1:1::1", owes, moved},
		{"subnet is never narrower than IPv6Prefix", twinlatch.Policy{BindIP: twinlatch.SameSubnet, IPv6Prefix: 32}, on, home6(second), day, 0, "2001:db8:ffff::1", pass, ""},
		{"subnet with all bits is a /48", twinlatch.Policy{BindIP: twinlatch.SameSubnet, IPv6Prefix: 128}, on, home6(second), day, 0, "2001:db8:0:ffff::1", pass, ""},
		{"subnet: 30 days", subnet, on, home(month), month, 0, "192.0.2.9", owes, tooOld},
		{"any address: another", anyIP, on, home(second), day, 0, "203.0.113.9", pass, ""},
		{"any address: another family", anyIP, on, home(second), day, 0, "2001:db8::1", pass, ""},
		{"any address: the newest code of both families counts", anyIP, on, append(home6(month), home(second)...), month, 0, "2001:db8::1", pass, ""},
		{"any address: 30 days", anyIP, on, home(month), month, 0, "203.0.113.9", owes, tooOld},

		// The end of a session.
		{"90 days less one millisecond", zero, on, home(second), 90*day - milli, 0, "192.0.2.1", pass, ""},
		{"90 days", zero, on, home(second), 90 * day, 0, "192.0.2.1", none, over},
		{"90 days with two-step verification off", zero, off, nil, 90 * day, 0, "192.0.2.1", none, over},
		{"90 days at another address", zero, on, home(second), 90 * day, 0, "198.51.100.7", none, over},
		{"a shorter life that was configured since", weekly, on, home(second), 14 * day, 0, "192.0.2.1", none, over},
		{"no idle limit by default", zero, on, home(day), 20 * day, 19 * day, "192.0.2.1", pass, ""},
		{"idle for an hour less one millisecond", idle, on, home(second), day, time.Hour - milli, "192.0.2.1", pass, ""},
		{"idle for an hour", idle, on, home(second), day, time.Hour, "192.0.2.1", none, over},
		{"idle for an hour with two-step verification off", idle, off, nil, day, time.Hour, "192.0.2.1", none, over},
		{"aal2: idle for an hour", aal2, on, home(second), 2 * time.Hour, time.Hour, "192.0.2.1", none, over},
		{"aal2: a day less one millisecond", aal2, on, home(second), day - milli, 0, "192.0.2.1", pass, ""},
		{"aal2: a day", aal2, on, home(second), day, 0, "192.0.2.1", none, over},

		// A clock that is set back: seen is negative, a request was served later than now.
		{"a clock set back by a day", zero, on, home(second), day, -day, "192.0.2.1", pass, ""},
		{"does not make a code fresh again", zero, on, home(month - day), month, -day, "192.0.2.1", owes, tooOld},
		{"nor a session alive", zero, on, home(second), 89 * day, -day, "192.0.2.1", none, over},
	} {
		now := twinlatchtest.Start()
		a := twinlatch.Account{TwoStep: row.twoStep, CreatedAt: now.Add(-100 * day)}
		s := twinlatch.Session{
			CreatedAt: now.Add(-row.signedIn), SeenAt: now.Add(-row.seen), ExpiresAt: now.Add(-row.signedIn + 90*day),
		}
		for _, c := range row.codes {
			slot := twinlatch.Slot{IP: address(c.ip).Unmap().WithZone(""), At: now.Add(-c.ago)}
			if slot.IP.Is4() {
				s.V4 = slot
			} else {
				s.V6 = slot
			}
		}
		step, reason := row.policy.Decide(a, s, now, address(row.ip))
		if step != row.step || reason != row.reason {
			t.Errorf("%s: %d %q, want %d %q", row.sentence, step, reason, row.step, row.reason)
		}

		a.DisabledAt = now
		if step, reason := row.policy.Decide(a, s, now, address(row.ip)); step != none || reason != over {
			t.Errorf("%s, but the account is disabled: %d %q", row.sentence, step, reason)
		}
		a.DisabledAt, s.ExpiresAt = time.Time{}, now.Add(max(0, -row.seen)+milli)
		if step, reason := row.policy.Decide(a, s, now, address(row.ip)); step != row.step || reason != row.reason {
			t.Errorf("%s, one millisecond before it expires: %d %q", row.sentence, step, reason)
		}
		s.ExpiresAt = now
		if step, reason := row.policy.Decide(a, s, now, address(row.ip)); step != none || reason != over {
			t.Errorf("%s, at its expiry: %d %q", row.sentence, step, reason)
		}
	}
}

func address(ip string) netip.Addr {
	if ip == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(ip)
}

func TestTheZeroSessionIsOver(t *testing.T) {
	step, reason := twinlatch.Policy{}.Decide(twinlatch.Account{}, twinlatch.Session{}, twinlatchtest.Start(), home.IP)
	if step != twinlatch.NeedFirstStep || reason != twinlatch.ReasonExpired {
		t.Errorf("%d %q", step, reason)
	}
}

func TestTheZeroPolicyIsTheDefault(t *testing.T) {
	w := newWorld(t)
	equal(t, "Policy", w.Policy(), twinlatch.DefaultPolicy())
	equal(t, "30 days", w.Policy().CodeEvery, 30*day)
	strict := newWorld(t, func(c *twinlatch.Config) { c.Policy = twinlatch.AAL2() })
	equal(t, "AAL2", strict.Policy(), twinlatch.AAL2())
}

// Decide is asked with every possible fact: it answers, and always by these laws.
func TestDecideObeysItsLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, a, s := somePolicy(t), someAccount(t), someSession(t)
		now, ip := someTime().Draw(t, "now"), someAddress().Draw(t, "ip")
		step, reason := p.Decide(a, s, now, ip)

		if again, why := p.Decide(a, s, now, ip); again != step || why != reason {
			t.Fatal("the same facts give another answer")
		}
		if (step == twinlatch.Pass) != (reason == "") {
			t.Fatalf("%d for the reason %q", step, reason)
		}
		if !a.DisabledAt.IsZero() && step != twinlatch.NeedFirstStep {
			t.Fatal("a disabled account is let in")
		}
		if step != twinlatch.NeedFirstStep && (!now.Before(s.ExpiresAt) || !now.Before(s.CreatedAt.Add(p.SessionFor))) {
			t.Fatal("a session that is over is let in")
		}
		if step == twinlatch.Pass && a.TwoStep {
			if !ip.IsValid() {
				t.Fatal("an unknown address passes")
			}
			if !now.Before(s.VerifiedAt().Add(p.CodeEvery)) {
				t.Fatal("an old code passes")
			}
			if ip = ip.Unmap(); p.BindIP == twinlatch.SameIP && ip.Is4() && ip != s.V4.IP {
				t.Fatal("another IPv4 address passes")
			}
		}
		if !a.TwoStep && step == twinlatch.NeedSecondStep {
			t.Fatal("a code is asked of an account without factors")
		}
		if other := ip.Unmap().WithZone(""); ip.IsValid() {
			if same, why := p.Decide(a, s, now, other); same != step || why != reason {
				t.Fatalf("%v and %v are not the same", ip, other)
			}
		}
		wait := time.Duration(rapid.Int64Range(0, int64(200*day)).Draw(t, "wait"))
		if later, _ := p.Decide(a, s, now.Add(wait), ip); later > step {
			t.Fatal("waiting opens a door")
		}
		if s.SeenAt.After(now) {
			now = s.SeenAt
		}
		s.SeenAt = now.Add(-time.Duration(rapid.Int64Range(0, int64(200*day)).Draw(t, "seen")))
		if active, why := p.Decide(a, s, now, ip); p.IdleFor == 0 && (active != step || why != reason) {
			t.Fatal("activity matters without an idle limit")
		}
		s.SeenAt = now
		served, _ := p.Decide(a, s, now, ip)
		if back, _ := p.Decide(a, s, now.Add(-wait), ip); back > served {
			t.Fatal("a clock set back opens a door")
		}
	})
}

func someTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		return twinlatchtest.Start().Add(time.Duration(rapid.Int64Range(-int64(100*day), int64(100*day)).Draw(t, "time")))
	})
}

func someAddress() *rapid.Generator[netip.Addr] {
	return rapid.OneOf(
		rapid.SampledFrom([]netip.Addr{
			{}, home.IP, cafe.IP, home6.IP, address("192.0.2.2"), address("::ffff:192.0.2.1"), address("2001:db8:0:1::2"),
			address("2001:db8:0:2::1"), address("fe80::1%eth0"), address("::"), address("0.0.0.0"),
		}),
		rapid.Custom(func(t *rapid.T) netip.Addr {
			ip, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "ip"))
			return ip
		}))
}

func somePolicy(t *rapid.T) twinlatch.Policy {
	length := rapid.Int64Range(1, int64(100*day))
	return twinlatch.Policy{
		CodeEvery:  time.Duration(length.Draw(t, "code every")),
		SessionFor: time.Duration(length.Draw(t, "session for")),
		IdleFor:    time.Duration(rapid.SampledFrom([]int64{0, int64(time.Hour)}).Draw(t, "idle for")),
		BindIP:     rapid.SampledFrom([]twinlatch.IPBinding{twinlatch.SameIP, twinlatch.SameSubnet, twinlatch.AnyIP}).Draw(t, "bind"),
		IPv6Prefix: rapid.IntRange(1, 128).Draw(t, "prefix"),
	}
}

func someAccount(t *rapid.T) twinlatch.Account {
	a := twinlatch.Account{TwoStep: rapid.Bool().Draw(t, "on")}
	if rapid.IntRange(0, 9).Draw(t, "disabled") == 9 {
		a.DisabledAt = someTime().Draw(t, "disabled at")
	}
	return a
}

func someSession(t *rapid.T) twinlatch.Session {
	created := someTime().Draw(t, "created")
	s := twinlatch.Session{CreatedAt: created, SeenAt: someTime().Draw(t, "seen"), ExpiresAt: created.Add(90 * day)}
	if ip := someAddress().Draw(t, "v4").Unmap(); ip.Is4() {
		s.V4 = twinlatch.Slot{IP: ip, At: someTime().Draw(t, "v4 at")}
	}
	if ip := someAddress().Draw(t, "v6").Unmap().WithZone(""); ip.Is6() {
		s.V6 = twinlatch.Slot{IP: ip, At: someTime().Draw(t, "v6 at")}
	}
	return s
}
