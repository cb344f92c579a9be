package forwardauth

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/rules"
	"github.com/twinlatch/twinlatch/web"
)

var noStore = []string{"no-store"}

// identity is who passes, as an app is told.
type identity struct {
	// Of Remote-User, Remote-Email, Remote-Name, Remote-Groups, X-2sv-At (when the second step was
	// done, RFC 3339; empty: it was not) and X-2sv-Method (how, RFC 8176 values with spaces
	// between, or "backup-code").
	values [6]string
	lines  func() []byte // all headers as they are sent; not made for who cannot send them
}

func newIdentity(values [6]string) *identity {
	id := &identity{values: values}
	id.lines = sync.OnceValue(func() []byte {
		h, lines := http.Header{}, bytes.Buffer{}
		id.tell(h)
		_ = h.Write(&lines) // as net/http does: no line break in a name begins another header
		return lines.Bytes()
	})
	return id
}

// tell sets all headers, always, so that they replace what a client sent under their names,
// which are in the form of net/http. Nobody changes the values.
func (id *identity) tell(h http.Header) {
	v := &id.values
	h["Remote-User"], h["Remote-Email"], h["Remote-Name"] = v[0:1:1], v[1:2:2], v[2:3:3]
	h["Remote-Groups"], h["X-2sv-At"], h["X-2sv-Method"] = v[3:4:4], v[4:5:5], v[5:6:6]
	h["Cache-Control"] = noStore
}

// known is the identity of who passes; nil for somebody whose address may be another's, and why.
func (d *Door) known(who twinlatch.Passed) (*identity, rules.Reason) {
	id := who.SessionID()
	if len(id) < 2 { // of nobody
		return nil, reasonUnconfirmed
	}
	kept := &d.told[(uint(id[0])*31+uint(id[1]))%uint(len(d.told))] // any place will do
	if last := kept.Load(); last != nil && who.Unchanged(last.who) {
		return last.identity, ""
	}
	a, s := who.Account(), who.Session()
	switch {
	case a.Realm != twinlatch.MainRealm:
		return nil, reasonRealm
	case d.cfg.Service.Unconfirmed(a):
		return nil, reasonUnconfirmed
	}
	values := [6]string{a.Login, a.Login, a.DisplayName, strings.Join(a.Groups, ",")}
	if d.cfg.IDs {
		values[0] = string(a.ID)
	}
	if at := s.VerifiedAt(); a.TwoStep && !at.IsZero() {
		values[4], values[5] = at.UTC().Format(time.RFC3339), strings.Join(s.AMR, " ")
		if s.Recovered {
			values[5] = "backup-code"
		}
	}
	made := newIdentity(values)
	kept.Store(&told{who, made})
	return made, ""
}

// told is what an app was told last of somebody, who mostly asks again before anything
// has changed.
type told struct {
	who      twinlatch.Passed
	identity *identity
}

// Why somebody who passes is not named to apps: the address is not confirmed, or the account is an
// application's, which calls it what it likes.
const (
	reasonUnconfirmed rules.Reason = "unconfirmed"
	reasonRealm       rules.Reason = "realm"
)

// pass lets a request through.
func (d *Door) pass(w http.ResponseWriter, id *identity) {
	if w, ok := w.(web.HeaderLineWriter); ok {
		w.WriteHeaderLines(http.StatusOK, id.lines())
		return
	}
	id.tell(w.Header())
	w.WriteHeader(http.StatusOK)
}

// problem is why a request does not pass (RFC 9457).
type problem struct {
	status      int
	name, title string
	reason      rules.Reason
	url         string // where a person does what is missing
	challenge   string // WWW-Authenticate
	say         string // what a person reads instead, by key; empty: the document
	again       bool   // and is offered to open the app again
}

