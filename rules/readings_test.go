package rules_test

import (
	"slices"
	"testing"
	"unicode"

	"github.com/twinlatch/twinlatch/rules"
)

// Some servers and apps cut a path at "#", raw (nginx, Express; CVE-2023-45539
// of HAProxy), or at a "?" or "#" that they have unescaped (Apache's mod_rewrite,
// CVE-2024-38474): they read /admin there.
func TestPathsThatAreCut(t *testing.T) {
	t.Parallel()
	set := newSet(t, "https://h.example/ public", "https://h.example/admin second-step")
	for _, uri := range []string{"/admin#", "/admin#x", "/admin%3F", "/admin%3fx", "/admin%23x", "/x#/../admin", "/admin%253Fx"} {
		if f := set.Find("https", "h.example", uri); !slices.Contains(paths(f), "/admin") {
			t.Errorf("%s is opened by %q alone", uri, paths(f))
		}
	}
}

// What is not UTF-8 (an overlong "/" or ".", CVE-2008-2938), and what does not show (HFS+
// takes no notice of it, CVE-2014-9390), has more than one reading by itself.
func TestCharactersThatSomeTakeAway(t *testing.T) {
	t.Parallel()
	set := newSet(t, "https://h.example/ public", "https://h.example/admin second-step")
	for _, uri := range []string{
		"/ad%E2%80%8Bmin", "/ad\u200bmin", "/ad%E2%80%8Dmin", "/%EF%BB%BFadmin", "/ad%C2%ADmin", "/ad%C2%85min", "/adm%E2%81%A0in", "/ad%EF%B8%8Fmin",
		"/adm%FFin", "/admin\xff", "/x%C0%AFadmin", "/x/%C0%AE%C0%AE/admin", "/x%E0%80%AF..%E0%80%AFadmin",
	} {
		if f := set.Find("https", "h.example", uri); !slices.Contains(paths(f), "/admin") {
			t.Errorf("%s is opened by %q alone", uri, paths(f))
		}
	}
}

// What stands behind the file of a program is an address for the program: Symfony,
// Laravel and MediaWiki read /index.php/admin as /admin.
func TestPathsBehindAProgram(t *testing.T) {
	t.Parallel()
	set := newSet(t, "https://h.example/ signed-in", "https://h.example/admin second-step", "https://h.example/settings/admin deny")
	for _, uri := range []string{
		"/index.php/admin", "/INDEX.PHP/admin", "/index%2Ephp/admin", "/index.php5/admin/users", "/app.php;x=1/admin", "/cgi-bin/app.fcgi/admin", "/a/app.py/x/admin?y",
	} {
		if f := set.Find("https", "h.example", uri); !slices.Contains(paths(f), "/admin") {
			t.Errorf("%s is opened by %q alone", uri, paths(f))
		}
	}
	if f := set.Find("https", "h.example", "/index.php/settings/admin"); !slices.Contains(paths(f), "/settings/admin") {
		t.Errorf("opened by %q alone", paths(f))
	}
	for _, uri := range []string{"/index.php", "/v1.0/pages", "/php5/pages", "/.well-known/security.txt"} {
		if f := set.Find("https", "h.example", uri); f.Unclear {
			t.Errorf("%s is unclear", uri)
		}
	}
}

// Some trim each segment, and some databases compare without accents.
func TestSpacesAndAccents(t *testing.T) {
	t.Parallel()
	set := newSet(t, "https://h.example/ public", "https://h.example/admin second-step")
	for _, uri := range []string{"/%20admin", "/x/%20/admin", "/%C2%A0admin", "/%E3%80%80admin", "/admin%20/x", "/%C3%A1dmin", "/admin%CC%81", "/%C3%81DM%C3%8DN/users"} {
		if f := set.Find("https", "h.example", uri); !slices.Contains(paths(f), "/admin") {
			t.Errorf("%s is opened by %q alone", uri, paths(f))
		}
	}
}

// A rule whose ending is dropped does not hide a longer one: an app that takes no notice
// of what follows a dot reads /status/all here.
func TestARuleWithAnEndingHidesNoLongerOne(t *testing.T) {
	t.Parallel()
	set := newSet(t, "https://h.example/ public", "https://h.example/status.json-feed public", "https://h.example/status/all second-step")
	if f := set.Find("https", "h.example", "/status.json-feed/all"); !slices.Contains(paths(f), "/status/all") {
		t.Errorf("opened by %q alone", paths(f))
	}
	// Nor does it hold where the other one does.
	if f := set.Find("https", "h.example", "/status/all"); !slices.Equal(paths(f), []string{"/status/all"}) || f.Unclear {
		t.Errorf("/status/all: %q, unclear is %v", paths(f), f.Unclear)
	}
}

// Upper and lower case are more than folding: "ı" is "I" in upper case, and
// equalsIgnoreCase of Java compares so; "İ" is "i" in lower case for those who map one
// character to one.
func TestLettersThatBecomeOthers(t *testing.T) {
	t.Parallel()
	set := newSet(t, "https://h.example/ public", "https://h.example/skin second-step")
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		for i, letter := range "skin" {
			if unicode.ToLower(r) == letter || unicode.ToUpper(r) == unicode.ToUpper(letter) {
				uri := "/" + "skin"[:i] + string(r) + "skin"[i+1:]
				if f := set.Find("https", "h.example", uri); !slices.Contains(paths(f), "/skin") {
					t.Errorf("%s (%U) is opened by %q alone", uri, r, paths(f))
				}
			}
		}
	}
}

// Nothing is below a rule that ends in an empty segment, so nobody can write one.
func TestTwoSlashesAtTheEndOfARule(t *testing.T) {
	t.Parallel()
	if r, err := rules.Parse("https://h.example/admin// second-step", nil); err == nil {
		t.Errorf("accepted as %q", r.Path)
	}
}
