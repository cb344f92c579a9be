package argon2child

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
)

const serves = "TEST_OF_ARGON2CHILD_SERVES"

// TestMain makes the test the program that it starts.
func TestMain(m *testing.M) {
	if os.Getenv(serves) != "" {
		if err := Serve(os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// parent has a child, counts how many it had, and notes what is logged.
type parent struct {
	*Child
	t   *testing.T
	log bytes.Buffer

	mu       sync.Mutex
	children []*exec.Cmd
}

func newParent(t *testing.T, command func() *exec.Cmd) *parent {
	p := &parent{t: t}
	p.Child = New(func() *exec.Cmd {
		cmd := command()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.children = append(p.children, cmd)
		return cmd
	}, slog.New(slog.NewTextHandler(&p.log, nil)))
	t.Cleanup(p.Close)
	return p
}

func this() *exec.Cmd {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return &exec.Cmd{Path: path, Args: os.Args[:1], Env: []string{serves + "=1"}, Stderr: os.Stderr}
}

// newest is the process there is; nil: none.
func (p *parent) newest() *os.Process {
	p.Child.mu.Lock()
	defer p.Child.mu.Unlock()
	if p.now == nil {
		return nil
	}
	return p.now.cmd.Process
}

// right asks for a key and compares it with that of the library.
func (p *parent) right(w Work) {
	p.t.Helper()
	if key := p.IDKey(w.Password, w.Salt, w.Passes, w.Memory, w.Lanes, w.Size); !bytes.Equal(key, w.key()) {
		p.t.Errorf("%+v: %x", w, key)
	}
}

var some = Work{Password: []byte("correct horse battery"), Salt: []byte("0123456789abcdef"), Passes: 1, Memory: 64, Lanes: 1, Size: 32}

func TestTheKeyIsThatOfTheLibraryWhateverIsAsked(t *testing.T) {
	p := newParent(t, this)
	for _, w := range []Work{
		some,
		{Salt: some.Salt, Passes: 1, Memory: 8, Lanes: 1, Size: 4},
		{Password: []byte("\x00\xff"), Passes: 2, Memory: 256, Lanes: 4, Size: 64},
		{Password: bytes.Repeat([]byte("long"), 1<<14), Salt: some.Salt, Passes: 3, Memory: 64 << 10, Lanes: 4, Size: 32},
	} {
		p.right(w)
	}
	if len(p.children) != 1 || p.log.Len() > 0 {
		t.Errorf("%d processes; log: %s", len(p.children), &p.log)
	}
}

func TestManyAtOnceWhileTheProcessIsKilledAgainAndAgain(t *testing.T) {
	p := newParent(t, this)
	p.pause = 0 // or one that is killed twice for a key ends the test of the others
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 40 {
				w := some
				w.Password = fmt.Appendf(nil, "%d of %d", i, n)
				p.right(w)
				if child := p.newest(); child != nil && rand.IntN(20) == 0 {
					_ = child.Kill()
				}
			}
		})
	}
	all.Wait()
	if len(p.children) < 2 {
		t.Error("none was killed")
	}
}

func TestWhatWasBeingComputedWhenTheProcessDiedIsComputedAgain(t *testing.T) {
	p := newParent(t, this)
	p.right(some)
	first := p.newest()
	slow := some
	slow.Memory, slow.Passes = 64<<10, 10
	done := make(chan struct{})
	go func() { p.right(slow); close(done) }()
	time.Sleep(20 * time.Millisecond) // at whatever moment
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	<-done
	if log := p.log.String(); len(p.children) != 2 || strings.Count(log, "\n") != 1 || !strings.Contains(log, "started again") {
		t.Errorf("%d processes; log: %s", len(p.children), log)
	}
}

