// Package bench measures the paths that every request or every sign-in takes.
// Figures of one machine at one time say little; each benchmark therefore runs
// beside a baseline in the same process, and `make bench` prints both.
package bench

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
	_ "modernc.org/sqlite" // the baseline reads the same file through the same driver

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/pages"
	"github.com/twinlatch/twinlatch/twinlatchtest"
	"github.com/twinlatch/twinlatch/web"
)

var client = twinlatch.Client{IP: netip.MustParseAddr("192.0.2.1"), UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}

const password = "correct horse battery"

// person has two-step verification on and a verified session.
type person struct {
	*twinlatchtest.Env
	database string
	app      twinlatchtest.App
	token    twinlatch.Token
}

func newPerson(b testing.TB, database string) *person {
	b.Helper()
	ctx := context.Background()
	env := twinlatchtest.On(b, database)
	if _, err := env.CreateAccount(ctx, twinlatch.NewAccount{Login: "ana@example.com", Password: twinlatch.NewSecret(password)}, client); err != nil {
		b.Fatal(err)
	}
	d, _, err := env.SignIn(ctx, twinlatch.MainRealm, "ana@example.com", twinlatch.NewSecret(password), client)
	if err != nil {
		b.Fatal(err)
	}
	who, _ := d.Passed()
	c, err := env.BeginEnroll(ctx, who, "totp", nil, client)
	if err != nil {
		b.Fatal(err)
	}
	p := &person{Env: env, database: database, app: twinlatchtest.Scan(b, c.Prompt.QR)}
	if _, p.token, err = env.FinishEnroll(ctx, who, c.ID, twinlatch.Answer{"code": p.app.Code(env.Clock.Now())}, client); err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkCheck is the session check of the core: one SELECT and the policy.
// Its baseline is the least that a check which believes nothing but the
// database can cost: one read of the session's row by its primary key.
func BenchmarkCheck(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			database := twinlatchtest.SQLite(b)
			if name == "postgres" {
				database = twinlatchtest.Postgres(b)
			}
			p := newPerson(b, database)
			b.Run("check", func(b *testing.B) {
				ctx := context.Background()
				b.ReportAllocs()
				for b.Loop() {
					d, err := p.Check(ctx, p.token, client)
					if err != nil || d.Step != twinlatch.Pass {
						b.Fatal(d.Step, err)
					}
				}
			})
			b.Run("baseline-select", func(b *testing.B) { baseline(b, p) })
		})
	}
}

func baseline(b *testing.B, p *person) {
	driver, source := "sqlite", strings.TrimPrefix(p.database, "sqlite:")
	if strings.HasPrefix(p.database, "postgres") {
		driver, source = "pgx", p.database
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	account, rest, _ := strings.Cut(p.token.Reveal(), ".")
	session, _, _ := strings.Cut(rest, ".")
	read, err := db.Prepare(`SELECT secret_hash FROM sessions WHERE account_id = $1 AND id = $2`)
	if err != nil {
		b.Fatal(err)
	}
	defer read.Close()
	b.ReportAllocs()
	for b.Loop() {
		var hash []byte
		if err := read.QueryRow(account, session).Scan(&hash); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSignIn is a whole sign-in, both steps, beyond the password hash,
// which twinlatchtest makes nearly free. Its baseline is that hash at the cost
// which people really pay.
func BenchmarkSignIn(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			database := twinlatchtest.SQLite(b)
			if name == "postgres" {
				database = twinlatchtest.Postgres(b)
			}
			p := newPerson(b, database)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				p.Clock.Advance(30 * time.Second)
				d, _, err := p.SignIn(ctx, twinlatch.MainRealm, "ana@example.com", twinlatch.NewSecret(password), client)
				if err != nil {
					b.Fatal(err)
				}
				who, _ := d.Known()
				if _, err := p.Answer(ctx, who, twinlatch.Answer{"code": p.app.Code(p.Clock.Now())}, client); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("baseline-argon2id", func(b *testing.B) {
		cost := twinlatch.DefaultHashing()
		b.ReportAllocs()
		for b.Loop() {
			argon2.IDKey([]byte(password), make([]byte, 16), cost.Passes, cost.Memory, cost.Lanes, 32)
		}
	})
}

// BenchmarkPage is the Security page through the whole door. Its baseline is a
// bare net/http handler that answers with as many bytes.
func BenchmarkPage(b *testing.B) {
	p := newPerson(b, twinlatchtest.SQLite(b))
	door, err := pages.New(pages.Config{Service: p.Service, Address: &url.URL{Scheme: "http", Host: "localhost"}})
	if err != nil {
		b.Fatal(err)
	}
	ask := func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/settings/user/security", nil)
		r.RemoteAddr = "192.0.2.1:1234"
		r.AddCookie(&http.Cookie{Name: web.Cookie{}.Name(), Value: p.token.Reveal()})
		return r
	}
	size := 0
	b.Run("security", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w := httptest.NewRecorder()
			door.ServeHTTP(w, ask())
			if w.Code != http.StatusOK {
				b.Fatal(w.Code, w.Header())
			}
			size = w.Body.Len()
		}
	})
	b.Run("baseline-bytes", func(b *testing.B) {
		body := []byte(strings.Repeat("x", size))
		bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "%s", body) })
		b.ReportAllocs()
		for b.Loop() {
			bare.ServeHTTP(httptest.NewRecorder(), ask())
		}
	})
}
