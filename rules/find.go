package rules

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Set is all rules.
type Set struct {
	apps  map[string]*app // by host with its port
	names map[string]bool // hosts without port
	all   []*Rule
}

// app is one origin.
type app struct {
	scheme, host string
	name         string  // host without its port
	rules        []*Rule // the longest path first
	loosely      []*Rule // the longest loose path first
	lax          bool    // a path of theirs is not what loose makes of it
}

// New reads rules, one a line. span reads a length of time such as "15m". An error
// names the line.
func New(lines []string, span func(string) (time.Duration, error)) (*Set, error) {
	s := &Set{apps: map[string]*app{}, names: map[string]bool{}}
	for _, line := range lines {
		r, err := Parse(line, span)
		if err == nil {
			err = s.add(&r)
		}
		if err != nil {
			return nil, fmt.Errorf("rule %.200q: %w", line, err)
		}
	}
	for _, a := range s.apps {
		slices.SortFunc(a.rules, func(x, y *Rule) int { return len(y.Path) - len(x.Path) })
		a.loosely = slices.SortedStableFunc(slices.Values(a.rules), func(x, y *Rule) int { return len(y.loose) - len(x.loose) })
	}
	return s, nil
}

func (s *Set) add(r *Rule) error {
	scheme, host, _ := strings.Cut(r.Origin, "://")
	a := s.apps[host]
	switch {
	case a == nil:
		a = &app{scheme: scheme, host: host, name: Hostname(host)}
		s.apps[host] = a
	case a.scheme != scheme:
		return errors.New("the same host is there with http and with https")
	case slices.ContainsFunc(a.rules, func(other *Rule) bool { return strings.EqualFold(other.Path, r.Path) }):
		return errors.New("there is another one for this address; one rule may have several group= conditions")
	}
	r.loose, r.alone = loose(r.Path), []*Rule{r}
	a.lax = a.lax || r.loose != r.Path
	a.rules = append(a.rules, r)
	s.names[a.name] = true
	s.all = append(s.all, r)
	return nil
}

// All are all rules in the order in which they were given.
func (s *Set) All() []*Rule { return s.all }

// Empty reports whether there are none: no app is protected.
func (s *Set) Empty() bool { return s == nil || len(s.all) == 0 }

// Has reports whether a host without port is an app's.
func (s *Set) Has(hostname string) bool { return s != nil && s.names[hostname] }

// Found is what decides about one address. The zero Found denies.
type Found struct {
	Origin  string  // of the app; empty: it is none of ours
	Host    string  // its host without port, for which it has cookies
	Rules   []*Rule // all have to be satisfied; none: denied
	Unclear bool    // the path can be read in more than one way, and these are the rules of all readings
}

// Find looks for the rules of an address: its scheme (ws and wss are http and
// https), its host with a port that is not the scheme's own, and its path and query as
// they were sent. What is no address of an app is the zero Found.
func (s *Set) Find(scheme, host, uri string) Found {
	if s == nil {
		return Found{}
	}
	switch scheme {
	case "ws":
		scheme = "http"
	case "wss":
		scheme = "https"
	}
	a := s.apps[host]
	if a == nil {
		canonical, ok := canonicalHost(host, scheme)
		if a = s.apps[canonical]; !ok || a == nil {
			return Found{}
		}
	}
	if a.scheme != scheme || uri == "" || uri[0] != '/' {
		return Found{}
	}
	found := Found{Origin: a.origin(), Host: a.name}
	if len(a.rules) == 1 && a.rules[0].Path == "/" {
		found.Rules = a.rules
		return found
	}
	path, _, _ := strings.Cut(uri, "?")
	found.Rules = a.simply(path)
	if found.Rules == nil {
		found.Rules, found.Unclear = a.possibly(path), true
	}
	return found
}

func (a *app) origin() string { return a.rules[0].Origin }

// simply is the rule of a path that everybody reads in the same way; nil: they may
// not, or there is none.
func (a *app) simply(path string) []*Rule {
	if plainest(path) && !a.lax {
		if r := longest(a.rules, path, func(r *Rule) string { return r.Path }); r != nil {
			return r.alone
		}
		return nil
	}
	if strings.Contains(path, "%") {
		unescaped, err := url.PathUnescape(path)
		if err != nil || strings.Count(unescaped, "/") != strings.Count(path, "/") {
			return nil
		}
		path = unescaped
	}
	if !plain(path) || strings.ContainsFunc(path, vanishes) {
		return nil
	}
	r := longest(a.rules, path, func(r *Rule) string { return r.Path })
	if r == nil {
		return nil
	}
	if lax := loose(path); lax != path || a.lax {
		if !plain(lax) {
			return nil
		}
		if other := longest(a.loosely, lax, func(r *Rule) string { return r.loose }); other == nil || other.loose != r.loose {
			return nil
		}
	}
	return r.alone
}

// longest is the rule with the longest path that holds for a path; nil: none.
func longest(rules []*Rule, path string, of func(*Rule) string) *Rule {
	for _, r := range rules {
		if p := of(r); p == "/" || strings.HasPrefix(path, p) && (len(path) == len(p) || path[len(p)] == '/') {
			return r
		}
	}
	return nil
}

