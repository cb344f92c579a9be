package pages

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

const (
	addNew     = "Add a new method"
	removeLost = "Remove what you lost"
	newCodes   = "Get new backup codes"
)

// lostPhone is Ana after she came in by a backup code: her phone, with
// "Authenticator app", is lost. Her codes are those that are left.
func lostPhone(t *testing.T, d *door) (ana *person, codes []string) {
	t.Helper()
	ana = d.anaWithApp(t)
	codes = ana.backupCodes()
	ana.browser = ana.elsewhere().browser
	ana.signIn().goes("/verify")
	ana.post("/recover", "code", codes[0]).goes(security)
	return ana, codes[1:]
}

// step is the one of the guide that is to be done now.
func (p *page) step() string {
	p.t.Helper()
	var now []*html.Node
	for n := range p.all("li") {
		if attr(n, "aria-current") == "step" {
			now = append(now, n)
		}
	}
	if len(now) != 1 {
		p.t.Fatalf("%s: %d steps are to be done now: %s", p.request, len(now), p.text("main"))
	}
	for n := range now[0].Descendants() {
		if n.Data == "h2" {
			return textOf(n)
		}
	}
	return ""
}

// asks fails the test unless the guide is at this step.
func (p *page) asks(step string) *page {
	p.t.Helper()
	if got := p.is(200).titled("Replace what you lost").step(); got != step {
		p.t.Errorf("%s: the step is %q, want %q", p.request, got, step)
	}
	return p
}

// removals are the pages to which the guide leads to remove a factor.
func (p *page) removals() []string {
	return slices.DeleteFunc(p.links(), func(to string) bool { return !strings.Contains(to, "/remove") })
}

// From the backup code to a new app, without the lost one, with new codes.
func TestReplaceALostDevice(t *testing.T) {
	t.Parallel()
	ana, old := lostPhone(t, newDoor(t))
	ana.get(security).is(200).says("Replace what you lost").offers(lostPath)

	p := ana.get(lostPath).asks(addNew).says("A backup code lets you in, and lets you add a method.", "You have 10 minutes for this. After that we ask for another backup code.",
		"Backup codes · 9 of 10 left", removeLost, newCodes).
		offers(security+"/add/totp", security).hides("Done")
	if to := p.removals(); len(to) > 0 || slices.Contains(p.forms(), security+"/backup-codes") {
		t.Errorf("offered too early: %q %q", to, p.forms())
	}
	setup := ana.begin()
	setup.offers(lostPath) // Cancel
	ana.app = ana.enrollTo(lostPath)

	p = ana.get(lostPath).asks(removeLost).says("Add a new method Done", "Authenticator app Added 23 Nov 2026. Not used yet. Remove", "Authenticator app 2 Just added Added")
	to := p.removals()
	if len(to) != 1 {
		t.Fatalf("%d factors can be removed: %s", len(to), p.text("main"))
	}
	remove := ana.get(to[0]).is(200).titled("Remove Authenticator app?").offers(lostPath)
	ana.post(remove.link(security + "/factors/")).goes(lostPath)

	p = ana.get(lostPath).asks(newCodes).says("Add a new method Done", "Remove what you lost Done", "9 of 10 left", "New codes replace the old ones.").offers(security)
	if to := p.removals(); len(to) > 0 {
		t.Errorf("the last one can be removed: %q", to)
	}
	fresh := ana.backupCodes()
	ana.get(security).is(200).says("10 of 10 left", "Removed: Authenticator app, Authenticator app", "Turn off 2-step verification").hides("Replace what you lost")

	other := ana.elsewhere()
	other.signIn()
	other.post("/recover", "code", old[0]).is(422)
	other.post("/recover", "code", fresh[0]).goes(security)
}

// Who lost nothing, and only had it elsewhere, goes on without removing.
func TestNothingToRemove(t *testing.T) {
	t.Parallel()
	ana, _ := lostPhone(t, newDoor(t))
	ana.app = ana.enrollTo(lostPath)
	p := ana.get(lostPath).asks(removeLost).says("I have all of these, nothing to remove").offers(lostPath + "?step=codes")
	ana.get(p.link(lostPath+"?")).asks(newCodes).offers(security+"/backup-codes", security)
	ana.get(security).says("Authenticator app 2")
}

