package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/twinlatch/twinlatch"
)

type accountListCommand struct {
	operatorFlags
	Find   string `placeholder:"TEXT" help:"Only those with this in their address or name."`
	State  state  `placeholder:"STATE" help:"Only those whose 2-step verification is on, off, or required and not set up; or whose account is disabled."`
	Group  group  `placeholder:"GROUP" help:"Only those in this group."`
	Limit  int    `default:"50" placeholder:"N" help:"How many at most, 1 to 1000 (50)."`
	Offset int    `placeholder:"N" help:"Leave out the first N."`
}

// state is one that accounts are in.
type state twinlatch.AccountState

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *state) UnmarshalText(text []byte) error {
	switch *s = state(text); twinlatch.AccountState(*s) {
	case twinlatch.StateOn, twinlatch.StateOff, twinlatch.StateRequired, twinlatch.StateDisabled:
		return nil
	}
	return errors.New("want on, off, required or disabled")
}

// Validate is called by kong before Run.
func (c *accountListCommand) Validate() error {
	if c.Limit < 1 || c.Limit > 1000 || c.Offset < 0 {
		return errors.New("--limit is from 1 to 1000, and --offset from 0 on")
	}
	return nil
}

// Help is shown by --help, below the flags.
func (accountListCommand) Help() string {
	return "By address. The numbers count all that --find and --group leave, whatever their state: on, off, required and disabled are apart, and each account is in one."
}

// accountCounts are numbers of accounts as programs get them.
type accountCounts struct {
	All      int `json:"all"`
	On       int `json:"on"`
	Off      int `json:"off"`
	Required int `json:"required"`
	Disabled int `json:"disabled"`
}

func countsOf(c twinlatch.AccountCounts) accountCounts {
	return accountCounts{c.All(), c.On, c.Off, c.Required, c.Disabled}
}

func (c accountCounts) String() string {
	return fmt.Sprintf("Accounts: %d. On: %d. Off: %d. Required: %d. Disabled: %d.", c.All, c.On, c.Off, c.Required, c.Disabled)
}

// Run lists accounts and counts them.
func (c *accountListCommand) Run(t terminal) error {
	return c.use(t, func(ctx context.Context, o operator, service *twinlatch.Service) error {
		all, counts, err := service.Accounts(ctx, twinlatch.ByOperator(t.actor(), ""), twinlatch.AccountQuery{
			Find: c.Find, Group: string(c.Group), State: twinlatch.AccountState(c.State), Limit: c.Limit, Offset: c.Offset,
		})
		if err != nil {
			return err
		}
		rows := []accountRow{}
		for _, a := range all {
			rows = append(rows, rowOf(a, service.Now()))
		}
		if c.JSON {
			return printJSON(t.out, map[string]any{"accounts": rows, "counts": countsOf(counts)})
		}
		table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
		for _, r := range rows {
			seen := "never signed in"
			if !r.SignedInAt.IsZero() {
				seen = "signed in " + r.SignedInAt.Format(time.RFC3339)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", word(r.Login), r.State, dashed(r.Methods), dashed(r.Groups), seen, word(r.Name))
		}
		if err := table.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(t.err, countsOf(counts))
		return nil
	})
}

// dashed is a list in one word.
func dashed[T ~string](list []T) string {
	words := []string{}
	for _, w := range list {
		words = append(words, word(string(w)))
	}
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, ",")
}

type accountShowCommand struct {
	operatorFlags
	Login string `arg:"" help:"The address that they sign in with."`
}

// accountFile is all of one account as programs get it.
type accountFile struct {
	accountRow
	Factors     []factorRow  `json:"factors"`
	Sessions    []sessionRow `json:"sessions"`
	BackupCodes backupRow    `json:"backup_codes"`
}

