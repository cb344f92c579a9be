package pages

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/twinlatch/twinlatch"
)

const (
	activityPath = security + "/activity"

	perPage = 50 // events on a page
	glances = 5  // how often a page looks for events of its group
)

// eventGroup is what the list of events can be narrowed to.
type eventGroup struct {
	name  string // in the address
	label string // message key
	types []twinlatch.EventType
}

// has says whether events of a type are in the group; the zero group has all.
func (g eventGroup) has(t twinlatch.EventType) bool {
	return g.name == "" || slices.Contains(g.types, t)
}

// glance is how many events are read at once: a page and one more, which says that
// there is another page, or enough to find some of a group.
func (g eventGroup) glance() int {
	if g.name == "" {
		return perPage + 1
	}
	return 1000
}

// address is that of a page with the group: the first, or that "before" or "after"
// the event with a number.
func (g eventGroup) address(side string, seq int64) string {
	q := url.Values{}
	if g.name != "" {
		q.Set("show", g.name)
	}
	if seq > 0 {
		q.Set(side, strconv.FormatInt(seq, 10))
	}
	if len(q) == 0 {
		return activityPath
	}
	return activityPath + "?" + q.Encode()
}

// eventGroups are those of the tabs, in their order. Every EventType is in one.
var eventGroups = [...]eventGroup{
	{"signin", "activity.signin", []twinlatch.EventType{
		twinlatch.EventSignedIn, twinlatch.EventFirstStep, twinlatch.EventAsked, twinlatch.EventVerified,
		twinlatch.EventWrongCode, twinlatch.EventReplayed, twinlatch.EventRecovered, twinlatch.EventWrongBackup,
		twinlatch.EventConfirmed, twinlatch.EventSignedOut, twinlatch.EventSessionEnded, twinlatch.EventOthersEnded,
		twinlatch.EventSessionsEnded, twinlatch.EventAppOpened,
	}},
	{"methods", "activity.methods", []twinlatch.EventType{
		twinlatch.EventFactorAdded, twinlatch.EventFactorRenamed, twinlatch.EventFactorPreferred, twinlatch.EventFactorRemoved,
		twinlatch.EventTwoStepOn, twinlatch.EventTwoStepOff, twinlatch.EventTwoStepReset, twinlatch.EventBackupCodesMade,
		twinlatch.EventRequired, twinlatch.EventNotRequired,
	}},
	{"account", "activity.account", []twinlatch.EventType{
		twinlatch.EventAccountCreated, twinlatch.EventSignUpAgain, twinlatch.EventNameChanged, twinlatch.EventAddressAsked,
		twinlatch.EventAddressConfirmed, twinlatch.EventAddressChanged, twinlatch.EventAddressRestored,
		twinlatch.EventResetAsked, twinlatch.EventPasswordReset, twinlatch.EventPasswordChanged, twinlatch.EventAlarm,
		twinlatch.EventAccountDisabled, twinlatch.EventAccountEnabled, twinlatch.EventAccountDeleted, twinlatch.EventGroupsChanged,
	}},
}

type activityPage struct {
	Tabs         []tab
	Events       []eventRow
	Partly       bool   // there may be more of it than the page found
	Newer, Older string // addresses; empty: there is nothing there
	CSV, JSONL   string
}

type tab struct {
	Name, Address string
	This          bool
}

