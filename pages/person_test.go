package pages

import (
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

const (
	anaEmail    = "ana@example.com"
	anaPassword = "four unrelated words here"
)

// person is somebody with a browser and, once enrolled, a phone.
type person struct {
	*browser
	email, password string
	app             twinlatchtest.App
}

// ana has an account and is signed in. Her address is confirmed, where it has to be.
// Two-step verification is off.
func (d *door) ana(t testing.TB) *person {
	t.Helper()
	return d.person(t, anaEmail)
}

func (d *door) person(t testing.TB, email string) *person {
	t.Helper()
	p := d.stranger(t, email)
	if d.env.Mails() {
		p.post(p.confirmation()).is(200)
	}
	return p
}

// stranger is a person whose address is not confirmed.
func (d *door) stranger(t testing.TB, email string) *person {
	t.Helper()
	p := &person{browser: d.browser(t), email: email, password: anaPassword}
	p.post("/sign-up", "name", "Ana", "email", p.email, "password", p.password).goes("/sign-in")
	p.signIn().goes(security)
	return p
}

// confirmation is the link in the mail that a sign-up had sent.
func (p *person) confirmation() string {
	p.t.Helper()
	token := p.door.box.newestTo(p.t, p.door, p.email, twinlatch.EventAccountCreated)
	if token == "" {
		p.t.Fatalf("no mail to %s", p.email)
	}
	return "/email/" + token
}

// anaWithApp has enrolled an authenticator app a moment ago, so that her proof
// is fresh.
func (d *door) anaWithApp(t testing.TB) *person {
	t.Helper()
	p := d.ana(t)
	p.app = p.enroll()
	return p
}

func (p *person) signIn() *page {
	p.t.Helper()
	return p.post("/sign-in", "email", p.email, "password", p.password)
}

// begin starts to add an authenticator app and gives the page with its QR code.
func (p *person) begin() *page {
	p.t.Helper()
	return p.get(p.post(security + "/add/totp").is(303).location).is(200)
}

// enroll adds an authenticator app.
func (p *person) enroll() twinlatchtest.App {
	p.t.Helper()
	return p.enrollTo(security)
}

// enrollTo adds an authenticator app and goes on there.
func (p *person) enrollTo(to string) twinlatchtest.App {
	p.t.Helper()
	setup := p.begin()
	app := twinlatchtest.Scan(p.t, setup.link("otpauth:"))
	p.wait(30 * time.Second) // a second app confirms with a code of its own time
	p.post(setup.link(security+"/confirm/"), "code", app.Code(p.now())).goes(to)
	return app
}

// code is one that was not used yet.
func (p *person) code() string {
	p.wait(30 * time.Second)
	return p.app.Code(p.now())
}

// wrongCode is none of those that are right now.
func (p *person) wrongCode() string {
	right := map[string]bool{}
	for step := -2; step <= 2; step++ {
		right[p.app.Code(p.now().Add(time.Duration(step)*30*time.Second))] = true
	}
	for _, code := range []string{"135790", "246813", "975312", "864209", "314159", "271828"} {
		if !right[code] {
			return code
		}
	}
	panic("unreachable: five codes are right and there are six")
}

// verify does the second step.
func (p *person) verify() *page {
	p.t.Helper()
	return p.post("/verify", "code", p.code())
}

// backupCodes gets ten new ones.
func (p *person) backupCodes() []string {
	p.t.Helper()
	shown := p.post(security + "/backup-codes").is(200)
	var codes []string
	for item := range shown.all("li") {
		if code := textOf(item); strings.Count(code, "-") == 3 {
			codes = append(codes, code)
		}
	}
	if len(codes) != 10 {
		p.t.Fatalf("%d backup codes: %s", len(codes), shown.text("main"))
	}
	return codes
}

func (p *person) wait(d time.Duration) { p.door.env.Clock.Advance(d) }

func (p *person) now() time.Time { return p.door.env.Clock.Now() }

// elsewhere is the same person at another browser, not signed in.
func (p *person) elsewhere() *person {
	other := *p
	other.browser = p.door.browser(p.t)
	return &other
}

// outOfDate makes the last proof too old for changes.
func (p *person) outOfDate() { p.wait(p.door.env.Policy().FreshFor) }
