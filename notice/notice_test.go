package notice_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/locale"
	"github.com/twinlatch/twinlatch/notice"
)

const token = "aaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbb.ccccccccccccccccccccccccccccccccccccccccccc"

func write(t *testing.T, a twinlatch.Account, e twinlatch.Event) *twinlatch.Message {
	t.Helper()
	words, err := locale.All()
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse("https://id.example.com")
	if err != nil {
		t.Fatal(err)
	}
	w, err := notice.New(notice.Config{
		Name: "Twinlatch", Address: address, Words: words,
		Methods: []twinlatch.Description{{Kind: "totp", Name: "app"}, {Kind: "webauthn", Name: "key", Unguessable: true, Script: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	link, err := twinlatch.ParseToken(token)
	if err != nil {
		t.Fatal(err)
	}
	return w.Write(a, e, link)
}

// ana has confirmed her address; somebody who calls himself so has not.
var (
	ana   = twinlatch.Account{Login: "ana@example.com", DisplayName: "Ana Novak", ConfirmedAt: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	claim = twinlatch.Account{Login: "ana@example.com", DisplayName: "Win a prize at evil.example"}
)

func event(of twinlatch.EventType, more map[string]string) twinlatch.Event {
	return twinlatch.Event{
		Type: of, At: time.Date(2026, 11, 23, 14, 6, 0, 0, time.UTC),
		Detail: twinlatch.Detail{
			IP: netip.MustParseAddr("198.51.100.7"), More: more,
			UserAgent: "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36",
		},
	}
}

// Each mail as its owner reads it.
func TestMails(t *testing.T) {
	table := "\n\nWhen: 23 Nov 2026, 14:06 UTC\nDevice: Chrome, Windows\nIP address: 198.51.100.7\n\n"
	notMe := "Was this you? Then there is nothing to do.\n\nNot you? Secure your account now:\nhttps://id.example.com/not-me/" + token + "\n\n-- \n" +
		"You get this message because it is about the security of ana@example.com. It cannot be turned off. We never ask for a code by e-mail.\n"
	foot := "\n\n-- \nYou get this message because it is about the security of ana@example.com. It cannot be turned off. We never ask for a code by e-mail.\n"
	confirm := "Choose this link to confirm your e-mail address. Did you not ask for it? Ignore this message." + table +
		"https://id.example.com/email/" + token
	for name, c := range map[string]struct {
		account       twinlatch.Account
		event         twinlatch.Event
		subject, body string
	}{
		"a new account, which nobody is greeted in the name of": {
			claim, event(twinlatch.EventAccountCreated, nil),
			"Twinlatch: confirm your e-mail address", confirm + foot,
		},
		"the link again": {
			claim, event(twinlatch.EventAddressAsked, nil),
			"Twinlatch: confirm your e-mail address", confirm + foot,
		},
		"a new address, which may be a stranger's": {
			ana, event(twinlatch.EventAddressAsked, map[string]string{"to": "ana@new.example"}),
			"Twinlatch: confirm your e-mail address", confirm + strings.Replace(foot, "ana@example.com", "ana@new.example", 1),
		},
		"an account that is there already": {
			ana, event(twinlatch.EventSignUpAgain, nil),
			"Twinlatch: you already have an account",
			"Hello Ana Novak,\n\nSomeone asked for an account with this e-mail address. You have one already: sign in, or reset your password." +
				table + "https://id.example.com/sign-in" + foot,
		},
		"another address, told to the old one": {
			ana, event(twinlatch.EventAddressChanged, map[string]string{"from": "ana@example.com", "to": "ana@new.example"}),
			"Twinlatch: your e-mail address was changed",
			"Hello Ana Novak,\n\nMessages about your account now go to ana@new.example." + table +
				"For 7 days this link also gives your account the old address back.\n" + notMe,
		},
		"the old address again": {
			ana, event(twinlatch.EventAddressRestored, map[string]string{"from": "ana@new.example", "to": "ana@example.com"}),
			"Twinlatch: your e-mail address is back",
			"Hello Ana Novak,\n\nMessages about your account go to ana@example.com again." + table + notMe,
		},
		"reset by an administrator": {
			ana, event(twinlatch.EventTwoStepReset, map[string]string{"why": "Lost phone, checked by video call"}),
			"Twinlatch: an administrator reset your 2-step verification",
			"Hello Ana Novak,\n\nAll your methods and backup codes were removed, and you were signed out everywhere. Sign in and set up a method." + table + notMe,
		},
		"a method added": {
			ana, event(twinlatch.EventFactorAdded, map[string]string{"kind": "totp", "name": "Pixel"}),
			"Twinlatch: Authenticator app was added to your account",
			"Hello Ana Novak,\n\nA method for 2-step verification was added to your account.\n\nWhat: Authenticator app, Pixel\n" + table[2:] + notMe,
		},
		"a key that may have been copied": {
			ana, event(twinlatch.EventReplayed, map[string]string{"kind": "webauthn", "name": "Key ring", "copied": "new"}),
			"Twinlatch: a security key may have been copied",
			"Hello Ana Novak,\n\nWe refused this security key, because somebody may have a copy of it. Sign in with another method and remove it.\n\n" +
				"What: Security key, Key ring\n" + table[2:] +
				"Keys are removed under Settings > User settings > Security. Until then a copy may still work.\n" +
				"Somebody else may have got in. Secure your account now:\nhttps://id.example.com/not-me/" + token + foot,
		},
		"wrong answers of keys, which nobody types": {
			ana, event(twinlatch.EventWrongCode, map[string]string{"kind": "webauthn", "times": "5"}),
			"Twinlatch: too many failed attempts",
			"Hello Ana Novak,\n\nSomeone who knows your password tried several times to use this method, and was refused. Change your password if it was not you.\n\n" +
				"What: Security key\n" + table[2:] + notMe,
		},
		"a backup code": {
			ana, event(twinlatch.EventRecovered, map[string]string{"left": "7"}),
			"Twinlatch: a backup code was used",
			"Hello Ana Novak,\n\nSomeone signed in to your account with a backup code." + table +
				"Backup codes left: 7 of 10.\nGet new codes under Settings > User settings > Security.\n" + notMe,
		},
		"a new network": {
			ana, event(twinlatch.EventVerified, map[string]string{"network": "new"}),
			"Twinlatch: new log-in from Chrome, Windows",
			"Hello Ana Novak,\n\nYour account was used on a device or network that we have not seen before." + table + notMe,
		},
		"a link": {
			ana, event(twinlatch.EventResetAsked, nil),
			"Twinlatch: reset your password",
			"Hello Ana Novak,\n\nChoose this link to set a new password. It works once, for 30 minutes. Did you not ask for it? Ignore this message." + table +
				"https://id.example.com/reset/" + token + "\n\n-- \n" +
				"You get this message because it is about the security of ana@example.com. It cannot be turned off. We never ask for a code by e-mail.\n",
		},
	} {
		m := write(t, c.account, c.event)
		if m == nil {
			t.Errorf("%s: no mail", name)
			continue
		}
		if m.Subject != c.subject {
			t.Errorf("%s: subject %q", name, m.Subject)
		}
		if got := m.Body.Reveal(); got != c.body {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.body)
		}
	}
}

// Each event that matters has a mail in every language, with one link in both
// parts of it; the others have none.
func TestWhichEventsHaveMails(t *testing.T) {
	times := func(n string) map[string]string { return map[string]string{"kind": "totp", "times": n} }
	factor := map[string]string{"kind": "totp", "name": "Pixel"}
	to := map[string]string{"from": "ana@example.com", "to": "ana@new.example"}
	for _, c := range []struct {
		event twinlatch.Event
		mail  bool
	}{
		{event(twinlatch.EventAccountCreated, nil), false}, // by an administrator, who knows the address
		{event(twinlatch.EventAddressAsked, nil), true},
		{event(twinlatch.EventAddressAsked, to), true},
		{event(twinlatch.EventAddressConfirmed, nil), false},
		{event(twinlatch.EventAddressChanged, to), true},
		{event(twinlatch.EventAddressRestored, to), true},
		{event(twinlatch.EventNameChanged, map[string]string{"name": "Ana"}), false},
		{event(twinlatch.EventTwoStepReset, nil), true},
		{event(twinlatch.EventSessionsEnded, nil), false},
		{event(twinlatch.EventAccountDisabled, nil), false},
		{event(twinlatch.EventAccountEnabled, nil), false},
		{event(twinlatch.EventAccountDeleted, nil), false},
		{event(twinlatch.EventGroupsChanged, map[string]string{"groups": "admin"}), false},
		{event(twinlatch.EventRequired, nil), false},
		{event(twinlatch.EventNotRequired, nil), false},
		{event(twinlatch.EventReplayed, map[string]string{"kind": "webauthn", "name": "Key ring", "copied": "new"}), true},
		{event(twinlatch.EventReplayed, map[string]string{"kind": "webauthn", "name": "Key ring"}), false}, // they were told today
		{event(twinlatch.EventReplayed, factor), false},
		{event(twinlatch.EventResetAsked, nil), true},
		{event(twinlatch.EventPasswordReset, nil), true},
		{event(twinlatch.EventPasswordChanged, nil), true},
		{event(twinlatch.EventFactorAdded, factor), true},
		{event(twinlatch.EventFactorRemoved, factor), true},
		{event(twinlatch.EventFactorRemoved, map[string]string{"kind": "totp", "all": "yes"}), false},
		{event(twinlatch.EventTwoStepOn, nil), true},
		{event(twinlatch.EventTwoStepOff, nil), true},
		{event(twinlatch.EventBackupCodesMade, nil), true},
		{event(twinlatch.EventRecovered, map[string]string{"left": "9"}), true},
		{event(twinlatch.EventVerified, nil), false},
		{event(twinlatch.EventVerified, map[string]string{"network": "new"}), true},
		{event(twinlatch.EventWrongCode, times("4")), false},
		{event(twinlatch.EventWrongCode, times("5")), true},
		{event(twinlatch.EventWrongCode, times("6")), false},
		{event(twinlatch.EventWrongCode, times("20")), true},
		{event(twinlatch.EventWrongBackup, times("5")), true},
		{event(twinlatch.EventSignedIn, nil), false},
		{event(twinlatch.EventSignedIn, map[string]string{"network": "new"}), true},
		{event(twinlatch.EventSignedOut, nil), false},
		{event(twinlatch.EventFactorRenamed, factor), false},
		{event(twinlatch.EventAlarm, nil), false},
	} {
		for _, tag := range []string{"", "en", "cs"} {
			a := ana
			a.Locale = tag
			m := write(t, a, c.event)
			if (m != nil) != c.mail {
				t.Errorf("%s %v in %q: mail is %v", c.event.Type, c.event.Detail.More, tag, m != nil)
			}
			if m == nil {
				continue
			}
			for part, text := range map[string]string{"plain": m.Body.Reveal(), "HTML": m.HTML.Reveal()} {
				if n := strings.Count(text, token); n != 1 {
					t.Errorf("%s in %q, %s: the link is there %d times", c.event.Type, tag, part, n)
				}
				if strings.Contains(text, " mail.") || strings.Contains(text, "{") && part == "plain" {
					t.Errorf("%s in %q, %s: a word is missing:\n%s", c.event.Type, tag, part, text)
				}
			}
			if _, err := html.Parse(strings.NewReader(m.HTML.Reveal())); err != nil {
				t.Error(err)
			}
		}
	}
}

// Who has an account is told so, in every language, and gets no link that could do
// anything.
func TestTheOwnerOfATakenAddressGetsNoToken(t *testing.T) {
	for _, tag := range []string{"", "en", "cs"} {
		a := ana
		a.Locale = tag
		m := write(t, a, event(twinlatch.EventSignUpAgain, nil))
		for part, text := range map[string]string{"plain": m.Body.Reveal(), "HTML": m.HTML.Reveal()} {
			if strings.Contains(text, token) || strings.Count(text, "https://") != 1 || !strings.Contains(text, "https://id.example.com/sign-in") {
				t.Errorf("%s in %q:\n%s", part, tag, text)
			}
		}
	}
}

// Until an address is known to be the owner's, and at an address that may become it,
// nobody reads a name that whoever typed the address chose.
func TestNamesReachNoStrangers(t *testing.T) {
	to := map[string]string{"to": "stranger@example.com"}
	named := claim
	named.ConfirmedAt = ana.ConfirmedAt
	for name, m := range map[string]*twinlatch.Message{
		"a new account":   write(t, claim, event(twinlatch.EventAccountCreated, nil)),
		"once more":       write(t, claim, event(twinlatch.EventSignUpAgain, nil)),
		"send again":      write(t, claim, event(twinlatch.EventAddressAsked, nil)),
		"a new address":   write(t, named, event(twinlatch.EventAddressAsked, to)),
		"a password":      write(t, claim, event(twinlatch.EventResetAsked, nil)),
		"a wrong code":    write(t, claim, event(twinlatch.EventWrongCode, map[string]string{"kind": "totp", "times": "5"})),
		"another network": write(t, claim, event(twinlatch.EventSignedIn, map[string]string{"network": "new"})),
	} {
		if all := m.Subject + m.Body.Reveal() + m.HTML.Reveal(); strings.Contains(all, "evil.example") {
			t.Errorf("%s: %s", name, all)
		}
	}
	if m := write(t, named, event(twinlatch.EventAddressAsked, to)); strings.Contains(m.Body.Reveal()+m.HTML.Reveal(), named.Login) {
		t.Error("a stranger reads the address of the account")
	}
}

// Names are people's own: they add no header, no tag and no line to a subject.
func TestNamesCannotInject(t *testing.T) {
	evil := "Ana\r\nBcc: all@example.com\n\n<script>alert(1)</script>"
	a := ana
	a.DisplayName = evil
	for _, e := range []twinlatch.Event{
		event(twinlatch.EventFactorAdded, map[string]string{"kind": evil, "name": evil}),
		event(twinlatch.EventAddressAsked, map[string]string{"to": evil}),
		event(twinlatch.EventAddressChanged, map[string]string{"from": evil, "to": evil}),
		event(twinlatch.EventAddressRestored, map[string]string{"from": evil, "to": evil}),
		event(twinlatch.EventReplayed, map[string]string{"kind": evil, "name": evil, "copied": "new"}),
		event(twinlatch.EventSignUpAgain, nil),
		event(twinlatch.EventTwoStepReset, map[string]string{"why": evil}),
	} {
		m := write(t, a, e)
		if strings.ContainsAny(m.Subject, "\r\n") {
			t.Errorf("%s: subject %q", e.Type, m.Subject)
		}
		if strings.Contains(m.HTML.Reveal(), "<script") {
			t.Errorf("%s: the HTML has a script", e.Type)
		}
	}
}
