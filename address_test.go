package twinlatch_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/totp"
)

// signUp is what the form for a new account does.
func (w *world) signUp(login, name, password string, from twinlatch.Client) error {
	w.t.Helper()
	claim, err := w.SignUp(ctx, twinlatch.NewAccount{Login: login, DisplayName: name, Password: twinlatch.NewSecret(password)}, from)
	w.claim = claim
	if err == nil {
		w.deliverAll()
	}
	return err
}

func (w *world) deliverAll() {
	w.t.Helper()
	for tried := 1; tried > 0; {
		var err error
		tried, err = w.Deliver(ctx)
		w.ok(err)
	}
}

// found is the person with a login.
func (w *world) found(login string) *person {
	w.t.Helper()
	a, err := w.FindAccount(ctx, twinlatch.MainRealm, login)
	w.ok(err)
	return &person{world: w, account: a}
}

// links are those in letters for an event to an address, oldest first.
func (w *world) links(post *postman, to string, of twinlatch.EventType) (all []twinlatch.Token) {
	w.t.Helper()
	w.deliverAll()
	for _, l := range post.letters() {
		if kind, text, _ := strings.Cut(l.body, " "); l.to == to && kind == string(of) {
			token, err := twinlatch.ParseToken(text)
			w.ok(err)
			all = append(all, token)
		}
	}
	return all
}

func (b *browser) beginsToEnroll() error {
	who, ok := b.check().Enrolling()
	if !ok {
		b.t.Fatal("may not even ask to enroll")
	}
	_, err := b.BeginEnroll(ctx, who, totp.Kind, nil, b.from)
	return err
}

// A new account gets a link; until it is opened no factor can be added.
func TestSignUpAndConfirm(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	onBoth(t, func(t *testing.T, w *world) {
		post := w.Config.Sending.Senders[0].(*postman)
		w.ok(w.signUp("Ann@Example.com", "Ann", password, home))
		ann := w.found("ann@example.com")
		if !ann.account.ConfirmedAt.IsZero() {
			t.Error("confirmed by signing up")
		}
		b := ann.signIn(home)
		b.meets(twinlatch.Pass, "")
		refused(t, b.beginsToEnroll(), twinlatch.ErrUnconfirmed)

		link := w.links(post, "ann@example.com", twinlatch.EventAccountCreated)[0]
		address, changes, err := w.NewAddress(ctx, link)
		w.ok(err)
		equal(t, "address", address, "ann@example.com")
		equal(t, "changes", changes, false)
		bob := w.person("bob@example.com").signIn(cafe).passed().Enrolling()
		// Whoever has the mail and nothing else may be a stranger to the account.
		w.unchanged("others with the link", func() {
			refused(t, w.ConfirmAddress(ctx, link, twinlatch.Enrolling{}, twinlatch.Secret{}, cafe), twinlatch.ErrNoSession)
			refused(t, w.ConfirmAddress(ctx, link, twinlatch.Enrolling{}, twinlatch.NewSecret("x"), cafe), twinlatch.ErrNoSession)
			refused(t, w.ConfirmAddress(ctx, link, bob, twinlatch.Secret{}, cafe), twinlatch.ErrNoSession)
		}, "tickets")
		w.ok(w.ConfirmAddress(ctx, link, twinlatch.Enrolling{}, w.claim, cafe))
		refused(t, w.ConfirmAddress(ctx, link, twinlatch.Enrolling{}, w.claim, cafe), twinlatch.ErrExpired)
		_, _, err = w.NewAddress(ctx, link)
		refused(t, err, twinlatch.ErrExpired)
		b.meets(twinlatch.Pass, "")
		b.ok(b.beginsToEnroll())
		equal(t, "trail", ann.types()[0:3], []twinlatch.EventType{
			twinlatch.EventAccountCreated, twinlatch.EventSignedIn, twinlatch.EventAddressConfirmed,
		})
	}, func(c *twinlatch.Config) { mailed(&postman{name: post.name})(c) })
}

