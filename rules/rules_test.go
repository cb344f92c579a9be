package rules_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/rules"
)

func newSet(t testing.TB, lines ...string) *rules.Set {
	t.Helper()
	set, err := rules.New(lines, config.ParseDuration)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestParse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]rules.Rule{
		"https://wiki.example.com/ second-step":            {Origin: "https://wiki.example.com", Path: "/", Ask: rules.SecondStep},
		"https://wiki.example.com signed-in":               {Origin: "https://wiki.example.com", Path: "/", Ask: rules.SignedIn},
		"https://wiki.example.com/status public":           {Origin: "https://wiki.example.com", Path: "/status", Ask: rules.Public},
		"https://wiki.example.com/closed/ deny":            {Origin: "https://wiki.example.com", Path: "/closed", Ask: rules.Deny},
		"  https://WIKI.Example.com.:443/a\t second-step ": {Line: "https://WIKI.Example.com.:443/a second-step", Origin: "https://wiki.example.com", Path: "/a", Ask: rules.SecondStep},
		"HTTPS://wiki.example.com/a public":                {Origin: "https://wiki.example.com", Path: "/a", Ask: rules.Public},
		"https://wiki.example.com:8443/a/b public":         {Origin: "https://wiki.example.com:8443", Path: "/a/b", Ask: rules.Public},
		"https://wiki.example.com:80/ public":              {Origin: "https://wiki.example.com:80", Path: "/", Ask: rules.Public},
		"https://[2001:DB8:0::1]:8443/ public":             {Origin: "https://[2001:db8::1]:8443", Path: "/", Ask: rules.Public},
		"https://192.0.2.1/ public":                        {Origin: "https://192.0.2.1", Path: "/", Ask: rules.Public},
		"https://xn--bcher-kva.example/ public":            {Origin: "https://xn--bcher-kva.example", Path: "/", Ask: rules.Public},
		"https://wiki_1.corp/ public":                      {Origin: "https://wiki_1.corp", Path: "/", Ask: rules.Public},
		"http://localhost/ public":                         {Origin: "http://localhost", Path: "/", Ask: rules.Public},
		"http://localhost:80/ public":                      {Origin: "http://localhost", Path: "/", Ask: rules.Public},
		"http://app.localhost:3000/ public":                {Origin: "http://app.localhost:3000", Path: "/", Ask: rules.Public},
		"http://127.0.0.1:1/ public":                       {Origin: "http://127.0.0.1:1", Path: "/", Ask: rules.Public},
		"http://[::1]:1/ public":                           {Origin: "http://[::1]:1", Path: "/", Ask: rules.Public},
		"https://h.example/robots.txt public":              {Origin: "https://h.example", Path: "/robots.txt", Ask: rules.Public},
		"https://h.example/.well-known public":             {Origin: "https://h.example", Path: "/.well-known", Ask: rules.Public},
		"https://h.example/č public":                       {Origin: "https://h.example", Path: "/č", Ask: rules.Public},
		"https://h.example/a%20b public":                   {Origin: "https://h.example", Path: "/a b", Ask: rules.Public},
		"https://h.example/ second-step within=15m":        {Origin: "https://h.example", Path: "/", Ask: rules.SecondStep, Within: 15 * time.Minute},
		"https://h.example/ second-step within=1m":         {Origin: "https://h.example", Path: "/", Ask: rules.SecondStep, Within: time.Minute},
		"https://h.example/ second-step within=24h":        {Origin: "https://h.example", Path: "/", Ask: rules.SecondStep, Within: rules.MaxWithin},
		"https://h.example/ signed-in group=a group=b-1":   {Origin: "https://h.example", Path: "/", Ask: rules.SignedIn, Groups: []string{"a", "b-1"}},
		"https://h.example/ second-step group=a within=1h": {Origin: "https://h.example", Path: "/", Ask: rules.SecondStep, Within: time.Hour, Groups: []string{"a"}},
	} {
		got, err := rules.Parse(line, config.ParseDuration)
		if want.Line == "" {
			want.Line = line
		}
		if err != nil || got.Line != want.Line || got.Origin != want.Origin || got.Path != want.Path || got.Ask != want.Ask || got.Within != want.Within || !slices.Equal(got.Groups, want.Groups) {
			t.Errorf("%q: %+v, %v", line, got, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	const (
		wants    = "want an address and what is asked there"
		noURL    = "the address is no URL"
		extra    = "an address has no user, query or fragment"
		noName   = "the host is no name"
		plain    = "cookies are not protected without https"
		twoWays  = "the path can be read in more than one way"
		nowhere  = "is not asked anywhere"
		without  = "has no conditions"
		belongs  = "within= belongs to second-step, once"
		span     = "want within=1m to within=24h"
		noGroup  = "is no group"
		noneSuch = "there is no condition"
	)
	for line, want := range map[string]string{
		"": wants, "   ": wants, "https://h.example/": wants, "second-step": wants,

		"h.example/ public": noURL, "//h.example/ public": noURL, "/ public": noURL, "ftp://h.example/ public": noURL, "wss://h.example/ public": noURL, "https: public": noURL, "https:h.example public": noURL,
		"https:/// public": noURL, "https://h.example:x/ public": noURL, "https://h.example/%zz public": noURL, "https://[::1/ public": noURL, "https://[192.0.2.1]/ public": noURL, "https://h example/ public": nowhere, "public https://h.example/": noURL, "https://h.example\x7f/ public": noURL,

		"https://ann@h.example/ public": extra, "https://ann:pw@h.example/ public": extra, "https://h.example/? public": extra, "https://h.example/?a=b public": extra, "https://h.example/#a public": extra, "https://h.example/# public": extra,

		"https://*.example/ public": noName, "https://*/ public": noName, "https://bücher.example/ public": noName, "https://-h.example/ public": noName, "https://h-.example/ public": noName, "https://h..example/ public": noName, "https://.example/ public": noName,
		"https://h.example../ public": noName, "https://h.example:0/ public": noName, "https://h.example:65536/ public": noName, "https://h.example:0443/ public": noName, "https://h.example:/ public": noName, "https://[fe80::1%25eth0]/ public": noName,
		"https://" + strings.Repeat("a", 64) + ".example/ public": noName, "https://" + strings.Repeat("a.", 127) + "example/ public": noName, "https://h,example/ public": noName, "https://h!/ public": noName,

		"http://h.example/ public": plain, "http://localhost.example/ public": plain, "http://xlocalhost/ public": plain, "http://192.0.2.1/ public": plain, "http://[2001:db8::1]/ public": plain, "http://128.0.0.1/ public": plain,

		"https://h.example//a public": twoWays, "https://h.example/a//b public": twoWays, "https://h.example/. public": twoWays, "https://h.example/.. public": twoWays, "https://h.example/a/../b public": twoWays, "https://h.example/a/./b public": twoWays,
		"https://h.example/a. public": twoWays, "https://h.example/a./b public": twoWays, "https://h.example/... public": twoWays, `https://h.example/a\b public`: twoWays, "https://h.example/%41 public": twoWays, "https://h.example/a%2Fb public": twoWays, "https://h.example/a%20 public": twoWays,
		"https://h.example/a%25b public": twoWays, "https://h.example/a%00 public": twoWays, "https://h.example/;a/b public": twoWays, "https://h.example/a／／b public": twoWays, "https://h.example/．． public": twoWays,

		"https://h.example/ Public": nowhere, "https://h.example/ second_step": nowhere, "https://h.example/ secondstep": nowhere, "https://h.example/ allow": nowhere, "https://h.example/ group=a": nowhere, "https://h.example/ within=1h second-step": nowhere,

		"https://h.example/ public group=a": without, "https://h.example/ deny group=a": without, "https://h.example/ public within=1h": without, "https://h.example/ public public": without, "https://h.example/ deny x": without,

		"https://h.example/ signed-in within=1h": belongs, "https://h.example/ second-step within=1h within=1h": belongs, "https://h.example/ second-step within=1h within=2h": belongs,

		"https://h.example/ second-step within=59s": span, "https://h.example/ second-step within=25h": span, "https://h.example/ second-step within=2d": span,
		"https://h.example/ second-step within=": "", "https://h.example/ second-step within": "", "https://h.example/ second-step within=x": "", "https://h.example/ second-step within=-1h": "", "https://h.example/ second-step within=15": "",

		"https://h.example/ second-step group=": noGroup, "https://h.example/ second-step group": noGroup, "https://h.example/ second-step group=A": noGroup, "https://h.example/ second-step group=a,b": noGroup, "https://h.example/ second-step group=*": noGroup, "https://h.example/ second-step group=" + strings.Repeat("a", 41): noGroup,

		"https://h.example/ second-step Group=a": noneSuch, "https://h.example/ second-step user=ann": noneSuch, "https://h.example/ second-step signed-in": noneSuch, "https://h.example/ second-step #comment": noneSuch, "https://h.example/ second-step =a": noneSuch, "https://h.example/ signed-in ip=192.0.2.1": noneSuch,
	} {
		r, err := rules.Parse(line, config.ParseDuration)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v, want %q", line, err, want)
		}
		if r.Line != "" || r.Origin != "" || r.Ask != rules.Deny {
			t.Errorf("%.80q: an error and a rule %+v", line, r)
		}
	}
}

func TestASetOfRules(t *testing.T) {
	t.Parallel()
	for want, lines := range map[string][]string{
		"http and with https":               {"http://app.localhost:8443/ public", "https://app.localhost:8443/a deny"},
		"another one for this address":      {"https://h.example/a public", "https://h.example/b public", "https://h.example:443/a/ deny"},
		"several group=":                    {"https://h.example/ signed-in group=a", "https://h.example signed-in group=b"},
		"there is another one":              {"https://h.example/Admin deny", "https://h.example/admin public"}, // apps that take no notice of case
		`rule "https://h.example/ nothing"`: {"https://h.example/ nothing"},
	} {
		if _, err := rules.New(lines, config.ParseDuration); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", lines, err)
		}
	}
	broken := errors.New("no such length")
	if _, err := rules.New([]string{"https://h.example/ second-step within=1h"}, func(string) (time.Duration, error) { return time.Hour, broken }); !errors.Is(err, broken) {
		t.Errorf("the error of a length is %v", err)
	}

	for _, none := range []*rules.Set{nil, newSet(t)} {
		if !none.Empty() || none.Has("h.example") || none.Find("https", "h.example", "/").Origin != "" {
			t.Error("no rules are some")
		}
		if _, to := none.Return("https://h.example/"); to != "" {
			t.Errorf("no rules lead to %s", to)
		}
	}
	lines := []string{"https://b.example:8443/ public", "https://a.example/x deny", "https://a.example/ public", "https://[::1]:1/ deny"}
	set := newSet(t, lines...)
	var got []string
	for _, r := range set.All() {
		got = append(got, r.Line)
	}
	if !slices.Equal(got, lines) || set.Empty() {
		t.Errorf("all are %q", got)
	}
	for host, has := range map[string]bool{"a.example": true, "b.example": true, "::1": true, "[::1]": false, "b.example:8443": false, "A.example": false, "example": false, "": false} {
		if set.Has(host) != has {
			t.Errorf("has %q: %v", host, !has)
		}
	}
}

