package pages

import (
	"errors"
	"net/http"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

type recoverPage struct {
	Step          bool
	Code          field
	Warning       string
	Action, Ways  string
	SignInInstead string
}

func (p *Pages) recoverForm(w http.ResponseWriter, r *http.Request, who twinlatch.Known) error {
	if !who.Account().TwoStep {
		return p.onward(w, r)
	}
	return p.renderRecover(w, r, who, nil)
}

func (p *Pages) recover(w http.ResponseWriter, r *http.Request, who twinlatch.Known) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	token, err := p.service.Recover(r.Context(), who, twinlatch.NewSecret(form["code"]), p.client(r))
	switch {
	case err == nil:
		p.cookie.Write(w, token)
		return p.onward(w, r)
	case errors.Is(err, twinlatch.ErrTwoStepOff):
		return p.onward(w, r)
	case errors.Is(err, twinlatch.ErrLimited):
		return p.renderLocked(w, r, err)
	}
	return p.renderRecover(w, r, who, err)
}

func (p *Pages) renderRecover(w http.ResponseWriter, r *http.Request, who twinlatch.Known, wrong error) error {
	data := recoverPage{
		Code: field{
			ID: "code", Name: "code", Type: "text", Label: p.say("verify.backup.label"), Hint: p.say("verify.backup.hint"),
			Autocomplete: "off", Class: "code long", MaxLength: 40, Focus: true,
		},
		Step:   who.Reason() == twinlatch.ReasonNewSession,
		Action: link("/recover", p.returnTo(r)), Ways: link("/verify/ways", p.returnTo(r)),
	}
	if data.Step {
		data.SignInInstead = link("/sign-in", p.returnTo(r))
	}
	status := http.StatusOK
	switch text, ok := p.answerError(wrong, twinlatch.Description{AnswerFields: []twinlatch.Field{{Name: "code", Wrong: "err.backup"}}}); {
	case ok:
		status, data.Code.Error = http.StatusUnprocessableEntity, text
	case errors.Is(wrong, twinlatch.ErrUnknownAddress), errors.Is(wrong, twinlatch.ErrBusy):
		problem := web.ProblemOf(wrong, p.service.Now())
		problem.SetHeaders(w.Header())
		key, args := p.explain(r, wrong, problem)
		status, data.Warning = problem.Status, p.sayArgs(key, args)
	case wrong != nil:
		return wrong
	}
	return p.render(w, r, view{page: "recover", status: status, title: p.say("verify.backup.title"), failed: wrong != nil, script: true, data: data})
}
