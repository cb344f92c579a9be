package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/forwardauth"
	"github.com/twinlatch/twinlatch/rules"
	"github.com/twinlatch/twinlatch/web"
)

// newRules are the rules for protected apps; nil: there are none.
func newRules(cfg *config.Config) (*rules.Set, error) {
	if domain := cfg.ForwardAuth.CookieDomain; domain != "" {
		if suffix, _ := publicsuffix.PublicSuffix(domain); suffix == domain && domain != "localhost" {
			return nil, fmt.Errorf("setting forward_auth.cookie_domain: %s is a public suffix, for which browsers accept no cookies", domain)
		}
	}
	if len(cfg.ForwardAuth.Rules) == 0 {
		return nil, nil
	}
	apps, err := rules.New(cfg.ForwardAuth.Rules, config.ParseDuration)
	if err == nil && cfg.Address != nil && apps.Has(cfg.Address.Hostname()) {
		err = errors.New("an app has the same host as address: cookies do not tell ports apart, so each needs a name of its own")
	}
	if err != nil {
		return nil, fmt.Errorf("setting forward_auth.rules: %w", err)
	}
	return apps, nil
}

// newChecks is the door for proxies, for the requests that are its. It sees each path
// as it was sent. Nil: there are no apps.
func newChecks(service *twinlatch.Service, cfg *config.Config, apps *rules.Set, log *slog.Logger) (func(*http.Request) http.Handler, error) {
	if apps.Empty() {
		return nil, nil
	}
	door, err := forwardauth.New(forwardauth.Config{
		Service: service, Address: cfg.Address, Rules: apps, Proxies: cfg.Proxies,
		CookieDomain: cfg.ForwardAuth.CookieDomain, IDs: cfg.ForwardAuth.IDs, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return func(r *http.Request) http.Handler {
		if strings.HasPrefix(r.RequestURI, forwardauth.Prefix) && r.URL.Path != web.HandOverPath {
			return door
		}
		return nil
	}, nil
}
