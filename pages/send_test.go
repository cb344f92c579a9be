package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

const (
	wrongText = "That code is not right. Check the newest text message and try again."
	expired   = "That code has expired Codes work for 10 minutes. We have just sent a new one to •••• "
	ask       = "/verify/ask"
	pickText  = "/verify/pick/text"
)

// At sign-in the code comes at once, and to the number asked first.
func TestSignInSendsTheCode(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one, two)
	ana.post(security + "/factors/" + factorIDs(ana.get(security))[1] + "/prefer").goes(security)
	half := ana.elsewhere()
	net.sends(t, 1, func() { half.signIn().goes("/verify") })
	code := net.code(t, two)
	p := half.get("/verify").is(200).titled("Check your text messages").
		says("Step 2 of 2", "We sent a 6-digit code to •••• 42the phone number ending in 42. It works for 10 minutes.", "6-digit code", "For example, 123 456",
			"No text message?", "Send again in", "You can send another code in 30 seconds.", "Use another phone number", "Try another way", "Back to sign in").
		offers("/verify", ask, pickText, "/verify/ways", "/sign-in").focuses("code").hides("You are still signed in")
	if box := p.input("code"); !has(box, "data-sms") || attr(box, "autocomplete") != "one-time-code" || attr(box, "maxlength") != "200" {
		t.Errorf("the box is %v", box.Attr)
	}
	if p.countdown() != "w30" {
		t.Errorf("counts down from %q", p.countdown())
	}
	half.post("/verify", "code", code).goes(security)
	half.get(security).is(200).says("Signed in: Text message", "Last used today")
}

// Somebody who is asked for something else first gets no message.
func TestSignInWithAnAppSendsNothing(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithApp(t)
	ana.wait(time.Second) // so that the two have an order
	ana.addNumber(net, one)
	ana.wait(firstWait)
	half := ana.elsewhere()
	net.sends(t, 0, func() {
		half.signIn().goes("/verify")
		p := half.get("/verify").is(200).titled("Enter the code from your authenticator app")
		if has(p.input("code"), "data-sms") {
			t.Error("the browser waits for a text message")
		}
	})
	ways := half.get("/verify/ways").is(200).says("Authenticator app Get a 6-digit code from your authenticator app", "Text message Get a 6-digit code on your phone").offers(ask)
	var factors []string
	for n := range ways.inputs("factor") {
		factors = append(factors, attr(n, "value"))
	}
	net.sends(t, 1, func() { half.post(ask, "factor", factors[1]).goes("/verify") })
	half.get("/verify").is(200).says("•••• 67").hides("Use another phone number")
	half.post(ask, "factor", factors[0]).goes("/verify") // and back to the app
	half.get("/verify").is(200).titled("Enter the code from your authenticator app")
	half.post("/verify", "code", half.code()).goes(security)
}

// Opening pages sends nothing: mail scanners and prefetching browsers do it.
func TestOpeningPagesSendsNothing(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one, two)
	half := ana.elsewhere()
	half.signIn().goes("/verify")
	moved := ana.withToken(ana.token())
	moved.ip = cafe4
	net.sends(t, 0, func() {
		for range 3 {
			for _, b := range []*browser{half.browser, ana.browser, moved} {
				for _, path := range []string{"/", "/verify", "/verify/ways", pickText, ask, "/recover", security, addText, "/sign-in", "/verify?factor=x&code=123456"} {
					b.get(path)
					b.send(b.request("HEAD", path, ""))
				}
			}
			ana.wait(15 * 24 * time.Hour) // the code is over, then the proof, then all sessions
		}
	})
}

