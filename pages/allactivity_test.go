package pages

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// rowOf is the text of the row of an event with these words.
func (p *page) rowOf(words string) string {
	p.t.Helper()
	for n := range p.all("li") {
		if text := textOf(n); strings.HasPrefix(text, words+" ") {
			return text
		}
	}
	p.t.Fatalf("%s: no row %q: %s", p.request, words, p.text("main"))
	return ""
}

// id is the account's.
func (p *person) id() twinlatch.AccountID {
	p.t.Helper()
	a, err := p.door.env.FindAccount(p.t.Context(), twinlatch.MainRealm, p.email)
	if err != nil {
		p.t.Fatal(err)
	}
	return a.ID
}

// Each row says what, when, from where, on which device, and why.
func TestActivitySaysWhy(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	shows := func(row string, want ...string) {
		t.Helper()
		text := ana.get(activityPath).is(200).rowOf(row)
		for _, words := range want {
			if !strings.Contains(text, words) {
				t.Errorf("%q does not say %q", text, words)
			}
		}
	}
	shows("Account created", "23 Nov 2026, 12:00 UTC · IP 192.0.2.1 · Firefox, Linux")
	shows("Signed in: Password", "No second step: 2-step verification was off")
	abroad := ana.elsewhere()
	abroad.ip = cafe4
	abroad.signIn()
	shows("Signed in: Password", "No second step: 2-step verification was off", "From a new network")
	ana.app = ana.enroll()

	phone := ana.elsewhere()
	phone.header.Set("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1")
	phone.ip = cafe4
	phone.signIn()
	for range 2 {
		phone.post("/verify", "code", phone.wrongCode()).is(422)
	}
	phone.verify().goes(security)
	shows("Right password, second step asked", "IP 198.51.100.7 · Chrome, iPhone") // the full list folds nothing
	shows("Wrong code: Authenticator app", "Wrong answers in a row: 2")
	shows("Signed in: Authenticator app", "Asked at log-in", "From a new network", "IP 198.51.100.7 · Chrome, iPhone")

	ana.verify().goes(security) // of her own accord
	shows("Confirmed: Authenticator app", "Asked before a change of settings")
	ana.wait(30 * 24 * time.Hour)
	ana.get("/verify").is(200)
	ana.verify().goes(security)
	shows("Asked for a code: 30 days have passed")
	shows("Confirmed: Authenticator app", "Asked because 30 days had passed")
	ana.ip = cafe4
	ana.get("/verify").is(200)
	ana.verify().goes(security)
	shows("Asked for a code: IP address changed", "IP 198.51.100.7")
	shows("Confirmed: Authenticator app", "Asked because the IP address changed", "IP 198.51.100.7")
	again := ana.elsewhere()
	again.signIn()
	code := again.code()
	again.post("/verify", "code", code).goes(security)
	ana.post("/verify", "code", code).is(422)
	shows("Wrong code: Authenticator app", "That code had been used before")

	ana.get(security).offers(activityPath)
	ana.post(security + "/turn-off").goes(security)
	shows("Removed: Authenticator app, Authenticator app", "Removed together with all methods")
	ana.get(activityPath).titled("Security activity").says("Settings User settings Security Security activity").offers(security, downloadPath, downloadPath+"?format=jsonl")
}

