package twinlatch_test

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// The commands of the machine that need the right to change settings.

// passed is somebody who was let in: now, or at a request of before, which no
// longer counts. False: never.
func (m *machine) passed(d *driven, wants need) (who twinlatch.Passed, want error, ok bool) {
	if rapid.IntRange(0, 3).Draw(m.T, "as of before") > 0 {
		m.known(d)
	}
	ok = d.kept.Account().ID != "" && !d.f.disabled
	return d.kept, m.model.allowed(d.f, d.seat, d.keptAt, d.keptIP, wants), ok
}

// adds is somebody who was let in at least to add an app.
func (m *machine) adds(d *driven) (who twinlatch.Enrolling, want error, ok bool) {
	if rapid.IntRange(0, 3).Draw(m.T, "as of before") > 0 {
		m.known(d)
	}
	ok = d.adding.Account().ID != "" && !d.f.disabled
	return d.adding, m.model.allowed(d.f, d.seat, d.addAt, d.addIP, toAdd), ok
}

func (m *machine) begin(d *driven) {
	who, want, ok := m.adds(d)
	if !ok || len(d.f.apps) >= 19 {
		return
	}
	ch, err := m.w.BeginEnroll(ctx, who, totp.Kind, nil, d.from)
	m.same("to begin", err, want)
	if want != nil {
		return
	}
	d.enrolling = &question{id: ch.ID, app: twinlatchtest.Scan(m.w.t, ch.Prompt.QR), tries: 5, ends: m.model.now.Add(10 * time.Minute)}
}

// someQuestion is an enrollment of this session or of another.
func (m *machine) someQuestion(d *driven) *question {
	var all []*question
	for _, other := range m.all {
		if other.enrolling != nil {
			all = append(all, other.enrolling)
			if other == d {
				all = append(all, d.enrolling, d.enrolling, d.enrolling)
			}
		}
	}
	if len(all) == 0 {
		m.Skip("nothing is being enrolled")
	}
	return rapid.SampledFrom(all).Draw(m.T, "enrollment")
}

func (m *machine) confirm(d *driven, q *question, text string) {
	who, want, ok := m.adds(d)
	if !ok {
		return
	}
	f, token, err := m.w.FinishEnroll(ctx, who, q.id, code(text), d.from)
	switch {
	case !d.from.IP.IsValid():
		want = twinlatch.ErrUnknownAddress
	case want == nil:
		want = m.model.confirm(d.f, d.seat, d.from.IP, q, text)
	}
	m.same("to confirm", err, want)
	if want == nil {
		m.renewed(d, token)
		d.f.apps[len(d.f.apps)-1].id = f.ID
	}
}

func (m *machine) remove(d *driven) {
	who, want, ok := m.passed(d, toAlter)
	var apps []*seed
	for _, f := range m.model.people {
		apps = append(apps, f.apps...)
	}
	if !ok || len(apps) == 0 {
		return
	}
	app := rapid.SampledFrom(apps).Draw(m.T, "app")
	if want == nil && !slices.Contains(d.f.apps, app) { // of the other account, which is not touched
		want = twinlatch.ErrNotFound
	}
	m.same("to remove", m.w.RemoveFactor(ctx, who, app.id, d.from), want)
	if want == nil {
		d.f.remove(d.seat, app)
	}
}

func (m *machine) turnOff(d *driven) {
	who, want, ok := m.passed(d, toAlter)
	if !ok || rapid.IntRange(0, 2).Draw(m.T, "really") > 0 {
		return
	}
	if want == nil && !d.f.on() {
		want = twinlatch.ErrTwoStepOff
	}
	m.same("to turn off", m.w.TurnOff(ctx, who, d.from), want)
	if want == nil {
		d.f.remove(d.seat, slices.Clone(d.f.apps)...)
	}
}

func (m *machine) makeCodes(d *driven) {
	who, want, ok := m.passed(d, toAlter)
	if !ok || want == nil && d.f.on() && m.codes == 0 {
		return
	}
	if want == nil && !d.f.on() {
		want = twinlatch.ErrTwoStepOff
	}
	codes, err := m.w.NewBackupCodes(ctx, who, d.from)
	m.same("new codes", err, want)
	if want != nil {
		return
	}
	m.codes--
	d.f.codes = map[string]bool{}
	for _, c := range codes {
		d.f.codes[c.Reveal()] = false
	}
	d.f.forgive("backup")
	d.f.happened(twinlatch.EventBackupCodesMade)
}

