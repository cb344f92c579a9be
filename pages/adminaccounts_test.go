package pages

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// listed are the logins on the page, in their order.
func listed(p *page) (logins []string) {
	for row := range p.all("th") {
		if attr(row, "scope") == "row" {
			logins = append(logins, textOf(row.LastChild))
		}
	}
	return logins
}

func TestTwentyFiveAccountsAPage(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	want := []string{adaEmail}
	for i := range 29 {
		want = append(want, d.made(t, fmt.Sprintf("p%02d@example.com", i), "Person").Login)
	}
	first := ada.get(adminPath).is(200).says("Accounts 1 to 25 of 30", "Next").hides("Previous").offers(adminPath + "?page=2")
	second := ada.get(first.link(adminPath+"?page=2")).is(200).says("Accounts 26 to 30 of 30", "Previous").hides("Next").offers(adminPath)
	if got := slices.Concat(listed(first), listed(second)); !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	for _, page := range []string{"0", "-1", "x", "1.5", "", "1"} {
		ada.get(adminPath + "?page=" + page).is(200).says("Accounts 1 to 25 of 30")
	}
	for _, page := range []string{"3", "1000000", "999999"} { // behind the last one: that one
		ada.get(adminPath + "?page=" + page).is(200).says("Accounts 26 to 30 of 30")
	}
	ada.get(adminPath + "?page=99999999999999999999").is(200)
	ada.get(adminPath + "?q=p&state=off&page=2").is(200).offers(adminPath + "?q=p&state=off").says("Accounts 26 to 29 of 29")
}

