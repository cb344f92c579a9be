// Package rules says what is asked of whom at which address of a protected app.
//
// A rule is one line: an address, what is asked there, and conditions.
//
//	https://wiki.example.com/         second-step
//	https://wiki.example.com/status   public
//	https://wiki.example.com/admin    second-step within=15m group=admin
//
// It holds for the address and all below it; the longest address decides, in
// whatever order they stand. What no rule names is denied.
//
// Apps do not agree on what a path means: some unescape it twice, some take no
// notice of case, of dots or of what follows a semicolon. So a path that can be read in
// more than one way has to satisfy the rules of all readings, and no spelling opens more
// than another one.
//
// The package knows nothing of HTTP and is safe for concurrent use.
package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Rule is what is asked below an address.
type Rule struct {
	Line   string // as it was written, with single spaces
	Origin string // scheme and host as browsers write them: https://wiki.example.com
	Path   string // "/", or without a slash at its end
	Ask    Ask
	Within time.Duration // how old the second step may be; 0: as old as the policy allows
	Groups []string      // one of which the account has to be in; none: any account

	loose string  // see there
	alone []*Rule // only this one
}

// Ask is what a rule asks of everybody. The zero Ask denies.
type Ask int

const (
	Deny       Ask = iota // nobody passes
	Public                // everybody passes, unknown
	SignedIn              // sign in, with the second step where the account has it on
	SecondStep            // the same, and the account must have it on
)

var asks = map[string]Ask{"deny": Deny, "public": Public, "signed-in": SignedIn, "second-step": SecondStep}

// String is how a rule writes it.
func (a Ask) String() string {
	for name, ask := range asks {
		if a == ask {
			return name
		}
	}
	return "deny"
}

// Need is what somebody has to do before they pass, the hardest first. The zero Need
// denies.
type Need int

const (
	Forbidden      Need = iota // nothing helps
	NeedFirstStep              // sign in
	NeedSecondStep             // answer a challenge
	NeedFactor                 // turn two-step verification on
	Nothing                    // pass
)

// Visitor is somebody as rules see them. Before Step is Pass, the rest does not matter.
type Visitor struct {
	Step    twinlatch.Step
	Reason  twinlatch.Reason
	Groups  []string
	TwoStep bool
	Age     time.Duration // of the second step; negative: it was not done
}

// visitor is who a check found.
func visitor(d twinlatch.Decision) Visitor {
	v := Visitor{Step: d.Step, Reason: d.Reason}
	if who, ok := d.Passed(); ok {
		a := who.Account()
		v.Groups, v.TwoStep, v.Age = a.Groups, a.TwoStep, who.SecondStepAge()
	} else if d.Step == twinlatch.Pass {
		v.Step = twinlatch.NeedFirstStep
	}
	return v
}

// Need says what the rule asks of somebody, and why. It is pure.
func (r *Rule) Need(v Visitor) (Need, Reason) {
	switch r.Ask {
	case Public:
		return Nothing, ""
	case SignedIn, SecondStep:
	default:
		return Forbidden, ReasonDenied
	}
	switch v.Step {
	case twinlatch.Pass:
	case twinlatch.NeedSecondStep:
		return NeedSecondStep, Reason(v.Reason)
	case twinlatch.NeedFactor:
		return NeedFactor, Reason(v.Reason)
	default:
		return NeedFirstStep, Reason(v.Reason)
	}
	switch {
	case len(r.Groups) > 0 && !slices.ContainsFunc(r.Groups, func(g string) bool { return slices.Contains(v.Groups, g) }):
		return Forbidden, ReasonGroup
	case r.Ask == SecondStep && !v.TwoStep:
		return NeedFactor, ReasonTwoStepOff
	case r.Within > 0 && (v.Age < 0 || v.Age > r.Within):
		return NeedSecondStep, ReasonOld
	}
	return Nothing, ""
}

// Reason is why something is asked: one of these, or a twinlatch.Reason.
type Reason string

const (
	ReasonDenied     Reason = "denied"       // the rule, or that there is none
	ReasonGroup      Reason = "group"        // the account is in none of the groups
	ReasonTwoStepOff Reason = "two_step_off" // the rule asks for a second step, and the account has none
	ReasonOld        Reason = "not_recent"   // the second step is older than the rule allows
)

// Need is the hardest that any of the rules asks of who a check found. None deny.
func (f Found) Need(d twinlatch.Decision) (Need, Reason) { return f.Asks(visitor(d)) }

