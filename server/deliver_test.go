package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// What is due is sent at once, one call after the other; then once a second. One
// that fails is said once.
func TestDeliverIsCalledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		due := 3
		var broken atomic.Bool
		var log bytes.Buffer
		sooner := make(chan struct{})
		o := Options{
			Log: slog.New(slog.NewTextHandler(&log, nil)), Limits: DefaultLimits(), Due: sooner,
			Deliver: func(context.Context) (int, error) {
				calls.Add(1)
				if broken.Load() {
					return 5, errors.New("no database")
				}
				due--
				return max(0, due), nil
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); o.deliver(ctx) }()
		synctest.Wait()
		if n := calls.Load(); n != 3 {
			t.Errorf("%d calls at once, want 3", n)
		}
		broken.Store(true)
		time.Sleep(5*time.Second + time.Millisecond) // of the bubble's clock
		synctest.Wait()
		if n := calls.Load(); n != 8 {
			t.Errorf("%d calls after five seconds, want 8", n)
		}
		sooner <- struct{}{}
		synctest.Wait()
		if n := calls.Load(); n != 9 {
			t.Errorf("%d calls when something was due, want 9", n)
		}
		cancel()
		<-done
		if n := strings.Count(log.String(), "no database"); n != 1 {
			t.Errorf("said %d times: %s", n, &log)
		}
	})
	Options{}.deliver(t.Context()) // nothing to send
}

// Receipts go to their sender and through no door.
func TestReceiptsGoToTheirSender(t *testing.T) {
	o := Options{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
		Receipts: map[string]http.Handler{"post": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		})},
	}
	for path, want := range map[string]int{
		"/receipts/post": 204, "/receipts/post?message=x": 204, "/receipts/": 404, "/receipts/other": 404, "/receipts/post/x": 404, "/receipts": 418, "/": 418,
	} {
		w := httptest.NewRecorder()
		o.route(w, httptest.NewRequest(http.MethodPost, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
