package main

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/method/webauthn"
)

// newSecurityKey is for the address unless settings say something else; nil when
// no browser would use a security key there. In development, where the address
// may be 127.0.0.1, it is for localhost.
func newSecurityKey(cfg *config.Config) (*webauthn.Method, error) {
	c := webauthn.Config{
		ID: cfg.WebAuthn.ID, Name: "Twinlatch", Origins: cfg.WebAuthn.Origins,
		UserVerification: cfg.WebAuthn.UserVerification, Models: cfg.WebAuthn.Models,
	}
	address := keyAddress(cfg)
	if c.ID == "" && len(c.Origins) == 0 && !webauthn.Usable(address) {
		return nil, nil
	}
	if c.ID == "" {
		c.ID = address.Hostname()
	}
	if origin := address.String(); !slices.Contains(c.Origins, origin) {
		c.Origins = append([]string{origin}, c.Origins...)
	}
	key, err := webauthn.New(c)
	if err != nil {
		return nil, fmt.Errorf("settings webauthn.*, with address %s: %w", address, err)
	}
	return key, nil
}

// keyAddress is where browsers let people use security keys.
func keyAddress(cfg *config.Config) *url.URL {
	if !cfg.Dev || webauthn.Usable(cfg.Address) {
		return cfg.Address
	}
	host := "localhost"
	if port := cfg.Address.Port(); port != "" {
		host += ":" + port
	}
	return &url.URL{Scheme: cfg.Address.Scheme, Host: host}
}
