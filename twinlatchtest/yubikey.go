package twinlatchtest

import (
	"crypto/aes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
)

// YubiKey is a YubiKey in software: it types one-time passwords as "OTPs
// Explained" on developers.yubico.com describes them. It is safe for concurrent
// use.
type YubiKey struct {
	Identity string   // public: 12 characters of modhex
	Private  [6]byte  // private identity
	Key      [16]byte // AES-128

	mu    sync.Mutex
	usage uint16 // how often it was plugged in
	uses  int    // since then
}

// NewYubiKey is a key with random secrets that was plugged in for the first time.
func NewYubiKey() *YubiKey {
	k := &YubiKey{usage: 1}
	var identity [6]byte
	for _, b := range [][]byte{identity[:], k.Private[:], k.Key[:]} {
		_, _ = rand.Read(b) // never fails
	}
	k.Identity = modhex(identity[:])
	return k
}

// Plug takes the key out and puts it in again.
func (k *YubiKey) Plug() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.plug()
}

func (k *YubiKey) plug() {
	k.usage, k.uses = min(k.usage+1, 0x7fff), 0
}

// Touch types the next one-time password.
func (k *YubiKey) Touch() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.uses > 0xff {
		k.plug() // as the counter wraps
	}
	b := make([]byte, 16)
	copy(b, k.Private[:])
	binary.LittleEndian.PutUint16(b[6:], k.usage)
	b[11] = byte(k.uses)
	_, _ = rand.Read(b[12:14])
	binary.LittleEndian.PutUint16(b[14:], ^checksum(b[:14]))
	k.uses++
	cipher, err := aes.NewCipher(k.Key[:])
	if err != nil { // only for a key of another size
		panic(err)
	}
	cipher.Encrypt(b, b)
	return k.Identity + modhex(b)
}

// Line is the key as the tools that write YubiKeys write it down, for
// "twinlatch yubikey import".
func (k *YubiKey) Line() string {
	return fmt.Sprintf("0,%s,%x,%x,,2026-11-23T12:00:00,\n", k.Identity, k.Private, k.Key)
}

func modhex(b []byte) string {
	return strings.Map(func(r rune) rune {
		return rune("cbdefghijklnrtuv"[strings.IndexRune("0123456789abcdef", r)])
	}, hex.EncodeToString(b))
}

// checksum is CRC-16 of ISO/IEC 13239.
func checksum(data []byte) uint16 {
	crc := uint16(0xffff)
	for _, b := range data {
		crc ^= uint16(b)
		for range 8 {
			if crc&1 == 1 {
				crc = crc>>1 ^ 0x8408
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}
