package totp

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"hash"
	"time"
)

const (
	period = 30 // seconds of a step: X of RFC 6238 §4.1, with T0 = 0
	digits = 6
)

// Code is the code that an app shows at a time for a secret: six digits of
// RFC 6238 with SHA-1 and steps of 30 seconds. It is for authenticators in tests
// and tools; the server compares numbers and never makes this text. Before 1970
// it goes on counting downwards, as two's complement; the Method accepts no such
// code.
func Code(secret []byte, at time.Time) string {
	return fmt.Sprintf("%0*d", digits, hotp(sha1.New, secret, stepAt(at), digits))
}

// stepAt is T of RFC 6238 §4.2, rounded down also before 1970.
func stepAt(at time.Time) int64 {
	seconds := at.Unix()
	step := seconds / period
	if seconds%period < 0 {
		step--
	}
	return step
}

// hotp is RFC 4226 §5.3 as a number, with the hash functions of RFC 6238 §1.2
// and at most 9 digits.
func hotp(hash func() hash.Hash, secret []byte, counter int64, digits int) uint32 {
	var message [8]byte
	binary.BigEndian.PutUint64(message[:], uint64(counter))
	mac := hmac.New(hash, secret)
	mac.Write(message[:])
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0x0f
	number := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	modulus := uint32(1)
	for range digits {
		modulus *= 10
	}
	return number % modulus
}
