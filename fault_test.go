package twinlatch_test

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

var errBroken = errors.New("the disk is full")

// faulty is a Store that breaks at a statement of one's choice.
type faulty struct {
	twinlatch.Store
	only  string       // all statements of this name break
	at    atomic.Int64 // this one breaks, counted from here; 0: none
	broke atomic.Int64 // how many broke
}

// breaking puts a faulty Store into the configuration.
func breaking(f *faulty) func(*twinlatch.Config) {
	return func(c *twinlatch.Config) { f.Store, c.Store = c.Store, f }
}

// run runs a statement, or breaks.
func (f *faulty) run(name string, statement func() error) error {
	if name == f.only || f.at.Load() > 0 && f.at.Add(-1) == 0 {
		f.broke.Add(1)
		return errBroken
	}
	return statement()
}

func run[T any](f *faulty, name string, statement func() (T, error)) (result T, err error) {
	err = f.run(name, func() error { result, err = statement(); return err })
	return result, err
}

func (f *faulty) Tx(c context.Context, id twinlatch.AccountID, fn func(twinlatch.Tx) error) error {
	return f.run("begin", func() error {
		return f.Store.Tx(c, id, func(tx twinlatch.Tx) error {
			if err := fn(faultyTx{faultyView{tx, f}, tx}); err != nil {
				return err
			}
			return f.run("commit", func() error { return nil })
		})
	})
}

func (f *faulty) Administer(c context.Context, admin, target twinlatch.AccountID, fn func(twinlatch.View, twinlatch.Tx) error) error {
	return f.run("begin", func() error {
		return f.Store.Administer(c, admin, target, func(v twinlatch.View, tx twinlatch.Tx) error {
			if err := fn(faultyView{v, f}, faultyTx{faultyView{tx, f}, tx}); err != nil {
				return err
			}
			return f.run("commit", func() error { return nil })
		})
	})
}

func (f *faulty) View(c context.Context, id twinlatch.AccountID, fn func(twinlatch.View) error) error {
	return f.run("view", func() error {
		return f.Store.View(c, id, func(v twinlatch.View) error { return fn(faultyView{v, f}) })
	})
}

func (f *faulty) Session(c context.Context, id twinlatch.AccountID, s twinlatch.SessionID) (*twinlatch.SessionRow, error) {
	return run(f, "Session", func() (*twinlatch.SessionRow, error) { return f.Store.Session(c, id, s) })
}

func (f *faulty) AccountByLogin(c context.Context, realm, login string) (twinlatch.AccountID, error) {
	return run(f, "AccountByLogin", func() (twinlatch.AccountID, error) { return f.Store.AccountByLogin(c, realm, login) })
}

func (f *faulty) Take(c context.Context, l twinlatch.Limit, now time.Time) (time.Time, error) {
	return run(f, "Take", func() (time.Time, error) { return f.Store.Take(c, l, now) })
}

func (f *faulty) Return(c context.Context, l twinlatch.Limit, end time.Time) error {
	return f.run("Return", func() error { return f.Store.Return(c, l, end) })
}

func (f *faulty) PutRequest(c context.Context, r twinlatch.StoredRequest) error {
	return f.run("PutRequest", func() error { return f.Store.PutRequest(c, r) })
}

func (f *faulty) LeaseRequests(c context.Context, now, until time.Time, n int) ([]twinlatch.StoredRequest, error) {
	return run(f, "LeaseRequests", func() ([]twinlatch.StoredRequest, error) { return f.Store.LeaseRequests(c, now, until, n) })
}

func (f *faulty) DeleteRequest(c context.Context, id twinlatch.RequestID) error {
	return f.run("DeleteRequest", func() error { return f.Store.DeleteRequest(c, id) })
}

func (f *faulty) Paused(c context.Context, route string, now time.Time) error {
	return f.run("Paused", func() error { return f.Store.Paused(c, route, now) })
}

type faultyView struct {
	twinlatch.View
	f *faulty
}

