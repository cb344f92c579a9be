package pages

import (
	"fmt"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

// adoption is a picture of how many accounts there were, and how many of them had
// two-step verification on, as time went by.
type adoption struct {
	Words    string // what it shows, for who does not see it
	On, All  string // the same as a legend
	OnPath   string
	AllPath  string
	From, To time.Time // the days at its ends
}

// The picture is drawn on a grid of so many days, or groups of days, and shares of
// the most accounts that there ever were.
const (
	adoptionWidth  = 120
	adoptionHeight = 100
)

// adoption draws the picture. Without accounts there is none.
func (p *Pages) adoption(days []twinlatch.AdoptionDay) *adoption {
	if len(days) == 0 || days[len(days)-1].Accounts == 0 {
		return nil
	}
	last, most := days[len(days)-1], 0
	for _, d := range days {
		most = max(most, d.Accounts)
	}
	percent := p.words.Number(100 * last.On / last.Accounts)
	n, on := p.words.Number(last.Accounts), p.words.Number(last.On)
	a := &adoption{
		Words: p.say(p.words.Plural("adm.adoption", last.Accounts), "n", n, "on", on, "percent", percent),
		On:    p.say("adm.adoption.on", "n", on, "percent", percent),
		All:   p.say("adm.adoption.all", "n", n),
		From:  days[0].Day, To: p.service.Now(),
	}
	var all, with [adoptionWidth]int
	for i := range adoptionWidth {
		// The end of the column, so that the last one is today.
		at := a.From.Add(time.Duration(float64(a.To.Sub(a.From)) * float64(i+1) / adoptionWidth))
		then := stood(days, at)
		all[i], with[i] = then.Accounts, then.On
	}
	a.AllPath, a.OnPath = steps(all, most), steps(with, most)
	return a
}

// stood is how things were at a time.
func stood(days []twinlatch.AdoptionDay, at time.Time) (then twinlatch.AdoptionDay) {
	for _, d := range days {
		if d.Day.After(at) {
			break
		}
		then = d
	}
	return then
}

// steps is the area below the columns, each of which is a share of most.
func steps(columns [adoptionWidth]int, most int) string {
	var path strings.Builder
	fmt.Fprintf(&path, "M0 %d", adoptionHeight)
	y := adoptionHeight
	for i, n := range columns {
		next := adoptionHeight - adoptionHeight*n/most
		if next == y {
			continue
		}
		fmt.Fprintf(&path, "H%dV%d", i, next)
		y = next
	}
	fmt.Fprintf(&path, "H%dV%dZ", adoptionWidth, adoptionHeight)
	return path.String()
}
