// Package locale holds every word that the product shows, by key, and writes
// numbers, dates and times by the rules of a language. A language is one file,
// messages.TAG.json. The package knows nothing about pages.
package locale

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed messages.*.json
var files embed.FS

// Language is a catalogue of messages and the rules that go with it. It is safe
// for concurrent use.
type Language struct {
	Tag      string // BCP 47
	Name     string // as its speakers call it
	Dir      string // "ltr" or "rtl"
	messages map[string]string
	rules    language.Tag // of plurals
	numbers  *message.Printer
	months   []string
}

// English is the source of all translations.
func English() (*Language, error) { return load("en") }

func load(tag string) (*Language, error) {
	file := "messages." + tag + ".json"
	raw, err := files.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var messages map[string]string
	if err := json.Unmarshal(raw, &messages); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	rules, err := language.Parse(tag)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	l, err := newLanguage(tag, rules, messages)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return l, nil
}

func newLanguage(tag string, rules language.Tag, messages map[string]string) (*Language, error) {
	l := &Language{
		Tag: tag, Name: messages["lang.name"], Dir: messages["lang.dir"],
		messages: messages, rules: rules, numbers: message.NewPrinter(rules), months: strings.Fields(messages["date.months"]),
	}
	if l.Name == "" || l.Dir != "ltr" && l.Dir != "rtl" || len(l.months) != 12 {
		return nil, fmt.Errorf("name %q, direction %q, %d months", l.Name, l.Dir, len(l.months))
	}
	return l, nil
}

// Has reports whether there is a message for key.
func (l *Language) Has(key string) bool { _, ok := l.messages[key]; return ok }

// Keys are all keys, in no order.
func (l *Language) Keys() []string {
	keys := make([]string, 0, len(l.messages))
	for key := range l.messages {
		keys = append(keys, key)
	}
	return keys
}

// Say is a message with its {placeholders} filled in. An unknown key is an
// error, and so is a placeholder without a value.
func (l *Language) Say(key string, args map[string]string) (string, error) {
	text, ok := l.messages[key]
	if !ok {
		return "", fmt.Errorf("locale %s: no message %q", l.Tag, key)
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		value, ok := args[name]
		if !closed || !ok {
			return "", fmt.Errorf("locale %s: message %q has no value for {%s}", l.Tag, key, name)
		}
		out.WriteString(value)
		text = after
	}
}

// say is Say for this package's own messages, which its tests hold complete.
func (l *Language) say(key string, pairs ...string) string {
	args := make(map[string]string, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i]] = pairs[i+1]
	}
	text, err := l.Say(key, args)
	if err != nil {
		return key
	}
	return text
}

// forms are the endings of keys that have a plural (CLDR categories).
var forms = map[plural.Form]string{
	plural.Zero: ".zero", plural.One: ".one", plural.Two: ".two", plural.Few: ".few", plural.Many: ".many", plural.Other: ".other",
}

// Plural is the key for a count: key.one, key.few or whichever form the language
// has for it. A negative count counts as none.
func (l *Language) Plural(key string, n int) string {
	return key + forms[plural.Cardinal.MatchPlural(l.rules, max(n, 0), 0, 0, 0, 0)]
}

// Number is "1,501", with the digits and separators of the language. It is for
// counts; codes and telephone numbers are no numbers.
func (l *Language) Number(n int) string { return l.numbers.Sprint(n) }

// Date is "23 Nov 2026".
func (l *Language) Date(t time.Time) string {
	day, month, year, _, _ := l.parts(t)
	return l.say("date.day", "day", day, "month", month, "year", year)
}

// DayMonth is "23 Nov", for a day not far away.
func (l *Language) DayMonth(t time.Time) string {
	day, month, _, _, _ := l.parts(t)
	return l.say("date.near", "day", day, "month", month)
}

// DateTime is "23 Nov 2026, 14:02 UTC".
func (l *Language) DateTime(t time.Time) string {
	day, month, year, hour, minute := l.parts(t)
	return l.say("date.time", "day", day, "month", month, "year", year, "hour", hour, "minute", minute)
}

func (l *Language) parts(t time.Time) (day, month, year, hour, minute string) {
	t = t.UTC()
	return t.Format("2"), l.months[t.Month()-1], t.Format("2006"), t.Format("15"), t.Format("04")
}

// Span is a length of time in words, in days or, if it is no number of days, in
// hours or minutes: "30 days". It is rounded up. In languages with cases it is
// the accusative, as in "once in 30 days".
func (l *Language) Span(d time.Duration) (string, error) {
	const day = 24 * time.Hour
	unit, key := time.Minute, "span.minutes"
	switch {
	case d >= day && d%day == 0:
		unit, key = day, "span.days"
	case d >= time.Hour && d%time.Hour == 0:
		unit, key = time.Hour, "span.hours"
	case d >= 2*day:
		unit, key = day, "span.days"
	}
	n := int(d / unit)
	if d%unit > 0 {
		n++
	}
	return l.Say(l.Plural(key, n), map[string]string{"n": l.Number(n)})
}

// List joins what stands side by side: "Authenticator app, Text message".
func (l *Language) List(items []string) string {
	list := ""
	for i, item := range items {
		if i == 0 {
			list = item
			continue
		}
		list = l.say("list.more", "list", list, "item", item)
	}
	return list
}
