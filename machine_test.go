package twinlatch_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// TestMachine does random things with two accounts and compares every answer and
// every row that matters with the model. After each step hold the invariants of
// docs/security.md that are about one process: I1 to I9, I11 to I17, I19 to I22,
// I24, I25, I28, I33 and I37. More runs: go test -run Machine -rapid.checks=10000.
func TestMachine(t *testing.T) {
	t.Parallel()
	for _, on := range []struct {
		name  string
		url   func(testing.TB) string
		every int // of how many runs, to save time
	}{
		{"SQLite", twinlatchtest.Migrated, detector},
		{"PostgreSQL", twinlatchtest.Postgres, 4 * detector},
	} {
		t.Run(on.name, func(t *testing.T) {
			t.Parallel()
			w, run := worldOn(t, on.url(t)), 0
			rapid.Check(t, func(t *rapid.T) {
				if run++; run%on.every == 0 {
					newMachine(t, w, run).run()
				}
			})
		})
	}
}

// machine drives the Service and the model.
type machine struct {
	*rapid.T
	w     *world
	model *model
	all   []*driven
	codes int // sets of backup codes that may be made: they cost time
	group string
}

// driven is a session on both sides.
type driven struct {
	*seat
	f       *figure
	account twinlatch.Account
	id      twinlatch.SessionID
	token   twinlatch.Token
	from    twinlatch.Client
	dead    []twinlatch.Token
	kept    twinlatch.Passed // from a request that was let in
	keptAt  int              // the level of its token
	keptIP  netip.Addr
	adding  twinlatch.Enrolling // from a request that was let in at least to add an app
	addAt   int
	addIP   netip.Addr
}

var addresses = []twinlatch.Client{
	home, at("::ffff:192.0.2.1"), at("192.0.2.2"), home6, at("2001:db8:0:1::2"), at("2001:db8:0:2::1"), nowhere,
}

func newMachine(t *rapid.T, w *world, run int) *machine {
	w.later(day - time.Duration(w.Now().UnixNano())%day) // at the next midnight all budgets are new
	m := &machine{T: t, w: w, model: &model{now: w.Now(), budgets: map[string]*budget{}}}
	for _, name := range []string{"ann", "bob"} {
		a, err := w.CreateAccount(ctx, twinlatch.NewAccount{Login: fmt.Sprintf("%s%d", name, run), Password: twinlatch.NewSecret(password)}, nowhere)
		m.same("sign-up", err, nil)
		f := &figure{tries: map[string]tally{}, homes: map[netip.Prefix]time.Time{}, events: []twinlatch.EventType{twinlatch.EventAccountCreated}}
		m.model.people = append(m.model.people, f)
		m.start(f, a, home)
		if name == "ann" {
			m.member(f, a, run)
		}
	}
	m.group = fmt.Sprintf("group-%d", run)
	if rapid.IntRange(0, 3).Draw(t, "with backup codes") == 3 {
		m.codes = 2
	}
	for i, d := range m.all {
		if i > 0 && rapid.IntRange(0, 3).Draw(t, "Bob is protected") == 0 {
			continue
		}
		m.known(d)
		m.begin(d)
		m.confirm(d, d.enrolling, d.enrolling.app.Code(w.Now()))
		if i == 0 && m.codes > 0 {
			m.known(d)
			m.makeCodes(d)
		}
	}
	return m
}

func (m *machine) run() {
	actions := map[string]func(*rapid.T){"": m.holds}
	for _, command := range []struct {
		name   string
		weight int
		do     func(*driven)
	}{
		{"sign in", 2, m.signIn},
		{"answer", 3, m.answer},
		{"answer a new code", 4, func(d *driven) { m.pass(step); m.answer(d) }},
		{"guess", 1, m.guess},
		{"recover", 2, m.recover},
		{"ask", 1, m.ask},
		{"begin", 1, m.begin},
		{"confirm", 2, func(d *driven) { m.confirm(d, m.someQuestion(d), m.someCode(d)) }},
		{"remove", 1, m.remove},
		{"turn off", 1, m.turnOff},
		{"make codes", 1, m.makeCodes},
		{"end one", 1, m.endOne},
		{"end others", 1, m.endOthers},
		{"sign out", 1, m.signOut},
		{"confirm the password", 1, m.confirmPassword},
		{"administer", 2, m.administer},
		{"move", 2, func(d *driven) { d.from = rapid.SampledFrom(addresses).Draw(m.T, "to") }},
		{"wait", 3, m.wait},
		{"sweep", 1, m.sweep},
	} {
		for n := range command.weight {
			actions[fmt.Sprint(command.name, " ", n)] = m.with(command.do)
		}
	}
	for range 2 {
		m.Repeat(actions)
	}
}

