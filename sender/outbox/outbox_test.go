package outbox_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/outbox"
	"github.com/twinlatch/twinlatch/sender/sendertest"
)

func TestConformance(t *testing.T) {
	for _, channel := range []twinlatch.Channel{twinlatch.Text, twinlatch.Email} {
		t.Run(string(channel), func(t *testing.T) { conforms(t, channel) })
	}
}

func conforms(t *testing.T, channel twinlatch.Channel) {
	sendertest.Run(t, sendertest.Fixture{Channel: channel, New: func(_ testing.TB, clock func() time.Time) sendertest.Setup {
		o := outbox.New(100, clock)
		return sendertest.Setup{Sender: o, Provider: sendertest.Provider{Taken: func() []sendertest.Taken {
			var all []sendertest.Taken
			for _, k := range slices.Backward(o.Messages()) {
				all = append(all, sendertest.Taken{To: k.To, Subject: k.Subject, Body: k.Body})
			}
			return all
		}}}
	}})
}

func now() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }

func message(channel twinlatch.Channel, body string) twinlatch.Message {
	return twinlatch.Message{
		Channel:   channel,
		To:        twinlatch.NewSecret("+447700900167"),
		Body:      twinlatch.NewSecret(body),
		ExpiresAt: now().Add(time.Minute),
	}
}

// bodies are those of all kept messages, in their order.
func bodies(o *outbox.Outbox) (all []string) {
	for _, k := range o.Messages() {
		all = append(all, k.Body)
	}
	return all
}

func TestNewestComeFirstAndOldestAreForgotten(t *testing.T) {
	for most, want := range map[int][]string{
		-1: {"4"},
		0:  {"4"},
		1:  {"4"},
		3:  {"4", "3", "2"},
		4:  {"4", "3", "2", "1"},
		5:  {"4", "3", "2", "1"},
	} {
		o := outbox.New(most, now)
		for i := range 4 {
			if _, err := o.Send(t.Context(), message(twinlatch.Text, strconv.Itoa(i+1))); err != nil {
				t.Fatal(err)
			}
		}
		if got := bodies(o); !slices.Equal(got, want) {
			t.Errorf("at most %d: %q, want %q", most, got, want)
		}
	}
}

// TestJSON holds the form of /dev/outbox, which others read.
func TestJSON(t *testing.T) {
	o := outbox.New(1, now)
	mail := message(twinlatch.Email, "hello")
	mail.To, mail.Subject, mail.HTML = twinlatch.NewSecret("ana@example.com"), "Hello", twinlatch.NewSecret("<p>hello")
	for _, c := range []struct {
		next twinlatch.Message
		want string
	}{
		{message(twinlatch.Text, "483920"), `[]`},
		{mail, `[{"channel":"text","to":"+447700900167","subject":"","body":"483920","at":"2026-03-04T05:06:07Z"}]`},
		{mail, `[{"channel":"email","to":"ana@example.com","subject":"Hello","body":"hello","at":"2026-03-04T05:06:07Z"}]`},
	} {
		if got, err := json.Marshal(o.Messages()); err != nil || string(got) != c.want {
			t.Errorf("%s, %v, want %s", got, err, c.want)
		}
		if _, err := o.Send(t.Context(), c.next); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadersHaveTheirOwn(t *testing.T) {
	o := outbox.New(2, now)
	if _, err := o.Send(t.Context(), message(twinlatch.Text, "one")); err != nil {
		t.Fatal(err)
	}
	o.Messages()[0].Body = "changed"
	if got := bodies(o); !slices.Equal(got, []string{"one"}) {
		t.Errorf("kept %q", got)
	}
}

func TestConcurrentReadersSeeABoundedList(t *testing.T) {
	const most, many = 5, 200
	o := outbox.New(most, nil)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			m := message(twinlatch.Text, strconv.Itoa(i))
			m.ExpiresAt = time.Now().Add(time.Hour)
			if _, err := o.Send(t.Context(), m); err != nil {
				t.Error(err)
			}
			if n := len(o.Messages()); n < 1 || n > most {
				t.Errorf("%d messages", n)
			}
		})
	}
	all.Wait()
	if got := bodies(o); len(got) != most {
		t.Errorf("kept %q", got)
	}
}
