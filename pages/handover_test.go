package pages

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/rules"
	"github.com/twinlatch/twinlatch/twinlatchtest"
	"github.com/twinlatch/twinlatch/web"
)

const (
	wiki = "https://wiki.example.com/"
	// digest is what a browser with a state brings.
	digest = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
)

// appRules are the apps of a door withApps.
var appRules = []string{
	wiki + " second-step",
	wiki + "status public",
	wiki + "admin second-step within=5m",
	wiki + "staff second-step group=staff",
	wiki + "closed deny",
	"https://files.example.net:8443/ signed-in",
}

func withApps(c *Config) {
	var err error
	if c.Apps, err = rules.New(appRules, config.ParseDuration); err != nil {
		panic(err)
	}
}

// handOver is where an app's door sends a browser.
func handOver(to string) string { return web.HandOver{To: to}.Path() }

func stateful(to string) string { return web.HandOver{To: to, State: digest}.Path() }

// onTo is a page with where to go afterwards.
func onTo(path, to string) string { return path + "?return_to=" + url.QueryEscape(to) }

// handOvers says where a hand-over leads each kind of browser of the matrix: to the app
// (app), to sign-in, to the second step, to a method, or nowhere.
const handOvers = `
              none junk twice ended gone | first aged moved lost | code full idle off  off10
page          in   in   in    in    in   | ver   ver  ver   ver  | app  app  app  req  req
status        app  app  app   app   app  | app   app  app   app  | app  app  app  app  app
admin         in   in   in    in    in   | ver   ver  ver   ver  | app  app  ver  req  req
staff         in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
closed        403  403  403   403   403  | 403   403  403   403  | 403  403  403  403  403
files         in   in   in    in    in   | ver   ver  ver   ver  | app  app  app  app  app
`

func TestHandOverForEveryBrowser(t *testing.T) {
	t.Parallel()
	d, net, raw := matrixDoor(t)
	var states []string
	cells := map[string][]string{}
	for line := range strings.Lines(handOvers) {
		switch words := strings.Fields(strings.ReplaceAll(line, "|", "")); {
		case len(words) == 0:
		case states == nil:
			states = words
		default:
			cells[words[0]] = words[1:]
		}
	}
	for i, state := range states {
		s := newSituation(t, d, net, state+"@example.com", raw)
		s.become(state)
		for place, row := range cells {
			to := wiki + place
			if place == "files" {
				to = "https://files.example.net:8443/x"
			}
			for _, path := range []string{handOver(to), stateful(to)} {
				p := s.get(path)
				switch cell := row[i]; cell {
				case "in":
					p.goes(onTo("/sign-in", path))
				case "ver":
					p.goes(onTo("/verify", path))
				case "req":
					p.goes(onTo(requiredPath, path))
				case "403":
					p.is(403)
				case "app":
					public := place == "status" && !slices.Contains([]string{"code", "full", "idle", "off", "off10"}, state)
					if path == handOver(to) || public {
						p.goes(to)
					} else if p.is(303); !isTicket(p.location, to) {
						t.Errorf("%s, %s: goes to %s", state, place, p.location)
					}
				}
			}
		}
	}
}

// isTicket says whether an address brings a ticket for a page of an app.
func isTicket(address, to string) bool {
	u, err := url.Parse(address)
	want, _ := url.Parse(to)
	q := u.Query()
	return err == nil && u.Scheme == want.Scheme && u.Host == want.Host && u.Path == web.RedeemPath && q.Get("return_to") == want.RequestURI() &&
		regexp.MustCompile(`^[a-z2-7]{26}\.[a-z2-7]{26}\.[A-Za-z0-9_-]{43}$`).MatchString(q.Get("ticket")) && len(q) == 2
}

