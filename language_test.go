package twinlatch_test

import (
	"errors"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/text"
)

func TestWhoChoosesALanguageKeepsIt(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ann := w.protected("ann@example.com")
		before := len(ann.trail())
		for _, chosen := range []string{"cs", "zh-Hant-TW", "", "ar-XB", "en"} {
			ann.ok(ann.SetLocale(ctx, ann.passed(), chosen))
			a, err := w.Account(ctx, ann.account.ID)
			ann.ok(err)
			equal(t, "language", a.Locale, chosen)
		}
		equal(t, "events", len(ann.trail()), before)
		for _, none := range []string{"c s", "cs_CZ", "-", "cs-", "čs", "abcdefghi", "cs,en", "cs\n", "a-b-c-d-e-f-g-h-i", "../cs"} {
			var bad *twinlatch.FieldError
			if err := ann.SetLocale(ctx, ann.passed(), none); !errors.As(err, &bad) || bad.Field != "language" {
				t.Errorf("%q: %v", none, err)
			}
			if _, err := w.CreateAccount(ctx, twinlatch.NewAccount{Realm: "shop", Login: "new", Locale: none}, home); !errors.As(err, &bad) {
				t.Errorf("a new account with %q: %v", none, err)
			}
		}
		a, err := w.Account(ctx, ann.account.ID)
		ann.ok(err)
		equal(t, "language", a.Locale, "en")
	})
}

// Messages are in the language that the account chose, else in that of the page
// from which they were asked.
func TestMessagesFollowTheAccountThenThePage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ chosen, page, want string }{
		{"", "", ""}, {"", "cs", "cs"}, {"en", "cs", "en"}, {"cs", "", "cs"},
	} {
		var said []string
		post := &postman{name: "post"}
		w := newWorld(t, texting(post), func(cfg *twinlatch.Config) {
			phone, err := text.New(text.Config{App: "Acme", Say: func(locale, code, app string) (string, error) {
				said = append(said, locale)
				return code + " " + app, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			cfg.Methods[len(cfg.Methods)-1] = phone
		})
		page := home
		page.Locale = c.page
		ann := w.person("ann@example.com").signIn(page)
		ann.ok(ann.SetLocale(ctx, ann.passed(), c.chosen))
		ann.addNumber(post, mobile)
		w.later(minute)
		again := ann.signIn(page)
		_, err := w.Ask(ctx, again.known(), "", page)
		w.ok(err)
		equal(t, "languages of the messages", said, []string{c.want, c.want})
	}
}
