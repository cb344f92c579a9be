package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/twinlatch/twinlatch/config"
)

type keyCreateCommand struct {
	Config string  `placeholder:"FILE" help:"Configuration file (twinlatch.toml, if there is one)."`
	Keys   *string `placeholder:"FILE" help:"${keys}"`
}

// Run makes the key file that the server would read, and never replaces one.
func (c *keyCreateCommand) Run(t terminal) error {
	cfg, err := config.Read(config.Source{File: c.Config, Env: t.env, Flags: given(map[string]*string{"keys": c.Keys})})
	if err != nil {
		return err
	}
	err = createKeys(cfg.Keys)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already and is not replaced: without it nobody could use a second factor or password again", cfg.Keys)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(t.err, "Made %s. Keep a copy, apart from the copies of the database.\n", cfg.Keys)
	return nil
}
