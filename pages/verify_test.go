package pages

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch/method/totp"
)

func TestVerifyAsksForTheCode(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t).elsewhere()
	ana.signIn().goes("/verify")
	ana.get("/verify").is(200).titled("Enter the code from your authenticator app").
		says("Step 2 of 2", "Open your authenticator app and find the code for Twinlatch (ana@example.com).", "6-digit code", "For example, 123 456").
		focuses("code").offers("/verify", "/verify/ways", "/sign-in", "/help").hides("Settings", "You are still signed in")
	box := ana.get("/verify").input("code")
	for name, want := range map[string]string{"type": "text", "inputmode": "numeric", "autocomplete": "one-time-code", "maxlength": "12", "dir": "ltr"} {
		if got := attr(box, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	ana.verify().goes(security)
	ana.get(security).is(200)
	ana.get("/verify").goes(security) // there is nothing left to ask
}

// What cannot be a code is refused beside the field, and costs no try.
func TestVerifyRefusesWhatIsNoCode(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t).elsewhere()
	ana.signIn().goes("/verify")
	for code, message := range map[string]string{
		"":                         "Enter the 6-digit code.",
		"      ":                   "Enter the 6-digit code.",
		" - - ":                    "Enter the 6-digit code.",
		"12345":                    "Enter all 6 digits.",
		"1234567":                  "Enter all 6 digits.",
		"1":                        "Enter all 6 digits.",
		strings.Repeat("1", 64):    "Enter all 6 digits.",
		strings.Repeat("1", 65):    "Enter all 6 digits.",
		strings.Repeat("1", 60000): "Enter all 6 digits.",
		"abcdef":                   "The code has digits only.",
		"12345a":                   "The code has digits only.",
		"١٢٣٤٥٦":                   "The code has digits only.", // Arabic-Indic
		"１２３４５６":                   "The code has digits only.", // full width
		"123456\x00":               "The code has digits only.",
		"123\t456":                 "The code has digits only.",
		"123\r\n456":               "The code has digits only.",
		"+12345":                   "The code has digits only.",
		"1e5000":                   "The code has digits only.",
		"0x1234":                   "The code has digits only.",
		"123\u00a0456":             "The code has digits only.",
		"<b>123</b>":               "The code has digits only.",
		"k7m2-9xqd-4tbn-w3fq":      "The code has digits only.", // a backup code in the wrong box
	} {
		ana.post("/verify?return_to=%2Fhelp", "code", code).refuses("code", message).focuses("code").
			offers("/verify?return_to=%2Fhelp", "/verify/ways?return_to=%2Fhelp")
	}
	ana.post("/verify").refuses("code", "Enter the 6-digit code.") // no field at all
	ana.post("/verify?code="+ana.app.Code(ana.now())).refuses("code", "Enter the 6-digit code.")
	ana.post("/verify", "code", ana.wrongCode()).says("You have 4 tries left.")
}

// Spaces and hyphens between the digits are how people read codes.
func TestVerifyForgivesSpaces(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	for _, form := range []string{"abcdef", "abc def", "abc-def", " abcdef ", "a b c d e f", "ab cd ef"} {
		code := ana.code()
		typed := strings.NewReplacer("a", code[:1], "b", code[1:2], "c", code[2:3], "d", code[3:4], "e", code[4:5], "f", code[5:]).Replace(form)
		ana.post("/verify", "code", typed).goes(security)
	}
}

