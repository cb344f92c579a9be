package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"
)

// handler is all that every request goes through, from the outside to the doors.
func (o Options) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.Checks != nil {
			if checks := o.Checks(r); checks != nil {
				checks.ServeHTTP(withLines(w, r), r)
				return
			}
		}
		started := time.Now()
		id := newRequestID()
		r = r.WithContext(withRequestID(r.Context(), id))
		w.Header().Set(requestIDHeader, id)
		rec := &recorder{ResponseWriter: w}
		r.Body = http.MaxBytesReader(w, r.Body, o.Limits.BodyBytes)
		defer o.logAccess(r, rec, started)
		defer o.recoverPanic(rec, r)
		o.route(rec, r)
	})
}

// route answers what is asked of the process and leaves the rest to the doors.
// It is no http.ServeMux, because that would clean the path before theirs does.
func (o Options) route(w http.ResponseWriter, r *http.Request) {
	switch isRead := r.Method == http.MethodGet || r.Method == http.MethodHead; {
	case isRead && r.URL.Path == "/healthz":
		plainText(w, http.StatusOK, "ok\n")
	case isRead && r.URL.Path == "/readyz":
		o.ready(w, r)
	case isRead && r.URL.Path == "/client-ip" && o.ClientIP != nil:
		o.clientIP(w, r)
	case strings.HasPrefix(r.URL.Path, receipts):
		o.receipt(w, r)
	default:
		o.Handler.ServeHTTP(w, r)
	}
}

const receipts = "/receipts/"

// receipt passes on what a vendor says about a message. No session and no
// cookie is involved, so it does not go through the doors.
func (o Options) receipt(w http.ResponseWriter, r *http.Request) {
	h := o.Receipts[strings.TrimPrefix(r.URL.Path, receipts)]
	if h == nil {
		plainText(w, http.StatusNotFound, "not found\n")
		return
	}
	h.ServeHTTP(w, r)
}

// ready tells a load balancer yes or no, and only the log why.
func (o Options) ready(w http.ResponseWriter, r *http.Request) {
	if err := o.askReady(r.Context()); err != nil {
		o.Log.WarnContext(r.Context(), "not ready", "error", err)
		plainText(w, http.StatusServiceUnavailable, "not ready\n")
		return
	}
	plainText(w, http.StatusOK, "ok\n")
}

// clientIP tells a client as which address it counts here, and whether a proxy
// has told us about another one. Nobody learns what they could not find out by
// being asked for a code.
func (o Options) clientIP(w http.ResponseWriter, r *http.Request) {
	ip := o.ClientIP(r)
	forwarded := "none"
	if r.Header.Get("X-Forwarded-For") != "" {
		forwarded = "believed"
		if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && ip == peer.Addr().Unmap().WithZone("") {
			forwarded = "ignored"
		}
	}
	answer := struct {
		IP        netip.Addr `json:"ip"` // "" when it cannot be told for certain
		Forwarded string     `json:"forwarded"`
	}{ip, forwarded}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer)
}

// askReady gives up after Limits.Ready even when Options.Ready is stuck in
// something that knows no context. Only one question is asked at a time, so that
// those who keep asking leave no more than one behind.
func (o Options) askReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, o.Limits.Ready)
	defer cancel()
	select {
	case o.asking <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	answer := make(chan error, 1)
	go func() {
		defer func() { <-o.asking }()
		answer <- guarded(ctx, o.Ready)
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// guarded makes an error of a panic in work that no request waits for.
func guarded(ctx context.Context, work func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return work(ctx)
}

// recoverPanic answers 500 with nothing of the cause. What the handler had set
// is dropped: half of an answer must not carry a cookie. When the answer has
// begun, the connection is cut, so that nobody takes a part for the whole.
func (o Options) recoverPanic(w *recorder, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		w.aborted = true
		panic(p)
	}
	o.Log.ErrorContext(r.Context(), "panic", "cause", fmt.Sprint(p), "stack", string(debug.Stack()))
	if w.status != 0 {
		w.aborted = true
		panic(http.ErrAbortHandler)
	}
	id := RequestID(r.Context())
	clear(w.Header())
	w.Header().Set(requestIDHeader, id)
	plainText(w, http.StatusInternalServerError,
		"Something went wrong on our side.\nRequest "+id+"\n")
}

func plainText(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// logAccess writes one line for a request: no header, no cookie, no query.
func (o Options) logAccess(r *http.Request, w *recorder, started time.Time) {
	level := slog.LevelInfo
	if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		level = slog.LevelDebug
	}
	status := w.status
	if status == 0 {
		status = http.StatusOK // what net/http sends for a handler that wrote nothing
	}
	attrs := []slog.Attr{
		slog.String("method", cut(r.Method, 16)), slog.String("path", safePath(r.URL.Path)),
		slog.Int("status", status), slog.Float64("duration_ms", float64(time.Since(started).Microseconds())/1000),
	}
	if w.aborted {
		attrs = append(attrs, slog.Bool("aborted", true))
	}
	o.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// safePath is a path for the log. Ids are short; a long part may be the token of
// a one-time link, and who reads logs must not be able to use it.
func safePath(path string) string {
	const most = 40
	parts := strings.Split(cut(path, 1024), "/")
	for i, p := range parts {
		if len(p) > most {
			parts[i] = "…"
		}
	}
	return strings.Join(parts, "/")
}

func cut(s string, most int) string {
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status  int
	aborted bool
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
