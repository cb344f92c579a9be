package pages

import (
	"errors"
	"html/template"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

// This file has what pages need for methods that send their code.

// sendAgain is the form under a code box: a countdown, then a button.
type sendAgain struct {
	Action string
	Hidden map[string]string
	Wait   int // seconds that the countdown shows, one of those the style sheet knows; 0: none
}

// waits are the countdowns of the style sheet.
var waits = [...]int{30, 60}

func (p *Pages) sendAgain(ch twinlatch.Challenge, action string, hidden map[string]string) *sendAgain {
	if ch.ResendAt.IsZero() {
		return nil
	}
	form := &sendAgain{Action: action, Hidden: hidden}
	left := ch.ResendAt.Sub(p.service.Now())
	for _, w := range waits {
		if left > 0 && (form.Wait == 0 || left > time.Duration(form.Wait)*time.Second) {
			form.Wait = w
		}
	}
	return form
}

// number is a telephone number, or the end of one, to be seen and to be heard.
func (p *Pages) number(text string) template.HTML {
	end, isHint := strings.CutPrefix(text, "•••• ")
	if !isHint {
		return `<b class="num" dir="ltr">` + escaped(text) + "</b>"
	}
	return `<b class="num" dir="ltr"><span aria-hidden="true">` + escaped(text) + `</span><span class="vh">` +
		escaped(p.say("verify.text.ending", "digits", end)) + "</span></b>"
}

// cannotSend is why a message was not sent, and whether that is all.
func (p *Pages) cannotSend(err error) (text string, ok bool) {
	var limit *twinlatch.LimitError
	switch {
	case errors.As(err, &limit):
		left := limit.RetryAt.Sub(p.service.Now())
		if limit.RetryAt.IsZero() || left > 2*time.Minute {
			return p.say("err.sms.limit", "minutes", minutes(web.ProblemOf(err, p.service.Now()).RetryAfter)), true
		}
		return p.say("err.wait", "seconds", strconv.Itoa(max(1, int(math.Ceil(left.Seconds()))))), true
	case errors.Is(err, twinlatch.ErrNoRoute):
		return p.say("err.sms.down"), true
	}
	return "", false
}

func (p *Pages) sends(k twinlatch.Kind) bool { return p.methods[k].Sends }

type pickPage struct {
	asking
	Numbers []numberRow
	Note    string
	Action  string
}

type numberRow struct {
	Factor  twinlatch.FactorID
	Number  template.HTML
	Name    string // empty: only the number
	Last    bool   // used last time
	Checked bool
}

// pick is "Where should we send the code?". It sends nothing.
func (p *Pages) pick(w http.ResponseWriter, r *http.Request, who twinlatch.Known) error {
	kind := twinlatch.Kind(r.PathValue("kind"))
	if !p.sends(kind) {
		return twinlatch.ErrNotFound
	}
	return p.renderPick(w, r, who, kind, nil)
}

func (p *Pages) renderPick(w http.ResponseWriter, r *http.Request, who twinlatch.Known, kind twinlatch.Kind, wrong error) error {
	ways, err := p.service.Ways(r.Context(), who)
	if err != nil {
		return err
	}
	data := pickPage{asking: p.whyAsked(r, who, p.methods[kind]), Action: link("/verify/ask", p.returnTo(r))}
	var newest time.Time
	for _, f := range ways.Factors {
		if f.Kind == kind && f.LastUsedAt.After(newest) {
			newest = f.LastUsedAt
		}
	}
	for _, f := range ways.Factors {
		if f.Kind != kind {
			continue
		}
		row := numberRow{Factor: f.ID, Number: p.number(f.Hint), Checked: len(data.Numbers) == 0 || f.ID == ways.Next.ID}
		row.Last = !newest.IsZero() && f.LastUsedAt.Equal(newest)
		if !strings.HasPrefix(f.Name, "•") && !looksLikeNumber(f.Name) {
			row.Name = f.Name
		}
		data.Numbers = append(data.Numbers, row)
	}
	if len(data.Numbers) == 0 {
		return twinlatch.ErrNotFound
	}
	for i := range data.Numbers { // the last one that is checked counts
		for j := range data.Numbers[:i] {
			data.Numbers[j].Checked = data.Numbers[j].Checked && !data.Numbers[i].Checked
		}
	}
	if who.Reason() == twinlatch.ReasonNewSession {
		data.Title = p.say("verify.text.pick.title")
	}
	status := http.StatusOK
	if wrong != nil {
		problem := web.ProblemOf(wrong, p.service.Now())
		problem.SetHeaders(w.Header())
		status = problem.Status
		data.Note = p.whatWentWrong(wrong, p.methods[kind])
		if data.Note == "" {
			return wrong
		}
	}
	return p.render(w, r, view{page: "pick", status: status, title: data.Title, failed: wrong != nil, data: data})
}

// looksLikeNumber reports whether a name tells the number that it stands for,
// which nobody may see before the second step.
func looksLikeNumber(name string) bool {
	digits := 0
	for _, r := range name {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	return digits > 4
}

// whatWentWrong says an error that stands above the form of a method.
func (p *Pages) whatWentWrong(err error, d twinlatch.Description) string {
	if text, ok := p.cannotSend(err); ok {
		return text
	}
	switch {
	case errors.Is(err, twinlatch.ErrUnavailable) && d.AnswerFields[0].Unavailable != "":
		return p.say(d.AnswerFields[0].Unavailable)
	case errors.Is(err, twinlatch.ErrWrongCode), errors.Is(err, twinlatch.ErrNoTriesLeft):
		return p.say("err.tries")
	case errors.Is(err, twinlatch.ErrUnknownAddress):
		return p.say("err.address")
	}
	return ""
}

type undeliveredPage struct {
	asking
	Number template.HTML
	Note   string
	Again  *sendAgain
	Other  string
}

// renderUndelivered says that the network did not deliver the message, and what
// can be done. Wrong is what was just tried in vain, if anything was.
func (p *Pages) renderUndelivered(w http.ResponseWriter, r *http.Request, who twinlatch.Known, ch twinlatch.Challenge, wrong error) error {
	data := undeliveredPage{asking: p.whyAsked(r, who, p.methods[ch.Kind]), Number: p.number(ch.Prompt.Args["number"])}
	data.Again = p.sendAgain(ch, link("/verify/ask", p.returnTo(r)), map[string]string{"factor": string(ch.Factor)})
	var err error
	if data.Other, err = p.otherNumbers(r, who, ch.Kind); err != nil {
		return err
	}
	status := http.StatusOK
	if wrong != nil {
		status = http.StatusUnprocessableEntity
		if text, ok := p.cannotSend(wrong); ok {
			problem := web.ProblemOf(wrong, p.service.Now())
			problem.SetHeaders(w.Header())
			status, data.Note = problem.Status, text
		}
	}
	return p.render(w, r, view{page: "undelivered", status: status, title: p.say("err.sms.title"), failed: true, data: data})
}

// otherNumbers leads to the choice between numbers, where there is one.
func (p *Pages) otherNumbers(r *http.Request, who twinlatch.Known, kind twinlatch.Kind) (string, error) {
	ways, err := p.service.Ways(r.Context(), who)
	if err != nil {
		return "", err
	}
	n := 0
	for _, f := range ways.Factors {
		if f.Kind == kind {
			n++
		}
	}
	if n < 2 {
		return "", nil
	}
	return link("/verify/pick/"+string(kind), p.returnTo(r)), nil
}
