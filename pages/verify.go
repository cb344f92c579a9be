package pages

import (
	"errors"
	"html/template"
	"net/http"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

type verifyPage struct {
	Step          bool // the two-step bar: this is a sign-in
	Icon          string
	Title         string
	Lead          template.HTML
	Now, Was      string // both addresses, when they differ
	Code          field
	ClockHint     bool
	Account       string // still signed in as; empty at sign-in
	Warning       string
	Action, Ways  string
	SignInInstead string // "Back to sign in", at sign-in
}

// verifyForm asks the question. Opening it asks a method that needs nothing
// sent; it never sends a message.
func (p *Pages) verifyForm(w http.ResponseWriter, r *http.Request, who twinlatch.Known) error {
	if p.done(r, who) {
		return p.onward(w, r)
	}
	return p.renderVerify(w, r, who, nil)
}

// done reports whether the second step has nothing to ask of who.
func (p *Pages) done(r *http.Request, who twinlatch.Known) bool {
	if !who.Account().TwoStep {
		return true
	}
	d, err := p.service.Check(r.Context(), p.cookie.Read(r), p.client(r))
	if err != nil {
		return false
	}
	passed, ok := d.Passed()
	return ok && p.service.MayChange(passed) == nil
}

func (p *Pages) verify(w http.ResponseWriter, r *http.Request, who twinlatch.Known) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	token, err := p.service.Answer(r.Context(), who, form, p.client(r))
	switch {
	case err == nil:
		p.cookie.Write(w, token)
		return p.onward(w, r)
	case errors.Is(err, twinlatch.ErrLimited):
		return p.renderLocked(w, r, err)
	case errors.Is(err, twinlatch.ErrTwoStepOff):
		return p.onward(w, r)
	case errors.Is(err, twinlatch.ErrNoSession):
		return err
	case errors.Is(err, twinlatch.ErrExpired):
		err = twinlatch.ErrNoTriesLeft // over for one reason or another: a new one is on the page
	}
	return p.renderVerify(w, r, who, err)
}

// renderVerify shows the open question, or asks one. What cannot be said beside
// the field is returned.
func (p *Pages) renderVerify(w http.ResponseWriter, r *http.Request, who twinlatch.Known, wrong error) error {
	asked, err := p.service.Asked(r.Context(), who)
	if errors.Is(err, twinlatch.ErrNotFound) {
		asked, err = p.service.Ask(r.Context(), who, "", p.client(r))
	}
	if err != nil {
		return err
	}
	method := p.methods[asked.Kind]
	data := verifyPage{
		Icon: method.Icon, Title: p.say("verify." + method.Name + ".title"),
		Action: link("/verify", returnTo(r)), Ways: link("/verify/ways", returnTo(r)),
	}
	p.explainWhy(&data, r, who, asked.Prompt, method)
	status := http.StatusOK
	if wrong != nil {
		text, ok := p.fieldError(wrong, data.Code.Name, method.AnswerFields[0].Wrong)
		if !ok && !errors.Is(wrong, twinlatch.ErrUnknownAddress) {
			return wrong
		}
		problem := web.ProblemOf(wrong, p.service.Now())
		status, data.Code.Error = problem.Status, text
		if !ok {
			data.Warning = p.say("err.address")
		}
		data.ClockHint = errors.Is(wrong, twinlatch.ErrReplayed)
	}
	return p.render(w, r, view{page: "verify", status: status, title: data.Title, failed: wrong != nil, script: true, data: data})
}