// After 30 days and on a new network the code is sent by "Get code".
func TestGetCode(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one)
	back := "?return_to=" + url.QueryEscape(security)
	check := func(title string, says ...string) {
		t.Helper()
		ana.get(security).goes("/verify" + back)
		p := ana.get("/verify"+back).is(200).titled(title).says(says...).offers(ask+back, "/verify/ways"+back, "/sign-out").
			says("Where should we send the code?", "•••• 67", "Get code", "You are still signed in as ana@example.com.").hides("Step 2 of 2")
		fields := p.fields(ask + back)
		net.sends(t, 1, func() { ana.post(ask+back, fields...).goes("/verify" + back) })
		ana.get("/verify" + back).is(200).titled(title).says(says[1:]...).says("We sent a 6-digit code to •••• 67").focuses("code").offers("/verify" + back)
		ana.post("/verify"+back, "code", net.notCode(t, one)).refuses("code", wrongText+" You have 4 tries left.")
		ana.post("/verify"+back, "code", net.code(t, one)).goes(security)
		ana.get(security).is(200)
	}
	ana.wait(30 * 24 * time.Hour)
	check("It’s been 30 days", "We ask for a new code every 30 days, to be sure it is still you.")
	ana.wait(firstWait)
	ana.ip = cafe4
	check("You’re on a new network", "Your IP address has changed, so we ask for a new code.", "Your IP address now "+cafe4, "Last verified from "+home4)
}

// Several numbers: a choice, which tells them apart and tells nothing more.
func TestPickANumber(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one, two, like)
	ids := factorIDs(ana.get(security))
	ana.post(security+"/factors/"+ids[2]+"/rename", "name", "Zoë’s phone").goes(security)
	half := ana.elsewhere()
	half.signIn().goes("/verify")
	half.get("/verify").is(200).says("•••• 67").offers(pickText)
	p := half.get(pickText).is(200).titled("Where should we send the code?").offers(ask, "/verify/ways", "/sign-in").
		says("Step 2 of 2", "Your phone numbers", "•••• 0167the phone number ending in 0167", "•••• 42the phone number ending in 42",
			"•••• 0967the phone number ending in 0967 Zoë’s phone", "Get code").
		hides("7700", "Used last time")
	var checked, offered []string
	for n := range p.inputs("factor") {
		offered = append(offered, attr(n, "value"))
		if has(n, "checked") {
			checked = append(checked, attr(n, "value"))
		}
	}
	if !slices.Equal(offered, ids) || !slices.Equal(checked, ids[:1]) {
		t.Errorf("offers %q, chosen %q, of %q", offered, checked, ids)
	}
	net.sends(t, 1, func() { half.post(ask, "factor", ids[1]).goes("/verify") })
	half.get("/verify").is(200).says("•••• 42")
	half.post("/verify", "code", net.code(t, two)).goes(security)

	third := ana.elsewhere()
	third.signIn().goes("/verify")
	third.get(pickText).is(200).says("•••• 42the phone number ending in 42Used last time")
	third.get("/verify/ways").is(200).says("Text message").offers(pickText)
}

// A message goes to who was asked; the code of one number is not one for another.
func TestCodeOfAnotherNumber(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one, two)
	ids := factorIDs(ana.get(security))
	half := ana.elsewhere()
	half.signIn().goes("/verify")
	first := net.code(t, one)
	half.post(ask, "factor", ids[1]).goes("/verify")
	half.post("/verify", "code", first).refuses("code", wrongText+" You have 4 tries left.")
	// Nor is one for another session, or for a set-up.
	other := ana.elsewhere()
	other.wait(firstWait)
	other.signIn().goes("/verify")
	other.post("/verify", "code", net.code(t, two)).refuses("code", wrongText+" You have 3 tries left.")
	confirm := ana.post(addText, "phone", like).is(303).location
	half.post("/verify", "code", net.code(t, like)).refuses("code", wrongText+" You have 2 tries left.")
	ana.post(confirm, "code", net.code(t, two)).is(422)
	code := net.code(t, two)
	half.post("/verify", "code", code).goes(security)
	again := ana.elsewhere() // and each once
	again.wait(laterWait)
	again.signIn().goes("/verify")
	again.post("/verify", "code", code).refuses("code", wrongText+" You have 4 tries left.")
}

