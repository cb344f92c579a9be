package twinlatch_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// administrator is a protected person in the group of administrators.
func (w *world) administrator(login string) *browser {
	w.t.Helper()
	b := w.protected(login)
	w.ok(w.SetGroups(ctx, twinlatch.ByOperator("command", "the first one"), b.account.ID, []string{twinlatch.AdminGroup}, nowhere))
	b.ok(b.answer(b.newCode()))
	return b
}

// as is the right of the browser's person over others.
func (b *browser) as(reason string) twinlatch.Administrator {
	return twinlatch.ByAdministrator(b.passed(), reason)
}

var command = twinlatch.ByOperator("command", "asked by phone")

// administering is one thing that an Administrator does to an account.
type administering struct {
	name  string
	event twinlatch.EventType
	do    func(w *world, by twinlatch.Administrator, id twinlatch.AccountID) error
	all   bool // to no single account
	looks bool
}

func administerings() []administering {
	errorOf := func(_ any, err error) error { return err }
	return []administering{
		{name: "Accounts", looks: true, do: func(w *world, by twinlatch.Administrator, _ twinlatch.AccountID) error {
			_, _, err := w.Accounts(ctx, by, twinlatch.AccountQuery{Limit: 10})
			return err
		}},
		{name: "AccountFile", looks: true, do: func(w *world, by twinlatch.Administrator, id twinlatch.AccountID) error {
			return errorOf(w.AccountFile(ctx, by, id))
		}},
		{name: "AccountEvents", looks: true, do: func(w *world, by twinlatch.Administrator, id twinlatch.AccountID) error {
			return errorOf(w.AccountEvents(ctx, by, id, 0, 10))
		}},
		{name: "MayReadTrail", looks: true, do: func(w *world, by twinlatch.Administrator, _ twinlatch.AccountID) error {
			return w.MayReadTrail(ctx, by)
		}},
		{name: "RecentEvents", looks: true, do: func(w *world, by twinlatch.Administrator, _ twinlatch.AccountID) error {
			return errorOf(w.RecentEvents(ctx, by, twinlatch.Position{}, 10))
		}},
		{name: "Adoption", looks: true, do: func(w *world, by twinlatch.Administrator, _ twinlatch.AccountID) error {
			return errorOf(w.Adoption(ctx, by))
		}},
		{name: "Backlog", looks: true, do: func(w *world, by twinlatch.Administrator, _ twinlatch.AccountID) error {
			return errorOf(w.Backlog(ctx, by))
		}},
		{name: "Requirements", looks: true, do: func(w *world, by twinlatch.Administrator, _ twinlatch.AccountID) error {
			return errorOf(w.Requirements(ctx, by))
		}},
		{name: "EndSessions", event: twinlatch.EventSessionsEnded, do: func(w *world, by twinlatch.Administrator, id twinlatch.AccountID) error {
			return w.EndSessions(ctx, by, id, home)
		}},
		{name: "SetGroups", event: twinlatch.EventGroupsChanged, do: func(w *world, by twinlatch.Administrator, id twinlatch.AccountID) error {
			return w.SetGroups(ctx, by, id, []string{"staff", "a-team"}, home)
		}},
		{name: "ResetTwoStep", event: twinlatch.EventTwoStepReset, do: func(w *world, by twinlatch.Administrator, id twinlatch.AccountID) error {
			return w.ResetTwoStep(ctx, by, id, home)
		}},
		{name: "Disable", event: twinlatch.EventAccountDisabled, do: func(w *world, by twinlatch.Administrator, id twinlatch.AccountID) error {
			return w.Disable(ctx, by, id, home)
		}},
		{name: "Enable", event: twinlatch.EventAccountEnabled, do: func(w *world, by twinlatch.Administrator, id twinlatch.AccountID) error {
			return w.Enable(ctx, by, id, home)
		}},
		{name: "Delete", event: twinlatch.EventAccountDeleted, do: func(w *world, by twinlatch.Administrator, id twinlatch.AccountID) error {
			return w.Delete(ctx, by, id, home)
		}},
		{name: "Require", event: twinlatch.EventRequired, all: true, do: func(w *world, by twinlatch.Administrator, _ twinlatch.AccountID) error {
			return w.Require(ctx, by, twinlatch.Requirement{Group: "staff", From: w.Now()}, home)
		}},
		{name: "NoLongerRequire", event: twinlatch.EventNotRequired, all: true, do: func(w *world, by twinlatch.Administrator, _ twinlatch.AccountID) error {
			return w.NoLongerRequire(ctx, by, "staff", home)
		}},
	}
}

