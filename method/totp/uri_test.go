package totp

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

var someSecret = []byte("12345678901234567890")

const someBase32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

func TestURI(t *testing.T) {
	got := uri("Example & Co", "ann+work@example.com", someSecret)
	const want = "otpauth://totp/Example%20%26%20Co:ann%2Bwork%40example.com" +
		"?secret=" + someBase32 + "&issuer=Example%20%26%20Co&algorithm=SHA1&digits=6&period=30"
	if got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
}

func TestClean(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "ann@example.com", "ann@example.com"},
		{"spaces around", "  Ann  \t", "Ann"},
		{"colon", "a:b", "a-b"},
		{"control", "a\x00b\nc\r\x1b[31md\x7f\u0085e", "abc[31mde"},
		{"only control", "\n\r\t", ""},
		{"invalid UTF-8", "a\xffb\xc3", "ab"},
		{"surrogate", "a\xed\xa0\x80b", "ab"},
		{"line separators", "a\u2028b\u2029c", "abc"},
		{"reordered", "exa\u202emoc.elpm\u2066a\u200fb", "examoc.elpmab"},
		{"right to left", "שלום", "שלום"},
		{"emoji of several runes", "👩‍💻", "👩‍💻"},
		{"64 bytes", strings.Repeat("x", 64), strings.Repeat("x", 64)},
		{"65 bytes", strings.Repeat("x", 65), strings.Repeat("x", 64)},
		{"cut inside a rune", strings.Repeat("é", 31) + "x💻", strings.Repeat("é", 31) + "x"},
		{"cut after a space", strings.Repeat("x", 63) + " y", strings.Repeat("x", 63)},
	} {
		if got := clean(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// hostile are names that try to break out of their place in the URI.
var hostile = []string{
	"x?secret=ATTACKER&issuer=Bank", "x&secret=ATTACKER", "x#", "x%26secret%3DATTACKER", "%", "%zz", "+", "a b", "a+b",
	"x\nsecret=ATTACKER", "x\r\n", "a:b:c", "%3A", ":", "/", "//host/path", "../..", "user@host", ";", "x;secret=ATTACKER",
	"=", "\\", `"'<>`, "\x00", "\xff\xfe", "שלום", "\u202eevil", "💻👩‍💻", "１２３", "", " ", "?", strings.Repeat("&issuer=Bank", 1000),
}

// checkURI takes a URI apart with net/url: whatever the names are, there is one
// of each parameter, with the right value.
func checkURI(t *testing.T, issuer, account string, secret []byte) {
	t.Helper()
	s := uri(clean(issuer), clean(account), secret)
	for _, r := range s {
		if r <= ' ' || r >= 0x7f {
			t.Fatalf("unescaped %q in %s", r, s)
		}
	}
	if strings.Contains(s, "+") {
		t.Fatalf("plus sign in %s", s)
	}
	if len(s) > 1000 {
		t.Fatalf("%d bytes", len(s))
	}
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme != "otpauth" || u.Host != "totp" || u.User != nil || u.Fragment != "" || strings.Contains(s, "#") {
		t.Fatalf("not where it should be: %s", s)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"secret": encoding.EncodeToString(secret), "issuer": clean(issuer), "algorithm": "SHA1", "digits": "6", "period": "30"}
	if len(query) != len(want) {
		t.Fatalf("parameters: %v", query)
	}
	for name, value := range want {
		if got := query[name]; len(got) != 1 || got[0] != value {
			t.Fatalf("%s is %q, want %q", name, got, value)
		}
	}
	if got := u.Path; got != "/"+clean(issuer)+":"+clean(account) || strings.Count(got, ":") != 1 {
		t.Fatalf("label: %q", got)
	}
	if clean(issuer) == "" || clean(account) == "" {
		return
	}
	gotIssuer, gotAccount, gotSecret, err := ParseURI(s)
	if err != nil || gotIssuer != clean(issuer) || gotAccount != clean(account) || string(gotSecret) != string(secret) {
		t.Fatalf("ParseURI: %q %q %x, %v", gotIssuer, gotAccount, gotSecret, err)
	}
}

func TestHostileNames(t *testing.T) {
	for _, name := range hostile {
		checkURI(t, name, "ann", someSecret)
		checkURI(t, "Example", name, someSecret)
		checkURI(t, name, name, someSecret)
	}
	const last, each = 0x30000, 16 // all planes with characters, 16 to a name
	for first := rune(0); first < last; first += each {
		var name []rune
		for r := range rune(each) {
			name = append(name, first+r)
		}
		checkURI(t, "x"+string(name), string(name)+"x", someSecret)
	}
}

func FuzzURI(f *testing.F) {
	for _, name := range hostile {
		f.Add(name, "ann", someSecret)
		f.Add("Example", name, someSecret)
	}
	f.Fuzz(func(t *testing.T, issuer, account string, secret []byte) {
		if len(secret) < minSecret || len(secret) > 64 {
			secret = someSecret
		}
		checkURI(t, issuer, account, secret)
		for _, name := range []string{issuer, account} {
			if c := clean(name); clean(c) != c || len(c) > maxName || !utf8.ValidString(c) {
				t.Fatalf("clean(%q) = %q", name, c)
			}
		}
	})
}

func TestParseURI(t *testing.T) {
	good := uri("Example", "ann", someSecret)
	if issuer, account, secret, err := ParseURI(good); err != nil || issuer != "Example" || account != "ann" || string(secret) != string(someSecret) {
		t.Fatalf("%q %q %x, %v", issuer, account, secret, err)
	}
	replace := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in %s", old, good)
		}
		return strings.Replace(good, old, with, 1)
	}
	for name, s := range map[string]string{
		"empty":               "",
		"no URI":              "otpauth://totp/%zz",
		"scheme":              replace("otpauth", "https"),
		"scheme in capitals":  replace("otpauth", "OTPAUTH"),
		"type":                replace("totp", "hotp"),
		"port":                replace("totp", "totp:80"),
		"user":                replace("totp", "ann@totp"),
		"no issuer":           replace("Example:", ""),
		"empty issuer":        replace("Example:", ":"),
		"other issuer":        replace("issuer=Example", "issuer=Bank"),
		"no account":          replace(":ann", ":"),
		"no label":            replace("/Example:ann", ""),
		"second colon":        replace(":ann", ":a:nn"),
		"escaped colon":       replace(":ann", "%3Aann"),
		"space in the label":  replace(":ann", ":%20ann"),
		"control character":   replace(":ann", ":ann%0A"),
		"no secret":           replace("secret="+someBase32+"&", ""),
		"empty secret":        replace(someBase32, ""),
		"short secret":        replace(someBase32, someBase32[:24]),
		"padded secret":       replace(someBase32, someBase32+"======"),
		"secret in lowercase": replace(someBase32, strings.ToLower(someBase32)),
		"secret alphabet":     replace(someBase32, "1"+someBase32[1:]),
		"line break":          replace(someBase32, someBase32+"%0A"),
		"two secrets":         good + "&secret=" + someBase32,
		"two issuers":         replace("&issuer=Example", "&issuer=Example&issuer=Bank"),
		"no algorithm":        replace("&algorithm=SHA1", ""),
		"other algorithm":     replace("SHA1", "SHA256"),
		"other digits":        replace("digits=6", "digits=8"),
		"other period":        replace("period=30", "period=60"),
		"more":                good + "&image=https://example.com/x.png",
		"fragment":            good + "#x",
		"semicolon":           replace("&digits", ";digits"),
		"needless escape":     replace("ann", "%61nn"),
	} {
		_, _, secret, err := ParseURI(s)
		if err == nil || secret != nil {
			t.Errorf("%s: accepted %s", name, s)
		} else if strings.Contains(err.Error(), "GEZDG") {
			t.Errorf("%s: the error quotes the secret: %v", name, err)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	f.Add(uri("Example", "ann", someSecret))
	for _, name := range hostile {
		f.Add(uri(clean(name), clean(name), someSecret))
		f.Add("otpauth://totp/" + name)
	}
	f.Fuzz(func(t *testing.T, s string) {
		issuer, account, secret, err := ParseURI(s)
		if err == nil && uri(issuer, account, secret) != s {
			t.Fatalf("%q is not what %q, %q is written as", s, issuer, account)
		}
	})
}
