package smpp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadPDU(t *testing.T) {
	t.Parallel()
	whole := pdu{command: submitSM | answer, status: 8, sequence: 5, body: []byte("id\x00")}.encode()
	if want := "\x00\x00\x00\x13\x80\x00\x00\x04\x00\x00\x00\x08\x00\x00\x00\x05id\x00"; string(whole) != want {
		t.Errorf("encoded %q, want %q", whole, want)
	}
	rest := bytes.NewReader(append(bytes.Clone(whole), "next"...))
	got, err := readPDU(iotest.OneByteReader(rest))
	if err != nil || !bytes.Equal(got.encode(), whole) || rest.Len() != 4 {
		t.Errorf("read %+v, %v, and left %d octets", got, err, rest.Len())
	}
	for n := range whole {
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		if _, err := readPDU(bytes.NewReader(whole[:n])); !errors.Is(err, want) {
			t.Errorf("of %d octets: %v, want %v", n, err, want)
		}
	}
	for _, length := range []uint32{0, 1, 15, maxPDU + 1, 1 << 31, 1<<32 - 1} {
		if _, err := readPDU(bytes.NewReader(binary.BigEndian.AppendUint32(nil, length))); !errors.Is(err, errLength) {
			t.Errorf("length %d: %v", length, err)
		}
	}
	most := pdu{command: deliverSM, body: make([]byte, maxPDU-headerSize)}
	if _, err := readPDU(bytes.NewReader(most.encode())); err != nil {
		t.Errorf("the longest PDU: %v", err)
	}
}

// Each field of a message has its limit, §4.4.1, on the way out and in.
func TestLimitsOfFields(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("9", n) }
	for name, row := range map[string]struct {
		m    shortMessage
		fits bool
	}{
		"all that fits": {shortMessage{service: long(5), from: address{5, 0, long(20)}, to: address{1, 1, long(20)}, schedule: long(16), validity: long(16),
			text: []byte(long(254)), parameters: map[uint16][]byte{1: nil, 2: []byte(long(60000))}}, true},
		"service_type":     {shortMessage{service: long(6)}, false},
		"source_addr":      {shortMessage{from: address{text: long(21)}}, false},
		"destination_addr": {shortMessage{to: address{text: long(21)}}, false},
		"schedule":         {shortMessage{schedule: long(17)}, false},
		"validity_period":  {shortMessage{validity: long(17)}, false},
		"short_message":    {shortMessage{text: []byte(long(255))}, false},
		"a parameter":      {shortMessage{parameters: map[uint16][]byte{1: make([]byte, 1<<16)}}, false},
		"all parameters":   {shortMessage{parameters: map[uint16][]byte{1: make([]byte, 1<<15), 2: make([]byte, 1<<15)}}, false},
		"NUL":              {shortMessage{to: address{text: "1\x002"}}, false},
	} {
		b, err := row.m.encode()
		if (err == nil) != row.fits {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		got, err := parseShortMessage(b)
		if err != nil || got.to != row.m.to || got.from != row.m.from || !bytes.Equal(got.text, row.m.text) || len(got.parameters) != len(row.m.parameters) {
			t.Errorf("%s: came back as %+v, %v", name, got, err)
		}
	}
	if _, err := bindBody(long(16), "", ""); err == nil {
		t.Error("a system_id of 16 characters was encoded")
	}
}

// A body that ends anywhere, or has a string without its end, is refused.
func TestBodiesCutShort(t *testing.T) {
	t.Parallel()
	b, err := shortMessage{class: 4, text: []byte("abc"), parameters: map[uint16][]byte{messageState: {2}}}.encode()
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if m, err := parseShortMessage(b[:n]); err == nil && n != len(b)-5 { // there the parameters begin
			t.Errorf("%d octets of %d are %+v", n, len(b), m)
		}
	}
	for body, want := range map[string]bool{"": true, "\x00": true, "id\x00": true, "id": false, strings.Repeat("1", 64) + "\x00": true, strings.Repeat("1", 65) + "\x00": false} {
		if _, err := parseMessageID([]byte(body)); (err == nil) != want {
			t.Errorf("message_id %q: %v", body, err)
		}
	}
}

// Whatever comes is read or refused, and what is read is what would be written.
func FuzzPDU(f *testing.F) {
	m, err := shortMessage{from: address{1, 1, "447700900167"}, class: 4, text: []byte(appendixB), parameters: map[uint16][]byte{messageState: {2}}}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pdu{command: deliverSM, sequence: 1, body: m}.encode())
	f.Add(pdu{command: submitSM | answer, sequence: 1, body: []byte("id\x00")}.encode())
	f.Add([]byte("\x00\x00\x00\x0f"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := readPDU(bytes.NewReader(in))
		if err != nil {
			return
		}
		if !bytes.HasPrefix(in, p.encode()) {
			t.Fatalf("%q was read as %+v", in, p)
		}
		if id, err := parseMessageID(p.body); err == nil && len(id) > maxID {
			t.Fatalf("message_id %q", id)
		}
		m, err := parseShortMessage(p.body)
		if err != nil {
			return
		}
		out, err := m.encode()
		if err != nil {
			t.Fatalf("%+v was read and cannot be written: %v", m, err)
		}
		again, err := parseShortMessage(out)
		if err != nil || !reflect.DeepEqual(normal(m), normal(again)) {
			t.Fatalf("%+v (%v) is not %+v", again, err, m)
		}
	})
}

// normal makes nothing of empty slices.
func normal(m shortMessage) shortMessage {
	m.text = append([]byte(nil), m.text...)
	return m
}
