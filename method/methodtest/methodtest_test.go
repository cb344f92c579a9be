package methodtest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/methodtest"
)

// TestSoundMethod shows that the suite is content with a method that sends, and
// how little a fixture is.
func TestSoundMethod(t *testing.T) {
	methodtest.Run(t, fixture(""))
}

// TestFlawedMethods runs the suite on flawed methods, each in a process of its
// own, because a failing subtest fails its parents.
func TestFlawedMethods(t *testing.T) {
	const variable = "METHODTEST_FLAW"
	if flaw := os.Getenv(variable); flaw != "" {
		methodtest.Run(t, fixture(flaw))
		return
	}
	for flaw, by := range map[string]string{
		"no wrong message":        "describes_itself",
		"a word that is a key":    "describes_itself",
		"shared description":      "describes_itself",
		"parse keeps all":         "parses",
		"parse takes anything":    "parses",
		"parse grows":             "parses",
		"no digest":               "accepts_the_right_answer",
		"names another factor":    "accepts_the_right_answer",
		"enrolls anything":        "refuses_a_wrong_answer",
		"verifies anything":       "refuses_a_wrong_answer",
		"other error":             "refuses_a_wrong_answer",
		"proof with error":        "refuses_a_wrong_answer",
		"any factor":              "refuses_the_answer_of_another",
		"enrollment not bound":    "binds_an_answer_to_its_question",
		"verification not bound":  "binds_an_answer_to_its_question",
		"fields not needed":       "refuses_what_is_missing",
		"state not needed":        "refuses_what_is_missing",
		"no candidate needed":     "refuses_what_is_missing",
		"nil answer is no error":  "refuses_what_is_missing",
		"counter stands still":    "counts_up",
		"hint shows the secret":   "tells_no_secret",
		"prompt shows the answer": "tells_no_secret",
		"own randomness":          "is_deterministic",
	} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFlawedMethods$")
			cmd.Env = append(os.Environ(), variable+"="+flaw)
			out, err := cmd.CombinedOutput()
			if exit := new(exec.ExitError); !errors.As(err, &exit) {
				t.Fatalf("the suite passes it: %v", err)
			}
			if !strings.Contains(string(out), "--- FAIL: TestFlawedMethods/"+by) {
				t.Errorf("%q did not fail:\n%s", by, out)
			}
		})
	}
}

// note is a method that sends a word on paper. The state holds the word and who
// it is for.
type note struct {
	flaw   string
	shared twinlatch.Description
}

// mailbox is the device of its reader.
type mailbox string

func fixture(flaw string) methodtest.Fixture {
	boxes := 0
	m := &note{flaw: flaw}
	m.shared = m.description()
	return methodtest.Fixture{
		Method: m,
		Device: func(testing.TB) methodtest.Device {
			boxes++
			return mailbox(strings.Repeat("box", boxes%7+1))
		},
		Wrong: func(right twinlatch.Answer) []twinlatch.Answer {
			return []twinlatch.Answer{{"word": "0" + right["word"]}, {"word": "wrong"}}
		},
	}
}

func (b mailbox) Fields() map[string]string { return map[string]string{"box": string(b)} }

func (b mailbox) Enroll(_ testing.TB, q twinlatch.Question, _ time.Time) twinlatch.Answer {
	word, _, _ := bytes.Cut(q.State, []byte(" "))
	return twinlatch.Answer{"word": " " + string(word)}
}

func (b mailbox) Verify(t testing.TB, q twinlatch.Question, now time.Time) twinlatch.Answer {
	return b.Enroll(t, q, now)
}

func (m *note) description() twinlatch.Description {
	d := twinlatch.Description{
		Kind: "note", Name: "note", Icon: "note", Sends: true, AMR: []string{"otp"},
		EnrollFields: []twinlatch.Field{{Name: "box", Label: "box.label", Type: "text", MaxLength: 100}},
		AnswerFields: []twinlatch.Field{{Name: "word", Label: "word.label", Type: "text", MaxLength: 100, Wrong: "err.word"}},
	}
	switch m.flaw {
	case "no wrong message":
		d.AnswerFields[0].Wrong = ""
	case "a word that is a key":
		d.AMR = []string{"hwk"}
	}
	return d
}

