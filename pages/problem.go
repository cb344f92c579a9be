package pages

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

// failed answers an error that the handler did not render itself.
func (p *Pages) failed(w http.ResponseWriter, r *http.Request, route route, err error) {
	problem := web.ProblemOf(err, p.service.Now())
	switch {
	case errors.Is(err, twinlatch.ErrNotFresh):
		err = p.toProof(w, r, route)
	case errors.Is(err, twinlatch.ErrNoSession):
		err = p.toSignIn(w, r, route) // the session has a newer token or none: that page knows
	case errors.Is(err, twinlatch.ErrUnconfirmed):
		err = p.needConfirmation(w, r, problem.Status)
	default:
		problem.SetHeaders(w.Header())
		key, args := p.explain(r, err, problem)
		err = p.message(w, r, problem.Status, key, args)
	}
	if err != nil {
		p.cfg.Log.ErrorContext(r.Context(), "page not rendered", "route", r.Pattern, "error", err)
		http.Error(w, "Internal error", http.StatusInternalServerError)
	}
}

// explain finds the words for an error. What is not the person's doing is
// logged, and shown as a number only.
func (p *Pages) explain(r *http.Request, err error, problem web.Problem) (key string, args map[string]string) {
	var field *twinlatch.FieldError
	if errors.As(err, &field) {
		return field.Key, field.Args
	}
	switch problem.Type {
	case "not-found", "challenge-over":
		return "err.missing", nil
	case "too-large":
		return "err.large", nil
	case "form":
		return "err.form", nil
	case "recovered":
		return "err.recovered", nil
	case "forbidden":
		return "err.forbidden", nil
	case "two-step-off":
		return "sec.backup.none", nil
	case "unknown-address":
		return "err.address", nil
	case "too-many-tries":
		return "err.limited", map[string]string{"minutes": minutes(problem.RetryAfter)}
	case "busy":
		return "err.busy", map[string]string{"seconds": strconv.Itoa(int(problem.RetryAfter.Seconds()))}
	}
	id := "-"
	if p.cfg.Request != nil {
		id = p.cfg.Request(r.Context())
	}
	level := slog.LevelError
	if r.Context().Err() != nil { // nobody waits for the answer any more
		level = slog.LevelDebug
	}
	p.cfg.Log.Log(r.Context(), level, "request failed", "method", r.Method, "route", r.Pattern, "error", err)
	return "err.broken", map[string]string{"id": id}
}

func minutes(d time.Duration) string { return strconv.Itoa(max(1, int(math.Ceil(d.Minutes())))) }

// message is a page that says one thing.
func (p *Pages) message(w http.ResponseWriter, r *http.Request, status int, key string, args map[string]string) error {
	return p.messageTo(w, r, status, key, args, false)
}

type messagePage struct {
	Text    string
	SignOut bool // is a way on
}

// messageTo is message to somebody who may go on with another account.
func (p *Pages) messageTo(w http.ResponseWriter, r *http.Request, status int, key string, args map[string]string, signOut bool) error {
	text, err := p.words.Say(key, args)
	if err != nil {
		return err
	}
	title, err := p.words.Say("err.title", nil)
	if err != nil {
		return err
	}
	posted := r.Method != http.MethodGet && r.Method != http.MethodHead
	return p.render(w, r, view{page: "message", status: status, title: title, failed: posted, data: messagePage{text, signOut}})
}
