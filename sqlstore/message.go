package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Enqueue implements twinlatch.Tx.
func (t *tx) Enqueue(m twinlatch.StoredMessage) error {
	if err := t.own(m.Account); err != nil {
		return err
	}
	return t.do(`
		INSERT INTO outbox (account_id, id, challenge_id, channel, route, message, key_id, tries, delivery, sender, ref,
			answered, next_at, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13, $14)`,
		t.id, string(m.ID), string(m.Challenge), string(m.Channel), m.Route, blob(m.Sealed.Text), m.Sealed.Key, m.Tries,
		string(m.Delivery), m.Sender, m.Ref, maybe(m.NextAt), millis(m.CreatedAt), millis(m.ExpiresAt))
}

// Sent implements twinlatch.Tx.
func (t *tx) Sent(m twinlatch.StoredMessage) error {
	return t.must(twinlatch.ErrNotFound, `
		UPDATE outbox SET delivery = CASE WHEN delivery = 'queued' THEN $4 ELSE delivery END,
			sender = $5, ref = $6, next_at = CASE WHEN delivery = 'queued' AND answered = 0 THEN CAST($7 AS BIGINT) ELSE NULL END
		WHERE account_id = $1 AND id = $2 AND tries = $3`,
		t.id, string(m.ID), m.Tries, string(m.Delivery), m.Sender, m.Ref, maybe(m.NextAt))
}

// Answered implements twinlatch.Tx.
func (t *tx) Answered(c twinlatch.ChallengeID) error {
	return t.do(`
		UPDATE outbox SET answered = 1, next_at = NULL WHERE account_id = $1 AND challenge_id = $2`, t.id, string(c))
}

// Delivery implements twinlatch.View.
func (v *view) Delivery(c twinlatch.ChallengeID) (twinlatch.Delivery, error) {
	var d twinlatch.Delivery
	err := v.row([]any{(*string)(&d)}, `
		SELECT delivery FROM outbox WHERE account_id = $1 AND challenge_id = $2
		ORDER BY created_at DESC, id LIMIT 1`, v.id, string(c))
	return d, err
}

// Lease implements twinlatch.Store. Which rows are due is asked again by the
// update itself, so that of two callers who found the same one gets it.
func (s *Store) Lease(ctx context.Context, now, until time.Time, n int) ([]twinlatch.StoredMessage, error) {
	var due []twinlatch.StoredMessage
	err := retry(ctx, func() error {
		due = nil
		idle, err := s.nothing(ctx, `SELECT 1 FROM outbox WHERE next_at <= $1 LIMIT 1`, now)
		if err != nil || idle {
			return err
		}
		rows, err := s.write.QueryContext(ctx, `
			UPDATE outbox SET tries = tries + 1, next_at = $2
			WHERE (account_id, id) IN (
				SELECT o.account_id, o.id FROM outbox AS o WHERE o.next_at <= $1 AND o.expires_at > $1
				AND (o.challenge_id = '' OR EXISTS (SELECT 1 FROM challenges AS c WHERE c.account_id = o.account_id
					AND c.id = o.challenge_id AND c.consumed_at IS NULL AND c.tries_left > 0
					AND (c.session_id = '' OR EXISTS (SELECT 1 FROM sessions AS s
						WHERE s.account_id = c.account_id AND s.id = c.session_id))))
				ORDER BY o.next_at LIMIT $3)
			AND next_at <= $1
			RETURNING account_id, id, challenge_id, channel, route, message, key_id, tries, delivery, sender, ref,
				next_at, created_at, expires_at`, millis(now), millis(until), n)
		if err != nil {
			return wrap(err)
		}
		defer rows.Close()
		for rows.Next() {
			var m twinlatch.StoredMessage
			if err := rows.Scan((*string)(&m.Account), (*string)(&m.ID), (*string)(&m.Challenge), (*string)(&m.Channel), &m.Route,
				&m.Sealed.Text, &m.Sealed.Key, &m.Tries, (*string)(&m.Delivery), &m.Sender, &m.Ref,
				(*moment)(&m.NextAt), (*moment)(&m.CreatedAt), (*moment)(&m.ExpiresAt)); err != nil {
				return wrap(err)
			}
			due = append(due, m)
		}
		return wrap(rows.Err())
	})
	return due, err
}

