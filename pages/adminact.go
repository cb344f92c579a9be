package pages

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"strings"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

// act is what administrators do to an account, on a page of its own.
type act struct {
	verb   string   // last part of its address
	title  string   // keys of its words
	short  string   // on the page of the account
	lead   string   // before what it does
	does   []string // one thing each
	submit string
	danger bool
	fits   func(twinlatch.AccountFile) bool // it would change something
	do     func(*twinlatch.Service, context.Context, twinlatch.Administrator, twinlatch.AccountID, twinlatch.Client) error
	groups bool // it asks for groups, and is SetGroups
}

const mailed = "adm.rs.3" // said only where mails are sent

func acts() []act {
	always := func(twinlatch.AccountFile) bool { return true }
	return []act{
		{
			verb: "reset", title: "adm.rs.title", short: "adm.rs.submit", lead: "adm.rs.lead",
			does: []string{"adm.rs.1", "adm.rs.2", mailed, "adm.rs.4"}, submit: "adm.rs.submit", danger: true,
			fits: func(f twinlatch.AccountFile) bool { return f.TwoStep }, do: (*twinlatch.Service).ResetTwoStep,
		},
		{
			verb: "end", title: "adm.end.title", short: "adm.end", lead: "adm.does",
			does: []string{"adm.end.1", "adm.end.2"}, submit: "adm.end",
			fits: func(f twinlatch.AccountFile) bool { return len(f.Sessions) > 0 }, do: (*twinlatch.Service).EndSessions,
		},
		{
			verb: "groups", title: "adm.groups.title", short: "adm.groups.change", submit: "adm.groups.submit",
			fits: always, groups: true,
		},
		{
			verb: "disable", title: "adm.disable.title", short: "adm.disable", lead: "adm.does",
			does: []string{"adm.rs.2", "adm.disable.1"}, submit: "adm.disable", danger: true,
			fits: func(f twinlatch.AccountFile) bool { return f.DisabledAt.IsZero() }, do: (*twinlatch.Service).Disable,
		},
		{
			verb: "enable", title: "adm.enable.title", short: "adm.enable_account", lead: "adm.does",
			does: []string{"adm.enable.1"}, submit: "adm.enable_account",
			fits: func(f twinlatch.AccountFile) bool { return !f.DisabledAt.IsZero() }, do: (*twinlatch.Service).Enable,
		},
		{
			verb: "delete", title: "adm.delete.title", short: "adm.delete", lead: "adm.does",
			does: []string{"adm.delete.1", "adm.rs.2", "adm.delete.2", "adm.delete.3"}, submit: "adm.delete", danger: true,
			fits: always, do: (*twinlatch.Service).Delete,
		},
	}
}

type actPage struct {
	Title  template.HTML
	Lead   string
	Does   []template.HTML
	Groups *field
	Reason field
	Submit string
	Danger bool
	Action string
	Cancel string
}

// form asks for a fresh proof before anything is typed, not after.
func (c act) form(p *Pages) func(http.ResponseWriter, *http.Request, administrator) error {
	return func(w http.ResponseWriter, r *http.Request, a administrator) error {
		file, err := p.target(r, a)
		if err != nil {
			return err
		}
		if !c.fits(file) {
			return p.redirect(w, r, accountPath+string(file.ID))
		}
		return p.renderAct(w, r, a, c, file, map[string]string{"groups": strings.Join(file.Groups, " ")}, nil)
	}
}

func (c act) act(p *Pages) func(http.ResponseWriter, *http.Request, administrator) error {
	return func(w http.ResponseWriter, r *http.Request, a administrator) error {
		file, err := p.target(r, a)
		if err != nil {
			return err
		}
		form, err := web.Form(w, r)
		if err != nil {
			return err
		}
		if c.groups {
			err = p.service.SetGroups(r.Context(), a.by(form["reason"]), file.ID, strings.Fields(form["groups"]), p.client(r))
		} else {
			err = c.do(p.service, r.Context(), a.by(form["reason"]), file.ID, p.client(r))
		}
		var bad *twinlatch.FieldError
		switch {
		case errors.As(err, &bad):
			return p.renderAct(w, r, a, c, file, form, err)
		case c.groups && errors.Is(err, twinlatch.ErrForbidden):
			return p.renderAct(w, r, a, c, file, form, &twinlatch.FieldError{Field: "group", Key: "adm.groups.admin"})
		case errors.Is(err, twinlatch.ErrTwoStepOff): // reset already: a second press
		case err != nil:
			return err
		}
		if c.verb == "delete" {
			return p.redirect(w, r, adminPath+"?done="+string(file.ID))
		}
		return p.redirect(w, r, accountPath+string(file.ID)+"?done")
	}
}

// renderAct shows what an act would do, and why it was not done.
func (p *Pages) renderAct(w http.ResponseWriter, r *http.Request, a administrator, c act, file twinlatch.AccountFile, form map[string]string, wrong error) error {
	account := accountPath + string(file.ID)
	data := actPage{
		Submit: p.say(c.submit), Danger: c.danger, Action: account + "/" + c.verb, Cancel: account, Reason: p.reasonField(form["reason"]),
	}
	var err error
	if data.Title, err = p.markup(c.title, "name", bold(file.DisplayName)); err != nil {
		return err
	}
	if len(c.does) > 0 {
		data.Lead = p.say(c.lead)
	}
	for _, key := range c.does {
		if key == mailed && !p.service.Mails() {
			continue
		}
		does, err := p.markup(key, "email", bold(file.Login))
		if err != nil {
			return err
		}
		data.Does = append(data.Does, does)
	}
	boxes := []*field{&data.Reason}
	if c.groups {
		data.Groups = &field{
			ID: "groups", Name: "groups", Type: "text", Label: p.say("adm.groups"), Hint: p.say("adm.groups.hint"),
			Autocomplete: "off", Value: form["groups"],
		}
		boxes = []*field{data.Groups, &data.Reason}
	}
	status := http.StatusOK
	if wrong != nil {
		status = web.ProblemOf(wrong, p.service.Now()).Status
		data.Reason.Error, _ = p.fieldError(wrong, "reason")
		if c.groups {
			data.Groups.Error, _ = p.fieldError(wrong, "group")
		}
		focusFirstError(boxes)
	}
	return p.renderAdmin(w, r, a,
		view{page: "adminact", status: status, title: p.say(c.title, "name", file.DisplayName), failed: wrong != nil, data: data},
		crumb{Text: file.DisplayName, To: account, Name: true}, crumb{Text: p.say(c.short)})
}

func (p *Pages) reasonField(value string) field {
	return field{
		ID: "reason", Name: "reason", Type: "text", Label: p.say("adm.rs.reason"), Hint: p.say("adm.rs.reason.hint"),
		Autocomplete: "off", Value: value,
	}
}
