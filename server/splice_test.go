package server

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// What is no answer gets no lines, and is not sent: a proxy reads no status then, and refuses.
func TestLinesNeedAStatusLine(t *testing.T) {
	for _, text := range []string{"", "\r\n", "HTTP/1.1 200 OK", "<html>\r\n", "0\r\n\r\n"} {
		here, there := net.Pipe()
		c := newDeadlines(nil).keep(here)
		c.lines = []byte("Remote-User: ana\r\n")
		var sent []byte
		var reading sync.WaitGroup
		reading.Go(func() { sent, _ = io.ReadAll(there) })
		if n, err := c.Write([]byte(text)); n != 0 || !errors.Is(err, errNotAnAnswer) {
			t.Errorf("%q: %d, %v", text, n, err)
		}
		c.Close()
		reading.Wait()
		if len(sent) > 0 {
			t.Errorf("%q: sent %q", text, sent)
		}
	}
}
