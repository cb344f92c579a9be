package pages

import (
	"errors"
	"html/template"
	"net/http"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/rules"
	"github.com/twinlatch/twinlatch/web"
)

// asking is what all pages of the second step share: who is asked, and why.
type asking struct {
	Step          bool // the two-step bar: this is a sign-in
	Icon          string
	Title         string
	Lead          template.HTML
	Now, Was      string // both addresses, when they differ
	Account       string // still signed in as; empty at sign-in
	Ways          string
	SignInInstead string // "Back to sign in", at sign-in
}

type verifyPage struct {
	asking
	Code      field
	Script    *scriptForm // instead of the field
	ClockHint bool
	Warning   string
	Renewed   template.HTML // a new code was sent there, because the old one was over
	Down      bool          // nobody took the message yet
	Sends     bool
	Again     *sendAgain
	Other     string // to other numbers
	Action    string
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
	return ok && p.service.MayChange(passed) == nil && p.appNeeds(r, d) != rules.NeedSecondStep
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
		return p.renew(w, r, who)
	}
	return p.renderVerify(w, r, who, err)
}

// renew asks again, because the question was over for one reason or another.
// This was a post, so a message may be sent.
func (p *Pages) renew(w http.ResponseWriter, r *http.Request, who twinlatch.Known) error {
	asked, err := p.service.Ask(r.Context(), who, "", p.client(r))
	if _, ok := p.cannotSend(err); ok {
		return p.renderUnsent(w, r, who, "", err)
	}
	if err != nil {
		return err
	}
	if p.sends(asked.Kind) {
		return p.renderVerify(w, r, who, twinlatch.ErrExpired)
	}
	return p.renderVerify(w, r, who, twinlatch.ErrNoTriesLeft)
}

// renderUnsent shows the open question, or offers to send one, and says why
// nothing was sent now.
func (p *Pages) renderUnsent(w http.ResponseWriter, r *http.Request, who twinlatch.Known, f twinlatch.FactorID, why error) error {
	asked, err := p.service.Asked(r.Context(), who)
	if err == nil && p.sends(asked.Kind) && (f == "" || f == asked.Factor) {
		return p.renderVerify(w, r, who, why)
	}
	if err != nil && !errors.Is(err, twinlatch.ErrNotFound) {
		return err
	}
	ways, err := p.service.Ways(r.Context(), who)
	if err != nil {
		return err
	}
	kind := ways.Next.Kind
	for _, way := range ways.Factors {
		if way.ID == f {
			kind = way.Kind
		}
	}
	return p.renderPick(w, r, who, kind, why)
}