// What others did says who and, where they gave one, the reason.
func TestActivitySaysWhoElse(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	id, factor := ana.id(), twinlatch.FactorID(factorIDs(ana.get(security))[0])
	office := twinlatch.Client{IP: netip.MustParseAddr(cafe4)}
	for i, c := range []struct{ actor, why, says string }{
		{"self", "", ""},
		{"admin:" + string(id), "She asked me to", "Done by an administrator Reason given: She asked me to"},
		{"admin:ann", "", "Done by an administrator"},
		{"command", "Ticket 17", "Done by the operator of this service Reason given: Ticket 17"},
		{"client:shop", "", "Done by the application shop"},
		{"client:", "", "Done by: client:"},
		{"<b>cron</b>", "<i>night</i>", "Done by: <b>cron</b> Reason given: <i>night</i>"},
	} {
		ana.own = append(ana.own, "<b>cron</b>", "<i>night</i>")
		name := fmt.Sprint("Phone ", i)
		by := twinlatch.OnBehalf(id, c.actor, c.why)
		if err := d.env.RenameFactor(t.Context(), by, factor, name, office); err != nil {
			t.Fatal(err)
		}
		row := ana.get(activityPath).is(200).rowOf("Renamed: Authenticator app, " + name)
		want := strings.Join(strings.Fields("Renamed: Authenticator app, "+name+" "+c.says+" 23 Nov 2026, 12:00 UTC · IP 198.51.100.7"), " ")
		if row != want {
			t.Errorf("%s: %q, want %q", c.actor, row, want)
		}
	}
	op := twinlatch.ByOperator("command", "Asked in person")
	if err := d.env.SetGroups(t.Context(), op, id, []string{"staff", "shop"}, twinlatch.Client{}); err != nil {
		t.Fatal(err)
	}
	if err := d.env.ResetTwoStep(t.Context(), op, id, twinlatch.Client{}); err != nil {
		t.Fatal(err)
	}
	ana.get(activityPath).goes("/sign-in?return_to=" + url.QueryEscape(activityPath))
	ana.signIn()
	ana.app = ana.enroll()
	p := ana.get(activityPath).is(200).says("Groups changed Now: shop, staff Done by the operator of this service Reason given: Asked in person 23 Nov 2026")
	p.says("2-step verification reset by an administrator Done by the operator of this service Reason given: Asked in person")
}

// An event is in one group, or a filter would hide it; and it has words.
func TestEveryEventIsInOneGroup(t *testing.T) {
	t.Parallel()
	tree, err := parser.ParseFile(token.NewFileSet(), "../event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]twinlatch.EventType{}
	ast.Inspect(tree, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "EventType" {
				name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				types[spec.Names[0].Name] = twinlatch.EventType(name)
			}
		}
		return true
	})
	if len(types) < 35 {
		t.Fatalf("only %d types of events found: has the source moved?", len(types))
	}
	d := newDoor(t)
	for name, of := range types {
		var in []string
		for _, g := range eventGroups {
			for _, member := range g.types {
				if member == of {
					in = append(in, g.name)
				}
			}
		}
		if len(in) != 1 {
			t.Errorf("%s is in the groups %q, want one", name, in)
		}
		for tag, p := range d.in {
			if text := p.eventText(twinlatch.Event{Type: of}); text == string(of) {
				t.Errorf("%s has no words in %s", name, tag)
			}
		}
	}
}

// history is somebody with a trail as a test wants it, of one event a minute.
type history struct {
	*person
	account twinlatch.AccountID
	raw     *sql.DB
	types   []twinlatch.EventType // that of number 1 first
}

// historian is somebody on a database of their own.
func historian(t *testing.T, change ...func(*Config)) *history {
	return historianOn(t, nil, change...)
}

func historianOn(t *testing.T, core func(*twinlatch.Config), change ...func(*Config)) *history {
	t.Helper()
	database := twinlatchtest.Migrated(t)
	h := &history{person: doorOn(t, database, core, change...).ana(t)}
	h.account = h.id()
	var err error
	if h.raw, err = sql.Open("sqlite", strings.TrimPrefix(database, "sqlite:")+"?_pragma=busy_timeout(5000)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.raw.Close() })
	return h
}

const (
	login  = twinlatch.EventSignedIn
	method = twinlatch.EventFactorRenamed
	other  = twinlatch.EventNameChanged
)

// at is when number seq happened.
func at(seq int) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seq) * time.Minute)
}

