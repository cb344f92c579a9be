package sqlstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// No answer outlives a revocation: once the call that ends a session has returned, no
// check that begins later finds it, in any process on the database. Three processes
// check the same sessions all the time, so that each has them in memory, one of them
// is stopped again and again, and each session that was ended is asked for everywhere.
func TestNoCheckOutlivesARevocation(t *testing.T) {
	for name, revocations := range map[string]int{"sqlite": 10_000, "postgres": 1_000} { // which keeps nothing in memory
		revocations /= detector
		database := databases()[name]
		t.Run(name, func(t *testing.T) {
			url := database(t)
			s := open(t, url)
			id := twinlatch.AccountID("ann")
			now := time.Unix(1_000_000_000, 0)
			err := s.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
				return tx.InsertAccount(twinlatch.Account{ID: id, Login: "ann", CreatedAt: now})
			})
			if err != nil {
				t.Fatal(err)
			}
			others := []*checker{newChecker(t, url), newChecker(t, url)}
			paused := others[1]
			passed, hits := 0, 0
			for n := range revocations {
				session := twinlatch.SessionID(fmt.Sprintf("session-%d", n))
				err := s.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
					return errors.Join(
						tx.InsertSession(twinlatch.Session{Account: id, ID: session, ExpiresAt: now.Add(time.Hour)}, []byte("hash")),
						tx.PutHost(session, "app.example.com", []byte("hash"), now))
				})
				if err != nil {
					t.Fatal(err)
				}
				for range 2 { // from the database, then from memory
					hits += here(t, s, id, session)
					for _, o := range others {
						hits += o.ask(id, session)
					}
				}
				stop := n%100 == 99 // and while it is stopped it hears of nothing
				if stop {
					paused.signal(syscall.SIGSTOP)
				}
				err = s.Tx(t.Context(), id, func(tx twinlatch.Tx) error { return tx.DeleteSession(session) })
				if err != nil {
					t.Fatal(err)
				}
				if stop {
					paused.signal(syscall.SIGCONT)
				}
				passed += here(t, s, id, session)
				for _, o := range others {
					passed += o.ask(id, session)
				}
			}
			if want := revocations * 2 * 3 * 2; hits != want {
				t.Errorf("%d checks passed before, want %d", hits, want)
			}
			if passed != 0 {
				t.Errorf("%d checks passed after %d revocations", passed, revocations)
			}
		})
	}
}

// It holds for processes that know the file by other names, and the file of the counters
// belongs to who owns the database, so that a command of root locks no server out.
func TestNoCheckOutlivesARevocationUnderAnotherName(t *testing.T) {
	url := twinlatchtest.SQLite(t)
	file := strings.TrimPrefix(url, "sqlite:")
	open(t, url).Close()
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Chown(file, 65534, 65534), os.Remove(file+"-changes")); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	s, other := open(t, url), open(t, "sqlite:"+link)
	owner, err := os.Stat(file)
	counters, err2 := os.Stat(file + "-changes")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if want, got := owner.Sys().(*syscall.Stat_t).Uid, counters.Sys().(*syscall.Stat_t).Uid; got != want || counters.Mode() != 0o600 {
		t.Errorf("the counters are of %d with %v, the database is of %d", got, counters.Mode(), want)
	}
	id, session := twinlatch.AccountID("ann"), twinlatch.SessionID("session")
	now := time.Unix(1_000_000_000, 0)
	err = s.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
		return errors.Join(
			tx.InsertAccount(twinlatch.Account{ID: id, Login: "ann", CreatedAt: now}),
			tx.InsertSession(twinlatch.Session{Account: id, ID: session, ExpiresAt: now.Add(time.Hour)}, []byte("hash")))
	})
	if err != nil || here(t, other, id, session) != 1 {
		t.Fatal("a session is not found", err)
	}
	if err := s.Tx(t.Context(), id, func(tx twinlatch.Tx) error { return tx.DeleteSession(session) }); err != nil {
		t.Fatal(err)
	}
	if here(t, other, id, session) != 0 {
		t.Error("a check passed")
	}
}

// here is how many of both reads of a check find a session.
func here(t testing.TB, s *sqlstore.Store, id twinlatch.AccountID, session twinlatch.SessionID) (found int) {
	_, err := s.Session(context.Background(), id, session)
	_, errHost := s.Hosted(context.Background(), id, session, "app.example.com")
	for _, err := range []error{err, errHost} {
		switch {
		case err == nil:
			found++
		case !errors.Is(err, twinlatch.ErrNotFound):
			t.Error(err)
		}
	}
	return found
}

// checker is another process on the database.
type checker struct {
	t       *testing.T
	process *os.Process
	in      *bufio.Writer
	out     *bufio.Reader
}

const checkerEnv = "SQLSTORE_TEST_CHECKER"

func newChecker(t *testing.T, database string) *checker {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestCheckerProcess$")
	cmd.Env = append(os.Environ(), checkerEnv+"="+database)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Wait()
	})
	return &checker{t, cmd.Process, bufio.NewWriter(in), bufio.NewReader(out)}
}

func (c *checker) signal(s os.Signal) {
	if err := c.process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *checker) ask(id twinlatch.AccountID, session twinlatch.SessionID) (found int) {
	fmt.Fprintf(c.in, "%s %s\n", id, session)
	if err := c.in.Flush(); err != nil {
		c.t.Fatal(err)
	}
	if _, err := fmt.Fscanln(c.out, &found); err != nil {
		c.t.Fatal(err)
	}
	return found
}

// TestCheckerProcess is no test: it is the other process.
func TestCheckerProcess(t *testing.T) {
	database := os.Getenv(checkerEnv)
	if database == "" {
		return
	}
	s, err := sqlstore.Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		id, session, _ := strings.Cut(lines.Text(), " ")
		fmt.Println(here(t, s, twinlatch.AccountID(id), twinlatch.SessionID(session)))
	}
	os.Exit(0)
}

// The same under load in one process: goroutines fill the memory from reads that began
// before a session ended, while it ends.
func TestNoCheckOutlivesARevocationUnderLoad(t *testing.T) {
	const sessions, revocations = 8, 2_000
	s := open(t, twinlatchtest.SQLite(t))
	id := twinlatch.AccountID("ann")
	now := time.Unix(1_000_000_000, 0)
	if err := s.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
		return tx.InsertAccount(twinlatch.Account{ID: id, Login: "ann", CreatedAt: now})
	}); err != nil {
		t.Fatal(err)
	}
	var current [sessions]atomic.Pointer[twinlatch.SessionID]
	var done atomic.Bool
	var readers, writers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for n := 0; !done.Load(); n++ {
				if session := current[n%sessions].Load(); session != nil {
					here(t, s, id, *session)
				}
			}
		})
	}
	var passed atomic.Int64
	for n := range sessions {
		writers.Go(func() {
			for i := range revocations / sessions {
				session := twinlatch.SessionID(fmt.Sprintf("session-%d-%d", n, i))
				err := s.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
					return tx.InsertSession(twinlatch.Session{Account: id, ID: session, ExpiresAt: now.Add(time.Hour)}, []byte("hash"))
				})
				if err != nil {
					t.Error(err)
					return
				}
				current[n].Store(&session)
				if here(t, s, id, session) == 0 {
					t.Error("a session is not found")
				}
				if err := s.Tx(t.Context(), id, func(tx twinlatch.Tx) error { return tx.DeleteSession(session) }); err != nil {
					t.Error(err)
					return
				}
				passed.Add(int64(here(t, s, id, session)))
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
	if n := passed.Load(); n != 0 {
		t.Errorf("%d checks passed after %d revocations", n, revocations)
	}
}
