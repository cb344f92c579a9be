package pages

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/webauthn"
	"github.com/twinlatch/twinlatch/method/yubico"
	"github.com/twinlatch/twinlatch/twinlatchtest"
	"github.com/twinlatch/twinlatch/twinlatchtest/securitykey"
)

// validator takes each one-time password for right, with these counters, until it
// is told something else.
type validator struct {
	counter int64
	err     error
}

func (v *validator) Validate(context.Context, io.Reader, yubico.OTP) (int64, error) {
	v.counter++
	return v.counter, v.err
}

func (v *validator) Authority(context.Context, yubico.OTP) (string, error) { return "us", nil }

const touched = "cccccccccccb" + "vvtrthelnrgrblhecekvrdbrbkjhecnb"

// withKeys is a door with all that a YubiKey can do.
func withKeys(t testing.TB, v *validator) *door {
	t.Helper()
	key, err := webauthn.New(webauthn.Config{ID: "id.twinlatch.test", Name: "Twinlatch", Origins: []string{secure}})
	if err != nil {
		t.Fatal(err)
	}
	return doorOn(t, twinlatchtest.Migrated(t), func(c *twinlatch.Config) {
		c.Methods = append(c.Methods, key)
		if v != nil {
			c.Methods = append(c.Methods, yubico.New(v))
		}
	}, overHTTPS)
}

// script is the form that a script answers, its address and its options.
func (p *page) script(ceremony string) (action, options string) {
	p.t.Helper()
	for form := range p.all("form") {
		if attr(form, "data-webauthn") == ceremony {
			p.input("response")
			return attr(form, "action"), attr(form, "data-options")
		}
	}
	p.t.Fatalf("%s: there is no form for a script to %s with: %s", p.request, ceremony, p.body)
	return "", ""
}

// register answers a page as a browser with a key does.
func (p *person) register(key *securitykey.Key, shown *page, name string) *page {
	p.t.Helper()
	action, options := shown.script("create")
	response, err := key.Register(secure, []byte(options))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.post(action, "kind", "webauthn", "name", name, "response", response)
}

// touch answers the question of a page.
func (p *person) touch(key *securitykey.Key, shown *page) *page {
	p.t.Helper()
	action, options := shown.script("get")
	response, err := key.Sign(secure, []byte(options))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.post(action, "response", response)
}

func TestAddASecurityKey(t *testing.T) {
	t.Parallel()
	ana := withKeys(t, new(validator)).ana(t)
	add := security + "/add/webauthn"
	ana.get(security).is(200).says("Security key (YubiKey)", "A small device that you touch.").offers(add)

	// By address there is a page that asks for a name.
	ana.get(add).is(200).titled("Add a security key").keeps("name", "Security key").focuses("name").offers(add, security+"/add/yubico").
		says("Key without security-key support? Use its one-time password")
	ana.post(add, "name", strings.Repeat("x", 61)).refuses("name", "Use 1 to 60 characters for the name.")
	confirm := ana.post(add, "name", "Key ring").is(303).location
	ana.get(confirm).is(200).keeps("name", "Key ring")

	// The button of Security leads to the one with everything.
	shown := ana.get(ana.post(add).is(303).location).is(200).
		titled("Add a security key").keeps("name", "Security key").focuses("name").
		says("Plug in your key or hold it to your phone.").offers(security, security+"/add/yubico")
	key := securitykey.New(rand.Reader)
	action, _ := shown.script("create")
	ana.post(action, "kind", "webauthn", "name", "Desk", "response", "").is(422).keeps("name", "Desk").
		says("That did not work, or it took too long. Have your key ready and try again.")
	ana.register(key, ana.get(action), strings.Repeat("x", 61)).refuses("name", "Use 1 to 60 characters for the name.")
	ana.register(key, ana.get(action), "Desk").goes(security)
	ana.get(security).says("1 security key", "Desk", "Added: Security key, Desk")
	ana.get(add).keeps("name", "Security key")

	// Sign in, and verify again.
	half := ana.elsewhere()
	half.signIn()
	asked := half.get("/verify").is(200).titled("Use your security key")
	half.touch(key, asked).goes(security)
	half.get(security).says("Signed in: Security key")
}

