package pages

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// require makes two-step verification compulsory for everybody, from now on.
func (d *door) require(t testing.TB) {
	t.Helper()
	by := twinlatch.ByOperator("command", "a test")
	if err := d.env.Require(t.Context(), by, twinlatch.Requirement{From: d.env.Clock.Now()}, twinlatch.Client{}); err != nil {
		t.Fatal(err)
	}
}

// Who has to have a method is led to one, also in a session that lives, and then to
// where they wanted to go.
func TestRequired(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.ana(t)
	ana.get(security).is(200)
	d.require(t)
	ana.get("/").goes(requiredPath)
	ana.get(security).goes(requiredPath + "?return_to=%2Fsettings%2Fuser%2Fsecurity")
	p := ana.get(requiredPath).is(200).titled("2-step verification is required").
		says("Your administrator asks for it. Choose a method to go on.", "Authenticator app", "Recommended").
		offers(security+"/add/totp", "/sign-out")
	ana.get(onTo(requiredPath, profilePath)).is(200).offers(onTo(security+"/add/totp", profilePath)) // on the way to another page
	setup := ana.get(ana.post(p.link(security + "/add/totp")).location).is(200)
	app := twinlatchtest.Scan(t, setup.link("otpauth:"))
	ana.post(setup.link(security+"/confirm/"), "code", app.Code(ana.now())).goes(security)
	ana.get(security).is(200).says("2-step verification is on").hides("Your administrator requires")
	ana.get(requiredPath).goes(security)
}

// A session that has to enroll reaches that, what is open to everybody, and nothing
// else.
func TestWhoHasToEnrollReachesNothingElse(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t, development)
	ana := d.ana(t)
	d.require(t)
	reached := []string{"/required", "/confirm", "/email/again", "S/add/totp", "S/add/text", "S/confirm/C"}
	_, rows := readMatrix()
	for _, r := range rows {
		if open := r.cells["none"] != "in" && r.cells["none"] != "ver"; open || slices.Contains(reached, r.path) ||
			strings.HasPrefix(r.path, "/verify") || r.path == "/recover" || r.path == "/email/T" || r.path == "/sign-up" {
			continue
		}
		path := strings.NewReplacer("S", security, "P", profilePath, "/F", "/aaaaaaaaaaaaaaaaaaaaaaaaaa", "/O", "/aaaaaaaaaaaaaaaaaaaaaaaaaa").Replace(r.path)
		p := ana.send(ana.request(r.method, path, ""))
		if p.status != 303 || !strings.HasPrefix(p.location, requiredPath) {
			t.Errorf("%s %s: status %d %s", r.method, r.path, p.status, p.location)
		}
	}
	ana.get("/verify").goes(security) // it owes no second step
}

// It says from when on, before that.
func TestRequiredSoon(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.ana(t)
	by := twinlatch.ByOperator("command", "a test")
	if err := d.env.Require(t.Context(), by, twinlatch.Requirement{From: ana.now().Add(48 * time.Hour)}, twinlatch.Client{}); err != nil {
		t.Fatal(err)
	}
	ana.get(security).is(200).says("Your administrator requires 2-step verification from 25 Nov 2026.")
	ana.wait(48 * time.Hour)
	ana.get(security).goes(requiredPath + "?return_to=%2Fsettings%2Fuser%2Fsecurity")
}

// Who has to have a method and has not confirmed their address does that first.
func TestRequiredAndUnconfirmed(t *testing.T) {
	t.Parallel()
	d, box := withMail(t)
	ana := d.stranger(t, anaEmail)
	d.require(t)
	ana.get(requiredPath).is(200).says("Confirm your e-mail address before you add a method. We have sent a link to ana@example.com.").
		offers("/email/again", "/sign-out").hides("Authenticator app")
	ana.post(security + "/add/totp").is(403)
	ana.post("/email/again").goes(requiredPath)
	ana.post("/email/" + box.newestTo(t, d, anaEmail, twinlatch.EventAddressAsked)).is(200).says("Your e-mail address is confirmed.").offers("/")
	ana.get(requiredPath).is(200).offers(security + "/add/totp")
}
