// Package methodtest is the suite that each twinlatch.Method must pass: it holds
// a method to the contract in method.go of the core, from outside, with a device
// in the place of a person. A method is done when it passes:
//
//	func TestConformance(t *testing.T) {
//		methodtest.Run(t, methodtest.Fixture{Method: m, Device: newApp, Wrong: otherDigits})
//	}
//
// It is no substitute for the method's own tests: it knows no standard and no
// vectors. Only tests import it.
package methodtest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Device is what a person holds: the app, the phone, the key. It remembers what
// it learns at enrollment.
type Device interface {
	// Fields are right values for the method's EnrollFields.
	Fields() map[string]string

	// Enroll gives the right answer to a question of BeginEnroll. A device that
	// gets messages finds them in q.
	Enroll(t testing.TB, q twinlatch.Question, now time.Time) twinlatch.Answer

	// Verify gives the right answer to a question of BeginVerify.
	Verify(t testing.TB, q twinlatch.Question, now time.Time) twinlatch.Answer
}

// Fixture is a method and what is needed to use it.
type Fixture struct {
	Method twinlatch.Method

	// Device makes another device at each call.
	Device func(t testing.TB) Device

	// Wrong makes wrong answers out of a right one, at least one, each of which
	// Parse lets pass.
	Wrong func(right twinlatch.Answer) []twinlatch.Answer

	// Unbound says that whatever a device answers confirms any enrollment, not
	// only the one that asked: Yubico OTP.
	Unbound bool
}

// Run runs the suite. It takes no longer than the method itself does.
func Run(t *testing.T, f Fixture) {
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	s := suite{Fixture: f, start: start, use: start.Add(time.Hour)}
	t.Run("describes itself", s.describes)
	t.Run("parses", s.parses)
	t.Run("accepts the right answer", s.acceptsRight)
	t.Run("refuses a wrong answer", s.refusesWrong)
	t.Run("refuses the answer of another", s.refusesOthers)
	t.Run("tells factors apart", s.tellsApart)
	t.Run("binds an answer to its question", s.bindsAnswers)
	t.Run("refuses what is missing", s.refusesMissing)
	t.Run("counts up", s.countsUp)
	t.Run("tells no secret", s.tellsNoSecret)
	t.Run("is deterministic", s.isDeterministic)
	t.Run("is safe for concurrent use", s.isConcurrent)
}

type suite struct {
	Fixture
	start time.Time // when devices are enrolled
	use   time.Time // when they are used
}

// person has a device that is enrolled.
type person struct {
	account twinlatch.Account
	device  Device
	answer  twinlatch.Answer // to the question of the enrollment
	found   twinlatch.NewFactor
	factor  twinlatch.OpenFactor
}

// input is for the account of that name, with randomness that seed decides.
func input(name, seed string, now time.Time, candidates ...twinlatch.OpenFactor) twinlatch.Input {
	return twinlatch.Input{
		Account: twinlatch.Account{ID: twinlatch.AccountID("id-of-" + name), Realm: twinlatch.MainRealm, Login: name + "@example.com", DisplayName: name},
		Factors: candidates,
		Now:     now,
		Rand:    rand.NewChaCha8(sha256.Sum256([]byte(name + seed))),
	}
}

// enroll gives the person of that name a new device and enrolls it at the start.
func (s suite) enroll(t testing.TB, name string) person {
	t.Helper()
	return s.enrollDevice(t, name, "enroll", s.Device(t))
}

func (s suite) enrollDevice(t testing.TB, name, seed string, device Device) person {
	t.Helper()
	p := person{device: device}
	in := input(name, seed, s.start)
	p.account, in.Fields = in.Account, p.device.Fields()
	q, err := s.Method.BeginEnroll(t.Context(), in)
	if err != nil {
		t.Fatalf("BeginEnroll: %v", err)
	}
	p.answer = s.parse(t, p.device.Enroll(t, q, s.start))
	p.found, err = s.Method.FinishEnroll(t.Context(), input(name, "", s.start), q.State, p.answer)
	if err != nil {
		t.Fatalf("FinishEnroll refuses the right answer: %v", err)
	}
	p.factor = twinlatch.OpenFactor{
		Factor: twinlatch.Factor{
			ID: twinlatch.FactorID("factor-of-" + name), Kind: s.Method.Describe().Kind,
			Name: p.found.Name, Hint: p.found.Hint, Counter: p.found.Counter, CreatedAt: s.start,
		},
		Secret: p.found.Secret,
	}
	return p
}

