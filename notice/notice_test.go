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
		Methods: []twinlatch.Description{{Kind: "totp", Name: "app"}},
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

var ana = twinlatch.Account{Login: "ana@example.com", DisplayName: "Ana Novak"}

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
	for name, c := range map[string]struct {
		event         twinlatch.Event
		subject, body string
	}{
		"a method added": {
			event(twinlatch.EventFactorAdded, map[string]string{"kind": "totp", "name": "Pixel"}),
			"Twinlatch: Authenticator app was added to your account",
			"Hello Ana Novak,\n\nA method for 2-step verification was added to your account.\n\nWhat: Authenticator app, Pixel\n" + table[2:] + notMe,
		},
		"a backup code": {
			event(twinlatch.EventRecovered, map[string]string{"left": "7"}),
			"Twinlatch: a backup code was used",
			"Hello Ana Novak,\n\nSomeone signed in to your account with a backup code." + table +
				"Backup codes left: 7 of 10.\nGet new codes under Settings > User settings > Security.\n" + notMe,
		},
		"a new network": {
			event(twinlatch.EventVerified, map[string]string{"network": "new"}),
			"Twinlatch: new log-in from Chrome, Windows",
			"Hello Ana Novak,\n\nYour account was used on a device or network that we have not seen before." + table + notMe,
		},
		"a link": {
			event(twinlatch.EventResetAsked, nil),
			"Twinlatch: reset your password",
			"Hello Ana Novak,\n\nChoose this link to set a new password. It works once, for 30 minutes. Did you not ask for it? Ignore this message." + table +
				"https://id.example.com/reset/" + token + "\n\n-- \n" +
				"You get this message because it is about the security of ana@example.com. It cannot be turned off. We never ask for a code by e-mail.\n",
		},
	} {
		m := write(t, ana, c.event)
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
	for _, c := range []struct {
		event twinlatch.Event
		mail  bool
	}{
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

// Names are people's own: they add no header, no tag and no line to a subject.
func TestNamesCannotInject(t *testing.T) {
	evil := "Ana\r\nBcc: all@example.com\n\n<script>alert(1)</script>"
	a := ana
	a.DisplayName = evil
	m := write(t, a, event(twinlatch.EventFactorAdded, map[string]string{"kind": evil, "name": evil}))
	if strings.ContainsAny(m.Subject, "\r\n") {
		t.Errorf("subject %q", m.Subject)
	}
	if strings.Contains(m.HTML.Reveal(), "<script") {
		t.Error("the HTML has a script")
	}
}
