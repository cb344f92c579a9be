package pages

import (
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
	"github.com/twinlatch/twinlatch/web"
)

// Every template is shown in every language to a browser, which checks what holds
// for all pages; a new template has to get a line here.
func TestEveryTemplateIsShown(t *testing.T) {
	t.Parallel()
	for _, l := range devDoor(t).languages.Known {
		t.Run(l.Tag, func(t *testing.T) {
			t.Parallel()
			showEveryTemplate(t, l.Tag)
		})
	}
}

func showEveryTemplate(t *testing.T, language string) {
	d := devDoor(t)
	phones := new(carrier)
	texts := doorOn(t, twinlatchtest.Migrated(t), func(c *twinlatch.Config) {
		c.Methods = textMethods(t)
		c.Sending.Senders = []twinlatch.Sender{phones}
	}, development)
	mails, box := withMail(t, development)
	d.language, texts.language, mails.language = language, language, language
	link := func(t *testing.T, of twinlatch.EventType) string {
		p := somebody(t, mails)
		if of == twinlatch.EventResetAsked {
			p.post("/forgot", "email", p.email).is(200)
		}
		return box.newest(t, mails, of)
	}
	ada := func(t *testing.T) *person {
		p := d.called(t, strings.ToLower(strings.ReplaceAll(t.Name(), "/", "."))+".ada@example.com", "Ada", twinlatch.AdminGroup)
		p.app = p.enroll()
		return p
	}
	open := map[string]func(t *testing.T) *page{
		"adminaccounts": func(t *testing.T) *page { return ada(t).get(adminPath).is(200) },
		"adminaccount": func(t *testing.T) *page {
			other := somebody(t, d)
			return ada(t).get(accountPath + string(d.account(t, other.email).ID)).is(200)
		},
		"adminact": func(t *testing.T) *page {
			other := d.account(t, somebody(t, d).email)
			return ada(t).get(accountPath + string(other.ID) + "/reset").is(200)
		},
		"adminrequire": func(t *testing.T) *page { return ada(t).get(requirePath).is(200) },
		"admintrail":   func(t *testing.T) *page { return ada(t).get(trailPath).is(200) },
		"adminverify":  func(t *testing.T) *page { return ada(t).post(trailPath + "/verify").is(200) },
		"adminoff": func(t *testing.T) *page {
			return d.called(t, "off@example.com", "Ada", twinlatch.AdminGroup).get(adminPath).is(403)
		},
		"signin": func(t *testing.T) *page { return d.browser(t).get("/sign-in").is(200) },
		"signup": func(t *testing.T) *page { return d.browser(t).get("/sign-up").is(200) },
		"help": func(t *testing.T) *page {
			p := d.browser(t).get("/help").is(200)
			if language == "en" {
				p.says("every time you log in, after 30 days, and when your IP address changes")
			}
			return p
		},
		"message":   func(t *testing.T) *page { return d.browser(t).get("/nothing").is(404) },
		"signedout": func(t *testing.T) *page { return d.browser(t).post("/sign-out").is(200) },
		"devoutbox": func(t *testing.T) *page { return d.browser(t).get("/dev/outbox").is(200) },
		"devclock": func(t *testing.T) *page {
			b := d.browser(t)
			b.header.Set("Accept", "text/html")
			return b.get("/dev/clock").is(200)
		},
		"forgot":     func(t *testing.T) *page { return mails.browser(t).get("/forgot").is(200) },
		"forgotsent": func(t *testing.T) *page { return mails.browser(t).post("/forgot", "email", "x@example.com").is(200) },
		"reset": func(t *testing.T) *page {
			return mails.browser(t).get("/reset/" + link(t, twinlatch.EventResetAsked)).is(200)
		},
		"resetdone": func(t *testing.T) *page {
			return mails.browser(t).post("/reset/"+link(t, twinlatch.EventResetAsked), "password", "five unrelated words are here").is(200)
		},
		"email": func(t *testing.T) *page { p := mails.stranger(t, addressOf(t)); return p.get(p.confirmation()).is(200) },
		"emaildone": func(t *testing.T) *page {
			p := mails.stranger(t, addressOf(t))
			return p.post(p.confirmation()).is(200)
		},
		"unconfirmed": func(t *testing.T) *page {
			return mails.stranger(t, addressOf(t)).get(security + "/add/totp").is(403)
		},
		"address": func(t *testing.T) *page { return somebody(t, mails).get(addressPath).is(200) },
		"addresssent": func(t *testing.T) *page {
			return somebody(t, mails).post(addressPath, "email", "new."+addressOf(t)).is(200)
		},
		"onward": func(t *testing.T) *page {
			apps := newDoor(t, development, withApps)
			apps.language = language
			return apps.anaWithApp(t).get(web.HandOver{To: wiki, State: digest, Form: true}.Path()).is(200)
		},
		"required": func(t *testing.T) *page {
			must := newDoor(t, development)
			must.language = language
			p := must.ana(t)
			must.require(t)
			return p.get(requiredPath).is(200)
		},
		"profile":  func(t *testing.T) *page { return somebody(t, d).get(profilePath).is(200) },
		"deadlink": func(t *testing.T) *page { return mails.browser(t).get("/reset/x").is(410) },
		"notme": func(t *testing.T) *page {
			return mails.browser(t).get("/not-me/" + link(t, twinlatch.EventFactorAdded)).is(200)
		},
		"notmedone": func(t *testing.T) *page {
			return mails.browser(t).post("/not-me/" + link(t, twinlatch.EventFactorAdded)).is(200)
		},
		"verify":      func(t *testing.T) *page { return somebody(t, d).half().get("/verify").is(200) },
		"ways":        func(t *testing.T) *page { return somebody(t, d).half().get("/verify/ways").is(200) },
		"recover":     func(t *testing.T) *page { return somebody(t, d).half().get("/recover").is(200) },
		"security":    func(t *testing.T) *page { return somebody(t, d).get(security).is(200) },
		"activity":    func(t *testing.T) *page { return somebody(t, d).get(activityPath).is(200) },
		"turnoff":     func(t *testing.T) *page { return somebody(t, d).get(security + "/turn-off").is(200) },
		"backupcodes": func(t *testing.T) *page { p := somebody(t, d); return p.post(security + "/backup-codes").is(200) },
		"add":         func(t *testing.T) *page { return somebody(t, d).get(security + "/add/totp").is(200) },
		"enroll":      func(t *testing.T) *page { return somebody(t, d).begin() },
		"password":    func(t *testing.T) *page { return somebody(t, d).get(passwordPath).is(200) },
		"lost":        func(t *testing.T) *page { return somebody(t, d).get(lostPath).is(200) },
		"confirm":     func(t *testing.T) *page { return d.person(t, "confirm@example.com").get("/confirm").is(200) },
		"remove": func(t *testing.T) *page {
			p := somebody(t, d)
			return p.get(security + "/factors/" + factorIDs(p.get(security))[0] + "/remove").is(200)
		},
		"pick": func(t *testing.T) *page {
			return texts.texter(t, phones, "+447700900001").half().get(pickText).is(200)
		},
		"undelivered": func(t *testing.T) *page {
			p := texts.texter(t, phones, "+447700900002")
			phones.says(twinlatch.ErrBadRecipient)
			defer phones.says(nil)
			return p.half().get("/verify").is(200)
		},
		"locked": func(t *testing.T) *page {
			p := somebody(t, d)
			for range 5 {
				p.post("/verify", "code", p.wrongCode()).is(422)
			}
			return p.post("/verify", "code", p.wrongCode()).is(429)
		},
	}
	for _, page := range d.views.Templates() {
		name, isPage := strings.CutSuffix(page.Name(), ".html")
		if !isPage || name == "layout" || name == "parts" {
			continue
		}
		show, ok := open[name]
		if !ok {
			t.Errorf("nobody opens %s.html", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			if p := show(t); p.doc == nil || p.header.Get("Content-Language") != language {
				t.Errorf("no page in %s", language)
			}
		})
		delete(open, name)
	}
	for name := range open {
		t.Errorf("there is no %s.html", name)
	}
}

