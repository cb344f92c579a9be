package smpp

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

// Commands, SMPP 3.4 §5.1.2.1. The answer to one has the bit "answer" set.
const (
	genericNack     = 0x8000_0000
	bindTransmitter = 0x0000_0002
	submitSM        = 0x0000_0004
	deliverSM       = 0x0000_0005
	unbind          = 0x0000_0006
	bindTransceiver = 0x0000_0009
	enquireLink     = 0x0000_0015
	alert           = 0x0000_0102 // alert_notification, which has no answer
	answer          = 0x8000_0000
)

// Optional parameters, §5.3.2.
const (
	receiptedMessageID = 0x001E
	messagePayload     = 0x0424
	messageState       = 0x0427
)

const (
	headerSize  = 16
	maxPDU      = 64 << 10 // octets; the standard sets no limit
	maxSequence = 0x7FFF_FFFF
	maxShort    = 254 // octets of short_message, §5.2.22
)

var (
	errLength = errors.New("a PDU has an impossible length")
	errFields = errors.New("the fields of a PDU are not as they must be")
)

// pdu is one protocol data unit, §3.2.
type pdu struct {
	command, status, sequence uint32
	body                      []byte
}

// encode is p as it travels.
func (p pdu) encode() []byte {
	b := make([]byte, 0, headerSize+len(p.body))
	for _, n := range [...]uint32{uint32(headerSize + len(p.body)), p.command, p.status, p.sequence} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return append(b, p.body...)
}

// readPDU reads one PDU and nothing after it. It takes memory for no more than
// maxPDU octets, whatever the peer announces.
func readPDU(r io.Reader) (pdu, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:4]); err != nil {
		return pdu{}, err
	}
	length := binary.BigEndian.Uint32(header[:])
	if length < headerSize || length > maxPDU {
		return pdu{}, errLength
	}
	if _, err := io.ReadFull(r, header[4:]); err != nil {
		return pdu{}, cut(err)
	}
	p := pdu{
		command:  binary.BigEndian.Uint32(header[4:]),
		status:   binary.BigEndian.Uint32(header[8:]),
		sequence: binary.BigEndian.Uint32(header[12:]),
		body:     make([]byte, length-headerSize),
	}
	_, err := io.ReadFull(r, p.body)
	return p, cut(err)
}

// cut is err in the middle of something.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// reader takes the fields of a body one by one. After the first that is wrong it
// returns zero values, and err says so.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) octets(n int) []byte {
	if r.err != nil || n > len(r.rest) {
		r.err = errFields
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) octet() byte {
	if b := r.octets(1); r.err == nil {
		return b[0]
	}
	return 0
}

// cString is a C-octet string, §3.1, of at most limit octets with its NUL.
func (r *reader) cString(limit int) string {
	s, _, found := strings.Cut(string(r.rest[:min(limit, len(r.rest))]), "\x00")
	if !found {
		r.err = errFields
		return ""
	}
	r.octets(len(s) + 1)
	return s
}

// parameters are the optional ones, §3.2.4, up to the end of the body. One that
// comes twice counts as it came first.
func (r *reader) parameters() map[uint16][]byte {
	var all map[uint16][]byte
	for r.err == nil && len(r.rest) > 0 {
		head := r.octets(4)
		if r.err != nil {
			break
		}
		tag := binary.BigEndian.Uint16(head)
		value := r.octets(int(binary.BigEndian.Uint16(head[2:])))
		if _, twice := all[tag]; twice || r.err != nil {
			continue
		}
		if all == nil {
			all = map[uint16][]byte{}
		}
		all[tag] = value
	}
	return all
}

// writer puts the fields of a body together. After the first that does not fit
// err says so.
type writer struct {
	body []byte
	err  error
}

func (w *writer) octets(b ...byte) { w.body = append(w.body, b...) }

// cString appends a C-octet string of at most limit octets with its NUL.
func (w *writer) cString(s string, limit int) {
	if len(s) >= limit || strings.Contains(s, "\x00") {
		w.err = errFields
		return
	}
	w.body = append(append(w.body, s...), 0)
}

// parameter appends an optional one.
func (w *writer) parameter(tag uint16, value []byte) {
	if len(value) > maxPDU-headerSize-len(w.body)-4 {
		w.err = errFields
		return
	}
	w.body = binary.BigEndian.AppendUint16(w.body, tag)
	w.body = binary.BigEndian.AppendUint16(w.body, uint16(len(value)))
	w.body = append(w.body, value...)
}
