package twinlatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Rotation is what a Store knows about the keys that its texts lie under.
type Rotation interface {
	// Sealing notes that somebody seals with a key from now on. ErrWrongKeys: it
	// was retired, or CheckKeys does not know it.
	Sealing(ctx context.Context, key string, now time.Time) error

	// KeyUses tells about each key that CheckKeys knows and each that a text lies
	// under, by its id.
	KeyUses(ctx context.Context) (map[string]KeyUse, error)

	// Under lists at most n texts that lie under a key, in an order that does not
	// change, from behind a place on; the zero Place: from the first on.
	Under(ctx context.Context, key string, behind Place, n int) ([]SealedText, error)

	// Reseal replaces each Old that still lies at its Place by its New, all in
	// one transaction, and returns how many it replaced.
	Reseal(ctx context.Context, texts []Resealed) (int, error)

	// Retire has CheckKeys do without a key from now on. ErrExists: a text lies
	// under it, or somebody who seals with it was seen after unseen. ErrNotFound:
	// CheckKeys does not know it.
	Retire(ctx context.Context, key string, unseen, now time.Time) error
}

// SealedText is a text and where it lies.
type SealedText struct {
	Place
	Sealed
}

// Resealed is one text under two keys.
type Resealed struct {
	Place
	Old, New Sealed
}

// KeyUse is what a Store knows about one key.
type KeyUse struct {
	Texts     map[string]int // how many lie under it, by Place.Table
	SeenAt    time.Time      // when a process that seals with it was last seen; zero: never
	RetiredAt time.Time      // zero: it was not
}

const (
	// A process that seals says so when it starts and with every Checkpoint. Not
	// seen for this long, it has ended.
	keyIdle     = 15 * time.Minute
	resealBatch = 100 // texts in one transaction, so that nobody waits long for it
)

// noteKey tells the Store which key this process seals with.
func (s *Service) noteKey(ctx context.Context) error {
	return s.cfg.Store.Sealing(ctx, s.newestKey(), s.now())
}

func (s *Service) newestKey() string {
	ids := s.cfg.Keys.IDs()
	return ids[len(ids)-1]
}

// KeyUses tells how much lies under each key, by its id.
func (s *Service) KeyUses(ctx context.Context) (map[string]KeyUse, error) {
	return s.cfg.Store.KeyUses(ctx)
}

// RetireKey seals all that lies under an old key again, with the newest one, and
// then has the Store do without it. It may run beside any number of servers and
// of itself, and may be interrupted at any moment and run again: each text lies
// under one of the two keys, so whoever has both can open all.
//
// A *KeyInUseError says that a process was there in the last quarter of an hour
// that seals with another key than the newest: it would seal with the old one
// again, or could not open what lies under the newest. ErrNotFound: it is no key
// that opens. When texts do not open, RetireKey seals all others, tells of the
// first of them, and does not retire the key.
func (s *Service) RetireKey(ctx context.Context, key string) (resealed int, err error) {
	newest := s.newestKey()
	switch {
	case !slices.Contains(s.cfg.Keys.IDs(), key):
		return 0, fmt.Errorf("key %q: %w", key, ErrNotFound)
	case key == newest:
		return 0, fmt.Errorf("key %s is the one that seals; add another one first", key)
	}
	uses, err := s.cfg.Store.KeyUses(ctx)
	if err != nil {
		return 0, err
	}
	var latest KeyInUseError
	for id, use := range uses {
		if id != newest && use.SeenAt.After(latest.SeenAt) {
			latest = KeyInUseError{id, use.SeenAt}
		}
	}
	if s.now().Sub(latest.SeenAt) < keyIdle {
		return 0, &latest
	}
	var lost []error // of texts that do not open
	for behind := (Place{}); ; {
		texts, err := s.cfg.Store.Under(ctx, key, behind, resealBatch)
		if err != nil {
			return resealed, err
		}
		if len(texts) == 0 {
			break
		}
		behind = texts[len(texts)-1].Place
		again := make([]Resealed, 0, len(texts))
		for _, t := range texts {
			r, err := s.reseal(t)
			if err != nil {
				lost = append(lost, err)
				continue
			}
			again = append(again, r)
		}
		n, err := s.cfg.Store.Reseal(ctx, again)
		resealed += n
		if err != nil {
			return resealed, err
		}
	}
	if len(lost) > 0 {
		return resealed, fmt.Errorf("%d texts do not open, so key %s stays; the first: %w", len(lost), key, lost[0])
	}
	now := s.now()
	err = s.cfg.Store.Retire(ctx, key, now.Add(-keyIdle), now)
	if errors.Is(err, ErrExists) {
		err = fmt.Errorf("somebody has sealed with key %s meanwhile: %w", key, err)
	}
	return resealed, err
}

func (s *Service) reseal(t SealedText) (Resealed, error) {
	plain, err := s.cfg.Keys.Open(t.Sealed, t.Place)
	if err != nil {
		return Resealed{}, err
	}
	sealed, err := s.cfg.Keys.Seal(plain, t.Place)
	return Resealed{t.Place, t.Sealed, sealed}, err
}
