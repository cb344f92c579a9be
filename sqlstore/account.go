package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twinlatch/twinlatch"
)

// accountColumns are those of accounts AS a, without its id. For their names
// see sessionColumns.
const accountColumns = `a.realm AS m, a.login AS n, a.display_name AS o, a.locale AS p, a.preferred AS q,
	a.created_at AS r, a.disabled_at AS s, EXISTS (SELECT 1 FROM factors AS f WHERE f.account_id = a.id) AS t,
	a.member_of AS u, a.confirmed_at AS v, a.reset_at AS w, a.deleted_at AS x,
	(SELECT MIN(CASE WHEN q.starts_at > a.created_at + q.grace THEN q.starts_at ELSE a.created_at + q.grace END)
		FROM requirements AS q WHERE ` + concerns + `) AS y`

// concerns says whether the requirement q is for the account a.
const concerns = `q.realm = a.realm AND (q.member = '' OR ' ' || a.member_of || ' ' LIKE '% ' || q.member || ' %')`

// accountDest is where accountColumns go; what they say together is for computed.
func accountDest(dest []any, a *twinlatch.Account) []any {
	return append(dest, &a.Realm, &a.Login, &a.DisplayName, &a.Locale, (*string)(&a.Preferred),
		(*moment)(&a.CreatedAt), (*moment)(&a.DisabledAt), &a.TwoStep, (*words)(&a.Groups),
		(*moment)(&a.ConfirmedAt), (*moment)(&a.ResetAt), (*moment)(&a.DeletedAt), (*moment)(&a.EnrollFrom))
}

// computed makes of a.EnrollFrom, which is that of the requirements, what it is in
// all.
func computed(a *twinlatch.Account) {
	switch {
	case a.TwoStep:
		a.EnrollFrom = time.Time{}
	case !a.ResetAt.IsZero() && (a.EnrollFrom.IsZero() || a.ResetAt.Before(a.EnrollFrom)):
		a.EnrollFrom = a.ResetAt
	}
}

// Account implements twinlatch.View.
func (v *view) Account() (twinlatch.Account, error) {
	a := twinlatch.Account{ID: twinlatch.AccountID(v.id)}
	err := v.row(accountDest(nil, &a), `SELECT `+accountColumns+` FROM accounts AS a WHERE a.id = $1`, v.id)
	if err != nil {
		return twinlatch.Account{}, err
	}
	computed(&a)
	return a, nil
}

// AccountByLogin implements twinlatch.Store.
func (s *Store) AccountByLogin(ctx context.Context, realm, login string) (twinlatch.AccountID, error) {
	var id string
	err := retry(ctx, func() error {
		return found(s.read.QueryRowContext(ctx,
			`SELECT id FROM accounts WHERE realm = $1 AND login = $2`, realm, login).Scan(&id))
	})
	return twinlatch.AccountID(id), err
}

// Lock implements twinlatch.Tx. On PostgreSQL the row stays locked until the
// transaction ends, and each later statement sees what the one before did.
func (t *tx) Lock() error {
	return t.must(twinlatch.ErrDisabled, `
		UPDATE accounts SET version = version + 1 WHERE id = $1 AND disabled_at IS NULL`, t.id)
}

// Hold implements twinlatch.Tx.
func (t *tx) Hold() error {
	return t.must(twinlatch.ErrNotFound, `
		UPDATE accounts SET version = version + 1 WHERE id = $1 AND deleted_at IS NULL`, t.id)
}

