package pages

import (
	"fmt"
	"strings"
	"testing"
)

func TestSignUp(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	b := d.browser(t)
	p := b.get("/sign-up?return_to=%2Fhelp").is(200).titled("Create an account").focuses("name").
		says("At least 12 characters. Three or four unrelated words work well.", "Already have an account?").
		offers("/sign-up?return_to=%2Fhelp", "/sign-in?return_to=%2Fhelp")
	for field, completes := range map[string]string{"name": "name", "email": "username", "password": "new-password"} {
		if got := attr(p.input(field), "autocomplete"); got != completes {
			t.Errorf("%s is completed with %q", field, got)
		}
	}
	b.post("/sign-up?return_to=%2Fhelp", "name", "Ana", "email", anaEmail, "password", anaPassword).goes("/sign-in?return_to=%2Fhelp")
	if b.token() != "" {
		t.Error("signed in without a sign-in")
	}
	b.post("/sign-in?return_to=%2Fhelp", "email", anaEmail, "password", anaPassword).goes("/help")
}

func TestSignUpRefuses(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for _, c := range []struct{ name, email, password, field, message string }{
		{"", anaEmail, anaPassword, "name", "Enter your name."},
		{" \t ", anaEmail, anaPassword, "name", "Enter your name."},
		{strings.Repeat("é", 101), anaEmail, anaPassword, "name", "Use 1 to 100 characters for the name."},
		{"Ana\r\nBcc: bo", anaEmail, anaPassword, "name", "Use 1 to 100 characters for the name."},
		{"Ana\u202eanA", anaEmail, anaPassword, "name", "Use 1 to 100 characters for the name."},
		{"Ana\x00", anaEmail, anaPassword, "name", "Use 1 to 100 characters for the name."},
		{"Ana", "", anaPassword, "email", badEmail},
		{"Ana", "ana", anaPassword, "email", badEmail},
		{"Ana", "ana@", anaPassword, "email", badEmail},
		{"Ana", "@example.com", anaPassword, "email", badEmail},
		{"Ana", "ana@example.com, bo@example.com", anaPassword, "email", badEmail},
		{"Ana", "Ana <ana@example.com>", anaPassword, "email", badEmail},
		{"Ana", `"ana"@example.com`, anaPassword, "email", badEmail},
		{"Ana", "ana@example.com\r\nBcc: bo@example.com", anaPassword, "email", badEmail},
		{"Ana", "ana@exa\x00mple.com", anaPassword, "email", badEmail},
		{"Ana", "ana@exa\u202emple.com", anaPassword, "email", badEmail},
		{"Ana", strings.Repeat("a", 65) + "@example.com", anaPassword, "email", badEmail},
		{"Ana", "ana@" + strings.Repeat("a.", 130) + "com", anaPassword, "email", badEmail},
		{"Ana", "ana@example.com@example.com", anaPassword, "email", badEmail},
		{"Ana", anaEmail, "", "password", "Enter a password."},
		{"Ana", anaEmail, "elevenchars", "password", "Use at least 12 characters."},
		{"Ana", anaEmail, "ééééééééééé", "password", "Use at least 12 characters."}, // 22 bytes
		{"Ana", anaEmail, strings.Repeat("long pass ", 26), "password", "Use at most 256 characters."},
		{"Ana", anaEmail, strings.Repeat("x", 60000), "password", "Use at most 256 characters."},
		{"Ana", anaEmail, "password1234", "password", "This password is on a list of leaked passwords. Choose another one."},
		{"Ana", anaEmail, "PassWord1234", "password", "This password is on a list of leaked passwords. Choose another one."},
		{"Ana", anaEmail, "aaaaaaaaaaaa", "password", "This password is on a list of leaked passwords. Choose another one."},
		{"Ana", anaEmail, "123456789012", "password", "This password is on a list of leaked passwords. Choose another one."},
	} {
		t.Run(c.field+" "+c.message, func(t *testing.T) {
			p := d.browser(t).post("/sign-up?return_to=%2Fhelp", "name", c.name, "email", c.email, "password", c.password).
				refuses(c.field, c.message).focuses(c.field).titled("Error: Create an account").offers("/sign-up?return_to=%2Fhelp")
			p.keeps("name", c.name).keeps("email", c.email)
		})
	}
}

const badEmail = "Enter an e-mail address, for example ana@example.com."

// All that is wrong is said at once, and the first of it has the focus.
func TestSignUpSaysAllThatIsWrong(t *testing.T) {
	t.Parallel()
	b := newDoor(t).browser(t)
	b.post("/sign-up").is(422).complains("name", "Enter your name.").complains("email", badEmail).complains("password", "Enter a password.").focuses("name")
	b.post("/sign-up", "name", "Ana", "email", "ana", "password", "short").is(422).
		complains("email", badEmail).complains("password", "Use at least 12 characters.").focuses("email").keeps("name", "Ana")
}

