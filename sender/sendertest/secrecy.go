package sendertest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
)

// mustBe says which of the three classes of errors err belongs to, and that it
// tells nothing.
func (s suite) mustBe(t *testing.T, err, want error) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one")
	}
	for _, class := range []error{twinlatch.ErrBadRecipient, twinlatch.ErrNoRoute} {
		if is := errors.Is(err, class); is != (class == want) {
			t.Errorf("errors.Is(%q, %q) is %v", err, class, is)
		}
	}
	s.mustTellNothing(t, err)
}

// mustTellNothing looks at err and at all that it wraps: who logs may unwrap.
func (s suite) mustTellNothing(t *testing.T, err error) {
	t.Helper()
	secrets := append([]string{strings.TrimPrefix(s.to(0), "+"), "7700900100", "specimen", body, "483920", "Sons", "Söhne"}, s.Secrets...)
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		for _, secret := range secrets {
			for _, form := range spellings(secret) {
				if strings.Contains(text, form) {
					t.Errorf("an error of type %T tells %q: %s", err, form, text)
				}
			}
		}
	}
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		if inner := err.Unwrap(); inner != nil {
			s.mustTellNothing(t, inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range err.Unwrap() {
			s.mustTellNothing(t, inner)
		}
	}
}

// spellings are how a text looks on the way.
func spellings(secret string) []string {
	quoted, err := json.Marshal(secret)
	if err != nil {
		panic(err) // a string always marshals
	}
	return []string{
		secret,
		url.QueryEscape(secret),
		url.PathEscape(secret),
		strings.Trim(string(quoted), `"`),
		strings.Trim(fmt.Sprintf("%q", secret), `"`),
		base64.StdEncoding.EncodeToString([]byte(secret)),
	}
}
