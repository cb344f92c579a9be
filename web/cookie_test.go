package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

// a token as it is in a cookie, and another one.
var (
	ours   = strings.Repeat("a", 26) + "." + strings.Repeat("b", 26) + "." + strings.Repeat("C", 43)
	theirs = strings.Repeat("b", 26) + "." + strings.Repeat("b", 26) + "." + strings.Repeat("C", 43)
)

func read(c web.Cookie, lines ...string) string {
	return c.Read(&http.Request{Header: http.Header{"Cookie": lines}}).Reveal()
}

func TestCookieRead(t *testing.T) {
	plain, host := web.Cookie{}, web.Cookie{Secure: true}
	for _, c := range []struct {
		name   string
		cookie web.Cookie
		lines  []string
		found  bool
	}{
		{"none", plain, nil, false},
		{"ours", plain, []string{"twinlatch=" + ours}, true},
		{"ours among others", plain, []string{"a=b; twinlatch=" + ours + "; c=d"}, true},
		{"ours on a line of its own", plain, []string{"a=b", "twinlatch=" + ours}, true},
		{"ours in quotes", plain, []string{`twinlatch="` + ours + `"`}, true}, // which RFC 6265 takes off
		{"ours over HTTPS", host, []string{"__Host-twinlatch=" + ours}, true},
		{"the name without HTTPS, over HTTPS", host, []string{"twinlatch=" + ours}, false},
		{"the name over HTTPS, without", plain, []string{"__Host-twinlatch=" + ours}, false},
		{"another case", plain, []string{"Twinlatch=" + ours}, false},
		{"another prefix", host, []string{"__host-twinlatch=" + ours}, false},
		{"two, the same", plain, []string{"twinlatch=" + ours + "; twinlatch=" + ours}, false},
		{"two, on two lines", plain, []string{"twinlatch=" + ours, "twinlatch=" + theirs}, false},
		{"two, one empty", plain, []string{"twinlatch=; twinlatch=" + ours}, false},
		{"two, one malformed", plain, []string{"twinlatch=x; twinlatch=" + ours}, false},
		{"empty", plain, []string{"twinlatch="}, false},
		{"cut off", plain, []string{"twinlatch=" + ours[:96]}, false},
		{"longer", plain, []string{"twinlatch=" + ours + "a"}, false},
		{"upper case ids", plain, []string{"twinlatch=" + strings.ToUpper(ours)}, false},
		{"escaped", plain, []string{"twinlatch=" + strings.ReplaceAll(ours, ".", "%2E")}, false},
		{"spaces", plain, []string{"twinlatch= " + ours[:96] + " "}, false},
		{"four parts", plain, []string{"twinlatch=" + ours[:95] + ".a"}, false},
		{"oversized", plain, []string{"twinlatch=" + strings.Repeat(ours, 1000)}, false},
		{"a NUL", plain, []string{"twinlatch=" + ours[:96] + "\x00"}, false},
		{"not ASCII", plain, []string{"twinlatch=" + ours[:95] + "é"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := ""
			if c.found {
				want = ours
			}
			if got := read(c.cookie, c.lines...); got != want {
				t.Errorf("%q: found %q", c.lines, got)
			}
		})
	}
}

func TestCookieWriteAndClear(t *testing.T) {
	parsed, err := twinlatch.ParseToken(ours)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cookie       web.Cookie
		write, clear string
	}{
		{
			web.Cookie{For: 90 * 24 * time.Hour},
			"twinlatch=" + ours + "; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax", "twinlatch=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
		},
		{
			web.Cookie{Secure: true, For: 24 * time.Hour},
			"__Host-twinlatch=" + ours + "; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax", "__Host-twinlatch=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		},
	} {
		written, cleared := httptest.NewRecorder(), httptest.NewRecorder()
		c.cookie.Write(written, parsed)
		c.cookie.Clear(cleared)
		if got := written.Header()["Set-Cookie"]; len(got) != 1 || got[0] != c.write {
			t.Errorf("written %q, want %q", got, c.write)
		}
		if got := cleared.Header()["Set-Cookie"]; len(got) != 1 || got[0] != c.clear {
			t.Errorf("cleared %q, want %q", got, c.clear)
		}
	}
}

// FuzzCookie: only a well-formed token of ours, alone, opens anything.
func FuzzCookie(f *testing.F) {
	f.Add("twinlatch=" + ours)
	f.Add("twinlatch=" + ours + "; twinlatch=" + ours)
	f.Add(`a=b; twinlatch="` + ours + `"`)
	f.Fuzz(func(t *testing.T, line string) {
		got := read(web.Cookie{}, line)
		if got == "" {
			return
		}
		if _, err := twinlatch.ParseToken(got); err != nil || !strings.Contains(line, got) || strings.Count(line, "twinlatch=") == 0 {
			t.Errorf("%q opens %q: %v", line, got, err)
		}
		if strings.Contains(fmt.Sprint(web.Cookie{}.Read(&http.Request{Header: http.Header{"Cookie": {line}}})), got[54:]) {
			t.Error("the token prints itself")
		}
	})
}
