package main

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/twinlatch/twinlatch/argon2child"
)

// hashCommand is what serve starts to hash passwords beside it. Nobody types it.
type hashCommand struct{}

// Run answers until its parent is gone.
func (hashCommand) Run() error {
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return errors.New("serve starts this by itself, to hash passwords; there is nothing to type")
	}
	_ = os.WriteFile("/proc/self/comm", []byte("twinlatch-hash"), 0) // its name in ps and top; elsewhere than on Linux it has another
	return argon2child.Serve(os.Stdin, os.Stdout)
}

// ofGo are settings of the Go runtime. The process gets no others, which may be secrets, and
// no GOMEMLIMIT: each would think that all of it is its own.
var ofGo = [...]string{"GODEBUG", "GOGC", "GOMAXPROCS", "GOTRACEBACK", "GOCOVERDIR"}

// hash runs the file that this process runs; on Linux also when another version lies in its
// place by now.
func (t terminal) hash() *exec.Cmd {
	path := "/proc/self/exe"
	if _, err := os.Stat(path); err != nil {
		path, _ = os.Executable()
	}
	return &exec.Cmd{
		Path: path, Args: []string{os.Args[0], "hash"}, Stderr: os.Stderr,
		Env: slices.DeleteFunc(slices.Clone(t.env), func(e string) bool {
			name, _, _ := strings.Cut(e, "=")
			return !slices.Contains(ofGo[:], name)
		}),
	}
}
