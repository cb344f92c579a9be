package pages

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

const unconfirmed = "Confirm your e-mail address before you add a method. We have sent a link to ana@example.com."

// Whoever signs up is told where the mail went, once, and no URL has the address.
func TestSignUpSaysWhereTheMailWent(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){"HTTPS": overHTTPS, "HTTP": func(*Config) {}, "development": development} {
		t.Run(name, func(t *testing.T) {
			d, _ := withMail(t, change)
			b := d.browser(t)
			p := b.post("/sign-up?return_to=%2Fhelp", "name", "Ana", "email", " ana+tram@example.com ", "password", anaPassword).goes("/sign-in?return_to=%2Fhelp")
			shown := b.get(p.location).is(200).says("Check your e-mail", "We have sent a message to ana+tram@example.com. Open the link in it to go on.")
			if linked := strings.Contains(shown.text("main"), "Messages"); linked != (name == "development") {
				t.Errorf("the outbox of development mode is linked: %v", linked)
			}
			b.get(p.location).is(200).hides("Check your e-mail", "tram")
		})
	}
}

// Nothing else brings the note, and what somebody plants in the cookie is an address
// or nothing.
func TestTheNoteIsAnAddressOrNothing(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t)
	b := d.browser(t)
	b.header.Set("Referer", insecure+"/sign-up")
	b.get("/sign-in").is(200).hides("Check your e-mail", "Now sign in with")
	for _, planted := range []string{"", "x", "%", "Check your bank", "<script>alert(1)</script>", "ana@example.com is wrong", `"><b>@example.com`, strings.Repeat("a", 4000)} {
		for _, value := range []string{planted, base64.RawURLEncoding.EncodeToString([]byte(planted))} {
			other := d.browser(t)
			other.header.Set("Cookie", "mailed="+strings.Map(func(r rune) rune {
				if strings.ContainsRune(` ";,\<>`, r) {
					return 'x'
				}
				return r
			}, value))
			other.get("/sign-in").is(200).hides("Check your e-mail")
		}
	}
}

// The answer to a sign-up, and the page that it leads to, are byte for byte the same
// for an address that is new, one that has an account, and one whose account was never
// confirmed.
func TestSignUpAnswersTheSameForEveryAddress(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"/help", handOver(wiki + "page?a=b")} {
		signUpsAreAlike(t, "?return_to="+url.QueryEscape(to))
	}
}

func signUpsAreAlike(t *testing.T, query string) {
	d, _ := withMail(t, development, withApps)
	d.person(t, "ana@example.com")
	d.stranger(t, "eve@example.com")
	var first string
	for _, email := range []string{"new@example.com", "ana@example.com", "eve@example.com", "ANA@example.com"} {
		b := d.browser(t)
		p := b.post("/sign-up"+query, "name", "Bo", "email", email, "password", "some other words there").goes("/sign-in" + query)
		if len(p.header.Values("Set-Cookie")) != 3 || strings.Contains(headerText(p), "Set-Cookie: \n") {
			t.Fatalf("cookies %q", p.header.Values("Set-Cookie"))
		}
		next := b.get(p.location).is(200).says(email)
		answer := strings.NewReplacer(email, "X", base64.RawURLEncoding.EncodeToString([]byte(email)), "X").
			Replace(headerText(p) + "\n" + p.body + "\n" + headerText(next) + "\n" + next.body)
		answer = regexp.MustCompile(`claim=[A-Za-z0-9_-]{43}`).ReplaceAllString(answer, "claim=X") // random, always
		if first == "" {
			first = answer
		}
		if answer != first {
			t.Errorf("%s:\n%s\nand a new one:\n%s", email, answer, first)
		}
	}
	// What is refused is refused the same.
	for _, email := range []string{"ana@example.com", "eve@example.com"} {
		taken := d.browser(t).post("/sign-up", "name", "Bo", "email", email, "password", "short").is(422)
		free := d.browser(t).post("/sign-up", "name", "Bo", "email", "cyd@example.com", "password", "short").is(422)
		if strings.ReplaceAll(taken.body, email, "X") != strings.ReplaceAll(free.body, "cyd@example.com", "X") || headerText(taken) != headerText(free) {
			t.Errorf("%s is told apart", email)
		}
	}
}