func TestWithoutAProcessTheKeyIsComputedHere(t *testing.T) {
	for name, command := range map[string]func() *exec.Cmd{
		"no such program":   func() *exec.Cmd { return exec.Command("/nowhere/twinlatch") },
		"ends at once":      func() *exec.Cmd { return exec.Command("true") },
		"says its input":    func() *exec.Cmd { return exec.Command("cat") },
		"says other things": func() *exec.Cmd { return exec.Command("yes") },
	} {
		t.Run(name, func(t *testing.T) {
			p := newParent(t, command)
			p.right(some)
			p.right(some)
			if log := p.log.String(); strings.Count(log, "level=ERROR") != 1 || strings.Contains(log, string(some.Password)) {
				t.Errorf("log: %s", log)
			}
			if len(p.children) != 2 {
				t.Errorf("%d tries", len(p.children))
			}
			p.paused = time.Time{} // a minute later
			p.right(some)
			if len(p.children) != 4 {
				t.Errorf("%d tries", len(p.children))
			}
		})
	}
}

// One that stands still, as in a debugger, keeps nobody from signing in, whatever was asked of it.
func TestWhoDoesNotAnswerIsReplaced(t *testing.T) {
	p := newParent(t, this)
	p.right(some)
	p.pause = 0
	long := some
	long.Password = make([]byte, 1<<20) // more than a pipe holds
	for _, w := range []Work{some, long} {
		child := p.newest()
		if err := child.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		p.patience = 50 * time.Millisecond
		before := len(p.children)
		p.right(w)
		if len(p.children) <= before || child.Signal(syscall.Signal(0)) == nil {
			t.Errorf("%d processes; the first: %v", len(p.children), child.Signal(syscall.Signal(0)))
		}
		p.patience = time.Minute
		p.right(some) // makes sure that there is one
	}
}

// One that ends by itself is no zombie, and the next key starts another.
func TestADeadChildIsBuried(t *testing.T) {
	p := newParent(t, this)
	p.right(some)
	r := p.now
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-r.gone
	if r.cmd.ProcessState == nil {
		t.Error("nobody waited for it")
	}
	p.right(some)
}

func TestAClosedChildIsStartedByTheNextKey(t *testing.T) {
	p := newParent(t, this)
	p.Close()
	p.right(some)
	first := p.newest()
	p.Close()
	p.Close()
	if first.Signal(syscall.Signal(0)) == nil {
		t.Error("it is still there")
	}
	p.right(some)
	if len(p.children) != 2 {
		t.Errorf("%d processes", len(p.children))
	}
}

// A parent that is killed closes its end of the pipe; one that is told to end still needs
// answers.
func TestTheProcessEndsWithItsInputAndNotBySignals(t *testing.T) {
	p := newParent(t, this)
	p.right(some)
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		if err := p.newest().Signal(signal); err != nil {
			t.Fatal(err)
		}
		p.right(some)
	}
	if len(p.children) != 1 {
		t.Errorf("%d processes", len(p.children))
	}
	cmd := this()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// BenchmarkIDKey says what the way to the other process costs: at costs that are nearly
// nothing, and at those of passwords.
func BenchmarkIDKey(b *testing.B) {
	for _, w := range []Work{
		{Password: some.Password, Salt: some.Salt, Passes: 1, Memory: 8, Lanes: 1, Size: 32},
		{Password: some.Password, Salt: some.Salt, Passes: 3, Memory: 64 << 10, Lanes: 4, Size: 32},
	} {
		name := fmt.Sprintf("%dKiB", w.Memory)
		b.Run(name+"/child", func(b *testing.B) {
			c := New(this, slog.New(slog.DiscardHandler))
			defer c.Close()
			for b.Loop() {
				c.IDKey(w.Password, w.Salt, w.Passes, w.Memory, w.Lanes, w.Size)
			}
		})
		b.Run(name+"/here", func(b *testing.B) {
			for b.Loop() {
				argon2.IDKey(w.Password, w.Salt, w.Passes, w.Memory, w.Lanes, w.Size)
			}
		})
	}
}
