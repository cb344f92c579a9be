package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/keyring"
)

// keyFileFlags are those of commands on the key file alone.
type keyFileFlags struct {
	Config string  `placeholder:"FILE" help:"Configuration file (twinlatch.toml, if there is one)."`
	Keys   *string `placeholder:"FILE" help:"${keys}"`
	JSON   bool    `name:"json" help:"Print JSON."`
}

func (f *keyFileFlags) path(t terminal) (string, error) {
	cfg, err := config.Read(config.Source{File: f.Config, Env: t.env, Flags: given(map[string]*string{"keys": f.Keys})})
	if err != nil {
		return "", err
	}
	return cfg.Keys, nil
}

type keyCreateCommand struct{ keyFileFlags }

// Run makes the key file that the server would read, and never replaces one.
func (c *keyCreateCommand) Run(t terminal) error {
	path, err := c.path(t)
	if err != nil {
		return err
	}
	err = createKeys(path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already and is not replaced: without it nobody could use a second factor or password again", path)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t.out, map[string]string{"keys": path})
	}
	fmt.Fprintf(t.err, "Made %s. Keep a copy, apart from the copies of the database.\n", path)
	return nil
}

type keyRotateCommand struct {
	keyFileFlags
	Spare bool   `xor:"step" help:"Add a key that does not seal yet: the first step where several servers share a database."`
	Use   string `xor:"step" placeholder:"KEY" help:"Add none, and have KEY seal: the second step."`
}

// Help is shown by --help, below the flags.
func (keyRotateCommand) Help() string {
	return "Without a flag: for one server. Its next start seals with the new key, and the old one still opens. " +
		"For several servers: rotate --spare, give all of them the file, restart all; rotate --use KEY, give all of them the file, restart all. " +
		"Otherwise one would seal with a key that another one does not have."
}

// Run changes the key file. It asks no database and no server.
func (c *keyRotateCommand) Run(t terminal) error {
	path, err := c.path(t)
	if err != nil {
		return err
	}
	before, err := keyring.Load(path)
	if err != nil {
		return err
	}
	switch {
	case c.Use != "":
		err = keyring.Use(path, c.Use)
	case c.Spare:
		err = keyring.Spare(path, rand.Reader, time.Now())
	default:
		err = keyring.Rotate(path, rand.Reader, time.Now())
	}
	if err != nil {
		return err
	}
	after, err := keyring.Load(path)
	if err != nil {
		return err
	}
	key := c.Use
	for _, id := range after.IDs() {
		if !slices.Contains(before.IDs(), id) {
			key = id
		}
	}
	if c.JSON {
		return printJSON(t.out, map[string]any{"key": key, "seals": !c.Spare})
	}
	switch {
	case c.Use != "":
		fmt.Fprintf(t.err, "Key %s seals from the next start on. Give all servers %s and restart them; the others can then be retired.\n", key, path)
	case c.Spare:
		fmt.Fprintf(t.err, "Added key %s, which only opens. Give all servers %s before you restart any of them. Then: twinlatch key rotate --use %s\n", key, path, key)
	default:
		fmt.Fprintf(t.err, "Added key %s, which seals from the next start on: restart the server. Keep a new copy of %s. A quarter of an hour later: twinlatch key retire %s\n", key, path, before.IDs()[len(before.IDs())-1])
	}
	return nil
}

type keyListCommand struct{ operatorFlags }

// keyRow is one key as key list prints it.
type keyRow struct {
	ID      string         `json:"id"`
	Purpose string         `json:"purpose"`           // "mac", "seal" (the one that seals) or "open"
	Made    string         `json:"made,omitempty"`    // day; empty: it is not in the file
	Age     int            `json:"age_days"`          // 0 as well when that is not known
	Sealed  map[string]int `json:"sealed"`            // how much lies under it, by table
	Seen    *time.Time     `json:"seen,omitempty"`    // a process that seals with it
	Retired *time.Time     `json:"retired,omitempty"` // since then servers do without it
}

// Run lists the keys of the file and of the database. It changes nothing.
func (c *keyListCommand) Run(t terminal) error {
	return c.open(t, func(ctx context.Context, o operator) error {
		uses, err := o.store.KeyUses(ctx)
		if err != nil {
			return err
		}
		rows := keyRows(o.keys, uses, time.Now())
		if c.JSON {
			return printJSON(t.out, rows)
		}
		table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
		for _, r := range rows {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.ID, r.made(), r.use(), r.sealed())
		}
		return table.Flush()
	})
}

