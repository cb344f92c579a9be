package config

import (
	"errors"
	"math"
	"strings"
	"time"
)

// ParseDuration reads a length of time in days, hours, minutes and seconds,
// larger units first: "30d", "12h", "1d12h", "90s". It is positive; there is no
// sign, fraction or space. A day is 24 hours.
func ParseDuration(s string) (time.Duration, error) {
	form := errors.New("want a duration such as 30d, 12h or 1d12h (d, h, m, s)")
	var total, last time.Duration
	last = math.MaxInt64
	for rest := s; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 || digits == len(rest) {
			return 0, form
		}
		unit := unitOf(rest[digits])
		if unit == 0 || unit >= last {
			return 0, form
		}
		var n time.Duration
		for _, c := range []byte(rest[:digits]) {
			n = n*10 + time.Duration(c-'0')
			if n > (math.MaxInt64-total)/unit {
				return 0, errors.New("longer than 292 years")
			}
		}
		total, last, rest = total+n*unit, unit, rest[digits+1:]
	}
	switch {
	case s == "":
		return 0, form
	case total == 0:
		return 0, errors.New("must be longer than zero")
	}
	return total, nil
}

func unitOf(c byte) time.Duration {
	switch c {
	case 'd':
		return 24 * time.Hour
	case 'h':
		return time.Hour
	case 'm':
		return time.Minute
	case 's':
		return time.Second
	}
	return 0
}
