package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"regexp"

	"github.com/twinlatch/twinlatch"
)

// complaint is a reason in our own words.
type complaint string

func (c complaint) Error() string { return string(c) }

// failed is what is told of an error in a step: the server's codes and not its
// words, which may quote ours.
func (s step) failed(ctx context.Context, err error) error {
	if refusal := new(textproto.Error); errors.As(err, &refusal) {
		return s.refused(refusal)
	}
	return fmt.Errorf("smtp: %s: %w", s, s.reason(ctx, err))
}

var (
	enhanced    = regexp.MustCompile(`^[245]\.[0-9]{1,3}\.[0-9]{1,3}\b`)
	ofMailbox   = regexp.MustCompile(`^5\.(1\.([0-69]|10)|2\.[0-9]+|4\.4)$`)
	plainOfThem = regexp.MustCompile(`^55[0136]$`) // of codes that no enhanced one explains
)

func (s step) refused(by *textproto.Error) error {
	code, more := fmt.Sprint(by.Code), enhanced.FindString(by.Msg)
	told := fmt.Sprintf("smtp: %s: refused with %s", s, code)
	if more != "" {
		told += " " + more
	}
	forGood := by.Code >= 500 && by.Code <= 599
	switch {
	case forGood && (s == recipient || s == taking) && ofMailbox.MatchString(more),
		s == recipient && more == "" && plainOfThem.MatchString(code):
		return fmt.Errorf("%s: %w", told, twinlatch.ErrBadRecipient)
	case forGood && s == taking:
		return fmt.Errorf("%s: %w", told, twinlatch.ErrNoRoute)
	}
	return errors.New(told)
}

// reason is why there was no answer, or none that we understand. Before the
// letter has left, a deadline is no context.DeadlineExceeded: nobody has taken
// it, so it can be tried for as long as it is of use.
func (s step) reason(ctx context.Context, err error) error {
	var (
		own      complaint
		trust    *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		protocol textproto.ProtocolError
		network  *net.OpError
	)
	switch over := ctx.Err(); {
	case errors.Is(over, context.DeadlineExceeded) && s != taking:
		return complaint("it took too long")
	case over != nil:
		return over
	case errors.As(err, &own):
		return own
	case errors.As(err, &trust):
		return trust
	case errors.As(err, &record):
		return complaint("the server does not speak TLS there")
	case errors.As(err, &protocol):
		return complaint("the server does not speak SMTP")
	case errors.As(err, &network) && network.Op != "read" && network.Op != "write":
		return network // of dialling or of TLS
	}
	return complaint("the connection ended, or the server does not speak SMTP")
}