// lives replaces the trail by n events.
func (h *history) lives(n int, of func(seq int) twinlatch.EventType) {
	h.t.Helper()
	tx, err := h.raw.BeginTx(h.t.Context(), nil)
	if err != nil {
		h.t.Fatal(err)
	}
	do := func(query string, args ...any) {
		if _, err := tx.ExecContext(h.t.Context(), query, args...); err != nil {
			h.t.Fatal(err)
		}
	}
	do(`DELETE FROM events WHERE account_id = $1`, string(h.account))
	add, err := tx.PrepareContext(h.t.Context(), `
		INSERT INTO events (account_id, seq, at, type, actor, detail, detail_digest, hash)
		VALUES ($1, $2, $3, $4, 'self', $5, x'00', x'00')`)
	if err != nil {
		h.t.Fatal(err)
	}
	defer add.Close()
	h.types = nil
	for seq := 1; seq <= n; seq++ {
		h.types = append(h.types, of(seq))
		detail, err := json.Marshal(twinlatch.Detail{
			IP: netip.MustParseAddr(cafe4), UserAgent: "curl/8", More: map[string]string{"kind": "totp", "name": fmt.Sprintf("№ %d", seq), "times": "7"},
		})
		if err != nil {
			h.t.Fatal(err)
		}
		if _, err := add.ExecContext(h.t.Context(), string(h.account), seq, at(seq).UnixMilli(), string(of(seq)), string(detail)); err != nil {
			h.t.Fatal(err)
		}
	}
	do(`UPDATE accounts SET event_seq = $2 WHERE id = $1`, string(h.account), n)
	if err := tx.Commit(); err != nil {
		h.t.Fatal(err)
	}
}

// numbers are those of the events on a page.
func (p *page) numbers() (seqs []int) {
	p.t.Helper()
	for n := range p.all("time") {
		when, err := time.Parse(time.RFC3339, attr(n, "datetime"))
		if err != nil {
			p.t.Fatal(err)
		}
		seqs = append(seqs, int(when.Sub(at(0)).Minutes()))
	}
	return seqs
}

// to is where a link leads; empty: there is none.
func (p *page) to(name string) string {
	for n := range p.all("a") {
		if textOf(n) == name {
			return attr(n, "href")
		}
	}
	return ""
}

// walk reads page after page from an address on, each by the link of this name.
func (h *history) walk(from, link string) (pages [][]int, last *page) {
	h.t.Helper()
	for from != "" {
		last = h.get(from).is(200)
		pages = append(pages, last.numbers())
		if len(pages) > 100 {
			h.t.Fatal("pages without end")
		}
		from = last.to(link)
	}
	return pages, last
}

// want are the numbers of the events of some types, the newest first.
func (h *history) want(types ...twinlatch.EventType) (seqs []int) {
	for i, of := range slices.Backward(h.types) {
		if slices.Contains(types, of) {
			seqs = append(seqs, i+1)
		}
	}
	return seqs
}

// Going through the pages, there and back, one sees each event of the group once
// and no other, fifty at a time.
func TestActivityPages(t *testing.T) {
	t.Parallel()
	h := historian(t)
	mixed := func(seq int) twinlatch.EventType { return []twinlatch.EventType{other, login, method}[seq%3] }
	rare := func(seq int) twinlatch.EventType {
		if seq%41 == 0 {
			return method
		}
		return login
	}
	for _, c := range []struct {
		name string
		n    int
		of   func(int) twinlatch.EventType
	}{
		{"a page less one", 49, mixed}, {"a page", 50, mixed}, {"a page and one", 51, mixed}, {"two pages and one", 101, mixed},
		{"a page of each group", 150, mixed}, {"one more of each", 153, mixed}, {"two pages of each and one", 303, mixed},
		{"rare ones in one glance", 1000, rare}, {"a page of rare ones, over glances", 2050, rare}, {"and one", 2091, rare},
	} {
		h.lives(c.n, c.of)
		for show, types := range map[string][]twinlatch.EventType{"all": {login, method, other}, "signin": {login}, "methods": {method}, "account": {other}} {
			want := h.want(types...)
			if len(want) > 400 { // what is not rare was looked at before
				continue
			}
			older, last := h.walk(activityPath+"?show="+show, "Older")
			if got := slices.Concat(older...); !slices.Equal(got, want) {
				t.Errorf("%s, %q: saw %v, want %v", c.name, show, got, want)
			}
			for i, on := range older {
				if full := i < len(older)-1; len(on) > perPage || full && len(on) != perPage || len(on) == 0 && len(want) > 0 {
					t.Errorf("%s, %q: %d events on page %d of %d", c.name, show, len(on), i+1, len(older))
				}
			}
			if len(want) == 0 {
				last.says("There is nothing here.").hides("There may be more")
			}
			newer, _ := h.walk(strings.Fields(last.request)[1], "Newer")
			slices.Reverse(newer)
			if fmt.Sprint(newer) != fmt.Sprint(older) {
				t.Errorf("%s, %q: on the way back %v, there %v", c.name, show, newer, older)
			}
		}
	}
}

