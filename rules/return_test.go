package rules_test

import (
	"bufio"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/rules"
)

// hostile are quoted places that are no app's.
func hostile(t testing.TB, file string) (all []string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		to, err := strconv.Unquote(lines.Text())
		if err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		all = append(all, to)
	}
	if len(all) < 60 {
		t.Fatalf("only %d hostile places", len(all))
	}
	return all
}

func returnable(t testing.TB) *rules.Set {
	t.Helper()
	return newSet(t, "https://wiki.example.com/ second-step", "https://wiki.example.com/closed deny", "https://files.example.net:8443/ public", "http://app.localhost:3000/ signed-in")
}

func TestHostilePlacesLeadNowhere(t *testing.T) {
	t.Parallel()
	set := returnable(t)
	for _, to := range slices.Concat(hostile(t, "testdata/hostile.txt"), hostile(t, "../web/testdata/hostile.txt")) {
		if found, got := set.Return(to); got != "" || found.Origin != "" || len(found.Rules) > 0 {
			t.Errorf("%.80q leads to %.80q", to, got)
		}
	}
}

func TestPlacesOfApps(t *testing.T) {
	t.Parallel()
	set := returnable(t)
	for to, want := range map[string]string{
		"https://wiki.example.com/":                                "https://wiki.example.com/",
		"https://wiki.example.com":                                 "https://wiki.example.com/",
		"https://wiki.example.com?a=b":                             "https://wiki.example.com/?a=b",
		"https://WIKI.Example.com.:443/A?b=C":                      "https://wiki.example.com/A?b=C",
		"https://files.example.net:8443/x":                         "https://files.example.net:8443/x",
		"http://app.localhost:3000/":                               "http://app.localhost:3000/",
		"https://wiki.example.com//evil.example":                   "https://wiki.example.com//evil.example", // still there
		"https://wiki.example.com/@evil.example":                   "https://wiki.example.com/@evil.example",
		"https://wiki.example.com/../x":                            "https://wiki.example.com/../x",
		"https://wiki.example.com/%0d%0a":                          "https://wiki.example.com/%0d%0a",
		"https://wiki.example.com/?to=https://evil.example/&x=%23": "https://wiki.example.com/?to=https://evil.example/&x=%23",
		"https://wiki.example.com/%C4%8Caj":                        "https://wiki.example.com/%C4%8Caj",
		"https://wiki.example.com/closed/x":                        "https://wiki.example.com/closed/x", // which says no there
		"https://wiki.example.com/" + strings.Repeat("a", 2000):    "https://wiki.example.com/" + strings.Repeat("a", 2000),
		"https://wiki.example.com/\"'<>()[]{}|^`~!$*+,;:=":         "https://wiki.example.com/\"'<>()[]{}|^`~!$*+,;:=",
		"https://wiki.example.com/.twinlatch/handover?ticket=x":    "https://wiki.example.com/.twinlatch/handover?ticket=x",
		"https://wiki.example.com?https://evil.example/":           "https://wiki.example.com/?https://evil.example/",
	} {
		if found, got := set.Return(to); got != want || !strings.HasPrefix(want, found.Origin+"/") {
			t.Errorf("%.80q leads to %.80q, want %.80q", to, got, want)
		}
	}
}

// FuzzReturn looks at the answer as net/url and as browsers do: it begins with an
// origin of the rules, and leads there.
func FuzzReturn(f *testing.F) {
	for _, to := range slices.Concat(hostile(f, "testdata/hostile.txt"), hostile(f, "../web/testdata/hostile.txt")) {
		f.Add(to)
	}
	f.Add("https://wiki.example.com/a?b=c")
	set := returnable(f)
	f.Fuzz(func(t *testing.T, to string) {
		found, got := set.Return(to)
		if got == "" {
			if found.Origin != "" || found.Rules != nil {
				t.Fatalf("%q leads nowhere, and %+v", to, found)
			}
			return
		}
		if !slices.Contains([]string{"https://wiki.example.com", "https://files.example.net:8443", "http://app.localhost:3000"}, found.Origin) || !strings.HasPrefix(got, found.Origin+"/") {
			t.Fatalf("%q leads to %q", to, got)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' || r == '#' }) {
			t.Fatalf("%q: %q has what browsers take away or turn around", to, got)
		}
		if u, err := url.Parse(got); err == nil && (u.Scheme+"://"+u.Host != found.Origin || u.User != nil) {
			t.Fatalf("%q is at %s", got, u.Host)
		}
		if _, again := set.Return(got); again != got {
			t.Fatalf("%q becomes %q", got, again)
		}
	})
}
