package forwardauth

import (
	"errors"
	"net/http"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/rules"
	"github.com/twinlatch/twinlatch/web"
)

// redeem answers what is ours on the host of an app: the second half of a hand-over.
// It never passes.
func (d *Door) redeem(w http.ResponseWriter, q *question) {
	r, ok := web.ReadRedemption(q.uri)
	if !ok || q.method != http.MethodGet {
		d.refuse(w, q, problem{status: http.StatusForbidden, name: "no-rule", title: "There is nothing here.", say: "refused.nothing", again: true})
		return
	}
	to := q.found.Origin + sendable(r.To)
	token, _ := twinlatch.ParseToken(r.Ticket)
	c := d.client(q)
	state, known := d.state(q)
	if !known {
		if _, err := d.cfg.Service.HandOver(q.r.Context(), token, q.found.Host, state, c); !errors.Is(err, twinlatch.ErrExpired) { // which uses it up
			d.broken(w, q, err)
			return
		}
		d.refuse(w, q, problem{status: http.StatusForbidden, name: "no-state",
			title: "This browser did not begin signing in here, or keeps no cookies. Open the page again.", say: "refused.no_state", again: true})
		return
	}
	own, err := d.cfg.Service.HandOver(q.r.Context(), token, q.found.Host, state, c)
	if err == nil {
		if !d.shares(q) {
			d.ownOf(q).Write(w, own)
		}
		err = d.stillAsked(q, r.To, own, c)
	}
	switch {
	case err == nil:
		q.kind.redirect(w, to)
	case errors.Is(err, twinlatch.ErrNotFresh) && !r.Again:
		q.kind.redirect(w, d.ours(web.HandOver{To: to, State: twinlatch.StateDigest(state), Again: true}.Path()))
	case errors.Is(err, twinlatch.ErrNotFresh):
		d.refuse(w, q, problem{status: http.StatusForbidden, name: "unknown-address",
			title: "Your address changes from one request to the next, so the code cannot count. Open the page again.", say: "refused.moving", again: true})
	case errors.Is(err, twinlatch.ErrExpired), errors.Is(err, twinlatch.ErrNoSession):
		q.kind.redirect(w, to) // which asks for a new ticket, where one is needed
	default:
		d.broken(w, q, err)
	}
}

// stillAsked is ErrNotFresh when the page would ask for the second step again: it may be
// older for the address that the app sees than for the one that our pages do.
func (d *Door) stillAsked(q *question, uri string, own twinlatch.Token, c twinlatch.Client) error {
	c.Host = q.found.Host
	found, err := d.cfg.Service.Check(q.r.Context(), own, c)
	if err != nil {
		return err
	}
	if need, _ := d.cfg.Rules.Find(q.scheme, q.host, uri).Need(found); need == rules.NeedSecondStep {
		return twinlatch.ErrNotFresh
	}
	return nil
}
