package pages

import (
	"errors"
	"net/http"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

type confirmPage struct {
	Login    string
	Password field
	Note     string
	Action   string
	Cancel   string
}

// confirmPasswordForm is "Confirm it's you" while two-step verification is off.
// While it is on a password is not enough.
func (p *Pages) confirmPasswordForm(w http.ResponseWriter, r *http.Request, who twinlatch.Enrolling) error {
	if who.Account().TwoStep {
		return p.redirect(w, r, link("/verify", p.returnTo(r)))
	}
	return p.renderConfirm(w, r, who, nil)
}

func (p *Pages) confirmPassword(w http.ResponseWriter, r *http.Request, who twinlatch.Enrolling) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	token, err := p.service.ConfirmPassword(r.Context(), who, twinlatch.NewSecret(form["password"]), p.client(r))
	switch {
	case err == nil:
		p.cookie.Write(w, token)
		return p.onward(w, r)
	case errors.Is(err, twinlatch.ErrWrongPassword), errors.Is(err, twinlatch.ErrLimited), errors.Is(err, twinlatch.ErrBusy):
		return p.renderConfirm(w, r, who, err)
	}
	return err
}

func (p *Pages) renderConfirm(w http.ResponseWriter, r *http.Request, who twinlatch.Enrolling, wrong error) error {
	data := confirmPage{
		Login:    who.Account().Login,
		Password: field{ID: "password", Name: "password", Type: "password", Label: p.say("signin.password"), Autocomplete: "current-password", Focus: true},
		Action:   link("/confirm", p.returnTo(r)),
		Cancel:   security,
	}
	problem := web.Problem{Status: http.StatusOK}
	if wrong != nil {
		problem = web.ProblemOf(wrong, p.service.Now())
		problem.SetHeaders(w.Header())
		if errors.Is(wrong, twinlatch.ErrWrongPassword) {
			data.Password.Error = p.say("confirm.err")
		} else {
			key, args := p.explain(r, wrong, problem)
			data.Note = p.sayArgs(key, args)
		}
	}
	return p.render(w, r, view{page: "confirm", status: problem.Status, title: p.say("confirm.title"), failed: wrong != nil, data: data})
}
