package twinlatch_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// enrollsAsRequired adds an app in a session that may do nothing else.
func (b *browser) enrollsAsRequired() {
	b.t.Helper()
	who, ok := b.check().Enrolling()
	if !ok {
		b.t.Fatal("may not enroll")
	}
	ch, err := b.BeginEnroll(ctx, who, totp.Kind, nil, b.from)
	b.ok(err)
	_, err = b.Enrollment(ctx, who, ch.ID)
	b.ok(err)
	b.app = device{App: twinlatchtest.Scan(b.t, ch.Prompt.QR)}
	_, token, err := b.FinishEnroll(ctx, who, ch.ID, code(b.code()), b.from)
	b.ok(b.keep(token, err))
}

// Who has to have a factor, and from when on.
func TestWhenAFactorIsRequired(t *testing.T) {
	t.Parallel()
	const week = 7 * day
	for name, c := range map[string]struct {
		groups []string
		reqs   []twinlatch.Requirement // From is after the start of the test
		want   time.Duration           // after the start; negative: never
	}{
		"not":                      {nil, nil, -1},
		"everybody, now":           {nil, []twinlatch.Requirement{{}}, 0},
		"everybody, in a week":     {nil, []twinlatch.Requirement{{From: start(week)}}, week},
		"a group, theirs":          {[]string{"a", "staff"}, []twinlatch.Requirement{{Group: "staff", From: start(day)}}, day},
		"a group, another":         {[]string{"staff-2", "astaff"}, []twinlatch.Requirement{{Group: "staff", From: start(day)}}, -1},
		"a new account has time":   {nil, []twinlatch.Requirement{{From: start(day), Grace: week}}, week},
		"a date after that time":   {nil, []twinlatch.Requirement{{From: start(2 * week), Grace: week}}, 2 * week},
		"the earliest of two":      {[]string{"staff"}, []twinlatch.Requirement{{From: start(week)}, {Group: "staff", From: start(day)}}, day},
		"the other way round, too": {[]string{"staff"}, []twinlatch.Requirement{{From: start(day)}, {Group: "staff", From: start(week)}}, day},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ann := w.person("ann@example.com")
			w.ok(w.SetGroups(ctx, command, ann.account.ID, c.groups, home))
			for _, r := range c.reqs {
				if r.From.IsZero() {
					r.From = w.Now()
				}
				w.ok(w.Require(ctx, command, r, home))
			}
			due := w.found("ann@example.com").account.EnrollFrom
			if c.want < 0 {
				equal(t, "due", due, time.Time{})
				return
			}
			equal(t, "due", due, start(c.want))
			b := ann.signIn(home)
			if c.want > 0 {
				w.later(c.want - time.Millisecond)
				b.meets(twinlatch.Pass, "")
				w.later(time.Millisecond)
			}
			b.meets(twinlatch.NeedFactor, twinlatch.ReasonRequired) // also in a session that lives
		})
	}
}

func start(after time.Duration) time.Time { return twinlatchtest.Start().Add(after) }

// Who has to enroll may do that and nothing else, with a fresh password.
func TestRequiredMeansFirst(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.person("ann@example.com")
		b := ann.signIn(home)
		before := b.passed()
		w.ok(w.Require(ctx, command, twinlatch.Requirement{From: w.Now()}, home))
		b.meets(twinlatch.NeedFactor, twinlatch.ReasonRequired)
		if _, ok := b.check().Passed(); ok {
			t.Fatal("passes")
		}
		who, _ := b.check().Enrolling()
		w.unchanged("anything else", func() {
			for name, by := range map[string]twinlatch.Authority{"as it was": before, "as it is": who} {
				for act, err := range map[string]error{
					"SetName":          w.SetName(ctx, by, "Eve", home),
					"SetLocale":        w.SetLocale(ctx, by, "cs"),
					"EndOtherSessions": w.EndOtherSessions(ctx, by, home),
				} {
					if !errors.Is(err, twinlatch.ErrNotFresh) {
						t.Errorf("%s, %s: %v", act, name, err)
					}
				}
				if _, err := w.Events(ctx, by, 0, 1); !errors.Is(err, twinlatch.ErrNotFresh) {
					t.Errorf("Events, %s: %v", name, err)
				}
				if _, err := w.Sessions(ctx, by); !errors.Is(err, twinlatch.ErrNotFresh) {
					t.Errorf("Sessions, %s: %v", name, err)
				}
			}
		})
		w.later(10 * time.Minute)
		refused(t, b.beginsToEnroll(), twinlatch.ErrNotFresh)
		who, _ = b.check().Enrolling()
		b.ok(b.keep(b.ConfirmPassword(ctx, who, twinlatch.NewSecret(password), home)))
		b.meets(twinlatch.NeedFactor, twinlatch.ReasonRequired)
		b.enrollsAsRequired()
		b.meets(twinlatch.Pass, "")

		// Without a factor they are where they were.
		b.ok(b.TurnOff(ctx, b.passed(), home))
		b.meets(twinlatch.NeedFactor, twinlatch.ReasonRequired)
		w.ok(w.NoLongerRequire(ctx, command, "", home))
		b.meets(twinlatch.Pass, "")
		refused(t, w.NoLongerRequire(ctx, command, "", home), twinlatch.ErrNotFound)
	})
}

func TestRequirements(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		for _, r := range []twinlatch.Requirement{
			{Group: "staff", From: w.Now(), Grace: time.Hour}, {From: w.Now().Add(day)}, {Group: "a", From: w.Now()}, {Group: "staff", From: w.Now(), Grace: 2 * time.Hour},
		} {
			w.ok(w.Require(ctx, command, r, home))
		}
		all, err := w.Requirements(ctx, command)
		w.ok(err)
		equal(t, "requirements", all, []twinlatch.Requirement{
			{From: w.Now().Add(day)}, {Group: "a", From: w.Now()}, {Group: "staff", From: w.Now(), Grace: 2 * time.Hour},
		})
		for field, r := range map[string]twinlatch.Requirement{
			"group": {Group: "A", From: w.Now()}, "grace": {From: w.Now(), Grace: -1}, "from": {},
		} {
			bad := new(twinlatch.FieldError)
			if err := w.Require(ctx, command, r, home); !errors.As(err, &bad) || bad.Field != field {
				t.Errorf("%+v: %v", r, err)
			}
		}
		bad := new(twinlatch.FieldError)
		if err := w.Require(ctx, command, twinlatch.Requirement{From: w.Now(), Grace: twinlatch.MaxGrace + 1}, home); !errors.As(err, &bad) {
			t.Error(err)
		}
	})
}