// keyRows are the keys of the file, then those that only the database knows.
func keyRows(ring *keyring.Ring, uses map[string]twinlatch.KeyUse, now time.Time) []keyRow {
	rows := []keyRow{}
	add := func(id, purpose string) *keyRow {
		r := keyRow{ID: id, Purpose: purpose, Sealed: map[string]int{}}
		if use, known := uses[id]; known {
			r.Sealed = use.Texts
			if !use.SeenAt.IsZero() {
				r.Seen = &use.SeenAt
			}
			if !use.RetiredAt.IsZero() {
				r.Retired = &use.RetiredAt
			}
		}
		delete(uses, id)
		rows = append(rows, r)
		return &rows[len(rows)-1]
	}
	all := ring.Keys()
	for i, k := range all {
		purpose := "open"
		switch {
		case k.MAC:
			purpose = "mac"
		case i == len(all)-1:
			purpose = "seal"
		}
		r := add(k.ID, purpose)
		r.Made, r.Age = k.Made.Format(time.DateOnly), max(0, int(now.Sub(k.Made).Hours()/24))
	}
	for _, id := range slices.Sorted(maps.Keys(uses)) {
		add(id, "open")
	}
	return rows
}

func (r keyRow) made() string {
	if r.Made == "" {
		return "not in the key file"
	}
	return fmt.Sprintf("made %s (%d days)", r.Made, r.Age)
}

func (r keyRow) use() string {
	switch {
	case r.Retired != nil:
		return "retired"
	case r.Purpose == "mac":
		return "makes digests"
	case r.Purpose == "seal":
		return "seals"
	}
	return "opens"
}

func (r keyRow) sealed() string {
	if r.Purpose == "mac" {
		return "never changes"
	}
	total := 0
	var parts []string
	for _, table := range slices.Sorted(maps.Keys(r.Sealed)) {
		total += r.Sealed[table]
		parts = append(parts, fmt.Sprintf("%s %d", table, r.Sealed[table]))
	}
	if total == 0 {
		return "0 sealed"
	}
	return fmt.Sprintf("%d sealed: %s", total, strings.Join(parts, ", "))
}

type keyRetireCommand struct {
	operatorFlags
	Key string `arg:"" help:"Its id, as of 'twinlatch key list'."`
}

// Help is shown by --help, below the flags.
func (keyRetireCommand) Help() string {
	return "All that lies under KEY is sealed again with the newest key, and KEY is taken out of the key file. Servers may run: they must have been restarted with the newest key a quarter of an hour ago. " +
		"It may be interrupted at any moment, and run again. Copies of the database that were made before need KEY: keep a copy of the old key file with them."
}

// Run first frees the key, then has the database forget it, then the file. So
// whenever it is interrupted, the file has every key that is needed.
func (c *keyRetireCommand) Run(t terminal) error {
	return c.use(t, func(ctx context.Context, o operator, service *twinlatch.Service) error {
		for _, k := range o.keys.Keys() {
			if k.ID == c.Key && k.MAC {
				return fmt.Errorf("key %s makes digests, which cannot be made again: it never changes", c.Key)
			}
		}
		n, err := service.RetireKey(ctx, c.Key)
		var used *twinlatch.KeyInUseError
		switch {
		case errors.As(err, &used):
			return fmt.Errorf("%w; restart every server with this key file, and retire a quarter of an hour later", err)
		case errors.Is(err, twinlatch.ErrNotFound):
			return fmt.Errorf("%s has no key %q; see: twinlatch key list", o.cfg.Keys, c.Key)
		case ctx.Err() != nil:
			return fmt.Errorf("interrupted after %d texts, and nothing is lost; run it again", n)
		case err != nil:
			return err
		}
		if err := keyring.Remove(o.cfg.Keys, c.Key); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(t.out, map[string]any{"retired": c.Key, "resealed": n})
		}
		fmt.Fprintf(t.err, "Sealed again: %d. Removed key %s from %s; give the file to all servers. Older copies of the database need the older file: keep it with them.\n", n, c.Key, o.cfg.Keys)
		return nil
	})
}
