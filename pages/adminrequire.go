package pages

import (
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

// everyone stands in addresses where a group would: no group is called so.
const everyone = "-"

// proposedGrace is how many days new accounts have, unless the administrator says
// something else.
const proposedGrace = 14

type requirePage struct {
	Done                       string // what the administrator just did
	All                        []requirementRow
	Group, From, Grace, Reason field
	Action                     string
}

type requirementRow struct {
	Group  string // empty: everybody
	From   time.Time
	Days   int // that new accounts have
	Remove string
}

func (p *Pages) requireForm(w http.ResponseWriter, r *http.Request, a administrator) error {
	if err := p.service.MayAdminister(r.Context(), a.who); err != nil {
		return err
	}
	return p.renderRequire(w, r, a, map[string]string{
		"from": p.service.Now().UTC().Format(time.DateOnly), "grace": strconv.Itoa(proposedGrace),
	}, nil)
}

func (p *Pages) require(w http.ResponseWriter, r *http.Request, a administrator) error {
	if err := p.service.MayAdminister(r.Context(), a.who); err != nil {
		return err
	}
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	// What is no date or number is refused by the core as none that it takes.
	q := twinlatch.Requirement{Group: strings.TrimSpace(form["group"]), Grace: -1}
	q.From, _ = time.Parse(time.DateOnly, form["from"])
	if days, err := strconv.Atoi(strings.TrimSpace(form["grace"])); err == nil && days >= 0 {
		q.Grace = time.Duration(min(days, 10_000)) * 24 * time.Hour
	}
	err = p.service.Require(r.Context(), a.by(form["reason"]), q, p.client(r))
	var bad *twinlatch.FieldError
	switch {
	case errors.As(err, &bad):
		return p.renderRequire(w, r, a, form, err)
	case err != nil:
		return err
	}
	return p.redirect(w, r, requirePath+"?done")
}

func (p *Pages) renderRequire(w http.ResponseWriter, r *http.Request, a administrator, form map[string]string, wrong error) error {
	all, err := p.service.Requirements(r.Context(), a.by(""))
	if err != nil {
		return err
	}
	data := requirePage{
		Action: requirePath,
		Group:  field{ID: "group", Name: "group", Type: "text", Label: p.say("adm.require.group"), Autocomplete: "off", Value: form["group"]},
		From:   field{ID: "from", Name: "from", Type: "date", Label: p.say("adm.require.from"), Hint: p.say("adm.require.from.hint"), Autocomplete: "off", Value: form["from"]},
		Grace: field{
			ID: "grace", Name: "grace", Type: "text", InputMode: "numeric", Label: p.say("adm.require.grace"),
			Hint: p.say("adm.require.grace.hint"), Autocomplete: "off", Value: form["grace"],
		},
		Reason: p.reasonField(form["reason"]),
	}
	for _, q := range all {
		data.All = append(data.All, requirementRow{q.Group, q.From, int(q.Grace / (24 * time.Hour)), requirePath + "/" + orEveryone(q.Group) + "/remove"})
	}
	if r.URL.Query().Has("done") {
		if data.Done, err = p.doneToAll(r, a); err != nil {
			return err
		}
	}
	status := http.StatusOK
	if wrong != nil {
		boxes := []*field{&data.Group, &data.From, &data.Grace, &data.Reason}
		for _, box := range boxes {
			box.Error, _ = p.fieldError(wrong, box.Name)
		}
		focusFirstError(boxes)
		status = web.ProblemOf(wrong, p.service.Now()).Status
	}
	return p.renderAdmin(w, r, a,
		view{page: "adminrequire", status: status, title: p.say("adm.require.title"), failed: wrong != nil, data: data},
		crumb{Text: p.say("adm.require.title")})
}

// doneToAll is what the administrator just did to all accounts, as doneTo.
func (p *Pages) doneToAll(r *http.Request, a administrator) (string, error) {
	events, err := p.service.RecentEvents(r.Context(), a.by(""), twinlatch.Position{}, 20)
	return p.doneIn(a, events), err
}

func orEveryone(group string) string {
	if group == "" {
		return everyone
	}
	return group
}

// requirement finds the one that the address names.
func (p *Pages) requirement(r *http.Request, a administrator) (twinlatch.Requirement, error) {
	if err := p.service.MayAdminister(r.Context(), a.who); err != nil {
		return twinlatch.Requirement{}, err
	}
	all, err := p.service.Requirements(r.Context(), a.by(""))
	if err != nil {
		return twinlatch.Requirement{}, err
	}
	for _, q := range all {
		if orEveryone(q.Group) == r.PathValue("group") {
			return q, nil
		}
	}
	return twinlatch.Requirement{}, twinlatch.ErrNotFound
}

func (p *Pages) requireNoMoreForm(w http.ResponseWriter, r *http.Request, a administrator) error {
	q, err := p.requirement(r, a)
	if err != nil {
		return err
	}
	return p.renderRequireNoMore(w, r, a, q, "", nil)
}

func (p *Pages) requireNoMore(w http.ResponseWriter, r *http.Request, a administrator) error {
	q, err := p.requirement(r, a)
	if errors.Is(err, twinlatch.ErrNotFound) { // taken back already: a second press
		return p.redirect(w, r, requirePath)
	}
	if err != nil {
		return err
	}
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	err = p.service.NoLongerRequire(r.Context(), a.by(form["reason"]), q.Group, p.client(r))
	var bad *twinlatch.FieldError
	switch {
	case errors.As(err, &bad):
		return p.renderRequireNoMore(w, r, a, q, form["reason"], err)
	case err != nil && !errors.Is(err, twinlatch.ErrNotFound):
		return err
	}
	return p.redirect(w, r, requirePath+"?done")
}

// renderRequireNoMore is the page of an act that concerns no single account.
func (p *Pages) renderRequireNoMore(w http.ResponseWriter, r *http.Request, a administrator, q twinlatch.Requirement, reason string, wrong error) error {
	title, heading := p.say("adm.require.remove.all"), template.HTML("")
	if q.Group != "" {
		title = p.say("adm.require.remove.group", "group", q.Group)
	}
	heading = escaped(title)
	if q.Group != "" {
		var err error
		if heading, err = p.markup("adm.require.remove.group", "group", bold(q.Group)); err != nil {
			return err
		}
	}
	data := actPage{
		Title: heading, Lead: p.say("adm.require.remove.lead"), Submit: p.say("adm.require.remove"), Danger: true,
		Action: requirePath + "/" + orEveryone(q.Group) + "/remove", Cancel: requirePath, Reason: p.reasonField(reason),
	}
	status := http.StatusOK
	if wrong != nil {
		data.Reason.Error, _ = p.fieldError(wrong, "reason")
		data.Reason.Focus = true
		status = web.ProblemOf(wrong, p.service.Now()).Status
	}
	return p.renderAdmin(w, r, a,
		view{page: "adminact", status: status, title: title, failed: wrong != nil, data: data},
		crumb{Text: p.say("adm.require.title"), To: requirePath}, crumb{Text: p.say("adm.require.remove")})
}
