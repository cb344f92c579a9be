package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

const (
	idHeader        = "webhook-id"
	timestampHeader = "webhook-timestamp"
	signatureHeader = "webhook-signature"

	prefix        = "whsec_"
	minKey        = 24 // bytes, by the specification
	maxKey        = 64
	tolerance     = 5 * time.Minute
	maxSignatures = 16 // of one request
)

// What is wrong with a request that is not genuine.
var (
	errUnsigned = errors.New("webhook: not signed")
	errForged   = errors.New("webhook: forged, or of another time")
)

// keys are the bytes of the secrets, the newest first.
type keys [][]byte

func newKeys(secrets []twinlatch.Secret) (all keys, err error) {
	if len(secrets) == 0 {
		return nil, errors.New("webhook: there is no secret to sign with")
	}
	for _, s := range secrets {
		text, ok := strings.CutPrefix(s.Reveal(), prefix)
		key, err := base64.StdEncoding.Strict().DecodeString(text)
		if !ok || err != nil || len(key) < minKey || len(key) > maxKey {
			return nil, errors.New("webhook: a secret must be \"whsec_\" and 24 to 64 bytes in base64")
		}
		all = append(all, key)
	}
	return all, nil
}

// signature is the value for one key, Standard Webhooks, "Signature scheme".
func signature(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// sign sets the three headers.
func (all keys) sign(h http.Header, id string, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(all))
	for i, key := range all {
		signatures[i] = signature(key, id, timestamp, body)
	}
	h.Set(idHeader, id)
	h.Set(timestampHeader, timestamp)
	h.Set(signatureHeader, strings.Join(signatures, " "))
}

// verify says whether one of the signatures is of one of the keys and not more
// than tolerance from now: nil, errUnsigned or errForged. It compares in
// constant time.
//
// An ID with dots could move the borders between the parts, but then the body
// would not begin as JSON.
func (all keys) verify(h http.Header, now time.Time, body []byte) error {
	id, timestamp, given := h.Get(idHeader), h.Get(timestampHeader), h.Get(signatureHeader)
	if id == "" || timestamp == "" || given == "" {
		return errUnsigned
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return errForged
	}
	signatures := strings.Fields(given)
	for _, key := range all {
		right := []byte(signature(key, id, timestamp, body))
		for _, s := range signatures[:min(len(signatures), maxSignatures)] {
			if hmac.Equal([]byte(s), right) {
				return nil
			}
		}
	}
	return errForged
}