func (s suite) parse(t testing.TB, a twinlatch.Answer) twinlatch.Answer {
	t.Helper()
	parsed, err := s.Method.Parse(a)
	if err != nil {
		t.Fatalf("Parse refuses an answer: %v", err)
	}
	return parsed
}

// ask begins a verification of p.
func (s suite) ask(t testing.TB, p person, seed string, now time.Time) twinlatch.Question {
	t.Helper()
	q, err := s.Method.BeginVerify(t.Context(), input(p.account.DisplayName, seed, now, p.factor))
	if err != nil {
		t.Fatalf("BeginVerify: %v", err)
	}
	return q
}

// judge finishes a verification for the account of p.
func (s suite) judge(t testing.TB, p person, q twinlatch.Question, a twinlatch.Answer, now time.Time, candidates ...twinlatch.OpenFactor) (twinlatch.Proof, error) {
	t.Helper()
	return s.Method.FinishVerify(t.Context(), input(p.account.DisplayName, "", now, candidates...), q.State, a)
}

// verify lets p pass.
func (s suite) verify(t testing.TB, p person, now time.Time) twinlatch.Proof {
	t.Helper()
	q := s.ask(t, p, "verify", now)
	proof, err := s.judge(t, p, q, s.parse(t, p.device.Verify(t, q, now)), now, p.factor)
	if err != nil {
		t.Fatalf("FinishVerify refuses the right answer: %v", err)
	}
	if proof.Factor != p.factor.ID {
		t.Errorf("the proof is of factor %q, want %q", proof.Factor, p.factor.ID)
	}
	s.claims(t, proof.AMR)
	return proof
}

func (s suite) describes(t *testing.T) {
	d := s.Method.Describe()
	if d.Kind == "" || d.Name == "" || d.Icon == "" || len(d.AMR) == 0 || len(d.AnswerFields) == 0 {
		t.Errorf("incomplete: %+v", d)
	}
	for _, f := range d.AnswerFields {
		if f.Name == "" || f.Label == "" || f.Type == "" || f.Wrong == "" || f.MaxLength <= 0 {
			t.Errorf("answer field incomplete: %+v", f)
		}
	}
	for _, f := range d.EnrollFields {
		if f.Name == "" || f.Label == "" || f.Type == "" || f.MaxLength <= 0 {
			t.Errorf("enroll field incomplete: %+v", f)
		}
	}
	s.claims(t, d.AMR)
	was := fmt.Sprintf("%+v", d)
	d.AnswerFields[0].Name, d.AMR[0] = "changed", "changed"
	if is := fmt.Sprintf("%+v", s.Method.Describe()); is != was {
		t.Errorf("the description changed:\n%s\n%s", was, is)
	}
}

// claims: what a fake site can pass on is not called a key (RFC 8176), and what no
// person typed is not called a password.
func (s suite) claims(t testing.TB, amr []string) {
	t.Helper()
	for _, value := range amr {
		key := value == "hwk" || value == "swk" || value == "pop"
		if typed := !s.Method.Describe().Script; typed && key || !typed && value == "otp" {
			t.Errorf("the answer of a person is called %q", value)
		}
	}
}

func (s suite) parses(t *testing.T) {
	p := s.enroll(t, "ann")
	q := s.ask(t, p, "verify", s.use)
	typed := p.device.Verify(t, q, s.use)
	before := maps.Clone(typed)
	once := s.parse(t, typed)
	if !maps.Equal(typed, before) {
		t.Error("Parse changed its argument")
	}
	if twice := s.parse(t, once); !maps.Equal(once, twice) {
		t.Error("Parse is not idempotent")
	}
	more := maps.Clone(typed)
	more["something else"] = "x"
	if got := s.parse(t, more); !maps.Equal(got, once) {
		t.Error("Parse kept what is no answer field")
	}

	names := map[string]bool{}
	huge, blank := twinlatch.Answer{}, twinlatch.Answer{}
	for _, f := range s.Method.Describe().AnswerFields {
		names[f.Name] = true
		huge[f.Name], blank[f.Name] = strings.Repeat("1", 1<<20), " "
	}
	for name, a := range map[string]twinlatch.Answer{"nil": nil, "empty": {}, "blank": blank, "huge": huge, "foreign": {"something else": "1"}} {
		_, err := s.Method.Parse(a)
		if field := new(twinlatch.FieldError); !errors.As(err, &field) || !names[field.Field] || field.Key == "" {
			t.Errorf("%s answer: %v, want a FieldError of an answer field", name, err)
		}
	}
}

