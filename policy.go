package twinlatch

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Policy says when a code is asked. The zero value of each field means the
// value of DefaultPolicy.
type Policy struct {
	CodeEvery  time.Duration // a new code after this long, counted from the last accepted one: 30 days
	BindIP     IPBinding     // a new code when the IP address changes: SameIP
	IPv6Prefix int           // how many bits of an IPv6 address count, 1 to 128: 64
	SessionFor time.Duration // both steps again after this long: 90 days
	IdleFor    time.Duration // and after this long without a request; zero: never
	FreshFor   time.Duration // how old a proof may be to change settings: 10 minutes
	SignInFor  time.Duration // how long a sign-in may owe its second step: 10 minutes
	CodeFor    time.Duration // how long a challenge is open: 10 minutes
	Tries      int           // answers per challenge: 5
}

// IPBinding says which change of the client's IP address asks for a new code.
type IPBinding int

const (
	SameIP     IPBinding = iota // any change, within IPv6Prefix
	SameSubnet                  // a change of the /24 (IPv4) or /48 (IPv6)
	AnyIP                       // none
)

const day = 24 * time.Hour

// DefaultPolicy is what the zero Policy means.
func DefaultPolicy() Policy {
	return Policy{
		CodeEvery: 30 * day, BindIP: SameIP, IPv6Prefix: 64,
		SessionFor: 90 * day, FreshFor: 10 * time.Minute,
		SignInFor: 10 * time.Minute, CodeFor: 10 * time.Minute, Tries: 5,
	}
}

// AAL2 is DefaultPolicy with the timeouts that NIST SP 800-63B-4 §2.2 recommends
// at authentication assurance level 2: both steps again after an hour without a
// request, and after a day in any case. CodeEvery is that day too. The rest of
// the standard is not a matter of the Policy.
func AAL2() Policy {
	p := DefaultPolicy()
	p.CodeEvery, p.SessionFor, p.IdleFor = day, day, time.Hour
	return p
}

func (p Policy) withDefaults() Policy {
	d := DefaultPolicy()
	set := func(v *time.Duration, def time.Duration) {
		if *v == 0 {
			*v = def
		}
	}
	set(&p.CodeEvery, d.CodeEvery)
	set(&p.SessionFor, d.SessionFor)
	set(&p.FreshFor, d.FreshFor)
	set(&p.SignInFor, d.SignInFor)
	set(&p.CodeFor, d.CodeFor)
	if p.IPv6Prefix == 0 {
		p.IPv6Prefix = d.IPv6Prefix
	}
	if p.Tries == 0 {
		p.Tries = d.Tries
	}
	return p
}

func (p Policy) validate() error {
	for name, d := range map[string]time.Duration{
		"CodeEvery": p.CodeEvery, "SessionFor": p.SessionFor, "FreshFor": p.FreshFor,
		"SignInFor": p.SignInFor, "CodeFor": p.CodeFor, "IdleFor": p.IdleFor,
	} {
		if d < 0 {
			return fmt.Errorf("policy: %s is negative", name)
		}
	}
	switch {
	case p.IPv6Prefix < 1 || p.IPv6Prefix > 128:
		return errors.New("policy: IPv6Prefix is not between 1 and 128")
	case p.BindIP < SameIP || p.BindIP > AnyIP:
		return errors.New("policy: unknown BindIP")
	case p.Tries < 1:
		return errors.New("policy: Tries is not positive")
	}
	return nil
}

// Step is what a browser has to do next. The zero value denies.
type Step int

const (
	NeedFirstStep  Step = iota // sign in
	NeedSecondStep             // answer a challenge
	NeedFactor                 // enroll a factor: two-step verification is required, and off
	Pass
)

// Reason is why Step is not Pass; for the page, the log and the event.
type Reason string

const (
	ReasonNewSession Reason = "new_session"  // the second step was never done in this session
	ReasonCodeTooOld Reason = "code_too_old" // the last accepted code is Policy.CodeEvery old
	ReasonIPChanged  Reason = "ip_changed"   // no code was accepted from this address
	ReasonExpired    Reason = "expired"      // the session is over
	ReasonRequired   Reason = "required"     // a factor is required, and there is none
)

// Decide says whether a session of an account may pass, from stored facts, the
// time and the address of this request. It is pure: the same facts give the same
// answer. For a session time does not run back: a now before the last request
// served is that one. An invalid ip (unknown) equals no verified address, whatever BindIP
// says, and so never passes an account with two-step verification on.
func (p Policy) Decide(a Account, s Session, now time.Time, ip netip.Addr) (Step, Reason) {
	p = p.withDefaults()
	step, reason, _ := p.decide(&a, &s, now, ip)
	return step, reason
}

