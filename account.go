package twinlatch

import (
	"context"
	"regexp"
	"slices"
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
	Groups      []string // sorted; GroupName says what a group may be called
	CreatedAt   time.Time
	ConfirmedAt time.Time // when mail to Login was shown to reach its owner; zero: not yet
	ResetAt     time.Time // when an administrator reset two-step verification; zero: never, or it is on again
	EnrollFrom  time.Time // from then on a factor is needed to pass: computed; zero: never, or there is one
	DisabledAt  time.Time // zero: active
	DeletedAt   time.Time // zero: it exists; of a deleted one only the events are left
}

// AdminGroup is the group of administrators.
const AdminGroup = "admin"

// IsAdmin reports whether the account is an administrator's.
func (a Account) IsAdmin() bool { return slices.Contains(a.Groups, AdminGroup) }

// NewAccount is what CreateAccount needs.
type NewAccount struct {
	Realm       string   // empty: MainRealm
	Login       string   // e-mail address or the application's user id, 1 to 254 bytes
	DisplayName string   // 1 to 100 characters; empty: Login
	Locale      string   // BCP 47; empty: no choice
	Password    Secret   // zero: the caller owns passwords, or the owner gets a link to choose one
	Groups      []string // AdminGroup makes an administrator: never from a form
	Confirmed   bool     // the caller knows that mail to Login reaches its owner
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
	var hash string
	if n.Password.p != nil {
		if hash, err = s.newPassword(ctx, a, n.Password, c); err != nil {
			return Account{}, err
		}
	}
	if err := s.insertAccount(ctx, a, hash, self, c, nil, EventAccountCreated); err != nil {
		return Account{}, err
	}
	return a, nil
}

// newPassword checks and hashes the password of an account to be.
func (s *Service) newPassword(ctx context.Context, a Account, password Secret, c Client) (hash string, err error) {
	if err := CheckPassword(password, a.Login, a.DisplayName); err != nil {
		return "", err
	}
	if _, err := s.take(ctx, networkLimits("signup", c.IP, signUps, tenMinutes)...); err != nil {
		return "", err
	}
	return s.hasher.hash(ctx, c.IP, s.cfg.Rand, normal(password))
}

// insertAccount makes an account, with a password unless the hash is empty, and
// writes the events of it.
func (s *Service) insertAccount(ctx context.Context, a Account, hash, actor string, c Client, more map[string]string, events ...EventType) error {
	return s.cfg.Store.Tx(ctx, a.ID, func(tx Tx) error {
		if err := tx.InsertAccount(a); err != nil {
			return err
		}
		if hash != "" {
			sealed, err := s.cfg.Keys.Seal([]byte(hash), passwordPlace(a.ID))
			if err != nil {
				return err
			}
			if err := tx.PutPassword(sealed, a.CreatedAt); err != nil {
				return err
			}
		}
		if err := tx.PutNetwork(network(c.IP), a.CreatedAt); err != nil {
			return err
		}
		for _, e := range events {
			if err := s.record(tx, a.ID, actor, c, e, more); err != nil {
				return err
			}
		}
		return nil
	})
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
	if n.Confirmed {
		a.ConfirmedAt = a.CreatedAt
	}
	if a.Realm == "" {
		a.Realm = MainRealm
	}
	if a.DisplayName == "" {
		a.DisplayName = clip(a.Login, maxName)
	}
	if a.Realm == RealmSystem || a.Login == "" || len(a.Login) > maxLogin || !isLine(a.Login) {
		return Account{}, &FieldError{Field: "email", Key: "signup.err.email"}
	}
	if a.DisplayName, err = displayName(a.DisplayName); err != nil {
		return Account{}, err
	}
	if a.Groups, err = groupNames(n.Groups); err != nil {
		return Account{}, err
	}
	return a, checkLocale(a.Locale)
}

// displayName cleans the name of a person, who may write it as they like.
func displayName(name string) (string, error) {
	name = strings.TrimSpace(norm.NFC.String(name))
	if name == "" || utf8.RuneCountInString(name) > maxName || !isLine(name) {
		return "", nameError("name", maxName)
	}
	return name, nil
}

var groupPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// maxGroups is how many groups an account may be in.
const maxGroups = 50

// GroupName says with a *FieldError why a group may not be called so: 1 to 40 of
// a-z, 0-9 and -, and no - at either end.
func GroupName(name string) error {
	if !groupPattern.MatchString(name) {
		return &FieldError{Field: "group", Key: "err.group"}
	}
	return nil
}

func groupNames(names []string) ([]string, error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	for _, name := range names {
		if err := GroupName(name); err != nil {
			return nil, err
		}
	}
	if len(names) > maxGroups {
		return nil, &FieldError{Field: "group", Key: "err.group"}
	}
	return names, nil
}

// SetName says what the person is called: 1 to 100 characters, else a *FieldError.
func (s *Service) SetName(ctx context.Context, by Authority, name string, c Client) error {
	name, err := displayName(name)
	if err != nil {
		return err
	}
	return s.changeAccount(ctx, by, look, func(tx Tx, a *Account, actor string) error {
		if a.DisplayName == name {
			return nil
		}
		a.DisplayName = name
		return s.record(tx, a.ID, actor, c, EventNameChanged, withReason(by, map[string]string{"name": name}))
	})
}

// changeAccount is change for what stands in the account's own row.
func (s *Service) changeAccount(ctx context.Context, by Authority, kind change, do func(tx Tx, a *Account, actor string) error) error {
	return s.change(ctx, by, kind, func(tx Tx, _ AccountID, actor string) error {
		return updateAccount(tx, func(a *Account) error { return do(tx, a, actor) })
	})
}

// updateAccount reads the account's row and writes what do made of it.
func updateAccount(tx Tx, do func(*Account) error) error {
	a, err := tx.Account()
	if err != nil {
		return err
	}
	if err := do(&a); err != nil {
		return err
	}
	return tx.UpdateAccount(a)
}

// SetLocale chooses the language of pages and messages, in BCP 47; empty leaves it
// to the browser. What is no language tag is a *FieldError. It protects nothing,
// so it asks for no fresh proof and writes no event.
func (s *Service) SetLocale(ctx context.Context, by Authority, locale string) error {
	if err := checkLocale(locale); err != nil {
		return err
	}
	return s.changeAccount(ctx, by, look, func(_ Tx, a *Account, _ string) error {
		a.Locale = locale
		return nil
	})
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
