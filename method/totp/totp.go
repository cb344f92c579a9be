// Package totp is the authenticator app: twinlatch.Method by time-based one-time
// passwords, RFC 6238, with what every app supports: SHA-1, six digits, steps of
// 30 seconds.
//
// A code is good in its own step and, for clocks that differ and fingers that
// are slow, in the step before and after it. The secret is 160 random bits of
// the server, shown once, at enrollment.
//
// It does not know which codes were used: a Proof carries the step, and the core
// accepts each step of a factor once. It does not count tries either. It does
// not follow the drift of an app's clock, which could be walked away.
package totp

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/twinlatch/twinlatch"
)

// Kind is the kind of all factors of this package.
const Kind twinlatch.Kind = "totp"

const (
	codeField  = "code"
	secretSize = 20 // bytes; RFC 4226 §4 R6 recommends 160 bits
	minSecret  = 16 // and demands 128
	skew       = 1  // steps, RFC 6238 §5.2
	maxInput   = 64 // bytes of a code as it was typed
)

// Method is the authenticator app as a twinlatch.Method. Make one with New.
type Method struct{ issuer string }

// New makes the method. The issuer is the name under which apps show the code,
// for instance "Example". It must be 1 to 64 bytes of UTF-8, without ":" and
// control characters and without spaces around it.
func New(issuer string) (*Method, error) {
	if issuer == "" || issuer != clean(issuer) {
		return nil, fmt.Errorf("totp: apps cannot show the issuer %.80q; choose a name of at most %d bytes without \":\" and control characters", issuer, maxName)
	}
	return &Method{issuer}, nil
}

// Describe implements twinlatch.Method.
func (*Method) Describe() twinlatch.Description {
	return twinlatch.Description{
		Kind: Kind,
		Name: "app",
		Icon: "app",
		AnswerFields: []twinlatch.Field{{
			Name:         codeField,
			Label:        "code.label",
			Hint:         "code.hint",
			Type:         "text",
			InputMode:    "numeric",
			Autocomplete: "one-time-code",
			MaxLength:    12,
			Wrong:        "err.code.wrong",
			Replayed:     "err.replayed",
		}},
		AMR: []string{"otp"},
	}
}

// BeginEnroll implements twinlatch.Method. The state is the secret, 20 bytes
// from in.Rand, and the prompt has it as a QR code and to be typed. in.Fields is
// ignored: no secret comes from outside.
func (m *Method) BeginEnroll(_ context.Context, in twinlatch.Input) (twinlatch.Question, error) {
	secret := make([]byte, secretSize)
	if _, err := io.ReadFull(in.Rand, secret); err != nil {
		return twinlatch.Question{}, fmt.Errorf("totp: no randomness for a secret: %w", err)
	}
	return twinlatch.Question{
		State: secret,
		Prompt: twinlatch.Prompt{
			Text:   "add.app.s2",
			QR:     uri(m.issuer, label(in.Account), secret),
			Manual: inFours(encoding.EncodeToString(secret)),
		},
	}, nil
}

// Parse implements twinlatch.Method. It keeps six ASCII digits, without the
// spaces and hyphens between them, and nothing else of the answer.
func (*Method) Parse(a twinlatch.Answer) (twinlatch.Answer, error) {
	typed := a[codeField]
	if len(typed) > maxInput {
		return nil, invalid("err.code.short")
	}
	code := strings.NewReplacer(" ", "", "-", "").Replace(typed)
	switch {
	case code == "":
		return nil, invalid("err.code.empty")
	case !onlyDigits(code):
		return nil, invalid("err.code.letters")
	case len(code) != digits:
		return nil, invalid("err.code.short")
	}
	return twinlatch.Answer{codeField: code}, nil
}

