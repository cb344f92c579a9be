package totp

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/methodtest"
)

// app is an authenticator app with one entry.
type app struct{ secret []byte }

func (a *app) Fields() map[string]string { return nil }

func (a *app) Enroll(t testing.TB, q twinlatch.Question, now time.Time) twinlatch.Answer {
	t.Helper()
	_, _, secret, err := ParseURI(q.Prompt.QR)
	if err != nil {
		t.Fatal(err)
	}
	a.secret = secret
	return a.Verify(t, q, now)
}

func (a *app) Verify(_ testing.TB, _ twinlatch.Question, now time.Time) twinlatch.Answer {
	code := Code(a.secret, now)
	return twinlatch.Answer{"code": code[:3] + " " + code[3:]}
}

func TestConformance(t *testing.T) {
	methodtest.Run(t, methodtest.Fixture{
		Method: method(t),
		Device: func(testing.TB) methodtest.Device { return new(app) },
		Wrong: func(right twinlatch.Answer) (all []twinlatch.Answer) {
			code := strings.ReplaceAll(right["code"], " ", "")
			for i := range code {
				wrong := []byte(code)
				wrong[i] = '0' + (wrong[i]-'0'+1)%10
				all = append(all, twinlatch.Answer{"code": string(wrong)})
			}
			return all
		},
	})
}

