package pages

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Who opens an app and finds the password forgotten, or has to make an account first, comes
// to the app all the same once the mail is read in this browser. Another one knows nothing of it.
func TestAMailOnTheWayToAnApp(t *testing.T) {
	t.Parallel()
	d, box := withMail(t, development, withApps)
	d.anaWithApp(t)
	way := handOver(wiki + "page?a=b")
	in := func(path string) string { return onTo(path, way) }

	b := d.browser(t)
	b.get(in("/sign-in")).is(200).offers(in("/forgot"), in("/sign-up"))
	b.get(in("/forgot")).is(200).offers(in("/forgot"), in("/sign-in"))
	b.post(in("/forgot"), "email", "nonsense").is(422).offers(in("/forgot"), in("/sign-in"))
	b.post(in("/forgot"), "email", anaEmail).is(200).offers(in("/forgot"), in("/sign-in"))
	const password = "five unrelated words are here"
	reset := "/reset/" + box.newest(t, d, twinlatch.EventResetAsked)
	b.post(reset, "password", password).is(200).offers(in("/sign-in"))
	b.post(in("/forgot"), "email", anaEmail).is(200)
	reset = "/reset/" + box.newest(t, d, twinlatch.EventResetAsked)
	d.browser(t).post(reset, "password", password).is(200).offers("/sign-in")

	// An account is made, and its address confirmed, signed in or not.
	for name, signedIn := range map[string]bool{"bo@example.com": true, "cy@example.com": false} {
		p := &person{browser: d.browser(t), email: name, password: anaPassword}
		p.post(in("/sign-up"), "name", "Bo", "email", name, "password", anaPassword).goes(in("/sign-in"))
		want := in("/sign-in")
		if signedIn {
			p.signIn().goes(security)
			want = way
		}
		p.post(p.confirmation()).is(200).offers(want)
		p.post("/forgot", "email", name).is(200)
		p.post("/reset/"+box.newestTo(t, d, name, twinlatch.EventResetAsked), "password", password).is(200).offers("/sign-in") // it was kept for one mail
	}

	// Or the address has to be confirmed when the app is opened, long after the sign-up.
	p := d.stranger(t, "dee@example.com")
	files := handOver("https://files.example.net:8443/a")
	p.get(files).is(403).titled("Confirm your e-mail").offers("/email/again")
	p.post("/email/again")
	p.post(p.confirmation()).is(200).offers(files)
}

// A computer that several people use: where one wanted to go is nothing for the next one.
func TestWhatSomebodyElseWanted(t *testing.T) {
	t.Parallel()
	d, box := withMail(t, development, withApps)
	ana, bo := d.ana(t), d.person(t, "bo@example.com")
	way := handOver(wiki + "page")
	asked := func(b *browser, email string) string {
		b.post(onTo("/forgot", way), "email", email).is(200)
		return "/reset/" + box.newestTo(t, d, email, twinlatch.EventResetAsked)
	}
	const password = "five unrelated words are here"

	for name, between := range map[string]func(b *browser){
		"signs out":                func(b *browser) { b.post("/sign-out").is(200) },
		"forgets another password": func(b *browser) { b.post("/forgot", "email", bo.email).is(200) },
		"wants what no cookie has": func(b *browser) { b.post(onTo("/forgot", way+strings.Repeat("a", 700)), "email", bo.email).is(200) },
		"makes an account nowhere": func(b *browser) { b.post("/sign-up", "name", "Cy", "email", "cy@example.com", "password", password) },
		"goes there, in two sittings": func(b *browser) {
			b.post("/reset/"+box.newestTo(t, d, ana.email, twinlatch.EventResetAsked), "password", password).is(200).offers(onTo("/sign-in", way))
		},
	} {
		b := d.browser(t)
		asked(b, ana.email)
		between(b)
		other := d.browser(t)
		other.post("/forgot", "email", bo.email).is(200)
		p := b.post("/reset/"+box.newestTo(t, d, bo.email, twinlatch.EventResetAsked), "password", password).is(200).offers("/sign-in")
		if strings.Contains(p.body, "wiki") {
			t.Errorf("%s: %s", name, p.body)
		}
		d.env.Clock.Advance(time.Hour) // for the limits of mails
	}

	// Somebody else is signed in when the mail is read.
	b := bo.browser
	bo.password = password
	bo.signIn().goes(security)
	b.post(asked(b, ana.email), "password", password).is(200).offers("/sign-in")
	dee := &person{browser: b, email: "dee@example.com", password: anaPassword}
	dee.post("/sign-out")
	dee.post(onTo("/sign-up", way), "name", "Dee", "email", dee.email, "password", dee.password)
	bo.signIn().goes(security)
	if p := b.post(dee.confirmation()).is(200).offers("/"); strings.Contains(p.body, "wiki") {
		t.Errorf("leads to the app as somebody else: %s", p.body)
	}

	// A link that is dead by now leads to a new one, and then there.
	b = d.browser(t)
	dead := asked(b, ana.email)
	d.env.Clock.Advance(30 * time.Minute)
	b.get(dead).is(410).offers(onTo("/forgot", way))
}

// Whatever stands in the cookie, it leads to us or nowhere, and is taken away.
func TestWhatWasWantedIsOurs(t *testing.T) {
	t.Parallel()
	d := newDoor(t, withApps)
	for _, to := range append(hostile(t), "", "x", "/help", handOver(wiki)) {
		r := httptest.NewRequest("POST", "/reset/x", nil)
		r.AddCookie(&http.Cookie{Name: d.cookieName("wanted"), Value: base64.RawURLEncoding.EncodeToString([]byte(to))})
		w := httptest.NewRecorder()
		got := d.takeWanted(w, r)
		if got != "" && (got != to || !isOurs(got)) {
			t.Errorf("%q leads to %q", to, got)
		}
		if (to == "/help") != (got == "/help") {
			t.Errorf("%q leads to %q", to, got)
		}
		if taken := w.Result().Cookies(); len(taken) != 1 || taken[0].MaxAge >= 0 {
			t.Errorf("%q: cookies %v", to, taken)
		}
	}
}

// What no cookie has room for is not kept.
func TestWhatWasWantedIsTooLong(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t)
	b := d.browser(t)
	b.post(onTo("/forgot", "/help?"+strings.Repeat("a", mostWanted)), "email", anaEmail).is(200)
	if kept := b.jar.Cookies(b.base()); len(kept) > 0 {
		t.Errorf("kept: %v", kept)
	}
}
