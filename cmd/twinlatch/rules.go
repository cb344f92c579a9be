package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/rules"
	"github.com/twinlatch/twinlatch/web"
)

type rulesExplainCommand struct {
	operatorFlags
	URL     string     `name:"url" required:"" placeholder:"URL" help:"The address, as a browser has it."`
	Account string     `placeholder:"LOGIN" help:"Whose request it would be (somebody who is not signed in)."`
	IP      netip.Addr `name:"ip" placeholder:"ADDRESS" help:"Where it would come from (unknown)."`
}

// Help is shown by --help, below the flags.
func (rulesExplainCommand) Help() string {
	return "It reads the settings, and with --account the database, and changes nothing. An account is explained for a sign-in from there and for each of its sessions."
}

// explanation is what is said, as programs get it.
type explanation struct {
	URL      string            `json:"url"`
	App      string            `json:"app,omitempty"` // its origin; empty: no rule names the host
	Rules    []string          `json:"rules"`         // that decide; all have to be satisfied
	Unclear  bool              `json:"unclear"`       // the path can be read in more than one way
	Note     string            `json:"note,omitempty"`
	Stranger asked             `json:"stranger"` // of somebody who is not signed in
	Account  *explainedAccount `json:"account,omitempty"`
}

type asked struct {
	Need   string       `json:"need"` // forbidden, sign_in, second_step, factor, nothing
	Reason rules.Reason `json:"reason,omitempty"`
	Text   string       `json:"text"`
}

type explainedAccount struct {
	Login    string             `json:"login"`
	TwoStep  bool               `json:"two_step"`
	Groups   []string           `json:"groups"`
	Disabled bool               `json:"disabled"`
	SignIn   asked              `json:"sign_in"` // after signing in, with the second step where it is on
	Sessions []explainedSession `json:"sessions"`
}

type explainedSession struct {
	UserAgent    string    `json:"user_agent,omitempty"`
	BegunAt      time.Time `json:"begun_at"`
	VerifiedAt   time.Time `json:"verified_at,omitzero"`
	VerifiedFrom string    `json:"verified_from,omitempty"` // the address that counts here
	Asked        asked     `json:"asked"`
}

// Run says which rule decides.
func (c *rulesExplainCommand) Run(t terminal) error {
	cfg, err := config.Read(c.source(t))
	if err != nil {
		return err
	}
	set, err := newRules(cfg)
	if err != nil {
		return err
	}
	if set.Empty() {
		return errors.New("there are no rules: see setting forward_auth.rules")
	}
	found, err := findURL(set, c.URL)
	if err != nil {
		return err
	}
	e := explanation{URL: c.URL, App: found.Origin, Rules: []string{}, Unclear: found.Unclear, Stranger: ask(found, rules.Visitor{}, twinlatch.Session{}, c.IP)}
	for _, r := range found.Rules {
		e.Rules = append(e.Rules, r.Line)
	}
	if slices.ContainsFunc(cfg.Proxies, func(p netip.Prefix) bool { return p.Contains(c.IP.Unmap()) }) && !found.Public() {
		e.Note = fmt.Sprintf("%v is one of proxies, so where such a request comes from is unknown: 403 unknown-address for everybody, whatever is said here.", c.IP)
	}
	if c.Account != "" {
		err = c.use(t, func(ctx context.Context, o operator, service *twinlatch.Service) error {
			e.Account, err = c.account(ctx, t, service, found)
			return err
		})
		if err != nil {
			return plainly(err, c.Account)
		}
	}
	if c.JSON {
		return printJSON(t.out, e)
	}
	e.print(t, c.IP)
	return nil
}

// findURL takes what a browser shows, and what a proxy would make of it.
func findURL(set *rules.Set, address string) (rules.Found, error) {
	scheme, rest, ok := strings.Cut(address, "://")
	i := strings.IndexAny(rest, "/?#")
	if i < 0 {
		i = len(rest)
	}
	host, uri := rest[:i], rest[i:]
	uri, _, _ = strings.Cut(uri, "#")
	if !strings.HasPrefix(uri, "/") {
		uri = "/" + uri
	}
	if !ok || host == "" {
		return rules.Found{}, fmt.Errorf("%q is no URL such as https://wiki.example.com/admin", address)
	}
	return set.Find(scheme, host, uri), nil
}

