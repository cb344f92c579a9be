package twinlatch

import (
	"context"
	"time"
)

// Message goes to a person. It holds a code or a link, so it does not print.
type Message struct {
	ID        MessageID // the same at each try, for the vendor's deduplication
	Channel   Channel
	To        Secret // Text: a number in E.164, "+447700900167"
	Body      Secret
	Country   string    // Text: of the number, ISO 3166-1 alpha-2, or "001" for none
	ExpiresAt time.Time // of no use afterwards
}

// Channel is by which way a Message travels.
type Channel string

// Text is a text message (SMS).
const Text Channel = "text"

// Sender carries messages; each vendor is one. Implementations are safe for
// concurrent use and heed ctx, which always ends within seconds. sendertest
// holds the suite that each must pass.
type Sender interface {
	// Name is what settings, logs and receipts call it: "twilio".
	Name() string

	// Send hands a message over and returns the vendor's name for it, which
	// may be empty. ErrNoRoute: this Sender will never carry it, the next one
	// is tried. ErrBadRecipient: nobody will, nothing more is tried. Any other
	// error: the next one is tried now, and all again later until the message
	// expires. Errors hold neither recipient nor body.
	Send(ctx context.Context, m Message) (ref string, err error)
}

// Delivery is what became of a message.
type Delivery string

const (
	Queued    Delivery = "queued"    // nobody took it yet
	Sent      Delivery = "sent"      // a vendor took it
	Delivered Delivery = "delivered" // the phone has it
	Failed    Delivery = "failed"    // the phone will not get it
)

// Receipt is what a vendor says later about a message.
type Receipt struct {
	Sender   string    // Name of the Sender
	Message  MessageID // where the vendor gives our ID back; else Ref counts
	Ref      string    // what Send returned
	Delivery Delivery  // Delivered or Failed; others are ignored
	Detail   string    // the vendor's reason, for the log: "30005 unknown handset"
}
