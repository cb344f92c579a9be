package pages

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

const wrongBackup = "That backup code is not right, or it was already used."

func TestRecover(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	codes := ana.backupCodes()
	other := ana.elsewhere()
	other.signIn().goes("/verify")
	other.get("/recover?return_to=%2Fhelp").is(200).titled("Enter a backup code").focuses("code").
		says("Step 2 of 2", "Use one of the 10 backup codes that you saved.", "16 letters and digits, for example k7m2-9xqd-4tbn-w3fp").
		offers("/recover?return_to=%2Fhelp", "/verify/ways?return_to=%2Fhelp", "/sign-in?return_to=%2Fhelp")
	old := other.token()
	other.post("/recover?return_to=%2Fhelp", "code", codes[0]).goes("/help")
	other.withToken(old).get(security).is(303)
	other.get(security).is(200).says("You signed in with a backup code. Add a new method first, then remove the one you lost.", "9 of 10 left", "Backup code used, 9 left")

	third := ana.elsewhere()
	third.signIn()
	third.post("/recover", "code", codes[0]).refuses("code", wrongBackup+" You have 4 tries left.") // used
	third.post("/recover", "code", codes[1]).goes(security)
	ana.get(security).says("8 of 10 left")
}

func TestRecoverForgivesHowCodesAreTyped(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	codes := ana.backupCodes()
	for i, typed := range []string{
		strings.ToUpper(codes[0]), strings.ReplaceAll(codes[1], "-", ""), strings.ReplaceAll(codes[2], "-", " "), "  " + codes[3] + "\t",
		strings.NewReplacer("0", "O", "1", "l").Replace(codes[4]), strings.NewReplacer("0", "o", "1", "I").Replace(codes[5]),
	} {
		other := ana.elsewhere()
		other.signIn()
		if p := other.post("/recover", "code", typed); p.status != 303 {
			t.Errorf("%d, typed %q: %s", i, typed, p.text("main"))
		}
	}
	ana.get(security).says("4 of 10 left")
}

func TestRecoverRefusesWhatIsNoCode(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana, bo := d.anaWithApp(t), d.person(t, "bo@example.com")
	bo.app = bo.enroll()
	codes := bo.backupCodes()
	other := ana.elsewhere()
	other.signIn()
	for _, code := range []string{"", "-", "0000", "0000-0000-0000-000", "0000-0000-0000-00000", "uuuu-uuuu-uuuu-uuuu", "135790", strings.Repeat("0", 60000), "k7m2-9xqd-4tbn-w3f\x00", "ｋ7m2-9xqd-4tbn-w3fq"} {
		other.post("/recover", "code", code).refuses("code", wrongBackup).focuses("code") // costs no try
	}
	other.post("/recover", "code", "0000-0000-0000-0000").refuses("code", wrongBackup+" You have 4 tries left.") // she has none at all
	other.post("/recover", "code", codes[0]).refuses("code", wrongBackup+" You have 3 tries left.")              // Bo's
	for _, left := range []string{" You have 2 tries left.", " You have 1 try left.", ""} {
		other.post("/recover", "code", "0000-0000-0000-0000").refuses("code", wrongBackup+left)
	}
	p := other.post("/recover?return_to=%2Fhelp", "code", "0000-0000-0000-0000").is(429).titled("Error: Too many tries").offers("/verify/ways?return_to=%2Fhelp")
	if after := p.header.Get("Retry-After"); after != "30" {
		t.Errorf("Retry-After %q", after)
	}
	other.verify().goes(security) // the method is not paused with the codes
}

// Backup codes let somebody in and add a new method. They weaken nothing.
func TestRecoveredMayAddAndNothingMore(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	factor := ana.get(security).find(`/factors/([a-z2-7]{26})/remove`)
	codes := ana.backupCodes()
	ana.browser = ana.elsewhere().browser
	ana.signIn()
	ana.post("/recover", "code", codes[0]).goes(security)
	const no = "A backup code is not enough for this. Add a new method first."
	for _, path := range []string{"/factors/" + factor + "/remove", "/factors/" + factor + "/prefer", "/turn-off", "/backup-codes"} {
		ana.post(security + path).is(403).says(no)
	}
	ana.get(security).is(200).says("2-step verification is on", "9 of 10 left")

	ana.app = ana.enrollTo(lostPath) // by its own code, that method lifts the mark
	ana.get(security).is(200).hides("You signed in with a backup code.")
	ana.post(security + "/factors/" + factor + "/remove").goes(security)
	ana.get(security).is(200).says("2-step verification is on", "9 of 10 left")
}

