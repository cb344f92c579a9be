package main

import (
	"bufio"
	"database/sql"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/twinlatch/twinlatch/config"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"twinlatch": main})
}

// TestScripts runs testdata/*.txtar: each is a story of commands that people
// type. The scripts run in a folder and an environment of their own and have
// these words besides those of testscript:
//
//	serve [args]       starts twinlatch serve and waits until it says that it is
//	                   ready; $URL and $LISTEN say where; stderr goes to serve.log
//	quit [INT|TERM]    signals it; it must exit with 0 (stop is a word of testscript)
//	http GET|… URL N [NAME VALUE]…   the answer to this form must have status N; its body goes to http.body
//	sign-up EMAIL      somebody signs up and in at $URL and adds an authenticator app
//	sign-in EMAIL PASSWORD TO   somebody signs in at $URL and is sent TO ("": refused)
//	add-app EMAIL      and adds an authenticator app
//	visit EMAIL PATH STATUS     comes again with the session of the last sign-in; the body goes to http.body
//	outbox EMAIL TEXT  waits until /dev/outbox has a mail with TEXT to EMAIL; it goes to mail, and $LINK is its link
//	sql FILE QUERY     changes a database behind everybody's back
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Values["serving"], env.Values["people"] = new(serving), map[string]*victim{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": scriptServe, "quit": scriptQuit, "http": scriptHTTP, "sign-up": scriptSignUp, "sql": scriptSQL,
			"sign-in": scriptSignIn, "add-app": scriptAddApp, "visit": scriptVisit, "outbox": scriptOutbox,
		},
	})
}

const patience = 30 * time.Second

type serving struct{ *exec.Cmd }

func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("use: ! exec twinlatch serve")
	}
	log, err := os.Create(ts.MkAbs("serve.log"))
	ts.Check(err)
	defer log.Close()
	path := filepath.SplitList(ts.Getenv("PATH"))[0]
	cmd := exec.Command(filepath.Join(path, "twinlatch"), append([]string{"serve"}, args...)...)
	cmd.Dir, cmd.Stderr = ts.MkAbs("."), log
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TWINLATCH_KEYS", "TWINLATCH_LISTEN", "TWINLATCH_PROXIES"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() { _ = cmd.Process.Kill() })
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, ready := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "Twinlatch is ready at ")
	if err != nil || !ready {
		_ = cmd.Wait()
		ts.Fatalf("twinlatch serve printed %q (%v)\n%s", line, err, ts.ReadFile("serve.log"))
	}
	_, listen, _ := strings.Cut(ts.ReadFile("serve.log"), "listen=")
	listen, _, _ = strings.Cut(listen, "\n")
	ts.Setenv("URL", url)
	ts.Setenv("LISTEN", listen)
	*ts.Value("serving").(*serving) = serving{cmd}
}

func scriptQuit(ts *testscript.TestScript, neg bool, args []string) {
	signal := syscall.SIGTERM
	if len(args) == 1 && args[0] == "INT" {
		signal = syscall.SIGINT
	}
	cmd := ts.Value("serving").(*serving)
	ts.Check(cmd.Process.Signal(signal))
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Wait(); err != nil {
		ts.Fatalf("%v\n%s", err, ts.ReadFile("serve.log"))
	}
}

func scriptHTTP(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args)%2 == 0 {
		ts.Fatalf("usage: http METHOD URL STATUS [NAME VALUE]…")
	}
	form := url.Values{}
	for i := 3; i < len(args); i += 2 {
		form.Set(args[i], args[i+1])
	}
	req, err := http.NewRequest(args[0], args[1], strings.NewReader(form.Encode()))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Close = true
	res, err := http.DefaultTransport.RoundTrip(req)
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("http.body"), body, 0o600))
	if strconv.Itoa(res.StatusCode) != args[2] {
		ts.Fatalf("%s %s: %s\n%s", args[0], args[1], res.Status, body)
	}
}

func scriptSignUp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sign-up EMAIL")
	}
	v := &victim{server: ts.Getenv("URL"), email: args[0]}
	v.live()
	if len(v.used) == 0 {
		ts.Fatalf("%s got as far as %+v", args[0], v)
	}
}

func scriptSignIn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: sign-in EMAIL PASSWORD TO")
	}
	v := &victim{server: ts.Getenv("URL"), email: args[0]}
	status, to, page := v.post("/sign-in", "email", args[0], "password", args[1])
	if to != args[2] || (status == http.StatusSeeOther) != (args[2] != "") {
		ts.Fatalf("%s is answered %d and sent to %q\n%s", args[0], status, to, page)
	}
	ts.Value("people").(map[string]*victim)[args[0]] = v
}

func scriptAddApp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: add-app EMAIL")
	}
	if !ts.Value("people").(map[string]*victim)[args[0]].addApp(time.Now()) {
		ts.Fatalf("%s got no authenticator app", args[0])
	}
}

func scriptVisit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: visit EMAIL PATH STATUS")
	}
	status, to, page := ts.Value("people").(map[string]*victim)[args[0]].get(args[1])
	ts.Check(os.WriteFile(ts.MkAbs("http.body"), []byte(page), 0o600))
	if strconv.Itoa(status) != args[2] {
		ts.Fatalf("%s at %s: %d %s\n%s", args[0], args[1], status, to, page)
	}
}

