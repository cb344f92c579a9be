package twinlatch

import (
	"errors"
	"testing"
	"time"
)

// Who may change what: a row for each state of a session that passed.
func TestPolicyAllows(t *testing.T) {
	t.Parallel()
	const (
		fresh   = 10*time.Minute - time.Millisecond
		expired = 10 * time.Minute
		never   = 1000 * day
	)
	for _, row := range []struct {
		session        string
		twoStep        bool
		password, code time.Duration // how long ago
		recovered      bool
		look           error
		add            error
		alter          error
	}{
		{"off, the password just now", false, 0, never, false, nil, nil, nil},
		{"off, the password almost ten minutes ago", false, fresh, never, false, nil, nil, nil},
		{"off, the password ten minutes ago", false, expired, never, false, nil, ErrNotFresh, ErrNotFresh},
		{"off, a code of former times does not help", false, expired, 0, false, nil, ErrNotFresh, ErrNotFresh},
		{"off, nor does a backup code of former times hinder", false, 0, 0, true, nil, nil, nil},
		{"on, the code just now", true, never, 0, false, nil, nil, nil},
		{"on, the code almost ten minutes ago", true, never, fresh, false, nil, nil, nil},
		{"on, the code ten minutes ago", true, never, expired, false, nil, ErrNotFresh, ErrNotFresh},
		{"on, the password does not help", true, 0, expired, false, nil, ErrNotFresh, ErrNotFresh},
		{"on, never a code", true, 0, never, false, nil, ErrNotFresh, ErrNotFresh},
		{"a backup code just now", true, 0, 0, true, nil, nil, ErrRecovered},
		{"a backup code almost ten minutes ago", true, 0, fresh, true, nil, nil, ErrRecovered},
		{"a backup code ten minutes ago", true, 0, expired, true, nil, ErrNotFresh, ErrRecovered},
	} {
		now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		ago := func(d time.Duration) time.Time {
			if d == never {
				return time.Time{}
			}
			return now.Add(-d)
		}
		for _, slots := range []struct {
			families string
			v4, v6   Slot
		}{
			{"over IPv4", Slot{At: ago(row.code)}, Slot{}},
			{"over IPv6", Slot{}, Slot{At: ago(row.code)}},
			{"over IPv4, longer ago over IPv6", Slot{At: ago(row.code)}, Slot{At: ago(row.code).Add(-day)}},
		} {
			s := Session{PasswordAt: ago(row.password), V4: slots.v4, V6: slots.v6, Recovered: row.recovered}
			for c, want := range [rightful]error{look: row.look, add: row.add, alter: row.alter} {
				if err := (Policy{}).allow(change(c), Account{TwoStep: row.twoStep}, s, now); !errors.Is(err, want) {
					t.Errorf("%s, %s: change %d is %v, want %v", row.session, slots.families, c, err, want)
				}
			}
		}
	}
}

func TestHowLongAProofIsFreshIsPolicy(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p := Policy{FreshFor: time.Minute}
	for ago, want := range map[time.Duration]error{time.Minute - time.Millisecond: nil, time.Minute: ErrNotFresh} {
		if err := p.allow(alter, Account{}, Session{PasswordAt: now.Add(-ago)}, now); !errors.Is(err, want) {
			t.Errorf("%v ago: %v", ago, err)
		}
	}
}

func TestPolicyRefusesNonsense(t *testing.T) {
	for name, p := range map[string]Policy{
		"CodeEvery": {CodeEvery: -1}, "SessionFor": {SessionFor: -1}, "IdleFor": {IdleFor: -1}, "FreshFor": {FreshFor: -1},
		"SignInFor": {SignInFor: -1}, "CodeFor": {CodeFor: -1}, "IPv6Prefix": {IPv6Prefix: 129}, "IPv6Prefix below": {IPv6Prefix: -1},
		"BindIP": {BindIP: AnyIP + 1}, "BindIP below": {BindIP: -1}, "Tries": {Tries: -1},
	} {
		if p.withDefaults().validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, p := range []Policy{{}, DefaultPolicy(), AAL2(), {IPv6Prefix: 1}, {IPv6Prefix: 128}, {Tries: 1}} {
		if err := p.withDefaults().validate(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