func TestEveryAdministeringIsListed(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{"NewAccountBy": true} // by operators only, see there
	for _, a := range administerings() {
		listed[a.name] = true
	}
	for m := range reflect.TypeFor[*twinlatch.Service]().Methods() {
		for i := range m.Type.NumIn() {
			if m.Type.In(i) == reflect.TypeFor[twinlatch.Administrator]() && !listed[m.Name] {
				t.Errorf("%s takes an Administrator and is not in these tests", m.Name)
			}
		}
	}
}

// Only an administrator with a fresh second step, and no backup code, acts; looking
// needs no fresh one.
func TestWhoMayAdminister(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	for name, c := range map[string]struct {
		before func(w *world, eve *browser)
		acts   error
		looks  error
	}{
		"fresh":            {func(*world, *browser) {}, nil, nil},
		"ten minutes old":  {func(_ *world, eve *browser) { eve.later(10 * time.Minute) }, twinlatch.ErrNotFresh, nil},
		"thirty days old":  {func(_ *world, eve *browser) { eve.later(30 * day) }, twinlatch.ErrNotFresh, twinlatch.ErrNotFresh},
		"no administrator": {func(w *world, _ *browser) { w.exec("UPDATE accounts SET member_of = 'staff'") }, twinlatch.ErrForbidden, twinlatch.ErrForbidden},
		"of another realm": {func(w *world, _ *browser) {
			w.exec("UPDATE accounts SET realm = 'shop' WHERE login = 'eve@example.com'")
		}, twinlatch.ErrForbidden, twinlatch.ErrForbidden},
		"two-step verification off": {func(w *world, eve *browser) {
			eve.ok(eve.TurnOff(ctx, eve.passed(), home))
			eve.token = eve.signIn(home).token
		}, twinlatch.ErrTwoStepOff, twinlatch.ErrTwoStepOff},
		"a backup code": {func(_ *world, eve *browser) { eve.ok(eve.recover(eve.backupCodes()[0])) }, twinlatch.ErrRecovered, twinlatch.ErrRecovered},
		"disabled":      {func(w *world, eve *browser) { w.ok(w.Disable(ctx, command, eve.account.ID, home)) }, twinlatch.ErrNoSession, twinlatch.ErrNoSession},
		"deleted":       {func(w *world, eve *browser) { w.ok(w.Delete(ctx, command, eve.account.ID, home)) }, twinlatch.ErrNoSession, twinlatch.ErrNoSession},
		"signed out":    {func(w *world, eve *browser) { w.ok(w.SignOut(ctx, eve.token, home)) }, twinlatch.ErrNoSession, twinlatch.ErrNoSession},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mailed(&postman{name: post.name}))
			ann, eve := w.protected("ann@example.com"), w.administrator("eve@example.com")
			who := eve.passed() // of before
			c.before(w, eve)
			if name == "two-step verification off" || name == "a backup code" {
				who = eve.passed()
			}
			for _, a := range administerings() {
				want := c.acts
				if a.looks {
					want = c.looks
				}
				by := twinlatch.ByAdministrator(who, "lost phone")
				if want == nil {
					if err := a.do(w, by, ann.account.ID); err != nil {
						t.Errorf("%s: %v", a.name, err)
					}
					continue
				}
				w.unchanged(a.name, func() {
					if err := a.do(w, by, ann.account.ID); !errors.Is(err, want) {
						t.Errorf("%s: %v, want %v", a.name, err, want)
					}
				})
			}
			_, err := w.NewAccountBy(ctx, twinlatch.ByAdministrator(who, "new"), twinlatch.NewAccount{Login: "new@example.com"})
			refused(t, err, twinlatch.ErrForbidden)
		})
	}
}

func TestNobodyAdministers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.protected("ann@example.com")
	for name, by := range map[string]twinlatch.Administrator{
		"zero": {}, "the zero Passed": twinlatch.ByAdministrator(twinlatch.Passed{}, "lost phone"),
	} {
		w.unchanged(name, func() {
			for _, a := range administerings() {
				if err := a.do(w, by, ann.account.ID); err == nil {
					t.Errorf("%s, %s: let in", name, a.name)
				}
			}
			if _, err := w.NewAccountBy(ctx, by, twinlatch.NewAccount{Login: "new@example.com"}); !errors.Is(err, twinlatch.ErrForbidden) {
				t.Error(err)
			}
		})
	}
}