func TestTheLinkIsSentAgain(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	w.ok(w.signUp("ann@example.com", "Ann", password, home))
	b := w.found("ann@example.com").signIn(home)
	for range 5 {
		b.ok(b.AskConfirmation(ctx, b.passed().Enrolling(), home))
	}
	refused(t, b.AskConfirmation(ctx, b.passed().Enrolling(), home), twinlatch.ErrLimited)
	links := w.links(post, "ann@example.com", twinlatch.EventAddressAsked)
	equal(t, "links", len(links), 5)
	b.later(day - time.Second)
	b.ok(b.ConfirmAddress(ctx, links[4], b.passed().Enrolling(), twinlatch.Secret{}, home))
	refused(t, b.ConfirmAddress(ctx, links[3], b.passed().Enrolling(), twinlatch.Secret{}, home), twinlatch.ErrExpired) // one is enough
	b.ok(b.AskConfirmation(ctx, b.passed().Enrolling(), home))
	equal(t, "links to a confirmed address", len(w.links(post, "ann@example.com", twinlatch.EventAddressAsked)), 5)
}

func TestALinkToConfirmIsGoodForADay(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	w.ok(w.signUp("ann@example.com", "Ann", password, home))
	link := w.links(post, "ann@example.com", twinlatch.EventAccountCreated)[0]
	w.later(day)
	refused(t, w.ConfirmAddress(ctx, link, twinlatch.Enrolling{}, twinlatch.Secret{}, home), twinlatch.ErrExpired)
}

// Where no mails are sent nothing has to be confirmed, and signing up for a taken
// login looks as for a free one.
func TestSignUpWithoutMails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ok(w.signUp("ann@example.com", "Ann", password, home))
	b := w.found("ann@example.com").signIn(home)
	b.ok(b.beginsToEnroll())
	w.unchanged("signing up again", func() { w.ok(w.signUp("ann@example.com", "Eve", newPassword, cafe)) },
		"accounts", "passwords", "sessions", "events", "outbox", "tickets", "requests")
}

// Of a taken, confirmed address nothing changes, and its owner is told.
func TestSignUpForATakenAddress(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	ann := w.protected("ann@example.com")
	w.unchanged("signing up for it", func() { w.ok(w.signUp("ann@example.com", "Eve", newPassword, cafe)) },
		"passwords", "sessions", "factors")
	ann.meets(twinlatch.Pass, "")
	equal(t, "name", w.found("ann@example.com").account.DisplayName, "ann@example.com")
	equal(t, "told", len(w.links(post, "ann@example.com", twinlatch.EventSignUpAgain)), 1)
	// The link in that letter is no link to confirm.
	refused(t, w.CheckTicket(ctx, w.links(post, "ann@example.com", twinlatch.EventSignUpAgain)[0], twinlatch.TicketEmail), twinlatch.ErrExpired)
	equal(t, "in the trail", ann.count(twinlatch.EventSignUpAgain), 1)
}

// Whoever signed up with an address that is not theirs cannot lie in wait for its
// owner: a link is good only in the browser that signed up, or with the password.
func TestAStrangerSignedUpFirst(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	w.ok(w.signUp("ann@example.com", "Eve", newPassword, cafe))
	_, token, err := w.SignIn(ctx, twinlatch.MainRealm, "ann@example.com", twinlatch.NewSecret(newPassword), cafe)
	w.ok(err)
	eve := &browser{w.found("ann@example.com"), token, cafe}
	w.ok(w.signUp("ann@example.com", "Ann", password, home))
	anns := w.claim
	eve.meets(twinlatch.Pass, "")
	for _, of := range []twinlatch.EventType{twinlatch.EventAccountCreated, twinlatch.EventAddressAsked} {
		eve.ok(eve.AskConfirmation(ctx, eve.passed().Enrolling(), cafe))
		for _, link := range w.links(post, "ann@example.com", of) {
			refused(t, w.ConfirmAddress(ctx, link, twinlatch.Enrolling{}, anns, home), twinlatch.ErrNoSession)
		}
	}
	// Ann is told that there is an account, and takes it over by her mailbox.
	equal(t, "told", len(w.links(post, "ann@example.com", twinlatch.EventSignUpAgain)), 1)
	ann := w.found("ann@example.com")
	w.ok(ann.forgot(home))
	w.ok(w.ResetPassword(ctx, ann.mail(post, twinlatch.EventResetAsked), twinlatch.NewSecret(password), home))
	eve.meets(twinlatch.NeedFirstStep, "")
	ann.signsInWith(t, newPassword, twinlatch.ErrWrongPassword)
	ann.signsInWith(t, password, nil)
}

