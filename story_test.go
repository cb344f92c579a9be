package twinlatch_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// The words in which the other files tell their stories: a world with a database
// one can look into, people with accounts, browsers in which they are signed in.

const (
	password = "correct horse battery staple"
	step     = 30 * time.Second // of an authenticator app
	day      = 24 * time.Hour
)

var (
	ctx     = context.Background()
	home    = at("192.0.2.1")
	cafe    = at("198.51.100.7")
	home6   = at("2001:db8:0:1::1")
	nowhere = twinlatch.Client{UserAgent: "Firefox"} // the door cannot tell from where
)

func at(ip string) twinlatch.Client {
	return twinlatch.Client{IP: netip.MustParseAddr(ip), UserAgent: "Firefox"}
}

func code(text string) twinlatch.Answer { return twinlatch.Answer{"code": text} }

// refused fails the test unless err is want; nil is "not refused".
func refused(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("the error is %v, want %v", err, want)
	}
}

func equal[T any](t testing.TB, what string, have, want T) {
	t.Helper()
	if !reflect.DeepEqual(have, want) {
		t.Fatalf("%s: %v, want %v", what, have, want)
	}
}

// world is a Service on a fresh database.
type world struct {
	*twinlatchtest.Env
	t     testing.TB
	url   string
	db    *sql.DB
	claim twinlatch.Secret // of the last sign-up
}

func newWorld(t testing.TB, change ...func(*twinlatch.Config)) *world {
	t.Helper()
	return worldOn(t, twinlatchtest.Migrated(t), change...)
}

func worldOn(t testing.TB, url string, change ...func(*twinlatch.Config)) *world {
	t.Helper()
	return &world{Env: twinlatchtest.On(t, url, change...), t: t, url: url}
}

// onBoth tells a story on each database.
func onBoth(t *testing.T, story func(t *testing.T, w *world), change ...func(*twinlatch.Config)) {
	t.Run("SQLite", func(t *testing.T) { story(t, newWorld(t, change...)) })
	t.Run("PostgreSQL", func(t *testing.T) { story(t, worldOn(t, twinlatchtest.Postgres(t), change...)) })
}

func (w *world) ok(err error) {
	w.t.Helper()
	refused(w.t, err, nil)
}

func (w *world) later(d time.Duration) { w.Clock.Advance(d) }

// exec goes to the database behind the Service's back.
func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	_, err := w.database().Exec(query, args...)
	w.ok(err)
}

func (w *world) database() *sql.DB {
	w.t.Helper()
	if w.db == nil {
		var err error
		if path, ok := strings.CutPrefix(w.url, "sqlite:"); ok {
			w.db, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
		} else {
			w.db, err = sql.Open("pgx", w.url)
		}
		w.ok(err)
		w.t.Cleanup(func() { _ = w.db.Close() })
	}
	return w.db
}

var tables = []string{
	"accounts", "passwords", "factors", "sessions", "challenges", "backup_codes", "networks", "tries", "events", "limits", "outbox", "routes", "tickets", "requests",
	"requirements", "administration", "session_hosts",
}

// rows are all rows of tables, as text; no tables: of all.
func (w *world) rows(of ...string) string {
	w.t.Helper()
	if len(of) == 0 {
		of = tables
	}
	var text strings.Builder
	for _, table := range of {
		found, err := w.database().Query("SELECT * FROM " + table)
		w.ok(err)
		names, err := found.Columns()
		w.ok(err)
		var lines []string
		for found.Next() {
			values := make([]any, len(names))
			into := make([]any, len(names))
			for i := range values {
				into[i] = &values[i]
			}
			w.ok(found.Scan(into...))
			line := table
			for i, v := range values {
				if b, ok := v.([]byte); ok {
					v = fmt.Sprintf("%x", b)
				}
				line += fmt.Sprintf(" %s=%v", names[i], v)
			}
			lines = append(lines, line)
		}
		w.ok(found.Err())
		slices.Sort(lines)
		fmt.Fprintln(&text, strings.Join(lines, "\n"))
	}
	return text.String()
}

// unchanged fails the test when do changes a row of tables; no tables: of all.
func (w *world) unchanged(what string, do func(), of ...string) {
	w.t.Helper()
	before := w.rows(of...)
	do()
	if after := w.rows(of...); after != before {
		w.t.Fatalf("%s changed the database:\n%s", what, difference(before, after))
	}
}

// difference has the lines that only one of two texts has.
func difference(before, after string) string {
	var text strings.Builder
	for _, side := range [...]struct{ sign, lines, other string }{{"-", before, after}, {"+", after, before}} {
		for line := range strings.SplitSeq(side.lines, "\n") {
			if !strings.Contains("\n"+side.other, "\n"+line+"\n") {
				fmt.Fprintln(&text, side.sign, line)
			}
		}
	}
	return text.String()
}

// person has an account and, once it is enrolled, an authenticator app.
type person struct {
	*world
	account twinlatch.Account
	app     device
}

// device is an authenticator app and the factor that it is.
type device struct {
	twinlatchtest.App
	id twinlatch.FactorID
}

// person signs up.
func (w *world) person(login string) *person {
	w.t.Helper()
	a, err := w.CreateAccount(ctx, twinlatch.NewAccount{Login: login, Password: twinlatch.NewSecret(password), Confirmed: true}, home)
	w.ok(err)
	return &person{world: w, account: a}
}

