package pages

import (
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

// Dev is what development mode shows: the messages that would have been sent,
// a clock that can be moved forward, and an authenticator app for people who
// have no phone at hand. All of it is kept in memory.
type Dev struct {
	Clock    Clock
	Messages func() []DevMessage                                           // newest first
	Code     func(uri string, at time.Time) (name, code string, err error) // what an authenticator app shows
	Duration func(string) (time.Duration, error)                           // reads "31d"
	Behind   time.Duration                                                 // how far the stored data are ahead of the clock

	mu   sync.Mutex
	keys []string // otpauth URIs shown since the start
}

// Clock is the service's clock in development mode.
type Clock interface {
	Now() time.Time
	Offset() time.Duration
	Advance(d time.Duration) error // refuses to go back, and too far
}

// DevMessage is a message that development mode keeps instead of sending it.
type DevMessage struct {
	Channel string    `json:"channel"` // "text" or "email"
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	Body    string    `json:"body"`
	At      time.Time `json:"at"`
}

// maxKeys is how many setup keys the app of development mode remembers.
const maxKeys = 20

func (d *Dev) remember(uri string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.Contains(d.keys, uri) {
		return
	}
	d.keys = append(d.keys, uri)
	if len(d.keys) > maxKeys {
		d.keys = d.keys[1:]
	}
}

type devBanner struct {
	Ahead string // how far the clock was moved; empty: not
}

func (p *Pages) banner() *devBanner {
	b := &devBanner{}
	if ahead := p.cfg.Dev.Clock.Offset(); ahead > 0 {
		b.Ahead = p.span(ahead)
	}
	return b
}

func (p *Pages) devRoutes() []route {
	return []route{
		open("GET", "/dev/outbox", p.loopback(p.outbox)),
		open("GET", "/dev/clock", p.loopback(p.clock)),
		open("POST", "/dev/clock", p.loopback(p.moveClock)),
	}
}

// loopback refuses a request by another name than this machine's, so that no
// page elsewhere can have its name point here and read along (DNS rebinding).
func (p *Pages) loopback(h func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if host != "localhost" && !strings.HasSuffix(host, ".localhost") && (err != nil || !ip.IsLoopback()) {
			return twinlatch.ErrNotFound
		}
		return h(w, r)
	}
}

func (p *Pages) outbox(w http.ResponseWriter, r *http.Request) error {
	messages := []DevMessage{}
	if p.cfg.Dev.Messages != nil {
		messages = append(messages, p.cfg.Dev.Messages()...)
	}
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		return writeJSON(w, messages)
	}
	return p.render(w, r, view{page: "devoutbox", title: p.say("dev.outbox"), data: messages})
}

type clockPage struct {
	Now    time.Time
	Behind string
	Codes  []devCode
	Note   string
}

type devCode struct{ Name, Code string }

func (p *Pages) clock(w http.ResponseWriter, r *http.Request) error {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return p.writeClock(w)
	}
	return p.renderClock(w, r, nil)
}

func (p *Pages) writeClock(w http.ResponseWriter) error {
	return writeJSON(w, map[string]string{"now": p.cfg.Dev.Clock.Now().UTC().Format(time.RFC3339)})
}

func (p *Pages) renderClock(w http.ResponseWriter, r *http.Request, wrong error) error {
	dev := p.cfg.Dev
	data := clockPage{Now: dev.Clock.Now()}
	if behind := dev.Behind - dev.Clock.Offset(); behind > 0 {
		data.Behind = p.say("dev.clock.behind", "duration", p.span(behind))
	}
	dev.mu.Lock()
	keys := slices.Clone(dev.keys)
	dev.mu.Unlock()
	for _, uri := range keys {
		name, code, err := dev.Code(uri, data.Now)
		if err != nil {
			return err
		}
		data.Codes = append(data.Codes, devCode{name, code[:len(code)/2] + " " + code[len(code)/2:]})
	}
	status := http.StatusOK
	if wrong != nil {
		status, data.Note = http.StatusUnprocessableEntity, p.say("dev.clock.err")
	}
	return p.render(w, r, view{page: "devclock", status: status, title: p.say("dev.clock"), failed: wrong != nil, data: data})
}

// moveClock moves the service's clock forward, by a form or by JSON.
func (p *Pages) moveClock(w http.ResponseWriter, r *http.Request) error {
	by, err := advance(w, r)
	if err != nil {
		return err
	}
	dev := p.cfg.Dev
	d, err := dev.Duration(by)
	if err == nil {
		err = dev.Clock.Advance(d)
	}
	html := strings.Contains(r.Header.Get("Accept"), "text/html")
	switch {
	case err != nil && html:
		return p.renderClock(w, r, err)
	case err != nil:
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return nil
	}
	if html {
		return p.redirect(w, r, "/dev/clock")
	}
	return p.writeClock(w)
}

func advance(w http.ResponseWriter, r *http.Request) (string, error) {
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media == "application/json" {
		var body struct {
			Advance string `json:"advance"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, web.MaxForm)).Decode(&body); err != nil {
			return "", web.ErrForm
		}
		return body.Advance, nil
	}
	form, err := web.Form(w, r)
	return form["advance"], err
}

func writeJSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // the client has gone; nobody is left to tell
	return nil
}
