package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
)

// reason is an error of net/http that may be logged. Others quote URLs, or what
// the peer wrote, which may be what we wrote to it.
func reason(err error) error {
	var (
		network *net.OpError
		trust   *tls.CertificateVerificationError
		timeout net.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.As(err, &network):
		return network
	case errors.As(err, &trust):
		return trust
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("it took too long")
	}
	return errors.New("the connection ended, or it does not speak HTTP")
}
