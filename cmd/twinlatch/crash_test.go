package main

import (
	"bufio"
	"context"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/keyring"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/pages"
	"github.com/twinlatch/twinlatch/sqlstore"
)

const (
	crashRounds   = 6
	crashPeople   = 3 // at the same time
	crashPassword = "correct horse battery"
)

// victim is a person whose server is killed, and all that it acknowledged.
type victim struct {
	server       string
	home         string // address; each has a network of its own, so that no limit is met
	email        string
	created      bool
	secret       []byte
	spent        []string // codes that were accepted
	session      string   // the newest cookie that was acknowledged
	claim        string   // of the sign-up
	sure         bool     // session was the last thing that happened to this browser
	backup, used []string
}

// Whatever the server acknowledged before it was killed at any moment is there
// when it starts again, no code is good twice, and what belongs together was
// written together.
func TestNothingAcknowledgedIsLostByKill(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TWINLATCH_PROXIES", "127.0.0.1/32")
	var all []*victim
	for round := range crashRounds {
		base, kill := startServer(t, dir)
		var people sync.WaitGroup
		for i := range crashPeople {
			v := &victim{server: base, home: fmt.Sprintf("10.0.%d.%d", round, i), email: fmt.Sprintf("p%d.%d@example.com", round, i)}
			all = append(all, v)
			people.Go(v.live)
		}
		// The moment is the point of this test. One life is long enough for all of it.
		moment := time.Duration(50+rand.IntN(4000)) * time.Millisecond
		if round == 0 {
			moment = time.Minute
		}
		lived := make(chan struct{})
		go func() { people.Wait(); close(lived) }()
		select {
		case <-time.After(moment):
		case <-lived:
		}
		kill()
		<-lived

		base, kill = startServer(t, dir)
		for _, v := range all[len(all)-crashPeople:] {
			v.server = base
			v.check(t)
		}
		kill()
	}
	checkTrail(t, dir, all)
}

// startServer starts the program and gives back how to kill it without warning.
func startServer(t *testing.T, dir string, args ...string) (base string, kill func()) {
	t.Helper()
	program, err := exec.LookPath("twinlatch") // this test's own binary, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"serve", "--dev", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir = dir
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	t.Cleanup(kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "Twinlatch is ready at ")
	if err != nil || !ok {
		t.Fatalf("server printed %q: %v", line, err)
	}
	return base, kill
}

// post sends a form with the newest cookie. No answer: the server is gone.
func (v *victim) post(path string, fields ...string) (status int, to, body string) {
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	r, err := http.NewRequest(http.MethodPost, v.server+path, strings.NewReader(form.Encode()))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.send(r)
}

func (v *victim) get(path string) (status int, to, body string) {
	r, err := http.NewRequest(http.MethodGet, v.server+path, nil)
	if err != nil {
		panic(err)
	}
	return v.send(r)
}

func (v *victim) send(r *http.Request) (status int, to, body string) {
	v.sure = false
	r.Header.Set("X-Forwarded-For", v.home)
	for name, value := range map[string]string{"twinlatch": v.session, "claim": v.claim} {
		if value != "" {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return 0, "", ""
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", ""
	}
	for _, c := range res.Cookies() {
		switch c.Name {
		case "twinlatch":
			v.session = c.Value
		case "claim":
			v.claim = c.Value
		}
	}
	v.sure = true
	return res.StatusCode, res.Header.Get("Location"), string(page)
}

var (
	keyOnPage  = regexp.MustCompile(`<code class="key"[^>]*>([A-Z2-7 ]+)</code>`)
	codeOnPage = regexp.MustCompile(`<li>([0-9a-z]{4}(?:-[0-9a-z]{4}){3})</li>`)
)

const securityPath = "/settings/user/security"

// live signs up, confirms the address, sets up an app and backup codes, and uses
// both, until the server is gone.
func (v *victim) live() {
	status, _, _ := v.post("/sign-up", "name", "P", "email", v.email, "password", crashPassword)
	if v.created = status == http.StatusSeeOther; !v.created || !v.confirm() {
		return
	}
	if status, _, _ = v.signIn(); status != http.StatusSeeOther {
		return
	}
	now := time.Now()
	if !v.addApp(now) {
		return
	}
	_, _, page := v.post(securityPath + "/backup-codes")
	if page == "" {
		return
	}
	for _, m := range codeOnPage.FindAllStringSubmatch(page, -1) {
		v.backup = append(v.backup, m[1])
	}
	for i, at := range []time.Time{now, now.Add(25 * time.Second)} {
		if status, _, _ = v.signIn(); status != http.StatusSeeOther {
			return
		}
		code := totp.Code(v.secret, at)
		if status, to, _ := v.post("/verify", "code", code); status == http.StatusSeeOther && to == securityPath {
			v.spent = append(v.spent, code)
		}
		if status, _, _ = v.signIn(); status != http.StatusSeeOther || len(v.backup) < 3 {
			return
		}
		if status, to, _ := v.post("/recover", "code", v.backup[i]); status == http.StatusSeeOther && to == securityPath {
			v.used = append(v.used, v.backup[i])
		}
	}
}

var linkInMail = regexp.MustCompile(`/email/[\w.-]+`)

// confirm opens the link of the mail that came, or will come in a moment.
func (v *victim) confirm() bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		all, there := v.mails()
		if !there {
			return false
		}
		for _, m := range all {
			if link := linkInMail.FindString(m.Body); m.To == v.email && link != "" {
				status, _, _ := v.post(link)
				return status == http.StatusOK
			}
		}
	}
	return false
}

