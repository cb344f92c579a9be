package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"time"

	"github.com/twinlatch/twinlatch"
)

// sessionColumns are those of sessions AS s, without its ids and its secret.
// Names of one letter need no memory; the SQLite driver makes a string of each
// name at each query, which is a quarter of what a check allocates.
const sessionColumns = `s.user_agent AS a, s.created_at AS b, s.password_at AS c, s.seen_at AS d, s.seen_ip AS e,
	s.expires_at AS f, s.v4_ip AS g, s.v4_at AS h, s.v6_ip AS i, s.v6_at AS j, s.amr AS k, s.recovered AS l`

func sessionDest(dest []any, s *twinlatch.Session) []any {
	return append(dest, &s.UserAgent, (*moment)(&s.CreatedAt), (*moment)(&s.PasswordAt),
		(*moment)(&s.SeenAt), (*address)(&s.SeenIP), (*moment)(&s.ExpiresAt),
		(*address)(&s.V4.IP), (*moment)(&s.V4.At), (*address)(&s.V6.IP), (*moment)(&s.V6.At),
		(*words)(&s.AMR), &s.Recovered)
}

// selectSession is the read of every request, and selectHosted that of every request
// to an app with a host of its own.
const (
	selectSession = `SELECT s.secret_hash AS z, ` + accountColumns + `, ` + sessionColumns + `
		FROM sessions AS s JOIN accounts AS a ON a.id = s.account_id
		WHERE s.account_id = $1 AND s.id = $2`
	selectHosted = `SELECT h.secret_hash AS z, ` + accountColumns + `, ` + sessionColumns + `
		FROM session_hosts AS h JOIN sessions AS s ON s.account_id = h.account_id AND s.id = h.session_id
			JOIN accounts AS a ON a.id = s.account_id
		WHERE h.account_id = $1 AND h.session_id = $2 AND h.host = $3`
)

func readSession(from *sql.Row, id twinlatch.AccountID, s twinlatch.SessionID) (*twinlatch.SessionRow, error) {
	row := &twinlatch.SessionRow{}
	dest := append(make([]any, 0, 32), &row.SecretHash)
	dest = sessionDest(accountDest(dest, &row.Account), &row.Session)
	if err := from.Scan(dest...); err != nil {
		return nil, found(err)
	}
	row.Account.ID = id
	computed(&row.Account)
	row.Session.Account, row.Session.ID = id, s
	return row, nil
}

// Session implements twinlatch.Store.
func (s *Store) Session(ctx context.Context, id twinlatch.AccountID, session twinlatch.SessionID) (*twinlatch.SessionRow, error) {
	return s.check(ctx, rowKey{id, session, ""}, func() *sql.Row { return s.session(ctx, string(id), string(session)) })
}

// Hosted implements twinlatch.Store.
func (s *Store) Hosted(ctx context.Context, id twinlatch.AccountID, session twinlatch.SessionID, host string) (*twinlatch.SessionRow, error) {
	if host == "" {
		return nil, twinlatch.ErrNotFound
	}
	return s.check(ctx, rowKey{id, session, host}, func() *sql.Row { return s.hosted(ctx, string(id), string(session), host) })
}

func (s *Store) check(ctx context.Context, key rowKey, query func() *sql.Row) (*twinlatch.SessionRow, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.cached.row(key, func() (*twinlatch.SessionRow, error) {
		row, err := readSession(query(), key.account, key.session)
		if err != nil && conflict(err) { // only when the database is serializable
			err = retry(ctx, func() (err error) {
				row, err = readSession(query(), key.account, key.session)
				return err
			})
		}
		return row, err
	})
}

// Session implements twinlatch.View.
func (v *view) Session(s twinlatch.SessionID) (twinlatch.SessionRow, error) {
	row, err := readSession(v.sql.QueryRowContext(v.ctx, selectSession, v.id, string(s)), twinlatch.AccountID(v.id), s)
	if err != nil {
		return twinlatch.SessionRow{}, err
	}
	return *row, nil
}

