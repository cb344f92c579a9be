package pages

import (
	"errors"
	"net/http"
	"net/mail"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

type signUpPage struct {
	Name, Email, Password field
	Note                  string
	ReturnTo              string
	Action                string
}

func (p *Pages) signUpForm(w http.ResponseWriter, r *http.Request) error {
	return p.renderSignUp(w, r, nil, nil)
}

// signUp makes an account. The answer is the same for a new and for a taken
// address, and leads to sign-in, which says where the mail was sent.
func (p *Pages) signUp(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	n := twinlatch.NewAccount{DisplayName: form["name"], Login: form["email"], Password: twinlatch.NewSecret(form["password"])}
	var wrong []error
	if strings.TrimSpace(n.DisplayName) == "" {
		wrong = append(wrong, &twinlatch.FieldError{Field: "name", Key: "signup.err.name"})
	}
	if !isEmail(n.Login) {
		wrong = append(wrong, &twinlatch.FieldError{Field: "email", Key: "signup.err.email"})
	}
	if err := twinlatch.CheckPassword(n.Password, n.Login, n.DisplayName); err != nil {
		wrong = append(wrong, err)
	}
	if wrong != nil {
		return p.renderSignUp(w, r, form, wrong)
	}
	claim, err := p.service.SignUp(r.Context(), n, p.client(r))
	var bad *twinlatch.FieldError
	switch {
	case errors.As(err, &bad), errors.Is(err, twinlatch.ErrBusy), errors.Is(err, twinlatch.ErrLimited):
		return p.renderSignUp(w, r, form, []error{err})
	case err != nil:
		return err
	}
	if p.service.Mails() {
		p.keep(w, "mailed", strings.TrimSpace(n.Login), mailedFor)
		p.keepWanted(w, r, p.returnTo(r), wantedBySignUp)
		p.setCookie(w, "claim", claim.Reveal(), claimFor)
	}
	return p.redirect(w, r, link("/sign-in", p.returnTo(r)))
}

// claimFor is as long as the link in the mail of a sign-up.
const claimFor = 24 * time.Hour

// claim is what shows that this browser signed up.
func (p *Pages) claim(r *http.Request) twinlatch.Secret {
	if found := r.CookiesNamed(p.cookieName("claim")); len(found) == 1 {
		return twinlatch.NewSecret(found[0].Value)
	}
	return twinlatch.Secret{}
}

// isEmail accepts an address that a mail could be sent to: no name around it,
// nothing quoted, a host.
func isEmail(s string) bool {
	s = strings.TrimSpace(s)
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || strings.ContainsAny(s, `"<>()[]\,;: `) {
		return false
	}
	local, host, ok := strings.Cut(s, "@")
	return ok && local != "" && len(local) <= 64 && host != "" && !strings.Contains(host, "@")
}

func (p *Pages) renderSignUp(w http.ResponseWriter, r *http.Request, form map[string]string, wrong []error) error {
	data := signUpPage{
		Name:     field{ID: "name", Name: "name", Label: p.say("signup.name"), Autocomplete: "name", Value: form["name"]},
		Email:    p.emailField(form["email"]),
		Password: field{ID: "password", Name: "password", Type: "password", Label: p.say("signin.password"), Hint: p.say("signup.password_hint"), Autocomplete: "new-password", Reveal: true},
		ReturnTo: p.returnTo(r),
		Action:   link("/sign-up", p.returnTo(r)),
	}
	boxes := []*field{&data.Name, &data.Email, &data.Password}
	problem := web.Problem{Status: http.StatusOK}
	for _, err := range wrong {
		problem = web.ProblemOf(err, p.service.Now())
		found := false
		for _, box := range boxes {
			if text, ok := p.fieldError(err, box.Name); ok {
				box.Error, found = text, true
			}
		}
		if !found {
			key, args := p.explain(r, err, problem)
			data.Note = p.sayArgs(key, args)
		}
	}
	focusFirstError(boxes)
	problem.SetHeaders(w.Header())
	return p.render(w, r, view{
		page: "signup", status: problem.Status, title: p.say("signup.title"), failed: wrong != nil, script: true, data: data,
	})
}

// focusFirstError puts the cursor where the person goes on: into the first
// field with an error, or the first field.
func focusFirstError(boxes []*field) {
	for _, box := range boxes {
		if box.Error != "" {
			box.Focus = true
			return
		}
	}
	boxes[0].Focus = true
}

func (p *Pages) emailField(value string) field {
	return field{ID: "email", Name: "email", Type: "email", Label: p.say("signin.email"), Autocomplete: "username", Value: value}
}