// Each act is written down with who did it and why, in a trail that holds, and
// needs a reason.
func TestActsAreWrittenDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	eve := w.administrator("eve@example.com")
	for _, a := range administerings() {
		if a.looks {
			continue
		}
		ann := w.protected(strings.ToLower(a.name) + "@example.com")
		eve.ok(eve.answer(eve.newCode()))
		switch a.name {
		case "Enable":
			w.ok(w.Disable(ctx, command, ann.account.ID, home))
		case "NoLongerRequire":
			w.ok(w.Require(ctx, command, twinlatch.Requirement{Group: "staff", From: w.Now()}, home))
		}
		for _, reason := range []string{"", "  ", strings.Repeat("x", 201), "a\nb"} {
			w.unchanged(a.name, func() {
				field := new(twinlatch.FieldError)
				if err := a.do(w, eve.as(reason), ann.account.ID); !errors.As(err, &field) || field.Field != "reason" {
					t.Errorf("%s, reason %q: %v", a.name, reason, err)
				}
			})
		}
		w.ok(a.do(w, eve.as(" checked by video call "), ann.account.ID))
		who := ann.person
		if a.all {
			system, err := w.FindAccount(ctx, twinlatch.RealmSystem, twinlatch.RealmSystem)
			w.ok(err)
			who = &person{world: w, account: system}
		}
		trail := who.trail()
		last := trail[len(trail)-1]
		equal(t, a.name, last.Type, a.event)
		equal(t, "who", last.Actor, "admin:"+string(eve.account.ID))
		equal(t, "why", last.Detail.More["why"], "checked by video call")
	}
	equal(t, "problems", w.holds().Accounts > 8, true)
}

// No administrator acts on themselves, makes another one, or takes the right away.
func TestNobodyRaisesThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	eve, ann, other := w.administrator("eve@example.com"), w.protected("ann@example.com"), w.administrator("other@example.com")
	eve.ok(eve.answer(eve.newCode()))
	w.unchanged("acts on oneself", func() {
		for _, a := range administerings() {
			if a.looks || a.all {
				continue
			}
			refused(t, a.do(w, eve.as("because"), eve.account.ID), twinlatch.ErrForbidden)
		}
	})
	w.unchanged("the group", func() {
		refused(t, w.SetGroups(ctx, eve.as("because"), ann.account.ID, []string{"admin", "staff"}, home), twinlatch.ErrForbidden)
		refused(t, w.SetGroups(ctx, eve.as("because"), other.account.ID, nil, home), twinlatch.ErrForbidden)
	})
	w.ok(w.SetGroups(ctx, eve.as("because"), other.account.ID, []string{"staff", "admin", "staff"}, home))
	file, err := w.AccountFile(ctx, eve.as(""), other.account.ID)
	w.ok(err)
	equal(t, "groups", file.Groups, []string{"admin", "staff"})
	for _, bad := range []string{"", "Staff", "a b", "-a", "a-", "ä", strings.Repeat("x", 41)} {
		field := new(twinlatch.FieldError)
		if err := w.SetGroups(ctx, command, ann.account.ID, []string{bad}, home); !errors.As(err, &field) || field.Field != "group" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestActsOnAccountsThatAreNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone := w.protected("gone@example.com")
	w.ok(w.Delete(ctx, command, gone.account.ID, home))
	w.ok(w.Require(ctx, command, twinlatch.Requirement{From: w.Now()}, home))
	system, err := w.FindAccount(ctx, twinlatch.RealmSystem, twinlatch.RealmSystem)
	w.ok(err)
	for name, id := range map[string]twinlatch.AccountID{
		"empty": "", "no id": "x", "unknown": "aaaaaaaaaaaaaaaaaaaaaaaaaa", "deleted": gone.account.ID, "of the system": system.ID,
	} {
		w.unchanged(name, func() {
			for _, a := range administerings() {
				if a.all || a.looks && a.name != "AccountFile" {
					continue
				}
				if err := a.do(w, command, id); !errors.Is(err, twinlatch.ErrNotFound) {
					t.Errorf("%s, %s: %v", a.name, name, err)
				}
			}
		})
	}
}