// The owner of a key reads that it was copied for as long as it is there, whatever
// somebody who has the password does to be overlooked.
func TestACopiedKeyIsShownUntilItIsRemoved(t *testing.T) {
	t.Parallel()
	d := withKeys(t, nil)
	ana := d.anaWithApp(t)
	key := securitykey.New(rand.Reader)
	ana.register(key, ana.get(ana.post(security+"/add/webauthn").is(303).location), "Key ring").goes(security)
	ids := factorIDs(ana.get(security).hides("ay have been copied"))
	ana.post(security + "/factors/" + ids[1] + "/prefer").goes(security)
	thief := ana.elsewhere()
	thief.signIn()
	stolen := key.Clone()
	thief.touch(stolen, thief.get("/verify")).goes(security)
	thief.get(security).hides("ay have been copied")

	half := ana.elsewhere()
	half.signIn()
	half.touch(key, half.get("/verify")).is(422).says("We refused this key because it may have been copied.")
	const warning, line = "It may have been copied: remove it and add a new key", "Refused, it may have been copied: Security key, Key ring"
	shown := ana.get(security).says(warning, line)
	if !strings.Contains(shown.body, "<details open>") {
		t.Error("the warning is folded away")
	}
	for range 70 {
		if ana.wait(time.Minute); ana.elsewhere().signIn().location != "/verify" {
			t.Fatal("the password does not pass")
		}
	}
	ana.post("/verify/ask", "factor", ids[0]).goes("/verify")
	ana.verify().goes(security)
	ana.get(security).says(warning, line)
	ana.wait(30 * 24 * time.Hour)
	ana.post("/verify/ask", "factor", ids[0]).goes("/verify")
	ana.verify().goes(security)
	ana.get(security).says(warning)
	ana.post(security + "/factors/" + ids[1] + "/remove").goes(security)
	ana.get(security).hides(warning, "<details open>")
}

// A key is asked without a press when somebody comes straight from the password, and
// never otherwise.
func TestAKeyIsAskedAtOnce(t *testing.T) {
	t.Parallel()
	ana := withKeys(t, nil).ana(t)
	key := securitykey.New(rand.Reader)
	atOnce := func(when string, p *page, want bool) {
		t.Helper()
		p.script("get")
		if got := strings.Contains(p.body, " data-auto "); got != want {
			t.Errorf("%s: at once is %v", when, got)
		}
	}
	shown := ana.get(ana.post(security + "/add/webauthn").is(303).location).is(200)
	if strings.Contains(shown.body, "data-auto") {
		t.Error("a key is added without a press")
	}
	ana.register(key, shown, "Key ring").goes(security)

	half := ana.elsewhere()
	half.signIn().goes("/verify")
	atOnce("by its address", half.get("/verify"), false)
	half.header.Set("Referer", secure+"/sign-in?return_to=%2Fsettings%2Fuser%2Fsecurity")
	shown = half.get("/verify")
	atOnce("straight from the password", shown, true)
	lie := securitykey.Lie{Claims: func(c *securitykey.Claims) { c.ClientData.Origin = "https://evil.test" }}
	action, options := shown.script("get")
	response, err := key.Sign(secure, []byte(options), lie)
	if err != nil {
		t.Fatal(err)
	}
	refused := half.post(action, "response", response).is(422)
	atOnce("after a wrong answer", refused, false)
	half.header.Set("Referer", secure+"/verify/ways")
	atOnce("chosen on a page", half.get("/verify"), false)
	half.touch(key, refused).goes(security)

	half.header.Set("Referer", secure+"/sign-in")
	half.ip = "192.0.2.200"
	atOnce("from another network", half.get("/verify"), false)
	half.ip = ana.ip
	half.outOfDate()
	atOnce("before a change", half.get("/verify"), false)
}

