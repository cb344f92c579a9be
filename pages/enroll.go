package pages

import (
	"encoding/base64"
	"errors"
	"html/template"
	"maps"
	"net/http"
	"strconv"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

type addPage struct {
	Title   string
	Script  bool
	Instead string // what a key can do that cannot do this
	Fields  []field
	Sends   bool
	Note    string
	Action  string
	Cancel  string
}

func (p *Pages) methodIn(r *http.Request) (twinlatch.Description, error) {
	d, ok := p.methods[twinlatch.Kind(r.PathValue("kind"))]
	if !ok {
		return d, twinlatch.ErrNotFound
	}
	return d, nil
}

// addForm offers to add a factor of a kind: the fields that its method asks for,
// or one button.
func (p *Pages) addForm(w http.ResponseWriter, r *http.Request, who twinlatch.Enrolling) error {
	if p.unconfirmed(who.Account()) != "" {
		return twinlatch.ErrUnconfirmed
	}
	return p.renderAdd(w, r, who, nil, nil)
}

// add begins an enrollment.
func (p *Pages) add(w http.ResponseWriter, r *http.Request, who twinlatch.Enrolling) error {
	d, err := p.methodIn(r)
	if err != nil {
		return err
	}
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	fields := maps.Clone(form)
	delete(fields, "challenge")
	if fields["name"] == "" && !d.Sends {
		if fields["name"], err = p.freshName(r, who, d); err != nil {
			return err
		}
	}
	challenge, err := p.service.BeginEnroll(r.Context(), who, d.Kind, fields, p.client(r))
	var bad *twinlatch.FieldError
	_, unsent := p.cannotSend(err)
	switch {
	case unsent && form["challenge"] != "": // send again
		return p.renderEnroll(w, r, who, twinlatch.ChallengeID(form["challenge"]), nil, err)
	case unsent, errors.As(err, &bad):
		return p.renderAdd(w, r, who, form, err)
	}
	if err != nil {
		return err
	}
	return p.redirect(w, r, p.confirmation(r, challenge.ID))
}

// freshName calls a new factor by its method, with a number from the second on.
func (p *Pages) freshName(r *http.Request, who twinlatch.Enrolling, d twinlatch.Description) (string, error) {
	factors, err := p.service.Factors(r.Context(), who)
	if err != nil {
		return "", err
	}
	taken := map[string]bool{}
	for _, f := range factors {
		taken[f.Name] = true
	}
	title := p.say("method." + d.Name)
	name := title
	for n := 2; taken[name]; n++ {
		name = title + " " + strconv.Itoa(n)
	}
	return name, nil
}

func (p *Pages) renderAdd(w http.ResponseWriter, r *http.Request, who twinlatch.Enrolling, form map[string]string, wrong error) error {
	d, err := p.methodIn(r)
	if err != nil {
		return err
	}
	data := addPage{
		Title: p.say("add." + d.Name + ".title"), Sends: d.Sends, Script: d.Script,
		Action: p.adding(r, d.Kind), Cancel: p.notAdding(r, who),
	}
	if d.Script {
		data.Instead = p.instead(r)
	}
	status, said := http.StatusOK, wrong == nil
	if text, ok := p.cannotSend(wrong); ok {
		problem := web.ProblemOf(wrong, p.service.Now())
		problem.SetHeaders(w.Header())
		status, said, data.Note = problem.Status, true, text
	}
	if d.Named {
		name := form["name"]
		if wrong == nil {
			if name, err = p.freshName(r, who, d); err != nil {
				return err
			}
		}
		box := p.nameBox(name)
		box.Focus = wrong == nil
		if text, ok := p.fieldError(wrong, "name"); ok {
			status, said = http.StatusUnprocessableEntity, true
			box.Error, box.Focus = text, true
		}
		data.Fields = append(data.Fields, *box)
	}
	for _, f := range d.EnrollFields {
		box := p.answer(f, "")
		box.Class, box.Value, box.Focus = "", form[f.Name], wrong == nil && len(data.Fields) == 0
		if text, ok := p.fieldError(wrong, f.Name); ok {
			status, said = http.StatusUnprocessableEntity, true
			box.Error, box.Focus = text, true
		}
		data.Fields = append(data.Fields, box)
	}
	if !said {
		return wrong
	}
	account := who.Account()
	return p.render(w, r, view{
		page: "add", status: status, title: data.Title, failed: wrong != nil, who: &account, trail: p.say("method." + d.Name), data: data,
	})
}

type enrollPage struct {
	Title   string
	Failed  bool // the message was not delivered
	Down    bool // nobody took the message yet
	Again   *sendAgain
	Change  string // to another number
	Link    template.URL
	QR      template.URL
	Manual  string
	Prompt  template.HTML
	Name    *field // of what people have several of
	Code    field
	Script  *scriptForm // instead of the field
	Instead string      // what a key can do that cannot do this
	Note    string
	Action  string
	Cancel  string
}

// enrollForm shows an open enrollment. One that is over, or is somebody
// else's, is not there.
func (p *Pages) enrollForm(w http.ResponseWriter, r *http.Request, who twinlatch.Enrolling) error {
	return p.renderEnroll(w, r, who, twinlatch.ChallengeID(r.PathValue("challenge")), nil, nil)
}

// enroll is Confirm.
func (p *Pages) enroll(w http.ResponseWriter, r *http.Request, who twinlatch.Enrolling) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	id := twinlatch.ChallengeID(r.PathValue("challenge"))
	_, token, err := p.service.FinishEnroll(r.Context(), who, id, form, p.client(r))
	script := p.methods[twinlatch.Kind(form["kind"])].Script
	var bad *twinlatch.FieldError
	switch {
	case err == nil:
		p.cookie.Write(w, token)
		return p.added(w, r, who)
	case errors.As(err, &bad), errors.Is(err, twinlatch.ErrWrongCode), errors.Is(err, twinlatch.ErrReplayed),
		errors.Is(err, twinlatch.ErrUnavailable), errors.Is(err, twinlatch.ErrUnknownAddress), script && over(err):
		if script {
			var failed error
			if id, failed = p.stillOpen(r, who, id, form); failed != nil {
				return failed
			}
		}
		return p.renderEnroll(w, r, who, id, form, err)
	case errors.Is(err, twinlatch.ErrExists): // in another window, meanwhile
		return p.message(w, r, http.StatusUnprocessableEntity, "err.exists", nil)
	case errors.Is(err, twinlatch.ErrLimited):
		return p.renderLocked(w, r, err)
	}
	return err
}