// decide is Decide with the age of the second step that counts for ip; negative: it was
// not done. It is asked for each request to each app and copies nothing.
func (p *Policy) decide(a *Account, s *Session, now time.Time, ip netip.Addr) (Step, Reason, time.Duration) {
	if now.Before(s.SeenAt) {
		now = s.SeenAt
	}
	switch {
	case !a.DisabledAt.IsZero(),
		!now.Before(s.ExpiresAt),
		!now.Before(s.CreatedAt.Add(p.SessionFor)),
		p.IdleFor > 0 && !now.Before(s.SeenAt.Add(p.IdleFor)):
		return NeedFirstStep, ReasonExpired, -1
	case !a.TwoStep && !a.EnrollFrom.IsZero() && !now.Before(a.EnrollFrom):
		return NeedFactor, ReasonRequired, -1
	case !a.TwoStep:
		return Pass, "", -1
	case s.V4.At.IsZero() && s.V6.At.IsZero():
		return NeedSecondStep, ReasonNewSession, -1
	}
	slot, same := p.slotFor(s, ip)
	age := max(0, now.Sub(slot.At))
	switch {
	case !same:
		return NeedSecondStep, ReasonIPChanged, -1
	case !now.Before(slot.At.Add(p.CodeEvery)):
		return NeedSecondStep, ReasonCodeTooOld, age
	}
	return Pass, "", age
}

// SecondStepAge is how long ago the second step was done that counts for ip; negative:
// it was not.
func (p Policy) SecondStepAge(s Session, now time.Time, ip netip.Addr) time.Duration {
	p = p.withDefaults()
	slot, same := p.slotFor(&s, ip)
	if !same || slot.At.IsZero() {
		return -1
	}
	return max(0, now.Sub(slot.At))
}

// slotFor finds the verification that counts for ip, if there is one.
func (p *Policy) slotFor(s *Session, ip netip.Addr) (Slot, bool) {
	ip = canonical(ip)
	if !ip.IsValid() {
		return Slot{}, false
	}
	if p.BindIP == AnyIP {
		return Slot{At: s.VerifiedAt()}, true
	}
	slot := s.V6
	if ip.Is4() {
		slot = s.V4
	}
	return slot, slot.IP == ip || slot.IP.IsValid() && p.network(slot.IP) == p.network(ip)
}

// network is the part of an address whose change asks for a code.
func (p *Policy) network(ip netip.Addr) netip.Prefix {
	bits := 32
	switch {
	case ip.Is4() && p.BindIP == SameSubnet:
		bits = 24
	case ip.Is6() && p.BindIP == SameSubnet:
		bits = min(48, p.IPv6Prefix)
	case ip.Is6():
		bits = p.IPv6Prefix
	}
	n, err := ip.Prefix(bits)
	if err != nil { // an invalid address has no network
		return netip.Prefix{}
	}
	return n
}

// translated is where IPv4 addresses lie in IPv6 (RFC 6052 §2.1).
var translated = netip.MustParsePrefix("64:ff9b::/96")

// canonical makes ::ffff:192.0.2.1 and 64:ff9b::192.0.2.1 the same as 192.0.2.1
// and drops zones.
func canonical(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if ip.Is6() && translated.Contains(ip) {
		all := ip.As16()
		ip = netip.AddrFrom4([4]byte(all[12:]))
	}
	return ip
}

// change is what an Authority wants to do to its account.
type change int

const (
	see      change = iota // what adding a factor needs to see
	look                   // read, rename, end sessions
	add                    // add a factor
	alter                  // all that can weaken: remove, prefer, turn off, backup codes
	rightful               // number of changes, for tests
)

// allow says whether a session that passed may make a change. A change beyond
// looking needs a proof at most FreshFor old: the second step while two-step
// verification is on, the password while it is off. A backup code proves enough
// to add a factor and nothing more.
func (p Policy) allow(c change, a Account, s Session, now time.Time) error {
	p = p.withDefaults()
	if c == see || c == look {
		return nil
	}
	if c == alter && a.TwoStep && s.Recovered {
		return ErrRecovered
	}
	proof := s.PasswordAt
	if a.TwoStep {
		proof = s.VerifiedAt()
	}
	if !now.Before(proof.Add(p.FreshFor)) {
		return ErrNotFresh
	}
	return nil
}
