//lint:file-ignore SA4006 what to do with each error is left out in the docs

package main

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/argon2child"
	"github.com/twinlatch/twinlatch/keyring"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/method/webauthn"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/web"
)

// Every line of Go in docs/embedding.md and in the package comment stands in
// this file too, which compiles. Lines with "…" are left out.
func TestDocsCompile(t *testing.T) {
	text := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var want []string
	inside := false
	for line := range strings.Lines(text("../../docs/embedding.md")) {
		if strings.HasPrefix(line, "```") {
			inside = line == "```go\n"
		} else if inside {
			want = append(want, line)
		}
	}
	for line := range strings.Lines(text("../../doc.go")) {
		if code, ok := strings.CutPrefix(line, "//\t"); ok {
			want = append(want, code)
		}
	}
	if len(want) < 20 {
		t.Fatalf("only %d lines of Go found", len(want))
	}
	compiled := text("docs_test.go")
	for _, line := range want {
		code, _, _ := strings.Cut(line, " // ")
		if code = strings.TrimSpace(code); !strings.Contains(code, "…") && !strings.Contains(compiled, code) {
			t.Errorf("does not stand here: %s", code)
		}
	}
}

func used(...any) {}

// Only compiled, never called.
var _ = []any{securityKey, putTogether, firstStep, signIn, check, secondStep, recoverWith, settings, packageComment}

func securityKey() {
	key, err := webauthn.New(webauthn.Config{ID: "example.com", Name: "Your product", Origins: []string{"https://www.example.com"}})
	used(key, err)
}

func putTogether(ctx context.Context) {
	keys, err := keyring.Load("keys")
	app, err := totp.New("Your product")
	store, err := sqlstore.Open(ctx, "sqlite:twostep.db")
	service, err := twinlatch.New(ctx, twinlatch.Config{
		Store: store, Keys: keys, Methods: []twinlatch.Method{app},
	})
	used(service, err, web.Cookie{Secure: true, For: service.Policy().SessionFor})
}

func firstStep(ctx context.Context, service *twinlatch.Service, userID string, client twinlatch.Client) {
	account, err := service.FindAccount(ctx, "shop", userID)
	if errors.Is(err, twinlatch.ErrNotFound) {
		account, err = service.CreateAccount(ctx, twinlatch.NewAccount{Realm: "shop", Login: userID, DisplayName: name}, client)
	}
	decision, token, err := service.StartSession(ctx, account.ID, client)
	used(decision, token, err)
}

const name = "Ana"

func signIn(ctx context.Context, service *twinlatch.Service, login string, password twinlatch.Secret, client twinlatch.Client) {
	decision, token, err := service.SignIn(ctx, twinlatch.MainRealm, login, password, client)
	used(decision, token, err)
}

func check(ctx context.Context, service *twinlatch.Service, token twinlatch.Token, client twinlatch.Client) {
	decision, err := service.Check(ctx, token, client)
	who, ok := decision.Known()
	used(who, ok, err)
}

func secondStep(ctx context.Context, service *twinlatch.Service, who twinlatch.Known, code string, client twinlatch.Client) {
	challenge, err := service.Ask(ctx, who, "", client)
	token, err := service.Answer(ctx, who, twinlatch.Answer{"code": code}, client)
	used(challenge, token, err)
}

func recoverWith(ctx context.Context, service *twinlatch.Service, who twinlatch.Known, backupCode twinlatch.Secret, client twinlatch.Client) {
	token, err := service.Recover(ctx, who, backupCode, client)
	used(token, err)
}

func settings(ctx context.Context, service *twinlatch.Service, who twinlatch.Passed, code string, client twinlatch.Client) {
	challenge, err := service.BeginEnroll(ctx, who, totp.Kind, nil, client)
	factor, token, err := service.FinishEnroll(ctx, who, challenge.ID, twinlatch.Answer{"code": code}, client)
	codes, err := service.NewBackupCodes(ctx, who, client)
	used(factor, token, codes, err)
}

func packageComment(ctx context.Context, svc *twinlatch.Service, realm, login string, password twinlatch.Secret, client twinlatch.Client, answer twinlatch.Answer) {
	decision, token, err := svc.SignIn(ctx, realm, login, password, client)
	{
		decision, err := svc.Check(ctx, token, client)
		used(decision, err)
	}
	known, _ := decision.Known()
	challenge, err := svc.Ask(ctx, known, "", client)
	{
		token, err := svc.Answer(ctx, known, answer, client)
		used(token, err)
	}
	used(challenge, err)
}

// hashBeside is what docs/embedding.md says about hashing in another process.
func hashBeside(config twinlatch.Config, program string, logger *slog.Logger) {
	if len(os.Args) == 2 && os.Args[1] == "hash" {
		log.Fatal(argon2child.Serve(os.Stdin, os.Stdout))
	}
	hashing := argon2child.New(func() *exec.Cmd { return &exec.Cmd{Path: program, Args: []string{program, "hash"}, Env: []string{}} }, logger)
	defer hashing.Close()
	config.Hashing.IDKey = hashing.IDKey
}

var _ = hashBeside
