package keyring

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twinlatch/twinlatch"
)

// What twinlatch.Keys is must not depend on this package being used.
var _ twinlatch.Keys = (*Ring)(nil)

// The roots are the bytes 0 to 31, 32 to 63 and 64 to 95.
const (
	sealLine  = "seal 01234567 2026-01-02 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
	macLine   = "mac  89abcdef 2026-01-02 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n"
	seal2Line = "seal fedcba98 2026-03-04 QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=\n"
)

var here = twinlatch.Place{Account: "account", Table: "factors", Row: "row"}

func ring(t testing.TB, lines ...string) *Ring {
	t.Helper()
	r, err := parse(strings.Join(lines, ""))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func seal(t testing.TB, r *Ring, plain string, at twinlatch.Place) twinlatch.Sealed {
	t.Helper()
	s, err := r.Seal([]byte(plain), at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The format is on people's disks: these were computed by another
// implementation (Python's cryptography) from the package comment.
func TestFormatIsFixed(t *testing.T) {
	const (
		text      = "0101234567000102030405060708090a0bc4ede9301eb1c63bb8e8dd35bf8fd268438cb75c38e953ff"
		mac       = "0a968dafa71fbb5ac27b64c5ea35d0373c97daf8edeaa7ec2c56385c0565af7c"
		checkSeal = "f110233d8733844932d0f4e4df2694e4b9bc03d8abf21292287f4ce3d98034c2"
		checkMAC  = "6f9a8ab22c35b71ea88280aa890f865d02e234633e081887bd6b5323e607e54c"
	)
	r := ring(t, sealLine, macLine).WithNonces(bytes.NewReader([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}))
	s := seal(t, r, "a secret", here)
	if got := hex.EncodeToString(s.Text); s.Key != "01234567" || got != text {
		t.Errorf("Seal: key %s, text %s", s.Key, got)
	}
	if got := hex.EncodeToString(r.MAC("phone", []byte("ab"), []byte("c"))); got != mac {
		t.Errorf("MAC: %s", got)
	}
	checks := r.Checks()
	if got := hex.EncodeToString(checks["01234567"]); got != checkSeal {
		t.Errorf("check of the seal key: %s", got)
	}
	if got := hex.EncodeToString(checks["89abcdef"]); got != checkMAC {
		t.Errorf("check of the mac key: %s", got)
	}
	if _, err := r.Seal(nil, here); err == nil {
		t.Error("sealed without randomness for the nonce")
	}
}

func TestSealAndOpen(t *testing.T) {
	r := ring(t, sealLine, macLine)
	for _, plain := range []string{"", "x", "a secret", strings.Repeat("long", 100_000)} {
		for _, at := range []twinlatch.Place{here, {Account: "account", Table: "passwords"}, {}} {
			s := seal(t, r, plain, at)
			if len(s.Text) != len(plain)+33 {
				t.Errorf("%d bytes became %d", len(plain), len(s.Text))
			}
			if got, err := r.Open(s, at); err != nil || string(got) != plain {
				t.Errorf("%d bytes: %v", len(plain), err)
			}
		}
	}
	if a, b := seal(t, r, "same", here), seal(t, r, "same", here); bytes.Equal(a.Text, b.Text) {
		t.Error("the same text sealed twice is the same")
	}
}

func TestOpenRefusesAlteredText(t *testing.T) {
	r := ring(t, sealLine, seal2Line, macLine)
	s := seal(t, r, "a secret", here)
	for i := range len(s.Text) * 8 {
		text := bytes.Clone(s.Text)
		text[i/8] ^= 1 << (i % 8)
		if plain, err := r.Open(twinlatch.Sealed{Key: s.Key, Text: text}, here); err == nil || plain != nil {
			t.Errorf("opened with bit %d flipped", i)
		}
	}
	for n := range s.Text {
		if _, err := r.Open(twinlatch.Sealed{Key: s.Key, Text: s.Text[:n]}, here); err == nil {
			t.Errorf("opened when cut to %d bytes", n)
		}
	}
	for _, more := range [][]byte{{0}, s.Text} {
		if _, err := r.Open(twinlatch.Sealed{Key: s.Key, Text: slices.Concat(s.Text, more)}, here); err == nil {
			t.Errorf("opened with %d bytes more", len(more))
		}
	}
}

func TestOpenSaysWhy(t *testing.T) {
	r := ring(t, sealLine, macLine)
	s := seal(t, r, "a secret", here)
	with := func(i int, b byte) twinlatch.Sealed {
		text := bytes.Clone(s.Text)
		text[i] = b
		return twinlatch.Sealed{Key: s.Key, Text: text}
	}
	for _, c := range []struct {
		name string
		s    twinlatch.Sealed
		says string
	}{
		{"empty", twinlatch.Sealed{}, "cut short"},
		{"version", with(0, 2), "format is 2"},
		{"unknown key", with(1, 0xee), "under key ee234567, which the key file lacks"},
		{"column", twinlatch.Sealed{Key: "fedcba98", Text: s.Text}, `stored as if under "fedcba98"`},
		{"no column", twinlatch.Sealed{Text: s.Text}, "stored as if under"},
		{"altered", with(20, ^s.Text[20]), "altered"},
	} {
		_, err := r.Open(c.s, here)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), `"factors" of account "account", row "row"`) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Whoever can write the database may move a sealed secret of their own to the
// row of somebody else. The last places differ only in where one part ends.
func TestOpenRefusesAnotherPlace(t *testing.T) {
	r := ring(t, sealLine, macLine)
	places := []twinlatch.Place{
		here,
		{Account: "other", Table: "factors", Row: "row"},
		{Account: "account", Table: "challenges", Row: "row"},
		{Account: "account", Table: "factors", Row: "other"},
		{Account: "account", Table: "factors"},
		{Table: "factors", Row: "row"},
		{Account: "accountf", Table: "actors", Row: "row"},
		{Account: "account", Table: "factorsr", Row: "ow"},
		{Account: "account", Table: "", Row: "factorsrow"},
		{},
	}
	for _, from := range places {
		s := seal(t, r, "a secret", from)
		for _, to := range places {
			if _, err := r.Open(s, to); (err == nil) != (from == to) {
				t.Errorf("from %v to %v: %v", from, to, err)
			}
		}
	}
}

// The key, not only the authenticated place, differs by account and table.
func TestKeysDifferByAccountAndTable(t *testing.T) {
	r := ring(t, sealLine, macLine)
	nonce := make([]byte, nonceSize)
	first := map[string]twinlatch.Place{}
	for _, at := range []twinlatch.Place{
		{Account: "a", Table: "factors"}, {Account: "b", Table: "factors"}, {Account: "a", Table: "challenges"},
	} {
		s := seal(t, r.WithNonces(bytes.NewReader(nonce)), "the same plain text", at)
		cipher := string(s.Text[headerSize+nonceSize : len(s.Text)-tagSize])
		if other, ok := first[cipher]; ok {
			t.Errorf("%v and %v share a key", other, at)
		}
		first[cipher] = at
	}
}

func TestRingsOfOtherKeysDoNotOpen(t *testing.T) {
	s := seal(t, ring(t, sealLine, macLine), "a secret", here)
	sameID := strings.Replace(seal2Line, "fedcba98", "01234567", 1)
	if _, err := ring(t, sameID, macLine).Open(s, here); err == nil {
		t.Error("another key with the same id opened it")
	}
	if _, err := ring(t, seal2Line, macLine).Open(s, here); err == nil {
		t.Error("a ring without the key opened it")
	}
	if _, err := ring(t, seal2Line, strings.Replace(macLine, "89abcdef", "01234567", 1)).Open(s, here); err == nil {
		t.Error("a key for digests opened it")
	}
}

func TestMAC(t *testing.T) {
	r := ring(t, sealLine, macLine)
	b := func(parts ...string) (data [][]byte) {
		for _, p := range parts {
			data = append(data, []byte(p))
		}
		return data
	}
	seen := map[string]string{}
	for _, purpose := range []string{"", "phone", "phon", "backup"} {
		for _, data := range [][][]byte{b(), b(""), b("", ""), b("ab", "c"), b("a", "bc"), b("abc"), b("ab", "", "c"), b("e", "abc")} {
			mac := r.MAC(purpose, data...)
			what := fmt.Sprintf("%q %q", purpose, data)
			if len(mac) != 32 {
				t.Errorf("%s: %d bytes", what, len(mac))
			}
			if other, ok := seen[string(mac)]; ok {
				t.Errorf("%s and %s have the same MAC", what, other)
			}
			seen[string(mac)] = what
			if !bytes.Equal(mac, r.MAC(purpose, data...)) {
				t.Errorf("%s: not the same twice", what)
			}
			if !bytes.Equal(mac, ring(t, sealLine, seal2Line, macLine).MAC(purpose, data...)) {
				t.Errorf("%s: changed by a rotation", what)
			}
		}
	}
}

func TestChecks(t *testing.T) {
	checks := ring(t, sealLine, seal2Line, macLine).Checks()
	if got := slices.Sorted(maps.Keys(checks)); !slices.Equal(got, []string{"01234567", "89abcdef", "fedcba98"}) {
		t.Fatalf("ids: %v", got)
	}
	for id, check := range checks {
		if len(check) != 32 {
			t.Errorf("check of %s: %d bytes", id, len(check))
		}
	}
	otherSeal := strings.Replace(seal2Line, "fedcba98", "01234567", 1)
	otherMAC := strings.Replace(seal2Line, "seal fedcba98", "mac 89abcdef", 1)
	exchanged := []string{strings.Replace(sealLine, "seal", "mac", 1), strings.Replace(macLine, "mac", "seal", 1)}
	for _, c := range []struct {
		name  string
		ring  *Ring
		wrong []string
	}{
		{"the same", ring(t, sealLine, macLine), nil},
		{"another key to seal", ring(t, otherSeal, macLine), []string{"01234567"}},
		{"another key for digests", ring(t, sealLine, otherMAC), []string{"89abcdef"}},
		{"keys exchanged", ring(t, exchanged...), []string{"01234567", "89abcdef"}},
	} {
		for id, check := range c.ring.Checks() {
			if same := bytes.Equal(check, checks[id]); same == slices.Contains(c.wrong, id) {
				t.Errorf("%s: check of %s is the same: %v", c.name, id, same)
			}
		}
	}
}

func TestRingDoesNotPrint(t *testing.T) {
	r := ring(t, sealLine, seal2Line, macLine)
	type holder struct {
		Exported   *Ring
		unexported *Ring
		value      Ring
		keys       twinlatch.Keys
	}
	var log bytes.Buffer
	things := []any{r, *r, &r, holder{r, r, *r, r}, &holder{r, r, *r, r}, []*Ring{r}, map[string]any{"r": *r}, r.seals, r.mac}
	for _, thing := range things {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%X", "%s", "%q", "%d", "%c", "%U", "%b", "%p", "%t"} {
			fmt.Fprintf(&log, verb+"\n", thing)
		}
		slog.New(slog.NewJSONHandler(&log, nil)).Info("ring", "ring", thing)
		slog.New(slog.NewTextHandler(&log, nil)).Info("ring", "ring", thing)
		if b, err := json.Marshal(thing); err == nil {
			log.Write(b)
		}
	}
	for _, k := range append(slices.Clone(r.seals), r.mac) {
		root := k.root.Reveal()[8:16]
		for _, form := range []string{
			root, hex.EncodeToString([]byte(root)), strings.ToUpper(hex.EncodeToString([]byte(root))),
			base64.RawStdEncoding.EncodeToString([]byte(k.root.Reveal()))[:16],
			strings.Trim(fmt.Sprint([]byte(root)), "[]"), strings.Trim(fmt.Sprintf("%#v", []byte(root)), "[]byte{}"),
		} {
			if strings.Contains(log.String(), form) {
				t.Errorf("printed the root of %s as %q", k.name(), form)
			}
		}
	}
	if got := fmt.Sprintf("%v %s", r, struct{ R *Ring }{r}); got != "keyring.Ring(01234567 fedcba98) {keyring.Ring(01234567 fedcba98)}" {
		t.Errorf("prints as %s", got)
	}
	if got := fmt.Sprint((*Ring)(nil)); got != "keyring.Ring(nil)" {
		t.Errorf("nil prints as %s", got)
	}
}

// Who did not look at the error of Load has a nil Ring.
func TestNilRingStartsNoService(t *testing.T) {
	_, err := twinlatch.New(t.Context(), twinlatch.Config{Store: struct{ twinlatch.Store }{}, Keys: (*Ring)(nil)})
	if err == nil || !strings.Contains(err.Error(), "Config.Keys is missing") {
		t.Error(err)
	}
}

func TestConcurrentUse(t *testing.T) {
	r := ring(t, sealLine, seal2Line, macLine)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			at := twinlatch.Place{Account: twinlatch.AccountID(fmt.Sprint(i)), Table: "factors"}
			for range 50 {
				s, err := r.Seal([]byte("a secret"), at)
				if err != nil {
					t.Error(err)
					return
				}
				if plain, err := r.Open(s, at); err != nil || string(plain) != "a secret" {
					t.Error(err)
				}
				r.MAC("phone", []byte("1"))
				r.Checks()
				r.IDs()
			}
		})
	}
	wg.Wait()
}

