package pages

import (
	"errors"
	"net/http"

	"github.com/twinlatch/twinlatch"
)

// This file has what pages need for methods that a script in the browser answers:
// security keys.

// scriptForm is a form that a script in the browser answers.
type scriptForm struct {
	Action, Ceremony string // "create" or "get"
	Options          string
	Auto             bool // the script asks at once, without a press

	// Of an enrollment, which is begun again when it is over:
	Kind   twinlatch.Kind
	Name   *field
	Cancel string
}

// registration is the form that adds a factor.
func registration(ch twinlatch.Challenge, page enrollPage) *scriptForm {
	return &scriptForm{
		Ceremony: "create", Options: string(ch.Prompt.Options), Action: page.Action, Cancel: page.Cancel,
		Kind: ch.Kind, Name: page.Name,
	}
}

// instead is where a key is added that cannot answer scripts, if there is a method
// for it.
func (p *Pages) instead(r *http.Request) string {
	for _, d := range p.service.Methods() {
		if d.Named && !d.Script {
			return p.adding(r, d.Kind)
		}
	}
	return ""
}

// over reports whether an answer came to a question that is not open any more.
func over(err error) bool {
	return errors.Is(err, twinlatch.ErrExpired) || errors.Is(err, twinlatch.ErrNoTriesLeft)
}

// stillOpen is an enrollment that a script can answer after one was refused: the
// same if it is open, else a new one of its kind.
func (p *Pages) stillOpen(r *http.Request, who twinlatch.Enrolling, id twinlatch.ChallengeID, form map[string]string) (twinlatch.ChallengeID, error) {
	if _, err := p.service.Enrollment(r.Context(), who, id); !errors.Is(err, twinlatch.ErrNotFound) {
		return id, err
	}
	begin := func(name string) (twinlatch.Challenge, error) {
		return p.service.BeginEnroll(r.Context(), who, twinlatch.Kind(form["kind"]), map[string]string{"name": name}, p.client(r))
	}
	again, err := begin(form["name"])
	var bad *twinlatch.FieldError
	if errors.As(err, &bad) { // the name, which the page shows and its next answer brings
		again, err = begin("")
	}
	return again.ID, err
}
