package twinlatch_test

import (
	"net/netip"
	"slices"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// model is the product in plain Go: no database, no concurrency, one policy. It
// says what each command does; machine_test.go compares the Service with it. It
// is written from the sentences of the papers and not from the code.
type model struct {
	now     time.Time
	budgets map[string]*budget // that accounts share
	people  []*figure

	required bool // that members of the group have an app
}

// budget is what a network or a login may spend in a window.
type budget struct {
	taken  int
	resets time.Time
}

// figure is a person.
type figure struct {
	apps   []*seed
	codes  map[string]bool // backup codes and whether they were used; nil: there are none
	seats  []*seat
	tries  map[string]tally
	homes  map[netip.Prefix]time.Time // networks known to the account
	events []twinlatch.EventType

	disabled bool
	reset    bool // by an administrator, and no app since
	member   bool // of the group that a requirement may be for
}

// seed is an enrolled app.
type seed struct {
	app     twinlatchtest.App
	id      twinlatch.FactorID
	newest  int64 // step that was accepted
	removed bool
}

// seat is a session.
type seat struct {
	created, password, ends time.Time
	v4, v6                  twinlatch.Slot
	recovered, over         bool
	level                   int // of the token: changes with each new one
	asked                   *question
	enrolling               *question
}

// question is a challenge that is open.
type question struct {
	id    twinlatch.ChallengeID
	app   twinlatchtest.App // enrolling
	tries int
	ends  time.Time
}

// tally counts wrong answers with one method.
type tally struct {
	run, today  int
	next, since time.Time
}

func (m *model) open(q *question) bool { return q != nil && q.tries > 0 && m.now.Before(q.ends) }

func (f *figure) on() bool { return len(f.apps) > 0 }

func (f *figure) happened(events ...twinlatch.EventType) { f.events = append(f.events, events...) }

// decide: what a request of a session from ip is told (I3, I4, I5, I33).
func (m *model) decide(f *figure, s *seat, ip netip.Addr) (twinlatch.Step, twinlatch.Reason) {
	ip = ip.Unmap()
	slot, here := s.v6, netip.PrefixFrom(s.v6.IP, 64).Masked().Contains(ip)
	if ip.Is4() {
		slot, here = s.v4, s.v4.IP == ip
	}
	switch {
	case s.over:
		return twinlatch.NeedFirstStep, ""
	case !m.now.Before(s.ends):
		return twinlatch.NeedFirstStep, twinlatch.ReasonExpired
	case !f.on() && (f.reset || f.member && m.required):
		return twinlatch.NeedFactor, twinlatch.ReasonRequired
	case !f.on():
		return twinlatch.Pass, ""
	case s.v4.At.IsZero() && s.v6.At.IsZero():
		return twinlatch.NeedSecondStep, twinlatch.ReasonNewSession
	case !ip.IsValid() || !here:
		return twinlatch.NeedSecondStep, twinlatch.ReasonIPChanged
	case m.now.Sub(slot.At) >= 30*day:
		return twinlatch.NeedSecondStep, twinlatch.ReasonCodeTooOld
	}
	return twinlatch.Pass, ""
}

// allowed: what somebody who passed when the token had a level may do now.
func (m *model) allowed(f *figure, s *seat, level int, ip netip.Addr, wants need) error {
	step, _ := m.decide(f, s, ip)
	proof := s.password
	if f.on() {
		if proof = s.v4.At; s.v6.At.After(proof) {
			proof = s.v6.At
		}
	}
	switch {
	case step == twinlatch.NeedFirstStep, level != s.level:
		return twinlatch.ErrNoSession
	case step == twinlatch.NeedSecondStep, step == twinlatch.NeedFactor && wants != toAdd:
		return twinlatch.ErrNotFresh
	case wants == toAlter && f.on() && s.recovered:
		return twinlatch.ErrRecovered
	case wants != toLook && m.now.Sub(proof) >= 10*time.Minute:
		return twinlatch.ErrNotFresh
	}
	return nil
}

// take spends from the budgets around ip, or from none.
func (m *model) take(of string, ip netip.Addr) (giveBack func(), ok bool) {
	ip = ip.Unmap()
	most := map[string]int{"unknown": 30}
	switch {
	case ip.Is4():
		most = map[string]int{ip.String(): 30}
	case ip.Is6():
		most = map[string]int{}
		for bits, n := range map[int]int{64: 60, 56: 120, 48: 240} {
			most[netip.PrefixFrom(ip, bits).Masked().String()] = n
		}
	}
	return m.spend(of, most, 10*time.Minute)
}

func (m *model) spend(of string, most map[string]int, window time.Duration) (giveBack func(), ok bool) {
	for scope, n := range most {
		if b := m.budgets[of+scope]; b != nil && m.now.Before(b.resets) && b.taken >= n {
			return nil, false
		}
	}
	for scope := range most {
		b := m.budgets[of+scope]
		if b == nil || !m.now.Before(b.resets) {
			b = &budget{resets: m.now.Add(window)}
			m.budgets[of+scope] = b
		}
		b.taken++
	}
	return func() {
		for scope := range most {
			if b := m.budgets[of+scope]; b.taken > 0 {
				b.taken--
			}
		}
	}, true
}

// after is the tally after one more answer; false: it has to wait.
func (m *model) after(t tally, free, daily, most int) (tally, bool) {
	if m.now.Before(t.next) || most > 0 && t.run >= most || daily > 0 && t.today >= daily && m.now.Sub(t.since) < day {
		return t, false
	}
	t.run++
	t.next = time.Time{}
	if free > 0 && t.run >= free {
		t.next = m.now.Add(min(30*time.Second<<min(t.run-free, 10), time.Hour))
	}
	if t.since.IsZero() || m.now.Sub(t.since) >= day {
		t.today, t.since = 0, m.now
	}
	t.today++
	return t, true
}

// count books an answer before it is judged: on the network, on the question and
// on the method. It books all or none.
func (m *model) count(f *figure, method string, ip netip.Addr, q *question) (giveBack func(), err error) {
	giveBack, ok := m.take("code", ip)
	if !ok {
		return nil, twinlatch.ErrLimited
	}
	if method != "" {
		class := method + "/unknown"
		if at, known := f.homes[network(ip)]; known && m.now.Sub(at) <= 90*day {
			class = method + "/known"
		}
		one, ok1 := m.after(f.tries[class], 5, 0, 0)
		all, ok2 := m.after(f.tries[method+"/all"], 0, 20, 100)
		if !ok1 || !ok2 {
			giveBack()
			return nil, twinlatch.ErrLimited
		}
		f.tries[class], f.tries[method+"/all"] = one, all
	}
	if q != nil {
		q.tries--
	}
	return giveBack, nil
}

func network(ip netip.Addr) netip.Prefix {
	bits := 64
	if ip = ip.Unmap(); ip.Is4() {
		bits = 32
	}
	return netip.PrefixFrom(ip, bits).Masked()
}

// verified: the second step was done.
func (m *model) verified(f *figure, s *seat, ip netip.Addr, method string, recovered bool) {
	ip = ip.Unmap()
	if ip.Is4() {
		s.v4 = twinlatch.Slot{IP: ip, At: m.now}
	} else {
		s.v6 = twinlatch.Slot{IP: ip, At: m.now}
	}
	s.recovered, s.asked, s.ends = recovered, nil, s.created.Add(90*day)
	s.level++
	f.homes[network(ip)] = m.now
	f.forgive(method)
}

func (f *figure) forgive(method string) {
	for _, name := range []string{"/known", "/unknown", "/all"} {
		delete(f.tries, method+name)
	}
}

// ask opens a question, if none is open.
func (m *model) ask(f *figure, s *seat, ip netip.Addr) error {
	_, why := m.decide(f, s, ip)
	if !f.on() {
		return twinlatch.ErrTwoStepOff
	}
	if m.open(s.asked) {
		return nil
	}
	news := s.asked == nil || !m.now.Before(s.asked.ends)
	s.asked = &question{tries: 5, ends: m.now.Add(10 * time.Minute)}
	if !news {
		return nil
	}
	if why == twinlatch.ReasonCodeTooOld || why == twinlatch.ReasonIPChanged {
		f.happened(twinlatch.EventAsked)
	}
	return nil
}

// steps are those around now for which an app shows a text, oldest first.
func (m *model) steps(app twinlatchtest.App, text string) (all []int64) {
	for _, around := range []time.Duration{-step, 0, step} {
		if at := m.now.Add(around); app.Code(at) == text {
			all = append(all, at.Unix()/30)
		}
	}
	return all
}

// answer: each step of each app once, and none before one that was accepted (I7).
func (m *model) answer(f *figure, s *seat, ip netip.Addr, text string) error {
	if !ip.IsValid() {
		return twinlatch.ErrUnknownAddress
	}
	if err := m.ask(f, s, ip); err != nil {
		return err
	}
	giveBack, err := m.count(f, "totp", ip, s.asked)
	if err != nil {
		return err
	}
	found := false
	for _, app := range f.apps {
		for _, step := range m.steps(app.app, text) {
			found = true
			if step > app.newest {
				app.newest = step
				m.verified(f, s, ip, "totp", false)
				f.happened(twinlatch.EventVerified)
				giveBack()
				return nil
			}
		}
	}
	if found {
		f.happened(twinlatch.EventReplayed)
		return twinlatch.ErrReplayed
	}
	f.happened(twinlatch.EventWrongCode)
	return twinlatch.ErrWrongCode
}

// recover: each backup code once (I9).
func (m *model) recover(f *figure, s *seat, ip netip.Addr, text string) error {
	if !ip.IsValid() {
		return twinlatch.ErrUnknownAddress
	}
	if !f.on() {
		return twinlatch.ErrTwoStepOff
	}
	giveBack, err := m.count(f, "backup", ip, nil)
	if err != nil {
		return err
	}
	if used, ours := f.codes[text]; !ours || used {
		f.happened(twinlatch.EventWrongBackup)
		return twinlatch.ErrWrongCode
	}
	f.codes[text] = true
	m.verified(f, s, ip, "backup", true)
	f.happened(twinlatch.EventRecovered)
	giveBack()
	return nil
}

// confirm ends an enrollment of its own session (I17).
func (m *model) confirm(f *figure, s *seat, ip netip.Addr, q *question, text string) error {
	if !m.open(q) || s.enrolling != q {
		return twinlatch.ErrExpired
	}
	giveBack, err := m.count(f, "", ip, q)
	if err != nil {
		return err
	}
	steps := m.steps(q.app, text)
	if len(steps) == 0 {
		return twinlatch.ErrWrongCode
	}
	f.apps = append(f.apps, &seed{app: q.app, newest: steps[len(steps)-1]})
	s.enrolling, f.reset = nil, false
	if len(f.apps) == 1 {
		f.homes = map[netip.Prefix]time.Time{} // where the password was enough
	}
	m.verified(f, s, ip, "totp", false)
	f.happened(twinlatch.EventFactorAdded)
	if len(f.apps) == 1 {
		f.happened(twinlatch.EventTwoStepOn)
	}
	giveBack()
	return nil
}

// remove takes apps away; the last one turns two-step verification off (I1, I12,
// I14). All other sessions end.
func (f *figure) remove(s *seat, apps ...*seed) {
	for _, app := range apps {
		f.apps = slices.DeleteFunc(f.apps, func(a *seed) bool { return a == app })
		app.removed = true
		f.happened(twinlatch.EventFactorRemoved)
	}
	f.end(func(other *seat) bool { return other != s })
	if f.on() {
		return
	}
	f.codes, f.tries = nil, map[string]tally{}
	if s == nil { // by an administrator
		return
	}
	s.v4, s.v6, s.recovered, s.asked = twinlatch.Slot{}, twinlatch.Slot{}, false, nil
	f.happened(twinlatch.EventTwoStepOff)
}

// end ends sessions, for good (I21).
func (f *figure) end(which func(*seat) bool) {
	for _, s := range f.seats {
		s.over = s.over || which(s)
	}
}
