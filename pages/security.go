package pages

import (
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

// recentEvents is how many lines of the trail Security shows.
const recentEvents = 10

type securityPage struct {
	TwoStep      bool
	Recovered    bool
	OneFactor    bool
	Unconfirmed  string    // the address, when it has to be confirmed before a method is added
	RequiredFrom time.Time // when two-step verification will be required; zero: it is on, or not required
	Period       string    // how often a code is asked
	Methods      []methodRow
	Backup       twinlatch.BackupCodes
	Sessions     []sessionRow
	Others       bool // there are sessions besides this one
	Events       []eventRow
}

type methodRow struct {
	Add         string // where one of it is added
	Name, Icon  string
	Recommended bool
	AskedFirst  bool
	Factors     []factorRow
	Open        bool          // its list is unfolded
	Fields      bool          // something is asked before it begins
	Count       template.HTML // how many, in words, where that says more than what it is
}

type factorRow struct {
	ID            twinlatch.FactorID
	Name          string
	Shown         string // what it is, before its name: the number
	AddedAt       time.Time
	LastUsed      time.Time
	UsedToday     bool
	AskedFirst    bool
	Copied        bool // somebody used a copy of it
	MayBeFirst    bool // there are others
	Kept          bool // not offered for removal
	JustAdded     bool // by the last proof of the session
	InUse         bool // it gave the last proof of the session
	Rename        field
	MethodName    string
	RenameUnfolds bool
}

type sessionRow struct {
	ID         twinlatch.SessionID
	Icon, Name string
	This       bool
	IP         string
	SeenAt     time.Time
	SeenNow    bool
	VerifiedAt time.Time
	DueAt      time.Time
	Waiting    bool // for its second step
}

// security is Settings > User settings > Security.
func (p *Pages) security(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	return p.renderSecurity(w, r, who, "", "", nil)
}

// renderSecurity shows the page; renamed is the factor whose new name was
// refused.
func (p *Pages) renderSecurity(w http.ResponseWriter, r *http.Request, who twinlatch.Passed, renamed twinlatch.FactorID, name string, wrong error) error {
	ctx := r.Context()
	factors, err := p.service.Factors(ctx, who)
	if err != nil {
		return err
	}
	codes, err := p.service.BackupCodes(ctx, who)
	if err != nil {
		return err
	}
	sessions, err := p.service.Sessions(ctx, who)
	if err != nil {
		return err
	}
	events, err := p.recent(ctx, who)
	if err != nil {
		return err
	}
	account := who.Account()
	data := securityPage{
		TwoStep: len(factors) > 0, Recovered: recovered(who), OneFactor: len(factors) == 1 && !recovered(who),
		Unconfirmed: p.unconfirmed(account), RequiredFrom: account.EnrollFrom,
		Period:  p.span(p.service.Policy().CodeEvery),
		Methods: p.methodRows(r, account, factors), Backup: codes,
		Events: events,
	}
	data.Sessions = p.sessionRows(sessions, who.Session().ID, data.TwoStep)
	data.Others = len(data.Sessions) > 1
	if data.Recovered {
		keepAll(data.Methods)
	}
	status := http.StatusOK
	if wrong != nil {
		text, ok := p.fieldError(wrong, "name")
		if !ok {
			return wrong
		}
		status = web.ProblemOf(wrong, p.service.Now()).Status
		data.unfold(renamed, name, text)
	}
	return p.render(w, r, view{page: "security", status: status, title: p.say("sec.title"), failed: wrong != nil, who: &account, data: data})
}

// unfold opens the box in which a name was refused.
func (d *securityPage) unfold(id twinlatch.FactorID, name, text string) {
	for i := range d.Methods {
		for j := range d.Methods[i].Factors {
			if f := &d.Methods[i].Factors[j]; f.ID == id {
				f.Rename.Value, f.Rename.Error, f.Rename.Focus = name, text, true
				f.RenameUnfolds, d.Methods[i].Open = true, true
			}
		}
	}
}

// keepAll takes from the rows what would be refused after a backup code.
func keepAll(rows []methodRow) {
	for _, row := range rows {
		for i := range row.Factors {
			row.Factors[i].MayBeFirst, row.Factors[i].Kept = false, true
		}
	}
}

func (p *Pages) methodRows(r *http.Request, a twinlatch.Account, factors []twinlatch.Factor) []methodRow {
	first := a.Preferred
	if first == "" && len(factors) > 0 {
		first = factors[0].ID
	}
	now := p.service.Now()
	var rows []methodRow
	for i, d := range p.service.Methods() {
		row := methodRow{Add: p.adding(r, d.Kind), Name: d.Name, Icon: d.Icon, Recommended: i == 0 && len(factors) == 0, Fields: len(d.EnrollFields) > 0}
		for _, f := range factors {
			if f.Kind != d.Kind {
				continue
			}
			row.AskedFirst = row.AskedFirst || f.ID == first
			row.Open = row.Open || !f.CopiedAt.IsZero()
			row.Factors = append(row.Factors, factorRow{
				ID: f.ID, Name: f.Name, Shown: f.Shown, MethodName: d.Name, AddedAt: f.CreatedAt, LastUsed: f.LastUsedAt, Copied: !f.CopiedAt.IsZero(),
				UsedToday:  f.LastUsedAt.Format(time.DateOnly) == now.Format(time.DateOnly),
				AskedFirst: f.ID == first, MayBeFirst: f.ID != first,
				Rename: field{
					ID: "name-" + string(f.ID), Name: "name", Type: "text", Label: p.say("sec.rename.label"),
					Autocomplete: "off", Value: f.Name,
				},
			})
		}
		for i := range row.Factors {
			// A number needs no other name, unless its owner gave it one.
			if f := &row.Factors[i]; f.Shown != "" && strings.HasPrefix(f.Name, "•") {
				f.Name, f.Shown, f.Rename.Value = f.Shown, "", ""
			}
		}
		if (d.Sends || d.Named) && len(row.Factors) > 0 {
			row.Count, _ = p.count("sec."+d.Name+".count", len(row.Factors))
		}
		rows = append(rows, row)
	}
	return rows
}

func (p *Pages) sessionRows(sessions []twinlatch.Session, this twinlatch.SessionID, twoStep bool) []sessionRow {
	now := p.service.Now()
	rows := make([]sessionRow, 0, len(sessions))
	for _, s := range sessions {
		row := sessionRow{
			ID: s.ID, Icon: deviceIcon(s.UserAgent), Name: p.deviceName(s.UserAgent), This: s.ID == this, SeenAt: s.SeenAt,
			SeenNow: s.ID == this || now.Sub(s.SeenAt) < 10*time.Minute, IP: p.say("again.ip.unknown"),
		}
		if s.SeenIP.IsValid() {
			row.IP = s.SeenIP.String()
		}
		if twoStep {
			row.VerifiedAt = s.VerifiedAt()
			row.DueAt = row.VerifiedAt.Add(p.service.Policy().CodeEvery)
			row.Waiting = row.VerifiedAt.IsZero()
		}
		if row.This {
			rows = append([]sessionRow{row}, rows...)
			continue
		}
		rows = append(rows, row)
	}
	return rows
}

// endSession signs another browser out. One that is gone already is gone.
func (p *Pages) endSession(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	if err := p.service.EndSession(r.Context(), who, twinlatch.SessionID(r.PathValue("session")), p.client(r)); err != nil {
		return err
	}
	return p.redirect(w, r, security)
}

func (p *Pages) endOthers(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	if err := p.service.EndOtherSessions(r.Context(), who, p.client(r)); err != nil {
		return err
	}
	return p.redirect(w, r, security)
}

// rename gives a factor another name.
func (p *Pages) rename(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	id := twinlatch.FactorID(r.PathValue("factor"))
	err = p.service.RenameFactor(r.Context(), who, id, form["name"], p.client(r))
	var bad *twinlatch.FieldError
	if errors.As(err, &bad) {
		return p.renderSecurity(w, r, who, id, form["name"], err)
	}
	if err != nil {
		return err
	}
	return p.redirect(w, r, security)
}

func (p *Pages) prefer(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	if err := p.service.PreferFactor(r.Context(), who, twinlatch.FactorID(r.PathValue("factor")), p.client(r)); err != nil {
		return err
	}
	return p.redirect(w, r, security)
}
