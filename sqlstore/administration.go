package sqlstore

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Administer implements twinlatch.Store. The row that it updates first makes all of
// them wait for each other.
func (s *Store) Administer(ctx context.Context, admin, target twinlatch.AccountID, fn func(twinlatch.View, twinlatch.Tx) error) error {
	return retry(ctx, func() error {
		own := &tx{}
		defer func() { s.changed(own, target) }()
		return within(ctx, s.write, nil, func(t *sql.Tx) error {
			own.view = view{ctx, t, string(target)}
			if err := own.do(`UPDATE administration SET acts = acts + 1 WHERE id = 1`); err != nil {
				return err
			}
			return fn(&view{ctx, t, string(admin)}, own)
		})
	})
}

// accountState is the state of the account a at $1, as twinlatch.Account.StateOf
// says it.
const accountState = `CASE WHEN a.disabled_at IS NOT NULL THEN 'disabled'
	WHEN EXISTS (SELECT 1 FROM factors AS f WHERE f.account_id = a.id) THEN 'on'
	WHEN a.reset_at <= $1 OR EXISTS (
		SELECT 1 FROM requirements AS q WHERE q.starts_at <= $1 AND a.created_at + q.grace <= $1 AND ` + concerns + `) THEN 'required'
	ELSE 'off' END`

// accountsAsked are those that a query asks for, whatever their state.
const accountsAsked = ` FROM accounts AS a WHERE a.realm = $2 AND a.deleted_at IS NULL
	AND a.search LIKE $3 ESCAPE '\' AND ' ' || a.member_of || ' ' LIKE $4`

func asked(q twinlatch.AccountQuery, now time.Time) []any {
	find := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(q.Find) + "%"
	group := "%"
	if q.Group != "" {
		group = "% " + q.Group + " %"
	}
	return []any{millis(now), q.Realm, find, group}
}

