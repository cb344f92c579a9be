// Package outbox keeps messages instead of sending them, for a developer to
// read: twinlatch serve --dev shows it as /dev/outbox. It holds codes and phone
// numbers in plain text, in memory only, and forgets the oldest.
//
// It has no settings. Never put it beside real senders: what it takes counts as
// sent.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Outbox is a twinlatch.Sender that keeps. Make one with New. It is safe for
// concurrent use.
type Outbox struct {
	most  int
	clock func() time.Time

	mu   sync.Mutex
	kept []Kept // oldest first
}

// Kept is one message, as JSON in the form of /dev/outbox.
type Kept struct {
	Channel string    `json:"channel"`
	To      string    `json:"to"`
	Subject string    `json:"subject"` // of an e-mail
	Body    string    `json:"body"`
	At      time.Time `json:"at"`
}

// New makes an empty outbox for the newest most messages, at least one. The
// clock says when a message came and whether it is expired; nil is time.Now.
func New(most int, clock func() time.Time) *Outbox {
	if clock == nil {
		clock = time.Now
	}
	return &Outbox{most: max(most, 1), clock: clock}
}

// Name implements twinlatch.Sender: "outbox".
func (*Outbox) Name() string { return "outbox" }

// Carries implements twinlatch.Sender: all channels that there are.
func (*Outbox) Carries(by twinlatch.Channel) bool {
	return by == twinlatch.Text || by == twinlatch.Email
}

// Send implements twinlatch.Sender. It keeps each message as often as it comes,
// of an e-mail the plain text, and has no reference for them.
func (o *Outbox) Send(ctx context.Context, m twinlatch.Message) (ref string, err error) {
	now := o.clock()
	switch {
	case !o.Carries(m.Channel):
		return "", fmt.Errorf("outbox: channel %.40q: %w", m.Channel, twinlatch.ErrNoRoute)
	case ctx.Err() != nil:
		return "", fmt.Errorf("outbox: not kept: %w", ctx.Err())
	case !now.Before(m.ExpiresAt):
		return "", errors.New("outbox: not kept: the message is expired")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, Kept{Channel: string(m.Channel), To: m.To.Reveal(), Subject: m.Subject, Body: m.Body.Reveal(), At: now})
	if over := len(o.kept) - o.most; over > 0 {
		o.kept = slices.Delete(o.kept, 0, over)
	}
	return "", nil
}

// Messages are the kept ones, newest first; never nil, for JSON. The slice is
// the caller's.
func (o *Outbox) Messages() []Kept {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := append(make([]Kept, 0, len(o.kept)), o.kept...)
	slices.Reverse(all)
	return all
}