func TestSendAgainAtSignIn(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one).elsewhere()
	began := ana.now()
	ana.signIn().goes("/verify")
	fields := ana.get("/verify").fields(ask)
	net.sends(t, 0, func() {
		ana.wait(10 * time.Second)
		p := ana.post(ask, fields...).is(429).titled("Error: Check your text messages").notes("Wait 20 seconds before you send another code.").
			says("We sent a 6-digit code to •••• 67").focuses("code").offers("/verify", ask, "/verify/ways")
		if after := p.header.Get("Retry-After"); after != "20" || p.countdown() != "w30" {
			t.Errorf("Retry-After %s, counts down from %s", after, p.countdown())
		}
	})
	ana.wait(20 * time.Second)
	if shown := ana.get("/verify").countdown(); shown != "" {
		t.Errorf("counts down from %q", shown)
	}
	net.sends(t, 1, func() { ana.post(ask, fields...).goes("/verify") })
	got := net.got(one)
	if got[len(got)-1] != got[len(got)-2] {
		t.Errorf("another message: %q", got)
	}
	if shown := ana.get("/verify").countdown(); shown != "w60" {
		t.Errorf("counts down from %q", shown)
	}
	ana.wait(10*time.Minute - time.Second - ana.now().Sub(began))
	ana.post("/verify", "code", net.notCode(t, one)).refuses("code", wrongText+" You have 4 tries left.")
	ana.post("/verify", "code", net.code(t, one)).goes(security)
}

// A code that came too late: the same answer says so, and has a new one sent.
func TestExpiredCode(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one, two)
	ids := factorIDs(ana.get(security))
	ana.ip = cafe4
	ana.post(ask, "factor", ids[1]).goes("/verify")
	old := net.code(t, two)
	ana.wait(10*time.Minute - time.Second)
	ana.post("/verify", "code", net.notCode(t, two)).refuses("code", wrongText+" You have 4 tries left.")
	ana.wait(time.Second)
	net.sends(t, 1, func() {
		p := ana.post("/verify?return_to=%2Fhelp", "code", old).is(422).titled("Error: You’re on a new network").says(expired+"42", "6-digit code").
			focuses("code").offers("/verify?return_to=%2Fhelp").hides("We sent a 6-digit code", "not right")
		if p.countdown() != "w30" {
			t.Errorf("counts down from %q", p.countdown())
		}
	})
	ana.post("/verify", "code", old).refuses("code", wrongText+" You have 3 tries left.") // for five in all, not each
	ana.post("/verify?return_to=%2Fhelp", "code", net.code(t, two)).goes("/help")

	// At sign-in the page is over with the code: the password is asked again.
	half := ana.elsewhere()
	net.sends(t, 1, func() { half.signIn().goes("/verify") })
	half.wait(10 * time.Minute)
	net.sends(t, 0, func() { half.post("/verify", "code", net.code(t, one)).goes("/sign-in") })
}

// The number was removed while its code was on the way.
func TestCodeOfARemovedNumber(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one, two)
	ids := factorIDs(ana.get(security))
	half := ana.elsewhere()
	half.signIn().goes("/verify")
	half.post(ask, "factor", ids[1]).goes("/verify")
	ana.wait(firstWait)
	ana.post(ask, "factor", ids[1]).goes("/verify")
	ana.post(security + "/factors/" + ids[1] + "/remove").goes(security)
	net.sends(t, 0, func() { half.post("/verify", "code", net.code(t, two)).goes("/sign-in") }) // other sessions ended with it
	net.sends(t, 1, func() { ana.post("/verify", "code", net.code(t, two)).is(422).says(expired + "67") })
	ana.post(ask, "factor", ids[1]).is(404)
	ana.post(security + "/factors/" + ids[0] + "/remove").goes(security)
	net.sends(t, 0, func() {
		ana.post("/verify", "code", net.code(t, one)).goes(security)
		ana.post(ask).goes(security)
	})
	ana.get(security).says("2-step verification is off")
}

