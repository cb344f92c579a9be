package twinlatch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/netip"
	"slices"
	"time"
)

// Event is one line of the audit trail. Hash covers all other fields and the
// hash of the event before, so that none can be changed, moved or left out
// unnoticed. Detail is covered by its salted digest: it can be erased and the
// chain still holds.
type Event struct {
	Account      AccountID
	Seq          int64 // 1, 2, 3 … per account
	At           time.Time
	Type         EventType
	Actor        string // "self": the person; else the actor of OnBehalf or of an Administrator
	Detail       Detail // zero once erased
	DetailDigest []byte
	Hash         []byte
}

// Detail is what an event knows about people. It never holds a secret.
type Detail struct {
	Salt      []byte            `json:"salt"`
	IP        netip.Addr        `json:"ip"` // zero: unknown
	UserAgent string            `json:"user_agent,omitempty"`
	More      map[string]string `json:"more,omitempty"` // see EventType
}

// EventType names what happened. What stands in Detail.More:
//
//   - "kind" and "name" of a factor, as they were then; "kind" is a Kind, and
//     "password" of a sign-in that needed no second step,
//   - "reason": the Reason for which the second step was asked; empty when the
//     session passed and the person gave a fresh proof,
//   - "network": "new" when the second step was not done from there in 90 days, nor, while
//     two-step verification is off, a sign-in,
//   - "times": how many wrong answers there were since the last right one,
//   - "copied": "new" when a key may have been copied, once a day for each,
//   - "all": "yes" when a factor was removed by turning everything off,
//   - "amr": how it was done, RFC 8176 values with spaces between,
//   - "left": how many backup codes are left,
//   - "device": the user agent of the session that was ended,
//   - "why": the reason given to OnBehalf or by an Administrator,
//   - "from" and "to": addresses; "to" of EventAddressAsked: a new one,
//   - "app": the host of a protected app,
//   - "group", "from", "grace": of a Requirement,
//   - "groups": those that an account is in now.
type EventType string

const (
	EventAccountCreated   EventType = "account.created"
	EventSignUpAgain      EventType = "account.asked"     // somebody asked for an account with this address
	EventNameChanged      EventType = "account.renamed"   // More: name
	EventAddressAsked     EventType = "address.asked"     // a link was sent to an address; More: to
	EventAddressConfirmed EventType = "address.confirmed" // mail to the address reaches its owner
	EventAddressChanged   EventType = "address.changed"   // More: from, to
	EventAddressRestored  EventType = "address.restored"  // by the owner of the one before; More: from, to
	EventSignedIn         EventType = "signin.ok"         // while two-step verification is off; More: kind
	EventFirstStep        EventType = "signin.first"      // the password was right, the second step is owed
	EventAsked            EventType = "verify.asked"      // a session that had passed is asked again; More: reason
	EventVerified         EventType = "verify.ok"         // More: kind, name, reason, amr
	EventWrongCode        EventType = "verify.wrong"      // More: kind
	EventReplayed         EventType = "verify.replay"     // a used code came again, or a counter stepped back; More: kind, name where it is known
	EventRecovered        EventType = "recover.ok"        // a backup code was used; More: left
	EventWrongBackup      EventType = "recover.wrong"
	EventFactorAdded      EventType = "factor.added"     // More: kind, name
	EventFactorRenamed    EventType = "factor.renamed"   // More: kind, name
	EventFactorPreferred  EventType = "factor.preferred" // it is asked first; More: kind, name
	EventFactorRemoved    EventType = "factor.removed"   // one for each, also when all are removed; More: kind, name
	EventTwoStepOn        EventType = "twostep.on"
	EventTwoStepOff       EventType = "twostep.off"
	EventBackupCodesMade  EventType = "backup.made"
	EventConfirmed        EventType = "password.confirmed"   // the first step was done again
	EventResetAsked       EventType = "password.reset_asked" // by whom is not known
	EventPasswordReset    EventType = "password.reset"       // by a link
	EventPasswordChanged  EventType = "password.changed"
	EventAlarm            EventType = "owner.alarm" // "This was not me"
	EventSignedOut        EventType = "session.signed_out"
	EventSessionEnded     EventType = "session.ended" // More: device
	EventOthersEnded      EventType = "session.others_ended"
	EventAppOpened        EventType = "session.app_opened" // the session got a token for an app's host; More: app

	// By administrators; More: why.
	EventTwoStepReset    EventType = "twostep.reset" // all factors and codes were removed
	EventSessionsEnded   EventType = "session.all_ended"
	EventAccountDisabled EventType = "account.disabled"
	EventAccountEnabled  EventType = "account.enabled"
	EventAccountDeleted  EventType = "account.deleted"
	EventGroupsChanged   EventType = "account.groups"       // More: groups
	EventRequired        EventType = "twostep.required"     // in the trail of RealmSystem; More: group, from, grace
	EventNotRequired     EventType = "twostep.not_required" // likewise; More: group
)

