package yubico

import (
	"bytes"
	"context"
	"crypto/aes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// drawer is Devices in memory.
type drawer struct {
	mu      sync.Mutex
	devices map[string]Device
	counter map[string]int64
	err     error // of all calls
}

func newDrawer(keys ...*twinlatchtest.YubiKey) *drawer {
	d := &drawer{devices: map[string]Device{}, counter: map[string]int64{}}
	for _, k := range keys {
		d.add(k)
	}
	return d
}

func (d *drawer) add(k *twinlatchtest.YubiKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.devices[k.Identity] = Device{k.Identity, twinlatch.NewSecret(string(k.Private[:])), twinlatch.NewSecret(string(k.Key[:]))}
}

func (d *drawer) Find(_ context.Context, identity string) (Device, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found, ok := d.devices[identity]
	if !ok && d.err == nil {
		return Device{}, twinlatch.ErrNotFound
	}
	return found, d.err
}

func (d *drawer) Advance(_ context.Context, identity string, counter int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if counter <= d.counter[identity] {
		return twinlatch.ErrReplayed
	}
	d.counter[identity] = counter
	return d.err
}

// typed is what a key types for these counters, after change has had the clear
// text. The checksum is right unless change makes it wrong.
func typed(k *twinlatchtest.YubiKey, usage, use int, change func(clear []byte)) string {
	b := make([]byte, 16)
	copy(b, k.Private[:])
	binary.LittleEndian.PutUint16(b[6:], uint16(usage))
	b[11] = byte(use)
	binary.LittleEndian.PutUint16(b[14:], ^crc16(b[:14]))
	if change != nil {
		change(b)
	}
	cipher, err := aes.NewCipher(k.Key[:])
	if err != nil {
		panic(err)
	}
	cipher.Encrypt(b, b)
	text := k.Identity
	for _, octet := range b {
		text += string(modhex[octet>>4]) + string(modhex[octet&15])
	}
	return text
}

func run(t *testing.T, stdin string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// Passwords of libyubikey, Yubico's own library.
func TestOwnReadsWhatYkgenerateWrites(t *testing.T) {
	for _, c := range []struct{ usage, use int }{{1, 0}, {1, 1}, {0x13, 0x10}, {0x100, 0xff}, {0x7ffe, 0}, {0x7fff, 0xff}, {0x8013, 0x10}} {
		k := twinlatchtest.NewYubiKey()
		text := run(t, "", "ykgenerate", hex.EncodeToString(k.Key[:]), hex.EncodeToString(k.Private[:]),
			fmt.Sprintf("%04x", c.usage), "c0a8", "ff", fmt.Sprintf("%02x", c.use))
		got, err := NewOwn(newDrawer(k)).Validate(t.Context(), nil, parse(t, k.Identity+text))
		if want := int64(c.usage&0x7fff)<<8 | int64(c.use); err != nil || got != want {
			t.Errorf("%#x/%#x: %d, %v; want %d", c.usage, c.use, got, err, want)
		}
	}
}

// Passwords of yubiotp, the Python library, which knows nothing of libyubikey.
func TestOwnReadsWhatYubiotpWrites(t *testing.T) {
	const script = `
import json, random, sys
from binascii import unhexlify
from yubiotp.otp import OTP, encode_otp
for line in sys.stdin:
    c = json.loads(line)
    otp = OTP(unhexlify(c["private"]), c["usage"], random.randrange(1 << 24), c["use"], random.randrange(1 << 16))
    print(encode_otp(otp, unhexlify(c["key"]), c["identity"].encode()).decode())
`
	type touch struct {
		Identity string `json:"identity"`
		Private  string `json:"private"`
		Key      string `json:"key"`
		Usage    int    `json:"usage"`
		Use      int    `json:"use"`
	}
	var touches []touch
	var stdin strings.Builder
	d := newDrawer()
	for range 50 {
		k := twinlatchtest.NewYubiKey()
		d.add(k)
		for i := range 20 { // four times plugged in, five touches each
			c := touch{k.Identity, hex.EncodeToString(k.Private[:]), hex.EncodeToString(k.Key[:]), 1 + i/5*(1+len(touches)%5000), i % 5}
			line, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			stdin.Write(append(line, '\n'))
			touches = append(touches, c)
		}
	}
	lines := strings.Fields(run(t, stdin.String(), "/usr/bin/python3", "-c", script))
	if len(lines) != len(touches) {
		t.Fatalf("%d lines", len(lines))
	}
	own := NewOwn(d)
	for i, c := range touches {
		got, err := own.Validate(t.Context(), nil, parse(t, lines[i]))
		if want := int64(c.Usage)<<8 | int64(c.Use); err != nil || got != want {
			t.Errorf("%d/%d: %d, %v; want %d", c.Usage, c.Use, got, err, want)
		}
		if _, err := own.Validate(t.Context(), nil, parse(t, lines[i])); !errors.Is(err, twinlatch.ErrReplayed) {
			t.Errorf("%d/%d again: %v", c.Usage, c.Use, err)
		}
	}
}

// attempt is a password and what becomes of it when the key was last used at
// usage 5, use 3.
type attempt struct {
	otp  string
	want error
}

func attempts(k, other *twinlatchtest.YubiKey) map[string]attempt {
	wrong, replayed := twinlatch.ErrWrongCode, twinlatch.ErrReplayed
	stranger := twinlatchtest.NewYubiKey()
	fake := func(change func(*twinlatchtest.YubiKey)) string {
		f := &twinlatchtest.YubiKey{Identity: k.Identity, Private: k.Private, Key: k.Key}
		change(f)
		return typed(f, 9, 0, nil)
	}
	good := typed(k, 9, 0, nil)
	all := map[string]attempt{
		"the next touch":                        {typed(k, 5, 4, nil), nil},
		"plugged in again":                      {typed(k, 6, 0, nil), nil},
		"much later":                            {typed(k, 0x7fff, 0xff, nil), nil},
		"triggered by Caps Lock":                {typed(k, 0x8006, 0, nil), nil},
		"the same counters":                     {typed(k, 5, 3, nil), replayed},
		"the same counters, random bits differ": {typed(k, 5, 3, func(b []byte) { b[12] = 9; binary.LittleEndian.PutUint16(b[14:], ^crc16(b[:14])) }), replayed},
		"the same counters, a later timestamp":  {typed(k, 5, 3, func(b []byte) { b[10] = 9; binary.LittleEndian.PutUint16(b[14:], ^crc16(b[:14])) }), replayed},
		"the touch before":                      {typed(k, 5, 2, nil), replayed},
		"the first of this session":             {typed(k, 5, 0, nil), replayed},
		"the last of the session before":        {typed(k, 4, 0xff, nil), replayed},
		"the first of all":                      {typed(k, 1, 0, nil), replayed},
		"never plugged in":                      {typed(k, 0, 0, nil), replayed},
		"the same counters by Caps Lock":        {typed(k, 0x8005, 3, nil), replayed},
		"an older one by Caps Lock":             {typed(k, 0x8001, 0, nil), replayed},
		"another AES key":                       {fake(func(f *twinlatchtest.YubiKey) { f.Key = stranger.Key }), wrong},
		"an AES key of zeros":                   {fake(func(f *twinlatchtest.YubiKey) { f.Key = [16]byte{} }), wrong},
		"another private identity":              {fake(func(f *twinlatchtest.YubiKey) { f.Private = stranger.Private }), wrong},
		"the public identity as the private":    {fake(func(f *twinlatchtest.YubiKey) { copy(f.Private[:], k.Identity) }), wrong},
		"a private identity of zeros":           {fake(func(f *twinlatchtest.YubiKey) { f.Private = [6]byte{} }), wrong},
		"a bad checksum":                        {typed(k, 9, 0, func(b []byte) { b[15] ^= 1 }), wrong},
		"a checksum of zeros":                   {typed(k, 9, 0, func(b []byte) { b[14], b[15] = 0, 0 }), wrong},
		"a checksum that is not inverted":       {typed(k, 9, 0, func(b []byte) { b[14], b[15] = ^b[14], ^b[15] }), wrong},
		"a checksum with its bytes swapped":     {typed(k, 9, 0, func(b []byte) { b[14], b[15] = b[15], b[14]^1 }), wrong},
		"counters changed after the checksum":   {typed(k, 9, 0, func(b []byte) { b[6]++ }), wrong},
		"the ciphertext of another known key":   {k.Identity + other.Touch()[12:], wrong},
		"its ciphertext under another known":    {other.Identity + good[12:], wrong},
		"a key that nobody imported":            {stranger.Touch(), wrong},
		"an unknown identity":                   {"vvvvvvvvvvvv" + good[12:], wrong},
		"zeros":                                 {k.Identity + strings.Repeat("c", 32), wrong},
		"ones":                                  {k.Identity + strings.Repeat("v", 32), wrong},
		"the public identity again and again":   {strings.Repeat(k.Identity, 4)[:44], wrong},
		"halves swapped":                        {good[:12] + good[28:] + good[12:28], wrong},
		"one character to the left":             {good[:12] + good[13:] + good[12:13], wrong},
		"backwards":                             {good[:12] + backwards(good[12:]), wrong},
	}
	for i := range otpSize - identitySize { // each bit of the ciphertext
		digit := strings.IndexByte(modhex, good[identitySize+i])
		for bit := range 4 {
			flipped := []byte(good)
			flipped[identitySize+i] = modhex[digit^1<<bit]
			all[fmt.Sprintf("bit %d flipped", 4*i+bit)] = attempt{string(flipped), wrong}
		}
	}
	return all
}

func backwards(s string) string {
	b := []byte(s)
	for i := range len(b) / 2 {
		b[i], b[len(b)-1-i] = b[len(b)-1-i], b[i]
	}
	return string(b)
}

func TestOwnJudges(t *testing.T) {
	k, other := twinlatchtest.NewYubiKey(), twinlatchtest.NewYubiKey()
	all, refused := attempts(k, other), 0
	for name, a := range all {
		d := newDrawer(k, other)
		d.counter[k.Identity] = 5<<8 | 3
		_, err := NewOwn(d).Validate(t.Context(), nil, parse(t, a.otp))
		if !errors.Is(err, a.want) {
			t.Errorf("%s: %v, want %v", name, err, a.want)
		}
		if a.want != nil {
			refused++
			if d.counter[k.Identity] != 5<<8|3 || d.counter[other.Identity] != 0 {
				t.Errorf("%s: it moved a counter", name)
			}
		}
	}
	t.Logf("%d refused, %d accepted", refused, len(all)-refused)
}

// What is wrong tells nobody whether the device is known.
func TestOwnSaysTheSameOfAllThatIsWrong(t *testing.T) {
	k, other := twinlatchtest.NewYubiKey(), twinlatchtest.NewYubiKey()
	for name, a := range attempts(k, other) {
		_, err := NewOwn(newDrawer(k, other)).Validate(t.Context(), nil, parse(t, a.otp))
		if errors.Is(err, twinlatch.ErrWrongCode) && err.Error() != twinlatch.ErrWrongCode.Error() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOwnLetsOneOfManyPass(t *testing.T) {
	k := twinlatchtest.NewYubiKey()
	own, otp := NewOwn(newDrawer(k)), parse(t, k.Touch())
	var passed, replayed int
	results := make(chan error)
	for range 32 {
		go func() {
			_, err := own.Validate(t.Context(), nil, otp)
			results <- err
		}()
	}
	for range 32 {
		switch err := <-results; {
		case err == nil:
			passed++
		case errors.Is(err, twinlatch.ErrReplayed):
			replayed++
		default:
			t.Error(err)
		}
	}
	if passed != 1 || replayed != 31 {
		t.Errorf("%d passed, %d were replayed", passed, replayed)
	}
}

func TestOwnPassesOnWhatIsBroken(t *testing.T) {
	k := twinlatchtest.NewYubiKey()
	broken := newDrawer(k)
	broken.err = errors.New("the disk is full")
	if _, err := NewOwn(broken).Validate(t.Context(), nil, parse(t, k.Touch())); !errors.Is(err, broken.err) {
		t.Error(err)
	}
	short := newDrawer(k)
	short.devices[k.Identity] = Device{k.Identity, twinlatch.NewSecret("12345"), twinlatch.NewSecret("hunter2")}
	_, err := NewOwn(short).Validate(t.Context(), nil, parse(t, k.Touch()))
	if err == nil || isVerdict(err) || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}
