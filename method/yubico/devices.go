package yubico

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/twinlatch/twinlatch"
)

const (
	maxDevices = 10_000
	maxLine    = 1 << 10 // bytes
	maxFields  = 8
)

// ReadDevices reads what the tools that write YubiKeys write down: "ykman otp
// yubiotp --config-output", the Personalization Tool with the log format "Yubico",
// and the format of the key storage module ("Key Provisioning Data Format").
//
//	serial,public identity,private identity,AES key,access code,created,accessed,flags
//
// The first four are needed: the serial may be empty, the public identity is 12
// characters of modhex, the private identity 12 and the key 32 hexadecimal digits.
// What follows # is a comment. At most 10,000 devices and 1 KiB a line. Errors
// name the line and never what is in it; a public identity that is there twice is
// one, too. On an error no device is returned.
func ReadDevices(r io.Reader) ([]Device, error) {
	var all []Device
	seen := map[string]int{}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	n := 0
	for lines.Scan() {
		n++
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		d, err := readDevice(text)
		if err != nil {
			return nil, fmt.Errorf("yubico: line %d: %w", n, err)
		}
		if first, twice := seen[d.Identity]; twice {
			return nil, fmt.Errorf("yubico: line %d: the public identity is that of line %d", n, first)
		}
		if len(all) == maxDevices {
			return nil, fmt.Errorf("yubico: line %d: more than %d devices", n, maxDevices)
		}
		seen[d.Identity] = n
		all = append(all, d)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("yubico: line %d: longer than %d bytes", n+1, maxLine)
	case err != nil:
		return nil, fmt.Errorf("yubico: line %d: %w", n+1, err)
	}
	return all, nil
}

func readDevice(text string) (Device, error) {
	fields := strings.Split(text, ",")
	if len(fields) < 4 || len(fields) > maxFields {
		return Device{}, fmt.Errorf("%d fields, want serial,public identity,private identity,AES key and at most %d more", len(fields), maxFields-4)
	}
	private, err := hex.DecodeString(fields[2])
	if err != nil || len(private) != privateSize {
		return Device{}, errors.New("the private identity, field 3, is not 12 hexadecimal digits")
	}
	key, err := hex.DecodeString(fields[3])
	if err != nil || len(key) != keySize {
		return Device{}, errors.New("the AES key, field 4, is not 32 hexadecimal digits")
	}
	switch {
	case len(fields[0]) > 20 || strings.Trim(fields[0], "0123456789") != "":
		return Device{}, errors.New("the serial, field 1, is not a number")
	case !IsIdentity(fields[1]):
		return Device{}, errors.New("the public identity, field 2, is not 12 characters of modhex (cbdefghijklnrtuv)")
	}
	for i, field := range fields[4:] {
		if strings.Trim(field, "0123456789abcdefABCDEFTZ:.+- ") != "" { // an access code, times, flags
			return Device{}, fmt.Errorf("field %d is neither an access code nor a time nor a number", i+5)
		}
	}
	return Device{
		Identity: fields[1],
		Private:  twinlatch.NewSecret(string(private)),
		Key:      twinlatch.NewSecret(string(key)),
	}, nil
}
