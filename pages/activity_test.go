package pages

import (
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
)

// What an event tells besides its words.
func TestWhatEventsTell(t *testing.T) {
	t.Parallel()
	d := withKeys(t, new(validator))
	for _, c := range []struct {
		of   twinlatch.EventType
		more map[string]string
		want string
	}{
		{twinlatch.EventAddressChanged, map[string]string{"from": "a@example.com", "to": "b@example.com"}, "Now: <bdi>b@example.com</bdi>; Before: <bdi>a@example.com</bdi>"},
		{twinlatch.EventAddressRestored, map[string]string{"from": "b@example.com", "to": "<b>"}, "Now: <bdi>&lt;b&gt;</bdi>; Before: <bdi>b@example.com</bdi>"},
		{twinlatch.EventAddressAsked, map[string]string{"to": "b@example.com"}, "Sent to: <bdi>b@example.com</bdi>"},
		{twinlatch.EventAddressAsked, nil, ""},
		{twinlatch.EventNameChanged, map[string]string{"name": "Žofie"}, "Now: <bdi>Žofie</bdi>"},
		{twinlatch.EventGroupsChanged, map[string]string{"groups": ""}, "Now: <bdi>–</bdi>"},
		{twinlatch.EventReplayed, map[string]string{"kind": "totp"}, "That code had been used before"},
		{twinlatch.EventReplayed, map[string]string{"kind": "webauthn"}, ""}, // its text says that it may be a copy
		{twinlatch.EventWrongBackup, map[string]string{"times": "1"}, ""},
		{twinlatch.EventWrongBackup, map[string]string{"times": "1500"}, "Wrong answers in a row: 1,500"},
		{twinlatch.EventConfirmed, nil, "Asked before a change of settings"},
		{twinlatch.EventVerified, map[string]string{"reason": "something new"}, ""},
		{twinlatch.EventFactorRemoved, nil, ""},
	} {
		var said []string
		for _, line := range d.eventWhy(twinlatch.Event{Type: c.of, Actor: "self", Detail: twinlatch.Detail{More: c.more}}) {
			said = append(said, string(line))
		}
		if got := strings.Join(said, "; "); got != c.want {
			t.Errorf("%s %v tells %q, want %q", c.of, c.more, got, c.want)
		}
	}
}
