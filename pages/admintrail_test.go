package pages

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

func TestTheLogOfAllAccounts(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	ana := d.anaWithApp(t)
	id := d.account(t, ana.email).ID
	ada.verify()
	ada.post(accountPath+string(id)+"/end", "reason", "laptop stolen")
	p := ada.get(trailPath).is(200).titled("Activity log").
		says("Accounts Activity log", "Account created", anaEmail, adaEmail, "By: "+adaEmail, "Reason: laptop stolen", "By: root, with a command on the server", "Reason: for a test", "IP 192.0.2.1").
		offers(trailPath+"/export", trailPath+"/verify", accountPath+string(id))
	main := p.text("main")
	if newest, oldest := strings.Index(main, "laptop stolen"), strings.Index(main, "for a test"); newest < 0 || newest > oldest {
		t.Errorf("the newest is not first: %s", main)
	}
	if strings.Contains(main, "self") {
		t.Errorf("says who did something to themselves: %s", main)
	}
}

// Each event is on one page, and on one only.
func TestPagesOfTheLog(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	for i := range 110 {
		d.made(t, fmt.Sprintf("p%03d@example.com", i), "Person")
	}
	seen, pages := map[string]int{}, 0
	p := ada.get(trailPath).is(200).hides("Newest")
	for {
		pages++
		for n := range p.all("a") {
			if text := textOf(n); strings.HasPrefix(text, "p") && strings.HasSuffix(text, "@example.com") {
				seen[text]++
			}
		}
		at := slices.IndexFunc(p.links(), func(to string) bool { return strings.HasPrefix(to, trailPath+"?before=") })
		if at < 0 {
			break
		}
		p = ada.get(p.links()[at]).is(200).offers(trailPath)
	}
	if len(seen) != 110 || pages != 3 {
		t.Errorf("%d accounts on %d pages", len(seen), pages)
	}
	for login, n := range seen {
		if n != 1 {
			t.Errorf("%s is there %d times", login, n)
		}
	}
	for _, before := range []string{"x", "2026-11-23", "2026-11-23T12:00:00Z/a", "2026-11-23T12:00:00Z/a/b", "%00"} {
		ada.get(trailPath + "?before=" + before).is(404)
	}
	ada.get(trailPath + "?before=" + url.QueryEscape("2026-11-23T12:00:00Z")).is(200).hides("p000@example.com")
	ada.get(trailPath + "?before=" + url.QueryEscape("2001-01-01T00:00:00Z")).is(200).offers(trailPath)
}

func TestPagesOfTheEventsOfAnAccount(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada, ana := d.ada(t), d.anaWithApp(t)
	for range 30 {
		ana.verify()
	}
	account := accountPath + string(d.account(t, ana.email).ID)
	n := len(d.trailOf(t, d.account(t, ana.email).ID))
	first := ada.get(account).is(200).hides("Account created")
	second := ada.get(first.link(account+"?before=")).is(200).says("Account created", "Newest").hides("Devices and sessions", "Earlier").offers(account)
	lines := func(p *page) int { return strings.Count(p.body, "<li><p>") }
	if a, b := lines(first), lines(second); a != accountEvents || a+b != n {
		t.Errorf("%d and %d lines for %d events", a, b, n)
	}
	for _, before := range []string{"x", "-5", "0", "99999999999999999999"} {
		ada.get(account + "?before=" + before).is(200)
	}
}

// The export is all that there is, as the core gives it to the command.
func TestExport(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ada := d.ada(t)
	d.anaWithApp(t)
	ada.verify()
	p := ada.get(trailPath + "/export").is(200)
	if got := p.header.Get("Content-Disposition"); got != `attachment; filename="twinlatch-events-2026-11-23.jsonl"` {
		t.Errorf("Content-Disposition %q", got)
	}
	if got := p.header.Get("Content-Type"); got != "application/jsonl; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	want, err := d.env.AllEvents(t.Context(), twinlatch.Position{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var got []twinlatch.EventLine
	for lines := bufio.NewScanner(strings.NewReader(p.body)); lines.Scan(); {
		var line twinlatch.EventLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
	}
	if len(got) != len(want) || len(got) < 5 {
		t.Fatalf("%d lines for %d events", len(got), len(want))
	}
	for i, e := range want {
		if !reflect.DeepEqual(got[i], e.Line()) {
			t.Errorf("line %d is %+v, want %+v", i, got[i], e.Line())
		}
	}
	if p := ada.send(ada.request("HEAD", trailPath+"/export", "")).is(200); p.body != "" || p.header.Get("Content-Disposition") == "" {
		t.Error("HEAD answers something else")
	}
}

