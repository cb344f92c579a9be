package sns

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/twinlatch/twinlatch"
)

// publishResponse is how AWS says that it took a message.
type publishResponse struct {
	XMLName   xml.Name `xml:"PublishResponse"`
	MessageID string   `xml:"PublishResult>MessageId"`
}

// errorResponse is how AWS says that it did not. Message quotes the number.
type errorResponse struct {
	XMLName xml.Name `xml:"ErrorResponse"`
	Code    string   `xml:"Error>Code"`
	Message string   `xml:"Error>Message"`
	Request string   `xml:"RequestId"`
}

// What an error may quote of an answer: no code is as long as a phone number is,
// because it has no digits, and no number looks like the name of a request.
var (
	codes    = regexp.MustCompile(`^[A-Za-z][A-Za-z.]{0,63}$`)
	requests = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	ids      = regexp.MustCompile(`^[!-~]{1,200}$`)
)

// taken reads the reference out of a success.
func taken(text []byte) (ref string, err error) {
	var r publishResponse
	if err := xml.Unmarshal(text, &r); err != nil || !ids.MatchString(r.MessageID) {
		return "", errors.New("sns: a success without a MessageId")
	}
	return r.MessageID, nil
}

// refused finds the class of an answer that is no success.
func refused(status int, text []byte) error {
	var r errorResponse
	if err := xml.Unmarshal(text, &r); err != nil || !codes.MatchString(r.Code) {
		return fmt.Errorf("sns: status %d without a reason that can be read", status)
	}
	said := fmt.Sprintf("sns: %s (status %d)", r.Code, status)
	if requests.MatchString(r.Request) {
		said = fmt.Sprintf("sns: %s (status %d, request %s)", r.Code, status, r.Request)
	}
	if status < 400 || status > 499 || status == http.StatusTooManyRequests {
		return errors.New(said)
	}
	switch strings.TrimSuffix(r.Code, "Exception") { // the SDKs' names have it
	case "OptedOut":
		return fmt.Errorf("%s: %w", said, twinlatch.ErrBadRecipient)
	case "InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "Validation", "ValidationError":
		if strings.Contains(r.Message, "PhoneNumber") {
			return fmt.Errorf("%s: %w", said, twinlatch.ErrBadRecipient)
		}
		return fmt.Errorf("%s: %w", said, twinlatch.ErrNoRoute)
	case "EndpointDisabled", "PlatformApplicationDisabled", "InvalidAction", "InvalidParameterCombination", "MissingParameter":
		return fmt.Errorf("%s: %w", said, twinlatch.ErrNoRoute)
	}
	return errors.New(said)
}

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
