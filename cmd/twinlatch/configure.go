package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/locale"
)

type configShowCommand struct {
	serverFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is shown by --help, below the flags.
func (configShowCommand) Help() string {
	return "Give the flags that 'twinlatch serve' gets, as the same user, with the same environment. Values that may hold a password are not shown."
}

// Run prints every setting, its value and where that came from.
func (c *configShowCommand) Run(t terminal) error {
	all, err := config.Show(c.source(t))
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t.out, all)
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	for _, v := range all {
		origin := v.Origin
		if origin == "" {
			origin = "not set"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", v.Key, word(v.Value), origin)
	}
	return table.Flush()
}

type configCheckCommand struct {
	serverFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is shown by --help, below the flags.
func (configCheckCommand) Help() string {
	return "Give the flags that 'twinlatch serve' gets. It prints one line for each problem, and asks no database and no network: for these, see 'twinlatch doctor'."
}

// Run prints all problems of the settings. Any is a failure.
func (c *configCheckCommand) Run(t terminal) error {
	problems := []string{}
	for _, err := range settingsProblems(c.source(t)) {
		problems = append(problems, oneLine(err))
	}
	if c.JSON {
		if err := printJSON(t.out, map[string][]string{"problems": problems}); err != nil {
			return err
		}
	} else {
		for _, p := range problems {
			fmt.Fprintln(t.out, p)
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("problems with the settings: %d", len(problems))
	}
	if !c.JSON {
		fmt.Fprintln(t.err, "The settings are good.")
	}
	return nil
}

// settingsProblems are those that the settings show by themselves, else those
// that the parts find which are made of them.
func settingsProblems(src config.Source) []error {
	if problems := config.Problems(src); len(problems) > 0 {
		return problems
	}
	cfg, err := config.Load(src)
	if err != nil {
		return []error{err}
	}
	return partsProblems(cfg)
}

// partsProblems makes what can be made without a database, keys or a network.
func partsProblems(cfg *config.Config) (problems []error) {
	keep := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	carried, err := newSenders(cfg)
	keep(err)
	if err == nil {
		keep(carried.close())
	}
	_, err = newSecurityKey(cfg)
	keep(err)
	_, err = newYubicoOTP(cfg, nil, nil)
	keep(err)
	_, err = newRules(cfg)
	keep(err)
	if languages, err := locale.All(); err != nil {
		keep(err)
	} else if len(cfg.Text.Senders) > 0 {
		_, err := newText(cfg, languages)
		keep(err)
	}
	return problems
}
