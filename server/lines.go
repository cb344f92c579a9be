package server

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/twinlatch/twinlatch/web"
)

// checkWriter is the ResponseWriter of a check. It can send header lines as they are given: that
// somebody may pass is said in the same seven each time, and net/http would copy, sort and look
// through them for every request of every app.
type checkWriter struct {
	http.ResponseWriter
	conn     *timedConn
	answered bool
}

// WriteHeader implements http.ResponseWriter.
func (w *checkWriter) WriteHeader(status int) {
	w.answered = true
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *checkWriter) Write(b []byte) (int, error) {
	w.answered = true
	return w.ResponseWriter.Write(b)
}

// WriteHeaderLines answers with a status, with lines that each end in CRLF beside those of
// net/http, and without a body. It is called instead of WriteHeader and Write, or panics: later
// lines would be in the answer to somebody else. Nobody changes lines.
func (w *checkWriter) WriteHeaderLines(status int, lines []byte) {
	if w.answered {
		panic("server: header lines for an answer that has begun")
	}
	w.WriteHeader(status)
	w.conn.lines = lines // from now on nothing is written but the answer
}

// Write implements net.Conn. What net/http writes first of an answer begins with its status
// line, behind which the lines go.
func (c *timedConn) Write(b []byte) (int, error) {
	if c.lines == nil {
		return c.Conn.Write(b)
	}
	lines := c.lines
	c.lines = nil
	first := bytes.Index(b, []byte("\r\n")) + len("\r\n")
	if !bytes.HasPrefix(b, []byte("HTTP/1.")) || first < len("HTTP/1.1 200 \r\n") {
		return 0, errNotAnAnswer
	}
	c.answer = append(append(append(c.answer[:0], b[:first]...), lines...), b[first:]...)
	if _, err := c.Conn.Write(c.answer); err != nil {
		return 0, err
	}
	return len(b), nil
}

// errNotAnAnswer ends a connection before anything is sent.
var errNotAnAnswer = errors.New("server: no status line to put header lines behind")

// connKey is the key of a request's connection.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(web.WithPeer(ctx, c), connKey{}, c)
}

// withLines is a ResponseWriter for a check that came over a connection of ours. Others send
// no lines.
func withLines(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if c, ok := r.Context().Value(connKey{}).(*timedConn); ok {
		return &checkWriter{ResponseWriter: w, conn: c}
	}
	return w
}