// with does something with some session, mostly one that is alive.
func (m *machine) with(do func(*driven)) func(*rapid.T) {
	return func(t *rapid.T) {
		m.T = t
		var among []*driven
		for _, d := range m.all {
			if !d.over && m.model.now.Before(d.ends) {
				among = append(among, d)
				if d.f.on() {
					among = append(among, d, d)
				}
			}
		}
		if len(among) == 0 || rapid.IntRange(0, 9).Draw(t, "any session") == 9 {
			among = m.all
		}
		do(rapid.SampledFrom(among).Draw(t, "session"))
	}
}

func (m *machine) same(what string, have, want error) {
	m.Helper()
	if !errors.Is(have, want) || want == nil && have != nil {
		m.Fatalf("%s: %v, the model says %v", what, have, want)
	}
}

// start adds a session after its first step.
func (m *machine) start(f *figure, a twinlatch.Account, from twinlatch.Client) {
	login := a.Login
	d, token, err := m.w.SignIn(ctx, twinlatch.MainRealm, login, twinlatch.NewSecret(password), from)
	giveBack, ok := m.password(a, from.IP)
	if !ok {
		m.same("sign-in", err, twinlatch.ErrLimited)
		return
	}
	if f.disabled {
		m.same("sign-in", err, twinlatch.ErrWrongPassword)
		return
	}
	giveBack()
	m.same("sign-in", err, nil)
	s := &seat{created: m.model.now, password: m.model.now, ends: m.model.now.Add(90 * day)}
	event := twinlatch.EventSignedIn
	if ip := from.IP; !f.on() && ip.IsValid() {
		f.homes[network(ip)] = m.model.now
	}
	if f.on() {
		s.ends, event = m.model.now.Add(10*time.Minute), twinlatch.EventFirstStep
	}
	f.seats = append(f.seats, s)
	f.happened(event)
	who, _ := d.Known()
	m.all = append(m.all, &driven{seat: s, f: f, account: a, id: who.Session().ID, token: token, from: from})
}

// password spends from the budgets of a first step.
func (m *machine) password(a twinlatch.Account, ip netip.Addr) (giveBack func(), ok bool) {
	network1, ok := m.model.take("password", ip)
	if !ok {
		return nil, false
	}
	login, ok := m.model.spend("login", map[string]int{a.Login + network(ip).String(): 10}, 15*time.Minute)
	if !ok {
		network1()
		return nil, false
	}
	return func() { network1(); login() }, true
}

func (m *machine) signIn(d *driven) {
	if rapid.IntRange(0, 4).Draw(m.T, "right password") > 0 {
		m.start(d.f, d.account, d.from)
		return
	}
	_, _, err := m.w.SignIn(ctx, twinlatch.MainRealm, d.account.Login, twinlatch.NewSecret("wrong"), d.from)
	want := twinlatch.ErrWrongPassword
	if _, ok := m.password(d.account, d.from.IP); !ok {
		want = twinlatch.ErrLimited
	}
	m.same("a wrong password", err, want)
}

// known is who asks; nil when the session is over, as the model says as well.
func (m *machine) known(d *driven) (twinlatch.Known, bool) {
	decision, err := m.w.Check(ctx, d.token, d.from)
	m.same("check", err, nil)
	step, reason := m.model.decide(d.f, d.seat, d.from.IP)
	if decision.Step != step || decision.Reason != reason {
		m.Fatalf("a request from %v is answered %d %q, the model says %d %q", d.from.IP, decision.Step, decision.Reason, step, reason)
	}
	if who, ok := decision.Passed(); ok != (step == twinlatch.Pass) {
		m.Fatalf("Passed is %v", ok)
	} else if ok {
		d.kept, d.keptAt, d.keptIP = who, d.level, d.from.IP
	}
	if who, ok := decision.Enrolling(); ok != (step == twinlatch.Pass || step == twinlatch.NeedFactor) {
		m.Fatalf("Enrolling is %v", ok)
	} else if ok {
		d.adding, d.addAt, d.addIP = who, d.level, d.from.IP
	}
	who, ok := decision.Known()
	if ok != (step != twinlatch.NeedFirstStep) {
		m.Fatalf("Known is %v", ok)
	}
	return who, ok
}

