package twinlatch

import (
	"context"
	"net/netip"
	"time"
)

// Store keeps everything. What belongs to an account is changed in a Tx of that
// account, and a Tx reaches nothing else, so that one account never needs two
// shards. Times are kept to the millisecond. A Store is safe for concurrent use
// and durable: what a returned call wrote survives a crash. storetest holds the
// suite that each Store must pass.
type Store interface {
	// Tx runs fn in one transaction: all it wrote is kept, or, when fn or the
	// commit fails, nothing. It may run fn again after a conflict, so fn must
	// not act outside the Tx. The error of fn is returned as it is.
	Tx(ctx context.Context, id AccountID, fn func(Tx) error) error

	// View runs fn on one consistent, read-only state.
	View(ctx context.Context, id AccountID, fn func(View) error) error

	// Session is the read of Service.Check, one SELECT by primary key: the
	// session with its account and the hash of its secret, expired or not.
	// Absent, or of a deleted account: ErrNotFound. Nobody changes the row: a Store
	// may give the same one again.
	Session(ctx context.Context, id AccountID, s SessionID) (*SessionRow, error)

	// Hosted is Session for the token of an app's host: the hash is that of PutHost.
	Hosted(ctx context.Context, id AccountID, s SessionID, host string) (*SessionRow, error)

	// AccountByLogin finds an account. Absent: ErrNotFound.
	AccountByLogin(ctx context.Context, realm, login string) (AccountID, error)

	// Take counts against a limit that accounts share: at most Most within a
	// Window that begins with the first. More is a *LimitError. end is when the
	// window ends.
	Take(ctx context.Context, l Limit, now time.Time) (end time.Time, err error)

	// Return gives one Take of the window that ends then back. When that one is
	// over it does nothing.
	Return(ctx context.Context, l Limit, end time.Time) error

	// Lease gives out at most n messages that are due, those due first; each
	// to one caller, who has it until then. Not due are messages that have
	// expired, and those of a challenge that was answered, has ended, was removed
	// or has no tries left, or whose session has ended.
	Lease(ctx context.Context, now, until time.Time, n int) ([]StoredMessage, error)

	// Receive notes Delivered or Failed of the message that r names, by its ID
	// or else by Ref, and that r.Sender carried. Delivered is final, and may come
	// before Sent. ErrNotFound.
	Receive(ctx context.Context, r Receipt) error

	// Settle deletes messages that have expired and counts for each route how
	// many of those that were sent had their code typed back. A route with
	// AnswersJudged of them is judged anew: paused for PausedFor when they are
	// not AnswersEnough. It returns the routes paused by this call.
	Settle(ctx context.Context, now time.Time) (paused []string, err error)

	// Paused is a *LimitError while a route is paused.
	Paused(ctx context.Context, route string, now time.Time) error

	// CheckKeys remembers the check values of keys. When one that it remembers
	// is missing in checks or differs it writes nothing: ErrWrongKeys. A retired
	// one may be missing.
	CheckKeys(ctx context.Context, checks map[string][]byte) error

	// PutRequest keeps what a stranger asked for. LeaseRequests gives at most n of
	// those that are due and makes them due again at until; of any number of
	// callers one gets each. It deletes those that are too old.
	PutRequest(ctx context.Context, r StoredRequest) error
	LeaseRequests(ctx context.Context, now, until time.Time, n int) ([]StoredRequest, error)
	DeleteRequest(ctx context.Context, id RequestID) error

	// NewestEvent is when the newest event of any account was written; zero
	// without events.
	NewestEvent(ctx context.Context) (time.Time, error)

	// Sweep deletes sessions and challenges that ended, limits that reset and
	// networks not verified from since then.
	Sweep(ctx context.Context, now, since time.Time) error

	Trail
	Rotation
	Administration

	// Ping reports whether the store can be used now.
	Ping(ctx context.Context) error

	Close() error
}

// SessionRow is a session as a Store has it.
type SessionRow struct {
	Session    Session
	Account    Account
	SecretHash []byte
}

// Limit is a counter that accounts share.
type Limit struct {
	Scope  string // whose: "ip:192.0.2.1/32", "login:" and a MAC
	Name   string // of what: "password", "code"
	Most   int
	Window time.Duration
	Cost   int // how much of Most one Take takes; 0: 1
}

// Throttle says how the counter of wrong tries of one account slows down.
type Throttle struct {
	Free  int // this many without delay; then 30 s, doubling to 1 h. 0: no delay
	Most  int // and never more than this between two successes. 0: any number
	Daily int // nor than this within 24 hours of the first. 0: any number
}

// View reads one account. Absent rows are ErrNotFound, absent lists are empty.
type View interface {
	Account() (Account, error)
	Password() (Sealed, error)
	Session(s SessionID) (SessionRow, error)
	Sessions(now time.Time) ([]Session, error) // not expired, newest request first, at most MaxSessions
	Factors() ([]StoredFactor, error)          // oldest first
	BackupCodes() (BackupCodes, error)

	// Challenge is one that was not consumed, whether or not it is over. Open is
	// the session's newest of a purpose that can be answered: not consumed, tries
	// left, now before its end.
	Challenge(c ChallengeID, s SessionID) (StoredChallenge, error)
	// Newest is the session's newest that was not consumed, over or not.
	Open(s SessionID, p Purpose, now time.Time) (StoredChallenge, error)
	Newest(s SessionID, p Purpose) (StoredChallenge, error)

	Ticket(t TicketID) (StoredTicket, error) // not used up; it may be too old

	// Delivery is what became of the newest message of a challenge. ErrNotFound:
	// none was sent, or it has expired.
	Delivery(c ChallengeID) (Delivery, error)

	// Verified reports whether network was put since then.
	Verified(network netip.Prefix, since time.Time) (bool, error)

	Head() (seq int64, hash []byte, err error) // of the chain of events; 0 and empty at first
	Events(before int64, n int) ([]Event, error)
}

