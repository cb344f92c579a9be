package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch/server"
)

const patience = 10 * time.Second // for what happens at once unless something is broken

// running is a server on loopback, stopped at the end of the test at the latest.
type running struct {
	addr, url string
	log, out  *buffer
	stop      func() error // ends the context and gives what Run returned
}

func start(t *testing.T, o server.Options) *running {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{addr: ln.Addr().String(), log: new(buffer), out: new(buffer)}
	r.url = "http://" + r.addr
	o.Listener, o.Address, o.Out = ln, r.url, r.out
	o.Log = slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if o.Handler == nil {
		o.Handler = http.NotFoundHandler()
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx, o) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		return receive(t, done)
	})
	t.Cleanup(func() { _ = r.stop() })
	return r
}

func (r *running) get(t *testing.T, path string) (*http.Response, string) {
	t.Helper()
	return do(t, request(t, "GET", r.url+path, ""))
}

// lines are the log so far, of one message.
func (r *running) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(r.log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if m["msg"] == message {
			found = append(found, m)
		}
	}
	return found
}

func request(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	return req
}

func do(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing happened")
		panic("unreachable")
	}
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// ---- start and stop

func TestSaysWhereItIsReady(t *testing.T) {
	s := start(t, server.Options{})
	s.get(t, "/healthz")
	if got, want := s.out.String(), "Twinlatch is ready at "+s.url+"\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// Who asks learns as which address they count, and whether a proxy has told it.
func TestClientIP(t *testing.T) {
	var counts netip.Addr
	s := start(t, server.Options{ClientIP: func(*http.Request) netip.Addr { return counts }})
	for _, row := range []struct{ header, counts, want string }{
		{"", "127.0.0.1", `{"ip":"127.0.0.1","forwarded":"none"}`},
		{"192.0.2.1", "127.0.0.1", `{"ip":"127.0.0.1","forwarded":"ignored"}`},
		{"192.0.2.1", "192.0.2.1", `{"ip":"192.0.2.1","forwarded":"believed"}`},
		{"nonsense", "", `{"ip":"","forwarded":"believed"}`},
	} {
		counts, _ = netip.ParseAddr(row.counts)
		r := request(t, "GET", s.url+"/client-ip", "")
		if row.header != "" {
			r.Header.Set("X-Forwarded-For", row.header)
		}
		res, body := do(t, r)
		if strings.TrimSpace(body) != row.want || res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%+v: %s, %v", row, body, res.Header)
		}
	}
	if res, _ := start(t, server.Options{}).get(t, "/client-ip"); res.StatusCode != http.StatusNotFound {
		t.Errorf("without: %s", res.Status)
	}
}

func TestStopWaitsForRequestInFlight(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := start(t, server.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		if r.Context().Err() != nil {
			t.Error("the request in flight was cancelled")
		}
		io.WriteString(w, "served")
	})})
	answer := make(chan string, 1)
	go func() {
		_, body := s.get(t, "/")
		answer <- body
	}()
	receive(t, entered)
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	for { // until it accepts nothing new
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			break
		}
		c.Close()
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a request in flight: %v", err)
	default:
	}
	close(leave)
	if got := receive(t, answer); got != "served" {
		t.Errorf("answer %q", got)
	}
	if err := receive(t, stopped); err != nil {
		t.Error(err)
	}
}

func TestStopCutsOffWhatDoesNotEnd(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	defer close(leave)
	s := start(t, server.Options{
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(entered); <-leave }),
		Limits:  server.Limits{Shutdown: 20 * time.Millisecond},
	})
	go func() {
		if res, err := http.Get(s.url); err == nil {
			res.Body.Close()
			t.Errorf("status %d", res.StatusCode)
		}
	}()
	receive(t, entered)
	if err := s.stop(); err == nil {
		t.Error("no error")
	}
}

func TestRunReportsBrokenListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	err = server.Run(t.Context(), server.Options{Listener: ln, Handler: http.NotFoundHandler(), Ready: func(context.Context) error { return nil }})
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestRunRequiresItsParts(t *testing.T) {
	if err := server.Run(t.Context(), server.Options{}); err == nil {
		t.Error("no error")
	}
}

// ---- limits

func TestSlowHeaderIsCutOff(t *testing.T) {
	s := start(t, server.Options{
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("served") }),
		Limits:  server.Limits{ReadHeader: 100 * time.Millisecond},
	})
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n")
	gone := make(chan struct{})
	go func() { // one byte at a time, never the end
		defer close(gone)
		for {
			if _, err := io.WriteString(c, "a"); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	began := time.Now()
	answer, _ := io.ReadAll(c)
	c.Close()
	receive(t, gone)
	if time.Since(began) >= patience {
		t.Error("the connection was left open")
	}
	if bytes.Contains(answer, []byte(" 200 ")) {
		t.Errorf("answer %q", answer)
	}
}

func TestSlowBodyIsCutOff(t *testing.T) {
	failed := make(chan error, 1)
	s := start(t, server.Options{
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			failed <- err
		}),
		Limits: server.Limits{Read: 100 * time.Millisecond},
	})
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
	var timeout net.Error
	if err := receive(t, failed); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("reading the body: %v", err)
	}
}

