package twinlatch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
)

func TestWhichPasswordsMayBeChosen(t *testing.T) {
	t.Parallel()
	const (
		empty  = "signup.err.password"
		short  = "signup.err.short"
		long   = "signup.err.long"
		common = "signup.err.common"
	)
	mixed := func(n int) string { // n letters that are no word
		text := make([]rune, n)
		random := rand.New(rand.NewPCG(1, 2))
		for i := range text {
			text[i] = rune('a' + random.IntN(26))
		}
		return string(text)
	}
	accents := func(n int) string { return strings.Map(func(r rune) rune { return 'á' + r%25 }, mixed(n)) }
	for _, row := range []struct{ password, why string }{
		{"", empty},
		{"x", short},
		{mixed(11), short},
		{mixed(12), ""},
		{accents(11), short}, // 22 bytes: characters count
		{accents(12), ""},
		{strings.Repeat("e\u0301", 11), short}, // as 11 é and not as 22
		{mixed(256), ""},
		{mixed(257), long},
		{accents(256), ""},
		{strings.Map(func(r rune) rune { return '😀' + r%40 }, mixed(256)), ""},         // 1024 bytes
		{strings.Map(func(r rune) rune { return '😀' + r%40 }, mixed(256)) + "x", long}, // 257
		{strings.Repeat("\u0958", 100) + mixed(20), ""},                                // NFC makes one character two
		{strings.Repeat("\u0958", 250) + mixed(6), long},                               // 256 as typed, 506 as hashed
		{mixed(1 << 20), long},

		{"password1234", common},
		{"Password1234", common},
		{"passwordpassword", common},
		{"Password1!Password1!", common},
		{"1234password", common},
		{"!!!password!!!", common},
		{"qwertyuiop123", common},
		{"qwertyuiop[]", common},
		{"1q2w3e4r5t6y", common},
		{"123456789012", common},
		{"098765432109", common},
		{"aaaaaaaaaaaa", common},
		{"AAAAAAAAAAAAA", common},
		{"abcabcabcabc", common},
		{"abcdefghijkl", common},
		{"            ", common},
		{"............", common},
		{"ééééééééééééé", common},
		{"iloveyou1234", common},

		{"correct horse battery staple", ""},
		{"my password is a poem", ""},
		{"ünïcödé wörds", ""},
		{"tulip \x00 and rose", ""}, // no mix of characters is asked for, and none is refused
		{"\xff\xfe not UTF-8 at all", ""},
		{"no\nline\nbreak is too much", ""},
	} {
		err := twinlatch.CheckPassword(twinlatch.NewSecret(row.password))
		var field *twinlatch.FieldError
		switch {
		case row.why == "" && err != nil:
			t.Errorf("%.40q: %v", row.password, err)
		case row.why != "" && (!errors.As(err, &field) || field.Field != "password" || field.Key != row.why):
			t.Errorf("%.40q: %v, want %s", row.password, err, row.why)
		}
	}
}

func TestAPasswordIsNotOnesOwnName(t *testing.T) {
	t.Parallel()
	check := func(p string) error {
		return twinlatch.CheckPassword(twinlatch.NewSecret(p), "ann.tulip@example.com", "Ann Tulip the Third")
	}
	for _, p := range []string{"ann.tulip@example.com", "ANN.TULIP@EXAMPLE.COM", " ann tulip the third "} {
		var field *twinlatch.FieldError
		if err := check(p); !errors.As(err, &field) || field.Key != "signup.err.common" {
			t.Errorf("%q: %v", p, err)
		}
	}
	if err := check("ann.tulip@example.com and more"); err != nil {
		t.Error(err)
	}
	_, err := newWorld(t).CreateAccount(ctx, twinlatch.NewAccount{Login: "ann@example.com", Password: twinlatch.NewSecret("ANN@example.com")}, home)
	if field := new(twinlatch.FieldError); !errors.As(err, &field) {
		t.Errorf("sign-up: %v", err)
	}
}

