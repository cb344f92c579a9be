package pages

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

const wrongSignIn = "The e-mail address or password is not right. Check both and try again."

func TestSignIn(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.ana(t).elsewhere()
	ana.get("/sign-in").is(200).titled("Sign in").focuses("email").keeps("email", "").
		offers("/sign-in", "/sign-up", "/help").hides("Step 1", "second step")
	ana.signIn().goes(security)
	ana.get(security).is(200).says("2-step verification is off", "ana@example.com")
	ana.get("/").goes(security)
	ana.get("/sign-in?return_to=%2Fhelp").goes("/help") // she is signed in already
}

// E-mail addresses are the same in any case and with spaces around them.
func TestSignInForgivesTheAddress(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.ana(t)
	for _, email := range []string{"ANA@EXAMPLE.COM", " ana@example.com ", "Ana@Example.com\t"} {
		d.browser(t).post("/sign-in", "email", email, "password", anaPassword).goes(security)
	}
}

func TestSignInRefuses(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.ana(t)
	for name, c := range map[string]struct{ email, password string }{
		"a wrong password":       {anaEmail, "five unrelated words here"},
		"a wrong password, case": {anaEmail, strings.ToUpper(anaPassword)},
		"a password with space":  {anaEmail, anaPassword + " "},
		"no password":            {anaEmail, ""},
		"an unknown address":     {"bo@example.com", anaPassword},
		"nothing":                {"", ""},
		"no address":             {"", anaPassword},
		"no e-mail address":      {"ana", anaPassword},
		"HTML":                   {`"><script>alert(1)</script>`, anaPassword},
		"line ends":              {"ana@example.com\r\nSet-Cookie: a=b", anaPassword},
		"right to left":          {"\u202eana@example.com", anaPassword},
		"SQL":                    {"ana@example.com' OR '1'='1", anaPassword},
		"a percent sign":         {"%", anaPassword},
		"a NUL":                  {"ana@example.com\x00", anaPassword},
		"a long address":         {strings.Repeat("a", 10000) + "@example.com", anaPassword},
		"a long password":        {anaEmail, strings.Repeat("long password ", 3000)},
	} {
		t.Run(name, func(t *testing.T) {
			b := d.browser(t)
			p := b.post("/sign-in?return_to=%2Fhelp", "email", c.email, "password", c.password).is(422).titled("Error: Sign in").
				notes(wrongSignIn).keeps("email", c.email).focuses("password").offers("/sign-in?return_to=%2Fhelp", "/sign-up?return_to=%2Fhelp")
			for _, field := range []string{"email", "password"} {
				if attr(p.input(field), "aria-describedby") != "form-err" {
					t.Errorf("%s is not described by the message", field)
				}
			}
			if b.token() != "" {
				t.Error("there is a session")
			}
		})
	}
}

// Nothing in the answer tells whether an address has an account, nor whether
// that has a second step.
func TestSignInTellsNothing(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.person(t, "offf@example.com")
	d.person(t, "onon@example.com").enroll()
	answers := map[string]bool{}
	for _, email := range []string{"offf@example.com", "onon@example.com", "none@example.com"} {
		p := d.browser(t).post("/sign-in", "email", email, "password", "five unrelated words here").is(422)
		p.header.Del("Date")
		answers[strings.ReplaceAll(p.body, email, "")+headerText(p)] = true
	}
	if len(answers) != 1 {
		t.Errorf("%d different answers", len(answers))
	}
}

func headerText(p *page) string {
	var text strings.Builder
	_ = p.header.Write(&text) // sorted; a strings.Builder does not fail
	return text.String()
}

func TestSignInSlowsGuessingDown(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.ana(t)
	guess := func(b *browser, password string) *page {
		return b.post("/sign-in", "email", anaEmail, "password", password)
	}
	mallory := d.browser(t)
	mallory.ip = cafe4
	for range 10 {
		guess(mallory, "not the password").is(422)
	}
	for _, password := range []string{"not the password", anaPassword} {
		p := guess(mallory, password).is(429).titled("Error: Sign in").notes("Too many tries. Wait 15 minutes and try again.").
			keeps("email", anaEmail).focuses("password")
		if after := p.header.Get("Retry-After"); after != "900" {
			t.Errorf("Retry-After %q", after)
		}
	}
	mallory.post("/sign-in", "email", "bo@example.com", "password", anaPassword).is(422) // an address without account is no different
	guess(d.browser(t), anaPassword).goes(security)                                      // nor is the owner slowed down elsewhere
	d.env.Clock.Advance(15 * time.Minute)
	guess(mallory, anaPassword).goes(security)
}

