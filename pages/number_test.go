package pages

import (
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/text"
)

// How long until a code may be sent again, the first time and then.
const (
	firstWait = 30 * time.Second
	laterWait = time.Minute
)

func TestSetUpTextMessages(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.ana(t)
	ana.get(security).is(200).says("Text message We send a PIN code to your phone. Needs a phone signal. Enable Text message").offers(addText)
	form := ana.get(addText).is(200).titled("Set up text messages").offers(addText, security).
		says("Phone number", "Start with + and the country code, for example +44 7700 900167", "We use this number only to send you codes.", "Get code",
			"Text messages can be read by someone who takes over your phone number.").
		hides("Nothing changes until you confirm.").focuses("phone")
	for name, want := range map[string]string{"type": "tel", "inputmode": "tel", "autocomplete": "tel", "dir": "ltr", "value": ""} {
		if got := attr(form.input("phone"), name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	var confirm string
	net.sends(t, 1, func() { confirm = ana.post(addText, "phone", "+44 7700 900167").is(303).location })
	setup := ana.get(confirm).is(200).titled("Set up text messages").offers(confirm, addText, security).focuses("code").
		says("We sent a 6-digit code to +44 7700 900167. Change phone number", "6-digit code", "Confirm", "Cancel", "You can send another code in 30 seconds.", "Send again")
	for name, want := range map[string]string{"type": "text", "inputmode": "numeric", "autocomplete": "one-time-code", "maxlength": "200", "dir": "ltr"} {
		if got := attr(setup.input("code"), name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !has(setup.input("code"), "data-sms") {
		t.Error("the browser is not told that the code comes by text message")
	}
	ana.get(security).is(200).says("2-step verification is off")
	net.sends(t, 0, func() { ana.post(confirm, "code", net.code(t, one)).goes(security) })
	ana.get(security).is(200).
		says("2-step verification is on", "Text message On Asked first 1 phone number", "+44 7700 900167", "Added 23 Nov 2026.", "Add phone number",
			"Added: Text message, •••• 67", "You have one method only.").offers(addText)
	if log := d.log.String(); strings.Contains(log, "7700") || strings.Contains(log, net.code(t, one)) {
		t.Errorf("the log tells numbers or codes: %s", log)
	}
}

func TestNumbersInUsualWriting(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{
		"+447700900167", " +44 7700 900 167 ", "+44 (0)7700 900167", "+44-7700-900-167", "+44.7700.900.167", "0044 7700 900167", "tel:+44-7700-900167",
		"\u202a+44 7700 900167\u202c", "+44\u00a07700\u00a0900167", "＋４４７７００９００１６７", "+٤٤٧٧٠٠٩٠٠١٦٧",
	} {
		t.Run(typed, func(t *testing.T) {
			t.Parallel()
			d, net := textDoor(t)
			ana := d.ana(t)
			confirm := ana.post(addText, "phone", typed).is(303).location
			ana.get(confirm).is(200).says("We sent a 6-digit code to +44 7700 900167.")
			ana.post(confirm, "code", net.code(t, one)).goes(security)
			ana.get(security).says("+44 7700 900167")
		})
	}
}

func TestNumbersThatGetNoMessages(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t, func(c *twinlatch.Config) {
		c.Methods = textMethods(t, func(c *text.Config) { c.Countries = []string{"GB", "US"} })
	})
	ana := d.ana(t)
	const full = "Enter a full phone number with its country code, for example +44 7700 900167."
	const cannot = "This number cannot receive text messages. Use a mobile number."
	const country = "We cannot send text messages to this country. Use another number, or another method."
	net.sends(t, 0, func() {
		for typed, message := range map[string]string{
			"":                              full,
			"   ":                           full,
			"+":                             full,
			"+44":                           full,
			"+44 7700":                      full,
			"+44 7700 90016":                full, // one too short
			"+44 7700 9001678":              full, // and one too long
			"07700 900167":                  full, // of which country?
			"7700900167":                    full,
			"+44 7700 HELLO1":               full,
			"call me":                       full,
			"+44 7700 900167 ext. 5":        full,
			"+44 7700 900167, 07700900542":  full,
			"+44+7700900167":                full,
			"+999 1234567":                  full, // no such country
			"+" + strings.Repeat("4", 39):   full,
			strings.Repeat("+447700", 5000): full,
			"ana@example.com":               full,
			"<script>alert(1)</script>":     full,
			"'; DROP TABLE factors; --":     full,
			"+44 7700\x00900167":            full,
			"+44 9098 790000":               cannot, // premium rate
			"+1 900 555 0123":               cannot,
			"+1 800 555 0123":               cannot, // toll-free
			"+881 6 2345 6789":              cannot, // satellites
			"+870 773 111 632":              cannot,
			"+44 20 7946 0018":              cannot,  // fixed line
			"+1 876 210 1234":               country, // Jamaica, not the United States
			"+49 1512 3456789":              country,
		} {
			ana.post(addText, "phone", typed).refuses("phone", message).focuses("phone").keeps("phone", typed).offers(addText, security)
		}
		ana.post(addText).refuses("phone", full) // no field at all
		ana.post(addText+"?phone=%2B447700900167").refuses("phone", full)
	})
	ana.get(security).says("2-step verification is off")
}

func TestNumberTwice(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one)
	net.sends(t, 0, func() {
		for _, typed := range []string{one, "+44 (0)7700 900 167", "0044 7700 900167"} {
			ana.post(addText, "phone", typed).refuses("phone", "This phone number is already on your account.").keeps("phone", typed)
		}
	})
	// Somebody else may have the same one: a family shares a phone.
	bo := d.person(t, "bo@example.com")
	bo.addNumber(net, one)

	// In two windows at once: the second to confirm is told.
	other := ana.elsewhere()
	ana.wait(firstWait)
	other.signIn().goes("/verify")
	other.post("/verify", "code", net.code(t, one)).goes(security)
	first := ana.post(addText, "phone", two).is(303).location
	code := net.code(t, two)
	ana.wait(firstWait)
	second := other.post(addText, "phone", two).is(303).location
	ana.post(first, "code", code).goes(security)
	other.post(second, "code", net.code(t, two)).is(422).says("This is already on your account.")
	if strings.Contains(d.log.String(), "request failed") {
		t.Error("the log takes it for a fault")
	}
}

// "Send again" sends the same code. It is not valid for longer, and has its time.
func TestSendAgainAtSetUp(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.ana(t)
	began := ana.now()
	confirm := ana.post(addText, "phone", one).is(303).location
	again := func() *page {
		form := ana.get(confirm).is(200)
		return ana.post(addText, "phone", attr(form.input("phone"), "value"), "challenge", attr(form.input("challenge"), "value"))
	}
	tooSoon := func(seconds string) {
		t.Helper()
		p := again().is(429).notes("Wait "+seconds+" seconds before you send another code.").titled("Error: Set up text messages").
			says("We sent a 6-digit code to +44 7700 900167.").offers(confirm, addText).focuses("code")
		if after := p.header.Get("Retry-After"); after != seconds {
			t.Errorf("Retry-After %s, want %s", after, seconds)
		}
	}
	counts := func(class string) {
		t.Helper()
		p := ana.get(confirm).is(200)
		if shown := p.countdown(); shown != class {
			t.Errorf("counts down from %q, want %q", shown, class)
		}
	}
	net.sends(t, 0, func() {
		counts("w30")
		tooSoon("30")
		ana.wait(28 * time.Second)
		tooSoon("2")
		counts("w30")
		ana.wait(2 * time.Second)
		counts("")
	})
	net.sends(t, 1, func() { again().goes(confirm) })
	net.sends(t, 0, func() {
		counts("w60")
		tooSoon("60")
		ana.wait(29 * time.Second)
		counts("w60")
		ana.wait(time.Second)
		counts("w30")
		tooSoon("30")
		ana.wait(30 * time.Second)
		counts("")
	})
	net.sends(t, 1, func() { again().goes(confirm) })
	if got := net.got(one); got[0] != got[1] || got[1] != got[2] {
		t.Errorf("the messages are %q", got)
	}
	ana.wait(10*time.Minute - time.Second - ana.now().Sub(began))
	ana.post(confirm, "code", net.notCode(t, one)).refuses("code", "That code is not right. Check the newest text message and try again. You have 4 tries left.")
	ana.post(confirm, "code", net.code(t, one)).goes(security)

	// A second later it would have been over.
	confirm = ana.post(addText, "phone", two).is(303).location
	ana.wait(10 * time.Minute)
	ana.verifyByText(net, one)
	ana.get(confirm).is(410)
	ana.post(confirm, "code", net.code(t, two)).is(410)
	ana.get(security).hides("+44 7700 900542")
}

// Another number has another code; the number before is forgotten.
func TestChangeNumber(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.ana(t)
	wrong := ana.post(addText, "phone", one).is(303).location
	change := ana.get(wrong).is(200).link(addText)
	confirm := ana.post(change, "phone", two).is(303).location
	ana.get(confirm).is(200).says("We sent a 6-digit code to +44 7700 900542.").hides("900167")
	ana.post(confirm, "code", net.code(t, one)).refuses("code", "That code is not right. Check the newest text message and try again. You have 4 tries left.")
	ana.post(wrong, "code", net.code(t, one)).is(410)
	ana.get(wrong).is(410)
	ana.post(confirm, "code", net.code(t, two)).goes(security)
	ana.get(security).says("+44 7700 900542").hides("900167")
}

// The code box takes the whole message, with its lines or, as boxes of one line
// make it, without.
func TestWholeMessagePasted(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.ana(t)
	confirm := ana.post(addText, "phone", one).is(303).location
	ana.post(confirm, "code", net.newest(t, one)).goes(security)
	for _, decorate := range []func(string) string{
		func(s string) string { return s },
		func(s string) string { return strings.ReplaceAll(s, "\n", "") },
		func(s string) string { return "\r\n " + strings.ReplaceAll(s, "\n", "\r\n") + " \r\n" },
		func(s string) string { return s[:3] + " " + s[3:6] },
		func(s string) string { return s[:3] + "-" + s[3:6] },
		func(s string) string { return s[:len(s)-len("@twinlatch.test #123456")] },
	} {
		ana.wait(laterWait * 15)
		half := ana.elsewhere()
		half.signIn().goes("/verify")
		half.post("/verify", "code", decorate(net.newest(t, one))).goes(security)
	}
}

// Full numbers are for their owner, in Security.
func TestNumbersInSecurity(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one, two)
	p := ana.get(security).is(200).says("2 phone numbers", "+44 7700 900167", "+44 7700 900542", "Ask this first +44 7700 900542", "Remove +44 7700 900167").hides("Ask this first +44 7700 900167")
	ids := factorIDs(p)
	rename := security + "/factors/" + ids[1] + "/rename"
	ana.post(rename, "name", "Work").goes(security)
	ana.get(security).says("+44 7700 900542 Work", "Remove Work", "Renamed: Text message, Work")
	ana.post(security + "/factors/" + ids[1] + "/prefer").goes(security)
	ana.get(security).says("Asked first: Text message, Work", "Ask this first +44 7700 900167").hides("Ask this first Work")
	ana.get(security + "/factors/" + ids[1] + "/remove").is(200).titled("Remove +44 7700 900542?").says("You can still use: Text message.")
	ana.get(security + "/turn-off").is(200).says("2 phone numbers")
	ana.post(security + "/factors/" + ids[1] + "/remove").goes(security)
	ana.get(security).says("1 phone number", "+44 7700 900167", "Removed: Text message, Work").hides("900542")
	ana.get(security + "/factors/" + ids[0] + "/remove").is(200).titled("Remove +44 7700 900167?").says("This is your last method.")
	ana.post(security + "/turn-off").goes(security)
	ana.get(security).says("2-step verification is off", "Enable Text message").hides("900167")
}

// What the page of a set-up posts may be anything. A message goes to the number
// in it, as one that is being added, or to nobody; no other set-up is shown.
func TestSetUpOfAnother(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana, bo := d.ana(t), d.person(t, "bo@example.com")
	theirs := strings.TrimPrefix(bo.post(addText, "phone", one).is(303).location, security+"/confirm/")
	net.sends(t, 0, func() {
		for _, challenge := range []string{theirs, "x", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "\x00", strings.Repeat("a", 10000)} {
			ana.post(addText, "phone", one, "challenge", challenge).is(410).hides("900167") // this number has just got one
		}
		ana.post(security+"/confirm/"+theirs, "code", net.code(t, one)).is(410)
		ana.get(security + "/confirm/" + theirs).is(410)
	})
	mine := ana.post(addText, "phone", two, "challenge", theirs).is(303).location
	if mine == security+"/confirm/"+theirs {
		t.Error("the set-up of another person")
	}
	ana.post(mine, "code", net.code(t, two)).goes(security)
}