func method(t testing.TB) *Method {
	t.Helper()
	m, err := New("Example")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func factor(id twinlatch.FactorID, secret []byte, counter int64) twinlatch.OpenFactor {
	return twinlatch.OpenFactor{
		Factor: twinlatch.Factor{ID: id, Kind: Kind, Counter: counter},
		Secret: twinlatch.NewSecret(encoding.EncodeToString(secret)),
	}
}

func answer(code string) twinlatch.Answer { return twinlatch.Answer{"code": code} }

func TestNew(t *testing.T) {
	for _, issuer := range []string{"Example", "Example & Co", "例え", strings.Repeat("x", 64)} {
		if _, err := New(issuer); err != nil {
			t.Errorf("%q: %v", issuer, err)
		}
	}
	for _, issuer := range []string{"", " ", " Example", "a:b", "a\nb", "a\xff", "a\u202eb", strings.Repeat("x", 65), strings.Repeat("x", 1<<16)} {
		if _, err := New(issuer); err == nil || !strings.Contains(err.Error(), "choose") || len(err.Error()) > 500 {
			t.Errorf("%.20q: %v", issuer, err)
		}
	}
}

func TestBeginEnroll(t *testing.T) {
	in := twinlatch.Input{
		Account: twinlatch.Account{ID: "id", Login: "ann@example.com"},
		Fields:  map[string]string{"secret": "ATTACKER", "issuer": "Bank"},
		Rand:    bytes.NewReader([]byte("12345678901234567890 and more")),
	}
	q, err := method(t).BeginEnroll(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if string(q.State) != "12345678901234567890" {
		t.Errorf("state: %q", q.State)
	}
	want := twinlatch.Prompt{
		Text:   "add.app.s2",
		QR:     "otpauth://totp/Example:ann%40example.com?secret=" + someBase32 + "&issuer=Example&algorithm=SHA1&digits=6&period=30",
		Manual: "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ",
	}
	if q.Prompt.Text != want.Text || q.Prompt.QR != want.QR || q.Prompt.Manual != want.Manual || q.Prompt.Args != nil || q.Prompt.Options != nil {
		t.Errorf("prompt: %q %q %q", q.Prompt.Text, q.Prompt.QR, q.Prompt.Manual)
	}

	in.Account.Login, in.Rand = "\n", bytes.NewReader(make([]byte, 20))
	if q, err = method(t).BeginEnroll(t.Context(), in); err != nil || !strings.Contains(q.Prompt.QR, "/Example:id?") {
		t.Errorf("an account without a login: %s, %v", q.Prompt.QR, err)
	}
	in.Rand = bytes.NewReader(make([]byte, 19))
	if q, err = method(t).BeginEnroll(t.Context(), in); err == nil || q.State != nil {
		t.Error("enrolled with 19 bytes of randomness")
	}
}

func TestBeginVerify(t *testing.T) {
	in := twinlatch.Input{
		Account: twinlatch.Account{ID: "id", Login: "ann@example.com"},
		Factors: []twinlatch.OpenFactor{factor("f", someSecret, 0)},
	}
	q, err := method(t).BeginVerify(t.Context(), in)
	if err != nil || q.State != nil || q.Prompt.Text != "verify.app.lead" || q.Prompt.QR != "" || q.Prompt.Manual != "" ||
		!maps.Equal(q.Prompt.Args, map[string]string{"app": "Example", "account": "ann@example.com"}) {
		t.Errorf("%+v, %v", q.Prompt.Args, err)
	}
	if _, err := method(t).BeginVerify(t.Context(), twinlatch.Input{}); err == nil {
		t.Error("asked without a factor")
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ typed, want string }{ // want: the code, or the key of the error
		{"123456", "123456"},
		{"000000", "000000"},
		{"123 456", "123456"},
		{" 123-456 ", "123456"},
		{"1 2 3 4 5 6", "123456"},
		{"--123456--", "123456"},
		{strings.Repeat(" ", 58) + "123456", "123456"},
		{"", "err.code.empty"},
		{" ", "err.code.empty"},
		{" - -", "err.code.empty"},
		{"12345", "err.code.short"},
		{"1234567", "err.code.short"},
		{"123456123456", "err.code.short"},
		{strings.Repeat(" ", 59) + "123456", "err.code.short"},
		{strings.Repeat("1", 1<<20), "err.code.short"},
		{"12345a", "err.code.letters"},
		{"abc", "err.code.letters"},
		{"+12345", "err.code.letters"},
		{"12345.", "err.code.letters"},
		{"123\t456", "err.code.letters"},
		{"123456\n", "err.code.letters"},
		{"123456\x00", "err.code.letters"},
		{"123\u00a0456", "err.code.letters"},
		{"123\u2011456", "err.code.letters"},
		{"123\u200b456", "err.code.letters"},
		{"１２３４５６", "err.code.letters"},
		{"٣٤٥٦٧٨", "err.code.letters"},
		{"12345\xff", "err.code.letters"},
	} {
		typed := twinlatch.Answer{"code": c.typed, "factor": "x"}
		got, err := method(t).Parse(typed)
		if wrong := new(twinlatch.FieldError); errors.As(err, &wrong) {
			if wrong.Field != "code" || wrong.Key != c.want || got != nil {
				t.Errorf("%.70q: %v, want %s", c.typed, err, c.want)
			}
		} else if err != nil || !maps.Equal(got, answer(c.want)) {
			t.Errorf("%.70q: %q, %v, want %s", c.typed, got["code"], err, c.want)
		}
	}
}

// Digits of other scripts would be other texts for the same number.
func TestParseRefusesOtherDigits(t *testing.T) {
	n := 0
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if !unicode.Is(unicode.Nd, r) {
			continue
		}
		n++
		for _, typed := range []string{strings.Repeat(string(r), 6), "12345" + string(r), string(r) + "12345", "12345" + string(r) + "6"} {
			wrong := new(twinlatch.FieldError)
			if _, err := method(t).Parse(answer(typed)); !errors.As(err, &wrong) || wrong.Key != "err.code.letters" {
				t.Errorf("%q: %v", typed, err)
			}
			in := twinlatch.Input{Now: time.Unix(59, 0), Factors: []twinlatch.OpenFactor{factor("f", someSecret, 0)}}
			if _, err := method(t).FinishVerify(t.Context(), in, nil, answer(typed)); !errors.Is(err, twinlatch.ErrWrongCode) {
				t.Errorf("%q: %v", typed, err)
			}
		}
	}
	if n < 650 {
		t.Errorf("only %d digits", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, typed := range []string{"123456", "123 456", "", "١٢٣٤٥٦", "\xff", "12345", strings.Repeat("-", 65)} {
		f.Add(typed)
	}
	m := method(f)
	f.Fuzz(func(t *testing.T, typed string) {
		a, err := m.Parse(answer(typed))
		if err != nil {
			if wrong := new(twinlatch.FieldError); !errors.As(err, &wrong) || wrong.Field != "code" || !strings.HasPrefix(wrong.Key, "err.code.") {
				t.Fatalf("%v", err)
			}
			return
		}
		code := a["code"]
		if kept := strings.NewReplacer(" ", "", "-", "").Replace(typed); len(code) != 6 || code != kept || len(a) != 1 {
			t.Fatalf("%q became %q", typed, code)
		}
		if _, ok := number(a); !ok {
			t.Fatalf("%q is no number", code)
		}
		if again, err := m.Parse(a); err != nil || !maps.Equal(again, a) {
			t.Fatalf("%q became %q, %v", code, again["code"], err)
		}
	})
}

// A code is good from 30 seconds before its step to 30 seconds after it, to the
// second.
func TestWindow(t *testing.T) {
	const step = 1000
	code := answer(Code(someSecret, time.Unix(step*30, 0)))
	for _, c := range []struct {
		seconds int64
		right   bool
	}{
		{step*30 - 31, false}, {step*30 - 30, true}, {step*30 - 1, true},
		{step * 30, true}, {step*30 + 29, true},
		{step*30 + 30, true}, {step*30 + 59, true}, {step*30 + 60, false},
	} {
		now := time.Unix(c.seconds, 0)
		in := twinlatch.Input{Now: now, Factors: []twinlatch.OpenFactor{factor("f", someSecret, 0)}}
		proof, err := method(t).FinishVerify(t.Context(), in, nil, code)
		if c.right != (err == nil) || c.right && (*proof.Counter != step || proof.Factor != "f") || !c.right && !errors.Is(err, twinlatch.ErrWrongCode) {
			t.Errorf("FinishVerify %+d s: %v", c.seconds-step*30, err)
		}
		found, err := method(t).FinishEnroll(t.Context(), twinlatch.Input{Now: now}, someSecret, code)
		if c.right != (err == nil) || c.right && found.Counter != step || !c.right && !errors.Is(err, twinlatch.ErrWrongCode) {
			t.Errorf("FinishEnroll %+d s: %v", c.seconds-step*30, err)
		}
	}
}

func TestFinishEnroll(t *testing.T) {
	now := time.Unix(59, 0)
	found, err := method(t).FinishEnroll(t.Context(), twinlatch.Input{Now: now}, someSecret, answer("287082"))
	if err != nil || string(found.Digest) != string(someSecret) || found.Secret.Reveal() != someBase32 || found.Counter != 1 || found.Name != "" || found.Hint != "" {
		t.Errorf("%+v, %v", found, err)
	}
	for _, state := range [][]byte{nil, {}, someSecret[:19], slices.Concat(someSecret, []byte{0})} {
		if _, err := method(t).FinishEnroll(t.Context(), twinlatch.Input{Now: now}, state, answer(Code(state, now))); err == nil || errors.Is(err, twinlatch.ErrWrongCode) {
			t.Errorf("a state of %d bytes: %v", len(state), err)
		}
	}
	for _, code := range []string{"", "287083", "28708", "0287082", "28708٢", "28707<", "287 082", " 287082"} {
		if _, err := method(t).FinishEnroll(t.Context(), twinlatch.Input{Now: now}, someSecret, answer(code)); !errors.Is(err, twinlatch.ErrWrongCode) {
			t.Errorf("%q: %v", code, err)
		}
	}
}

// No step before 1970 counts, and none ever wraps.
func TestUnusualTimes(t *testing.T) {
	for _, c := range []struct {
		now   int64
		steps []int64 // whose codes are good
	}{
		{math.MinInt64, nil}, {-3600, nil}, {-31, nil}, {-30, []int64{0}}, {-1, []int64{0}},
		{0, []int64{0, 1}}, {30, []int64{0, 1, 2}},
		{math.MaxInt32, []int64{71582787, 71582788, 71582789}},
		{math.MaxUint32, []int64{143165575, 143165576, 143165577}},
		{30 << 32, []int64{1<<32 - 1, 1 << 32, 1<<32 + 1}},
		{math.MaxInt64, []int64{math.MaxInt64/30 - 1, math.MaxInt64 / 30, math.MaxInt64/30 + 1}},
	} {
		in := twinlatch.Input{Now: time.Unix(c.now, 0), Factors: []twinlatch.OpenFactor{factor("f", someSecret, 0)}}
		now := stepAt(in.Now)
		for step := now - 3; step <= now+3; step++ {
			code := fmt.Sprintf("%06d", hotp(sha1.New, someSecret, step, digits))
			proof, err := method(t).FinishVerify(t.Context(), in, nil, answer(code))
			if want := slices.Contains(c.steps, step); want != (err == nil) || want && *proof.Counter != step {
				t.Errorf("at %d s, step %d: %v", c.now, step, err)
			}
		}
	}
	in := twinlatch.Input{Factors: []twinlatch.OpenFactor{factor("f", someSecret, 0)}} // the zero time
	if _, err := method(t).FinishVerify(t.Context(), in, nil, answer(Code(someSecret, in.Now))); !errors.Is(err, twinlatch.ErrWrongCode) {
		t.Errorf("at the zero time: %v", err)
	}
}

func TestSeveralFactors(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	step := stepAt(now)
	other := []byte("another secret of 20")
	third := []byte("a third secret of 20")
	code, otherCode := Code(someSecret, now), Code(other, now)
	for _, c := range []struct {
		name    string
		factors []twinlatch.OpenFactor
		code    string
		factor  twinlatch.FactorID // empty: wrong
		step    int64
	}{
		{"none", nil, code, "", 0},
		{"first", []twinlatch.OpenFactor{factor("a", someSecret, 0), factor("b", other, 0)}, code, "a", step},
		{"last", []twinlatch.OpenFactor{factor("a", someSecret, 0), factor("b", other, 0)}, otherCode, "b", step},
		{"another's", []twinlatch.OpenFactor{factor("a", someSecret, 0), factor("b", third, 0)}, otherCode, "", 0},
		{"used", []twinlatch.OpenFactor{factor("a", someSecret, step)}, code, "a", step},
		// Two apps with one secret stand for two that happen to show the same code.
		{"first of equal", []twinlatch.OpenFactor{factor("a", someSecret, 0), factor("b", someSecret, 0)}, code, "a", step},
		{"fresh after used", []twinlatch.OpenFactor{factor("a", someSecret, step), factor("b", someSecret, 0)}, code, "b", step},
		{"fresh before used", []twinlatch.OpenFactor{factor("a", someSecret, 0), factor("b", someSecret, step+1)}, code, "a", step},
		{"both used", []twinlatch.OpenFactor{factor("a", someSecret, step), factor("b", someSecret, step+1)}, code, "a", step},
	} {
		in := twinlatch.Input{Now: now, Factors: c.factors}
		proof, err := method(t).FinishVerify(t.Context(), in, nil, answer(c.code))
		switch {
		case c.factor == "" && (!errors.Is(err, twinlatch.ErrWrongCode) || !reflect.DeepEqual(proof, twinlatch.Proof{})):
			t.Errorf("%s: %v, %v", c.name, proof.Factor, err)
		case c.factor != "" && (err != nil || proof.Factor != c.factor || *proof.Counter != c.step):
			t.Errorf("%s: %v, %v", c.name, proof.Factor, err)
		}
	}
}

// Two steps of one window with the same code: the newest counts, so that the
// code is used up for both.
func TestSeveralSteps(t *testing.T) {
	const step, code = 153567, "468457" // found by search; the other is step+2
	for _, s := range []int64{step, step + 2} {
		if got := Code(someSecret, time.Unix(s*30, 0)); got != code {
			t.Fatalf("step %d: %s", s, got)
		}
	}
	in := func(factors ...twinlatch.OpenFactor) twinlatch.Input {
		return twinlatch.Input{Now: time.Unix((step+1)*30, 0), Factors: factors}
	}
	proof, err := method(t).FinishVerify(t.Context(), in(factor("a", someSecret, 0)), nil, answer(code))
	if err != nil || *proof.Counter != step+2 {
		t.Errorf("%v, want step %d", err, step+2)
	}
	used, fresh := factor("a", someSecret, step+2), factor("b", someSecret, step+1)
	proof, err = method(t).FinishVerify(t.Context(), in(used, fresh), nil, answer(code))
	if err != nil || proof.Factor != "b" || *proof.Counter != step+2 {
		t.Errorf("%v, a proof of %q", err, proof.Factor)
	}
	found, err := method(t).FinishEnroll(t.Context(), in(), someSecret, answer(code))
	if err != nil || found.Counter != step+2 {
		t.Errorf("%v, enrolled with step %d: the code would be good again", err, found.Counter)
	}
}

func TestBrokenFactors(t *testing.T) {
	now := time.Unix(59, 0)
	raw := func(kind twinlatch.Kind, secret string) twinlatch.OpenFactor {
		return twinlatch.OpenFactor{Factor: twinlatch.Factor{ID: "f", Kind: kind}, Secret: twinlatch.NewSecret(secret)}
	}
	for name, f := range map[string]twinlatch.OpenFactor{
		"no secret":    {Factor: twinlatch.Factor{ID: "f", Kind: Kind}},
		"empty secret": raw(Kind, ""),
		"short secret": raw(Kind, someBase32[:24]),
		"no base32":    raw(Kind, "420123456789420123456789420123456789"),
		"other kind":   raw("text", someBase32),
	} {
		secret, _ := encoding.DecodeString(f.Secret.Reveal())
		in := twinlatch.Input{Now: now, Factors: []twinlatch.OpenFactor{f}}
		_, err := method(t).FinishVerify(t.Context(), in, nil, answer(Code(secret, now)))
		if err == nil || errors.Is(err, twinlatch.ErrWrongCode) || strings.Contains(err.Error(), "GEZDG") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the method does for random people at random times.
func TestRandomly(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	n := rand.New(random)
	m := method(t)
	for range 2000 {
		now := time.Unix(n.Int64N(1<<40), n.Int64N(1e9))
		in := twinlatch.Input{Account: twinlatch.Account{Login: "ann"}, Now: now, Rand: random}
		q, err := m.BeginEnroll(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		phone := new(app)
		a, err := m.Parse(phone.Enroll(t, q, now))
		if err != nil {
			t.Fatal(err)
		}
		found, err := m.FinishEnroll(t.Context(), in, q.State, a)
		if err != nil {
			t.Fatal(err)
		}
		offset := time.Duration(n.Int64N(241)-120) * time.Second
		in.Factors = []twinlatch.OpenFactor{{Factor: twinlatch.Factor{ID: "f", Kind: Kind, Counter: found.Counter}, Secret: found.Secret}}
		distance := stepAt(now.Add(offset)) - stepAt(now)
		proof, err := m.FinishVerify(t.Context(), in, nil, answer(Code(phone.secret, now.Add(offset))))
		if inside := distance >= -1 && distance <= 1 && stepAt(now.Add(offset)) >= 0; inside != (err == nil) {
			t.Fatalf("%v at %v: %v", offset, now, err)
		}
		if err == nil && *proof.Counter != stepAt(now)+distance {
			t.Fatalf("%v at %v: step %d", offset, now, *proof.Counter)
		}
	}
}

func BenchmarkFinishVerify(b *testing.B) {
	now := time.Unix(1_000_000_000, 0)
	for _, n := range []int{1, 5} {
		for name, code := range map[string]string{"right": Code(someSecret, now), "wrong": "000000"} {
			b.Run(fmt.Sprintf("%d_%s", n, name), func(b *testing.B) {
				in := twinlatch.Input{Now: now, Factors: slices.Repeat([]twinlatch.OpenFactor{factor("f", someSecret, 0)}, n)}
				m, ctx, a := method(b), context.Background(), answer(code)
				b.ReportAllocs()
				for b.Loop() {
					_, _ = m.FinishVerify(ctx, in, nil, a)
				}
			})
		}
	}
}
