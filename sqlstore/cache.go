package sqlstore

import (
	"hash/maphash"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twinlatch/twinlatch"
)

// cache keeps what checks read from a SQLite file, and no answer outlives a change:
//
// Each account has one of many counters in memory that all processes on the file share
// (see shareCounters). Who changes an account adds one to its counter after the commit
// and before the call returns. A row is read after its counter was, and counts only as
// long as the counter stands still. So a check that begins after a change has returned
// finds another number, in this process and in any other, and reads again; it does not
// matter how long one of them was paused, because nothing is sent and nobody waits.
//
// A process that is killed between its commit and its counter has not returned. That
// and changes by other programs are seen within a second, when rows are read anyway.
//
// On PostgreSQL, whose other clients share no memory with us, there is no cache.
type cache struct {
	counters []atomic.Uint64
	seed     maphash.Seed
	shards   [64]shard
}

// shard is a part of the rows, so that checks rarely wait for each other. When young is
// full it becomes old, and what was old and not asked for since is forgotten.
type shard struct {
	mu         sync.RWMutex
	young, old map[rowKey]*cachedRow
}

const (
	perShard = 512         // rows of each age: at most 65,536 in all, of about a kilobyte
	freshFor = time.Second // how long a row counts without looking
)

type rowKey struct {
	account twinlatch.AccountID
	session twinlatch.SessionID
	host    string
}

type cachedRow struct {
	row     *twinlatch.SessionRow
	version uint64
	at      time.Time
}

// newCache is nil where memory cannot be shared.
func newCache(path string) (*cache, error) {
	path, err := filepath.EvalSymlinks(path) // the same file, whatever it is called
	if err != nil {
		return nil, err
	}
	counters, unshare, err := shareCounters(path+"-changes", path)
	if counters == nil {
		return nil, err
	}
	c := &cache{counters: counters, seed: maphash.MakeSeed()}
	// Not at Close: a check that is late would touch memory that is gone.
	runtime.AddCleanup(c, func(unshare func()) { unshare() }, unshare)
	return c, nil
}

// counter is that of an account. All processes must find the same one.
func (c *cache) counter(id twinlatch.AccountID) *atomic.Uint64 {
	hash := uint32(2166136261) // FNV-1a
	for i := range len(id) {
		hash = (hash ^ uint32(id[i])) * 16777619
	}
	return &c.counters[hash%uint32(len(c.counters))]
}

// changed is called after each transaction on an account, also one that failed: a
// commit may fail after all was written.
func (c *cache) changed(id twinlatch.AccountID) {
	if c != nil {
		c.counter(id).Add(1)
		runtime.KeepAlive(c)
	}
}

// changedAll is changed for all accounts.
func (c *cache) changedAll() {
	if c == nil {
		return
	}
	for i := range c.counters {
		c.counters[i].Add(1)
	}
	runtime.KeepAlive(c)
}

// row is what read returns, or what it returned a moment ago when nothing has changed
// since. It is shared and must not be changed.
func (c *cache) row(key rowKey, read func() (*twinlatch.SessionRow, error)) (*twinlatch.SessionRow, error) {
	if c == nil {
		return read()
	}
	version := c.counter(key.account).Load() // before the row is read, always
	s := &c.shards[maphash.String(c.seed, string(key.session))%uint64(len(c.shards))]
	now := time.Now()
	if found := s.find(key); found != nil && found.version == version && now.Sub(found.at) < freshFor {
		return found.row, nil
	}
	row, err := read()
	if err != nil {
		return nil, err
	}
	s.put(key, &cachedRow{row, version, now})
	runtime.KeepAlive(c)
	return row, nil
}

func (s *shard) find(key rowKey) *cachedRow {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if found := s.young[key]; found != nil {
		return found
	}
	return s.old[key]
}

func (s *shard) put(key rowKey, r *cachedRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.young == nil || len(s.young) >= perShard {
		s.young, s.old = make(map[rowKey]*cachedRow), s.young
	}
	s.young[key] = r
}