// lameStore gives few events at a time, and breaks when it is told to.
type lameStore struct {
	twinlatch.Store
	left int // pages until it breaks
}

func (s *lameStore) AllEvents(ctx context.Context, behind twinlatch.Position, n int) ([]twinlatch.Event, error) {
	if s.left--; s.left < 0 {
		return nil, errors.New("disk is gone")
	}
	return s.Store.AllEvents(ctx, behind, min(n, 2))
}

// An export that breaks midway cuts the connection: nobody takes a part for the
// whole. One that cannot begin is a page.
func TestExportThatBreaks(t *testing.T) {
	t.Parallel()
	store := new(lameStore)
	d := doorOn(t, twinlatchtest.Migrated(t), func(c *twinlatch.Config) {
		store.Store = c.Store
		c.Store = store
	})
	ada := d.ada(t)
	store.left = 0
	ada.get(trailPath + "/export").is(500).titled("That did not work")

	store.left = 2
	if !aborts(func() { ada.get(trailPath + "/export") }) {
		t.Error("the answer looks whole")
	}
	if log := d.log.String(); !strings.Contains(log, "download cut") || !strings.Contains(log, "disk is gone") {
		t.Errorf("the log says: %s", log)
	}
	store.left = 1000
	if n := strings.Count(ada.get(trailPath+"/export").is(200).body, "\n"); n < 3 {
		t.Errorf("%d lines in several pages", n)
	}
}

// aborts reports whether do cuts the connection.
func aborts(do func()) (cut bool) {
	defer func() {
		if p := recover(); p != nil {
			err, ok := p.(error)
			cut = ok && errors.Is(err, http.ErrAbortHandler)
		}
	}()
	do()
	return false
}

func TestVerifyTheLog(t *testing.T) {
	t.Parallel()
	database := twinlatchtest.Migrated(t)
	d := doorOn(t, database, nil)
	ada := d.ada(t)
	ana := d.account(t, d.anaWithApp(t).email)
	ada.verify()
	if err := d.env.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	ada.get(trailPath + "/verify").goes(trailPath)
	p := ada.post(trailPath+"/verify").is(200).titled("Verify the log").says("Nobody altered the log.", "Accounts 2", "Checkpoints 1", "Newest checkpoint 1:").
		offers(adminPath, trailPath)
	if n := strings.Count(p.body, `role="status"`); n != 1 {
		t.Errorf("%d notes", n)
	}

	behind := raw(t, database)
	if _, err := behind.ExecContext(t.Context(), `UPDATE events SET actor = 'somebody' WHERE account_id = $1 AND seq = 2`, string(ana.ID)); err != nil {
		t.Fatal(err)
	}
	ada.post(trailPath+"/verify").is(200).says("The log is not as it was written", anaEmail+": event 2 was altered or is missing.").hides("Nobody altered")
	for _, change := range []string{
		`UPDATE checkpoints SET at = at + 1`,
		`DELETE FROM events WHERE account_id = '` + string(ana.ID) + `' AND seq >= 3`,
		`PRAGMA foreign_keys = off; INSERT INTO events SELECT 'nobodynobodynobodynobodyno', seq, at, type, actor, detail, detail_digest, hash FROM events LIMIT 1`,
	} {
		if _, err := behind.ExecContext(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	ada.post(trailPath+"/verify").is(200).says("Checkpoint 1 was altered or is missing.", anaEmail+": event 2 was altered or is missing.", "nobodynobodynobodynobodyno: event 1 was altered or is missing.")
}

// Words for each kind of problem, and only the first hundred of them.
func TestProblemsHaveWords(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.account(t, d.ana(t).email).ID
	names := d.names(d.browser(t).request("GET", trailPath, ""))
	for problem, want := range map[error]string{
		&twinlatch.TamperError{Account: ana, Seq: 7}:                             anaEmail + "</bdi></b>: event 7 was altered or is missing.",
		fmt.Errorf("%w: and more", &twinlatch.TamperError{Account: ana, Seq: 7}): "no checkpoint holds event 7, though later ones exist.",
		&twinlatch.CheckpointError{Checkpoint: 3}:                                "Checkpoint 3 was altered or is missing.",
		&twinlatch.CheckpointError{Checkpoint: 3, Account: ana, Seq: 7}:          "event 7 is not the one that checkpoint 3 holds",
		&twinlatch.TamperError{Account: "nobodynobodynobodynobodyno", Seq: 1}:    "<b><bdi>nobodynobodynobodynobodyno</bdi></b>: event 1",
		errors.New("<something else>"):                                           "&lt;something else&gt;",
	} {
		if got := string(names.problem(problem)); !strings.Contains(got, want) {
			t.Errorf("%v: %q", problem, got)
		}
	}
}
