package twinlatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Answer judges the answer to the session's open verification. When it is right
// then, in one transaction, the challenge is consumed, the factor's counter
// advanced, the session verified for c.IP under a new Token and the event
// written. The old Token is dead.
//
// When none is open and the method that Ask would ask needs nothing sent, it is
// asked first; if the answer can only be one to that very question, or a message
// is needed, that is ErrExpired.
//
// A *FieldError costs no try. A wrong answer is a *WrongCodeError; one that was
// used before is the same with ErrReplayed inside. *LimitError: nothing was
// judged. ErrUnavailable: nobody could judge it. ErrUnknownAddress: a verification
// from nowhere would not hold.
func (s *Service) Answer(ctx context.Context, who Known, ans Answer, c Client) (Token, error) {
	if !canonical(c.IP).IsValid() {
		return Token{}, ErrUnknownAddress
	}
	open, k, err := s.asked(ctx, who)
	if errors.Is(err, ErrNotFound) {
		open, k, err = s.askAgain(ctx, who, c)
	}
	if err != nil {
		return Token{}, err
	}
	method := s.methods[open.Kind]
	if method == nil {
		return Token{}, ErrExpired
	}
	if ans, err = method.Parse(ans); err != nil {
		return Token{}, err
	}
	id := who.Account().ID
	describe := method.Describe()
	counted, rarely := string(open.Kind), ""
	if describe.Unguessable {
		counted, rarely = "", counters(string(open.Kind))[0]
	}
	left, times, giveBack, err := s.count(ctx, id, counted, c, func(tx Tx) (int, error) {
		return tx.Spend(open.ID, open.Session, s.now())
	})
	if err != nil {
		return Token{}, err
	}
	ctx = context.WithoutCancel(ctx) // what was counted is judged and written down
	proof, name, err := s.judge(ctx, who, open, k.State, ans)
	if refused := s.refused(ctx, err, left); refused != nil {
		more := map[string]string{"kind": string(open.Kind), "times": itoa(times)}
		if errors.Is(refused, ErrReplayed) {
			return Token{}, s.wrong(ctx, id, c, EventReplayed, more, rarely, refused)
		}
		return Token{}, s.wrong(ctx, id, c, EventWrongCode, more, rarely, refused)
	}
	if err != nil {
		if errors.Is(err, ErrUnavailable) {
			s.cfg.Log.ErrorContext(ctx, "method cannot judge an answer", "kind", open.Kind, "error", err)
			giveBack()
		}
		return Token{}, err
	}
	amr := proof.AMR
	if amr == nil {
		amr = describe.AMR
	}
	token, err := s.settle(ctx, who, c, secondStep{amr: amr, counters: counters(string(open.Kind))}, func(tx Tx, now time.Time) error {
		if err := tx.Consume(open.ID, open.Session, now); err != nil {
			return err
		}
		if err := prove(tx, proof, now); err != nil {
			return err
		}
		if k.Message != nil {
			if err := tx.Answered(open.ID); err != nil {
				return err
			}
		}
		more := about(open.Kind, name)
		more["reason"], more["amr"] = string(who.reason), strings.Join(amr, " ")
		known, err := tx.Verified(network(c.IP), now.Add(-knownFor))
		if err != nil {
			return err
		}
		if !known {
			more["network"] = "new"
		}
		return s.record(tx, id, self, c, EventVerified, more)
	})
	if errors.Is(err, ErrNotFound) { // its factor was removed meanwhile
		err = ErrExpired
	}
	if refused := s.refused(ctx, err, left); refused != nil { // its counter did not move
		return Token{}, s.replayed(ctx, id, c, describe, proof.Factor, about(open.Kind, name), refused)
	}
	if err != nil {
		return Token{}, err
	}
	giveBack()
	return token, nil
}

func (s *Service) askAgain(ctx context.Context, who Known, c Client) (Challenge, kept, error) {
	ways, err := s.Ways(ctx, who)
	switch {
	case err != nil:
		return Challenge{}, kept{}, err
	case ways.Next.ID == "":
		return Challenge{}, kept{}, ErrTwoStepOff
	case s.methods[ways.Next.Kind].Describe().Sends:
		return Challenge{}, kept{}, ErrExpired
	}
	ch, k, err := s.ask(ctx, who, ways.Next.ID, c)
	if err == nil && len(k.State) > 0 { // nobody can have answered this one yet
		err = ErrExpired
	}
	return ch, k, err
}

