package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// Two servers on one PostgreSQL are one: what happens at one is seen by the next
// request at the other, and survives both.
func TestServersShareAPostgreSQL(t *testing.T) {
	dir, database := t.TempDir(), twinlatchtest.Postgres(t)
	first, killFirst := startServer(t, dir, "--database", database)
	second, killSecond := startServer(t, dir, "--database", database)

	v := &victim{server: first, email: "ana@example.com"}
	expect := func(what string, gotStatus int, gotTo string, status int, to string) {
		t.Helper()
		if gotStatus != status || !strings.HasPrefix(gotTo, to) {
			t.Fatalf("%s: got %d %q, want %d %q", what, gotStatus, gotTo, status, to)
		}
	}
	status, to, _ := v.post("/sign-up", "name", "Ana", "email", v.email, "password", crashPassword)
	expect("sign-up at the first", status, to, http.StatusSeeOther, "/sign-in")
	v.server = second
	status, to, _ = v.signIn()
	expect("sign-in at the second", status, to, http.StatusSeeOther, securityPath)
	v.server = first
	status, to, _ = v.get(securityPath)
	expect("the same session at the first", status, to, http.StatusOK, "")
	token := v.session
	v.server = second
	status, to, _ = v.post("/sign-out")
	expect("sign-out at the second", status, to, http.StatusOK, "")
	v.server, v.session = first, token
	status, to, _ = v.get(securityPath)
	expect("the ended session at the first", status, to, http.StatusSeeOther, "/sign-in")

	killFirst()
	killSecond()
	v.server, killFirst = startServer(t, dir, "--database", database)
	defer killFirst()
	v.session = ""
	status, to, _ = v.signIn()
	expect("sign-in after both were killed", status, to, http.StatusSeeOther, securityPath)
	if status, _, body := v.get("/readyz"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("readyz: %d %q", status, body)
	}
}
