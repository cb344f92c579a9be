package smpp

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// 3GPP TS 23.038 §6.2.1, some of each column.
func TestGSMAlphabet(t *testing.T) {
	t.Parallel()
	if n := utf8.RuneCountInString(gsm); n != 128 {
		t.Fatalf("the alphabet has %d characters", n)
	}
	for text, want := range map[string]string{
		"@£$¥èéùìòÇ\n": "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a",
		"Øø\rÅåΔ_Φ":    "\x0b\x0c\x0d\x0e\x0f\x10\x11\x12",
		"ΞÆæßÉ":        "\x1a\x1c\x1d\x1e\x1f",
		" !\"#¤%&'":    "\x20\x21\x22\x23\x24\x25\x26\x27",
		"09:?¡AZÄÖÑÜ§": "\x30\x39\x3a\x3f\x40\x41\x5a\x5b\x5c\x5d\x5e\x5f",
		"¿azäöñüà":     "\x60\x61\x7a\x7b\x7c\x7d\x7e\x7f",
		"\f^{}\\[~]|€": "\x1b\x0a\x1b\x14\x1b\x28\x1b\x29\x1b\x2f\x1b\x3c\x1b\x3d\x1b\x3e\x1b\x40\x1b\x65",
	} {
		if got := encodeText(text); got.coding != codingDefault || string(got.whole()) != want {
			t.Errorf("%q is %q, want %q", text, got.whole(), want)
		}
	}
	for text, want := range map[string]string{
		"`":    "\x00\x60",
		"ç":    "\x00\xe7",
		"\x1b": "\x00\x1b",
		"a я":  "\x00a\x00 \x04\x4f",
		"🔑":    "\xd8\x3d\xdd\x11",
		"\xff": "\xff\xfd",
	} {
		if got := encodeText(text); got.coding != codingUCS2 || string(got.whole()) != want {
			t.Errorf("%q is %q, want %q", text, got.whole(), want)
		}
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		text string
		want []int // octets of the parts; of one: the text fits
	}{
		"empty":                       {"", []int{0}},
		"160":                         {strings.Repeat("a", 160), []int{160}},
		"161":                         {strings.Repeat("a", 161), []int{153, 8}},
		"80 of two":                   {strings.Repeat("€", 80), []int{160}},
		"an escape is not torn off":   {strings.Repeat("a", 152) + strings.Repeat("€", 5), []int{152, 10}},
		"70 of UCS-2":                 {strings.Repeat("я", 70), []int{140}},
		"71 of UCS-2":                 {strings.Repeat("я", 71), []int{134, 8}},
		"a surrogate is not torn off": {strings.Repeat("я", 66) + "🔑" + strings.Repeat("я", 3), []int{132, 10}},
	} {
		e := encodeText(row.text)
		var got []int
		if e.fits() {
			got = []int{len(e.whole())}
		} else {
			for _, part := range e.parts() {
				got = append(got, len(part))
			}
		}
		if len(got) != len(row.want) || got[0] != row.want[0] || got[len(got)-1] != row.want[len(got)-1] {
			t.Errorf("%s: parts of %v octets, want %v", name, got, row.want)
		}
	}
	if got, want := withHeader([]byte("abc"), 7, 3, 2), []byte("\x05\x00\x03\x07\x03\x02abc"); !bytes.Equal(got, want) {
		t.Errorf("a part is %q, want %q", got, want)
	}
}

// Parts are no longer than a phone takes, and together they are the text.
func FuzzText(f *testing.F) {
	for _, text := range []string{"", "483920", "€", strings.Repeat("[€]", 99), strings.Repeat("🔑", 99), "\xff\x1b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := encodeText(text)
		parts := e.parts()
		if e.coding == codingDefault && strings.ContainsRune(text, escape) {
			t.Fatal("an escape of the text became one of the alphabet")
		}
		for _, part := range parts {
			if len(part) > map[byte]int{codingDefault: 153, codingUCS2: 134}[e.coding] {
				t.Fatalf("a part has %d octets", len(part))
			}
			if e.coding == codingDefault && bytes.HasSuffix(part, []byte{escape}) {
				t.Fatalf("a part ends in an escape")
			}
			if e.coding == codingUCS2 && !utf8.ValidString(decodeUCS2(part)) {
				t.Fatalf("a part has half a character")
			}
		}
		if !bytes.Equal(bytes.Join(parts, nil), e.whole()) || len(e.whole()) != e.size {
			t.Fatal("the parts are not the text")
		}
		if e.coding == codingUCS2 && decodeUCS2(e.whole()) != strings.ToValidUTF8(text, "\ufffd") && utf8.ValidString(text) {
			t.Fatalf("%q became %q", text, decodeUCS2(e.whole()))
		}
	})
}

func decodeUCS2(b []byte) string {
	var units []uint16
	for i := 0; i+1 < len(b); i += 2 {
		units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
	}
	for i, u := range units { // Decode would replace them
		if low := i > 0 && utf16.IsSurrogate(rune(units[i-1])) && units[i-1] < 0xDC00; utf16.IsSurrogate(rune(u)) && (u >= 0xDC00) != low {
			return "\xff"
		}
	}
	if n := len(units); n > 0 && units[n-1] >= 0xD800 && units[n-1] < 0xDC00 {
		return "\xff"
	}
	return string(utf16.Decode(units))
}
