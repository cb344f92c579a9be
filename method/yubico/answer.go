package yubico

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/twinlatch/twinlatch"
)

// answer is a response of protocol 2.0 by the names of its fields.
type answer map[string]string

var errAnswer = errors.New("answered what is not of the validation protocol")

// readAnswer takes lines of name=value. A name may come once, and no value has
// what would let the signed text be split into fields in another way.
func readAnswer(text []byte) (answer, error) {
	a := answer{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if _, twice := a[name]; !ok || twice || !isPlain(name) || !isPlain(value) {
			return nil, errAnswer
		}
		a[name] = value
	}
	return a, nil
}

// isPlain says whether s is visible ASCII without "&".
func isPlain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '&' })
}

// sign is the signature of fields: HMAC-SHA-1 of name=value, sorted by name and
// joined by "&", without h ("Generating signatures").
func sign(key twinlatch.Secret, fields map[string]string) []byte {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "h" {
			pairs = append(pairs, name+"="+fields[name])
		}
	}
	mac := hmac.New(sha1.New, []byte(key.Reveal()))
	mac.Write([]byte(strings.Join(pairs, "&")))
	return mac.Sum(nil)
}

func (a answer) isSigned(key twinlatch.Secret) bool {
	h, err := base64.StdEncoding.Strict().DecodeString(a["h"])
	return err == nil && hmac.Equal(h, sign(key, a))
}

// undecided are the known statuses that say nothing about the password, with
// what operators may do.
var undecided = map[string]string{
	"REPLAYED_REQUEST":      "another server of the same service had our request before",
	"BAD_SIGNATURE":         "the key is not that of the client ID",
	"MISSING_PARAMETER":     "it does not speak protocol 2.0 as we do, or the client ID is wrong",
	"NO_SUCH_CLIENT":        "it does not know the client ID",
	"OPERATION_NOT_ALLOWED": "the client ID may not validate",
	"BACKEND_ERROR":         "it has a fault",
	"NOT_ENOUGH_ANSWERS":    "it could not reach the other servers of its service",
}

// judge is the counter of a good password, a verdict on a bad one, or an error
// that tells why neither: the answer is not to this question, or has none.
func (a answer) judge(key twinlatch.Secret, otp OTP, nonce string) (int64, error) {
	status := a["status"]
	why, known := undecided[status]
	ours := a["otp"] == otp.Reveal() && a["nonce"] == nonce
	_, hasOTP := a["otp"]
	_, hasNonce := a["nonce"]
	switch signed := a.isSigned(key); {
	case known: // which must be told also when it is not signed, because then the key may be wrong
		return 0, fmt.Errorf("answered %s: %s", status, why)
	case !signed:
		return 0, errors.New("answered what is not signed with the key of our client ID")
	case !ours && (hasOTP || hasNonce || status != "BAD_OTP"):
		return 0, errors.New("answered another question than ours")
	case status == "BAD_OTP":
		return 0, twinlatch.ErrWrongCode
	case status == "REPLAYED_OTP":
		return 0, twinlatch.ErrReplayed
	case status != "OK":
		return 0, errors.New("answered with an unknown status")
	}
	usage, errUsage := strconv.ParseUint(a["sessioncounter"], 10, 16)
	session, errSession := strconv.ParseUint(a["sessionuse"], 10, 8)
	if errUsage != nil || errSession != nil {
		return 0, errors.New("answered OK without the counters of the key")
	}
	return counter(int(usage), int(session)), nil
}

// unanswered tells of err what is safe: the text of others has the URL in it,
// and so the password, or what the peer wrote.
func unanswered(ctx context.Context, err error) error {
	var timeout net.Error
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("gave no answer in time")
	case ctx.Err() != nil:
		return fmt.Errorf("was not waited for: %w", ctx.Err())
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("cannot be reached: %w", op)
	case errors.As(err, &certificate):
		return fmt.Errorf("has no good certificate: %w", certificate)
	}
	return errors.New("broke the connection off, or does not speak HTTP")
}
