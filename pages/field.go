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
	if label == "" {
		box.Label = p.say(f.Label)
		if f.Hint != "" {
			box.Hint = p.say(f.Hint)
		}
	}
	return box
}

// fieldError is the words for an error that belongs beside a field, and whether
// it is one.
func (p *Pages) fieldError(err error, name, wrong string) (string, bool) {
	var bad *twinlatch.FieldError
	var code *twinlatch.WrongCodeError
	switch {
	case errors.As(err, &bad) && bad.Field == name:
		return p.sayArgs(bad.Key, bad.Args), true
	case errors.As(err, &code) && errors.Is(err, twinlatch.ErrReplayed):
		return p.say("err.replayed"), true
	case errors.As(err, &code):
		text := p.say(wrong)
		if code.TriesLeft > 0 {
			left, err := p.count("err.code.left", code.TriesLeft)
			if err == nil {
				text += " " + string(left)
			}
		}
		return text, true
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
