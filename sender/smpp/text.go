package smpp

import "unicode/utf16"

// Values of data_coding, §5.2.19.
const (
	codingDefault = 0 // the SMSC's own alphabet, which is taken to be GSM 7-bit
	codingUCS2    = 8
)

// Of 140 octets that a phone gets at once; 6 are the header of a part.
const (
	wholeGSM, partGSM   = 160, 153 // characters of 7 bits
	wholeUCS2, partUCS2 = 140, 134 // octets
	maxParts            = 10
	headerOctets        = 6
)

// gsm is the GSM 7-bit default alphabet, 3GPP TS 23.038 §6.2.1, in its order. The
// escape, which is no character, is at 0x1B.
const gsm = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ" +
	" !\"#¤%&'()*+,-./0123456789:;<=>?" +
	"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§" +
	"¿abcdefghijklmnopqrstuvwxyzäöñüà"

const escape = 0x1B

// gsmExtension are the characters after an escape, §6.2.1.1.
var gsmExtension = map[rune]byte{
	'\f': 0x0A, '^': 0x14, '{': 0x28, '}': 0x29, '\\': 0x2F, '[': 0x3C, '~': 0x3D, ']': 0x3E, '|': 0x40, '€': 0x65,
}

// encoded is a text as it travels: characters that must not be torn apart.
type encoded struct {
	coding     byte
	characters [][]byte
	size       int // octets of all
}

func (e *encoded) add(character ...byte) {
	e.characters = append(e.characters, character)
	e.size += len(character)
}

// encodeText is text in the GSM alphabet, one octet for each seven bits, or, if
// that lacks a character, in UCS-2, which is UTF-16 to all phones.
func encodeText(text string) encoded {
	e := encoded{coding: codingDefault}
	for _, r := range text {
		place, basic := inGSM(r)
		extension, extended := gsmExtension[r]
		switch {
		case basic:
			e.add(place)
		case extended:
			e.add(escape, extension)
		default:
			return encodeUCS2(text)
		}
	}
	return e
}

func inGSM(r rune) (place byte, ok bool) {
	if r == escape {
		return 0, false
	}
	for _, c := range gsm {
		if c == r {
			return place, true
		}
		place++
	}
	return 0, false
}

func encodeUCS2(text string) encoded {
	e := encoded{coding: codingUCS2}
	for _, r := range text {
		var octets []byte
		for _, unit := range utf16.AppendRune(nil, r) {
			octets = append(octets, byte(unit>>8), byte(unit))
		}
		e.add(octets...)
	}
	return e
}

// whole is the text in one piece.
func (e encoded) whole() []byte {
	all := make([]byte, 0, e.size)
	for _, c := range e.characters {
		all = append(all, c...)
	}
	return all
}

// fits says whether a phone gets the text at once.
func (e encoded) fits() bool {
	return e.size <= wholeGSM && (e.coding == codingDefault || e.size <= wholeUCS2)
}

// parts are the pieces in which a phone gets a text that does not fit. Characters
// stay whole.
func (e encoded) parts() [][]byte {
	limit := partGSM
	if e.coding == codingUCS2 {
		limit = partUCS2
	}
	all := [][]byte{nil}
	for _, c := range e.characters {
		if len(all[len(all)-1])+len(c) > limit {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], c...)
	}
	return all
}

// withHeader is a part with the user data header of a concatenated message before
// it, 3GPP TS 23.040 §9.2.3.24.1: part number n, from 1 on, of total.
func withHeader(part []byte, reference byte, total, n int) []byte {
	header := [headerOctets]byte{headerOctets - 1, 0, 3, reference, byte(total), byte(n)}
	return append(header[:], part...)
}
