package config_test

import (
	"math"
	"math/big"
	"regexp"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch/config"
)

const day = 24 * time.Hour

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1s": time.Second, "90s": 90 * time.Second, "5m": 5 * time.Minute, "12h": 12 * time.Hour,
		"30d": 30 * day, "1d12h": 36 * time.Hour, "1d1h1m1s": day + time.Hour + time.Minute + time.Second,
		"007d": 7 * day, "0d1s": time.Second, "1d1s": day + time.Second,
		"106751d":                106751 * day,
		"106751d23h47m16s":       math.MaxInt64 / time.Second * time.Second,
		"9223372036s":            math.MaxInt64 / time.Second * time.Second,
		"0000000000000000030d":   30 * day,
		"000000000000000000001s": time.Second,
	} {
		if got, err := config.ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "0", "30", "d", "-1d", "+1d", "1.5d", "1 d", " 1d", "1d ", "1D", "1w", "1y", "1ms", "1us", "1ns",
		"1h1d", "1d1d", "1s1m", "0s", "0d0h", "1d12", "1d 12h", "1d,12h", "0x1d", "1e3s", "１d", "1d\n", "∞",
		"106752d", "106751d23h47m17s", "9223372037s", "9223372036854775807d", "99999999999999999999999999s",
	} {
		if got, err := config.ParseDuration(text); err == nil {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

// FuzzParseDuration compares with a slow reading by the grammar in numbers
// without limit.
func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"30d", "1d12h", "90s", "1h1d", "106751d23h47m16s", "106751d23h47m17s", "0s", "", "-1d", "99999999999999999999d"} {
		f.Add(s)
	}
	grammar := regexp.MustCompile(`^(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?$`)
	f.Fuzz(func(t *testing.T, text string) {
		total := new(big.Int)
		if m := grammar.FindStringSubmatch(text); m != nil {
			for i, unit := range []time.Duration{day, time.Hour, time.Minute, time.Second} {
				if n, ok := new(big.Int).SetString(m[i+1], 10); ok {
					total.Add(total, n.Mul(n, big.NewInt(int64(unit))))
				}
			}
		}
		good := total.Sign() > 0 && total.IsInt64()
		got, err := config.ParseDuration(text)
		if good != (err == nil) || good && int64(got) != total.Int64() {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, total)
		}
	})
}