// problemOf says what is missing in the words of HTTP. A stale second step is the
// "insufficient_user_authentication" of RFC 9470 §3.
func problemOf(need rules.Need, why rules.Reason, codeEvery time.Duration) problem {
	switch need {
	case rules.NeedFirstStep:
		return problem{status: http.StatusUnauthorized, name: "sign-in", title: "Sign in first.", reason: why, challenge: "Bearer"}
	case rules.NeedSecondStep:
		name := "verification-required"
		if why == rules.Reason(twinlatch.ReasonNewSession) {
			name = "second-step-required"
		}
		return problem{status: http.StatusUnauthorized, name: name, title: "Do the second step first.", reason: why,
			challenge: `Bearer error="insufficient_user_authentication", max_age=` + strconv.Itoa(int(codeEvery/time.Second))}
	case rules.NeedFactor:
		return problem{status: http.StatusUnauthorized, name: "two-step-off", title: "Turn 2-step verification on first.", reason: why,
			challenge: `Bearer error="insufficient_user_authentication"`}
	}
	switch why {
	case reasonUnconfirmed:
		return problem{status: http.StatusForbidden, name: "unconfirmed", title: "Confirm your e-mail address first.", reason: why}
	case rules.ReasonGroup, reasonRealm:
		return problem{status: http.StatusForbidden, name: "not-allowed", title: "This account may not go there.", reason: why}
	}
	return problem{status: http.StatusForbidden, name: "denied", title: "Nobody may go there.", reason: why, say: "refused.denied"}
}

// refuse answers a problem: with a page, where a person sees it, else with its document. nginx
// shows no body of ours, so its snippet gets the document in a header, and nothing for a person,
// who then sees its own page.
func (d *Door) refuse(w http.ResponseWriter, q *question, p problem) {
	d.cfg.Log.DebugContext(q.r.Context(), "forward-auth refused", "host", q.found.Host, "problem", p.name, "reason", p.reason)
	document, err := json.Marshal(struct {
		Type   string       `json:"type"`
		Title  string       `json:"title"`
		Status int          `json:"status"`
		Reason rules.Reason `json:"reason,omitempty"`
		URL    string       `json:"url,omitempty"`
	}{"urn:twinlatch:problem:" + p.name, p.title, p.status, p.reason, p.url})
	if err != nil { // of strings: it cannot be
		document = []byte("{}")
	}
	h := w.Header()
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["Content-Type"] = []string{"application/problem+json"}
	if p.challenge != "" {
		h["Www-Authenticate"] = []string{p.challenge}
	}
	shown := q.kind != nil && q.kind.status != http.StatusUnauthorized
	person := p.say != "" && q.view()
	if person == shown {
		h["X-2sv-Problem"] = []string{string(document)}
	}
	body := append(document, '\n')
	if person && shown {
		if text, err := d.page(q, p); err != nil {
			d.cfg.Log.ErrorContext(q.r.Context(), "no page for a problem", "problem", p.name, "error", err)
		} else {
			body = text
			h["Content-Type"] = []string{"text/html; charset=utf-8"}
			h["Content-Security-Policy"] = []string{"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
		}
	}
	w.WriteHeader(p.status)
	_, _ = w.Write(body)
}

// stateCookie has the secret that binds a hand-over to the browser which began it.
// Without it, somebody could sign others in as themselves by a link.
func (d *Door) stateCookie(q *question) string {
	if d.ownOf(q).Secure {
		return "__Host-twinlatch-state"
	}
	return "twinlatch-state"
}

// stateFor is long enough to look for the phone; each hand-over needs it only once.
const stateFor = 24 * time.Hour

// state is the secret that the browser has for the app's host.
func (d *Door) state(q *question) (twinlatch.Secret, bool) {
	value, _ := web.Named(q.r, d.stateCookie(q))
	if len(value) != stateLength {
		return twinlatch.Secret{}, false
	}
	return twinlatch.NewSecret(value), true
}

const stateLength = 26

func (d *Door) newState(w http.ResponseWriter, q *question) twinlatch.Secret {
	text := strings.ToLower(rand.Text())
	http.SetCookie(w, &http.Cookie{
		Name: d.stateCookie(q), Value: text, Path: "/", MaxAge: int(stateFor / time.Second),
		Secure: d.ownOf(q).Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	return twinlatch.NewSecret(text)
}
