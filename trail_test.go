package twinlatch_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/twinlatch/twinlatch"
)

// verified walks the trail and returns what it found.
func (w *world) verified() (sum twinlatch.Verified, problems []error) {
	w.t.Helper()
	sum, err := w.VerifyTrail(ctx, func(err error) { problems = append(problems, err) })
	w.ok(err)
	return sum, problems
}

// holds fails the test when anything is wrong with the trail.
func (w *world) holds() twinlatch.Verified {
	w.t.Helper()
	sum, problems := w.verified()
	if len(problems) > 0 {
		w.t.Fatalf("the trail: %v", problems)
	}
	return sum
}

func TestCheckpointsHoldWhatHasGrown(t *testing.T) {
	var log bytes.Buffer
	onBoth(t, func(t *testing.T, w *world) {
		log.Reset()
		w.ok(w.Checkpoint(ctx))
		equal(t, "checkpoints of nothing", w.holds().Checkpoints, 0)
		ann, bob := w.protected("ann@example.com"), w.protected("bob@example.com")
		w.ok(w.Checkpoint(ctx))
		w.ok(w.Checkpoint(ctx))
		sum := w.holds()
		equal(t, "sum", []int64{sum.Accounts, sum.Events, sum.Checkpoints}, []int64{2, int64(len(ann.trail()) + len(bob.trail())), 1})
		equal(t, "heads", len(sum.Last.Heads), 2)
		ann.backupCodes()
		w.holds() // what is new is in none yet
		for _, err := range together(10, func(int) error { return w.Checkpoint(ctx) }) {
			w.ok(err)
		}
		sum = w.holds()
		equal(t, "checkpoints", sum.Checkpoints, 2)
		equal(t, "heads", sum.Last.Heads[0].Account, ann.account.ID)
		w.ok(w.Holds(ctx, sum.Last.String()))
		if !strings.Contains(log.String(), "msg=checkpoint checkpoint="+sum.Last.String()+" chains=1\n") {
			t.Errorf("the log does not have %s:\n%s", sum.Last, &log)
		}
	}, func(c *twinlatch.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
}

func TestManyProcessesMakeOneChainOfCheckpoints(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		others := make([]*world, 8)
		for i := range others {
			others[i] = w.restarted(w.Keys)
		}
		for round := range 3 {
			for i := range 5 {
				w.person(fmt.Sprintf("p%d.%d@example.com", round, i))
			}
			for _, err := range together(len(others), func(i int) error { return others[i].Checkpoint(ctx) }) {
				w.ok(err)
			}
			w.ok(w.Checkpoint(ctx))
		}
		w.holds()
		grown, err := w.Store.Grown(ctx, 10)
		w.ok(err)
		equal(t, "grown", len(grown), 0)
	})
}

