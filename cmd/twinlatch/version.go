package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

type versionCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// versionFlag is --version, which stands for the command of that name.
type versionFlag bool

// BeforeReset is called by kong when the flag is there, before it asks for a
// command.
func (versionFlag) BeforeReset(app *kong.Kong, t terminal) error {
	err := versionCommand{}.Run(t)
	app.Exit(exitOK)
	return err
}

// Run prints the version that the Go tool wrote into the program.
func (c versionCommand) Run(t terminal) error {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	if c.JSON {
		return printJSON(t.out, map[string]string{"version": version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
	}
	_, err := fmt.Fprintf(t.out, "twinlatch %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
