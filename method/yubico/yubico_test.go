package yubico

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/methodtest"
	"github.com/twinlatch/twinlatch/method/yubicotest"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// hand holds a YubiKey. Its owner forgot Caps Lock.
type hand struct{ *twinlatchtest.YubiKey }

func (hand) Fields() map[string]string { return nil }

func (h hand) Enroll(testing.TB, twinlatch.Question, time.Time) twinlatch.Answer {
	return twinlatch.Answer{"code": " " + strings.ToUpper(h.Touch()) + "\n"}
}

func (h hand) Verify(t testing.TB, q twinlatch.Question, now time.Time) twinlatch.Answer {
	return h.Enroll(t, q, now)
}

func TestConformance(t *testing.T) {
	drawer := newDrawer()
	server := yubicotest.New(t, clientID, clientKey)
	for name, judge := range map[string]struct {
		Validator
		learn func(*twinlatchtest.YubiKey)
	}{
		"own":     {NewOwn(drawer), drawer.add},
		"servers": {newServers(t, server), func(k *twinlatchtest.YubiKey) { server.Add(k.Identity, k.Private[:], k.Key[:]) }},
	} {
		t.Run(name, func(t *testing.T) {
			methodtest.Run(t, methodtest.Fixture{
				Method: New(judge),
				Device: func(testing.TB) methodtest.Device {
					k := twinlatchtest.NewYubiKey()
					judge.learn(k)
					return hand{k}
				},
				Wrong: func(right twinlatch.Answer) (all []twinlatch.Answer) {
					otp := strings.ToLower(strings.TrimSpace(right["code"]))
					for i := range otp {
						wrong := []byte(otp)
						wrong[i] = modhex[(strings.IndexByte(modhex, otp[i])+1)%16]
						all = append(all, twinlatch.Answer{"code": string(wrong)})
					}
					return all
				},
				Unbound: true,
			})
		})
	}
}

// judge is a Validator that says always the same, and how often it was asked.
type judge struct {
	counter int64
	err     error
	asked   int
}

func (j *judge) Authority(context.Context, OTP) (string, error) { return "judge", nil }

func (j *judge) Validate(context.Context, io.Reader, OTP) (int64, error) {
	j.asked++
	return j.counter, j.err
}

func of(keys ...*twinlatchtest.YubiKey) (in twinlatch.Input) {
	for i, k := range keys {
		in.Factors = append(in.Factors, twinlatch.OpenFactor{
			Factor: twinlatch.Factor{ID: twinlatch.FactorID(fmt.Sprint(i)), Kind: Kind},
			Secret: twinlatch.NewSecret(k.Identity + " judge"),
		})
	}
	return in
}

// vouched is of, with who the validator says vouches for the keys.
func vouched(t *testing.T, v Validator, keys ...*twinlatchtest.YubiKey) twinlatch.Input {
	t.Helper()
	in := of(keys...)
	for i, k := range keys {
		authority, err := v.Authority(t.Context(), parse(t, k.Touch()))
		if err != nil {
			t.Fatal(err)
		}
		in.Factors[i].Secret = twinlatch.NewSecret(k.Identity + " " + authority)
	}
	return in
}

func answerOf(otp string) twinlatch.Answer { return twinlatch.Answer{"code": otp} }

