// Package text is the text message: twinlatch.Method by a code of six digits sent
// to a phone number that the person enrolled.
//
// The code is bound to its question: to what it is for (an enrollment or the
// verification of one factor) and to the number that it went to. A message goes
// only to the number being enrolled or to that of the one factor asked for;
// nothing that is typed at the second step can name another.
//
// It sends nothing itself, counts no tries and knows no ages: the core does. Text
// messages can be read by who takes over a number, so this is the weakest method
// (NIST SP 800-63B-4 §3.1.3.3 calls it restricted).
package text

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/twinlatch/twinlatch"
)

// Kind is the kind of all factors of this package.
const Kind twinlatch.Kind = "text"

const (
	phoneField = "phone"
	codeField  = "code"
)

// Method is the text message as a twinlatch.Method. Make one with New.
type Method struct {
	app, host string
	say       func(locale, code, app string) (string, error)
	plan      plan
}

// Config is what New needs.
type Config struct {
	// App is the name in the message: 1 to 30 characters of one line, without
	// "@", "#" and six digits in a row, which belong to the code.
	App string

	// Host is that of the public address, without port, for the origin-bound last
	// line that lets phones fill the code in on the right site only. Empty: no
	// such line.
	Host string

	// Region is that of numbers written without a country code, in ISO 3166-1
	// alpha-2. Empty: numbers must begin with + or 00.
	Region string

	// Countries are the regions whose numbers may be used, in ISO 3166-1 alpha-2.
	// Each stands for itself: US is not Jamaica and GB is not Jersey, although
	// they share a country code and not a price. Empty: all.
	Countries []string

	// Say makes the sentence with the code, in one line, for an account's locale.
	// nil: in English.
	Say func(locale, code, app string) (string, error)
}

// New makes the method, or says what is wrong with the configuration.
func New(c Config) (*Method, error) {
	if err := checkApp(c.App); err != nil {
		return nil, err
	}
	host, err := cleanHost(c.Host)
	if err != nil {
		return nil, err
	}
	plan, err := newPlan(c.Region, c.Countries)
	if err != nil {
		return nil, err
	}
	if c.Say == nil {
		c.Say = english
	}
	return &Method{c.App, host, c.Say, plan}, nil
}

// Describe implements twinlatch.Method.
func (*Method) Describe() twinlatch.Description {
	return twinlatch.Description{
		Kind: Kind,
		Name: "text",
		Icon: "text",
		EnrollFields: []twinlatch.Field{{
			Name:         phoneField,
			Label:        "add.text.label",
			Hint:         "add.text.hint",
			Type:         "tel",
			InputMode:    "tel",
			Autocomplete: "tel",
			MaxLength:    40,
		}},
		AnswerFields: []twinlatch.Field{{
			Name:         codeField,
			Label:        "code.label",
			Hint:         "code.hint",
			Type:         "text",
			InputMode:    "numeric",
			Autocomplete: "one-time-code",
			MaxLength:    200, // of a whole message
			Wrong:        "err.code.wrong_text",
		}},
		Sends: true,
		AMR:   []string{"sms"},
	}
}

// What a code is for.
const (
	forEnroll = "enroll"
	forVerify = "verify"
)

// state is what a code is bound to.
type state struct {
	For    string             `json:"for"`
	Factor twinlatch.FactorID `json:"factor,omitempty"`
	Number string             `json:"number"` // E.164
	Code   string             `json:"code"`
}

// BeginEnroll implements twinlatch.Method. in.Fields has the number. Its Key is
// "err.phone" when it is none, "err.phone.cannot" when it gets no messages,
// "err.phone.country" when its country is not served and "err.phone.used" when
// it is among in.Factors.
func (m *Method) BeginEnroll(_ context.Context, in twinlatch.Input) (twinlatch.Question, error) {
	n, key := m.plan.read(in.Fields[phoneField])
	if key == "" && has(in.Factors, n.e164) {
		key = "err.phone.used"
	}
	if key != "" {
		return twinlatch.Question{}, &twinlatch.FieldError{Field: phoneField, Key: key}
	}
	prompt := twinlatch.Prompt{Text: "add.text.sent", Args: map[string]string{"number": n.international}}
	return m.ask(in, prompt, n, state{For: forEnroll})
}

func has(factors []twinlatch.OpenFactor, e164 string) bool {
	for _, f := range factors {
		if f.Secret.Reveal() == e164 {
			return true
		}
	}
	return false
}

// BeginVerify implements twinlatch.Method. It takes exactly one factor.
// ErrNoRoute: its country is not served any more.
func (m *Method) BeginVerify(_ context.Context, in twinlatch.Input) (twinlatch.Question, error) {
	f, n, err := m.only(in)
	if err != nil {
		return twinlatch.Question{}, err
	}
	if !m.plan.serves(n.region) {
		return twinlatch.Question{}, fmt.Errorf("text: the country %s of this number is not among those allowed: %w", n.region, twinlatch.ErrNoRoute)
	}
	prompt := twinlatch.Prompt{Text: "verify.text.lead", Args: map[string]string{"number": n.hint()}}
	return m.ask(in, prompt, n, state{For: forVerify, Factor: f.ID})
}

