package pages

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
)

func TestTheFirstPageOfAnAdministrator(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	ada.get(security).is(200).says("Accounts").offers(adminPath)
	ada.get(adminPath).is(200).titled("Accounts").says("Ada", adaEmail, "You", "Settings").
		offers(requirePath, trailPath, security, "/sign-out", "/help")
	d.ana(t).get(security).is(200).hides("Accounts")
}

// Nobody but administrators gets anything, whatever they send.
func TestNobodyElseGetsAnything(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada, ana := d.ada(t), d.anaWithApp(t)
	for _, group := range []string{"admins", "admin-2", "an-admin", "staff"} {
		d.member(t, d.account(t, ana.email).ID, group)
		ana.get(adminPath).is(403)
	}
	half := ana.elsewhere()
	half.signIn().goes("/verify")
	victim := string(d.account(t, adaEmail).ID)
	who := map[string]*browser{"nobody": d.browser(t), "half": half.browser, "ana": ana.browser, "off": d.person(t, "off@example.com").browser}
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	before := ada.get(adminPath).text("main")
	for i := range 400 {
		r := d.adminRoutes()[random.IntN(len(d.adminRoutes()))]
		path := strings.NewReplacer("{account}", pick(victim, string(d.account(t, ana.email).ID), "x", "%2e%2e", "%00"), "{group}", pick(everyone, "staff", "%2F")).Replace(r.path)
		query := url.Values{}
		for range random.IntN(4) {
			query.Set(pick("q", "state", "page", "before", "done", "return_to", "group", "reason"), pick("", "on", "%", "-1", "\x00", victim, "/admin", "' OR 1=1 --"))
		}
		fields := url.Values{}
		for range random.IntN(5) {
			fields.Set(pick("reason", "groups", "group", "from", "grace", "account", "admin"), pick("", "because", "admin", "-", "2020-01-01", "0", victim))
		}
		name := pick("nobody", "half", "ana", "off")
		req := who[name].request(r.method, path+"?"+query.Encode(), map[bool]string{true: fields.Encode()}[r.method == "POST"])
		if p := who[name].send(req); p.status < 300 || p.status >= 500 || strings.Contains(p.body, adaEmail) {
			t.Errorf("%d: %s: %s: status %d", i, name, p.request, p.status)
		}
	}
	ana.get(adminPath).is(403).titled("That did not work").says("Only administrators can open this page.").hides(adaEmail)
	ana.post(accountPath+victim+"/delete", "reason", "because").is(403).titled("Error: That did not work")
	if after := ada.get(adminPath).text("main"); after != before {
		t.Errorf("something has changed: %s", after)
	}
}

// Who is none any more is none at once, in sessions that live as well.
func TestWhoIsNoAdministratorAnyMore(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	ana := d.account(t, d.anaWithApp(t).email)
	reset := accountPath + string(ana.ID) + "/reset"
	ada.get(reset).is(200)
	d.member(t, d.account(t, adaEmail).ID)
	ada.post(reset, "reason", "because").is(403)
	ada.get(adminPath).is(403)
	ada.get(security).is(200).hides("Accounts")
	if a := d.account(t, ana.Login); !a.TwoStep {
		t.Error("it was reset")
	}
}

// An administrator with a password alone is led to turn 2-step verification on.
func TestAnAdministratorWithoutTwoSteps(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.called(t, adaEmail, "Ada", twinlatch.AdminGroup)
	ada.get(security).is(200).offers(adminPath)
	ada.get(adminPath).is(403).titled("Turn on 2-step verification first").offers(security)
	ada.post(requirePath, "reason", "because").is(403).titled("Error: Turn on 2-step verification first")
	ada.enroll()
	ada.get(adminPath).is(200)
}

// A backup code opens no other account.
func TestAnAdministratorAfterABackupCode(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	codes := ada.backupCodes()
	other := ada.elsewhere()
	other.signIn().goes("/verify")
	other.post("/recover", "code", codes[0]).is(303)
	other.get(adminPath).is(403).says("A backup code is not enough for this. Add a new method first.")
	ada.get(adminPath).is(200)
}

