package pages

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

func TestEnroll(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	ana.get(security).is(200).says("Choose a method", "Authenticator app Recommended", "You can get 10 backup codes once you have enabled a method.").
		offers(security+"/add/totp").hides("Turn off", "Asked first")
	ana.get(security+"/add/totp").is(200).titled("Set up your authenticator app").says("Nothing changes until you confirm.").offers(security+"/add/totp", security)
	setup := ana.begin().titled("Set up your authenticator app").
		says("Install an authenticator app", "Scan this QR code", "Can’t scan it?", "Setup key", "Nothing changes until you confirm.").offers(security)

	issuer, account, secret, err := totp.ParseURI(setup.link("otpauth:"))
	if err != nil || issuer != "Twinlatch" || account != anaEmail || len(secret) != 20 {
		t.Errorf("the code sets up %q %q with %d bytes: %v", issuer, account, len(secret), err)
	}
	app := twinlatchtest.Scan(t, setup.link("otpauth:"))
	if key := strings.ReplaceAll(textOf(setup.byID("key")), " ", ""); !strings.Contains(setup.link("otpauth:"), "secret="+key) {
		t.Errorf("the setup key %s is another one", key)
	}
	ana.get(security).is(200).says("2-step verification is off") // nothing has changed

	before := ana.token()
	confirm := setup.link(security + "/confirm/")
	ana.post(confirm, "code", app.Code(ana.now())).goes(security)
	if ana.token() == before || ana.token() == "" {
		t.Error("the token did not change")
	}
	ana.get(security).is(200).says(
		"2-step verification is on", "every time you log in, after 30 days, and when your IP address changes.",
		"Authenticator app On Asked first", "You have one method only.", "Get 10 backup codes now",
		"2-step verification turned on", "Added: Authenticator app, Authenticator app",
	).offers(security+"/turn-off", security+"/backup-codes")
}

func TestEnrollRefusesWhatIsNoCode(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	setup := ana.begin()
	confirm := setup.link(security + "/confirm/")
	ana.app = twinlatchtest.Scan(t, setup.link("otpauth:"))
	for code, message := range map[string]string{
		"": "Enter the 6-digit code.", "abcdef": "The code has digits only.", "12345": "Enter all 6 digits.", "1234567": "Enter all 6 digits.", "١٢٣٤٥٦": "The code has digits only.",
	} {
		p := ana.post(confirm, "code", code).refuses("code", message).focuses("code").titled("Error: Set up your authenticator app")
		if p.link("otpauth:") != setup.link("otpauth:") {
			t.Error("the setup key is another one now")
		}
	}
	for _, left := range []string{"4 tries", "3 tries", "2 tries", "1 try"} {
		ana.post(confirm, "code", ana.wrongCode()).
			refuses("code", "That code is not right. Check your app for the newest code and try again. You have "+left+" left.").focuses("code")
	}
	ana.get(security).is(200).says("2-step verification is off")
	ana.post(confirm, "code", ana.app.Code(ana.now())).goes(security) // the last try
	ana.get(security).is(200).says("2-step verification is on")
}

// After five wrong codes the key on the page is dead.
func TestEnrollEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*person, string){
		"after five wrong codes": func(ana *person, confirm string) {
			for range 4 {
				ana.post(confirm, "code", ana.wrongCode()).is(422)
			}
			ana.post(confirm, "code", ana.wrongCode()).is(410)
		},
		"after ten minutes": func(ana *person, _ string) {
			ana.wait(10 * time.Minute)
			p := ana.post(security + "/add/totp").is(303)
			ana.post(p.location, "password", ana.password).goes(security + "/add/totp")
		},
		"when another is begun": func(ana *person, _ string) { ana.begin() },
		"when it is confirmed": func(ana *person, confirm string) {
			ana.post(confirm, "code", ana.app.Code(ana.now())).goes(security)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ana := newDoor(t).ana(t)
			setup := ana.begin()
			confirm := setup.link(security + "/confirm/")
			ana.app = twinlatchtest.Scan(t, setup.link("otpauth:"))
			end(ana, confirm)
			ana.post(confirm, "code", ana.app.Code(ana.now())).is(410)
			p := ana.get(confirm).is(410)
			if strings.Contains(p.body, "otpauth:") {
				t.Error("the setup key is shown again")
			}
		})
	}
}

