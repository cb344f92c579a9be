package yubico

import (
	"context"
	"crypto/aes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/twinlatch/twinlatch"
)

const (
	privateSize = 6  // bytes
	keySize     = 16 // bytes: AES-128
)

// Device is what the validator knows of a YubiKey, as it was written into it.
type Device struct {
	Identity string           // public: 12 characters of modhex
	Private  twinlatch.Secret // private identity: 6 bytes
	Key      twinlatch.Secret // AES-128: 16 bytes
}

// Devices keeps imported YubiKeys. Implementations are safe for concurrent use.
type Devices interface {
	// Find gives the device with an identity; twinlatch.ErrNotFound: there is none.
	Find(ctx context.Context, identity string) (Device, error)

	// Advance moves the counter of a device up, in one atomic step: of any number
	// of callers with one number, one succeeds. It begins at 0. Not higher than it
	// is: twinlatch.ErrReplayed.
	Advance(ctx context.Context, identity string, counter int64) error
}

// Own is a Validator that asks nobody: it decrypts with the keys of imported
// devices. A device counts for all its factors together, so that a password which
// one account has used is used for all. It is safe for concurrent use.
type Own struct{ devices Devices }

// NewOwn makes the validator for these devices.
func NewOwn(d Devices) *Own { return &Own{d} }

// Validate implements Validator. An unknown device, a wrong checksum and a wrong
// private identity are the same ErrWrongCode. An error of Devices is passed on.
// rand is not used.
func (o *Own) Validate(ctx context.Context, _ io.Reader, otp OTP) (int64, error) {
	d, err := o.devices.Find(ctx, otp.Identity())
	if errors.Is(err, twinlatch.ErrNotFound) {
		return 0, twinlatch.ErrWrongCode
	}
	if err != nil {
		return 0, err
	}
	n, err := d.open(otp)
	if err != nil {
		return 0, err
	}
	if err := o.devices.Advance(ctx, otp.Identity(), n); err != nil {
		return 0, err
	}
	return n, nil
}

// Authority implements Validator: it is the import of the key. The same identity
// with other secrets is another key.
func (o *Own) Authority(ctx context.Context, otp OTP) (string, error) {
	d, err := o.devices.Find(ctx, otp.Identity())
	if errors.Is(err, twinlatch.ErrNotFound) {
		return "", twinlatch.ErrWrongCode
	}
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte("twinlatch yubico device " + d.Private.Reveal() + d.Key.Reveal()))
	return "own:" + hex.EncodeToString(sum[:16]), nil
}

// open decrypts: 6 bytes private identity, then little-endian 2 usage counter, 3
// timestamp, 1 session usage counter, 2 random, 2 checksum ("OTPs Explained").
func (d Device) open(otp OTP) (int64, error) {
	private, key := []byte(d.Private.Reveal()), []byte(d.Key.Reveal())
	if len(private) != privateSize || len(key) != keySize {
		return 0, fmt.Errorf("yubico: the secrets of device %s have %d and %d bytes, not %d and %d", d.Identity, len(private), len(key), privateSize, keySize)
	}
	cipher, err := aes.NewCipher(key)
	if err != nil {
		return 0, fmt.Errorf("yubico: %w", err)
	}
	b := otp.block()
	cipher.Decrypt(b[:], b[:])
	sound := subtle.ConstantTimeEq(int32(crc16(b[:])), residue)
	if sound&subtle.ConstantTimeCompare(b[:privateSize], private) != 1 {
		return 0, twinlatch.ErrWrongCode
	}
	return counter(int(binary.LittleEndian.Uint16(b[6:])), int(b[11])), nil
}

// residue is what crc16 makes of any data with its checksum.
const residue = 0xf0b8

// crc16 is the checksum of ISO/IEC 13239, without its last inversion.
func crc16(data []byte) uint16 {
	crc := uint16(0xffff)
	for _, b := range data {
		crc ^= uint16(b)
		for range 8 {
			odd := crc & 1
			crc >>= 1
			if odd != 0 {
				crc ^= 0x8408
			}
		}
	}
	return crc
}
