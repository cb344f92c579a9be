package bench

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// BenchmarkSignUp is what signing up costs beyond the password hash, for an address
// that is free and for two that are taken: nobody should see in the time whether an
// address has an account. The hash that people really pay is the baseline of
// BenchmarkSignIn; the differences here have to be small beside it.
func BenchmarkSignUp(b *testing.B) {
	notices := func(c *twinlatch.Config) {
		c.Notice = func(_ twinlatch.Account, e twinlatch.Event, t twinlatch.Token) *twinlatch.Message {
			return &twinlatch.Message{Subject: string(e.Type), Body: twinlatch.NewSecret(t.Reveal())}
		}
	}
	for _, database := range []string{"sqlite", "postgres"} {
		for _, state := range []string{"free", "confirmed", "unconfirmed"} {
			b.Run(database+"/"+state, func(b *testing.B) {
				url := twinlatchtest.SQLite(b)
				if database == "postgres" {
					url = twinlatchtest.Postgres(b)
				}
				env, ctx := twinlatchtest.On(b, url, notices), context.Background()
				n := 0
				for b.Loop() {
					b.StopTimer()
					n++
					login := fmt.Sprintf("ana.%d@example.com", n)
					from := twinlatch.Client{IP: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})}
					if state != "free" {
						taken := twinlatch.NewAccount{Login: login, Password: twinlatch.NewSecret(password), Confirmed: state == "confirmed"}
						if _, err := env.CreateAccount(ctx, taken, from); err != nil {
							b.Fatal(err)
						}
						env.Clock.Advance(time.Minute)
					}
					b.StartTimer()
					if _, err := env.SignUp(ctx, twinlatch.NewAccount{Login: login, Password: twinlatch.NewSecret(password)}, from); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
