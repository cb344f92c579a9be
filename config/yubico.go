package config

import (
	"errors"

	"github.com/twinlatch/twinlatch"
)

// Yubico says who judges the one-time passwords of YubiKeys.
type Yubico struct {
	Validate string           // "server", "own", or empty: they are not offered
	Servers  []string         // URLs of validation servers
	ID       string           // of our client there
	Secret   twinlatch.Secret // of our client there, in base64
}

// yubicoSettings are those that begin with "yubico.".
func yubicoSettings() []Setting {
	return []Setting{
		{Key: "yubico.validate", set: setValidate,
			Help: "Who judges one-time passwords of YubiKeys: server (yubico.servers), own (keys of 'twinlatch yubikey import') or off. Without it: off; with --dev: own."},
		{Key: "yubico.servers", Default: "https://api.yubico.com/wsapi/2.0/verify", list: true, set: func(c *Config, v string) error { c.Yubico.Servers = items(v); return nil },
			Help: "Validation servers, one to five, asked at the same time."},
		{Key: "yubico.id", set: func(c *Config, v string) error { return oneLine(&c.Yubico.ID, v) },
			Help: "Client ID at the validation servers, from https://upgrade.yubico.com/getapikey."},
		{Key: "yubico.secret", secret: true, set: setYubicoSecret,
			Help: "Secret key of that client, in base64."},
	}
}

func setValidate(c *Config, value string) error {
	switch value {
	case "server", "own":
		c.Yubico.Validate = value
	case "off":
		c.Yubico.Validate = ""
	default:
		return errors.New("want server, own or off")
	}
	return nil
}

func setYubicoSecret(c *Config, value string) error {
	var line string
	err := oneLine(&line, value)
	c.Yubico.Secret = twinlatch.NewSecret(line)
	return err
}

// checkYubico looks at what its settings mean together.
func (c *Config) checkYubico() error {
	if _, given := c.given["yubico.validate"]; !given && c.Dev {
		c.Yubico.Validate = "own"
	}
	if c.Yubico.Validate == "server" && (c.Yubico.ID == "" || c.Yubico.Secret.Reveal() == "") {
		return c.refuse("yubico.validate", errors.New("validation servers want yubico.id and yubico.secret; Yubico gives both at https://upgrade.yubico.com/getapikey"))
	}
	return nil
}
