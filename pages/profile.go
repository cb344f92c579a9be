package pages

import (
	"errors"
	"net/http"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

const profilePath = "/settings/user/profile"

type profilePage struct {
	Name        field
	Language    choice
	Login       string
	Unconfirmed string // the address, when it has to be confirmed before a method is added
	Mails       bool   // the address can be changed
}

// choice is one of several, in a box that unfolds.
type choice struct {
	ID, Name, Label string
	Error           string
	Options         []option
}

type option struct {
	Value, Label string
	Lang, Dir    string // of the label, where it is not that of the page
	Chosen       bool
}

// profile is Settings > User settings > Profile.
func (p *Pages) profile(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	account := who.Account()
	return p.renderProfile(w, r, account, account.DisplayName, account.Locale, nil)
}

// changeProfile sets what protects nothing: what the person is called, and the
// language.
func (p *Pages) changeProfile(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	account := who.Account()
	name, named := form["name"]
	if !named { // what is not in the form stays
		name = account.DisplayName
	}
	language, chosen := form["language"]
	if chosen && language != "" && p.languages.Tagged(language) == nil {
		err = &twinlatch.FieldError{Field: "language", Key: "err.form"}
	} else {
		err = p.service.SetName(r.Context(), who, name, p.client(r))
	}
	var bad *twinlatch.FieldError
	if errors.As(err, &bad) {
		return p.renderProfile(w, r, account, name, language, err)
	}
	if err == nil && chosen {
		err = p.service.SetLocale(r.Context(), who, language)
		p.rememberLanguage(w, language)
	}
	if err != nil {
		return err
	}
	return p.redirect(w, r, profilePath)
}

func (p *Pages) renderProfile(w http.ResponseWriter, r *http.Request, account twinlatch.Account, name, language string, wrong error) error {
	data := profilePage{
		Name:     field{ID: "name", Name: "name", Label: p.say("signup.name"), Autocomplete: "name", Value: name},
		Language: choice{ID: "language", Name: "language", Label: p.say("profile.language")},
		Login:    account.Login, Unconfirmed: p.unconfirmed(account), Mails: p.service.Mails(),
	}
	data.Language.Options = []option{{Label: p.say("profile.language.browser")}}
	for _, l := range p.languages.Offered {
		data.Language.Options = append(data.Language.Options, option{Value: l.Tag, Label: l.Name, Lang: l.Tag, Dir: l.Dir, Chosen: l.Tag == language})
	}
	problem := web.Problem{Status: http.StatusOK}
	if wrong != nil {
		problem = web.ProblemOf(wrong, p.service.Now())
		data.Name.Error, data.Name.Focus = p.fieldError(wrong, "name")
		data.Language.Error, _ = p.fieldError(wrong, "language")
	}
	return p.render(w, r, view{
		page: "profile", status: problem.Status, title: p.say("nav.profile"), failed: wrong != nil,
		who: &account, menu: profilePath, data: data,
	})
}