// And whoever signs up after its owner changes nothing.
func TestAStrangerSignsUpLater(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	w.ok(w.signUp("ann@example.com", "Ann", password, home))
	anns, link := w.claim, w.links(post, "ann@example.com", twinlatch.EventAccountCreated)[0]
	ann := w.found("ann@example.com").signIn(home)
	w.unchanged("signing up", func() { w.ok(w.signUp("ann@example.com", "Eve", newPassword, cafe)) }, "passwords", "sessions")
	ann.meets(twinlatch.Pass, "")
	refused(t, w.ConfirmAddress(ctx, link, twinlatch.Enrolling{}, w.claim, cafe), twinlatch.ErrNoSession)
	w.ok(w.ConfirmAddress(ctx, link, twinlatch.Enrolling{}, anns, home))
	ann.signsInWith(t, newPassword, twinlatch.ErrWrongPassword)
}

// An address that its owner can take back is nobody else's until then, and nobody
// can see it.
func TestNobodyTakesWhatCanBeTakenBack(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		post := w.Config.Sending.Senders[0].(*postman)
		ann, bob := w.protected("ann@example.com"), w.protected("bob@example.com")
		eve := ann.signInFully(cafe)
		eve.ok(eve.ChangeAddress(ctx, eve.passed(), "eve@evil.example", cafe))
		eve.ok(eve.ConfirmAddress(ctx, w.links(post, "eve@evil.example", twinlatch.EventAddressAsked)[0], eve.passed().Enrolling(), twinlatch.Secret{}, cafe))
		w.ok(w.signUp("ann@example.com", "Eve", newPassword, cafe))
		_, err := w.FindAccount(ctx, twinlatch.MainRealm, "ann@example.com")
		refused(t, err, twinlatch.ErrNotFound)
		bob.ok(bob.answer(bob.newCode()))
		bob.ok(bob.ChangeAddress(ctx, bob.passed(), "ann@example.com", home))
		refused(t, bob.ConfirmAddress(ctx, w.links(post, "ann@example.com", twinlatch.EventAddressAsked)[0], bob.passed().Enrolling(), twinlatch.Secret{}, home), twinlatch.ErrExpired)
		ann.ok(ann.RaiseAlarm(ctx, w.links(post, "ann@example.com", twinlatch.EventAddressChanged)[0], home))
		equal(t, "account", w.found("ann@example.com").account.ID, ann.account.ID)
		equal(t, "links to a new password", len(w.links(post, "ann@example.com", twinlatch.EventResetAsked)), 1)

		bob.ok(bob.ConfirmAddress(ctx, w.freshLink(bob, post, "bob@new.example"), bob.passed().Enrolling(), twinlatch.Secret{}, home))
		w.later(7 * day)
		w.ok(w.Sweep(ctx))
		w.ok(w.signUp("bob@example.com", "Bob", password, home)) // free again
		w.found("bob@example.com")
	}, func(c *twinlatch.Config) { mailed(&postman{name: "post"})(c) })
}

func (w *world) freshLink(b *browser, post *postman, to string) twinlatch.Token {
	w.t.Helper()
	w.later(2 * time.Hour)
	b.ok(b.answer(b.newCode()))
	b.ok(b.ChangeAddress(ctx, b.passed(), to, b.from))
	return w.links(post, to, twinlatch.EventAddressAsked)[0]
}

// The links of whoever changed the address are dead once its owner has spoken, and so
// is the password, which they may know.
func TestAnAlarmIsTheLastWord(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	ann := w.person("ann@example.com")
	eve := ann.signIn(cafe)
	for _, to := range []string{"eve@evil.example", "eve2@evil.example"} {
		eve.ok(eve.ChangeAddress(ctx, eve.passed(), to, cafe))
		eve.ok(eve.ConfirmAddress(ctx, w.links(post, to, twinlatch.EventAddressAsked)[0], eve.passed().Enrolling(), twinlatch.Secret{}, cafe))
	}
	hers := w.links(post, "eve@evil.example", twinlatch.EventAddressChanged)[0]
	w.ok(w.RaiseAlarm(ctx, w.links(post, "ann@example.com", twinlatch.EventAddressChanged)[0], home))
	refused(t, w.RaiseAlarm(ctx, hers, cafe), twinlatch.ErrExpired)
	equal(t, "account", w.found("ann@example.com").account.ID, ann.account.ID)
	ann.signsInWith(t, password, twinlatch.ErrWrongPassword)
	w.ok(ann.forgot(home))
	w.ok(w.ResetPassword(ctx, ann.mail(post, twinlatch.EventResetAsked), twinlatch.NewSecret(newPassword), home))
	ann.signsInWith(t, newPassword, nil)
}

