package pages

import (
	"errors"
	"html/template"
	"net/http"
	"strings"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

// This file has the pages about the e-mail address of an account. They exist where
// mails are sent.

const addressPath = profilePath + "/address"

type emailPage struct {
	Address template.HTML
	Changes bool          // it is not the account's yet
	Other   template.HTML // who is signed in here, and may not confirm it; empty: anybody may try
	Action  string
}

type emailDonePage struct{ To, Label string }

// confirmAddressForm is where the link in a mail leads. Programs that look at mails
// open it too, so that it takes a press of a button.
func (p *Pages) confirmAddressForm(w http.ResponseWriter, r *http.Request) error {
	return p.renderConfirmAddress(w, r, "")
}

func (p *Pages) confirmAddress(w http.ResponseWriter, r *http.Request) error {
	d, err := p.service.Check(r.Context(), p.cookie.Read(r), p.client(r))
	if err != nil {
		return err
	}
	who, passed := d.Enrolling()
	address, _, err := p.service.NewAddress(r.Context(), tokenIn(r))
	if err != nil {
		return p.deadEmail(w, r, err)
	}
	err = p.service.ConfirmAddress(r.Context(), tokenIn(r), who, p.claim(r), p.client(r))
	switch {
	case err == nil:
		return p.renderAddressConfirmed(w, r, address)
	case errors.Is(err, twinlatch.ErrNoSession) && passed:
		return p.renderConfirmAddress(w, r, who.Account().Login)
	case errors.Is(err, twinlatch.ErrNoSession):
		return p.toOwner(w, r, d)
	}
	return p.deadEmail(w, r, err)
}

// renderAddressConfirmed leads on, by way of sign-in for who is not signed in, and nowhere for who
// is somebody else.
func (p *Pages) renderAddressConfirmed(w http.ResponseWriter, r *http.Request, address string) error {
	wanted := p.takeWanted(w, r)
	d, err := p.service.Check(r.Context(), p.cookie.Read(r), p.client(r))
	if err != nil { // the address is confirmed all the same
		p.cfg.Log.WarnContext(r.Context(), "who confirmed an address is not known", "error", err)
	}
	who, known := d.Known()
	_, app, toApp := p.appIn(wanted)
	next := emailDonePage{"/", p.say("act.continue")}
	switch {
	case !known:
		next = emailDonePage{link("/sign-in", wanted), p.say("signin.title")}
	case who.Account().Login != address || wanted == "":
	case toApp:
		next = emailDonePage{wanted, p.say("onward.title", "app", app.Host)}
	default:
		next.To = wanted
	}
	return p.render(w, r, view{page: "emaildone", title: p.say("email.title"), data: next})
}

func (p *Pages) renderConfirmAddress(w http.ResponseWriter, r *http.Request, other string) error {
	address, changes, err := p.service.NewAddress(r.Context(), tokenIn(r))
	if err != nil {
		return p.deadEmail(w, r, err)
	}
	data := emailPage{Address: bold(address), Changes: changes, Action: r.URL.EscapedPath()}
	status := http.StatusOK
	if other != "" {
		data.Other, status = bold(other), http.StatusForbidden
	}
	return p.render(w, r, view{page: "email", status: status, title: p.say("email.title"), failed: other != "", data: data})
}

func (p *Pages) deadEmail(w http.ResponseWriter, r *http.Request, err error) error {
	return p.deadLink(w, r, err, deadLinkPage{
		Hint: p.say("email.dead"), Again: security, Label: p.say("email.dead.security"),
	})
}

// needConfirmation answers who has to confirm the address first.
func (p *Pages) needConfirmation(w http.ResponseWriter, r *http.Request, status int) error {
	d, err := p.service.Check(r.Context(), p.cookie.Read(r), p.client(r))
	if err != nil {
		return err
	}
	who, _ := d.Known()
	return p.render(w, r, view{
		page: "unconfirmed", status: status, title: p.say("email.title"), failed: r.Method == http.MethodPost, data: who.Account().Login,
	})
}

// askConfirmation is "Send again" of a link that confirms the address.
func (p *Pages) askConfirmation(w http.ResponseWriter, r *http.Request, who twinlatch.Enrolling) error {
	if err := p.service.AskConfirmation(r.Context(), who, p.client(r)); err != nil {
		return err
	}
	return p.home(w, r)
}

type addressPage struct {
	Login string
	Email field
	Note  string
}

// addressForm asks for a fresh proof before anything is typed, not after.
func (p *Pages) addressForm(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	if err := p.service.MayChange(who); err != nil {
		return err
	}
	return p.renderAddress(w, r, who, "", nil)
}

// changeAddress has a link sent. The answer is the same whether or not there is an
// account with that address.
func (p *Pages) changeAddress(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	email := form["email"]
	if err = p.service.MayChange(who); err == nil && !isEmail(email) {
		err = &twinlatch.FieldError{Field: "email", Key: "signup.err.email"}
	}
	if err == nil {
		err = p.service.ChangeAddress(r.Context(), who, email, p.client(r))
	}
	var bad *twinlatch.FieldError
	switch {
	case errors.As(err, &bad), errors.Is(err, twinlatch.ErrLimited):
		return p.renderAddress(w, r, who, email, err)
	case err != nil:
		return err
	}
	account := who.Account()
	return p.render(w, r, view{
		page: "addresssent", title: p.say("signup.done.title"),
		who: &account, menu: profilePath, trail: p.say("signin.email"), data: bold(strings.TrimSpace(email)),
	})
}

func (p *Pages) renderAddress(w http.ResponseWriter, r *http.Request, who twinlatch.Passed, email string, wrong error) error {
	account := who.Account()
	data := addressPage{Login: account.Login, Email: p.emailField(email)}
	data.Email.Label, data.Email.Autocomplete, data.Email.Focus = p.say("address.label"), "email", true
	problem := web.Problem{Status: http.StatusOK}
	if wrong != nil {
		problem = web.ProblemOf(wrong, p.service.Now())
		problem.SetHeaders(w.Header())
		var beside bool
		if data.Email.Error, beside = p.fieldError(wrong, "email"); !beside {
			key, args := p.explain(r, wrong, problem)
			data.Note = p.sayArgs(key, args)
		}
	}
	return p.render(w, r, view{
		page: "address", status: problem.Status, title: p.say("address.title"), failed: wrong != nil,
		who: &account, menu: profilePath, trail: p.say("signin.email"), data: data,
	})
}
