package pages

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

// The pages of administrators.
const (
	adminPath   = "/admin"
	accountPath = adminPath + "/accounts/"
	requirePath = adminPath + "/require"
	trailPath   = adminPath + "/events"
)

// administrator is a person who may see all accounts. Only the routes that admin
// makes have one to give, so a page of administrators that forgets to ask does not
// compile.
type administrator struct{ who twinlatch.Passed }

// by is their right; the reason is for changes.
func (a administrator) by(reason string) twinlatch.Administrator {
	return twinlatch.ByAdministrator(a.who, reason)
}

// did reports whether an event is of an act of theirs, of this moment.
func (a administrator) did(e twinlatch.Event, now time.Time) bool {
	const moment = 2 * time.Minute
	return e.Actor == adminActor+string(a.who.Account().ID) && now.Sub(e.At) < moment
}

// How the actors of events begin that administrators and operators caused.
const (
	adminActor   = "admin:"
	commandActor = "command:"
)

// admin is a route for administrators. What they may do is asked again by each call
// of the core.
func (p *Pages) admin(method, path string, h func(http.ResponseWriter, *http.Request, administrator) error) route {
	return passed(method, path, func(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
		a := administrator{who}
		err := p.service.MayReadTrail(r.Context(), a.by(""))
		switch {
		case errors.Is(err, twinlatch.ErrForbidden):
			return p.message(w, r, http.StatusForbidden, "adm.forbidden", nil)
		case errors.Is(err, twinlatch.ErrTwoStepOff):
			posted := r.Method != http.MethodGet && r.Method != http.MethodHead
			return p.render(w, r, view{page: "adminoff", status: http.StatusForbidden, title: p.say("adm.off.title"), failed: posted})
		case err != nil:
			return err
		}
		err = h(w, r, a)
		if errors.Is(err, errOwnAccount) {
			return p.message(w, r, http.StatusForbidden, "adm.own", nil)
		}
		return err
	})
}

func (p *Pages) adminRoutes() []route {
	routes := []route{
		p.admin("GET", adminPath, p.accounts),
		p.admin("GET", accountPath+"{account}", p.account),
		p.admin("GET", requirePath, p.requireForm),
		p.admin("POST", requirePath, p.require),
		p.admin("GET", requirePath+"/{group}/remove", p.requireNoMoreForm),
		p.admin("POST", requirePath+"/{group}/remove", p.requireNoMore),
		p.admin("GET", trailPath, p.trail),
		p.admin("GET", trailPath+"/export", p.exportTrail),
		p.admin("GET", trailPath+"/verify", p.backToTrail),
		p.admin("POST", trailPath+"/verify", p.verifyTrail),
	}
	for _, act := range acts() {
		routes = append(routes,
			p.admin("GET", accountPath+"{account}/"+act.verb, act.form(p)),
			p.admin("POST", accountPath+"{account}/"+act.verb, act.act(p)))
	}
	return routes
}

// crumb is a step on the way to a page of administrators.
type crumb struct {
	Text string
	To   string // empty: it is this page
	Name bool   // Text is what a person is called
}

// renderAdmin shows a page of administrators; the crumbs are those behind the list
// of accounts.
func (p *Pages) renderAdmin(w http.ResponseWriter, r *http.Request, a administrator, v view, crumbs ...crumb) error {
	account := a.who.Account()
	v.who, v.admin = &account, true
	if len(crumbs) > 0 {
		v.crumbs = append([]crumb{{Text: p.say("adm.title"), To: adminPath}}, crumbs...)
	}
	return p.render(w, r, v)
}

// actorRow is who or what an event is about, or was caused by.
type actorRow struct {
	Name  string // what it is called; empty: Words say it
	Words template.HTML
	To    string // its page; empty: it has none
}

// HTML is the name or the words, leading to the page.
func (a actorRow) HTML() template.HTML {
	text := a.Words
	if a.Name != "" {
		text = "<bdi>" + escaped(a.Name) + "</bdi>"
	}
	if a.To == "" {
		return text
	}
	return `<a href="` + escaped(a.To) + `">` + text + "</a>"
}

// names looks accounts up, each once.
type names struct {
	*Pages
	ctx  context.Context
	rows map[twinlatch.AccountID]actorRow
}

func (p *Pages) names(r *http.Request) names {
	return names{p, r.Context(), map[twinlatch.AccountID]actorRow{}}
}

func (n names) account(id twinlatch.AccountID) (actorRow, error) {
	if row, ok := n.rows[id]; ok {
		return row, nil
	}
	a, err := n.service.Account(n.ctx, id)
	var row actorRow
	switch {
	case errors.Is(err, twinlatch.ErrNotFound), err == nil && !a.DeletedAt.IsZero():
		row, err = actorRow{Words: escaped(n.say("adm.deleted"))}, nil
	case a.Realm == twinlatch.RealmSystem:
		row = actorRow{Words: escaped(n.say("adm.everyone"))}
	default:
		row = actorRow{Name: a.Login, To: accountPath + string(a.ID)}
	}
	n.rows[id] = row
	return row, err
}

// actor is who caused an event; nobody when it was the person themselves.
func (n names) actor(actor string) (*actorRow, error) {
	id, admin := strings.CutPrefix(actor, adminActor)
	operator, command := strings.CutPrefix(actor, commandActor)
	switch {
	case actor == "self":
		return nil, nil
	case admin:
		row, err := n.account(twinlatch.AccountID(id))
		return &row, err
	case command:
		words, err := n.markup("adm.command", "name", "<bdi>"+escaped(operator)+"</bdi>")
		return &actorRow{Words: words}, err
	}
	return &actorRow{Name: actor}, nil
}

// trailRow is an event as administrators see it: they learn who did it.
type trailRow struct {
	eventRow
	Account *actorRow // nil: the page is about it
	By      *actorRow // nil: the person themselves
	Reason  string
}

func (n names) event(e twinlatch.Event) (trailRow, error) {
	if e.Detail.Salt == nil { // erased with its account
		e.Detail.More = map[string]string{"kind": "…", "name": "…"}
	}
	row := trailRow{eventRow: n.eventRow(e), Reason: e.Detail.More["why"]}
	more := &sentences{p: n.Pages}
	if e.Detail.Salt != nil {
		n.eventMore(more, e)
		n.requirement(more, e)
	}
	row.Why = more.said
	var err error
	row.By, err = n.actor(e.Actor)
	return row, err
}

// requirement says which one was made or taken back.
func (n names) requirement(more *sentences, e twinlatch.Event) {
	if e.Type != twinlatch.EventRequired && e.Type != twinlatch.EventNotRequired {
		return
	}
	if group := e.Detail.More["group"]; group != "" {
		more.markup("adm.group", "group", theirs(group))
	}
	from, err := time.Parse(time.RFC3339, e.Detail.More["from"])
	grace, err2 := time.ParseDuration(e.Detail.More["grace"])
	if err == nil && err2 == nil {
		more.markup("adm.require.line", "date", timeTag(from, n.words.Date(from)), "n", int(grace/(24*time.Hour)))
	}
}