// ask draws a code and writes it into the state and into the message.
func (m *Method) ask(in twinlatch.Input, p twinlatch.Prompt, n number, s state) (twinlatch.Question, error) {
	code, err := draw(in.Rand)
	if err != nil {
		return twinlatch.Question{}, err
	}
	body, err := m.body(in.Account.Locale, code)
	if err != nil {
		return twinlatch.Question{}, err
	}
	s.Number, s.Code = n.e164, code
	kept, _ := json.Marshal(s) // strings only
	return twinlatch.Question{State: kept, Prompt: p, Message: &twinlatch.Message{
		Channel: twinlatch.Text,
		To:      twinlatch.NewSecret(n.e164),
		Body:    twinlatch.NewSecret(body),
		Country: n.region,
	}}, nil
}

// FinishEnroll implements twinlatch.Method. The digest and the factor's Secret
// are the number in E.164.
func (*Method) FinishEnroll(_ context.Context, _ twinlatch.Input, kept []byte, a twinlatch.Answer) (twinlatch.NewFactor, error) {
	s, err := open(kept, forEnroll)
	if err != nil {
		return twinlatch.NewFactor{}, err
	}
	if !s.proves(a) {
		return twinlatch.NewFactor{}, twinlatch.ErrWrongCode
	}
	n, err := stored(s.Number)
	if err != nil {
		return twinlatch.NewFactor{}, err
	}
	return twinlatch.NewFactor{Hint: n.hint(), Digest: []byte(n.e164), Secret: twinlatch.NewSecret(n.e164)}, nil
}

// FinishVerify implements twinlatch.Method. The code proves the one factor that
// it was asked for, as long as that has the number it was sent to. The proof has
// no counter: the challenge is over once it is answered.
func (m *Method) FinishVerify(_ context.Context, in twinlatch.Input, kept []byte, a twinlatch.Answer) (twinlatch.Proof, error) {
	f, n, err := m.only(in)
	if err != nil {
		return twinlatch.Proof{}, err
	}
	s, err := open(kept, forVerify)
	if err != nil {
		return twinlatch.Proof{}, err
	}
	if right := s.proves(a); !right || s.Factor != f.ID || s.Number != n.e164 {
		return twinlatch.Proof{}, twinlatch.ErrWrongCode
	}
	return twinlatch.Proof{Factor: f.ID}, nil
}

// only is the one factor and its number.
func (*Method) only(in twinlatch.Input) (f twinlatch.OpenFactor, n number, err error) {
	if len(in.Factors) != 1 {
		return f, n, fmt.Errorf("text: a message goes to one factor, not to %d", len(in.Factors))
	}
	f = in.Factors[0]
	if f.Kind != Kind {
		return f, n, fmt.Errorf("text: factor %q is of kind %q", f.ID, f.Kind)
	}
	n, err = stored(f.Secret.Reveal())
	if err != nil {
		return f, n, fmt.Errorf("%w: factor %q", err, f.ID)
	}
	return f, n, nil
}

// open reads what ask wrote. Its errors quote nothing of it.
func open(kept []byte, purpose string) (s state, err error) {
	d := json.NewDecoder(bytes.NewReader(kept))
	d.DisallowUnknownFields()
	if d.Decode(&s) != nil || d.InputOffset() != int64(len(kept)) || s.Number == "" || !isCode(s.Code) {
		return state{}, errors.New("text: the state is not one of this method")
	}
	if s.For != purpose || (s.Factor == "") != (purpose == forEnroll) {
		return state{}, fmt.Errorf("text: the state is not one to %s", purpose)
	}
	return s, nil
}

// proves compares in constant time.
func (s state) proves(a twinlatch.Answer) bool {
	return subtle.ConstantTimeCompare([]byte(a[codeField]), []byte(s.Code)) == 1
}

// Show is the number of a factor in the international writing, "+44 7700 900167",
// for its owner's eyes after the second step; empty if the factor has none.
func (*Method) Show(f twinlatch.OpenFactor) string {
	n, err := stored(f.Secret.Reveal())
	if err != nil || f.Kind != Kind {
		return ""
	}
	return n.international
}

// LongHint is a hint with four digits, "•••• 0167", where several numbers end
// alike in two; with fewer if that were more than half of a short number. Empty
// if the factor has none.
func (*Method) LongHint(f twinlatch.OpenFactor) string {
	n, err := stored(f.Secret.Reveal())
	if err != nil || f.Kind != Kind {
		return ""
	}
	return n.longHint()
}
