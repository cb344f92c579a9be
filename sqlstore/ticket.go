package sqlstore

import (
	"context"
	"database/sql"
	"math"
	"time"

	"github.com/twinlatch/twinlatch"
)

// InsertTicket implements twinlatch.Tx.
func (t *tx) InsertTicket(k twinlatch.StoredTicket) error {
	return t.do(`
		INSERT INTO tickets (account_id, id, purpose, secret_hash, created_at, expires_at, address, claim, session_id, host)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		t.id, string(k.ID), string(k.Purpose), blob(k.SecretHash), millis(k.CreatedAt), millis(k.ExpiresAt), k.Address, k.Claim,
		string(k.Session), k.Host)
}

// Ticket implements twinlatch.View.
func (v *view) Ticket(id twinlatch.TicketID) (twinlatch.StoredTicket, error) {
	k := twinlatch.StoredTicket{ID: id}
	err := v.row([]any{(*string)(&k.Purpose), &k.SecretHash, (*moment)(&k.CreatedAt), (*moment)(&k.ExpiresAt), &k.Address, &k.Claim, (*string)(&k.Session), &k.Host}, `
		SELECT purpose, secret_hash, created_at, expires_at, address, claim, session_id, host FROM tickets WHERE account_id = $1 AND id = $2`, v.id, string(id))
	return k, err
}

// Redeem implements twinlatch.Tx.
func (t *tx) Redeem(k twinlatch.StoredTicket, now time.Time) error {
	return t.must(twinlatch.ErrExpired, `
		DELETE FROM tickets WHERE account_id = $1 AND id = $2 AND purpose = $3 AND secret_hash = $4 AND expires_at > $5`,
		t.id, string(k.ID), string(k.Purpose), blob(k.SecretHash), millis(now))
}

// DeleteTickets implements twinlatch.Tx.
func (t *tx) DeleteTickets(p twinlatch.TicketPurpose, since time.Time) error {
	return t.do(`DELETE FROM tickets WHERE account_id = $1 AND purpose = $2 AND created_at >= $3`, t.id, string(p), from(since))
}

// from is millis for the begin of a span; the zero time is before all others.
func from(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return millis(t)
}

// PutRequest implements twinlatch.Store.
func (s *Store) PutRequest(ctx context.Context, r twinlatch.StoredRequest) error {
	return retry(ctx, func() error {
		_, err := s.write.ExecContext(ctx, `
			INSERT INTO requests (id, request, key_id, tries, next_at, expires_at) VALUES ($1, $2, $3, 0, $4, $5)`,
			string(r.ID), blob(r.Sealed.Text), r.Sealed.Key, millis(r.NextAt), millis(r.ExpiresAt))
		return wrap(err)
	})
}

// LeaseRequests implements twinlatch.Store.
func (s *Store) LeaseRequests(ctx context.Context, now, until time.Time, n int) ([]twinlatch.StoredRequest, error) {
	var due []twinlatch.StoredRequest
	err := retry(ctx, func() error {
		due = nil
		idle, err := s.nothing(ctx, `SELECT 1 FROM requests WHERE next_at <= $1 LIMIT 1`, now)
		if err != nil || idle {
			return err
		}
		if _, err := s.write.ExecContext(ctx, `DELETE FROM requests WHERE expires_at <= $1`, millis(now)); err != nil {
			return wrap(err)
		}
		rows, err := s.write.QueryContext(ctx, `
			UPDATE requests SET tries = tries + 1, next_at = $2
			WHERE id IN (SELECT id FROM requests WHERE next_at <= $1 ORDER BY next_at LIMIT $3) AND next_at <= $1
			RETURNING id, request, key_id, next_at, expires_at`, millis(now), millis(until), n)
		if err != nil {
			return wrap(err)
		}
		due, err = requests(rows)
		return err
	})
	return due, err
}

func requests(rows *sql.Rows) (due []twinlatch.StoredRequest, err error) {
	defer rows.Close()
	for rows.Next() {
		var r twinlatch.StoredRequest
		if err := rows.Scan((*string)(&r.ID), &r.Sealed.Text, &r.Sealed.Key, (*moment)(&r.NextAt), (*moment)(&r.ExpiresAt)); err != nil {
			return nil, wrap(err)
		}
		due = append(due, r)
	}
	return due, wrap(rows.Err())
}

// DeleteRequest implements twinlatch.Store.
func (s *Store) DeleteRequest(ctx context.Context, id twinlatch.RequestID) error {
	return retry(ctx, func() error {
		_, err := s.write.ExecContext(ctx, `DELETE FROM requests WHERE id = $1`, string(id))
		return wrap(err)
	})
}
