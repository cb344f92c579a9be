package bench

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
)

// known is how many of the sessions of a large site the benchmark has the tokens of.
const known = 1000

// fill adds accounts like the one that is there, each with a factor, a session and a token
// of an app's host, until there are so many sessions, and returns the tokens of some.
func (s *site) fill(b testing.TB, sessions int) (tokens []string) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+s.path("db")+"?_pragma=synchronous(OFF)")
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	defer db.Close()
	exec := func(query string, args ...any) {
		b.Helper()
		if _, err := db.Exec(query, args...); err != nil {
			b.Fatalf("%v: %s", err, query)
		}
	}
	ids := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	id := func() string {
		var raw [16]byte
		_, _ = rand.Read(raw[:])
		return ids.EncodeToString(raw[:])
	}
	var ours string
	if err := db.QueryRow(`SELECT id FROM accounts`).Scan(&ours); err != nil {
		b.Fatal(err)
	}
	exec(`CREATE TEMP TABLE fresh (account TEXT, session TEXT, hash BLOB)`)
	exec("BEGIN")
	for range known {
		account, session := id(), id()
		var raw [32]byte
		_, _ = rand.Read(raw[:])
		secret := base64.RawURLEncoding.EncodeToString(raw[:])
		hash := sha256.Sum256([]byte(secret))
		exec(`INSERT INTO fresh VALUES (?, ?, ?)`, account, session, hash[:])
		token, err := twinlatch.ParseToken(account + "." + session + "." + secret)
		if err != nil {
			b.Fatal(err)
		}
		tokens = append(tokens, token.Reveal())
	}
	exec("COMMIT")
	exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO fresh SELECT lower(hex(randomblob(13))), lower(hex(randomblob(13))), randomblob(32) FROM n LIMIT ?`, max(1, sessions-known), max(0, sessions-known))
	for _, table := range []struct{ name, where, replaced string }{
		{"accounts", "t.id = ?", "id = f.account, login = f.account, event_seq = t.checkpoint_seq"},
		{"factors", "t.account_id = ?", "account_id = f.account"},
		{"sessions", "t.account_id = ?", "account_id = f.account, id = f.session"},
		{"session_hosts", "t.account_id = ?", "account_id = f.account, session_id = f.session, secret_hash = f.hash"},
	} {
		exec("INSERT INTO "+table.name+" SELECT "+columns(b, db, table.name, table.replaced)+" FROM (SELECT * FROM fresh ORDER BY account) AS f, "+
			table.name+" AS t WHERE "+table.where, ours)
	}
	var all int
	if err := db.QueryRow(`SELECT COUNT(*) FROM session_hosts`).Scan(&all); err != nil || all < sessions {
		b.Fatalf("%d sessions, %v", all, err)
	}
	exec("ANALYZE")
	exec("PRAGMA wal_checkpoint(TRUNCATE)")
	return tokens
}

// columns are those of a table t, some of them replaced: "id = f.account".
func columns(b testing.TB, db *sql.DB, table, replaced string) string {
	b.Helper()
	with := map[string]string{}
	for _, r := range strings.Split(replaced, ", ") {
		name, by, _ := strings.Cut(r, " = ")
		with[name] = by
	}
	rows, err := db.Query(`SELECT name FROM pragma_table_info(?) ORDER BY cid`, table)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			b.Fatal(err)
		}
		all = append(all, cmp.Or(with[name], "t."+name))
	}
	return strings.Join(all, ", ")
}

// stale has every process on the database read again what it kept, as a change of each
// account does.
func (s *site) stale(b testing.TB, round int) {
	b.Helper()
	f, err := os.OpenFile(s.path("db-changes"), os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var counters []byte
	for range 4096 {
		counters = binary.NativeEndian.AppendUint64(counters, uint64(1_000_000_000+round))
	}
	if _, err := f.WriteAt(counters, 0); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCheckGrowth is a check among a thousand sessions and among a million: of one
// that is kept in memory (hit), and of one that has to be read (miss). Wanted: at most 1.15
// and 1.4 times as many instructions.
func BenchmarkCheckGrowth(b *testing.B) {
	if _, err := exec.LookPath("valgrind"); err != nil {
		b.Fatal("valgrind is missing; Debian calls its package valgrind")
	}
	for b.Loop() {
		var hit, miss [2]float64
		for i, sessions := range []int{1000, 1_000_000} {
			s := newSite(b)
			tokens := s.fill(b, sessions)
			hit[i] = s.instructions(b, false)
			round := 0
			miss[i] = s.instructionsOf(b, false, func(address string, n int) {
				s.sendAll(b, address, n, func(i int) []byte {
					if i%known == 0 {
						round++
						s.stale(b, round)
					}
					return question(tokens[i%known])
				})
			})
		}
		b.ReportMetric(hit[0], "hit-instr-1k")
		b.ReportMetric(hit[1]/hit[0], "x-hit-1M")
		b.ReportMetric(miss[0], "miss-instr-1k")
		b.ReportMetric(miss[1]/miss[0], "x-miss-1M")
	}
	b.ReportMetric(0, "ns/op")
}
