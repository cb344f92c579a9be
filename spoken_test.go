package twinlatch_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/twinlatch/twinlatch"
)

// spoken is a method of the tests' own: the person chooses a word and says it
// when asked. Its proofs have no counter. It counts the answers it has judged.
type spoken struct {
	kind   twinlatch.Kind
	sends  bool
	judged atomic.Int64
	proves func(twinlatch.Proof) twinlatch.Proof // nil: what was proved
	during func()                                // nil: nothing else happens while it judges

	enrolling func() // likewise, while it judges an enrollment
	refers    error  // what all judging ends in; nil: it is judged

	unguessable bool
	script      bool
	tries       int           // of a question
	open        time.Duration // likewise
}

func (m *spoken) Describe() twinlatch.Description {
	return twinlatch.Description{
		Kind: m.kind, Name: string(m.kind), Icon: "word", Sends: m.sends, AMR: []string{"kba"}, Unguessable: m.unguessable, Script: m.script,
		EnrollFields: []twinlatch.Field{{Name: "word"}}, AnswerFields: []twinlatch.Field{{Name: "word"}},
	}
}

func (m *spoken) BeginEnroll(_ context.Context, in twinlatch.Input) (twinlatch.Question, error) {
	word := in.Fields["word"]
	if word == "" {
		return twinlatch.Question{}, &twinlatch.FieldError{Field: "word", Key: "err.word"}
	}
	return twinlatch.Question{State: []byte(word), Prompt: twinlatch.Prompt{Text: "say", Manual: word}, Tries: m.tries, For: m.open}, nil
}

func (m *spoken) Parse(a twinlatch.Answer) (twinlatch.Answer, error) {
	if a["word"] == "" {
		return nil, &twinlatch.FieldError{Field: "word", Key: "err.word"}
	}
	return word(a["word"]), nil
}

func (m *spoken) FinishEnroll(_ context.Context, _ twinlatch.Input, state []byte, a twinlatch.Answer) (twinlatch.NewFactor, error) {
	m.judged.Add(1)
	if m.enrolling != nil {
		m.enrolling()
	}
	if m.refers != nil {
		return twinlatch.NewFactor{}, m.refers
	}
	if a["word"] != string(state) {
		return twinlatch.NewFactor{}, twinlatch.ErrWrongCode
	}
	return twinlatch.NewFactor{Name: "a \xffword", Hint: a["word"][:1] + "…", Digest: state, Secret: twinlatch.NewSecret(string(state))}, nil
}

func (m *spoken) BeginVerify(_ context.Context, in twinlatch.Input) (twinlatch.Question, error) {
	return twinlatch.Question{State: []byte(in.Factors[0].ID), Prompt: twinlatch.Prompt{Text: "say"}, Tries: m.tries, For: m.open}, nil
}

func (m *spoken) FinishVerify(_ context.Context, in twinlatch.Input, _ []byte, a twinlatch.Answer) (twinlatch.Proof, error) {
	m.judged.Add(1)
	if m.during != nil {
		m.during()
	}
	if m.refers != nil {
		return twinlatch.Proof{}, m.refers
	}
	for _, f := range in.Factors {
		if f.Secret.Reveal() == a["word"] {
			p := twinlatch.Proof{Factor: f.ID}
			if m.proves != nil {
				p = m.proves(p)
			}
			return p, nil
		}
	}
	return twinlatch.Proof{}, twinlatch.ErrWrongCode
}

func word(text string) twinlatch.Answer { return twinlatch.Answer{"word": text} }

// alsoSpoken configures methods beside the authenticator app.
func alsoSpoken(all ...*spoken) func(*twinlatch.Config) {
	return func(c *twinlatch.Config) {
		for _, m := range all {
			c.Methods = append(c.Methods, m)
		}
	}
}

// choose enrolls a word.
func (b *browser) choose(kind twinlatch.Kind, text string) twinlatch.Factor {
	b.t.Helper()
	ch, err := b.BeginEnroll(ctx, b.passed(), kind, map[string]string{"word": text}, b.from)
	b.ok(err)
	f, token, err := b.FinishEnroll(ctx, b.passed(), ch.ID, word(text), b.from)
	b.ok(b.keep(token, err))
	return f
}

// say answers the open verification with a word.
func (b *browser) say(text string) error {
	b.t.Helper()
	return b.keep(b.Answer(ctx, b.known(), word(text), b.from))
}
