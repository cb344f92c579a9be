package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/keyring"
	"github.com/twinlatch/twinlatch/locale"
	"github.com/twinlatch/twinlatch/method/text"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/method/webauthn"
	"github.com/twinlatch/twinlatch/method/yubico"
	"github.com/twinlatch/twinlatch/notice"
	"github.com/twinlatch/twinlatch/pages"
	"github.com/twinlatch/twinlatch/sender/outbox"
	"github.com/twinlatch/twinlatch/server"
	"github.com/twinlatch/twinlatch/sqlstore"
)

// program is what was put together.
type program struct {
	handler                  http.Handler
	checks                   func(*http.Request) http.Handler
	receipts                 map[string]http.Handler
	ready, sweep, checkpoint func(context.Context) error
	deliver                  func(context.Context) (int, error)
	due                      <-chan struct{}
	close                    func() error
}

// wire is the only place that knows which methods, stores and doors there are.
// Nothing registers itself.
func wire(ctx context.Context, cfg *config.Config, log *slog.Logger, hashing twinlatch.Hashing) (_ *program, err error) {
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
	languages, err := locale.All()
	if err != nil {
		return nil, err
	}
	carried, err := newSenders(cfg)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, carried.close())
		}
	}()
	clock, dev := time.Now, (*pages.Dev)(nil)
	if cfg.Dev {
		if dev, err = development(ctx, cfg, store, carried); err != nil {
			return nil, err
		}
		clock = dev.Clock.Now
	}
	methods := []twinlatch.Method{app} // in the order in which they are offered
	key, err := newSecurityKey(cfg)
	switch {
	case err != nil:
		return nil, err
	case key != nil:
		methods = append(methods, key)
		if at := keyAddress(cfg).String(); at != cfg.Address.String() {
			log.WarnContext(ctx, "security keys work at another address of this server only", "address", at)
		}
	default:
		log.WarnContext(ctx, "security keys are not offered: browsers know them only at https:// with a domain name, and at http://localhost", "address", cfg.Address.String())
	}
	if carried.carries(twinlatch.Text) {
		phone, err := newText(cfg, languages)
		if err != nil {
			return nil, err
		}
		methods = append(methods, phone)
	}
	if otp, err := newYubicoOTP(cfg, keys, store); err != nil {
		return nil, err
	} else if otp != nil {
		methods = append(methods, otp)
	}
	notices, err := newNotices(cfg, languages)
	if err != nil {
		return nil, err
	}
	service, err := twinlatch.New(ctx, twinlatch.Config{
		Store:   store,
		Keys:    keys,
		Methods: methods,
		Sending: twinlatch.Sending{
			Senders: carried.all, PerHour: cfg.Text.PerHour, CountryPerHour: cfg.Text.CountryPerHour,
			NetworkPerHour: cfg.Text.NetworkPerHour, Budget: cfg.Text.Budget, Price: cfg.Text.PriceOf,
		},
		Notice:  notices,
		Policy:  cfg.Policy,
		Hashing: hashing,
		Clock:   clock,
		Log:     log,
	})
	if err != nil {
		return nil, wrongKeys(err, cfg)
	}
	apps, err := newRules(cfg)
	if err != nil {
		return nil, err
	}
	door, err := pages.New(pages.Config{
		Service: service,
		Address: cfg.Address,
		Proxies: cfg.Proxies,
		Apps:    apps,
		Domain:  cfg.ForwardAuth.CookieDomain,
		Closed:  !cfg.SignUp,
		Request: server.RequestID,
		Log:     log,
		Dev:     dev,
	})
	if err != nil {
		return nil, err
	}
	checks, err := newChecks(service, cfg, apps, log)
	if err != nil {
		return nil, err
	}
	return &program{
		handler:    door,
		checks:     checks,
		receipts:   carried.listen(service.Receive),
		ready:      store.Ping,
		sweep:      service.Sweep,
		checkpoint: service.Checkpoint,
		deliver:    service.Deliver,
		due:        service.Due(),
		close:      func() error { return errors.Join(carried.close(), store.Close()) },
	}, nil
}