// Opening the link shows what it is about and does nothing: programs open links, too.
// A press of the button confirms, once, in the browser that signed up, and in others
// after the password: the mail alone may be read by a stranger to the account.
func TestConfirmTheAddress(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t)
	ana := d.stranger(t, anaEmail)
	link := ana.confirmation()
	phone := d.browser(t)
	for range 3 {
		phone.get(link).is(200).titled("Confirm your e-mail").says("Messages about your account go to ana@example.com.").offers(link)
	}
	ana.get(security).is(200).says(unconfirmed).offers("/email/again")
	toSignIn := phone.post(link).goes("/sign-in?return_to=" + url.QueryEscape(link))
	d.stranger(t, "eve@example.com").post(link).is(403).says("You are signed in as eve@example.com, and this link is for another account.")
	ana.get(security).is(200).says(unconfirmed)
	phone.post(toSignIn.location, "email", anaEmail, "password", ana.password).goes(link)
	phone.post(link).is(200).says("Your e-mail address is confirmed.").offers("/")
	ana.get(security).is(200).hides("Confirm your e-mail address").says("E-mail address confirmed")
	for _, p := range []*page{phone.get(link), ana.post(link)} {
		p.is(410).says("This link no longer works", "Is your e-mail address still not confirmed?").offers(security, "/sign-in")
	}
	ana.app = ana.enroll()
	bo := d.stranger(t, "bo@example.com")
	bo.post("/sign-out").is(200) // the browser is the one that signed up
	bo.post(bo.confirmation()).is(200).says("Your e-mail address is confirmed.").offers("/sign-in")
	if strings.Contains(d.log.String(), strings.TrimPrefix(link, "/email/")) {
		t.Error("the log has the link")
	}
}

// A link lives a day, and is for this alone.
func TestTheLinkToConfirmLivesADay(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t)
	ana := d.stranger(t, anaEmail)
	token := strings.TrimPrefix(ana.confirmation(), "/email/")
	ana.get("/reset/" + token).is(410)
	ana.post("/not-me/" + token).is(410)
	for _, wrong := range []string{"x", token + "x", token[:len(token)-1] + "_", "%00", "again"} {
		ana.get("/email/" + wrong).is(410)
	}
	ana.post("/email/x").is(410)
	ana.wait(24*time.Hour - time.Second)
	ana.get("/email/" + token).is(200)
	ana.wait(time.Second)
	ana.get("/email/" + token).is(410)
	ana.post("/email/" + token).is(410)
}

// Who has not confirmed the address cannot add a method, and is told before anything
// is typed.
func TestUnconfirmedCannotAdd(t *testing.T) {
	t.Parallel()
	d, box := withMail(t)
	ana := d.stranger(t, anaEmail)
	ana.get(security+"/add/totp").is(403).titled("Confirm your e-mail").says(unconfirmed).offers("/email/again", "/")
	ana.post(security+"/add/totp").is(403).titled("Error: Confirm your e-mail").says(unconfirmed).offers("/email/again", "/")
	first := ana.confirmation()
	ana.post("/email/again").goes(security)
	ana.get(security).is(200).says("Link sent to confirm an e-mail address")
	again := "/email/" + box.newestTo(t, d, anaEmail, twinlatch.EventAddressAsked)
	ana.get(first).is(200) // the newest is not the only one
	ana.post(again).is(200)
	ana.get(first).is(410) // but one is enough
	ana.enroll()
	ana.post("/email/again").goes(security) // pressed in an old window
	if newest := "/email/" + box.newestTo(t, d, anaEmail, twinlatch.EventAddressAsked); newest != again {
		t.Error("a link was sent for what is confirmed")
	}
}