func TestHugeHeaderIsRefused(t *testing.T) {
	s := start(t, server.Options{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("served") })})
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	go func() {
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX: ")
		io.WriteString(c, strings.Repeat("a", 1<<20)+"\r\n\r\n") // fails when it is refused early
	}()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d, want 431", res.StatusCode)
	}
}

func TestHugeBodyIsRefused(t *testing.T) {
	failed := make(chan error, 1)
	s := start(t, server.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		failed <- err
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})})
	if res, _ := do(t, request(t, "POST", s.url, strings.Repeat("a", 64<<10))); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", res.StatusCode)
	}
	if err := receive(t, failed); err != nil {
		t.Errorf("64 KiB: %v", err)
	}
	do(t, request(t, "POST", s.url, strings.Repeat("a", 64<<10+1)))
	var large *http.MaxBytesError
	if err := receive(t, failed); !errors.As(err, &large) {
		t.Errorf("one byte more: %v", err)
	}
}

// ---- panics

func TestPanicIs500AndTellsNothing(t *testing.T) {
	s := start(t, server.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "half=done")
		w.Header().Set("Content-Length", "5000")
		panic("the-secret-cause")
	})})
	for range 2 { // the server goes on
		res, body := s.get(t, "/boom?code=123456")
		if res.StatusCode != 500 || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("status %d, header %v", res.StatusCode, res.Header)
		}
		id := res.Header.Get("X-Request-Id")
		if id == "" || !strings.Contains(body, id) {
			t.Errorf("body %q does not name request %q", body, id)
		}
		if strings.Contains(body, "cause") || strings.Contains(body, "goroutine") {
			t.Errorf("body leaks: %q", body)
		}
	}
	s.stop()
	lines := s.lines(t, "panic")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	l := lines[0]
	if l["level"] != "ERROR" || l["cause"] != "the-secret-cause" || l["request_id"] == nil ||
		!strings.Contains(fmt.Sprint(l["stack"]), "server_test.go") {
		t.Errorf("line %v", l)
	}
	if access := s.lines(t, "request"); len(access) != 2 || access[0]["status"] != 500.0 {
		t.Errorf("access log %v", access)
	}
}

func TestPanicInTheMiddleCutsTheAnswer(t *testing.T) {
	for name, cause := range map[string]any{"panic": "late", "abort": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			s := start(t, server.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				io.WriteString(w, strings.Repeat("a", 10_000))
				_ = http.NewResponseController(w).Flush()
				panic(cause)
			})})
			res, err := http.DefaultClient.Do(request(t, "GET", s.url, ""))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if _, err := io.ReadAll(res.Body); err == nil {
				t.Error("a part was taken for the whole")
			}
			s.stop()
			if l := s.lines(t, "request"); len(l) != 1 || l[0]["aborted"] != true {
				t.Errorf("access log %v", l)
			}
		})
	}
}

// ---- health

func TestHealth(t *testing.T) {
	door := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	stuck := make(chan struct{})
	defer close(stuck)
	ready := map[string]func(context.Context) error{
		"ready":   func(context.Context) error { return nil },
		"failing": func(context.Context) error { return errors.New("database password: hunter2") },
		"panics":  func(context.Context) error { panic("hunter2") },
		"slow":    func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"stuck":   func(context.Context) error { <-stuck; return nil },
	}
	for _, c := range []struct {
		ready, method, path string
		status              int
		body                string
	}{
		{"ready", "GET", "/healthz", 200, "ok\n"},
		{"ready", "HEAD", "/healthz", 200, ""},
		{"failing", "GET", "/healthz", 200, "ok\n"},
		{"stuck", "GET", "/healthz", 200, "ok\n"},
		{"ready", "POST", "/healthz", http.StatusTeapot, ""},
		{"ready", "GET", "/healthz/", http.StatusTeapot, ""},
		{"ready", "GET", "//healthz", http.StatusTeapot, ""},
		{"ready", "GET", "/readyz", 200, "ok\n"},
		{"ready", "GET", "/readyz?verbose", 200, "ok\n"},
		{"failing", "GET", "/readyz", 503, "not ready\n"},
		{"failing", "HEAD", "/readyz", 503, ""},
		{"panics", "GET", "/readyz", 503, "not ready\n"},
		{"slow", "GET", "/readyz", 503, "not ready\n"},
		{"stuck", "GET", "/readyz", 503, "not ready\n"},
	} {
		t.Run(strings.Join([]string{c.ready, c.method, c.path}, " "), func(t *testing.T) {
			s := start(t, server.Options{Handler: door, Ready: ready[c.ready], Limits: server.Limits{Ready: 50 * time.Millisecond}})
			for range 2 { // the second meets what the first may have left
				res, body := do(t, request(t, c.method, s.url+c.path, ""))
				if res.StatusCode != c.status || body != c.body {
					t.Errorf("got %d %q, want %d %q", res.StatusCode, body, c.status, c.body)
				}
				if c.status != http.StatusTeapot && res.Header.Get("Cache-Control") != "no-store" {
					t.Error("can be cached")
				}
			}
		})
	}
}

