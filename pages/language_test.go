package pages

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/text"
	"github.com/twinlatch/twinlatch/twinlatchtest"
	"golang.org/x/net/html"
)

const (
	czech    = "cs-CZ,cs;q=0.9,en;q=0.8" // as a browser in Czech says it
	mirrored = "ar-XB"
)

// speaks is a browser that asks for languages.
func (b *browser) speaks(language string) *browser {
	b.header.Set("Accept-Language", language)
	return b
}

// choose presses a language at the foot of the page.
func (b *browser) choose(p *page, language string) *page {
	b.t.Helper()
	return b.post(p.link("/language"), "language", language)
}

// in fails the test unless the page is in a language.
func (p *page) in(language string) *page {
	p.t.Helper()
	if got := p.header.Get("Content-Language"); got != language {
		p.t.Errorf("%s: in %q, want %q", p.request, got, language)
	}
	return p
}

// Nobody chose yet: the browser's language counts, and English where it says none
// that we speak.
func TestTheBrowserDecides(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.browser(t).get("/sign-in").in("en").titled("Sign in").says("Language: English Čeština")
	d.browser(t).speaks("en-GB,en;q=0.9").get("/sign-in").in("en").titled("Sign in")
	d.browser(t).speaks("de-DE").get("/sign-in").in("en")
	ana := d.ana(t)
	ana.get(security).in("en").says("2-step verification is off")
	ana.speaks(czech)
	ana.get(security).in("cs").titled("Zabezpečení").says("Dvoufázové ověření je vypnuté", "Jazyk: Čeština English", "Účet vytvořen 23. listopadu 2026 v 12:00 UTC · IP 192.0.2.1")
	ana.get("/nothing").is(404).in("cs").says("Tato stránka neexistuje, nebo není vaše.")
	ana.post("/sign-in", "email", ana.email, "password", "wrong").is(422).in("cs").titled("Chyba: Přihlášení").
		notes("E-mailová adresa nebo heslo nejsou správně. Zkontrolujte obojí a zkuste to znovu.")
	foreign := ana.request("POST", "/sign-out", "")
	foreign.Header.Set("Origin", "https://evil.example")
	foreign.Header.Del("Sec-Fetch-Site")
	ana.send(foreign).is(403).in("cs")
	ana.post("/sign-out").is(200).in("cs").titled("Odhlášení proběhlo")
}

// Before signing in a choice is kept in the browser. It brings the browser back to
// the page where it was made.
func TestAChoiceBeforeSignInIsTheBrowsers(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	b := d.browser(t)
	for _, path := range []string{"/sign-in", "/sign-up?return_to=%2Fhelp", "/help", "/nothing?a=b&c=%20"} {
		b.choose(b.get(path), "cs").goes(path)
		b.get(path).in("cs")
		b.choose(b.get(path), "en").goes(path)
		b.get(path).in("en")
	}
	b.speaks(czech)
	b.get("/help").in("en") // the choice stays
	d.browser(t).get("/help").in("en")
}

// Whoever has done both steps chooses for the account, in all browsers. Until then
// only this browser is theirs to choose for.
func TestTheAccountDecides(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	ana.choose(ana.get(security), "cs").goes(security)
	if a := d.account(t, ana.email); a.Locale != "cs" {
		t.Fatalf("the account has %q", a.Locale)
	}
	ana.get(security).in("cs")
	ana.get("/help").in("cs")

	other := ana.elsewhere()
	other.speaks("en-GB")
	other.get("/sign-in").in("en")
	other.signIn().goes("/verify")
	verify := other.get("/verify").in("cs")
	other.choose(verify, "en").goes("/verify")
	other.get("/verify").in("en").says("Step 2 of 2")
	other.verify().goes(security)
	other.get(security).in("cs")
	if a := d.account(t, ana.email); a.Locale != "cs" {
		t.Errorf("half a sign-in changed the account to %q", a.Locale)
	}
	other.choose(other.get(security), "en").goes(security)
	other.get(security).in("en")
	ana.app = other.app
	ana.get(security).in("en")
	ana.post("/sign-out").is(200).in("en")
	ana.get("/sign-in").in("cs") // the cookie of this browser
}

