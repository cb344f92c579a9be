package proxies

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Relay is the network that people are in: whom they connect to sees its address,
// which can be changed.
type Relay struct {
	Control string // POST with ?from=127.0.0.9 changes the address, and ends all connections
	behind  string
	mu      sync.Mutex
	from    net.IP
	open    map[net.Conn]bool
}

// home is where people are at first: another address than that of any proxy.
const home = "127.0.0.10"

func startRelay(t *testing.T, l net.Listener, behind string) *Relay {
	r := &Relay{behind: behind, from: net.ParseIP(home), open: map[net.Conn]bool{}}
	control := httptest.NewServer(http.HandlerFunc(r.move))
	r.Control = control.URL
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go r.carry(conn)
		}
	}()
	t.Cleanup(func() {
		control.Close()
		l.Close()
		<-done
		r.hangUp()
	})
	return r
}

func (r *Relay) move(w http.ResponseWriter, q *http.Request) {
	from := net.ParseIP(q.FormValue("from"))
	if q.Method != http.MethodPost || from == nil || !from.IsLoopback() {
		http.Error(w, "want POST with from=127.0.0.9", http.StatusBadRequest)
		return
	}
	r.Move(from)
}

// Move changes the address.
func (r *Relay) Move(from net.IP) {
	r.mu.Lock()
	r.from = from
	r.mu.Unlock()
	r.hangUp()
}

func (r *Relay) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.open {
		conn.Close()
	}
}

// carry joins a connection with one to what is behind. When one side ends, both do.
func (r *Relay) carry(near net.Conn) {
	defer near.Close()
	r.mu.Lock()
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: r.from}}
	r.open[near] = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.open, near)
		r.mu.Unlock()
	}()
	far, err := d.Dial("tcp", r.behind)
	if err != nil {
		return
	}
	defer far.Close()
	go func() {
		io.Copy(far, near)
		far.Close()
	}()
	io.Copy(near, far)
}
