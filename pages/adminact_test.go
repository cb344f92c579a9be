package pages

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// trailOf is the types of an account's events, the newest first.
func (d *door) trailOf(t testing.TB, id twinlatch.AccountID) (types []twinlatch.EventType) {
	t.Helper()
	events, err := d.env.Events(t.Context(), twinlatch.OnBehalf(id, "test", ""), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		types = append(types, e.Type)
	}
	return types
}

func times(of twinlatch.EventType, in []twinlatch.EventType) (n int) {
	for _, t := range in {
		if t == of {
			n++
		}
	}
	return n
}

func TestReset(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada, ana := d.ada(t), d.anaWithApp(t)
	ana.backupCodes()
	ana.enroll()
	id := d.account(t, ana.email).ID
	account := accountPath + string(id)
	ada.verify()
	ada.get(adminPath).offers(account + "/reset").says("Reset 2-step verification of Ana")
	p := ada.get(account+"/reset").is(200).titled("Reset 2-step verification for Ana?").
		says("Accounts Ana Reset", "Do this only when you are sure who is asking. It:", "removes every method and all backup codes",
			"signs the account out everywhere", "asks for a new method at the next log-in", "Kept in the activity log").
		hides("e-mails").offers(account, adminPath)
	for n := range p.all("input") {
		if has(n, "autofocus") {
			t.Error("the page is to be read first")
		}
	}
	ada.post(account+"/reset", "reason", "Lost phone, checked by video call").goes(account + "?done")
	ada.get(account+"?done").is(200).
		says("2-step verification was reset.", "Required, not set up", "By: "+adaEmail, "Reason: Lost phone, checked by video call", "Not signed in anywhere.").
		hides("Authenticator app 2: ")
	ana.get(security).is(303)
	ana.signIn()
	if a := d.account(t, ana.email); a.TwoStep || a.EnrollFrom.IsZero() {
		t.Errorf("after it: %+v", a)
	}
	ada.post(account+"/reset", "reason", "pressed twice").goes(account + "?done")
	ada.get(account + "/reset").goes(account) // there is nothing to reset
	if n := times(twinlatch.EventTwoStepReset, d.trailOf(t, id)); n != 1 {
		t.Errorf("reset %d times", n)
	}
}

// Where mails are sent, the page says so, and names the address.
func TestResetIsToldByMail(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t)
	ada := d.ada(t)
	ana := d.called(t, "ana.confirmed@example.com", "Ana")
	ana.enroll()
	account := accountPath + string(d.account(t, ana.email).ID)
	ada.get(account).is(200).says("Address confirmed 23 Nov 2026")
	ada.get(account + "/reset").is(200).says("e-mails ana.confirmed@example.com to say that you did it")
	unconfirmed := d.account(t, d.stranger(t, "un@example.com").email)
	ada.get(accountPath + string(unconfirmed.ID)).is(200).says("Address not confirmed")
}

func TestSignOutEverywhere(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada, ana := d.ada(t), d.anaWithApp(t)
	id := d.account(t, ana.email).ID
	account := accountPath + string(id)
	ada.get(account).is(200).says("Firefox, Linux", "IP 192.0.2.1").offers(account + "/end")
	ada.get(account + "/end").is(200).titled("Sign Ana out everywhere?").says("leaves password and methods as they are")
	ada.post(account+"/end", "reason", "laptop stolen").goes(account + "?done")
	ada.get(account+"?done").says("The account was signed out everywhere.", "Not signed in anywhere.", "Authenticator app: Authenticator app")
	ana.get(security).is(303)
	ana.signIn().goes("/verify")
	if n := times(twinlatch.EventSessionsEnded, d.trailOf(t, id)); n != 1 {
		t.Errorf("ended %d times", n)
	}
}