// A hand-over leads to apps, and to nothing else. Without apps there is none.
func TestHandOverToNoApp(t *testing.T) {
	t.Parallel()
	d := newDoor(t, withApps)
	ana := d.anaWithApp(t)
	all := append(hostile(t), quoted(t, "../rules/testdata/hostile.txt")...)
	for _, to := range append(all, "/help", security, handOver(wiki), "http://twinlatch.test/", "http://twinlatch.test/help") {
		for _, b := range []*browser{ana.browser, d.browser(t)} {
			b.get(handOver(to)).is(404)
			b.get(web.HandOver{To: to, State: digest, Again: true, Form: true}.Path()).is(404)
		}
	}
	for _, query := range []string{"", "?", "?return_to", "?return_to=%zz", "?x=" + url.QueryEscape(wiki), "?return_to=%2Fhelp&return_to=" + url.QueryEscape(wiki)} {
		ana.get(web.HandOverPath + query).is(404)
	}
	none := newDoor(t)
	none.anaWithApp(t).get(handOver(wiki)).is(404)
	none.browser(t).get(handOver(wiki)).is(404)
}

// A place that is no app's is as good as none, wherever return_to is read, and a
// hand-over to one leads nowhere also after all steps.
func TestHostileReturnToWithApps(t *testing.T) {
	t.Parallel()
	d := newDoor(t, withApps)
	ana := d.anaWithApp(t)
	guest, half := d.browser(t), ana.elsewhere()
	half.signIn().goes("/verify")
	for _, to := range append(hostile(t), quoted(t, "../rules/testdata/hostile.txt")...) {
		query := "?return_to=" + url.QueryEscape(to)
		for _, p := range []*page{guest.get("/sign-in" + query).is(200), half.get("/verify" + query).is(200), half.get("/verify/ways" + query).is(200), half.get("/recover" + query).is(200)} {
			p.hides("For wiki.example.com", "For evil.example")
			for _, address := range append(p.links(), p.forms()...) {
				if here := onTo("/language", strings.Fields(p.request)[1]); strings.Contains(address, "return_to") && address != here {
					t.Errorf("%q: %s leads on to %s", to, p.request, address)
				}
			}
		}
		guest.get("/verify" + query).goes("/sign-in")
		ana.get("/sign-in" + query).goes(security)
		ana.get("/verify" + query).goes(security)
	}
	to := handOver("https://evil.example/")
	p := ana.get(onTo("/sign-in", to)).goes(to) // a place of ours
	ana.get(p.location).is(404).hides("evil.example")
}

// The way to an app is kept through all steps, by its address and by that of the
// hand-over; every page says where one goes, and the last step is a page, because no form
// of ours may lead to another host.
func TestReturnToAnApp(t *testing.T) {
	t.Parallel()
	d := newDoor(t, withApps)
	ana := d.anaWithApp(t)
	codes := ana.backupCodes()
	ana.outOfDate()
	for i, c := range []struct{ given, kept, to string }{
		{wiki + "page?a=b&c=%2F%2Fevil.example", handOver(wiki + "page?a=b&c=%2F%2Fevil.example"), wiki + "page?a=b&c=%2F%2Fevil.example"},
		{"https://WIKI.example.com:443", handOver(wiki), wiki},
		{handOver(wiki + "x"), handOver(wiki + "x"), wiki + "x"},
		{stateful(wiki + "%C4%8Caj"), stateful(wiki + "%C4%8Caj"), wiki + "%C4%8Caj"},
	} {
		b := ana.elsewhere()
		given, kept := "?return_to="+url.QueryEscape(c.given), "?return_to="+url.QueryEscape(c.kept)
		const says = "For wiki.example.com"
		b.get("/sign-in"+given).says(says).offers("/sign-in"+kept, "/sign-up"+kept)
		b.get("/sign-up" + given).says(says).offers("/sign-up" + kept)
		b.post("/sign-in"+given, "email", b.email, "password", "wrong").is(422).says(says).offers("/sign-in" + kept)
		b.post("/sign-in"+kept, "email", b.email, "password", b.password).goes("/verify" + kept)
		b.get("/verify"+given).is(200).says(says).offers("/verify"+kept, "/verify/ways"+kept, "/sign-in"+kept)
		b.get("/verify/ways"+kept).says(says).offers("/verify/ask"+kept, "/recover"+kept)
		b.post("/verify/ask" + kept).goes("/verify" + kept)
		b.get("/recover"+kept).says(says).offers("/recover"+kept, "/verify/ways"+kept)
		var p *page
		if i%2 == 0 {
			p = b.post("/verify"+kept, "code", b.code())
		} else {
			p = b.post("/recover"+kept, "code", codes[i])
		}
		p = b.get(p.goes(c.kept[:strings.Index(c.kept, "?")] + "?form=1&" + c.kept[strings.Index(c.kept, "?")+1:]).location).is(200).titled("On to wiki.example.com")
		target := p.link("https://")
		if got := p.header.Get("Refresh"); got != "0; url="+target {
			t.Errorf("Refresh is %q, the link %q", got, target)
		}
		if strings.Contains(c.kept, "state=") != isTicket(target, c.to) || !isTicket(target, c.to) && target != c.to {
			t.Errorf("%s: leads to %s", c.given, target)
		}
		for n := range p.all("a") {
			if attr(n, "href") == target && textOf(n) != "Continue" {
				t.Errorf("the link is named %q", textOf(n))
			}
		}
		b.get("/sign-in" + given).goes(c.kept) // she is there already, and no form leads on
	}
	d.browser(t).get("/sign-in").hides("For wiki")
	d.browser(t).get("/sign-in?return_to=%2Fhelp").hides("For wiki")
}

