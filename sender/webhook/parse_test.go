package webhook

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/twinlatch/twinlatch"
)

// FuzzReceipt holds what parse lets through to what a log and a store can take.
func FuzzReceipt(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"id":"m"}`, `{"id":1,"delivery":"failed"}`, `{"ID":"m","Delivery":"sent"}`,
		`{"id":"m","delivery":"delivered"}`,
		`{"ref":"r","delivery":"failed","detail":"+447700900167\n\u202e\ud800` + "\xff" + `"}`,
		`{"id":"m","delivery":"delivered"} {}`,
		`{"id":"m","id":"n","delivery":"failed","delivery":"delivered"}`,
		`{"id":"m","delivery":"queued","detail":"` + strings.Repeat("é", 300) + `"}`,
		strings.Repeat(`{"id":`, 20_000),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parse(body)
		if err != nil {
			if r != (twinlatch.Receipt{}) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%+v with the error %q", r, err)
			}
			return
		}
		switch {
		case r.Sender != name, r.Message == "" && r.Ref == "", len(r.Message) > maxID, len(r.Ref) > maxRef:
			t.Errorf("of %q: %+v", body, r)
		case utf8.RuneCountInString(r.Detail) > maxDetail, !utf8.ValidString(r.Detail), long.MatchString(r.Detail):
			t.Errorf("the detail is %q", r.Detail)
		case strings.ContainsFunc(r.Detail, func(r rune) bool { return !unicode.IsPrint(r) }):
			t.Errorf("the detail %q does not print", r.Detail)
		}
		switch r.Delivery {
		case twinlatch.Queued, twinlatch.Sent, twinlatch.Delivered, twinlatch.Failed:
		default:
			t.Errorf("the delivery is %q", r.Delivery)
		}
		if again, err := parse(body); err != nil || again != r {
			t.Errorf("read twice: %+v, then %+v, %v", r, again, err)
		}
	})
}