func TestFinishEnroll(t *testing.T) {
	k, j := twinlatchtest.NewYubiKey(), &judge{counter: 0x1234}
	found, err := New(j).FinishEnroll(t.Context(), twinlatch.Input{}, nil, answerOf(k.Touch()))
	if err != nil || string(found.Digest) != k.Identity || found.Secret.Reveal() != k.Identity+" judge" || found.Counter != 0x1234 || found.Hint != "" {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestAKeyIsEnrolledOnce(t *testing.T) {
	k, j := twinlatchtest.NewYubiKey(), &judge{counter: 1}
	_, err := New(j).FinishEnroll(t.Context(), of(twinlatchtest.NewYubiKey(), k), nil, answerOf(k.Touch()))
	var field *twinlatch.FieldError
	if !errors.As(err, &field) || field.Field != "code" || field.Key != "add.key.known" || j.asked != 0 {
		t.Errorf("%v after asking %d times", err, j.asked)
	}
}

func TestOnlyKeysOfTheAccountAreAskedAbout(t *testing.T) {
	k, other, j := twinlatchtest.NewYubiKey(), twinlatchtest.NewYubiKey(), &judge{counter: 7}
	m := New(j)
	foreign := of(k)
	foreign.Factors[0].Kind = "totp"
	for name, in := range map[string]twinlatch.Input{"no factor": {}, "another key": of(other), "another kind": foreign} {
		if _, err := m.FinishVerify(t.Context(), in, nil, answerOf(k.Touch())); !errors.Is(err, twinlatch.ErrWrongCode) || j.asked != 0 {
			t.Errorf("%s: %v after asking %d times", name, err, j.asked)
		}
	}
	proof, err := m.FinishVerify(t.Context(), of(other, k), nil, answerOf(k.Touch()))
	if err != nil || proof.Factor != "1" || *proof.Counter != 7 || proof.AMR != nil || j.asked != 1 {
		t.Errorf("%+v, %v", proof, err)
	}
}

// What the validator cannot tell is no verdict.
func TestErrorsOfTheValidator(t *testing.T) {
	k := twinlatchtest.NewYubiKey()
	for _, c := range []struct{ err, want error }{
		{twinlatch.ErrWrongCode, twinlatch.ErrWrongCode},
		{twinlatch.ErrReplayed, twinlatch.ErrReplayed},
		{fmt.Errorf("x: %w", twinlatch.ErrUnavailable), twinlatch.ErrUnavailable},
		{errors.New("the disk is full"), twinlatch.ErrUnavailable},
		{context.Canceled, twinlatch.ErrUnavailable},
	} {
		m := New(&judge{counter: 9, err: c.err})
		found, err := m.FinishEnroll(t.Context(), twinlatch.Input{}, nil, answerOf(k.Touch()))
		if !errors.Is(err, c.want) || !errors.Is(err, c.err) || found.Digest != nil {
			t.Errorf("enroll, %v: %v", c.err, err)
		}
		proof, err := m.FinishVerify(t.Context(), of(k), nil, answerOf(k.Touch()))
		if !errors.Is(err, c.want) || !errors.Is(err, c.err) || proof.Counter != nil {
			t.Errorf("verify, %v: %v", c.err, err)
		}
		if isVerdict(c.want) == errors.Is(err, twinlatch.ErrUnavailable) {
			t.Errorf("%v is a verdict and is none", err)
		}
	}
}

// One key that two people share: what one has used is used for both.
func TestOneKeyInTwoAccounts(t *testing.T) {
	k := twinlatchtest.NewYubiKey()
	own := NewOwn(newDrawer(k))
	in, m, otp := vouched(t, own, k), New(own), k.Touch()
	if _, err := m.FinishVerify(t.Context(), in, nil, answerOf(otp)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.FinishVerify(t.Context(), in, nil, answerOf(otp)); !errors.Is(err, twinlatch.ErrReplayed) {
		t.Error(err)
	}
	if _, err := m.FinishEnroll(t.Context(), twinlatch.Input{}, nil, answerOf(otp)); !errors.Is(err, twinlatch.ErrReplayed) {
		t.Error(err)
	}
}

// A key that was written anew and imported again is another key: it is not the
// second step of whom it belonged to before. So is one of that identity that
// somebody else vouches for, after a change of settings.
func TestAnIdentityThatIsAnotherKeyNow(t *testing.T) {
	old := twinlatchtest.NewYubiKey()
	in := vouched(t, NewOwn(newDrawer(old)), old)

	rewritten := twinlatchtest.NewYubiKey()
	rewritten.Identity = old.Identity
	server := yubicotest.New(t, clientID, clientKey)
	server.Add(rewritten.Identity, rewritten.Private[:], rewritten.Key[:])
	in.Rand = rand.Reader
	for name, v := range map[string]Validator{"imported again": NewOwn(newDrawer(rewritten)), "of a server": newServers(t, server)} {
		if proof, err := New(v).FinishVerify(t.Context(), in, nil, answerOf(rewritten.Touch())); !errors.Is(err, twinlatch.ErrWrongCode) || proof.Counter != nil {
			t.Errorf("%s: %+v, %v", name, proof, err)
		}
		found, err := New(v).FinishEnroll(t.Context(), twinlatch.Input{Rand: rand.Reader}, nil, answerOf(rewritten.Touch()))
		if err != nil || found.Secret.Reveal() == in.Factors[0].Secret.Reveal() {
			t.Errorf("%s: its new owner cannot add it: %v", name, err)
		}
	}
}

func TestNonceComesFromTheInput(t *testing.T) {
	k, server := twinlatchtest.NewYubiKey(), yubicotest.New(t, clientID, clientKey)
	server.Add(k.Identity, k.Private[:], k.Key[:])
	in := vouched(t, newServers(t, server), k)
	in.Rand = bytes.NewReader([]byte("sixteen bytes ok, and more"))
	if _, err := New(newServers(t, server)).FinishVerify(t.Context(), in, nil, answerOf(k.Touch())); err != nil {
		t.Fatal(err)
	}
	if got := server.Asked()[0].Get("nonce"); got != fmt.Sprintf("%x", "sixteen bytes ok") {
		t.Errorf("nonce %s", got)
	}
	in.Rand = strings.NewReader("short")
	if _, err := New(newServers(t, server)).FinishVerify(t.Context(), in, nil, answerOf(k.Touch())); !errors.Is(err, twinlatch.ErrUnavailable) {
		t.Errorf("without randomness: %v", err)
	}
	if n := len(server.Asked()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

const clientID = "12345"

var clientKey = base64.StdEncoding.EncodeToString([]byte("twenty bytes of key!"))