// renderVerify shows the open question, or asks one that needs nothing sent.
// What cannot be said on the page is returned.
func (p *Pages) renderVerify(w http.ResponseWriter, r *http.Request, who twinlatch.Known, wrong error) error {
	asked, err := p.service.Asked(r.Context(), who)
	if errors.Is(err, twinlatch.ErrNotFound) {
		ways, err := p.service.Ways(r.Context(), who)
		if err != nil {
			return err
		}
		if ways.Next.ID == "" { // its method is not offered any more
			return p.ways(w, r, who)
		}
		if p.sends(ways.Next.Kind) {
			return p.renderPick(w, r, who, ways.Next.Kind, wrong)
		}
		if asked, err = p.service.Ask(r.Context(), who, ways.Next.ID, p.client(r)); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if _, unsent := p.cannotSend(wrong); asked.Delivery == twinlatch.Failed && (wrong == nil || unsent || errors.Is(wrong, twinlatch.ErrExpired)) {
		return p.renderUndelivered(w, r, who, asked, wrong)
	}
	method := p.methods[asked.Kind]
	data := verifyPage{
		asking: p.whyAsked(r, who, method), Sends: method.Sends, Down: asked.Delivery == twinlatch.Queued,
		Action: link("/verify", p.returnTo(r)), Code: p.codeBox(who, method),
	}
	renewed := errors.Is(wrong, twinlatch.ErrExpired)
	if data.Lead == "" || method.Sends {
		data.Lead = p.prompt(asked.Prompt)
	}
	if data.Down || renewed { // the note says better whether something was sent
		data.Lead = ""
	}
	if method.Script {
		data.Script = &scriptForm{
			Ceremony: "get", Options: string(asked.Prompt.Options), Action: data.Action,
			Auto: wrong == nil && who.Reason() == twinlatch.ReasonNewSession && cameFrom(r, "/sign-in"),
		}
	}
	if method.Sends {
		data.Again = p.sendAgain(asked, link("/verify/ask", p.returnTo(r)), map[string]string{"factor": string(asked.Factor)})
		if data.Other, err = p.otherNumbers(r, who, asked.Kind); err != nil {
			return err
		}
	}
	status := http.StatusOK
	if wrong != nil {
		problem := web.ProblemOf(wrong, p.service.Now())
		status = problem.Status
		text, beside := p.answerError(wrong, method)
		above := p.whatWentWrong(wrong, method)
		switch {
		case beside && method.Script:
			data.Warning = text
		case beside:
			data.Code.Error = text
			data.ClockHint = errors.Is(wrong, twinlatch.ErrReplayed) && !method.Unguessable
		case renewed:
			status = http.StatusUnprocessableEntity
			if !data.Down {
				data.Renewed = p.number(asked.Prompt.Args["number"])
			}
		case above != "":
			data.Warning = above
			problem.SetHeaders(w.Header())
		default:
			return wrong
		}
	}
	return p.render(w, r, view{page: "verify", status: status, title: data.Title, failed: wrong != nil, script: true, data: data})
}

// codeBox is the box for the answer. Where the heading says why we ask, the
// label says what.
func (p *Pages) codeBox(who twinlatch.Known, method twinlatch.Description) field {
	label := ""
	if who.Reason() != twinlatch.ReasonNewSession && !method.Sends {
		label = p.say("verify." + method.Name + ".title")
	}
	box := p.answer(method.AnswerFields[0], label)
	box.Focus, box.Texts = true, method.Sends
	return box
}

// whyAsked says why a code is asked.
func (p *Pages) whyAsked(r *http.Request, who twinlatch.Known, method twinlatch.Description) asking {
	span := p.span(p.service.Policy().CodeEvery)
	a := asking{
		Icon: method.Icon, Title: p.say("verify." + method.Name + ".title"),
		Account: who.Account().Login, Ways: link("/verify/ways", p.returnTo(r)),
	}
	switch who.Reason() {
	case twinlatch.ReasonCodeTooOld:
		a.Icon, a.Title = "clock", p.say("again.time.title", "time", span)
		a.Lead = escaped(p.say("again.time.lead", "time", span))
	case twinlatch.ReasonIPChanged:
		a.Icon, a.Title = "net", p.say("again.ip.title")
		a.Lead = escaped(p.say("again.ip.lead"))
		if c := p.client(r); c.IP.IsValid() {
			a.Now = c.IP.String()
		} else {
			a.Now = p.say("again.ip.unknown")
		}
		a.Was = who.Session().VerifiedFrom(p.client(r).IP).String()
	case twinlatch.ReasonNewSession:
		a.Account = ""
		a.Step = true
		a.SignInInstead = link("/sign-in", p.returnTo(r))
	default:
		a.Icon, a.Title = "shield", p.say("again.fresh.title")
		a.Lead = escaped(p.say("again.fresh.lead"))
		if _, app, ok := p.appIn(p.returnTo(r)); ok {
			a.Lead = escaped(p.say("again.app.lead", "app", app.Host))
		}
	}
	return a
}

// prompt is a method's question; the account or number in it stands out.
func (p *Pages) prompt(q twinlatch.Prompt) template.HTML {
	pairs := make([]any, 0, 2*len(q.Args))
	for name, value := range q.Args {
		switch name {
		case "account":
			pairs = append(pairs, name, "<b><bdi>"+escaped(value)+"</bdi></b>")
		case "number":
			pairs = append(pairs, name, p.number(value))
		default:
			pairs = append(pairs, name, value)
		}
	}
	text, err := p.markup(q.Text, pairs...)
	if err != nil {
		p.cfg.Log.Error("message missing", "error", err)
	}
	return text
}

// ask asks another factor, or sends the same code again.
func (p *Pages) ask(w http.ResponseWriter, r *http.Request, who twinlatch.Known) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	f := twinlatch.FactorID(form["factor"])
	if _, err := p.service.Ask(r.Context(), who, f, p.client(r)); err != nil {
		if errors.Is(err, twinlatch.ErrTwoStepOff) {
			return p.onward(w, r)
		}
		if _, ok := p.cannotSend(err); ok {
			return p.renderUnsent(w, r, who, f, err)
		}
		return err
	}
	return p.redirect(w, r, link("/verify", p.returnTo(r)))
}

type waysPage struct {
	Step                     bool
	Ways                     []way
	Backup                   bool
	Ask, Recover, BackToSign string
}

type way struct {
	Factor      twinlatch.FactorID
	Pick        string // instead: the page where one of several is chosen
	Icon        string
	Title, Does string
}

// ways is "Try another way": one row a method, and backup codes apart.
func (p *Pages) ways(w http.ResponseWriter, r *http.Request, who twinlatch.Known) error {
	found, err := p.service.Ways(r.Context(), who)
	if err != nil {
		return err
	}
	if !who.Account().TwoStep {
		return p.onward(w, r)
	}
	data := waysPage{
		Step: who.Reason() == twinlatch.ReasonNewSession, Backup: found.Backup,
		Ask: link("/verify/ask", p.returnTo(r)), Recover: link("/recover", p.returnTo(r)), BackToSign: link("/sign-in", p.returnTo(r)),
	}
	for _, d := range p.service.Methods() {
		for _, f := range found.Factors {
			if f.Kind != d.Kind {
				continue
			}
			row := way{Factor: f.ID, Icon: d.Icon, Title: p.say("method." + d.Name), Does: p.say("method." + d.Name + ".do")}
			if d.Sends {
				if row.Pick, err = p.otherNumbers(r, who, d.Kind); err != nil {
					return err
				}
			}
			data.Ways = append(data.Ways, row)
			break
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
	data := lockedPage{Text: p.say("err.locked.paused"), Ways: link("/verify/ways", p.returnTo(r)), Retry: link("/verify", p.returnTo(r))}
	var limit *twinlatch.LimitError
	if errors.As(err, &limit) && !limit.RetryAt.IsZero() {
		data.Text = p.say("err.locked.lead", "minutes", minutes(problem.RetryAfter))
	}
	return p.render(w, r, view{page: "locked", status: problem.Status, title: p.say("err.locked.title"), failed: true, data: data})
}
