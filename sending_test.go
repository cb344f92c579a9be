package twinlatch_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/text"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// until checks that err is a *LimitError and when it ends.
func until(t testing.TB, err error, want time.Time) {
	t.Helper()
	var limit *twinlatch.LimitError
	if !errors.As(err, &limit) || !limit.RetryAt.Equal(want) {
		t.Fatalf("the error is %v (%+v), want a limit until %v", err, limit, want)
	}
}

// A number that is being enrolled gets five messages an hour and ten a day,
// whosever accounts ask.
func TestTheLimitOfANumber(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, texting(post))
	began := w.Now()
	n := 0
	send := func() error {
		n++
		_, err := w.person(fmt.Sprintf("p%d@example.com", n)).signIn(at(fmt.Sprintf("10.0.0.%d", n))).getCode(mobile)
		return err
	}
	w.ok(send())
	until(t, send(), began.Add(30*time.Second))
	for range 4 {
		w.later(30 * time.Second)
		w.ok(send())
	}
	w.later(30 * time.Second)
	until(t, send(), began.Add(time.Hour))
	w.later(time.Hour - 150*time.Second)
	for range 5 {
		w.ok(send())
		w.later(30 * time.Second)
	}
	w.later(time.Hour)
	until(t, send(), began.Add(day))
	equal(t, "letters", len(post.letters()), 10)
	w.later(day - w.Now().Sub(began))
	w.ok(send())
}

// Whatever limit is reached, nothing is sent and no other limit is used up.
func TestTheLimitsOfSending(t *testing.T) {
	t.Parallel()
	number := func(i int) string { return fmt.Sprintf("+4477009%05d", 100+i) }
	french := func(i int) string { return fmt.Sprintf("+336120000%02d", i) }
	for name, row := range map[string]struct {
		sending twinlatch.Sending
		from    func(i int) twinlatch.Client
		person  func(i int) string
		number  func(i int) string
		most    int
		window  time.Duration
	}{
		"an account": {
			person: func(int) string { return "ann@example.com" }, from: func(i int) twinlatch.Client { return at(fmt.Sprintf("10.0.0.%d", i)) },
			most: 20, window: day,
		},
		"a network":       {most: 30, from: func(int) twinlatch.Client { return cafe }, window: time.Hour},
		"an IPv6 network": {sending: twinlatch.Sending{NetworkPerHour: 5}, from: func(i int) twinlatch.Client { return at(fmt.Sprintf("2001:db8::%d", i)) }, most: 10, window: time.Hour},
		"a country":       {sending: twinlatch.Sending{CountryPerHour: 14}, most: 7, window: time.Hour},
		"all":             {sending: twinlatch.Sending{PerHour: 16}, number: func(i int) string { return []string{number(i), french(i)}[i%2] }, most: 8, window: time.Hour},
		"money": {
			sending: twinlatch.Sending{Budget: 200, Price: func(country string) int { return map[string]int{"FR": 10, "GB": 5}[country] }},
			number:  french, most: 10, window: day,
		},
		"money without prices": {sending: twinlatch.Sending{Budget: 8}, most: 4, window: day},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			post := &postman{name: "post"}
			w := newWorld(t, texting(post), func(c *twinlatch.Config) {
				row.sending.Senders = c.Sending.Senders
				c.Sending = row.sending
			})
			people := map[string]*browser{}
			send := func(i int) error {
				from, login, to := at(fmt.Sprintf("10.0.%d.1", i)), fmt.Sprintf("p%d@example.com", i), number(i)
				if row.from != nil {
					from = row.from(i)
				}
				if row.person != nil {
					login = row.person(i)
				}
				if row.number != nil {
					to = row.number(i)
				}
				if people[login] == nil {
					people[login] = w.person(login).signIn(from)
				}
				b := people[login]
				_, err := b.BeginEnroll(ctx, b.passed(), text.Kind, map[string]string{"phone": to}, from)
				return err
			}
			began := w.Now()
			for i := range row.most {
				w.ok(send(i))
			}
			before := w.rows("limits")
			until(t, send(row.most), began.Add(row.window))
			if d := difference(before, w.rows("limits")); d != "" && len(d) > 4000 {
				t.Errorf("the refusal left\n%s", d)
			}
			equal(t, "letters", len(post.letters()), row.most)
		})
	}
}

// What was refused is not counted: neither limits nor the challenge.
func TestARefusedMessageLeavesNoTrace(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, texting(post), func(c *twinlatch.Config) { c.Sending.PerHour = 1 })
	w.ok(func() error { _, err := w.person("bob@example.com").signIn(cafe).getCode(other); return err }())
	ann := w.person("ann@example.com").signIn(home)
	counts := func() (n int) {
		w.ok(w.database().QueryRow("SELECT COALESCE(SUM(taken), 0) FROM limits").Scan(&n))
		return n
	}
	before := counts()
	ann.unchanged("a refusal", func() {
		_, err := ann.getCode(mobile)
		limited(t, err)
	}, "challenges", "outbox", "accounts", "events")
	equal(t, "taken", counts(), before)
}

