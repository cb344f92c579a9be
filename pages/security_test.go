package pages

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// factorIDs are the factors on Security, in the order in which they stand.
func factorIDs(p *page) []string {
	var ids []string
	for _, m := range regexp.MustCompile(`/factors/([a-z2-7]{26})/remove`).FindAllStringSubmatch(p.body, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

func TestSecurityShowsWhatIsOn(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	p := ana.get(security).is(200).titled("Security").
		says("Settings User settings Security", "ana@example.com", "Backup codes are not part of 2-step verification.", "Added 23 Nov 2026. Not used yet.").
		offers("/sign-out", "/help")
	if p.text("h1") != "Security" {
		t.Errorf("heading %q", p.text("h1"))
	}
	ana.verify()
	ana.get(security).says("Added 23 Nov 2026. Last used today.")
	ana.wait(24 * time.Hour)
	ana.get(security).says("Added 23 Nov 2026. Last used 23 Nov 2026.")
}

func TestRename(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	id := factorIDs(ana.get(security))[0]
	rename := security + "/factors/" + id + "/rename"
	ana.outOfDate() // a name protects nothing
	ana.post(rename, "name", "  Old phone ").goes(security)
	ana.get(security).says("Old phone", "Renamed: Authenticator app, Old phone")
	for _, name := range []string{"", "   ", strings.Repeat("é", 61), "a\nb", "a\x00b", "a\u202eb", "a\u2066b"} {
		p := ana.post(rename, "name", name).is(422).titled("Error: Security")
		box := p.byID("name-" + id)
		if attr(box, "aria-invalid") != "true" || textOf(p.byID("name-"+id+"-err")) != "Use 1 to 60 characters for the name." || !has(box, "autofocus") {
			t.Errorf("%q: the box is %v", name, box)
		}
		if got := attr(box, "value"); got != strings.ReplaceAll(name, "\x00", "\ufffd") {
			t.Errorf("typed %q, now %q", name, got)
		}
		if open := count(p.all("details")); open < 2 || !strings.Contains(p.body, `<details class="rename" open>`) || !strings.Contains(p.body, "<details open>") {
			t.Errorf("the box is folded away")
		}
	}
	ana.post(rename, "name", strings.Repeat("é", 60)).goes(security)
}

// Names become text, on every page that shows them.
func TestHostileFactorNames(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	id := factorIDs(ana.get(security))[0]
	ana.enroll()
	for _, name := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onfocus='alert(1)`, `</title><style>*{}</style>`,
		`javascript:alert(1)`, "{name}", "{{.}}", "%s%n", "&lt;b&gt;", "שלום", "\u200bx",
	} {
		ana.own = append(ana.own, name)
		ana.post(security+"/factors/"+id+"/rename", "name", name).goes(security)
		p := ana.get(security).is(200).says(name, "Renamed: Authenticator app, "+name)
		if box := p.byID("name-" + id); attr(box, "value") != name {
			t.Errorf("the box holds %q, want %q", attr(box, "value"), name)
		}
		ana.get(security + "/factors/" + id + "/remove").is(200).says("Remove " + name + "?").titled("Remove " + name + "?")
	}
}

func TestPrefer(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	ana.enroll()
	p := ana.get(security)
	ids := factorIDs(p)
	if n := strings.Count(p.body, "/prefer"); n != 1 {
		t.Fatalf("%d factors can be put first", n)
	}
	ana.post(security + "/factors/" + ids[1] + "/prefer").goes(security)
	ana.get(security).offers(security+"/factors/"+ids[0]+"/prefer").says("Authenticator app 2 Asked first", "Asked first: Authenticator app, Authenticator app 2")
}

func TestRemove(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	ana.enroll()
	codes := ana.backupCodes()
	other := ana.elsewhere()
	other.signIn()
	other.verify().goes(security)
	ids := factorIDs(ana.get(security))
	remove := security + "/factors/" + ids[1] + "/remove"
	ana.get(remove).is(200).titled("Remove Authenticator app 2?").
		says("You will no longer be able to sign in with it.", "You can still use: Authenticator app.").offers(remove, security)
	ana.get(security).says("Authenticator app 2") // looking is not removing
	ana.post(remove).goes(security)
	ana.get(security).is(200).says("2-step verification is on", "10 of 10 left", "Removed: Authenticator app, Authenticator app 2")
	other.get(security).goes("/sign-in?return_to=" + url.QueryEscape(security)) // signed out: that phone may be somebody else's
	ana.post(remove).is(404)
	ana.get(remove).is(404)

	last := security + "/factors/" + ids[0] + "/remove"
	ana.get(last).is(200).says("This is your last method. Removing it turns off 2-step verification and deletes your backup codes.")
	ana.post(last).goes(security)
	ana.get(security).is(200).says("2-step verification is off", "2-step verification turned off").hides("of 10 left")
	third := ana.elsewhere()
	third.signIn().goes(security)
	third.post("/recover", "code", codes[0]).goes(security)
}

// Who came from another page than Security goes back there, also by way of a
// fresh proof.
func TestRemoveComesBack(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	ana.enroll()
	ana.enroll()
	ids := factorIDs(ana.get(security))
	remove := security + "/factors/" + ids[1] + "/remove"
	asked := remove + "?return_to=%2Fhelp"
	ana.get(asked).is(200).offers(asked, "/help")
	ana.outOfDate()
	p := ana.post(asked).goes("/verify?return_to=" + url.QueryEscape(asked))
	ana.post(p.location, "code", ana.code()).goes(asked)
	ana.post(asked).goes("/help")
	ana.post(security + "/factors/" + ids[2] + "/remove?return_to=%2F%2Fevil.example").goes(security)
}

func TestTurnOff(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	ana.enroll()
	ana.get(security+"/turn-off").is(200).titled("Turn off 2-step verification?").
		says("Your account will be protected by your password alone. This removes:", "2 authenticator apps", "Keep it on").hides("backup codes").offers(security+"/turn-off", security)
	codes := ana.backupCodes()
	other := ana.elsewhere()
	other.signIn()
	other.post("/recover", "code", codes[0]).goes(security)
	ana.get(security + "/turn-off").says("9 backup codes")
	ana.post(security + "/turn-off").goes(security)
	ana.get(security).is(200).says("2-step verification is off", "Choose a method").hides("Turn off")
	other.get(security).is(303)
	ana.post(security + "/turn-off").goes(security) // pressed twice
	ana.get(security + "/turn-off").goes(security)
	ana.elsewhere().signIn().goes(security)
}

// "1 backup code", not "1 backup codes".
func TestTurnOffCounts(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	codes := ana.backupCodes()
	for _, code := range codes[:9] {
		other := ana.elsewhere()
		other.signIn()
		other.post("/recover", "code", code).goes(security)
		other.post("/sign-out").is(200)
	}
	ana.get(security+"/turn-off").says("1 backup code", "1 authenticator app").hides("1 backup codes", "1 authenticator apps")
	ana.get(security).says("1 of 10 left")
}

// While 2-step verification is off, the password is the proof.
func TestConfirm(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	ana.outOfDate()
	p := ana.post(security + "/add/totp").goes("/confirm?return_to=" + url.QueryEscape(security+"/add/totp"))
	ana.get(p.location).is(200).titled("Confirm it’s you").focuses("password").
		says("Enter your password before you change how your account is protected.").offers(p.location, security)
	for _, password := range []string{"", "not the password", strings.ToUpper(ana.password), strings.Repeat("long password ", 3000)} {
		ana.post(p.location, "password", password).refuses("password", "The password is not right. Try again.").focuses("password").offers(p.location)
	}
	old := ana.token()
	ana.post(p.location, "password", ana.password).goes(security + "/add/totp")
	if ana.token() == old {
		t.Error("the token did not change")
	}
	ana.withToken(old).get(security).is(303)
	ana.begin()
}

func TestConfirmSlowsGuessingDown(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	for range 10 {
		ana.post("/confirm", "password", "not the password").is(422)
	}
	p := ana.post("/confirm", "password", ana.password).is(429).titled("Error: Confirm it’s you").notes("Too many tries. Wait 15 minutes and try again.")
	if after := p.header.Get("Retry-After"); after != "900" {
		t.Errorf("Retry-After %q", after)
	}
}

// While it is on, the password is not enough.
func TestConfirmIsNotEnoughWithTwoSteps(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	ana.outOfDate()
	ana.get("/confirm?return_to=%2Fhelp").goes("/verify?return_to=%2Fhelp")
	ana.post("/confirm?return_to=%2Fhelp", "password", ana.password).goes("/verify?return_to=%2Fhelp")
	ana.post(security + "/turn-off").goes("/verify?return_to=" + url.QueryEscape(security+"/turn-off"))
}

func TestSessions(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	phone := ana.elsewhere()
	phone.header.Set("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1")
	phone.ip = home6
	phone.signIn()
	phone.verify().goes(security)
	strange := ana.elsewhere()
	strange.ip = cafe4
	strange.header.Set("User-Agent", `<script>alert("me")</script>`)
	strange.signIn().goes("/verify")

	p := ana.get(security).is(200).says(
		"Firefox, Linux This device IP 192.0.2.1 · Last seen now", "Verified 23 Nov. New code due 23 Dec.",
		"Chrome, iPhone IP 2001:db8:1::1 · Last seen now", "Unknown device IP 198.51.100.7", "Has not done the second step yet.",
		"Right password, second step asked",
	)
	ends := slices.DeleteFunc(p.forms(), func(to string) bool { return !strings.HasSuffix(to, "/end") })
	if len(ends) != 2 {
		t.Fatalf("%d other sessions", len(ends))
	}
	ana.outOfDate() // ending a session needs no proof
	ana.get(security).says("Last seen 23 Nov 2026, 12:0")
	for _, end := range ends {
		ana.post(end).goes(security)
	}
	phone.get(security).is(303)
	strange.get("/verify").goes("/sign-in")
	ana.get(security).says("Signed out: Chrome, iPhone", "Signed out: Unknown device").hides("Sign out all other devices")
}

func TestEndOtherSessions(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana, bo := d.anaWithApp(t), d.person(t, "bo@example.com")
	other := ana.elsewhere()
	other.signIn()
	other.verify().goes(security)
	ana.get(security).offers(security + "/sessions/end-others")
	ana.post(security + "/sessions/end-others").goes(security)
	other.get(security).is(303)
	ana.get(security).is(200).says("Signed out: all other devices")
	bo.get(security).is(200)
}

// Nothing of somebody else's can be named.
func TestOthersThings(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana, bo := d.anaWithApp(t), d.person(t, "bo@example.com")
	bo.app = bo.enroll()
	bo.elsewhere().signIn()
	page := bo.get(security)
	factor, session := factorIDs(page)[0], page.link(security+"/sessions/")
	for _, path := range []string{
		security + "/factors/" + factor + "/remove", security + "/factors/" + factor + "/prefer", security + "/factors/" + factor + "/rename", session,
	} {
		ana.post(path, "name", "Mine").is(404).says("This page does not exist, or it is not yours.")
	}
	ana.get(security + "/factors/" + factor + "/remove").is(404)
	after := bo.get(security).is(200)
	if factorIDs(after)[0] != factor || !slices.Contains(after.forms(), session) || after.text("main") != page.text("main") {
		t.Error("Bo's page has changed")
	}
}

func TestActivity(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	other := ana.elsewhere()
	other.signIn()
	other.post("/verify", "code", other.wrongCode())
	other.verify().goes(security)
	ana.wait(30 * 24 * time.Hour)
	ana.get("/verify").is(200)
	ana.verify().goes(security)
	ana.ip = cafe4
	ana.get("/verify").is(200)
	ana.verify().goes(security)
	p := ana.get(security).is(200).says(
		"Confirmed: Authenticator app", "Asked for a code: IP address changed", "Asked for a code: 30 days have passed",
		"Signed in: Authenticator app", "Wrong code: Authenticator app", "IP 198.51.100.7",
	)
	if n := count(p.all("time")); n < 10 {
		t.Errorf("%d times on the page", n)
	}
	for range 12 {
		ana.verify()
	}
	if n := strings.Count(ana.get(security).text("main"), "Confirmed"); n != 10 {
		t.Errorf("%d lines of activity, want the ten newest", n)
	}
}

// Whoever has the password and nothing else cannot push the rest off the page.
func TestFirstStepsAloneHideNothing(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	ana.get(security).says("Added: Authenticator app, Authenticator app")
	for range 300 {
		thief := ana.elsewhere()
		thief.ip = cafe4
		thief.signIn()
		ana.wait(20 * time.Minute) // so that no limit is in the way
	}
	p := ana.get(security).says("Added: Authenticator app, Authenticator app")
	if n := strings.Count(p.text("main"), "Right password, second step asked"); n != 1 {
		t.Errorf("%d lines of first steps", n)
	}
}
