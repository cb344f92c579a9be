package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/keyring"
	"github.com/twinlatch/twinlatch/sqlstore"
)

// operatorFlags are those of commands on the server's database and keys. The
// commands may run beside any number of servers.
type operatorFlags struct {
	Config   string  `placeholder:"FILE" help:"Configuration file (twinlatch.toml, if there is one)."`
	Database *string `placeholder:"URL" help:"${database}"`
	Keys     *string `placeholder:"FILE" help:"${keys}"`
	JSON     bool    `name:"json" help:"Print JSON."`
}

// operator is what such a command works with.
type operator struct {
	cfg   *config.Config
	keys  *keyring.Ring
	store *sqlstore.Store
}

func (f *operatorFlags) source(t terminal) config.Source {
	return config.Source{File: f.Config, Env: t.env, Flags: given(map[string]*string{"database": f.Database, "keys": f.Keys})}
}

// open opens what the server would open, for fn.
func (f *operatorFlags) open(t terminal, fn func(context.Context, operator) error) error {
	cfg, err := config.Read(f.source(t))
	if err != nil {
		return err
	}
	return open(cfg, fn)
}

// open opens database and keys. The database must be there: all is well in one
// that was made by a slip of the path.
func open(cfg *config.Config, fn func(context.Context, operator) error) error {
	if file, ok := strings.CutPrefix(cfg.Database.Reveal(), "sqlite:"); ok {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no database %s; see setting database", file)
		}
	}
	keys, err := loadKeys(cfg)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	store, err := sqlstore.Open(ctx, cfg.Database.Reveal())
	if err != nil {
		return fmt.Errorf("%w; see setting database", err)
	}
	return errors.Join(fn(ctx, operator{cfg, keys, store}), store.Close())
}

// use is open, for commands that need the core.
func (f *operatorFlags) use(t terminal, fn func(context.Context, operator, *twinlatch.Service) error) error {
	return f.open(t, func(ctx context.Context, o operator) error {
		service, err := wireCommand(ctx, o.cfg, o.keys, o.store)
		if err != nil {
			return err
		}
		return fn(ctx, o, service)
	})
}

func printJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(value)
}
