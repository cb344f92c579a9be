package twinlatch_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// rootFiles are the source files of the package, without its tests.
func rootFiles(t *testing.T) (names []string) {
	t.Helper()
	all, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		if strings.HasSuffix(file.Name(), ".go") && !strings.HasSuffix(file.Name(), "_test.go") {
			names = append(names, file.Name())
		}
	}
	return names
}

// mute is a method that does not say who it is.
type mute struct {
	twinlatch.Method
	says twinlatch.Description
}

func (m mute) Describe() twinlatch.Description { return m.says }

func TestAServiceNeedsItsParts(t *testing.T) {
	t.Parallel()
	good := newWorld(t).Config
	whole := good.Methods[0].Describe()
	without := func(change func(*twinlatch.Description)) func(*twinlatch.Config) {
		return func(c *twinlatch.Config) {
			d := whole
			change(&d)
			c.Methods = []twinlatch.Method{mute{says: d}}
		}
	}
	for name, change := range map[string]func(*twinlatch.Config){
		"no store":              func(c *twinlatch.Config) { c.Store = nil },
		"no keys":               func(c *twinlatch.Config) { c.Keys = nil },
		"no method":             func(c *twinlatch.Config) { c.Methods = nil },
		"a method twice":        func(c *twinlatch.Config) { c.Methods = append(c.Methods, c.Methods[0]) },
		"a method without kind": without(func(d *twinlatch.Description) { d.Kind = "" }),
		"without name":          without(func(d *twinlatch.Description) { d.Name = "" }),
		"without answer":        without(func(d *twinlatch.Description) { d.AnswerFields = nil }),
		"without AMR":           without(func(d *twinlatch.Description) { d.AMR = nil }), // it would look like a backup code
		"a policy of nonsense":  func(c *twinlatch.Config) { c.Policy.Tries = -1 },
		"no randomness":         func(c *twinlatch.Config) { c.Rand = strings.NewReader("x") },
	} {
		config := good
		change(&config)
		if _, err := twinlatch.New(ctx, config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := twinlatch.New(ctx, good); err != nil {
		t.Error(err)
	}
}

func TestAStoreWrittenWithOtherKeysIsRefused(t *testing.T) {
	t.Parallel()
	ours, theirs := newWorld(t), newWorld(t)
	config := ours.Config
	config.Keys = theirs.Keys
	_, err := twinlatch.New(ctx, config)
	refused(t, err, twinlatch.ErrWrongKeys)
}

func TestWhatIsNotConfiguredIsSafe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := w.Config
	config.Clock, config.Rand, config.Log = nil, nil, nil
	s, err := twinlatch.New(ctx, config)
	w.ok(err)
	if since := time.Since(s.Now()); since < 0 || since > time.Minute || s.Now().Nanosecond()%int(time.Millisecond) != 0 {
		t.Errorf("the clock shows %v", s.Now())
	}
	equal(t, "methods", s.Methods()[0].Kind, "totp")
	equal(t, "the clock of tests", w.Now(), twinlatchtest.Start())
}

// Where randomness ends nothing is made, and what was there stays as it was.
func TestWithoutRandomnessNothingIsMade(t *testing.T) {
	t.Parallel()
	b := newBusy(t)
	who, half := b.passed(), b.known()
	b.remember()
	for name, do := range map[string]func(*twinlatch.Service) error{
		"StartSession": func(s *twinlatch.Service) error { _, _, err := s.StartSession(ctx, b.account.ID, home); return err },
		"CreateAccount": func(s *twinlatch.Service) error {
			_, err := s.CreateAccount(ctx, twinlatch.NewAccount{Login: "new", Password: twinlatch.NewSecret(password)}, home)
			return err
		},
		"Answer":      func(s *twinlatch.Service) error { _, err := s.Answer(ctx, half, code(b.code()), home); return err },
		"BeginEnroll": func(s *twinlatch.Service) error { _, err := s.BeginEnroll(ctx, who, totp.Kind, nil, home); return err },
		"FinishEnroll": func(s *twinlatch.Service) error {
			_, _, err := s.FinishEnroll(ctx, who, b.enrollment.ID, code(b.third.Code(b.Now())), home)
			return err
		},
		"NewBackupCodes": func(s *twinlatch.Service) error { _, err := s.NewBackupCodes(ctx, who, home); return err },
	} {
		const decoy = 48 // bytes that New takes
		for budget := int64(decoy); ; budget += 12 {
			config := b.Config
			config.Rand = io.LimitReader(rand.Reader, budget)
			s, err := twinlatch.New(ctx, config)
			b.ok(err)
			before := b.rows("accounts", "passwords", "factors", "sessions", "backup_codes", "events")
			if err = do(s); err == nil {
				b.restore()
				break
			}
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s: %v", name, err)
			}
			if after := b.rows("accounts", "passwords", "factors", "sessions", "backup_codes", "events"); after != before {
				t.Errorf("%s changed\n%s", name, difference(before, after))
			}
			b.restore()
		}
	}
}

// Sweep takes what has ended and leaves the rest.
func TestSweepDeletesWhatHasEnded(t *testing.T) {
	t.Parallel()
	ann := newWorld(t).protected("ann@example.com")
	ann.backupCodes()
	_, err := ann.Ask(ctx, ann.known(), "", home)
	ann.ok(err)
	pending := ann.signIn(cafe)
	ann.unchanged("to sweep too early", func() { ann.ok(ann.Sweep(ctx)) })
	ann.later(10 * time.Minute)
	ann.ok(ann.Sweep(ctx))
	equal(t, "sessions", strings.Count(ann.rows("sessions"), "sessions "), 1)
	equal(t, "challenges", strings.Count(ann.rows("challenges"), "challenges "), 0)
	pending.meets(twinlatch.NeedFirstStep, "")
	ann.meets(twinlatch.Pass, "")
	ann.later(91 * day)
	ann.ok(ann.Sweep(ctx))
	equal(t, "what is left", ann.rows("sessions", "challenges", "limits", "networks"), "\n\n\n\n")
	equal(t, "factors", len(ann.factors()), 1)
	broken, cancel := context.WithCancel(ctx)
	cancel()
	if ann.Sweep(broken) == nil {
		t.Error("a sweep that was broken off says nothing")
	}
}
