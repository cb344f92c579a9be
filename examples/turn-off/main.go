// Command turn-off turns two-step verification off for one account of a server,
// for someone who has lost every way to do the second step:
//
//	go run ./examples/turn-off -database sqlite:var/twinlatch.db -keys var/keys \
//		-login ana@example.com -by ann -why "came to the desk with her passport"
//
// It may run while the server does. Factors, backup codes and sessions of the
// account are gone; the password stays. Whoever asks is not checked here: make
// sure that it is the person before you run this. The account's audit trail
// keeps your name and the reason.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/keyring"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/sqlstore"
)

func main() {
	var o options
	flag.StringVar(&o.database, "database", "sqlite:var/twinlatch.db", "the server's setting database")
	flag.StringVar(&o.keys, "keys", "var/keys", "the server's setting keys")
	flag.StringVar(&o.login, "login", "", "whose: the e-mail address they sign in with")
	flag.StringVar(&o.by, "by", "", "who you are")
	flag.StringVar(&o.why, "why", "", "the reason")
	flag.Parse()
	if err := turnOff(context.Background(), o); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Two-step verification of %s is off.\n", o.login)
}

type options struct{ database, keys, login, by, why string }

func turnOff(ctx context.Context, o options) (err error) {
	if o.login == "" || o.by == "" || o.why == "" {
		return errors.New("give -login, -by and -why")
	}
	keys, err := keyring.Load(o.keys)
	if err != nil {
		return err
	}
	store, err := sqlstore.Open(ctx, o.database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	app, err := totp.New("Twinlatch")
	if err != nil {
		return err
	}
	service, err := twinlatch.New(ctx, twinlatch.Config{Store: store, Keys: keys, Methods: []twinlatch.Method{app}})
	if err != nil {
		return err
	}
	account, err := service.FindAccount(ctx, twinlatch.MainRealm, o.login)
	if err != nil {
		return fmt.Errorf("account %q: %w", o.login, err)
	}
	return service.TurnOff(ctx, twinlatch.OnBehalf(account.ID, "admin:"+o.by, o.why), twinlatch.Client{})
}
