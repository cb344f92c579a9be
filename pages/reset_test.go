package pages

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// letterbox is where mails of a door arrive.
type letterbox struct {
	mu   sync.Mutex
	mail []letter
}

// letter is a mail for an event, with the token of its link.
type letter struct {
	to, token string
	of        twinlatch.EventType
}

func (*letterbox) Name() string                      { return "letterbox" }
func (*letterbox) Carries(by twinlatch.Channel) bool { return by == twinlatch.Email }

func (b *letterbox) Send(_ context.Context, m twinlatch.Message) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	of, token, _ := strings.Cut(m.Body.Reveal(), " ")
	b.mail = append(b.mail, letter{to: m.To.Reveal(), token: token, of: twinlatch.EventType(of)})
	return "", nil
}

// has makes a Service send mails into the box.
func (b *letterbox) has(c *twinlatch.Config) {
	c.Sending.Senders = append(c.Sending.Senders, b)
	c.Notice = func(_ twinlatch.Account, e twinlatch.Event, t twinlatch.Token) *twinlatch.Message {
		return &twinlatch.Message{Subject: "x", Body: twinlatch.NewSecret(string(e.Type) + " " + t.Reveal())}
	}
}

// withMail is a door that sends mails.
func withMail(t testing.TB, change ...func(*Config)) (*door, *letterbox) {
	t.Helper()
	box := new(letterbox)
	d := doorOn(t, twinlatchtest.Migrated(t), box.has, change...)
	d.box = box
	return d, box
}

// newest is the link in the newest mail for an event; empty: there is none.
func (b *letterbox) newest(t testing.TB, d *door, of twinlatch.EventType) (link string) {
	t.Helper()
	return b.newestTo(t, d, "", of)
}

// newestTo is newest of those to an address; empty: to anybody.
func (b *letterbox) newestTo(t testing.TB, d *door, to string, of twinlatch.EventType) (link string) {
	t.Helper()
	for tried := 1; tried > 0; {
		var err error
		if tried, err = d.env.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.mail {
		if m.of == of && (to == "" || m.to == to) {
			link = m.token
		}
	}
	return link
}

func TestAForgottenPassword(t *testing.T) {
	t.Parallel()
	d, box := withMail(t)
	ana := d.anaWithApp(t)
	b := d.browser(t)
	b.get("/sign-in").is(200).offers("/forgot")
	b.get("/forgot").is(200).titled("Reset your password").focuses("email").says("You will still be asked for your second step.")
	b.post("/forgot", "email", "nonsense").refuses("email", "Enter an e-mail address, for example ana@example.com.")

	known := b.post("/forgot", "email", anaEmail).is(200).titled("Check your e-mail").says("If there is an account for " + anaEmail)
	unknown := b.post("/forgot", "email", "nobody@example.com").is(200)
	if strings.ReplaceAll(known.body, anaEmail, "X") != strings.ReplaceAll(unknown.body, "nobody@example.com", "X") {
		t.Error("the answer tells who has an account")
	}
	link := "/reset/" + box.newest(t, d, twinlatch.EventResetAsked)
	b.get(link).is(200).titled("Choose a new password").focuses("password")
	b.post(link, "password", "short").refuses("password", "Use at least 12 characters.")
	b.post(link, "password", "five unrelated words are here").is(200).says("Your password is changed. Sign in with it.").offers("/sign-in")
	b.get(link).is(410).titled("This link no longer works").offers("/forgot")
	b.post(link, "password", "six unrelated words are here").is(410).titled("Error: This link no longer works").offers("/forgot")
	ana.get(security).goes("/sign-in?return_to=%2Fsettings%2Fuser%2Fsecurity")
	ana.signIn().is(422)
	ana.password = "five unrelated words are here"
	ana.signIn().goes("/verify") // the second step is asked as before
	ana.verify().goes(security)
	ana.get(security).says("Password reset by e-mail", "Asked for a link to choose a new password")
	if strings.Contains(d.log.String(), strings.TrimPrefix(link, "/reset/")) {
		t.Error("the log has the link")
	}
}

func TestLinksThatOpenNothing(t *testing.T) {
	t.Parallel()
	d, box := withMail(t)
	ana := d.ana(t)
	ana.post("/forgot", "email", anaEmail).is(200)
	token := box.newest(t, d, twinlatch.EventResetAsked)
	other := strings.Repeat("a", 26)
	for _, wrong := range []string{"x", other + "." + other + "." + strings.Repeat("a", 43), token + "x", token[:len(token)-1] + "_", "%00"} {
		ana.get("/reset/" + wrong).is(410)
		ana.post("/reset/"+wrong, "password", "five unrelated words are here").is(410)
		ana.get("/not-me/" + wrong).is(410)
		ana.post("/not-me/" + wrong).is(410)
	}
	ana.get("/not-me/" + token).is(410) // it is for something else
	ana.wait(30 * time.Minute)
	ana.get("/reset/" + token).is(410)
	ana.signIn().goes(security)
}

func TestThisWasNotMe(t *testing.T) {
	t.Parallel()
	d, box := withMail(t)
	ana := d.anaWithApp(t)
	link := "/not-me/" + box.newest(t, d, twinlatch.EventFactorAdded)
	b := d.browser(t)
	b.get(link).is(200).titled("Secure your account").says("Then check your methods")
	ana.get(security).is(200) // looking ends nothing
	b.post(link).is(200).titled("You are signed out everywhere")
	ana.get(security).goes("/sign-in?return_to=%2Fsettings%2Fuser%2Fsecurity")
	b.post(link).is(410)
	b.get("/reset/" + box.newest(t, d, twinlatch.EventResetAsked)).is(200)
}

func TestTooManyLinks(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t)
	b := d.browser(t)
	for range 5 {
		b.post("/forgot", "email", anaEmail).is(200)
	}
	b.post("/forgot", "email", anaEmail).is(429).says("Too many tries.")
}

// Without mail there is no way to ask for a link.
func TestWithoutMail(t *testing.T) {
	t.Parallel()
	b := newDoor(t).browser(t)
	b.get("/forgot").is(404)
	if strings.Contains(b.get("/sign-in").body, "/forgot") {
		t.Error("sign-in leads to it")
	}
}

func TestChangeThePassword(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	ana.get(security).offers(passwordPath)
	ana.get(passwordPath).is(200).titled("Change your password").focuses("old")
	ana.post(passwordPath, "old", "not it, not at all", "password", "five unrelated words are here").refuses("old", "The password is not right. Try again.")
	ana.post(passwordPath, "old", anaPassword, "password", "short").refuses("password", "Use at least 12 characters.")
	ana.post(passwordPath, "old", anaPassword, "password", "five unrelated words are here").goes(security)
	ana.get(security).is(200).says("Password changed")
	ana.outOfDate()
	ana.get(passwordPath).goes("/verify?return_to=%2Fsettings%2Fuser%2Fsecurity%2Fpassword")
	ana.post(passwordPath, "old", "five unrelated words are here", "password", anaPassword).goes("/verify?return_to=%2Fsettings%2Fuser%2Fsecurity%2Fpassword")
	ana.signIn().is(422)
	ana.password = "five unrelated words are here"
	ana.signIn().goes("/verify")
}
