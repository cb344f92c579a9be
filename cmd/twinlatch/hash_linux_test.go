package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// children are the processes that a process started, those that were started with a word.
func children(t *testing.T, parent int, word string) (all []int) {
	t.Helper()
	folders, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		id, err := strconv.Atoi(f.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
		_, after, _ := strings.Cut(string(stat), ") ")
		args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", id))
		if fields := strings.Fields(after); len(fields) > 1 && fields[1] == strconv.Itoa(parent) && strings.Contains(string(args), "\x00"+word+"\x00") {
			all = append(all, id)
		}
	}
	return all
}

// A server hashes in another process, which may be killed at any time, knows no setting, and
// never outlives it.
func TestPasswordsAreHashedInAnotherProcess(t *testing.T) {
	t.Setenv("TWINLATCH_TEXT_BUDGET", "12") // some setting
	base, kill := startServer(t, t.TempDir())
	servers := children(t, os.Getpid(), "serve")
	if len(servers) != 1 {
		t.Fatalf("%d servers", len(servers))
	}
	signIn := func() {
		t.Helper()
		answer, err := http.PostForm(base+"/sign-in", url.Values{"email": {"nobody@example.com"}, "password": {crashPassword}})
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusUnprocessableEntity {
			t.Fatal(answer.Status)
		}
	}
	signIn()
	before := children(t, servers[0], "hash")
	if len(before) != 1 {
		t.Fatalf("%d processes", len(before))
	}
	if env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", before[0])); err != nil || strings.Contains(string(env), "TWINLATCH") {
		t.Errorf("environment %q, %v", env, err)
	}
	if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	signIn()
	after := children(t, servers[0], "hash")
	if len(after) != 1 || after[0] == before[0] {
		t.Fatalf("%v, then %v", before, after)
	}
	kill()
	for deadline := time.Now().Add(patience); syscall.Kill(after[0], 0) == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is still there")
		}
	}
}
