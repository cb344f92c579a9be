package twinlatch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// Config holds everything the core needs from outside. Store, Keys and at least
// one Method are required; every other zero value is a safe default.
type Config struct {
	Store   Store            // where things are kept
	Keys    Keys             // seals secrets at rest
	Methods []Method         // in the order in which they are offered
	Policy  Policy           // zero value: DefaultPolicy
	Hashing Hashing          // how passwords are hashed; zero value: DefaultHashing
	Sending Sending          // who carries messages; zero value: nobody
	Notice  Notice           // the e-mail to the owner for an event; nil: none
	Clock   func() time.Time // nil: time.Now
	Rand    io.Reader        // safe for concurrent use; nil: crypto/rand.Reader
	Log     *slog.Logger     // nil: discarded
}

// Service is two-step verification: every door calls it, it calls no door.
// It is safe for concurrent use and keeps no state outside its Store that
// others would need, so any number of processes may share one.
type Service struct {
	cfg      Config
	methods  map[Kind]Method
	carriers []*carrier
	hasher   *hasher
	due      chan struct{} // see Due
	decoy    Sealed        // what the password for nobody's account is compared with

	seen struct { // only to notice that the Store went back
		sync.Mutex
		checkpoint Checkpoint // the last one
	}
}

// New checks cfg, and that cfg.Keys opens what cfg.Store holds (ErrWrongKeys).
func New(ctx context.Context, cfg Config) (*Service, error) {
	switch {
	case missing(cfg.Store):
		return nil, errors.New("twinlatch: Config.Store is missing")
	case missing(cfg.Keys):
		return nil, errors.New("twinlatch: Config.Keys is missing")
	case len(cfg.Methods) == 0:
		return nil, errors.New("twinlatch: Config.Methods is empty")
	}
	cfg.Policy = cfg.Policy.withDefaults()
	if err := cfg.Policy.validate(); err != nil {
		return nil, fmt.Errorf("twinlatch: %w", err)
	}
	cfg.Hashing = cfg.Hashing.withDefaults()
	if err := cfg.Hashing.validate(); err != nil {
		return nil, fmt.Errorf("twinlatch: %w", err)
	}
	cfg.Sending = cfg.Sending.withDefaults()
	if err := cfg.Sending.validate(); err != nil {
		return nil, fmt.Errorf("twinlatch: %w", err)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: cfg, methods: map[Kind]Method{}, hasher: newHasher(cfg.Hashing), due: make(chan struct{}, 1)}
	s.cfg.Store = waking{cfg.Store, s.wake}
	for i, m := range cfg.Methods {
		if missing(m) {
			return nil, fmt.Errorf("twinlatch: Config.Methods[%d] is nil", i)
		}
		d := m.Describe()
		if d.Kind == "" || d.Name == "" || len(d.AnswerFields) == 0 || len(d.AMR) == 0 {
			return nil, fmt.Errorf("twinlatch: method %T does not describe itself", m)
		}
		if s.methods[d.Kind] != nil {
			return nil, fmt.Errorf("twinlatch: two methods of kind %q", d.Kind)
		}
		s.methods[d.Kind] = m
	}
	for _, sender := range cfg.Sending.Senders {
		s.carriers = append(s.carriers, &carrier{Sender: sender})
	}
	if err := cfg.Store.CheckKeys(ctx, cfg.Keys.Checks()); err != nil {
		return nil, fmt.Errorf("twinlatch: %w", err)
	}
	if err := s.noteKey(ctx); err != nil {
		return nil, fmt.Errorf("twinlatch: %w", err)
	}
	var err error
	s.decoy, err = s.sealedDecoy()
	return s, err
}

// missing reports whether an interface holds nothing, or a nil pointer, as it
// does when the error of what should have made it was not looked at.
func missing(v any) bool {
	p := reflect.ValueOf(v)
	return v == nil || p.Kind() == reflect.Pointer && p.IsNil()
}

// Methods describes what can be enrolled, in the order in which it is offered.
func (s *Service) Methods() []Description {
	all := make([]Description, len(s.cfg.Methods))
	for i, m := range s.cfg.Methods {
		all[i] = m.Describe()
	}
	return all
}

// Policy is what the Service was configured with, defaults filled in.
func (s *Service) Policy() Policy { return s.cfg.Policy }

// Now is the time by the Service's clock, to the millisecond.
func (s *Service) Now() time.Time { return s.now() }

func (s *Service) now() time.Time {
	now := s.cfg.Clock()
	return time.UnixMilli(now.UnixMilli()).UTC()
}

// Sweep deletes what has ended. The server calls it every few minutes; nothing
// but disk space depends on it.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.now()
	return s.cfg.Store.Sweep(ctx, now, now.Add(-knownFor))
}

const maxUserAgent = 256

// clip makes text from outside fit to be kept: valid UTF-8 without control
// characters, of at most n bytes.
func clip(text string, n int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
