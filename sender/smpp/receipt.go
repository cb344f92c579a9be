package smpp

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

// IDs says how the texts of receipts write the message_id that submit_sm_resp
// gave. The parameter receipted_message_id is always the same text.
type IDs string

const (
	IDsSame    IDs = ""        // as it was, but for zeros in front
	IDsDecimal IDs = "decimal" // in decimal what was hexadecimal
	IDsHex     IDs = "hex"     // in hexadecimal what was decimal
)

// states are what message_state, §5.2.28, and the text of Appendix B say.
var states = [...]struct {
	name     string
	delivery twinlatch.Delivery // empty: not settled, or not known
}{
	1: {"ENROUTE", ""},
	2: {"DELIVRD", twinlatch.Delivered},
	3: {"EXPIRED", twinlatch.Failed},
	4: {"DELETED", twinlatch.Failed},
	5: {"UNDELIV", twinlatch.Failed},
	6: {"ACCEPTD", ""},
	7: {"UNKNOWN", ""},
	8: {"REJECTD", twinlatch.Failed},
}

var (
	idField    = regexp.MustCompile(`(?i)\bid:\s*([^\s:]{1,64})`)
	stateField = regexp.MustCompile(`(?i)\bstat:\s*([a-z]{1,10})`)
	errorField = regexp.MustCompile(`(?i)\berr:\s*([0-9a-z]{1,10})`)
	textField  = regexp.MustCompile(`(?i)\btext:`)
)

// receipt is what a deliver_sm says about one of our messages.
type receipt struct {
	refs     []string // what submit_sm_resp may have said, the likeliest first
	delivery twinlatch.Delivery
	detail   string
}

// parseReceipt reads a receipt, §4.6.1 and Appendix B. Parameters count more than
// the text; ok is false of what is no receipt or settles nothing. The detail has
// nothing of the message, which the text quotes.
func parseReceipt(m shortMessage, ids IDs) (r receipt, ok bool) {
	id := strings.TrimSuffix(string(m.parameters[receiptedMessageID]), "\x00")
	if kind := m.class & esmType; kind != esmReceipt && (kind != 0 || id == "") {
		return receipt{}, false
	}
	text := string(m.text)
	if text == "" {
		text = string(m.parameters[messagePayload])
	}
	if quoted := textField.FindStringIndex(text); quoted != nil {
		text = text[:quoted[0]]
	}
	if id != "" && len(id) <= maxID {
		r.refs = []string{id}
	} else if id = field(idField, text); id != "" {
		r.refs = spellings(id, ids)
	}
	state := 0
	if value := m.parameters[messageState]; len(value) == 1 && int(value[0]) < len(states) {
		state = int(value[0])
	}
	for i, s := range states {
		if state == 0 && s.name != "" && strings.EqualFold(s.name, field(stateField, text)) {
			state = i
		}
	}
	r.delivery, r.detail = states[state].delivery, states[state].name
	if code := field(errorField, text); code != "" && strings.Trim(code, "0") != "" {
		r.detail += " err:" + code
	}
	return r, len(r.refs) > 0 && r.delivery != ""
}

func field(pattern *regexp.Regexp, text string) string {
	if found := pattern.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}

// spellings are the ways in which submit_sm_resp may have written the id of a
// receipt's text.
func spellings(id string, ids IDs) []string {
	all := []string{id, strings.TrimLeft(id, "0")}
	switch ids {
	case IDsDecimal:
		if n, err := strconv.ParseUint(id, 10, 64); err == nil {
			all = append(all, fmt.Sprintf("%x", n), fmt.Sprintf("%X", n), fmt.Sprintf("%08x", n), fmt.Sprintf("%08X", n))
		}
	case IDsHex:
		if n, err := strconv.ParseUint(id, 16, 64); err == nil {
			all = append(all, strconv.FormatUint(n, 10), fmt.Sprintf("%010d", n))
		}
	}
	var once []string
	for _, s := range all {
		if s != "" && !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	return once
}

// Receipts binds, stays bound and calls tell for each receipt that settles a
// message, those of before a restart included: the SMSC keeps them until they are
// taken. Call it once and before Send; without it receipts are taken and dropped.
// With TransmitterOnly it does nothing, as none come.
//
// tell may be called by several goroutines and more than once for a message. Its
// context ends after ten seconds, or with Close, which waits for it. When it
// returns twinlatch.ErrNotFound, the receipt may have been faster than the
// caller's own notes: it is asked again for four seconds, and then the receipt
// is dropped. After any other error the SMSC is asked to send it again later.
func (s *Sender) Receipts(tell func(context.Context, twinlatch.Receipt) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.config.TransmitterOnly {
		return
	}
	first := s.tell == nil
	s.tell = tell
	if first {
		s.tasks.Go(s.keep)
	}
}

// deliver answers a deliver_sm with a command_status. What is no receipt, as a
// text from a phone, is taken and dropped.
func (s *Sender) deliver(p pdu) uint32 {
	m, err := parseShortMessage(p.body)
	if err != nil {
		return statusPermanent
	}
	r, ok := parseReceipt(m, s.config.ReceiptIDs)
	s.mu.Lock()
	tell := s.tell
	s.mu.Unlock()
	if !ok || tell == nil {
		return statusOK
	}
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	for _, pause := range [...]time.Duration{0, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second} {
		s.rest(pause)
		if ctx.Err() != nil {
			return statusTemporary
		}
		err := s.tellOne(ctx, tell, r)
		if err == nil {
			return statusOK
		}
		if !errors.Is(err, twinlatch.ErrNotFound) {
			return statusTemporary
		}
	}
	return statusOK
}

// tellOne tries the spellings until one is known.
func (s *Sender) tellOne(ctx context.Context, tell func(context.Context, twinlatch.Receipt) error, r receipt) (err error) {
	for _, ref := range r.refs {
		err = tell(ctx, twinlatch.Receipt{Sender: Name, Ref: ref, Delivery: r.delivery, Detail: r.detail})
		if !errors.Is(err, twinlatch.ErrNotFound) {
			return err
		}
	}
	return err
}
