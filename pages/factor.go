package pages

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/twinlatch/twinlatch"
)

type removePage struct {
	Title  string
	Last   bool
	Left   []string
	Action string
	Cancel string
}

// removeForm is "Remove …?". Nothing is asked here: the post asks for a fresh
// proof where it needs one.
func (p *Pages) removeForm(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	factors, err := p.service.Factors(r.Context(), who)
	if err != nil {
		return err
	}
	data := removePage{Last: len(factors) == 1, Action: link(r.URL.EscapedPath(), p.returnTo(r)), Cancel: orSecurity(p.returnTo(r))}
	kinds := map[twinlatch.Kind]bool{}
	for _, f := range factors {
		switch {
		case f.ID == twinlatch.FactorID(r.PathValue("factor")):
			name := f.Name
			if f.Shown != "" {
				name = f.Shown
			}
			data.Title = p.say("rm.title", "name", name)
		case !kinds[f.Kind]:
			kinds[f.Kind] = true
			data.Left = append(data.Left, p.methodTitle(f.Kind))
		}
	}
	if data.Title == "" {
		return twinlatch.ErrNotFound
	}
	account := who.Account()
	return p.render(w, r, view{page: "remove", title: data.Title, who: &account, trail: p.say("act.remove"), data: data})
}

func (p *Pages) remove(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	if err := p.service.RemoveFactor(r.Context(), who, twinlatch.FactorID(r.PathValue("factor")), p.client(r)); err != nil {
		return err
	}
	return p.onward(w, r)
}

type turnOffPage struct {
	Items  []string
	Codes  int
	Action string
}

func (p *Pages) turnOffForm(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
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
	data := turnOffPage{Codes: codes.Left, Action: security + "/turn-off"}
	for _, d := range p.service.Methods() {
		n := 0
		for _, f := range factors {
			if f.Kind == d.Kind {
				n++
			}
		}
		if n > 0 {
			data.Items = append(data.Items, p.say(p.words.Plural("off.item."+d.Name, n), "n", strconv.Itoa(n)))
		}
	}
	account := who.Account()
	return p.render(w, r, view{page: "turnoff", title: p.say("off.title"), who: &account, trail: p.say("sec.turnoff"), data: data})
}

func (p *Pages) turnOff(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	err := p.service.TurnOff(r.Context(), who, p.client(r))
	if err != nil && !errors.Is(err, twinlatch.ErrTwoStepOff) { // off already: a second press
		return err
	}
	return p.redirect(w, r, security)
}
