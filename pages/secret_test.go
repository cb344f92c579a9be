package pages

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// A whole journey with its mistakes, after which no secret of it is in the log,
// at debug level, of pages and core. Browsers look that no answer repeats one.
func TestJourneyLeavesNoSecretInTheLog(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	var secrets []string
	plant := func(found ...string) { secrets = append(secrets, found...) }

	ana := &person{browser: d.browser(t), email: anaEmail, password: "marker four words here"}
	ana.post("/sign-up", "name", "Ana", "email", "not an address", "password", "marker of a short sign-up").is(422)
	ana.post("/sign-up", "name", "Ana", "email", ana.email, "password", ana.password).goes("/sign-in")
	ana.post("/sign-in", "email", ana.email, "password", "marker of a wrong password").is(422)
	ana.signIn().goes(security)
	plant(ana.token())
	setup := ana.begin()
	key := textOf(setup.byID("key"))
	plant(key, strings.ReplaceAll(key, " ", ""), setup.link("otpauth:"))
	ana.app = twinlatchtest.Scan(t, setup.link("otpauth:"))
	confirm := setup.link(security + "/confirm/")
	ana.post(confirm, "code", ana.wrongCode()).is(422)
	ana.post(confirm, "code", ana.app.Code(ana.now())).goes(security)
	plant(ana.token())
	codes := ana.backupCodes()
	for _, code := range codes {
		plant(code, strings.ReplaceAll(code, "-", ""))
	}
	ana.post("/sign-out").is(200)
	ana.signIn().goes("/verify")
	plant(ana.token())
	ana.post("/verify", "code", ana.wrongCode()).is(422)
	ana.post("/verify", "code", "xyzxyz").is(422)
	ana.verify().goes(security)
	plant(ana.token())
	ana.post("/confirm", "password", "marker of a wrong confirmation").is(422)
	ana.post("/recover", "code", "zzzz-zzzz-zzzz-zzzz").is(422)
	ana.post("/recover", "code", codes[0]).goes(security)
	plant(ana.token())
	ana.wait(30 * 24 * time.Hour)
	ana.get("/verify").is(200)
	ana.verify().goes(security)
	plant(ana.token())
	for range 6 {
		ana.post("/verify", "code", ana.wrongCode())
	}
	r := ana.request("POST", "/sign-in", "password=marker+of+a+broken+form&password=2")
	ana.send(r).is(400)
	r = ana.request("POST", "/sign-in", "password=marker+of+another+site")
	r.Header.Set("Origin", "https://evil.example")
	r.Header.Del("Sec-Fetch-Site")
	ana.send(r).is(403)

	// The database goes away: what that makes everybody log holds no secret either.
	if err := d.env.Store.Close(); err != nil {
		t.Fatal(err)
	}
	ana.get(security).is(500)
	ana.post("/sign-in", "email", ana.email, "password", ana.password).is(500)
	ana.post("/verify", "code", ana.app.Code(ana.now())).is(500)
	ana.post("/sign-up", "name", "Bo", "email", "bo@example.com", "password", ana.password).is(500)

	log := d.log.String()
	if strings.Count(log, "request failed") != 4 {
		t.Fatalf("the log is not what it should be:\n%s", log)
	}
	for _, secret := range append(secrets, ana.typed...) {
		_, tokenSecret, _ := strings.Cut(secret, ".")
		for _, form := range []string{secret, tokenSecret, base64.StdEncoding.EncodeToString([]byte(secret))} {
			if len(form) >= 6 && strings.Contains(log, form) {
				t.Errorf("the log holds %q", form)
			}
		}
	}
	if strings.Contains(log, "marker") || strings.Contains(log, anaEmail) {
		t.Errorf("the log holds what was typed:\n%s", log)
	}
}

// Pages with a secret are not compressed: the length of a compressed page tells
// about what is in it (BREACH). All others are, where the browser can.
func TestCompression(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	for _, c := range []struct {
		name, accept string
		packed       bool
	}{
		{"every browser", "gzip, deflate, br, zstd", true},
		{"gzip only", "gzip", true},
		{"with a weight", "br;q=1.0, gzip;q=0.8, *;q=0.1", true},
		{"a small weight", "gzip; q=0.001", true},
		{"full weight", "gzip;q=1", true},
		{"nothing", "", false},
		{"others", "deflate, br", false},
		{"gzip refused", "gzip;q=0, br", false},
		{"gzip refused, spelled out", "gzip; q=0.000", false},
		{"a longer name", "xgzip", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := ana.withToken(ana.token())
			b.t = t
			if c.accept != "" {
				b.header.Set("Accept-Encoding", c.accept)
			}
			for path, packed := range map[string]bool{"/help": c.packed, "/sign-in?x": false, security: c.packed, "/nothing": c.packed, d.files.mustPath("app.css"): c.packed} {
				p := b.get(path)
				if got := p.header.Get("Content-Encoding") == "gzip"; got != packed {
					t.Errorf("%s: compressed is %v", path, got)
				}
				if vary := strings.Join(p.header.Values("Vary"), ", "); p.status != 303 && !strings.Contains(vary, "Accept-Encoding") {
					t.Errorf("%s: Vary %q", path, vary)
				}
			}
		})
	}
	ana.header.Set("Accept-Encoding", "gzip")
	setup := ana.begin()
	for _, p := range []*page{setup, ana.post(setup.link(security+"/confirm/"), "code", "abcdef").is(422), ana.post(security + "/backup-codes").is(200)} {
		if p.header.Get("Content-Encoding") != "" {
			t.Errorf("%s: a secret is compressed", p.request)
		}
	}
}

// mustPath is path, for files that are there.
func (a *assets) mustPath(name string) string {
	path, err := a.path(name)
	if err != nil {
		panic(err)
	}
	return path
}

// Secrets are where they belong and on no other page.
func TestSecretsAreShownOnce(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	setup := ana.begin()
	key := strings.ReplaceAll(textOf(setup.byID("key")), " ", "")
	ana.app = twinlatchtest.Scan(t, setup.link("otpauth:"))
	ana.post(setup.link(security+"/confirm/"), "code", ana.app.Code(ana.now())).goes(security)
	codes := ana.backupCodes()
	ana.typed = append(ana.typed, key, setup.link("otpauth:"), ana.token())
	for _, code := range codes {
		ana.typed = append(ana.typed, code, strings.ReplaceAll(code, "-", ""))
	}
	id := factorIDs(ana.get(security))[0]
	for _, path := range []string{security, "/verify", "/verify/ways", "/recover", security + "/turn-off", security + "/factors/" + id + "/remove", "/help", security + "/backup-codes"} {
		ana.get(path) // looks for all that was typed
	}
}