func (m *note) Describe() twinlatch.Description {
	if m.flaw == "shared description" {
		return m.shared
	}
	return m.description()
}

func (m *note) question(in twinlatch.Input, reader string) (twinlatch.Question, error) {
	if m.flaw == "own randomness" {
		in.Rand = rand.Reader
	}
	b := make([]byte, 8)
	if _, err := io.ReadFull(in.Rand, b); err != nil {
		return twinlatch.Question{}, err
	}
	word := hex.EncodeToString(b)
	q := twinlatch.Question{State: []byte(word + " " + reader), Prompt: twinlatch.Prompt{Text: "note.sent"}}
	if m.flaw == "prompt shows the answer" {
		q.Prompt.Args = map[string]string{"word": word}
	}
	return q, nil
}

func (m *note) BeginEnroll(_ context.Context, in twinlatch.Input) (twinlatch.Question, error) {
	box := in.Fields["box"]
	if box == "" && m.flaw != "fields not needed" {
		return twinlatch.Question{}, &twinlatch.FieldError{Field: "box", Key: "err.empty"}
	}
	return m.question(in, box)
}

func (m *note) Parse(a twinlatch.Answer) (twinlatch.Answer, error) {
	word := strings.TrimSpace(a["word"])
	if (word == "" || len(word) > 100) && m.flaw != "parse takes anything" {
		return nil, &twinlatch.FieldError{Field: "word", Key: "err.empty"}
	}
	switch m.flaw {
	case "parse keeps all":
		return a, nil
	case "parse grows":
		word += "."
	}
	return twinlatch.Answer{"word": word}, nil
}

func (m *note) FinishEnroll(_ context.Context, in twinlatch.Input, state []byte, a twinlatch.Answer) (twinlatch.NewFactor, error) {
	word, box, _ := strings.Cut(string(state), " ")
	right := word == a["word"] && word != ""
	switch m.flaw {
	case "enrolls anything":
		right = true
	case "enrollment not bound":
		right = len(word) == len(a["word"]) // any word of ours
	case "state not needed":
		right = right || state == nil
	}
	if !right {
		return twinlatch.NewFactor{}, twinlatch.ErrWrongCode
	}
	found := twinlatch.NewFactor{Hint: box[:min(1, len(box))] + "…", Digest: []byte(box), Secret: twinlatch.NewSecret(box)}
	switch m.flaw {
	case "no digest":
		found.Digest = nil
	case "hint shows the secret":
		found.Hint = box
	}
	return found, nil
}

func (m *note) BeginVerify(_ context.Context, in twinlatch.Input) (twinlatch.Question, error) {
	return m.question(in, string(in.Factors[0].ID))
}

func (m *note) FinishVerify(_ context.Context, in twinlatch.Input, state []byte, a twinlatch.Answer) (twinlatch.Proof, error) {
	word, reader, _ := strings.Cut(string(state), " ")
	right := word == a["word"] && word != "" && len(in.Factors) == 1 && string(in.Factors[0].ID) == reader
	proof := twinlatch.Proof{Factor: twinlatch.FactorID(reader)}
	switch m.flaw {
	case "verifies anything":
		right = true
	case "verification not bound":
		right = len(word) == len(a["word"])
	case "any factor":
		right = word == a["word"]
	case "no candidate needed":
		right = right || len(in.Factors) == 0
	case "nil answer is no error":
		right = right || a == nil
	case "names another factor":
		proof.Factor = "another"
	case "counter stands still":
		proof.Counter = new(int64)
	}
	switch {
	case right:
		return proof, nil
	case m.flaw == "other error":
		return twinlatch.Proof{}, errors.New("no")
	case m.flaw == "proof with error":
		return proof, twinlatch.ErrWrongCode
	}
	return twinlatch.Proof{}, twinlatch.ErrWrongCode
}
