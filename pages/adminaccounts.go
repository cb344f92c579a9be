package pages

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/twinlatch/twinlatch"
)

// accountsAPage is how many accounts the list shows at once.
const accountsAPage = 25

type accountsPage struct {
	Done           string // what the administrator just did
	Find           string
	State, Group   string
	Tabs           []tab
	Any            string // the same accounts in any group
	Rows           []accountRow
	From, To       int
	Total          int
	Previous, Next string // the pages beside this one; empty: there is none
	Adoption       *adoption
	Backlog        twinlatch.Backlog
}

// tag is a state in a word and a colour.
type tag struct{ Class, Text string }

type accountRow struct {
	ID         twinlatch.AccountID
	Name       string
	Login      string
	State      tag
	Methods    []string
	Paused     string // for how many minutes; empty: not
	SignedInAt time.Time
	Own        bool
	MayReset   bool
}

// filter is what the address of the list says.
type filter struct {
	find, state, group string
	page               int // 1, 2, 3 …
}

func filterOf(r *http.Request) filter {
	q := r.URL.Query()
	f := filter{find: q.Get("q"), state: q.Get("state"), group: q.Get("group")}
	if _, ok := numbered(twinlatch.AccountCounts{})[f.state]; !ok {
		f.state = ""
	}
	if twinlatch.GroupName(f.group) != nil {
		f.group = ""
	}
	f.page, _ = strconv.Atoi(q.Get("page")) // what is no number is the first
	f.page = min(max(f.page, 1), 1_000_000)
	return f
}

// address is where the list shows what f says.
func (f filter) address() string {
	q := url.Values{}
	for name, value := range map[string]string{"q": f.find, "state": f.state, "group": f.group} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.page > 1 {
		q.Set("page", strconv.Itoa(f.page))
	}
	if len(q) == 0 {
		return adminPath
	}
	return adminPath + "?" + q.Encode()
}

func (f filter) query() twinlatch.AccountQuery {
	return twinlatch.AccountQuery{
		Find: f.find, Group: f.group, State: twinlatch.AccountState(f.state),
		Offset: (f.page - 1) * accountsAPage, Limit: accountsAPage,
	}
}

// numbered are counts under the names that addresses have for states.
func numbered(c twinlatch.AccountCounts) map[string]int {
	return map[string]int{
		"": c.All(), string(twinlatch.StateOn): c.On, string(twinlatch.StateOff): c.Off,
		string(twinlatch.StateRequired): c.Required, string(twinlatch.StateDisabled): c.Disabled,
	}
}

// accounts is the list of all accounts.
func (p *Pages) accounts(w http.ResponseWriter, r *http.Request, a administrator) error {
	f := filterOf(r)
	list, counts, err := p.service.Accounts(r.Context(), a.by(""), f.query())
	total := numbered(counts)[f.state]
	if err == nil && len(list) == 0 && total > 0 { // the page is behind the last one
		f.page = (total + accountsAPage - 1) / accountsAPage
		list, _, err = p.service.Accounts(r.Context(), a.by(""), f.query())
	}
	if err != nil {
		return err
	}
	data := accountsPage{Find: f.find, State: f.state, Group: f.group, Total: total, Tabs: p.accountTabs(f, counts)}
	for _, account := range list {
		data.Rows = append(data.Rows, p.accountRow(account, a.who.Account().ID))
	}
	if len(list) > 0 {
		data.From, data.To = (f.page-1)*accountsAPage+1, (f.page-1)*accountsAPage+len(list)
		data.Previous, data.Next = f.beside(data.To < total)
	}
	data.Any = filter{find: f.find, state: f.state}.address()
	if err := p.overview(r, a, &data); err != nil {
		return err
	}
	return p.renderAdmin(w, r, a, view{page: "adminaccounts", title: p.say("adm.title"), wide: true, data: data})
}

// beside are the pages before and behind f.
func (f filter) beside(more bool) (previous, next string) {
	page := f.page
	if f.page = page - 1; page > 1 {
		previous = f.address()
	}
	if f.page = page + 1; more {
		next = f.address()
	}
	return previous, next
}

