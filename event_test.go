package twinlatch_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// Each accepted change is one line, or one for each thing that it changed; what
// is refused or only read is none.
func TestEachChangeIsOneEvent(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com")
	var b *browser
	var second device
	var codes []twinlatch.Secret
	for _, row := range []struct {
		what   string
		do     func()
		events []twinlatch.EventType
	}{
		{"sign-in", func() { b = ann.signIn(home) }, []twinlatch.EventType{"signin.ok"}},
		{"a request", func() { b.passed() }, nil},
		{"a wrong password", func() {
			_, err := b.ConfirmPassword(ctx, b.passed().Enrolling(), twinlatch.NewSecret("wrong"), home)
			refused(t, err, twinlatch.ErrWrongPassword)
		}, nil},
		{"the password", func() {
			ann.ok(b.keep(b.ConfirmPassword(ctx, b.passed().Enrolling(), twinlatch.NewSecret(password), home)))
		}, []twinlatch.EventType{"password.confirmed"}},
		{"to begin", func() { b.beginning(nil) }, nil},
		{"the first factor", func() { ann.app = b.enroll("") }, []twinlatch.EventType{"factor.added", "twostep.on"}},
		{"the second factor", func() { second = b.enroll("second") }, []twinlatch.EventType{"factor.added"}},
		{"a new name", func() { ann.ok(b.RenameFactor(ctx, b.passed(), second.id, "new", home)) }, []twinlatch.EventType{"factor.renamed"}},
		{"to prefer", func() { ann.ok(b.PreferFactor(ctx, b.passed(), second.id, home)) }, []twinlatch.EventType{"factor.preferred"}},
		{"codes", func() { codes = b.backupCodes() }, []twinlatch.EventType{"backup.made"}},
		{"a fresh code", func() { ann.ok(b.answer(ann.newCode())) }, []twinlatch.EventType{"verify.ok"}},
		{"a used code", func() { refused(t, b.answer(ann.code()), twinlatch.ErrReplayed) }, []twinlatch.EventType{"verify.replay"}},
		{"a wrong code", func() { refused(t, b.answer(ann.wrongCode()), twinlatch.ErrWrongCode) }, []twinlatch.EventType{"verify.wrong"}},
		{"no code", func() {
			if b.answer("no code") == nil {
				t.Error("accepted")
			}
		}, nil},
		{"a backup code", func() { ann.ok(b.recover(codes[0])) }, []twinlatch.EventType{"recover.ok"}},
		{"a used backup code", func() { refused(t, b.recover(codes[0]), twinlatch.ErrWrongCode) }, []twinlatch.EventType{"recover.wrong"}},
		{"what recovery does not allow", func() { refused(t, b.TurnOff(ctx, b.passed(), home), twinlatch.ErrRecovered) }, nil},
		{"a code after that", func() { ann.ok(b.answer(ann.newCode())) }, []twinlatch.EventType{"verify.ok"}},
		{"half a sign-in", func() { ann.signIn(cafe) }, []twinlatch.EventType{"signin.first"}},
		{"a whole one", func() { ann.signInFully(cafe) }, []twinlatch.EventType{"signin.first", "verify.ok"}},
		{"another address", func() {
			b.from = cafe
			_, err := b.Ask(ctx, b.known(), "", cafe)
			ann.ok(err)
			_, err = b.Ask(ctx, b.known(), "", cafe)
			ann.ok(err)
			b.from = home
		}, []twinlatch.EventType{"verify.asked"}},
		{"to end one", func() {
			all, err := b.Sessions(ctx, b.passed())
			ann.ok(err)
			for _, s := range all {
				if s.ID != b.session().ID {
					ann.ok(b.EndSession(ctx, b.passed(), s.ID, home))
					return
				}
			}
		}, []twinlatch.EventType{"session.ended"}},
		{"to end the others", func() { ann.ok(b.EndOtherSessions(ctx, b.passed(), home)) }, []twinlatch.EventType{"session.others_ended"}},
		{"to remove one", func() { ann.ok(b.RemoveFactor(ctx, b.passed(), second.id, home)) }, []twinlatch.EventType{"factor.removed"}},
		{"to turn off", func() { ann.ok(b.TurnOff(ctx, b.passed(), home)) }, []twinlatch.EventType{"factor.removed", "twostep.off"}},
		{"to sign out", func() { ann.ok(b.SignOut(ctx, b.token, home)) }, []twinlatch.EventType{"session.signed_out"}},
		{"again", func() { ann.ok(b.SignOut(ctx, b.token, home)) }, nil},
	} {
		before := len(ann.trail())
		row.do()
		after := ann.types()[before:]
		if fmt.Sprint(after) != fmt.Sprint(row.events) {
			t.Errorf("%s: %v, want %v", row.what, after, row.events)
		}
	}
	for i, e := range ann.trail() {
		if e.Seq != int64(i+1) || e.Account != ann.account.ID || e.Actor != "self" || !e.Detail.IP.IsValid() || e.Detail.UserAgent != "Firefox" {
			t.Errorf("%+v", e)
		}
	}
	newest, err := ann.Store.NewestEvent(ctx)
	ann.ok(err)
	equal(t, "newest", newest, ann.Now())
}

