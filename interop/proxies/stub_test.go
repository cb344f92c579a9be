package proxies

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// stub answers as docs/forward-auth says that Twinlatch does, and remembers
// what it was asked. Whose cookie is what decides:
//
//	session=ann      may pass
//	session=user-N   may pass, and is called so in all six headers
//	session=nobody   may pass, and all six headers are empty
//	session=guest    may not: 403
//	session=broken   finds a server that fails: 500
//	session=cut      finds one that hangs up without an answer
//	session=bare     finds one that is not Twinlatch: 200 without a header
//	session=strange  finds one that answers 404
//	anything else    has to sign in
type stub struct {
	address string
	mu      sync.Mutex
	all     []question
}

// question is a request to the check, by whichever door.
type question struct {
	door                            string // forward, nginx or envoy
	url, method, client, body, host string
	header                          http.Header
	close                           bool // the connection is for this question alone
}

// identity is what the app is told of ann, in UTF-8.
var identity = map[string]string{
	"Remote-User": "ann", "Remote-Email": "ann@example.test", "Remote-Name": "Änne Muñoz 王", "Remote-Groups": "staff,wiki",
	"X-2sv-At": "2026-11-30T12:00:00Z", "X-2sv-Method": "totp",
}

const (
	signIn    = "https://id.example.test/forward?return_to=http%3A%2F%2Fwiki.example.test%2F&n=a%2Bb"
	ticket    = "__Host-twinlatch=abc.def; Path=/; HttpOnly; SameSite=Lax"
	challenge = `Twinlatch realm="wiki \"one\""`
	problem   = `{"type":"about:blank","title":"Sign in first – \"please\"","status":401}`
	refusal   = `<!doctype html><title>Not for you</title>`
)

func newStub(t *testing.T) *stub {
	s := new(stub)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.address = server.Listener.Addr().String()
	return s
}

// asked are all questions so far.
func (s *stub) asked() []question {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// last is the newest question.
func (s *stub) last(t *testing.T) question {
	t.Helper()
	all := s.asked()
	if len(all) == 0 {
		t.Fatal("the check was not asked")
	}
	return all[len(all)-1]
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := question{client: strings.Join(r.Header["X-Forwarded-For"], " and "), host: r.Host, header: r.Header, close: r.Close}
	body, _ := io.ReadAll(r.Body)
	q.body = string(body)
	one := func(name string) string { return strings.Join(r.Header[name], " and ") }
	switch path, _, _ := strings.Cut(r.RequestURI, "?"); {
	case path == "/auth/forward" && r.Method == http.MethodGet:
		q.door, q.method = "forward", one("X-Forwarded-Method")
		q.url = one("X-Forwarded-Proto") + "://" + one("X-Forwarded-Host") + one("X-Forwarded-Uri")
	case path == "/auth/nginx" && r.Method == http.MethodGet:
		q.door, q.method, q.url = "nginx", one("X-Original-Method"), one("X-Original-Url")
	case strings.HasPrefix(path, "/auth/envoy/"):
		q.door, q.method = "envoy", r.Method
		q.url = one("X-Forwarded-Proto") + "://" + r.Host + strings.TrimPrefix(r.RequestURI, "/auth/envoy")
	default:
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	s.all = append(s.all, q)
	s.mu.Unlock()
	if u, err := url.Parse(q.url); err != nil || u.Host == "" || q.method == "" || q.client == "" {
		http.Error(w, fmt.Sprintf("%q does not tell of a request", q.url), http.StatusInternalServerError)
		return
	}
	s.judge(w, r, q.door)
}

func (s *stub) judge(w http.ResponseWriter, r *http.Request, door string) {
	w.Header().Set("Cache-Control", "no-store")
	session := ""
	if cookie, err := r.Cookie("session"); err == nil {
		session = cookie.Value
	}
	if strings.HasPrefix(session, "user-") {
		for name := range identity {
			w.Header().Set(name, session)
		}
		return
	}
	switch session {
	case "ann", "nobody":
		for name, value := range identity {
			if session == "nobody" {
				value = ""
			}
			w.Header().Set(name, value)
		}
	case "guest":
		if pageView(r) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, refusal)
			return
		}
		tell(w, door, http.StatusForbidden, problem)
	case "broken":
		http.Error(w, "broken", http.StatusInternalServerError)
	case "cut":
		panic(http.ErrAbortHandler)
	case "bare":
	case "strange":
		http.NotFound(w, r)
	default:
		s.sendAway(w, r, door)
	}
}

func (s *stub) sendAway(w http.ResponseWriter, r *http.Request, door string) {
	if pageView(r) {
		w.Header().Set("Location", signIn)
		w.Header().Set("Set-Cookie", ticket)
		if door == "nginx" {
			w.WriteHeader(http.StatusUnauthorized)
		} else {
			w.WriteHeader(http.StatusFound)
		}
		return
	}
	w.Header().Set("WWW-Authenticate", challenge)
	tell(w, door, http.StatusUnauthorized, problem)
}

func pageView(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") && r.Header.Get("Sec-Fetch-Mode") != "cors"
}

// tell tells a program. nginx drops bodies, so it gets them in a header as well.
func tell(w http.ResponseWriter, door string, status int, document string) {
	w.Header().Set("Content-Type", "application/problem+json")
	if door == "nginx" {
		w.Header().Set("X-2SV-Problem", document)
	}
	w.WriteHeader(status)
	io.WriteString(w, document)
}
