package main

import (
	"crypto/rand"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/keyring"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// Someone who lost the phone signs in with the password alone afterwards, and
// sees who did that and why.
func TestTurnOff(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	o := options{
		database: "sqlite:" + filepath.Join(dir, "twinlatch.db"), keys: filepath.Join(dir, "keys"),
		login: "ana@example.com", by: "ann", why: "lost the phone",
	}
	check(t, keyring.Create(o.keys, rand.Reader, time.Now()))
	keys := must(keyring.Load(o.keys))(t)
	store := must(sqlstore.Open(ctx, o.database))(t)
	t.Cleanup(func() { check(t, store.Close()) })
	app := must(totp.New("Twinlatch"))(t)
	service := must(twinlatch.New(ctx, twinlatch.Config{Store: store, Keys: keys, Methods: []twinlatch.Method{app}}))(t)

	home := twinlatch.Client{IP: netip.MustParseAddr("192.0.2.1")}
	account := must(service.CreateAccount(ctx, twinlatch.NewAccount{Login: o.login}, home))(t)
	signIn := func() (twinlatch.Decision, twinlatch.Token) {
		decision, token, err := service.StartSession(ctx, account.ID, home)
		check(t, err)
		return decision, token
	}
	decision, _ := signIn()
	ana, _ := decision.Passed()
	challenge := must(service.BeginEnroll(ctx, ana, totp.Kind, nil, home))(t)
	phone := twinlatchtest.Scan(t, challenge.Prompt.QR)
	_, old, err := service.FinishEnroll(ctx, ana, challenge.ID, twinlatch.Answer{"code": phone.Code(service.Now())}, home)
	check(t, err)
	if decision, _ = signIn(); decision.Step != twinlatch.NeedSecondStep {
		t.Fatalf("step %v", decision.Step)
	}

	check(t, turnOff(ctx, o))
	if decision = must(service.Check(ctx, old, home))(t); decision.Step != twinlatch.NeedFirstStep {
		t.Errorf("the old session lives: %v", decision.Step)
	}
	decision, _ = signIn()
	ana, ok := decision.Passed()
	if !ok {
		t.Fatalf("step %v", decision.Step)
	}
	off := false
	for _, e := range must(service.Events(ctx, ana, 0, 10))(t) {
		off = off || e.Type == twinlatch.EventTwoStepOff && e.Actor == "admin:ann" && e.Detail.More["why"] == o.why
	}
	if !off {
		t.Error("not in the activity")
	}

	if err := turnOff(ctx, o); !errors.Is(err, twinlatch.ErrTwoStepOff) {
		t.Error(err)
	}
	o.login = "nobody@example.com"
	if err := turnOff(ctx, o); !errors.Is(err, twinlatch.ErrNotFound) {
		t.Error(err)
	}
	o.why = ""
	if err := turnOff(ctx, o); err == nil {
		t.Error("without a reason")
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		check(t, err)
		return v
	}
}
