package web_test

import (
	"bufio"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/web"
)

// hostile are places to go to that are none, one Go string a line. The tests of
// doors read the same file.
func hostile(t testing.TB) []string {
	t.Helper()
	f, err := os.Open("testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		to, err := strconv.Unquote(lines.Text())
		if err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		all = append(all, to)
	}
	return all
}

func TestReturnToRefuses(t *testing.T) {
	all := append(hostile(t), "/"+strings.Repeat("a", 8192), strings.Repeat("/", 8192))
	if len(all) < 60 {
		t.Fatalf("only %d hostile places", len(all))
	}
	for _, to := range all {
		if got := web.ReturnTo(to); got != "" {
			t.Errorf("%q: goes to %q", to, got)
		}
	}
}

func TestReturnToKeeps(t *testing.T) {
	for _, to := range []string{
		"/", "/help", "/settings/user/security", "/settings/user/security/factors/abc/remove", "/a/b/", "/a?b=c&d=e", "/a?b=/c//d", "/a?b=https://evil.example",
		"/a?b=%2F%2Fevil.example", "/a?b=%0d%0a", "/a%20b", "/a b", "/a;b", "/a:b", "/a@b", "/x@evil.example", "/.a", "/...", "/a..b", "/a.", "/%C3%A9", "/?", "/a?b=c?d",
		"/javascript:alert(1)", "/https:evil.example", "/verify?return_to=%2Fhelp", "/" + strings.Repeat("a", 2047),
	} {
		if got := web.ReturnTo(to); got != to {
			t.Errorf("%q: got %q", to, got)
		}
	}
}

// FuzzReturnTo looks at the answer as net/url and as browsers do.
func FuzzReturnTo(f *testing.F) {
	for _, to := range hostile(f) {
		f.Add(to)
	}
	f.Add("/a?b=c")
	base, err := url.Parse("https://id.twinlatch.test/sign-in")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, to string) {
		got := web.ReturnTo(to)
		if got == "" {
			return
		}
		if got != to {
			t.Fatalf("%q became %q", to, got)
		}
		resolved, err := base.Parse(got)
		if err != nil || resolved.Host != base.Host || resolved.Scheme != base.Scheme || resolved.User != nil {
			t.Errorf("%q is %v: %v", got, resolved, err)
		}
		if host := browserHost(got); host != "" {
			t.Errorf("%q: a browser goes to %q", got, host)
		}
		if decoded, err := url.PathUnescape(strings.Split(got, "?")[0]); err != nil || browserHost(decoded) != "" {
			t.Errorf("%q: what decodes it goes to %q: %v", got, browserHost(decoded), err)
		}
		if strings.ContainsAny(got, "\r\n\x00") {
			t.Errorf("%q ends a header line", got)
		}
	})
}

// browserHost is another host that a browser finds in a relative reference, by
// the WHATWG URL standard: spaces and controls around it and tabs and line ends
// in it do not count, "\" is "/", and a scheme or two slashes lead away.
func browserHost(to string) string {
	to = strings.TrimFunc(to, func(r rune) bool { return r <= ' ' })
	to = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(to)
	if rest, ok := strings.CutPrefix(to, "//"); ok {
		return "host:" + rest
	}
	if scheme, _, ok := strings.Cut(to, ":"); ok && scheme != "" && !strings.ContainsAny(scheme, "/?#") {
		return "scheme:" + scheme
	}
	return ""
}