func TestEventsComeInPages(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	for range 20 {
		ann.ok(ann.RenameFactor(ctx, ann.passed(), ann.app.id, "name", home))
	}
	seqs := func(before int64, n int) (all []int64) {
		page, err := ann.Events(ctx, ann.passed(), before, n)
		ann.ok(err)
		for _, e := range page {
			all = append(all, e.Seq)
		}
		return all
	}
	equal(t, "newest", seqs(0, 3), []int64{24, 23, 22})
	equal(t, "older", seqs(22, 3), []int64{21, 20, 19})
	equal(t, "the oldest", seqs(3, 1000), []int64{2, 1})
	equal(t, "none", len(seqs(1, 10))+len(seqs(0, 0))+len(seqs(0, -1))+len(seqs(-5, 10)), 0)
	equal(t, "all", len(seqs(0, 1<<40)), 24)
}

// What an attacker with the database may change, and where it is noticed.
func TestTamperingWithTheTrailIsFound(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	for _, from := range []twinlatch.Client{cafe, home6, nowhere} {
		ann.ok(ann.RenameFactor(ctx, ann.passed(), ann.app.id, "name <b>&\"' \ufffd 😀", from))
	}
	ann.ok(ann.RenameFactor(ctx, ann.operator(), ann.app.id, "name", nowhere))
	w := ann.world
	equal(t, "events", len(ann.trail()), 8)
	w.exec("CREATE TABLE kept_events AS SELECT * FROM events")
	w.exec("CREATE TABLE kept_accounts AS SELECT * FROM accounts")

	for _, row := range []struct {
		name    string
		queries string
		seq     int64 // of the event that is named; 0: it holds
	}{
		{"nothing", "SELECT 1", 0},
		{"the type edited", "UPDATE events SET type = 'signin.ok' WHERE seq = 3", 3},
		{"the actor edited", "UPDATE events SET actor = 'self' WHERE seq = 8", 8},
		{"the time edited", "UPDATE events SET at = at + 1 WHERE seq = 5", 5},
		{"the digest edited", "UPDATE events SET detail_digest = x'00' WHERE seq = 4", 4},
		{"the hash edited", "UPDATE events SET hash = x'00' WHERE seq = 4", 4},
		{"the last hash edited", "UPDATE events SET hash = x'00' WHERE seq = 8", 8},
		{"the address edited", `UPDATE events SET detail = replace(detail, '198.51.100.7', '192.0.2.1') WHERE seq = 5`, 5},
		{"the user agent edited", `UPDATE events SET detail = replace(detail, 'Firefox', 'Chrome') WHERE seq = 1`, 1},
		{"the reason edited", `UPDATE events SET detail = replace(detail, 'lost phone', 'stolen') WHERE seq = 8`, 8},
		{"the salt edited", `UPDATE events SET detail = '{"salt":"AAAA","ip":""}' WHERE seq = 7`, 7},
		{"detail from another event", `UPDATE events SET detail = (SELECT detail FROM events WHERE seq = 1) WHERE seq = 5`, 5},
		{"detail without its salt", `UPDATE events SET detail = '{"salt":null,"ip":"203.0.113.66","user_agent":"evil","more":{"kind":"totp"}}' WHERE seq = 5`, 5},
		{"detail of an address alone", `UPDATE events SET detail = '{"ip":"203.0.113.66"}' WHERE seq = 5`, 5},
		{"detail of a user agent alone", `UPDATE events SET detail = '{"ip":"","user_agent":"evil"}' WHERE seq = 5`, 5},
		{"detail of more alone", `UPDATE events SET detail = '{"ip":"","more":{"why":"evil"}}' WHERE seq = 5`, 5},
		{"detail erased", "UPDATE events SET detail = NULL WHERE seq = 5", 0},
		{"all detail erased", "UPDATE events SET detail = NULL", 0},
		{"the first deleted", "DELETE FROM events WHERE seq = 1", 1},
		{"one in the middle deleted", "DELETE FROM events WHERE seq = 5", 5},
		{"two in the middle deleted", "DELETE FROM events WHERE seq IN (4, 5)", 4},
		{"one deleted and the rest moved up", "DELETE FROM events WHERE seq = 5; UPDATE events SET seq = -seq; UPDATE events SET seq = CASE WHEN seq < -5 THEN -seq - 1 ELSE -seq END", 5},
		{"the newest cut off", "DELETE FROM events WHERE seq = 8", 8},
		{"the tail cut off", "DELETE FROM events WHERE seq > 4", 5},
		{"the tail cut off, and counted", "DELETE FROM events WHERE seq > 4; UPDATE accounts SET event_seq = 4", 5},
		{"all deleted", "DELETE FROM events", 1},
		{"two exchanged", "UPDATE events SET seq = -seq WHERE seq IN (4, 5); UPDATE events SET seq = 9 + seq WHERE seq < 0", 4},
		{"one added", "INSERT INTO events SELECT account_id, 9, at, type, actor, detail, detail_digest, hash FROM events WHERE seq = 8", 9},
		{"one added, and counted", "INSERT INTO events SELECT account_id, 9, at, type, actor, detail, detail_digest, hash FROM events WHERE seq = 8; UPDATE accounts SET event_seq = 9", 9},
		{"the head forgotten", "UPDATE accounts SET event_seq = 0, event_hash = ''", 1},
		{"the head's hash edited", "UPDATE accounts SET event_hash = x'00'", 9},
	} {
		for query := range strings.SplitSeq(row.queries, "; ") {
			w.exec(query)
		}
		err := w.VerifyEvents(ctx, ann.account.ID)
		var tamper *twinlatch.TamperError
		switch {
		case row.seq == 0 && err != nil:
			t.Errorf("%s: %v", row.name, err)
		case row.seq != 0 && !errors.As(err, &tamper):
			t.Errorf("%s is not found: %v", row.name, err)
		case row.seq != 0 && (tamper.Seq != row.seq || tamper.Account != ann.account.ID || !strings.Contains(err.Error(), string(ann.account.ID))):
			t.Errorf("%s: %v, want event %d", row.name, err, row.seq)
		}
		for _, table := range []string{"events", "accounts"} {
			w.exec("PRAGMA foreign_keys = 0")
			w.exec("DELETE FROM " + table)
			w.exec("INSERT INTO " + table + " SELECT * FROM kept_" + table)
		}
	}
}

