package yubico

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
)

// One that "OTPs Explained" shows.
const shown = "cccjgjgkhcbbirdrfdnlnghhfgrtnnlgedjlftrbdeut"

func TestParse(t *testing.T) {
	for _, typed := range []string{shown, " " + shown + "\n", "\t\u00a0" + shown + "\r\n", strings.ToUpper(shown), " " + strings.ToUpper(shown)} {
		got, err := New(nil).Parse(twinlatch.Answer{"code": typed, "more": "x"})
		if err != nil || len(got) != 1 || got["code"] != shown {
			t.Errorf("%q: %q, %v", typed, got["code"], err)
		}
	}
}

// unreadable is what no YubiKey types.
var unreadable = map[string]string{
	"nothing":                      "",
	"blanks":                       " \t\r\n ",
	"a character less":             shown[1:],
	"a character more":             shown + "c",
	"no public identity":           shown[12:],
	"a longer public identity":     "cccc" + shown,
	"two of them":                  shown + shown,
	"two with a space between":     shown + " " + shown,
	"a space inside":               shown[:12] + " " + shown[12:],
	"a space for a letter":         shown[:12] + " " + shown[13:],
	"a newline inside":             shown[:20] + "\n" + shown[21:],
	"a capital":                    "C" + shown[1:],
	"a small letter":               "c" + strings.ToUpper(shown)[1:],
	"a letter that is not modhex":  "a" + shown[1:],
	"its capital":                  "A" + strings.ToUpper(shown)[1:],
	"a digit":                      "1" + shown[1:],
	"hexadecimal":                  "00000000000076df3a72b75eefad2a4bb9ba0f4a2d9e",
	"another keyboard (Dvorak)":    "jjjhihitdjxxcpepu.bnbidduipybbniu.hnuypxe.gy",
	"a Cyrillic es":                "с" + shown[2:],
	"a Greek capital nu":           "Ν" + strings.ToUpper(shown)[2:],
	"the Kelvin sign":              "\u212a" + strings.ToUpper(shown)[3:],
	"full-width letters":           strings.Map(func(r rune) rune { return r + 0xfee0 }, shown),
	"a zero-width space before":    "\u200b" + shown,
	"a byte order mark before":     "\ufeff" + shown,
	"a mark from right to left":    shown[:41] + "\u202e",
	"a combining accent":           shown[:42] + "\u0301",
	"a byte 0":                     shown[:43] + "\x00",
	"no UTF-8":                     shown[:43] + "\xff",
	"a comma":                      shown[:43] + ",",
	"many blanks":                  strings.Repeat(" ", 128) + shown,
	"a million letters":            strings.Repeat("c", 1<<20),
	"the prefix of a static code":  "+" + shown[1:],
	"a six-digit code":             "123456",
	"a one-time password as a URL": "https://my.yubico.com/yk/#" + shown,
}

func TestParseRefuses(t *testing.T) {
	for name, typed := range unreadable {
		_, err := New(nil).Parse(twinlatch.Answer{"code": typed})
		var field *twinlatch.FieldError
		if !errors.As(err, &field) || field.Field != "code" || field.Key != "err.otp" {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Logf("%d cases", len(unreadable))
}

func TestOTPDoesNotPrint(t *testing.T) {
	otp := parse(t, shown)
	if otp.Identity() != shown[:12] || otp.Reveal() != shown {
		t.Errorf("%s of %s", otp.Reveal(), otp.Identity())
	}
	_, err := ParseOTP(shown + "x")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(verb+verb, otp, err); strings.Contains(text, shown[12:]) || strings.Contains(text, fmt.Sprintf("%x", shown[12:])) {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

// The order of the number is that of the touches.
func TestCounterGrowsWithEachTouch(t *testing.T) {
	last := int64(0)
	for _, c := range [][2]int{{1, 0}, {1, 1}, {1, 0xff}, {2, 0}, {0x8002, 1}, {2, 2}, {0xff, 0xff}, {0x100, 0}, {0x7fff, 0}, {0xffff, 1}, {0x7fff, 0xff}} {
		n := counter(c[0], c[1])
		if n <= last || n >= 1<<23 {
			t.Errorf("%#x/%#x: %d after %d", c[0], c[1], n, last)
		}
		last = n
	}
}

func parse(t testing.TB, text string) OTP {
	t.Helper()
	otp, err := ParseOTP(text)
	if err != nil {
		t.Fatal(err)
	}
	return otp
}

func FuzzParseOTP(f *testing.F) {
	f.Add(shown)
	f.Add(strings.ToUpper(shown))
	for _, typed := range unreadable {
		f.Add(typed[:min(len(typed), 200)])
	}
	f.Fuzz(func(t *testing.T, typed string) {
		otp, err := ParseOTP(typed)
		if err != nil {
			return
		}
		text := otp.Reveal()
		if again, err := ParseOTP(text); err != nil || again.Reveal() != text || len(text) != otpSize || strings.Trim(text, modhex) != "" {
			t.Errorf("%q became %q", typed, text)
		}
		if !strings.EqualFold(strings.TrimSpace(typed), text) || !IsIdentity(otp.Identity()) {
			t.Errorf("%q became %q", typed, text)
		}
		b := otp.block()
		back := ""
		for _, octet := range b {
			back += modhex[octet>>4:octet>>4+1] + modhex[octet&15:octet&15+1]
		}
		if text[identitySize:] != back {
			t.Errorf("%q has the block %x", text, b)
		}
	})
}
