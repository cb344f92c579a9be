package twinlatch_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// Two administrators who disable each other at the same moment: one was first.
func TestTwoAdministratorsDisableEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		eve, bob := w.administrator("eve@example.com"), w.administrator("bob@example.com")
		rounds := 30
		for range rounds {
			for _, b := range []*browser{eve, bob} {
				w.ok(w.Enable(ctx, command, b.account.ID, home))
				b.token = b.signInFully(home).token
			}
			by := []twinlatch.Administrator{eve.as("because"), bob.as("because")}
			targets := []twinlatch.AccountID{bob.account.ID, eve.account.ID}
			results := together(2, func(i int) error { return w.Disable(ctx, by[i], targets[i], home) })
			if (results[0] == nil) == (results[1] == nil) {
				t.Fatalf("no order of them explains %v", results)
			}
			loser := results[slices.IndexFunc(results, func(err error) bool { return err != nil })]
			refused(t, loser, twinlatch.ErrNoSession)
		}
	})
}

// deed is what one of two administrators does to one of three accounts.
type deed struct {
	act    administering
	target int // eve, bob, ann
}

func deeds() (all []deed) {
	for _, a := range administerings() {
		if a.looks || a.all {
			continue
		}
		for target := range 3 {
			all = append(all, deed{a, target})
		}
	}
	return all
}

// council is two administrators and somebody else.
type council struct {
	*world
	eve, bob, ann *browser
	by            [2]twinlatch.Administrator
}

func (w *world) council(name string) *council {
	w.t.Helper()
	c := &council{
		world: w, eve: w.administrator("eve" + name + "@example.com"), bob: w.administrator("bob" + name + "@example.com"), ann: w.protected("ann" + name + "@example.com"),
	}
	for i, b := range []*browser{c.eve, c.bob} {
		b.ok(b.answer(b.newCode()))
		c.by[i] = b.as("because")
	}
	return c
}

func (c *council) people() []*browser { return []*browser{c.eve, c.bob, c.ann} }

func (c *council) does(who int, d deed) error {
	return d.act.do(c.world, c.by[who], c.people()[d.target].account.ID)
}

// outcome is what can be seen afterwards: what each was told, and each account.
func (c *council) outcome(told [2]error) string {
	var text strings.Builder
	for _, err := range told {
		fmt.Fprintln(&text, err)
	}
	for _, b := range c.people() {
		a, err := c.Account(ctx, b.account.ID)
		c.ok(err)
		sessions, err := c.Sessions(ctx, b.operator())
		c.ok(err)
		fmt.Fprintln(&text, !a.DisabledAt.IsZero(), !a.DeletedAt.IsZero(), a.TwoStep, !a.ResetAt.IsZero(), a.Groups, len(sessions))
	}
	return text.String()
}

// Whatever two administrators do at the same moment, to each other or to somebody
// else, ends as if one had come first.
func TestTwoAdministratorsAtOnce(t *testing.T) {
	t.Parallel()
	c := newWorld(t).council("")
	c.remember()
	orders, n := map[string][2]string{}, 0
	for _, first := range deeds() {
		for _, second := range deeds() {
			if n++; n%detector != 0 { // all of them, but with the race detector
				continue
			}
			name := fmt.Sprintf("%s of %d, %s of %d", first.act.name, first.target, second.act.name, second.target)
			var serial [2]string
			for i := range serial {
				var told [2]error
				if i == 0 {
					told[0] = c.does(0, first)
				}
				told[1] = c.does(1, second)
				if i == 1 {
					told[0] = c.does(0, first)
				}
				serial[i] = c.outcome(told)
				c.restore()
			}
			orders[name] = serial
			told := together(2, func(i int) error { return c.does(i, []deed{first, second}[i]) })
			if at := c.outcome([2]error(told)); !slices.Contains(serial[:], at) {
				t.Errorf("%s: no order explains\n%s\none first:\n%s\nthe other first:\n%s", name, at, serial[0], serial[1])
			}
			c.restore()
		}
	}
	matters := 0
	for _, serial := range orders {
		if serial[0] != serial[1] {
			matters++
		}
	}
	if matters*detector < 50 {
		t.Errorf("the order matters in %d pairs only", matters)
	}
}

func TestTwoAdministratorsAtOnceOnPostgreSQL(t *testing.T) {
	t.Parallel()
	w := worldOn(t, twinlatchtest.Postgres(t))
	all := deeds()
	for i := range 24 / detector {
		pair := []deed{all[rand.IntN(len(all))], all[rand.IntN(len(all))]}
		var outcomes [3]string
		for j := range outcomes {
			c := w.council(fmt.Sprintf("%d-%d", i, j))
			var told [2]error
			switch j {
			case 0:
				told = [2]error(together(2, func(k int) error { return c.does(k, pair[k]) }))
			case 1:
				told[0] = c.does(0, pair[0])
				told[1] = c.does(1, pair[1])
			case 2:
				told[1] = c.does(1, pair[1])
				told[0] = c.does(0, pair[0])
			}
			outcomes[j] = c.outcome(told)
		}
		if !slices.Contains(outcomes[1:], outcomes[0]) {
			t.Errorf("%s of %d, %s of %d: no order explains\n%s", pair[0].act.name, pair[0].target, pair[1].act.name, pair[1].target, strings.Join(outcomes[:], "\n"))
		}
	}
}
