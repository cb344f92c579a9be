// Package twinlatchtest helps to test programs that use Twinlatch: a clock that
// is moved by hand, a Service on a fresh database, an authenticator app.
//
// It is for tests only. It promises stability from 1.0 on.
package twinlatchtest

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/keyring"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/sqlstore"
)

// Start is when the clock of New stands: the beginning of a TOTP time step.
func Start() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// Clock stands still until it is moved. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock stands at now.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now is the time it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves it, backwards when d is negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Env is a Service and what it was made of.
type Env struct {
	*twinlatch.Service
	Store  *sqlstore.Store
	Keys   *keyring.Ring
	Clock  *Clock
	Config twinlatch.Config // for a second Service on the same Store
}

// SQLite is the URL of a new database file that is gone when the test ends.
func SQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
}

// Migrated is the URL of a database like SQLite's that has the schema already: many
// tests make it once.
func Migrated(t testing.TB) string {
	t.Helper()
	database, err := migrated()
	if err != nil {
		t.Fatalf("twinlatchtest: %v", err)
	}
	path := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(path, database, 0o600); err != nil {
		t.Fatalf("twinlatchtest: %v", err)
	}
	return "sqlite:" + path
}

var migrated = sync.OnceValues(func() (database []byte, err error) {
	dir, err := os.MkdirTemp("", "twinlatch-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "test.db")
	store, err := sqlstore.Open(context.Background(), "sqlite:"+path)
	if err == nil {
		err = store.Close() // which leaves all in the one file
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// New is a Service on a fresh SQLite database, with an authenticator app as its
// one method and password hashing that costs next to nothing. Change changes
// the configuration before the Service is made.
func New(t testing.TB, change ...func(*twinlatch.Config)) *Env {
	t.Helper()
	return On(t, Migrated(t), change...)
}

// On is New on a database of the caller's.
func On(t testing.TB, database string, change ...func(*twinlatch.Config)) *Env {
	t.Helper()
	ctx := context.Background()
	store, err := sqlstore.Open(ctx, database)
	if err != nil {
		t.Fatalf("twinlatchtest: %v", err)
	}
	t.Cleanup(func() { _ = store.Close() })
	path := filepath.Join(t.TempDir(), "keys")
	if err := keyring.Create(path, rand.Reader, Start()); err != nil {
		t.Fatalf("twinlatchtest: %v", err)
	}
	keys, err := keyring.Load(path)
	if err != nil {
		t.Fatalf("twinlatchtest: %v", err)
	}
	app, err := totp.New("Twinlatch")
	if err != nil {
		t.Fatalf("twinlatchtest: %v", err)
	}
	env := &Env{Store: store, Keys: keys, Clock: NewClock(Start())}
	env.Config = twinlatch.Config{
		Store: store, Keys: keys, Methods: []twinlatch.Method{app}, Clock: env.Clock.Now,
		Hashing: twinlatch.Hashing{Memory: 8, Passes: 1, Lanes: 1, Parallel: 8, Queue: 1000, Wait: time.Minute},
	}
	for _, c := range change {
		c(&env.Config)
	}
	if env.Service, err = twinlatch.New(ctx, env.Config); err != nil {
		t.Fatalf("twinlatchtest: %v", err)
	}
	return env
}

// App is an authenticator app that holds one account.
type App struct{ secret []byte }

// Scan sets an App up from what the QR code says.
func Scan(t testing.TB, uri string) App {
	t.Helper()
	_, _, secret, err := totp.ParseURI(uri)
	if err != nil {
		t.Fatalf("twinlatchtest: %v", err)
	}
	return App{secret}
}

// Code is the six digits that the App shows at a time.
func (a App) Code(at time.Time) string { return totp.Code(a.secret, at) }