// An enrollment belongs to the session that began it.
func TestEnrollmentOfAnotherIsNotThere(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana, bo := d.ana(t), d.person(t, "bo@example.com")
	setup := ana.begin()
	confirm := setup.link(security + "/confirm/")
	app := twinlatchtest.Scan(t, setup.link("otpauth:"))
	second := ana.elsewhere()
	second.signIn()
	for name, b := range map[string]*browser{"another person": bo.browser, "her other browser": second.browser} {
		t.Run(name, func(t *testing.T) {
			p := b.get(confirm).is(410)
			if strings.Contains(p.body, "otpauth:") {
				t.Error("shows the setup key")
			}
			b.post(confirm, "code", app.Code(ana.now())).is(410)
			b.get(security).is(200).says("2-step verification is off")
		})
	}
	ana.post(confirm, "code", app.Code(ana.now())).goes(security)
}

func TestEnrollKnowsItsMethods(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	for _, kind := range []string{"text", "TOTP", "app", "%00", "..%2ftotp", "%3Cscript%3E", strings.Repeat("a", 1000)} {
		ana.get(security + "/add/" + kind).is(404)
		ana.post(security + "/add/" + kind).is(404)
	}
	for _, challenge := range []string{"x", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "%00", "%ff", strings.Repeat("a", 1000), "'%20OR%201=1"} {
		ana.get(security + "/confirm/" + challenge).is(410)
		ana.post(security+"/confirm/"+challenge, "code", "135790").is(410)
	}
}

// The key comes from the server, whatever a form says.
func TestEnrollTakesNoSecretFromOutside(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	const theirs = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	to := ana.post(security+"/add/totp", "secret", theirs, "qr", "otpauth://totp/x?secret="+theirs, "kind", "text").is(303).location
	if p := ana.get(to).is(200); strings.Contains(p.body, theirs) || strings.Contains(strings.ReplaceAll(p.body, " ", ""), theirs) {
		t.Error("the key is the attacker's")
	}
}

// Several apps are told apart by their names.
func TestEnrollSeveral(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	second := ana.enroll()
	to := ana.post(security+"/add/totp", "name", "Work phone").is(303).location
	setup := ana.get(to)
	third := twinlatchtest.Scan(t, setup.link("otpauth:"))
	ana.post(setup.link(security+"/confirm/"), "code", third.Code(ana.now())).goes(security)
	ana.get(security).is(200).says("Authenticator app 2", "Work phone").hides("You have one method only.", "Authenticator app 3")
	for _, app := range []twinlatchtest.App{ana.app, second, third} {
		other := ana.elsewhere()
		other.app = app
		other.signIn()
		other.verify().goes(security)
	}
}

// A name is one line. This method has no box for it, so a page says so.
func TestEnrollRefusesNames(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	for _, name := range []string{strings.Repeat("é", 61), "a\r\nb", "a\u202eb", "   "} {
		ana.post(security+"/add/totp", "name", name).is(422).says("Use 1 to 60 characters for the name.")
	}
}

func TestEnrollTwentyAtMost(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	for range 20 {
		ana.enroll()
	}
	ana.post(security + "/add/totp").is(422).says("You can have 20 methods at most. Remove one first.")
	ana.get(security).is(200).says("Authenticator app 20").hides("Authenticator app 21")
}

// From then on the other browsers owe a code, and nobody is signed out.
func TestFirstFactorAsksTheOthers(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.ana(t)
	other := ana.elsewhere()
	other.signIn().goes(security)
	old := ana.token()
	app := ana.enroll()
	other.get(security).goes("/verify?return_to=" + url.QueryEscape(security))
	other.wait(30 * time.Second)
	other.post("/verify?return_to="+url.QueryEscape(security), "code", app.Code(other.now())).goes(security)
	other.get(security).is(200)
	ana.get(security).is(200)
	ana.withToken(old).get(security).is(303)
}

// From an address that cannot be told, a confirmation would not hold.
func TestEnrollFromNowhere(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	setup := ana.begin()
	ana.nowhere()
	app := twinlatchtest.Scan(t, setup.link("otpauth:"))
	ana.post(setup.link(security+"/confirm/"), "code", app.Code(ana.now())).is(403).
		notes("We cannot tell which network you are on, so we cannot check a code now. Ask your administrator to check the proxy settings.")
	ana.get(security).is(200).says("2-step verification is off")
}
