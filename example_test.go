package twinlatch_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/keyring"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// A program asks Check at every request. The rest of the library is about the
// day on which the answer is not Pass.
func Example() {
	ctx := context.Background()
	clock := twinlatchtest.NewClock(twinlatchtest.Start()) // so that a month is short
	svc, closeIt := service(ctx, clock)
	defer closeIt()

	home := twinlatch.Client{IP: netip.MustParseAddr("192.0.2.1")}
	cafe := twinlatch.Client{IP: netip.MustParseAddr("198.51.100.7")}
	var token twinlatch.Token // the cookie
	var app func() twinlatch.Answer
	request := func(when string, from twinlatch.Client) twinlatch.Decision {
		decision, err := svc.Check(ctx, token, from)
		check(err)
		if passed, ok := decision.Passed(); ok {
			fmt.Printf("%s: welcome, %s\n", when, passed.Account().DisplayName)
		} else {
			fmt.Printf("%s: a code, please (%s)\n", when, decision.Reason)
		}
		return decision
	}

	// Ann signs up, signs in, and adds her phone.
	_, err := svc.CreateAccount(ctx, twinlatch.NewAccount{
		Login: "ann@example.com", DisplayName: "Ann", Password: twinlatch.NewSecret("correct horse battery staple"),
	}, home)
	check(err)
	_, token, err = svc.SignIn(ctx, twinlatch.MainRealm, "ann@example.com", twinlatch.NewSecret("correct horse battery staple"), home)
	check(err)
	ann, _ := request("signed in", home).Passed()

	challenge, err := svc.BeginEnroll(ctx, ann, totp.Kind, nil, home)
	check(err)
	_, _, secret, err := totp.ParseURI(challenge.Prompt.QR) // which the phone does
	check(err)
	app = func() twinlatch.Answer { return twinlatch.Answer{"code": totp.Code(secret, clock.Now())} }
	_, token, err = svc.FinishEnroll(ctx, ann, challenge.ID, app(), home)
	check(err)

	// From now on every sign-in asks, every thirty days, and every new address.
	_, token, err = svc.SignIn(ctx, twinlatch.MainRealm, "ann@example.com", twinlatch.NewSecret("correct horse battery staple"), home)
	check(err)
	who, _ := request("signed in again", home).Known()
	clock.Advance(30 * time.Second) // the code that confirmed the phone was used
	token, err = svc.Answer(ctx, who, app(), home)
	check(err)
	request("after the code", home)
	request("in the café", cafe)
	clock.Advance(30 * 24 * time.Hour)
	request("thirty days later", home)

	// Output:
	// signed in: welcome, Ann
	// signed in again: a code, please (new_session)
	// after the code: welcome, Ann
	// in the café: a code, please (ip_changed)
	// thirty days later: a code, please (code_too_old)
}

// service puts the parts together.
func service(ctx context.Context, clock *twinlatchtest.Clock) (svc *twinlatch.Service, closeIt func()) {
	dir, err := os.MkdirTemp("", "twinlatch-example-")
	check(err)
	store, err := sqlstore.Open(ctx, "sqlite:"+filepath.Join(dir, "twinlatch.db"))
	check(err)
	check(keyring.Create(filepath.Join(dir, "keys"), rand.Reader, clock.Now()))
	keys, err := keyring.Load(filepath.Join(dir, "keys"))
	check(err)
	app, err := totp.New("Example")
	check(err)
	svc, err = twinlatch.New(ctx, twinlatch.Config{Store: store, Keys: keys, Methods: []twinlatch.Method{app}, Clock: clock.Now})
	check(err)
	return svc, func() {
		check(store.Close())
		check(os.RemoveAll(dir))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
