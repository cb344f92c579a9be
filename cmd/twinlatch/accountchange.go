package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/twinlatch/twinlatch"
)

// accountChange is what commands that change one account have in common.
type accountChange struct {
	changeFlags
	Login  string `arg:"" help:"The address that they sign in with."`
	Reason reason `required:"" placeholder:"TEXT" help:"Why, in one line. The trail keeps it."`
}

// act is what a command does to an account.
type act func(*twinlatch.Service, context.Context, twinlatch.Administrator, twinlatch.AccountID, twinlatch.Client) error

// do finds the account, does it, and says so.
func (c *accountChange) do(t terminal, done, says string, do act) error {
	return c.change(t, c.Reason, func(ctx context.Context, service *twinlatch.Service, by twinlatch.Administrator) error {
		account, err := service.FindAccount(ctx, twinlatch.MainRealm, c.Login)
		if err == nil {
			err = do(service, ctx, by, account.ID, twinlatch.Client{})
		}
		if err != nil {
			return plainly(err, c.Login)
		}
		if c.JSON {
			return printJSON(t.out, map[string]any{"done": done, "id": account.ID, "login": account.Login, "mails": service.Mails()})
		}
		fmt.Fprintf(t.err, says+"\n", word(account.Login))
		if !service.Mails() && done != "deleted" {
			fmt.Fprintln(t.err, "No mail tells them: mail.host is not set (for a server in development mode: --dev).")
		}
		return nil
	})
}

type accountResetCommand struct{ accountChange }

// Help is shown by --help, below the flags.
func (accountResetCommand) Help() string {
	return "For somebody who has lost their methods and their backup codes. All methods and codes are removed, pauses end, and so do the sessions. " +
		"The next sign-in takes the password alone and leads to adding a method. Make sure that it is the person who asks; nothing else can."
}

// Run removes all methods and backup codes.
func (c *accountResetCommand) Run(t terminal) error {
	return c.do(t, "reset", "Reset the 2-step verification of %s.", (*twinlatch.Service).ResetTwoStep)
}

type accountEndCommand struct{ accountChange }

// Run ends all sessions.
func (c *accountEndCommand) Run(t terminal) error {
	return c.do(t, "ended", "Ended all sessions of %s.", (*twinlatch.Service).EndSessions)
}

type accountDisableCommand struct{ accountChange }

// Run ends all sessions and refuses new ones.
func (c *accountDisableCommand) Run(t terminal) error {
	return c.do(t, "disabled", "Disabled the account %s.", (*twinlatch.Service).Disable)
}

type accountEnableCommand struct{ accountChange }

// Run takes disable back.
func (c *accountEnableCommand) Run(t terminal) error {
	return c.do(t, "enabled", "Enabled the account %s.", (*twinlatch.Service).Enable)
}

type accountDeleteCommand struct {
	accountChange
	Yes bool `help:"Do not ask for the address again."`
}

// Help is shown by --help, below the flags.
func (accountDeleteCommand) Help() string {
	return "Erases what is known about the person. The events of the account stay, without addresses, devices and names in them, so that the trail can still be verified; " +
		"the reason stays as well, so put nobody's name into it. Nothing brings the account back: 'disable' is what can be taken back."
}

// Run erases an account, when who asks for it has typed its login twice.
func (c *accountDeleteCommand) Run(t terminal) error {
	return c.do(t, "deleted", "Deleted the account %s.", func(service *twinlatch.Service, ctx context.Context, by twinlatch.Administrator, id twinlatch.AccountID, from twinlatch.Client) error {
		if !c.Yes {
			if err := t.sure(ctx, c.Login); err != nil {
				return err
			}
		}
		return service.Delete(ctx, by, id, from)
	})
}

type accountGroupsCommand struct {
	accountChange
	Set  []group `xor:"groups" required:"" placeholder:"GROUP" help:"Group that they are in from now on; may be given several times. admin makes an administrator."`
	None bool    `xor:"groups" required:"" help:"They are in no group from now on."`
}

// Help is shown by --help, below the flags.
func (accountGroupsCommand) Help() string {
	return "They are in all groups that are given, and in no other. This is the only way to make or unmake an administrator: administrators cannot do it for one another."
}

// Run says in which groups an account is.
func (c *accountGroupsCommand) Run(t terminal) error {
	names := []string{}
	for _, g := range c.Set {
		names = append(names, string(g))
	}
	says := "%s is in no group now."
	if len(names) > 0 {
		says = "%s is in these groups now: " + strings.Join(names, ", ") + "."
	}
	return c.do(t, "groups", says, func(service *twinlatch.Service, ctx context.Context, by twinlatch.Administrator, id twinlatch.AccountID, from twinlatch.Client) error {
		return service.SetGroups(ctx, by, id, names, from)
	})
}
