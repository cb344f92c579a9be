package pages

import (
	"net/http"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/rules"
	"github.com/twinlatch/twinlatch/web"
)

// This file has the half of a hand-over that is on our host; package forwardauth has
// the other one.

// againFor is how old a second step may be when an app wants a new one, because it sees
// another address than we do: young enough to be carried there.
const againFor = time.Minute

// handOver leads to an app once there is all that its rules ask for, and by way of what
// is missing until then.
func (p *Pages) handOver(w http.ResponseWriter, r *http.Request) error {
	h, app, ok := p.appIn(r.URL.RequestURI())
	if !ok {
		return twinlatch.ErrNotFound
	}
	d, err := p.service.Check(r.Context(), p.cookie.Read(r), p.client(r))
	if err != nil {
		return err
	}
	if need, why := needs(app, h, d); need != rules.Nothing {
		return p.toApp(w, r, h, app, d, need, why)
	}
	who, ok := d.Passed()
	if ok && !app.Public() && p.service.Unconfirmed(who.Account()) {
		p.keepWanted(w, r, h.Path(), wantedBySignUp)
		return twinlatch.ErrUnconfirmed
	}
	to := h.To
	if ok && h.State != "" {
		ticket, err := p.service.IssueHandOver(r.Context(), who, app.Host, h.State)
		if err != nil {
			return err
		}
		to = app.Origin + web.Redemption{Ticket: ticket.Reveal(), To: h.To[len(app.Origin):], Again: h.Again}.Path()
	}
	if !h.Form {
		return p.redirect(w, r, to)
	}
	// Browsers let a form of ours lead to our own host only, through all redirects
	// (form-action), and an app may lead anywhere. So a page comes between.
	w.Header().Set("Refresh", "0; url="+to)
	return p.render(w, r, view{page: "onward", secret: true, title: p.say("onward.title", "app", app.Host), data: onwardPage{app.Host, to}})
}

type onwardPage struct{ App, To string }

// appIn is the app that an address of ours leads to; false: it leads to none.
func (p *Pages) appIn(path string) (h web.HandOver, app rules.Found, ok bool) {
	h, ok = web.ReadHandOver(path)
	if !ok {
		return web.HandOver{}, rules.Found{}, false
	}
	app, h.To = p.cfg.Apps.Return(h.To)
	return h, app, h.To != ""
}

// needs says what is missing for an app.
func needs(app rules.Found, h web.HandOver, d twinlatch.Decision) (rules.Need, rules.Reason) {
	need, why := app.Need(d)
	if who, ok := d.Passed(); ok && need == rules.Nothing && h.Again && who.Account().TwoStep && (who.SecondStepAge() < 0 || who.SecondStepAge() > againFor) {
		return rules.NeedSecondStep, rules.ReasonOld
	}
	return need, why
}

// appNeeds says what is missing where the request wants to go on to, if that is an app.
func (p *Pages) appNeeds(r *http.Request, d twinlatch.Decision) rules.Need {
	h, app, ok := p.appIn(p.returnTo(r))
	if !ok {
		return rules.Nothing
	}
	need, _ := needs(app, h, d)
	return need
}
