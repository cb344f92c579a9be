//go:build unix

package sqlstore

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const sharedBytes = 32 << 10 // 4096 counters

// shareCounters maps a file beside the database into memory. Each process on the
// database sees what the others count there at once. What the file holds means nothing
// when no process has it open. It belongs to who owns the database, also when root made
// it by a command before the server did.
func shareCounters(path, database string) ([]atomic.Uint64, func(), error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if owner, err := os.Stat(database); err != nil {
		return nil, nil, err
	} else if who, ok := owner.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		if err := f.Chown(int(who.Uid), int(who.Gid)); err != nil {
			return nil, nil, err
		}
	}
	if err := f.Truncate(sharedBytes); err != nil { // never shorter than before
		return nil, nil, err
	}
	memory, err := syscall.Mmap(int(f.Fd()), 0, sharedBytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	counters := unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(unsafe.SliceData(memory))), sharedBytes/8)
	return counters, func() { _ = syscall.Munmap(memory) }, nil
}
