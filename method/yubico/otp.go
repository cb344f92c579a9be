package yubico

import (
	"errors"
	"strings"

	"github.com/twinlatch/twinlatch"
)

const (
	identitySize = 12 // characters of a public identity: 6 bytes
	otpSize      = 44 // characters: the identity and 16 bytes of ciphertext
	maxInput     = 128
)

// modhex are the digits 0 to 15, chosen because most keyboards have them in the
// same place. A keyboard whose Caps Lock is on types capitals.
const (
	modhex  = "cbdefghijklnrtuv"
	capital = "CBDEFGHIJKLNRTUV"
)

// OTP is a one-time password as a YubiKey types it: 44 characters of modhex, the
// first 12 of which are the public identity of the key. It does not print.
type OTP struct{ text twinlatch.Secret }

var errOTP = errors.New("yubico: not a one-time password")

// ParseOTP reads what was typed. White space around it is dropped and capitals
// are read as small letters if all of it is in capitals; anything else that is no
// modhex is an error, as is any other length. The error does not quote.
func ParseOTP(typed string) (OTP, error) {
	if len(typed) > maxInput {
		return OTP{}, errOTP
	}
	text := strings.TrimSpace(typed)
	if strings.Trim(text, capital) == "" {
		text = strings.ToLower(text) // ASCII, so no letter of another script becomes one of ours
	}
	if len(text) != otpSize || strings.Trim(text, modhex) != "" {
		return OTP{}, errOTP
	}
	return OTP{twinlatch.NewSecret(text)}, nil
}

// Identity is the public identity: 12 characters that say which key it was.
func (o OTP) Identity() string { return o.text.Reveal()[:identitySize] }

// Reveal is the whole text, which signs in for as long as nobody has used it.
func (o OTP) Reveal() string { return o.text.Reveal() }

// IsIdentity says whether text can be a public identity: 12 characters of modhex.
func IsIdentity(text string) bool {
	return len(text) == identitySize && strings.Trim(text, modhex) == ""
}

// block is the ciphertext.
func (o OTP) block() (b [16]byte) {
	text := o.text.Reveal()[identitySize:]
	for i := range b {
		high, low := strings.IndexByte(modhex, text[2*i]), strings.IndexByte(modhex, text[2*i+1])
		b[i] = byte(high<<4 | low)
	}
	return b
}

// counter puts two counters of a YubiKey into one number, which is greater with
// every one-time password ("OTPs Explained", Usage counter and Session usage
// counter). The usage counter has 15 bits: the highest bit says that Caps Lock
// triggered the key (yubikey.h of libyubikey), so it comes and goes.
func counter(usage, session int) int64 { return int64(usage&0x7fff)<<8 | int64(session&0xff) }
