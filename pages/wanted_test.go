package pages

import (
	"encoding/base64"
	"net/http"
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
	}
}

// What is kept leads nowhere else, is forgotten after an hour, and once it was used.
func TestWhatWasWantedBeforeAMail(t *testing.T) {
	t.Parallel()
	d, box := withMail(t, development, withApps)
	d.ana(t)
	way := handOver(wiki + "page")
	resets := func(b *browser) *page {
		return b.post("/reset/"+box.newest(t, d, twinlatch.EventResetAsked), "password", "five unrelated words are here").is(200)
	}
	b := d.browser(t)
	for _, evil := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/" + strings.Repeat("a", mostNoted)} {
		b.post(onTo("/forgot", evil), "email", anaEmail).is(200)
		resets(b).offers("/sign-in")
		if strings.Contains(evil, "aaa") { // which is ours, and too long to keep
			continue
		}
		b.jar.SetCookies(b.base(), []*http.Cookie{{Name: d.cookieName("wanted"), Value: base64.RawURLEncoding.EncodeToString([]byte(evil)), Path: "/"}})
		b.post("/forgot", "email", anaEmail).is(200)
		resets(b).offers("/sign-in")
		d.env.Clock.Advance(time.Hour) // for the limit of mails
	}
	b.post(onTo("/forgot", way), "email", anaEmail).is(200)
	resets(b).offers(onTo("/sign-in", way))
	b.post("/forgot", "email", anaEmail).is(200)
	resets(b).offers("/sign-in")
	if kept := b.jar.Cookies(b.base()); len(kept) > 0 {
		t.Errorf("kept: %v", kept)
	}
}