// With a proof that is out of date one looks; for a change it is asked for before
// anything is typed, and one comes back to where it was to be made.
func TestAnActAsksForAFreshProof(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	ana := d.account(t, d.anaWithApp(t).email)
	ada.outOfDate()
	ada.get(adminPath).is(200)
	ada.get(accountPath + string(ana.ID)).is(200)
	reset := accountPath + string(ana.ID) + "/reset"
	to := "/verify?return_to=" + url.QueryEscape(reset)
	ada.get(reset).goes(to)
	ada.post(reset, "reason", "because").goes(to)
	ada.post(reset).goes(to) // also without a reason
	ada.post(to, "code", ada.code()).goes(reset)
	ada.get(reset).is(200).titled("Reset 2-step verification for Ana?")
}

// Nobody is their own administrator.
func TestOwnAccount(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	own := accountPath + string(d.account(t, adaEmail).ID)
	p := ada.get(own).is(200).says("This is your own account. You change it in Settings.").offers(security)
	for _, act := range acts() {
		if slices.Contains(p.links(), own+"/"+act.verb) {
			t.Errorf("offers to %s", act.verb)
		}
		ada.get(own + "/" + act.verb).is(403).says("You cannot change your own account here. Use Settings.")
		ada.post(own+"/"+act.verb, "reason", "because", "groups", "").is(403).says("You cannot change your own account here. Use Settings.")
	}
	ada.get(own).is(200).says("On", "admin")
	if p := ada.get(adminPath); slices.Contains(p.links(), own+"/reset") {
		t.Error("the list offers to reset it")
	}
}

// An account that is no account is no page.
func TestAccountsThatAreNone(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	if err := d.env.Require(t.Context(), operator(), twinlatch.Requirement{Group: "x", From: d.env.Clock.Now()}, twinlatch.Client{}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"x", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "systemsystemsystemsystemsy", "%00", "%F0%9F%90%9F", strings.Repeat("a", 1000), "..%2f.."} {
		ada.get(accountPath + id).is(404)
		for _, act := range acts() {
			ada.get(accountPath + id + "/" + act.verb).is(404)
			ada.post(accountPath+id+"/"+act.verb, "reason", "because", "groups", "staff").is(404)
		}
	}
}

// Forms that no page of ours sends are refused before anything is done.
func TestMalformedPostsOfAdministrators(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	ana := accountPath + string(d.account(t, d.anaWithApp(t).email).ID)
	before := ada.get(ana).text("main")
	for path, body := range map[string]string{ana + "/reset": "reason=because", ana + "/groups": "groups=staff&reason=because", requirePath: "from=2026-12-01&grace=1&reason=because"} {
		for name, c := range malformed(body) {
			r := ada.request("POST", path, c.body)
			r.Header.Set("Content-Type", c.contentType)
			if c.contentType == "" {
				r.Header.Del("Content-Type")
			}
			if p := ada.send(r); p.status != c.status {
				t.Errorf("%s %s: status %d, want %d", path, name, p.status, c.status)
			}
		}
		r := ada.request("POST", path, body)
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		ada.send(r).is(http.StatusForbidden)
	}
	if after := ada.get(ana).text("main"); after != before {
		t.Errorf("something has changed: %s", after)
	}
	ada.get(requirePath).is(200).says("Nobody has to use it.")
}

// Hostile names stay text on every page of administrators.
func TestHostileNamesBeforeAdministrators(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	for i, name := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</title><style>*{}</style>`, "{name}", "{{.}}", "שלום עולם", "%s%n"} {
		a := d.made(t, fmt.Sprintf("hostile%d@example.com", i), name)
		ada.own = append(ada.own, name)
		ada.get(adminPath + "?q=" + url.QueryEscape(name)).is(200).says(name)
		ada.get(accountPath + string(a.ID)).is(200).says(name).titled("Account: " + name)
		ada.get(accountPath + string(a.ID) + "/disable").is(200).says("Disable " + name + "?").titled("Disable " + name + "?")
		ada.post(accountPath+string(a.ID)+"/disable", "reason", name).is(303)
		ada.get(accountPath + string(a.ID)).is(200).says("Reason: " + name)
		ada.get(trailPath).is(200).says("Reason: " + name)
	}
}
