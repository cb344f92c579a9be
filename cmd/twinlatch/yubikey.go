package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/method/yubico"
	"github.com/twinlatch/twinlatch/sqlstore"
)

// yubikeyFlags are those of commands on imported YubiKeys. The commands may run
// beside the server.
type yubikeyFlags struct {
	Config   string  `placeholder:"FILE" help:"Configuration file (twinlatch.toml, if there is one)."`
	Database *string `placeholder:"URL" help:"${database}"`
	Keys     *string `placeholder:"FILE" help:"${keys}"`
	JSON     bool    `name:"json" help:"Print JSON."`
}

// use opens what the server would open, for fn.
func (c *yubikeyFlags) use(t terminal, fn func(context.Context, yubikeys) error) error {
	cfg, err := config.Read(config.Source{File: c.Config, Env: t.env, Flags: given(map[string]*string{"database": c.Database, "keys": c.Keys})})
	if err != nil {
		return err
	}
	keys, err := openKeys(cfg)
	if err != nil {
		return err
	}
	ctx := context.Background()
	store, err := sqlstore.Open(ctx, cfg.Database.Reveal())
	if err != nil {
		return fmt.Errorf("%w; see setting database", err)
	}
	err = store.CheckKeys(ctx, keys.Checks())
	if err == nil {
		err = fn(ctx, yubikeys{store, keys})
	}
	return errors.Join(wrongKeys(err, cfg), store.Close())
}

type yubikeyImportCommand struct {
	yubikeyFlags
	File string `arg:"" optional:"" help:"What ykman or the Personalization Tool wrote (standard input)."`
}

// Help is shown by --help, below the flags.
func (yubikeyImportCommand) Help() string {
	return "One YubiKey a line: serial,public identity,private identity,AES key and what else the tools write, as of 'ykman otp yubiotp --config-output FILE'. " +
		"All are imported or none. The secrets are sealed in the database: delete the file afterwards."
}

// Run imports all YubiKeys of the file or none.
func (c *yubikeyImportCommand) Run(t terminal) error {
	all, err := c.read(t)
	if err != nil {
		return err
	}
	return c.use(t, func(ctx context.Context, y yubikeys) error {
		added, known, err := y.add(ctx, all, time.Now())
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(t.out, map[string][]string{"imported": added, "known": known})
		}
		fmt.Fprintf(t.err, "Imported: %d. There already: %d.\n", len(added), len(known))
		return nil
	})
}

func (c *yubikeyImportCommand) read(t terminal) ([]yubico.Device, error) {
	name, from := "standard input", t.in
	if c.File != "" && c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.File, cause(err))
		}
		defer file.Close()
		name, from = c.File, file
	}
	all, err := yubico.ReadDevices(from)
	if err == nil && len(all) == 0 {
		err = errors.New("there is no YubiKey in it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}

type yubikeyListCommand struct{ yubikeyFlags }

// Run lists the imported YubiKeys, without secrets.
func (c *yubikeyListCommand) Run(t terminal) error {
	return c.use(t, func(ctx context.Context, y yubikeys) error {
		all, err := y.store.Devices(ctx, yubico.Kind)
		if err != nil {
			return err
		}
		type row struct {
			Identity   string    `json:"identity"`
			ImportedAt time.Time `json:"imported_at"`
			Used       bool      `json:"used"`
		}
		rows := []row{}
		for _, d := range all {
			rows = append(rows, row{d.Name, d.CreatedAt, d.Counter > 0})
		}
		if c.JSON {
			return printJSON(t.out, rows)
		}
		table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
		for _, r := range rows {
			used := "never used"
			if r.Used {
				used = "used"
			}
			fmt.Fprintf(table, "%s\timported %s\t%s\n", r.Identity, r.ImportedAt.Format(time.RFC3339), used)
		}
		return table.Flush()
	})
}

type yubikeyRemoveCommand struct {
	yubikeyFlags
	Identity string `arg:"" help:"Public identity: the first 12 letters of what it types."`
}

// Validate is called by kong before Run.
func (c *yubikeyRemoveCommand) Validate() error {
	if !yubico.IsIdentity(c.Identity) {
		return errors.New("a public identity is 12 of the letters cbdefghijklnrtuv")
	}
	return nil
}

// Run forgets a YubiKey. Who has it as a method keeps the entry, and may add the
// key again after another import.
func (c *yubikeyRemoveCommand) Run(t terminal) error {
	return c.use(t, func(ctx context.Context, y yubikeys) error {
		err := y.store.DeleteDevice(ctx, yubico.Kind, c.Identity)
		if errors.Is(err, twinlatch.ErrNotFound) {
			return fmt.Errorf("there is no YubiKey %s; see: twinlatch yubikey list", c.Identity)
		}
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(t.out, map[string]string{"removed": c.Identity})
		}
		fmt.Fprintf(t.err, "Removed %s.\n", c.Identity)
		return nil
	})
}
