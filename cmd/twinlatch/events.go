package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/twinlatch/twinlatch"
)

// printEvent is one line for people. Whatever is in the database, it is one line
// and moves no cursor.
func printEvent(w io.Writer, e twinlatch.Event, who string) error {
	ip := "-"
	if e.Detail.IP.IsValid() {
		ip = e.Detail.IP.String()
	}
	words := []string{e.At.Format("2006-01-02T15:04:05.000Z"), strconv.FormatInt(e.Seq, 10), word(who), word(string(e.Type)), word(e.Actor), ip}
	for _, key := range slices.Sorted(maps.Keys(e.Detail.More)) {
		words = append(words, word(key)+"="+word(e.Detail.More[key]))
	}
	if e.Detail.UserAgent != "" {
		words = append(words, "user_agent="+word(e.Detail.UserAgent))
	}
	_, err := fmt.Fprintln(w, strings.Join(words, "  "))
	return err
}

// word quotes what could be taken for several words, or for none.
func word(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) || r == '"' || r == '=' }) {
		return strconv.QuoteToGraphic(s)
	}
	return s
}

// names are the logins of accounts, looked up once.
type names struct {
	service *twinlatch.Service
	known   map[twinlatch.AccountID]string
}

func newNames(service *twinlatch.Service) names {
	return names{service, map[twinlatch.AccountID]string{}}
}

// of is the login of an account, or its id when there is no such account.
func (n names) of(ctx context.Context, id twinlatch.AccountID) (string, error) {
	if name, ok := n.known[id]; ok {
		return name, nil
	}
	account, err := n.service.Account(ctx, id)
	name := account.Login
	if errors.Is(err, twinlatch.ErrNotFound) {
		name, err = string(id), nil
	}
	if err == nil && len(n.known) < 10_000 {
		n.known[id] = name
	}
	return name, err
}

type eventsListCommand struct {
	operatorFlags
	Account string `required:"" placeholder:"LOGIN" help:"Whose: the e-mail address they sign in with."`
	Realm   string `default:"main" help:"Application that owns the account; main: the server's own (main)."`
	Count   int    `short:"n" default:"50" help:"How many at most, 1 to 1000 (50)."`
	Before  int64  `placeholder:"SEQ" help:"Only those before this number."`
}

// Validate is called by kong before Run.
func (c *eventsListCommand) Validate() error {
	if c.Count < 1 || c.Count > 1000 || c.Before < 0 {
		return errors.New("-n is from 1 to 1000, and numbers of events are from 1 on")
	}
	return nil
}

// Run prints the newest events of one account, the newest first.
func (c *eventsListCommand) Run(t terminal) error {
	return c.use(t, func(ctx context.Context, o operator, service *twinlatch.Service) error {
		account, err := service.FindAccount(ctx, c.Realm, c.Account)
		if errors.Is(err, twinlatch.ErrNotFound) {
			return fmt.Errorf("there is no account %s", word(c.Account))
		}
		if err != nil {
			return err
		}
		events, err := service.Events(ctx, twinlatch.OnBehalf(account.ID, "command", ""), c.Before, c.Count)
		if err != nil {
			return err
		}
		if c.JSON {
			lines := []twinlatch.EventLine{}
			for _, e := range events {
				lines = append(lines, e.Line())
			}
			return printJSON(t.out, lines)
		}
		for _, e := range events {
			if err := printEvent(t.out, e, account.Login); err != nil {
				return err
			}
		}
		return nil
	})
}

type eventsExportCommand struct {
	operatorFlags
	After twinlatch.Position `placeholder:"POSITION" help:"Only events behind this position of an exported line, or from this time on (2026-11-23T12:00:00Z)."`
}

// Help is shown by --help, below the flags.
func (eventsExportCommand) Help() string {
	return "JSON Lines of all accounts, by time. To go on where an export ended, give the position of a line a minute before its end: " +
		"an event is written somewhat later than its time. What comes twice has the same account and seq. --json changes nothing."
}

// Run prints all events, each as one line of JSON.
func (c *eventsExportCommand) Run(t terminal) error {
	return c.use(t, func(ctx context.Context, o operator, service *twinlatch.Service) error {
		out := bufio.NewWriter(t.out)
		lines := json.NewEncoder(out)
		for behind := c.After; ; {
			page, err := service.AllEvents(ctx, behind, 1000)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				return out.Flush()
			}
			for _, e := range page {
				if err := lines.Encode(e.Line()); err != nil {
					return err
				}
			}
			behind = page[len(page)-1].Position()
		}
	})
}