func (v faultyView) Account() (twinlatch.Account, error) { return run(v.f, "Account", v.View.Account) }
func (v faultyView) Password() (twinlatch.Sealed, error) {
	return run(v.f, "Password", v.View.Password)
}
func (v faultyView) Session(s twinlatch.SessionID) (twinlatch.SessionRow, error) {
	return run(v.f, "Session", func() (twinlatch.SessionRow, error) { return v.View.Session(s) })
}
func (v faultyView) Sessions(now time.Time) ([]twinlatch.Session, error) {
	return run(v.f, "Sessions", func() ([]twinlatch.Session, error) { return v.View.Sessions(now) })
}
func (v faultyView) Factors() ([]twinlatch.StoredFactor, error) {
	return run(v.f, "Factors", v.View.Factors)
}
func (v faultyView) BackupCodes() (twinlatch.BackupCodes, error) {
	return run(v.f, "BackupCodes", v.View.BackupCodes)
}
func (v faultyView) Challenge(c twinlatch.ChallengeID, s twinlatch.SessionID) (twinlatch.StoredChallenge, error) {
	return run(v.f, "Challenge", func() (twinlatch.StoredChallenge, error) { return v.View.Challenge(c, s) })
}
func (v faultyView) Open(s twinlatch.SessionID, p twinlatch.Purpose, now time.Time) (twinlatch.StoredChallenge, error) {
	return run(v.f, "Open", func() (twinlatch.StoredChallenge, error) { return v.View.Open(s, p, now) })
}
func (v faultyView) Newest(s twinlatch.SessionID, p twinlatch.Purpose) (twinlatch.StoredChallenge, error) {
	return run(v.f, "Newest", func() (twinlatch.StoredChallenge, error) { return v.View.Newest(s, p) })
}
func (v faultyView) Delivery(c twinlatch.ChallengeID) (twinlatch.Delivery, error) {
	return run(v.f, "Delivery", func() (twinlatch.Delivery, error) { return v.View.Delivery(c) })
}
func (v faultyView) Ticket(k twinlatch.TicketID) (twinlatch.StoredTicket, error) {
	return run(v.f, "Ticket", func() (twinlatch.StoredTicket, error) { return v.View.Ticket(k) })
}
func (v faultyView) Verified(n netip.Prefix, since time.Time) (bool, error) {
	return run(v.f, "Verified", func() (bool, error) { return v.View.Verified(n, since) })
}
func (v faultyView) Head() (seq int64, hash []byte, err error) {
	err = v.f.run("Head", func() error { seq, hash, err = v.View.Head(); return err })
	return seq, hash, err
}
func (v faultyView) Events(before int64, n int) ([]twinlatch.Event, error) {
	return run(v.f, "Events", func() ([]twinlatch.Event, error) { return v.View.Events(before, n) })
}

type faultyTx struct {
	faultyView
	tx twinlatch.Tx
}

