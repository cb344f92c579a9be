package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/methodtest"
)

// handset is a phone: it gets what is sent to its number and nothing else, and
// pastes the whole message.
type handset struct{ number string }

func (h handset) Fields() map[string]string { return map[string]string{"phone": h.number} }

func (h handset) Enroll(t testing.TB, q twinlatch.Question, _ time.Time) twinlatch.Answer {
	t.Helper()
	if q.Message == nil || q.Message.To.Reveal() != h.number || q.Message.Channel != twinlatch.Text {
		t.Fatalf("no message to %s", h.number)
	}
	return answer(q.Message.Body.Reveal())
}

func (h handset) Verify(t testing.TB, q twinlatch.Question, now time.Time) twinlatch.Answer {
	t.Helper()
	return h.Enroll(t, q, now)
}

func TestConformance(t *testing.T) {
	for name, c := range map[string]Config{
		"with a host":    {App: "Example", Host: "id.example.com", Countries: []string{"GB"}},
		"without a host": {App: "Example"},
	} {
		t.Run(name, func(t *testing.T) {
			var phones atomic.Int64
			m := method(t, c)
			methodtest.Run(t, methodtest.Fixture{
				Method: m,
				Device: func(testing.TB) methodtest.Device {
					return handset{fmt.Sprintf("+447700900%03d", phones.Add(1))}
				},
				Wrong: func(right twinlatch.Answer) (all []twinlatch.Answer) {
					code, _, _ := strings.Cut(right["code"], " ")
					for i := range code {
						wrong := []byte(code)
						wrong[i] = '0' + (wrong[i]-'0'+1)%10
						all = append(all, answer(string(wrong)))
					}
					return all
				},
			})
		})
	}
}