func TestTooManyLinksToConfirm(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t)
	ana := d.stranger(t, anaEmail)
	for range 5 {
		ana.post("/email/again").goes(security)
	}
	ana.post("/email/again").is(429).titled("Error: That did not work").says("Too many tries. Wait 60 minutes and try again.")
}

// The owner of a taken address is told, and everything stays as it was.
func TestSignUpForATakenAddress(t *testing.T) {
	t.Parallel()
	d, box := withMail(t)
	ana := d.anaWithApp(t)
	mallory := d.browser(t)
	mallory.post("/sign-up", "name", "Mallory", "email", anaEmail, "password", "some other words there").goes("/sign-in")
	if box.newestTo(t, d, anaEmail, twinlatch.EventSignUpAgain) == "" {
		t.Error("Ana is not told")
	}
	mallory.post("/sign-in", "email", anaEmail, "password", "some other words there").is(422)
	ana.get(security).is(200).says("Someone asked for an account with this e-mail address")
	ana.signIn().goes("/verify")
}

// Nobody can wait for somebody else in an account that is not confirmed: what its
// stranger signed up for, the owner of the mailbox does not confirm by the link, and
// takes over by a new password.
func TestAStrangerSignedUpFirst(t *testing.T) {
	t.Parallel()
	d, box := withMail(t)
	mallory := d.stranger(t, anaEmail)
	waiting := mallory.confirmation()
	ana := &person{browser: d.browser(t), email: anaEmail, password: "some other words there"}
	ana.post("/sign-up", "name", "Ana Novak", "email", anaEmail, "password", ana.password).goes("/sign-in")
	ana.post(waiting).goes("/sign-in?return_to=" + url.QueryEscape(waiting))
	ana.signIn().is(422)
	if box.newestTo(t, d, anaEmail, twinlatch.EventSignUpAgain) == "" {
		t.Error("nobody tells her that there is an account")
	}
	ana.post("/forgot", "email", anaEmail).is(200)
	ana.post("/reset/"+box.newestTo(t, d, anaEmail, twinlatch.EventResetAsked), "password", ana.password).is(200)
	mallory.get(security).is(303)
	mallory.signIn().is(422)
	ana.post(waiting).is(410)
	ana.signIn().goes(security)
	ana.enroll()
}