// After a reset the owner is told, and needs a new factor before anything else.
func TestResetByAnAdministrator(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		post := w.Config.Sending.Senders[0].(*postman)
		ann := w.protected("ann@example.com")
		codes := ann.backupCodes()
		half := ann.signIn(cafe)
		eve := w.administrator("eve@example.com")
		w.ok(w.ResetTwoStep(ctx, eve.as("lost phone"), ann.account.ID, cafe))
		ann.meets(twinlatch.NeedFirstStep, "")
		half.meets(twinlatch.NeedFirstStep, "")
		equal(t, "letters", len(w.links(post, "ann@example.com", twinlatch.EventTwoStepReset)), 1)
		refused(t, w.ResetTwoStep(ctx, eve.as("again"), ann.account.ID, cafe), twinlatch.ErrTwoStepOff)

		b := ann.signIn(home)
		b.meets(twinlatch.NeedFactor, twinlatch.ReasonRequired)
		refused(t, b.recover(codes[0]), twinlatch.ErrTwoStepOff)
		_, err := b.Ask(ctx, b.known(), "", home)
		refused(t, err, twinlatch.ErrTwoStepOff)
		b.enrollsAsRequired()
		b.meets(twinlatch.Pass, "")
		equal(t, "reset", b.passed().Account().ResetAt, time.Time{})
		b.ok(b.TurnOff(ctx, b.passed(), home)) // it was asked for once
		b.meets(twinlatch.Pass, "")
	}, func(c *twinlatch.Config) { mailed(&postman{name: "post"})(c) })
}

func TestDisableAndEnable(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	ann := w.protected("ann@example.com")
	ann.ok(ann.forgot(home))
	link := ann.mail(post, twinlatch.EventResetAsked)
	w.ok(w.Disable(ctx, command, ann.account.ID, home))
	ann.meets(twinlatch.NeedFirstStep, "")
	ann.signsInWith(t, password, twinlatch.ErrWrongPassword)
	w.unchanged("disabled again", func() { w.ok(w.Disable(ctx, command, ann.account.ID, home)) }, "events", "sessions")
	w.ok(w.Enable(ctx, command, ann.account.ID, home))
	ann.meets(twinlatch.NeedFirstStep, "") // what has ended stays so
	refused(t, w.CheckTicket(ctx, link, twinlatch.TicketReset), twinlatch.ErrExpired)
	ann.signsInWith(t, password, nil)
	w.unchanged("enabled again", func() { w.ok(w.Enable(ctx, command, ann.account.ID, home)) }, "events", "sessions")
}

// Of a deleted account the events stay, and nothing that tells about the person.
func TestDeleteAnAccount(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		post := w.Config.Sending.Senders[0].(*postman)
		ann := w.protected("ann.novak@example.com")
		ann.ok(ann.SetName(ctx, ann.passed(), "Ann Novak", at("203.0.113.77")))
		ann.ok(ann.SetLocale(ctx, ann.passed(), "cs"))
		ann.backupCodes()
		ann.signIn(at("203.0.113.77"))
		ann.ok(ann.forgot(home))
		ann.mail(post, twinlatch.EventResetAsked)
		w.ok(w.Checkpoint(ctx))
		events := len(ann.trail())
		eve := w.administrator("eve@example.com")
		w.ok(w.Delete(ctx, eve.as("asked for it"), ann.account.ID, home))

		ann.meets(twinlatch.NeedFirstStep, "")
		all := strings.ReplaceAll(w.rows(), "scope=ip:203.0.113.77/32", "") // an address that somebody used today
		for _, personal := range []string{"novak", "Novak", "203.0.113.77", fmt.Sprintf("%x", "novak")} {
			if strings.Contains(all, personal) {
				t.Errorf("%q is still there", personal)
			}
		}
		equal(t, "events", len(ann.trail()), events+2)
		w.ok(w.Checkpoint(ctx))
		w.holds()
		for _, e := range ann.trail()[:events+1] {
			if e.Detail.IP.IsValid() || e.Detail.UserAgent != "" || e.Detail.More != nil {
				t.Errorf("%s tells %+v", e.Type, e.Detail)
			}
		}
		for table, rows := range w.ofAccount(ann.account.ID) {
			if rows > 0 && table != "events" {
				t.Errorf("%d rows in %s", rows, table)
			}
		}
		again := w.person("ann.novak@example.com") // the address is free
		again.signIn(home).meets(twinlatch.Pass, "")
	}, func(c *twinlatch.Config) { mailed(&postman{name: "post"})(c) })
}

