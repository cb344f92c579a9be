// Package locale holds every word that the product shows, by key, and writes
// dates and times by the rules of a language. It knows nothing about pages.
package locale

import (
	"embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

//go:embed messages.*.json
var files embed.FS

// Language is a catalogue of messages and the rules that go with it. It is safe
// for concurrent use.
type Language struct {
	Tag      string // BCP 47
	Dir      string // "ltr" or "rtl"
	messages map[string]string
}

// English is the source of all translations.
func English() (*Language, error) {
	raw, err := files.ReadFile("messages.en.json")
	if err != nil {
		return nil, err
	}
	l := &Language{Tag: "en", Dir: "ltr"}
	if err := json.Unmarshal(raw, &l.messages); err != nil {
		return nil, fmt.Errorf("messages.en.json: %w", err)
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

// Plural is the key for a count: key.one or key.other (CLDR categories).
func (l *Language) Plural(key string, n int) string {
	if n == 1 {
		return key + ".one"
	}
	return key + ".other"
}

// Date is "23 Nov 2026".
func (l *Language) Date(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

// DayMonth is "23 Nov", for a day not far away.
func (l *Language) DayMonth(t time.Time) string { return t.UTC().Format("2 Jan") }

// DateTime is "23 Nov 2026, 14:02 UTC".
func (l *Language) DateTime(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }

// Span is a length of time in words, in days or, if it is no number of days, in
// hours or minutes: "30 days". It is rounded up.
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
	return l.Say(l.Plural(key, n), map[string]string{"n": strconv.Itoa(n)})
}

// List joins what stands side by side: "Authenticator app, Text message".
func (l *Language) List(items []string) string { return strings.Join(items, ", ") }
