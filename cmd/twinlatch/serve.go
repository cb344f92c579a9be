package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/argon2child"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/server"
	"github.com/twinlatch/twinlatch/web"
)

// serverFlags are those of commands that read all settings.
type serverFlags struct {
	Config   string  `placeholder:"FILE" help:"Configuration file (twinlatch.toml, if there is one)."`
	Listen   *string `placeholder:"ADDR" help:"${listen}"`
	Address  *string `placeholder:"URL" help:"${address}"`
	Database *string `placeholder:"URL" help:"${database}"`
	Keys     *string `placeholder:"FILE" help:"${keys}"`
	Dev      bool    `help:"Development mode: on this machine only, needs no configuration."`
}

type serveCommand struct{ serverFlags }

// Help is shown by --help, below the flags.
func (serveCommand) Help() string {
	var text strings.Builder
	text.WriteString("Each setting can also be given in the file or in the environment. A flag wins over the environment, the environment over the file. " +
		"NAME_FILE in the environment names a file that holds the value. Without a flag are:\n\n")
	for _, s := range config.Settings() {
		if !s.Flag {
			fmt.Fprintf(&text, "    %s, %s\n", s.Key, s.Env())
		}
	}
	text.WriteString("\ndocs/operating.md says what they mean.")
	return text.String()
}

func (c *serverFlags) source(t terminal) config.Source {
	return config.Source{File: c.Config, Env: t.env, Dev: c.Dev, Flags: given(map[string]*string{
		"listen": c.Listen, "address": c.Address, "database": c.Database, "keys": c.Keys,
	})}
}

// collectEvery is how much memory is handed out, about, between two garbage collections. The
// collector starts when the heap has doubled. Ours is a few megabytes, so it would start many times
// a second. A reserve of this size makes the heap look larger; it is never written to and so takes
// no memory. More of it is slower again (docs/decisions/0010).
const collectEvery = 24 << 20

// Run serves until SIGINT or SIGTERM; a second one ends the process at once.
func (c *serveCommand) Run(t terminal) error {
	if !slices.ContainsFunc(t.env, func(e string) bool { return strings.HasPrefix(e, "GOGC=") || strings.HasPrefix(e, "GOMEMLIMIT=") }) {
		var reserve [collectEvery >> 20][]byte // of a single piece all is zeroed when a page of it was used before
		for i := range reserve {
			reserve[i] = make([]byte, 1<<20)
		}
		defer runtime.KeepAlive(reserve)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	cfg, err := config.Load(c.source(t))
	if err != nil {
		return err
	}
	log := newLog(cfg, t)
	listener, err := listen(cfg)
	if err != nil {
		return err
	}
	defer listener.Close()
	hashing := argon2child.New(t.hash, log)
	defer hashing.Close()
	program, err := wire(ctx, cfg, log, twinlatch.Hashing{IDKey: hashing.IDKey})
	if err != nil {
		if ctx.Err() != nil { // stopped while starting
			return nil
		}
		return err
	}
	return errors.Join(server.Run(ctx, server.Options{
		Listener:   listener,
		Address:    cfg.Address.String(),
		Handler:    program.handler,
		Checks:     program.checks,
		Ready:      program.ready,
		Sweep:      program.sweep,
		Checkpoint: program.checkpoint,
		ClientIP:   func(r *http.Request) netip.Addr { return web.ClientIP(r, cfg.Proxies) },
		Deliver:    program.deliver,
		Due:        program.due,
		Receipts:   program.receipts,
		Log:        log,
		Out:        t.out,
	}), program.close())
}

// listen opens the address. It comes before the database and the keys, so that
// a second server on the same port touches neither.
func listen(cfg *config.Config) (net.Listener, error) {
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another address with --listen", cfg.Listen, cause(err))
	}
	// Names are looked up by this machine, which may think anything of localhost.
	if at, ok := listener.Addr().(*net.TCPAddr); cfg.Dev && (!ok || !at.IP.IsLoopback()) {
		listener.Close()
		return nil, fmt.Errorf("%s is %s on this machine, and development mode listens on loopback only; use --listen 127.0.0.1:8080", cfg.Listen, listener.Addr())
	}
	cfg.Listening(listener.Addr())
	return listener, nil
}

// cause is what the operating system said.
func cause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// newLog is for machines, in development mode for people.
func newLog(cfg *config.Config, t terminal) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	var h slog.Handler = slog.NewJSONHandler(t.err, options)
	if cfg.Dev {
		h = slog.NewTextHandler(t.err, options)
	}
	return slog.New(server.LogHandler(h))
}
