package config

import "errors"

// WebAuthn is who asks for security keys.
type WebAuthn struct {
	ID               string   // of the relying party; empty: the host of the address
	Origins          []string // empty: the address
	UserVerification string
	Models           []string // AAGUIDs that may be enrolled; empty: any
}

// webauthnSettings are those that begin with "webauthn.". What they mean together
// is checked by the method.
func webauthnSettings() []Setting {
	return []Setting{
		{Key: "webauthn.id", set: func(c *Config, v string) error { return oneLine(&c.WebAuthn.ID, v) },
			Help: "Domain that security keys are made for (RP ID): the address's host, which is the default, or one above it. Keys are lost when it changes."},
		{Key: "webauthn.origins", list: true, set: func(c *Config, v string) error { c.WebAuthn.Origins = items(v); return nil },
			Help: "Where our pages are, if not only at the address: https://id.example.com,https://www.example.com. All at webauthn.id or below."},
		{Key: "webauthn.user_verification", Default: "preferred", set: setUserVerification,
			Help: "Whether a security key asks for its PIN or a finger: preferred (if it can), required, discouraged."},
		{Key: "webauthn.models", list: true, set: func(c *Config, v string) error { c.WebAuthn.Models = items(v); return nil },
			Help: "AAGUIDs of the models that may be added. Without it: any."},
	}
}

func oneLine(to *string, value string) error {
	if !isOneLine(value) {
		return errors.New("want one line")
	}
	*to = value
	return nil
}

func setUserVerification(c *Config, value string) error {
	switch value {
	case "preferred", "required", "discouraged":
		c.WebAuthn.UserVerification = value
		return nil
	}
	return errors.New("want preferred, required or discouraged")
}
