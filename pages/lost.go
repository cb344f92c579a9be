package pages

import (
	"net/http"
	"time"

	"github.com/twinlatch/twinlatch"
)

// lostPath leads somebody who lost a phone or key through what there is to do:
// add a method, remove what is lost, get new backup codes.
const lostPath = security + "/lost"

// The steps of lostPath. Who has nothing to remove reaches the last one by its
// address.
const (
	addStep = 1 + iota
	removeStep
	codesStep
)

// someone has a session.
type someone interface {
	Account() twinlatch.Account
	Session() twinlatch.Session
}

// recovered says whether a backup code is all that somebody has proved. They may
// add a method, and nothing that weakens an account until they did.
func recovered(who someone) bool { return who.Account().TwoStep && who.Session().Recovered }

type lostPage struct {
	Step    int         // what to do now
	Time    string      // how long a backup code lets one add a method
	Methods []methodRow // with their factors
	Backup  twinlatch.BackupCodes
	Here    string
}

// lost shows the step that comes next. Facts say which one that is: what the
// session has proved, and what there is to remove.
func (p *Pages) lost(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	factors, err := p.service.Factors(r.Context(), who)
	if err != nil {
		return err
	}
	if len(factors) == 0 {
		return p.redirect(w, r, security)
	}
	codes, err := p.service.BackupCodes(r.Context(), who)
	if err != nil {
		return err
	}
	account := who.Account()
	data := lostPage{
		Step: codesStep, Time: p.span(p.service.Policy().FreshFor),
		Methods: p.methodRows(r, account, factors), Backup: codes, Here: lostPath,
	}
	keepInUse(data.Methods, who.Session().VerifiedAt())
	switch {
	case recovered(who):
		data.Step = addStep
	case len(factors) > 1 && r.URL.Query().Get("step") != "codes":
		data.Step = removeStep
	}
	return p.render(w, r, view{page: "lost", title: p.say("lost.title"), who: &account, trail: p.say("lost.start"), data: data})
}

// keepInUse marks the factor that gave the last proof of a session, which is
// nothing that its owner has lost.
func keepInUse(rows []methodRow, verified time.Time) {
	for _, row := range rows {
		for i := range row.Factors {
			f := &row.Factors[i]
			f.JustAdded, f.InUse = f.AddedAt.Equal(verified), f.LastUsed.Equal(verified)
			f.Kept = f.JustAdded || f.InUse
		}
	}
}
