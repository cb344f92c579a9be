package pages

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// devDoor is a door in development mode, whose clock can be moved.
func devDoor(t *testing.T, change ...func(*Dev)) *door {
	t.Helper()
	var clock *movedClock
	d := newDoor(t, development, func(c *Config) {
		clock = c.Dev.Clock.(*movedClock)
		for _, f := range change {
			f(c.Dev)
		}
	})
	clock.move = d.env.Clock.Advance
	return d
}

// In production none of it exists, and no setting of a request brings it.
func TestNoDevelopmentModeInProduction(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	for _, host := range []string{"twinlatch.test", "localhost", "localhost:8080", "127.0.0.1", "[::1]:8080"} {
		for _, path := range []string{"/dev", "/dev/", "/dev/outbox", "/dev/clock", "/dev/clock/"} {
			for _, method := range []string{"GET", "POST"} {
				r := ana.request(method, path, "")
				r.Host = host
				if method == "POST" {
					r = ana.request(method, path, "advance=31d")
					r.Host = host
					r.Header.Set("Origin", "http://"+host)
				}
				ana.send(r).is(404)
			}
		}
	}
	before := ana.now()
	ana.get("/help").is(200).hides("Development mode", "Clock")
	if !ana.now().Equal(before) {
		t.Error("the clock moved")
	}
}

func TestEveryPageSaysDevelopmentMode(t *testing.T) {
	t.Parallel()
	d := devDoor(t)
	ana := d.anaWithApp(t)
	for _, path := range []string{"/help", "/sign-up", security, security + "/turn-off", "/nothing", "/dev/outbox", "/dev/clock"} {
		r := ana.request("GET", path, "")
		r.Header.Set("Accept", "text/html")
		ana.send(r).says("Development mode. Do not use real accounts.").offers("/dev/outbox", "/dev/clock").hides("ahead")
	}
	ana.post("/dev/clock", "advance", "31d").is(200)
	ana.get("/help").says("The clock is 31 days ahead.")
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	asJSON := func(d *door) string {
		b := d.browser(t)
		b.header.Set("Accept", "application/json")
		p := b.get("/dev/outbox").is(200)
		if got := p.header.Get("Content-Type"); got != "application/json" {
			t.Errorf("Content-Type %q", got)
		}
		return p.body
	}
	empty := devDoor(t)
	if got := asJSON(empty); got != "[]\n" {
		t.Errorf("no messages: %q", got)
	}
	empty.browser(t).get("/dev/outbox").is(200).titled("Messages").says("No messages yet.")

	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	messages := []DevMessage{
		{"text", "+44 7700 900167", "", "123456 is your code", at.Add(time.Minute)},
		{"email", "ana@example.com", "<b>Subject</b>", "Hello <script>alert(1)</script>\n@host #1", at},
	}
	full := devDoor(t, func(d *Dev) { d.Messages = func() []DevMessage { return messages } })
	var got []map[string]any
	if err := json.Unmarshal([]byte(asJSON(full)), &got); err != nil || len(got) != 2 {
		t.Fatalf("%v: %v", got, err)
	}
	for key, want := range map[string]string{"channel": "text", "to": "+44 7700 900167", "subject": "", "body": "123456 is your code", "at": "2026-11-23T12:01:00Z"} {
		if got[0][key] != want {
			t.Errorf("%s is %q, want %q", key, got[0][key], want)
		}
	}
	if len(got[0]) != 5 || got[1]["subject"] != "<b>Subject</b>" {
		t.Errorf("%v", got)
	}
	full.browser(t).get("/dev/outbox").is(200).says("email · ana@example.com · 23 Nov 2026, 12:00 UTC <b>Subject</b> Hello <script>alert(1)</script>")
}

func TestClock(t *testing.T) {
	t.Parallel()
	d := devDoor(t)
	b := d.browser(t)
	if p := b.get("/dev/clock").is(200); p.body != `{"now":"2026-11-23T12:00:00Z"}`+"\n" || p.header.Get("Content-Type") != "application/json" {
		t.Errorf("%q", p.body)
	}
	if p := b.post("/dev/clock", "advance", "31d").is(200); p.body != `{"now":"2026-12-24T12:00:00Z"}`+"\n" {
		t.Errorf("%q", p.body)
	}
	r := b.request("POST", "/dev/clock", `{"advance": "30s"}`)
	r.Header.Set("Content-Type", "application/json")
	if p := b.send(r).is(200); p.body != `{"now":"2026-12-24T12:00:30Z"}`+"\n" {
		t.Errorf("%q", p.body)
	}

	b.header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	p := b.get("/dev/clock").is(200).titled("Clock").says("24 Dec 2026, 12:00 UTC", "+30 seconds", "+1 day", "+30 days", "Set up an authenticator app, then its code shows here.")
	var steps []string
	for button := range p.all("button") {
		if attr(button, "name") == "advance" {
			steps = append(steps, attr(button, "value"))
		}
	}
	if strings.Join(steps, " ") != "30s 1d 30d" {
		t.Errorf("buttons %q", steps)
	}
	b.post("/dev/clock", "advance", "1d").goes("/dev/clock")
	b.get("/dev/clock").says("25 Dec 2026, 12:00 UTC")
}

