package pages

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// A browser that owes the second step reaches it, its alternatives, sign-out and
// what is open to everybody. Whoever changes the matrix has to change this too.
func TestHalfSignedInReachesNothingElse(t *testing.T) {
	t.Parallel()
	reached := []string{
		"/verify", "/verify/ask", "/verify/ways", "/verify/pick/text", "/recover", "/sign-out",
		"/forgot", "/reset/T", "/not-me/T", "/email/T",
		"/", "/help", "/static/*/app.css", "/sign-up", "/sign-in", "/language", "/dev/outbox", "/dev/clock",
		"/auth/handover",
	}
	_, rows := readMatrix()
	for _, r := range rows {
		for _, state := range []string{"first", "aged", "moved", "lost"} {
			if cell := r.cells[state]; cell != "ver" && !slices.Contains(reached, r.path) {
				t.Errorf("%s %s: %s for %q", r.method, r.path, cell, state)
			}
		}
	}
}

// No handler can be written without saying how far somebody must have come.
func TestEveryRouteHasOneGuard(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t, development, withApps)
	for _, r := range d.routes() {
		guards := 0
		for _, set := range []bool{r.open != nil, r.known != nil, r.enrolling != nil, r.passed != nil} {
			if set {
				guards++
			}
		}
		if guards != 1 {
			t.Errorf("%s %s has %d guards", r.method, r.path, guards)
		}
	}
}

func TestWrongMethodsDoNothing(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t, development, withApps)
	ana := d.anaWithApp(t)
	setup := ana.begin().link(security + "/confirm/")
	factor := ana.get(security).find(`/factors/([a-z2-7]{26})/remove`)
	for _, r := range d.routes() {
		path := strings.NewReplacer("{$}", "", "{hash}", d.files.files["app.css"].hash, "{file}", "app.css", "{kind}", "totp",
			"{challenge}", strings.TrimPrefix(setup, security+"/confirm/"), "{factor}", factor, "{session}", "aaaaaaaaaaaaaaaaaaaaaaaaaa",
			"{account}", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "{group}", everyone, "{token}", "x").Replace(r.path)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"} {
			if d.routed(method, path) {
				continue
			}
			p := ana.send(ana.request(method, path, ""))
			if p.status != http.StatusNotFound && p.status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: status %d", method, path, p.status)
			}
		}
	}
	ana.get(security).is(200).says("2-step verification is on")
}

func TestHeadAnswersAsGet(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	for path, status := range map[string]int{"/": 303, "/help": 200, "/sign-in": 303, security: 200, security + "/turn-off": 200, "/nothing": 404} {
		ana.send(ana.request("HEAD", path, "")).is(status)
	}
}

// A token is a token in the cookie and nowhere else.
func TestTokenElsewhereIsNobody(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	token := ana.token()
	for name, change := range map[string]func(*http.Request){
		"bearer": func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
		"basic":  func(r *http.Request) { r.SetBasicAuth(anaEmail, anaPassword) },
		"basic token": func(r *http.Request) {
			r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(token)))
		},
		"query":          func(r *http.Request) { r.URL.RawQuery = "twinlatch=" + token + "&token=" + token },
		"header":         func(r *http.Request) { r.Header.Set("Twinlatch", token) },
		"HTTPS cookie":   func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "__Host-twinlatch", Value: token}) },
		"other case":     func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "Twinlatch", Value: token}) },
		"cookie2":        func(r *http.Request) { r.Header.Set("Cookie2", "twinlatch="+token) },
		"quoted":         func(r *http.Request) { r.Header.Set("Cookie", `twinlatch="`+token+` "`) },
		"prefix":         func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "twinlatch", Value: token[:len(token)-1]}) },
		"longer":         func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "twinlatch", Value: token + "a"}) },
		"of nobody":      func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "twinlatch", Value: swap(token, 0)}) },
		"other session":  func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "twinlatch", Value: swap(token, 30)}) },
		"other secret":   func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "twinlatch", Value: swap(token, 60)}) },
		"huge":           func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "twinlatch", Value: strings.Repeat(token, 100)}) },
		"empty":          func(r *http.Request) { r.Header.Set("Cookie", "twinlatch=") },
		"two lines":      func(r *http.Request) { r.Header["Cookie"] = []string{"twinlatch=" + token, "twinlatch=" + token} },
		"and an empty":   func(r *http.Request) { r.Header.Set("Cookie", "twinlatch="+token+"; twinlatch=") },
		"another's line": func(r *http.Request) { r.Header.Set("Cookie", "twinlatch=x; twinlatch="+token) },
	} {
		t.Run(name, func(t *testing.T) {
			b := d.browser(t)
			r := b.request("GET", security, "")
			change(r)
			if p := b.send(r).is(303); !strings.HasPrefix(p.location, "/sign-in?return_to=") {
				t.Errorf("goes to %s", p.location)
			}
		})
	}
	ana.get(security).is(200)
}