// Some keyboards compose é, others send e and an accent.
func TestAPasswordIsTheSameHoweverItIsComposed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for composed, decomposed := range map[string]string{
		"café au lait svp": "cafe\u0301 au lait svp",
		"Ångström units":   "A\u030angstro\u0308m units",
		"한글 비밀번호 열두글자":     "\u1112\u1161\u11ab\u1100\u1173\u11af 비밀번호 열두글자",
	} {
		for i, pair := range [][2]string{{composed, decomposed}, {decomposed, composed}} {
			login := fmt.Sprint(composed, i)
			_, err := w.CreateAccount(ctx, twinlatch.NewAccount{Login: login, Password: twinlatch.NewSecret(pair[0])}, home)
			w.ok(err)
			_, _, err = w.SignIn(ctx, twinlatch.MainRealm, login, twinlatch.NewSecret(pair[1]), home)
			w.ok(err)
		}
	}
}

// A right password is hashed again when it was hashed at other costs.
func TestHashesAreRenewedAtTodaysCost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.person("ann@example.com")
	stored := func() string { return w.rows("passwords") }
	before := stored()
	ann.signIn(home)
	equal(t, "at the same cost", stored(), before)

	stronger := w.Config
	stronger.Hashing.Passes = 2
	var err error
	w.Service, err = twinlatch.New(ctx, stronger)
	w.ok(err)
	_, _, err = w.SignIn(ctx, twinlatch.MainRealm, "ann@example.com", twinlatch.NewSecret("wrong"), home)
	refused(t, err, twinlatch.ErrWrongPassword)
	equal(t, "after a wrong password", stored(), before)
	ann.signIn(home)
	renewed := stored()
	if renewed == before {
		t.Fatal("the hash was not renewed")
	}
	ann.signIn(home)
	equal(t, "after that", stored(), renewed)
}

