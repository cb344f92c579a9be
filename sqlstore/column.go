package sqlstore

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// How values that SQL does not know lie in columns: each type reads what the
// function beside it writes.

// moment is a time: Unix milliseconds, NULL for the zero time.
type moment time.Time

// Scan implements sql.Scanner.
func (m *moment) Scan(column any) error {
	switch v := column.(type) {
	case nil:
		*m = moment{}
	case int64:
		*m = moment(time.UnixMilli(v).UTC())
	default:
		return fmt.Errorf("a time is %T", column)
	}
	return nil
}

// millis is for columns that are NOT NULL. The zero time comes back as itself.
func millis(t time.Time) int64 { return t.UnixMilli() }

// maybe is for columns that may be NULL.
func maybe(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// address is an IP address, the empty text for none.
type address netip.Addr

// Scan implements sql.Scanner.
func (a *address) Scan(column any) error {
	s, ok := column.(string)
	if !ok {
		return fmt.Errorf("an address is %T", column)
	}
	*a = address{}
	if s == "" {
		return nil
	}
	ip, err := netip.ParseAddr(s)
	*a = address(ip)
	return err
}

func text(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

// words is a list of texts without spaces in them.
type words []string

// Scan implements sql.Scanner.
func (w *words) Scan(column any) error {
	s, ok := column.(string)
	if !ok {
		return fmt.Errorf("a list is %T", column)
	}
	*w = nil
	if s != "" {
		*w = strings.Split(s, " ")
	}
	return nil
}

func joined(w []string) string { return strings.Join(w, " ") }

// bit is a truth value as BIGINT.
func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// blob makes nil an empty BYTEA and not NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