// renderEnroll shows an open enrollment, and after a post what was typed and what
// is wrong with it.
func (p *Pages) renderEnroll(w http.ResponseWriter, r *http.Request, who twinlatch.Enrolling, id twinlatch.ChallengeID, form map[string]string, wrong error) error {
	challenge, err := p.service.Enrollment(r.Context(), who, id)
	if errors.Is(err, twinlatch.ErrNotFound) {
		return twinlatch.ErrExpired
	}
	if err != nil {
		return err
	}
	d := p.methods[challenge.Kind]
	data := enrollPage{
		Title: p.say("add." + d.Name + ".title"), Manual: challenge.Prompt.Manual,
		Code: p.answer(d.AnswerFields[0], ""), Action: p.confirmation(r, challenge.ID), Cancel: p.notAdding(r, who),
		Failed: challenge.Delivery == twinlatch.Failed, Down: challenge.Delivery == twinlatch.Queued,
	}
	data.Code.Texts = d.Sends
	if d.Named {
		name := form["name"]
		if name == "" {
			name = challenge.Name
		}
		data.Name = p.nameBox(name)
		data.Name.Focus, data.Code.Focus = d.Script, !d.Script
	}
	if d.Script {
		data.Script, data.Instead = registration(challenge, data), p.instead(r)
	}
	if d.Sends {
		data.Code.Focus, data.Change = true, p.adding(r, d.Kind)
		data.Again = p.sendAgain(challenge, data.Change, map[string]string{
			d.EnrollFields[0].Name: challenge.Prompt.Args["number"], "challenge": string(challenge.ID),
		})
	}
	if content := challenge.Prompt.QR; content != "" {
		picture, err := qrCode(content)
		if err != nil {
			return err
		}
		// Both addresses are made by the method and by us, never by the person.
		data.QR = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(picture))
		data.Link = template.URL(content)
		if p.cfg.Dev != nil {
			p.cfg.Dev.remember(content)
		}
	} else {
		data.Prompt = p.prompt(challenge.Prompt)
	}
	status := http.StatusOK
	if wrong != nil {
		problem := web.ProblemOf(wrong, p.service.Now())
		problem.SetHeaders(w.Header())
		status = problem.Status
		text, beside := p.answerError(wrong, d)
		name, ofName := p.fieldError(wrong, "name")
		switch {
		case ofName && d.Named:
			data.Name.Error, data.Name.Focus, data.Code.Focus = name, true, false
		case beside && d.Script:
			status, data.Note = http.StatusUnprocessableEntity, text
		case beside:
			data.Code.Error, data.Code.Focus = text, true
		default:
			data.Note = p.whatWentWrong(wrong, d)
		}
	}
	account := who.Account()
	return p.render(w, r, view{
		page: "enroll", status: status, title: data.Title, failed: wrong != nil, script: true, secret: true,
		who: &account, trail: p.say("method." + d.Name), data: data,
	})
}