// A row of passwords that was moved or altered lets nobody in, and says so.
func TestATamperedPasswordLetsNobodyIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.person("ann@example.com"), w.person("bob@example.com")
	for name, tamper := range map[string]string{
		"Bob's hash":    "UPDATE passwords SET hash = (SELECT hash FROM passwords WHERE account_id = '" + string(bob.account.ID) + "') WHERE account_id = $1",
		"no hash":       "UPDATE passwords SET hash = '' WHERE account_id = $1",
		"another key":   "UPDATE passwords SET key_id = 'none', hash = x'00' || hash WHERE account_id = $1",
		"a plain hash":  "UPDATE passwords SET hash = CAST('$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' AS BLOB) WHERE account_id = $1",
		"cut in length": "UPDATE passwords SET hash = substr(hash, 1, 20) WHERE account_id = $1",
	} {
		w.exec(tamper, string(ann.account.ID))
		d, _, err := w.SignIn(ctx, twinlatch.MainRealm, "ann@example.com", twinlatch.NewSecret(password), home)
		if _, ok := d.Known(); err == nil || ok || errors.Is(err, twinlatch.ErrWrongPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// blocking lets no hash of a backup code end until it is told to, so that the
// only slot is taken without anybody sleeping.
type blocking struct {
	twinlatch.Keys
	begun, end chan struct{}
}

func (b *blocking) MAC(purpose string, data ...[]byte) []byte {
	if purpose == "backup" && b.begun != nil {
		b.begun <- struct{}{}
		<-b.end
	}
	return b.Keys.MAC(purpose, data...)
}

// blocked is a world in which the only hash that may run at a time is running.
func blocked(t *testing.T, hashing twinlatch.Hashing) (w *world, ann *browser, free func()) {
	keys := &blocking{}
	w = newWorld(t, func(c *twinlatch.Config) {
		keys.Keys = c.Keys
		c.Keys = keys
		c.Hashing = hashing
	})
	ann = w.protected("ann@example.com")
	who := ann.known()
	keys.begun, keys.end = make(chan struct{}), make(chan struct{})
	var recovery error
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, recovery = w.Recover(ctx, who, twinlatch.NewSecret("0000-0000-0000-0000"), home)
	}()
	<-keys.begun
	return w, ann, func() {
		close(keys.end)
		<-done
		refused(t, recovery, twinlatch.ErrWrongCode)
	}
}

func TestHashesBeyondTheQueueAreRefused(t *testing.T) {
	t.Parallel()
	w, _, free := blocked(t, twinlatch.Hashing{Memory: 8, Passes: 1, Lanes: 1, Parallel: 1, Queue: 1, Wait: time.Hour})
	logins := []string{"ann@example.com", "nobody@example.com", "nobody@example.com"} // an unknown login waits like a known one
	results := make(chan error)
	for _, login := range logins {
		go func() {
			_, _, err := w.SignIn(ctx, twinlatch.MainRealm, login, twinlatch.NewSecret("wrong"), home)
			results <- err
		}()
	}
	refused(t, <-results, twinlatch.ErrBusy) // one waits in the queue, the others are refused at once
	refused(t, <-results, twinlatch.ErrBusy)
	_, err := w.CreateAccount(ctx, twinlatch.NewAccount{Login: "bob@example.com", Password: twinlatch.NewSecret(password)}, home)
	refused(t, err, twinlatch.ErrBusy)
	_, err = w.FindAccount(ctx, twinlatch.MainRealm, "bob@example.com")
	refused(t, err, twinlatch.ErrNotFound)
	free()
	refused(t, <-results, twinlatch.ErrWrongPassword)

	// What was not judged did not count.
	if n := strings.Count(w.rows("limits"), "name=password taken=1 "); n != 2 { // of the network and of the login
		t.Errorf("limits:\n%s", w.rows("limits"))
	}
}

func TestNobodyWaitsLongForAHash(t *testing.T) {
	t.Parallel()
	w, ann, free := blocked(t, twinlatch.Hashing{Memory: 8, Passes: 1, Lanes: 1, Parallel: 1, Queue: 9, Wait: time.Millisecond})
	_, _, err := w.SignIn(ctx, twinlatch.MainRealm, "nobody@example.com", twinlatch.NewSecret("wrong"), home)
	refused(t, err, twinlatch.ErrBusy)
	_, err = w.Recover(ctx, ann.known(), twinlatch.NewSecret("0000-0000-0000-0000"), home)
	refused(t, err, twinlatch.ErrBusy)
	_, err = w.NewBackupCodes(ctx, ann.passed(), home)
	refused(t, err, twinlatch.ErrBusy)
	free()
}

func TestWhoGoesAwayDoesNotWaitForAHash(t *testing.T) {
	t.Parallel()
	w, _, free := blocked(t, twinlatch.Hashing{Memory: 8, Passes: 1, Lanes: 1, Parallel: 1, Queue: 9, Wait: time.Hour})
	impatient, leave := context.WithCancel(ctx)
	result := make(chan error)
	go func() {
		_, _, err := w.SignIn(impatient, twinlatch.MainRealm, "nobody@example.com", twinlatch.NewSecret("wrong"), home)
		result <- err
	}()
	leave()
	refused(t, <-result, context.Canceled)
	free()
}

func TestServiceRefusesANonsensicalHashing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, h := range map[string]twinlatch.Hashing{
		"memory":   {Memory: 1<<20 + 1},
		"passes":   {Passes: 11},
		"lanes":    {Lanes: 17},
		"too thin": {Memory: 8, Lanes: 2},
		"parallel": {Parallel: -1},
		"queue":    {Queue: -1},
		"wait":     {Wait: -1},
	} {
		config := w.Config
		config.Hashing = h
		if _, err := twinlatch.New(ctx, config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	d := twinlatch.DefaultHashing()
	equal(t, "RFC 9106, second option", []int{int(d.Memory), int(d.Passes), int(d.Lanes)}, []int{64 << 10, 3, 4})
	if !slices.Contains([]int{1, 2, 3, 4, 5, 6, 7, 8}, d.Parallel) || d.Queue != 8*d.Parallel || d.Wait != 2*time.Second {
		t.Errorf("%+v", d)
	}
}