// Of an account whose address is not confirmed nobody hears but by links: who lives
// there is not known, and cannot take anything back.
func TestUnconfirmedAddressesHearLittle(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	w.ok(w.signUp("victim@example.com", "Eve", newPassword, cafe))
	p := w.found("victim@example.com")
	_, token, err := w.SignIn(ctx, twinlatch.MainRealm, "victim@example.com", twinlatch.NewSecret(newPassword), cafe)
	w.ok(err)
	eve := &browser{p, token, cafe}
	eve.ok(eve.ChangePassword(ctx, eve.passed(), twinlatch.NewSecret(newPassword), twinlatch.NewSecret(password), cafe))
	eve.ok(eve.ChangeAddress(ctx, eve.passed(), "eve@evil.example", cafe))
	eve.ok(eve.ConfirmAddress(ctx, w.links(post, "eve@evil.example", twinlatch.EventAddressAsked)[0], eve.passed().Enrolling(), twinlatch.Secret{}, cafe))
	for _, l := range post.letters() {
		if kind, _, _ := strings.Cut(l.body, " "); l.to == "victim@example.com" && kind != string(twinlatch.EventAccountCreated) {
			t.Errorf("the victim is told of %s", kind)
		}
	}
	w.ok(w.signUp("victim@example.com", "Victim", password, home)) // it is free
	equal(t, "another account", w.found("victim@example.com").account.ID == p.account.ID, false)
}

func TestSignUpIsLimitedForEachAddress(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	w.person("ann@example.com")
	for range 5 {
		w.ok(w.signUp("ann@example.com", "Eve", newPassword, cafe))
	}
	refused(t, w.signUp("ann@example.com", "Eve", newPassword, cafe), twinlatch.ErrLimited)
	w.ok(w.signUp("bob@example.com", "Bob", password, cafe))
	w.ok(w.signUp("ann@example.com", "Ann", password, home)) // another network
}

// Strangers from all over the Internet do not fill a mailbox, and learn nothing.
func TestMailsToOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	ann := w.person("ann@example.com")
	for i := range 15 {
		w.ok(ann.forgot(at(fmt.Sprintf("203.0.113.%d", i))))
		w.ok(w.signUp("ann@example.com", "Eve", newPassword, at(fmt.Sprintf("198.51.100.%d", i))))
	}
	equal(t, "links", len(w.links(post, "ann@example.com", twinlatch.EventResetAsked)), 10)
	equal(t, "mails about sign-ups", len(w.links(post, "ann@example.com", twinlatch.EventSignUpAgain)), 10)
	w.later(30 * time.Minute) // no longer than those links live
	w.ok(ann.forgot(home))
	last := w.links(post, "ann@example.com", twinlatch.EventResetAsked)
	w.ok(w.ResetPassword(ctx, last[len(last)-1], twinlatch.NewSecret(newPassword), home))
}

// A link to choose a new password came by mail as well.
func TestANewPasswordByLinkConfirms(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	w.ok(w.signUp("ann@example.com", "Ann", password, home))
	ann := w.found("ann@example.com")
	w.ok(ann.forgot(home))
	w.ok(w.ResetPassword(ctx, ann.mail(post, twinlatch.EventResetAsked), twinlatch.NewSecret(newPassword), home))
	if w.found("ann@example.com").account.ConfirmedAt.IsZero() {
		t.Error("not confirmed")
	}
}