func (t faultyTx) Lock() error  { return t.f.run("Lock", t.tx.Lock) }
func (t faultyTx) Hold() error  { return t.f.run("Hold", t.tx.Hold) }
func (t faultyTx) Erase() error { return t.f.run("Erase", t.tx.Erase) }
func (t faultyTx) PutRequirement(realm string, r twinlatch.Requirement) error {
	return t.f.run("PutRequirement", func() error { return t.tx.PutRequirement(realm, r) })
}
func (t faultyTx) DeleteRequirement(realm, group string) error {
	return t.f.run("DeleteRequirement", func() error { return t.tx.DeleteRequirement(realm, group) })
}
func (t faultyTx) InsertAccount(a twinlatch.Account) error {
	return t.f.run("InsertAccount", func() error { return t.tx.InsertAccount(a) })
}
func (t faultyTx) UpdateAccount(a twinlatch.Account) error {
	return t.f.run("UpdateAccount", func() error { return t.tx.UpdateAccount(a) })
}
func (t faultyTx) SetPreferred(id twinlatch.FactorID) error {
	return t.f.run("SetPreferred", func() error { return t.tx.SetPreferred(id) })
}
func (t faultyTx) PutPassword(hash twinlatch.Sealed, now time.Time) error {
	return t.f.run("PutPassword", func() error { return t.tx.PutPassword(hash, now) })
}
func (t faultyTx) InsertFactor(s twinlatch.StoredFactor) error {
	return t.f.run("InsertFactor", func() error { return t.tx.InsertFactor(s) })
}
func (t faultyTx) RenameFactor(id twinlatch.FactorID, name string) error {
	return t.f.run("RenameFactor", func() error { return t.tx.RenameFactor(id, name) })
}
func (t faultyTx) DeleteFactor(id twinlatch.FactorID) error {
	return t.f.run("DeleteFactor", func() error { return t.tx.DeleteFactor(id) })
}
func (t faultyTx) DeleteAll() error { return t.f.run("DeleteAll", t.tx.DeleteAll) }
func (t faultyTx) Advance(id twinlatch.FactorID, counter int64, now time.Time) error {
	return t.f.run("Advance", func() error { return t.tx.Advance(id, counter, now) })
}
func (t faultyTx) ForgetNetworks() error { return t.f.run("ForgetNetworks", t.tx.ForgetNetworks) }
func (t faultyTx) Copied(id twinlatch.FactorID, now, before time.Time) (bool, error) {
	return run(t.f, "Copied", func() (bool, error) { return t.tx.Copied(id, now, before) })
}
func (t faultyTx) Used(id twinlatch.FactorID, now time.Time) error {
	return t.f.run("Used", func() error { return t.tx.Used(id, now) })
}
func (t faultyTx) InsertChallenge(c twinlatch.StoredChallenge) error {
	return t.f.run("InsertChallenge", func() error { return t.tx.InsertChallenge(c) })
}
func (t faultyTx) EndChallenges(s twinlatch.SessionID, p twinlatch.Purpose, now time.Time) error {
	return t.f.run("EndChallenges", func() error { return t.tx.EndChallenges(s, p, now) })
}
func (t faultyTx) Spend(c twinlatch.ChallengeID, s twinlatch.SessionID, now time.Time) (int, error) {
	return run(t.f, "Spend", func() (int, error) { return t.tx.Spend(c, s, now) })
}
func (t faultyTx) Consume(c twinlatch.ChallengeID, s twinlatch.SessionID, now time.Time) error {
	return t.f.run("Consume", func() error { return t.tx.Consume(c, s, now) })
}
func (t faultyTx) Resend(c twinlatch.ChallengeID, s twinlatch.SessionID, now, next time.Time) error {
	return t.f.run("Resend", func() error { return t.tx.Resend(c, s, now, next) })
}
func (t faultyTx) InsertTicket(k twinlatch.StoredTicket) error {
	return t.f.run("InsertTicket", func() error { return t.tx.InsertTicket(k) })
}
func (t faultyTx) Redeem(k twinlatch.StoredTicket, now time.Time) error {
	return t.f.run("Redeem", func() error { return t.tx.Redeem(k, now) })
}
func (t faultyTx) DeleteTickets(p twinlatch.TicketPurpose, since time.Time) error {
	return t.f.run("DeleteTickets", func() error { return t.tx.DeleteTickets(p, since) })
}
func (t faultyTx) Enqueue(m twinlatch.StoredMessage) error {
	return t.f.run("Enqueue", func() error { return t.tx.Enqueue(m) })
}
func (t faultyTx) Sent(m twinlatch.StoredMessage) error {
	return t.f.run("Sent", func() error { return t.tx.Sent(m) })
}
func (t faultyTx) Answered(c twinlatch.ChallengeID) error {
	return t.f.run("Answered", func() error { return t.tx.Answered(c) })
}
func (t faultyTx) InsertSession(s twinlatch.Session, hash []byte) error {
	return t.f.run("InsertSession", func() error { return t.tx.InsertSession(s, hash) })
}
func (t faultyTx) UpdateSession(s twinlatch.Session, old, hash []byte) error {
	return t.f.run("UpdateSession", func() error { return t.tx.UpdateSession(s, old, hash) })
}
func (t faultyTx) PutHost(s twinlatch.SessionID, host string, hash []byte, now time.Time) error {
	return t.f.run("PutHost", func() error { return t.tx.PutHost(s, host, hash, now) })
}
func (t faultyTx) Touch(s twinlatch.SessionID, ip netip.Addr, now, stale time.Time) error {
	return t.f.run("Touch", func() error { return t.tx.Touch(s, ip, now, stale) })
}
func (t faultyTx) DeleteSession(s twinlatch.SessionID) error {
	return t.f.run("DeleteSession", func() error { return t.tx.DeleteSession(s) })
}
func (t faultyTx) DeleteSessions(except twinlatch.SessionID) (int, error) {
	return run(t.f, "DeleteSessions", func() (int, error) { return t.tx.DeleteSessions(except) })
}
func (t faultyTx) ReplaceBackupCodes(salt []byte, digests [][]byte, now time.Time) error {
	return t.f.run("ReplaceBackupCodes", func() error { return t.tx.ReplaceBackupCodes(salt, digests, now) })
}
func (t faultyTx) UseBackupCode(digest []byte, now time.Time) error {
	return t.f.run("UseBackupCode", func() error { return t.tx.UseBackupCode(digest, now) })
}
func (t faultyTx) PutNetwork(n netip.Prefix, now time.Time) error {
	return t.f.run("PutNetwork", func() error { return t.tx.PutNetwork(n, now) })
}
func (t faultyTx) Try(name string, th twinlatch.Throttle, now time.Time) (int, error) {
	return run(t.f, "Try", func() (int, error) { return t.tx.Try(name, th, now) })
}
func (t faultyTx) Forgive(names ...string) error {
	return t.f.run("Forgive", func() error { return t.tx.Forgive(names...) })
}
func (t faultyTx) Append(e twinlatch.Event) error {
	return t.f.run("Append", func() error { return t.tx.Append(e) })
}

