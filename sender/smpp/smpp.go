// Package smpp sends text messages to an SMSC, the message centre of an operator
// or aggregator: twinlatch.Sender over SMPP, version 3.4, issue 1.2.
//
// One connection carries all: it is made at the first Send, or by Receipts, and
// again after it broke, at once and then after random waits that grow to a
// minute. Several messages may be under way (Window). An idle connection is
// tested every 30 seconds, and closed if the SMSC does not answer within ten.
//
// Texts are in the GSM 7-bit alphabet, one octet for each character, which is
// what data_coding 0 must mean to the SMSC, or else in UCS-2. What does not fit
// into one message is sent in up to ten parts, one after the other, which the
// phone puts together, or in one message_payload. The reference is that of the
// last part, the only one for which a receipt is asked. If a part is refused, the
// parts before it are on their way, and the phone shows at most those.
//
// Limits: SMPP has no mark by which an SMSC knows a message again; if it took one
// and its answer got lost, the next try is a second message. Receipts come over
// the connection and are as genuine as its other end: use TLS, or a private
// network, where passwords travel in clear text as well. Receipts in data_sm and
// the commands query_sm, replace_sm and cancel_sm are not supported.
//
// Sources: "Short Message Peer to Peer Protocol Specification v3.4", issue 1.2,
// whose sections are meant by §; 3GPP TS 23.038 and 23.040 for texts.
package smpp

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Name is what settings, logs and receipts call this sender.
const Name = "smpp"

// Octets of the fields of a bind, §4.1.5, without their NUL; and the window.
const (
	maxSystemID   = 15
	maxPassword   = 8
	maxSystemType = 12
	defaultWindow = 10
	maxWindow     = 1000
)

// Config is an account at an SMSC.
type Config struct {
	Address    string           // "host:port", often 2775, with TLS 3550
	TLS        bool             // 1.2 or later; the certificate must be of the host in Address
	Roots      *x509.CertPool   // who may have signed it; nil: whom the system trusts
	SystemID   string           // the account, 1 to 15 characters
	Password   twinlatch.Secret // at most 8 characters
	SystemType string           // at most 12 characters; most want none
	Source     string           // E.164, short code, sender ID of up to 11 characters; empty: as the SMSC decides

	TransmitterOnly bool // bind_transmitter instead of bind_transceiver: no receipts
	ReceiptIDs      IDs  // how the text of receipts writes a message_id
	Payload         bool // long texts in message_payload instead of parts
	Window          int  // messages without an answer, 1 to 1,000; 0: 10

	Clock func() time.Time                                                     // nil: time.Now
	Dial  func(ctx context.Context, network, address string) (net.Conn, error) // nil: as net.Dialer does
}

// Sender is an SMSC as a twinlatch.Sender. Make one with New and end it with
// Close.
type Sender struct {
	config    Config
	source    address
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	clock     func() time.Time
	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	tasks     sync.WaitGroup // all goroutines
	mu        sync.Mutex     // of what follows
	closed    bool
	reference byte     // of the last text in parts
	try       *attempt // the session, or the try to make one; nil: none
	failures  int      // in a row
	next      time.Time
	last      error // why there is no session
	tell      func(context.Context, twinlatch.Receipt) error
}

var (
	number    = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	longCode  = regexp.MustCompile(`^\+?[1-9][0-9]{8,14}$`)
	shortCode = regexp.MustCompile(`^[0-9]{3,8}$`)
	senderID  = regexp.MustCompile(`^[A-Za-z0-9 +_&.-]{1,11}$`) // and a letter in it
	letter    = regexp.MustCompile(`[A-Za-z]`)
	printable = regexp.MustCompile(`^[ -~]*$`)
)

