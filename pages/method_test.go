package pages

import (
	"context"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// word is a method as pages will meet others: something is asked before it
// begins, there is no QR code, and the answer is a word. It borrows the words of
// the authenticator app.
type word struct{}

func (word) Describe() twinlatch.Description {
	field := twinlatch.Field{Name: "word", Label: "code.label", Hint: "code.hint", Type: "text", Autocomplete: "off", MaxLength: 30, Wrong: "err.code.wrong"}
	return twinlatch.Description{Kind: "word", Name: "app", Icon: "key", EnrollFields: []twinlatch.Field{field}, AnswerFields: []twinlatch.Field{field}, AMR: []string{"kba"}}
}

func (word) BeginEnroll(_ context.Context, in twinlatch.Input) (twinlatch.Question, error) {
	if strings.TrimSpace(in.Fields["word"]) == "" {
		return twinlatch.Question{}, &twinlatch.FieldError{Field: "word", Key: "err.code.empty"}
	}
	return twinlatch.Question{State: []byte(in.Fields["word"]), Prompt: twinlatch.Prompt{
		Text: "verify.app.lead", Args: map[string]string{"app": "<b>App</b>", "account": in.Account.Login},
	}}, nil
}

func (word) Parse(a twinlatch.Answer) (twinlatch.Answer, error) {
	if a["word"] == "" {
		return nil, &twinlatch.FieldError{Field: "word", Key: "err.code.empty"}
	}
	return a, nil
}

func (word) FinishEnroll(_ context.Context, _ twinlatch.Input, state []byte, a twinlatch.Answer) (twinlatch.NewFactor, error) {
	if a["word"] != string(state) {
		return twinlatch.NewFactor{}, twinlatch.ErrWrongCode
	}
	return twinlatch.NewFactor{Digest: state, Secret: twinlatch.NewSecret(string(state))}, nil
}

func (word) BeginVerify(_ context.Context, in twinlatch.Input) (twinlatch.Question, error) {
	return twinlatch.Question{Prompt: twinlatch.Prompt{Text: "verify.app.lead", Args: map[string]string{"app": "Words", "account": in.Account.Login}}}, nil
}

func (word) FinishVerify(_ context.Context, in twinlatch.Input, _ []byte, a twinlatch.Answer) (twinlatch.Proof, error) {
	for _, f := range in.Factors {
		if f.Secret.Reveal() == a["word"] {
			return twinlatch.Proof{Factor: f.ID}, nil
		}
	}
	return twinlatch.Proof{}, twinlatch.ErrWrongCode
}

// A second method needs no page of its own.
func TestAnotherMethod(t *testing.T) {
	t.Parallel()
	d := doorOn(t, twinlatchtest.Migrated(t), func(c *twinlatch.Config) { c.Methods = append(c.Methods, word{}) })
	ana := d.anaWithApp(t)
	add := security + "/add/word"
	ana.get(security).is(200).offers(add, security+"/add/totp")
	ana.get(add).is(200).offers(add, security).keeps("word", "")
	ana.post(add, "word", "   ").refuses("word", "Enter the 6-digit code.").focuses("word").keeps("word", "   ")
	ana.outOfDate()
	ana.post(add, "word", "xyzzy").is(303)
	ana.verify()
	confirm := ana.post(add, "word", "xyzzy").is(303).location
	setup := ana.get(confirm).is(200).says("find the code for <b>App</b> (ana@example.com)").offers(confirm)
	if strings.Contains(setup.body, "otpauth:") || count(setup.all("img")) > 0 {
		t.Error("there is a QR code of something")
	}
	ana.post(confirm, "word", "plugh").refuses("word", "That code is not right. Check your app for the newest code and try again. You have 4 tries left.")
	ana.post(confirm, "word", "xyzzy").goes(security)
	again := ana.post(add, "word", "xyzzy").is(303).location
	ana.post(again, "word", "xyzzy").is(422) // the very same is enrolled already

	// The first one is asked until another is chosen; each has a row of its own.
	half := ana.half()
	half.get("/verify").is(200).input("code")
	ways := half.get("/verify/ways").is(200)
	factors := []string{}
	for n := range ways.all("input") {
		if attr(n, "name") == "factor" {
			factors = append(factors, attr(n, "value"))
		}
	}
	if len(factors) != 2 {
		t.Fatalf("%d ways: %s", len(factors), ways.text("main"))
	}
	half.post("/verify/ask", "factor", factors[1]).goes("/verify")
	half.get("/verify").is(200).says("find the code for Words (ana@example.com)").input("word")
	half.post("/verify", "word", "").refuses("word", "Enter the 6-digit code.")
	half.post("/verify", "word", "xyzzy").goes(security)
	ana.get(security).is(200).says("Authenticator app 2")
}
