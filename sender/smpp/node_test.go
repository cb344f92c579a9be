package smpp_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/sendertest"
	"github.com/twinlatch/twinlatch/sender/smpp"
)

const (
	systemID = "twinlatch"
	password = "s3cr3t/1"
)

// node is a process with SMSCs in it, by the npm package smpp: testdata/smsc.mjs.
type node struct {
	t  testing.TB
	mu sync.Mutex // of what follows
	in io.Writer

	calls   int
	answers map[int]chan json.RawMessage
	there   map[int]chan struct{} // by server: the message that hangs has come
}

// startNode starts it and ends it with the test.
func startNode(t testing.TB) *node {
	t.Helper()
	install(t)
	cmd := exec.CommandContext(t.Context(), "node", "smsc.mjs")
	cmd.Dir = "testdata"
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (Debian: nodejs)", err)
	}
	n := &node{t: t, in: in, answers: map[int]chan json.RawMessage{}, there: map[int]chan struct{}{}}
	over := make(chan struct{})
	go func() { defer close(over); n.listen(out) }()
	t.Cleanup(func() {
		_ = in.Close()
		<-over
		_ = cmd.Wait() // the end of the test may have killed it
	})
	return n
}

// install gets the npm package unless it is there. npm writes its own list last,
// so it is newer than the list that it installed.
func install(t testing.TB) {
	t.Helper()
	for _, name := range []string{"smsc.mjs", "package.json"} { // so that a cached result depends on them
		if _, err := os.ReadFile(filepath.Join("testdata", name)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.Stat("testdata/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if have, err := os.Stat("testdata/node_modules/.package-lock.json"); err == nil && have.ModTime().After(want.ModTime()) {
		return
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = "testdata"
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, text)
	}
}

// listen hands answers to who waits for them.
func (n *node) listen(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var head struct {
			ID, Server int
			Event      string
		}
		if err := json.Unmarshal(lines.Bytes(), &head); err != nil {
			n.t.Errorf("the SMSC says %q: %v", lines.Text(), err)
			continue
		}
		n.mu.Lock()
		if head.Event == "there" {
			close(n.there[head.Server])
		} else {
			n.answers[head.ID] <- json.RawMessage(append([]byte(nil), lines.Bytes()...))
		}
		n.mu.Unlock()
	}
}

// call has a command done and reads the answer into result.
func (n *node) call(command string, fields map[string]any, result any) {
	n.t.Helper()
	if err := n.try(command, fields, result); err != nil {
		n.t.Fatalf("the SMSC, told to %s: %v", command, err)
	}
}

func (n *node) try(command string, fields map[string]any, result any) error {
	line := map[string]any{"do": command}
	for k, v := range fields {
		line[k] = v
	}
	came := make(chan json.RawMessage, 1)
	n.mu.Lock()
	n.calls++
	line["id"] = n.calls
	n.answers[n.calls] = came
	err := json.NewEncoder(n.in).Encode(line)
	n.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case answer := <-came:
		if result == nil {
			return nil
		}
		return json.Unmarshal(answer, result)
	case <-time.After(20 * time.Second):
		return fmt.Errorf("no answer")
	}
}

// taken is a message as the SMSC decoded it.
type taken struct {
	To, Body, Ref    string
	Coding, Receipts int
	Parts            int
	Payload          bool
}

// smsc is one of the SMSCs in a node.
type smsc struct {
	*node
	index, port int
}

func (n *node) open(fields map[string]any) *smsc {
	n.t.Helper()
	all := map[string]any{"password": password}
	for k, v := range fields {
		all[k] = v
	}
	var at struct{ Server, Port int }
	n.call("open", all, &at)
	return &smsc{n, at.Server, at.Port}
}

func (s *smsc) address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

func (s *smsc) next(how string) {
	s.call("next", map[string]any{"server": s.index, "how": how}, nil)
}

type seen struct {
	Taken   []taken
	Binds   []string
	Unbinds int
}

func (s *smsc) seen() (all seen) {
	s.t.Helper()
	s.call("seen", map[string]any{"server": s.index}, &all)
	return all
}

// reply is what our side answered.
type reply struct {
	Command string
	Status  int
}

func (s *smsc) ask(command string, pdu map[string]any) (got reply) {
	s.t.Helper()
	s.call(command, map[string]any{"server": s.index, "pdu": pdu}, &got)
	return got
}

// hang returns a channel that is closed when the next message is there.
func (s *smsc) hang() <-chan struct{} {
	there := make(chan struct{})
	s.mu.Lock()
	s.there[s.index] = there
	s.mu.Unlock()
	s.next("hang")
	return there
}

// sender makes a client of s that is closed with the test.
func (s *smsc) sender(t testing.TB, change func(*smpp.Config)) *smpp.Sender {
	t.Helper()
	c := smpp.Config{
		Address: s.address(), SystemID: systemID, Password: twinlatch.NewSecret(password), Source: "Example",
	}
	if change != nil {
		change(&c)
	}
	sender, err := smpp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sender.Close() }) // tests that are about Close look at its error
	return sender
}

func TestConformance(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	sendertest.Run(t, sendertest.Fixture{Secrets: []string{password}, New: func(t testing.TB, clock func() time.Time) sendertest.Setup {
		s := n.open(nil)
		return sendertest.Setup{
			Sender: s.sender(t, func(c *smpp.Config) { c.Clock = clock }),
			Provider: sendertest.Provider{
				Taken: func() (all []sendertest.Taken) {
					for _, m := range s.seen().Taken {
						all = append(all, sendertest.Taken{To: m.To, Body: m.Body, Ref: m.Ref})
					}
					return all
				},
				RefuseRecipient: func() { s.next("badRecipient") },
				RefuseForGood:   func() { s.next("noRoute") },
				Fail:            func() { s.next("throttle") },
				Break:           func() { s.next("break") },
				Babble:          func() { s.next("babble") },
				AcceptTwice:     func() { s.next("twice") },
				Hang:            s.hang,
			},
		}
	}})
}