func TestDisableAndEnable(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada, ana := d.ada(t), d.anaWithApp(t)
	id := d.account(t, ana.email).ID
	account := accountPath + string(id)
	ada.get(account).offers(account + "/disable")
	ada.get(account + "/enable").goes(account)
	ada.get(account + "/disable").is(200).titled("Disable Ana?").says("lets nobody sign in, until an administrator enables the account again")
	for range 2 { // a second press disables nothing more
		ada.post(account+"/disable", "reason", "left the company").goes(account + "?done")
	}
	p := ada.get(account+"?done").says("The account is disabled.", "Disabled Since 23 Nov 2026").offers(account + "/enable")
	if slices.Contains(p.links(), account+"/disable") {
		t.Error("it can be disabled again")
	}
	ana.get(security).is(303)
	ana.signIn().is(422)
	ada.get(account + "/disable").goes(account)
	ada.get(account + "/enable").is(200).titled("Enable Ana?").says("lets the owner sign in again, with the same password and methods")
	ada.post(account+"/enable", "reason", "back again").goes(account + "?done")
	ada.get(account + "?done").says("The account is enabled.")
	ana.signIn().goes("/verify")
	ana.verify().goes(security)
	trail := d.trailOf(t, id)
	if off, on := times(twinlatch.EventAccountDisabled, trail), times(twinlatch.EventAccountEnabled, trail); off != 1 || on != 1 {
		t.Errorf("disabled %d times, enabled %d times", off, on)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada, ana := d.ada(t), d.anaWithApp(t)
	id := d.account(t, ana.email).ID
	account := accountPath + string(id)
	ada.get(account+"/delete").is(200).titled("Delete Ana?").
		says("erases name, e-mail address, password, methods and backup codes for good", "keeps the events of the account", "leaves the e-mail address free for a new account")
	ada.post(account+"/delete", "reason", "asked for it").goes(adminPath + "?done=" + string(id))
	ada.get(adminPath+"?done="+string(id)).is(200).says("The account was deleted.", "All 1").hides(ana.email)
	ada.get(account).is(404)
	ada.post(account+"/delete", "reason", "pressed twice").is(404)
	ana.get(security).is(303)
	ada.get(trailPath).is(200).says("deleted account", "Reason: asked for it").hides(ana.email)
	d.person(t, ana.email) // the address is free
}

func TestGroups(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada, ana := d.ada(t), d.anaWithApp(t)
	id := d.account(t, ana.email).ID
	account, groups := accountPath+string(id), accountPath+string(id)+"/groups"
	ada.get(account).is(200).says("Groups None")
	ada.get(groups).is(200).titled("Groups of Ana").keeps("groups", "")
	ada.post(groups, "groups", "  staff   beta-2 staff ", "reason", "moved").goes(account + "?done")
	ada.get(account+"?done").says("The groups were saved.", "beta-2 staff", "Reason: moved").offers(adminPath + "?group=staff")
	ada.get(groups).keeps("groups", "beta-2 staff")

	before := len(d.trailOf(t, id))
	for _, bad := range []string{"Staff", "a_b", "-", "a,b", "šéf", strings.Repeat("x", 41)} {
		ada.post(groups, "groups", bad, "reason", "because").refuses("groups", "Use 1 to 40 of a to z, 0 to 9 and hyphens for a group.").
			focuses("groups").keeps("groups", bad).keeps("reason", "because")
	}
	ada.post(groups, "groups", "staff admin", "reason", "because").
		refuses("groups", "Only a command on the server puts an account into the group admin or takes it out.")
	ada.post(groups, "groups", "staff", "reason", "").refuses("reason", "Give a reason, in 200 characters at most.").keeps("groups", "staff")
	if n := len(d.trailOf(t, id)); n != before {
		t.Errorf("%d events more", n-before)
	}
	d.member(t, id, twinlatch.AdminGroup)
	ada.post(groups, "groups", "", "reason", "because").
		refuses("groups", "Only a command on the server puts an account into the group admin or takes it out.")
	if a := d.account(t, ana.email); !a.IsAdmin() {
		t.Error("an administrator took another one's right")
	}
}

// Without a reason nothing is done, and it says so beside the field.
func TestEveryActNeedsAReason(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada, ana := d.ada(t), d.anaWithApp(t)
	off := d.made(t, "off@example.com", "Off")
	if err := d.env.Disable(t.Context(), operator(), off.ID, twinlatch.Client{}); err != nil {
		t.Fatal(err)
	}
	id := d.account(t, ana.email).ID
	before, beforeOff := len(d.trailOf(t, id)), len(d.trailOf(t, off.ID))
	for _, act := range acts() {
		to := accountPath + string(id)
		if act.verb == "enable" {
			to = accountPath + string(off.ID)
		}
		to += "/" + act.verb
		for _, reason := range []string{"", "   ", "\u00a0", strings.Repeat("é", 201), "two\nlines", "a\x00b", "a\u202eb"} {
			p := ada.post(to, "reason", reason, "groups", "staff").refuses("reason", "Give a reason, in 200 characters at most.").
				focuses("reason").keeps("reason", reason)
			if !slices.Contains(p.forms(), to) {
				t.Errorf("%s: the form leads to %q", to, p.forms())
			}
		}
		ada.post(to).is(422)
		ada.post(to + "?reason=because").is(422) // addresses are logged and kept
	}
	if n := len(d.trailOf(t, id)); n != before {
		t.Errorf("%d events more", n-before)
	}
	if n := len(d.trailOf(t, off.ID)); n != beforeOff {
		t.Errorf("%d events more", n-beforeOff)
	}
	ana.get(security).is(200).says("2-step verification is on")
	ada.post(accountPath+string(id)+"/end", "reason", strings.Repeat("é", 200)).is(303)
}

// What was done is said because the trail says so; nobody can have it said by an
// address.
func TestDoneIsSaidOnlyOfWhatWasDone(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada, ana := d.ada(t), d.anaWithApp(t)
	id := string(d.account(t, ana.email).ID)
	said := func(p *page) bool { return strings.Contains(p.body, `role="status"`) }
	for _, path := range []string{accountPath + id + "?done", accountPath + id + "?done=reset", adminPath + "?done=" + id, adminPath + "?done", adminPath + "?done=%00", adminPath + "?done=x", requirePath + "?done"} {
		if p := ada.get(path).is(200); said(p) {
			t.Errorf("%s: %s", path, p.text("main"))
		}
	}
	ada.post(accountPath+id+"/end", "reason", "because").goes(accountPath + id + "?done")
	if !said(ada.get(accountPath + id + "?done")) {
		t.Error("nothing is said")
	}
	other := d.called(t, "eva@example.com", "Eva", twinlatch.AdminGroup)
	other.app = other.enroll()
	if p := other.get(accountPath + id + "?done").is(200); said(p) {
		t.Error("she did not do it")
	}
	ada.wait(2 * time.Minute)
	if p := ada.get(accountPath + id + "?done").is(200); said(p) {
		t.Error("that was long ago")
	}
}

// A file of an account never shows a number, a code or a token.
func TestNoSecretsOfOthers(t *testing.T) {
	t.Parallel()
	net := new(carrier)
	d := doorOn(t, twinlatchtest.Migrated(t), func(c *twinlatch.Config) {
		c.Methods = textMethods(t)
		c.Sending.Senders = []twinlatch.Sender{net}
	})
	ada := d.ada(t)
	ana := d.texter(t, net, "+447700900123")
	id := string(d.account(t, ana.email).ID)
	ada.outOfDate()
	ada.verify()
	for _, path := range []string{adminPath, accountPath + id, trailPath, accountPath + id + "/reset", accountPath + id + "/delete"} {
		p := ada.get(path).is(200)
		for _, secret := range []string{"447700900123", "7700900", "900123", ana.token(), strings.Split(ana.token(), ".")[2]} {
			if strings.Contains(p.body, secret) {
				t.Errorf("%s shows %q", path, secret)
			}
		}
	}
	ada.get(accountPath + id).says("Text message: ")
	export := ada.get(trailPath + "/export").is(200)
	if strings.Contains(export.body, "7700900") {
		t.Error("the export has the number")
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	staff := d.called(t, "staff@example.com", "Staff", "staff")
	free := d.called(t, "free@example.com", "Free")
	ada.get(requirePath).is(200).titled("Require 2-step verification").says("Nobody has to use it.").
		keeps("from", "2026-11-23").keeps("grace", "14").keeps("group", "")
	for _, c := range []struct{ field, value, message string }{
		{"group", "Staff", "Use 1 to 40 of a to z, 0 to 9 and hyphens for a group."},
		{"group", "-", "Use 1 to 40 of a to z, 0 to 9 and hyphens for a group."},
		{"from", "", "Enter a date, for example 2027-01-31."},
		{"from", "23.11.2026", "Enter a date, for example 2027-01-31."},
		{"from", "2026-02-30", "Enter a date, for example 2027-01-31."},
		{"grace", "", "Use 0 to 366 days."},
		{"grace", "-1", "Use 0 to 366 days."},
		{"grace", "367", "Use 0 to 366 days."},
		{"grace", "1e3", "Use 0 to 366 days."},
		{"grace", "99999999999999999999", "Use 0 to 366 days."},
		{"reason", " ", "Give a reason, in 200 characters at most."},
	} {
		form := map[string]string{"group": "staff", "from": "2026-12-24", "grace": "7", "reason": "policy of 2027"}
		form[c.field] = c.value
		p := ada.post(requirePath, "group", form["group"], "from", form["from"], "grace", form["grace"], "reason", form["reason"]).
			refuses(c.field, c.message).focuses(c.field)
		for name, value := range form {
			p.keeps(name, value)
		}
	}
	ada.get(requirePath).says("Nobody has to use it.")

	ada.post(requirePath, "group", "staff", "from", "2026-11-23", "grace", "0", "reason", "policy of 2027").goes(requirePath + "?done")
	ada.get(requirePath+"?done").says("The requirement was saved.", "staff From 23 Nov 2026 · Days for new accounts: 0")
	staff.get(security).is(303)
	free.get(security).is(200)
	ada.post(requirePath, "group", "", "from", "2030-01-01", "grace", "7", "reason", "later").goes(requirePath + "?done")
	p := ada.get(requirePath).says("Everyone From 1 Jan 2030 · Days for new accounts: 7", "staff From 23 Nov 2026")
	ada.get(trailPath).says("2-step verification required · all accounts", "Group: staff", "From 23 Nov 2026 · Days for new accounts: 0", "Reason: policy of 2027", "By: "+adaEmail)

	remove := p.link(requirePath + "/staff/remove")
	ada.get(remove).is(200).titled("No longer require 2-step verification of the group staff?").says("Who has set a method up keeps it")
	ada.post(remove, "reason", "").refuses("reason", "Give a reason, in 200 characters at most.").focuses("reason")
	for range 2 { // the second press finds none
		ada.post(remove, "reason", "no longer").is(303)
	}
	ada.get(requirePath).hides("staff")
	ada.get(remove).is(404)
	staff.get(security).is(200)
	ada.get(requirePath + "/-/remove").is(200).titled("No longer require 2-step verification of everyone?")
	ada.post(requirePath+"/-/remove", "reason", "no longer").goes(requirePath + "?done")
	ada.get(requirePath+"?done").says("The requirement was taken back.", "Nobody has to use it.")

	ada.outOfDate()
	ada.get(requirePath).goes("/verify?return_to=" + url.QueryEscape(requirePath))
}
