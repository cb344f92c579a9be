package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twinlatch/twinlatch"
)

type eventsVerifyCommand struct {
	operatorFlags
	Checkpoint []string `placeholder:"N:MAC" help:"One of the log, which has to be there; may be given several times."`
}

// Help is shown by --help, below the flags.
func (eventsVerifyCommand) Help() string {
	return "Walks the chain of every account, and all checkpoints, and names the first event of each chain that was edited, deleted, moved or cut off. " +
		"A database that was put back as a whole to an earlier state is found only by a checkpoint that the log has: give it with --checkpoint."
}

// problem is one thing that is wrong with the trail.
type problem struct {
	Account    twinlatch.AccountID `json:"account,omitempty"`
	Login      string              `json:"login,omitempty"`
	Seq        int64               `json:"seq,omitempty"` // of the event
	Checkpoint int64               `json:"checkpoint,omitempty"`
	Text       string              `json:"problem"`
}

// Run prints a line for each problem. Any is a failure.
func (c *eventsVerifyCommand) Run(t terminal) error {
	return c.use(t, func(ctx context.Context, o operator, service *twinlatch.Service) error {
		problems := []problem{}
		names := newNames(service)
		found := func(err error) {
			p := problem{Text: err.Error()}
			var tamper *twinlatch.TamperError
			var checkpoint *twinlatch.CheckpointError
			switch {
			case errors.As(err, &tamper):
				p.Account, p.Seq = tamper.Account, tamper.Seq
			case errors.As(err, &checkpoint):
				p.Account, p.Seq, p.Checkpoint = checkpoint.Account, checkpoint.Seq, checkpoint.Checkpoint
			}
			if p.Account != "" {
				p.Login, _ = names.of(ctx, p.Account) // the problem is worse
			}
			problems = append(problems, p)
			if c.JSON {
				return
			}
			if p.Login != "" {
				p.Text = word(p.Login) + ": " + p.Text
			}
			fmt.Fprintln(t.out, p.Text)
		}
		all, err := service.VerifyTrail(ctx, found)
		if err != nil {
			return err
		}
		for _, logged := range c.Checkpoint {
			err := service.Holds(ctx, logged)
			var gone *twinlatch.CheckpointError
			if errors.As(err, &gone) {
				found(err)
			} else if err != nil {
				return err
			}
		}
		last := ""
		if all.Last.Seq > 0 {
			last = all.Last.String()
		}
		if c.JSON {
			if err := printJSON(t.out, map[string]any{
				"accounts": all.Accounts, "events": all.Events, "checkpoints": all.Checkpoints, "last_checkpoint": last, "problems": problems,
			}); err != nil {
				return err
			}
		} else {
			fmt.Fprintf(t.err, "Accounts: %d. Events: %d. Checkpoints: %d. The newest: %s\n", all.Accounts, all.Events, all.Checkpoints, word(last))
		}
		if len(problems) > 0 {
			return fmt.Errorf("the trail is not as it was written: %d problems", len(problems))
		}
		return nil
	})
}
