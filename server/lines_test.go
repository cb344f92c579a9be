package server_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/server"
	"github.com/twinlatch/twinlatch/web"
)

// linesOf lets everybody pass to /check/WHO, and says who it is in lines. To /refuse nobody may pass.
func linesOf(r *http.Request) http.Handler {
	who, ok := strings.CutPrefix(r.URL.Path, "/check/")
	if !ok && r.URL.Path != "/refuse" {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ok {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		w.(web.HeaderLineWriter).WriteHeaderLines(http.StatusOK, []byte("Remote-User: "+who+"\r\nRemote-Groups: \r\n"))
	})
}

// headers are those of an answer that net/http does not add itself.
func headers(h http.Header) string {
	var all []string
	for name, values := range h {
		if !slices.Contains([]string{"Connection", "Content-Length", "Date", "X-Request-Id"}, name) {
			all = append(all, fmt.Sprint(name, values))
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// exchange is a request, and what its answer has to be.
type exchange struct {
	request, method string
	status          int
	headers         string // but for those of net/http
}

// conversation is what a client asks over one connection, with bodies and without, until
// either closes it.
func conversation(draw *rand.Rand) []exchange {
	all := make([]exchange, 1+draw.IntN(20))
	for i := range all {
		e := &all[i]
		e.method, e.status = []string{"GET", "HEAD", "POST"}[draw.IntN(3)], http.StatusOK
		var path, body, last string
		switch draw.IntN(4) {
		case 0:
			path, e.headers = "/page/"+strconv.Itoa(draw.IntN(6000)), "Content-Type[text/x-page]"
		case 1:
			path, e.status, e.headers = "/refuse", http.StatusForbidden, "Content-Type[text/plain; charset=utf-8] X-Content-Type-Options[nosniff]"
		default:
			who := "p" + strconv.Itoa(draw.IntN(1000))
			path, e.headers = "/check/"+who, "Remote-Groups[] Remote-User["+who+"]"
		}
		protocol := "HTTP/1.1"
		if e.method == "POST" {
			body = strings.Repeat("b", draw.IntN(5000))
		} else if i == len(all)-1 {
			protocol = []string{"HTTP/1.0", "HTTP/1.1"}[draw.IntN(2)]
			last = []string{"", "Connection: close\r\n"}[draw.IntN(2)]
		}
		e.request = fmt.Sprintf("%s %s %s\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s", e.method, path, protocol, last, len(body), body)
	}
	return all
}

// Whatever is asked over a connection, by turns or without waiting, each answer has the lines of its
// own question, and those alone. The seed is always the same.
func TestLinesOfACheckAreInItsAnswerAndNoOther(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/x-page")
		size, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/page/"))
		_, _ = io.WriteString(w, strings.Repeat("x", size)) // long ones leave in pieces
	})
	s := start(t, server.Options{Handler: page, Checks: linesOf})
	draw := rand.New(rand.NewPCG(7, 7))
	for range 100 {
		all := conversation(draw)
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		byTurns := draw.IntN(2) == 0
		if !byTurns {
			go func() {
				for _, e := range all {
					_, _ = io.WriteString(c, e.request)
				}
			}()
		}
		in := bufio.NewReader(c)
		for i, e := range all {
			if byTurns {
				_, _ = io.WriteString(c, e.request)
			}
			answer, err := http.ReadResponse(in, &http.Request{Method: e.method})
			if err != nil {
				t.Fatalf("answer %d of %d: %v", i, len(all), err)
			}
			if _, err := io.Copy(io.Discard, answer.Body); err != nil {
				t.Fatal(err)
			}
			got := headers(answer.Header)
			if answer.StatusCode != e.status || got != e.headers {
				t.Fatalf("answer %d of %d is %s with\n%s, want %d with\n%s", i, len(all), answer.Status, got, e.status, e.headers)
			}
		}
		c.Close()
	}
}

// A client that waits before it sends its body gets the answer, not the invitation.
func TestLinesOfACheckForWhoWaits(t *testing.T) {
	s := start(t, server.Options{Checks: linesOf})
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "POST /check/ana HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != http.StatusOK || headers(answer.Header) != "Remote-Groups[] Remote-User[ana]" {
		t.Fatalf("%v: %v", err, answer)
	}
}

// A check that breaks after it has said who comes is not answered.
func TestLinesOfACheckThatBreaks(t *testing.T) {
	s := start(t, server.Options{Checks: func(*http.Request) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.(web.HeaderLineWriter).WriteHeaderLines(http.StatusOK, []byte("Remote-User: ana\r\n"))
			panic(http.ErrAbortHandler)
		})
	}})
	if got := s.raw(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); got != "" {
		t.Fatalf("answered %q", got)
	}
}

// raw is all that is answered to what is sent, until the server closes.
func (r *running) raw(t *testing.T, sent string) string {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, sent); err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(c) // what came before a reset counts as well
	return string(got)
}

// Nobody can send lines when the answer has begun: they would be in that of the next request.
func TestLinesOfACheckThatHasAnswered(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"refused": func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) },
		"a page":  func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat("x", 10_000)) },
		"passed": func(w http.ResponseWriter) {
			w.(web.HeaderLineWriter).WriteHeaderLines(http.StatusOK, []byte("A: b\r\n"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, server.Options{
				Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "somebody else's") }),
				Checks: func(r *http.Request) http.Handler {
					if r.URL.Path != "/check" {
						return nil
					}
					return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						answer(w)
						w.(web.HeaderLineWriter).WriteHeaderLines(http.StatusOK, []byte("Remote-User: ana\r\n"))
					})
				},
			})
			got := s.raw(t, "GET /check HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if strings.Contains(got, "Remote-User") || strings.Contains(got, "somebody") {
				t.Errorf("answered %q", got)
			}
		})
	}
}