// chained fills what makes e the successor of the head: Seq, DetailDigest and Hash.
func (e Event) chained(rand io.Reader, seq int64, prev []byte) (Event, error) {
	e.Seq = seq + 1
	e.At = e.At.UTC().Truncate(time.Millisecond)
	e.Detail.Salt = make([]byte, 16)
	if _, err := io.ReadFull(rand, e.Detail.Salt); err != nil {
		return Event{}, err
	}
	var err error
	if e.DetailDigest, err = e.Detail.digest(); err != nil {
		return Event{}, err
	}
	e.Hash = e.link(prev)
	return e, nil
}

func (d Detail) digest() ([]byte, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	h := sha256.Sum256(b)
	return h[:], nil
}

// link is the hash of e after an event with hash prev.
func (e Event) link(prev []byte) []byte {
	h := sha256.New()
	var n [8]byte
	field := func(b []byte) {
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	number := func(v int64) {
		binary.BigEndian.PutUint64(n[:], uint64(v))
		h.Write(n[:])
	}
	field(prev)
	field([]byte(e.Account))
	number(e.Seq)
	number(e.At.UnixMilli())
	field([]byte(e.Type))
	field([]byte(e.Actor))
	field(e.DetailDigest)
	return h.Sum(nil)
}

// maxDetail is how much one value of Detail.More may hold, in bytes.
const maxDetail = 1000

// record appends an event to the account's chain, inside the caller's
// transaction and after its Lock.
func (s *Service) record(tx Tx, id AccountID, actor string, c Client, t EventType, more map[string]string) error {
	seq, hash, err := tx.Head()
	if err != nil {
		return err
	}
	for k, v := range more {
		more[k] = clip(v, maxDetail)
	}
	e, err := Event{
		Account: id, At: s.now(), Type: t, Actor: actor,
		Detail: Detail{IP: canonical(c.IP), UserAgent: clip(c.UserAgent, maxUserAgent), More: more},
	}.chained(s.cfg.Rand, seq, hash)
	if err != nil {
		return err
	}
	if err := tx.Append(e); err != nil {
		return err
	}
	return s.notify(tx, e, c)
}

// Events lists an account's newest events before seq (0: the newest of all).
// n is at most 1000.
func (s *Service) Events(ctx context.Context, by Authority, before int64, n int) ([]Event, error) {
	id, _ := by.authority()
	var events []Event
	err := s.cfg.Store.View(ctx, id, func(v View) (err error) {
		if err = s.allowed(v, by, look); err != nil {
			return err
		}
		events, err = v.Events(before, min(n, 1000))
		return err
	})
	return events, err
}

// VerifyEvents walks the account's whole chain. A *TamperError names the first
// event that was edited, reordered, deleted or cut off.
func (s *Service) VerifyEvents(ctx context.Context, id AccountID) error {
	return s.walk(ctx, id, func(Event) {})
}

// walk is VerifyEvents, and has good events seen, oldest first.
func (s *Service) walk(ctx context.Context, id AccountID, see func(Event)) error {
	return s.cfg.Store.View(ctx, id, func(v View) error {
		head, last, err := v.Head()
		if err != nil {
			return err
		}
		var chain []Event // newest first
		for before := int64(0); ; before = chain[len(chain)-1].Seq {
			page, err := v.Events(before, 500)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			chain = append(chain, page...)
		}
		var prev []byte
		for i, e := range slices.Backward(chain) {
			want := int64(len(chain) - i)
			if e.Seq != want || !bytes.Equal(e.Hash, e.link(prev)) || !e.detailFits() {
				return &TamperError{id, want}
			}
			prev = e.Hash
			see(e)
		}
		if int64(len(chain)) != head || !bytes.Equal(prev, last) {
			return &TamperError{id, min(int64(len(chain)), head) + 1}
		}
		return nil
	})
}

// detailFits reports whether Detail is what was written, or was erased. Erased
// is all of it: what has lost only its salt was edited.
func (e Event) detailFits() bool {
	d := e.Detail
	if d.Salt == nil && !d.IP.IsValid() && d.UserAgent == "" && d.More == nil {
		return true
	}
	digest, err := d.digest()
	return err == nil && bytes.Equal(digest, e.DetailDigest)
}