// ListAccounts implements twinlatch.Store.
func (s *Store) ListAccounts(ctx context.Context, q twinlatch.AccountQuery, now time.Time) (all []twinlatch.AccountSummary, err error) {
	err = s.look(ctx, func(v *view) error {
		all = nil
		err := v.list(func(rows *sql.Rows) error {
			var a twinlatch.AccountSummary
			dest := append(accountDest([]any{(*string)(&a.ID)}, &a.Account), (*moment)(&a.SignedInAt), (*moment)(&a.PausedUntil))
			err := rows.Scan(dest...)
			computed(&a.Account)
			all = append(all, a)
			return err
		}, `SELECT a.id, `+accountColumns+`,
			(SELECT e.at FROM events AS e WHERE e.account_id = a.id AND e.type IN ('signin.ok', 'verify.ok', 'recover.ok')
				ORDER BY e.seq DESC LIMIT 1),
			(SELECT MAX(t.next_at) FROM tries AS t WHERE t.account_id = a.id AND t.next_at > $1)`+
			accountsAsked+` AND ($5 = '' OR $5 = `+accountState+`) ORDER BY a.login LIMIT $6 OFFSET $7`,
			append(asked(q, now), string(q.State), int64(q.Limit), int64(q.Offset))...)
		if err != nil {
			return err
		}
		for i := range all {
			if err := v.kinds(&all[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

func (v *view) kinds(a *twinlatch.AccountSummary) error {
	return v.list(func(rows *sql.Rows) error {
		var kind string
		err := rows.Scan(&kind)
		a.Kinds = append(a.Kinds, twinlatch.Kind(kind))
		return err
	}, `SELECT kind FROM factors WHERE account_id = $1 GROUP BY kind ORDER BY MIN(created_at), kind`, string(a.ID))
}

// CountAccounts implements twinlatch.Store.
func (s *Store) CountAccounts(ctx context.Context, q twinlatch.AccountQuery, now time.Time) (counts twinlatch.AccountCounts, err error) {
	err = s.look(ctx, func(v *view) error {
		counts = twinlatch.AccountCounts{}
		return v.list(func(rows *sql.Rows) error {
			var state string
			var n int
			err := rows.Scan(&state, &n)
			switch twinlatch.AccountState(state) {
			case twinlatch.StateOn:
				counts.On = n
			case twinlatch.StateOff:
				counts.Off = n
			case twinlatch.StateRequired:
				counts.Required = n
			case twinlatch.StateDisabled:
				counts.Disabled = n
			}
			return err
		}, `SELECT state, COUNT(*) FROM (SELECT `+accountState+` AS state`+accountsAsked+`) AS s GROUP BY state`, asked(q, now)...)
	})
	return counts, err
}

// Adoption implements twinlatch.Store. What happened to accounts tells it, also of
// those that were deleted since.
func (s *Store) Adoption(ctx context.Context, realm string) (days []twinlatch.AdoptionDay, err error) {
	const perDay = int64(24 * time.Hour / time.Millisecond)
	err = s.look(ctx, func(v *view) error {
		days = nil
		var sum twinlatch.AdoptionDay
		return v.list(func(rows *sql.Rows) error {
			var day int64
			var change twinlatch.AdoptionDay
			if err := rows.Scan(&day, &change.Accounts, &change.On); err != nil {
				return err
			}
			sum.Day = time.UnixMilli(day * perDay).UTC()
			sum.Accounts += change.Accounts
			sum.On += change.On
			days = append(days, sum)
			return nil
		}, `SELECT e.at / $2 AS day,
				SUM(CASE e.type WHEN 'account.created' THEN 1 WHEN 'account.deleted' THEN -1 ELSE 0 END),
				SUM(CASE e.type WHEN 'twostep.on' THEN 1 WHEN 'twostep.off' THEN -1 WHEN 'twostep.reset' THEN -1 ELSE 0 END)
			FROM events AS e JOIN accounts AS a ON a.id = e.account_id
			WHERE a.realm = $1 AND e.type IN ('account.created', 'account.deleted', 'twostep.on', 'twostep.off', 'twostep.reset')
			GROUP BY day ORDER BY day`, realm, perDay)
	})
	return days, err
}

// Requirements implements twinlatch.Store.
func (s *Store) Requirements(ctx context.Context, realm string) (all []twinlatch.Requirement, err error) {
	err = s.look(ctx, func(v *view) error {
		all = nil
		return v.list(func(rows *sql.Rows) error {
			var r twinlatch.Requirement
			var grace int64
			err := rows.Scan(&r.Group, (*moment)(&r.From), &grace)
			r.Grace = time.Duration(grace) * time.Millisecond
			all = append(all, r)
			return err
		}, `SELECT member, starts_at, grace FROM requirements WHERE realm = $1 ORDER BY member`, realm)
	})
	return all, err
}

// PutRequirement implements twinlatch.Tx.
func (t *tx) PutRequirement(realm string, r twinlatch.Requirement) error {
	t.beyond = true
	return t.do(`
		INSERT INTO requirements (realm, member, starts_at, grace) VALUES ($1, $2, $3, $4)
		ON CONFLICT (realm, member) DO UPDATE SET starts_at = excluded.starts_at, grace = excluded.grace`,
		realm, r.Group, millis(r.From), r.Grace.Milliseconds())
}

// DeleteRequirement implements twinlatch.Tx.
func (t *tx) DeleteRequirement(realm, group string) error {
	t.beyond = true
	return t.must(twinlatch.ErrNotFound, `DELETE FROM requirements WHERE realm = $1 AND member = $2`, realm, group)
}

// Backlog implements twinlatch.Store.
func (s *Store) Backlog(ctx context.Context, now time.Time) (b twinlatch.Backlog, err error) {
	err = s.look(ctx, func(v *view) error {
		return v.row([]any{&b.Waiting, (*moment)(&b.Oldest), &b.Failed}, `
			SELECT COALESCE(SUM(CASE WHEN delivery = 'queued' THEN 1 ELSE 0 END), 0),
				MIN(CASE WHEN delivery = 'queued' THEN created_at END),
				COALESCE(SUM(CASE WHEN delivery = 'failed' THEN 1 ELSE 0 END), 0)
			FROM outbox WHERE expires_at > $1 AND (delivery = 'failed' OR delivery = 'queued' AND tries > 1)`, millis(now))
	})
	return b, err
}

// Erase implements twinlatch.Tx.
func (t *tx) Erase() error {
	for _, query := range [...]string{
		`DELETE FROM passwords WHERE account_id = $1`,
		`DELETE FROM factors WHERE account_id = $1`,
		`DELETE FROM session_hosts WHERE account_id = $1`,
		`DELETE FROM sessions WHERE account_id = $1`,
		`DELETE FROM challenges WHERE account_id = $1`,
		`DELETE FROM backup_codes WHERE account_id = $1`,
		`DELETE FROM networks WHERE account_id = $1`,
		`DELETE FROM tries WHERE account_id = $1`,
		`DELETE FROM tickets WHERE account_id = $1`,
		`DELETE FROM outbox WHERE account_id = $1`,
		`UPDATE events SET detail = NULL WHERE account_id = $1`,
		`UPDATE accounts SET preferred = '' WHERE id = $1`,
	} {
		if err := t.do(query, t.id); err != nil {
			return err
		}
	}
	return nil
}