// More chains than one checkpoint has place for.
func TestManyChainsTakeSeveralCheckpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("ann@example.com")
	w.ok(w.Checkpoint(ctx))
	w.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
		INSERT INTO accounts (id, realm, login, display_name, locale, preferred, version, event_seq, event_hash, created_at, checkpoint_seq)
		SELECT 'x' || i, realm, i, display_name, locale, preferred, version, 0, x'', created_at, 1 FROM accounts, n`)
	w.ok(w.Checkpoint(ctx))
	all, err := w.Store.Checkpoints(ctx, 1, 100)
	w.ok(err)
	var heads []int
	for _, c := range all {
		heads = append(heads, len(c.Heads))
	}
	equal(t, "heads", heads, []int{1000, 1000, 500})
}

// forged is the hash that an attacker who knows this program, and not the keys,
// gives to an event.
func forged(prev []byte, account string, seq, at int64, eventType, actor string, digest []byte) []byte {
	h := sha256.New()
	field := func(b []byte) { h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b)))); h.Write(b) }
	number := func(n int64) { h.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) }
	field(prev)
	field([]byte(account))
	number(seq)
	number(at)
	field([]byte(eventType))
	field([]byte(actor))
	field(digest)
	return h.Sum(nil)
}

// chainAnew makes good chains of whatever lies in the table of events.
func (w *world) chainAnew() {
	w.t.Helper()
	rows, err := w.database().Query("SELECT account_id, seq, at, type, actor, detail_digest FROM events ORDER BY account_id, seq")
	w.ok(err)
	type link struct {
		account string
		old     int64
		seq     int64
		hash    []byte
	}
	var all []link
	for rows.Next() {
		var l link
		var at int64
		var eventType, actor string
		var digest []byte
		w.ok(rows.Scan(&l.account, &l.old, &at, &eventType, &actor, &digest))
		l.seq = 1
		var prev []byte
		if n := len(all); n > 0 && all[n-1].account == l.account {
			l.seq, prev = all[n-1].seq+1, all[n-1].hash
		}
		l.hash = forged(prev, l.account, l.seq, at, eventType, actor, digest)
		all = append(all, l)
	}
	w.ok(rows.Close())
	w.exec("PRAGMA foreign_keys = 0")
	w.exec("UPDATE accounts SET event_seq = 0, event_hash = x''")
	for _, l := range all {
		w.exec("UPDATE events SET seq = $1, hash = $2 WHERE account_id = $3 AND seq = $4", l.seq, l.hash, l.account, l.old)
		w.exec("UPDATE accounts SET event_seq = $1, event_hash = $2 WHERE id = $3", l.seq, l.hash, l.account)
	}
}

// keep and putBack bring the trail back to where it was.
func (w *world) keep() {
	for _, table := range []string{"events", "accounts", "checkpoints"} {
		w.exec("CREATE TABLE kept_" + table + " AS SELECT * FROM " + table)
	}
}

func (w *world) putBack() {
	w.exec("PRAGMA foreign_keys = 0")
	for _, table := range []string{"events", "accounts", "checkpoints"} {
		w.exec("DELETE FROM " + table)
		w.exec("INSERT INTO " + table + " SELECT * FROM kept_" + table)
	}
}

// Who can write the database can write whole new chains, but no checkpoints.
func TestANewChainIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.protected("ann@example.com"), w.protected("bob@example.com")
	w.ok(w.Checkpoint(ctx))
	ann.backupCodes() // event 5, in the second checkpoint
	bob.backupCodes()
	w.ok(w.Checkpoint(ctx))
	w.later(2 * 60 * minute)
	w.ok(w.EndOtherSessions(ctx, ann.operator(), home)) // 6, in the third; Bob's chain has not grown
	w.ok(w.Checkpoint(ctx))
	w.holds()
	w.chainAnew()
	w.holds() // the attacker's hashes are ours
	w.keep()

	a := string(ann.account.ID)
	for _, row := range []struct {
		name, queries string
		anew          bool   // hashed and counted anew
		want          string // a problem that is found
	}{
		{"nothing", "SELECT 1", true, ""},
		{"detail erased", "UPDATE events SET detail = NULL", true, ""},
		{"an edit", "UPDATE events SET actor = 'self' WHERE seq = 5 AND account_id = '" + a + "'; UPDATE events SET type = 'signin.ok' WHERE seq = 5 AND account_id = '" + a + "'", true,
			"event " + a + "/5 is not the one that checkpoint 2 holds"},
		{"an edit of the first", "UPDATE events SET at = at - 1 WHERE seq = 1 AND account_id = '" + a + "'", true,
			"event " + a + "/4 is not the one that checkpoint 1 holds"},
		{"one cut out", "DELETE FROM events WHERE seq = 2 AND account_id = '" + a + "'", true,
			"event " + a + "/4 is not the one that checkpoint 1 holds"},
		{"the newest cut off", "DELETE FROM events WHERE seq = 6 AND account_id = '" + a + "'", true,
			"event " + a + "/6 is not the one that checkpoint 3 holds"},
		{"all cut off", "DELETE FROM events WHERE account_id = '" + a + "'", true,
			"event " + a + "/4 is not the one that checkpoint 1 holds"},
		{"the account deleted", "DELETE FROM events WHERE account_id = '" + a + "'; DELETE FROM accounts WHERE id = '" + a + "'", true,
			"event " + a + "/4 is not the one that checkpoint 1 holds"},
		{"only the account deleted", "DELETE FROM accounts WHERE id = '" + a + "'", false,
			"event " + a + "/1 was altered or is missing"},
		{"checkpoints deleted", "DELETE FROM checkpoints", false, "checkpoint 1 was altered or is missing"},
		{"the first deleted", "DELETE FROM checkpoints WHERE seq = 1", false, "checkpoint 1 was altered or is missing"},
		{"the second deleted", "DELETE FROM checkpoints WHERE seq = 2", false, "checkpoint 2 was altered or is missing"},
		{"the last deleted", "DELETE FROM checkpoints WHERE seq = 3", false, "checkpoint 3 was altered or is missing"},
		{"its time edited", "UPDATE checkpoints SET at = at + 1 WHERE seq = 2", false, "checkpoint 2 was altered or is missing"},
		{"its MAC edited", "UPDATE checkpoints SET mac = x'00' WHERE seq = 3", false, "checkpoint 3 was altered or is missing"},
		{"its heads edited", "UPDATE checkpoints SET heads = '[]' WHERE seq = 1", false, "checkpoint 1 was altered or is missing"},
		{"its heads no heads", "UPDATE checkpoints SET heads = 'x' WHERE seq = 1", false, "checkpoint 1 was altered or is missing"},
		{"one added", "INSERT INTO checkpoints SELECT 4, at, heads, mac FROM checkpoints WHERE seq = 3", false, "checkpoint 4 was altered or is missing"},
		{"two exchanged", "UPDATE checkpoints SET seq = -seq WHERE seq < 3; UPDATE checkpoints SET seq = 3 + seq WHERE seq < 0", false, "checkpoint 1 was altered or is missing"},
		{"a chain kept out of them", "DELETE FROM checkpoints WHERE seq > 1; UPDATE accounts SET checkpoint_seq = 4", false, ""}, // see Holds
	} {
		for query := range strings.SplitSeq(row.queries, "; ") {
			w.exec(query)
		}
		if row.anew {
			w.chainAnew()
		}
		_, problems := w.verified()
		switch {
		case row.want == "" && len(problems) > 0:
			t.Errorf("%s: %v", row.name, problems)
		case row.want != "" && !slices.ContainsFunc(problems, func(err error) bool { return strings.HasPrefix(err.Error(), row.want) }):
			t.Errorf("%s: %v, want %s", row.name, problems, row.want)
		}
		w.putBack()
	}
	w.holds()
}

// A chain that no checkpoint takes up is noticed as soon as there are later ones.
func TestAChainThatIsKeptOutOfCheckpointsIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.protected("ann@example.com")
	w.ok(w.Checkpoint(ctx))
	ann.backupCodes()
	w.exec("UPDATE accounts SET checkpoint_seq = event_seq")
	w.later(30 * minute)
	w.person("bob@example.com")
	w.ok(w.Checkpoint(ctx))
	_, problems := w.verified()
	var lies *twinlatch.CheckpointError
	if len(problems) != 1 || !errors.As(problems[0], &lies) || lies.Checkpoint != 3 {
		t.Errorf("the account says that a checkpoint has it: %v", problems)
	}
	w.exec("UPDATE accounts SET checkpoint_seq = 4 WHERE id = $1", string(ann.account.ID))
	w.holds() // it may just have been written
	w.later(60 * minute)
	w.exec("UPDATE accounts SET checkpoint_seq = event_seq WHERE id = $1", string(ann.account.ID))
	w.person("eve@example.com")
	w.ok(w.Checkpoint(ctx))
	w.exec("UPDATE accounts SET checkpoint_seq = 4 WHERE id = $1", string(ann.account.ID))
	_, problems = w.verified()
	var tamper *twinlatch.TamperError
	if len(problems) != 1 || !errors.As(problems[0], &tamper) || tamper.Seq != 5 || tamper.Account != ann.account.ID {
		t.Errorf("an old event that none holds: %v", problems)
	}
}

// A database that goes back to what it was, checkpoints and all, is known by the
// log, and by the processes that were there.
func TestATrailThatWentBackIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.protected("ann@example.com")
	w.ok(w.Checkpoint(ctx))
	first := w.holds().Last.String()
	w.keep()
	ann.backupCodes()
	w.ok(w.Checkpoint(ctx))
	second := w.holds().Last.String()
	w.ok(w.Holds(ctx, first))
	w.ok(w.Holds(ctx, second))

	w.putBack()
	w.holds()
	w.ok(w.Holds(ctx, first))
	var gone *twinlatch.CheckpointError
	if err := w.Holds(ctx, second); !errors.As(err, &gone) || gone.Checkpoint != 2 {
		t.Errorf("a checkpoint that is gone: %v", err)
	}
	if err := w.Checkpoint(ctx); !errors.As(err, &gone) || gone.Checkpoint != 2 {
		t.Errorf("by the process that made it: %v", err)
	}
	again := w.restarted(w.Keys)
	ann.world = again
	w.later(step)
	ann.backupCodes()
	w.ok(again.Checkpoint(ctx))
	if err := w.Holds(ctx, second); !errors.As(err, &gone) {
		t.Errorf("another one in its place: %v", err)
	}
	if err := w.Checkpoint(ctx); !errors.As(err, &gone) || gone.Checkpoint != 2 {
		t.Errorf("another one in its place, by the process that made the first: %v", err)
	}
	for _, text := range []string{"", "1", "x:", "0:", "-1:a"} {
		if err := w.Holds(ctx, text); err == nil || !strings.Contains(err.Error(), "no checkpoint of the log") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// rowsBySeq are the events of each account, as text. Erased detail is no change.
func (w *world) rowsBySeq() map[string]map[int64]string {
	w.t.Helper()
	rows, err := w.database().Query(`SELECT account_id, seq,
		quote(at) || quote(type) || quote(actor) || quote(detail) || quote(detail_digest) || quote(hash) FROM events`)
	w.ok(err)
	all := map[string]map[int64]string{}
	for rows.Next() {
		var account, text string
		var seq int64
		w.ok(rows.Scan(&account, &seq, &text))
		if all[account] == nil {
			all[account] = map[int64]string{}
		}
		all[account][seq] = text
	}
	w.ok(rows.Close())
	return all
}

// firstChanges names, for each account, the first event that is not as it was.
func firstChanges(before, after map[string]map[int64]string) map[string]int64 {
	first := map[string]int64{}
	for _, side := range []map[string]map[int64]string{before, after} {
		for account, rows := range side {
			for seq := range rows {
				if before[account][seq] != after[account][seq] && (first[account] == 0 || seq < first[account]) {
					first[account] = seq
				}
			}
		}
	}
	return first
}

// Whatever is edited, deleted, moved or cut off: each account's first event that
// is not as it was is named, and nobody else's. When the attacker makes good
// chains of it, checkpoints tell.
func TestAnyTamperingIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var accounts []string
	for _, login := range []string{"ann@example.com", "bob@example.com", "eve@example.com"} {
		p := w.protected(login)
		p.backupCodes()
		w.ok(w.Checkpoint(ctx))
		w.ok(p.RenameFactor(ctx, p.passed(), p.app.id, "name", home))
		accounts = append(accounts, string(p.account.ID))
	}
	w.ok(w.Checkpoint(ctx))
	w.holds()
	w.keep()
	before := w.rowsBySeq()
	const events = 6 // of each

	rapid.Check(t, func(t *rapid.T) {
		defer w.putBack()
		account := rapid.SampledFrom(accounts)
		seq := rapid.Int64Range(1, events)
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			at := fmt.Sprintf(" WHERE account_id = '%s' AND seq = %d", account.Draw(t, "account"), seq.Draw(t, "seq"))
			other := fmt.Sprintf(" WHERE account_id = '%s' AND seq = %d", account.Draw(t, "another"), seq.Draw(t, "another seq"))
			queries := rapid.SampledFrom([][]string{
				{"UPDATE events SET type = 'signin.ok'" + at},
				{"UPDATE events SET actor = actor || 'x'" + at},
				{"UPDATE events SET at = at + 1" + at},
				{"UPDATE events SET detail_digest = x'00'" + at},
				{"UPDATE events SET hash = randomblob(32)" + at},
				{`UPDATE events SET detail = '{"ip":"203.0.113.66"}'` + at},
				{"UPDATE events SET detail = 'no JSON'" + at},
				{"UPDATE events SET detail = replace(detail, 'Firefox', 'Chrome')" + at},
				{"UPDATE events SET detail = (SELECT detail FROM events" + other + ")" + at + " AND (SELECT detail FROM events" + other + ") IS NOT NULL"},
				{"DELETE FROM events" + at},
				{"DELETE FROM events" + strings.Replace(at, "seq =", "seq >=", 1)},
				{"DELETE FROM events" + strings.Replace(at, "seq =", "seq <=", 1)},
				{"UPDATE events SET type = (SELECT type FROM events" + other + "), hash = (SELECT hash FROM events" + other + ")" + at + " AND EXISTS (SELECT 1 FROM events" + other + ")"},
				{"UPDATE OR IGNORE events SET account_id = 'stray'" + at},
				{"UPDATE OR IGNORE events SET seq = seq + 1" + at},
				{"INSERT OR IGNORE INTO events SELECT account_id, 7, at, type, actor, detail, detail_digest, hash FROM events" + at},
			}).Draw(t, "change")
			for _, query := range queries {
				w.exec(query)
			}
		}
		changed := firstChanges(before, w.rowsBySeq())
		smart := rapid.Bool().Draw(t, "chained anew")
		if smart {
			w.exec("DELETE FROM events WHERE account_id = 'stray'")
			w.exec("UPDATE events SET detail = NULL")
			w.chainAnew()
			changed = firstChanges(before, w.rowsBySeq()) // for an edit back and forth
		}
		_, problems := w.verified()
		named := map[string]int64{}
		held := map[string]bool{}
		for _, err := range problems {
			var tamper *twinlatch.TamperError
			var checkpoint *twinlatch.CheckpointError
			switch {
			case errors.As(err, &tamper):
				named[string(tamper.Account)] = tamper.Seq
			case errors.As(err, &checkpoint):
				held[string(checkpoint.Account)] = true
			default:
				t.Fatalf("a problem without a name: %v", err)
			}
		}
		if smart {
			for account := range changed {
				if rows := w.rowsBySeq()[account]; !held[account] && !onlyErased(before[account], rows) {
					t.Errorf("%s is not found: %v", account, problems)
				}
			}
			return
		}
		if !maps.Equal(named, changed) {
			t.Errorf("named %v, changed %v", named, changed)
		}
		for account := range held {
			if changed[account] == 0 {
				t.Errorf("%s was not changed: %v", account, problems)
			}
		}
	})
}

// onlyErased compares without detail: the hash covers all the rest.
func onlyErased(before, after map[int64]string) bool {
	hashes := func(rows map[int64]string) (all []string) {
		for _, seq := range slices.Sorted(maps.Keys(rows)) {
			text := rows[seq]
			all = append(all, text[strings.LastIndex(text, "X'"):])
		}
		return all
	}
	old, now := hashes(before), hashes(after)
	// What was added behind the last one is a new event, as far as anyone can tell.
	return len(now) >= len(old) && slices.Equal(old, now[:len(old)])
}

func TestAllEventsComeInOneOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		bob := w.person("bob@example.com")
		var have []twinlatch.EventType
		for behind := (twinlatch.Position{}); ; {
			page, err := w.AllEvents(ctx, behind, 2)
			w.ok(err)
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				have = append(have, e.Type)
				if p := e.Position(); p.At.Before(behind.At) {
					t.Errorf("%v comes after %v", p, behind)
				}
				behind = e.Position()
			}
		}
		want := append(ann.types(), bob.types()...)
		equal(t, "events", have, want)
		page, err := w.AllEvents(ctx, twinlatch.Position{}, 1<<40)
		w.ok(err)
		equal(t, "all", len(page), len(want))
		newest, err := w.NewestEvent(ctx)
		w.ok(err)
		equal(t, "newest", newest, w.Now())
	})
}
