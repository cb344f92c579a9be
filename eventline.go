package twinlatch

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// EventLine is an event as programs get it, in JSON. It has all that its hash is
// made of.
type EventLine struct {
	Position     Position          `json:"position"`
	At           time.Time         `json:"at"`
	Account      AccountID         `json:"account"`
	Seq          int64             `json:"seq"`
	Type         EventType         `json:"type"`
	Actor        string            `json:"actor"`
	IP           string            `json:"ip,omitempty"`
	UserAgent    string            `json:"user_agent,omitempty"`
	More         map[string]string `json:"more,omitempty"`
	Salt         []byte            `json:"salt,omitempty"` // absent: the detail was erased
	DetailDigest []byte            `json:"detail_digest"`
	Hash         []byte            `json:"hash"`
}

// Line is e for programs.
func (e Event) Line() EventLine {
	line := EventLine{
		Position: e.Position(), At: e.At, Account: e.Account, Seq: e.Seq, Type: e.Type, Actor: e.Actor,
		UserAgent: e.Detail.UserAgent, More: e.Detail.More, Salt: e.Detail.Salt, DetailDigest: e.DetailDigest, Hash: e.Hash,
	}
	if e.Detail.IP.IsValid() {
		line.IP = e.Detail.IP.String()
	}
	return line
}

const positionTime = "2006-01-02T15:04:05.000Z07:00"

// MarshalText writes "2026-11-23T12:00:00.000Z/ACCOUNT/SEQ".
func (p Position) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%s/%s/%d", p.At.UTC().Format(positionTime), p.Account, p.Seq), nil
}

// UnmarshalText reads what MarshalText writes, or a time alone.
func (p *Position) UnmarshalText(text []byte) error {
	at, rest, event := strings.Cut(string(text), "/")
	var err error
	if p.At, err = time.Parse(time.RFC3339, at); err != nil {
		return errors.New("want a time such as 2026-11-23T12:00:00Z, or the position of an exported line")
	}
	if event {
		account, seq, _ := strings.Cut(rest, "/")
		p.Account = AccountID(account)
		if p.Seq, err = strconv.ParseInt(seq, 10, 64); err != nil || !isID(account) {
			return errors.New("want the position of an exported line as it is there")
		}
	}
	return nil
}