// The filter is kept from page to page, and each page says which it is.
func TestActivityKeepsItsFilter(t *testing.T) {
	t.Parallel()
	h := historian(t)
	h.lives(400, func(seq int) twinlatch.EventType { return []twinlatch.EventType{login, method}[seq%2] })
	tabs := []string{activityPath, activityPath + "?show=signin", activityPath + "?show=methods", activityPath + "?show=account"}
	for address, this := range map[string]string{
		activityPath: "All", activityPath + "?show=all": "All", activityPath + "?before=200": "All",
		activityPath + "?show=signin&before=200": "Log-ins", activityPath + "?after=40&show=methods": "Methods", activityPath + "?show=account": "Account",
		activityPath + "?show=signin&show=methods": "Log-ins",
	} {
		p := h.get(address).is(200).offers(tabs...)
		var current []string
		for n := range p.all("a") {
			if attr(n, "aria-current") == "true" {
				current = append(current, textOf(n))
			}
		}
		if !slices.Equal(current, []string{this}) {
			t.Errorf("%s: %q is marked, want %q", address, current, this)
		}
		show, _ := url.Parse(address)
		for _, link := range []string{p.to("Newer"), p.to("Older")} {
			to, err := url.Parse(link)
			if err != nil || link != "" && strings.TrimPrefix(show.Query().Get("show"), "all") != to.Query().Get("show") {
				t.Errorf("%s leads on to %s", address, link)
			}
		}
	}
	// Reading it in another language comes back to the same place.
	h.post("/language?return_to="+url.QueryEscape(activityPath+"?before=200&show=signin"), "language", "cs").goes(activityPath + "?before=200&show=signin")
	if p := h.get(activityPath + "?before=200&show=signin").is(200); p.text("h1") != "Události zabezpečení" || p.to("Starší") == "" {
		t.Errorf("in Czech: %s", p.text("main"))
	}
}

// What happens while somebody reads moves nothing on the pages that follow.
func TestActivityWhileThingsHappen(t *testing.T) {
	t.Parallel()
	h := historian(t)
	h.lives(120, func(int) twinlatch.EventType { return login })
	first := h.get(activityPath).is(200)
	for range 7 {
		h.elsewhere().signIn().goes(security)
	}
	second := h.get(first.to("Older")).is(200)
	if got := slices.Concat(first.numbers(), second.numbers()); !slices.Equal(got, h.want(login)[:100]) {
		t.Errorf("saw %v", got)
	}
	back := h.get(second.to("Newer")).is(200)
	if !slices.Equal(back.numbers(), first.numbers()) {
		t.Errorf("on the way back %v", back.numbers())
	}
	if top := h.get(back.to("Newer")).is(200); len(top.numbers()) != perPage || top.to("Newer") != "" {
		t.Errorf("the newest are %v", top.numbers())
	}
}

