package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/twinlatch/twinlatch"
)

type eventsTailCommand struct {
	operatorFlags
	After twinlatch.Position `placeholder:"POSITION" help:"Begin behind this position of an exported line, or at this time (now)."`
}

// Help is shown by --help, below the flags.
func (eventsTailCommand) Help() string {
	return "Events of all accounts as they are written, until it is interrupted. With --json one line of JSON each, as 'events export' prints them."
}

const (
	tailEvery = time.Second
	lookBack  = time.Minute // an event may be written that long after its time
)

// Run prints events until SIGINT or SIGTERM.
func (c *eventsTailCommand) Run(t terminal) error {
	return c.use(t, func(ctx context.Context, o operator, service *twinlatch.Service) error {
		tail := tail{service: service, from: c.After, seen: map[twinlatch.Position]bool{}}
		if tail.from == (twinlatch.Position{}) {
			newest, err := service.NewestEvent(ctx)
			if err != nil {
				return err
			}
			tail.from.At = newest.Add(-lookBack)
			if _, err := tail.next(ctx); err != nil { // these are not new
				return err
			}
		}
		names, lines := newNames(service), json.NewEncoder(t.out)
		tick := time.NewTicker(tailEvery)
		defer tick.Stop()
		for {
			events, err := tail.next(ctx)
			for _, e := range events {
				if c.JSON {
					err = lines.Encode(e.Line())
				} else {
					var who string
					if who, err = names.of(ctx, e.Account); err == nil {
						err = printEvent(t.out, e, who)
					}
				}
				if err != nil {
					break
				}
			}
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	})
}

// tail knows which events it gave out already.
type tail struct {
	service *twinlatch.Service
	from    twinlatch.Position
	seen    map[twinlatch.Position]bool
}

// next gives the events that are new, in their order.
func (t *tail) next(ctx context.Context) ([]twinlatch.Event, error) {
	var fresh []twinlatch.Event
	behind := t.from
	for {
		page, err := t.service.AllEvents(ctx, behind, 1000)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if behind = e.Position(); !t.seen[behind] {
				t.seen[behind] = true
				fresh = append(fresh, e)
			}
		}
	}
	if start := behind.At.Add(-lookBack); start.After(t.from.At) {
		t.from = twinlatch.Position{At: start}
		for p := range t.seen {
			if p.At.Before(start) {
				delete(t.seen, p)
			}
		}
	}
	return fresh, nil
}
