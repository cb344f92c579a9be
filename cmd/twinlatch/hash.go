package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/twinlatch/twinlatch/argon2child"
)

// hashCommand is what serve starts to hash passwords beside it. Nobody types it.
type hashCommand struct{}

// Run answers until its parent is gone.
func (hashCommand) Run() error { return argon2child.Serve(os.Stdin, os.Stdout) }

// hash runs the file that this process runs, also when another version lies in its place by
// now.
func (t terminal) hash() *exec.Cmd {
	path := "/proc/self/exe"
	if _, err := os.Stat(path); err != nil {
		path, _ = os.Executable()
	}
	return &exec.Cmd{
		Path: path, Args: []string{os.Args[0], "hash"}, Stderr: os.Stderr,
		// No settings, which may be secrets.
		Env: slices.DeleteFunc(slices.Clone(t.env), func(e string) bool { return !strings.HasPrefix(e, "GO") }),
	}
}
