package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// What is asked is explained by the rules of the settings and the account as it is now.
func TestRulesExplain(t *testing.T) {
	emptyDatabase(t)
	newAccount(t, "ann@example.com", "sqlite:var/twinlatch.db", ".")
	env := []string{"TWINLATCH_PROXIES=10.0.0.0/8", "TWINLATCH_FORWARD_AUTH_RULES=https://wiki.example.com/ signed-in,https://wiki.example.com/admin second-step within=15m group=staff,https://wiki.example.com/status public"}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"--url", "https://wiki.example.com/page"}, []string{"https://wiki.example.com/ signed-in", "not signed in has to sign in."}},
		{[]string{"--url", "https://WIKI.example.com:443/status/x"}, []string{"/status public", "not signed in passes."}},
		{[]string{"--url", "https://wiki.example.com/Admin"}, []string{"more than one way", "/admin second-step within=15m group=staff", "https://wiki.example.com/ signed-in"}},
		{[]string{"--url", "http://wiki.example.com/"}, []string{"No rule names this host"}},
		{[]string{"--url", "https://wiki.example.com/page", "--ip", "::ffff:10.1.2.3"}, []string{"10.1.2.3 is one of proxies", "403 unknown-address"}},
		{[]string{"--url", "https://wiki.example.com/", "--account", "ann@example.com", "--ip", "192.0.2.1"}, []string{"ann@example.com, after signing in from 192.0.2.1, passes."}},
		{[]string{"--url", "https://wiki.example.com/admin", "--account", "ann@example.com"}, []string{"ann@example.com, after signing in from an unknown address, does not get in: in none of the groups"}},
	} {
		code, out, errs := typed(env, append([]string{"rules", "explain"}, c.args...)...)
		for _, want := range c.want {
			if code != exitOK || !strings.Contains(out, want) {
				t.Errorf("%v: exit %d: %s%s", c.args, code, out, errs)
			}
		}
	}
	code, out, errs := typed(env, "rules", "explain", "--json", "--url", "https://wiki.example.com/admin", "--account", "ann@example.com")
	var e explanation
	if err := json.Unmarshal([]byte(out), &e); code != exitOK || err != nil || e.Account.SignIn.Need != "forbidden" || e.Account.SignIn.Reason != "group" || e.Stranger.Need != "sign_in" {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	for _, c := range [][]string{{"--url", "wiki"}, {"--url", "https://wiki.example.com/", "--account", "nobody@example.com"}} {
		if code, out, errs := typed(env, append([]string{"rules", "explain"}, c...)...); code != exitFailure || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: exit %d: %s%s", c, code, out, errs)
		}
	}
	if code, _, errs := typed(nil, "rules", "explain", "--url", "https://wiki.example.com/"); code != exitFailure || !strings.Contains(errs, "forward_auth.rules") {
		t.Errorf("without rules: %s", errs)
	}
}
