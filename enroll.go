package twinlatch

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"time"
)

// maxFactors is how many factors an account may have.
const maxFactors = 20

func errTooMany() error {
	return &FieldError{Field: "name", Key: "err.factors", Args: map[string]string{"n": itoa(maxFactors)}}
}

// BeginEnroll starts adding a factor of kind k. Fields are the method's
// EnrollFields, and "name": what the person calls the new factor (optional).
// Nothing is enrolled until FinishEnroll. Of a method that sends, beginning
// again with the same fields is "send again": see Ask, which has the same
// errors. ErrNotFound: no such method.
func (s *Service) BeginEnroll(ctx context.Context, by Authority, k Kind, fields map[string]string, c Client) (Challenge, error) {
	method := s.methods[k]
	if method == nil {
		return Challenge{}, ErrNotFound
	}
	fields = maps.Clone(fields)
	name := fields["name"]
	if name != "" {
		var err error
		if name, err = factorName(name); err != nil {
			return Challenge{}, err
		}
	}
	id, _ := by.authority()
	var in Input
	err := s.cfg.Store.View(ctx, id, func(v View) error {
		if err := s.allowed(v, by, add); err != nil {
			return err
		}
		a, err := v.Account()
		if err != nil {
			return err
		}
		stored, err := v.Factors()
		if err != nil {
			return err
		}
		if len(stored) >= maxFactors {
			return errTooMany()
		}
		a.Locale = cmp.Or(a.Locale, c.Locale)
		in, err = s.input(a, ofKind(stored, k))
		return err
	})
	if err != nil {
		return Challenge{}, err
	}
	in.Fields = fields
	asked, err := method.BeginEnroll(ctx, in)
	if err != nil {
		return Challenge{}, err
	}
	message := envelopeOf(asked.Message)
	if message != nil {
		switch open, k, err := s.openEnrollment(ctx, by, k); {
		case err == nil && k.Message != nil && k.Message.To == message.To:
			return s.resend(ctx, open, *k.Message, id, c, func(tx Tx) (SessionID, error) {
				return sessionOf(by), s.mayChange(tx, by, add)
			})
		case err != nil && !errors.Is(err, ErrNotFound):
			return Challenge{}, err
		}
	}
	ch, err := s.newChallenge(Enroll, k, sessionOf(by), asked)
	if err != nil {
		return Challenge{}, err
	}
	stored, err := s.seal(id, ch, kept{State: asked.State, Prompt: asked.Prompt, Message: message, Name: name})
	if err != nil {
		return Challenge{}, err
	}
	ch.Delivery, err = s.withMessage(ctx, id, ch, message, c, func(tx Tx) (bool, error) {
		if err := s.mayChange(tx, by, add); err != nil {
			return false, err
		}
		stored.CreatedAt = s.now()
		return true, tx.InsertChallenge(stored)
	})
	return ch, err
}

// openEnrollment is the newest open enrollment of a kind.
func (s *Service) openEnrollment(ctx context.Context, by Authority, kind Kind) (ch Challenge, k kept, err error) {
	id, _ := by.authority()
	err = s.cfg.Store.View(ctx, id, func(v View) error {
		open, err := v.Open(sessionOf(by), Enroll, s.now())
		if err != nil {
			return err
		}
		if open.Kind != kind {
			return ErrNotFound
		}
		ch, k, err = s.unsealed(v, id, open)
		return err
	})
	return ch, k, err
}

// Enrollment is an open enrollment of by, for the page that shows it.
// ErrNotFound: it is over, or not theirs.
func (s *Service) Enrollment(ctx context.Context, by Authority, c ChallengeID) (Challenge, error) {
	ch, _, err := s.enrollment(ctx, by, c, see)
	return ch, err
}

func (s *Service) enrollment(ctx context.Context, by Authority, c ChallengeID, kind change) (Challenge, kept, error) {
	id, _ := by.authority()
	var ch Challenge
	var k kept
	err := s.cfg.Store.View(ctx, id, func(v View) error {
		if err := s.allowed(v, by, kind); err != nil {
			return err
		}
		if !isID(string(c)) {
			return ErrNotFound
		}
		stored, err := v.Challenge(c, sessionOf(by))
		if err != nil {
			return err
		}
		if stored.Purpose != Enroll || !s.now().Before(stored.ExpiresAt) || stored.TriesLeft == 0 {
			return ErrNotFound
		}
		ch, k, err = s.unsealed(v, id, stored)
		return err
	})
	return ch, k, err
}

