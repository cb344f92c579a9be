package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/config"
)

func TestShowSaysWhatAndWhy(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f.toml")
	secret := filepath.Join(dir, "secret")
	for name, text := range map[string]string{
		file:   "address = 'https://id.example.com'\nlisten = 'localhost:1'\nproxies = ['10.0.0.0/8', '192.0.2.1']\n[yubico]\nsecret = 'hunter2'\n",
		secret: "hunter3\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := config.Show(config.Source{
		File: file, Env: []string{"TWINLATCH_LISTEN=localhost:2", "TWINLATCH_TEXT_NAME_FILE=" + secret, "TWINLATCH_DATABASE=postgres://u:hunter4@h/d"},
		Flags: map[string]string{"keys": "k"},
	})
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for i, v := range all {
		if v.Key != config.Settings()[i].Key {
			t.Errorf("row %d is %s", i, v.Key)
		}
		shown[v.Key] = v.Value + " from " + v.Origin
	}
	if len(all) != len(config.Settings()) {
		t.Errorf("%d rows", len(all))
	}
	for key, want := range map[string]string{
		"address": "https://id.example.com from " + file, "listen": "localhost:2 from TWINLATCH_LISTEN", "keys": "k from --keys",
		"proxies": "10.0.0.0/8,192.0.2.1 from " + file, "database": "[secret] from TWINLATCH_DATABASE", "yubico.secret": "[secret] from " + file,
		"text.name": "[secret] from TWINLATCH_TEXT_NAME_FILE", "policy.code_every": "30d from default", "text.twilio.token": " from ",
	} {
		if shown[key] != want {
			t.Errorf("%s: %q, want %q", key, shown[key], want)
		}
	}
	if text := fmt.Sprint(all); strings.Contains(text, "hunter") {
		t.Error("a secret is shown")
	}
	if all, err := config.Show(config.Source{File: file, Env: []string{"TWINLATCH_DATABASE=sqlite:a.db"}}); err != nil || all[2].Value != "sqlite:a.db" {
		t.Errorf("%v, %v", all[2], err)
	}
	if _, err := config.Show(config.Source{File: file, Env: []string{"TWINLATCH_LISTN=a"}}); err == nil {
		t.Error("an unknown setting is shown as if it were none")
	}
}

func TestAllProblemsAreFound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f.toml")
	text := "lisen = 'x'\nproxies = [1]\n[policy]\ncode_evry = '1d'\nbind_ip = 'never'\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, err := range config.Problems(config.Source{
		File: file, Env: []string{"TWINLATCH_LISTN=x", "TWINLATCH_KEYS=a", "TWINLATCH_KEYS_FILE=b", "TWINLATCH_LOG_LEVEL_FILE=absent"}, Flags: map[string]string{"listen": "x"},
	}) {
		have = append(have, strings.ReplaceAll(err.Error(), file, "FILE"))
	}
	want := []string{
		"unknown setting lisen in FILE; the nearest known one is listen",
		"unknown setting policy.code_evry in FILE; the nearest known one is policy.code_every",
		"setting proxies from FILE: want an array of text in quotes",
		"setting keys is set by both TWINLATCH_KEYS and TWINLATCH_KEYS_FILE; keep one",
		"setting log.level from TWINLATCH_LOG_LEVEL_FILE, file absent: no such file or directory",
		"unknown setting TWINLATCH_LISTN in the environment; the nearest known one is TWINLATCH_LISTEN",
		`setting listen from --listen is "x": want host:port, for instance localhost:8080`,
		`setting policy.bind_ip from FILE is "never": want same, subnet or off`,
	}
	if strings.Join(have, "\n") != strings.Join(want, "\n") {
		t.Errorf("\nhave %s\nwant %s", strings.Join(have, "\n     "), strings.Join(want, "\n     "))
	}
	if problems := config.Problems(config.Source{}); len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), "setting address is missing") {
		t.Errorf("%v", problems)
	}
	if problems := config.Problems(config.Source{Dev: true}); len(problems) != 0 {
		t.Errorf("%v", problems)
	}
}
