package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/method/yubico"
	"github.com/twinlatch/twinlatch/sqlstore"
)

// newYubicoOTP is the method as the settings want it; nil: they do not.
func newYubicoOTP(cfg *config.Config, keys twinlatch.Keys, store *sqlstore.Store) (*yubico.Method, error) {
	switch cfg.Yubico.Validate {
	case "own":
		return yubico.New(yubico.NewOwn(yubikeys{store, keys})), nil
	case "server":
		servers, err := yubico.NewServers(yubico.ServersConfig{URLs: cfg.Yubico.Servers, ID: cfg.Yubico.ID, Key: cfg.Yubico.Secret})
		if err != nil {
			return nil, fmt.Errorf("settings of %w", err)
		}
		return yubico.New(servers), nil
	}
	return nil, nil
}

// yubikeys are the imported YubiKeys of a database, their secrets sealed.
type yubikeys struct {
	store *sqlstore.Store
	keys  twinlatch.Keys
}

const privateSize = 6 // bytes of the private identity, before the AES key

// Find implements yubico.Devices.
func (y yubikeys) Find(ctx context.Context, identity string) (yubico.Device, error) {
	d, err := y.store.Device(ctx, yubico.Kind, identity)
	if err != nil {
		return yubico.Device{}, err
	}
	plain, err := y.keys.Open(d.Sealed, sqlstore.DevicePlace(yubico.Kind, identity))
	if err != nil {
		return yubico.Device{}, err
	}
	if len(plain) < privateSize {
		return yubico.Device{}, fmt.Errorf("the secrets of YubiKey %s are cut short", identity)
	}
	return yubico.Device{
		Identity: identity,
		Private:  twinlatch.NewSecret(string(plain[:privateSize])),
		Key:      twinlatch.NewSecret(string(plain[privateSize:])),
	}, nil
}

// Advance implements yubico.Devices.
func (y yubikeys) Advance(ctx context.Context, identity string, counter int64) error {
	return y.store.AdvanceDevice(ctx, yubico.Kind, identity, counter)
}

// add imports all devices or none. Those that are there with the same secrets
// are known; with others it refuses.
func (y yubikeys) add(ctx context.Context, all []yubico.Device, now time.Time) (added, known []string, err error) {
	added, known = []string{}, []string{}
	var sealed []sqlstore.Device
	for _, d := range all {
		old, err := y.Find(ctx, d.Identity)
		switch {
		case errors.Is(err, twinlatch.ErrNotFound):
		case err != nil:
			return nil, nil, err
		case old.Private.Reveal() != d.Private.Reveal() || old.Key.Reveal() != d.Key.Reveal():
			return nil, nil, fmt.Errorf("YubiKey %s is there with other secrets, and nothing was imported; if it was written anew, first: twinlatch yubikey remove %s", d.Identity, d.Identity)
		default:
			known = append(known, d.Identity)
			continue
		}
		text, err := y.keys.Seal([]byte(d.Private.Reveal()+d.Key.Reveal()), sqlstore.DevicePlace(yubico.Kind, d.Identity))
		if err != nil {
			return nil, nil, err
		}
		sealed = append(sealed, sqlstore.Device{Kind: yubico.Kind, Name: d.Identity, Sealed: text, CreatedAt: now})
		added = append(added, d.Identity)
	}
	err = y.store.InsertDevices(ctx, sealed)
	if errors.Is(err, twinlatch.ErrExists) {
		err = errors.New("somebody else imports one of these YubiKeys at the same time, and nothing was imported; try again")
	}
	if err != nil {
		return nil, nil, err
	}
	return added, known, nil
}
