package pages

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

//go:embed templates/*.html
var templates embed.FS

// view is a page to be rendered.
type view struct {
	page   string
	status int // zero: 200
	title  string
	failed bool               // the page answers a post that went wrong
	script bool               // the page has something for app.js to do
	secret bool               // the page holds a secret: it is not compressed (BREACH)
	who    *twinlatch.Account // set: a page of Settings
	admin  bool               // a page of administrators, which is none of Settings
	wide   bool               // and has a table
	crumbs []crumb            // the way to it
	menu   string             // the page of the side menu that it is, or is below; empty: Security
	trail  string             // the page below it
	data   any
}

// frame is what the layout sees.
type frame struct {
	Lang, Dir string
	Title     string
	Script    bool
	Settings  bool
	Login     string
	Menu      []menuItem
	Section   menuItem // of the menu: where the page is
	App       string   // where one goes on to
	Trail     string
	Admin     bool
	Wide      bool
	Crumbs    []crumb
	Accounts  bool // the person is an administrator
	Language  languageSwitch
	Dev       *devBanner
	Main      template.HTML
}

// menuItem is a page of User settings.
type menuItem struct {
	Path, Name string
	Current    bool
}

// menu are the pages of User settings, and which of them is current.
func (p *Pages) menu(current string) (items []menuItem, section menuItem) {
	items = []menuItem{{Path: profilePath, Name: p.say("nav.profile")}, {Path: security, Name: p.say("nav.security")}}
	i := slices.IndexFunc(items, func(m menuItem) bool { return m.Path == cmp.Or(current, security) })
	items[i].Current = true
	return items, items[i]
}

// loadViews parses all pages into one set: a set for each page would have its own copy of
// layout and parts, ten megabytes in all.
func (p *Pages) loadViews() (*template.Template, error) {
	return template.New("").Funcs(p.funcs()).ParseFS(templates, "templates/*.html")
}

// render writes a page whole, or nothing.
func (p *Pages) render(w http.ResponseWriter, r *http.Request, v view) error {
	title := v.title
	if v.failed {
		title = p.say("title.error", "title", title)
	}
	f := frame{
		Lang: p.words.Tag, Dir: p.words.Dir, Script: v.script,
		Title:    p.say("title.page", "page", title, "app", p.say("app.name")),
		Language: p.languageSwitch(r),
	}
	if v.who != nil {
		f.Settings, f.Login, f.Trail = !v.admin, v.who.Login, v.trail
		f.Admin, f.Wide, f.Crumbs, f.Accounts = v.admin, v.wide, v.crumbs, v.who.IsAdmin()
		f.Menu, f.Section = p.menu(v.menu)
	}
	if _, app, ok := p.appIn(p.returnTo(r)); ok {
		f.App = app.Host
	}
	if p.cfg.Dev != nil {
		f.Dev = p.banner()
	}
	var body bytes.Buffer
	if err := p.views.ExecuteTemplate(&body, v.page+".html", v.data); err != nil {
		return err
	}
	f.Main = template.HTML(strings.TrimSpace(body.String()))
	body.Reset()
	if err := p.views.ExecuteTemplate(&body, "layout.html", f); err != nil {
		return err
	}
	if v.status == 0 {
		v.status = http.StatusOK
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", p.words.Tag)
	h.Add("Vary", "Accept-Encoding, Accept-Language, Cookie")
	if !v.secret && acceptsGzip(r) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write(body.Bytes()) // writes to memory do not fail
		_ = z.Close()
		h.Set("Content-Encoding", "gzip")
		body = packed
	}
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(v.status)
	_, _ = w.Write(body.Bytes()) // the client has gone; nobody is left to tell
	return nil
}

func acceptsGzip(r *http.Request) bool {
	for _, coding := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if name == "gzip" {
			return strings.TrimRight(strings.ReplaceAll(weight, " ", ""), "0.") != "q=" // 0 and 0.000 refuse it
		}
	}
	return false
}

func (p *Pages) funcs() template.FuncMap {
	return template.FuncMap{
		"t":      p.markup,
		"n":      p.count,
		"b":      bold,
		"num":    func(s string) template.HTML { return `<span class="num" dir="ltr">` + escaped(s) + "</span>" },
		"icon":   p.files.icon,
		"static": p.files.path,
		"date":   func(t time.Time) template.HTML { return timeTag(t, p.words.Date(t)) },
		"day":    func(t time.Time) template.HTML { return timeTag(t, p.words.DayMonth(t)) },
		"when":   func(t time.Time) template.HTML { return timeTag(t, p.words.DateTime(t)) },
		"countdown": func(seconds int) template.HTML {
			return template.HTML(fmt.Sprintf(`<span class="count num w%d"></span>`, seconds))
		},
		"list":   p.words.List,
		"number": func(n int64) string { return p.words.Number(int(n)) },
		"times":  func(n int) []struct{} { return make([]struct{}, n) },
		"sub":    func(a, b int) int { return a - b },
	}
}

func escaped(s string) template.HTML { return template.HTML(template.HTMLEscapeString(s)) }

// bold is an address or a name of a person in a sentence.
func bold(s string) template.HTML { return "<b><bdi>" + escaped(s) + "</bdi></b>" }

func timeTag(t time.Time, text string) template.HTML {
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + template.HTMLEscapeString(text) + `</time>`)
}

// markup is a message as HTML. Values are escaped, unless a template function
// wrapped them in markup.
func (p *Pages) markup(key string, pairs ...any) (template.HTML, error) {
	args := make(map[string]string, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return "", fmt.Errorf("message %q: a name must be a string", key)
		}
		switch value := pairs[i+1].(type) {
		case template.HTML:
			args[name] = string(value)
		case int:
			args[name] = p.words.Number(value)
		default:
			args[name] = template.HTMLEscapeString(fmt.Sprint(value))
		}
	}
	text, err := p.words.Say(key, args)
	return template.HTML(text), err
}

// count is a message with a plural.
func (p *Pages) count(key string, n int) (template.HTML, error) {
	return p.markup(p.words.Plural(key, n), "n", n)
}

// say is a message as text. A key or placeholder that is missing shows as the
// key; the tests of this package find those before anybody else does.
func (p *Pages) say(key string, pairs ...string) string {
	args := make(map[string]string, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i]] = pairs[i+1]
	}
	text, err := p.words.Say(key, args)
	if err != nil {
		p.cfg.Log.Error("message missing", "error", err)
		return key
	}
	return text
}

// span is a length of time in words.
func (p *Pages) span(d time.Duration) string {
	text, err := p.words.Span(d)
	if err != nil {
		p.cfg.Log.Error("message missing", "error", err)
	}
	return text
}