// ofAccount counts the rows of an account in every table that has an account_id.
func (w *world) ofAccount(id twinlatch.AccountID) map[string]int {
	w.t.Helper()
	query := `SELECT m.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table' AND c.name = 'account_id'`
	if !strings.HasPrefix(w.url, "sqlite:") {
		query = `SELECT table_name FROM information_schema.columns WHERE column_name = 'account_id' AND table_schema = current_schema()`
	}
	rows, err := w.database().Query(query)
	w.ok(err)
	defer rows.Close()
	counts := map[string]int{}
	for rows.Next() {
		var table string
		w.ok(rows.Scan(&table))
		counts[table] = 0
	}
	w.ok(rows.Err())
	if len(counts) < 10 {
		w.t.Fatalf("tables of accounts: %v", counts)
	}
	for table := range counts {
		var n int
		w.ok(w.database().QueryRow(`SELECT COUNT(*) FROM `+table+` WHERE account_id = $1`, string(id)).Scan(&n))
		counts[table] = n
	}
	return counts
}

func TestOperatorsMakeAccounts(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	a, err := w.NewAccountBy(ctx, command, twinlatch.NewAccount{
		Login: "Eve@example.com", Password: twinlatch.NewSecret(password), Groups: []string{"staff", "admin"}, Confirmed: true,
	})
	w.ok(err)
	eve := w.found("eve@example.com")
	equal(t, "account", eve.account.ID, a.ID)
	equal(t, "groups", eve.account.Groups, []string{"admin", "staff"})
	eve.app = eve.signIn(home).enroll("")
	equal(t, "who", eve.trail()[0].Actor, "command")

	_, err = w.NewAccountBy(ctx, command, twinlatch.NewAccount{Login: "bob@example.com", Confirmed: true})
	w.ok(err)
	bob := w.found("bob@example.com")
	refused(t, w.ResetPassword(ctx, bob.mail(post, twinlatch.EventResetAsked), twinlatch.NewSecret(newPassword), home), nil)
	bob.signsInWith(t, newPassword, nil)

	for _, bad := range []twinlatch.NewAccount{
		{Login: "x@example.com", Password: twinlatch.NewSecret("short")}, {Login: ""}, {Login: "x@example.com", Groups: []string{"A"}},
	} {
		field := new(twinlatch.FieldError)
		if _, err := w.NewAccountBy(ctx, command, bad); !errors.As(err, &field) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	_, err = w.NewAccountBy(ctx, command, twinlatch.NewAccount{Login: "bob@example.com"})
	refused(t, err, twinlatch.ErrExists)
}

func TestLists(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		w.ok(ann.SetName(ctx, ann.passed(), "Ánna 100%_Real", home))
		w.person("bob@example.com")
		w.person("carl@example.com")
		dora := w.person("dora@example.com")
		w.ok(w.SetGroups(ctx, command, dora.account.ID, []string{"staff"}, home))
		w.ok(w.SetGroups(ctx, command, ann.account.ID, []string{"staff-of-old", "x"}, home))
		w.ok(w.Require(ctx, command, twinlatch.Requirement{Group: "staff", From: w.Now()}, home))
		off := w.person("off@example.com")
		w.ok(w.Disable(ctx, command, off.account.ID, home))
		gone := w.person("gone@example.com")
		w.ok(w.Delete(ctx, command, gone.account.ID, home))
		_, err := w.CreateAccount(ctx, twinlatch.NewAccount{Realm: "shop", Login: "u1"}, home)
		w.ok(err)

		for _, c := range []struct {
			q    twinlatch.AccountQuery
			want string
		}{
			{twinlatch.AccountQuery{}, "ann bob carl dora off"},
			{twinlatch.AccountQuery{Find: "ÁNNA"}, "ann"},
			{twinlatch.AccountQuery{Find: "%_r"}, "ann"},
			{twinlatch.AccountQuery{Find: "_"}, "ann"},
			{twinlatch.AccountQuery{Find: `\`}, ""},
			{twinlatch.AccountQuery{Find: " R@example "}, ""},
			{twinlatch.AccountQuery{Find: "ann\x00"}, ""},
			{twinlatch.AccountQuery{Find: "ann\xff"}, ""},
			{twinlatch.AccountQuery{Group: "%"}, ""},
			{twinlatch.AccountQuery{Group: "x\x00"}, ""},
			{twinlatch.AccountQuery{Find: "b@EXAMPLE"}, "bob"},
			{twinlatch.AccountQuery{State: twinlatch.StateOn}, "ann"},
			{twinlatch.AccountQuery{State: twinlatch.StateOff}, "bob carl"},
			{twinlatch.AccountQuery{State: twinlatch.StateRequired}, "dora"},
			{twinlatch.AccountQuery{State: twinlatch.StateDisabled}, "off"},
			{twinlatch.AccountQuery{State: "none"}, ""},
			{twinlatch.AccountQuery{Group: "staff"}, "dora"},
			{twinlatch.AccountQuery{Group: "x"}, "ann"},
			{twinlatch.AccountQuery{Offset: 1, Limit: 2}, "bob carl"},
			{twinlatch.AccountQuery{Offset: 5}, ""},
		} {
			if c.q.Limit == 0 {
				c.q.Limit = 100
			}
			all, counts, err := w.Accounts(ctx, command, c.q)
			w.ok(err)
			var names []string
			for _, a := range all {
				name, _, _ := strings.Cut(a.Login, "@")
				names = append(names, name)
				if c.q.State != "" && a.StateOf(w.Now()) != c.q.State {
					t.Errorf("%+v: %s is %s", c.q, name, a.StateOf(w.Now()))
				}
			}
			equal(t, fmt.Sprintf("%+v", c.q), strings.Join(names, " "), c.want)
			if c.q.Find == "" && c.q.Group == "" {
				equal(t, "counts", counts, twinlatch.AccountCounts{On: 1, Off: 2, Required: 1, Disabled: 1})
				equal(t, "all", counts.All(), 5)
			}
		}
		for range 6 {
			_ = ann.answer(ann.wrongCode())
		}
		all, _, err := w.Accounts(ctx, command, twinlatch.AccountQuery{Find: "ann", Limit: 1})
		w.ok(err)
		equal(t, "kinds", all[0].Kinds, []twinlatch.Kind{"totp"})
		if !all[0].PausedUntil.After(w.Now()) {
			t.Errorf("paused until %v", all[0].PausedUntil)
		}
		b := w.found("bob@example.com").signIn(home)
		all, _, err = w.Accounts(ctx, command, twinlatch.AccountQuery{Find: "bob", Limit: 1})
		w.ok(err)
		equal(t, "last sign-in", all[0].SignedInAt, b.session().CreatedAt)
	})
}

// The picture counts what was when, also of accounts that are gone.
func TestAdoption(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		w.person("bob@example.com")
		w.later(day)
		eve := w.protected("eve@example.com")
		_, err := w.CreateAccount(ctx, twinlatch.NewAccount{Realm: "shop", Login: "u1"}, home)
		w.ok(err)
		w.later(3 * day)
		w.ok(w.ResetTwoStep(ctx, command, ann.account.ID, home))
		w.later(day)
		w.ok(w.Delete(ctx, command, eve.account.ID, home))
		days, err := w.Adoption(ctx, command)
		w.ok(err)
		start := ann.account.CreatedAt.Truncate(day)
		equal(t, "days", days, []twinlatch.AdoptionDay{
			{Day: start, Accounts: 2, On: 1}, {Day: start.Add(day), Accounts: 3, On: 2},
			{Day: start.Add(4 * day), Accounts: 3, On: 1}, {Day: start.Add(5 * day), Accounts: 2, On: 0},
		})
	})
}

func TestBacklog(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		post := w.Config.Sending.Senders[0].(*postman)
		ann := w.protected("ann@example.com")
		w.deliverAll()
		none, err := w.Backlog(ctx, command)
		w.ok(err)
		equal(t, "backlog", none, twinlatch.Backlog{})
		post.fails(errDown)
		ann.backupCodes()
		at := w.Now()
		w.deliverAll()
		w.later(time.Minute)
		w.deliverAll()
		w.later(time.Minute)
		w.deliverAll()
		stuck, err := w.Backlog(ctx, command)
		w.ok(err)
		equal(t, "backlog", stuck, twinlatch.Backlog{Waiting: 1, Oldest: at})
		post.fails(twinlatch.ErrBadRecipient)
		w.later(time.Hour)
		w.deliverAll()
		stuck, err = w.Backlog(ctx, command)
		w.ok(err)
		equal(t, "backlog", stuck, twinlatch.Backlog{Failed: 1})
	}, func(c *twinlatch.Config) { mailed(&postman{name: "post"})(c) })
}
