package webauthn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// unambiguous refuses a JSON object that others may read differently than
// encoding/json: with a member twice, whatever its case, or without one of names,
// written so. It returns the object with these members only.
func unambiguous(object []byte, names ...string) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if err := once(d); err != nil {
		return nil, wrong(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, wrong(err)
	}
	essence := map[string]json.RawMessage{}
	for _, name := range names {
		value, ok := members[name]
		if !ok {
			return nil, wrong(fmt.Errorf("there is no member %q", name))
		}
		essence[name] = value
	}
	return json.Marshal(essence)
}

// once reads a value whose objects have each member once.
func once(d *json.Decoder) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if delim == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			folded := strings.ToLower(strings.ToUpper(name.(string))) // as encoding/json does: a long s is an s
			if seen[folded] {
				return errors.New("a member comes twice")
			}
			seen[folded] = true
		}
		if err := once(d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
