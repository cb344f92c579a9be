// Package config turns one file, the environment and flags into checked values.
//
// Each setting is one row of [Settings]: its key in the file, the environment
// name made from the key, a line of help and a default. Where a setting is given
// more than once, the flag wins over the environment, and the environment over
// the file:
//
//	twinlatch.toml                     TWINLATCH_POLICY_CODE_EVERY=30d
//	  [policy]                         TWINLATCH_POLICY_CODE_EVERY_FILE=/run/secrets/every
//	  code_every = "30d"
//
// An environment name that ends in _FILE names a file that holds the value, as
// container secrets do; one newline at its end is not part of the value.
//
// The zero tolerance is on purpose: a misspelt setting of a security product
// must not be taken for a default. An unknown setting and an invalid value are
// an error of one line that names the setting and where it came from; the value
// is shown unless it may hold a password. The only names that are passed over
// are those with which Kubernetes describes services to a pod, when a service is
// itself called twinlatch.
//
// This package belongs to the program and promises no stability to others.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"unicode"

	"github.com/twinlatch/twinlatch"
)

// Config holds checked settings. Those of the policy have their defaults
// filled in.
type Config struct {
	Dev         bool             // development mode: on loopback only, asks for no configuration
	Listen      string           // host:port; an empty host is every address of this machine
	Address     *url.URL         // the public URL: scheme and host, nothing else
	Database    twinlatch.Secret // "sqlite:PATH" or "postgres://…", which may hold a password
	Keys        string           // path of the key file
	Proxies     []netip.Prefix   // peers whose forwarding header is believed; never all addresses
	Policy      twinlatch.Policy
	SignUp      bool // anybody may make an account; else only the command does
	WebAuthn    WebAuthn
	Text        Text
	Mail        Mail
	Yubico      Yubico
	ForwardAuth ForwardAuth
	LogLevel    slog.Level

	given map[string]raw // where the settings that were given came from
}

// Source is where settings come from.
type Source struct {
	File  string            // from --config; empty: twinlatch.toml, if there is one
	Env   []string          // "NAME=value", as os.Environ gives it
	Flags map[string]string // by key of the setting; only those that were given
	Dev   bool              // --dev: no setting, so that no file can turn it on
}

// Load reads all settings and checks that the server can start with them.
func Load(src Source) (*Config, error) {
	c, err := Read(src)
	if err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// Read reads all settings and checks each by itself, for commands that need
// only one of them: Address may be nil.
func Read(src Source) (*Config, error) {
	c, problems := read(src)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	return c, nil
}

// Problems are all reasons why Load would fail, one line each, as far as they can
// be told while the others are there.
func Problems(src Source) []error {
	c, problems := read(src)
	if len(problems) > 0 {
		return problems
	}
	if err := c.check(); err != nil {
		return []error{err}
	}
	return nil
}

func read(src Source) (*Config, []error) {
	given, problems := src.collect()
	c := &Config{Dev: src.Dev, given: given}
	for _, s := range Settings() {
		if s.Default == "" {
			continue
		}
		if err := s.set(c, s.Default); err != nil {
			problems = append(problems, fmt.Errorf("default of setting %s: %w", s.Key, err))
		}
	}
	// In the order of the table: the profile comes before the rest of the policy.
	for _, s := range Settings() {
		g, ok := given[s.Key]
		if !ok {
			continue
		}
		if err := s.set(c, g.value); err != nil {
			problems = append(problems, c.refuse(s.Key, err))
		}
	}
	return c, problems
}

// check looks at what settings mean together.
func (c *Config) check() error {
	host, port, _ := net.SplitHostPort(c.Listen)
	switch {
	case c.Dev && !isLoopback(host):
		return c.refuse("listen", errors.New("development mode listens on loopback only (localhost, 127.0.0.1, [::1]); leave out --dev to listen elsewhere"))
	case c.Address == nil && c.Dev:
		c.Address = development(host, port)
	case c.Address == nil:
		return errors.New("setting address is missing: give the public URL, for instance --address https://id.example.com, or use --dev to try Twinlatch on this machine")
	case c.Address.Scheme == "http" && !c.Dev && !isLoopback(c.Address.Hostname()):
		return c.refuse("address", errors.New("cookies are not protected without https; http is for localhost, 127.0.0.1 and [::1] only"))
	}
	if err := c.checkMail(); err != nil {
		return err
	}
	if err := c.checkForwardAuth(); err != nil {
		return err
	}
	return c.checkYubico()
}

// Listening tells c which address was opened. It matters in development mode
// when Listen asks for any free port: unless Address was set, it gets that port.
func (c *Config) Listening(at net.Addr) {
	if _, set := c.given["address"]; set || !c.Dev {
		return
	}
	host, _, _ := net.SplitHostPort(c.Listen)
	if _, port, err := net.SplitHostPort(at.String()); err == nil {
		c.Address = development(host, port)
	}
}

// refuse makes the one line that stops the start.
func (c *Config) refuse(key string, why error) error {
	g, ok := c.given[key]
	switch {
	case !ok: // a default that another setting rules out
		return fmt.Errorf("setting %s: %w", key, why)
	case g.secret:
		return fmt.Errorf("setting %s from %s: %w", key, g.origin, why)
	}
	return fmt.Errorf("setting %s from %s is %s: %w", key, g.origin, quote(g.value), why)
}

// quote shows a value on one line, cut when it is long.
func quote(value string) string {
	const most = 80
	if len(value) > most {
		return fmt.Sprintf("%.*q…", most, value)
	}
	return fmt.Sprintf("%q", value)
}

// plain shows a name as it is, or in quotes where that could be misread.
func plain(name string) string {
	if name == "" || len(name) > 200 || strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsPrint(r) || unicode.IsSpace(r) || r == '"'
	}) {
		return quote(name)
	}
	return name
}

// development is the address of a server on this machine.
func development(host, port string) *url.URL {
	if port == "80" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return &url.URL{Scheme: "http", Host: host}
	}
	return &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
