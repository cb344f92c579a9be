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
	"os/user"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

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

// changeFlags are those of commands whose doing owners of accounts may be told.
type changeFlags struct {
	operatorFlags
	Address *string `placeholder:"URL" help:"${address}"`
	Dev     bool    `help:"The server runs with --dev, and its outbox gets the mails."`
}

// change is use, for commands that change accounts. All that the server needs to
// know to write mails they need to know as well.
func (f *changeFlags) change(t terminal, why reason, fn func(context.Context, *twinlatch.Service, twinlatch.Administrator) error) error {
	src, read := f.source(t), config.Read
	if f.Address != nil {
		src.Flags["address"] = *f.Address
	}
	if src.Dev = f.Dev; f.Dev {
		read = config.Load // which knows the address of development mode
	}
	cfg, err := read(src)
	if err != nil {
		return err
	}
	if mails(cfg) && cfg.Address == nil {
		return errors.New("setting address is missing: links in mails to owners lead there; give it as the server gets it")
	}
	return open(cfg, func(ctx context.Context, o operator) error {
		service, err := wireCommand(ctx, o.cfg, o.keys, o.store)
		if err != nil {
			return err
		}
		return fn(ctx, service, twinlatch.ByOperator(t.actor(), string(why)))
	})
}

var notInNames = regexp.MustCompile(`[^a-z0-9._-]+`)

// actor is who runs a command, as events name them: "command:ann". Behind sudo it
// is the person and not the server's user. Whoever can run commands can write what
// they like here; it is for those who do not.
func (t terminal) actor() string {
	name := ""
	for _, v := range t.env {
		if who, ok := strings.CutPrefix(v, "SUDO_USER="); ok {
			name = who
		}
	}
	if name == "" {
		if who, err := user.Current(); err == nil {
			name = who.Username
		} else {
			name = "uid-" + strconv.Itoa(os.Getuid())
		}
	}
	name = notInNames.ReplaceAllString(strings.ToLower(name), "-")
	if len(name) > 32 {
		name = name[:32]
	}
	if name = strings.Trim(name, "-"); name == "" {
		return "command"
	}
	return "command:" + name
}

// reason is why something is done to accounts of others.
type reason string

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *reason) UnmarshalText(text []byte) error {
	*r = reason(strings.TrimSpace(string(text)))
	if n := utf8.RuneCount(text); *r == "" || n > twinlatch.MaxReason || strings.ContainsFunc(string(text), unicode.IsControl) {
		return fmt.Errorf("want one line of 1 to %d characters", twinlatch.MaxReason)
	}
	return nil
}

// group is the name of one.
type group string

// UnmarshalText implements encoding.TextUnmarshaler.
func (g *group) UnmarshalText(text []byte) error {
	*g = group(text)
	if twinlatch.GroupName(string(text)) != nil {
		return errors.New("a group is called by 1 to 40 of a-z, 0-9 and -, with no - at either end")
	}
	return nil
}

func printJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(value)
}
