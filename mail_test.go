package twinlatch_test

import (
	"context"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// letter leaves an e-mail without a code in the outbox, as of now.
func (w *world) letter(to *browser, id twinlatch.MessageID, until time.Time) {
	w.t.Helper()
	account := to.account.ID
	sealed, err := w.Keys.Seal([]byte(`{"channel":"email","to":"ann@example.com","subject":"Hello","body":"Dear Ann","html":"<p>Dear Ann"}`),
		twinlatch.Place{Account: account, Table: "outbox", Row: string(id)})
	w.ok(err)
	w.ok(w.Store.Tx(ctx, account, func(tx twinlatch.Tx) error {
		return tx.Enqueue(twinlatch.StoredMessage{
			Account: account, ID: id, Channel: twinlatch.Email, Sealed: sealed,
			Delivery: twinlatch.Queued, NextAt: w.Now(), CreatedAt: w.Now(), ExpiresAt: until,
		})
	}))
}

// deliver makes one round, which must try so many messages.
func (w *world) deliver(want int) {
	w.t.Helper()
	n, err := w.Deliver(ctx)
	w.ok(err)
	equal(w.t, "tried", n, want)
}

func mailing(p *postman) func(*twinlatch.Config) {
	p.mail = true
	return func(c *twinlatch.Config) { c.Sending.Senders = append(c.Sending.Senders, p) }
}

// A message without a challenge depends on none: it is sent until it expires.
func TestAMessageWithoutAChallengeIsSent(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		post := w.Config.Sending.Senders[0].(*postman)
		post.fails(errDown)
		ann := w.person("ann@example.com").signIn(home)
		end := w.Now().Add(time.Hour)
		w.letter(ann, "notice", end)
		w.ok(ann.SignOut(ctx, ann.token, home))
		w.deliver(1)
		w.deliver(0)
		w.later(2 * time.Second)
		w.deliver(1)
		w.later(end.Sub(w.Now()) - time.Millisecond)
		post.fails(nil)
		w.deliver(1)
		equal(t, "letters", post.letters(), []letter{{"notice", "ann@example.com", "Dear Ann"}})
		w.later(time.Millisecond)
		w.deliver(0)

		w.letter(ann, "late", w.Now())
		w.deliver(0)
		equal(t, "calls", post.calls(), 3)
	}, func(c *twinlatch.Config) { mailing(&postman{name: "mail"})(c) })
}

// Whoever does not carry a channel is not asked, and its circuit neither opens
// nor closes by that.
func TestEachChannelHasItsSenders(t *testing.T) {
	t.Parallel()
	mail, phone := &postman{name: "mail"}, &postman{name: "phone"}
	w := newWorld(t, mailing(mail), texting(phone))
	ann := w.person("ann@example.com").signIn(home)
	mail.fails(errDown)
	for _, id := range []twinlatch.MessageID{"1", "2", "3", "4", "5"} { // its circuit opens
		w.letter(ann, id, w.Now().Add(time.Second))
		w.deliver(1)
	}
	mail.fails(nil)
	ch, err := ann.getCode(mobile)
	w.ok(err)
	equal(t, "delivery", ch.Delivery, twinlatch.Sent)
	w.letter(ann, "waits", w.Now().Add(time.Hour))
	w.deliver(1)
	equal(t, "asked while it is open", mail.calls(), 5)

	w.later(30 * time.Second)
	_, err = ann.getCode(other) // does not use up the one try
	w.ok(err)
	equal(t, "asked for a text", mail.calls(), 5)
	w.deliver(1)
	equal(t, "mails", len(mail.letters()), 1)
	equal(t, "texts", len(phone.letters()), 2)
}

// With nobody who carries its channel a message fails at once: no waiting helps.
func TestNobodyCarriesTheChannel(t *testing.T) {
	t.Parallel()
	mail := &postman{name: "mail"}
	ann := newWorld(t, texting(), mailing(mail)).person("ann@example.com").signIn(home)
	ann.unchanged("a text", func() {
		_, err := ann.getCode(mobile)
		refused(t, err, twinlatch.ErrNoRoute)
	})

	phone := &postman{name: "phone"}
	bob := newWorld(t, texting(phone)).person("bob@example.com").signIn(home)
	bob.letter(bob, "notice", bob.Now().Add(time.Hour))
	bob.deliver(1)
	bob.later(30 * time.Minute)
	bob.deliver(0)
	equal(t, "asked", mail.calls()+phone.calls(), 0)
}

// looking is a Store that lets a test look at the end of each transaction, before
// it is committed.
type looking struct {
	twinlatch.Store
	look func()
}

func (l *looking) Tx(c context.Context, id twinlatch.AccountID, fn func(twinlatch.Tx) error) error {
	return l.Store.Tx(c, id, func(tx twinlatch.Tx) error {
		err := fn(tx)
		if l.look != nil {
			l.look()
		}
		return err
	})
}

// A mail is due when it is there to be found, and not before.
func TestDueComesAfterTheCommit(t *testing.T) {
	t.Parallel()
	post, store := &postman{name: "post"}, &looking{}
	w := newWorld(t, mailed(post), func(c *twinlatch.Config) { store.Store, c.Store = c.Store, store })
	due := func() bool {
		select {
		case <-w.Due():
			return true
		default:
			return false
		}
	}
	ann := w.protected("ann@example.com")
	w.deliverAll()
	due()
	store.look = func() {
		if due() {
			t.Error("due before it is committed")
		}
	}
	ann.backupCodes()
	store.look = nil
	equal(t, "due", due(), true)
	w.deliver(1)
	ann.signIn(cafe)
	ann.ok(ann.SetLocale(ctx, ann.passed(), "cs"))
	w.deliverAll()
	due()
	ann.ok(ann.SetLocale(ctx, ann.passed(), "en")) // no mail
	equal(t, "due without a mail", due(), false)
}

// Mails are in the account's language, else in that of the page which caused them.
func TestTheLanguageOfMails(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	var locales []string
	w := newWorld(t, mailed(post), func(c *twinlatch.Config) {
		write := c.Notice
		c.Notice = func(a twinlatch.Account, e twinlatch.Event, t twinlatch.Token) *twinlatch.Message {
			locales = append(locales, string(e.Type)+" "+a.Locale)
			return write(a, e, t)
		}
	})
	czech := home
	czech.Locale = "cs"
	w.ok(w.signUp("ann@example.com", "Ann", password, czech))
	w.ok(w.signUp("ann@example.com", "Ann", password, czech)) // answered later
	equal(t, "locales", locales, []string{"account.created cs", "account.asked cs"})
	b := w.found("ann@example.com").signIn(czech)
	b.ok(b.SetLocale(ctx, b.passed(), "en"))
	locales = nil
	b.ok(b.AskConfirmation(ctx, b.passed().Enrolling(), czech))
	equal(t, "locales", locales, []string{"address.asked en"})
}
