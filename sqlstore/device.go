package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Device is something whose secrets an operator imported, so that it can be
// judged here: a YubiKey. It belongs to no account; people make factors of it.
type Device struct {
	Kind      twinlatch.Kind
	Name      string           // unique in its kind: how the device names itself
	Sealed    twinlatch.Sealed // at the Place of DevicePlace
	Counter   int64            // highest use counter seen, of all factors together
	CreatedAt time.Time        // kept to the millisecond
}

// DevicePlace is where the secrets of a device lie.
func DevicePlace(kind twinlatch.Kind, name string) twinlatch.Place {
	return twinlatch.Place{Table: "devices", Row: string(kind) + "/" + name}
}

// InsertDevices adds all of them or, on an error, none. twinlatch.ErrExists: one
// of them is there already. It replaces nothing, because that would be another
// device under the same name, whose counter starts again.
func (s *Store) InsertDevices(ctx context.Context, all []Device) error {
	return s.unowned(ctx, func(t *tx) error {
		for _, d := range all {
			if err := t.must(twinlatch.ErrExists, `
				INSERT INTO devices (kind, name, sealed, key_id, counter, created_at)
				VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT DO NOTHING`,
				string(d.Kind), d.Name, blob(d.Sealed.Text), d.Sealed.Key, d.Counter, millis(d.CreatedAt)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Device gives one device. twinlatch.ErrNotFound: there is none of that name.
func (s *Store) Device(ctx context.Context, kind twinlatch.Kind, name string) (Device, error) {
	d := Device{Kind: kind, Name: name}
	err := found(s.read.QueryRowContext(ctx, `
		SELECT sealed, key_id, counter, created_at FROM devices WHERE kind = $1 AND name = $2`,
		string(kind), name).Scan(&d.Sealed.Text, &d.Sealed.Key, &d.Counter, (*moment)(&d.CreatedAt)))
	if err != nil {
		return Device{}, err
	}
	return d, nil
}

// Devices lists all of a kind by name, without what is sealed.
func (s *Store) Devices(ctx context.Context, kind twinlatch.Kind) ([]Device, error) {
	var all []Device
	rows, err := s.read.QueryContext(ctx, `
		SELECT name, counter, created_at FROM devices WHERE kind = $1 ORDER BY name`, string(kind))
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		d := Device{Kind: kind}
		if err := rows.Scan(&d.Name, &d.Counter, (*moment)(&d.CreatedAt)); err != nil {
			return nil, wrap(err)
		}
		all = append(all, d)
	}
	return all, wrap(rows.Err())
}

// DeleteDevice forgets a device and its counter. Factors that people made of it
// stay and no longer prove anything. twinlatch.ErrNotFound: there is none.
func (s *Store) DeleteDevice(ctx context.Context, kind twinlatch.Kind, name string) error {
	return s.unowned(ctx, func(t *tx) error {
		return t.must(twinlatch.ErrNotFound, `DELETE FROM devices WHERE kind = $1 AND name = $2`, string(kind), name)
	})
}

// AdvanceDevice moves the counter of a device up, in one statement: of any number
// of callers with one counter, one succeeds. twinlatch.ErrReplayed: it is not
// higher than the one before, or the device is gone.
func (s *Store) AdvanceDevice(ctx context.Context, kind twinlatch.Kind, name string, counter int64) error {
	return s.unowned(ctx, func(t *tx) error {
		return t.must(twinlatch.ErrReplayed, `
			UPDATE devices SET counter = $3 WHERE kind = $1 AND name = $2 AND counter < $3`, string(kind), name, counter)
	})
}

// unowned runs fn in a transaction of no account.
func (s *Store) unowned(ctx context.Context, fn func(*tx) error) error {
	return retry(ctx, func() error {
		return within(ctx, s.write, nil, func(t *sql.Tx) error { return fn(&tx{view: view{ctx, t, ""}}) })
	})
}
