package twinlatch

import (
	"errors"
	"fmt"
	"time"
)

// What a caller may meet. Functions wrap them, so test with errors.Is and
// errors.As. Any other error means that something is broken (the database, the
// keys): deny, and show its text to operators only.
var (
	ErrNotFound       = errors.New("not found")
	ErrExists         = errors.New("already exists")
	ErrNoSession      = errors.New("not signed in")
	ErrWrongPassword  = errors.New("wrong login or password")
	ErrWrongCode      = errors.New("wrong code")
	ErrReplayed       = errors.New("code was used before")
	ErrUnavailable    = errors.New("nobody can judge the answer now")
	ErrExpired        = errors.New("challenge is over")
	ErrNoTriesLeft    = errors.New("no tries left")
	ErrLimited        = errors.New("too many tries") // always a *LimitError
	ErrBusy           = errors.New("too many passwords at once")
	ErrNotFresh       = errors.New("verify again to change security settings")
	ErrRecovered      = errors.New("a backup code is not enough for this")
	ErrTwoStepOff     = errors.New("two-step verification is off")
	ErrUnconfirmed    = errors.New("the e-mail address is not confirmed")
	ErrForbidden      = errors.New("not an administrator, or not for this account")
	ErrUnknownAddress = errors.New("the client's address is unknown")
	ErrDisabled       = errors.New("account is disabled")
	ErrNoRoute        = errors.New("no sender for this message")
	ErrBadRecipient   = errors.New("this address cannot get messages")
	ErrWrongKeys      = errors.New("the store was written with other keys")
)

// FieldError says which input is wrong and why. Key is a message key for the
// person; Args are its placeholders.
type FieldError struct {
	Field, Key string
	Args       map[string]string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Key }

// LimitError wraps ErrLimited and tells when to come back. A zero RetryAt means
// that waiting does not help: the method is paused until a success with it or
// until it is set up anew.
type LimitError struct{ RetryAt time.Time }

func (e *LimitError) Error() string { return ErrLimited.Error() }
func (e *LimitError) Unwrap() error { return ErrLimited }

// WrongCodeError wraps ErrWrongCode or ErrReplayed and tells how many tries are
// left before the challenge is over or the account has to wait.
type WrongCodeError struct {
	Cause     error  // ErrWrongCode or ErrReplayed, or an error that wraps one
	Key       string // message key that says more than Field.Wrong; often empty
	TriesLeft int
}

// Error is for anybody. What Cause wraps is for operators: it may say more.
func (e *WrongCodeError) Error() string {
	if errors.Is(e.Cause, ErrReplayed) {
		return ErrReplayed.Error()
	}
	return ErrWrongCode.Error()
}
func (e *WrongCodeError) Unwrap() error { return e.Cause }

// KeyInUseError says that a key cannot be retired yet: a process that does not
// seal with the newest key was there at SeenAt, and seals with Key.
type KeyInUseError struct {
	Key    string
	SeenAt time.Time
}

func (e *KeyInUseError) Error() string {
	return fmt.Sprintf("a process that seals with key %s was seen at %s", e.Key, e.SeenAt.Format(time.RFC3339))
}

// TamperError names the first event that is not as it was written.
type TamperError struct {
	Account AccountID
	Seq     int64
}

func (e *TamperError) Error() string {
	return fmt.Sprintf("event %s/%d was altered or is missing", e.Account, e.Seq)
}

// CheckpointError names a checkpoint that is not as it was made, or that holds an
// event which is not there any more as it was.
type CheckpointError struct {
	Checkpoint int64
	Account    AccountID // empty: it is the checkpoint itself
	Seq        int64     // of the event
}

func (e *CheckpointError) Error() string {
	if e.Account == "" {
		return fmt.Sprintf("checkpoint %d was altered or is missing", e.Checkpoint)
	}
	return fmt.Sprintf("event %s/%d is not the one that checkpoint %d holds: it or one before it was altered or is missing", e.Account, e.Seq, e.Checkpoint)
}