// A page looks at some thousand events and no more; it says so, and goes on from
// there.
func TestActivityLooksAtSoMuch(t *testing.T) {
	t.Parallel()
	h := historian(t)
	h.lives(10_500, func(seq int) twinlatch.EventType {
		if seq == 5 || seq == 6 || seq == 10_490 {
			return method
		}
		return login
	})
	const partly = "There may be more of it. Go on with “Older” or “Newer”."
	older, last := h.walk(activityPath+"?show=methods", "Older")
	if fmt.Sprint(older) != "[[10490] [] [6 5]]" {
		t.Errorf("saw %v", older)
	}
	h.get(activityPath + "?show=methods").says(partly)
	last.hides(partly)
	newer, _ := h.walk(strings.Fields(last.request)[1], "Newer")
	if fmt.Sprint(newer) != "[[6 5] [] [10490] [10490]]" { // the last is the first page
		t.Errorf("on the way back %v", newer)
	}
	h.get(activityPath + "?show=signin").is(200).hides(partly)
}

// Numbers and groups that are none are no page. What is beyond the end is empty.
func TestActivityAddresses(t *testing.T) {
	t.Parallel()
	h := historian(t)
	h.lives(60, func(int) twinlatch.EventType { return login })
	for _, query := range []string{
		"show=x", "show=Signin", "show=signin%00", "before=", "before=0", "before=-1", "before=x", "before=1e3", "before=0x10", "before=99999999999999999999", "before=9223372036854775807",
		"after=", "after=0", "after=-5", "after=9223372036854775807", "before=60&after=x", "after=1&before=x",
	} {
		h.get(activityPath + "?" + query).is(404).says("This page does not exist, or it is not yours.")
	}
	if got := h.get(activityPath + "?before=1").is(200).says("There is nothing here.").numbers(); len(got) != 0 {
		t.Errorf("before the first there is %v", got)
	}
	first := h.want(login)[:50]
	for _, query := range []string{"", "?show=", "?before=61", "?before=9007199254740992", "?after=9007199254740992", "?after=60", "?after=11", "?other=1"} {
		if got := h.get(activityPath + query).is(200).numbers(); !slices.Equal(got, first) {
			t.Errorf("%s: %v", query, got)
		}
	}
}

// Nobody sees events of others, whatever they ask for; and names become text.
func TestActivityIsOnesOwn(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana, bo := d.anaWithApp(t), d.person(t, "bo@example.com")
	bo.app = bo.enroll()
	secret := `<script>alert("Bo")</script>`
	bo.own = append(bo.own, secret)
	bo.post(security+"/factors/"+factorIDs(bo.get(security))[0]+"/rename", "name", secret).goes(security)
	bo.get(activityPath).is(200).says("Renamed: Authenticator app, "+secret, "bo@example.com")
	id := string(bo.id())
	for _, query := range []string{"", "account=" + id, "who=" + id, "id=" + id, "before=" + id, "account_id=" + id + "&before=100"} {
		for _, path := range []string{activityPath, downloadPath} {
			p := ana.get(path + "?" + query)
			if strings.Contains(p.body, "alert(") || strings.Contains(p.body, "bo@example.com") {
				t.Errorf("%s?%s shows Bo: %s", path, query, p.body)
			}
		}
	}
}

// Who has done half of it gets nothing, and comes back to the page afterwards,
// also from the file: that is no place to be.
func TestActivityNeedsBothSteps(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	half := ana.half()
	back := "/verify?return_to=" + url.QueryEscape(activityPath)
	for path, to := range map[string]string{
		activityPath: back, activityPath + "?show=signin&before=9": "/verify?return_to=" + url.QueryEscape(activityPath+"?show=signin&before=9"),
		downloadPath: back, downloadPath + "?format=jsonl": back,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			p := half.send(half.request(method, path, ""))
			p.goes(to)
			if strings.Contains(p.body, "created") || p.header.Get("Content-Disposition") != "" {
				t.Errorf("%s: %q", p.request, p.body)
			}
		}
	}
	half.post(back, "code", half.code()).goes(activityPath)
	half.get(downloadPath).is(200)
}
