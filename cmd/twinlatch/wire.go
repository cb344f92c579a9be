package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/keyring"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/pages"
	"github.com/twinlatch/twinlatch/server"
	"github.com/twinlatch/twinlatch/sqlstore"
)

// program is what was put together.
type program struct {
	handler      http.Handler
	ready, sweep func(context.Context) error
	close        func() error
}

// wire is the only place that knows which methods, stores and doors there are.
// Nothing registers itself.
func wire(ctx context.Context, cfg *config.Config, log *slog.Logger) (_ *program, err error) {
	keys, err := openKeys(cfg)
	if err != nil {
		return nil, err
	}
	store, err := sqlstore.Open(ctx, cfg.Database.Reveal())
	if err != nil {
		return nil, fmt.Errorf("%w; see setting database", err)
	}
	defer func() {
		if err != nil {
			store.Close()
		}
	}()
	app, err := totp.New("Twinlatch")
	if err != nil {
		return nil, err
	}
	clock, dev := time.Now, (*pages.Dev)(nil)
	if cfg.Dev {
		if dev, err = development(ctx, store); err != nil {
			return nil, err
		}
		clock = dev.Clock.Now
	}
	service, err := twinlatch.New(ctx, twinlatch.Config{
		Store:   store,
		Keys:    keys,
		Methods: []twinlatch.Method{app}, // in the order in which they are offered
		Policy:  cfg.Policy,
		Clock:   clock,
		Log:     log,
	})
	if errors.Is(err, twinlatch.ErrWrongKeys) {
		return nil, fmt.Errorf("%w than those in %s; put back the key file that belongs to this database", err, cfg.Keys)
	}
	if err != nil {
		return nil, err
	}
	door, err := pages.New(pages.Config{
		Service: service,
		Address: cfg.Address,
		Proxies: cfg.Proxies,
		Request: server.RequestID,
		Log:     log,
		Dev:     dev,
	})
	if err != nil {
		return nil, err
	}
	return &program{
		handler: door,
		ready:   store.Ping,
		sweep:   service.Sweep,
		close:   store.Close,
	}, nil
}

// development is what development mode adds: a clock that can be moved, and an
// authenticator app for those who have no phone at hand.
func development(ctx context.Context, store *sqlstore.Store) (*pages.Dev, error) {
	newest, err := store.NewestEvent(ctx)
	if err != nil {
		return nil, err
	}
	return &pages.Dev{
		Clock:    new(devClock),
		Duration: config.ParseDuration,
		Behind:   max(0, time.Until(newest)),
		Code: func(uri string, at time.Time) (string, string, error) {
			issuer, account, secret, err := totp.ParseURI(uri)
			return issuer + ": " + account, totp.Code(secret, at), err
		},
	}, nil
}

// openKeys reads the key file. Only in development mode a missing one is made:
// elsewhere a wrong path must not look like a fresh start.
func openKeys(cfg *config.Config) (*keyring.Ring, error) {
	if cfg.Dev {
		if err := createKeys(cfg.Keys); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	keys, err := keyring.Load(cfg.Keys)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no key file %s; make one with: twinlatch key create --keys %s", cfg.Keys, cfg.Keys)
	}
	return keys, err
}

// createKeys makes a key file, and its folder where that is missing.
func createKeys(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return keyring.Create(path, rand.Reader, time.Now())
}