func (s suite) acceptsRight(t *testing.T) {
	p := s.enroll(t, "ann")
	if len(p.found.Digest) == 0 {
		t.Error("NewFactor has no digest, so the same device could be added twice")
	}
	s.verify(t, p, s.use)
}

func (s suite) refusesWrong(t *testing.T) {
	device := s.Device(t)
	in := input("ann", "enroll", s.start)
	in.Fields = device.Fields()
	q, err := s.Method.BeginEnroll(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range s.wrong(t, device.Enroll(t, q, s.start)) {
		_, err := s.Method.FinishEnroll(t.Context(), input("ann", "", s.start), q.State, wrong)
		mustBeWrong(t, "FinishEnroll", err)
	}

	p := s.enroll(t, "ann")
	q = s.ask(t, p, "verify", s.use)
	for _, wrong := range s.wrong(t, p.device.Verify(t, q, s.use)) {
		proof, err := s.judge(t, p, q, wrong, s.use, p.factor)
		mustBeWrong(t, "FinishVerify", err)
		mustBeEmpty(t, proof)
	}
}

func (s suite) wrong(t *testing.T, right twinlatch.Answer) []twinlatch.Answer {
	t.Helper()
	all := s.Wrong(maps.Clone(right))
	if len(all) == 0 {
		t.Fatal("the fixture has no wrong answer")
	}
	for i, a := range all {
		all[i] = s.parse(t, a)
	}
	return all
}

func (s suite) refusesOthers(t *testing.T) {
	ann, bob := s.enroll(t, "ann"), s.enroll(t, "bob")
	askedAnn, askedBob := s.ask(t, ann, "verify", s.use), s.ask(t, bob, "verify", s.use)
	ofBob := s.parse(t, bob.device.Verify(t, askedBob, s.use))
	proof, err := s.judge(t, ann, askedAnn, ofBob, s.use, ann.factor)
	mustBeWrong(t, "FinishVerify of Ann with Bob's answer", err)
	mustBeEmpty(t, proof)
	proof, err = s.judge(t, ann, askedBob, ofBob, s.use, ann.factor)
	mustBeWrong(t, "FinishVerify of Ann with Bob's question and answer", err)
	mustBeEmpty(t, proof)
}

// tellsApart gives all candidates at once to a method that does not send.
func (s suite) tellsApart(t *testing.T) {
	if s.Method.Describe().Sends {
		return // it gets exactly one candidate
	}
	first, second := s.enroll(t, "ann"), s.enrollDevice(t, "ann", "enroll another", s.Device(t))
	second.factor.ID = "another factor of ann"
	for _, p := range []person{first, second} {
		in := input("ann", "verify", s.use, first.factor, second.factor)
		q, err := s.Method.BeginVerify(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := s.judge(t, first, q, s.parse(t, p.device.Verify(t, q, s.use)), s.use, in.Factors...)
		if err != nil || proof.Factor != p.factor.ID {
			t.Errorf("proof of %q, %v; want %q", proof.Factor, err, p.factor.ID)
		}
	}
}

func (s suite) bindsAnswers(t *testing.T) {
	device := s.Device(t)
	var questions [2]twinlatch.Question
	for i := range questions {
		in := input("ann", fmt.Sprint("enroll", i), s.start)
		in.Fields = device.Fields()
		var err error
		if questions[i], err = s.Method.BeginEnroll(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	if !s.Unbound {
		a := s.parse(t, device.Enroll(t, questions[0], s.start))
		_, err := s.Method.FinishEnroll(t.Context(), input("ann", "", s.start), questions[1].State, a)
		mustBeWrong(t, "FinishEnroll with the answer to another question", err)
	}

	p := s.enroll(t, "ann")
	q, other := s.ask(t, p, "verify", s.use), s.ask(t, p, "verify again", s.use)
	proof, err := s.judge(t, p, other, s.parse(t, p.device.Verify(t, q, s.use)), s.use, p.factor)
	if err == nil && proof.Counter == nil {
		t.Error("an answer to one question proves another, and no counter shows the replay")
	}
	if err != nil {
		mustBeWrong(t, "FinishVerify with the answer to another question", err)
	}
}

func (s suite) refusesMissing(t *testing.T) {
	if len(s.Method.Describe().EnrollFields) > 0 {
		_, err := s.Method.BeginEnroll(t.Context(), input("ann", "enroll", s.start))
		if field := new(twinlatch.FieldError); !errors.As(err, &field) {
			t.Errorf("BeginEnroll without fields: %v, want a FieldError", err)
		}
	}
	p := s.enroll(t, "ann")
	if _, err := s.Method.FinishEnroll(t.Context(), input("ann", "", s.start), nil, nil); err == nil {
		t.Error("FinishEnroll accepts nothing at all")
	}
	if !s.Unbound {
		if _, err := s.Method.FinishEnroll(t.Context(), input("ann", "", s.start), nil, p.answer); err == nil {
			t.Error("FinishEnroll accepts an answer without state")
		}
	}
	q := s.ask(t, p, "verify", s.use)
	a := s.parse(t, p.device.Verify(t, q, s.use))
	if proof, err := s.judge(t, p, q, a, s.use); err == nil {
		t.Errorf("FinishVerify without candidates proves %q", proof.Factor)
	}
	for name, a := range map[string]twinlatch.Answer{"nil": nil, "empty": {}, "foreign": {"something else": "1"}} {
		proof, err := s.judge(t, p, q, a, s.use, p.factor)
		mustBeWrong(t, "FinishVerify of a "+name+" answer", err)
		mustBeEmpty(t, proof)
	}
}

// countsUp is about replays: see twinlatch.Proof.
func (s suite) countsUp(t *testing.T) {
	p := s.enroll(t, "ann")
	q := s.ask(t, p, "verify", s.start)
	proof, err := s.judge(t, p, q, p.answer, s.start, p.factor)
	if err == nil && (proof.Counter == nil || *proof.Counter > p.factor.Counter) {
		t.Error("the answer that confirmed the enrollment signs in")
	}
	for i := range 3 {
		proof := s.verify(t, p, s.use.Add(time.Duration(i)*time.Hour))
		if proof.Counter == nil {
			continue
		}
		if *proof.Counter <= p.factor.Counter {
			t.Errorf("use %d: counter %d after %d", i, *proof.Counter, p.factor.Counter)
		}
		p.factor.Counter = *proof.Counter
	}
}

func (s suite) isDeterministic(t *testing.T) {
	device := s.Device(t)
	p := s.enroll(t, "ann")
	var enroll, verify [2]twinlatch.Question
	for i := range 2 {
		in := input("ann", "enroll", s.start)
		in.Fields = device.Fields()
		var err error
		if enroll[i], err = s.Method.BeginEnroll(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		verify[i] = s.ask(t, p, "verify", s.use)
	}
	if !reflect.DeepEqual(enroll[0], enroll[1]) {
		t.Error("BeginEnroll differs with the same Rand and Now")
	}
	if !reflect.DeepEqual(verify[0], verify[1]) {
		t.Error("BeginVerify differs with the same Rand and Now")
	}
}

// isConcurrent is for the race detector.
func (s suite) isConcurrent(t *testing.T) {
	for i := range 8 {
		device := s.Device(t)
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			p := s.enrollDevice(t, fmt.Sprint("person", i), "enroll", device)
			for j := range 8 {
				s.Method.Describe()
				s.verify(t, p, s.use.Add(time.Duration(j)*time.Hour))
			}
		})
	}
}

func mustBeWrong(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, twinlatch.ErrWrongCode) {
		t.Errorf("%s: %v, want ErrWrongCode", what, err)
	}
}

func mustBeEmpty(t *testing.T, proof twinlatch.Proof) {
	t.Helper()
	if proof.Factor != "" || proof.Counter != nil {
		t.Errorf("a refusal comes with a proof of %q", proof.Factor)
	}
}
