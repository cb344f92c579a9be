//go:build !unix

package sqlstore

import "sync/atomic"

// shareCounters does without: each check reads the database.
func shareCounters(string, string) ([]atomic.Uint64, func(), error) { return nil, nil, nil }