// overview is what the list tells about all accounts.
func (p *Pages) overview(r *http.Request, a administrator, data *accountsPage) error {
	days, err := p.service.Adoption(r.Context(), a.by(""))
	if err != nil {
		return err
	}
	data.Adoption = p.adoption(days)
	if data.Backlog, err = p.service.Backlog(r.Context(), a.by("")); err != nil {
		return err
	}
	data.Done, err = p.doneTo(r, a, twinlatch.AccountID(r.URL.Query().Get("done")))
	return err
}

// doneTo is what the administrator just did to an account, in words; empty: nothing.
// The trail says so and not the address, which anybody can write.
func (p *Pages) doneTo(r *http.Request, a administrator, id twinlatch.AccountID) (string, error) {
	if !r.URL.Query().Has("done") {
		return "", nil
	}
	events, err := p.service.AccountEvents(r.Context(), a.by(""), id, 0, 10)
	if err != nil && !errors.Is(err, twinlatch.ErrNotFound) {
		return "", err
	}
	return p.doneIn(a, events), nil
}

// doneIn finds the newest act of the administrator in events, the newest first.
func (p *Pages) doneIn(a administrator, events []twinlatch.Event) string {
	for _, e := range events {
		if key := doneWords[e.Type]; key != "" && a.did(e, p.service.Now()) {
			return p.say(key)
		}
	}
	return ""
}

var doneWords = map[twinlatch.EventType]string{
	twinlatch.EventTwoStepReset:    "adm.done.reset",
	twinlatch.EventSessionsEnded:   "adm.done.end",
	twinlatch.EventAccountDisabled: "adm.done.disable",
	twinlatch.EventAccountEnabled:  "adm.done.enable",
	twinlatch.EventAccountDeleted:  "adm.done.delete",
	twinlatch.EventGroupsChanged:   "adm.done.groups",
	twinlatch.EventRequired:        "adm.done.require",
	twinlatch.EventNotRequired:     "adm.done.require_no_more",
}

func (p *Pages) accountTabs(f filter, c twinlatch.AccountCounts) []tab {
	n := func(n int) string { return p.words.Number(n) }
	to := func(state twinlatch.AccountState, name string) tab {
		of := filter{find: f.find, group: f.group, state: string(state)}
		return tab{name, of.address(), of.state == f.state}
	}
	return []tab{
		to("", p.say("adm.all", "n", n(c.All()))),
		to(twinlatch.StateOn, p.say("adm.on", "n", n(c.On))),
		to(twinlatch.StateOff, p.say("adm.off", "n", n(c.Off))),
		to(twinlatch.StateRequired, p.say("adm.tab.required", "n", n(c.Required))),
		to(twinlatch.StateDisabled, p.say("adm.tab.disabled", "n", n(c.Disabled))),
	}
}

func (p *Pages) accountRow(a twinlatch.AccountSummary, own twinlatch.AccountID) accountRow {
	now := p.service.Now()
	row := accountRow{
		ID: a.ID, Name: a.DisplayName, Login: a.Login, State: p.stateTag(a.Account), SignedInAt: a.SignedInAt,
		Own: a.ID == own, MayReset: a.TwoStep && a.ID != own,
	}
	for _, kind := range a.Kinds {
		row.Methods = append(row.Methods, p.methodTitle(kind))
	}
	if a.PausedUntil.After(now) {
		row.Paused = minutes(a.PausedUntil.Sub(now))
	}
	return row
}

// stateTag is the state of an account's two-step verification.
func (p *Pages) stateTag(a twinlatch.Account) tag {
	switch a.StateOf(p.service.Now()) {
	case twinlatch.StateOn:
		return tag{"tag on", p.say("sec.on")}
	case twinlatch.StateRequired:
		return tag{"tag warn", p.say("adm.required")}
	case twinlatch.StateDisabled:
		return tag{"tag warn", p.say("adm.disabled")}
	}
	return tag{"tag", p.say("sec.off")}
}