// FinishEnroll implements twinlatch.Method. The digest is the secret and the
// factor's Secret its base32 text, RFC 4648 §6, without padding. The counter is
// the newest step whose code was given, so that it cannot be given again.
func (*Method) FinishEnroll(_ context.Context, in twinlatch.Input, state []byte, a twinlatch.Answer) (twinlatch.NewFactor, error) {
	if len(state) != secretSize {
		return twinlatch.NewFactor{}, fmt.Errorf("totp: the state of an enrollment has %d bytes, not %d", len(state), secretSize)
	}
	given, ok := number(a)
	if !ok {
		return twinlatch.NewFactor{}, twinlatch.ErrWrongCode
	}
	newest := trial{}
	for _, t := range try(state, stepAt(in.Now), given) {
		if t.right {
			newest = t
		}
	}
	if !newest.right {
		return twinlatch.NewFactor{}, twinlatch.ErrWrongCode
	}
	return twinlatch.NewFactor{
		Digest:  bytes.Clone(state),
		Secret:  twinlatch.NewSecret(encoding.EncodeToString(state)),
		Counter: newest.step,
	}, nil
}

// BeginVerify implements twinlatch.Method. There is no state: any candidate's
// code of the moment is the answer.
func (m *Method) BeginVerify(_ context.Context, in twinlatch.Input) (twinlatch.Question, error) {
	if len(in.Factors) == 0 {
		return twinlatch.Question{}, errors.New("totp: there is no factor to ask for")
	}
	return twinlatch.Question{Prompt: twinlatch.Prompt{
		Text: "verify.app.lead",
		Args: map[string]string{"app": m.issuer, "account": label(in.Account)},
	}}, nil
}

// FinishVerify implements twinlatch.Method. It computes the codes of all
// candidates and steps, whichever is right. If several are, it takes one that
// was not used yet before one that was, and then the newest step. A secret that
// is not as FinishEnroll makes it is an error.
func (*Method) FinishVerify(_ context.Context, in twinlatch.Input, _ []byte, a twinlatch.Answer) (twinlatch.Proof, error) {
	given, ok := number(a)
	if !ok {
		return twinlatch.Proof{}, twinlatch.ErrWrongCode
	}
	var best trial
	var proof twinlatch.Proof
	bestFresh := false
	for _, f := range in.Factors {
		secret, err := encoding.DecodeString(f.Secret.Reveal())
		if f.Kind != Kind || err != nil || len(secret) < minSecret {
			return twinlatch.Proof{}, fmt.Errorf("totp: factor %q of kind %q has no secret of this method", f.ID, f.Kind)
		}
		for _, t := range try(secret, stepAt(in.Now), given) {
			fresh := t.step > f.Counter
			better := !best.right || fresh && !bestFresh || fresh == bestFresh && t.step > best.step
			if t.right && better {
				best, bestFresh = t, fresh
				proof = twinlatch.Proof{Factor: f.ID, Counter: &t.step}
			}
		}
	}
	if !best.right {
		return twinlatch.Proof{}, twinlatch.ErrWrongCode
	}
	return proof, nil
}

// trial says whether the code of a step was given.
type trial struct {
	step  int64
	right bool
}

// try compares the given number with the codes of the steps around now, oldest
// first and all of them. No step before 1970 is right.
func try(secret []byte, now int64, given uint32) (all [2*skew + 1]trial) {
	for i := range all {
		step := now + int64(i) - skew
		code := hotp(sha1.New, secret, step, digits)
		equal := subtle.ConstantTimeEq(int32(code), int32(given)) == 1
		all[i] = trial{step, equal && step >= 0}
	}
	return all
}

// number reads what Parse returned.
func number(a twinlatch.Answer) (n uint32, ok bool) {
	code := a[codeField]
	if len(code) != digits || !onlyDigits(code) {
		return 0, false
	}
	for _, d := range []byte(code) {
		n = n*10 + uint32(d-'0')
	}
	return n, true
}

// onlyDigits is about ASCII: other scripts have digits of their own, which would
// be other texts for the same number.
func onlyDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// label is the account as the app shows it.
func label(a twinlatch.Account) string {
	if name := clean(a.Login); name != "" {
		return name
	}
	return clean(string(a.ID))
}

// inFours puts a space after every fourth character, for the eye.
func inFours(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func invalid(key string) error { return &twinlatch.FieldError{Field: codeField, Key: key} }
