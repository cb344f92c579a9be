package pages

import (
	"strings"
	"testing"
)

func TestProfile(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	ana.get(security).is(200).offers(profilePath)
	p := ana.get(profilePath).is(200).titled("Profile").keeps("name", "Ana").
		says("Settings User settings Profile", "Profile Security", anaEmail, "Language", "As in your browser", "English", "Čeština").
		offers(security, passwordPath, profilePath)
	if p.text("h1") != "Profile" {
		t.Errorf("heading %q", p.text("h1"))
	}
	var current []string
	for a := range p.all("a") {
		if attr(a, "aria-current") == "page" {
			current = append(current, textOf(a))
		}
	}
	if len(current) != 1 || current[0] != "Profile" {
		t.Errorf("current are %q", current)
	}
	ana.outOfDate() // a name and a language protect nothing
	ana.own = []string{`<script>alert(1)</script>`}
	ana.post(profilePath, "name", "  <script>alert(1)</script> ", "language", "").goes(profilePath)
	ana.get(profilePath).is(200).keeps("name", "<script>alert(1)</script>")
	ana.get(security).is(200).says("Name changed")
	ana.post(profilePath, "language", "").goes(profilePath) // what is not in the form stays
	ana.get(profilePath).is(200).keeps("name", "<script>alert(1)</script>")
}

func TestProfileRefuses(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.ana(t)
	for _, name := range []string{"", " \t ", strings.Repeat("é", 101), "Ana\r\nBcc: bo", "Ana\u202eanA", "Ana\x00"} {
		ana.post(profilePath, "name", name, "language", "cs").refuses("name", "Use 1 to 100 characters for the name.").
			titled("Error: Profile").focuses("name").keeps("name", name).chosen("cs")
	}
	for _, language := range []string{"de", "CS", "cs,en", mirrored, "\x00", strings.Repeat("c", 5000)} {
		p := ana.post(profilePath, "name", "Ana Novak", "language", language).is(422).titled("Error: Profile").keeps("name", "Ana Novak")
		if err := p.byID("language-err"); textOf(err) != "We could not read this form. Open the page here and try again." {
			t.Errorf("%.10q: %q", language, textOf(err))
		}
	}
	if a := d.account(t, anaEmail); a.DisplayName != "Ana" || a.Locale != "" {
		t.Errorf("the account is %q, %q", a.DisplayName, a.Locale)
	}
}

// chosen fails the test unless this language is chosen.
func (p *page) chosen(value string) *page {
	p.t.Helper()
	first, got := "", "none"
	for o := range p.all("option") {
		if got == "none" {
			got, first = first, attr(o, "value")
		}
		if has(o, "selected") {
			got = attr(o, "value")
		}
	}
	if got != value {
		p.t.Errorf("%s: %q is chosen, want %q", p.request, got, value)
	}
	return p
}

// The language is the account's in every browser; without a choice each browser has
// its own again.
func TestProfileChoosesTheLanguage(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	other := ana.elsewhere()
	other.signIn().goes("/verify")
	other.verify().goes(security)
	ana.get(profilePath).in("en").chosen("")
	ana.post(profilePath, "name", "Ana", "language", "cs").goes(profilePath)
	ana.get(profilePath).in("cs").chosen("cs").titled("Profil")
	other.get(security).in("cs")
	ana.post("/sign-out").in("cs") // this browser knows it without her
	other.post(profilePath, "name", "Ana", "language", "").goes(profilePath)
	other.get(profilePath).in("en").chosen("")
	other.speaks(czech)
	other.get(profilePath).in("cs").chosen("")
	other.post(profilePath, "name", "Ana", "language", "en").goes(profilePath)
	other.get(profilePath).in("en").chosen("en")
	other.post(profilePath, "name", "Ana", "language", "").goes(profilePath)
	other.get(profilePath).in("cs") // the choice in this browser is forgotten, too
}