// Sessions implements twinlatch.View.
func (v *view) Sessions(now time.Time) ([]twinlatch.Session, error) {
	var all []twinlatch.Session
	err := v.list(func(rows *sql.Rows) error {
		s := twinlatch.Session{Account: twinlatch.AccountID(v.id)}
		err := rows.Scan(sessionDest([]any{(*string)(&s.ID)}, &s)...)
		all = append(all, s)
		return err
	}, `SELECT s.id, `+sessionColumns+` FROM sessions AS s
		WHERE s.account_id = $1 AND s.expires_at > $2 ORDER BY s.seen_at DESC, s.id LIMIT $3`,
		v.id, millis(now), twinlatch.MaxSessions)
	return all, err
}

// InsertSession implements twinlatch.Tx.
func (t *tx) InsertSession(s twinlatch.Session, secretHash []byte) error {
	if err := t.own(s.Account); err != nil {
		return err
	}
	return t.do(`
		INSERT INTO sessions (account_id, id, secret_hash, user_agent, created_at, password_at, seen_at, seen_ip,
			expires_at, v4_ip, v4_at, v6_ip, v6_at, amr, recovered)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		t.id, string(s.ID), blob(secretHash), s.UserAgent, millis(s.CreatedAt), millis(s.PasswordAt), millis(s.SeenAt), text(s.SeenIP),
		millis(s.ExpiresAt), text(s.V4.IP), maybe(s.V4.At), text(s.V6.IP), maybe(s.V6.At), joined(s.AMR), bit(s.Recovered))
}

// UpdateSession implements twinlatch.Tx.
func (t *tx) UpdateSession(s twinlatch.Session, old, secretHash []byte) error {
	if err := t.own(s.Account); err != nil {
		return err
	}
	err := t.must(twinlatch.ErrNoSession, `
		UPDATE sessions SET secret_hash = $4, password_at = $5, seen_at = $6, seen_ip = $7, expires_at = $8,
			v4_ip = $9, v4_at = $10, v6_ip = $11, v6_at = $12, amr = $13, recovered = $14
		WHERE account_id = $1 AND id = $2 AND secret_hash = $3`,
		t.id, string(s.ID), blob(old), blob(secretHash), millis(s.PasswordAt), millis(s.SeenAt), text(s.SeenIP), millis(s.ExpiresAt),
		text(s.V4.IP), maybe(s.V4.At), text(s.V6.IP), maybe(s.V6.At), joined(s.AMR), bit(s.Recovered))
	if err != nil || bytes.Equal(old, secretHash) {
		return err
	}
	return errors.Join(
		t.do(`DELETE FROM session_hosts WHERE account_id = $1 AND session_id = $2`, t.id, string(s.ID)),
		t.do(`DELETE FROM tickets WHERE account_id = $1 AND session_id = $2`, t.id, string(s.ID)))
}

// PutHost implements twinlatch.Tx.
func (t *tx) PutHost(s twinlatch.SessionID, host string, secretHash []byte, now time.Time) error {
	return t.must(twinlatch.ErrNoSession, `
		INSERT INTO session_hosts (account_id, session_id, host, secret_hash, created_at)
		SELECT account_id, id, $3, $4, $5 FROM sessions WHERE account_id = $1 AND id = $2
		ON CONFLICT (account_id, session_id, host) DO UPDATE SET secret_hash = excluded.secret_hash, created_at = excluded.created_at`,
		t.id, string(s), host, blob(secretHash), millis(now))
}

// Touch implements twinlatch.Tx.
func (t *tx) Touch(s twinlatch.SessionID, ip netip.Addr, now, stale time.Time) error {
	return t.do(`
		UPDATE sessions SET seen_at = $3, seen_ip = $4
		WHERE account_id = $1 AND id = $2 AND seen_at < $5`, t.id, string(s), millis(now), text(ip), millis(stale))
}

// DeleteSession implements twinlatch.Tx.
func (t *tx) DeleteSession(s twinlatch.SessionID) error {
	return t.must(twinlatch.ErrNotFound, `
		DELETE FROM sessions WHERE account_id = $1 AND id = $2`, t.id, string(s))
}

// DeleteSessions implements twinlatch.Tx.
func (t *tx) DeleteSessions(except twinlatch.SessionID) (int, error) {
	n, err := t.exec(`DELETE FROM sessions WHERE account_id = $1 AND id <> $2`, t.id, string(except))
	return int(n), err
}
