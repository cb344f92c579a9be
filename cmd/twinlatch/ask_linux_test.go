package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/twinlatch/twinlatch/sqlstore"
)

// seat is somebody at a terminal with a command.
type seat struct {
	t        *testing.T
	keyboard *os.File // and screen
	done     chan error

	mu     sync.Mutex
	screen strings.Builder
}

// sit has the command run at a terminal of its own.
func sit(t *testing.T, args ...string) *seat {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() }) // after the command, so that the terminal outlives it
	program, err := exec.LookPath("twinlatch")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	s := &seat{t: t, keyboard: keyboard, done: make(chan error, 1)}
	go func() {
		for b := make([]byte, 1<<10); ; {
			n, err := keyboard.Read(b)
			s.mu.Lock()
			s.screen.Write(b[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() { s.done <- cmd.Wait() }()
	return s
}

func (s *seat) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.String()
}

// shows reports whether what is typed is shown.
func (s *seat) shows() bool {
	state, err := unix.IoctlGetTermios(int(s.keyboard.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// until waits for something that is about to happen.
func (s *seat) until(what string, is func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("no %s; the screen has %q", what, s.shown())
		}
	}
}

// types types when the prompt is there; unseen: and is not shown.
func (s *seat) types(prompt string, unseen bool, keys string) {
	s.t.Helper()
	s.until(prompt, func() bool { return strings.HasSuffix(s.shown(), prompt) && s.shows() != unseen })
	if _, err := s.keyboard.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// ends waits for the end, and says whether all was well.
func (s *seat) ends() bool {
	s.t.Helper()
	select {
	case err := <-s.done:
		s.until("echo", s.shows)
		return err == nil
	case <-time.After(patience):
		s.t.Fatalf("no end; the screen has %q", s.shown())
		return false
	}
}

// emptyDatabase is what commands find, in the folder in which they run.
func emptyDatabase(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	if code, _, errs := typed(nil, "key", "create"); code != exitOK {
		t.Fatal(errs)
	}
	store, err := sqlstore.Open(t.Context(), "sqlite:var/twinlatch.db")
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPasswordsAreTypedUnseen(t *testing.T) {
	emptyDatabase(t)
	const first, again, password = "Password: ", "The same again: ", "a long password of ann"
	for _, row := range []struct {
		what  string
		email string
		keys  []string // at the first prompt, at the second
		well  bool
		says  string
	}{
		{"twice the same", "ann@example.com", []string{password + "\n", password + "\n"}, true, "Made the account ann@example.com."},
		{"two different ones", "bob@example.com", []string{password + "\n", password + "!\n"}, false, "twinlatch: these are two different passwords; nothing was done"},
		{"too short", "bob@example.com", []string{"hunter2\n", "hunter2\n"}, false, "twinlatch: password: Use at least 12 characters."},
		{"Ctrl-C", "bob@example.com", []string{"hunter2\x03"}, false, "twinlatch: interrupted; nothing was done"},
		{"Ctrl-C later", "bob@example.com", []string{password + "\n", "hunter2\x03"}, false, "twinlatch: interrupted; nothing was done"},
		{"nothing", "bob@example.com", []string{"\n", "\n"}, false, "twinlatch: password: Enter a password."},
		{"a taken address", "ann@example.com", nil, false, "twinlatch: there is an account ann@example.com already"},
	} {
		s := sit(t, "account", "create", "--email", row.email)
		for i, prompt := range []string{first, again}[:len(row.keys)] {
			s.types(prompt, true, row.keys[i])
		}
		if well := s.ends(); well != row.well {
			t.Errorf("%s: well %v", row.what, well)
		}
		s.until(row.says, func() bool { return strings.Contains(s.shown(), row.says) })
		for _, secret := range []string{password, "hunter2"} {
			if strings.Contains(s.shown(), secret) {
				t.Errorf("%s: the screen has %q", row.what, s.shown())
			}
		}
	}
	s := sit(t, "account", "delete", "ann@example.com", "--reason", "a test")
	s.types("type its address again: ", false, "ann@\x03")
	if s.ends() || !strings.Contains(s.shown(), "twinlatch: interrupted; nothing was done") {
		t.Errorf("Ctrl-C instead of the address: %q", s.shown())
	}
	if code, _, errs := typed(nil, "account", "show", "ann@example.com"); code != exitOK {
		t.Error(errs)
	}
	if code, out, errs := typed(nil, "events", "list", "--account", "bob@example.com"); code != exitFailure {
		t.Errorf("bob has an account: %q %q", out, errs)
	}
}
