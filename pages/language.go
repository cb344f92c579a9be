package pages

import (
	"net/http"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/locale"
	"github.com/twinlatch/twinlatch/web"
)

// translate makes the door in every language; p is the English one.
func (p *Pages) translate() error {
	load := locale.All
	if p.cfg.Dev != nil {
		load = locale.ForDevelopment
	}
	var err error
	if p.languages, err = load(); err != nil {
		return err
	}
	p.in = map[string]*Pages{}
	for i, l := range p.languages.Known {
		door := p
		if i > 0 {
			copied := *p
			door = &copied
		}
		door.words = l
		if door.views, err = door.loadViews(); err != nil {
			return err
		}
		door.table = door.routes()
		p.in[l.Tag] = door
	}
	return nil
}

// languageCookie is the choice made in a browser. It is nobody's secret: anyone
// who can set it chooses a language.
const languageCookie = "lang"

// speaking is the door in the language for a request: that which the account
// chose, else this browser, else what the browser asks for. Until both steps are
// done, the browser's choice comes first: only that one can be changed by then.
func (p *Pages) speaking(r *http.Request, d twinlatch.Decision) *Pages {
	known, _ := d.Known()
	_, passed := d.Passed()
	browser := ""
	if c, err := r.Cookie(languageCookie); err == nil {
		browser = c.Value
	}
	first, second := browser, known.Account().Locale
	if passed {
		first, second = second, first
	}
	return p.in[p.languages.For(first, second, r.Header.Get("Accept-Language")).Tag]
}

// languageSwitch is the line at the foot of each page.
type languageSwitch struct {
	Name   string // of this page's
	Others []*locale.Language
	Action string
}

func (p *Pages) languageSwitch(r *http.Request) languageSwitch {
	s := languageSwitch{Name: p.words.Name, Action: link("/language", p.here(r))}
	for _, l := range p.languages.Offered {
		if l != p.words {
			s.Others = append(s.Others, l)
		}
	}
	return s
}

// here is where the page that answers r can be opened again; empty: only a post
// leads to it.
func (p *Pages) here(r *http.Request) string {
	_, path, _ := strings.Cut(r.Pattern, " ")
	if r.Method != http.MethodGet && r.Method != http.MethodHead && !p.opens(path) {
		return ""
	}
	return web.ReturnTo(r.URL.RequestURI())
}

// opens reports whether the path of a route can be opened.
func (p *Pages) opens(path string) bool {
	for _, route := range p.table {
		if route.path == path && route.method == http.MethodGet {
			return true
		}
	}
	return false
}

// chooseLanguage keeps the choice in the browser and, of somebody who has done
// both steps, with the account.
func (p *Pages) chooseLanguage(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	chosen := p.languages.Tagged(form["language"])
	if chosen == nil {
		return web.ErrForm
	}
	d, err := p.service.Check(r.Context(), p.cookie.Read(r), p.client(r))
	if err != nil {
		return err
	}
	if who, ok := d.Passed(); ok {
		if err := p.service.SetLocale(r.Context(), who, chosen.Tag); err != nil {
			return err
		}
	}
	p.rememberLanguage(w, chosen.Tag)
	if p.returnTo(r) != "" {
		return p.onward(w, r)
	}
	return p.home(w, r)
}

// rememberLanguage keeps a choice in the browser, or forgets it when it is empty.
func (p *Pages) rememberLanguage(w http.ResponseWriter, tag string) {
	age := 365 * 24 * time.Hour
	if tag == "" {
		age = -time.Second
	}
	http.SetCookie(w, &http.Cookie{
		Name: languageCookie, Value: tag, Path: "/", MaxAge: int(age.Seconds()),
		Secure: p.cookie.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
