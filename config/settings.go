package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/twinlatch/twinlatch"
)

// Setting is one thing that can be configured.
type Setting struct {
	Key     string // in the file; a dot leads into a table
	Help    string // one line
	Default string // as it would be written; empty: none
	Flag    bool   // can be given as --key

	list   bool // may be an array in the file
	secret bool // may hold a password: never shown
	set    func(c *Config, value string) error
}

// Env is the name of the setting in the environment.
func (s Setting) Env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.Key, ".", "_"))
}

// Settings is the table of all settings and the only place that declares one.
// The order matters: the profile gives the policy that later rows change.
func Settings() []Setting {
	all := []Setting{
		{Key: "listen", Default: "localhost:8080", Flag: true, set: setListen,
			Help: "Address to listen on, host:port."},
		{Key: "address", Flag: true, set: setAddress,
			Help: "Public URL, for instance https://id.example.com. With --dev: the address listened on."},
		{Key: "database", Default: "sqlite:var/twinlatch.db", Flag: true, secret: true, set: setDatabase,
			Help: "sqlite:PATH or postgres://…"},
		{Key: "keys", Default: "var/keys", Flag: true, set: setKeys,
			Help: "Key file, made by 'twinlatch key create', with --dev on the first start."},
		{Key: "proxies", list: true, set: setProxies,
			Help: "Addresses and networks of proxies whose forwarding header is believed."},
		{Key: "sign_up", Default: "open", set: setSignUp,
			Help: "Who may make an account: open (anybody who gets to the page), or closed (twinlatch account create only)."},
		{Key: "policy.profile", Default: "none", set: setProfile,
			Help: "Policy to start from: none, or aal2 (both steps again after 1 hour without a request, and after 24 hours)."},
		{Key: "policy.code_every", Default: "30d", set: setCodeEvery,
			Help: "How long after a code the next one is asked, at most 90d: 30d, 12h, 1d12h."},
		{Key: "policy.bind_ip", Default: "same", set: setBindIP,
			Help: "Which change of the IP address asks for a code: same (any), subnet (/24, /48), off (none)."},
		{Key: "policy.ipv6_prefix", Default: "64", set: setIPv6Prefix,
			Help: "How many bits of an IPv6 address count, 1 to 128."},
		{Key: "log.level", Default: "info", set: setLogLevel,
			Help: "Least level that is logged: debug, info, warn, error."},
	}
	return slices.Concat(all, webauthnSettings(), textSettings(), mailSettings(), yubicoSettings(), forwardAuthSettings())
}

func setListen(c *Config, value string) error {
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		return errors.New("want host:port, for instance localhost:8080")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("the port is not a number from 0 to 65535")
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && !isHostname(host) {
		return errors.New("the host is neither a name nor an IP address")
	}
	c.Listen = value
	return nil
}

// setAddress takes an origin. It is written as browsers write it, in lower case
// and without the scheme's own port, because browsers compare it as text.
func setAddress(c *Config, value string) error {
	u, err := url.Parse(value)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Opaque != "":
		return errors.New("want an absolute URL, for instance https://id.example.com")
	case u.User != nil:
		return errors.New("a URL with a user or password in it is not an address")
	case u.Path != "" && u.Path != "/", strings.ContainsAny(value, "?#"):
		return errors.New("want scheme and host only, without path, query or fragment")
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
		host = ip.String()
		if ip.Is6() {
			host = "[" + host + "]"
		}
	} else if !isHostname(host) {
		return errors.New("the host is not a name; write international names as xn--…")
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return errors.New("the port is not a number from 1 to 65535")
	} else if port != "" && !(u.Scheme == "http" && n == 80) && !(u.Scheme == "https" && n == 443) {
		host += ":" + strconv.FormatUint(n, 10)
	}
	c.Address = &url.URL{Scheme: u.Scheme, Host: host}
	return nil
}

func setDatabase(c *Config, value string) error {
	switch scheme, rest, _ := strings.Cut(value, ":"); {
	case scheme == "sqlite" && rest != "" && isOneLine(value):
	case scheme == "postgres" || scheme == "postgresql":
		// The cause would show the password.
		if u, err := url.Parse(value); err != nil || u.Opaque != "" || !isOneLine(value) {
			return errors.New("want postgres://user:password@host/name; escape special characters with %")
		}
	default:
		return errors.New("want sqlite:PATH or postgres://…")
	}
	c.Database = twinlatch.NewSecret(value)
	return nil
}

func setKeys(c *Config, value string) error {
	if value == "" || !isOneLine(value) {
		return errors.New("want the path of the key file")
	}
	c.Keys = value
	return nil
}

func setProxies(c *Config, value string) (err error) {
	c.Proxies, err = parseProxies(value)
	return err
}

func setProfile(c *Config, value string) error {
	switch value {
	case "none":
		c.Policy = twinlatch.DefaultPolicy()
	case "aal2":
		c.Policy = twinlatch.AAL2()
	default:
		return errors.New("want none or aal2")
	}
	return nil
}

func setCodeEvery(c *Config, value string) (err error) {
	c.Policy.CodeEvery, err = ParseDuration(value)
	if most := twinlatch.DefaultPolicy().SessionFor; err == nil && c.Policy.CodeEvery > most {
		return fmt.Errorf("want at most %dd: a session ends then, and the next sign-in asks for a code anyway", most/(24*time.Hour))
	}
	return err
}

func setSignUp(c *Config, value string) error {
	if value != "open" && value != "closed" {
		return errors.New("want open or closed")
	}
	c.SignUp = value == "open"
	return nil
}

func setBindIP(c *Config, value string) error {
	switch value {
	case "same":
		c.Policy.BindIP = twinlatch.SameIP
	case "subnet":
		c.Policy.BindIP = twinlatch.SameSubnet
	case "off":
		c.Policy.BindIP = twinlatch.AnyIP
	default:
		return errors.New("want same, subnet or off")
	}
	return nil
}

func setIPv6Prefix(c *Config, value string) error {
	n, err := strconv.ParseUint(value, 10, 8)
	if err != nil || n < 1 || n > 128 {
		return errors.New("want a number from 1 to 128")
	}
	c.Policy.IPv6Prefix = int(n)
	return nil
}

func setLogLevel(c *Config, value string) error {
	switch value {
	case "debug":
		c.LogLevel = slog.LevelDebug
	case "info":
		c.LogLevel = slog.LevelInfo
	case "warn":
		c.LogLevel = slog.LevelWarn
	case "error":
		c.LogLevel = slog.LevelError
	default:
		return errors.New("want debug, info, warn or error")
	}
	return nil
}

// isHostname says whether host is letters, digits and hyphens between dots.
func isHostname(host string) bool {
	if len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		bad := strings.IndexFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
		}) >= 0
		if bad || label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

func isOneLine(s string) bool { return strings.IndexFunc(s, unicode.IsControl) < 0 }