func TestChangeOfAddress(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		post := w.Config.Sending.Senders[0].(*postman)
		ann, bob := w.protected("ann@example.com"), w.protected("bob@example.com")
		ann.ok(ann.forgot(home))
		reset := ann.mail(post, twinlatch.EventResetAsked)
		w.unchanged("asking", func() { ann.ok(ann.ChangeAddress(ctx, ann.passed(), "Ann@New.example", home)) }, "accounts", "sessions")
		link := w.links(post, "ann@new.example", twinlatch.EventAddressAsked)[0]
		address, changes, err := w.NewAddress(ctx, link)
		w.ok(err)
		equal(t, "address", address, "ann@new.example")
		equal(t, "changes", changes, true)

		// Whoever has the mail is not yet the owner: the address may be mistyped.
		w.unchanged("others with the link", func() {
			refused(t, w.ConfirmAddress(ctx, link, twinlatch.Enrolling{}, twinlatch.Secret{}, cafe), twinlatch.ErrNoSession)
			refused(t, w.ConfirmAddress(ctx, link, bob.passed().Enrolling(), twinlatch.Secret{}, cafe), twinlatch.ErrNoSession)
		})
		ann.ok(ann.ConfirmAddress(ctx, link, ann.passed().Enrolling(), twinlatch.Secret{}, home))
		ann.meets(twinlatch.Pass, "")
		equal(t, "login", ann.check().Step, twinlatch.Pass)
		equal(t, "found", w.found("ann@new.example").account.ID, ann.account.ID)
		_, err = w.FindAccount(ctx, twinlatch.MainRealm, "ann@example.com")
		refused(t, err, twinlatch.ErrNotFound)
		refused(t, ann.CheckTicket(ctx, reset, twinlatch.TicketReset), twinlatch.ErrExpired)
		refused(t, ann.ConfirmAddress(ctx, link, ann.passed().Enrolling(), twinlatch.Secret{}, home), twinlatch.ErrExpired)
		equal(t, "letters to the old address", len(w.links(post, "ann@example.com", twinlatch.EventAddressChanged)), 1)
		last := ann.last(twinlatch.EventAddressChanged)
		equal(t, "from", last.Detail.More["from"], "ann@example.com")
		equal(t, "to", last.Detail.More["to"], "ann@new.example")
	}, func(c *twinlatch.Config) { mailed(&postman{name: "post"})(c) })
}

// An address that has an account already: the same answer, and its owner is told.
func TestChangeToATakenAddress(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	ann := w.protected("ann@example.com")
	w.person("bob@example.com")
	ann.ok(ann.ChangeAddress(ctx, ann.passed(), "bob@example.com", home))
	equal(t, "links", len(w.links(post, "bob@example.com", twinlatch.EventAddressAsked)), 0)
	equal(t, "told", len(w.links(post, "bob@example.com", twinlatch.EventSignUpAgain)), 1)

	ann.ok(ann.ChangeAddress(ctx, ann.passed(), "free@example.com", home))
	link := w.links(post, "free@example.com", twinlatch.EventAddressAsked)[0]
	w.person("free@example.com") // meanwhile
	refused(t, ann.ConfirmAddress(ctx, link, ann.passed().Enrolling(), twinlatch.Secret{}, home), twinlatch.ErrExpired)
	equal(t, "login", ann.check().Step, twinlatch.Pass)

	ann.ok(ann.ChangeAddress(ctx, ann.passed(), "ann@example.com", home)) // their own
	equal(t, "links", len(w.links(post, "ann@example.com", twinlatch.EventAddressAsked)), 1)
	for range 2 {
		ann.ok(ann.ChangeAddress(ctx, ann.passed(), "third@example.com", home))
	}
	refused(t, ann.ChangeAddress(ctx, ann.passed(), "fourth@example.com", home), twinlatch.ErrLimited)
}

