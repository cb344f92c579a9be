package smpp

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Types of number, §5.2.5, and numbering plans, §5.2.6.
const (
	tonInternational = 1
	tonNetwork       = 3 // network specific: short codes
	tonAlphanumeric  = 5
	npiUnknown       = 0
	npiISDN          = 1 // E.164
)

const (
	esmHeader  = 0x40 // esm_class §5.2.12: a user data header comes first
	esmType    = 0x3C // bits that tell what a deliver_sm is
	esmReceipt = 0x04 // delivery receipt of the SMSC
)

// maxID is how many octets a message_id has, §5.2.23, without its NUL.
const maxID = 64

// address is a number or a name in a PDU.
type address struct {
	ton, npi byte
	text     string
}

// shortMessage holds the fields of submit_sm, §4.4.1, which are those of
// deliver_sm, §4.6.1, too.
type shortMessage struct {
	service                     string
	from, to                    address
	class, protocol, priority   byte
	schedule, validity          string
	registered, replace, coding byte
	predefined                  byte
	text                        []byte
	parameters                  map[uint16][]byte
}

// encode is the body of the PDU.
func (m shortMessage) encode() ([]byte, error) {
	var w writer
	w.cString(m.service, 6)
	for _, a := range [...]address{m.from, m.to} {
		w.octets(a.ton, a.npi)
		w.cString(a.text, 21)
	}
	w.octets(m.class, m.protocol, m.priority)
	w.cString(m.schedule, 17)
	w.cString(m.validity, 17)
	if len(m.text) > maxShort {
		return nil, errFields
	}
	w.octets(m.registered, m.replace, m.coding, m.predefined, byte(len(m.text)))
	w.octets(m.text...)
	for _, tag := range slices.Sorted(maps.Keys(m.parameters)) {
		w.parameter(tag, m.parameters[tag])
	}
	return w.body, w.err
}

// parseShortMessage reads a body that encode made, or a peer.
func parseShortMessage(body []byte) (shortMessage, error) {
	r := reader{rest: body}
	m := shortMessage{service: r.cString(6)}
	for _, a := range [...]*address{&m.from, &m.to} {
		a.ton, a.npi, a.text = r.octet(), r.octet(), r.cString(21)
	}
	m.class, m.protocol, m.priority = r.octet(), r.octet(), r.octet()
	m.schedule, m.validity = r.cString(17), r.cString(17)
	m.registered, m.replace, m.coding, m.predefined = r.octet(), r.octet(), r.octet(), r.octet()
	length := r.octet()
	if length > maxShort {
		return shortMessage{}, errFields
	}
	m.text = r.octets(int(length))
	m.parameters = r.parameters()
	if r.err != nil {
		return shortMessage{}, r.err
	}
	return m, nil
}

// bindBody is the body of bind_transmitter, §4.1.1, and bind_transceiver, §4.1.5:
// version 3.4, all addresses.
func bindBody(systemID, password, systemType string) ([]byte, error) {
	var w writer
	w.cString(systemID, maxSystemID+1)
	w.cString(password, maxPassword+1)
	w.cString(systemType, maxSystemType+1)
	w.octets(0x34, 0, 0)
	w.cString("", 41)
	return w.body, w.err
}

// parseMessageID reads the body of submit_sm_resp, §4.4.2. Whoever leaves it out
// altogether gives no name.
func parseMessageID(body []byte) (string, error) {
	if len(body) == 0 {
		return "", nil
	}
	r := reader{rest: body}
	id := r.cString(maxID + 1)
	return id, r.err
}

// relative is a time from now as §7.1.1.2 writes it, in whole seconds and at
// most 30 days: months differ in length.
func relative(d time.Duration) string {
	s := int64(min(d, 30*24*time.Hour) / time.Second)
	return fmt.Sprintf("0000%02d%02d%02d%02d000R", s/86400, s/3600%24, s/60%60, s%60)
}