// activity is all that happened to the account, a page at a time: the newest, or
// those before or after the number of an event.
func (p *Pages) activity(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	q := r.URL.Query()
	group, err := groupIn(q)
	if err != nil {
		return err
	}
	before, err := eventIn(q, "before")
	if err != nil {
		return err
	}
	after, err := eventIn(q, "after")
	if err != nil {
		return err
	}
	var found stretch
	if q.Has("after") {
		found, err = p.eventsAfter(r.Context(), who, group, after)
	} else {
		found, err = p.eventsBefore(r.Context(), who, group, before)
	}
	if err != nil {
		return err
	}
	account := who.Account()
	data := activityPage{Tabs: p.tabs(group), Partly: found.partly, CSV: downloadPath, JSONL: downloadPath + "?format=jsonl"}
	if found.newer > 0 {
		data.Newer = group.address("after", found.newer)
	}
	if found.older > 0 {
		data.Older = group.address("before", found.older)
	}
	for _, e := range found.events {
		data.Events = append(data.Events, p.eventRow(e))
	}
	title := p.say("activity.title")
	return p.render(w, r, view{page: "activity", title: title, who: &account, trail: title, data: data})
}

// groupIn is the group that an address asks for.
func groupIn(q url.Values) (eventGroup, error) {
	name := q.Get("show")
	if name == "" || name == "all" {
		return eventGroup{}, nil
	}
	for _, g := range eventGroups {
		if g.name == name {
			return g, nil
		}
	}
	return eventGroup{}, twinlatch.ErrNotFound
}

// eventIn is the number of an event in an address; 0: there is none.
func eventIn(q url.Values, name string) (int64, error) {
	if !q.Has(name) {
		return 0, nil
	}
	seq, err := strconv.ParseInt(q.Get(name), 10, 64)
	if err != nil || seq < 1 || seq > 1<<53 {
		return 0, twinlatch.ErrNotFound
	}
	return seq, nil
}

func (p *Pages) tabs(shown eventGroup) []tab {
	tabs := []tab{{p.say("activity.all"), activityPath, shown.name == ""}}
	for _, g := range eventGroups {
		tabs = append(tabs, tab{p.say(g.label), g.address("", 0), g.name == shown.name})
	}
	return tabs
}

// stretch is a part of the trail: what a page shows of a group, the newest first,
// and where its neighbours are.
type stretch struct {
	events []twinlatch.Event
	older  int64 // they are before this number; 0: there are none
	newer  int64 // they are after this number; 0: there are none
	partly bool  // it would take more glances to fill the page
}

// eventsBefore are the newest before a number (0: of all).
func (p *Pages) eventsBefore(ctx context.Context, who twinlatch.Passed, g eventGroup, before int64) (stretch, error) {
	found := stretch{newer: max(0, before-1)}
	for range glances {
		events, err := p.service.Events(ctx, who, before, g.glance())
		if err != nil {
			return stretch{}, err
		}
		for _, e := range events {
			switch {
			case !g.has(e.Type):
			case len(found.events) == perPage:
				found.older = found.events[perPage-1].Seq
				return found, nil
			default:
				found.events = append(found.events, e)
			}
		}
		if len(events) < g.glance() || events[len(events)-1].Seq == 1 {
			return found, nil
		}
		before = events[len(events)-1].Seq
	}
	found.older, found.partly = before, len(found.events) < perPage
	return found, nil
}

// eventsAfter are the oldest after a number; where they would not fill a page, it
// is the first page. The numbers of a trail have no gaps, so that one knows of
// the events ahead where they end.
func (p *Pages) eventsAfter(ctx context.Context, who twinlatch.Passed, g eventGroup, after int64) (stretch, error) {
	found := stretch{older: after + 1}
	for range glances {
		end := after + int64(g.glance())
		events, err := p.service.Events(ctx, who, end+1, g.glance())
		if err != nil {
			return stretch{}, err
		}
		for _, e := range slices.Backward(events) {
			switch {
			case e.Seq <= after || !g.has(e.Type):
			case len(found.events) == perPage:
				found.newer = found.events[perPage-1].Seq
				slices.Reverse(found.events)
				return found, nil
			default:
				found.events = append(found.events, e)
			}
		}
		if len(events) == 0 || events[0].Seq < end {
			return p.eventsBefore(ctx, who, g, 0)
		}
		after = end
	}
	found.newer, found.partly = after, len(found.events) < perPage
	slices.Reverse(found.events)
	return found, nil
}
