package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/keyring"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// site is the real program with forward-auth on, and a bare handler of net/http
// beside it, each in a process of its own.
type site struct {
	folder, program string
	request         []byte // of a proxy, for a session that passes
}

const wiki = "wiki.localhost:9000"

// newSite makes the accounts and sessions that the program finds.
func newSite(b testing.TB) *site {
	b.Helper()
	s := &site{folder: b.TempDir()}
	s.program = filepath.Join(s.folder, "twinlatch")
	run(b, "go", "build", "-o", s.program, "../cmd/twinlatch")
	run(b, "go", "build", "-o", s.path("hello"), "./hello")
	ctx := context.Background()
	if err := keyring.Create(s.path("keys"), rand.Reader, time.Now()); err != nil {
		b.Fatal(err)
	}
	keys, err := keyring.Load(s.path("keys"))
	if err != nil {
		b.Fatal(err)
	}
	store, err := sqlstore.Open(ctx, "sqlite:"+s.path("db"))
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	app, err := totp.New("Twinlatch")
	if err != nil {
		b.Fatal(err)
	}
	service, err := twinlatch.New(ctx, twinlatch.Config{Store: store, Keys: keys, Methods: []twinlatch.Method{app}})
	if err != nil {
		b.Fatal(err)
	}
	p := &person{Env: &twinlatchtest.Env{Service: service, Store: store}}
	id, err := service.CreateAccount(ctx, twinlatch.NewAccount{Login: "ana@example.com", Confirmed: true}, client)
	if err != nil {
		b.Fatal(err)
	}
	d, _, err := service.StartSession(ctx, id.ID, client)
	if err != nil {
		b.Fatal(err)
	}
	who, _ := d.Enrolling()
	c, err := service.BeginEnroll(ctx, who, "totp", nil, client)
	if err != nil {
		b.Fatal(err)
	}
	p.app = twinlatchtest.Scan(b, c.Prompt.QR)
	if _, p.token, err = service.FinishEnroll(ctx, who, c.ID, twinlatch.Answer{"code": p.app.Code(service.Now())}, client); err != nil {
		b.Fatal(err)
	}
	s.request = question(p.opened(b, "wiki.localhost").Reveal())
	config := "listen = \"127.0.0.1:%s\"\naddress = \"http://localhost:8080\"\nproxies = [\"127.0.0.1\"]\ndatabase = \"sqlite:" + s.path("db") + "\"\nkeys = \"" + s.path("keys") +
		"\"\n[forward_auth]\nrules = [\"http://" + wiki + "/ second-step\", \"http://" + wiki + "/admin second-step within=15m group=admin\", \"http://" + wiki + "/status public\"]\n"
	if err := os.WriteFile(s.path("config"), []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	return s
}

// question is what a proxy asks for the bearer of a token.
func question(token string) []byte {
	return fmt.Appendf(nil, "GET /auth/forward HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: %s\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\n"+
		"X-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: %s\r\nX-Forwarded-Uri: /pages/2026/minutes?draft=1\r\n"+
		"X-Forwarded-For: %s\r\nCookie: theme=dark; twinlatch=%s\r\n\r\n", client.UserAgent, wiki, client.IP, token)
}

func (s *site) path(name string) string { return filepath.Join(s.folder, name) }

func run(b testing.TB, name string, args ...string) {
	b.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// start runs the program or hello behind a command such as valgrind, and returns where it
// listens.
func (s *site) start(b testing.TB, hello bool, before ...string) (address string, stop func()) {
	b.Helper()
	return s.startWith(b, []string{"GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1,cpu.rdtscp=off"}, hello, before...)
}

func (s *site) startWith(b testing.TB, env []string, hello bool, before ...string) (address string, stop func()) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	args := append(slices.Clone(before), s.path("hello"), address)
	if !hello {
		text, err := os.ReadFile(s.path("config"))
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(s.path("config-"+port), fmt.Appendf(nil, string(text), port), 0o600); err != nil {
			b.Fatal(err)
		}
		args = append(slices.Clone(before), s.program, "serve", "--config", s.path("config-"+port))
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(deadline) {
			_ = cmd.Process.Kill()
			b.Fatalf("%v does not listen: %s", args, &log)
		}
	}
	return address, sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
}

// send asks n times over one connection. All have to be answered 200.
func (s *site) send(b testing.TB, address string, n int) {
	b.Helper()
	s.sendAll(b, address, n, func(int) []byte { return s.request })
}

func (s *site) sendAll(b testing.TB, address string, n int, request func(i int) []byte) {
	b.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for i := range n {
		if _, err := c.Write(request(i)); err != nil {
			b.Fatal(err)
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			b.Fatalf("request %d: %v", i, err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			b.Fatal(answer.Status)
		}
	}
}

var refs = regexp.MustCompile(`I\s+refs:\s+([0-9,]+)`)

// instructions of one request, as valgrind counts them: those of a run with many less
// those of one with few that lasts as long, because the program does other things every
// second.
func (s *site) instructions(b testing.TB, hello bool) float64 {
	b.Helper()
	return s.instructionsOf(b, hello, func(address string, n int) { s.send(b, address, n) })
}

func (s *site) instructionsOf(b testing.TB, hello bool, send func(address string, n int)) float64 {
	b.Helper()
	const few, many = 1000, 9000 // enough for the garbage collector to come by several times
	count := func(n int, atLeast time.Duration) (float64, time.Duration) {
		out := s.path(fmt.Sprintf("valgrind-%v-%d", hello, n))
		address, stop := s.start(b, hello, "valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", "--log-file="+out)
		began := time.Now()
		send(address, n)
		lasted := time.Since(began)
		time.Sleep(atLeast - lasted)
		stop()
		text, err := os.ReadFile(out)
		if err != nil {
			b.Fatal(err)
		}
		found := refs.FindSubmatch(text)
		if found == nil {
			b.Fatalf("valgrind said: %s", text)
		}
		refs, err := strconv.ParseFloat(strings.ReplaceAll(string(found[1]), ",", ""), 64)
		if err != nil {
			b.Fatal(err)
		}
		return refs, lasted
	}
	all, lasted := count(many, 0)
	some, _ := count(few, lasted)
	return (all - some) / (many - few)
}

// BenchmarkCheckInstructions compares a check of the program with a bare handler of
// net/http that gets the same request. Wanted: at most 1.5 times as many.
func BenchmarkCheckInstructions(b *testing.B) {
	if _, err := exec.LookPath("valgrind"); err != nil {
		b.Fatal("valgrind is missing; Debian calls its package valgrind")
	}
	s := newSite(b)
	for b.Loop() {
		hello, check := s.instructions(b, true), s.instructions(b, false)
		b.ReportMetric(hello, "hello-instr")
		b.ReportMetric(check, "check-instr")
		b.ReportMetric(check/hello, "x-hello")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCheckRate compares how many requests a second both answer on one core, in rounds
// that take turns. Who asks has another core. Wanted: at least 0.75 times as many.
func BenchmarkCheckRate(b *testing.B) {
	s := newSite(b)
	hello, stopHello := s.start(b, true, "taskset", "-c", "0")
	defer stopHello()
	check, stopCheck := s.start(b, false, "taskset", "-c", "0")
	defer stopCheck()
	self := strconv.Itoa(os.Getpid())
	run(b, "taskset", "-a", "-p", "-c", "1", self)
	defer run(b, "taskset", "-a", "-p", "-c", "0-"+strconv.Itoa(runtime.NumCPU()-1), self)
	for _, address := range []string{hello, check} { // whose heap then has its size
		s.rate(b, address)
	}
	const rounds = 24
	for b.Loop() {
		var ratios []float64
		for round := range rounds {
			rates := map[string]float64{}
			order := []string{hello, check}
			if round%2 == 1 {
				slices.Reverse(order)
			}
			for _, address := range order {
				rates[address] = s.rate(b, address)
			}
			ratios = append(ratios, rates[check]/rates[hello])
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[0], "least-x-hello")
		b.ReportMetric((ratios[rounds/2-1]+ratios[rounds/2])/2, "x-hello")
		b.ReportMetric(ratios[rounds-1], "most-x-hello")
	}
	b.ReportMetric(0, "ns/op")
}

// rate is requests a second over 8 connections.
func (s *site) rate(b testing.TB, address string) float64 {
	const connections, each = 8, 3000
	var wait sync.WaitGroup
	began := time.Now()
	for range connections {
		wait.Go(func() { s.ask(b, address, each) })
	}
	wait.Wait()
	return connections * each / time.Since(began).Seconds()
}

// ask is a send that costs the asker little: answers have no body, and only their first line
// is looked at.
func (s *site) ask(b testing.TB, address string, n int) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Error(err)
		return
	}
	defer c.Close()
	answer := make([]byte, 4096)
	for range n {
		if _, err := c.Write(s.request); err != nil {
			b.Error(err)
			return
		}
		length := 0
		for !bytes.HasSuffix(answer[:length], []byte("\r\n\r\n")) {
			got, err := c.Read(answer[length:])
			if err != nil {
				b.Error(err)
				return
			}
			length += got
		}
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 OK\r\n")) {
			b.Errorf("%q", answer[:length])
			return
		}
	}
}