func TestVerifyCountsWrongCodes(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t).elsewhere()
	ana.signIn()
	const wrong = "That code is not right. Check your app for the newest code and try again."
	for _, left := range []string{" You have 4 tries left.", " You have 3 tries left.", " You have 2 tries left.", " You have 1 try left.", ""} {
		ana.post("/verify", "code", ana.wrongCode()).refuses("code", wrong+left).focuses("code").hides("Set the clock on your phone")
	}
	right := ana.post("/verify?return_to=%2Fhelp", "code", ana.app.Code(ana.now())).is(429)
	again := ana.post("/verify?return_to=%2Fhelp", "code", ana.wrongCode()).is(429)
	if right.body != again.body || right.header.Get("Retry-After") != again.header.Get("Retry-After") {
		t.Error("the answer tells a right code from a wrong one")
	}
	right.titled("Error: Too many tries").says("To protect your account, codes are paused for 1 minute").
		offers("/verify?return_to=%2Fhelp", "/verify/ways?return_to=%2Fhelp", "/sign-out")
	if after := right.header.Get("Retry-After"); after != "30" {
		t.Errorf("Retry-After %q", after)
	}

	// A new challenge, the password again, another browser: nothing gives tries back.
	ana.post("/verify/ask").goes("/verify")
	ana.post("/verify", "code", ana.app.Code(ana.now())).is(429)
	other := ana.elsewhere()
	other.signIn().goes("/verify")
	other.get("/verify").is(200)
	other.post("/verify", "code", other.app.Code(other.now())).is(429)

	ana.wait(30 * time.Second)
	ana.post("/verify", "code", ana.app.Code(ana.now())).goes(security)
	ana.get(security).is(200)
}

// Pauses double; after a day's twenty guesses the page says how long.
func TestVerifyPausesGrow(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t).elsewhere()
	ana.signIn()
	for range 4 {
		ana.post("/verify", "code", ana.wrongCode()).is(422)
	}
	for _, pause := range []struct {
		after, minutes string
		wait           time.Duration
	}{
		{"30", "1", 30 * time.Second}, {"60", "1", time.Minute}, {"120", "2", 2 * time.Minute}, {"240", "4", 4 * time.Minute}, {"480", "8", 8 * time.Minute},
	} {
		if p := ana.signIn(); p.status != 303 { // ten minutes are over soon
			t.Fatal(p.status)
		}
		ana.post("/verify", "code", ana.wrongCode()).is(422)
		p := ana.post("/verify", "code", ana.wrongCode()).is(429).says("codes are paused for " + pause.minutes + " minute")
		if after := p.header.Get("Retry-After"); after != pause.after {
			t.Errorf("Retry-After %s, want %s", after, pause.after)
		}
		ana.wait(pause.wait)
	}
}

func TestVerifyRefusesAUsedCode(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	const used = "That code was already used. Wait for your app to show the next one, at most 30 seconds."
	enrolled := ana.app.Code(ana.now())
	other := ana.elsewhere()
	other.signIn()
	other.post("/verify", "code", enrolled).refuses("code", used). // the one that confirmed the enrollment
									says("Codes from your app never work? Set the clock on your phone to automatic.").focuses("code")
	code := other.code()
	older := ana.app.Code(ana.now().Add(-30 * time.Second))
	other.post("/verify", "code", code).goes(security)
	for _, decorated := range []string{code, " " + code, code[:3] + " " + code[3:], strings.Join(strings.Split(code, ""), "-")} {
		third := ana.elsewhere()
		third.signIn()
		third.post("/verify", "code", decorated).refuses("code", used)
	}
	third := ana.elsewhere()
	third.signIn()
	third.post("/verify", "code", older).refuses("code", used) // it died with the newer one
	ana.wait(30 * time.Second)
	third.verify().goes(security)
}

// The page is opened before the codes come, and codes have an age, not pages.
func TestVerifyPageMayBeOpenForLong(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	ana.wait(30 * 24 * time.Hour)
	ana.get("/verify").is(200)
	old := ana.app.Code(ana.now())
	ana.wait(11 * time.Minute) // the challenge is over
	ana.post("/verify", "code", old).refuses("code", "That code is not right. Check your app for the newest code and try again. You have 4 tries left.")
	ana.verify().goes(security)
}

// Opening pages changes nothing: mail scanners and prefetching browsers do it.
func TestVerifyPageChangesNothing(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t).elsewhere()
	ana.signIn()
	token := ana.token()
	for range 20 {
		for _, path := range []string{"/verify", "/verify/ways", "/recover", "/verify?code=" + ana.app.Code(ana.now())} {
			ana.get(path).is(200)
		}
	}
	if ana.token() != token {
		t.Error("a new token")
	}
	ana.post("/verify", "code", ana.wrongCode()).says("You have 4 tries left.")
	ana.verify().goes(security)
}

