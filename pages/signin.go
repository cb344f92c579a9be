package pages

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

type signInPage struct {
	Email, Password field
	Note            string
	Next            bool   // comes from the form for a new account
	Mailed          string // the address to which that had a mail sent
	Outbox          bool   // development mode keeps it
	Action, SignUp  string
	Forgot          string // empty: there are no mails
}

func (p *Pages) signInForm(w http.ResponseWriter, r *http.Request) error {
	d, err := p.service.Check(r.Context(), p.cookie.Read(r), p.client(r))
	if err != nil {
		return err
	}
	if d.Step == twinlatch.Pass {
		return p.onward(w, r)
	}
	return p.renderSignIn(w, r, "", nil)
}

func (p *Pages) signIn(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	d, token, err := p.service.SignIn(r.Context(), twinlatch.MainRealm, form["email"], twinlatch.NewSecret(form["password"]), p.client(r))
	switch {
	case errors.Is(err, twinlatch.ErrWrongPassword), errors.Is(err, twinlatch.ErrLimited), errors.Is(err, twinlatch.ErrBusy):
		return p.renderSignIn(w, r, form["email"], err)
	case err != nil:
		return err
	}
	p.cookie.Write(w, token)
	if d.Step == twinlatch.Pass {
		return p.onward(w, r)
	}
	p.sendFirst(r, d)
	return p.redirect(w, r, link("/verify", p.returnTo(r)))
}

// sendFirst sends the code at once to somebody whose first factor is one that
// gets messages. When it cannot, the next page offers a button.
func (p *Pages) sendFirst(r *http.Request, d twinlatch.Decision) {
	who, ok := d.Known()
	if !ok {
		return
	}
	ways, err := p.service.Ways(r.Context(), who)
	if err == nil && p.sends(ways.Next.Kind) {
		_, err = p.service.Ask(r.Context(), who, ways.Next.ID, p.client(r))
	}
	if err != nil {
		p.cfg.Log.InfoContext(r.Context(), "code not sent at sign-in", "account", who.Account().ID, "error", err)
	}
}

func (p *Pages) renderSignIn(w http.ResponseWriter, r *http.Request, email string, wrong error) error {
	data := signInPage{
		Email:    p.emailField(email),
		Password: field{ID: "password", Name: "password", Type: "password", Label: p.say("signin.password"), Autocomplete: "current-password"},
		Action:   link("/sign-in", p.returnTo(r)),
	}
	if p.service.Mails() {
		data.Forgot = link("/forgot", p.returnTo(r))
	}
	problem := web.Problem{Status: http.StatusOK}
	data.Email.Focus = wrong == nil
	if !p.cfg.Closed {
		data.SignUp = link("/sign-up", p.returnTo(r))
	}
	// The answer to a sign-up is the same for a taken address, so what is said
	// here is true in both cases.
	data.Next = wrong == nil && !p.service.Mails() && cameFrom(r, "/sign-up")
	if r.Method == http.MethodGet {
		data.Mailed, data.Outbox = p.takeMailed(w, r), p.cfg.Dev != nil
	}
	if wrong != nil {
		problem = web.ProblemOf(wrong, p.service.Now())
		problem.SetHeaders(w.Header())
		data.Note = p.say("signin.err")
		if !errors.Is(wrong, twinlatch.ErrWrongPassword) {
			key, args := p.explain(r, wrong, problem)
			data.Note = p.sayArgs(key, args)
		}
		data.Password.Focus = true
		data.Email.Describe, data.Password.Describe = "form-err", "form-err"
	}
	return p.render(w, r, view{page: "signin", status: problem.Status, title: p.say("signin.title"), failed: wrong != nil, data: data})
}

// cameFrom reports whether the browser says that it was led here from a page. It is
// for words and comfort only: anybody can say so.
func cameFrom(r *http.Request, path string) bool {
	from, err := url.Parse(r.Referer())
	return err == nil && from.Path == path
}

// signOut ends the session of this browser.
func (p *Pages) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := p.service.SignOut(r.Context(), p.cookie.Read(r), p.client(r)); err != nil {
		return err
	}
	p.cookie.Clear(w)
	p.forget(w, r, "wanted")
	return p.render(w, r, view{page: "signedout", title: p.say("signedout.title")})
}