func TestTheTrailsOfTwoPeopleAreTwoChains(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.protected("ann@example.com"), w.protected("bob@example.com")
	ann.trail()
	w.exec("UPDATE events SET account_id = 'x' || account_id WHERE seq = 3")
	if w.VerifyEvents(ctx, ann.account.ID) == nil || w.VerifyEvents(ctx, bob.account.ID) == nil {
		t.Error("an event of nobody")
	}
	w.exec("UPDATE events SET account_id = CASE account_id WHEN $1 THEN $2 ELSE $3 END WHERE seq = 3",
		"x"+string(ann.account.ID), string(bob.account.ID), string(ann.account.ID))
	var tamper *twinlatch.TamperError
	if err := w.VerifyEvents(ctx, ann.account.ID); !errors.As(err, &tamper) || tamper.Seq != 3 {
		t.Errorf("an event of somebody else: %v", err)
	}
	refused(t, w.VerifyEvents(ctx, "nobody"), twinlatch.ErrNotFound)
}

// Text from outside, of any kind, does not break the chain.
func TestAnyTextCanBeInTheTrail(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.person("ann@example.com")
		for _, text := range []string{"\xff\xfe", "\x00", "a\x00b", "\ufffd", "<b>&'\"\u2028\u2029", strings.Repeat("ä", 1000), "\x1b[2J", "{\"json\":1}", "😀", "\u202e"} {
			from := twinlatch.Client{IP: address("fe80::1%eth0"), UserAgent: text}
			_, _, err := w.StartSession(ctx, ann.account.ID, from)
			w.ok(err)
			w.ok(w.EndOtherSessions(ctx, twinlatch.OnBehalf(ann.account.ID, "admin:eve", text), from))
			ann.trail()
		}
		equal(t, "address", ann.last(twinlatch.EventSignedIn).Detail.IP, address("fe80::1"))
	})
}

func TestAppendingInParallelKeepsTheChain(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.person("ann@example.com")
		for _, err := range together(50, func(int) error {
			_, _, err := w.StartSession(ctx, ann.account.ID, home)
			return err
		}) {
			w.ok(err)
		}
		equal(t, "events", len(ann.trail()), 51)
		equal(t, "at", ann.trail()[50].At, twinlatchtest.Start())
	})
}