func (c *rulesExplainCommand) account(ctx context.Context, t terminal, service *twinlatch.Service, found rules.Found) (*explainedAccount, error) {
	a, err := service.FindAccount(ctx, twinlatch.MainRealm, c.Account)
	if err != nil {
		return nil, err
	}
	file, err := service.AccountFile(ctx, twinlatch.ByOperator(t.actor(), ""), a.ID)
	if err != nil {
		return nil, err
	}
	a = file.Account
	e := &explainedAccount{
		Login: a.Login, TwoStep: a.TwoStep, Groups: append([]string{}, a.Groups...), Disabled: !a.DisabledAt.IsZero(), Sessions: []explainedSession{},
	}
	now, policy := service.Now(), service.Policy()
	visit := func(s twinlatch.Session) asked {
		step, reason := policy.Decide(a, s, now, c.IP)
		return ask(found, rules.Visitor{
			Step: step, Reason: reason, Groups: a.Groups, TwoStep: a.TwoStep, Age: policy.SecondStepAge(s, now, c.IP),
		}, s, c.IP)
	}
	fresh := twinlatch.Session{CreatedAt: now, PasswordAt: now, SeenAt: now, ExpiresAt: now.Add(policy.SessionFor)}
	if slot := (twinlatch.Slot{IP: c.IP.Unmap(), At: now}); slot.IP.Is4() {
		fresh.V4 = slot
	} else if slot.IP.IsValid() {
		fresh.V6 = slot
	}
	e.SignIn = visit(fresh)
	for _, s := range file.Sessions {
		row := explainedSession{UserAgent: s.UserAgent, BegunAt: s.CreatedAt, VerifiedAt: s.VerifiedAt(), Asked: visit(s)}
		if from := s.VerifiedFrom(c.IP); from.IsValid() {
			row.VerifiedFrom = from.String()
		}
		e.Sessions = append(e.Sessions, row)
	}
	return e, nil
}

// ask says what somebody is asked, and why, in words for operators.
func ask(found rules.Found, v rules.Visitor, s twinlatch.Session, ip netip.Addr) asked {
	need, why := found.Asks(v)
	a := asked{Reason: why}
	switch need {
	case rules.Nothing:
		a.Need, a.Text = "nothing", "passes"
	case rules.NeedFirstStep:
		a.Need, a.Text = "sign_in", "has to sign in"
	case rules.NeedSecondStep:
		a.Need, a.Text = "second_step", "is asked for a code"
	case rules.NeedFactor:
		a.Need, a.Text = "factor", "has to turn 2-step verification on"
	default:
		a.Need, a.Text = "forbidden", "does not get in"
	}
	if because := because(why, s, ip); because != "" {
		a.Text += ": " + because
	}
	return a
}

func because(why rules.Reason, s twinlatch.Session, ip netip.Addr) string {
	switch why {
	case rules.ReasonDenied:
		return "no rule lets anybody in"
	case rules.ReasonGroup:
		return "in none of the groups of the rule"
	case rules.ReasonTwoStepOff:
		return "it is off, and the rule asks for a second step"
	case rules.ReasonOld:
		return "the last one is older than the rule allows"
	case rules.Reason(twinlatch.ReasonNewSession):
		return "the second step was not done in this session"
	case rules.Reason(twinlatch.ReasonCodeTooOld):
		return "the last one was too long ago"
	case rules.Reason(twinlatch.ReasonIPChanged):
		if !ip.IsValid() {
			return "where the request comes from is unknown; give --ip"
		}
		if from := s.VerifiedFrom(ip); from.IsValid() {
			return "the last one was entered from " + from.String()
		}
		return "none was entered from there"
	case rules.Reason(twinlatch.ReasonExpired):
		return "the session is over, or the account is disabled"
	case rules.Reason(twinlatch.ReasonRequired):
		return "an administrator requires it"
	}
	return ""
}

func (e explanation) print(t terminal, ip netip.Addr) {
	out := t.out
	switch {
	case e.App == "":
		fmt.Fprintln(out, "No rule names this host (scheme, name and port have to be those of a rule): denied.")
	case len(e.Rules) == 0:
		fmt.Fprintln(out, "No rule holds for this path: denied.")
	case e.Unclear:
		fmt.Fprintln(out, "The path can be read in more than one way, so all of these rules have to be satisfied:")
	default:
		fmt.Fprintln(out, "This rule decides:")
	}
	for _, r := range e.Rules {
		fmt.Fprintf(out, "  %s\n", r)
	}
	if e.Note != "" {
		fmt.Fprintln(out, e.Note)
	}
	if len(e.Rules) == 0 {
		return
	}
	fmt.Fprintf(out, "Somebody who is not signed in %s.\n", e.Stranger.Text)
	if e.Account == nil {
		return
	}
	from := "an unknown address"
	if ip.IsValid() {
		from = ip.String()
	}
	a := e.Account
	fmt.Fprintf(out, "%s, after signing in from %s, %s.\n", word(a.Login), from, a.SignIn.Text)
	for _, s := range a.Sessions {
		device := web.DeviceOf(s.UserAgent)
		name := strings.TrimSpace(device.Browser + " " + device.System)
		if name == "" {
			name = "unknown device"
		}
		fmt.Fprintf(out, "  Session of %s (%s) %s.\n", s.BegunAt.Format(time.RFC3339), name, s.Asked.Text)
	}
}
