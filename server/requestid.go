package server

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
)

// requestIDHeader is in every answer, so that a person can tell an operator
// which one it was. The same header of a request is not looked at: a client
// could make its lines in the log look like somebody else's.
const requestIDHeader = "X-Request-Id"

type requestIDKey struct{}

func newRequestID() string { return strings.ToLower(rand.Text()) }

func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID is the id of the request that ctx belongs to; empty if it belongs to
// none. It says nothing about the client and may be shown to it.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// LogHandler adds request_id to every line that is logged with the context of a
// request, by whatever package. Wrapping twice changes nothing.
func LogHandler(h slog.Handler) slog.Handler {
	if already, ok := h.(logHandler); ok {
		return already
	}
	return logHandler{h}
}

type logHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h logHandler) Handle(ctx context.Context, rec slog.Record) error {
	if id := RequestID(ctx); id != "" {
		rec = rec.Clone()
		rec.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, rec)
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.Handler.WithGroup(name)}
}