// A rule that wants a younger second step is asked for, also while the proof is fresh
// enough for our own pages; all ways of the second step work then.
func TestAnAppThatWantsAFreshCode(t *testing.T) {
	t.Parallel()
	d := newDoor(t, withApps)
	ana := d.anaWithApp(t)
	codes := ana.backupCodes()
	to := stateful(wiki + "admin/x")
	query := "?return_to=" + url.QueryEscape(to)
	ana.wait(5 * time.Minute)
	ana.get("/verify" + query).goes(to) // not yet
	ana.wait(time.Second)
	ana.get(security + "/turn-off").is(200) // our own pages are content
	ana.get(stateful(wiki + "page")).is(303)
	ana.get(to).goes("/verify" + query)
	ana.get("/verify").goes(security)
	ana.get("/verify" + query).is(200).titled("Confirm it’s you").says("For wiki.example.com").offers("/verify/ways" + query)
	factor := ana.get("/verify/ways"+query).is(200).offers("/verify/ask"+query, "/recover"+query).find(`name="factor" value="([^"]+)"`)
	ana.post("/verify/ask"+query, "factor", factor).goes("/verify" + query)
	ana.post("/verify"+query, "code", ana.wrongCode()).is(422)
	form := strings.Replace(to, "?", "?form=1&", 1)
	ana.post("/verify"+query, "code", ana.code()).goes(form)
	if p := ana.get(form).is(200); !isTicket(p.link("https://"), wiki+"admin/x") {
		t.Errorf("leads to %s", p.link("https://"))
	}
	ana.get("/verify" + query).goes(to)

	ana.wait(6 * time.Minute)
	ana.get("/recover" + query).is(200)
	ana.post("/recover"+query, "code", codes[0]).goes(form)
	ana.get(form).is(200)
}

// An app that sees another address has the second step done anew, once it is too old to
// be carried there.
func TestHandOverAgain(t *testing.T) {
	t.Parallel()
	d := newDoor(t, withApps)
	ana := d.anaWithApp(t)
	h := web.HandOver{To: wiki, State: digest, Again: true}
	ana.wait(time.Minute)
	p := ana.get(h.Path()).is(303)
	if !strings.HasPrefix(p.location, wiki+".twinlatch/handover?again=1&") {
		t.Errorf("goes to %s", p.location)
	}
	ana.wait(time.Second)
	ana.get(h.Path()).goes(onTo("/verify", h.Path()))
	h.Form = true
	ana.post(onTo("/verify", h.Path()), "code", ana.code()).goes(h.Path())
	if p := ana.get(h.Path()).is(200); !strings.HasPrefix(p.link("https://"), wiki+".twinlatch/handover?again=1&") {
		t.Errorf("leads to %s", p.link("https://"))
	}
	bo := d.person(t, "bo@example.com") // nothing to ask of who has it off
	bo.wait(time.Hour)
	bo.get(web.HandOver{To: "https://files.example.net:8443/", State: digest, Again: true}.Path()).is(303)
}

