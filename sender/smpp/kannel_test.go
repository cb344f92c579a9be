package smpp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/smpp"
)

// driver is an SMSC of Kannel's own tests; Debian has it in kannel-extras.
const driver = "/usr/lib/kannel/test/drive_smpp"

// record keeps what a process says.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// Kannel reads what we send. It knows transmitters only, gives no message_id, and
// wants somebody at its port 13001, or else ends after three seconds.
func TestKannel(t *testing.T) {
	t.Parallel()
	if box, err := net.Listen("tcp", "127.0.0.1:13001"); err == nil { // else somebody is there
		defer func() { _ = box.Close() }()
	}
	port := freePort(t)
	said := &record{}
	cmd := exec.CommandContext(t.Context(), driver, "-v", "0", "-m", "0", "-p", port)
	cmd.Stderr, cmd.Stdout = said, said
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (Debian: kannel-extras)", err)
	}
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	sender, err := smpp.New(smpp.Config{
		Address: "127.0.0.1:" + port, SystemID: systemID, Password: twinlatch.NewSecret(password), Source: "Example",
		TransmitterOnly: true, Dial: untilThere,
	})
	if err != nil {
		t.Fatal(err)
	}
	bodies := []string{"483920 is your code.", strings.Repeat("0123456789", 16), strings.Repeat("0123456789", 17)}
	for _, body := range bodies {
		if ref, err := sender.Send(t.Context(), text(body)); ref != "" || err != nil {
			t.Errorf("Send: %q, %v\n%s", ref, err, said)
		}
	}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if _, err := sender.Send(t.Context(), text(fmt.Sprintf("code %d.", i))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := sender.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	select {
	case <-over: // it ends with its only connection
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		<-over
	}
	log := said.String()
	for _, want := range []string{"<" + bodies[0] + ">", "<" + bodies[1] + ">", "type unbind"} {
		if !strings.Contains(log, want) {
			t.Errorf("Kannel did not log %q:\n%s", want, log)
		}
	}
	if n := strings.Count(log, "<\x05>"); n != 2 { // it prints up to the first NUL, which is in the header
		t.Errorf("Kannel logged %d parts, want 2", n)
	}
	for i := range 50 {
		if want := fmt.Sprintf("<code %d.>", i); strings.Count(log, want) != 1 {
			t.Errorf("Kannel did not log %q once", want)
		}
	}
	if complaint := regexp.MustCompile(`(?m)^.*(ERROR|WARNING|unpacking failed|Unhandled).*$`).FindString(log); complaint != "" {
		t.Errorf("Kannel complains: %s", complaint)
	}
}

// untilThere connects as soon as somebody listens: a mere look would be the only
// connection that Kannel serves.
func untilThere(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	for again := time.NewTicker(20 * time.Millisecond); ; {
		conn, err := d.DialContext(ctx, network, address)
		if err == nil {
			return conn, nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		}
	}
}

// freePort is one that nobody uses now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	return port
}
