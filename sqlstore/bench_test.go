package sqlstore_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// BenchmarkSession measures the read of every request, under a context that
// can end, as a request's does.
func BenchmarkSession(b *testing.B) {
	for _, database := range []struct {
		name string
		url  func(testing.TB) string
	}{
		{"sqlite", twinlatchtest.SQLite},
		{"postgres", twinlatchtest.Postgres},
	} {
		b.Run(database.name, func(b *testing.B) {
			s := open(b, database.url(b))
			const accounts = 1000
			for i := range accounts {
				signedIn(b, s, accountID(i))
			}
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			read := func(b *testing.B, i int) {
				row, err := s.Session(ctx, accountID(i%accounts), "session")
				if err != nil || !row.Account.TwoStep {
					b.Fatal(row, err)
				}
			}
			b.Run("one", func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					read(b, i)
				}
			})
			b.Run("parallel", func(b *testing.B) {
				b.ReportAllocs()
				b.SetParallelism(8)
				var n atomic.Int64
				b.RunParallel(func(pb *testing.PB) {
					for i := int(n.Add(1)) * 97; pb.Next(); i++ {
						read(b, i)
					}
				})
			})
		})
	}
}

func accountID(i int) twinlatch.AccountID { return twinlatch.AccountID(fmt.Sprintf("account%019d", i)) }

// signedIn makes an account with a factor and a verified session.
func signedIn(t testing.TB, s *sqlstore.Store, id twinlatch.AccountID) {
	t.Helper()
	now := time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC)
	ip := netip.MustParseAddr("192.0.2.1")
	err := s.Tx(t.Context(), id, func(tx twinlatch.Tx) error {
		if err := tx.InsertAccount(twinlatch.Account{
			ID: id, Realm: twinlatch.MainRealm, Login: string(id) + "@example.com", DisplayName: "Ann", Locale: "en", CreatedAt: now,
		}); err != nil {
			return err
		}
		if err := tx.InsertFactor(twinlatch.StoredFactor{
			Factor: twinlatch.Factor{ID: "factor", Kind: "totp", Name: "Phone", CreatedAt: now},
			Digest: make([]byte, 32), Sealed: twinlatch.Sealed{Key: "k1", Text: make([]byte, 64)},
		}); err != nil {
			return err
		}
		return tx.InsertSession(twinlatch.Session{
			Account: id, ID: "session", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
			CreatedAt: now, PasswordAt: now, SeenAt: now, SeenIP: ip, ExpiresAt: now.AddDate(0, 3, 0),
			V4: twinlatch.Slot{IP: ip, At: now}, AMR: []string{"otp"},
		}, make([]byte, 32))
	})
	if err != nil {
		t.Fatal(err)
	}
}