// swap changes one character of a token.
func swap(token string, at int) string {
	other := "b"
	if token[at] == 'b' {
		other = "c"
	}
	return token[:at] + other + token[at+1:]
}

// The address counts as the proxies say it, whatever else the request says.
func TestStolenCookieFromElsewhereIsAsked(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	for name, change := range map[string]func(*browser){
		"another IPv4":          func(b *browser) { b.ip = cafe4 },
		"her IPv6, never used":  func(b *browser) { b.ip = home6 },
		"spoofed header":        func(b *browser) { b.ip, b.forwarded = cafe4, home4 },
		"spoofed through proxy": func(b *browser) { b.ip, b.forwarded = proxy, home4+", "+cafe4 },
		"other spoofed headers": func(b *browser) {
			b.ip = cafe4
			b.header.Set("X-Real-Ip", home4)
			b.header.Set("Forwarded", "for="+home4)
		},
		"unknown address":        func(b *browser) { b.nowhere() },
		"her browser's own name": func(b *browser) { b.ip, b.header = cafe4, ana.header },
	} {
		t.Run(name, func(t *testing.T) {
			thief := ana.withToken(ana.token())
			thief.t = t
			change(thief)
			thief.get(security).goes("/verify?return_to=%2Fsettings%2Fuser%2Fsecurity")
			thief.get("/verify").is(200).says("You’re on a new network")
		})
	}
	ana.get(security).is(200) // and her session is as it was
	behind := ana.withToken(ana.token())
	behind.ip, behind.forwarded = proxy, home4
	behind.get(security).is(200) // the same address by way of our proxy
}

// A sign-in that owes the second step lives ten minutes.
func TestSignInMustGoOnWithinTenMinutes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wait  time.Duration
		alive bool
	}{
		"one second less": {10*time.Minute - time.Second, true},
		"ten minutes":     {10 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			ana := newDoor(t).anaWithApp(t).elsewhere()
			ana.signIn().goes("/verify")
			ana.wait(c.wait)
			if c.alive {
				ana.get("/verify").is(200)
				ana.post("/verify", "code", ana.app.Code(ana.now())).goes(security)
				ana.get(security).is(200)
				return
			}
			ana.get("/verify").goes("/sign-in")
			ana.post("/verify?return_to=%2Fhelp", "code", ana.app.Code(ana.now())).goes("/sign-in?return_to=%2Fhelp")
			ana.signIn().goes("/verify")
		})
	}
}

// Somebody who has a session at 30 days less one second is served, and then not.
func TestThirtyDays(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	for range 29 { // activity prolongs nothing
		ana.wait(24 * time.Hour)
		ana.get(security).is(200)
	}
	ana.wait(24*time.Hour - time.Second)
	ana.get(security).is(200)
	ana.wait(time.Second)
	ana.get(security + "?a=b").goes("/verify?return_to=" + url.QueryEscape(security+"?a=b"))
	ana.get("/verify").is(200).titled("It’s been 30 days").
		says("We ask for a new code every 30 days, to be sure it is still you.", "You are still signed in as ana@example.com. Nothing you were doing is lost.").
		offers("/sign-out", "/verify/ways").hides("Step 2 of 2")
	ana.verify().goes(security)
	ana.get(security).is(200)
}

// A browser that went away is no fault of ours: nothing for the operator to see.
func TestWhoWentAwayIsNoError(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t).elsewhere()
	ana.signIn()
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, path := range []string{"/verify", security} {
		ana.send(ana.request("GET", path, "").WithContext(gone))
	}
	if log := d.log.String(); strings.Contains(log, "level=ERROR") || !strings.Contains(log, context.Canceled.Error()) {
		t.Errorf("the log says:\n%s", log)
	}
}
