package twinlatch

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	someSalt = "AAECAwQFBgcICQoLDA0ODw"
	someSum  = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

func TestAHashIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	h := newHasher(Hashing{Memory: 64, Passes: 2, Lanes: 2, Parallel: 1, Wait: time.Hour})
	text, err := h.hash(t.Context(), netip.Addr{}, bytes.NewReader(make([]byte, 16)), "tulip")
	if err != nil || !strings.HasPrefix(text, "$argon2id$v=19$m=64,t=2,p=2$AAAAAAAAAAAAAAAAAAAAAA$") {
		t.Fatal(text, err)
	}
	for password, want := range map[string]bool{"tulip": true, "Tulip": false, "": false, "tulip\x00": false} {
		if ok, weak, err := h.matches(t.Context(), netip.Addr{}, text, password); ok != want || weak || err != nil {
			t.Errorf("%q: %v, %v, %v", password, ok, weak, err)
		}
	}
	if _, err := h.hash(t.Context(), netip.Addr{}, bytes.NewReader(make([]byte, 15)), "tulip"); err == nil {
		t.Error("a hash without randomness")
	}
	for _, today := range []Hashing{{Memory: 65, Passes: 2, Lanes: 2}, {Memory: 64, Passes: 1, Lanes: 2}, {Memory: 64, Passes: 2, Lanes: 1}} {
		today.Parallel, today.Wait = 1, time.Hour
		if ok, weak, err := newHasher(today).matches(t.Context(), netip.Addr{}, text, "tulip"); !ok || !weak || err != nil {
			t.Errorf("%+v: %v, %v, %v", today, ok, weak, err)
		}
	}
}

// The reference vector of the argon2 command line.
func TestAForeignArgon2idHashMatches(t *testing.T) {
	t.Parallel()
	h := newHasher(Hashing{Memory: 8, Passes: 1, Lanes: 1, Parallel: 1, Wait: time.Hour})
	const stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, weak, err := h.matches(t.Context(), netip.Addr{}, stored, "password"); !ok || !weak || err != nil {
		t.Error(ok, weak, err)
	}
}

// A row that somebody wrote into the database must not cost more than the worst
// that an operator may configure.
func TestHostileHashesAreRefused(t *testing.T) {
	t.Parallel()
	good := "$argon2id$v=19$m=64,t=2,p=2$" + someSalt + "$" + someSum
	if _, err := parsePHC(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"2 GiB":              {"m=64", "m=2097152"},
		"1 GiB and more":     {"m=64", "m=1048577"},
		"more than 32 bits":  {"m=64", "m=4294967360"},
		"negative memory":    {"m=64", "m=-64"},
		"eleven passes":      {"t=2", "t=11"},
		"no pass":            {"t=2", "t=0"},
		"seventeen lanes":    {"p=2", "p=17"},
		"258 lanes":          {"p=2", "p=258"},
		"no lane":            {"p=2", "p=0"},
		"too thin":           {"m=64", "m=15"},
		"leading zero":       {"m=64", "m=064"},
		"plus":               {"m=64", "m=+64"},
		"spaces":             {"m=64,t=2", "m=64, t=2"},
		"other order":        {"m=64,t=2", "t=2,m=64"},
		"keyid":              {",p=2", ",p=2,keyid=x"},
		"other version":      {"v=19", "v=16"},
		"no version":         {"$v=19", ""},
		"argon2i":            {"argon2id", "argon2i"},
		"argon2d":            {"argon2id", "argon2d"},
		"bcrypt":             {good, "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"},
		"empty":              {good, ""},
		"no salt":            {someSalt, ""},
		"short salt":         {someSalt, "AAECAwQFBg"},
		"padded":             {someSalt, someSalt + "=="},
		"bits beyond":        {someSalt, someSalt[:21] + "x"},
		"short hash":         {someSum, someSalt},
		"no hash":            {someSum, ""},
		"URL alphabet":       {someSum, "-" + someSum[1:]},
		"line break":         {someSum, someSum + "\n"},
		"one part more":      {someSum, someSum + "$"},
		"one part less":      {"$" + someSum, ""},
		"space in front":     {"$argon", " $argon"},
		"text in front":      {"$argon", "x$argon"},
		"NUL":                {someSum, someSum + "\x00"},
		"a plain password":   {good, "correct horse battery staple"},
		"hexadecimal memory": {"m=64", "m=0x40"},
		"underscore":         {"m=64", "m=6_4"},
	} {
		hostile := strings.Replace(good, change[0], change[1], 1)
		if hostile == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := parsePHC(hostile); !errors.Is(err, errBadHash) || strings.Contains(err.Error(), someSum) {
			t.Errorf("%s: %v", name, err)
		}
		h := newHasher(Hashing{Memory: 8, Passes: 1, Lanes: 1, Parallel: 1})
		if ok, _, err := h.matches(t.Context(), netip.Addr{}, hostile, "tulip"); ok || err == nil {
			t.Errorf("%s: matches", name)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=2,p=2$" + someSalt + "$" + someSum)
	f.Add("$argon2id$v=19$m=65536,t=3,p=4$" + someSalt + "$" + someSum)
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$$")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePHC(s)
		if err != nil {
			return
		}
		if p.String() != s {
			t.Fatalf("%q is read as %q", s, p)
		}
		if p.memory > maxMemory || p.passes < 1 || p.passes > maxPasses || p.lanes < 1 || p.lanes > maxLanes || p.memory < 8*uint32(p.lanes) {
			t.Fatalf("cost %+v", p)
		}
	})
}

func TestWhatIsNotSaidOfHashingIsTheDefault(t *testing.T) {
	t.Parallel()
	if h := (Hashing{}).withDefaults(); costs(h) != costs(DefaultHashing()) {
		t.Errorf("%+v", h)
	}
	if h := (Hashing{Parallel: 3}).withDefaults(); h.Queue != 24 {
		t.Errorf("%+v", h)
	}
}

// costs are what can be compared.
func costs(h Hashing) string {
	return fmt.Sprint(h.Memory, h.Passes, h.Lanes, h.Parallel, h.Queue, h.Wait)
}

func TestKeysAreMadeByWhoIsGiven(t *testing.T) {
	t.Parallel()
	var asked []string
	h := newHasher(Hashing{Memory: 64, Passes: 2, Lanes: 1, Parallel: 1, Wait: time.Hour, IDKey: func(password, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte {
		asked = append(asked, fmt.Sprintf("%s %x %d %d %d", password, salt, passes, memory, lanes))
		return make([]byte, size)
	}})
	text, err := h.hash(t.Context(), netip.Addr{}, bytes.NewReader(make([]byte, 16)), "tulip")
	if err != nil || !strings.HasSuffix(text, "$"+strings.Repeat("A", 43)) {
		t.Fatal(text, err)
	}
	if ok, _, err := h.matches(t.Context(), netip.Addr{}, text, "tulip"); !ok || err != nil {
		t.Error(ok, err)
	}
	if want := "tulip " + strings.Repeat("00", 16) + " 2 64 1"; !slices.Equal(asked, []string{want, want}) {
		t.Errorf("%q", asked)
	}
}
