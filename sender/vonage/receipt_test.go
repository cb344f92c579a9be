package vonage_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/sendertest"
	"github.com/twinlatch/twinlatch/sender/vonage"
)

// told serves r and returns the status of the answer and the receipts.
func told(s *vonage.Sender, r *http.Request) (int, []twinlatch.Receipt) {
	var all []twinlatch.Receipt
	w := httptest.NewRecorder()
	s.Receipts(func(_ context.Context, r twinlatch.Receipt) error {
		all = append(all, r)
		return nil
	}).ServeHTTP(w, r)
	return w.Code, all
}

func notice() sendertest.Notice {
	return sendertest.Notice{Message: "abcdefghijklmnopqrstuvwxyz", Ref: "0A0000000123ABCD1", To: "+447700900167"}
}

func TestReceiptDetails(t *testing.T) {
	s := newSender(t, newFake(t, now), nil)
	n := notice()
	for _, c := range []struct{ status, code, want string }{
		{"failed", "9", "9 illegal number"}, {"rejected", "6", "6 held for spam"}, {"expired", "0", "expired"},
		{"failed", "", "failed"}, {"failed", "447700900167", "failed"}, {"failed", "77", "77 failed"}, {"delivered", "0", ""},
	} {
		want := twinlatch.Receipt{Sender: "vonage", Message: n.Message, Ref: n.Ref, Delivery: twinlatch.Failed, Detail: c.want}
		if c.status == "delivered" {
			want.Delivery = twinlatch.Delivered
		}
		for _, r := range forms(signature, fields(n, c.status, c.code, start)) {
			if _, all := told(s, r); len(all) != 1 || all[0] != want {
				t.Errorf("%v: %+v", c, all)
			}
		}
	}
}

// TestWindow is the five minutes in which a receipt is good.
func TestWindow(t *testing.T) {
	for late, want := range map[time.Duration]int{
		0: 204, 5 * time.Minute: 204, -5 * time.Minute: 204,
		5*time.Minute + time.Second: 403, -5*time.Minute - time.Second: 403, 24 * time.Hour: 403, 100 * 365 * 24 * time.Hour: 403,
	} {
		s := newSender(t, newFake(t, now), func(c *vonage.Config) { c.Clock = func() time.Time { return start.Add(late) } })
		for _, r := range forms(signature, fields(notice(), "delivered", "0", start)) {
			if code, all := told(s, r); code != want || (len(all) == 1) != (want == 204) {
				t.Errorf("%v late: answered %d, told %v", late, code, all)
			}
		}
	}
	s := newSender(t, newFake(t, now), nil)
	for _, stamp := range []string{"", "now", "1e9", "9223372036854775807", "-9223372036854775808", "99999999999999999999"} {
		f := fields(notice(), "delivered", "0", start)
		f["timestamp"] = stamp
		for _, r := range forms(signature, f) {
			if code, all := told(s, r); code != http.StatusForbidden || len(all) != 0 {
				t.Errorf("timestamp %q: %d, %v", stamp, code, all)
			}
		}
	}
}

// TestReceiptForms are spellings that mean the same.
func TestReceiptForms(t *testing.T) {
	s := newSender(t, newFake(t, now), nil)
	f := fields(notice(), "delivered", "0", start)
	f["sig"] = fmt.Sprintf("%X", vonage.Sign(signature, f))
	text := `{"timestamp":` + f["timestamp"]
	delete(f, "timestamp")
	for name, value := range f {
		text += fmt.Sprintf(",%q:%q", name, value)
	}
	for _, content := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON"} {
		r := httptest.NewRequest(http.MethodPost, "/?a=b", strings.NewReader(text+"}"))
		r.Header.Set("Content-Type", content)
		if code, all := told(s, r); code != http.StatusNoContent || len(all) != 1 {
			t.Errorf("%s, in capitals, with a number: %d, %v", content, code, all)
		}
	}
}

func TestReceiptsOfOthers(t *testing.T) {
	s := newSender(t, newFake(t, now), nil)
	for name, change := range map[string]func(map[string]string){
		"another account": func(f map[string]string) { f["api-key"] = "abcd1235" },
		"a swallowed field": func(f map[string]string) {
			f["err-code=0&message-timestamp"] = f["message-timestamp"]
			delete(f, "err-code")
			delete(f, "message-timestamp")
		},
	} {
		f := fields(notice(), "delivered", "0", start)
		change(f)
		for _, r := range forms(signature, f) {
			if code, all := told(s, r); code != http.StatusForbidden || len(all) != 0 {
				t.Errorf("%s: %d, %v", name, code, all)
			}
		}
	}
	without := newSender(t, newFake(t, now), func(c *vonage.Config) {
		c.Signature, c.Secret, c.Callback = twinlatch.Secret{}, twinlatch.NewSecret(secret), ""
	})
	for _, r := range forms("", fields(notice(), "delivered", "0", start)) {
		if code, all := told(without, r); code != http.StatusForbidden || len(all) != 0 {
			t.Errorf("without Signature: %d, %v", code, all)
		}
	}
}

// FuzzReceipts signs whatever can be read, as GET, form and JSON: the parser
// behind the signature must be content with everything, and nothing is told that
// is not signed.
func FuzzReceipts(f *testing.F) {
	for i, r := range forms(signature, fields(notice(), "failed", "9", start)) {
		text := r.URL.RawQuery
		if i > 0 {
			var b bytes.Buffer
			if _, err := b.ReadFrom(r.Body); err != nil {
				f.Fatal(err)
			}
			text = b.String()
		}
		f.Add(i, text)
	}
	f.Add(0, "status=delivered&status=failed")
	f.Add(1, "%zz;&=\x00")
	f.Add(2, `{"status":{"a":[null]},"timestamp":1e400,"sig":"zz"}`)
	f.Add(2, `{"status":null}`)
	s := newSender(f, newFake(f, now), nil)
	at := strconv.FormatInt(start.Unix(), 10)
	f.Fuzz(func(t *testing.T, form int, text string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(text))
		switch form % 3 {
		case 0:
			r.Method, r.URL.RawQuery = http.MethodGet, text
		case 1:
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		default:
			r.Header.Set("Content-Type", "application/json")
		}
		code, all := told(s, r)
		if code != http.StatusNoContent && code != http.StatusForbidden {
			t.Errorf("answered %d", code)
		}
		if len(all) > 0 && !strings.Contains(text, "timestamp") {
			t.Errorf("told %+v of what is not signed", all)
		}
		values, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		signed := map[string]string{}
		for name := range values {
			signed[name] = values.Get(name)
		}
		signed["timestamp"] = at
		for _, r := range forms(signature, signed) {
			code, all := told(s, r)
			if code != http.StatusNoContent && code != http.StatusForbidden {
				t.Errorf("answered %d to %q", code, signed)
			}
			if len(all) > 0 && all[0].Delivery != twinlatch.Delivered && all[0].Delivery != twinlatch.Failed {
				t.Errorf("told %+v", all[0])
			}
		}
	})
}