// Each Ask for each Step: the table that decides.
func TestNeed(t *testing.T) {
	t.Parallel()
	const (
		first, second, factor = twinlatch.NeedFirstStep, twinlatch.NeedSecondStep, twinlatch.NeedFactor
		pass                  = twinlatch.Pass
	)
	on := rules.Visitor{Step: pass, TwoStep: true, Age: 10 * time.Minute, Groups: []string{"staff"}}
	off := rules.Visitor{Step: pass, Age: -1}
	with := func(v rules.Visitor, change func(*rules.Visitor)) rules.Visitor { change(&v); return v }
	visitors := map[string]rules.Visitor{
		"nobody":   {},
		"expired":  {Step: first, Reason: twinlatch.ReasonExpired, TwoStep: true, Groups: []string{"staff"}},
		"half":     {Step: second, Reason: twinlatch.ReasonNewSession, TwoStep: true, Age: -1, Groups: []string{"staff"}},
		"moved":    {Step: second, Reason: twinlatch.ReasonIPChanged, TwoStep: true, Age: -1, Groups: []string{"staff"}},
		"owes":     {Step: factor, Reason: twinlatch.ReasonRequired, Age: -1, Groups: []string{"staff"}},
		"off":      off,
		"on":       on,
		"old":      with(on, func(v *rules.Visitor) { v.Age = 15*time.Minute + 1 }),
		"just":     with(on, func(v *rules.Visitor) { v.Age = 15 * time.Minute }),
		"no age":   with(on, func(v *rules.Visitor) { v.Age = -1 }),
		"others":   with(on, func(v *rules.Visitor) { v.Groups = []string{"others", "staffx", "Staff"} }),
		"no group": with(on, func(v *rules.Visitor) { v.Groups = nil }),
		"unknown":  {Step: 99, TwoStep: true, Groups: []string{"staff"}},
	}
	const table = `
	          deny     public   signed-in second-step in-group  within   off-group
	nobody    denied   pass     first     first       first     first    first
	expired   denied   pass     first     first       first     first    first
	half      denied   pass     second    second      second    second   second
	moved     denied   pass     second    second      second    second   second
	owes      denied   pass     factor    factor      factor    factor   factor
	off       denied   pass     pass      turn_on     group     turn_on  group
	on        denied   pass     pass      pass        pass      pass     pass
	old       denied   pass     pass      pass        pass      recent   pass
	just      denied   pass     pass      pass        pass      pass     pass
	no.age    denied   pass     pass      pass        pass      recent   pass
	others    denied   pass     pass      pass        group     pass     group
	no.group  denied   pass     pass      pass        group     pass     group
	unknown   denied   pass     first     first       first     first    first
	`
	lines := map[string]string{
		"deny": "deny", "public": "public", "signed-in": "signed-in", "second-step": "second-step", "in-group": "second-step group=board group=staff",
		"within": "second-step within=15m", "off-group": "signed-in group=staff",
	}
	needs := map[string]rules.Need{
		"denied": rules.Forbidden, "group": rules.Forbidden, "first": rules.NeedFirstStep, "second": rules.NeedSecondStep, "factor": rules.NeedFactor, "turn_on": rules.NeedFactor, "recent": rules.NeedSecondStep, "pass": rules.Nothing,
	}
	reasons := map[string]rules.Reason{"denied": rules.ReasonDenied, "group": rules.ReasonGroup, "turn_on": rules.ReasonTwoStepOff, "recent": rules.ReasonOld, "pass": ""}
	var columns []string
	rows := 0
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
			continue
		case columns == nil:
			columns = words
			continue
		}
		name := strings.ReplaceAll(words[0], ".", " ")
		v, ok := visitors[name]
		if !ok || len(words) != len(columns)+1 {
			t.Fatalf("row %q", line)
		}
		rows++
		for i, column := range columns {
			found := newSet(t, "https://h.example/ "+lines[column]).Find("https", "h.example", "/")
			want := words[i+1]
			reason, known := reasons[want]
			if !known {
				reason = rules.Reason(v.Reason)
			}
			if need, why := found.Asks(v); need != needs[want] || why != reason {
				t.Errorf("%s, %s: %d %q, want %s", name, column, need, why, want)
			}
		}
	}
	if rows != len(visitors) {
		t.Errorf("%d rows for %d visitors", rows, len(visitors))
	}
}

