package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

// backlog says whether people get what is sent to them.
func (d *doctor) backlog(b twinlatch.Backlog) {
	var stuck []string
	if b.Waiting > 0 {
		stuck = append(stuck, fmt.Sprintf("messages that nobody took yet: %d, the oldest for %v", b.Waiting, max(0, d.now.Sub(b.Oldest).Round(time.Second))))
	}
	if b.Failed > 0 {
		stuck = append(stuck, fmt.Sprintf("messages that were given up: %d", b.Failed))
	}
	if len(stuck) > 0 {
		d.find("outbox", warn, "the server's log says why, and so does: twinlatch send-test --to YOU", "%s", strings.Join(stuck, "; "))
		return
	}
	d.find("outbox", good, "", "no message is stuck")
}

// administrators says whether those there are can do anything.
func (d *doctor) administrators(all []twinlatch.AccountSummary) {
	const check, most = "admins", 3 // names in a line
	active, without := 0, []string{}
	for _, a := range all {
		if !a.DisabledAt.IsZero() {
			continue
		}
		active++
		if !a.TwoStep {
			without = append(without, word(a.Login))
		}
	}
	names := strings.Join(without[:min(most, len(without))], ", ")
	if more := len(without) - most; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	switch {
	case active == 0:
		d.find(check, good, "the first: twinlatch account create --admin --email ADDRESS", "there is no administrator")
	case len(without) > 0:
		d.find(check, warn, "have them sign in and set it up", "administrators need 2-step verification, and these have none: %s", names)
	default:
		d.find(check, good, "", "all with 2-step verification: %d", active)
	}
}