// New makes the sender and does not connect. Its errors are one line that begins
// with "smpp: " and the name of the field that is wrong, and hold no secret.
func New(c Config) (*Sender, error) {
	host, port, err := net.SplitHostPort(c.Address)
	if n, notNumber := strconv.ParseUint(port, 10, 16); err != nil || host == "" || notNumber != nil || n == 0 {
		return nil, fmt.Errorf("smpp: Address is %.80q, not \"host:port\"", c.Address)
	}
	password := c.Password.Reveal()
	source, ok := sourceAddress(c.Source)
	switch {
	case c.SystemID == "" || len(c.SystemID) > maxSystemID || !printable.MatchString(c.SystemID):
		return nil, fmt.Errorf("smpp: SystemID is not of 1 to %d ASCII characters", maxSystemID)
	case len(password) > maxPassword || !printable.MatchString(password):
		return nil, fmt.Errorf("smpp: Password has more than %d characters, or others than ASCII", maxPassword)
	case len(c.SystemType) > maxSystemType || !printable.MatchString(c.SystemType):
		return nil, fmt.Errorf("smpp: SystemType has more than %d characters, or others than ASCII", maxSystemType)
	case !ok:
		return nil, fmt.Errorf("smpp: Source is %.40q, not a number as +15005550006, a short code or a sender ID of 1 to 11 characters", c.Source)
	case c.Window < 0 || c.Window > maxWindow:
		return nil, fmt.Errorf("smpp: Window is %d, not 1 to %d", c.Window, maxWindow)
	case c.ReceiptIDs != IDsSame && c.ReceiptIDs != IDsDecimal && c.ReceiptIDs != IDsHex:
		return nil, fmt.Errorf("smpp: ReceiptIDs is %.40q, not %q, %q or empty", c.ReceiptIDs, IDsDecimal, IDsHex)
	}
	var random [1]byte
	_, _ = rand.Read(random[:]) // it never fails
	c.Window = cmp.Or(c.Window, defaultWindow)
	s := &Sender{config: c, source: source, reference: random[0], dial: c.Dial, clock: c.Clock}
	if s.dial == nil {
		s.dial = (&net.Dialer{}).DialContext
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

func sourceAddress(text string) (address, bool) {
	switch {
	case text == "":
		return address{}, true
	case longCode.MatchString(text):
		return address{tonInternational, npiISDN, strings.TrimPrefix(text, "+")}, true
	case shortCode.MatchString(text):
		return address{tonNetwork, npiUnknown, text}, true
	case senderID.MatchString(text) && letter.MatchString(text):
		return address{tonAlphanumeric, npiUnknown, text}, true
	}
	return address{}, false
}

// Name implements twinlatch.Sender. It is the constant Name.
func (*Sender) Name() string { return Name }

// Carries implements twinlatch.Sender: text messages only.
func (*Sender) Carries(by twinlatch.Channel) bool { return by == twinlatch.Text }

// Send implements twinlatch.Sender. The reference is the message_id of
// submit_sm_resp. A refusal of the destination address is ErrBadRecipient. What
// the SMSC will refuse the next time too (source address, types of addresses,
// length, message mode) is ErrNoRoute, as is a text of more than ten parts. A
// refused bind, a full queue, throttling and no connection are neither.
func (s *Sender) Send(ctx context.Context, m twinlatch.Message) (string, error) {
	if m.Channel != twinlatch.Text {
		return "", fmt.Errorf("smpp: %w: it carries text messages only", twinlatch.ErrNoRoute)
	}
	if !number.MatchString(m.To.Reveal()) {
		return "", fmt.Errorf("smpp: %w: not a number in E.164", twinlatch.ErrBadRecipient)
	}
	all, err := s.pieces(encodeText(m.Body.Reveal()))
	if err != nil {
		return "", err
	}
	if _, err := s.validity(m); err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("smpp: not sent: %w", err)
	}
	live, err := s.bound(ctx)
	if err != nil {
		return "", err
	}
	ref := ""
	for _, piece := range all {
		piece.from = s.source
		piece.to = address{tonInternational, npiISDN, strings.TrimPrefix(m.To.Reveal(), "+")}
		if ref, err = s.submit(ctx, live, m, piece); err != nil {
			return "", err
		}
	}
	return ref, nil
}

// pieces are the messages for a text, but for the addresses. Only the last one
// asks for a receipt, §5.2.17, unless none can come.
func (s *Sender) pieces(text encoded) ([]shortMessage, error) {
	parts := text.parts()
	all := []shortMessage{{coding: text.coding}}
	switch {
	case len(parts) > maxParts:
		return nil, fmt.Errorf("smpp: %w: the text has more than %d parts", twinlatch.ErrNoRoute, maxParts)
	case text.fits():
		all[0].text = text.whole()
	case s.config.Payload:
		all[0].parameters = map[uint16][]byte{messagePayload: text.whole()}
	default:
		s.mu.Lock()
		s.reference++
		reference := s.reference
		s.mu.Unlock()
		all = nil
		for i, part := range parts {
			all = append(all, shortMessage{class: esmHeader, coding: text.coding, text: withHeader(part, reference, len(parts), i+1)})
		}
	}
	if !s.config.TransmitterOnly {
		all[len(all)-1].registered = 1
	}
	return all, nil
}

// validity is how long m may wait at the SMSC.
func (s *Sender) validity(m twinlatch.Message) (string, error) {
	left := m.ExpiresAt.Sub(s.clock())
	if left < time.Second {
		return "", errors.New("smpp: the message has expired")
	}
	return relative(left), nil
}

// submit hands one piece over and returns its message_id.
func (s *Sender) submit(ctx context.Context, live *session, m twinlatch.Message, piece shortMessage) (string, error) {
	p, err := live.submit(ctx, func() (body []byte, err error) {
		if piece.validity, err = s.validity(m); err != nil {
			return nil, err
		}
		if body, err = piece.encode(); err != nil {
			return nil, fmt.Errorf("smpp: %w", err)
		}
		return body, nil
	})
	switch {
	case err != nil:
		return "", err
	case p.command == genericNack:
		return "", errors.New("smpp: generic_nack: " + reason(p.status))
	case p.status != statusOK:
		return "", refusal(p.status)
	}
	ref, err := parseMessageID(p.body)
	if err != nil {
		live.end(err)
		return "", fmt.Errorf("smpp: message_id: %w", err)
	}
	return ref, nil
}

// Close unbinds, §4.2, closes the connection and waits until nothing of the Sender
// runs any more, three seconds for the SMSC and then for the listener of Receipts.
// Messages under way fail. The error says that the SMSC did not answer.
func (s *Sender) Close() error {
	s.mu.Lock()
	first, try := !s.closed, s.try
	s.closed = true
	var live *session
	if try != nil {
		live = try.session
	}
	s.mu.Unlock()
	var err error
	if first && live != nil && live.over() == nil {
		err = live.part()
	}
	s.cancel()
	if live != nil {
		live.end(errClosed)
	}
	s.tasks.Wait()
	return err
}