// possibly are the rules that may hold for a path, whatever an app makes of it: those
// whose parts all occur in it. Where no rule holds for the whole host, what a path
// means may be what no rule names: none, which denies.
func (a *app) possibly(path string) []*Rule {
	if a.rules[len(a.rules)-1].Path != "/" {
		return nil
	}
	for range 4 { // an app may unescape more than once
		unescaped, err := url.PathUnescape(path)
		if err != nil || unescaped == path {
			break
		}
		path = unescaped
	}
	text := fold(path)
	if strings.ContainsFunc(text, func(r rune) bool { return r == '%' || vanishes(r) }) {
		return a.rules
	}
	var all []*Rule
	for _, r := range a.rules {
		if !slices.ContainsFunc(strings.Split(r.loose, "/"), func(part string) bool { return !strings.Contains(text, part) }) {
			all = append(all, r)
		}
	}
	return all
}

// plainest reports whether a path has only characters that nobody reads in two ways,
// and is therefore plain, with nothing that vanishes, and its own loose form.
func plainest(path string) bool {
	last := byte(0)
	for i := range len(path) {
		c := path[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		case c != '/' || last == '/':
			return false
		}
		last = c
	}
	return path != "" && path[0] == '/'
}

// plain reports whether a path has no segment that some take away, join with others or
// take for another one's end.
func plain(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	begin, dots := 1, true // of the segment, and whether it has only dots so far
	for i := 1; i <= len(path); i++ {
		c := byte('/')
		if i < len(path) {
			c = path[i]
		}
		switch {
		case c < ' ', c == 0x7f, c == '\\', c == '%', c == '#', c == '?':
			return false
		case c != '/':
			dots = dots && c == '.'
		case i == begin:
			if i < len(path) { // an empty one at the end is none
				return false
			}
		case dots, path[i-1] == '.', path[i-1] == ' ', path[begin] == ' ', i < len(path) && script(path[begin:i]):
			return false
		}
		if c == '/' {
			begin, dots = i+1, true
		}
	}
	return true
}

// script reports whether a segment is the file of a program, by its ending. What stands
// behind it is then an address for the program, which may read /index.php/admin as
// /admin (PATH_INFO, RFC 3875 §4.1.5).
func script(segment string) bool {
	segment, _, _ = strings.Cut(segment, ";")
	dot := strings.LastIndexByte(segment, '.')
	if dot < 0 {
		return false
	}
	switch strings.TrimRight(strings.ToLower(segment[dot+1:]), "0123456789") {
	case "php", "phtml", "phar", "cgi", "fcgi", "pl", "py", "rb", "lua", "asp", "aspx", "ashx", "asmx", "svc",
		"jsp", "jspx", "jsf", "xhtml", "do", "action", "cfm", "cfc", "exe", "dll", "nsf":
		return true
	}
	return false
}

// loose is how an app may read a path that takes no notice of case and of what follows
// a dot, a colon or a semicolon: /Admin.json as /admin.
func loose(path string) string {
	if strings.IndexFunc(path, func(r rune) bool {
		return r == '.' || r == ':' || r == ';' || r >= 'A' && r <= 'Z' || r >= utf8.RuneSelf
	}) < 0 {
		return path
	}
	var b strings.Builder
	cut, begin := false, true
	for _, r := range fold(path) {
		switch {
		case r == '/':
			cut, begin = false, true
			b.WriteRune(r)
			continue
		case r == ';', r == ':', r == '.' && !begin:
			cut = true
		}
		begin = false
		if !cut {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// vanishes reports whether some take a character away, or what is no character.
func vanishes(r rune) bool {
	return r >= utf8.RuneSelf && (r == utf8.RuneError || !unicode.IsGraphic(r) ||
		unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)) || r < ' ' || r == 0x7f
}

// fold makes one of all that may be taken for the same letters: upper and lower case
// one by one, as many programs do it, and by the tables of Unicode; with accents and
// without, as databases compare them.
func fold(s string) string {
	simply := func(s string) string {
		return strings.Map(func(r rune) rune { return unicode.ToLower(unicode.ToUpper(unicode.ToLower(r))) }, s)
	}
	bare := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(cases.Fold().String(simply(s))))
	return simply(norm.NFKC.String(bare))
}

// maxReturn is the longest address that somebody is led back to.
const maxReturn = 4096

// Return is an address to lead a browser back to: one of an app, whose origin is taken
// from the rules. What else to, another host, scheme or port, a user in it, a
// character that browsers take away or turn around, is the zero Found and "".
func (s *Set) Return(to string) (found Found, address string) {
	if s == nil || len(to) > maxReturn || strings.ContainsFunc(to, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' || r == '#' }) {
		return Found{}, ""
	}
	scheme, rest, ok := strings.Cut(to, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return Found{}, ""
	}
	host, uri := rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, uri = rest[:i], rest[i:]
	}
	if uri[0] == '?' {
		uri = "/" + uri
	}
	found = s.Find(scheme, host, uri)
	if found.Origin == "" {
		return Found{}, ""
	}
	return found, found.Origin + uri
}