// addressOf is one of the test's own.
func addressOf(t *testing.T) string {
	return strings.ToLower(strings.ReplaceAll(t.Name(), "/", ".")) + "@example.com"
}

// somebody has just enrolled, under an address of the test's own.
func somebody(t *testing.T, d *door) *person {
	t.Helper()
	p := d.person(t, addressOf(t))
	p.app = p.enroll()
	return p
}

// texter has just enrolled a number.
func (d *door) texter(t *testing.T, net *carrier, number string) *person {
	t.Helper()
	p := d.person(t, addressOf(t))
	p.addNumber(net, number)
	return p
}

// half is another browser of the same person, after the first step.
func (p *person) half() *person {
	p.t.Helper()
	other := p.elsewhere()
	other.signIn().goes("/verify")
	return other
}

// When something of ours breaks, the person gets a number and the log the cause.
func TestWhatBreaksIsAPage(t *testing.T) {
	t.Parallel()
	d := newDoor(t, withRequestID)
	ana := d.anaWithApp(t)
	setup := ana.begin()
	app := twinlatchtest.Scan(t, setup.link("otpauth:"))
	if err := d.env.Store.Close(); err != nil {
		t.Fatal(err)
	}
	posts := map[string][]string{
		"/sign-up": {"name", "Bo", "email", "bo@example.com", "password", anaPassword}, "/sign-in": {"email", ana.email, "password", ana.password}, "/sign-out": nil,
		"/verify": {"code", app.Code(ana.now())}, security + "/turn-off": nil, setup.link(security + "/confirm/"): {"code", app.Code(ana.now())},
	}
	for path, fields := range posts {
		p := ana.post(path, fields...).is(500).titled("Error: That did not work").
			says("Something went wrong on our side. Try again. If it happens again, tell your administrator the number request-1.")
		if len(p.cookies) != 0 || strings.Contains(p.body, "sql") || strings.Contains(p.body, "database") {
			t.Errorf("%s: %v %s", path, p.cookies, p.text("main"))
		}
	}
	for _, path := range []string{"/", "/sign-in", security, "/verify"} {
		ana.get(path).is(500)
	}
	ana.get("/help").is(200) // what needs no database works
	if !strings.Contains(d.log.String(), "database is closed") {
		t.Errorf("the log does not say why: %s", d.log)
	}
}

// Every error of the core has words for a person, not those for what is broken.
func TestEveryErrorHasWords(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for _, err := range []error{
		twinlatch.ErrNotFound, twinlatch.ErrExpired, twinlatch.ErrNoTriesLeft, &twinlatch.LimitError{}, &twinlatch.LimitError{RetryAt: d.env.Clock.Now().Add(time.Minute)},
		twinlatch.ErrBusy, twinlatch.ErrRecovered, twinlatch.ErrTwoStepOff, twinlatch.ErrForbidden, twinlatch.ErrUnknownAddress, &twinlatch.FieldError{Field: "x", Key: "err.name", Args: map[string]string{"n": "60"}},
	} {
		p := d.browser(t)
		key, args := d.explain(p.request("GET", "/", ""), err, web.ProblemOf(err, d.env.Clock.Now()))
		text, missing := d.words.Say(key, args)
		if missing != nil || key == "err.broken" {
			t.Errorf("%v: %q, %v", err, text, missing)
		}
	}
}
