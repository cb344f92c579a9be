package pages

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

const (
	notDelivered = "Your text message was not delivered"
	down         = "We cannot send text messages at the moment. Try another way, or try again later."
)

// The network refuses the number, or says later that it could not deliver.
func TestUndelivered(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(d *door, net *carrier, half *person){
		"refused": func(_ *door, net *carrier, half *person) {
			net.says(twinlatch.ErrBadRecipient)
			half.signIn().goes("/verify")
			net.says(nil)
		},
		"a receipt": func(d *door, net *carrier, half *person) {
			half.signIn().goes("/verify")
			half.get("/verify").is(200).titled("Check your text messages")
			m := net.taken[len(net.taken)-1]
			if err := d.env.Receive(t.Context(), twinlatch.Receipt{Sender: "carrier", Message: m.ID, Delivery: twinlatch.Failed, Detail: "27 absent"}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, net := textDoor(t)
			ana := d.anaWithNumbers(t, net, one, two)
			half := ana.elsewhere()
			lose(d, net, half)
			p := half.get("/verify?return_to=%2Fhelp").is(200).titled("Error: "+notDelivered).
				says("Step 2 of 2", "The phone network did not deliver the code to •••• 67the phone number ending in 67.", "What you can do",
					"Check that your phone is on and has signal. Wait a minute, then send the code again. If it still does not arrive, try another way.",
					"You can send another code in 30 seconds.", "Use another phone number", "Try another way", "Back to sign in").
				offers(ask+"?return_to=%2Fhelp", pickText+"?return_to=%2Fhelp", "/verify/ways?return_to=%2Fhelp", "/sign-in?return_to=%2Fhelp").hides("7700")
			if n := count(p.inputs("code")); n > 0 {
				t.Error("asks for a code that did not arrive")
			}
			fields := p.fields(ask + "?return_to=%2Fhelp")
			net.sends(t, 0, func() {
				half.post(ask+"?return_to=%2Fhelp", fields...).is(429).titled("Error: " + notDelivered).notes("Wait 30 seconds before you send another code.").says("What you can do")
			})
			half.post("/verify", "code", "000 00").refuses("code", "Enter all 6 digits.") // it arrived after all
			ana.wait(firstWait)
			net.sends(t, 1, func() { half.post(ask+"?return_to=%2Fhelp", fields...).goes("/verify?return_to=%2Fhelp") })
			half.get("/verify").is(200).titled("Check your text messages")
			half.post("/verify?return_to=%2Fhelp", "code", net.code(t, one)).goes("/help")
		})
	}
}

// The new code for an expired one did not arrive either.
func TestUndeliveredAnew(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one)
	ana.ip = cafe4
	ana.post(ask).goes("/verify")
	ana.wait(10 * time.Minute)
	net.says(twinlatch.ErrBadRecipient)
	ana.post("/verify", "code", net.code(t, one)).is(422).titled("Error: " + notDelivered).hides("We have just sent a new one")
	ana.wait(10 * time.Minute)
	net.says(errors.New("out of order"))
	ana.post("/verify", "code", net.code(t, one)).is(422).says(down).hides("We have just sent a new one").focuses("code")
}

func TestUndeliveredAtSetUp(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.ana(t)
	net.says(twinlatch.ErrBadRecipient)
	confirm := ana.post(addText, "phone", one).is(303).location
	ana.get(confirm).is(200).says(notDelivered, "Check that your phone is on and has signal. Wait a minute, then send the code again.", "+44 7700 900167", "Change phone number", "You can send another code in 30 seconds.").
		offers(addText, confirm)
	net.says(nil)
	confirm = ana.post(addText, "phone", two).is(303).location
	ana.get(confirm).is(200).hides(notDelivered)
	ana.post(confirm, "code", net.code(t, two)).goes(security)
}

// While no sender works the message waits, and so may the person.
func TestNoSenderWorks(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.ana(t)
	outOfOrder := errors.New("out of order")
	net.says(outOfOrder)
	confirm := ana.post(addText, "phone", one).is(303).location
	ana.get(confirm).is(200).says(down, "Change phone number").hides("We sent").focuses("code").offers(confirm, addText)
	net.says(nil)
	ana.wait(time.Minute)
	d.deliver(t, 1)
	ana.get(confirm).is(200).hides(down).says("We sent a 6-digit code to +44 7700 900167.")
	ana.post(confirm, "code", net.code(t, one)).goes(security)

	half := ana.elsewhere()
	net.says(outOfOrder)
	half.signIn().goes("/verify")
	half.get("/verify").is(200).titled("Check your text messages").says(down, "6-digit code", "Send again", "Try another way").
		hides("We sent", notDelivered).focuses("code").offers("/verify", ask, "/verify/ways")
	net.says(nil)
	net.sends(t, 1, func() {
		ana.wait(2 * time.Second)
		d.deliver(t, 1)
		ana.wait(time.Hour / 60)
		d.deliver(t, 0)
	})
	half.get("/verify").is(200).hides(down).says("We sent a 6-digit code to •••• 67")
	half.post("/verify", "code", net.code(t, one)).goes(security)
}

// deliver does what the server does again and again.
func (d *door) deliver(t *testing.T, want int) {
	t.Helper()
	if n, err := d.env.Deliver(t.Context()); n != want || err != nil {
		t.Errorf("%d messages were due, want %d: %v", n, want, err)
	}
}