func TestChangeOfAddressWhenItIsNone(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	ann := newWorld(t, mailed(post)).protected("ann@example.com")
	for _, bad := range []string{"", strings.Repeat("a", 255), "ann\n@example.com"} {
		field := new(twinlatch.FieldError)
		if err := ann.ChangeAddress(ctx, ann.passed(), bad, home); !errors.As(err, &field) || field.Field != "email" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// "This was not me" in the mail to the old address brings it back: else the link
// to choose a new password would go to whoever changed it.
func TestAnAlarmBringsTheAddressBack(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, mailed(post))
	ann := w.protected("ann@example.com")
	eve := ann.signInFully(cafe)
	eve.ok(eve.ChangeAddress(ctx, eve.passed(), "eve@evil.example", cafe))
	eve.ok(eve.ConfirmAddress(ctx, w.links(post, "eve@evil.example", twinlatch.EventAddressAsked)[0], eve.passed().Enrolling(), twinlatch.Secret{}, cafe))
	eve.ok(eve.ChangeAddress(ctx, eve.passed(), "eve2@evil.example", cafe))
	pending := w.links(post, "eve2@evil.example", twinlatch.EventAddressAsked)[0]

	ann.later(7*day - time.Second)
	ann.ok(ann.RaiseAlarm(ctx, w.links(post, "ann@example.com", twinlatch.EventAddressChanged)[0], home))
	for _, b := range []*browser{ann, eve} {
		b.meets(twinlatch.NeedFirstStep, "")
	}
	equal(t, "account", w.found("ann@example.com").account.ID, ann.account.ID)
	equal(t, "links to a new password", len(w.links(post, "ann@example.com", twinlatch.EventResetAsked)), 1)
	equal(t, "links to the other", len(w.links(post, "eve@evil.example", twinlatch.EventResetAsked)), 0)
	refused(t, ann.CheckTicket(ctx, pending, twinlatch.TicketEmail), twinlatch.ErrExpired)
	equal(t, "in the trail", ann.count(twinlatch.EventAddressRestored), 1)

	// Alarms about anything else change no address.
	ann.ok(ann.ResetPassword(ctx, w.links(post, "ann@example.com", twinlatch.EventResetAsked)[0], twinlatch.NewSecret(password), home))
	b := ann.signInFully(home)
	b.backupCodes()
	b.ok(b.RaiseAlarm(ctx, w.links(post, "ann@example.com", twinlatch.EventBackupCodesMade)[0], home))
	equal(t, "restored", ann.count(twinlatch.EventAddressRestored), 1)
}

// Of many who are to have one address at the same moment one gets it.
func TestManyWantOneAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		post := w.Config.Sending.Senders[0].(*postman)
		const n = 8
		browsers, links := make([]*browser, n), make([]twinlatch.Token, n)
		for i := range browsers {
			b := w.protected(string(rune('a'+i)) + "@example.com")
			b.ok(b.ChangeAddress(ctx, b.passed(), "one@example.com", at("192.0.2."+string(rune('1'+i)))))
			browsers[i] = b
		}
		all := w.links(post, "one@example.com", twinlatch.EventAddressAsked)
		copy(links, all)
		who := make([]twinlatch.Passed, n)
		for i, b := range browsers {
			b.ok(b.answer(b.newCode()))
			who[i] = b.passed()
		}
		results := together(n, func(i int) error {
			for _, link := range links { // each has the own one among them
				if err := w.ConfirmAddress(ctx, link, who[i].Enrolling(), twinlatch.Secret{}, home); !errors.Is(err, twinlatch.ErrNoSession) {
					return err
				}
			}
			return errors.New("no link")
		})
		winners := 0
		for _, err := range results {
			switch {
			case err == nil:
				winners++
			case !errors.Is(err, twinlatch.ErrExpired):
				t.Errorf("a refusal says %v", err)
			}
		}
		equal(t, "winners", winners, 1)
		equal(t, "accounts", len(strings.Split(strings.TrimSpace(w.rows("accounts")), "\n")), n)
	}, func(c *twinlatch.Config) { mailed(&postman{name: "post"})(c) })
}

func TestNames(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).person("ann@example.com").signIn(home)
	ann.ok(ann.SetName(ctx, ann.passed(), "  Zoë ", home))
	equal(t, "name", ann.check().Step, twinlatch.Pass)
	equal(t, "name", ann.passed().Account().DisplayName, "Zoë")
	ann.unchanged("the same name", func() { ann.ok(ann.SetName(ctx, ann.passed(), "Zoë", home)) }, "events")
	for _, bad := range []string{"", " ", strings.Repeat("x", 101), "a\u202eb", "a\x00"} {
		field := new(twinlatch.FieldError)
		if err := ann.SetName(ctx, ann.passed(), bad, home); !errors.As(err, &field) || field.Field != "name" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
