package pages

import (
	"cmp"
	"net/http"
	"net/url"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/rules"
	"github.com/twinlatch/twinlatch/web"
)

// This file is the only place that sends a browser to another address.

func (p *Pages) redirect(w http.ResponseWriter, r *http.Request, to string) error {
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// home sends somebody where they should be.
func (p *Pages) home(w http.ResponseWriter, r *http.Request) error {
	d, err := p.service.Check(r.Context(), p.cookie.Read(r), p.client(r))
	if err != nil {
		return err
	}
	switch d.Step {
	case twinlatch.Pass:
		return p.redirect(w, r, security)
	case twinlatch.NeedSecondStep:
		return p.redirect(w, r, "/verify")
	case twinlatch.NeedFactor:
		return p.redirect(w, r, requiredPath)
	default:
		return p.redirect(w, r, "/sign-in")
	}
}

// returnTo is where the request said it wants to go afterwards, if that is a
// place of ours or an app's.
func (p *Pages) returnTo(r *http.Request) string {
	to := r.URL.Query().Get("return_to")
	if _, app := p.cfg.Apps.Return(to); app != "" {
		return web.HandOver{To: app}.Path()
	}
	return web.ReturnTo(to)
}

// link is path with where to go afterwards.
func link(path, returnTo string) string {
	if returnTo == "" {
		return path
	}
	return path + "?return_to=" + url.QueryEscape(returnTo)
}

// onward goes where the request said, or to Security.
func (p *Pages) onward(w http.ResponseWriter, r *http.Request) error {
	to := p.returnTo(r)
	if h, _, ok := p.appIn(to); ok && r.Method == http.MethodPost {
		h.Form = true
		to = h.Path()
	}
	return p.redirect(w, r, orSecurity(to))
}

// toApp leads to what is missing for an app, and back to where that is asked.
func (p *Pages) toApp(w http.ResponseWriter, r *http.Request, h web.HandOver, app rules.Found, d twinlatch.Decision, need rules.Need, why rules.Reason) error {
	h.Form = false
	switch need {
	case rules.NeedFirstStep:
		return p.redirect(w, r, link("/sign-in", h.Path()))
	case rules.NeedSecondStep:
		return p.redirect(w, r, link("/verify", h.Path()))
	case rules.NeedFactor:
		return p.redirect(w, r, link(requiredPath, h.Path()))
	}
	key := "err.app.denied"
	known, _ := d.Known()
	if why == rules.ReasonGroup {
		key = "err.app.group"
	}
	return p.messageTo(w, r, http.StatusForbidden, key, map[string]string{"app": app.Host, "login": known.Account().Login}, why == rules.ReasonGroup)
}

func orSecurity(to string) string { return cmp.Or(to, security) }

// added goes on from adding a method: to the guide for somebody who came by a backup
// code, else to what asked for a method.
func (p *Pages) added(w http.ResponseWriter, r *http.Request, who someone) error {
	if recovered(who) {
		return p.redirect(w, r, lostPath)
	}
	return p.onward(w, r)
}

// notAdding is where one goes who does not add a method after all.
func (p *Pages) notAdding(r *http.Request, who someone) string {
	to := p.returnTo(r)
	switch {
	case recovered(who):
		return lostPath
	case to != "":
		return link(requiredPath, to)
	}
	return security
}

// adding is where a method of a kind is added for what the request wants to go on to.
func (p *Pages) adding(r *http.Request, kind twinlatch.Kind) string {
	return link(security+"/add/"+string(kind), p.returnTo(r))
}

// confirmation is where an enrollment is confirmed, likewise.
func (p *Pages) confirmation(r *http.Request, id twinlatch.ChallengeID) string {
	return link(security+"/confirm/"+string(id), p.returnTo(r))
}

// origin is the page to come back to after a step that had to be put in
// between: the page itself or, for a post, the page that offers it. Nothing
// that was posted is done by coming back.
func (p *Pages) origin(r *http.Request, route route) string {
	switch {
	case route.known != nil, r.URL.Path == "/confirm":
		return p.returnTo(r)
	case route.from != "":
		return route.from
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return web.ReturnTo(r.URL.RequestURI())
	case route.formless:
		return security
	case route.returns:
		return web.ReturnTo(link(r.URL.EscapedPath(), p.returnTo(r)))
	}
	return web.ReturnTo(r.URL.EscapedPath())
}

func (p *Pages) toSignIn(w http.ResponseWriter, r *http.Request, route route) error {
	return p.redirect(w, r, link("/sign-in", p.origin(r, route)))
}

func (p *Pages) toVerify(w http.ResponseWriter, r *http.Request, route route) error {
	return p.redirect(w, r, link("/verify", p.origin(r, route)))
}

// toRequired leads somebody to a factor who has to have one.
func (p *Pages) toRequired(w http.ResponseWriter, r *http.Request, route route) error {
	return p.redirect(w, r, link(requiredPath, p.origin(r, route)))
}

// toOwner leads to this page again, by way of what is missing for it.
func (p *Pages) toOwner(w http.ResponseWriter, r *http.Request, d twinlatch.Decision) error {
	switch here := (route{}); d.Step {
	case twinlatch.NeedSecondStep:
		return p.toVerify(w, r, here)
	case twinlatch.NeedFactor:
		return p.toRequired(w, r, here)
	default:
		return p.toSignIn(w, r, here)
	}
}

// toProof asks for a fresh proof: the second step, or the password while there
// is none.
func (p *Pages) toProof(w http.ResponseWriter, r *http.Request, route route) error {
	d, err := p.service.Check(r.Context(), p.cookie.Read(r), p.client(r))
	if err != nil {
		return err
	}
	if who, ok := d.Enrolling(); ok && !who.Account().TwoStep {
		return p.redirect(w, r, link("/confirm", p.origin(r, route)))
	}
	return p.toVerify(w, r, route)
}