// The address alone opens no step before its time.
func TestNoStepIsSkipped(t *testing.T) {
	t.Parallel()
	ana, _ := lostPhone(t, newDoor(t))
	ana.get(lostPath + "?step=codes").asks(addNew)
	ana.get(lostPath + "?step=codes&step=nonsense").asks(addNew)
}

// Several things are lost one by one; a fresh proof in between leads back into the
// guide, and the factor that gave it is not what was lost.
func TestReplaceSeveralLostDevices(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one, two)
	codes := ana.backupCodes()
	ana.browser = ana.elsewhere().browser
	ana.signIn()
	ana.post("/recover", "code", codes[0]).goes(security)
	ana.get(lostPath).asks(addNew).says("Text message On", "Add phone number", "Authenticator app", "Enable Authenticator app").offers(addText)
	ana.get(addText).is(200).offers(lostPath) // Cancel
	ana.app = ana.enrollTo(lostPath)

	p := ana.get(lostPath).asks(removeLost).says("Authenticator app Just added", "+44 7700 900167", "+44 7700 900542")
	to := p.removals()
	if len(to) != 2 {
		t.Fatalf("%d factors can be removed: %s", len(to), p.text("main"))
	}
	first, second := ana.get(to[0]).is(200).link(security+"/factors/"), ana.get(to[1]).is(200).link(security+"/factors/")
	ana.post(first).goes(lostPath)
	ana.get(lostPath).asks(removeLost).hides("+44 7700 900167")

	ana.outOfDate()
	p = ana.post(second).is(303)
	ana.post("/verify/ask", "factor", ana.get("/verify/ways").find(`name="factor" value="([a-z2-7]{26})"`)).goes("/verify")
	ana.post(p.location, "code", ana.code()).is(303)
	ana.get(lostPath).asks(removeLost).says("Authenticator app In use", "+44 7700 900542")
	p = ana.get(second).is(200)
	ana.post(p.link(security + "/factors/")).goes(lostPath)
	ana.get(lostPath).asks(newCodes)
}

// Ten minutes after a backup code adding a method takes another one.
func TestABackupCodeLetsAddForTenMinutes(t *testing.T) {
	t.Parallel()
	ana, codes := lostPhone(t, newDoor(t))
	ana.outOfDate()
	ana.get(lostPath).asks(addNew)
	add := security + "/add/totp"
	p := ana.post(add).goes("/verify?return_to=" + url.QueryEscape(add))
	ana.post(strings.Replace(p.location, "/verify", "/recover", 1), "code", codes[0]).goes(add)
	ana.get(add).is(200).offers(lostPath)
	ana.app = ana.enrollTo(lostPath)
	ana.get(lostPath).asks(removeLost)
}

// The guide serves whoever still has another method as well, and nobody without
// one.
func TestTheGuideWithoutABackupCode(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	ana.app = ana.enroll()
	ana.get(security).hides("Replace what you lost")
	if to := ana.get(lostPath).asks(removeLost).removals(); len(to) != 1 {
		t.Errorf("%d factors can be removed", len(to))
	}
	ana.get(lostPath + "?step=codes").asks(newCodes).says("Get backup codes") // she has none yet
	ana.post(security + "/turn-off").goes(security)
	ana.get(lostPath).goes(security)
}

// Without a code, too, there is a way on, and it says what then happens.
func TestWithoutBackupCodesAskAnAdministrator(t *testing.T) {
	t.Parallel()
	mails, _ := withMail(t)
	for name, d := range map[string]*door{"with mail": mails, "without": newDoor(t)} {
		half := d.anaWithApp(t).half()
		half.get("/verify/ways").is(200).hides("Backup codes").
			says("None of these work? Ask your administrator to reset 2-step verification").offers("/help#no-codes")
		section := half.get("/help").is(200).byID("no-codes")
		want := "I have no backup code Ask your administrator to reset 2-step verification. They make sure that it is you. Be ready to show who you are. " +
			"They remove all your methods and backup codes, and you are signed out everywhere. "
		if d == mails {
			want += "We e-mail you when it is done. "
		}
		want += "Sign in with your e-mail address and password, set up a method again, and get new backup codes."
		if got := textOf(section); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
