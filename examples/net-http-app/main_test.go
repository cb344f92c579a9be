package main

import (
	"context"
	"encoding/base32"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// A person signs in with the program's own password, sets up an app, and is
// asked for a code at the next sign-in, after thirty days, and before a change. A
// backup code gets them in without the app.
func TestAPersonGetsThrough(t *testing.T) {
	clock := twinlatchtest.NewClock(twinlatchtest.Start())
	service, closeStore, err := open(context.Background(), t.TempDir(), clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closeStore() })
	server := httptest.NewServer(newApp(service))
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := http.Client{Jar: jar}
	get := func() string { return read(t)(browser.Get(server.URL + "/")) }
	post := func(path string, fields ...string) string {
		form := url.Values{}
		for i := 0; i < len(fields); i += 2 {
			form.Set(fields[i], fields[i+1])
		}
		return read(t)(browser.PostForm(server.URL+path, form))
	}
	expect := func(page, want string) {
		t.Helper()
		if !strings.Contains(page, want) {
			t.Fatalf("want %q on the page\n%s", want, page)
		}
	}

	expect(get(), "Sign in")
	expect(post("/sign-in", "name", "ana", "password", "wrong"), "wrong name or password")
	expect(post("/sign-in", "name", "ana", "password", passwords["ana"]), "Set up an authenticator app")
	clock.Advance(10 * time.Minute)
	expect(post("/set-up"), "Confirm that it is you")
	expect(post("/again", "password", "wrong"), "wrong password")
	expect(post("/again", "password", passwords["ana"]), "Set up an authenticator app")
	page := post("/set-up")
	key := regexp.MustCompile(`<code>([A-Z2-7 ]+)</code>`).FindStringSubmatch(page)
	action := regexp.MustCompile(`action="(/set-up/\w+)"`).FindStringSubmatch(page)
	if key == nil || action == nil {
		t.Fatalf("no key or form on the page\n%s", page)
	}
	secret, err := base32.StdEncoding.DecodeString(strings.ReplaceAll(key[1], " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	code := func() string { return totp.Code(secret, clock.Now()) }
	expect(post(action[1], "code", code()), "Two-step verification is on")

	expect(post("/sign-in", "name", "ana", "password", passwords["ana"]), "Your code")
	clock.Advance(time.Minute)
	expect(post("/code", "code", code()), "Two-step verification is on")
	clock.Advance(30*24*time.Hour - time.Millisecond)
	expect(get(), "Two-step verification is on")
	clock.Advance(time.Millisecond)
	expect(get(), "Your code")
	expect(post("/code", "code", code()), "Two-step verification is on")

	codes := regexp.MustCompile(`<code>([0-9a-z-]+)</code>`).FindAllStringSubmatch(post("/backup-codes"), -1)
	if len(codes) != twinlatch.BackupCodeCount {
		t.Fatalf("%d backup codes", len(codes))
	}
	expect(post("/sign-out"), "Sign in")
	expect(get(), "Sign in")
	expect(post("/sign-in", "name", "ana", "password", passwords["ana"]), "Your code")
	expect(post("/code", "backup", codes[0][1]), "Two-step verification is on")
	expect(post("/turn-off"), "recovered") // a backup code is not enough for that
	clock.Advance(10 * time.Minute)
	expect(post("/code", "code", code()), "Two-step verification is on")
	clock.Advance(10 * time.Minute)
	expect(post("/turn-off"), "Your code")
	expect(post("/code", "code", code()), "Two-step verification is on")
	expect(post("/turn-off"), "Two-step verification is off")
}

func read(t *testing.T) func(*http.Response, error) string {
	return func(res *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
}
