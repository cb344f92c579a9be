package vonage

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

const (
	maxReceipt = 64 << 10        // bytes; Vonage sends about 400
	window     = 5 * time.Minute // a receipt's age, and how far its clock may be ahead
)

// Receipts is where Config.Callback must lead. It passes on what was delivered
// and what failed, and ignores what is still on its way or unknown. tell is
// called once for each genuine receipt: for each part of a message, and again if
// Vonage repeats one.
//
// It answers 204, also to what it ignores; 403 to what is not signed with
// Config.Signature or is not of the last five minutes; 404 if tell says
// twinlatch.ErrNotFound, and 500 if it says anything else: Vonage tries both
// again. Without Config.Signature all is 403. Of a POST only the body counts, and
// of a GET only the query.
func (s *Sender) Receipts(tell func(context.Context, twinlatch.Receipt) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodPost {
			w.Header().Set("Allow", "GET, POST")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxReceipt)
		fields, ok := read(r)
		if !ok || !s.genuine(fields) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		receipt := parse(fields)
		if receipt.Delivery == "" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		switch err := tell(r.Context(), receipt); {
		case err == nil:
			w.WriteHeader(http.StatusNoContent)
		case errors.Is(err, twinlatch.ErrNotFound):
			w.WriteHeader(http.StatusNotFound)
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
}

// read takes the fields from where the method and the content have them. It is
// not content with a field that is there twice.
func read(r *http.Request) (map[string]string, bool) {
	if r.Method == http.MethodGet {
		return pairs(r.URL.RawQuery)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, false
	}
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case "application/x-www-form-urlencoded":
		return pairs(string(text))
	case "application/json":
		return object(text)
	}
	return nil, false
}

func pairs(text string) (map[string]string, bool) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, false
	}
	fields := make(map[string]string, len(values))
	for name, all := range values {
		if len(all) != 1 {
			return nil, false
		}
		fields[name] = all[0]
	}
	return fields, true
}

// object reads a flat JSON object. Numbers are as they are written.
func object(text []byte) (map[string]string, bool) {
	var raw map[string]json.RawMessage
	if json.Unmarshal(text, &raw) != nil {
		return nil, false
	}
	fields := make(map[string]string, len(raw))
	for name, value := range raw {
		var word string
		var digits json.Number
		switch {
		case string(value) == "null":
			return nil, false
		case json.Unmarshal(value, &word) == nil:
			fields[name] = word
		case json.Unmarshal(value, &digits) == nil:
			fields[name] = digits.String()
		default:
			return nil, false
		}
	}
	return fields, true
}

// genuine says whether Vonage signed the fields for this account just now.
func (s *Sender) genuine(fields map[string]string) bool {
	given, err := hex.DecodeString(fields["sig"])
	if err != nil || s.signature.Reveal() == "" || !hmac.Equal(given, sign(s.signature.Reveal(), fields)) {
		return false
	}
	if key, ok := fields["api-key"]; ok && key != s.key {
		return false
	}
	// A name with a delimiter could swallow another field without a change of
	// what is signed. Vonage has none.
	for name := range fields {
		if strings.ContainsAny(name, "&=") {
			return false
		}
	}
	at, err := strconv.ParseInt(fields["timestamp"], 10, 64)
	if err != nil {
		return false
	}
	age := s.clock().Sub(time.Unix(at, 0))
	return -window <= age && age <= window
}

// sign is "sig" before it becomes hexadecimal: HMAC-SHA-256 over "&name=value" of
// all other fields, sorted by name, with "_" for each "&" and "=" in a value
// ("Signing Messages").
func sign(secret string, fields map[string]string) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	clean := strings.NewReplacer("&", "_", "=", "_")
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "sig" {
			h.Write([]byte("&" + name + "=" + clean.Replace(fields[name])))
		}
	}
	return h.Sum(nil)
}

// parse reads a genuine receipt. Delivery is empty if it settles nothing.
func parse(fields map[string]string) twinlatch.Receipt {
	receipt := twinlatch.Receipt{
		Sender:  Name,
		Message: twinlatch.MessageID(fields["client-ref"]),
		Ref:     fields["messageId"],
	}
	switch status := fields["status"]; status {
	case "delivered":
		receipt.Delivery = twinlatch.Delivered
	case "failed", "rejected", "expired":
		receipt.Delivery = twinlatch.Failed
		receipt.Detail = status
		if code, err := strconv.ParseUint(fields["err-code"], 10, 16); err == nil && code != 0 {
			receipt.Detail = strconv.FormatUint(code, 10) + " " + cmp.Or(causes[int(code)], status)
		}
	}
	return receipt
}

// causes are the error codes of "Delivery Receipts" in our words, for the log.
var causes = map[int]string{
	1:  "unknown",
	2:  "absent for now",
	3:  "absent for good",
	4:  "barred by the recipient",
	5:  "number was ported",
	6:  "held for spam",
	7:  "handset busy",
	8:  "network error",
	9:  "illegal number",
	10: "illegal message",
	11: "cannot be routed",
	12: "destination unreachable",
	13: "age restriction",
	14: "blocked by the carrier",
	15: "prepaid credit used up",
	99: "general error",
}
