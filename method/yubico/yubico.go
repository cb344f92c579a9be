// Package yubico is the one-time password of YubiKeys, "Yubico OTP": 44 letters
// that the key types when it is touched. It is twinlatch.Method with a choice of
// who judges: Servers asks validation servers, those of Yubico or others, and Own
// knows the secrets of keys that an operator imported and asks nobody.
//
//	method := yubico.New(yubico.NewOwn(devices))
//
// A factor is the public identity of a key, its first 12 letters. The letters
// after them hold two counters, which make one number that grows with every
// touch; a Proof carries it, and the core accepts each number of a factor once
// and none below it. So the password that confirmed an enrollment does not sign
// in, and neither does one that was made earlier and kept.
//
// A fake page can pass such a password on, as any typed code: who fears that
// takes security keys, which most YubiKeys are as well. Nobody who types guesses
// 128 bits, so wrong answers do not pause the method.
//
// Sources, by name, on developers.yubico.com: "OTPs Explained", "Validation
// Protocol Version 2.0", "Key Provisioning Data Format"; and yubikey-val and
// libykclient, the server and the client of Yubico.
package yubico

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/twinlatch/twinlatch"
)

// Kind is the kind of all factors of this package.
const Kind twinlatch.Kind = "yubico"

const codeField = "code"

// Validator judges one-time passwords. Implementations are safe for concurrent
// use, and no error of theirs quotes a password or a key.
type Validator interface {
	// Validate gives the counters of the key as one number, which is greater with
	// every password, below 1<<23. Of any number of calls with one password at most
	// one succeeds. twinlatch.ErrWrongCode: it is not one of a key that is known
	// here. twinlatch.ErrReplayed: it, or a later one of the same key, was used.
	// twinlatch.ErrUnavailable: nobody could judge; the text says why. rand is for
	// what must be told apart from earlier requests.
	Validate(ctx context.Context, rand io.Reader, otp OTP) (counter int64, err error)

	// Authority says who vouches for the key that typed a password: a factor
	// is good for as long as that is the same. A key that is unknown has no
	// authority, or any.
	Authority(ctx context.Context, otp OTP) (string, error)
}

// Method is the one-time password as a twinlatch.Method. Make one with New.
type Method struct{ validator Validator }

// New makes the method, of which v judges all answers.
func New(v Validator) *Method { return &Method{v} }

// Describe implements twinlatch.Method.
func (*Method) Describe() twinlatch.Description {
	return twinlatch.Description{
		Kind: Kind,
		Name: "otp",
		Icon: "key",
		AnswerFields: []twinlatch.Field{{
			Name:         codeField,
			Label:        "verify.otp.label",
			Type:         "text",
			Autocomplete: "off",
			MaxLength:    64,
			Wrong:        "err.otp",
			Replayed:     "err.otp.replayed",
			Unavailable:  "err.otp.down",
		}},
		Named:       true,
		AMR:         []string{"otp"},
		Unguessable: true,
	}
}

// BeginEnroll implements twinlatch.Method. There is no state: any key that the
// validator knows may be enrolled.
func (*Method) BeginEnroll(context.Context, twinlatch.Input) (twinlatch.Question, error) {
	return twinlatch.Question{Prompt: twinlatch.Prompt{Text: "add.otp.lead"}}, nil
}

// Parse implements twinlatch.Method, by ParseOTP.
func (*Method) Parse(a twinlatch.Answer) (twinlatch.Answer, error) {
	otp, err := ParseOTP(a[codeField])
	if err != nil {
		return nil, &twinlatch.FieldError{Field: codeField, Key: "err.otp"}
	}
	return twinlatch.Answer{codeField: otp.Reveal()}, nil
}

// FinishEnroll implements twinlatch.Method. The digest is the public identity, and
// the secret that and who vouched for it. A key that is among in.Factors is a
// *FieldError, and nobody is asked.
func (m *Method) FinishEnroll(ctx context.Context, in twinlatch.Input, _ []byte, a twinlatch.Answer) (twinlatch.NewFactor, error) {
	otp, err := ParseOTP(a[codeField])
	if err != nil {
		return twinlatch.NewFactor{}, twinlatch.ErrWrongCode
	}
	if _, _, known := find(in.Factors, otp); known {
		return twinlatch.NewFactor{}, &twinlatch.FieldError{Field: codeField, Key: "add.key.known"}
	}
	counter, authority, err := m.validate(ctx, in, otp)
	if errors.Is(err, twinlatch.ErrWrongCode) {
		err = &twinlatch.WrongCodeError{Cause: err, Key: "err.otp.unknown"}
	}
	if err != nil {
		return twinlatch.NewFactor{}, err
	}
	return twinlatch.NewFactor{
		Digest:  []byte(otp.Identity()),
		Secret:  twinlatch.NewSecret(otp.Identity() + " " + authority),
		Counter: counter,
	}, nil
}

// BeginVerify implements twinlatch.Method. There is no state: any candidate's
// next password is the answer.
func (*Method) BeginVerify(_ context.Context, in twinlatch.Input) (twinlatch.Question, error) {
	if len(in.Factors) == 0 {
		return twinlatch.Question{}, errors.New("yubico: there is no factor to ask for")
	}
	return twinlatch.Question{Prompt: twinlatch.Prompt{Text: "verify.otp.lead"}}, nil
}

// FinishVerify implements twinlatch.Method. The password of a key that is none of
// in.Factors is wrong, and nobody is asked.
func (m *Method) FinishVerify(ctx context.Context, in twinlatch.Input, _ []byte, a twinlatch.Answer) (twinlatch.Proof, error) {
	otp, err := ParseOTP(a[codeField])
	if err != nil {
		return twinlatch.Proof{}, twinlatch.ErrWrongCode
	}
	factor, vouched, known := find(in.Factors, otp)
	if !known {
		return twinlatch.Proof{}, twinlatch.ErrWrongCode
	}
	counter, authority, err := m.validate(ctx, in, otp)
	if err != nil {
		return twinlatch.Proof{}, err
	}
	if authority != vouched { // the identity is another key's now
		return twinlatch.Proof{}, fmt.Errorf("yubico: another authority vouches for the key than when it was added: %w", twinlatch.ErrWrongCode)
	}
	return twinlatch.Proof{Factor: factor, Counter: &counter}, nil
}

// find says which of the factors the password is of, and who vouched for it.
// Identities are no secret.
func find(factors []twinlatch.OpenFactor, otp OTP) (id twinlatch.FactorID, authority string, known bool) {
	for _, f := range factors {
		identity, authority, _ := strings.Cut(f.Secret.Reveal(), " ")
		if f.Kind == Kind && identity == otp.Identity() {
			return f.ID, authority, true
		}
	}
	return "", "", false
}

// validate sees to it that a failure to judge is never taken for a verdict.
func (m *Method) validate(ctx context.Context, in twinlatch.Input, otp OTP) (counter int64, authority string, err error) {
	counter, err = m.validator.Validate(ctx, in.Rand, otp)
	if err == nil {
		authority, err = m.validator.Authority(ctx, otp)
	}
	if err == nil || isVerdict(err) || errors.Is(err, twinlatch.ErrUnavailable) {
		return counter, authority, err
	}
	return 0, "", fmt.Errorf("yubico: %w: %w", twinlatch.ErrUnavailable, err)
}

func isVerdict(err error) bool {
	return errors.Is(err, twinlatch.ErrWrongCode) || errors.Is(err, twinlatch.ErrReplayed)
}
