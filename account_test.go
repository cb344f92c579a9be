package twinlatch_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/twinlatch/twinlatch"
)

func TestANewAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, err := w.CreateAccount(ctx, twinlatch.NewAccount{Login: " Ann@Example.com ", Password: twinlatch.NewSecret(password)}, home)
	w.ok(err)
	equal(t, "account", a, twinlatch.Account{
		ID: a.ID, Realm: "main", Login: "ann@example.com", DisplayName: "ann@example.com", CreatedAt: w.Now(),
	})
	for _, find := range []func() (twinlatch.Account, error){
		func() (twinlatch.Account, error) { return w.Account(ctx, a.ID) },
		func() (twinlatch.Account, error) { return w.FindAccount(ctx, "main", "ANN@example.com") },
	} {
		found, err := find()
		w.ok(err)
		equal(t, "found", found, a)
	}
	for _, id := range []twinlatch.AccountID{"", "nobody", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "\x00\xff"} {
		_, err = w.Account(ctx, id)
		refused(t, err, twinlatch.ErrNotFound)
	}
	_, err = w.FindAccount(ctx, "shop", "ann@example.com")
	refused(t, err, twinlatch.ErrNotFound)

	b, err := w.CreateAccount(ctx, twinlatch.NewAccount{Realm: "shop", Login: "ann@example.com", DisplayName: " Zoe\u0308 ", Locale: "de"}, home)
	w.ok(err) // another realm, another account, without a password
	equal(t, "name", b.DisplayName, "Zoë")
	equal(t, "language", b.Locale, "de")
	if b.ID == a.ID {
		t.Error("the same id twice")
	}
}

// The user ids of an application are its own.
func TestUserIDsOfAnApplicationAreComparedAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := map[twinlatch.AccountID]bool{}
	for _, login := range []string{"u_AbC", "u_aBc", "u_abc", " u_abc", "zoe\u0308", "zoë"} {
		a, err := w.CreateAccount(ctx, twinlatch.NewAccount{Realm: "shop", Login: login, Password: twinlatch.NewSecret(password)}, home)
		w.ok(err)
		equal(t, "login", a.Login, login)
		found, err := w.FindAccount(ctx, "shop", login)
		w.ok(err)
		d, _, err := w.SignIn(ctx, "shop", login, twinlatch.NewSecret(password), home)
		w.ok(err)
		who, _ := d.Passed()
		equal(t, "who", []twinlatch.AccountID{found.ID, who.Account().ID}, []twinlatch.AccountID{a.ID, a.ID})
		ids[a.ID] = true
	}
	equal(t, "people", len(ids), 6)
	_, err := w.FindAccount(ctx, "shop", "U_ABC")
	refused(t, err, twinlatch.ErrNotFound)
}

func TestALoginIsTakenOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("zoë@example.com")
	for _, login := range []string{"zoë@example.com", "ZOË@EXAMPLE.COM", " zoe\u0308@example.com\n"} {
		w.unchanged("a login that is taken", func() {
			_, err := w.CreateAccount(ctx, twinlatch.NewAccount{Login: login, Password: twinlatch.NewSecret(password)}, home)
			refused(t, err, twinlatch.ErrExists)
		}, "accounts", "passwords", "events", "sessions")
	}
	together(8, func(i int) error { // at the same moment
		_, err := w.CreateAccount(ctx, twinlatch.NewAccount{Login: "bob@example.com", DisplayName: fmt.Sprint(i)}, home)
		return err
	})
	equal(t, "Bobs", strings.Count(w.rows("accounts"), "login=bob@example.com"), 1)
}

func TestFieldsOfAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, row := range []struct {
		login, name string
		wrong       string // field
	}{
		{"a", "", ""},
		{strings.Repeat("x", 254), "", ""},
		{strings.Repeat("x", 255), "", "email"},
		{strings.Repeat("ä", 127), "", ""},
		{strings.Repeat("ä", 128), "", "email"},
		{"", "Ann", "email"},
		{" \t\n", "Ann", "email"},
		{"a\x00b", "", "email"},
		{"a\nb", "", "email"},
		{"a\u202eb", "", "email"},
		{"a\u2028b", "", "email"},
		{"b", strings.Repeat("ä", 100), ""},
		{"c", strings.Repeat("ä", 101), "name"},
		{"d", "a\nb", "name"},
		{"e", "a\x1b[2J", "name"},
		{"f", "\xff", "name"},
		{"g", "\u2067x", "name"},
		{"<script>", "<script>", ""}, // pages escape
	} {
		a, err := w.CreateAccount(ctx, twinlatch.NewAccount{Login: row.login, DisplayName: row.name}, home)
		var field *twinlatch.FieldError
		switch {
		case row.wrong == "" && (err != nil || !utf8.ValidString(a.DisplayName) || a.DisplayName == ""):
			t.Errorf("%.20q %.20q: %+v, %v", row.login, row.name, a, err)
		case row.wrong != "" && (!errors.As(err, &field) || field.Field != row.wrong || field.Key == ""):
			t.Errorf("%.20q %.20q: %v, want %s", row.login, row.name, err, row.wrong)
		}
	}
	_, err := w.CreateAccount(ctx, twinlatch.NewAccount{Login: "new", Password: twinlatch.NewSecret("")}, home)
	if field := new(twinlatch.FieldError); !errors.As(err, &field) || field.Field != "password" {
		t.Errorf("an empty password is no absent one: %v", err)
	}
}

// Every sign-up costs a hash, so a network has so many.
func TestTheSignUpsOfANetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	signUp := func(n int, from twinlatch.Client) error {
		_, err := w.CreateAccount(ctx, twinlatch.NewAccount{Login: fmt.Sprint("user", n%3), Password: twinlatch.NewSecret(password)}, from)
		return err
	}
	for n := range 100 { // also those of taken logins
		if err := signUp(n, cafe); err != nil && !errors.Is(err, twinlatch.ErrExists) {
			t.Fatal(err)
		}
	}
	limited(t, signUp(100, cafe))
	refused(t, signUp(0, home), twinlatch.ErrExists)
	_, err := w.CreateAccount(ctx, twinlatch.NewAccount{Login: "of an application"}, cafe)
	w.ok(err)
}

func checkFold(t interface {
	Helper()
	Fatalf(string, ...any)
}, login string) {
	t.Helper()
	folded := twinlatch.FoldLogin(login)
	switch {
	case twinlatch.FoldLogin(folded) != folded:
		t.Fatalf("%q → %q → %q", login, folded, twinlatch.FoldLogin(folded))
	case twinlatch.FoldLogin(" \t"+login+"\r\n") != folded:
		t.Fatalf("spaces around %q matter", login)
	case !utf8.ValidString(login):
		return
	case !norm.NFC.IsNormalString(folded):
		t.Fatalf("%q → %q is not NFC", login, folded)
	case twinlatch.FoldLogin(norm.NFD.String(login)) != folded:
		t.Fatalf("%q: decomposed it is %q, composed %q", login, twinlatch.FoldLogin(norm.NFD.String(login)), folded)
	}
	ascii := strings.Map(func(r rune) rune {
		if r < 128 {
			return unicode.ToUpper(r)
		}
		return r
	}, login)
	if twinlatch.FoldLogin(ascii) != folded {
		t.Fatalf("%q and %q differ", login, ascii)
	}
}

func TestFoldingALoginIsDoneOnce(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if utf8.ValidRune(r) && unicode.IsOneOf([]*unicode.RangeTable{unicode.L, unicode.M, unicode.Z, unicode.N, unicode.S, unicode.C}, r) {
			checkFold(t, string(r))
		}
	}
	rapid.Check(t, func(t *rapid.T) { checkFold(t, rapid.String().Draw(t, "login")) })
}

func FuzzFoldLogin(f *testing.F) {
	for _, login := range []string{"Ann@Example.com", " zoe\u0308 ", "İ", "ẞ", "Σς", "\u212a", "\u1e9e", "\xff", "ǅ"} {
		f.Add(login)
	}
	f.Fuzz(func(t *testing.T, login string) { checkFold(t, login) })
}
