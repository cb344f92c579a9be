package twinlatch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Method is one technique of the second step. A Method is pure: it asks and
// judges, and the Service stores, sends, counts tries and writes events. So a
// Method needs no store, no sender and no HTTP, and cannot forget a limit.
//
// Both halves have the shape Begin/Finish. What Begin returns in Question.State
// is sealed, kept with the challenge, and handed to Finish unchanged.
// Implementations are safe for concurrent use; methodtest holds the suite that
// each must pass.
type Method interface {
	// Describe tells what pages, API and commands need to offer the method. It
	// gives the same answer every time.
	Describe() Description

	// BeginEnroll asks the first question of an enrollment, for instance
	// "scan this". A bad field is a *FieldError.
	BeginEnroll(ctx context.Context, in Input) (Question, error)

	// Parse cleans an answer (spaces between digits) or, if it cannot be one,
	// says why with a *FieldError. It runs before counting: it costs no try.
	Parse(a Answer) (Answer, error)

	// FinishEnroll judges the parsed answer. A wrong one is ErrWrongCode, or a
	// *WrongCodeError of it whose Key says more; the same challenge may be tried
	// again while tries are left. ErrReplayed and ErrUnavailable are as in
	// FinishVerify.
	FinishEnroll(ctx context.Context, in Input, state []byte, a Answer) (NewFactor, error)

	// BeginVerify asks for proof of one of in.Factors, all of this kind, at
	// least one. A method that sends gets exactly one.
	BeginVerify(ctx context.Context, in Input) (Question, error)

	// FinishVerify judges the parsed answer. It compares in constant time and
	// returns ErrWrongCode for any answer that does not prove a factor, or a
	// *WrongCodeError of it whose Key says more. Whether the proof was used before
	// is the business of Proof.Counter; ErrReplayed is for methods that ask
	// somebody else, who knows. ErrUnavailable: nobody who could judge answers; the
	// error that wraps it tells operators why.
	FinishVerify(ctx context.Context, in Input, state []byte, a Answer) (Proof, error)
}

// Input is what a Method may know.
type Input struct {
	Account Account           // with the Client's Locale where it has none
	Factors []OpenFactor      // verify: the candidates; enroll: those that exist
	Fields  map[string]string // BeginEnroll: what the person typed, by Field.Name
	Now     time.Time
	Rand    io.Reader
}

// Description is how a method presents itself. It holds no words, only Name,
// under which doors find them: "method.<name>", "verify.<name>.title",
// "add.<name>.title", "sec.<name>.about" and so on.
type Description struct {
	Kind         Kind
	Name         string   // "app"
	Icon         string   // the picture that stands for it everywhere
	EnrollFields []Field  // asked before BeginEnroll: the phone number; often none
	AnswerFields []Field  // of the answer: the code box
	Sends        bool     // BeginVerify causes a message: one factor at a time, from a POST only
	Named        bool     // people have several, and are asked what they call each
	Script       bool     // the browser's WebAuthn answers Prompt.Options, by a script; without it the method cannot be used
	AMR          []string // authentication method references, RFC 8176: "otp", "sms", "hwk"; see Proof.AMR

	// Unguessable says that no number of wrong answers makes a right one likelier,
	// because it is a signature, or has 64 bits and more. Then wrong answers do not pause the
	// method, and who has only the password cannot keep the owner from using it.
	Unguessable bool
}

// Field is one input box. Label, Hint and Wrong are message keys.
type Field struct {
	Name         string // of the form field: "code"
	Label, Hint  string
	Type         string // of the HTML input: "text", "tel"
	InputMode    string // "numeric", "tel" or empty
	Autocomplete string
	MaxLength    int
	Wrong        string // said when the answer in it was wrong
	Replayed     string // and when it had been used before
	Unavailable  string // and when nobody could judge it; see ErrUnavailable
}

// Question is what Begin returns. The Service seals it whole into the challenge.
type Question struct {
	State   []byte   // for Finish; never leaves the server
	Prompt  Prompt   // for the person
	Message *Message // to be sent: Channel, To, Body and Country; nil: none

	Tries int           // how many answers it takes; 0 means Policy.Tries, which is also the most
	For   time.Duration // how long it is open; 0 means Policy.CodeFor, which is also the most
}

// Prompt is shown to the person: pages render it, the API returns it as JSON.
// At enrollment it may hold a secret, so it does not print and is never logged.
type Prompt struct {
	Text    string            `json:"text,omitempty"`    // message key
	Args    map[string]string `json:"args,omitempty"`    // its placeholders
	QR      string            `json:"qr,omitempty"`      // content of a QR code, also a link that opens the app
	Manual  string            `json:"manual,omitempty"`  // the same, to be typed
	Options json.RawMessage   `json:"options,omitempty"` // for a script in the browser
}

// Format keeps the prompt out of messages made with fmt, whatever the verb.
func (Prompt) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue keeps the prompt out of logs.
func (Prompt) LogValue() slog.Value { return slog.StringValue(hidden) }

// Answer is what the person gave, by Field.Name. It does not print.
type Answer map[string]string

// Format keeps the answer out of messages made with fmt, whatever the verb.
func (Answer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText keeps the answer out of JSON; it may be read from there.
func (Answer) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue keeps the answer out of logs.
func (Answer) LogValue() slog.Value { return slog.StringValue(hidden) }

// NewFactor is what FinishEnroll found.
type NewFactor struct {
	Name    string // empty: what the person typed, else Hint, else Description.Name
	Hint    string // all that may be shown before the second step: "•••• 42"; often empty
	Digest  []byte // what makes it one of a kind; the Service stores its MAC as a unique key
	Secret  Secret // sealed by the Service
	Counter int64  // TOTP: the step of the confirming code, so that it cannot sign in

	AMR []string // nil: Description.AMR
}

// Proof is what FinishVerify found.
//
// Counter must be greater than the factor's stored one, or the answer is a
// replay. One rule serves all methods: the TOTP time step, the WebAuthn
// signature count, the Yubico OTP counters. A nil Counter is only for proofs
// that cannot come twice because they answer this very challenge, and only of
// factors that never counted: after a counter has moved, no proof does without.
type Proof struct {
	Factor  FactorID
	Counter *int64

	// AMR says how it was proved, where that differs from proof to proof. Nil:
	// Description.AMR. Only what a fake site cannot pass on may be called "hwk",
	// "swk" or "pop"; a typed code never is.
	AMR []string
}
