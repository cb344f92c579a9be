package twinlatch

import (
	"context"
	"net/netip"
	"strconv"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// A network is known to an account for this long after its second step was done
// from there. Wrong codes from known networks are counted apart, so that a
// stranger who has the password cannot slow the owner down at home. While two-step
// verification is off, every sign-in makes its network known, which only the mail about
// new ones depends on.
const knownFor = 90 * day

// How wrong codes slow down (docs/security.md, "Guessing").
var (
	byNetworkClass = Throttle{Free: 5}
	inAll          = Throttle{Most: 100, Daily: 20}
)

// network is what counts as one network for limits and known addresses.
func network(ip netip.Addr) netip.Prefix {
	ip = canonical(ip)
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	n, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return n
}

// widest is what counts as one network where somebody may have many narrow ones.
func widest(ip netip.Addr) netip.Prefix {
	n := network(ip)
	if n.Addr().Is6() {
		n, _ = n.Addr().Prefix(48) // always possible
	}
	return n
}

// What one IPv4 address may do in ten minutes.
const (
	tenMinutes   = 10 * time.Minute
	wrongAnswers = 30
	signUps      = 100 // each costs a password hash, for anybody
)

// networkLimits are the budgets of the networks around ip: most for an IPv4
// address, twice as much for a /64, and twice again for each wider one, because
// whoever has a wide IPv6 network has many narrow ones. Unknown addresses share
// one budget.
func networkLimits(name string, ip netip.Addr, most int, window time.Duration) []Limit {
	ip = canonical(ip)
	if !ip.IsValid() || ip.Is4() {
		scope := "ip:unknown"
		if ip.IsValid() {
			scope = "ip:" + network(ip).String()
		}
		return []Limit{{Scope: scope, Name: name, Most: most, Window: window}}
	}
	limits := make([]Limit, 0, 3)
	for i, bits := range [...]int{48, 56, 64} { // the widest first: it refuses most
		n, err := ip.Prefix(bits)
		if err != nil {
			continue
		}
		limits = append(limits, Limit{Scope: "ip:" + n.String(), Name: name, Most: most << (3 - i), Window: window})
	}
	return limits
}

// loginLimit slows guessing of one password from one network. It is the same
// for logins that exist and for others, and the login is not readable in it.
func (s *Service) loginLimit(realm, login string, ip netip.Addr) Limit {
	mac := s.cfg.Keys.MAC("login", []byte(realm), []byte(login), []byte(network(ip).String()))
	return Limit{Scope: "login:" + secretEncoding.EncodeToString(mac[:16]), Name: "password", Most: 10, Window: 15 * time.Minute}
}

// take books all limits or none. The returned function gives them back: the
// guess was right, or it was not judged.
func (s *Service) take(ctx context.Context, limits ...Limit) (giveBack func(), err error) {
	now := s.now()
	ends := make([]time.Time, 0, len(limits))
	giveBack = func() {
		ctx := context.WithoutCancel(ctx)
		for i, end := range ends {
			if err := s.cfg.Store.Return(ctx, limits[i], end); err != nil {
				s.cfg.Log.WarnContext(ctx, "limit not given back", "limit", limits[i].Name, "error", err)
			}
		}
	}
	for _, l := range limits {
		end, err := s.cfg.Store.Take(ctx, l, now)
		if err != nil {
			giveBack()
			return nil, err
		}
		ends = append(ends, end)
	}
	return giveBack, nil
}

// counters names an account's counters of wrong answers with one method (or
// "backup"): from known networks, from others, and all.
func counters(method string) []string {
	return []string{method + "/known", method + "/unknown", method + "/all"}
}

// count books one guess before it is judged, in transactions of its own, so
// that it stays counted whatever happens next. spend counts against the
// challenge and says how many tries it has left. times is which guess this is
// since the last right one, from networks of the kind. A refused guess is given
// back where it was booked already: it is not judged.
func (s *Service) count(ctx context.Context, id AccountID, method string, c Client, spend func(Tx) (left int, err error)) (left, times int, giveBack func(), err error) {
	giveBack, err = s.take(ctx, networkLimits("code", c.IP, wrongAnswers, tenMinutes)...)
	if err != nil {
		return 0, 0, nil, err
	}
	now := s.now()
	err = s.cfg.Store.Tx(ctx, id, func(tx Tx) error {
		if left, err = spend(tx); err != nil {
			return err
		}
		if method == "" {
			return nil
		}
		known, err := tx.Verified(network(c.IP), now.Add(-knownFor))
		if err != nil {
			return err
		}
		name := counters(method)[1]
		if known {
			name = counters(method)[0]
		}
		if times, err = tx.Try(name, byNetworkClass, now); err != nil {
			return err
		}
		left = max(0, min(left, byNetworkClass.Free-times))
		_, err = tx.Try(method+"/all", inAll, now)
		return err
	})
	if err != nil {
		giveBack()
		return 0, 0, nil, err
	}
	return left, times, giveBack, nil
}
