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

// withForwardAuth puts the door for proxies beside the pages. It comes first and sees
// each path as it was sent.
func withForwardAuth(pages http.Handler, service *twinlatch.Service, cfg *config.Config, apps *rules.Set, log *slog.Logger) (http.Handler, error) {
	if apps.Empty() {
		return pages, nil
	}
	door, err := forwardauth.New(forwardauth.Config{
		Service: service, Address: cfg.Address, Rules: apps, Proxies: cfg.Proxies,
		CookieDomain: cfg.ForwardAuth.CookieDomain, IDs: cfg.ForwardAuth.IDs, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.RequestURI, forwardauth.Prefix) && r.URL.Path != web.HandOverPath {
			door.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	}), nil
}