// Who has no method is led to one where a rule asks for it, and nowhere else.
func TestAnAppThatWantsTwoStepVerification(t *testing.T) {
	t.Parallel()
	d := newDoor(t, withApps)
	bo := d.person(t, "bo@example.com")
	to := stateful(wiki)
	p := bo.get(bo.get(to).goes(onTo(requiredPath, to)).location).is(200).titled("2-step verification is required").says("For wiki.example.com")
	add := onTo(security+"/add/totp", to)
	p.offers(add)
	bo.get(requiredPath).goes(security)
	bo.get(onTo(requiredPath, stateful("https://files.example.net:8443/"))).is(303)
	bo.get(onTo("/verify", to)).goes(to)

	// Every page on the way knows the app, also by way of the password.
	bo.get(add).is(200).offers(add, onTo(requiredPath, to))
	bo.wait(time.Hour)
	bo.post(bo.post(add).goes(onTo("/confirm", add)).location, "password", bo.password).goes(add)
	setup := bo.get(bo.post(add).is(303).location).is(200).offers(onTo(requiredPath, to))
	confirm := setup.link(security + "/confirm/")
	bo.get(confirm).is(200)
	bo.post(confirm, "code", "000000").is(422).offers(confirm, onTo(requiredPath, to))
	bo.app = twinlatchtest.Scan(t, setup.link("otpauth:"))
	h, _ := web.ReadHandOver(to)
	h.Form = true
	bo.post(confirm, "code", bo.code()).goes(h.Path())
	bo.get(onTo(requiredPath, to)).goes(to)
	if p := bo.get(to).is(303); !isTicket(p.location, wiki) {
		t.Errorf("goes to %s", p.location)
	}
}

func TestAnAppForAGroup(t *testing.T) {
	t.Parallel()
	d := newDoor(t, withApps)
	ana := d.anaWithApp(t)
	to := stateful(wiki + "staff")
	ana.get(to).is(403).titled("That did not work").
		says("ana@example.com may not open wiki.example.com. Ask who runs it, or sign out and sign in with another account.").offers("/", "/sign-out")
	ana.get(stateful(wiki + "closed")).is(403).says("Nobody may open this page of wiki.example.com.").hides("ana@example.com may not")
	d.browser(t).get(stateful(wiki + "closed")).is(403).says("Nobody may open this page of wiki.example.com.")
	a, err := d.env.FindAccount(t.Context(), twinlatch.MainRealm, anaEmail)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.env.SetGroups(t.Context(), twinlatch.ByOperator("command", "a test"), a.ID, []string{"staff"}, twinlatch.Client{}); err != nil {
		t.Fatal(err)
	}
	if p := ana.get(to).is(303); !isTicket(p.location, wiki+"staff") {
		t.Errorf("goes to %s", p.location)
	}
}

// Opening it gives nothing to anybody but the browser with the state; a HEAD gives no
// more than a GET.
func TestHandOverChangesNoSession(t *testing.T) {
	t.Parallel()
	d := newDoor(t, withApps)
	ana := d.anaWithApp(t)
	token := ana.token()
	for range 3 {
		p := ana.get(stateful(wiki)).is(303)
		if len(p.cookies) > 0 {
			t.Errorf("cookies %v", p.cookies)
		}
		ana.send(ana.request("HEAD", stateful(wiki), "")).is(303)
		ana.get(security).is(200)
	}
	if ana.token() != token {
		t.Error("a new token")
	}
	thief := ana.withToken(token)
	thief.ip = cafe4
	thief.get(stateful(wiki)).goes(onTo("/verify", stateful(wiki)))
}