// Until then Security says what comes later, and offers only what is not refused.
func TestRecoveredIsOfferedWhatWorks(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	ana.enroll()
	codes := ana.backupCodes()
	later := []string{
		"You can remove methods and turn off 2-step verification once you have added a new one.",
		"You can get new codes once you have added a new method.", "You can change your password once you have added a new method.",
	}
	weakening := []string{"Turn off 2-step verification", "Remove Authenticator app", "Ask this first", "Get new codes", "Change password"}
	ana.get(security).says(weakening...).hides(later...)

	ana.browser = ana.elsewhere().browser
	ana.signIn()
	ana.post("/recover", "code", codes[0]).goes(security)
	p := ana.get(security).is(200).says(later...).hides(weakening...).
		says("remove the one you lost. Backup codes · 9 of 10 left") // in one note
	for _, to := range p.links() {
		if to != "/" && !strings.HasPrefix(to, "#") {
			ana.get(to).is(200)
		}
	}
	for _, to := range p.forms() {
		if to != "/sign-out" {
			ana.post(to, "name", "Phone", "language", "en").is(303)
		}
	}
}

// A later proof by the method lifts the mark as well.
func TestMethodLiftsTheMarkOfABackupCode(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	codes := ana.backupCodes()
	other := ana.elsewhere()
	other.signIn()
	other.post("/recover", "code", codes[0]).goes(security)
	other.get("/verify").is(200).titled("Confirm it’s you")
	other.verify().goes(security)
	other.get(security).is(200).hides("You signed in with a backup code.")
	other.post(security + "/turn-off").goes(security)
}

// A backup code also serves where the 30 days or a new network ask, and where
// somebody wants to add a method.
func TestRecoverOnALiveSession(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	codes := ana.backupCodes()
	ana.wait(30 * 24 * time.Hour)
	ana.get("/recover").is(200).hides("Step 2 of 2").offers("/sign-out")
	ana.post("/recover?return_to="+url.QueryEscape(security), "code", codes[0]).goes(security)
	ana.get(security).is(200).says("You signed in with a backup code.")
	ana.outOfDate()
	p := ana.post(security + "/add/totp").goes("/verify?return_to=" + url.QueryEscape(security+"/add/totp"))
	ana.get(p.location).is(200)
	ana.post(strings.Replace(p.location, "/verify", "/recover", 1), "code", codes[1]).goes(security + "/add/totp")
	ana.post(security + "/add/totp").is(303)
}

func TestBackupCodes(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	p := ana.post(security+"/backup-codes").is(200).titled("Save your backup codes").
		says("They let you in if you lose your mobile or YubiKey.", "We show these codes only now.", "Backup codes for ana@example.com", "Made 23 Nov 2026").offers(security)
	file, err := url.PathUnescape(strings.TrimPrefix(p.link("data:text/plain;charset=utf-8,"), "data:text/plain;charset=utf-8,"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for item := range p.all("li") {
		if code := textOf(item); strings.Count(code, "-") == 3 {
			n++
			if !strings.Contains(file, "\n"+code+"\n") {
				t.Errorf("the download does not have %s", code)
			}
		}
	}
	if n != 10 || !strings.Contains(file, "Backup codes for ana@example.com") {
		t.Errorf("%d codes; file %q", n, file)
	}
	ana.get(security + "/backup-codes").goes(security) // they are shown once
	ana.get(security).says("10 of 10 left", "Made 23 Nov 2026. New codes replace the old ones.", "New backup codes made")

	old := ana.backupCodes()
	fresh := ana.backupCodes()
	other := ana.elsewhere()
	other.signIn()
	other.post("/recover", "code", old[0]).refuses("code", wrongBackup+" You have 4 tries left.")
	other.post("/recover", "code", fresh[0]).goes(security)
}

// They are no part of 2-step verification: they need it, and end with it.
func TestBackupCodesAreNoMethod(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	ana.post(security + "/backup-codes").is(409).says("You can get 10 backup codes once you have enabled a method.")
	ana.app = ana.enroll()
	codes := ana.backupCodes()
	ana.post(security + "/turn-off").goes(security)
	ana.get(security).is(200).says("2-step verification is off", "You can get 10 backup codes once you have enabled a method.")
	ana.post("/recover", "code", codes[0]).goes(security) // nothing to recover
	ana.app = ana.enroll()
	ana.get(security).hides("of 10 left")
	other := ana.elsewhere()
	other.signIn()
	other.post("/recover", "code", codes[0]).refuses("code", wrongBackup+" You have 4 tries left.")
}