func TestFindAnAccount(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	ada.own = []string{"{"}
	d.made(t, "zofie@example.com", "Žofie Dvořáková")
	d.made(t, "percent@example.com", "100 % Bo_b")
	d.made(t, "bob@example.com", `Bo\b`)
	d.made(t, "nfd@example.com", "Jose\u0301")
	for find, want := range map[string][]string{
		"ŽOFIE": {"zofie@example.com"}, "žofie d": {"zofie@example.com"}, "  dvořáková ": {"zofie@example.com"}, "Z\u030cofie": {"zofie@example.com"},
		"%": {"percent@example.com"}, "_": {"percent@example.com"}, `\`: {"bob@example.com"}, "JOSÉ": {"nfd@example.com"},
		"ADA@": {adaEmail}, "' OR 1=1 --": nil, "nobody": nil, "\x00": nil, "a\x00": nil, strings.Repeat("x", 5000): nil, "{": nil,
	} {
		p := ada.get(adminPath + "?q=" + url.QueryEscape(find)).is(200)
		if got := listed(p); !slices.Equal(got, want) {
			t.Errorf("%q finds %q, want %q", find, got, want)
		}
		p.keeps("q", find)
		if want == nil {
			p.says("No account fits.", "All 0")
		}
	}
	ada.get(adminPath + "?q=%ff").is(200).says("No account fits.")
	ada.get(adminPath+"?q="+url.QueryEscape("example")).says("All 5", "Accounts 1 to 5 of 5")
}

func TestFilterByState(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	on := d.called(t, "on@example.com", "On")
	on.enroll()
	d.made(t, "off@example.com", "Off")
	d.made(t, "due@example.com", "Due", "staff")
	late := d.made(t, "locked@example.com", "Locked", "staff")
	if err := d.env.Disable(t.Context(), operator(), late.ID, twinlatch.Client{}); err != nil {
		t.Fatal(err)
	}
	if err := d.env.Require(t.Context(), operator(), twinlatch.Requirement{Group: "staff", From: d.env.Clock.Now()}, twinlatch.Client{}); err != nil {
		t.Fatal(err)
	}
	ada.get(adminPath).is(200).says("All 5", "On 2", "Off 1", "Required 1", "Disabled 1", "Required, not set up")
	for state, want := range map[string][]string{
		"on": {adaEmail, "on@example.com"}, "off": {"off@example.com"}, "required": {"due@example.com"}, "disabled": {"locked@example.com"},
	} {
		p := ada.get(ada.get(adminPath).link(adminPath + "?state=" + state)).is(200)
		if got := listed(p); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", state, got, want)
		}
		current := ""
		for a := range p.all("a") {
			if attr(a, "aria-current") == "true" {
				current = attr(a, "href")
			}
		}
		if current != adminPath+"?state="+state {
			t.Errorf("%s: the current tab is %q", state, current)
		}
	}
	// A search keeps the filter, and the tabs count what was found.
	ada.get(adminPath+"?q=example&state=on").says("All 5", "On 2").offers(adminPath + "?q=example&state=off")
	p := ada.get(adminPath+"?group=staff").says("Group: staff", "All groups", "All 2", "Required 1", "Disabled 1").offers(adminPath)
	if got := listed(p); !slices.Equal(got, []string{"due@example.com", "locked@example.com"}) {
		t.Errorf("in the group: %q", got)
	}
	for _, odd := range []string{"?state=paused", "?state=%00", "?group=%25", "?group=%00", "?group=ADMIN", "?state=" + strings.Repeat("x", 5000)} {
		ada.get(adminPath+odd).is(200).says("All 5", "Accounts 1 to 5 of 5")
	}
}

func TestWhatTheListTells(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada, ana := d.ada(t), d.anaWithApp(t)
	d.made(t, "new@example.com", "New")
	half := ana.elsewhere()
	half.signIn().goes("/verify")
	for range 5 {
		half.post("/verify", "code", half.wrongCode()).is(422)
	}
	p := ada.get(adminPath).is(200).says("Authenticator app", "Paused, 1 min left", "Never", "23 Nov 2026, 12:0").
		offers(accountPath + string(d.account(t, ana.email).ID) + "/reset")
	if n := strings.Count(p.body, "/reset"); n != 1 {
		t.Errorf("%d accounts can be reset, want Ana's: one is one's own, the other has nothing to reset", n)
	}
	if p.text("caption") != "Accounts and their 2-step verification" {
		t.Errorf("the table is called %q", p.text("caption"))
	}
	ana.wait(time.Minute)
	ada.get(adminPath).hides("Paused")
}

// The picture says the same in words, and is drawn without inline style.
func TestAdoption(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	p := ada.get(adminPath).is(200).says("With 2-step verification: 1 (100 %)", "All accounts: 1")
	if title := textOf(drawing(p)); title != "1 of 1 account uses 2-step verification (100 %)" {
		t.Errorf("the picture says %q", title)
	}
	ana := d.anaWithApp(t)
	ana.wait(10 * 24 * time.Hour)
	for i := range 4 {
		d.made(t, fmt.Sprintf("p%d@example.com", i), "Person")
	}
	ana.wait(10 * 24 * time.Hour)
	ada.verify()
	p = ada.get(adminPath).is(200).says("With 2-step verification: 2 (33 %)", "All accounts: 6", "23 Nov", "13 Dec")
	svg := drawing(p)
	if title := textOf(svg); title != "2 of 6 accounts use 2-step verification (33 %)" || attr(svg, "role") != "img" {
		t.Errorf("the picture says %q", title)
	}
	all, on := p.find(`class="all" d="([^"]+)"`), p.find(`class="on" d="([^"]+)"`)
	if all != "M0 100H0V67H58V0H120V100Z" || on != "M0 100H0V67H120V100Z" {
		t.Errorf("drawn are %s and %s", all, on)
	}
}

// A mail that nobody takes, and one that is given up, are told.
func TestBacklog(t *testing.T) {
	t.Parallel()
	broken := new(brokenBox)
	d := doorOn(t, twinlatchtest.Migrated(t), func(c *twinlatch.Config) {
		c.Sending.Senders = append(c.Sending.Senders, broken)
		c.Notice = func(_ twinlatch.Account, e twinlatch.Event, _ twinlatch.Token) *twinlatch.Message {
			if e.Type != twinlatch.EventFactorAdded {
				return nil
			}
			return &twinlatch.Message{Subject: "x", Body: twinlatch.NewSecret("y")}
		}
	})
	ada := d.ada(t)
	ada.get(adminPath).is(200).hides("Messages")
	for range 3 {
		for tried := 1; tried > 0; {
			var err error
			if tried, err = d.env.Deliver(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ada.wait(2 * time.Minute)
	}
	ada.get(adminPath).is(200).says("Messages that nobody has taken yet: 1. The oldest has been waiting since 23 Nov 2026, 12:00 UTC.")
}

// brokenBox is a mail server that is down.
type brokenBox struct{}

func (*brokenBox) Name() string                      { return "broken" }
func (*brokenBox) Carries(by twinlatch.Channel) bool { return by == twinlatch.Email }
func (*brokenBox) Send(context.Context, twinlatch.Message) (string, error) {
	return "", errors.New("mail server is down")
}
