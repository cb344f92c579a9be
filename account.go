package twinlatch

import (
	"context"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MainRealm is the realm of accounts that are the server's own.
const MainRealm = "main"

// Account is someone we protect. It may have a password, or none when an
// application owns the passwords and calls us for the second step.
type Account struct {
	ID          AccountID
	Realm       string // MainRealm, or the application that owns the account
	Login       string // unique in its realm; in MainRealm lower case and NFC, elsewhere as given
	DisplayName string
	Locale      string   // language of pages and messages that its owner chose, BCP 47; empty: no choice
	TwoStep     bool     // two-step verification is on: computed, true when a factor exists
	Preferred   FactorID // the factor asked first; empty: the first enrolled
	CreatedAt   time.Time
	DisabledAt  time.Time // zero: active
}

// NewAccount is what CreateAccount needs.
type NewAccount struct {
	Realm       string // empty: MainRealm
	Login       string // e-mail address or the application's user id, 1 to 254 bytes
	DisplayName string // 1 to 100 characters; empty: Login
	Locale      string // BCP 47; empty: no choice
	Password    Secret // zero: the caller owns passwords
}

const (
	maxLogin = 254
	maxName  = 100
)

// CreateAccount makes an account. A bad field is a *FieldError. A login that is
// taken in its realm is ErrExists, after the same work as for a new one. With a
// password, too many from one network are a *LimitError, too many hashes at once
// ErrBusy.
func (s *Service) CreateAccount(ctx context.Context, n NewAccount, c Client) (Account, error) {
	a, err := s.newAccount(n)
	if err != nil {
		return Account{}, err
	}
	var password Sealed
	owned := n.Password.p != nil
	if owned {
		if err := CheckPassword(n.Password, a.Login, a.DisplayName); err != nil {
			return Account{}, err
		}
		if _, err := s.take(ctx, networkLimits("signup", c.IP, signUps, tenMinutes)...); err != nil {
			return Account{}, err
		}
		if password, err = s.sealPassword(ctx, a.ID, n.Password, c); err != nil {
			return Account{}, err
		}
	}
	err = s.cfg.Store.Tx(ctx, a.ID, func(tx Tx) error {
		if err := tx.InsertAccount(a); err != nil {
			return err
		}
		if owned {
			if err := tx.PutPassword(password, a.CreatedAt); err != nil {
				return err
			}
		}
		return s.record(tx, a.ID, self, c, EventAccountCreated, nil)
	})
	if err != nil {
		return Account{}, err
	}
	return a, nil
}

func (s *Service) newAccount(n NewAccount) (Account, error) {
	id, err := newID[AccountID](s.cfg.Rand)
	if err != nil {
		return Account{}, err
	}
	a := Account{
		ID: id, Realm: n.Realm, Login: foldIn(n.Realm, n.Login), DisplayName: strings.TrimSpace(norm.NFC.String(n.DisplayName)),
		Locale: n.Locale, CreatedAt: s.now(),
	}
	if a.Realm == "" {
		a.Realm = MainRealm
	}
	if a.DisplayName == "" {
		a.DisplayName = clip(a.Login, maxName)
	}
	if a.Login == "" || len(a.Login) > maxLogin || !isLine(a.Login) {
		return Account{}, &FieldError{Field: "email", Key: "signup.err.email"}
	}
	if utf8.RuneCountInString(a.DisplayName) > maxName || !isLine(a.DisplayName) {
		return Account{}, nameError("name", maxName)
	}
	return a, checkLocale(a.Locale)
}

// SetLocale chooses the language of pages and messages, in BCP 47; empty leaves it
// to the browser. What is no language tag is a *FieldError. It protects nothing,
// so it asks for no fresh proof and writes no event.
func (s *Service) SetLocale(ctx context.Context, by Authority, locale string) error {
	if err := checkLocale(locale); err != nil {
		return err
	}
	return s.change(ctx, by, look, func(tx Tx, _ AccountID, _ string) error { return tx.SetLocale(locale) })
}

// languageTag has the shape of RFC 5646 §2.1; which languages there are is for
// those who have words.
var languageTag = regexp.MustCompile(`^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,7}$`)

func checkLocale(locale string) error {
	if locale != "" && !languageTag.MatchString(locale) {
		return &FieldError{Field: "language", Key: "err.form"}
	}
	return nil
}

// foldIn folds the logins of our own accounts. The user ids of an application
// are its own: "u_AbC" and "u_aBc" may be two people.
func foldIn(realm, login string) string {
	if realm != "" && realm != MainRealm {
		return login
	}
	return FoldLogin(login)
}

// FoldLogin is a login in MainRealm as it is stored and compared: trimmed, lower case, NFC.
func FoldLogin(login string) string {
	return norm.NFC.String(strings.ToLower(norm.NFC.String(strings.TrimSpace(login))))
}

// Account finds an account, also a disabled one. Absent: ErrNotFound.
func (s *Service) Account(ctx context.Context, id AccountID) (a Account, err error) {
	if !isID(string(id)) {
		return Account{}, ErrNotFound
	}
	err = s.cfg.Store.View(ctx, id, func(v View) (err error) {
		a, err = v.Account()
		return err
	})
	return a, err
}

// FindAccount finds an account by its login. Absent: ErrNotFound.
func (s *Service) FindAccount(ctx context.Context, realm, login string) (Account, error) {
	id, err := s.find(ctx, realm, foldIn(realm, login))
	if err != nil {
		return Account{}, err
	}
	return s.Account(ctx, id)
}

// find asks the store only for logins that an account can have: databases
// differ in what they say about others.
func (s *Service) find(ctx context.Context, realm, login string) (AccountID, error) {
	if len(login) > maxLogin || !isLine(login) {
		return "", ErrNotFound
	}
	return s.cfg.Store.AccountByLogin(ctx, realm, login)
}

// isLine reports whether text is one line of valid UTF-8 without characters
// that control terminals, logs or the direction of other people's text.
func isLine(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' ||
			(r >= '\u202a' && r <= '\u202e') || (r >= '\u2066' && r <= '\u2069')
	}) < 0
}

func nameError(field string, most int) *FieldError {
	return &FieldError{Field: field, Key: "err.name", Args: map[string]string{"n": itoa(most)}}
}