func (m *machine) endOne(d *driven) {
	who, want, ok := m.passed(d, toLook)
	if !ok {
		return
	}
	other := rapid.SampledFrom(m.all).Draw(m.T, "which")
	if want == nil && (other.f != d.f || other.over) {
		want = twinlatch.ErrNotFound
	}
	m.same("to end one", m.w.EndSession(ctx, who, other.id, d.from), want)
	if want == nil {
		other.over = true
		d.f.happened(twinlatch.EventSessionEnded)
	}
}

func (m *machine) endOthers(d *driven) {
	who, want, ok := m.passed(d, toLook)
	if !ok {
		return
	}
	m.same("to end the others", m.w.EndOtherSessions(ctx, who, d.from), want)
	if want == nil {
		d.f.end(func(s *seat) bool { return s != d.seat })
		d.f.happened(twinlatch.EventOthersEnded)
	}
}

// signOut ends the session of a token, not that of a token of before.
func (m *machine) signOut(d *driven) {
	if len(d.dead) > 0 && rapid.Bool().Draw(m.T, "with a token of before") {
		m.same("to sign out", m.w.SignOut(ctx, d.dead[0], d.from), nil)
		return
	}
	m.same("to sign out", m.w.SignOut(ctx, d.token, d.from), nil)
	if !d.over {
		d.over = true
		d.f.happened(twinlatch.EventSignedOut)
	}
}

func (m *machine) confirmPassword(d *driven) {
	who, _, ok := m.adds(d)
	if !ok {
		return
	}
	right := rapid.IntRange(0, 3).Draw(m.T, "right password") > 0
	text := password
	if !right {
		text = "wrong"
	}
	token, err := m.w.ConfirmPassword(ctx, who, twinlatch.NewSecret(text), d.from)
	giveBack, spent := m.password(d.account, d.from.IP)
	step, _ := m.model.decide(d.f, d.seat, d.addIP)
	var want error
	switch {
	case !spent:
		want = twinlatch.ErrLimited
	case !right:
		want = twinlatch.ErrWrongPassword
	case step == twinlatch.NeedFirstStep || d.addAt != d.level:
		want = twinlatch.ErrNoSession
	case d.f.on():
		want = twinlatch.ErrNotFresh
	}
	if spent && right {
		giveBack()
	}
	m.same("to confirm the password", err, want)
	if want == nil {
		m.renewed(d, token)
		d.password = m.model.now
		d.level++
		d.f.happened(twinlatch.EventConfirmed)
	}
}

// member puts an account into the group of this run.
func (m *machine) member(f *figure, a twinlatch.Account, run int) {
	by := twinlatch.ByOperator("command", "a member")
	m.same("the group", m.w.SetGroups(ctx, by, a.ID, []string{fmt.Sprintf("group-%d", run)}, nowhere), nil)
	f.member = true
	f.happened(twinlatch.EventGroupsChanged)
}

// administer does what an operator may do to an account, or to all of the group.
func (m *machine) administer(d *driven) {
	by, f, id := twinlatch.ByOperator("command", "asked by phone"), d.f, d.account.ID
	all := func(*seat) bool { return true }
	switch act := rapid.SampledFrom([]string{"reset", "end", "disable", "enable", "enable", "require", "no longer"}).Draw(m.T, "act"); act {
	case "reset":
		var want error
		if !f.on() {
			want = twinlatch.ErrTwoStepOff
		}
		m.same("to reset", m.w.ResetTwoStep(ctx, by, id, d.from), want)
		if want == nil {
			f.remove(nil, slices.Clone(f.apps)...)
			f.reset = true
			f.happened(twinlatch.EventTwoStepReset)
		}
	case "end":
		m.same("to end all", m.w.EndSessions(ctx, by, id, d.from), nil)
		f.end(all)
		f.happened(twinlatch.EventSessionsEnded)
	case "disable":
		m.same("to disable", m.w.Disable(ctx, by, id, d.from), nil)
		if !f.disabled {
			f.end(all)
			f.disabled = true
			f.happened(twinlatch.EventAccountDisabled)
		}
	case "enable":
		m.same("to enable", m.w.Enable(ctx, by, id, d.from), nil)
		if f.disabled {
			f.disabled = false
			f.happened(twinlatch.EventAccountEnabled)
		}
	case "require":
		m.same("to require", m.w.Require(ctx, by, twinlatch.Requirement{Group: m.group, From: m.model.now}, d.from), nil)
		m.model.required = true
	case "no longer":
		var want error
		if !m.model.required {
			want = twinlatch.ErrNotFound
		}
		m.same("to require no longer", m.w.NoLongerRequire(ctx, by, m.group, d.from), want)
		m.model.required = false
	}
}

// sorted goes through a map in an order that is the same each time.
func sorted(codes map[string]bool) iter.Seq[string] {
	return slices.Values(slices.Sorted(maps.Keys(codes)))
}