func scriptOutbox(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: outbox EMAIL TEXT")
	}
	reader := &victim{server: ts.Getenv("URL")}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		all, _ := reader.mails()
		for _, m := range all {
			if text := m.Subject + "\n" + m.Body; m.To == args[0] && strings.Contains(text, args[1]) {
				ts.Check(os.WriteFile(ts.MkAbs("mail"), []byte(text), 0o600))
				ts.Setenv("LINK", regexp.MustCompile(`https?://\S+`).FindString(m.Body))
				return
			}
		}
	}
	all, _ := reader.mails()
	ts.Fatalf("no mail to %s has %q: %+v", args[0], args[1], all)
}

func scriptSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sql FILE QUERY")
	}
	db, err := sql.Open("sqlite", "file:"+ts.MkAbs(args[0])+"?_pragma=busy_timeout(10000)")
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(args[1])
	ts.Check(err)
}

// TestFlagsFollowTheTable: a setting that says it is a flag is one of serve, with
// the table's help, and no other flag exists.
func TestFlagsFollowTheTable(t *testing.T) {
	parser, err := kong.New(new(cli), help())
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]string{}
	for _, command := range parser.Model.Children {
		if command.Name == "serve" {
			for _, f := range command.Flags {
				flags[f.Name] = f.Help
			}
		}
	}
	for _, s := range config.Settings() {
		if got, is := flags[s.Key]; is != s.Flag || is && !strings.HasPrefix(got, s.Help) {
			t.Errorf("setting %s: flag %v with help %q", s.Key, is, got)
		}
		delete(flags, s.Key)
		if _, err := parser.Parse([]string{"serve", "--" + s.Key + "=value"}); s.Flag && err != nil {
			t.Errorf("%s: %v", s.Key, err)
		}
	}
	delete(flags, "config")
	delete(flags, "dev")
	if len(flags) > 0 {
		t.Errorf("flags that are no setting: %v", flags)
	}
}

// TestEveryCommandSpeaksJSON: all but the server print JSON when asked to, say what
// they are for, and take no secret as an argument.
func TestEveryCommandSpeaksJSON(t *testing.T) {
	parser, err := kong.New(new(cli), help())
	if err != nil {
		t.Fatal(err)
	}
	commands := parser.Model.Leaves(true)
	if len(commands) < 20 {
		t.Errorf("%d commands", len(commands))
	}
	for _, command := range commands {
		speaks := false
		for _, group := range command.AllFlags(false) {
			for _, f := range group {
				speaks = speaks || f.Name == "json"
				if strings.Contains(f.Name, "password") || strings.Contains(f.Name, "secret") {
					t.Errorf("%s takes --%s", command.FullPath(), f.Name)
				}
			}
		}
		if !speaks && command.Name != "serve" {
			t.Errorf("%s has no --json", command.FullPath())
		}
		if command.Help == "" {
			t.Errorf("%s does not say what it is for", command.FullPath())
		}
	}
}

func TestServeFlagsReachTheirSettings(t *testing.T) {
	var c cli
	parser, err := kong.New(&c, help())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"serve", "--config=f", "--listen=a", "--address=b", "--database=c", "--keys=", "--dev"}); err != nil {
		t.Fatal(err)
	}
	src := c.Serve.source(terminal{env: []string{"A=1"}})
	want := map[string]string{"listen": "a", "address": "b", "database": "c", "keys": ""}
	for key, value := range want {
		if got, ok := src.Flags[key]; !ok || got != value {
			t.Errorf("%s: got %q, %v", key, got, ok)
		}
	}
	if len(src.Flags) != len(want) || src.File != "f" || !src.Dev || len(src.Env) != 1 {
		t.Errorf("source %+v", src)
	}
}

func TestReachable(t *testing.T) {
	for listen, want := range map[string]string{
		"localhost:8080": "localhost:8080", ":8080": "127.0.0.1:8080", "0.0.0.0:80": "127.0.0.1:80",
		"[::]:80": "[::1]:80", "192.0.2.1:80": "192.0.2.1:80", "[2001:db8::1]:80": "[2001:db8::1]:80",
	} {
		if got := reachable(listen); got != want {
			t.Errorf("%s: got %s, want %s", listen, got, want)
		}
	}
}

func TestHealthcheckIsNotFooled(t *testing.T) {
	var out, errs strings.Builder
	sick := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	defer sick.Close()
	addr := sick.Listener.Addr().String()
	if code := run([]string{"healthcheck", "--listen", addr}, terminal{nil, &out, &errs, nil}); code != exitFailure {
		t.Errorf("exit %d", code)
	}
	if want := "twinlatch: http://" + addr + "/healthz answered 302 Found\n"; errs.String() != want || out.String() != "" {
		t.Errorf("printed %q and %q", out.String(), errs.String())
	}
}

func TestListenInDevelopmentChecksWhatWasOpened(t *testing.T) {
	cfg := &config.Config{Dev: true, Listen: "0.0.0.0:0"} // as if localhost meant that
	if l, err := listen(cfg); err == nil {
		l.Close()
		t.Error("listens")
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = listen(&config.Config{Listen: l.Addr().String()})
	if want := "cannot listen on " + l.Addr().String() + ": address already in use; choose another address with --listen"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	var errs strings.Builder
	code := run([]string{"serve", "--listen", "a\nb"}, terminal{nil, io.Discard, &errs, nil})
	if code != exitFailure || strings.Count(errs.String(), "\n") != 1 || !strings.HasPrefix(errs.String(), "twinlatch: setting listen from --listen ") {
		t.Errorf("exit %d, printed %q", code, errs.String())
	}
}
