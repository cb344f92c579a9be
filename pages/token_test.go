package pages

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// Each step up gives the browser exactly one new token, and the old one is dead
// at once. What the cookie must look like is in checkCookie.
func TestTokenChangesAtEveryStep(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){"http": nil, "https": overHTTPS} {
		t.Run(name, func(t *testing.T) {
			var changes []func(*Config)
			if change != nil {
				changes = append(changes, change)
			}
			d := newDoor(t, changes...)
			ana := d.person(t, anaEmail)
			var codes []string
			steps := []struct {
				name string
				do   func() *page
			}{
				{"sign-in", ana.signIn},
				{"password confirmed", func() *page { return ana.post("/confirm", "password", ana.password) }},
				{"enrollment confirmed", func() *page {
					ana.app = ana.enroll()
					codes = ana.backupCodes()
					return nil
				}},
				{"first step", ana.signIn},
				{"second step", ana.verify},
				{"fresh proof", ana.verify},
				{"backup code", func() *page { return ana.post("/recover", "code", codes[0]) }},
				{"after 30 days", func() *page { ana.wait(30 * 24 * time.Hour); return ana.verify() }},
				{"on a new network", func() *page { ana.ip = cafe4; return ana.verify() }},
			}
			seen := map[string]bool{}
			for _, step := range steps {
				old := ana.token()
				p := step.do()
				if p != nil && len(p.is(303).cookies) != 1 {
					t.Errorf("%s: %d cookies", step.name, len(p.cookies))
				}
				if now := ana.token(); now == "" || seen[now] {
					t.Errorf("%s: token %q is not new", step.name, now)
				}
				seen[ana.token()] = true
				if step.name == "sign-in" || step.name == "first step" {
					continue // another session; it does not end this browser's former one
				}
				dead := ana.withToken(old)
				dead.ip = ana.ip
				for _, path := range []string{"/verify", security} {
					if p := dead.get(path).is(303); !strings.HasPrefix(p.location, "/sign-in") || len(p.cookies) != 0 {
						t.Errorf("%s: the old token goes to %s", step.name, p.location)
					}
				}
				if dead.token() != old {
					t.Errorf("%s: the answer took the cookie away; a newer one may be on its way", step.name)
				}
			}
		})
	}
}

// What changes no level keeps the token: two tabs go on.
func TestTokenStaysOtherwise(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	token := ana.token()
	id := factorIDs(ana.get(security))[0]
	ana.post(security+"/factors/"+id+"/rename", "name", "Phone").goes(security)
	ana.backupCodes()
	ana.post("/verify", "code", ana.wrongCode()).is(422)
	ana.post("/recover", "code", "0000-0000-0000-0000").is(422)
	ana.post("/confirm", "password", "not the password").is(422)
	ana.post("/sign-in", "email", ana.email, "password", "not the password").is(422)
	ana.post(security + "/sessions/end-others").goes(security)
	if ana.token() != token {
		t.Error("the token changed")
	}
	ana.get(security).is(200)
}

// A wrong password or code takes nothing away from who is signed in, and a
// first step changes no other session.
func TestPasswordAloneDisturbsNobody(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	mallory := ana.elsewhere()
	mallory.ip = cafe4
	for range 25 {
		mallory.browser = d.browser(t)
		mallory.signIn().goes("/verify")
	}
	mallory.post(security + "/sessions/end-others").goes("/verify?return_to=" + url.QueryEscape(security))
	ana.get(security).is(200)
	ana.verify().goes(security)
}

// A cookie of one door is none of the other's.
func TestCookieNameFollowsTheAddress(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]*door{"twinlatch": newDoor(t), "__Host-twinlatch": newDoor(t, overHTTPS)} {
		ana := d.ana(t)
		if cookies := ana.jar.Cookies(d.cfg.Address); len(cookies) != 1 || cookies[0].Name != name {
			t.Errorf("%v", cookies)
		}
		ana.header.Set("Cookie", map[string]string{"twinlatch": "__Host-twinlatch", "__Host-twinlatch": "twinlatch"}[name]+"="+ana.token())
		ana.get(security).goes("/sign-in?return_to=" + url.QueryEscape(security))
	}
}
