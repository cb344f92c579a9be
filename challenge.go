package twinlatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"
)

// Challenge is a question we asked and whose answer we wait for. It belongs to
// the session that asked; nobody else can answer it.
type Challenge struct {
	ID        ChallengeID
	Purpose   Purpose
	Session   SessionID // empty: asked OnBehalf
	Kind      Kind
	Factor    FactorID // empty: any of the kind
	Name      string   // of an enrollment: what the person calls the new factor; often empty
	Prompt    Prompt
	TriesLeft int
	ResendAt  time.Time // when its message may be sent again; zero: there is none
	Delivery  Delivery  // of its newest message
	ExpiresAt time.Time
}

// LogValue keeps the prompt out of logs that are JSON, which shows Prompts.
func (c Challenge) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", string(c.ID)), slog.String("purpose", string(c.Purpose)), slog.String("kind", string(c.Kind)))
}

// Purpose is what a right answer to a Challenge does.
type Purpose string

const (
	Enroll Purpose = "enroll"
	Verify Purpose = "verify"
)

// StoredChallenge is a Challenge as a Store sees it; its Prompt and Name are empty
// and lie in Sealed.
type StoredChallenge struct {
	Challenge
	Sealed    Sealed
	CreatedAt time.Time
}

// kept is the plain text of StoredChallenge.Sealed.
type kept struct {
	State   []byte    `json:"state,omitempty"`
	Prompt  Prompt    `json:"prompt"`
	Message *envelope `json:"message,omitempty"` // to be sent again as it is
	Name    string    `json:"name,omitempty"`    // enroll: what the person calls the new factor
}

func (s *Service) seal(id AccountID, c Challenge, k kept) (StoredChallenge, error) {
	plain, err := json.Marshal(k)
	if err != nil {
		return StoredChallenge{}, err
	}
	sealed, err := s.cfg.Keys.Seal(plain, challengePlace(id, c.ID))
	c.Prompt, c.Name = Prompt{}, ""
	return StoredChallenge{Challenge: c, Sealed: sealed}, err
}

func (s *Service) unseal(id AccountID, c StoredChallenge) (Challenge, kept, error) {
	var k kept
	plain, err := s.cfg.Keys.Open(c.Sealed, challengePlace(id, c.ID))
	if err == nil {
		err = json.Unmarshal(plain, &k)
	}
	c.Prompt, c.Name = k.Prompt, k.Name
	return c.Challenge, k, err
}

func challengePlace(id AccountID, c ChallengeID) Place {
	return Place{Account: id, Table: "challenges", Row: string(c)}
}

// Ways is how someone may do the second step.
type Ways struct {
	Factors []Factor // of configured methods; the one asked first comes first
	Next    Factor   // what Ask asks when it is not told; zero: nothing
	Backup  bool     // a backup code is left
}

// Ways lists how who may do the second step. Factors show their Hint, no more;
// where two of a kind have the same one, it is longer.
func (s *Service) Ways(ctx context.Context, who Known) (Ways, error) {
	var w Ways
	err := s.cfg.Store.View(ctx, who.Account().ID, func(v View) error {
		row, _, err := s.current(v, who.facts)
		if err != nil {
			return err
		}
		stored, err := v.Factors()
		if err != nil {
			return err
		}
		ways := s.inOrder(row.Account, stored)
		if w.Factors, err = s.hinted(row.Account.ID, ways); err != nil {
			return err
		}
		next, err := s.next(v, row.Session.ID, ways)
		if err != nil {
			return err
		}
		for _, f := range w.Factors {
			if f.ID == next.ID {
				w.Next = f
			}
		}
		codes, err := v.BackupCodes()
		w.Backup = codes.Left > 0
		return ignoreNotFound(err)
	})
	return w, err
}