func TestFiveWrongCodesByText(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one).elsewhere()
	ana.signIn().goes("/verify")
	for _, left := range []string{"4 tries", "3 tries", "2 tries", "1 try"} {
		ana.post("/verify", "code", net.notCode(t, one)).refuses("code", wrongText+" You have "+left+" left.")
	}
	net.sends(t, 0, func() {
		ana.post("/verify", "code", net.notCode(t, one)).is(422).notes("That was too many tries for this code. Use a new code.").says("Get code").offers(ask, "/verify/ways")
		ana.post("/verify", "code", net.code(t, one)).is(429).notes("Wait 30 seconds before you send another code.") // it is dead
	})
	ana.wait(firstWait)
	net.sends(t, 1, func() { ana.post(ask, ana.get("/verify").fields(ask)...).goes("/verify") })
	ana.post("/verify", "code", net.code(t, one)).goes(security)
}

// Nothing that is posted at the second step names a number.
func TestSecondStepNamesNoNumber(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana, bo := d.anaWithNumbers(t, net, one, two), d.person(t, "bo@example.com")
	bo.addNumber(net, like)
	theirs := factorIDs(bo.get(security))[0]
	ids := factorIDs(ana.get(security))
	half := ana.elsewhere()
	half.signIn().goes("/verify")
	for _, path := range []string{"/verify", "/verify/ways", pickText, "/recover", "/help"} {
		p := half.get(path).is(200)
		if strings.Contains(p.body, "7700") || strings.Contains(p.body, "900") {
			t.Errorf("%s shows a number", path)
		}
		for n := range p.all("input") {
			if name := attr(n, "name"); name != "factor" && name != "code" && attr(n, "aria-hidden") != "true" {
				t.Errorf("%s asks for %q", path, name)
			}
		}
	}
	net.sends(t, 0, func() {
		for _, factor := range []string{theirs, one, two, like, "+49 1512 3456789", "x", "\x00", strings.Repeat("a", 10000)} {
			half.post(ask, "factor", factor, "phone", "+491512345678").is(404)
		}
	})
	const evil = "+491512345678"
	ana.ip = cafe4
	ana.post(ask, "factor", ids[1], "phone", evil, "number", evil, "to", evil, "challenge", evil).goes("/verify")
	ana.wait(10 * time.Minute)
	ana.post("/verify", "code", "123456", "phone", evil, "number", evil, "factor", ids[0], "to", evil).is(422)
	if n := len(net.got(evil)); n > 0 {
		t.Errorf("%d messages to a number from outside", n)
	}
	if n := len(net.got(two)); n != 3 { // set up, asked, and again because it was over
		t.Errorf("%d messages to the number that was chosen", n)
	}
}

// "Get code" twenty times at once sends one message.
func TestGetCodeInParallel(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one, two)
	ids := factorIDs(ana.get(security))
	check := func(sent int, answers func() []*page) {
		t.Helper()
		net.sends(t, sent, func() {
			for _, a := range answers() {
				if a.status != http.StatusSeeOther && a.status != http.StatusTooManyRequests {
					t.Errorf("status %d: %s", a.status, a.text("main"))
				}
			}
		})
	}
	half := ana.elsewhere()
	half.signIn().goes("/verify")
	check(1, func() []*page { return half.together(20, ask, "factor", ids[1]) })
	check(0, func() []*page { return half.together(20, ask, "factor", ids[1]) })
	ana.wait(firstWait)
	check(1, func() []*page { return half.together(20, ask, "factor", ids[1]) })
	half.post("/verify", "code", net.code(t, two)).goes(security)
	check(1, func() []*page { return ana.together(20, addText, "phone", like) })
}

// inputs are those with a name.
func (p *page) inputs(name string) func(yield func(*html.Node) bool) {
	return func(yield func(*html.Node) bool) {
		for n := range p.all("input") {
			if attr(n, "name") == name && !yield(n) {
				return
			}
		}
	}
}

// fields are what the form with an address posts when nothing in it is changed.
func (p *page) fields(action string) (fields []string) {
	p.t.Helper()
	p.offers(action)
	for form := range p.all("form") {
		if strings.ReplaceAll(attr(form, "action"), "%2f", "%2F") != action {
			continue
		}
		for n := range form.Descendants() {
			if n.Data == "input" && (attr(n, "type") != "radio" || has(n, "checked")) {
				fields = append(fields, attr(n, "name"), attr(n, "value"))
			}
		}
		return fields
	}
	return nil
}