type factorRow struct {
	Kind       twinlatch.Kind `json:"kind"`
	Name       string         `json:"name"`
	Hint       string         `json:"hint,omitempty"`
	AddedAt    time.Time      `json:"added_at"`
	LastUsedAt time.Time      `json:"last_used_at,omitzero"`
}

type sessionRow struct {
	IP         string    `json:"ip,omitempty"` // of the last request
	UserAgent  string    `json:"user_agent,omitempty"`
	BegunAt    time.Time `json:"begun_at"`
	VerifiedAt time.Time `json:"verified_at,omitzero"`
	SeenAt     time.Time `json:"seen_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

type backupRow struct {
	Left   int       `json:"left"`
	Total  int       `json:"total"`
	MadeAt time.Time `json:"made_at,omitzero"`
}

func fileOf(f twinlatch.AccountFile, now time.Time) accountFile {
	summary := twinlatch.AccountSummary{Account: f.Account}
	file := accountFile{
		Factors: []factorRow{}, Sessions: []sessionRow{},
		BackupCodes: backupRow{f.Backup.Left, f.Backup.Total, f.Backup.CreatedAt},
	}
	for _, factor := range f.Factors {
		file.Factors = append(file.Factors, factorRow{factor.Kind, factor.Name, factor.Hint, factor.CreatedAt, factor.LastUsedAt})
		summary.Kinds = append(summary.Kinds, factor.Kind)
	}
	for _, s := range f.Sessions {
		row := sessionRow{UserAgent: s.UserAgent, BegunAt: s.CreatedAt, VerifiedAt: s.VerifiedAt(), SeenAt: s.SeenAt, ExpiresAt: s.ExpiresAt}
		if s.SeenIP.IsValid() {
			row.IP = s.SeenIP.String()
		}
		file.Sessions = append(file.Sessions, row)
	}
	file.accountRow = rowOf(summary, now)
	return file
}

// Run prints what is known about one account, and no secret.
func (c *accountShowCommand) Run(t terminal) error {
	return c.use(t, func(ctx context.Context, o operator, service *twinlatch.Service) error {
		account, err := service.FindAccount(ctx, twinlatch.MainRealm, c.Login)
		if err != nil {
			return plainly(err, c.Login)
		}
		found, err := service.AccountFile(ctx, twinlatch.ByOperator(t.actor(), ""), account.ID)
		if err != nil {
			return plainly(err, c.Login)
		}
		file := fileOf(found, service.Now())
		if c.JSON {
			return printJSON(t.out, file)
		}
		return file.print(t)
	})
}

func (f accountFile) print(t terminal) error {
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	line := func(what string, words ...string) { fmt.Fprintf(table, "%s\t%s\n", what, strings.Join(words, "  ")) }
	moment := func(what string, at time.Time) {
		if !at.IsZero() {
			line(what, at.Format(time.RFC3339))
		}
	}
	line("login", word(f.Login))
	line("name", word(f.Name))
	line("id", string(f.ID))
	line("state", string(f.State))
	line("groups", dashed(f.Groups))
	if f.Language != "" {
		line("language", word(f.Language))
	}
	moment("created", f.CreatedAt)
	moment("confirmed", f.ConfirmedAt)
	moment("must enroll from", f.EnrollFrom)
	moment("reset", f.ResetAt)
	moment("disabled", f.DisabledAt)
	for _, r := range f.Factors {
		used := "never used"
		if !r.LastUsedAt.IsZero() {
			used = "used " + r.LastUsedAt.Format(time.RFC3339)
		}
		line("method", string(r.Kind), word(r.Name), "added "+r.AddedAt.Format(time.RFC3339), used)
	}
	line("backup codes", fmt.Sprintf("%d of %d left", f.BackupCodes.Left, f.BackupCodes.Total))
	for _, s := range f.Sessions {
		line("session", dashed([]string{s.IP}), word(s.UserAgent), "begun "+s.BegunAt.Format(time.RFC3339), "seen "+s.SeenAt.Format(time.RFC3339))
	}
	return table.Flush()
}