func TestSignInSlowsANetworkDown(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.ana(t)
	mallory := d.browser(t)
	mallory.ip = "2001:db8:bad::1"
	for i := range 60 {
		mallory.ip = "2001:db8:bad::" + string(rune('1'+i%9)) // the /64 counts
		mallory.post("/sign-in", "email", strings.Repeat("x", i+1)+"@example.com", "password", anaPassword).is(422)
	}
	mallory.post("/sign-in", "email", anaEmail, "password", anaPassword).is(429).notes("Too many tries. Wait 10 minutes and try again.")
	d.browser(t).post("/sign-in", "email", anaEmail, "password", anaPassword).goes(security)
}

// stuck are keys with which the hash of a backup code takes until leave is
// closed, so that no password can be hashed meanwhile.
type stuck struct {
	twinlatch.Keys
	entered, leave chan struct{}
}

func (k stuck) MAC(purpose string, data ...[]byte) []byte {
	if purpose == "backup" {
		select {
		case k.entered <- struct{}{}:
		default:
		}
		<-k.leave
	}
	return k.Keys.MAC(purpose, data...)
}

// Beyond what may be hashed at a time, people are told to come back, and do not
// lose what they typed.
func TestBusy(t *testing.T) {
	t.Parallel()
	keys := stuck{entered: make(chan struct{}, 1), leave: make(chan struct{})}
	d := doorOn(t, twinlatchtest.Migrated(t), func(c *twinlatch.Config) {
		c.Hashing = twinlatch.Hashing{Memory: 8, Passes: 1, Lanes: 1, Parallel: 1, Queue: 10, Wait: time.Millisecond}
		keys.Keys = c.Keys
		c.Keys = keys
	})
	ana, bo := d.ana(t), d.person(t, "bo@example.com")
	bo.app = bo.enroll()
	half := bo.half()
	var slow sync.WaitGroup
	slow.Go(func() { bo.post(security + "/backup-codes").is(200) })
	<-keys.entered
	for name, p := range map[string]*page{
		"sign in":     ana.signIn().keeps("email", ana.email).titled("Error: Sign in"),
		"sign up":     d.browser(t).post("/sign-up", "name", "Cyd", "email", "cyd@example.com", "password", anaPassword).keeps("name", "Cyd").keeps("email", "cyd@example.com"),
		"confirm":     ana.post("/confirm", "password", ana.password).titled("Error: Confirm it’s you"),
		"backup code": half.post("/recover", "code", "0000-0000-0000-0000").titled("Error: Enter a backup code"),
	} {
		p.is(503).notes("Many people are signing in now. Try again in 5 seconds.")
		if after := p.header.Get("Retry-After"); after != "5" || len(p.cookies) != 0 {
			t.Errorf("%s: Retry-After %q, cookies %v", name, after, p.cookies)
		}
	}
	close(keys.leave)
	slow.Wait()
	ana.signIn().goes(security)
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	other := ana.elsewhere()
	other.signIn()
	other.verify().goes(security)
	token := ana.token()
	ana.post("/sign-out").is(200).titled("You are signed out").says("You signed out on this device. Your other devices stay signed in.").offers("/sign-in")
	if ana.token() != "" {
		t.Error("the cookie is still there")
	}
	ana.get(security).goes("/sign-in?return_to=" + url.QueryEscape(security))
	ana.withToken(token).get(security).is(303)
	other.get(security).is(200).says("Signed out: Firefox, Linux")
	ana.post("/sign-out").is(200) // without a session it is the same
}

// One browser, one after the other: the second person has nothing of the first's.
func TestNextPersonAtTheSameBrowser(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	bo := d.person(t, "bo@example.com")
	bo.app = bo.enroll()
	ana := d.anaWithApp(t)
	ana.post("/sign-out").is(200)
	ana.email = bo.email
	ana.signIn().goes("/verify")
	ana.get(security).goes("/verify?return_to=" + url.QueryEscape(security))
	ana.post("/verify", "code", ana.code()).is(422) // Ana's phone
	ana.post("/verify", "code", bo.app.Code(bo.now())).goes(security)
	ana.get(security).is(200).says("bo@example.com").hides("ana@example.com")
}
