package pages

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/twinlatch/twinlatch/web"
)

// This file has the small cookies by which one page of ours tells another one something. In an
// address it would be in histories and logs, and in a mail it would be anybody's.

// keep leaves a text in this browser.
func (p *Pages) keep(w http.ResponseWriter, name, text string, lasts time.Duration) {
	p.setCookie(w, name, base64.RawURLEncoding.EncodeToString([]byte(text)), lasts)
}

// kept is the text that keep left in this browser; empty: there is none.
func (p *Pages) kept(r *http.Request, name string) string {
	found := r.CookiesNamed(p.cookieName(name))
	if len(found) != 1 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(found[0].Value)
	if err != nil {
		return ""
	}
	return string(text)
}

// forget takes away what keep left.
func (p *Pages) forget(w http.ResponseWriter, r *http.Request, name string) {
	if len(r.CookiesNamed(p.cookieName(name))) > 0 {
		p.setCookie(w, name, "", -time.Second)
	}
}

const mailedFor = 5 * time.Minute // how long a sign-up may take to lead to the next page

// takeMailed is the address of the sign-up that this browser comes from, once; empty: it comes
// from elsewhere.
func (p *Pages) takeMailed(w http.ResponseWriter, r *http.Request) string {
	address := p.kept(r, "mailed")
	p.forget(w, r, "mailed")
	if !isEmail(address) {
		return ""
	}
	return address
}

const (
	wantedByReset  = time.Hour // somewhat longer than the link in the mail
	wantedBySignUp = claimFor

	// mostWanted keeps the header of an answer below 4 kB, which nginx takes without being told.
	mostWanted = 700
)

// keepWanted keeps the place of ours or of an app where somebody wants to go, while a mail comes in
// between. Without one, or with one that is too long, that of whoever came before is forgotten.
func (p *Pages) keepWanted(w http.ResponseWriter, r *http.Request, to string, lasts time.Duration) {
	if h, _, ok := p.appIn(to); ok {
		to = web.HandOver{To: h.To}.Path() // there the app makes a new state
	}
	if to == "" || len(to) > mostWanted {
		p.forget(w, r, "wanted")
		return
	}
	p.keep(w, "wanted", to, lasts)
}

// wanted is where this browser wanted to go before the mail, a path of ours; empty: nobody
// knows.
func (p *Pages) wanted(r *http.Request) string { return web.ReturnTo(p.kept(r, "wanted")) }

// takeWanted is wanted, once.
func (p *Pages) takeWanted(w http.ResponseWriter, r *http.Request) string {
	p.forget(w, r, "wanted")
	return p.wanted(r)
}

// cookieName is that of a small cookie. Over HTTPS no other host can set it.
func (p *Pages) cookieName(name string) string {
	if p.cookie.Secure {
		return "__Host-" + name
	}
	return name
}

func (p *Pages) setCookie(w http.ResponseWriter, name, value string, lasts time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: p.cookieName(name), Value: value, Path: "/", MaxAge: int(lasts / time.Second),
		Secure: p.cookie.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
