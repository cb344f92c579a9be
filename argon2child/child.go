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

// patience is how long one key may take. The worst costs that the core believes take a few
// seconds.
const patience = 30 * time.Second

// keep is how long the memory of a key waits for the next one.
const keep = 10 * time.Second

// Child is the process, which is started by the first key and again when it ended. Safe for
// concurrent use.
type Child struct {
	command func() *exec.Cmd
	log     *slog.Logger

	mu  sync.Mutex
	now *running // nil before the first key, after a failure and after Close
}

type running struct {
	cmd    *exec.Cmd
	client *rpc.Client
}

// New takes the command whose program calls Serve with its standard input and output.
func New(command func() *exec.Cmd, log *slog.Logger) *Child {
	return &Child{command: command, log: log}
}

// IDKey is argon2.IDKey of golang.org/x/crypto. When the process cannot be started or does not
// answer, also not when started again, it is computed in the caller's, and logged.
func (c *Child) IDKey(password, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte {
	w := Work{password, salt, passes, memory, lanes, size}
	var failed error
	for range 2 {
		r, err := c.running()
		if err == nil {
			var key []byte
			if key, err = r.do(w); err == nil {
				return key
			}
			if c.end(r) {
				c.log.Warn("the process that hashes passwords ended or did not answer, and is started again", "error", err)
			}
		}
		failed = err
	}
	c.log.Error("the process that hashes passwords fails; the server does it itself", "error", failed)
	return w.key()
}

// Close ends the process. Keys that are being computed are computed once more, by the caller's
// process.
func (c *Child) Close() {
	c.mu.Lock()
	r := c.now
	c.mu.Unlock()
	if r != nil {
		c.end(r)
	}
}

func (c *Child) running() (*running, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now != nil {
		return c.now, nil
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
	c.now = &running{cmd, rpc.NewClient(pipes{out, in})}
	return c.now, nil
}

// end lets the next key start another process. Only the first of those who met a failure does.
func (c *Child) end(r *running) (first bool) {
	c.mu.Lock()
	if first = c.now == r; first {
		c.now = nil
	}
	c.mu.Unlock()
	if first {
		_ = r.client.Close()
		_ = r.cmd.Process.Kill() // it holds nothing that could be lost
		_ = r.cmd.Wait()
	}
	return first
}

func (r *running) do(w Work) ([]byte, error) {
	var key []byte
	call := r.client.Go("Worker.IDKey", w, &key, make(chan *rpc.Call, 1))
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-call.Done:
	case <-late.C:
		return nil, errors.New("no answer in time")
	}
	if call.Error == nil && len(key) != int(w.Size) {
		return nil, fmt.Errorf("%d bytes instead of %d", len(key), w.Size)
	}
	return key, call.Error
}

// Serve computes keys until in ends, which it does when the parent ends, however that happens.
// Signals that end a service are for the parent, which still needs answers to finish.
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

// Work are the arguments of argon2.IDKey.
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
	runtime.GC() // the next one takes the same memory: to get it from the machine costs as much as to hash
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