func TestClockRefuses(t *testing.T) {
	t.Parallel()
	d := devDoor(t)
	for _, by := range []string{"", "x", "0s", "-1d", "-31d", "1", "1w", "1d ", "1.5d", "9999999999d", "31D", strings.Repeat("9", 60000) + "d"} {
		b := d.browser(t)
		p := b.post("/dev/clock", "advance", by).is(422)
		if p.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%q: %q", by, p.header.Get("Content-Type"))
		}
		b.header.Set("Accept", "text/html")
		b.post("/dev/clock", "advance", by).is(422).titled("Error: Clock").notes("The clock moves forward only, for example by 31d, and by 100 years at most.")
		for _, body := range []string{`{"advance": 5}`, `{`, `[]`, ``, `"31d"`} {
			r := b.request("POST", "/dev/clock", body)
			r.Header.Set("Content-Type", "application/json")
			b.send(r).is(400)
		}
	}
	if now := d.env.Clock.Now(); !now.Equal(twinlatchtest.Start()) {
		t.Errorf("the clock moved to %v", now)
	}
}

// A page elsewhere whose name points to this machine is not let in.
func TestDevelopmentModeKnowsItsNames(t *testing.T) {
	t.Parallel()
	d := devDoor(t)
	for host, served := range map[string]bool{
		"localhost": true, "localhost:8080": true, "twinlatch.localhost": true, "twinlatch.localhost:1": true, "127.0.0.1": true, "127.0.0.1:8080": true, "127.9.9.9": true, "[::1]": true, "[::1]:8080": true,
		"evil.example": false, "evil.example:8080": false, "localhost.evil.example": false, "evillocalhost": false, "127.0.0.1.evil.example": false, "192.0.2.1": false, "0.0.0.0": false, "[::]": false, "": false, "localhost.": false, "[::ffff:192.0.2.1]": false,
	} {
		for _, method := range []string{"GET", "POST"} {
			for _, path := range []string{"/dev/outbox", "/dev/clock"} {
				if method == "POST" && path == "/dev/outbox" {
					continue
				}
				r := httptest.NewRequest(method, path, strings.NewReader(map[string]string{"POST": "advance=1s"}[method]))
				r.Host = host
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				w := httptest.NewRecorder()
				d.ServeHTTP(w, r)
				if (w.Code == http.StatusOK) != served || !served && w.Code != http.StatusNotFound {
					t.Errorf("%s %s at %q: status %d", method, path, host, w.Code)
				}
			}
		}
	}
}

// Whoever moved the clock, stopped the server and comes back is told.
func TestClockBehindTheData(t *testing.T) {
	t.Parallel()
	d := devDoor(t, func(d *Dev) { d.Behind = 31 * 24 * time.Hour })
	b := d.browser(t)
	b.header.Set("Accept", "text/html")
	b.get("/dev/clock").says("Your data are 31 days ahead of this clock. Move it forward, or codes will look used.")
	b.post("/dev/clock", "advance", "30d").goes("/dev/clock")
	b.get("/dev/clock").says("Your data are 1 day ahead of this clock.")
	b.post("/dev/clock", "advance", "1d").goes("/dev/clock")
	b.get("/dev/clock").hides("Your data are")
}

// The page also is an authenticator app, for those without a phone.
func TestClockShowsCodes(t *testing.T) {
	t.Parallel()
	d := devDoor(t)
	ana := d.ana(t)
	setup := ana.begin()
	ana.get(setup.link(security + "/confirm/")) // seen twice, shown once
	app := twinlatchtest.Scan(t, setup.link("otpauth:"))
	ana.header.Set("Accept", "text/html")
	code := app.Code(ana.now())
	ana.get("/dev/clock").is(200).says("Twinlatch: ana@example.com: " + code[:3] + " " + code[3:])
	for range 25 {
		ana.begin()
	}
	if n := strings.Count(ana.get("/dev/clock").text("main"), "Twinlatch: "); n != 20 {
		t.Errorf("%d codes, want those of the last 20 keys", n)
	}
	broken := errors.New("no such app")
	d.cfg.Dev.Code = func(string, time.Time) (string, string, error) { return "", "", broken }
	ana.get("/dev/clock").is(500)
}