// What is refused ends the question, and the page that says so has the next one.
func TestAQuestionForAScriptIsAskedAnew(t *testing.T) {
	t.Parallel()
	d := withKeys(t, nil)
	ana := d.ana(t)
	key := securitykey.New(rand.Reader)
	lie := securitykey.Lie{Claims: func(c *securitykey.Claims) { c.ClientData.Origin = "https://evil.test" }}
	add := func() *page { return ana.get(ana.post(security + "/add/webauthn").is(303).location).is(200) }

	shown := add()
	if strings.Contains(shown.body, "/add/yubico") {
		t.Error("the page leads to a method that is not there")
	}
	action, options := shown.script("create")
	response, err := key.Register(secure, []byte(options), lie)
	if err != nil {
		t.Fatal(err)
	}
	refused := ana.post(action, "kind", "webauthn", "name", "Desk", "response", response).is(422).keeps("name", "Desk").
		says("That did not work, or it took too long.")
	if next, _ := refused.script("create"); next == action {
		t.Error("the question that was answered is asked again")
	}
	ana.wait(5 * time.Minute)
	late := ana.register(key, refused, "Desk").is(422).keeps("name", "Desk").says("That did not work, or it took too long.")
	ana.register(key, late, "Desk").goes(security)

	// Without knowing what it was, there is nothing to begin anew.
	action, _ = add().script("create")
	ana.wait(5 * time.Minute)
	ana.post(action, "response", "{}").is(410)

	half := ana.elsewhere()
	half.signIn()
	asked := half.get("/verify").is(200)
	action, options = asked.script("get")
	if response, err = key.Sign(secure, []byte(options), lie); err != nil {
		t.Fatal(err)
	}
	refused = half.post(action, "response", response).is(422).says("That did not work, or it took too long.")
	_, again := refused.script("get")
	if again == options {
		t.Error("the question that was answered is asked again")
	}
	half.wait(5 * time.Minute)
	late = half.touch(key, refused).is(422).says("That did not work, or it took too long.")
	half.touch(key, late).goes(security)
}

func TestAddAYubiKeyOneTimePassword(t *testing.T) {
	t.Parallel()
	v := new(validator)
	ana := withKeys(t, v).ana(t)
	add := security + "/add/yubico"
	ana.get(add).is(200).titled("Add a YubiKey one-time password").keeps("name", "YubiKey one-time password")
	confirm := ana.post(add, "name", "Key ring").is(303).location
	ana.get(confirm).is(200).says("Type a name, then put the cursor in the box and touch the gold contact.").
		keeps("name", "Key ring").keeps("code", "").focuses("code")
	ana.post(confirm, "name", "Key ring", "code", "123456").refuses("code", "That is not a code from your YubiKey. Touch the gold contact again.").
		keeps("name", "Key ring").keeps("code", "")
	for _, c := range []struct {
		err     error
		status  int
		message string
	}{
		{twinlatch.ErrWrongCode, 422, "This YubiKey is not known here, or that was not its code. Touch it again, or ask your administrator."},
		{twinlatch.ErrReplayed, 422, "That YubiKey code was already used. Touch the gold contact again."},
		{twinlatch.ErrUnavailable, 503, "We cannot check YubiKey codes at the moment. Try another way."},
	} {
		v.err = c.err
		ana.post(confirm, "name", "Key ring", "code", touched).is(c.status).says(c.message)
	}
	v.err = nil
	ana.post(confirm, "name", "Key ring", "code", touched).goes(security)
	ana.get(security).says("1 YubiKey", "Added: YubiKey one-time password, Key ring")
	ana.post(ana.post(add).is(303).location, "code", touched).refuses("code", "This key is already on your account.")

	half := ana.elsewhere()
	half.signIn()
	half.get("/verify").is(200).titled("Touch your YubiKey").says("Plug in your YubiKey, keep the cursor in the box").focuses("code")
	half.post("/verify", "code", "dddddddddddb"+touched[12:]).refuses("code", "That is not a code from your YubiKey. Touch the gold contact again.")
	v.err = errors.Join(twinlatch.ErrUnavailable)
	half.post("/verify", "code", touched).is(503).says("We cannot check YubiKey codes at the moment. Try another way.").offers("/verify/ways")
	v.err = twinlatch.ErrReplayed
	used := half.post("/verify", "code", touched).refuses("code", "That YubiKey code was already used. Touch the gold contact again.")
	used.hides("Set the clock on your phone")
	v.err = nil
	half.post("/verify", "code", " "+strings.ToUpper(touched)+"\n").goes(security)
}