func TestVerifySaysWhichNetwork(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	for _, c := range []struct{ ip, now, was string }{
		{cafe4, cafe4, home4}, {home6, home6, home4},
	} {
		b := ana.withToken(ana.token())
		b.ip = c.ip
		b.get("/verify").is(200).titled("You’re on a new network").
			says("Your IP address has changed, so we ask for a new code.", "Your IP address now "+c.now, "Last verified from "+c.was, "You are still signed in as ana@example.com.").
			hides("Step 2 of 2").offers("/sign-out")
	}
	b := ana.withToken(ana.token())
	b.nowhere()
	b.get("/verify").is(200).says("Your IP address now unknown", "Last verified from "+home4)
	b.post("/verify", "code", ana.code()).is(403).titled("Error: You’re on a new network").
		notes("We cannot tell which network you are on, so we cannot check a code now. Ask your administrator to check the proxy settings.")
	b.post("/recover", "code", "0000-0000-0000-0000").is(403).
		notes("We cannot tell which network you are on, so we cannot check a code now. Ask your administrator to check the proxy settings.")
	ana.get(security).is(200) // nothing of this changed the session
	ana.ip = cafe4
	ana.post("/verify", "code", ana.app.Code(ana.now())).goes(security) // the code from nowhere was not judged
	ana.ip = home4
	ana.get(security).goes("/verify?return_to=" + url.QueryEscape(security)) // back home asks again
}

func TestVerifyBeforeAChange(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	ana.outOfDate()
	ana.get(security).is(200)
	p := ana.post(security + "/turn-off").goes("/verify?return_to=" + url.QueryEscape(security+"/turn-off"))
	ana.get(p.location).is(200).titled("Confirm it’s you").says("Use your second step before you change how your account is protected.").hides("Step 2 of 2")
	ana.get(security).is(200) // the change was not made, nor is it when she comes back
	ana.post(p.location, "code", ana.code()).goes(security + "/turn-off")
	ana.get(security + "/turn-off").is(200).titled("Turn off 2-step verification?")
	ana.get(security).is(200).says("2-step verification is on")
}

func TestWays(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	second := ana.enroll() // a second app: still one row
	ana.backupCodes()
	other := ana.elsewhere()
	other.signIn()
	p := other.get("/verify/ways?return_to=%2Fhelp").is(200).titled("Choose another way").
		says("Step 2 of 2", "Authenticator app Get a 6-digit code from your authenticator app", "Backup codes Recovery only: use one of your 10 single-use codes").
		offers("/verify/ask?return_to=%2Fhelp", "/recover?return_to=%2Fhelp", "/sign-in?return_to=%2Fhelp")
	if n := strings.Count(p.body, `name="factor"`); n != 1 {
		t.Errorf("%d methods", n)
	}
	factor := p.find(`name="factor" value="([^"]+)"`)
	other.post("/verify/ask?return_to=%2Fhelp", "factor", factor).goes("/verify?return_to=%2Fhelp")
	other.wait(30 * time.Second)
	other.post("/verify?return_to=%2Fhelp", "code", second.Code(other.now())).goes("/help") // either app's code will do
}

// Without backup codes there is no way to them.
func TestWaysWithoutBackupCodes(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	ana.get("/verify/ways").is(200).hides("Backup codes").offers("/sign-out")
}

// Which factor is asked is a choice among one's own.
func TestAskTakesOwnFactorsOnly(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana, bo := d.anaWithApp(t), d.person(t, "bo@example.com")
	bo.app = bo.enroll()
	theirs := bo.get(security).find(`/factors/([a-z2-7]{26})/remove`)
	for _, factor := range []string{theirs, "x", "aaaaaaaaaaaaaaaaaaaaaaaaaa", string(totp.Kind), "\x00", strings.Repeat("a", 10000)} {
		ana.post("/verify/ask", "factor", factor).is(404).says("This page does not exist, or it is not yours.")
	}
	ana.post("/verify", "code", bo.app.Code(bo.now().Add(30*time.Second))).is(422)
}