// The answer is the same for a new address and for one that has an account,
// byte for byte, and the account is as it was.
func TestSignUpTellsNobodyWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.ana(t)
	taken := d.browser(t).post("/sign-up?return_to=%2Fhelp", "name", "Mallory", "email", "ANA@example.com", "password", "some other words there")
	free := d.browser(t).post("/sign-up?return_to=%2Fhelp", "name", "Mallory", "email", "bo@example.com", "password", "some other words there")
	if taken.status != free.status || taken.body != free.body || headerText(taken) != headerText(free) {
		t.Errorf("taken: %d\n%s\nfree: %d\n%s", taken.status, headerText(taken), free.status, headerText(free))
	}
	d.browser(t).post("/sign-in", "email", anaEmail, "password", "some other words there").is(422)
	d.browser(t).post("/sign-in", "email", anaEmail, "password", anaPassword).goes(security)

	// What is refused is refused the same.
	for _, password := range []string{"short", "password1234"} {
		taken := d.browser(t).post("/sign-up", "name", "Mallory", "email", "ana@example.com", "password", password)
		free := d.browser(t).post("/sign-up", "name", "Mallory", "email", "cyd@example.com", "password", password)
		if strings.ReplaceAll(taken.body, anaEmail, "") != strings.ReplaceAll(free.body, "cyd@example.com", "") {
			t.Errorf("%s: the answers differ", password)
		}
	}
}

// Names are anything a line can hold, and never become code.
func TestSignUpTakesHostileNames(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for i, name := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onfocus='alert(1)`, `&lt;b&gt;`, "שלום", "Robert'); DROP TABLE accounts;--",
		"{{.Password}}", "{n}", "%s%n", "𝕬𝖓𝖆", "Ana\u200bB", strings.Repeat("é", 100),
	} {
		email := string(rune('a'+i)) + "@example.com"
		b := d.browser(t)
		b.own = []string{name}
		b.post("/sign-up", "name", name, "email", "no address", "password", anaPassword).is(422).keeps("name", name)
		b.post("/sign-up", "name", name, "email", email, "password", anaPassword).goes("/sign-in")
		b.post("/sign-in", "email", email, "password", anaPassword).goes(security)
		b.get(security).is(200)
	}
}

func TestSignUpTakesUnusualAddresses(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for _, email := range []string{"o'neil@example.com", "a+b@example.com", "a&b=c@example.com", "ana@localhost", "jürgen@bücher.example", "x@[192.0.2.1]"} {
		b := d.browser(t)
		p := b.post("/sign-up", "name", "Ana", "email", email, "password", anaPassword)
		if email == "x@[192.0.2.1]" {
			p.refuses("email", badEmail)
			continue
		}
		p.goes("/sign-in")
		b.post("/sign-in", "email", email, "password", anaPassword).goes(security)
		b.get(security).is(200).says(email)
	}
}

// A network cannot make accounts, and hashes, without end.
func TestSignUpIsLimited(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	b := d.browser(t)
	for i := range 100 {
		b.post("/sign-up", "name", "Ana", "email", fmt.Sprintf("%d@example.com", i), "password", anaPassword).goes("/sign-in")
	}
	for _, email := range []string{"new@example.com", "b@example.com"} {
		p := b.post("/sign-up", "name", "Ana", "email", email, "password", anaPassword).is(429).
			notes("Too many tries. Wait 10 minutes and try again.").keeps("name", "Ana").keeps("email", email)
		if after := p.header.Get("Retry-After"); after != "600" {
			t.Errorf("Retry-After %q", after)
		}
	}
}

// Somebody who has just signed up is told what comes next, and nothing else: the
// words are the same for an address that was taken.
func TestSignInAfterSignUp(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	b := d.browser(t)
	const next = "Now sign in with your e-mail address and password."
	b.get("/sign-in").is(200).hides(next)
	for _, from := range []string{insecure + "/sign-up", insecure + "/sign-up?return_to=%2F", "/sign-up"} {
		b.header.Set("Referer", from)
		b.get("/sign-in").is(200).says(next)
	}
	b.post("/sign-in", "email", "nobody@example.com", "password", "wrong").is(422).hides(next)
	for _, from := range []string{"", "::", insecure + "/help", "https://evil.example/x/sign-up"} {
		b.header.Set("Referer", from)
		b.get("/sign-in").is(200).hides(next)
	}
}

// Where sign-up is closed there is no page for it, and none that leads there.
func TestSignUpIsClosed(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(c *Config) { c.Closed = true })
	b := d.browser(t)
	b.get("/sign-in").is(200).hides("Create account", "New here")
	b.get("/sign-up").is(404)
	b.post("/sign-up", "name", "Ana", "email", anaEmail, "password", anaPassword).is(404)
	b.post("/sign-in", "email", anaEmail, "password", anaPassword).is(422)
}
