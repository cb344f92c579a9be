package pages

import (
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/twinlatch/twinlatch"
)

// eventsAPage is how many events of all accounts are shown at once.
const eventsAPage = 50

type trailPage struct {
	Events  []trailRow
	Newest  string // where the newest are; empty: this is it
	Earlier string // where those before these are; empty: there are none
	Export  string
	Verify  string
}

// trail shows the events of all accounts, the newest first.
func (p *Pages) trail(w http.ResponseWriter, r *http.Request, a administrator) error {
	data := trailPage{Export: trailPath + "/export", Verify: trailPath + "/verify"}
	var before twinlatch.Position
	if from := r.URL.Query().Get("before"); from != "" {
		if before.UnmarshalText([]byte(from)) != nil {
			return twinlatch.ErrNotFound
		}
		data.Newest = trailPath
	}
	events, err := p.service.RecentEvents(r.Context(), a.by(""), before, eventsAPage+1)
	if err != nil {
		return err
	}
	names := p.names(r)
	for i, e := range events {
		if i == eventsAPage {
			from, _ := events[i-1].Position().MarshalText() // never fails
			data.Earlier = trailPath + "?before=" + url.QueryEscape(string(from))
			break
		}
		row, err := names.event(e)
		if err != nil {
			return err
		}
		account, err := names.account(e.Account)
		if err != nil {
			return err
		}
		row.Account = &account
		data.Events = append(data.Events, row)
	}
	return p.renderAdmin(w, r, a, view{page: "admintrail", title: p.say("adm.trail"), data: data}, crumb{Text: p.say("adm.trail")})
}

// verifyFor is how long the trail may take to be verified.
const verifyFor = 5 * time.Minute

// exportTrail writes all events as JSON Lines, as the command does. It is sent as it
// is read, so an error on the way cuts the connection.
func (p *Pages) exportTrail(w http.ResponseWriter, r *http.Request, a administrator) error {
	events, err := p.eventsBehind(r, a, twinlatch.Position{})
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/jsonl; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="twinlatch-events-`+p.service.Now().UTC().Format(time.DateOnly)+`.jsonl"`)
	if r.Method == http.MethodHead {
		return nil
	}
	p.stream(w, r, wholeLines{json.NewEncoder(w)}, events, func(last twinlatch.Event) ([]twinlatch.Event, error) {
		return p.eventsBehind(r, a, last.Position())
	})
	return nil
}

// wholeLines are events with all that their hashes are made of.
type wholeLines struct{ lines *json.Encoder }

func (f wholeLines) write(e twinlatch.Event) error { return f.lines.Encode(e.Line()) }
func (wholeLines) flush() error                    { return nil }

// eventsBehind asks for each page whether the administrator still is one.
func (p *Pages) eventsBehind(r *http.Request, a administrator, behind twinlatch.Position) ([]twinlatch.Event, error) {
	if err := p.service.MayReadTrail(r.Context(), a.by("")); err != nil {
		return nil, err
	}
	return p.service.AllEvents(r.Context(), behind, atOnce)
}

type verifiedPage struct {
	All      twinlatch.Verified
	Last     string // the newest checkpoint, as the log has it
	Problems []template.HTML
	More     int // problems that are not shown
}

// shownProblems is how many problems of the trail are shown: where there are more,
// the first will do.
const shownProblems = 100

// backToTrail is where one comes back to from a step in between: to the log, which
// offers it.
func (p *Pages) backToTrail(w http.ResponseWriter, r *http.Request, _ administrator) error {
	return p.redirect(w, r, trailPath)
}

// verifyTrail walks the whole trail. It alters nothing, so it asks for no fresh proof.
func (p *Pages) verifyTrail(w http.ResponseWriter, r *http.Request, a administrator) error {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(verifyFor)) // where there is none to set, none passes
	var data verifiedPage
	names := p.names(r)
	all, err := p.service.VerifyTrail(r.Context(), func(problem error) {
		if len(data.Problems) == shownProblems {
			data.More++
			return
		}
		data.Problems = append(data.Problems, names.problem(problem))
	})
	if err != nil {
		return err
	}
	data.All = all
	if all.Last.Seq > 0 {
		data.Last = all.Last.String()
	}
	return p.renderAdmin(w, r, a,
		view{page: "adminverify", title: p.say("adm.verify"), data: data},
		crumb{Text: p.say("adm.trail"), To: trailPath}, crumb{Text: p.say("adm.verify")})
}

// problem is what is wrong with the trail, in words.
func (n names) problem(problem error) template.HTML {
	var tamper *twinlatch.TamperError
	var checkpoint *twinlatch.CheckpointError
	var id twinlatch.AccountID
	var event, number int64
	var key string
	switch {
	case errors.As(problem, &tamper) && problem == error(tamper):
		key, id, event = "adm.verify.event", tamper.Account, tamper.Seq
	case errors.As(problem, &tamper):
		key, id, event = "adm.verify.unheld", tamper.Account, tamper.Seq
	case errors.As(problem, &checkpoint) && checkpoint.Account == "":
		key, number = "adm.verify.checkpoint", checkpoint.Checkpoint
	case errors.As(problem, &checkpoint):
		key, id, event, number = "adm.verify.held", checkpoint.Account, checkpoint.Seq, checkpoint.Checkpoint
	default:
		return escaped(problem.Error()) // there are no others
	}
	// The problem is worse than an account that cannot be read.
	account, err := n.account(id)
	name := bold(account.Name)
	if err != nil || account.Name == "" {
		name = bold(string(id))
	}
	text, err := n.markup(key, "account", name, "event", int(event), "checkpoint", int(number))
	if err != nil {
		return escaped(problem.Error())
	}
	return text
}