// A country that is not served any more: nobody carries the message.
func TestNobodyCarries(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithApp(t)
	ana.wait(time.Second)
	ana.addNumber(net, one)
	ids := factorIDs(ana.get(security))
	net.says(twinlatch.ErrNoRoute)
	ana.wait(firstWait)
	half := ana.elsewhere()
	half.signIn().goes("/verify")
	half.post(ask, "factor", ids[1]).goes("/verify")
	half.get("/verify").is(200).titled("Error: " + notDelivered)
	half.post(ask, "factor", ids[0]).goes("/verify")
	half.post("/verify", "code", half.code()).goes(security)
}

// A number gets so many messages and no more, whoever asks. Other ways remain.
func TestLimitReached(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.ana(t)
	ana.addNumber(net, one)
	ana.wait(time.Second)
	ana.app = ana.enroll()
	codes := ana.backupCodes()
	ids := factorIDs(ana.get(security))
	for range 5 {
		ana.wait(laterWait)
		half := ana.elsewhere()
		net.sends(t, 1, func() { half.signIn().goes("/verify") })
	}
	ana.wait(laterWait)
	half := ana.elsewhere()
	net.sends(t, 0, func() {
		half.signIn().goes("/verify")
		p := half.get("/verify").is(200).titled("Where should we send the code?").says("Step 2 of 2", "•••• 67", "Get code", "Try another way")
		p = half.post(ask, p.fields(ask)...).is(429).titled("Error: Where should we send the code?").offers(ask, "/verify/ways", "/sign-in")
		minutes := p.find(`We cannot send more text messages now\. Wait ([0-9]+) minutes, or try another way\.`)
		if after := p.header.Get("Retry-After"); minutes != "55" || after != "3300" {
			t.Errorf("wait %s minutes, Retry-After %s", minutes, after)
		}
		half.post("/verify", "code", "123456").is(429).says("We cannot send more text messages now.") // nothing is asked yet
		half.get("/verify/ways").is(200).says("Authenticator app", "Backup codes").offers("/recover")
		other := half.elsewhere()
		other.signIn().goes("/verify")
		other.post("/recover", "code", codes[0]).goes(security)
		half.post(ask, "factor", ids[0]).goes("/verify") // the app
		half.post("/verify", "code", half.code()).goes(security)
	})
	ana.wait(time.Hour)
	half = ana.elsewhere()
	net.sends(t, 1, func() { half.signIn().goes("/verify") })
}

// A number that nobody has confirmed gets so many messages as well, whosever
// account asks.
func TestLimitReachedAtSetUp(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana, bo := d.ana(t), d.person(t, "bo@example.com")
	for range 5 {
		net.sends(t, 1, func() { ana.post(addText, "phone", one).is(303) })
		ana.wait(laterWait)
	}
	net.sends(t, 0, func() {
		p := bo.post(addText, "phone", one).is(429).titled("Error: Set up text messages").offers(addText, security).keeps("phone", one)
		p.notes("We cannot send more text messages now. Wait " + p.find(`Wait ([0-9]+) minutes`) + " minutes, or try another way.")
		if p.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
}

// The limit is reached while a code is under way: that one still counts.
func TestLimitReachedOnTheCodePage(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t, func(c *twinlatch.Config) { c.Sending.PerHour = 2 })
	ana := d.anaWithNumbers(t, net, one)
	ana.ip = cafe4
	back := "?return_to=" + url.QueryEscape(security)
	ana.post(ask + back).goes("/verify" + back)
	ana.wait(firstWait)
	net.sends(t, 0, func() {
		p := ana.post(ask+back, ana.get("/verify"+back).fields(ask+back)...).is(429).says("We sent a 6-digit code to •••• 67").focuses("code").offers("/verify"+back, "/verify/ways"+back)
		p.notes("We cannot send more text messages now. Wait " + p.find(`Wait ([0-9]+) minutes`) + " minutes, or try another way.")
	})
	ana.post("/verify"+back, "code", net.code(t, one)).goes(security)
}

// Without senders the server offers no text messages; who has a number only
// learns that none can be sent, and how else it goes.
func TestSendersAreGone(t *testing.T) {
	t.Parallel()
	d, net := textDoor(t)
	ana := d.anaWithNumbers(t, net, one)
	codes := ana.backupCodes()
	gone := withoutSenders(t, d)
	half := ana.elsewhere()
	half.door = gone
	half.signIn().goes("/verify")
	half.post(ask, half.get("/verify").is(200).fields(ask)...).is(503).notes(down).offers("/verify/ways")
	half.post("/recover", "code", codes[0]).goes(security)
	half.post(addText, "phone", two).is(503).notes(down).keeps("phone", two)
}

// withoutSenders is the same door after a restart without senders.
func withoutSenders(t *testing.T, d *door) *door {
	t.Helper()
	env, gone := *d.env, *d
	env.Config.Sending.Senders = nil
	var err error
	if env.Service, err = twinlatch.New(t.Context(), env.Config); err != nil {
		t.Fatal(err)
	}
	cfg := d.cfg
	cfg.Service, gone.env = env.Service, &env
	if gone.Pages, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return &gone
}