// Tx reads and changes one account. It has two kinds of writes. Plain ones
// write rows. Guards (Lock, Hold, UpdateAccount, Try, Spend, Consume, Resend, Sent, Advance, Used, Copied,
// Redeem, UpdateSession, UseBackupCode, Append) are single conditional statements: of any number of
// concurrent callers exactly the allowed number succeed, the others get the
// named error.
type Tx interface {
	View

	// Lock makes changes of one account serial. It is the first statement of
	// every change. ErrDisabled: the account is disabled or absent.
	Lock() error
	// Hold is Lock for those who may change a disabled account. ErrNotFound: it is
	// deleted or absent.
	Hold() error

	// InsertAccount makes an account. ErrExists: its login is taken in its realm, or
	// was another one's until a while ago, who has a ticket to take it back.
	InsertAccount(a Account) error
	SetPreferred(f FactorID) error // empty: the oldest; ErrNotFound
	// UpdateAccount writes all but ID, Realm, Preferred, CreatedAt and what is
	// computed. Guard: ErrExists as in InsertAccount; then nothing of the
	// transaction may be kept. ErrNotFound.
	UpdateAccount(a Account) error
	// PutRequirement sets the one of its group in a realm; DeleteRequirement takes it
	// back: ErrNotFound. They reach beyond the account: see Administer.
	PutRequirement(realm string, r Requirement) error
	DeleteRequirement(realm, group string) error
	// Erase deletes all rows of the account but its own and its events, whose
	// details it erases.
	Erase() error
	PutPassword(hash Sealed, now time.Time) error

	InsertFactor(f StoredFactor) error                      // ErrExists: the same thing is enrolled already
	RenameFactor(f FactorID, name string) error             // ErrNotFound
	DeleteFactor(f FactorID) error                          // with its challenges; ErrNotFound
	DeleteAll() error                                       // all factors, backup codes, tries and open verifications
	Advance(f FactorID, counter int64, now time.Time) error // guard; ErrReplayed; ErrNotFound: it is gone
	// Used is Advance of a proof without a counter. Guard: ErrReplayed when the
	// factor counts, that is, its counter is not 0.
	Used(f FactorID, now time.Time) error
	// Copied notes that a factor may have been copied. Guard: it is news to one caller,
	// and again when the last time was at before or earlier. One that is gone is no news.
	Copied(f FactorID, now, before time.Time) (news bool, err error)

	// InsertChallenge ends the session's other ones of the purpose that have
	// tries left. One without tries is left alone: an answer that was counted
	// may still be on its way to Consume.
	InsertChallenge(c StoredChallenge) error
	EndChallenges(s SessionID, p Purpose, now time.Time) error

	// Spend counts an answer before it is judged and returns how many are left
	// after it. Guard: ErrNoTriesLeft, or ErrExpired when it is over, absent or
	// of another session.
	Spend(c ChallengeID, s SessionID, now time.Time) (left int, err error)
	Consume(c ChallengeID, s SessionID, now time.Time) error // guard; ErrExpired
	// Resend lets the message of a challenge be sent again, once until next.
	// Guard: *LimitError, or ErrExpired when it is over, absent or of another
	// session.
	Resend(c ChallengeID, s SessionID, now, next time.Time) error

	InsertTicket(t StoredTicket) error
	// Redeem uses up the ticket with this ID, Purpose and SecretHash. Guard:
	// ErrExpired.
	Redeem(t StoredTicket, now time.Time) error
	DeleteTickets(p TicketPurpose, since time.Time) error // made since then; zero: all

	Enqueue(m StoredMessage) error
	// Sent notes Delivery, Sender, Ref and NextAt of a leased message. A receipt
	// or an answer that came earlier stays, and nothing more is to be done. Guard: ErrNotFound when the lease, which Tries
	// names, is no longer the newest.
	Sent(m StoredMessage) error
	Answered(c ChallengeID) error // the code was typed back: what is not sent yet need not be

	InsertSession(s Session, secretHash []byte) error
	// UpdateSession writes all but ID, Account, UserAgent and CreatedAt. Guard:
	// ErrNoSession when old is no longer the hash of its secret. A new secret ends the
	// tokens of all hosts, as the end of the session does, and its tickets for them.
	UpdateSession(s Session, old, secretHash []byte) error
	// PutHost sets the hash of the one token that a session has for a host. ErrNoSession.
	PutHost(s SessionID, host string, secretHash []byte, now time.Time) error
	// Touch notes a request served, if the last noted one is before stale.
	Touch(s SessionID, ip netip.Addr, now, stale time.Time) error
	DeleteSession(s SessionID) error // ErrNotFound
	// DeleteSessions ends all but one (empty: all) and returns how many.
	DeleteSessions(except SessionID) (int, error)

	ReplaceBackupCodes(salt []byte, digests [][]byte, now time.Time) error // none: deletes
	UseBackupCode(digest []byte, now time.Time) error                      // guard; ErrWrongCode

	PutNetwork(network netip.Prefix, now time.Time) error            // an invalid one is not kept
	ForgetNetworks() error                                           // all
	Try(name string, t Throttle, now time.Time) (run int, err error) // guard; *LimitError
	Forgive(names ...string) error                                   // after a success

	// Append writes an event after the head it names: e.Seq is the head's plus
	// one. Guard: ErrExists when the chain has grown meanwhile.
	Append(e Event) error
}
