package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/config"
)

const yubicoHere = "address = 'https://id.example.com'\n[yubico]\n"

func TestYubico(t *testing.T) {
	t.Chdir(t.TempDir())
	cloud := []string{"https://api.yubico.com/wsapi/2.0/verify"}
	for text, want := range map[string]string{
		"":                 "",
		"validate = 'off'": "",
		"validate = 'own'": "own",
		"validate = 'server'\nid = 12345\nsecret = 'bm90IGEgc2VjcmV0'": "server",
	} {
		c := load(t, config.Source{File: file(t, yubicoHere+text)})
		if c.Yubico.Validate != want || !slices.Equal(c.Yubico.Servers, cloud) {
			t.Errorf("%q: %+v", text, c.Yubico)
		}
	}
	if c := load(t, config.Source{Dev: true}); c.Yubico.Validate != "own" {
		t.Errorf("in development: %+v", c.Yubico)
	}
}

func TestBadYubicoSettings(t *testing.T) {
	const both = "validation servers want yubico.id and yubico.secret; Yubico gives both at https://upgrade.yubico.com/getapikey"
	for text, want := range map[string]string{
		"validate = ''":                           `setting yubico.validate from FILE is "": want server, own or off`,
		"validate = 'yes'":                        `setting yubico.validate from FILE is "yes": want server, own or off`,
		"validate = true":                         `setting yubico.validate from FILE: want text in quotes`,
		"validate = 'server'":                     `setting yubico.validate from FILE is "server": ` + both,
		"validate = 'server'\nid = 1":             `setting yubico.validate from FILE is "server": ` + both,
		"validate = 'server'\nsecret = 'hunter2'": `setting yubico.validate from FILE is "server": ` + both,
		"id = \"1\\n2\"":                          `setting yubico.id from FILE is "1\n2": want one line`,
		"secret = \"hunter2\\nhunter2\"":          `setting yubico.secret from FILE: want one line`,
		"server = 'https://val.example'":          `unknown setting yubico.server in FILE; the nearest known one is yubico.servers`,
	} {
		name := file(t, yubicoHere+text)
		_, err := config.Load(config.Source{File: name})
		if err == nil || strings.ReplaceAll(err.Error(), name, "FILE") != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}
