package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/config"
)

const wikiRule = "https://wiki.example.com/ second-step"

func TestForwardAuth(t *testing.T) {
	t.Parallel()
	c := load(t, config.Source{File: file(t, `
address = "https://id.example.com"
proxies = ["10.0.0.1"]

[forward_auth]
rules = [
	"https://wiki.example.com/ second-step",
	"https://wiki.example.com/admin second-step within=15m group=admin",
]
cookie_domain = "example.com"
remote_user = "id"
`)})
	if !slices.Equal(c.ForwardAuth.Rules, []string{wikiRule, "https://wiki.example.com/admin second-step within=15m group=admin"}) || c.ForwardAuth.CookieDomain != "example.com" || !c.ForwardAuth.IDs {
		t.Errorf("got %+v", c.ForwardAuth)
	}
	c = load(t, config.Source{Dev: true})
	if len(c.ForwardAuth.Rules) > 0 || c.ForwardAuth.CookieDomain != "" || c.ForwardAuth.IDs {
		t.Errorf("without settings: %+v", c.ForwardAuth)
	}
	c = load(t, config.Source{Dev: true, Env: []string{
		"TWINLATCH_PROXIES=127.0.0.1", "TWINLATCH_FORWARD_AUTH_RULES=" + wikiRule + ", https://files.example.com/ public", "TWINLATCH_FORWARD_AUTH_REMOTE_USER=email",
	}})
	if !slices.Equal(c.ForwardAuth.Rules, []string{wikiRule, "https://files.example.com/ public"}) || c.ForwardAuth.IDs {
		t.Errorf("from the environment: %+v", c.ForwardAuth)
	}
}

// Where nobody says who the proxies are, nobody's address would ever change.
func TestForwardAuthNeedsProxies(t *testing.T) {
	t.Parallel()
	const sentence = `set proxies too, to the addresses from which your reverse proxies ask, for instance proxies = ["127.0.0.1"]: without them everybody would seem to come from the proxy, and nobody would be asked for a code when their address changes`
	for _, src := range []config.Source{
		{Dev: true, Env: []string{"TWINLATCH_FORWARD_AUTH_RULES=" + wikiRule}},
		{Dev: true, Env: []string{"TWINLATCH_FORWARD_AUTH_RULES=" + wikiRule, "TWINLATCH_PROXIES="}},
		{File: file(t, "address = 'https://id.example.com'\nforward_auth.rules = ['"+wikiRule+"']\nproxies = []")},
	} {
		_, err := config.Load(src)
		if err == nil || !strings.Contains(err.Error(), sentence) || !strings.Contains(err.Error(), "forward_auth") && !strings.Contains(err.Error(), "FORWARD_AUTH") {
			t.Errorf("%v", err)
		}
	}
	load(t, config.Source{Dev: true, Env: []string{"TWINLATCH_FORWARD_AUTH_RULES="}}) // no rules, no proxies
	load(t, config.Source{Dev: true, Env: []string{"TWINLATCH_FORWARD_AUTH_REMOTE_USER=id"}})
}

func TestCookieDomain(t *testing.T) {
	t.Parallel()
	const outside, form = "the host of address is not in this domain", "want a domain such as example.com, in lower case and without a dot in front"
	for domain, want := range map[string]string{
		"example.com": "", "id.example.com": "", "com": "", // whether it is a public suffix, the program checks
		"wiki.example.com": outside, "xid.example.com": outside, "d.example.com": outside, "ample.com": outside, "example.org": outside, "x.id.example.com": outside,
		".example.com": form, "Example.com": form, "example.com.": form, "*.example.com": form, "https://example.com": form, "example.com:443": form, "example.com/": form, "exa mple.com": form, "bücher.example": form, "a..b": form,
	} {
		c, err := config.Load(config.Source{Env: []string{"TWINLATCH_ADDRESS=https://id.example.com", "TWINLATCH_FORWARD_AUTH_COOKIE_DOMAIN=" + domain}})
		switch {
		case want == "" && (err != nil || c.ForwardAuth.CookieDomain != domain):
			t.Errorf("%s: %v", domain, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", domain, err, want)
		}
	}
}

func TestRemoteUser(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"login", "ID", "Email", "name", "true", "email,id"} {
		if _, err := config.Load(config.Source{Dev: true, Env: []string{"TWINLATCH_FORWARD_AUTH_REMOTE_USER=" + value}}); err == nil || !strings.Contains(err.Error(), "want email or id") {
			t.Errorf("%s: %v", value, err)
		}
	}
}