// wireCommand is the core for a command beside the server. It judges no code and
// sends nothing: what owners are told is put into the outbox, and the server, which
// looks there every second, sends it.
func wireCommand(ctx context.Context, cfg *config.Config, keys *keyring.Ring, store *sqlstore.Store) (*twinlatch.Service, error) {
	app, err := totp.New("Twinlatch") // the core wants a method
	if err != nil {
		return nil, err
	}
	languages, err := locale.All()
	if err != nil {
		return nil, err
	}
	notices, err := newNotices(cfg, languages)
	if err != nil {
		return nil, err
	}
	service, err := twinlatch.New(ctx, twinlatch.Config{
		Store: store, Keys: keys, Methods: []twinlatch.Method{app}, Notice: notices, Policy: cfg.Policy,
	})
	return service, wrongKeys(err, cfg)
}

// mails reports whether the server of these settings sends e-mails.
func mails(cfg *config.Config) bool { return cfg.Mail.Host != "" || cfg.Dev }

// newNotices writes the mails to owners; nil where nobody sends them, or nobody
// knows where their links lead.
func newNotices(cfg *config.Config, languages *locale.Languages) (twinlatch.Notice, error) {
	if !mails(cfg) || cfg.Address == nil {
		return nil, nil
	}
	writer, err := notice.New(notice.Config{Name: "Twinlatch", Address: cfg.Address, Words: languages, Methods: everyMethod()})
	if err != nil {
		return nil, err
	}
	return writer.Write, nil
}

// everyMethod describes all there are. Accounts may have factors of those that the
// settings do not offer, or not any more.
func everyMethod() []twinlatch.Description {
	return []twinlatch.Description{
		new(totp.Method).Describe(), new(webauthn.Method).Describe(), new(text.Method).Describe(), new(yubico.Method).Describe(),
	}
}

func newText(cfg *config.Config, languages *locale.Languages) (*text.Method, error) {
	phone, err := text.New(text.Config{
		App: cfg.Text.Name, Host: nameOf(cfg.Address), Region: cfg.Text.Region, Countries: cfg.Text.Countries,
		Say: func(spoken, code, app string) (string, error) {
			return languages.For(spoken).Say("sms.body", map[string]string{"code": code, "app": app})
		},
	})
	if err != nil {
		return nil, fmt.Errorf("setting text: %w", err)
	}
	return phone, nil
}

// nameOf is the host of an address where it has a name or an IPv4 address; a line
// in a message that phones read has no place for others.
func nameOf(address *url.URL) string {
	if host := address.Hostname(); !strings.Contains(host, ":") {
		return host
	}
	return ""
}

// development is what development mode adds: a clock that can be moved, an
// authenticator app for those who have no phone at hand, and an outbox that keeps
// all messages, also those that a real sender carries, and is the sender where
// there is none.
func development(ctx context.Context, cfg *config.Config, store *sqlstore.Store, carried *senders) (*pages.Dev, error) {
	newest, err := store.NewestEvent(ctx)
	if err != nil {
		return nil, err
	}
	clock := new(devClock)
	kept := outbox.New(100, clock.Now)
	for i, sender := range carried.all {
		carried.all[i] = copied{sender, kept}
	}
	for _, channel := range []twinlatch.Channel{twinlatch.Text, twinlatch.Email} {
		if !carried.carries(channel) || channel == twinlatch.Text && slices.Contains(cfg.Text.Senders, "outbox") {
			carried.all = append(carried.all, only{kept, channel})
		}
	}
	return &pages.Dev{
		Clock: clock,
		Messages: func() []pages.DevMessage {
			all := []pages.DevMessage{}
			for _, m := range kept.Messages() {
				all = append(all, pages.DevMessage(m))
			}
			return all
		},
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
	return loadKeys(cfg)
}

func loadKeys(cfg *config.Config) (*keyring.Ring, error) {
	keys, err := keyring.Load(cfg.Keys)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no key file %s; make one with: twinlatch key create --keys %s", cfg.Keys, cfg.Keys)
	}
	return keys, err
}

// wrongKeys says what to do about an error when it is ErrWrongKeys.
func wrongKeys(err error, cfg *config.Config) error {
	if errors.Is(err, twinlatch.ErrWrongKeys) {
		return fmt.Errorf("%w; the key file %s does not belong to this database: put back the one that does", err, cfg.Keys)
	}
	return err
}

// createKeys makes a key file, and its folder where that is missing.
func createKeys(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return keyring.Create(path, rand.Reader, time.Now())
}
