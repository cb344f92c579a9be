package main

import (
	"fmt"

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
	address := *cfg.Address
	if cfg.Dev && !webauthn.Usable(&address) {
		address.Host = "localhost:" + address.Port()
	}
	if c.ID == "" && len(c.Origins) == 0 && !webauthn.Usable(&address) {
		return nil, nil
	}
	if c.ID == "" {
		c.ID = address.Hostname()
	}
	if len(c.Origins) == 0 {
		c.Origins = []string{address.Scheme + "://" + address.Host}
	}
	key, err := webauthn.New(c)
	if err != nil {
		return nil, fmt.Errorf("setting %w", err)
	}
	return key, nil
}
