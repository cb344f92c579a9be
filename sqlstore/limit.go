package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/twinlatch/twinlatch"
)

const (
	firstDelay  = 30 * time.Second
	mostDelay   = time.Hour
	maxDoubling = 7 // firstDelay << maxDoubling is more than mostDelay
	day         = 24 * time.Hour
)

// Take implements twinlatch.Store.
func (s *Store) Take(ctx context.Context, l twinlatch.Limit, now time.Time) (end time.Time, err error) {
	cost := max(1, l.Cost)
	if l.Most < cost {
		return time.Time{}, &twinlatch.LimitError{}
	}
	err = retry(ctx, func() error {
		for {
			err := found(s.write.QueryRowContext(ctx, `
				INSERT INTO limits AS l (scope, name, taken, resets_at) VALUES ($1, $2, $6, $3)
				ON CONFLICT (scope, name) DO UPDATE SET
					taken = CASE WHEN l.resets_at <= $4 THEN excluded.taken ELSE l.taken + excluded.taken END,
					resets_at = CASE WHEN l.resets_at <= $4 THEN excluded.resets_at ELSE l.resets_at END
				WHERE l.resets_at <= $4 OR l.taken + excluded.taken <= $5
				RETURNING resets_at`,
				l.Scope, l.Name, millis(now.Add(l.Window)), millis(now), int64(l.Most), int64(cost)).Scan((*moment)(&end)))
			if !errors.Is(err, twinlatch.ErrNotFound) {
				return err
			}
			var refused twinlatch.LimitError
			err = found(s.write.QueryRowContext(ctx,
				`SELECT resets_at FROM limits WHERE scope = $1 AND name = $2`,
				l.Scope, l.Name).Scan((*moment)(&refused.RetryAt)))
			if errors.Is(err, twinlatch.ErrNotFound) {
				continue // swept between the two
			}
			if err != nil {
				return err
			}
			return &refused
		}
	})
	return end, err
}

// Return implements twinlatch.Store.
func (s *Store) Return(ctx context.Context, l twinlatch.Limit, end time.Time) error {
	return retry(ctx, func() error {
		_, err := s.write.ExecContext(ctx,
			`UPDATE limits SET taken = taken - $4 WHERE scope = $1 AND name = $2 AND resets_at = $3 AND taken >= $4`,
			l.Scope, l.Name, millis(end), int64(max(1, l.Cost)))
		return wrap(err)
	})
}

// Try implements twinlatch.Tx. A try without delay leaves next_at empty, so
// that replicas whose clocks differ a little do not refuse each other's.
func (t *tx) Try(name string, th twinlatch.Throttle, now time.Time) (run int, err error) {
	var next any
	if th.Free == 1 {
		next = millis(now.Add(firstDelay))
	}
	yesterday := now.Add(-day)
	err = t.row([]any{&run}, `
		INSERT INTO tries AS t (account_id, name, run, next_at, day, day_at)
		VALUES ($1, $2, 1, $3, 1, $4)
		ON CONFLICT (account_id, name) DO UPDATE SET
			run = t.run + 1,
			next_at = CASE
				WHEN $6 = 0 OR t.run + 1 < $6 THEN NULL
				WHEN t.run + 1 - $6 >= $9 THEN $4 + CAST($11 AS BIGINT)
				ELSE $4 + (CAST($10 AS BIGINT) << CAST(t.run + 1 - $6 AS INTEGER)) END,
			day = CASE WHEN t.day_at <= $5 THEN 1 ELSE t.day + 1 END,
			day_at = CASE WHEN t.day_at <= $5 THEN excluded.day_at ELSE t.day_at END
		WHERE (t.next_at IS NULL OR t.next_at <= $4)
			AND ($7 = 0 OR t.run < $7)
			AND ($8 = 0 OR t.day < $8 OR t.day_at <= $5)
		RETURNING run`,
		t.id, name, next, millis(now), millis(yesterday),
		int64(th.Free), int64(th.Most), int64(th.Daily),
		int64(maxDoubling), firstDelay.Milliseconds(), mostDelay.Milliseconds())
	if !errors.Is(err, twinlatch.ErrNotFound) {
		return run, err
	}
	return 0, t.refusedUntil(name, th, now)
}

// refusedUntil is the *LimitError of a try that was refused. On PostgreSQL the
// refusal has locked the row, so it is still the same.
func (t *tx) refusedUntil(name string, th twinlatch.Throttle, now time.Time) error {
	var run, daily int
	var next, first moment
	if err := t.row([]any{&run, &next, &daily, &first}, `
		SELECT run, next_at, day, day_at FROM tries WHERE account_id = $1 AND name = $2`, t.id, name); err != nil {
		return err
	}
	if th.Most > 0 && run >= th.Most {
		return &twinlatch.LimitError{}
	}
	at := time.Time(next)
	if end := time.Time(first).Add(day); th.Daily > 0 && daily >= th.Daily && end.After(now) && end.After(at) {
		at = end
	}
	return &twinlatch.LimitError{RetryAt: at}
}

// Forgive implements twinlatch.Tx.
func (t *tx) Forgive(names ...string) error {
	for _, name := range names {
		if err := t.do(`DELETE FROM tries WHERE account_id = $1 AND name = $2`, t.id, name); err != nil {
			return err
		}
	}
	return nil
}
