package sqlstore

import (
	"net/netip"
	"time"
)

// An invalid network is none: it is not put and never was verified.

// Verified implements twinlatch.View.
func (v *view) Verified(network netip.Prefix, since time.Time) (bool, error) {
	if !network.IsValid() {
		return false, nil
	}
	var yes bool
	err := v.row([]any{&yes}, `
		SELECT EXISTS (SELECT 1 FROM networks WHERE account_id = $1 AND prefix = $2 AND verified_at >= $3)`,
		v.id, network.Masked().String(), millis(since))
	return yes, err
}

// ForgetNetworks implements twinlatch.Tx.
func (t *tx) ForgetNetworks() error {
	return t.do(`DELETE FROM networks WHERE account_id = $1`, t.id)
}

// PutNetwork implements twinlatch.Tx.
func (t *tx) PutNetwork(network netip.Prefix, now time.Time) error {
	if !network.IsValid() {
		return nil
	}
	return t.do(`
		INSERT INTO networks (account_id, prefix, verified_at) VALUES ($1, $2, $3)
		ON CONFLICT (account_id, prefix) DO UPDATE SET verified_at = excluded.verified_at`,
		t.id, network.Masked().String(), millis(now))
}
