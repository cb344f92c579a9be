package web

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Problem is an error as the outside may see it.
type Problem struct {
	Status     int
	Type       string        // last part of urn:twinlatch:problem:…
	RetryAfter time.Duration // zero: no such header
}

// problems is the one table from the core's errors to HTTP. The first that
// matches counts; what matches none is an internal error.
var problems = [...]struct {
	err    error
	status int
	name   string
}{
	{twinlatch.ErrNotFound, http.StatusNotFound, "not-found"},
	{twinlatch.ErrExists, http.StatusUnprocessableEntity, "exists"},
	{twinlatch.ErrNoSession, http.StatusUnauthorized, "sign-in"},
	{twinlatch.ErrWrongPassword, http.StatusUnprocessableEntity, "wrong-password"},
	{twinlatch.ErrWrongCode, http.StatusUnprocessableEntity, "wrong-code"},
	{twinlatch.ErrReplayed, http.StatusUnprocessableEntity, "wrong-code"},
	{twinlatch.ErrUnavailable, http.StatusServiceUnavailable, "method-unavailable"},
	{twinlatch.ErrExpired, http.StatusGone, "challenge-over"},
	{twinlatch.ErrNoTriesLeft, http.StatusUnprocessableEntity, "challenge-over"},
	{twinlatch.ErrLimited, http.StatusTooManyRequests, "too-many-tries"},
	{twinlatch.ErrBusy, http.StatusServiceUnavailable, "busy"},
	{twinlatch.ErrNotFresh, http.StatusUnauthorized, "verify-again"},
	{twinlatch.ErrRecovered, http.StatusForbidden, "recovered"},
	{twinlatch.ErrTwoStepOff, http.StatusConflict, "two-step-off"},
	{twinlatch.ErrUnconfirmed, http.StatusForbidden, "unconfirmed"},
	{twinlatch.ErrForbidden, http.StatusForbidden, "forbidden"},
	{twinlatch.ErrUnknownAddress, http.StatusForbidden, "unknown-address"},
	{twinlatch.ErrDisabled, http.StatusForbidden, "account-disabled"},
	{twinlatch.ErrNoRoute, http.StatusServiceUnavailable, "cannot-send"},
	{twinlatch.ErrBadRecipient, http.StatusUnprocessableEntity, "bad-recipient"},
	{twinlatch.ErrWrongKeys, http.StatusInternalServerError, "internal"},
	{ErrForm, http.StatusBadRequest, "form"},
}

// busyFor is told to clients when all password hashes are taken.
const busyFor = 5 * time.Second

// ProblemOf finds the problem of an error; now is the service's time.
func ProblemOf(err error, now time.Time) Problem {
	var field *twinlatch.FieldError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &field):
		return Problem{Status: http.StatusUnprocessableEntity, Type: "invalid-field"}
	case errors.As(err, &large):
		return Problem{Status: http.StatusRequestEntityTooLarge, Type: "too-large"}
	}
	for _, p := range problems {
		if !errors.Is(err, p.err) {
			continue
		}
		found := Problem{Status: p.status, Type: p.name}
		var limit *twinlatch.LimitError
		switch {
		case errors.As(err, &limit) && limit.RetryAt.IsZero():
			found.RetryAfter = 24 * time.Hour
		case errors.As(err, &limit):
			found.RetryAfter = max(time.Second, limit.RetryAt.Sub(now))
		case errors.Is(err, twinlatch.ErrBusy):
			found.RetryAfter = busyFor
		}
		return found
	}
	return Problem{Status: http.StatusInternalServerError, Type: "internal"}
}

// SetHeaders sets Retry-After (RFC 9110 §10.2.3), in whole seconds, rounded up.
func (p Problem) SetHeaders(h http.Header) {
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
}