// nothing asks by reading, so that an idle server does not write.
func (s *Store) nothing(ctx context.Context, query string, now time.Time) (bool, error) {
	var one int
	err := found(s.read.QueryRowContext(ctx, query, millis(now)).Scan(&one))
	if errors.Is(err, twinlatch.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// Receive implements twinlatch.Store.
func (s *Store) Receive(ctx context.Context, r twinlatch.Receipt) error {
	return retry(ctx, func() error {
		var result sql.Result
		var err error
		if r.Message != "" {
			result, err = s.write.ExecContext(ctx, `
				UPDATE outbox SET delivery = CASE WHEN delivery = 'delivered' THEN delivery ELSE $1 END, next_at = NULL
				WHERE id = $2 AND (sender = $3 OR sender = '' AND $1 = 'delivered')`,
				string(r.Delivery), string(r.Message), r.Sender)
		} else {
			result, err = s.write.ExecContext(ctx, `
				UPDATE outbox SET delivery = CASE WHEN delivery = 'delivered' THEN delivery ELSE $1 END, next_at = NULL
				WHERE sender = $2 AND ref = $3`, string(r.Delivery), r.Sender, r.Ref)
		}
		if err != nil {
			return wrap(err)
		}
		n, err := result.RowsAffected()
		if err == nil && n == 0 {
			return twinlatch.ErrNotFound
		}
		return wrap(err)
	})
}

// Settle implements twinlatch.Store.
func (s *Store) Settle(ctx context.Context, now time.Time) (paused []string, err error) {
	idle, err := s.nothing(ctx, `SELECT 1 FROM outbox WHERE expires_at <= $1 LIMIT 1`, now)
	if err != nil || idle {
		return nil, err
	}
	err = retry(ctx, func() error {
		paused = nil
		return within(ctx, s.write, nil, func(t *sql.Tx) (err error) {
			paused, err = settle(ctx, t, now)
			return err
		})
	})
	return paused, err
}

type tally struct{ messages, answered int64 }

func settle(ctx context.Context, t *sql.Tx, now time.Time) (paused []string, err error) {
	counts, err := expire(ctx, t, now)
	if err != nil {
		return nil, err
	}
	routes := make([]string, 0, len(counts))
	for route := range counts {
		routes = append(routes, route)
	}
	slices.Sort(routes) // in one order everywhere, or two would deadlock
	for _, route := range routes {
		n := counts[route]
		var all tally
		err := t.QueryRowContext(ctx, `
			INSERT INTO routes AS r (route, messages, answered) VALUES ($1, $2, $3)
			ON CONFLICT (route) DO UPDATE SET messages = r.messages + excluded.messages, answered = r.answered + excluded.answered
			RETURNING messages, answered`, route, n.messages, n.answered).Scan(&all.messages, &all.answered)
		if err != nil {
			return nil, wrap(err)
		}
		if all.messages < twinlatch.AnswersJudged {
			continue
		}
		var until any
		if !twinlatch.AnswersEnough(all.answered, all.messages) {
			until = millis(now.Add(twinlatch.PausedFor))
			paused = append(paused, route)
		}
		if _, err := t.ExecContext(ctx, `
			UPDATE routes SET messages = 0, answered = 0, paused_until = $2 WHERE route = $1`, route, until); err != nil {
			return nil, wrap(err)
		}
	}
	return paused, nil
}

// expire deletes what has expired and counts what of it was sent, by route.
func expire(ctx context.Context, t *sql.Tx, now time.Time) (map[string]tally, error) {
	rows, err := t.QueryContext(ctx, `
		DELETE FROM outbox WHERE expires_at <= $1
		RETURNING route, CASE WHEN delivery IN ('sent', 'delivered') THEN 1 ELSE 0 END, answered`, millis(now))
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close()
	counts := map[string]tally{}
	for rows.Next() {
		var route string
		var sent, answered int64
		if err := rows.Scan(&route, &sent, &answered); err != nil {
			return nil, wrap(err)
		}
		if route == "" || sent == 0 {
			continue
		}
		n := counts[route]
		counts[route] = tally{n.messages + 1, n.answered + answered}
	}
	return counts, wrap(rows.Err())
}

// Paused implements twinlatch.Store.
func (s *Store) Paused(ctx context.Context, route string, now time.Time) error {
	var until moment
	err := found(s.read.QueryRowContext(ctx, `
		SELECT paused_until FROM routes WHERE route = $1 AND paused_until > $2`, route, millis(now)).Scan(&until))
	switch {
	case err == nil:
		return &twinlatch.LimitError{RetryAt: time.Time(until)}
	case errors.Is(err, twinlatch.ErrNotFound):
		return nil
	}
	return err
}
