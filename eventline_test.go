package twinlatch_test

import (
	"testing"

	"github.com/twinlatch/twinlatch"
)

// What is no position is told so, and reaches no database.
func TestPositionsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "x", "2026", "2026-01-01T00:00:00Z/", "2026-01-01T00:00:00Z/\x00/1", "2026-01-01T00:00:00Z/\xff/1",
		"2026-01-01T00:00:00Z/aaaaaaaaaaaaaaaaaaaaaaaaaa", "2026-01-01T00:00:00Z/aaaaaaaaaaaaaaaaaaaaaaaaaa/x",
	} {
		if err := new(twinlatch.Position).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a position", text)
		}
	}
	for _, text := range []string{"2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123Z/aaaaaaaaaaaaaaaaaaaaaaaaaa/17"} {
		if err := new(twinlatch.Position).UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