// FinishEnroll confirms an enrollment. The session of by is verified by it and
// gets a new Token (zero when OnBehalf); a recovery mark is gone. After the
// first factor two-step verification is on, and other sessions must verify at
// their next request because they have no slot.
//
// The answer may bring "name" as well, which replaces what BeginEnroll was told.
//
// ErrExpired: it is over, or not theirs. ErrNoTriesLeft: it is over now.
// ErrExists: the very same thing is enrolled already. ErrUnavailable: nobody could
// judge it. A *FieldError of what cannot be an answer, or no name, costs no try; one
// of the method's judgement ends a question that takes one answer, and costs the
// network nothing. A wrong answer is a *WrongCodeError.
func (s *Service) FinishEnroll(ctx context.Context, by Authority, c ChallengeID, ans Answer, cl Client) (Factor, Token, error) {
	passed, own := by.own()
	if own && !canonical(cl.IP).IsValid() {
		return Factor{}, Token{}, ErrUnknownAddress
	}
	id, actor := by.authority()
	ch, k, err := s.enrollment(ctx, by, c, add)
	if errors.Is(err, ErrNotFound) {
		err = ErrExpired
	}
	if err != nil {
		return Factor{}, Token{}, err
	}
	method := s.methods[ch.Kind]
	if method == nil {
		return Factor{}, Token{}, ErrExpired
	}
	name := k.Name
	if ans["name"] != "" {
		if name, err = factorName(ans["name"]); err != nil {
			return Factor{}, Token{}, err
		}
	}
	if ans, err = method.Parse(ans); err != nil {
		return Factor{}, Token{}, err
	}
	left, _, giveBack, err := s.count(ctx, id, "", cl, func(tx Tx) (int, error) {
		return tx.Spend(c, ch.Session, s.now())
	})
	if err != nil {
		return Factor{}, Token{}, err
	}
	ctx = context.WithoutCancel(ctx) // what was counted is judged, and what was judged is kept
	var in Input
	err = s.cfg.Store.View(ctx, id, func(v View) error {
		a, err := v.Account()
		if err != nil {
			return err
		}
		stored, err := v.Factors()
		if err != nil {
			return err
		}
		in, err = s.input(a, ofKind(stored, ch.Kind))
		return err
	})
	if err != nil {
		return Factor{}, Token{}, err
	}
	found, err := method.FinishEnroll(ctx, in, k.State, ans)
	if refused := s.refused(ctx, err, left); refused != nil {
		return Factor{}, Token{}, refused
	}
	if errors.Is(err, ErrUnavailable) {
		s.cfg.Log.ErrorContext(ctx, "method cannot judge an answer", "kind", ch.Kind, "error", err)
		giveBack()
	}
	var bad *FieldError
	if errors.As(err, &bad) {
		giveBack()
	}
	if err != nil {
		return Factor{}, Token{}, err
	}
	amr := found.AMR
	if amr == nil {
		amr = method.Describe().AMR
	}
	factor, err := s.newFactor(id, method.Describe(), name, found)
	if err != nil {
		return Factor{}, Token{}, err
	}
	enroll := func(tx Tx, now time.Time) error {
		if err := s.allowed(tx, by, add); err != nil {
			return err
		}
		if err := tx.Consume(c, ch.Session, now); err != nil {
			return err
		}
		if k.Message != nil {
			if err := tx.Answered(c); err != nil {
				return err
			}
		}
		factor.CreatedAt = now
		return s.insertFactor(tx, id, actor, factor, by, cl)
	}
	var token Token
	if own {
		token, err = s.settle(ctx, passed.Known(), cl, secondStep{amr: amr}, enroll)
	} else {
		err = s.change(ctx, by, add, func(tx Tx, _ AccountID, _ string) error { return enroll(tx, s.now()) })
	}
	if err != nil {
		return Factor{}, Token{}, err
	}
	giveBack()
	return factor.Factor, token, nil
}

func (s *Service) newFactor(id AccountID, d Description, name string, found NewFactor) (StoredFactor, error) {
	fid, err := newID[FactorID](s.cfg.Rand)
	if err != nil {
		return StoredFactor{}, err
	}
	for _, n := range []string{found.Name, found.Hint, d.Name} {
		if name == "" {
			name = clip(n, MaxFactorName)
		}
	}
	sealed, err := s.cfg.Keys.Seal([]byte(found.Secret.Reveal()), factorPlace(id, fid))
	return StoredFactor{
		Factor: Factor{ID: fid, Kind: d.Kind, Name: name, Hint: found.Hint, Counter: found.Counter},
		Digest: s.cfg.Keys.MAC("factor/"+string(d.Kind), []byte(id), found.Digest),
		Sealed: sealed,
	}, err
}

func (s *Service) insertFactor(tx Tx, id AccountID, actor string, f StoredFactor, by Authority, c Client) error {
	before, err := tx.Factors()
	if err != nil {
		return err
	}
	if len(before) >= maxFactors { // enrolled meanwhile
		return errTooMany()
	}
	if err := tx.InsertFactor(f); err != nil {
		return err
	}
	// Setting a method up anew lifts the pause that wrong codes put on it.
	if err := tx.Forgive(counters(string(f.Kind))...); err != nil {
		return err
	}
	if err := s.record(tx, id, actor, c, EventFactorAdded, withReason(by, about(f.Kind, f.Name))); err != nil {
		return err
	}
	if len(before) > 0 {
		return nil
	}
	if err := updateAccount(tx, func(a *Account) error { a.ResetAt = time.Time{}; return nil }); err != nil {
		return err
	}
	if err := tx.ForgetNetworks(); err != nil { // where the password was enough says nothing any more
		return err
	}
	return s.record(tx, id, actor, c, EventTwoStepOn, withReason(by, nil))
}