// explainWhy says why a code is asked.
func (p *Pages) explainWhy(data *verifyPage, r *http.Request, who twinlatch.Known, prompt twinlatch.Prompt, method twinlatch.Description) {
	box := method.AnswerFields[0]
	span := p.span(p.service.Policy().CodeEvery)
	data.Code = p.answer(box, p.say("verify."+method.Name+".title"))
	data.Account = who.Account().Login
	switch who.Reason() {
	case twinlatch.ReasonCodeTooOld:
		data.Icon, data.Title = "clock", p.say("again.time.title", "time", span)
		data.Lead = escaped(p.say("again.time.lead", "time", span))
	case twinlatch.ReasonIPChanged:
		data.Icon, data.Title = "net", p.say("again.ip.title")
		data.Lead = escaped(p.say("again.ip.lead"))
		if c := p.client(r); c.IP.IsValid() {
			data.Now = c.IP.String()
		} else {
			data.Now = p.say("again.ip.unknown")
		}
		data.Was = who.Session().VerifiedFrom(p.client(r).IP).String()
	case twinlatch.ReasonNewSession:
		data.Code = p.answer(box, "")
		data.Lead = p.prompt(prompt)
		data.Account = ""
		data.Step = true
		data.SignInInstead = link("/sign-in", returnTo(r))
	default:
		data.Icon, data.Title = "shield", p.say("again.fresh.title")
		data.Lead = escaped(p.say("again.fresh.lead"))
	}
	data.Code.Focus = true
}

// prompt is a method's question; the account in it stands out.
func (p *Pages) prompt(q twinlatch.Prompt) template.HTML {
	pairs := make([]any, 0, 2*len(q.Args))
	for name, value := range q.Args {
		if name == "account" {
			pairs = append(pairs, name, "<b><bdi>"+escaped(value)+"</bdi></b>")
			continue
		}
		pairs = append(pairs, name, value)
	}
	text, err := p.markup(q.Text, pairs...)
	if err != nil {
		p.cfg.Log.Error("message missing", "error", err)
	}
	return text
}

// ask asks another factor.
func (p *Pages) ask(w http.ResponseWriter, r *http.Request, who twinlatch.Known) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	if _, err := p.service.Ask(r.Context(), who, twinlatch.FactorID(form["factor"]), p.client(r)); err != nil {
		if errors.Is(err, twinlatch.ErrTwoStepOff) {
			return p.onward(w, r)
		}
		return err
	}
	return p.redirect(w, r, link("/verify", returnTo(r)))
}

type waysPage struct {
	Step                     bool
	Ways                     []way
	Backup                   bool
	Ask, Recover, BackToSign string
}

type way struct {
	Factor      twinlatch.FactorID
	Icon        string
	Title, Does string
}

// ways is "Try another way": one row a method, and backup codes apart.
func (p *Pages) ways(w http.ResponseWriter, r *http.Request, who twinlatch.Known) error {
	found, err := p.service.Ways(r.Context(), who)
	if err != nil {
		return err
	}
	if len(found.Factors) == 0 {
		return p.onward(w, r)
	}
	data := waysPage{
		Step: who.Reason() == twinlatch.ReasonNewSession, Backup: found.Backup,
		Ask: link("/verify/ask", returnTo(r)), Recover: link("/recover", returnTo(r)), BackToSign: link("/sign-in", returnTo(r)),
	}
	for _, d := range p.service.Methods() {
		for _, f := range found.Factors {
			if f.Kind == d.Kind {
				data.Ways = append(data.Ways, way{f.ID, d.Icon, p.say("method." + d.Name), p.say("method." + d.Name + ".do")})
				break
			}
		}
	}
	return p.render(w, r, view{page: "ways", title: p.say("verify.ways.title"), data: data})
}

type lockedPage struct {
	Step  bool
	Text  string
	Retry string
	Ways  string
}

// renderLocked says how long codes are paused. It is the same whether or not
// the code was right: nobody looked at it.
func (p *Pages) renderLocked(w http.ResponseWriter, r *http.Request, err error) error {
	problem := web.ProblemOf(err, p.service.Now())
	problem.SetHeaders(w.Header())
	data := lockedPage{Text: p.say("err.locked.paused"), Ways: link("/verify/ways", returnTo(r)), Retry: link("/verify", returnTo(r))}
	var limit *twinlatch.LimitError
	if errors.As(err, &limit) && !limit.RetryAt.IsZero() {
		data.Text = p.say("err.locked.lead", "minutes", minutes(problem.RetryAfter))
	}
	return p.render(w, r, view{page: "locked", status: problem.Status, title: p.say("err.locked.title"), failed: true, data: data})
}
