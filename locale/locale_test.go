package locale_test

import (
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch/locale"
)

func english(t testing.TB) *locale.Language {
	t.Helper()
	l, err := locale.English()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestEnglish(t *testing.T) {
	l := english(t)
	if l.Tag != "en" || l.Dir != "ltr" {
		t.Errorf("%q, %q", l.Tag, l.Dir)
	}
	if len(l.Keys()) < 100 || !l.Has("app.name") || l.Has("app.nam") || l.Has("") {
		t.Errorf("%d keys", len(l.Keys()))
	}
}

func TestSay(t *testing.T) {
	l := english(t)
	for _, c := range []struct {
		key  string
		args map[string]string
		want string
	}{
		{"app.name", nil, "Twinlatch"},
		{"app.name", map[string]string{"more": "than needed"}, "Twinlatch"},
		{"step.of", map[string]string{"n": "2", "total": "2"}, "Step 2 of 2"},
		{"title.error", map[string]string{"title": ""}, "Error: "},
		{"title.error", map[string]string{"title": "{title} {n}"}, "Error: {title} {n}"}, // a value is no message
		{"log.added", map[string]string{"method": "{name}", "name": "<b>"}, "Added: {name}, <b>"},
	} {
		if got, err := l.Say(c.key, c.args); got != c.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", c.key, got, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		key  string
		args map[string]string
	}{
		"no such message": {"no.such", nil}, "no value": {"step.of", map[string]string{"n": "2"}}, "no values": {"step.of", nil}, "no key": {"", nil},
	} {
		if got, err := l.Say(c.key, c.args); err == nil || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestPlural(t *testing.T) {
	l := english(t)
	for n, want := range map[int]string{-1: "k.other", 0: "k.other", 1: "k.one", 2: "k.other", 11: "k.other", 21: "k.other", 100: "k.other"} {
		if got := l.Plural("k", n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}

func TestDates(t *testing.T) {
	l := english(t)
	for _, c := range []struct {
		at                       time.Time
		date, dayMonth, dateTime string
	}{
		{time.Date(2026, 11, 23, 14, 2, 59, 0, time.UTC), "23 Nov 2026", "23 Nov", "23 Nov 2026, 14:02 UTC"},
		{time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), "2 Jan 2026", "2 Jan", "2 Jan 2026, 03:04 UTC"},
		{time.Date(2026, 12, 31, 23, 59, 59, 999, time.UTC), "31 Dec 2026", "31 Dec", "31 Dec 2026, 23:59 UTC"},
		// Whatever zone a time is in, what is shown is UTC, and says so.
		{time.Date(2026, 12, 31, 23, 0, 0, 0, time.FixedZone("", -3*3600)), "1 Jan 2027", "1 Jan", "1 Jan 2027, 02:00 UTC"},
		{time.Date(2027, 1, 1, 0, 30, 0, 0, time.FixedZone("CET", 3600)), "31 Dec 2026", "31 Dec", "31 Dec 2026, 23:30 UTC"},
		{time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC), "29 Feb 2028", "29 Feb", "29 Feb 2028, 12:00 UTC"},
	} {
		if got := l.Date(c.at); got != c.date {
			t.Errorf("%v: %q, want %q", c.at, got, c.date)
		}
		if got := l.DayMonth(c.at); got != c.dayMonth {
			t.Errorf("%v: %q, want %q", c.at, got, c.dayMonth)
		}
		if got := l.DateTime(c.at); got != c.dateTime {
			t.Errorf("%v: %q, want %q", c.at, got, c.dateTime)
		}
	}
}

func TestSpan(t *testing.T) {
	l := english(t)
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		30 * day: "30 days", day: "1 day", 2 * day: "2 days", 90 * day: "90 days", 365 * day: "365 days",
		time.Hour: "1 hour", 12 * time.Hour: "12 hours", 23 * time.Hour: "23 hours", 36 * time.Hour: "36 hours",
		time.Minute: "1 minute", 10 * time.Minute: "10 minutes", 90 * time.Minute: "90 minutes",
		time.Second: "1 minute", 30 * time.Second: "1 minute", 61 * time.Second: "2 minutes", 0: "0 minutes", // rounded up
		2*day + time.Minute: "3 days", 31*day + 30*time.Second: "32 days", 25*time.Hour + time.Minute: "1,501 minutes",
		math.MaxInt64: "106,752 days",
	} {
		if got, err := l.Span(d); got != want || err != nil {
			t.Errorf("%v: %q, %v; want %q", d, got, err, want)
		}
	}
}

func TestList(t *testing.T) {
	l := english(t)
	for want, items := range map[string][]string{"": nil, "Firefox": {"Firefox"}, "Firefox, Linux": {"Firefox", "Linux"}} {
		if got := l.List(items); got != want {
			t.Errorf("%q: %q", items, got)
		}
	}
}

// FuzzSay: a value is put in as it is, and nothing in it is looked up.
func FuzzSay(f *testing.F) {
	f.Add("Ana")
	f.Add("{app} {page} }{")
	l := english(f)
	f.Fuzz(func(t *testing.T, page string) {
		got, err := l.Say("title.page", map[string]string{"page": page, "app": "Twinlatch"})
		if err != nil || got != strings.Join([]string{page, "Twinlatch"}, " – ") {
			t.Errorf("%q: %q, %v", page, got, err)
		}
	})
}

// Czech has three forms for what is counted, months in the genitive, and spaces at
// which no line breaks.
func TestCzech(t *testing.T) {
	l := translations(t)["cs"]
	if l.Name != "Čeština" || l.Dir != "ltr" {
		t.Errorf("%q, %q", l.Name, l.Dir)
	}
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		day: "1 den", 2 * day: "2 dny", 4 * day: "4 dny", 5 * day: "5 dní", 22 * day: "22 dní", 30 * day: "30 dní", 1500 * day: "1 500 dní",
		time.Hour: "1 hodinu", 3 * time.Hour: "3 hodiny", 12 * time.Hour: "12 hodin", 0: "0 minut", time.Minute: "1 minutu", 2 * time.Minute: "2 minuty", 90 * time.Minute: "90 minut",
	} {
		got, err := l.Span(d)
		if want = strings.ReplaceAll(want, " ", "\u00a0"); got != want || err != nil {
			t.Errorf("%v: %q, %v; want %q", d, got, err, want)
		}
	}
	at := time.Date(2026, 11, 3, 4, 2, 0, 0, time.UTC)
	for got, want := range map[string]string{
		l.Date(at): "3.~listopadu 2026", l.DayMonth(at): "3.~listopadu", l.DateTime(at): "3.~listopadu 2026 v~04:02 UTC",
		l.Date(at.AddDate(0, 2, 0)): "3.~ledna 2027", l.Number(1234567): "1~234~567", l.Plural("k", 1): "k.one", l.Plural("k", 101): "k.other",
		l.List([]string{"Ověřovací aplikace", "Textová zpráva"}): "Ověřovací aplikace, Textová zpráva",
	} {
		if want = strings.ReplaceAll(want, "~", "\u00a0"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A language is for all requests at once.
func TestLanguagesAreSafeForConcurrentUse(t *testing.T) {
	all := languages(t)
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for n := range 100 {
				l := all.For("cs-CZ")
				if got := l.Number(n * 1000); !strings.HasSuffix(got, strconv.Itoa(n * 1000)[max(0, len(strconv.Itoa(n*1000))-3):]) {
					t.Errorf("%q", got)
				}
				_ = l.DateTime(time.Unix(int64(n), 0))
			}
		})
	}
	readers.Wait()
}
