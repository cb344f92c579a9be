package storetest

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// snapshot is all that can be read of an account.
type snapshot struct {
	Account    twinlatch.Account
	Password   twinlatch.Sealed
	Sessions   []twinlatch.SessionRow
	Factors    []twinlatch.StoredFactor
	Backup     twinlatch.BackupCodes
	Challenges []twinlatch.StoredChallenge
	Delivery   twinlatch.Delivery
	Known      bool
	Seq        int64
	Hash       []byte
	Events     []twinlatch.Event
}

// What filled gives every account. The ids are the same in each, so that a
// statement which forgets the account finds the wrong row.
const (
	sharedSession   twinlatch.SessionID   = "session"
	sharedFactor    twinlatch.FactorID    = "factor"
	sharedChallenge twinlatch.ChallengeID = "challenge"
	sharedMessage   twinlatch.MessageID   = "message"
)

var sharedNetwork = netip.MustParsePrefix("192.0.2.0/24")

// filled makes an account that has one of everything.
func (s *suite) filled(t *testing.T) twinlatch.AccountID {
	t.Helper()
	id := s.newAccount(t)
	n := everyField()
	n.Account, n.ID = id, sharedSession
	f := twinlatch.StoredFactor{
		Factor: twinlatch.Factor{ID: sharedFactor, Kind: "totp", Name: "Phone", Counter: 1, CreatedAt: now},
		Digest: []byte("digest"), Sealed: twinlatch.Sealed{Key: "k1", Text: []byte("sealed")},
	}
	c := twinlatch.StoredChallenge{
		Challenge: twinlatch.Challenge{
			ID: sharedChallenge, Purpose: twinlatch.Verify, Session: sharedSession, Kind: "totp",
			TriesLeft: 5, ResendAt: now, ExpiresAt: now.Add(time.Hour),
		},
		Sealed: twinlatch.Sealed{Key: "k1", Text: []byte("sealed")}, CreatedAt: now,
	}
	m := twinlatch.StoredMessage{
		Account: id, ID: sharedMessage, Challenge: sharedChallenge, Tries: 1, Delivery: twinlatch.Queued, CreatedAt: now,
		Sealed: twinlatch.Sealed{Text: []byte{1}}, ExpiresAt: now.Add(time.Hour),
	}
	s.tx(t, id, func(tx twinlatch.Tx) error {
		_, err := tx.Try("totp/known", twinlatch.Throttle{Most: 2}, now)
		return errors.Join(err,
			tx.PutPassword(twinlatch.Sealed{Key: "k1", Text: []byte("hash")}, now),
			tx.InsertSession(n, []byte("secret")),
			tx.InsertFactor(f),
			tx.SetPreferred(sharedFactor),
			tx.InsertChallenge(c),
			tx.Enqueue(m),
			tx.ReplaceBackupCodes([]byte("salt"), [][]byte{{1}, {2}}, now),
			tx.PutNetwork(sharedNetwork, now),
			tx.Append(twinlatch.Event{Account: id, Seq: 1, At: now, DetailDigest: []byte{1}, Hash: []byte{1}}))
	})
	return id
}

func read(v twinlatch.View) (snapshot, error) {
	var got snapshot
	var errs [8]error
	got.Account, errs[0] = v.Account()
	got.Password, errs[1] = v.Password()
	sessions, err := v.Sessions(time.Time{})
	errs[2] = err
	for _, n := range sessions {
		row, err := v.Session(n.ID)
		errs[3] = errors.Join(errs[3], err)
		got.Sessions = append(got.Sessions, row)
	}
	got.Factors, errs[4] = v.Factors()
	got.Backup, err = v.BackupCodes()
	if !errors.Is(err, twinlatch.ErrNotFound) {
		errs[5] = err
	}
	if c, err := v.Challenge(sharedChallenge, sharedSession); !errors.Is(err, twinlatch.ErrNotFound) {
		errs[6] = err
		got.Challenges = append(got.Challenges, c)
	}
	if got.Delivery, err = v.Delivery(sharedChallenge); !errors.Is(err, twinlatch.ErrNotFound) {
		errs[6] = errors.Join(errs[6], err)
	}
	got.Known, err = v.Verified(sharedNetwork, now)
	errs[6] = errors.Join(errs[6], err)
	got.Seq, got.Hash, errs[7] = v.Head()
	got.Events, err = v.Events(0, 1000)
	return got, errors.Join(err, errors.Join(errs[:]...))
}