func method(t testing.TB, c Config) *Method {
	t.Helper()
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func example(t testing.TB) *Method {
	t.Helper()
	return method(t, Config{App: "Example", Host: "id.example.com"})
}

func factor(id twinlatch.FactorID, e164 string) twinlatch.OpenFactor {
	return twinlatch.OpenFactor{
		Factor: twinlatch.Factor{ID: id, Kind: Kind},
		Secret: twinlatch.NewSecret(e164),
	}
}

const (
	numberA = "+447700900167"
	numberB = "+447700900267"
)

// input has the randomness of the code 123456.
func input(fields map[string]string, factors ...twinlatch.OpenFactor) twinlatch.Input {
	return twinlatch.Input{
		Account: twinlatch.Account{ID: "id", Login: "ann@example.com", Locale: "en"},
		Fields:  fields,
		Factors: factors,
		Rand:    bytes.NewReader([]byte{0x01, 0xe2, 0x40}),
	}
}

func typed(number string) map[string]string { return map[string]string{"phone": number} }

var hostileApps = []string{
	"", " ", " Example", "Example ", "a\nb", "a\r\n@evil.example #654321", "Bank @evil.example", "#1", "x #123456", "654321", "Shop 654 321", "Shop 654-321",
	"a\x00b", "a\x1b[31m", "a\x7f", "a\u0085b", "a\u2028b", "a\u2029b", "a\u202eb", "a\u2066b", "a\u200fb", "a\xffb", strings.Repeat("x", 31), strings.Repeat("é", 31), strings.Repeat("x", 1<<16),
}

func TestNew(t *testing.T) {
	for _, c := range []Config{
		{App: "X"}, {App: "Example & Co."}, {App: "例え"}, {App: "שלום"}, {App: "Studio 2026"}, {App: "Route 12345"}, {App: strings.Repeat("é", 30)},
		{App: "%s {code} {app} $1"},
		{App: "X", Host: "localhost"}, {App: "X", Host: "ID.Example.com"}, {App: "X", Host: "xn--bcher-kva.example"}, {App: "X", Host: "127.0.0.1"},
		{App: "X", Region: "GB"}, {App: "X", Countries: []string{"GB", "US", "XK"}}, {App: "X", Region: "FR", Countries: []string{"FR"}},
	} {
		if _, err := New(c); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	refused := []Config{
		{App: "X", Region: "gb"}, {App: "X", Region: "UK"}, {App: "X", Region: "001"}, {App: "X", Region: "ZZ"}, {App: "X", Region: "GB\n"},
		{App: "X", Countries: []string{"GB", "XX"}}, {App: "X", Countries: []string{""}}, {App: "X", Region: "GB", Countries: []string{"GB", "us"}},
	}
	for _, app := range hostileApps {
		refused = append(refused, Config{App: app})
	}
	for _, host := range []string{
		"id.example.com:443", "https://id.example.com", "id.example.com/", "id.example.com.", ".example.com", "id..example.com", "-id.example.com", "id-.example.com",
		"id_x.example.com", "id example.com", "@id.example.com", "id.example.com #654321", "id.example.com\n", "[::1]", "::1", "bücher.example", "*.example.com", " ",
		strings.Repeat("x", 64) + ".com", strings.Repeat("x.", 127), strings.Repeat("x.", 126) + "xx",
	} {
		refused = append(refused, Config{App: "X", Host: host})
	}
	for _, c := range refused {
		if m, err := New(c); err == nil || m != nil || !strings.Contains(err.Error(), "choose") && !strings.Contains(err.Error(), "write") || len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\n\x00\u202e") {
			t.Errorf("%.60q %.60q %q %q: %v", c.App, c.Host, c.Region, c.Countries, err)
		}
	}
}

func TestConfigIsCopied(t *testing.T) {
	countries := []string{"GB"}
	m := method(t, Config{App: "Example", Countries: countries})
	countries[0] = "US"
	if _, err := m.BeginEnroll(t.Context(), input(typed(numberA))); err != nil {
		t.Error(err)
	}
}

func TestDescribe(t *testing.T) {
	d := example(t).Describe()
	if d.Kind != "text" || d.Name != "text" || d.Icon != "text" || !d.Sends || !slices.Equal(d.AMR, []string{"sms"}) || len(d.EnrollFields) != 1 || len(d.AnswerFields) != 1 {
		t.Fatalf("%+v", d)
	}
	if got, want := d.EnrollFields[0], (twinlatch.Field{Name: "phone", Label: "add.text.label", Hint: "add.text.hint", Type: "tel", InputMode: "tel", Autocomplete: "tel", MaxLength: 40}); got != want {
		t.Errorf("%+v", got)
	}
	if got, want := d.AnswerFields[0], (twinlatch.Field{Name: "code", Label: "code.label", Hint: "code.hint", Type: "text", InputMode: "numeric", Autocomplete: "one-time-code", MaxLength: 200, Wrong: "err.code.wrong_text"}); got != want {
		t.Errorf("%+v", got)
	}
}

func TestBeginEnroll(t *testing.T) {
	in := input(map[string]string{"phone": " 0044 (0)7700-900167", "to": numberB, "code": "000000", "factor": "b"})
	q, err := example(t).BeginEnroll(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(q.State), `{"for":"enroll","number":"+447700900167","code":"123456"}`; got != want {
		t.Errorf("state %s, want %s", got, want)
	}
	if q.Prompt.Text != "add.text.sent" || !maps.Equal(q.Prompt.Args, map[string]string{"number": "+44 7700 900167"}) || q.Prompt.QR != "" || q.Prompt.Manual != "" || q.Prompt.Options != nil {
		t.Errorf("prompt: %q %v", q.Prompt.Text, q.Prompt.Args)
	}
	if q.Message.Channel != twinlatch.Text || q.Message.To.Reveal() != numberA || q.Message.Body.Reveal() != message || q.Message.Country != "GB" || q.Message.ID != "" || !q.Message.ExpiresAt.IsZero() {
		t.Errorf("message to %s: %q", q.Message.To.Reveal(), q.Message.Body.Reveal())
	}

	in.Rand = bytes.NewReader(nil)
	if q, err := example(t).BeginEnroll(t.Context(), in); err == nil || q.State != nil || q.Message != nil {
		t.Error("enrolled without randomness")
	}
}

func TestBeginEnrollRefuses(t *testing.T) {
	m := method(t, Config{App: "Example", Countries: []string{"GB", "US"}})
	for _, c := range []struct{ typed, want string }{
		{"", "err.phone"},
		{"nonsense", "err.phone"},
		{"+44 909 879 0000", "err.phone.cannot"},
		{"+49 1512 3456789", "err.phone.country"},
		{"+44 (0)7700 900 167", "err.phone.used"},
		{"+1 202 555 0143", "err.phone.used"},
		{"+44 7700 900168", ""},
	} {
		q, err := m.BeginEnroll(t.Context(), input(typed(c.typed), factor("a", numberA), factor("b", "+12025550143")))
		wrong := new(twinlatch.FieldError)
		switch {
		case c.want == "" && (err != nil || q.Message == nil):
			t.Errorf("%q: %v", c.typed, err)
		case c.want != "" && (!errors.As(err, &wrong) || wrong.Field != "phone" || wrong.Key != c.want || q.Message != nil || q.State != nil):
			t.Errorf("%q: %v, want %s", c.typed, err, c.want)
		}
	}
	if _, err := m.BeginEnroll(t.Context(), input(nil)); err == nil {
		t.Error("enrolled nothing")
	}
}

func TestBeginVerify(t *testing.T) {
	// What is typed names no number.
	in := input(map[string]string{"phone": numberB, "to": numberB, "number": numberB}, factor("a", numberA))
	q, err := example(t).BeginVerify(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(q.State), `{"for":"verify","factor":"a","number":"+447700900167","code":"123456"}`; got != want {
		t.Errorf("state %s, want %s", got, want)
	}
	if q.Prompt.Text != "verify.text.lead" || !maps.Equal(q.Prompt.Args, map[string]string{"number": "•••• 67"}) {
		t.Errorf("prompt: %q %v", q.Prompt.Text, q.Prompt.Args)
	}
	if q.Message.To.Reveal() != numberA || q.Message.Body.Reveal() != message || q.Message.Country != "GB" || q.Message.Channel != twinlatch.Text {
		t.Errorf("message to %s: %q", q.Message.To.Reveal(), q.Message.Body.Reveal())
	}

	other := factor("a", numberA)
	other.Kind = "totp"
	for name, in := range map[string]twinlatch.Input{
		"no factor":     input(nil),
		"two factors":   input(nil, factor("a", numberA), factor("b", numberB)),
		"other kind":    input(nil, other),
		"no number":     input(nil, factor("a", "")),
		"no E.164":      input(nil, factor("a", "07700 900167")),
		"no randomness": {Factors: []twinlatch.OpenFactor{factor("a", numberA)}, Rand: bytes.NewReader(nil)},
	} {
		q, err := example(t).BeginVerify(t.Context(), in)
		if err == nil || q.State != nil || q.Message != nil || strings.Contains(err.Error(), "900167") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCountryNoLongerServed(t *testing.T) {
	m := method(t, Config{App: "Example", Countries: []string{"US"}})
	q, err := m.BeginVerify(t.Context(), input(nil, factor("a", numberA)))
	if !errors.Is(err, twinlatch.ErrNoRoute) || !strings.Contains(err.Error(), "GB") || strings.Contains(err.Error(), "900167") || q.Message != nil {
		t.Errorf("%v", err)
	}
	// What was asked before is still answered.
	q, err = example(t).BeginVerify(t.Context(), input(nil, factor("a", numberA)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.FinishVerify(t.Context(), input(nil, factor("a", numberA)), q.State, answer("123456")); err != nil {
		t.Error(err)
	}
}

func TestFinishEnroll(t *testing.T) {
	m := example(t)
	q, err := m.BeginEnroll(t.Context(), input(typed(numberA)))
	if err != nil {
		t.Fatal(err)
	}
	found, err := m.FinishEnroll(t.Context(), input(typed(numberB)), q.State, answer("123456"))
	if err != nil || found.Name != "" || found.Hint != "•••• 67" || string(found.Digest) != numberA || found.Secret.Reveal() != numberA || found.Counter != 0 {
		t.Errorf("%+v, %v", found, err)
	}
	for _, code := range []string{"", "123457", "12345", "0123456", "123 456", " 123456", "123456\x00", "１２３４５６"} {
		found, err := m.FinishEnroll(t.Context(), input(nil), q.State, answer(code))
		if !errors.Is(err, twinlatch.ErrWrongCode) || found.Digest != nil {
			t.Errorf("%q: %v", code, err)
		}
	}
}

func TestFinishVerify(t *testing.T) {
	m := example(t)
	q, err := m.BeginVerify(t.Context(), input(nil, factor("a", numberA)))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := m.FinishVerify(t.Context(), input(nil, factor("a", numberA)), q.State, answer("123456"))
	if err != nil || !reflect.DeepEqual(proof, twinlatch.Proof{Factor: "a"}) {
		t.Errorf("%+v, %v", proof, err)
	}
	for _, code := range []string{"", "123457", "12345", "0123456", "123 456", " 123456", "123456\x00", "１２３４５６"} {
		proof, err := m.FinishVerify(t.Context(), input(nil, factor("a", numberA)), q.State, answer(code))
		if !errors.Is(err, twinlatch.ErrWrongCode) || !reflect.DeepEqual(proof, twinlatch.Proof{}) {
			t.Errorf("%q: %v", code, err)
		}
	}
	other := factor("a", numberA)
	other.Kind = "totp"
	for name, factors := range map[string][]twinlatch.OpenFactor{
		"no factor":   nil,
		"two factors": {factor("a", numberA), factor("b", numberB)},
		"other kind":  {other},
		"no number":   {factor("a", "")},
	} {
		proof, err := m.FinishVerify(t.Context(), input(nil, factors...), q.State, answer("123456"))
		if err == nil || errors.Is(err, twinlatch.ErrWrongCode) || !reflect.DeepEqual(proof, twinlatch.Proof{}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The right code, where it was not asked for.
func TestCodeIsBound(t *testing.T) {
	m := example(t)
	asked := func(f twinlatch.OpenFactor) []byte {
		q, err := m.BeginVerify(t.Context(), input(nil, f))
		if err != nil {
			t.Fatal(err)
		}
		return q.State
	}
	a, b := factor("a", numberA), factor("b", numberB)
	for name, c := range map[string]struct {
		state []byte
		f     twinlatch.OpenFactor
	}{
		"A's for B":                        {asked(a), b},
		"B's for A":                        {asked(b), a},
		"the number of another factor":     {asked(a), factor("b", numberA)},
		"another number of this factor":    {asked(a), factor("a", numberB)},
		"a factor whose name begins alike": {asked(a), factor("aa", numberA)},
	} {
		proof, err := m.FinishVerify(t.Context(), input(nil, c.f), c.state, answer("123456"))
		if !errors.Is(err, twinlatch.ErrWrongCode) || !reflect.DeepEqual(proof, twinlatch.Proof{}) {
			t.Errorf("%s: %v", name, err)
		}
	}

	// Codes of one purpose are none of the other, and the state says so, whatever
	// the code is: the core has mixed up its challenges.
	q, err := m.BeginEnroll(t.Context(), input(typed(numberA)))
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"123456", "654321"} {
		if _, err := m.FinishVerify(t.Context(), input(nil, a), q.State, answer(code)); err == nil || errors.Is(err, twinlatch.ErrWrongCode) {
			t.Errorf("enrollment's for verification: %v", err)
		}
		if found, err := m.FinishEnroll(t.Context(), input(nil), asked(a), answer(code)); err == nil || errors.Is(err, twinlatch.ErrWrongCode) || found.Digest != nil {
			t.Errorf("verification's for enrollment: %v", err)
		}
	}
}

func TestStatesOfNobody(t *testing.T) {
	m := example(t)
	a := factor("a", numberA)
	for _, kept := range []string{
		"", "null", "{}", "[]", "123456", `"123456"`, "\xff", `{"for":"verify"`,
		`{"for":"verify","factor":"a","number":"+447700900167"}`,
		`{"for":"verify","factor":"a","number":"+447700900167","code":""}`,
		`{"for":"verify","factor":"a","number":"+447700900167","code":"12345"}`,
		`{"for":"verify","factor":"a","number":"+447700900167","code":"12345x"}`,
		`{"for":"verify","factor":"a","number":"","code":"123456"}`,
		`{"for":"verify","number":"+447700900167","code":"123456"}`,
		`{"for":"","factor":"a","number":"+447700900167","code":"123456"}`,
		`{"for":"other","factor":"a","number":"+447700900167","code":"123456"}`,
		`{"for":"enroll","factor":"a","number":"+447700900167","code":"123456"}`,
		`{"for":"verify","factor":"a","number":"+447700900167","code":"123456","more":1}`,
		`{"for":"verify","factor":"a","number":"+447700900167","code":"123456"}{}`,
		`{"for":"verify","factor":"a","number":"+447700900167","code":123456}`,
		`{"for":"enroll","number":"07700 900167","code":"123456"}`,
	} {
		for _, code := range []string{"123456", "12345", ""} {
			_, err := m.FinishVerify(t.Context(), input(nil, a), []byte(kept), answer(code))
			if err == nil || errors.Is(err, twinlatch.ErrWrongCode) || strings.Contains(err.Error(), "123456") || strings.Contains(err.Error(), "900167") {
				t.Errorf("FinishVerify of %s: %v", kept, err)
			}
			found, err := m.FinishEnroll(t.Context(), input(nil, a), []byte(kept), answer(code))
			if err == nil || found.Digest != nil || strings.Contains(err.Error(), "123456") || strings.Contains(err.Error(), "900167") {
				t.Errorf("FinishEnroll of %s: %v", kept, err)
			}
		}
	}
}

func TestBody(t *testing.T) {
	say := func(sentence string, err error) func(string, string, string) (string, error) {
		return func(locale, code, app string) (string, error) {
			return strings.NewReplacer("{locale}", locale, "{code}", code, "{app}", app).Replace(sentence), err
		}
	}
	for _, c := range []struct {
		host string
		say  func(string, string, string) (string, error)
		want string // empty: an error
	}{
		{"id.example.com", nil, message},
		{"ID.Example.com", nil, message},
		{"", nil, "123456 is your Example code. Do not share it with anyone."},
		{"id.example.com", say("{locale}: {app} {code}", nil), "en: Example 123456\n\n@id.example.com #123456"},
		{"id.example.com", say("رمزك هو \u2068{code}\u2069", nil), "رمزك هو \u2068123456\u2069\n\n@id.example.com #123456"},
		{"id.example.com", say("@evil.example #{code}", nil), "@evil.example #123456\n\n@id.example.com #123456"},
		{"id.example.com", say("", nil), ""},
		{"id.example.com", say("no code", nil), ""},
		{"id.example.com", say("{code}\n@evil.example #654321", nil), ""},
		{"", say("{code}\n@evil.example #654321", nil), ""},
		{"", say("{code}\u2028", nil), ""},
		{"", say("{code}\u202e", nil), ""},
		{"", say("{code}\xff", nil), ""},
		{"", say("{code}", errors.New("no such language")), ""},
	} {
		m := method(t, Config{App: "Example", Host: c.host, Say: c.say})
		for name, begin := range map[string]func() (twinlatch.Question, error){
			"BeginEnroll": func() (twinlatch.Question, error) { return m.BeginEnroll(t.Context(), input(typed(numberA))) },
			"BeginVerify": func() (twinlatch.Question, error) {
				return m.BeginVerify(t.Context(), input(nil, factor("a", numberA)))
			},
		} {
			q, err := begin()
			switch {
			case c.want == "" && (err == nil || q.Message != nil || strings.Contains(err.Error(), "123456")):
				t.Errorf("%s: %v", name, err)
			case c.want != "" && (err != nil || q.Message.Body.Reveal() != c.want):
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		}
	}
}

// The English message is a single one: all its characters are in the basic
// character set of GSM 03.38, one septet each, and there are at most 160.
func TestEnglishMessageIsOneMessage(t *testing.T) {
	const basic = "@ $_!\"#%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\n"
	m := method(t, Config{App: strings.Repeat("W", maxApp), Host: strings.Repeat("x", 60) + ".example"})
	body, err := m.body("en", "123456")
	if err != nil || len(body) > 160 || strings.Trim(body, basic) != "" {
		t.Errorf("%d characters, %v: %q", len(body), err, body)
	}
}

func TestShowAndLongHint(t *testing.T) {
	other := factor("a", numberA)
	other.Kind = "totp"
	for _, c := range []struct {
		f              twinlatch.OpenFactor
		show, longHint string
	}{
		{factor("a", numberA), "+44 7700 900167", "•••• 0167"},
		{factor("b", numberB), "+44 7700 900267", "•••• 0267"},
		{factor("c", "+690 7290"), "", ""},
		{factor("c", "+6907290"), "+690 7290", "•••• 90"},
		{factor("d", ""), "", ""},
		{other, "", ""},
	} {
		if show, hint := example(t).Show(c.f), example(t).LongHint(c.f); show != c.show || hint != c.longHint {
			t.Errorf("%s: %q %q, want %q %q", c.f.Secret.Reveal(), show, hint, c.show, c.longHint)
		}
	}
}

// Nothing that prints on the way tells a code or a number.
func TestQuestionsDoNotPrint(t *testing.T) {
	m := example(t)
	q, err := m.BeginVerify(t.Context(), input(nil, factor("a", numberA)))
	if err != nil {
		t.Fatal(err)
	}
	prompt, err := json.Marshal(q.Prompt)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %s %s", *q.Message, *q.Message, q.Prompt, prompt)
	for _, secret := range []string{"123456", "900167", "0167"} {
		if strings.Contains(shown, secret) {
			t.Errorf("%s is in %s", secret, shown)
		}
	}
}

// Phones of random people at random.
func TestRandomly(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	n := rand.New(random)
	m := example(t)
	for range 2000 {
		phone := handset{fmt.Sprintf("+447700900%03d", n.IntN(1000))}
		in := twinlatch.Input{Fields: phone.Fields(), Rand: random}
		q, err := m.BeginEnroll(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		a, err := m.Parse(phone.Enroll(t, q, in.Now))
		if err != nil {
			t.Fatal(err)
		}
		found, err := m.FinishEnroll(t.Context(), in, q.State, a)
		if err != nil {
			t.Fatal(err)
		}
		in.Factors = []twinlatch.OpenFactor{{Factor: twinlatch.Factor{ID: "f", Kind: Kind}, Secret: found.Secret}}
		if q, err = m.BeginVerify(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		if proof, err := m.FinishVerify(t.Context(), in, q.State, a); err == nil && !bytes.Contains(q.State, []byte(a["code"])) {
			t.Fatalf("the code of another question proves %q", proof.Factor)
		}
		if a, err = m.Parse(phone.Verify(t, q, in.Now)); err != nil {
			t.Fatal(err)
		}
		if _, err := m.FinishVerify(t.Context(), in, q.State, a); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkBeginEnroll(b *testing.B) {
	m := example(b)
	random := rand.NewChaCha8([32]byte{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.BeginEnroll(b.Context(), twinlatch.Input{Fields: typed("+44 7700 900167"), Rand: random}); err != nil {
			b.Fatal(err)
		}
	}
}
