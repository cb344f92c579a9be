package twinlatch

import (
	"crypto/subtle"
	"errors"
	"net/netip"
	"time"
)

// Decision is the answer to Check. Its zero value denies. It gives out who is
// there in three types: Known, after the first step, accepted only by the few
// functions of the second; Enrolling, who may add a factor; and Passed, which all
// other handlers take as an argument and which nothing outside the core can fill. So
// a handler that forgets to ask does not compile.
type Decision struct {
	Step   Step
	Reason Reason // why Step is not Pass
	facts  *facts
}

// facts are what a check found. They are never changed.
type facts struct {
	row    *SessionRow
	ip     netip.Addr
	step   Step
	reason Reason
	age    time.Duration // of the second step that counts for ip; negative: there is none
}

// Known is someone after the first step. The zero Known is nobody.
type Known struct{ *facts }

// Passed is someone after both steps, or after the first while two-step
// verification is off. The zero Passed is nobody and may do nothing. The empty
// field keeps its type apart from Known, so that Passed(known) does not compile.
type Passed struct {
	_ struct{}
	*facts
}

// Enrolling is someone who may add a factor: a Passed, or who has to enroll one
// before anything else. The zero Enrolling is nobody. Its empty field is another one
// than that of a Passed, so that no conversion makes one of the other.
type Enrolling struct {
	_ [0]int
	*facts
}

// Known is who did the first step; false when that has to be done first.
func (d Decision) Known() (Known, bool) {
	return Known{d.facts}, d.facts != nil && (d.Step == NeedSecondStep || d.Step == NeedFactor || d.Step == Pass)
}

// Enrolling is who may add a factor; false in every other case.
func (d Decision) Enrolling() (Enrolling, bool) {
	if d.facts == nil || d.Step != d.facts.step || d.Step != Pass && d.Step != NeedFactor {
		return Enrolling{}, false
	}
	return Enrolling{facts: d.facts}, true
}

// Passed is who may go on; false in every other case.
func (d Decision) Passed() (Passed, bool) {
	if d.facts == nil || d.Step != Pass || d.facts.step != Pass {
		return Passed{}, false
	}
	return Passed{facts: d.facts}, true
}

// Unchanged reports whether nothing of session and account has changed since an earlier
// check. It may be false although nothing has: it is true only with a Store that keeps what it
// read in memory.
func (p Passed) Unchanged(since Passed) bool {
	return p.facts != nil && since.facts != nil && p.facts.row == since.facts.row
}

// Known is the same person for the functions of the second step, which also
// give the fresh proof that changes need.
func (p Passed) Known() Known { return Known{p.facts} }

// Enrolling is the same person for the functions that add a factor.
func (p Passed) Enrolling() Enrolling { return Enrolling{facts: p.facts} }

// Account is whose session it is, as of the check.
func (f *facts) Account() Account {
	if f == nil {
		return Account{}
	}
	return f.row.Account
}

// SessionID is Session().ID, without a copy of the session; empty: none.
func (f *facts) SessionID() SessionID {
	if f == nil {
		return ""
	}
	return f.row.Session.ID
}

// Session is the session, as of the check.
func (f *facts) Session() Session {
	if f == nil {
		return Session{}
	}
	return f.row.Session
}

// SecondStepAge is how long before the check the second step was done, for the address
// of the check; negative: it was not, or two-step verification is off.
func (f *facts) SecondStepAge() time.Duration {
	if f == nil || !f.row.Account.TwoStep {
		return -1
	}
	return f.age
}

// Reason is why the second step is asked of a Known. It is empty when the
// session passed, so of a Passed always.
func (f *facts) Reason() Reason {
	if f == nil {
		return ""
	}
	return f.reason
}

// Authority is by whose right an account is read or changed, and the actor of
// the event. A Passed changes its own account, most of it with a fresh proof
// only (ErrNotFresh, see Policy.FreshFor) and some of it not after a backup code
// (ErrRecovered). OnBehalf is an application's or operator's right.
//
// An Enrolling may add a factor to its own account and see what that needs.
//
// Which of them it is, is asked by methods and not of the type: a pointer to
// a Passed and a struct around one are no more than a Passed.
type Authority interface {
	authority() (id AccountID, actor string)
	own() (who Passed, ok bool) // the session that acts; false: OnBehalf
	why() string                // kept in the event
}

const self = "self"

func (p Passed) authority() (AccountID, string) { return p.Account().ID, self }
func (p Passed) own() (Passed, bool)            { return p, true }
func (p Passed) why() string                    { return "" }

func (e Enrolling) authority() (AccountID, string) { return e.Account().ID, self }
func (e Enrolling) own() (Passed, bool)            { return Passed{facts: e.facts}, true }
func (e Enrolling) why() string                    { return "" }

type onBehalf struct {
	id            AccountID
	actor, reason string
}

// OnBehalf is the right of actor, "client:shop" or "admin:ann", over an account.
// It is not checked: the caller has made sure. The reason, if any, is kept in
// the event.
func OnBehalf(id AccountID, actor, reason string) Authority { return onBehalf{id, actor, reason} }

func (o onBehalf) authority() (AccountID, string) { return o.id, o.actor }
func (o onBehalf) own() (Passed, bool)            { return Passed{}, false }
func (o onBehalf) why() string                    { return o.reason }

// allowed asks, of the state inside the transaction, whether by may make a
// change. What was true when the request came in may not be any more: the
// session may have ended, or have to verify again.
func (s *Service) allowed(v View, by Authority, c change) error {
	p, own := by.own()
	if !own {
		return nil
	}
	row, step, err := s.current(v, p.facts)
	if err != nil {
		return err
	}
	if step != Pass && !(step == NeedFactor && (c == see || c == add)) {
		return ErrNotFresh
	}
	if c == add && s.Unconfirmed(row.Account) {
		return ErrUnconfirmed
	}
	return s.cfg.Policy.allow(c, row.Account, row.Session, s.now())
}

// current reads the session of f again and says what it has to do next: pass,
// or the second step. ErrNoSession: it has ended, or its token was replaced by a
// newer one.
func (s *Service) current(v View, f *facts) (SessionRow, Step, error) {
	if f == nil {
		return SessionRow{}, NeedFirstStep, ErrNoSession
	}
	row, err := v.Session(f.row.Session.ID)
	if errors.Is(err, ErrNotFound) {
		err = ErrNoSession
	}
	if err != nil {
		return SessionRow{}, NeedFirstStep, err
	}
	step, _ := s.cfg.Policy.Decide(row.Account, row.Session, s.now(), f.ip)
	if step == NeedFirstStep || subtle.ConstantTimeCompare(row.SecretHash, f.row.SecretHash) != 1 {
		return SessionRow{}, NeedFirstStep, ErrNoSession
	}
	return row, step, nil
}

// withReason adds the reason of an OnBehalf to what an event tells.
func withReason(by Authority, more map[string]string) map[string]string {
	if by.why() == "" {
		return more
	}
	if more == nil {
		more = map[string]string{}
	}
	more["why"] = clip(by.why(), 500)
	return more
}