// renewed takes over a new token; the one before is dead (I19).
func (m *machine) renewed(d *driven, token twinlatch.Token) {
	if token.Reveal() == d.token.Reveal() {
		m.Fatal("the token is the same")
	}
	d.dead = append(d.dead, d.token)
	d.token = token
}

// someCode is a code of some app of somebody around now, or none at all.
func (m *machine) someCode(d *driven) string {
	var apps []twinlatchtest.App
	for _, f := range m.model.people {
		for _, app := range f.apps {
			apps = append(apps, app.app)
			if f == d.f { // likelier than others
				apps = append(apps, app.app, app.app, app.app)
			}
		}
	}
	if d.enrolling != nil {
		apps = append(apps, d.enrolling.app)
	}
	if len(apps) == 0 || rapid.IntRange(0, 5).Draw(m.T, "right code") == 0 {
		return "000000"
	}
	app := rapid.SampledFrom(apps).Draw(m.T, "app")
	around := rapid.SampledFrom([]time.Duration{0, 0, 0, -step, step, -2 * step, 2 * step}).Draw(m.T, "around")
	return app.Code(m.model.now.Add(around))
}

func (m *machine) answer(d *driven) {
	who, ok := m.known(d)
	if !ok {
		return
	}
	text := m.someCode(d)
	token, err := m.w.Answer(ctx, who, code(text), d.from)
	want := m.model.answer(d.f, d.seat, d.from.IP, text)
	m.same("an answer", err, want)
	switch {
	case want == nil:
		m.renewed(d, token)
	case errors.Is(want, twinlatch.ErrLimited): // the same for every code, and nothing happens (I28)
		for _, other := range []string{"000000", m.someCode(d)} {
			if _, again := m.w.Answer(ctx, who, code(other), d.from); again == nil || fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", err) {
				m.Fatalf("one throttled answer is told %+v, another %+v", err, again)
			}
		}
	}
}

func (m *machine) recover(d *driven) {
	if m.codes == 0 && d.f.codes == nil && rapid.IntRange(0, 9).Draw(m.T, "without codes") > 0 {
		return
	}
	who, ok := m.known(d)
	if !ok {
		return
	}
	codes := []string{"0000-0000-0000-0000"}
	for _, f := range m.model.people {
		n := 0
		for c := range sorted(f.codes) {
			if n++; n <= 3 {
				codes = append(codes, c)
			}
		}
	}
	text := rapid.SampledFrom(codes).Draw(m.T, "backup code")
	token, err := m.w.Recover(ctx, who, twinlatch.NewSecret(text), d.from)
	want := m.model.recover(d.f, d.seat, d.from.IP, text)
	m.same("a backup code", err, want)
	if want == nil {
		m.renewed(d, token)
	}
}

func (m *machine) ask(d *driven) {
	who, ok := m.known(d)
	if !ok {
		return
	}
	ch, err := m.w.Ask(ctx, who, "", d.from)
	want := m.model.ask(d.f, d.seat, d.from.IP)
	m.same("to ask", err, want)
	if want == nil && (ch.TriesLeft != d.asked.tries || !ch.ExpiresAt.Equal(d.asked.ends)) {
		m.Fatalf("the challenge has %d tries until %v, the model says %d until %v", ch.TriesLeft, ch.ExpiresAt, d.asked.tries, d.asked.ends)
	}
}

func (m *machine) wait(*driven) {
	m.pass(rapid.SampledFrom([]time.Duration{
		time.Millisecond, time.Second, step - time.Millisecond, step, step, time.Minute, 10*time.Minute - time.Millisecond, 10 * time.Minute,
		time.Hour, time.Hour, day, day, 30*day - time.Millisecond, 30 * day, 60 * day,
	}).Draw(m.T, "for"))
}