// next is what is asked without being told: what this session was asked last and
// did not answer, else what the account is asked first.
func (s *Service) next(v View, session SessionID, ways []StoredFactor) (StoredFactor, error) {
	if len(ways) == 0 {
		return StoredFactor{}, nil
	}
	last, err := v.Newest(session, Verify)
	if errors.Is(err, ErrNotFound) {
		return ways[0], nil
	}
	if err != nil {
		return StoredFactor{}, err
	}
	for _, f := range ways {
		if f.ID == last.Factor || last.Factor == "" && f.Kind == last.Kind {
			return f, nil
		}
	}
	return ways[0], nil
}

// inOrder keeps the factors whose method is configured and puts the one asked
// first at the front.
func (s *Service) inOrder(a Account, stored []StoredFactor) []StoredFactor {
	var first, rest []StoredFactor
	for _, f := range stored {
		switch {
		case s.methods[f.Kind] == nil:
		case f.ID == a.Preferred:
			first = append(first, f)
		default:
			rest = append(rest, f)
		}
	}
	return append(first, rest...)
}

// Ask asks who for proof of factor f; when f is empty, of the one that this
// session was asked last, else of the one asked first.
//
// While a challenge of the same kind is open it is that one: asking again
// neither prolongs it nor gives back tries. Asking another kind ends it. A
// method that sends is asked for one factor; its message goes out with the
// question, and again, the same, when the same factor is asked again: a
// *LimitError before Challenge.ResendAt, or when too many were sent. Only what
// a person posted may ask such a method. Challenge.Delivery tells whether
// somebody took the message.
//
// ErrTwoStepOff: nothing is enrolled. ErrNotFound: f is not one of the account's.
// ErrNoRoute: nobody can carry the message.
func (s *Service) Ask(ctx context.Context, who Known, f FactorID, c Client) (Challenge, error) {
	ch, _, err := s.ask(ctx, who, f, c)
	return ch, err
}

func (s *Service) ask(ctx context.Context, who Known, f FactorID, c Client) (Challenge, kept, error) {
	q, err := s.question(ctx, who, f, c)
	switch {
	case err != nil:
		return Challenge{}, kept{}, err
	case q.open.ID != "" && q.kept.Message != nil:
		ch, err := s.resend(ctx, q.open, *q.kept.Message, who.Account().ID, c, func(tx Tx) (SessionID, error) {
			if err := tx.Lock(); err != nil {
				return "", err
			}
			row, _, err := s.current(tx, who.facts)
			return row.Session.ID, err
		})
		return ch, q.kept, err
	case q.open.ID != "":
		return q.open, q.kept, nil
	}
	id := who.Account().ID
	asked, err := q.method.BeginVerify(ctx, q.input)
	if err != nil {
		return Challenge{}, kept{}, err
	}
	fresh, err := s.newChallenge(Verify, q.kind, who.Session().ID, asked)
	if err != nil {
		return Challenge{}, kept{}, err
	}
	fresh.Factor = q.factor
	state := kept{State: asked.State, Prompt: asked.Prompt, Message: envelopeOf(asked.Message)}
	stored, err := s.seal(id, fresh, state)
	if err != nil {
		return Challenge{}, kept{}, err
	}
	var ch Challenge
	var k kept
	delivery, err := s.withMessage(ctx, id, fresh, state.Message, c, func(tx Tx) (bool, error) {
		if err := tx.Lock(); err != nil {
			return false, err
		}
		row, _, err := s.current(tx, who.facts)
		if err != nil {
			return false, err
		}
		now := s.now()
		switch open, err := tx.Open(row.Session.ID, Verify, now); {
		case err == nil && q.sameAs(open): // asked by a parallel request
			ch, k, err = s.unseal(id, open)
			return false, err
		case err != nil && !errors.Is(err, ErrNotFound):
			return false, err
		}
		ch, k = fresh, state
		stored.CreatedAt = now
		last, err := tx.Newest(row.Session.ID, Verify)
		if ignoreNotFound(err) != nil {
			return false, err
		}
		if err := tx.InsertChallenge(stored); err != nil {
			return false, err
		}
		// Asking otherwise, or again after a wrong answer, is no news: else whoever
		// has an old cookie could fill the trail.
		news := !now.Before(last.ExpiresAt)
		if news && (who.reason == ReasonCodeTooOld || who.reason == ReasonIPChanged) {
			return true, s.record(tx, id, self, c, EventAsked, map[string]string{"reason": string(who.reason)})
		}
		return true, nil
	})
	ch.Delivery = delivery
	return ch, k, err
}