// Of several rules the hardest counts, in whatever order; none deny, as does a rule
// that nobody made.
func TestNeedOfSeveral(t *testing.T) {
	t.Parallel()
	ask := func(asks ...rules.Ask) (f rules.Found) {
		for _, a := range asks {
			f.Rules = append(f.Rules, &rules.Rule{Ask: a, Groups: map[bool][]string{true: {"staff"}}[a == rules.SignedIn]})
		}
		return f
	}
	stranger, on, off := rules.Visitor{}, rules.Visitor{Step: twinlatch.Pass, TwoStep: true, Groups: []string{"staff"}}, rules.Visitor{Step: twinlatch.Pass, Age: -1}
	for _, c := range []struct {
		found  rules.Found
		v      rules.Visitor
		need   rules.Need
		public bool
	}{
		{ask(), on, rules.Forbidden, false},
		{rules.Found{}, stranger, rules.Forbidden, false},
		{ask(rules.Public), stranger, rules.Nothing, true},
		{ask(rules.Public, rules.Public), stranger, rules.Nothing, true},
		{ask(rules.Public, rules.SecondStep), stranger, rules.NeedFirstStep, false},
		{ask(rules.SecondStep, rules.Public), on, rules.Nothing, false},
		{ask(rules.SecondStep, rules.SignedIn), off, rules.Forbidden, false}, // in no group
		{ask(rules.SignedIn, rules.SecondStep), off, rules.Forbidden, false},
		{ask(rules.SecondStep, rules.Public), off, rules.NeedFactor, false},
		{ask(rules.Public, rules.SecondStep, rules.Deny), on, rules.Forbidden, false},
		{ask(rules.Ask(99)), on, rules.Forbidden, false},
		{ask(rules.Ask(-1), rules.Public), on, rules.Forbidden, false},
	} {
		if need, _ := c.found.Asks(c.v); need != c.need || c.found.Public() != c.public {
			t.Errorf("%v of %+v: %d, public is %v", c.found.Rules, c.v, need, c.found.Public())
		}
	}
	if need, why := ask(rules.SecondStep).Need(twinlatch.Decision{Step: twinlatch.Pass}); need != rules.NeedFirstStep {
		t.Errorf("a Decision that only says that it passes: %d %q", need, why)
	}
}

func TestAsksAreWrittenAsInRules(t *testing.T) {
	t.Parallel()
	for ask, want := range map[rules.Ask]string{rules.Deny: "deny", rules.Public: "public", rules.SignedIn: "signed-in", rules.SecondStep: "second-step", 99: "deny", -1: "deny"} {
		if got := fmt.Sprint(ask); got != want {
			t.Errorf("%d is written %q", ask, got)
		}
	}
}
