package pages

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/twinlatch/twinlatch"
)

// accountEvents is how many events of an account are shown at once.
const accountEvents = 20

type accountPage struct {
	Done       string // what the administrator just did
	Own        bool   // it is theirs
	ID         twinlatch.AccountID
	Name       string
	Login      string
	Mails      bool // whether an address can be confirmed
	Confirmed  time.Time
	State      tag
	Required   time.Time // from then on; zero: not, or now
	Disabled   time.Time
	Factors    []namedFactor
	Backup     twinlatch.BackupCodes
	Sessions   []sessionRow
	Groups     []groupLink
	Created    time.Time
	Acts       []actLink
	Events     []trailRow
	Earlier    string // where the events before these are; empty: there are none
	EventsOnly bool   // the page of earlier events
}

type namedFactor struct {
	Method, Name string
	AddedAt      time.Time
}

type groupLink struct{ Name, To string }

type actLink struct {
	Text, To string
	Danger   bool
}

// account shows all that administrators see of one account.
func (p *Pages) account(w http.ResponseWriter, r *http.Request, a administrator) error {
	ctx, id := r.Context(), twinlatch.AccountID(r.PathValue("account"))
	file, err := p.service.AccountFile(ctx, a.by(""), id)
	if err != nil {
		return err
	}
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64) // what is no number is the newest
	events, err := p.service.AccountEvents(ctx, a.by(""), id, max(before, 0), accountEvents)
	if err != nil {
		return err
	}
	data := p.accountPage(file, a)
	data.EventsOnly = before > 0
	if r.URL.Query().Has("done") {
		data.Done = p.doneIn(a, events)
	}
	names := p.names(r)
	for _, e := range events {
		row, err := names.event(e)
		if err != nil {
			return err
		}
		data.Events = append(data.Events, row)
	}
	if n := len(events); n > 0 && events[n-1].Seq > 1 {
		data.Earlier = accountPath + string(id) + "?before=" + strconv.FormatInt(events[n-1].Seq, 10)
	}
	return p.renderAdmin(w, r, a,
		view{page: "adminaccount", title: p.say("adm.account", "name", file.DisplayName), data: data},
		crumb{Text: file.DisplayName, Name: true})
}

func (p *Pages) accountPage(file twinlatch.AccountFile, a administrator) accountPage {
	data := accountPage{
		Own: file.ID == a.who.Account().ID, ID: file.ID, Name: file.DisplayName, Login: file.Login,
		Mails: p.service.Mails() && file.Realm == twinlatch.MainRealm, Confirmed: file.ConfirmedAt,
		State: p.stateTag(file.Account), Disabled: file.DisabledAt, Backup: file.Backup, Created: file.CreatedAt,
		Sessions: p.sessionRows(file.Sessions, "", file.TwoStep),
	}
	if file.StateOf(p.service.Now()) == twinlatch.StateOff {
		data.Required = file.EnrollFrom
	}
	for _, f := range file.Factors {
		data.Factors = append(data.Factors, namedFactor{p.methodTitle(f.Kind), f.Name, f.CreatedAt})
	}
	for _, group := range file.Groups {
		data.Groups = append(data.Groups, groupLink{group, filter{group: group}.address()})
	}
	if data.Own {
		return data
	}
	for _, act := range acts() {
		if act.fits(file) {
			data.Acts = append(data.Acts, actLink{p.say(act.short), accountPath + string(file.ID) + "/" + act.verb, act.danger})
		}
	}
	return data
}

// target is the account that an administrator wants to change: not their own, and
// with a fresh proof.
func (p *Pages) target(r *http.Request, a administrator) (twinlatch.AccountFile, error) {
	if err := p.service.MayAdminister(r.Context(), a.who); err != nil {
		return twinlatch.AccountFile{}, err
	}
	file, err := p.service.AccountFile(r.Context(), a.by(""), twinlatch.AccountID(r.PathValue("account")))
	if err == nil && file.ID == a.who.Account().ID {
		err = errOwnAccount
	}
	return file, err
}

// errOwnAccount: nobody is their own administrator.
var errOwnAccount = errors.New("administrators do not change their own account")
