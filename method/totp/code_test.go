package totp

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"math"
	"testing"
	"time"
)

// RFC 4226, Appendix D.
func TestRFC4226AppendixD(t *testing.T) {
	secret := []byte("12345678901234567890")
	for count, want := range []uint32{755224, 287082, 359152, 969429, 338314, 254676, 287922, 162583, 399871, 520489} {
		if got := hotp(sha1.New, secret, int64(count), 6); got != want {
			t.Errorf("count %d: %06d, want %06d", count, got, want)
		}
	}
}

// RFC 6238, Appendix B, with the secrets of 20, 32 and 64 bytes that its code
// uses (erratum 2866).
func TestRFC6238AppendixB(t *testing.T) {
	const seed = "1234567890123456789012345678901234567890123456789012345678901234"
	modes := []struct {
		name   string
		hash   func() hash.Hash
		secret []byte
	}{
		{"SHA1", sha1.New, []byte(seed[:20])},
		{"SHA256", sha256.New, []byte(seed[:32])},
		{"SHA512", sha512.New, []byte(seed[:64])},
	}
	for _, row := range []struct {
		seconds int64
		codes   [3]string
	}{
		{59, [3]string{"94287082", "46119246", "90693936"}},
		{1111111109, [3]string{"07081804", "68084774", "25091201"}},
		{1111111111, [3]string{"14050471", "67062674", "99943326"}},
		{1234567890, [3]string{"89005924", "91819424", "93441116"}},
		{2000000000, [3]string{"69279037", "90698825", "38618901"}},
		{20000000000, [3]string{"65353130", "77737706", "47863826"}},
	} {
		at := time.Unix(row.seconds, 0)
		for i, mode := range modes {
			if got := fmt.Sprintf("%08d", hotp(mode.hash, mode.secret, stepAt(at), 8)); got != row.codes[i] {
				t.Errorf("%d s, %s: %s, want %s", row.seconds, mode.name, got, row.codes[i])
			}
		}
		if got, want := Code(modes[0].secret, at), row.codes[0][2:]; got != want {
			t.Errorf("Code at %d s: %s, want %s", row.seconds, got, want)
		}
	}
}

func TestStepAt(t *testing.T) {
	for _, c := range []struct{ seconds, step int64 }{
		{0, 0}, {29, 0}, {30, 1}, {59, 1}, {60, 2},
		{-1, -1}, {-30, -1}, {-31, -2},
		{math.MaxInt32, 71582788}, {math.MaxInt32 + 1, 71582788}, {math.MaxInt32 + 3, 71582788}, {math.MaxInt32 + 23, 71582789}, // 2038
		{math.MaxUint32, 143165576}, {math.MaxUint32 + 1, 143165576}, {math.MaxUint32 + 15, 143165577}, // 2106
		{(math.MaxInt32 + 1) * 30, math.MaxInt32 + 1}, {(math.MaxUint32 + 1) * 30, math.MaxUint32 + 1}, // a step of more than 32 bits
		{math.MaxInt64, math.MaxInt64 / 30}, {math.MinInt64, math.MinInt64/30 - 1},
	} {
		if got := stepAt(time.Unix(c.seconds, 0)); got != c.step {
			t.Errorf("%d s: step %d, want %d", c.seconds, got, c.step)
		}
	}
	if got := stepAt(time.Unix(59, 999_999_999)); got != 1 {
		t.Errorf("one nanosecond before the step: %d", got)
	}
	if got := stepAt(time.Unix(-1, 999_999_999)); got != -1 {
		t.Errorf("one nanosecond before 1970: %d", got)
	}
}

// Steps of more than 32 bits must not wrap to those of another time.
func TestCodeIsSixDigitsAtAllTimes(t *testing.T) {
	secret := []byte("12345678901234567890")
	for _, seconds := range []int64{math.MinInt64, -31, -1, 0, math.MaxInt32 + 1, math.MaxUint32 + 1, 30 << 32, math.MaxInt64} {
		if got := Code(secret, time.Unix(seconds, 0)); len(got) != 6 || !onlyDigits(got) {
			t.Errorf("%d s: %q", seconds, got)
		}
	}
	if Code(secret, time.Unix(0, 0)) == Code(secret, time.Unix(30<<32, 0)) {
		t.Error("the step is cut to 32 bits")
	}
}
