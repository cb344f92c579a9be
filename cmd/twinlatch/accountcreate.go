package main

import (
	"context"
	"errors"
	"fmt"
	"net/mail"

	"github.com/twinlatch/twinlatch"
)

// email is the address of somebody who is to have an account.
type email string

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *email) UnmarshalText(text []byte) error {
	*e = email(text)
	if a, err := mail.ParseAddress(string(text)); err != nil || a.Address != string(text) || !anAddress.Match(text) {
		return errors.New("want an e-mail address, for instance ana@example.com")
	}
	return nil
}

type accountCreateCommand struct {
	changeFlags
	Email    email   `required:"" placeholder:"ADDRESS" help:"What they sign in with. It counts as confirmed."`
	Name     string  `placeholder:"NAME" help:"What they are called (the address)."`
	Admin    bool    `help:"An administrator: in the group admin."`
	Group    []group `placeholder:"GROUP" help:"Group that they are in; may be given several times."`
	Language string  `placeholder:"TAG" help:"Language of their pages and mails, for instance cs (that of their browser)."`
	Link     bool    `help:"Ask for no password: a mail has a link to choose one."`
}

// Help is shown by --help, below the flags.
func (accountCreateCommand) Help() string {
	return "The password is the first line of standard input. At a terminal it is asked for twice and not shown. It is never an argument, which other users of the machine could read. " +
		"An administrator needs 2-step verification: have them sign in and set it up."
}

// Run makes an account.
func (c *accountCreateCommand) Run(t terminal) error {
	return c.change(t, "", func(ctx context.Context, service *twinlatch.Service, by twinlatch.Administrator) error {
		if c.Link && !service.Mails() {
			return errors.New("nobody sends the mail with the link: set mail.host, or leave out --link and give a password (for a server in development mode: --dev)")
		}
		n := twinlatch.NewAccount{Login: string(c.Email), DisplayName: c.Name, Locale: c.Language, Confirmed: true}
		for _, g := range c.Group {
			n.Groups = append(n.Groups, string(g))
		}
		if c.Admin {
			n.Groups = append(n.Groups, twinlatch.AdminGroup)
		}
		if _, err := service.FindAccount(ctx, twinlatch.MainRealm, n.Login); err == nil { // before somebody types in vain
			return plainly(twinlatch.ErrExists, n.Login)
		}
		if !c.Link {
			password, err := t.newPassword(ctx)
			if err != nil {
				return err
			}
			n.Password = password
		}
		account, err := service.NewAccountBy(ctx, by, n)
		if err != nil {
			return plainly(err, n.Login)
		}
		if c.JSON {
			return printJSON(t.out, rowOf(twinlatch.AccountSummary{Account: account}, service.Now()))
		}
		fmt.Fprintf(t.err, "Made the account %s.\n", word(account.Login))
		switch {
		case c.Link:
			fmt.Fprintln(t.err, "A mail with a link to choose a password is on its way.")
		case account.IsAdmin():
			fmt.Fprintln(t.err, "An administrator needs 2-step verification: they sign in and set it up under Security.")
		}
		return nil
	})
}
