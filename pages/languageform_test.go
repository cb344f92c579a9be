package pages

import "testing"

// Once: The form for another language goes back by a plain redirect. From the page that
// refuses an app, reached again when the account may open it meanwhile, or with the app
// itself as return_to, it leads through a form's redirects to another host, which
// form-action 'self' forbids: the press does nothing. As after every other POST, a page
// has to come between (onward, with Form).
func TestTheLanguageFormLeadsToAPageBefore(t *testing.T) {
	t.Parallel()
	ana := newDoor(t, withApps).anaWithApp(t)
	p := ana.get(handOver(wiki + "staff")).is(403)
	form := p.link("/language?")
	to := ana.post(form, "language", "en").is(303).location
	if to == handOver(wiki+"staff") {
		t.Errorf("a form leads to %s, and on to the app", to)
	}
}
