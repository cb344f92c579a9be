package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"unicode"

	"github.com/twinlatch/twinlatch"
)

const (
	maxID     = 64  // bytes
	maxDetail = 200 // characters
)

// Receipts takes what the gateway tells about messages, as POST of JSON, signed
// as what Send posts:
//
//	{"id":"…","delivery":"delivered"}
//	{"ref":"…","delivery":"failed","detail":"unknown handset"}
//
// id is the message's ID, ref what the gateway answered to Send; one of them is
// enough. "queued" and "sent" are allowed and settle nothing. The detail is for
// the log: up to 200 characters, in which numbers of six and more digits, as of
// phones, become "…".
//
// The answer is 204; 401 without the three headers; 403 if no signature is right
// or the timestamp is more than five minutes off; 400 if it is genuine and still
// no receipt; 404 if tell says twinlatch.ErrNotFound, and 500 if it says anything
// else: the gateway may send it again. 405 and 413 are as usual.
//
// IDs of requests are not remembered: who replays a receipt within its five
// minutes tells us once more what we know.
func (s *Sender) Receipts(tell func(context.Context, twinlatch.Receipt) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "POST a receipt", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			http.Error(w, "the body broke off", http.StatusBadRequest)
			return
		}
		switch err := s.keys.verify(r.Header, s.clock(), body); {
		case errors.Is(err, errUnsigned):
			http.Error(w, "not signed", http.StatusUnauthorized)
			return
		case err != nil:
			http.Error(w, "the signature is wrong, or too old or new", http.StatusForbidden)
			return
		}
		receipt, err := parse(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if receipt.Delivery == twinlatch.Delivered || receipt.Delivery == twinlatch.Failed {
			err = tell(r.Context(), receipt)
		}
		switch {
		case errors.Is(err, twinlatch.ErrNotFound):
			http.Error(w, "no such message", http.StatusNotFound)
		case err != nil:
			http.Error(w, "not noted, try again", http.StatusInternalServerError)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
}

// long are numbers that could be a recipient's.
var long = regexp.MustCompile(`[0-9]{6,}`)

// parse reads a receipt. Unknown fields are let be, for gateways that are newer.
func parse(body []byte) (twinlatch.Receipt, error) {
	var in struct {
		ID       twinlatch.MessageID `json:"id"`
		Ref      string              `json:"ref"`
		Delivery twinlatch.Delivery  `json:"delivery"`
		Detail   string              `json:"detail"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return twinlatch.Receipt{}, errors.New("want a JSON object with id or ref, delivery and detail, all texts")
	}
	switch {
	case in.ID == "" && in.Ref == "":
		return twinlatch.Receipt{}, errors.New("want id or ref")
	case len(in.ID) > maxID || len(in.Ref) > maxRef:
		return twinlatch.Receipt{}, errors.New("id or ref is too long")
	}
	switch in.Delivery {
	case twinlatch.Queued, twinlatch.Sent, twinlatch.Delivered, twinlatch.Failed:
	default:
		return twinlatch.Receipt{}, errors.New(`want delivery "delivered" or "failed"`)
	}
	return twinlatch.Receipt{Sender: name, Message: in.ID, Ref: in.Ref, Delivery: in.Delivery, Detail: clean(in.Detail)}, nil
}

// clean makes a text of others fit for one line of the log.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	s = long.ReplaceAllString(s, "…")
	if all := []rune(s); len(all) > maxDetail {
		s = string(all[:maxDetail])
	}
	return s
}
