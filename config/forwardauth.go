package config

import (
	"errors"
	"strings"
)

// ForwardAuth is which apps are protected, and how.
type ForwardAuth struct {
	Rules        []string // one a line, as package rules reads them; none: forward-auth is off
	CookieDomain string   // browsers send our cookie to all hosts there; empty: to ours only
	IDs          bool     // Remote-User is the account's ID; else its e-mail address
}

// forwardAuthSettings are those that begin with "forward_auth.". What rules mean is
// checked by their package.
func forwardAuthSettings() []Setting {
	return []Setting{
		{Key: "forward_auth.rules", list: true, set: func(c *Config, v string) error { c.ForwardAuth.Rules = items(v); return nil },
			Help: "What is asked at addresses of protected apps: https://wiki.example.com/ second-step,https://wiki.example.com/status public. Needs proxies."},
		{Key: "forward_auth.cookie_domain", set: setCookieDomain,
			Help: "Domain whose hosts all get our own cookie, for instance example.com. Without it each app's host gets one of its own, which is safer."},
		{Key: "forward_auth.remote_user", Default: "email", set: setRemoteUser,
			Help: "What Remote-User tells apps: email, or id, which stays when the address changes."},
	}
}

func setCookieDomain(c *Config, value string) error {
	if !isHostname(value) || value != strings.ToLower(value) {
		return errors.New("want a domain such as example.com, in lower case and without a dot in front")
	}
	c.ForwardAuth.CookieDomain = value
	return nil
}

func setRemoteUser(c *Config, value string) error {
	if value != "email" && value != "id" {
		return errors.New("want email or id")
	}
	c.ForwardAuth.IDs = value == "id"
	return nil
}

// checkForwardAuth refuses what would make the rule about IP addresses mean nothing.
func (c *Config) checkForwardAuth() error {
	if len(c.ForwardAuth.Rules) > 0 && len(c.Proxies) == 0 {
		return c.refuse("forward_auth.rules", errors.New("set proxies too, to the addresses from which your reverse proxies ask, for instance proxies = [\"127.0.0.1\"]: without them everybody would seem to come from the proxy, and nobody would be asked for a code when their address changes"))
	}
	host, domain := c.Address.Hostname(), c.ForwardAuth.CookieDomain
	if domain != "" && host != domain && !strings.HasSuffix(host, "."+domain) {
		return c.refuse("forward_auth.cookie_domain", errors.New("the host of address is not in this domain, so browsers would refuse the cookie"))
	}
	return nil
}
