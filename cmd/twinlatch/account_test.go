package main

import (
	"encoding/json"
	"net/http"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// newAccount makes one for somebody beside the server, whose keys are in dir.
func newAccount(t *testing.T, email, database, dir string) {
	t.Helper()
	var out, errs strings.Builder
	args := []string{"account", "create", "--email", email, "--database", database, "--keys", filepath.Join(dir, "var", "keys")}
	if code := run(args, terminal{strings.NewReader(crashPassword + "\n"), &out, &errs, nil}); code != exitOK {
		t.Fatal(errs.String())
	}
}

// A command writes the mail and sends nothing: it knows no password of the mail
// server and does not reach it. The server that runs, or the next one, sends it.
func TestTheServerSendsTheMailOfACommand(t *testing.T) {
	emptyDatabase(t)
	p := newPost(t)
	code, out, errs := typed([]string{
		"TWINLATCH_MAIL_HOST=192.0.2.1:587", "TWINLATCH_MAIL_USER=mailer", "TWINLATCH_MAIL_FROM=noreply@example.com",
		"TWINLATCH_TEXT_SENDERS=twilio", "TWINLATCH_YUBICO_VALIDATE=server", "TWINLATCH_YUBICO_ID=1",
	}, "account", "create", "--link", "--email", "ann@example.com", "--address", "https://id.example.com")
	if code != exitOK || out != "" {
		t.Fatalf("exit %d: %s %s", code, out, errs)
	}
	t.Setenv("TWINLATCH_MAIL_HOST", p.host)
	t.Setenv("TWINLATCH_MAIL_TLS", "none")
	t.Setenv("TWINLATCH_MAIL_FROM", "noreply@example.com")
	startServer(t, ".")
	for end := time.Now().Add(patience); len(p.all()) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no mail came")
		}
	}
	if mail := p.all()[0]; !strings.HasPrefix(mail, "ann@example.com ") || !strings.Contains(mail, "https://id.example.com/reset/") {
		t.Errorf("the mail is %s", mail)
	}
}

// All commands about accounts, beside a server, on PostgreSQL.
func TestAccountCommandsOnPostgreSQL(t *testing.T) {
	t.Chdir(t.TempDir())
	database := twinlatchtest.Postgres(t)
	base, _ := startServer(t, ".", "--database", database)
	command := func(in string, args ...string) string {
		t.Helper()
		var out, errs strings.Builder
		if code := run(append(args, "--json", "--database", database), terminal{strings.NewReader(in), &out, &errs, nil}); code != exitOK {
			t.Fatalf("%v: exit %d: %s", args, code, errs.String())
		}
		return out.String()
	}
	count := func() (c accountCounts) {
		t.Helper()
		var list struct{ Counts accountCounts }
		if err := json.Unmarshal([]byte(command("", "account", "list")), &list); err != nil {
			t.Fatal(err)
		}
		return list.Counts
	}
	v := &victim{server: base, email: "ann@example.com"}
	command(crashPassword, "account", "create", "--email", v.email, "--name", "Ann", "--admin")
	if v.signIn(); !v.addApp(time.Now()) {
		t.Fatal("no app")
	}
	command(crashPassword, "account", "create", "--email", "bob@example.com", "--group", "staff")
	command("", "require", "set", "--from", "now", "--group", "staff", "--reason", "audit")
	if got, want := count(), (accountCounts{All: 2, On: 1, Required: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	if out := command("", "require", "show"); !strings.Contains(out, `"required": 1`) {
		t.Errorf("requirements: %s", out)
	}
	command("", "require", "remove", "--group", "staff", "--reason", "audit is over")
	command("", "account", "reset", v.email, "--reason", "lost the phone")
	if status, to, _ := v.get(securityPath); status != http.StatusSeeOther {
		t.Errorf("after reset: %d %s", status, to)
	}
	v.signIn()
	command("", "account", "end", v.email, "--reason", "stolen")
	if status, to, _ := v.get(securityPath); status != http.StatusSeeOther {
		t.Errorf("after end: %d %s", status, to)
	}
	command("", "account", "groups", v.email, "--none", "--reason", "demoted")
	command("", "account", "disable", v.email, "--reason", "on leave")
	if got, want := count(), (accountCounts{All: 2, Off: 1, Disabled: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	if status, _, _ := v.signIn(); status == http.StatusSeeOther {
		t.Error("a disabled account signs in")
	}
	command("", "account", "enable", v.email, "--reason", "is back")
	command("", "account", "delete", v.email, "--reason", "left", "--yes")
	if all := command("", "events", "export"); strings.Contains(all, "lost the phone") || !strings.Contains(all, `"type":"account.deleted"`) {
		t.Errorf("the trail has %s", all)
	}
	command("", "events", "verify")
	if got, want := count(), (accountCounts{All: 1, Off: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

func TestWhoRanACommand(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]string{
		"SUDO_USER=ann":                        "command:ann",
		"SUDO_USER=Ann.Novak_1@EXAMPLE":        "command:ann.novak_1-example",
		"SUDO_USER=a\x1b[2J b":                 "command:a-2j-b",
		"SUDO_USER=" + strings.Repeat("a", 99): "command:" + strings.Repeat("a", 32),
		"SUDO_USER=Ž":                          "command",
		"SUDO_USER=":                           "command:" + me.Username,
		"SUDO_USERS=ann":                       "command:" + me.Username,
	} {
		if have := (terminal{env: []string{who}}).actor(); have != want {
			t.Errorf("%q: %s, want %s", who, have, want)
		}
	}
}
