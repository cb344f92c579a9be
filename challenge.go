package twinlatch

import (
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
	Prompt    Prompt
	TriesLeft int
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

// StoredChallenge is a Challenge as a Store sees it; its Prompt is empty and
// lies in Sealed.
type StoredChallenge struct {
	Challenge
	Sealed    Sealed
	CreatedAt time.Time
}

// kept is the plain text of StoredChallenge.Sealed.
type kept struct {
	State  []byte `json:"state,omitempty"`
	Prompt Prompt `json:"prompt"`
	Name   string `json:"name,omitempty"` // enroll: what the person calls the new factor
}

func (s *Service) seal(id AccountID, c Challenge, k kept) (StoredChallenge, error) {
	plain, err := json.Marshal(k)
	if err != nil {
		return StoredChallenge{}, err
	}
	sealed, err := s.cfg.Keys.Seal(plain, challengePlace(id, c.ID))
	c.Prompt = Prompt{}
	return StoredChallenge{Challenge: c, Sealed: sealed}, err
}

func (s *Service) unseal(id AccountID, c StoredChallenge) (Challenge, kept, error) {
	var k kept
	plain, err := s.cfg.Keys.Open(c.Sealed, challengePlace(id, c.ID))
	if err == nil {
		err = json.Unmarshal(plain, &k)
	}
	c.Prompt = k.Prompt
	return c.Challenge, k, err
}

func challengePlace(id AccountID, c ChallengeID) Place {
	return Place{Account: id, Table: "challenges", Row: string(c)}
}

// Ways is how someone may do the second step.
type Ways struct {
	Factors []Factor // of configured methods; the one asked first comes first
	Backup  bool     // a backup code is left
}

// Ways lists how who may do the second step. Factors show their Hint, no more.
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
		w.Factors = bare(s.inOrder(row.Account, stored))
		codes, err := v.BackupCodes()
		w.Backup = codes.Left > 0
		return ignoreNotFound(err)
	})
	return w, err
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

// Ask asks who for proof of factor f, or of the one asked first when f is empty.
// While a challenge of the same kind is open it is that one: asking again
// neither prolongs it nor gives back tries. Asking another kind ends it.
// ErrTwoStepOff: nothing is enrolled. ErrNotFound: f is not one of the account's.
func (s *Service) Ask(ctx context.Context, who Known, f FactorID, c Client) (Challenge, error) {
	ch, _, err := s.ask(ctx, who, f, c)
	return ch, err
}

func (s *Service) ask(ctx context.Context, who Known, f FactorID, c Client) (Challenge, kept, error) {
	q, err := s.question(ctx, who, f)
	if err != nil {
		return Challenge{}, kept{}, err
	}
	if q.open.ID != "" {
		return q.open, q.kept, nil
	}
	id := who.Account().ID
	asked, err := q.method.BeginVerify(ctx, q.input)
	if err != nil {
		return Challenge{}, kept{}, err
	}
	fresh, err := s.newChallenge(Verify, q.kind, who.Session().ID, asked.Prompt)
	if err != nil {
		return Challenge{}, kept{}, err
	}
	state := kept{State: asked.State, Prompt: asked.Prompt}
	stored, err := s.seal(id, fresh, state)
	if err != nil {
		return Challenge{}, kept{}, err
	}
	var ch Challenge
	var k kept
	err = s.cfg.Store.Tx(ctx, id, func(tx Tx) error {
		if err := tx.Lock(); err != nil {
			return err
		}
		row, _, err := s.current(tx, who.facts)
		if err != nil {
			return err
		}
		now := s.now()
		switch open, err := tx.Open(row.Session.ID, Verify, now); {
		case err == nil && open.Kind == q.kind: // asked by a parallel request
			ch, k, err = s.unseal(id, open)
			return err
		case err != nil && !errors.Is(err, ErrNotFound):
			return err
		}
		ch, k = fresh, state
		stored.CreatedAt = now
		if err := tx.InsertChallenge(stored); err != nil {
			return err
		}
		if who.reason == ReasonCodeTooOld || who.reason == ReasonIPChanged {
			return s.record(tx, id, self, c, EventAsked, map[string]string{"reason": string(who.reason)})
		}
		return nil
	})
	return ch, k, err
}

func (s *Service) newChallenge(p Purpose, k Kind, session SessionID, prompt Prompt) (Challenge, error) {
	id, err := newID[ChallengeID](s.cfg.Rand)
	return Challenge{
		ID: id, Purpose: p, Session: session, Kind: k, Prompt: prompt,
		TriesLeft: s.cfg.Policy.Tries, ExpiresAt: s.now().Add(s.cfg.Policy.CodeFor),
	}, err
}

// question is what Ask needs to ask.
type question struct {
	kind   Kind
	method Method
	input  Input
	open   Challenge // of that kind, if one is open already
	kept   kept
}

func (s *Service) question(ctx context.Context, who Known, f FactorID) (question, error) {
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
		if f == "" && len(ways) > 0 {
			f = ways[0].ID
		}
		for _, way := range ways {
			if way.ID == f {
				q.kind, q.method = way.Kind, s.methods[way.Kind]
			}
		}
		if q.method == nil {
			return ErrNotFound
		}
		switch open, err := v.Open(row.Session.ID, Verify, s.now()); {
		case err == nil && open.Kind == q.kind:
			q.open, q.kept, err = s.unseal(id, open)
			return err
		case err != nil && !errors.Is(err, ErrNotFound):
			return err
		}
		q.input, err = s.input(row.Account, ofKind(ways, q.kind))
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
		ch, k, err = s.unseal(row.Account.ID, open)
		return err
	})
	return ch, k, err
}