func (d *door) account(t *testing.T, login string) twinlatch.Account {
	t.Helper()
	a, err := d.env.FindAccount(t.Context(), twinlatch.MainRealm, login)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A page that answers a post leads back to where it can be opened, if it can.
func TestTheLanguageOfAnAnswerToAPost(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	wrong := ana.post("/sign-in?return_to=%2Fhelp", "email", ana.email, "password", "wrong").is(422)
	ana.choose(wrong, "cs").goes("/sign-in?return_to=%2Fhelp")
	factor := factorIDs(ana.get(security))[0]
	ana.choose(ana.post(security+"/factors/"+factor+"/rename", "name", "").is(422), "en").goes(security) // by way of "/"
	setup := ana.begin()
	confirm := setup.link(security + "/confirm/")
	ana.choose(ana.post(confirm, "code", "xyzxyz").is(422), "cs").goes(confirm)
	ana.get(confirm).is(200).in("cs").says("Naskenujte tento QR kód")
	guest := d.browser(t)
	guest.choose(guest.post("/sign-out").is(200), "cs").goes("/sign-in")
}

func TestLanguageRefuses(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.ana(t)
	for _, language := range []string{"", "de", "CS", "cs-CZ", "cs,en", mirrored, "\x00", "en\r\nSet-Cookie: a=b", strings.Repeat("c", 5000)} {
		if p := ana.post("/language", "language", language).is(400); len(p.cookies) != 0 {
			t.Errorf("%q: cookie %v", language, p.cookies)
		}
	}
	ana.post("/language").is(400)
	ana.send(ana.request("POST", "/language", "language=cs&language=en")).is(400)
	ana.get("/language").is(404)
	if a := d.account(t, ana.email); a.Locale != "" {
		t.Errorf("the account has %q", a.Locale)
	}
	for _, to := range hostile(t) {
		ana.post("/language?return_to="+url.QueryEscape(to), "language", "en").goes(security)
	}
	for _, cookie := range []string{"lang=", "lang=xx", "lang=cs,en; lang=xx", "lang=" + strings.Repeat("cs-", 3000)} {
		b := d.browser(t)
		b.header.Set("Cookie", cookie)
		if p := b.get("/sign-in").is(200); p.header.Get("Content-Language") != "en" && p.header.Get("Content-Language") != "cs" {
			t.Errorf("%.40q: %s", cookie, p.header.Get("Content-Language"))
		}
	}
}

// The mirrored language is for development, and nobody comes by it there by chance.
func TestMirroredIsForDevelopment(t *testing.T) {
	t.Parallel()
	newDoor(t).browser(t).speaks(mirrored).get("/help").in("en")
	dev := devDoor(t).browser(t)
	dev.speaks("ar,ar-EG;q=0.9").get("/help").in("en").hides("ـ")
	dev.post("/language?return_to=%2Fhelp", "language", mirrored).goes("/help")
	p := dev.get("/help").in(mirrored)
	dev.choose(p, "en").goes("/help")
	dev.get("/help").in("en")
}

// While the database is down, what needs none of it is in the browser's language.
func TestLanguageWithoutADatabase(t *testing.T) {
	t.Parallel()
	d := newDoor(t, withRequestID)
	ana := d.ana(t)
	ana.choose(ana.get(security), "cs").goes(security)
	ana.speaks("en-GB")
	if err := d.env.Store.Close(); err != nil {
		t.Fatal(err)
	}
	ana.get("/help").is(200).in("cs") // its cookie
	ana.get(security).is(500).in("cs").says("Něco se u nás pokazilo.")
}

// Counts take the form that the language has for them.
func TestCountsAreDeclined(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t).elsewhere()
	ana.speaks(czech)
	ana.signIn().goes("/verify")
	for _, left := range []string{"Zbývají vám 4 pokusy.", "Zbývají vám 3 pokusy.", "Zbývají vám 2 pokusy.", "Zbývá vám 1 pokus."} {
		p := ana.post("/verify", "code", ana.wrongCode()).is(422)
		p.complains("code", "Tento kód není správný. Najděte v aplikaci nejnovější kód a zkuste to znovu. "+left)
	}
}

// A text message is in the language of the page, unless the account chose one.
func TestTextMessagesSpeakTheLanguageOfThePage(t *testing.T) {
	t.Parallel()
	var said []string
	d := doorOn(t, twinlatchtest.Migrated(t), func(c *twinlatch.Config) {
		c.Methods = textMethods(t, func(c *text.Config) {
			c.Say = func(locale, code, _ string) (string, error) {
				said = append(said, locale)
				return code, nil
			}
		})
		c.Sending.Senders = []twinlatch.Sender{new(carrier)}
	})
	ana := d.ana(t)
	ana.speaks(czech)
	ana.post(addText, "phone", one).is(303)
	ana.choose(ana.get(security), "en")
	ana.post(addText, "phone", two).is(303)
	if !slices.Equal(said, []string{"cs", "en"}) {
		t.Errorf("messages in %q", said)
	}
}

var latin = regexp.MustCompile(`[A-Za-z]+`)

// checkMirrored finds what does not come from the catalogue, in what is shown and
// read aloud: there, all words are in other letters. What is data is marked: by
// its element, or it is one of the few below.
func checkMirrored(p *page) {
	p.t.Helper()
	data := regexp.MustCompile(`[\w.+-]+@[\w.-]+|Firefox|Linux|[0-9a-z]{4}(-[0-9a-z]{4}){3}|Twinlatch|text|Ada|Ana|wiki\.example\.com`)
	for n := range p.doc.Descendants() {
		if isData(n) {
			continue
		}
		if n.Type == html.TextNode {
			if word := latin.FindString(data.ReplaceAllString(n.Data, "")); word != "" {
				p.t.Errorf("%s: %q is in no catalogue: %s", p.request, word, n.Data)
			}
		}
		for _, a := range n.Attr {
			if slices.Contains([]string{"alt", "title", "placeholder", "aria-label", "data-done", "data-fail", "data-wait", "data-retry", "data-none", "data-known"}, a.Key) && latin.MatchString(a.Val) {
				p.t.Errorf("%s: %s=%q is in no catalogue", p.request, a.Key, a.Val)
			}
		}
	}
}

// isData says whether a node is within something that is not ours to translate.
func isData(n *html.Node) bool {
	for ; n != nil; n = n.Parent {
		if slices.Contains([]string{"bdi", "code", "script", "noscript"}, n.Data) || attr(n, "translate") == "no" || has(n, "lang") && n.Data != "html" ||
			slices.Contains(strings.Fields(attr(n, "class")), "num") {
			return true
		}
	}
	return false
}
