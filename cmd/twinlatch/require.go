package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
)

// requirementRow is a requirement as programs get it.
type requirementRow struct {
	Group        string        `json:"group"` // empty: everybody
	From         time.Time     `json:"from"`
	GraceSeconds int64         `json:"grace_seconds"`
	Counts       accountCounts `json:"counts"` // of those whom it is for
}

// whom is it for.
func whom(group string) string {
	if group == "" {
		return "everybody"
	}
	return "group " + group
}

// span is a length of time as --grace takes it.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}

type requireShowCommand struct{ operatorFlags }

// Help is shown by --help, below the flags.
func (requireShowCommand) Help() string {
	return "For each: since when, how long new accounts have, and how many of those whom it is for have 2-step verification on, have not and need not yet, or must enroll at their next request."
}

// Run lists the requirements.
func (c *requireShowCommand) Run(t terminal) error {
	return c.use(t, func(ctx context.Context, o operator, service *twinlatch.Service) error {
		by := twinlatch.ByOperator(t.actor(), "")
		all, err := service.Requirements(ctx, by)
		if err != nil {
			return err
		}
		rows := []requirementRow{}
		for _, r := range all {
			_, counts, err := service.Accounts(ctx, by, twinlatch.AccountQuery{Group: r.Group, Limit: 1})
			if err != nil {
				return err
			}
			rows = append(rows, requirementRow{r.Group, r.From, int64(r.Grace / time.Second), countsOf(counts)})
		}
		if c.JSON {
			return printJSON(t.out, rows)
		}
		table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
		for i, r := range rows {
			fmt.Fprintf(table, "%s\tfrom %s\tgrace %s\ton %d\toff %d\trequired %d\n",
				whom(r.Group), r.From.Format(time.RFC3339), span(all[i].Grace), r.Counts.On, r.Counts.Off, r.Counts.Required)
		}
		if len(rows) == 0 {
			fmt.Fprintln(t.err, "2-step verification is everybody's own choice.")
		}
		return table.Flush()
	})
}

// since is a moment: now, a day in UTC, or a time.
type since struct {
	at  time.Time
	now bool
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *since) UnmarshalText(text []byte) (err error) {
	if s.now = string(text) == "now"; s.now {
		return nil
	}
	if s.at, err = time.Parse(time.DateOnly, string(text)); err != nil {
		s.at, err = time.Parse(time.RFC3339, string(text))
	}
	if err != nil {
		return errors.New("want now, a day such as 2027-01-31 or a time such as 2027-01-31T08:00:00Z")
	}
	return nil
}

// grace is a length of time; zero is none.
type grace time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (g *grace) UnmarshalText(text []byte) error {
	d, err := config.ParseDuration(string(text))
	if err == nil && d > twinlatch.MaxGrace {
		err = fmt.Errorf("want at most %s", span(twinlatch.MaxGrace))
	}
	*g = grace(d)
	return err
}

type requireSetCommand struct {
	operatorFlags
	Group  group  `placeholder:"GROUP" help:"Those in this group (everybody)."`
	From   since  `required:"" placeholder:"DATE" help:"From when on: now, a day in UTC such as 2027-01-31, or a time such as 2027-01-31T08:00:00Z."`
	Grace  grace  `placeholder:"TIME" help:"And not before an account is this old, such as 14d (0s)."`
	Reason reason `required:"" placeholder:"TEXT" help:"Why, in one line. The trail keeps it."`
}

// Help is shown by --help, below the flags.
func (requireSetCommand) Help() string {
	return "Whoever has no method is then led to add one before anything else, also in sessions that live. Until then a note says from when on. " +
		"A second one for the same group replaces the first. An account in several groups keeps to the earliest."
}

// Run sets a requirement.
func (c *requireSetCommand) Run(t terminal) error {
	return c.use(t, func(ctx context.Context, _ operator, service *twinlatch.Service) error {
		by := twinlatch.ByOperator(t.actor(), string(c.Reason))
		r := twinlatch.Requirement{Group: string(c.Group), From: c.From.at.UTC(), Grace: time.Duration(c.Grace)}
		if c.From.now {
			r.From = service.Now()
		}
		if err := service.Require(ctx, by, r, twinlatch.Client{}); err != nil {
			return plainly(err, "")
		}
		_, counts, err := service.Accounts(ctx, by, twinlatch.AccountQuery{Group: r.Group, Limit: 1})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(t.out, requirementRow{r.Group, r.From, int64(r.Grace / time.Second), countsOf(counts)})
		}
		fmt.Fprintf(t.err, "2-step verification is required of %s from %s on. %d of %d accounts must set it up now.\n",
			whom(r.Group), r.From.Format(time.RFC3339), counts.Required, counts.All())
		return nil
	})
}

type requireRemoveCommand struct {
	operatorFlags
	Group  group  `placeholder:"GROUP" help:"That of this group (that of everybody)."`
	Reason reason `required:"" placeholder:"TEXT" help:"Why, in one line. The trail keeps it."`
}

// Run takes a requirement back.
func (c *requireRemoveCommand) Run(t terminal) error {
	return c.use(t, func(ctx context.Context, _ operator, service *twinlatch.Service) error {
		err := service.NoLongerRequire(ctx, twinlatch.ByOperator(t.actor(), string(c.Reason)), string(c.Group), twinlatch.Client{})
		if errors.Is(err, twinlatch.ErrNotFound) {
			return fmt.Errorf("nothing is required of %s; see: twinlatch require show", whom(string(c.Group)))
		}
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(t.out, map[string]string{"removed": string(c.Group)})
		}
		fmt.Fprintf(t.err, "2-step verification is not required of %s any more. Other requirements stand.\n", whom(string(c.Group)))
		return nil
	})
}
