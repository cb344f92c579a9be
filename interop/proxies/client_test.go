package proxies

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// request is written byte by byte as it stands here: a client library would
// tidy up what a proxy has to withstand.
type request struct {
	from    string // address of the client; empty: 127.0.0.1
	method  string // empty: GET
	target  string // empty: /
	host    string // empty: the wiki's
	version string // empty: HTTP/1.1
	header  string // lines "Name: value", each with \n
	body    string
}

// page and fetch are what a browser says of itself.
const (
	page  = "Accept: text/html,*/*;q=0.8\nSec-Fetch-Mode: navigate\n"
	fetch = "Accept: application/json\nSec-Fetch-Mode: cors\n"
)

type answer struct {
	*http.Response
	body string
}

// reached is what the app says that it received.
func (a answer) reached(t *testing.T) received {
	t.Helper()
	if a.StatusCode != http.StatusOK {
		t.Fatalf("answered with %s, want 200 from the app: %s", a.Status, a.body)
	}
	var got received
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatalf("no answer of the app: %v: %s", err, a.body)
	}
	return got
}

// dial connects to the proxy from an address of this machine.
func (p *Proxy) dial(t *testing.T, from string) net.Conn {
	t.Helper()
	d := net.Dialer{Timeout: patience}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := d.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// send makes one request on a connection of its own.
func (p *Proxy) send(t *testing.T, r request) answer {
	t.Helper()
	conn := p.dial(t, r.from)
	return p.sendOn(t, conn, bufio.NewReader(conn), r)
}

func (p *Proxy) sendOn(t *testing.T, conn net.Conn, answers *bufio.Reader, r request) answer {
	t.Helper()
	got, err := p.try(conn, answers, r)
	if err != nil {
		t.Fatalf("no answer to %s %s: %v", r.method, r.target, err)
	}
	return got
}

// try makes a request that a proxy may hang up on.
func (p *Proxy) try(conn net.Conn, answers *bufio.Reader, r request) (answer, error) {
	if r.method == "" {
		r.method = "GET"
	}
	if r.target == "" {
		r.target = "/"
	}
	if r.host == "" {
		r.host = p.host(wikiHost)
	}
	if r.version == "" {
		r.version = "HTTP/1.1"
	}
	if r.body != "" && !strings.Contains(r.header, "Transfer-Encoding:") {
		r.header += fmt.Sprintf("Content-Length: %d\n", len(r.body))
	}
	text := fmt.Sprintf("%s %s %s\r\nHost: %s\r\n%s\r\n%s", r.method, r.target, r.version, r.host, strings.ReplaceAll(r.header, "\n", "\r\n"), r.body)
	if _, err := io.WriteString(conn, text); err != nil {
		return answer{}, err
	}
	response, err := http.ReadResponse(answers, &http.Request{Method: r.method})
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{Response: response, body: string(body)}, err
}