// Codes of a country that nobody types back are machines' doing.
func TestACountryWithoutAnswersIsPaused(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, texting(post))
	send := func(i int, number string) error {
		_, err := w.person(fmt.Sprintf("p%d@example.com", i)).signIn(at(fmt.Sprintf("10.0.%d.%d", i/200, i%200+1))).getCode(number)
		return err
	}
	for i := range twinlatch.AnswersJudged {
		w.ok(send(i, fmt.Sprintf("+4477009%05d", 100+i)))
	}
	_, err := w.Deliver(ctx)
	w.ok(err)
	w.ok(send(60, "+447700900960")) // their codes may still be typed
	w.later(10 * minute)
	_, err = w.Deliver(ctx)
	w.ok(err)
	end := w.Now().Add(time.Hour)
	until(t, send(61, "+447700900961"), end)
	w.ok(send(62, "+33612345678")) // others are not
	w.later(time.Hour)
	w.ok(send(63, "+447700900963"))
}

// A thousand presses of "Send again", over two processes, send one message.
func TestParallelSendAgain(t *testing.T) {
	const presses = 1000
	post := &postman{name: "post"}
	onBoth(t, func(t *testing.T, w *world) {
		*post = postman{name: "post"}
		ann := w.texted(post, "ann@example.com", mobile).signIn(cafe)
		second := twinlatchtest.On(t, w.url, texting(post), func(c *twinlatch.Config) {
			c.Clock, c.Keys = w.Config.Clock, w.Config.Keys
		})
		who := ann.known()
		ask := func(i int) error {
			service := []*twinlatch.Service{w.Service, second.Service}[i%2]
			_, err := service.Ask(ctx, who, "", cafe)
			return err
		}
		won := func(errs []error) (n int) {
			for _, err := range errs {
				if err == nil {
					n++
					continue
				}
				limited(t, err)
			}
			return n
		}
		first := won(together(200, ask))
		equal(t, "letters", len(post.letters()), 2)
		w.later(30 * time.Second)
		again := won(together(presses, ask))
		equal(t, "letters", len(post.letters()), 3)
		if first < 1 || again != 1 {
			t.Errorf("%d were told that a code is on its way, then %d", first, again)
		}
		all := post.letters()
		equal(t, "the same code", all[2].pin(), all[1].pin())
		ann.ok(ann.answer(all[2].pin()))
	}, texting(post))
}

// Strangers who have codes of enrollments sent cannot use up what owners need to
// sign in: not those of the very same number, not those of all, and not the
// patience with a country.
func TestStrangersDoNotUseUpWhatOwnersNeed(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, texting(post), func(c *twinlatch.Config) { c.Sending.PerHour, c.Sending.Budget = 160, 160 })
	owner := w.texted(post, "ann@example.com", mobile)
	stranger := 0
	enroll := func(number string) error {
		stranger++
		_, err := w.person(fmt.Sprintf("p%d@example.com", stranger)).signIn(at(fmt.Sprintf("10.0.%d.%d", stranger/200, stranger%200+1))).getCode(number)
		return err
	}
	for range 4 {
		w.ok(enroll(mobile))
		w.later(30 * time.Second)
	}
	limited(t, enroll(mobile))
	signsIn := func() {
		t.Helper()
		b := owner.signIn(cafe)
		_, err := b.sendTo("")
		b.ok(err)
		b.ok(b.answer(post.pin()))
	}
	signsIn()
	for i := range 60 {
		w.ok(enroll(fmt.Sprintf("+4477009%05d", 100+i)))
	}
	w.later(10 * minute)
	_, err := w.Deliver(ctx)
	w.ok(err)
	limited(t, enroll("+447700900999"))
	signsIn() // enrollments to the country are paused
	for i := 0; enroll(fmt.Sprintf("+336120000%02d", i)) == nil; i++ {
		if i > 90 {
			t.Fatal("enrollments have no end")
		}
	}
	w.later(minute)
	signsIn() // enrollments have used up their half
}

// A verification counts for its number in its account.
func TestTheLimitOfVerifications(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, texting(post))
	ann := w.texted(post, "ann@example.com", mobile)
	bob := w.texted(post, "bob@example.com", mobile) // they share a phone
	send := func(b *browser) error {
		b.later(minute)
		_, err := b.signIn(cafe).sendTo("")
		return err
	}
	for range 5 {
		w.ok(send(ann))
	}
	limited(t, send(ann))
	w.ok(send(bob))
	w.later(time.Hour)
	for range 5 {
		w.ok(send(ann))
	}
	w.later(time.Hour)
	limited(t, send(ann))
	w.ok(send(bob))
}

// Who has the password uses up, elsewhere, nothing of what the owner may get in
// a network that the owner verified from.
func TestAThiefOfThePasswordDoesNotKeepTheOwnerOut(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	ann := newWorld(t, texting(post)).texted(post, "ann@example.com", mobile)
	send := func(from twinlatch.Client) error {
		ann.later(minute)
		_, err := ann.signIn(from).sendTo("")
		return err
	}
	for range 5 {
		ann.ok(send(cafe))
	}
	limited(t, send(cafe))
	ann.ok(send(home))
}

// A budget of one message lets a number be enrolled: half of it is no message.
func TestTheSmallestBudget(t *testing.T) {
	t.Parallel()
	post := &postman{name: "post"}
	w := newWorld(t, texting(post), func(c *twinlatch.Config) {
		c.Sending.Budget, c.Sending.Price = 50, func(string) int { return 50 }
	})
	_, err := w.person("ann@example.com").signIn(home).getCode(mobile)
	w.ok(err)
	_, err = w.person("bob@example.com").signIn(cafe).getCode(other)
	until(t, err, w.Now().Add(day))
}