// InsertAccount implements twinlatch.Tx. A unique violation would make the
// transaction unusable on PostgreSQL, so none is provoked.
func (t *tx) InsertAccount(a twinlatch.Account) error {
	if err := t.own(a.ID); err != nil {
		return err
	}
	if err := t.must(twinlatch.ErrExists, `
		INSERT INTO accounts (id, realm, login, display_name, locale, preferred,
			version, event_seq, event_hash, created_at, disabled_at, member_of, confirmed_at, reset_at, deleted_at, search)
		VALUES ($1, $2, $3, $4, $5, $6, 1, 0, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT DO NOTHING`,
		t.id, a.Realm, a.Login, a.DisplayName, a.Locale, string(a.Preferred),
		[]byte{}, millis(a.CreatedAt), maybe(a.DisabledAt), joined(a.Groups), maybe(a.ConfirmedAt), maybe(a.ResetAt), maybe(a.DeletedAt), searched(a)); err != nil {
		return err
	}
	err := t.reserved(a.Login)
	if errors.Is(err, twinlatch.ErrExists) {
		err = errors.Join(err, t.do(`DELETE FROM accounts WHERE id = $1`, t.id))
	}
	return err
}

// reserved is ErrExists when a login was another account's of the realm, which can
// take it back.
// It is asked after the login was written: what had to wait for another transaction
// sees what that one did.
func (t *tx) reserved(login string) error {
	var one int
	err := t.row([]any{&one}, `
		SELECT 1 FROM tickets AS k JOIN accounts AS b ON b.id = k.account_id
		WHERE k.purpose = 'alarm' AND k.address = $2 AND k.address <> '' AND k.account_id <> $1
		AND b.realm = (SELECT realm FROM accounts WHERE id = $1) LIMIT 1`, t.id, login)
	switch {
	case errors.Is(err, twinlatch.ErrNotFound):
		return nil
	case err == nil:
		return twinlatch.ErrExists
	}
	return err
}

// searched is what ListAccounts looks into.
func searched(a twinlatch.Account) string { return a.Login + " " + twinlatch.FoldLogin(a.DisplayName) }

// UpdateAccount implements twinlatch.Tx.
func (t *tx) UpdateAccount(a twinlatch.Account) error {
	if err := t.own(a.ID); err != nil {
		return err
	}
	n, err := t.exec(`
		UPDATE accounts SET login = $2, display_name = $3, locale = $4, disabled_at = $5, member_of = $6,
			confirmed_at = $7, reset_at = $8, deleted_at = $9, search = $10
		WHERE id = $1 AND NOT EXISTS (
			SELECT 1 FROM accounts AS b WHERE b.realm = accounts.realm AND b.login = $2 AND b.id <> $1)`,
		t.id, a.Login, a.DisplayName, a.Locale, maybe(a.DisabledAt), joined(a.Groups),
		maybe(a.ConfirmedAt), maybe(a.ResetAt), maybe(a.DeletedAt), searched(a))
	switch {
	case err != nil && taken(err): // by a transaction that was not over yet
		return twinlatch.ErrExists
	case err != nil:
		return err
	case n > 0:
		return t.reserved(a.Login)
	}
	if _, err := t.Account(); err != nil {
		return err
	}
	return twinlatch.ErrExists
}

// SetPreferred implements twinlatch.Tx.
func (t *tx) SetPreferred(f twinlatch.FactorID) error {
	return t.must(twinlatch.ErrNotFound, `
		UPDATE accounts SET preferred = $2 WHERE id = $1
		AND ($2 = '' OR EXISTS (SELECT 1 FROM factors WHERE account_id = $1 AND id = $2))`, t.id, string(f))
}

// Password implements twinlatch.View.
func (v *view) Password() (twinlatch.Sealed, error) {
	var p twinlatch.Sealed
	err := v.row([]any{&p.Key, &p.Text}, `SELECT key_id, hash FROM passwords WHERE account_id = $1`, v.id)
	return p, err
}

// PutPassword implements twinlatch.Tx.
func (t *tx) PutPassword(hash twinlatch.Sealed, now time.Time) error {
	return t.do(`
		INSERT INTO passwords (account_id, hash, key_id, changed_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account_id) DO UPDATE
		SET hash = excluded.hash, key_id = excluded.key_id, changed_at = excluded.changed_at`,
		t.id, blob(hash.Text), hash.Key, millis(now))
}

// own keeps a transaction to its account.
func (t *tx) own(id twinlatch.AccountID) error {
	if string(id) != t.id {
		return fmt.Errorf("sqlstore: account %q in the transaction of %q", id, t.id)
	}
	return nil
}
