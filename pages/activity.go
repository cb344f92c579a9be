package pages

import (
	"strconv"
	"time"

	"github.com/twinlatch/twinlatch"
)

type eventRow struct {
	Text string
	At   time.Time
	IP   string
}

// eventRows puts the trail in words. A first step that the second followed at
// once is left out: the second says it all.
func (p *Pages) eventRows(events []twinlatch.Event) []eventRow {
	rows := make([]eventRow, 0, recentEvents)
	for i, e := range events {
		if len(rows) == recentEvents {
			break
		}
		if e.Type == twinlatch.EventFirstStep && i > 0 &&
			(events[i-1].Type == twinlatch.EventVerified || events[i-1].Type == twinlatch.EventRecovered) {
			continue
		}
		row := eventRow{Text: p.eventText(e), At: e.At}
		if e.Detail.IP.IsValid() {
			row.IP = e.Detail.IP.String()
		}
		rows = append(rows, row)
	}
	return rows
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

// methodTitle is what a kind is called; a kind that is no longer configured is
// called by its own name.
func (p *Pages) methodTitle(k twinlatch.Kind) string {
	if d, ok := p.methods[k]; ok {
		return p.say("method." + d.Name)
	}
	return string(k)
}
