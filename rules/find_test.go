package rules_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/rules"
)

// paths are those of the rules found, "" before them when the path was unclear.
func paths(f rules.Found) (all []string) {
	for _, r := range f.Rules {
		all = append(all, r.Path)
	}
	return all
}

func TestTheLongestRuleDecides(t *testing.T) {
	t.Parallel()
	lines := []string{
		"https://h.example/ second-step", "https://h.example/a public", "https://h.example/a/b deny", "https://h.example/a/b/c public", "https://h.example/ab signed-in", "https://h.example/robots.txt public",
		"https://h.example/.well-known public", "https://h.example/wiki/Čaj public", "https://other.example/x public",
	}
	reversed := slices.Clone(lines)
	slices.Reverse(reversed)
	for _, set := range []*rules.Set{newSet(t, lines...), newSet(t, reversed...)} {
		for uri, want := range map[string]string{
			"/": "/", "/x": "/", "/a": "/a", "/a/": "/a", "/a/x": "/a", "/a/b": "/a/b", "/a/b/": "/a/b", "/a/bc": "/a", "/a/b/x": "/a/b", "/a/b/c": "/a/b/c", "/a/b/c/d/e": "/a/b/c", "/a/b/cd": "/a/b", "/ab": "/ab", "/ab/c": "/ab", "/abc": "/", "/b/a": "/", "/x/a/b": "/",
			"/a?/b": "/a", "/a?x=/a/b/c": "/a", "/?/a": "/", "/a/b?": "/a/b", "/a%62": "/ab", "/%61": "/a", "/a%20b": "/", "/a+b": "/", "/x,y": "/", "/x=y&z": "/", "/~x": "/", "/x@y": "/", "/(x)": "/", "/x-y_z": "/",
			"/robots.txt": "/robots.txt", "/robots.txt?x": "/robots.txt", "/.well-known/x": "/.well-known", "/.well-known": "/.well-known", "/.well-known/a.b": "/.well-known",
			"/wiki/%C4%8Caj": "/wiki/Čaj", "/wiki/Čaj": "/wiki/Čaj", "/wiki/%C4%8Caj/historie": "/wiki/Čaj", "/wiki/%C5%99eka": "/", "/wiki/%E6%97%A5%E6%9C%AC": "/", "/x.css": "/", "/x.min.js": "/", "/X": "/", "/x:y": "/", "/x;y=z": "/",
		} {
			f := set.Find("https", "h.example", uri)
			if !slices.Equal(paths(f), []string{want}) || f.Unclear || f.Origin != "https://h.example" || f.Host != "h.example" {
				t.Errorf("%s: %q, unclear is %v, want %q", uri, paths(f), f.Unclear, want)
			}
		}
		for uri, want := range map[string][]string{"/x": {"/x"}, "/x/y": {"/x"}, "/": nil, "/xy": nil, "/y": nil, "/y/x": nil, "/X": nil, "//x": nil, "/y/../x": nil, "/%2578": nil} {
			if f := set.Find("https", "other.example", uri); !slices.Equal(paths(f), want) || f.Origin != "https://other.example" {
				t.Errorf("%s: %q, want %q", uri, paths(f), want)
			}
		}
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	set := newSet(t, "https://h.example/ public", "https://h.example:8443/ deny", "http://app.localhost:3000/ public", "http://localhost/ public", "https://[2001:db8::1]/ public", "https://[2001:db8::1]:444/ public", "https://h.example:80/ signed-in")
	for address, want := range map[string]string{
		"https h.example": "https://h.example", "https H.EXAMPLE": "https://h.example", "https h.example.": "https://h.example", "https h.example:443": "https://h.example", "https h.example.:443": "https://h.example", "wss h.example": "https://h.example", "wss h.example:443": "https://h.example",
		"https h.example:8443": "https://h.example:8443", "wss H.example.:8443": "https://h.example:8443", "https h.example:80": "https://h.example:80",
		"http localhost": "http://localhost", "ws localhost:80": "http://localhost", "ws app.localhost:3000": "http://app.localhost:3000", "http APP.localhost.:3000": "http://app.localhost:3000",
		"https [2001:db8::1]": "https://[2001:db8::1]", "https [2001:DB8:0:0::1]:443": "https://[2001:db8::1]", "https [2001:db8::1]:444": "https://[2001:db8::1]:444",

		"http h.example": "", "ws h.example": "", "http h.example:443": "", "http h.example:80": "", "http h.example:8443": "", "https h.example:444": "", "https localhost": "", "https localhost:80": "", "http localhost:443": "", "http app.localhost": "", "https app.localhost:3000": "",
		" h.example": "", "HTTPS h.example": "", "Wss h.example": "", "ftp h.example": "", "https ": "", "https .": "", "https :443": "", "https example": "", "https x.h.example": "", "https h.example..": "", "https .h.example": "", "https h.example:": "", "https h.example:0": "", "https h.example:00443": "", "https h.example:443:443": "",
		"https h.example:-1": "", "https h.example:70000": "", "https h.example@x": "", "https x@h.example": "", "https h.example/": "", "https h.example,x": "", "https h%2eexample": "", "https 2001:db8::1": "", "https [2001:db8::1": "", "https 2001:db8::1]": "", "https [2001:db8::1%25eth0]": "", "https [2001:db8::1%eth0]": "", "https [[2001:db8::1]]": "", "https [h.example]": "", "https h.example\x00": "", "https h.example\n": "",
	} {
		scheme, host, _ := strings.Cut(address, " ")
		f := set.Find(scheme, host, "/")
		if f.Origin != want || (want == "") != (len(f.Rules) == 0) || want == "" && (f.Host != "" || f.Unclear) {
			t.Errorf("%q: %+v, want %s", address, f, want)
		}
		if need, _ := f.Asks(rules.Visitor{}); want == "" && need != rules.Forbidden {
			t.Errorf("%q does not deny", address)
		}
	}
	for _, uri := range []string{"", "*", "x", "?", "https://h.example/", "h.example:443", " /"} {
		if f := set.Find("https", "h.example", uri); f.Origin != "" || f.Rules != nil {
			t.Errorf("%q: %+v", uri, f)
		}
	}
}

// A path that can be read in more than one way has the rules of all readings.
func TestUnclearPaths(t *testing.T) {
	t.Parallel()
	set := newSet(t, "https://h.example/ public", "https://h.example/admin second-step", "https://h.example/a/secret deny", "https://h.example/file.v2/x signed-in")
	for uri, want := range map[string]string{
		"//": "/", "/./": "/", "/../": "/", "/x/..": "/", "/x.": "/", "/x%20": "/", "/x%2Fy": "/", `/x\y`: "/", "/x%5Cy": "/", "/x%252e": "/", "//x": "/",
		"//admin": "/ /admin", "/./admin": "/ /admin", "/x/../admin": "/ /admin", "/x/..%2fadmin": "/ /admin", "/%2e%2e/admin": "/ /admin", "/x/%252e%252e/admin": "/ /admin", `/\admin`: "/ /admin", "/%5cadmin": "/ /admin",
		"/Admin": "/ /admin", "/ADMIN/x": "/ /admin", "/admin;x": "/ /admin", "/admin;x/y": "/ /admin", "/;x/admin": "/ /admin", "/..;/admin": "/ /admin", "/admin.json": "/ /admin", "/admin.": "/ /admin", "/admin:x": "/ /admin", "/admin%20": "/ /admin", "/%61dmin.x": "/ /admin", "/%2561dmin": "/ /admin", "/%252561dmin": "/ /admin", "/%25252561dmin": "/ /admin",
		"/ａｄｍｉｎ": "/ /admin", "/%EF%BD%81dmin": "/ /admin", "/xadmin.y/../z": "/ /admin", "/a/secret.": "/ /a/secret", "/secret//a": "/ /a/secret", "/admin/..": "/ /admin", "/a.b/secret": "/ /a/secret", "/FILE/X": "/ /file.v2/x",
		"/%00": "all", "/x%0a//": "all", "/%zz": "all", "/%u0061dmin": "all", "/%": "all", "/x%2525252525": "all", "/100%25": "all", "//%ff": "all", "/%E2%80%8B/..": "all",
	} {
		f := set.Find("https", "h.example", uri)
		got := paths(f)
		slices.Sort(got)
		if want == "all" {
			want = "/ /a/secret /admin /file.v2/x"
		}
		if strings.Join(got, " ") != want || !f.Unclear {
			t.Errorf("%s: %q, unclear is %v, want %s", uri, got, f.Unclear, want)
		}
	}
	// Where one rule holds for all of a host there is nothing to confuse it with.
	for _, uri := range []string{"//", "/%zz", "/x/../y", "/%00"} {
		if f := newSet(t, "https://h.example/ second-step").Find("https", "h.example", uri); f.Unclear || !slices.Equal(paths(f), []string{"/"}) {
			t.Errorf("%s: %+v", uri, f)
		}
	}
}

// A group's rule does not spread to paths that have nothing to do with it.
func TestUnclearPathsStayPrecise(t *testing.T) {
	t.Parallel()
	set := newSet(t, "https://h.example/ second-step", "https://h.example/payroll second-step group=hr")
	for _, uri := range []string{"/api/v4/projects/group%2Fproject", "/a//b", "/wiki/Main_Page", "/WIKI/%C4%8Caj", "/x.tar.gz", "/repo/-/blob/main/README.md", "/@scope%2fpackage", "/q;v=1/x", "/npm/@types%2fnode"} {
		if f := set.Find("https", "h.example", uri); !slices.Equal(paths(f), []string{"/"}) {
			t.Errorf("%s: %q", uri, paths(f))
		}
	}
}

// spellings are what some app or proxy takes for the same path.
type spelling struct{ *rapid.T }

func (s spelling) chance(of int, name string) bool { return rapid.IntRange(0, of).Draw(s.T, name) == 0 }

func (s spelling) of(path string) string {
	var b strings.Builder
	for _, segment := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		b.WriteString(rapid.SampledFrom([]string{"/", "/", "/", "/", "//", "/./", "/x/../", `\`, "/;x/", "/..;/", "/%2e/", "/.//", "/x/.%2e/", "/x;y/../", "/x/..\\"}).Draw(s.T, "slash"))
		for _, r := range segment {
			switch {
			case s.chance(8, "case"):
				b.WriteString(strings.ToUpper(string(r)))
			case s.chance(8, "width") && r >= '!' && r <= '~':
				b.WriteRune(r - '!' + '！')
			default:
				b.WriteRune(r)
			}
		}
		b.WriteString(rapid.SampledFrom([]string{"", "", "", "", ";x", ";jsessionid=1", ".json", ".", "..", "%20", ":x", ".a.b", ";"}).Draw(s.T, "end"))
	}
	b.WriteString(rapid.SampledFrom([]string{"", "", "/", "//", "/.", "?", "?x=/y", "/x/.."}).Draw(s.T, "tail"))
	path, query, _ := strings.Cut(b.String(), "?")
	for range rapid.IntRange(0, 2).Draw(s.T, "times encoded") {
		var encoded strings.Builder
		for i := range len(path) {
			if path[i] >= 0x80 && s.chance(2, "raw") || path[i] < 0x80 && !s.chance(6, "encode") || i == 0 {
				encoded.WriteByte(path[i])
				continue
			}
			fmt.Fprintf(&encoded, rapid.SampledFrom([]string{"%%%02X", "%%%02x"}).Draw(s.T, "hex"), path[i])
		}
		path = encoded.String()
	}
	if path[0] != '/' {
		path = "/" + path
	}
	return path + "?" + query
}

// No spelling of a path opens more than the plain one.
func TestNoSpellingOpensMore(t *testing.T) {
	t.Parallel()
	words := []string{"admin", "staff", "a", "ab", "b", "api", "čaj", "wiki", "ſtraße"}
	places := []string{"/admin", "/admin/staff", "/a", "/a/b", "/ab", "/api/a/b", "/čaj", "/wiki/čaj", "/staff", "/Wiki"}
	rapid.Check(t, func(t *rapid.T) {
		lines := []string{}
		if rapid.IntRange(0, 5).Draw(t, "whole host") > 0 {
			lines = append(lines, "https://h.example/ public")
		}
		for _, place := range rapid.SliceOfNDistinct(rapid.SampledFrom(places), 1, 5, rapid.ID).Draw(t, "rules") {
			lines = append(lines, "https://h.example"+place+" second-step")
		}
		set, err := rules.New(lines, config.ParseDuration)
		if err != nil {
			t.Fatal(err)
		}
		path := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 4).Draw(t, "path"), "/")
		var want string // the longest place that holds for the plain path
		for _, r := range set.All() {
			if p := strings.TrimSuffix(r.Path, "/"); strings.HasPrefix(path+"/", p+"/") && len(r.Path) > len(want) {
				want = r.Path
			}
		}
		spelled := spelling{t}.of(path)
		f := set.Find("https", "h.example", spelled)
		if len(f.Rules) > 0 && want != "" && !slices.Contains(paths(f), want) {
			t.Fatalf("%s is opened as %s by %q alone, without %s", path, spelled, paths(f), want)
		}
		if f.Origin != "https://h.example" || want == "" && len(f.Rules) > 0 && !f.Unclear && slices.Contains(paths(f), "/") {
			t.Fatalf("%s: %+v", spelled, f)
		}
	})
}

// FuzzFind looks at any address: what is found is of the set, and a path that is the
// same after cleaning is not opened by another rule.
func FuzzFind(f *testing.F) {
	set := newSet(f, "https://h.example/ public", "https://h.example/admin deny", "https://h.example/a/b second-step", "http://app.localhost:3000/x public")
	for _, uri := range []string{"/", "/admin", "/%61dmin", "/x/../admin", "/ADMIN;x", "/a%2fb", "//", "/%", "/ａｄｍｉｎ"} {
		f.Add("https", "h.example", uri)
	}
	f.Add("ws", "app.localhost.:3000", "/x")
	f.Fuzz(func(t *testing.T, scheme, host, uri string) {
		found := set.Find(scheme, host, uri)
		if found.Origin == "" {
			if len(found.Rules) > 0 || found.Host != "" {
				t.Fatalf("no app and rules: %+v", found)
			}
			return
		}
		if !slices.Contains([]string{"https://h.example", "http://app.localhost:3000"}, found.Origin) {
			t.Fatalf("origin %s", found.Origin)
		}
		for _, r := range found.Rules {
			if r.Origin != found.Origin || !slices.Contains(set.All(), r) {
				t.Fatalf("a rule of another app: %+v", r)
			}
		}
		path, _, _ := strings.Cut(uri, "?")
		if unescaped, err := url.PathUnescape(path); err == nil && found.Origin == "https://h.example" && (unescaped == "/admin" || strings.HasPrefix(unescaped, "/admin/")) &&
			!slices.Contains(paths(found), "/admin") {
			t.Fatalf("%q is opened by %q", uri, paths(found))
		}
	})
}