func FuzzOpen(f *testing.F) {
	r := ring(f, sealLine, seal2Line, macLine)
	// The fuzzer runs in several processes, which must know the same true text.
	s := seal(f, r.WithNonces(bytes.NewReader(make([]byte, nonceSize))), "a secret", here)
	f.Add(s.Key, s.Text, "account", "factors", "row")
	f.Add("", []byte{}, "", "", "")
	f.Add("01234567", s.Text[:32], "account", "factors", "row")
	f.Fuzz(func(t *testing.T, key string, text []byte, account, table, row string) {
		at := twinlatch.Place{Account: twinlatch.AccountID(account), Table: table, Row: row}
		plain, err := r.Open(twinlatch.Sealed{Key: key, Text: text}, at)
		if err == nil && (key != s.Key || !bytes.Equal(text, s.Text) || at != here) {
			t.Fatalf("forged: %x opens as %q at %v", text, plain, at)
		}
		if plain, err := r.Open(seal(t, r, string(text), at), at); err != nil || !bytes.Equal(plain, text) {
			t.Fatalf("sealed %x does not open at %v: %v", text, at, err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	r := ring(b, sealLine, macLine)
	plain := make([]byte, 32)
	for b.Loop() {
		if _, err := r.Seal(plain, here); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	r := ring(b, sealLine, macLine)
	s := seal(b, r, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", here)
	for b.Loop() {
		if _, err := r.Open(s, here); err != nil {
			b.Fatal(err)
		}
	}
}