// Another address takes a fresh proof and the owner's own session; the old address is
// told, and can take it back.
func TestChangeTheAddress(t *testing.T) {
	t.Parallel()
	d, box := withMail(t)
	ana := d.anaWithApp(t)
	ana.get(profilePath).is(200).offers(addressPath)
	ana.outOfDate()
	proof := "/verify?return_to=" + url.QueryEscape(addressPath)
	ana.get(addressPath).goes(proof)
	for _, email := range []string{"ana@new.example", "nonsense"} { // not before it is known who asks
		ana.post(addressPath, "email", email).goes(proof)
	}
	ana.post(proof, "code", ana.code()).goes(addressPath)
	ana.get(addressPath).is(200).titled("Change your e-mail").focuses("email").
		says("Settings User settings Profile E-mail address", "You sign in with ana@example.com now.").offers(profilePath, addressPath)
	for _, email := range []string{"", "ana", "Ana <ana@new.example>", "a@b@c.example", "ana@exa\u202emple.com", "ana@" + strings.Repeat("a.", 130) + "com"} {
		ana.post(addressPath, "email", email).refuses("email", badEmail).focuses("email").keeps("email", email)
	}
	ana.post(addressPath, "email", " Ana@New.example ").is(200).titled("Check your e-mail").
		says("We have sent a message to Ana@New.example. Open the link in it to go on.", "Nothing changes until you open it.").offers(profilePath)
	link := "/email/" + box.newestTo(t, d, "ana@new.example", twinlatch.EventAddressAsked)
	ana.get(security).is(200).says("Link sent to confirm an e-mail address")

	ana.get(link).is(200).says("ana@new.example becomes the e-mail address of your account.")
	stranger, bo := d.browser(t), d.person(t, "bo@example.com")
	stranger.get(link).is(200)
	toSignIn := stranger.post(link).goes("/sign-in?return_to=" + url.QueryEscape(link))
	half := ana.elsewhere()
	half.signIn().goes("/verify")
	half.post(link).goes("/verify?return_to=" + url.QueryEscape(link))
	bo.post(link).is(403).titled("Error: Confirm your e-mail").
		says("You are signed in as bo@example.com, and this link is for another account.").offers("/sign-out")
	ana.get(profilePath).is(200).says(anaEmail)

	stranger.post(toSignIn.location, "email", ana.email, "password", ana.password).goes("/verify?return_to=" + url.QueryEscape(link)) // Ana at another browser
	stranger.post("/verify?return_to="+url.QueryEscape(link), "code", ana.code()).goes(link)
	stranger.post(link).is(200).says("Your e-mail address is confirmed.").offers("/")
	ana.get(profilePath).is(200).says("ana@new.example").hides(anaEmail)
	ana.get(security).is(200).says("E-mail address changed")
	ana.get(link).is(410)
	ana.elsewhere().signIn().is(422)
	ana.email = "ana@new.example"
	ana.signIn().goes("/verify")

	notMe := "/not-me/" + box.newestTo(t, d, anaEmail, twinlatch.EventAddressChanged)
	d.browser(t).post(notMe).is(200)
	ana.signIn().is(422)
	ana.email = anaEmail
	ana.signIn().is(422) // whoever changed the address may know the password
	ana.post("/reset/"+box.newestTo(t, d, anaEmail, twinlatch.EventResetAsked), "password", ana.password).is(200)
	ana.signIn().goes("/verify")
	ana.verify().goes(security)
	ana.get(security).is(200).says("E-mail address changed back")
	if box.newestTo(t, d, anaEmail, twinlatch.EventAddressRestored) == "" || box.newestTo(t, d, anaEmail, twinlatch.EventResetAsked) == "" {
		t.Error("the old address is not told")
	}
	if strings.Contains(d.log.String(), strings.TrimPrefix(link, "/email/")) {
		t.Error("the log has the link")
	}
}

// For an address that has an account, the answer is the same, and its owner is told.
func TestChangeToATakenAddress(t *testing.T) {
	t.Parallel()
	d, box := withMail(t)
	d.person(t, "eve@example.com")
	ana := d.anaWithApp(t)
	taken := ana.post(addressPath, "email", "eve@example.com").is(200)
	free := ana.post(addressPath, "email", "bob@example.com").is(200)
	if strings.ReplaceAll(taken.body, "eve@", "X") != strings.ReplaceAll(free.body, "bob@", "X") || headerText(taken) != headerText(free) {
		t.Error("the answer tells who has an account")
	}
	if box.newestTo(t, d, "eve@example.com", twinlatch.EventSignUpAgain) == "" || box.newestTo(t, d, "eve@example.com", twinlatch.EventAddressAsked) != "" {
		t.Error("Eve is not told, or gets a link to Ana's account")
	}
	for range 3 {
		ana.post(addressPath, "email", "cyd@example.com").is(200)
	}
	ana.post(addressPath, "email", "cyd@example.com").is(429).titled("Error: Change your e-mail").
		notes("Too many tries. Wait 60 minutes and try again.").keeps("email", "cyd@example.com")
}

// Without mail nothing is confirmed, and no address can be changed.
func TestAddressesWithoutMail(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	ana.get(addressPath).is(404)
	ana.get("/email/x").is(404)
	ana.post("/email/again").is(404)
	if p := ana.get(profilePath).is(200).says(anaEmail); strings.Contains(p.body, addressPath) {
		t.Error("Profile leads to it")
	}
	ana.enroll()
}

// A HEAD request of a program that looks at mails is no press of the button either.
func TestHeadConfirmsNothing(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t)
	ana := d.stranger(t, anaEmail)
	link := ana.confirmation()
	ana.send(ana.request(http.MethodHead, link, "")).is(200)
	ana.get(security).is(200).says(unconfirmed)
}
