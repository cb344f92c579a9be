package sqlstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

const writers = 4 // accounts that a child process writes to at once

// What was acknowledged survives kill -9, and of a transaction that was not,
// all is there or nothing.
func TestKillNine(t *testing.T) {
	for name, database := range map[string]string{"sqlite": twinlatchtest.SQLite(t), "postgres": twinlatchtest.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			for _, lines := range []int{1, 2, 3, 5, 8, 13, 21, 34, 55, 89} {
				acknowledged := startWriter(t, database, 1_000_000).killAfter(t, lines)
				s, err := sqlstore.Open(t.Context(), database)
				if err != nil {
					t.Fatal(err)
				}
				for w := range writers {
					n := written(t, s, accountID(w))
					if last := acknowledged[w]; n < last || last > 0 && n > last+1 {
						t.Errorf("after %d lines: account %d has %d, acknowledged was %d", lines, w, n, last)
					}
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Two handles here and a process there write to one file.
func TestManyWritersOfOneFile(t *testing.T) {
	const rounds = 100
	database := twinlatchtest.SQLite(t)
	first, second := open(t, database), open(t, database)
	child := startWriter(t, database, rounds)
	errs := make(chan error)
	for i, s := range []*sqlstore.Store{first, second} {
		id := accountID(writers + i)
		go func() {
			errs <- write(t.Context(), s, id, rounds, func(int64) {
				_, err := second.AccountByLogin(t.Context(), "", string(id))
				if err != nil {
					t.Error(err)
				}
			})
		}()
	}
	if err := errors.Join(<-errs, <-errs, child.Wait()); err != nil {
		t.Fatal(err)
	}
	for w := range writers + 2 {
		if n := written(t, first, accountID(w)); n != rounds {
			t.Errorf("account %d has %d, want %d", w, n, rounds)
		}
	}
}

// written checks that all that write writes to an account is of one number,
// and returns it.
func written(t *testing.T, s *sqlstore.Store, id twinlatch.AccountID) (n int64) {
	t.Helper()
	err := s.View(t.Context(), id, func(v twinlatch.View) error {
		var hash []byte
		var err error
		if n, hash, err = v.Head(); errors.Is(err, twinlatch.ErrNotFound) {
			return nil
		}
		want := strconv.FormatInt(n, 10)
		password, err1 := v.Password()
		sessions, err2 := v.Sessions(time.Time{})
		codes, err3 := v.BackupCodes()
		events, err4 := v.Events(0, int(n)+1)
		if err := errors.Join(err, err1, err2, err3, err4); err != nil {
			return err
		}
		if string(hash) != want || string(password.Text) != want || string(codes.Salt) != want || codes.Left != 2 ||
			len(sessions) != 1 || string(sessions[0].ID) != want || int64(len(events)) != n {
			t.Errorf("half a transaction: head %q, password %q, codes %+v, sessions %v, %d events; want %s of each",
				hash, password.Text, codes, sessions, len(events), want)
		}
		for i, e := range events {
			if e.Seq != n-int64(i) {
				t.Errorf("event %d is %d", n-int64(i), e.Seq)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// write writes transactions with growing numbers to an account until its number
// is rounds, and calls acknowledge after each.
func write(ctx context.Context, s *sqlstore.Store, id twinlatch.AccountID, rounds int64, acknowledge func(n int64)) error {
	for {
		var n int64
		err := s.Tx(ctx, id, func(tx twinlatch.Tx) error {
			seq, _, err := tx.Head()
			if errors.Is(err, twinlatch.ErrNotFound) {
				err = tx.InsertAccount(twinlatch.Account{ID: id, Login: string(id)})
				if errors.Is(err, twinlatch.ErrExists) { // another process was faster
					err = nil
				}
			}
			if err == nil {
				err = tx.Lock()
			}
			if err == nil {
				seq, _, err = tx.Head()
			}
			if err != nil {
				return err
			}
			n = seq + 1
			if n > rounds {
				return nil
			}
			text := []byte(strconv.FormatInt(n, 10))
			_, err = tx.DeleteSessions("")
			return errors.Join(err,
				tx.PutPassword(twinlatch.Sealed{Text: text}, time.Time{}),
				tx.InsertSession(twinlatch.Session{Account: id, ID: twinlatch.SessionID(text), ExpiresAt: time.Unix(0, 0)}, text),
				tx.ReplaceBackupCodes(text, [][]byte{text, []byte(string(text) + "b")}, time.Time{}),
				tx.Append(twinlatch.Event{Account: id, Seq: n, Hash: text}))
		})
		if err != nil {
			return err
		}
		if n > rounds {
			return nil
		}
		acknowledge(n)
	}
}

// writer is a child process that runs TestWriterProcess.
type writer struct {
	*exec.Cmd
	out io.Reader
}

const writerVariable = "TWINLATCH_TEST_WRITER"

func startWriter(t *testing.T, database string, rounds int64) *writer {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestWriterProcess$")
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", writerVariable, rounds, database))
	child.Stderr = os.Stderr
	w := &writer{Cmd: child}
	var err error
	if rounds > 1000 { // to be killed
		if w.out, err = child.StdoutPipe(); err != nil {
			t.Fatal(err)
		}
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	return w
}

// killAfter kills the process when it has acknowledged so many transactions,
// and returns the last acknowledged number of each account.
func (w *writer) killAfter(t *testing.T, lines int) (last [writers]int64) {
	t.Helper()
	in := bufio.NewScanner(w.out)
	for n := 1; in.Scan(); n++ {
		var account int
		var number int64
		if _, err := fmt.Sscan(in.Text(), &account, &number); err != nil {
			t.Errorf("line %q: %v", in.Text(), err)
		} else {
			last[account] = number
		}
		if n == lines {
			if err := w.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	_ = w.Wait() // it was killed
	return last
}

// TestWriterProcess does nothing but in the child processes of the tests above.
func TestWriterProcess(t *testing.T) {
	var rounds int64
	var database string
	if _, err := fmt.Sscan(os.Getenv(writerVariable), &rounds, &database); err != nil {
		return
	}
	s := open(t, database)
	if err := s.CheckKeys(t.Context(), map[string][]byte{"k1": {1}}); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	for w := range writers {
		go func() {
			errs <- write(t.Context(), s, accountID(w), rounds, func(n int64) { // one system call a line
				_, _ = os.Stdout.WriteString(fmt.Sprintf("%d %d\n", w, n))
			})
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
