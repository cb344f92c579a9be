package pages

import (
	"net/http"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/rules"
)

const requiredPath = "/required"

type requiredPage struct {
	App         string // that asks for it; empty: an administrator does
	Unconfirmed string // the address, when it has to be confirmed first
	Methods     []methodRow
}

// required leads somebody to a factor who has to have one before they go on.
func (p *Pages) required(w http.ResponseWriter, r *http.Request, who twinlatch.Enrolling) error {
	account := who.Account()
	d, err := p.service.Check(r.Context(), p.cookie.Read(r), p.client(r))
	if err != nil {
		return err
	}
	if account.TwoStep || who.Reason() != twinlatch.ReasonRequired && p.appNeeds(r, d) != rules.NeedFactor {
		return p.onward(w, r)
	}
	app := ""
	if _, found, ok := p.appIn(p.returnTo(r)); ok && who.Reason() != twinlatch.ReasonRequired {
		app = found.Host
	}
	return p.render(w, r, view{page: "required", title: p.say("required.title"), data: requiredPage{
		App:         app,
		Unconfirmed: p.unconfirmed(account), Methods: p.methodRows(r, account, nil),
	}})
}

// unconfirmed is the address of an account that has to confirm it before it may
// add a factor; empty: it need not.
func (p *Pages) unconfirmed(a twinlatch.Account) string {
	if !p.service.Mails() || !a.ConfirmedAt.IsZero() {
		return ""
	}
	return a.Login
}