// protected is a person who has just enrolled an app in the browser returned, at
// home. Its code of now can be used.
func (w *world) protected(login string) *browser {
	w.t.Helper()
	p := w.person(login)
	b := p.signIn(home)
	p.app = b.enroll("")
	w.later(step)
	return b
}

// operator has the right over the account without a session.
func (p *person) operator() twinlatch.Authority {
	return twinlatch.OnBehalf(p.account.ID, "admin:eve", "lost phone")
}

func (p *person) code() string { return p.app.Code(p.Now()) }

// newCode waits until the app shows a code that was not used.
func (p *person) newCode() string {
	p.later(step)
	return p.code()
}

// wrongCode is no code of the app around now.
func (p *person) wrongCode() string {
	for n := 0; ; n++ {
		wrong := true
		for around := -3; around <= 3; around++ {
			wrong = wrong && p.app.Code(p.Now().Add(time.Duration(around)*step)) != fmt.Sprintf("%06d", n)
		}
		if wrong {
			return fmt.Sprintf("%06d", n)
		}
	}
}

// trail is what happened to the account, oldest first. It holds.
func (p *person) trail() []twinlatch.Event {
	p.t.Helper()
	p.ok(p.VerifyEvents(ctx, p.account.ID))
	var all []twinlatch.Event
	for before := int64(0); ; before = all[len(all)-1].Seq {
		page, err := p.Events(ctx, p.operator(), before, 1000)
		p.ok(err)
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
	}
	slices.Reverse(all)
	return all
}

// types are those of the trail.
func (p *person) types() (all []twinlatch.EventType) {
	p.t.Helper()
	for _, e := range p.trail() {
		all = append(all, e.Type)
	}
	return all
}

// last is the newest event of a type.
func (p *person) last(of twinlatch.EventType) (last twinlatch.Event) {
	p.t.Helper()
	for _, e := range p.trail() {
		if e.Type == of {
			last = e
		}
	}
	return last
}

// count is how many events of a type the account has.
func (p *person) count(of twinlatch.EventType) (n int) {
	p.t.Helper()
	for _, e := range p.trail() {
		if e.Type == of {
			n++
		}
	}
	return n
}

// browser keeps the session of a person.
type browser struct {
	*person
	token twinlatch.Token
	from  twinlatch.Client
}

// signIn does the first step in a new browser.
func (p *person) signIn(from twinlatch.Client) *browser {
	p.t.Helper()
	_, token, err := p.SignIn(ctx, twinlatch.MainRealm, p.account.Login, twinlatch.NewSecret(password), from)
	p.ok(err)
	return &browser{p, token, from}
}

// signInFully does both steps in a new browser.
func (p *person) signInFully(from twinlatch.Client) *browser {
	p.t.Helper()
	b := p.signIn(from)
	p.ok(b.answer(p.newCode()))
	return b
}

func (b *browser) check() twinlatch.Decision {
	b.t.Helper()
	d, err := b.Check(ctx, b.token, b.from)
	b.ok(err)
	return d
}

// meets fails the test unless the next request is answered so.
func (b *browser) meets(want twinlatch.Step, why twinlatch.Reason) {
	b.t.Helper()
	if d := b.check(); d.Step != want || d.Reason != why {
		b.t.Fatalf("the request is answered %d %q, want %d %q", d.Step, d.Reason, want, why)
	}
}

func (b *browser) known() twinlatch.Known {
	b.t.Helper()
	who, ok := b.check().Known()
	if !ok {
		b.t.Fatal("the browser is not signed in")
	}
	return who
}

func (b *browser) passed() twinlatch.Passed {
	b.t.Helper()
	d := b.check()
	who, ok := d.Passed()
	if !ok {
		b.t.Fatalf("the browser does not pass: %q", d.Reason)
	}
	return who
}

// session is the browser's row.
func (b *browser) session() twinlatch.Session { return b.known().Session() }

// keep takes over a new token.
func (b *browser) keep(token twinlatch.Token, err error) error {
	if err == nil {
		b.token = token
	}
	return err
}

func (b *browser) answer(text string) error {
	b.t.Helper()
	return b.keep(b.Answer(ctx, b.known(), code(text), b.from))
}

func (b *browser) recover(backup twinlatch.Secret) error {
	b.t.Helper()
	return b.keep(b.Recover(ctx, b.known(), backup, b.from))
}

// backupCodes makes new ones.
func (b *browser) backupCodes() []twinlatch.Secret {
	b.t.Helper()
	codes, err := b.NewBackupCodes(ctx, b.passed(), b.from)
	b.ok(err)
	return codes
}

// enroll adds an app and confirms it with its code of now.
func (b *browser) enroll(name string) device {
	b.t.Helper()
	ch, err := b.BeginEnroll(ctx, b.passed(), totp.Kind, map[string]string{"name": name}, b.from)
	b.ok(err)
	app := twinlatchtest.Scan(b.t, ch.Prompt.QR)
	f, token, err := b.FinishEnroll(ctx, b.passed(), ch.ID, code(app.Code(b.Now())), b.from)
	b.ok(b.keep(token, err))
	return device{app, f.ID}
}

// together lets n callers go at the same moment.
func together[T any](n int, call func(i int) T) []T {
	results := make([]T, n)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-start
			results[i] = call(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	return results
}
