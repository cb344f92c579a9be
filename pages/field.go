package pages

import (
	"errors"

	"github.com/twinlatch/twinlatch"
)

// field is an input box with its label, hint and error.
type field struct {
	ID, Name     string
	Label, Hint  string
	Error        string
	Type         string
	InputMode    string
	Autocomplete string
	Class        string
	Value        string
	MaxLength    int
	Focus        bool
	Describe     string // id of an error that is not the field's own
	Reveal       bool   // a button shows the password
	Texts        bool   // the browser may read the code from a text message (WebOTP)
}

// answer is the box for a method's answer. A label from outside replaces the
// method's own label and hint.
func (p *Pages) answer(f twinlatch.Field, label string) field {
	box := field{
		ID: f.Name, Name: f.Name, Type: f.Type, InputMode: f.InputMode, Autocomplete: f.Autocomplete,
		MaxLength: f.MaxLength, Class: "code num", Label: label,
	}
	if f.InputMode != "numeric" {
		box.Class = "code long"
	}
	if label == "" {
		box.Label = p.say(f.Label)
		if f.Hint != "" {
			box.Hint = p.say(f.Hint)
		}
	}
	return box
}

// fieldError is the words for what is wrong with a field, and whether that is it.
func (p *Pages) fieldError(err error, name string) (string, bool) {
	var bad *twinlatch.FieldError
	if errors.As(err, &bad) && bad.Field == name {
		return p.sayArgs(bad.Key, bad.Args), true
	}
	return "", false
}

// answerError is the words for an answer to a method that was refused, and whether
// it was. Tries are counted aloud where more of them would help.
func (p *Pages) answerError(err error, d twinlatch.Description) (string, bool) {
	box := d.AnswerFields[0]
	if text, ok := p.fieldError(err, box.Name); ok {
		return text, true
	}
	var code *twinlatch.WrongCodeError
	switch {
	case errors.As(err, &code) && code.Key != "":
		return p.say(code.Key), true
	case errors.As(err, &code) && errors.Is(err, twinlatch.ErrReplayed) && box.Replayed != "":
		return p.say(box.Replayed), true
	case errors.As(err, &code):
		text := p.say(box.Wrong)
		if code.TriesLeft > 0 && !d.Unguessable {
			left, err := p.count("err.code.left", code.TriesLeft)
			if err == nil {
				text += " " + string(left)
			}
		}
		return text, true
	case d.Script && over(err): // nothing was typed, and the question is a new one
		return p.say(box.Wrong), true
	case errors.Is(err, twinlatch.ErrNoTriesLeft):
		return p.say("err.tries"), true
	}
	return "", false
}

func (p *Pages) sayArgs(key string, args map[string]string) string {
	pairs := make([]string, 0, 2*len(args))
	for name, value := range args {
		pairs = append(pairs, name, value)
	}
	return p.say(key, pairs...)
}

// nameBox asks what a new factor is called.
func (p *Pages) nameBox(name string) *field {
	return &field{
		ID: "name", Name: "name", Type: "text", Autocomplete: "off", Value: name,
		Label: p.say("add.key.name"), Hint: p.say("add.key.name.hint"),
	}
}