func (s *suite) snapshot(t *testing.T, id twinlatch.AccountID) (got snapshot) {
	t.Helper()
	s.read(t, id, func(v twinlatch.View) (err error) {
		got, err = read(v)
		return err
	})
	return got
}

type write struct {
	name string
	run  func(twinlatch.Tx) error
}

// writes are all writes of a Tx, in an order in which each changes something in
// an account that looks like of.
func writes(of snapshot) []write {
	n := of.Sessions[0].Session
	n.SeenAt = n.SeenAt.Add(time.Minute)
	later := now.Add(time.Minute)
	return []write{
		{"Lock", func(tx twinlatch.Tx) error { return tx.Lock() }},
		{"Hold", func(tx twinlatch.Tx) error { return tx.Hold() }},
		{"UpdateAccount", func(tx twinlatch.Tx) error {
			a := of.Account
			a.Locale, a.DisplayName, a.Groups, a.ConfirmedAt, a.ResetAt = "cs", "New", []string{"new"}, later, later
			return tx.UpdateAccount(a)
		}},
		{"SetPreferred", func(tx twinlatch.Tx) error { return tx.SetPreferred("") }},
		{"PutPassword", func(tx twinlatch.Tx) error { return tx.PutPassword(twinlatch.Sealed{Key: "k2", Text: []byte{1}}, now) }},
		{"InsertFactor", func(tx twinlatch.Tx) error {
			return tx.InsertFactor(twinlatch.StoredFactor{Factor: twinlatch.Factor{ID: "new"}, Digest: []byte{1}, Sealed: twinlatch.Sealed{Text: []byte{1}}})
		}},
		{"DeleteFactor", func(tx twinlatch.Tx) error {
			if err := tx.InsertFactor(twinlatch.StoredFactor{Factor: twinlatch.Factor{ID: "short"}, Digest: []byte{2}}); err != nil {
				return err
			}
			return tx.DeleteFactor("short")
		}},
		{"RenameFactor", func(tx twinlatch.Tx) error { return tx.RenameFactor(sharedFactor, "New name") }},
		{"Advance", func(tx twinlatch.Tx) error {
			factors, err := tx.Factors()
			if err != nil {
				return err
			}
			return tx.Advance(sharedFactor, factors[len(factors)-1].Counter+1, later)
		}},
		{"Used", func(tx twinlatch.Tx) error {
			if err := tx.InsertFactor(twinlatch.StoredFactor{Factor: twinlatch.Factor{ID: "used"}, Digest: []byte{3}}); err != nil {
				return err
			}
			return tx.Used("used", later)
		}},
		{"Copied", func(tx twinlatch.Tx) error { _, err := tx.Copied(sharedFactor, later, later); return err }},
		{"Spend", func(tx twinlatch.Tx) error { _, err := tx.Spend(sharedChallenge, sharedSession, now); return err }},
		{"Resend", func(tx twinlatch.Tx) error { return tx.Resend(sharedChallenge, sharedSession, now, later) }},
		{"Sent", func(tx twinlatch.Tx) error {
			return tx.Sent(twinlatch.StoredMessage{ID: sharedMessage, Tries: 1, Delivery: twinlatch.Sent})
		}},
		{"Answered", func(tx twinlatch.Tx) error { return tx.Answered(sharedChallenge) }},
		{"Enqueue", func(tx twinlatch.Tx) error {
			return tx.Enqueue(twinlatch.StoredMessage{
				Account: of.Account.ID, ID: "new", Challenge: sharedChallenge, Delivery: twinlatch.Failed, CreatedAt: later, ExpiresAt: later,
			})
		}},
		{"Consume", func(tx twinlatch.Tx) error { return tx.Consume(sharedChallenge, sharedSession, now) }},
		{"InsertChallenge", func(tx twinlatch.Tx) error {
			return tx.InsertChallenge(twinlatch.StoredChallenge{Challenge: twinlatch.Challenge{
				ID: "new", Purpose: twinlatch.Verify, Session: sharedSession, TriesLeft: 5, ExpiresAt: later,
			}})
		}},
		{"EndChallenges", func(tx twinlatch.Tx) error { return tx.EndChallenges(sharedSession, twinlatch.Verify, now) }},
		{"Touch", func(tx twinlatch.Tx) error { return tx.Touch(sharedSession, netip.Addr{}, later, later) }},
		{"UpdateSession", func(tx twinlatch.Tx) error { return tx.UpdateSession(n, []byte("secret"), []byte("new")) }},
		{"InsertSession", func(tx twinlatch.Tx) error {
			another := n
			another.ID = "new"
			return tx.InsertSession(another, []byte("new"))
		}},
		{"DeleteSession", func(tx twinlatch.Tx) error { return tx.DeleteSession(sharedSession) }},
		{"DeleteSessions", func(tx twinlatch.Tx) error { _, err := tx.DeleteSessions(""); return err }},
		{"UseBackupCode", func(tx twinlatch.Tx) error { return tx.UseBackupCode([]byte{1}, now) }},
		{"ReplaceBackupCodes", func(tx twinlatch.Tx) error { return tx.ReplaceBackupCodes([]byte("new"), [][]byte{{3}}, later) }},
		{"ForgetNetworks", func(tx twinlatch.Tx) error { return tx.ForgetNetworks() }},
		{"PutNetwork", func(tx twinlatch.Tx) error { return tx.PutNetwork(sharedNetwork, later) }},
		{"Try", func(tx twinlatch.Tx) error {
			_, err := tx.Try("totp/known", twinlatch.Throttle{Most: 2}, now)
			return err
		}},
		{"Forgive", func(tx twinlatch.Tx) error { return tx.Forgive("totp/known") }},
		{"Append", func(tx twinlatch.Tx) error {
			return tx.Append(twinlatch.Event{Account: of.Account.ID, Seq: of.Seq + 1, At: later, DetailDigest: []byte{2}, Hash: []byte{2}})
		}},
		{"DeleteAll", func(tx twinlatch.Tx) error { return tx.DeleteAll() }},
	}
}

// isolation changes one account in every way and looks at another one that has
// the same ids, digests and names.
func (s *suite) isolation(t *testing.T) {
	mine, other := s.filled(t), s.filled(t)
	before := s.snapshot(t, other)
	for _, w := range writes(s.snapshot(t, mine)) {
		s.tx(t, mine, w.run)
		same(t, s.snapshot(t, other), before)
		if t.Failed() {
			t.Fatalf("%s reaches another account", w.name)
		}
	}
	// What cannot be read can be tried: the other one's tries, codes and
	// challenge count as before.
	s.refused(t, twinlatch.ErrWrongCode, mine, func(tx twinlatch.Tx) error { return tx.UseBackupCode([]byte{1}, now) })
	s.tx(t, other, func(tx twinlatch.Tx) error {
		run, err := tx.Try("totp/known", twinlatch.Throttle{Most: 2}, now)
		same(t, run, 2)
		return errors.Join(err,
			tx.UseBackupCode([]byte{1}, now), tx.UseBackupCode([]byte{2}, now),
			tx.Advance(sharedFactor, 2, now), tx.Consume(sharedChallenge, sharedSession, now))
	})
}