// Asks is Need of anybody.
func (f Found) Asks(v Visitor) (Need, Reason) {
	need, why := Forbidden, ReasonDenied
	for i, r := range f.Rules {
		if n, w := r.Need(v); i == 0 || n < need {
			need, why = n, w
		}
	}
	return need, why
}

// Public reports whether everybody passes.
func (f Found) Public() bool {
	for _, r := range f.Rules {
		if r.Ask != Public {
			return false
		}
	}
	return len(f.Rules) > 0
}

// ---- reading

// MaxWithin is the oldest that Within may allow: older ones are the policy's.
const MaxWithin = 24 * time.Hour

// Parse reads one line. span reads a length of time such as "15m".
func Parse(line string, span func(string) (time.Duration, error)) (Rule, error) {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return Rule{}, errors.New("want an address and what is asked there, for instance https://wiki.example.com/ second-step")
	}
	r := Rule{Line: strings.Join(fields, " ")}
	var err error
	if r.Origin, r.Path, err = parseAddress(fields[0]); err != nil {
		return Rule{}, err
	}
	ask, known := asks[fields[1]]
	if !known {
		return Rule{}, fmt.Errorf("%q is not asked anywhere; want public, signed-in, second-step or deny", fields[1])
	}
	r.Ask = ask
	for _, condition := range fields[2:] {
		name, value, _ := strings.Cut(condition, "=")
		switch {
		case r.Ask != SignedIn && r.Ask != SecondStep:
			return Rule{}, fmt.Errorf("%s has no conditions", r.Ask)
		case name == "within" && r.Ask == SecondStep && r.Within == 0:
			r.Within, err = span(value)
			if err == nil && (r.Within < time.Minute || r.Within > MaxWithin) {
				err = errors.New("want within=1m to within=24h")
			}
		case name == "within":
			err = errors.New("within= belongs to second-step, once")
		case name == "group":
			if err = twinlatch.GroupName(value); err != nil {
				err = fmt.Errorf("%q is no group: want 1 to 40 of a-z, 0-9 and -", value)
			}
			r.Groups = append(r.Groups, value)
		default:
			err = fmt.Errorf("there is no condition %q; there are within= and group=", condition)
		}
		if err != nil {
			return Rule{}, err
		}
	}
	return r, nil
}

func parseAddress(text string) (origin, path string, err error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Opaque != "":
		return "", "", errors.New("the address is no URL such as https://wiki.example.com/admin")
	case u.User != nil || strings.ContainsAny(text, "?#"):
		return "", "", errors.New("an address has no user, query or fragment")
	}
	host, ok := canonicalHost(u.Host, u.Scheme)
	if !ok {
		return "", "", errors.New("the host is no name; write international names as xn--…, and no * or other pattern")
	}
	if u.Scheme == "http" && !local(host) {
		return "", "", errors.New("cookies are not protected without https; http is for localhost, names below it, 127.0.0.1 and [::1]")
	}
	path = u.Path
	if path == "" {
		path = "/"
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	if !plain(path) || path != "/" && strings.HasSuffix(path, "/") || strings.ContainsFunc(path, vanishes) || path != "/" && !plain(loose(path)) || strings.Contains(u.RawPath, "%") {
		return "", "", errors.New("the path can be read in more than one way; write it without %, backslash, and segments that are empty or end in a dot")
	}
	return u.Scheme + "://" + host, path, nil
}

// canonicalHost is a host as browsers write it in an origin: in lower case, without a
// dot at its end and without the scheme's own port.
func canonicalHost(host, scheme string) (string, bool) {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:i], host[i+1:]
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", false
		}
		if scheme == "https" && n == 443 || scheme == "http" && n == 80 {
			port = ""
		}
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		if !ok || err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", false
		}
		name = "[" + ip.String() + "]"
	} else if name = strings.TrimSuffix(strings.ToLower(name), "."); !isName(name) {
		return "", false
	}
	if port != "" {
		name += ":" + port
	}
	return name, true
}

// isName says whether name is letters, digits, hyphens and, as in some company
// networks, underscores between dots. An IPv4 address is one.
func isName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// local reports whether a host is this machine, however the network answers.
func local(host string) bool {
	name := Hostname(host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761 §6.3
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Unmap().IsLoopback()
}

// Hostname is a canonical host without its port, and without the brackets of an IPv6
// address.
func Hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.Trim(host, "[]")
}
