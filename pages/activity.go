package pages

import (
	"cmp"
	"context"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

type eventRow struct {
	Text   string
	At     time.Time
	IP     string
	Device string          // empty: it was no browser
	Why    []template.HTML // what else is known: the reason, who did it
}

// eventRows puts the newest of the trail in words. A first step that the second
// followed at once is left out, because the second says it all, and of many in a row
// the newest stands for all: who has only the password cannot push other things off.
func (p *Pages) eventRows(events []twinlatch.Event) []eventRow {
	rows := make([]eventRow, 0, recentEvents)
	for i, e := range events {
		if len(rows) == recentEvents {
			break
		}
		if e.Type == twinlatch.EventFirstStep && i > 0 && slices.Contains([]twinlatch.EventType{
			twinlatch.EventVerified, twinlatch.EventRecovered, twinlatch.EventFirstStep,
		}, events[i-1].Type) {
			continue
		}
		rows = append(rows, p.eventRow(e))
	}
	return rows
}

// recent are the rows of the Security page. It looks further back only where there
// is much that needs no row.
func (p *Pages) recent(ctx context.Context, who twinlatch.Passed) ([]eventRow, error) {
	var events []twinlatch.Event
	for range glances {
		before := int64(0)
		if len(events) > 0 {
			before = events[len(events)-1].Seq
		}
		more := min(3*recentEvents+4*len(events), 1000)
		page, err := p.service.Events(ctx, who, before, more)
		if err != nil {
			return nil, err
		}
		events = append(events, page...)
		if rows := p.eventRows(events); len(rows) == recentEvents || len(page) < more {
			return rows, nil
		}
	}
	return p.eventRows(events), nil
}

func (p *Pages) eventRow(e twinlatch.Event) eventRow {
	row := eventRow{Text: p.eventText(e), At: e.At, Why: p.eventWhy(e)}
	if e.Detail.IP.IsValid() {
		row.IP = e.Detail.IP.String()
	}
	if e.Detail.UserAgent != "" {
		row.Device = p.deviceName(e.Detail.UserAgent)
	}
	return row
}

func (p *Pages) eventText(e twinlatch.Event) string {
	more := e.Detail.More
	method, name := p.methodTitle(twinlatch.Kind(more["kind"])), more["name"]
	switch e.Type {
	case twinlatch.EventAccountCreated:
		return p.say("log.created")
	case twinlatch.EventSignedIn:
		return p.say("log.signin", "method", p.say("signin.password"))
	case twinlatch.EventFirstStep:
		return p.say("log.first_step")
	case twinlatch.EventVerified:
		if twinlatch.Reason(more["reason"]) == twinlatch.ReasonNewSession {
			return p.say("log.signin", "method", method)
		}
		return p.say("log.verified", "method", method)
	case twinlatch.EventAsked:
		if twinlatch.Reason(more["reason"]) == twinlatch.ReasonIPChanged {
			return p.say("log.asked.ip")
		}
		return p.say("log.asked.time", "time", p.span(p.service.Policy().CodeEvery))
	case twinlatch.EventWrongCode, twinlatch.EventReplayed:
		if e.Type == twinlatch.EventReplayed && p.methods[twinlatch.Kind(more["kind"])].Script {
			return p.say("log.copied", "method", method, "name", name)
		}
		return p.say("log.fail", "method", method)
	case twinlatch.EventWrongBackup:
		return p.say("log.fail", "method", p.say("method.backup"))
	case twinlatch.EventRecovered:
		left, _ := strconv.Atoi(more["left"])
		return p.say("log.backup", "n", strconv.Itoa(left))
	case twinlatch.EventFactorAdded:
		return p.say("log.added", "method", method, "name", name)
	case twinlatch.EventFactorRenamed:
		return p.say("log.renamed", "method", method, "name", name)
	case twinlatch.EventFactorPreferred:
		return p.say("log.first", "method", method, "name", name)
	case twinlatch.EventFactorRemoved:
		return p.say("log.removed", "method", method, "name", name)
	case twinlatch.EventTwoStepOn:
		return p.say("log.on")
	case twinlatch.EventTwoStepOff:
		return p.say("log.off")
	case twinlatch.EventBackupCodesMade:
		return p.say("log.codes")
	case twinlatch.EventConfirmed:
		return p.say("log.confirmed")
	case twinlatch.EventResetAsked:
		return p.say("log.reset_asked")
	case twinlatch.EventPasswordReset:
		return p.say("log.password_reset")
	case twinlatch.EventPasswordChanged:
		return p.say("log.password")
	case twinlatch.EventAlarm:
		return p.say("log.alarm")
	case twinlatch.EventSignedOut:
		return p.say("log.out", "device", p.deviceName(e.Detail.UserAgent))
	case twinlatch.EventSessionEnded:
		return p.say("log.out", "device", p.deviceName(more["device"]))
	case twinlatch.EventOthersEnded:
		return p.say("log.out_all")
	case twinlatch.EventAppOpened:
		return p.say("log.app", "app", more["app"])
	case twinlatch.EventSignUpAgain:
		return p.say("log.asked_account")
	case twinlatch.EventNameChanged:
		return p.say("log.name")
	case twinlatch.EventAddressAsked:
		return p.say("log.email_asked")
	case twinlatch.EventAddressConfirmed:
		return p.say("log.email_confirmed")
	case twinlatch.EventAddressChanged:
		return p.say("log.email")
	case twinlatch.EventAddressRestored:
		return p.say("log.email_restored")
	case twinlatch.EventTwoStepReset:
		return p.say("log.reset")
	case twinlatch.EventSessionsEnded:
		return p.say("log.out_everywhere")
	case twinlatch.EventAccountDisabled:
		return p.say("log.disabled")
	case twinlatch.EventAccountEnabled:
		return p.say("log.enabled")
	case twinlatch.EventAccountDeleted:
		return p.say("log.deleted")
	case twinlatch.EventGroupsChanged:
		return p.say("log.groups")
	case twinlatch.EventRequired:
		return p.say("log.required")
	case twinlatch.EventNotRequired:
		return p.say("log.not_required")
	}
	return string(e.Type)
}

// sentences are said one after the other. A key that is missing is left out and
// logged; the tests find it before anybody else does.
type sentences struct {
	p    *Pages
	said []template.HTML
}

func (s *sentences) markup(key string, pairs ...any) {
	text, err := s.p.markup(key, pairs...)
	if err != nil {
		s.p.cfg.Log.Error("message missing", "error", err)
		return
	}
	s.said = append(s.said, text)
}

// eventWhy is what else an event tells: why the person was asked, what it was
// before and is now, and who did it when it was somebody else.
func (p *Pages) eventWhy(e twinlatch.Event) []template.HTML {
	why := &sentences{p: p}
	p.eventMore(why, e)
	p.whoElse(why, e)
	return why.said
}

// eventMore says all of it but who did it and the reason they gave.
func (p *Pages) eventMore(why *sentences, e twinlatch.Event) {
	more := e.Detail.More
	switch e.Type {
	case twinlatch.EventVerified:
		p.askedBecause(why, twinlatch.Reason(more["reason"]))
		if more["network"] == "new" {
			why.markup("log.why.network")
		}
	case twinlatch.EventConfirmed:
		why.markup("log.why.change")
	case twinlatch.EventSignedIn:
		why.markup("log.why.off")
		if more["network"] == "new" {
			why.markup("log.why.network")
		}
	case twinlatch.EventReplayed:
		if !p.methods[twinlatch.Kind(more["kind"])].Script { // else the text says it
			why.markup("log.why.used")
		}
	case twinlatch.EventFactorRemoved:
		if more["all"] == "yes" {
			why.markup("log.why.all")
		}
	case twinlatch.EventNameChanged:
		why.markup("log.now", "value", theirs(more["name"]))
	case twinlatch.EventGroupsChanged:
		why.markup("log.now", "value", theirs(p.words.List(strings.Fields(more["groups"]))))
	case twinlatch.EventAddressAsked:
		if more["to"] != "" { // else it went to that which the account has
			why.markup("log.sent", "value", theirs(more["to"]))
		}
	case twinlatch.EventAddressChanged, twinlatch.EventAddressRestored:
		why.markup("log.now", "value", theirs(more["to"]))
		why.markup("log.was", "value", theirs(more["from"]))
	}
	if times, _ := strconv.Atoi(more["times"]); times > 1 {
		why.markup("log.why.times", "n", times)
	}
}

// askedBecause says why the second step was asked.
func (p *Pages) askedBecause(why *sentences, reason twinlatch.Reason) {
	switch reason {
	case twinlatch.ReasonNewSession:
		why.markup("log.why.signin")
	case twinlatch.ReasonCodeTooOld:
		why.markup("log.why.time", "time", p.span(p.service.Policy().CodeEvery))
	case twinlatch.ReasonIPChanged:
		why.markup("log.why.ip")
	case "":
		why.markup("log.why.change")
	}
}

// whoElse says who did it, unless it was the person, and the reason they gave.
// Administrators are not named: whoever takes an account over would learn which
// one to try next.
func (p *Pages) whoElse(why *sentences, e twinlatch.Event) {
	role, name, _ := strings.Cut(e.Actor, ":")
	switch {
	case e.Actor == "self":
	case role == "admin":
		why.markup("log.by.admin")
	case role == "command":
		why.markup("log.by.operator")
	case role == "client" && name != "":
		why.markup("log.by.app", "app", theirs(name))
	default:
		why.markup("log.by.name", "actor", theirs(e.Actor))
	}
	if reason := e.Detail.More["why"]; reason != "" {
		why.markup("log.why.given", "why", theirs(reason))
	}
}

// theirs is what somebody typed, in its own direction of writing.
func theirs(text string) template.HTML {
	return "<bdi>" + escaped(cmp.Or(text, "–")) + "</bdi>"
}

// methodTitle is what a kind is called; a kind that is no longer configured is
// called by its own name.
func (p *Pages) methodTitle(k twinlatch.Kind) string {
	if d, ok := p.methods[k]; ok {
		return p.say("method." + d.Name)
	}
	return string(k)
}
