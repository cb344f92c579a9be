package pages

import (
	"errors"
	"html/template"
	"net/http"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

// This file has the pages of links in mails. They exist where mails are sent.

// mailRoutes are their addresses.
func (p *Pages) mailRoutes() []route {
	return []route{
		open("GET", "/forgot", p.forgotForm),
		open("POST", "/forgot", p.forgot),
		open("GET", "/reset/{token}", p.resetForm),
		open("POST", "/reset/{token}", p.reset),
		open("GET", "/not-me/{token}", p.alarmForm),
		open("POST", "/not-me/{token}", p.alarm),
		open("GET", "/email/{token}", p.confirmAddressForm),
		open("POST", "/email/{token}", p.confirmAddress),
		{method: "POST", path: "/email/again", enrolling: p.askConfirmation, formless: true},
		passed("GET", addressPath, p.addressForm),
		passed("POST", addressPath, p.changeAddress),
	}
}

type forgotPage struct {
	Email          field
	Note           string
	Action, SignIn string
}

func (p *Pages) forgotForm(w http.ResponseWriter, r *http.Request) error {
	return p.renderForgot(w, r, "", nil)
}

type sentPage struct {
	Email          template.HTML
	Again          string
	Action, SignIn string
}

// forgot asks for a link. The answer is the same whether or not there is such an
// account.
func (p *Pages) forgot(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	email := form["email"]
	if !isEmail(email) {
		return p.renderForgot(w, r, email, &twinlatch.FieldError{Field: "email", Key: "signup.err.email"})
	}
	err = p.service.ForgotPassword(r.Context(), twinlatch.MainRealm, email, p.client(r))
	if errors.Is(err, twinlatch.ErrLimited) {
		return p.renderForgot(w, r, email, err)
	}
	if err != nil {
		return err
	}
	p.keepWanted(w, r, p.returnTo(r), wantedByReset)
	data := sentPage{Email: bold(email), Again: email, Action: link("/forgot", p.returnTo(r)), SignIn: link("/sign-in", p.returnTo(r))}
	return p.render(w, r, view{page: "forgotsent", title: p.say("forgot.sent.title"), data: data})
}

func (p *Pages) renderForgot(w http.ResponseWriter, r *http.Request, email string, wrong error) error {
	data := forgotPage{Email: p.emailField(email), Action: link("/forgot", p.returnTo(r)), SignIn: link("/sign-in", p.returnTo(r))}
	data.Email.Focus = true
	status := http.StatusOK
	if wrong != nil {
		problem := web.ProblemOf(wrong, p.service.Now())
		problem.SetHeaders(w.Header())
		status = problem.Status
		var beside bool
		if data.Email.Error, beside = p.fieldError(wrong, "email"); !beside {
			key, args := p.explain(r, wrong, problem)
			data.Note = p.sayArgs(key, args)
		}
	}
	return p.render(w, r, view{page: "forgot", status: status, title: p.say("forgot.title"), failed: wrong != nil, data: data})
}

// tokenIn is the token of a link; one that is none opens nothing.
func tokenIn(r *http.Request) twinlatch.Token {
	t, err := twinlatch.ParseToken(r.PathValue("token"))
	if err != nil {
		return twinlatch.Token{}
	}
	return t
}

type resetPage struct {
	Password field
	Note     string
	Action   string
}

func (p *Pages) resetForm(w http.ResponseWriter, r *http.Request) error {
	if err := p.service.CheckTicket(r.Context(), tokenIn(r), twinlatch.TicketReset); err != nil {
		return p.deadReset(w, r, err)
	}
	return p.renderReset(w, r, nil)
}

func (p *Pages) reset(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	err = p.service.ResetPassword(r.Context(), tokenIn(r), twinlatch.NewSecret(form["password"]), p.client(r))
	var bad *twinlatch.FieldError
	switch {
	case err == nil:
		return p.renderResetDone(w, r)
	case errors.As(err, &bad), errors.Is(err, twinlatch.ErrBusy):
		return p.renderReset(w, r, err)
	}
	return p.deadReset(w, r, err)
}

func (p *Pages) renderReset(w http.ResponseWriter, r *http.Request, wrong error) error {
	data := resetPage{
		Password: field{
			ID: "password", Name: "password", Type: "password", Label: p.say("reset.label"), Hint: p.say("signup.password_hint"),
			Autocomplete: "new-password", Reveal: true, Focus: true,
		},
		Action: r.URL.EscapedPath(),
	}
	status := http.StatusOK
	if wrong != nil {
		problem := web.ProblemOf(wrong, p.service.Now())
		problem.SetHeaders(w.Header())
		status = problem.Status
		var beside bool
		if data.Password.Error, beside = p.fieldError(wrong, "password"); !beside {
			key, args := p.explain(r, wrong, problem)
			data.Note = p.sayArgs(key, args)
		}
	}
	return p.render(w, r, view{page: "reset", status: status, title: p.say("reset.title"), failed: wrong != nil, script: true, data: data})
}

// renderResetDone leads to sign-in and on. Who is signed in here now is somebody else, and was not
// on the way to anywhere.
func (p *Pages) renderResetDone(w http.ResponseWriter, r *http.Request) error {
	wanted := p.takeWanted(w, r)
	d, err := p.service.Check(r.Context(), p.cookie.Read(r), p.client(r))
	if err != nil { // the password is changed all the same
		p.cfg.Log.WarnContext(r.Context(), "who chose a password is not known", "error", err)
	}
	if _, other := d.Known(); other || err != nil {
		wanted = ""
	}
	return p.render(w, r, view{page: "resetdone", title: p.say("reset.title"), data: link("/sign-in", wanted)})
}

type deadLinkPage struct {
	Hint         string // who needs no new one; often empty
	Again, Label string // where a new one is
}

// deadLink says that a link cannot be used any more, and where a new one is.
func (p *Pages) deadLink(w http.ResponseWriter, r *http.Request, err error, data deadLinkPage) error {
	if !errors.Is(err, twinlatch.ErrExpired) {
		return err
	}
	return p.render(w, r, view{page: "deadlink", status: http.StatusGone, title: p.say("link.dead.title"), failed: r.Method == http.MethodPost, data: data})
}

// deadReset is deadLink for a link to choose a password, and for "This was not me",
// after which one chooses a new one as well.
func (p *Pages) deadReset(w http.ResponseWriter, r *http.Request, err error) error {
	return p.deadLink(w, r, err, deadLinkPage{Again: link("/forgot", p.wanted(r)), Label: p.say("link.dead.again")})
}

func (p *Pages) alarmForm(w http.ResponseWriter, r *http.Request) error {
	if err := p.service.CheckTicket(r.Context(), tokenIn(r), twinlatch.TicketAlarm); err != nil {
		return p.deadReset(w, r, err)
	}
	return p.render(w, r, view{page: "notme", title: p.say("notme.title"), data: r.URL.EscapedPath()})
}

func (p *Pages) alarm(w http.ResponseWriter, r *http.Request) error {
	if err := p.service.RaiseAlarm(r.Context(), tokenIn(r), p.client(r)); err != nil {
		return p.deadReset(w, r, err)
	}
	return p.render(w, r, view{page: "notmedone", title: p.say("notme.done.title")})
}
