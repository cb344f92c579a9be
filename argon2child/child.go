// Package argon2child computes argon2id in a process of its own. Hashing keeps all cores busy
// for as long as people sign in, and Go's scheduler gives way to a goroutine that became ready
// only every ten milliseconds; the scheduler of the operating system does at once. So the checks
// of everybody else do not wait for the passwords of a few.
package argon2child

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/rpc"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/argon2"
)

// patience is how long one key may take: twice it is less than a request may. A usual one takes
// a tenth of a second.
const patience = 10 * time.Second

// pause is how long no process is started after it failed twice for a key.
const pause = time.Minute

// keep is how long the memory of a key waits for the next one.
const keep = 10 * time.Second

// Child is the process, which is started by the first key and again when it ended. Safe for
// concurrent use.
type Child struct {
	command  func() *exec.Cmd
	log      *slog.Logger
	patience time.Duration
	pause    time.Duration

	mu     sync.Mutex
	now    *running  // nil before the first key, after a failure and after Close
	paused time.Time // until then none is started

	here sync.Mutex // who computes in this process, which must not get the memory of many at once
}

// running is one life of the process.
type running struct {
	cmd    *exec.Cmd
	client *rpc.Client
	gone   chan struct{} // closed when it has ended
}

// New takes the command whose program calls Serve with its standard input and output.
func New(command func() *exec.Cmd, log *slog.Logger) *Child {
	return &Child{command: command, log: log, patience: patience, pause: pause}
}

// IDKey is argon2.IDKey of golang.org/x/crypto. When the process cannot be started or gives no
// answer within ten seconds, also not when started again, that is logged, and for a minute keys are
// computed in the caller's process, one after the other.
func (c *Child) IDKey(password, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte {
	w := Work{password, salt, passes, memory, lanes, size}
	var failed error
	for range 2 {
		r, err := c.started()
		if errors.Is(err, errPaused) {
			return c.key(w)
		}
		if err == nil {
			var key []byte
			if key, err = r.do(w, c.patience); err == nil {
				return key
			}
			if c.end(r) {
				c.log.Warn("the process that hashes passwords ended or did not answer, and is started again", "error", err)
			}
		}
		failed = err
	}
	c.log.Error("the process that hashes passwords fails; for a while the server does it itself", "error", failed, "for", c.pause)
	c.mu.Lock()
	c.paused = time.Now().Add(c.pause)
	c.mu.Unlock()
	return c.key(w)
}

func (c *Child) key(w Work) []byte {
	c.here.Lock()
	defer c.here.Unlock()
	return w.key()
}

var errPaused = errors.New("it failed a short time ago")

// Close ends the process and waits for that. A key that is being computed, or is asked for
// later, starts another.
func (c *Child) Close() {
	c.mu.Lock()
	r := c.now
	c.mu.Unlock()
	if r != nil {
		c.end(r)
	}
}

// started is the process, started where there is none.
func (c *Child) started() (*running, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now != nil {
		return c.now, nil
	}
	if time.Now().Before(c.paused) {
		return nil, errPaused
	}
	cmd := c.command()
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &running{cmd, rpc.NewClient(pipes{out, in}), make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(r.gone)
	}()
	c.now = r
	return r, nil
}

// end lets the next key start another process. Only the first of those who met a failure does.
func (c *Child) end(r *running) (first bool) {
	c.mu.Lock()
	if first = c.now == r; first {
		c.now = nil
	}
	c.mu.Unlock()
	if first {
		_ = r.cmd.Process.Kill() // it holds nothing that could be lost
		_ = r.client.Close()
		<-r.gone
	}
	return first
}

func (r *running) do(w Work, patience time.Duration) ([]byte, error) {
	type answer struct {
		key []byte
		err error
	}
	answered := make(chan answer, 1)
	go func() { // a process that does not read would keep the caller in the call
		var a answer
		a.err = r.client.Call("Worker.IDKey", w, &a.key)
		answered <- a
	}()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case a := <-answered:
		if a.err == nil && len(a.key) != int(w.Size) {
			a.err = fmt.Errorf("%d bytes instead of %d", len(a.key), w.Size)
		}
		return a.key, a.err
	case <-late.C:
		return nil, errors.New("no answer in time")
	}
}

// Serve computes keys until in ends, which it does when the parent ends, however that happens. It
// is for a process that does nothing else: from then on SIGINT and SIGTERM are ignored, because
// the parent, who gets them too, still needs answers to finish; and nobody else may write to out.
func Serve(in io.ReadCloser, out io.WriteCloser) error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	s := rpc.NewServer()
	if err := s.Register(Worker{time.AfterFunc(keep, debug.FreeOSMemory)}); err != nil {
		return err
	}
	s.ServeConn(pipes{in, out})
	return nil
}

// Worker is what the parent calls. It is exported for net/rpc only.
type Worker struct{ idle *time.Timer }

// Work are the arguments of argon2.IDKey, Memory in KiB. It is exported for net/rpc only.
type Work struct {
	Password, Salt []byte
	Passes, Memory uint32
	Lanes          uint8
	Size           uint32
}

func (w Work) key() []byte {
	return argon2.IDKey(w.Password, w.Salt, w.Passes, w.Memory, w.Lanes, w.Size)
}

// IDKey computes a key.
func (o Worker) IDKey(w Work, key *[]byte) error {
	*key = w.key()
	runtime.GC() // so that the next key has this one's memory: to get it from the machine takes as long as to hash
	o.idle.Reset(keep)
	return nil
}

// pipes are the two directions of a connection.
type pipes struct {
	io.ReadCloser
	out io.WriteCloser
}

func (p pipes) Write(b []byte) (int, error) { return p.out.Write(b) }
func (p pipes) Close() error                { return errors.Join(p.out.Close(), p.ReadCloser.Close()) }