// pass lets time pass.
func (m *machine) pass(d time.Duration) {
	m.w.later(d)
	m.model.now = m.w.Now()
}

// guess gives wrong answers in a row.
func (m *machine) guess(d *driven) {
	for range rapid.IntRange(2, 7).Draw(m.T, "guesses") {
		if who, ok := m.known(d); ok {
			_, err := m.w.Answer(ctx, who, code("000000"), d.from)
			m.same("a guess", err, m.model.answer(d.f, d.seat, d.from.IP, "000000"))
		}
	}
}

func (m *machine) sweep(*driven) {
	m.same("to sweep", m.w.Sweep(ctx), nil)
	for _, f := range m.model.people {
		f.end(func(s *seat) bool { return !m.model.now.Before(s.ends) })
	}
}

// holds is what is true after every step, of both accounts: what was done to one
// is not seen in the other (I24).
func (m *machine) holds(t *rapid.T) {
	m.T = t
	for _, d := range m.all {
		if who, ok := m.known(d); ok {
			s := who.Session()
			for what, pair := range map[string][2]any{
				"the IPv4 slot": {s.V4, d.v4}, "the IPv6 slot": {s.V6, d.v6}, "recovered": {s.Recovered, d.recovered},
				"the end": {s.ExpiresAt, d.ends}, "the password": {s.PasswordAt, d.password},
			} {
				if pair[0] != pair[1] {
					m.Fatalf("%s of a session: %v, the model says %v", what, pair[0], pair[1])
				}
			}
		}
		for _, old := range d.dead[max(0, len(d.dead)-3):] {
			if decision, err := m.w.Check(ctx, old, d.from); err != nil || decision.Step != twinlatch.NeedFirstStep {
				m.Fatalf("a token of before is alive: %+v, %v", decision, err)
			}
		}
	}
	for i, f := range m.model.people {
		m.accountHolds(f, m.all[i].account.ID)
	}
}

func (m *machine) accountHolds(f *figure, id twinlatch.AccountID) {
	by := twinlatch.OnBehalf(id, "model", "")
	a, err := m.w.Account(ctx, id)
	m.same("the account", err, nil)
	if a.ResetAt.IsZero() == f.reset || a.DisabledAt.IsZero() == f.disabled {
		m.Fatalf("reset %v, disabled %v, the model says %v and %v", a.ResetAt, a.DisabledAt, f.reset, f.disabled)
	}
	if a.TwoStep != f.on() {
		m.Fatalf("two-step verification is %v, the model says %v", a.TwoStep, f.on())
	}
	factors, err := m.w.Factors(ctx, by)
	m.same("factors", err, nil)
	if len(factors) != len(f.apps) {
		m.Fatalf("%d factors, the model says %d", len(factors), len(f.apps))
	}
	for _, have := range factors {
		for _, want := range f.apps {
			if want.id == have.ID && want.newest != have.Counter {
				m.Fatalf("the newest step of a factor is %d, the model says %d", have.Counter, want.newest)
			}
		}
	}
	left := 0
	for _, used := range f.codes {
		if !used {
			left++
		}
	}
	codes, err := m.w.BackupCodes(ctx, by)
	m.same("backup codes", err, nil)
	if codes.Left != left || codes.Total != len(f.codes) || codes.Total > 0 && !f.on() {
		m.Fatalf("%d of %d backup codes, the model says %d of %d", codes.Left, codes.Total, left, len(f.codes))
	}
	m.same("the trail", m.w.VerifyEvents(ctx, id), nil)
	events, err := m.w.Events(ctx, by, 0, 4)
	m.same("events", err, nil)
	for i, e := range events {
		if at := len(f.events) - 1 - i; e.Seq != int64(at+1) || e.Type != f.events[at] {
			m.Fatalf("event %d is %s, the model has %d, the newest %v", e.Seq, e.Type, len(f.events), f.events[max(0, len(f.events)-4):])
		}
	}
	for name, t := range f.tries {
		if t.run > 100 || name == "totp/all" && t.today > 20 {
			m.Fatalf("%s: %+v", name, t)
		}
	}
}