// refused is the error of an answer that was judged and is not right, with the
// tries that are left; nil for all other errors. Why it is not right is for those
// who run the service, who may have set it up wrong.
func (s *Service) refused(ctx context.Context, err error, left int) *WrongCodeError {
	if !errors.Is(err, ErrWrongCode) && !errors.Is(err, ErrReplayed) {
		return nil
	}
	s.cfg.Log.DebugContext(ctx, "answer refused", "error", err)
	refused := &WrongCodeError{Cause: err, TriesLeft: left}
	var said *WrongCodeError
	if errors.As(err, &said) {
		refused.Cause, refused.Key = said.Cause, said.Key
	}
	return refused
}

// judge hands the answer to its method, with no transaction open.
func (s *Service) judge(ctx context.Context, who Known, open Challenge, state []byte, ans Answer) (p Proof, name string, err error) {
	var in Input
	err = s.cfg.Store.View(ctx, who.Account().ID, func(v View) error {
		stored, err := v.Factors()
		if err != nil {
			return err
		}
		candidates := ofKind(stored, open.Kind)
		if open.Factor != "" {
			candidates = only(candidates, open.Factor)
		}
		if len(candidates) == 0 { // removed meanwhile
			return ErrExpired
		}
		in, err = s.input(who.Account(), candidates)
		return err
	})
	if err != nil {
		return Proof{}, "", err
	}
	if p, err = s.methods[open.Kind].FinishVerify(ctx, in, state, ans); err != nil {
		return Proof{}, "", err
	}
	for _, f := range in.Factors {
		if f.ID == p.Factor {
			return p, f.Name, nil
		}
	}
	return Proof{}, "", fmt.Errorf("method %q proved a factor that it was not asked for", open.Kind)
}

func only(stored []StoredFactor, id FactorID) []StoredFactor {
	for _, f := range stored {
		if f.ID == id {
			return []StoredFactor{f}
		}
	}
	return nil
}

// prove makes the proof count once.
func prove(tx Tx, p Proof, now time.Time) error {
	if p.Counter == nil {
		return tx.Used(p.Factor, now)
	}
	return tx.Advance(p.Factor, *p.Counter, now)
}

// secondStep is how a second step was done.
type secondStep struct {
	amr       []string
	recovered bool     // by a backup code
	counters  []string // of wrong answers that it lifts
}

// settle verifies the session of who in one transaction with what consume does.
func (s *Service) settle(ctx context.Context, who Known, c Client, done secondStep, consume func(Tx, time.Time) error) (Token, error) {
	return s.renew(ctx, who, func(tx Tx, row *SessionRow, now time.Time) error {
		if err := consume(tx, now); err != nil {
			return err
		}
		row.Session.verified(c.IP, now, s.cfg.Policy)
		row.Session.AMR, row.Session.Recovered = done.amr, done.recovered
		if err := tx.EndChallenges(row.Session.ID, Verify, now); err != nil {
			return err
		}
		if err := tx.Forgive(done.counters...); err != nil {
			return err
		}
		return tx.PutNetwork(network(c.IP), now)
	})
}

// replayed writes the event of a proof whose counter did not move. People type codes
// twice; a key that signs does not count backwards, so somebody has a copy of it.
func (s *Service) replayed(ctx context.Context, id AccountID, c Client, d Description, f FactorID, more map[string]string, cause error) error {
	err := s.cfg.Store.Tx(ctx, id, func(tx Tx) error {
		if err := tx.Lock(); err != nil {
			return err
		}
		if d.Script {
			news, err := tx.Copied(f, s.now(), s.now().Add(-day))
			if err != nil {
				return err
			}
			if news {
				more["copied"] = "new"
			}
		}
		return s.record(tx, id, self, c, EventReplayed, more)
	})
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "replayed answer not in the trail", "account", id, "error", err)
	}
	return cause
}

// wrong writes the event of a wrong answer and returns cause: the answer is
// refused also when the event cannot be written. Rarely names a counter when
// wrong answers do not pause the method: the more there are, the fewer are written,
// so that nobody can fill the trail.
func (s *Service) wrong(ctx context.Context, id AccountID, c Client, t EventType, more map[string]string, rarely string, cause error) error {
	err := s.cfg.Store.Tx(ctx, id, func(tx Tx) error {
		if err := tx.Lock(); err != nil {
			return err
		}
		if rarely != "" {
			times, err := tx.Try(rarely, byNetworkClass, s.now())
			if err != nil {
				return err
			}
			more["times"] = itoa(times)
		}
		return s.record(tx, id, self, c, t, more)
	})
	if err != nil && !errors.Is(err, ErrLimited) {
		s.cfg.Log.WarnContext(ctx, "wrong answer not in the trail", "account", id, "error", err)
	}
	return cause
}