// mails are all that the outbox has, the newest first; false: the server is gone.
func (v *victim) mails() (all []pages.DevMessage, there bool) {
	r, err := http.NewRequest(http.MethodGet, v.server+"/dev/outbox", nil)
	if err != nil {
		panic(err)
	}
	r.Header.Set("Accept", "application/json")
	_, _, body := v.send(r)
	return all, json.Unmarshal([]byte(body), &all) == nil
}

// addApp enrolls an authenticator app. Three codes are good at a time; the oldest
// is used for it, so that two are left.
func (v *victim) addApp(now time.Time) bool {
	status, to, _ := v.post(securityPath + "/add/totp")
	if status != http.StatusSeeOther {
		return false
	}
	_, _, page := v.get(to)
	key := keyOnPage.FindStringSubmatch(page)
	if key == nil {
		return false
	}
	secret, err := base32.StdEncoding.DecodeString(strings.ReplaceAll(key[1], " ", ""))
	if err != nil {
		return false
	}
	if status, _, _ = v.post(to, "code", totp.Code(secret, now.Add(-25*time.Second))); status != http.StatusSeeOther {
		return false
	}
	v.secret = secret
	return true
}

func (v *victim) signIn() (status int, to, body string) {
	return v.post("/sign-in", "email", v.email, "password", crashPassword)
}

// check asks the new server for all that the old one acknowledged.
func (v *victim) check(t *testing.T) {
	t.Helper()
	if v.sure && v.session != "" {
		if status, to, _ := v.get(securityPath); status != http.StatusOK && !strings.HasPrefix(to, "/verify") {
			t.Errorf("%s: an acknowledged session was lost: %d %s", v.email, status, to)
		}
	}
	if !v.created {
		return
	}
	status, to, _ := v.signIn()
	switch {
	case status != http.StatusSeeOther:
		t.Errorf("%s: an acknowledged account was lost: %d", v.email, status)
	case v.secret != nil && to != "/verify":
		t.Errorf("%s: an acknowledged factor was lost: %s", v.email, to)
	}
	for _, code := range v.spent {
		if status, to, _ := v.post("/verify", "code", code); status == http.StatusSeeOther {
			t.Errorf("%s: a code was good twice: %s", v.email, to)
		}
	}
	for _, code := range v.used {
		if status, to, _ := v.post("/recover", "code", code); status == http.StatusSeeOther {
			t.Errorf("%s: a backup code was good twice: %s", v.email, to)
		}
	}
	if len(v.backup) == twinlatch.BackupCodeCount {
		if status, _, _ := v.post("/recover", "code", v.backup[9]); status != http.StatusSeeOther {
			t.Errorf("%s: an acknowledged backup code is not good: %d", v.email, status)
		}
	}
}

// checkTrail looks at the database itself: every used backup code has its event,
// every event its used code, and no chain has a gap.
func checkTrail(t *testing.T, dir string, all []*victim) {
	t.Helper()
	ctx := context.Background()
	store, err := sqlstore.Open(ctx, "sqlite:"+filepath.Join(dir, "var", "twinlatch.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	keys, err := keyring.Load(filepath.Join(dir, "var", "keys"))
	if err != nil {
		t.Fatal(err)
	}
	app, err := totp.New("Twinlatch")
	if err != nil {
		t.Fatal(err)
	}
	service, err := twinlatch.New(ctx, twinlatch.Config{Store: store, Keys: keys, Methods: []twinlatch.Method{app}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := service.VerifyTrail(ctx, func(problem error) { t.Error(problem) }); err != nil {
		t.Fatal(err)
	}
	made, enrolled, used := 0, 0, 0
	for _, v := range all {
		if !v.created {
			continue
		}
		account, err := service.FindAccount(ctx, twinlatch.MainRealm, v.email)
		if err != nil {
			t.Errorf("%s: %v", v.email, err)
			continue
		}
		made++
		if v.secret != nil {
			enrolled++
		}
		if err := service.VerifyEvents(ctx, account.ID); err != nil {
			t.Errorf("%s: %v", v.email, err)
		}
		by := twinlatch.OnBehalf(account.ID, "test", "")
		codes, err := service.BackupCodes(ctx, by)
		if err != nil {
			t.Fatal(err)
		}
		events, err := service.Events(ctx, by, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		recovered := 0
		for _, e := range events {
			if e.Type == twinlatch.EventRecovered {
				recovered++
			}
		}
		used += recovered
		if recovered != codes.Total-codes.Left {
			t.Errorf("%s: %d backup codes are used, %d events say so", v.email, codes.Total-codes.Left, recovered)
		}
	}
	t.Logf("%d accounts, %d with a factor, %d backup codes used", made, enrolled, used)
	if enrolled == 0 || used == 0 {
		t.Error("nobody lived long enough to lose anything")
	}
}