// ---- log

func TestRequestID(t *testing.T) {
	seen := map[string]bool{}
	s := start(t, server.Options{})
	for range 100 {
		req := request(t, "GET", s.url, "")
		req.Header.Set("X-Request-Id", "chosen-by-the-client")
		res, _ := do(t, req)
		id := res.Header.Get("X-Request-Id")
		if len(id) < 20 || strings.Contains(id, "client") || seen[id] {
			t.Fatalf("request id %q", id)
		}
		seen[id] = true
	}
	s.stop()
	for _, l := range s.lines(t, "request") {
		delete(seen, fmt.Sprint(l["request_id"]))
	}
	if len(seen) != 0 {
		t.Errorf("%d ids are not in the log", len(seen))
	}
	if strings.Contains(s.log.String(), "chosen-by-the-client") {
		t.Error("the log repeats a header")
	}
}

func TestRequestIDReachesOtherLoggers(t *testing.T) {
	var lines buffer
	log := slog.New(server.LogHandler(server.LogHandler(slog.NewJSONHandler(&lines, nil)))).With("part", "core")
	s := start(t, server.Options{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		log.InfoContext(r.Context(), "from inside", "id", server.RequestID(r.Context()))
	})})
	res, _ := s.get(t, "/")
	want := `"request_id":"` + res.Header.Get("X-Request-Id") + `"`
	if got := lines.String(); strings.Count(got, want) != 1 || !strings.Contains(got, strings.Replace(want, "request_id", "id", 1)) || !strings.Contains(got, `"part":"core"`) {
		t.Errorf("line %s does not hold %s once", got, want)
	}
}

func TestNoRequestNoID(t *testing.T) {
	var line buffer
	slog.New(server.LogHandler(slog.NewJSONHandler(&line, nil))).InfoContext(t.Context(), "start")
	if id := server.RequestID(t.Context()); id != "" || strings.Contains(line.String(), "request_id") {
		t.Errorf("id %q, line %s", id, line.String())
	}
}

func TestAccessLogShowsNoSecret(t *testing.T) {
	const secret = "s3cretmarker"
	token := strings.Repeat(secret, 8) // as long as a session's
	s := start(t, server.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Set-Cookie", "a="+secret)
		w.WriteHeader(http.StatusSeeOther)
		w.Header().Set("Late", secret)
	})})
	req := request(t, "POST", s.url+"/reset/"+token+"/x?code="+secret, "password="+secret)
	req.Header.Set("Cookie", "twinlatch="+secret)
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("User-Agent", secret)
	req.Header.Set("Referer", secret)
	if _, err := http.DefaultTransport.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	s.get(t, "/healthz")
	s.stop()
	if strings.Contains(s.log.String(), secret) {
		t.Errorf("log %s", s.log.String())
	}
	lines := s.lines(t, "request")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	l := lines[0]
	if l["method"] != "POST" || l["path"] != "/reset/…/x" || l["status"] != 303.0 || l["duration_ms"] == nil || l["level"] != "INFO" {
		t.Errorf("line %v", l)
	}
	if lines[1]["level"] != "DEBUG" {
		t.Errorf("health checks are logged at %v", lines[1]["level"])
	}
}

// ---- sweeping

func TestSweepGoesOn(t *testing.T) {
	var n int
	sweeps := make(chan int)
	s := start(t, server.Options{
		Sweep: func(ctx context.Context) error {
			n++
			select {
			case sweeps <- n:
			case <-ctx.Done():
			}
			switch n {
			case 1:
				return errors.New("disk full")
			case 2:
				panic("sweep bug")
			}
			return nil
		},
		Limits: server.Limits{SweepEvery: 10 * time.Millisecond},
	})
	for receive(t, sweeps) < 4 { // at once, after an error, after a panic
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if l := s.lines(t, "sweep"); len(l) != 2 {
		t.Errorf("%d lines about failed sweeps", len(l))
	}
}
