package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/text"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// carrier takes messages at once, or none.
type carrier struct {
	down bool
	mu   sync.Mutex
	at   time.Time // of the last message
	n    atomic.Int64
}

func (*carrier) Name() string { return "carrier" }

func (*carrier) Carries(by twinlatch.Channel) bool { return by == twinlatch.Text }

func (c *carrier) Send(context.Context, twinlatch.Message) (string, error) {
	c.mu.Lock()
	c.at = time.Now()
	c.mu.Unlock()
	c.n.Add(1)
	if c.down {
		return "", errors.New("down")
	}
	return "", nil
}

func texting(b *testing.B, database string, c *carrier) *twinlatchtest.Env {
	b.Helper()
	phone, err := text.New(text.Config{App: "Bench"})
	if err != nil {
		b.Fatal(err)
	}
	return twinlatchtest.On(b, database, func(config *twinlatch.Config) {
		config.Methods = append(config.Methods, phone)
		config.Sending = twinlatch.Sending{Senders: []twinlatch.Sender{c}, PerHour: 1 << 30, CountryPerHour: 1 << 30, NetworkPerHour: 1 << 20}
	})
}

func someNumber(i int) map[string]string {
	return map[string]string{"phone": fmt.Sprintf("+4479%08d", 11_000_000+i)}
}

func newAccount(b *testing.B, env *twinlatchtest.Env, i int) twinlatch.Authority {
	b.Helper()
	a, err := env.CreateAccount(context.Background(), twinlatch.NewAccount{Realm: "bench", Login: fmt.Sprint("user", i)}, client)
	if err != nil {
		b.Fatal(err)
	}
	return twinlatch.OnBehalf(a.ID, "bench", "bench")
}

// BenchmarkGetCode is "Get code" from the call to its return; to-sender is until
// the vendor has the message, after all limits and the commit. Its baseline is
// the same question of a method that sends nothing: one commit.
func BenchmarkGetCode(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			database := twinlatchtest.SQLite(b)
			if name == "postgres" {
				database = twinlatchtest.Postgres(b)
			}
			c := &carrier{}
			env := texting(b, database, c)
			by := newAccount(b, env, 0)
			ctx := context.Background()
			i := 0
			b.Run("text", func(b *testing.B) {
				var until time.Duration
				b.ReportAllocs()
				for b.Loop() {
					i++
					env.Clock.Advance(25 * time.Hour) // no limit is met
					began := time.Now()
					if _, err := env.BeginEnroll(ctx, by, text.Kind, someNumber(i), client); err != nil {
						b.Fatal(err)
					}
					until += c.at.Sub(began)
				}
				b.ReportMetric(float64(until.Nanoseconds())/float64(b.N), "ns-to-sender/op")
			})
			b.Run("baseline-totp", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := env.BeginEnroll(ctx, by, "totp", nil, client); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkOutbox is one message through the outbox loop, from due to noted as
// sent, with a vendor that takes no time.
func BenchmarkOutbox(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			database := twinlatchtest.SQLite(b)
			if name == "postgres" {
				database = twinlatchtest.Postgres(b)
			}
			c := &carrier{}
			env := texting(b, database, c)
			ctx := context.Background()
			c.down = true
			for i := range b.N {
				if _, err := env.BeginEnroll(ctx, newAccount(b, env, i), text.Kind, someNumber(i), client); err != nil {
					b.Fatal(err)
				}
				env.Clock.Advance(time.Millisecond)
			}
			env.Clock.Advance(time.Minute)
			c.down = false
			c.n.Store(0)
			b.ResetTimer()
			for c.n.Load() < int64(b.N) {
				n, err := env.Deliver(ctx)
				if err != nil {
					b.Fatal(err)
				}
				if n == 0 { // the circuit was open
					env.Clock.Advance(time.Minute)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