// Wherever the database breaks, the whole change is done or nothing of it, the
// caller is told, nobody is let in by it, and to try again works.
func TestEveryStatementMayBreak(t *testing.T) {
	t.Parallel()
	store := &faulty{}
	b := newBusy(t, breaking(store))
	stale := &browser{b.person, b.phone.token, home}
	signIn := func(password string) error {
		_, _, err := b.SignIn(ctx, twinlatch.MainRealm, "ann@example.com", twinlatch.NewSecret(password), cafe)
		return err
	}
	acts := append(b.acts(),
		act{name: "SignIn", half: func(twinlatch.Known) error { return signIn(password) }},
		act{name: "SignOut", half: func(twinlatch.Known) error { return b.SignOut(ctx, b.token, home) }},
		act{name: "Check", half: func(twinlatch.Known) error { _, err := b.Check(ctx, b.token, home); return err }},
		act{name: "Check, stale", half: func(twinlatch.Known) error { _, err := b.Check(ctx, stale.token, home); return err }},
		act{name: "Account", half: func(twinlatch.Known) error { _, err := b.Account(ctx, b.account.ID); return err }},
		act{name: "FindAccount", half: func(twinlatch.Known) error {
			_, err := b.FindAccount(ctx, twinlatch.MainRealm, "ann@example.com")
			return err
		}},
		act{name: "VerifyEvents", half: func(twinlatch.Known) error { return b.VerifyEvents(ctx, b.account.ID) }},
		act{name: "CreateAccount", half: func(twinlatch.Known) error {
			_, err := b.CreateAccount(ctx, twinlatch.NewAccount{Login: "new", Password: twinlatch.NewSecret(password)}, home)
			return err
		}},
		act{name: "RemoveFactor on behalf", half: func(twinlatch.Known) error { return b.RemoveFactor(ctx, b.operator(), b.app.id, home) }},
		act{name: "Ask at another address", half: func(twinlatch.Known) error {
			d, err := b.Check(ctx, b.token, cafe)
			if err != nil {
				return err
			}
			who, _ := d.Known()
			b.exec("DELETE FROM challenges")
			_, err = b.Ask(ctx, who, "", cafe)
			return err
		}},
	)
	b.remember()
	who, half := b.passed(), b.known()
	for _, a := range acts {
		if a.needs == offAndFirst || a.needs == advice {
			continue
		}
		for at := int64(1); ; at++ {
			before := b.rows("factors", "sessions", "backup_codes", "events", "passwords", "networks")
			store.broke.Store(0)
			store.at.Store(at)
			err := a.by(who, half)
			store.at.Store(0)
			if store.broke.Load() == 0 {
				b.ok(err)
				b.restore()
				break
			}
			if err != nil && !errors.Is(err, errBroken) {
				t.Errorf("%s: the error of statement %d is %v", a.name, at, err)
			}
			if err != nil {
				if after := b.rows("factors", "sessions", "backup_codes", "events", "passwords", "networks"); after != before {
					t.Errorf("%s has failed at statement %d and changed\n%s", a.name, at, difference(before, after))
				}
				if a.name != "NewBackupCodes" { // which takes long
					b.ok(a.by(who, half))
				}
			}
			b.trail()
			b.restore()
		}
	}
}

// remember keeps all rows, to which restore returns.
func (w *world) remember() {
	w.t.Helper()
	for _, table := range tables {
		w.exec("CREATE TABLE kept_" + table + " AS SELECT * FROM " + table)
	}
}

func (w *world) restore() {
	w.t.Helper()
	tx, err := w.database().Begin()
	w.ok(err)
	for _, table := range tables {
		for _, query := range []string{"DELETE FROM " + table, "INSERT INTO " + table + " SELECT * FROM kept_" + table} {
			_, err := tx.Exec(query)
			w.ok(err)
		}
	}
	w.ok(tx.Commit())
}

// What may fail without harm is logged and does not disturb.
func TestWhatMayFailWithoutHarm(t *testing.T) {
	t.Parallel()
	for name, does := range map[string]func(b *browser) error{
		"Touch":       func(b *browser) error { b.later(time.Hour); b.meets(twinlatch.Pass, ""); return nil },
		"Return":      func(b *browser) error { return b.answer(b.code()) },
		"PutPassword": func(b *browser) error { b.signIn(home); return nil },
		"Head": func(b *browser) error { // of the event of a wrong answer
			if err := b.answer(b.wrongCode()); !errors.Is(err, twinlatch.ErrWrongCode) {
				return err
			}
			return nil
		},
	} {
		store := &faulty{}
		ann := newWorld(t, breaking(store)).protected("ann@example.com")
		stronger := ann.Config
		stronger.Hashing.Passes = 2
		var err error
		ann.Service, err = twinlatch.New(ctx, stronger)
		ann.ok(err)
		store.only = name
		if err := does(ann); err != nil || store.broke.Load() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
