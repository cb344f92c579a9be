package server

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/twinlatch/twinlatch/web"
)

// checkWriter is the ResponseWriter of a check. It has no Unwrap: what an answer begins with has
// to come by way of it.
type checkWriter struct {
	http.ResponseWriter
	conn     *timedConn
	answered bool
}

var _ web.HeaderLineWriter = (*checkWriter)(nil)

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

// WriteHeaderLines implements web.HeaderLineWriter.
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
	status, rest, ok := bytes.Cut(b, []byte("\r\n"))
	if !ok || !bytes.HasPrefix(status, []byte("HTTP/1.")) {
		return 0, errNotAnAnswer
	}
	c.spliced = append(c.spliced[:0], status...)
	c.spliced = append(c.spliced, "\r\n"...)
	c.spliced = append(c.spliced, lines...)
	c.spliced = append(c.spliced, rest...)
	if _, err := c.Conn.Write(c.spliced); err != nil {
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

// withLines lets a check send header lines.
func withLines(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	return &checkWriter{ResponseWriter: w, conn: r.Context().Value(connKey{}).(*timedConn)}
}
