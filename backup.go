package twinlatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// BackupCodeCount is how many codes a set has.
const BackupCodeCount = 10

// BackupCodes is an account's set of backup codes, without the codes: they are
// shown once, when they are made.
type BackupCodes struct {
	Salt      []byte // and costs, for the Store: the same for the whole set
	Left      int
	Total     int
	CreatedAt time.Time
}

// Backup codes are 80 random bits, which no guessing reaches; argon2id at the
// least cost that OWASP recommends, or at that of passwords where it is lower
// still, is there for the one who has the database and the keys (NIST SP
// 800-63B-4 §3.1.2).
const (
	codeLength = 16
	codeMemory = 19 << 10
	codePasses = 2
	codeLanes  = 1
)

// crockford is Douglas Crockford's base32: no i, l, o, u.
const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// newBackupCode is a code as it is shown: "k7m2-9xqd-4tbn-w3fp".
func newBackupCode(rand io.Reader) (Secret, error) {
	var b [codeLength]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return Secret{}, err
	}
	var text strings.Builder
	for i, v := range b {
		if i > 0 && i%4 == 0 {
			text.WriteByte('-')
		}
		text.WriteByte(crockford[v&31])
	}
	return NewSecret(text.String()), nil
}

// parseBackupCode forgives what people do to a code when they copy it: case,
// spaces, hyphens, O for 0, I and L for 1. What then is no code is a
// *FieldError.
func parseBackupCode(code Secret) (string, error) {
	var text strings.Builder
	given := code.Reveal()
	if len(given) > 4*codeLength {
		given = ""
	}
	for _, r := range strings.ToLower(given) {
		switch r {
		case ' ', '-', '\t':
			continue
		case 'o':
			r = '0'
		case 'i', 'l':
			r = '1'
		}
		if !strings.ContainsRune(crockford, r) {
			return "", &FieldError{Field: "code", Key: "err.backup"}
		}
		text.WriteRune(r)
	}
	if text.Len() != codeLength {
		return "", &FieldError{Field: "code", Key: "err.backup"}
	}
	return text.String(), nil
}

// ofCode is how a set of codes made today is hashed. Salt and costs are the same
// for all codes of a set, so that one hash finds the row.
func (s *Service) ofCode(salt []byte) phc {
	cost := s.hasher.cost
	return phc{memory: min(codeMemory, cost.Memory), passes: min(codePasses, cost.Passes), lanes: codeLanes, salt: salt}
}

// digest is what the Store keeps of a code.
func (s *Service) digest(id AccountID, code string, how phc) []byte {
	return s.cfg.Keys.MAC("backup", []byte(id), s.hasher.sum(how, code))
}

// NewBackupCodes replaces all backup codes and returns ten new ones, once. The
// old ones are dead. ErrTwoStepOff without a factor.
func (s *Service) NewBackupCodes(ctx context.Context, by Authority, c Client) ([]Secret, error) {
	id, _ := by.authority()
	may := func(v View) error {
		if err := s.allowed(v, by, alter); err != nil {
			return err
		}
		factors, err := v.Factors()
		if err == nil && len(factors) == 0 {
			err = ErrTwoStepOff
		}
		return err
	}
	// Asked before as well as inside the transaction: hashing ten codes is work.
	if err := s.cfg.Store.View(ctx, id, may); err != nil {
		return nil, err
	}
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(s.cfg.Rand, salt); err != nil {
		return nil, err
	}
	how := s.ofCode(salt)
	codes := make([]Secret, BackupCodeCount)
	for i := range codes {
		var err error
		if codes[i], err = newBackupCode(s.cfg.Rand); err != nil {
			return nil, err
		}
	}
	digests := make([][]byte, len(codes))
	err := s.hasher.do(ctx, c.IP, func() {
		for i, code := range codes {
			digests[i] = s.digest(id, strings.ReplaceAll(code.Reveal(), "-", ""), how)
		}
	})
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, by, alter, func(tx Tx, id AccountID, actor string) error {
		if err := may(tx); err != nil {
			return err
		}
		if err := tx.ReplaceBackupCodes([]byte(how.String()), digests, s.now()); err != nil {
			return err
		}
		// New codes lift the pause that wrong ones put on the old.
		if err := tx.Forgive(counters("backup")...); err != nil {
			return err
		}
		return s.record(tx, id, actor, c, EventBackupCodesMade, withReason(by, nil))
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// BackupCodes tells how many codes are left. The zero value: there are none.
func (s *Service) BackupCodes(ctx context.Context, by Authority) (BackupCodes, error) {
	id, _ := by.authority()
	var codes BackupCodes
	err := s.cfg.Store.View(ctx, id, func(v View) error {
		if err := s.allowed(v, by, look); err != nil {
			return err
		}
		found, err := v.BackupCodes()
		codes = found
		return ignoreNotFound(err)
	})
	return codes, err
}

// Recover lets someone pass with a backup code. It is not a Method: it is never
// offered among the methods, counts under its own limit and writes its own
// event. The session is verified under a new Token but marked Recovered until a
// factor proves it; see Authority. Errors are those of Answer; a code that is
// wrong or was used is ErrWrongCode alike.
func (s *Service) Recover(ctx context.Context, who Known, code Secret, c Client) (Token, error) {
	if !canonical(c.IP).IsValid() {
		return Token{}, ErrUnknownAddress
	}
	text, err := parseBackupCode(code)
	if err != nil {
		return Token{}, err
	}
	id := who.Account().ID
	how := s.ofCode(make([]byte, saltBytes)) // of one who has no codes, for the same time
	err = s.cfg.Store.View(ctx, id, func(v View) error {
		row, _, err := s.current(v, who.facts)
		if err != nil {
			return err
		}
		if !row.Account.TwoStep {
			return ErrTwoStepOff
		}
		codes, err := v.BackupCodes()
		if err == nil {
			how, err = parseCosts(string(codes.Salt))
		}
		return ignoreNotFound(err)
	})
	if err != nil {
		return Token{}, err
	}
	left, times, giveBack, err := s.count(ctx, id, "backup", c, func(Tx) (int, error) { return s.cfg.Policy.Tries, nil })
	if err != nil {
		return Token{}, err
	}
	ctx = context.WithoutCancel(ctx) // what was counted is judged and written down
	var digest []byte
	if err := s.hasher.do(ctx, c.IP, func() { digest = s.digest(id, text, how) }); err != nil {
		giveBack()
		return Token{}, err
	}
	token, err := s.settle(ctx, who, c, secondStep{recovered: true, counters: counters("backup")}, func(tx Tx, now time.Time) error {
		if err := tx.UseBackupCode(digest, now); err != nil {
			return err
		}
		codes, err := tx.BackupCodes()
		if err != nil {
			return fmt.Errorf("backup codes after use: %w", err)
		}
		return s.record(tx, id, self, c, EventRecovered, map[string]string{"left": itoa(codes.Left)})
	})
	if errors.Is(err, ErrWrongCode) {
		return Token{}, s.wrong(ctx, id, c, EventWrongBackup, map[string]string{"times": itoa(times)}, "", &WrongCodeError{Cause: ErrWrongCode, TriesLeft: left})
	}
	if err != nil {
		return Token{}, err
	}
	giveBack()
	return token, nil
}
