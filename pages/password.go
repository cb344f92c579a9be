package pages

import (
	"errors"
	"net/http"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

const passwordPath = security + "/password"

type passwordPage struct {
	Login    string
	Old, New field
	Note     string
	Action   string
}

// passwordForm asks for a fresh proof before anything is typed, not after.
func (p *Pages) passwordForm(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	if err := p.service.MayChange(who); err != nil {
		return err
	}
	return p.renderPassword(w, r, who, nil)
}

func (p *Pages) changePassword(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	old, fresh := twinlatch.NewSecret(form["old"]), twinlatch.NewSecret(form["password"])
	err = p.service.ChangePassword(r.Context(), who, old, fresh, p.client(r))
	var bad *twinlatch.FieldError
	switch {
	case err == nil:
		return p.redirect(w, r, security)
	case errors.As(err, &bad), errors.Is(err, twinlatch.ErrWrongPassword), errors.Is(err, twinlatch.ErrLimited), errors.Is(err, twinlatch.ErrBusy):
		return p.renderPassword(w, r, who, err)
	}
	return err
}

func (p *Pages) renderPassword(w http.ResponseWriter, r *http.Request, who twinlatch.Passed, wrong error) error {
	account := who.Account()
	data := passwordPage{
		Login: account.Login, Action: passwordPath,
		Old: field{ID: "old", Name: "old", Type: "password", Label: p.say("password.old"), Autocomplete: "current-password"},
		New: field{
			ID: "password", Name: "password", Type: "password", Label: p.say("reset.label"), Hint: p.say("signup.password_hint"),
			Autocomplete: "new-password", Reveal: true,
		},
	}
	problem := web.Problem{Status: http.StatusOK}
	if wrong != nil {
		problem = web.ProblemOf(wrong, p.service.Now())
		problem.SetHeaders(w.Header())
		var beside bool
		switch data.New.Error, beside = p.fieldError(wrong, "password"); {
		case beside:
		case errors.Is(wrong, twinlatch.ErrWrongPassword):
			data.Old.Error = p.say("confirm.err")
		default:
			key, args := p.explain(r, wrong, problem)
			data.Note = p.sayArgs(key, args)
		}
	}
	focusFirstError([]*field{&data.Old, &data.New})
	return p.render(w, r, view{
		page: "password", status: problem.Status, title: p.say("password.title"), failed: wrong != nil, script: true,
		who: &account, trail: p.say("reset.submit"), data: data,
	})
}
