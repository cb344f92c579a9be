package proxies

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// app is what the proxies protect. It answers with what it received.
type app struct {
	name    string
	address string
	mu      sync.Mutex
	all     []received
}

// received is a request that got through, as the app saw it.
type received struct {
	App, Method, URI, Host, Body string
	Header                       http.Header
}

func newApp(t *testing.T, name string) *app {
	a := &app{name: name}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.address = server.Listener.Addr().String()
	return a
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		body = fmt.Appendf(nil, "cut: %v", err)
	}
	got := received{App: a.name, Method: r.Method, URI: r.RequestURI, Host: r.Host, Body: string(body), Header: r.Header}
	a.mu.Lock()
	a.all = append(a.all, got)
	a.mu.Unlock()
	// Any other upgrade is done by the app as well, as by servers that know HTTP/2: what
	// comes then is judged by nobody.
	if to := r.Header.Get("Upgrade"); to != "" && strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") {
		converse(w, to, r.Header.Get("Sec-WebSocket-Key"))
		return
	}
	if code, found := strings.CutPrefix(r.URL.Path, "/status/"); found {
		w.Header().Set("Location", "/elsewhere")
		w.Header().Set("Set-Cookie", "app=1")
		w.Header().Set("WWW-Authenticate", `Basic realm="app"`)
		w.Header().Set("Content-Type", "text/x-app")
		status, err := strconv.Atoi(code)
		if err != nil {
			status = http.StatusBadRequest
		}
		w.WriteHeader(status)
		io.WriteString(w, "the app's own")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(got)
}

// requests are all that got through.
func (a *app) requests() []received {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all)
}

// converse is a WebSocket, as far as proxies can tell: the answer fits the key
// (RFC 6455, section 4.2.2), and after 101 both sides write when they like.
func converse(w http.ResponseWriter, to, key string) {
	accept := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	conn, both, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		to, base64.StdEncoding.EncodeToString(accept[:]))
	for lines := bufio.NewScanner(both); lines.Scan(); {
		fmt.Fprintf(conn, "you said %s\n", lines.Text())
	}
}
