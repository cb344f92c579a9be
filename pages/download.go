package pages

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

const (
	downloadPath = activityPath + "/download"

	atOnce   = 500             // events that are read and sent at once
	eachTurn = 2 * time.Minute // for a client to take them
	fileTime = "2006-01-02T15:04:05.000Z07:00"
)

// eventWriter writes events into a file of some format.
type eventWriter interface {
	write(twinlatch.Event) error
	flush() error
}

// download is all that happened to the account as a file, the newest first, down
// to number 1. It is sent as it is read, so an error on the way cuts the
// connection: a file that ends otherwise has everything.
func (p *Pages) download(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	format := cmp.Or(r.URL.Query().Get("format"), "csv")
	types := map[string]string{"csv": "text/csv; charset=utf-8; header=present", "jsonl": "application/jsonl; charset=utf-8"}
	if types[format] == "" {
		return twinlatch.ErrNotFound
	}
	events, err := p.service.Events(r.Context(), who, 0, atOnce)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", types[format])
	h.Set("Content-Disposition", `attachment; filename="security-activity-`+p.service.Now().UTC().Format(time.DateOnly)+"."+format+`"`)
	if r.Method == http.MethodHead {
		return nil
	}
	var file eventWriter = newJSONLines(w)
	if format == "csv" {
		file = p.newCSV(w)
	}
	p.stream(w, r, file, events, func(last twinlatch.Event) ([]twinlatch.Event, error) {
		return p.service.Events(r.Context(), who, last.Seq, atOnce)
	})
	return nil
}

// stream sends events, and those behind the last of them until there are none.
func (p *Pages) stream(w http.ResponseWriter, r *http.Request, file eventWriter, events []twinlatch.Event, behind func(last twinlatch.Event) ([]twinlatch.Event, error)) {
	for len(events) > 0 {
		if err := send(w, file, events); err != nil {
			p.cut(r, slog.LevelDebug, err) // the client has gone, or takes nothing
		}
		var err error
		events, err = behind(events[len(events)-1])
		switch {
		case err == nil:
		case r.Context().Err() != nil, errors.Is(err, twinlatch.ErrNoSession), errors.Is(err, twinlatch.ErrNotFresh), errors.Is(err, twinlatch.ErrForbidden):
			p.cut(r, slog.LevelDebug, err) // nor may they go on
		default:
			p.cut(r, slog.LevelError, err)
		}
	}
}

// send sends events and waits until they are on their way. The server's time
// limit is for a page; here the client gets new time for each turn.
func send(w http.ResponseWriter, file eventWriter, events []twinlatch.Event) error {
	client := http.NewResponseController(w)
	if err := client.SetWriteDeadline(time.Now().Add(eachTurn)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	for _, e := range events {
		if err := file.write(e); err != nil {
			return err
		}
	}
	if err := file.flush(); err != nil {
		return err
	}
	if err := client.Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// cut ends an answer that has begun, and the connection with it: nobody takes a
// part of a file for the whole.
func (p *Pages) cut(r *http.Request, level slog.Level, err error) {
	p.cfg.Log.Log(r.Context(), level, "download cut", "route", r.Pattern, "error", err)
	panic(http.ErrAbortHandler)
}

// jsonLines are events as JSON Lines, in the keys of "twinlatch events export".
type jsonLines struct{ lines *json.Encoder }

type jsonLine struct {
	Seq       int64               `json:"seq"`
	At        time.Time           `json:"at"`
	Type      twinlatch.EventType `json:"type"`
	Actor     string              `json:"actor"`
	IP        string              `json:"ip,omitempty"`
	UserAgent string              `json:"user_agent,omitempty"`
	More      map[string]string   `json:"more,omitempty"`
}

func newJSONLines(w io.Writer) jsonLines { return jsonLines{json.NewEncoder(w)} }

func (f jsonLines) write(e twinlatch.Event) error {
	line := jsonLine{Seq: e.Seq, At: e.At, Type: e.Type, Actor: e.Actor, UserAgent: e.Detail.UserAgent, More: e.Detail.More}
	if e.Detail.IP.IsValid() {
		line.IP = e.Detail.IP.String()
	}
	return f.lines.Encode(line)
}

func (jsonLines) flush() error { return nil }

// csvFile are events as CSV (RFC 4180). "what" is in the person's language, all
// else is not; "more" has what has no column of its own, as JSON.
type csvFile struct {
	p     *Pages
	lines *csv.Writer
}

func (p *Pages) newCSV(w io.Writer) csvFile {
	f := csvFile{p, csv.NewWriter(w)}
	f.lines.UseCRLF = true
	_ = f.lines.Write([]string{"seq", "at", "type", "what", "reason", "actor", "why", "kind", "name", "ip", "user_agent", "more"}) // flush has the error
	return f
}

func (f csvFile) write(e twinlatch.Event) error {
	more := maps.Clone(e.Detail.More)
	take := func(key string) string {
		value := more[key]
		delete(more, key)
		return value
	}
	ip := ""
	if e.Detail.IP.IsValid() {
		ip = e.Detail.IP.String()
	}
	row := []string{
		strconv.FormatInt(e.Seq, 10), e.At.UTC().Format(fileTime), string(e.Type), f.p.eventText(e),
		take("reason"), e.Actor, take("why"), take("kind"), take("name"), ip, e.Detail.UserAgent, "",
	}
	if len(more) > 0 {
		rest, err := json.Marshal(more)
		if err != nil {
			return err
		}
		row[len(row)-1] = string(rest)
	}
	for i, cell := range row {
		row[i] = inert(cell)
	}
	return f.lines.Write(row)
}

func (f csvFile) flush() error {
	f.lines.Flush()
	return f.lines.Error()
}

// inert is a cell that no spreadsheet takes for a formula: people choose names, and
// browsers what they call themselves.
func inert(cell string) string {
	if strings.IndexAny(cell, "=+-@\t\r\n＝＋－＠") == 0 {
		return "'" + cell
	}
	return cell
}
