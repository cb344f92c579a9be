package twinlatch

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// Hashing says how passwords are hashed: argon2id (RFC 9106), and how many at
// a time, because each takes Memory. Backup codes, which are random, cost no
// more than 19 MiB, two passes and one lane. Zero fields mean DefaultHashing.
type Hashing struct {
	Memory   uint32        // KiB
	Passes   uint32        // over the memory
	Lanes    uint8         // computed in parallel
	Parallel int           // hashes of this Service at the same time
	Queue    int           // callers that may wait for their turn
	Wait     time.Duration // and how long, before ErrBusy

	// IDKey computes argon2id, memory in KiB, for up to Parallel callers at once; nil means
	// argon2.IDKey of golang.org/x/crypto. Another one can do it in another process
	// (argon2child), so that other work of this one does not wait. It has to give the same.
	IDKey func(password, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte
}

// DefaultHashing is the second recommended option of RFC 9106 §4, at most
// 512 MiB in use at a time; the garbage collector may hold twice as much.
func DefaultHashing() Hashing {
	parallel := max(1, min(runtime.GOMAXPROCS(0), 8))
	return Hashing{Memory: 64 << 10, Passes: 3, Lanes: 4, Parallel: parallel, Queue: 8 * parallel, Wait: 2 * time.Second}
}

func (h Hashing) withDefaults() Hashing {
	d := DefaultHashing()
	if h.Memory == 0 {
		h.Memory = d.Memory
	}
	if h.Passes == 0 {
		h.Passes = d.Passes
	}
	if h.Lanes == 0 {
		h.Lanes = d.Lanes
	}
	if h.Parallel == 0 {
		h.Parallel = d.Parallel
	}
	if h.Queue == 0 {
		h.Queue = 8 * h.Parallel
	}
	if h.Wait == 0 {
		h.Wait = d.Wait
	}
	return h
}

func (h Hashing) validate() error {
	if h.Parallel < 0 || h.Queue < 0 || h.Wait < 0 {
		return errors.New("hashing: Parallel, Queue and Wait must not be negative")
	}
	if h.Memory > maxMemory || h.Passes > maxPasses || h.Lanes > maxLanes || h.Memory < 8*uint32(h.Lanes) {
		return fmt.Errorf("hashing: Memory must be 8 × Lanes to %d KiB, Passes at most %d, Lanes at most %d", maxMemory, maxPasses, maxLanes)
	}
	return nil
}

// More than this is not believed of a stored hash: somebody who can write the
// database must not be able to stop the server with one row.
const (
	maxMemory = 1 << 20
	maxPasses = 10
	maxLanes  = 16
)

const (
	saltBytes = 16
	hashBytes = 32
)

// hasher runs argon2id with bounded concurrency.
type hasher struct {
	cost  Hashing
	turns *turns
}

func newHasher(cost Hashing) *hasher {
	if cost.IDKey == nil {
		cost.IDKey = argon2.IDKey
	}
	return &hasher{cost: cost, turns: newTurns(cost.Parallel, cost.Queue)}
}

// do runs fn when it is its turn among those who come from elsewhere. ErrBusy:
// too many are waiting, or for too long.
func (h *hasher) do(ctx context.Context, ip netip.Addr, fn func()) error {
	if err := h.turns.take(ctx, widest(ip), h.cost.Wait); err != nil {
		return err
	}
	defer h.turns.done()
	fn()
	return nil
}

// hash makes a PHC string ("$argon2id$v=19$m=…,t=…,p=…$salt$hash") of a password.
func (h *hasher) hash(ctx context.Context, ip netip.Addr, rand io.Reader, password string) (string, error) {
	p, err := h.salted(rand)
	if err != nil {
		return "", err
	}
	err = h.do(ctx, ip, func() { p.sum = h.sum(p, password) })
	return p.String(), err
}

// decoy is a hash of no password.
func (h *hasher) decoy(rand io.Reader) (string, error) {
	p, err := h.salted(rand)
	if err != nil {
		return "", err
	}
	p.sum = make([]byte, hashBytes)
	_, err = io.ReadFull(rand, p.sum)
	return p.String(), err
}

// salted is how a password is hashed today.
func (h *hasher) salted(rand io.Reader) (phc, error) {
	p := phc{memory: h.cost.Memory, passes: h.cost.Passes, lanes: h.cost.Lanes, salt: make([]byte, saltBytes)}
	_, err := io.ReadFull(rand, p.salt)
	return p, err
}

// matches compares a password with a PHC string. weak means that the string was
// made with other costs than today's and should be made anew.
func (h *hasher) matches(ctx context.Context, ip netip.Addr, stored, password string) (ok, weak bool, err error) {
	p, err := parsePHC(stored)
	if err != nil {
		return false, false, err
	}
	err = h.do(ctx, ip, func() { ok = subtle.ConstantTimeCompare(h.sum(p, password), p.sum) == 1 })
	weak = p.memory != h.cost.Memory || p.passes != h.cost.Passes || p.lanes != h.cost.Lanes
	return ok, weak, err
}

// sum is the work. Its caller has the turn.
func (h *hasher) sum(p phc, password string) []byte {
	return h.cost.IDKey([]byte(password), p.salt, p.passes, p.memory, p.lanes, hashBytes)
}

type phc struct {
	memory, passes uint32
	lanes          uint8
	salt, sum      []byte
}

// String leaves out a sum that is not there: what remains is how to make one.
func (p phc) String() string {
	b64 := base64.RawStdEncoding
	text := fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s", argon2.Version, p.memory, p.passes, p.lanes, b64.EncodeToString(p.salt))
	if p.sum != nil {
		text += "$" + b64.EncodeToString(p.sum)
	}
	return text
}

var errBadHash = errors.New("a stored hash is not readable")

// parsePHC reads a hash as String makes it.
func parsePHC(s string) (phc, error) {
	end := strings.LastIndexByte(s, '$')
	p, err := parseCosts(s[:max(end, 0)])
	if err != nil {
		return phc{}, err
	}
	p.sum, err = base64.RawStdEncoding.Strict().DecodeString(s[end+1:])
	if err != nil || len(p.sum) != hashBytes || p.String() != s {
		return phc{}, errBadHash
	}
	return p, nil
}

// parseCosts reads what String makes without a sum.
func parseCosts(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 5 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, errBadHash
	}
	var p phc
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); n != 3 || err != nil {
		return phc{}, errBadHash
	}
	if p.memory > maxMemory || p.passes > maxPasses || p.lanes > maxLanes || p.passes == 0 || p.lanes == 0 || p.memory < 8*uint32(p.lanes) {
		return phc{}, errBadHash
	}
	var err error
	if p.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil || len(p.salt) < 8 || p.String() != s {
		return phc{}, errBadHash
	}
	return p, nil
}