func (s *Service) newChallenge(p Purpose, k Kind, session SessionID, q Question) (Challenge, error) {
	id, err := newID[ChallengeID](s.cfg.Rand)
	now := s.now()
	tries, open := s.cfg.Policy.Tries, s.cfg.Policy.CodeFor
	if q.Tries > 0 {
		tries = min(tries, q.Tries)
	}
	if q.For > 0 {
		open = min(open, q.For)
	}
	ch := Challenge{
		ID: id, Purpose: p, Session: session, Kind: k, Prompt: q.Prompt,
		TriesLeft: tries, ExpiresAt: now.Add(open),
	}
	if q.Message != nil {
		ch.ResendAt = now.Add(firstAgain)
	}
	return ch, err
}

// question is what Ask needs to ask.
type question struct {
	kind   Kind
	factor FactorID // of a method that sends
	method Method
	input  Input
	open   Challenge // the same question, if it is open already
	kept   kept
}

// sameAs reports whether an open challenge asks the same.
func (q question) sameAs(open StoredChallenge) bool {
	return open.Kind == q.kind && open.Factor == q.factor
}

func (s *Service) question(ctx context.Context, who Known, f FactorID, c Client) (question, error) {
	var q question
	id := who.Account().ID
	err := s.cfg.Store.View(ctx, id, func(v View) error {
		row, _, err := s.current(v, who.facts)
		if err != nil {
			return err
		}
		stored, err := v.Factors()
		if err != nil {
			return err
		}
		if len(stored) == 0 {
			return ErrTwoStepOff
		}
		ways := s.inOrder(row.Account, stored)
		if f == "" {
			next, err := s.next(v, row.Session.ID, ways)
			if err != nil {
				return err
			}
			f = next.ID
		}
		way := only(ways, f)
		if len(way) == 0 {
			return ErrNotFound
		}
		q.kind, q.method = way[0].Kind, s.methods[way[0].Kind]
		candidates := ofKind(ways, q.kind)
		if q.method.Describe().Sends {
			q.factor, candidates = f, way
		}
		switch open, err := v.Open(row.Session.ID, Verify, s.now()); {
		case err == nil && q.sameAs(open):
			q.open, q.kept, err = s.unsealed(v, id, open)
			return err
		case err != nil && !errors.Is(err, ErrNotFound):
			return err
		}
		row.Account.Locale = cmp.Or(row.Account.Locale, c.Locale)
		q.input, err = s.input(row.Account, candidates)
		return err
	})
	return q, err
}

func (s *Service) input(a Account, stored []StoredFactor) (Input, error) {
	factors, err := s.open(a.ID, stored)
	return Input{Account: a, Factors: factors, Now: s.now(), Rand: s.cfg.Rand}, err
}

// Asked is the session's open verification. ErrNotFound: none is open.
func (s *Service) Asked(ctx context.Context, who Known) (Challenge, error) {
	ch, _, err := s.asked(ctx, who)
	return ch, err
}

func (s *Service) asked(ctx context.Context, who Known) (ch Challenge, k kept, err error) {
	err = s.cfg.Store.View(ctx, who.Account().ID, func(v View) error {
		row, _, err := s.current(v, who.facts)
		if err != nil {
			return err
		}
		open, err := v.Open(row.Session.ID, Verify, s.now())
		if err != nil {
			return err
		}
		ch, k, err = s.unsealed(v, row.Account.ID, open)
		return err
	})
	return ch, k, err
}

// unsealed is unseal with what became of the message.
func (s *Service) unsealed(v View, id AccountID, stored StoredChallenge) (ch Challenge, k kept, err error) {
	if ch, k, err = s.unseal(id, stored); err == nil && k.Message != nil {
		ch.Delivery, err = v.Delivery(ch.ID)
		err = ignoreNotFound(err)
	}
	return ch, k, err
}
