package twilio_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/sendertest"
	"github.com/twinlatch/twinlatch/sender/twilio"
)

// told serves r and returns the status of the answer and the receipts.
func told(s *twilio.Sender, r *http.Request) (int, []twinlatch.Receipt) {
	var all []twinlatch.Receipt
	w := httptest.NewRecorder()
	s.Receipts(func(_ context.Context, r twinlatch.Receipt) error {
		all = append(all, r)
		return nil
	}).ServeHTTP(w, r)
	return w.Code, all
}

func notice() sendertest.Notice {
	return sendertest.Notice{Message: "abcdefghijklmnopqrstuvwxyz", Ref: "SM0123456789abcdef0123456789abcdef", To: "+447700900167"}
}

func TestReceiptDetails(t *testing.T) {
	s := newSender(t, newFake(t), nil)
	n := notice()
	for code, want := range map[string]string{
		"30005": "30005 unknown handset", "30999": "30999 undelivered", "": "undelivered", "x +447700900167": "undelivered", "-1": "undelivered",
	} {
		_, all := told(s, status(token, n, "undelivered", url.Values{"ErrorCode": {code}}))
		if len(all) != 1 || all[0] != (twinlatch.Receipt{Sender: "twilio", Message: n.Message, Ref: n.Ref, Delivery: twinlatch.Failed, Detail: want}) {
			t.Errorf("error code %q: %+v", code, all)
		}
	}
	// Twilio announces that parameters may be added.
	if code, all := told(s, status(token, n, "delivered", url.Values{"Price": {"0.1", "0.2", "0.1"}, "RawDlrDoneDate": {"2603040507"}})); code != 204 || len(all) != 1 {
		t.Errorf("more parameters: %d, %v", code, all)
	}
}

func TestReceiptsOfOthers(t *testing.T) {
	s := newSender(t, newFake(t), nil)
	for name, r := range map[string]*http.Request{
		"another account": status(token, notice(), "delivered", url.Values{"AccountSid": {"AC" + strings.Repeat("0", 32)}}),
		"two states":      status(token, notice(), "delivered", url.Values{"MessageStatus": {"delivered", "failed"}}),
		"no state":        status(token, notice(), "delivered", url.Values{"MessageStatus": nil}),
	} {
		if code, all := told(s, r); code != http.StatusForbidden || len(all) != 0 {
			t.Errorf("%s: %d, %v", name, code, all)
		}
	}
	without := newSender(t, newFake(t), func(c *twilio.Config) { c.Callback = "" })
	if code, all := told(without, status(token, notice(), "delivered", nil)); code != http.StatusForbidden || len(all) != 0 {
		t.Errorf("without Callback: %d, %v", code, all)
	}
	get := status(token, notice(), "delivered", nil)
	get.Method = http.MethodGet
	if code, _ := told(s, get); code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", code)
	}
}

// TestPorts is about Twilio naming the port of the scheme or leaving one out.
func TestPorts(t *testing.T) {
	for configured, signed := range map[string]string{
		"https://example.com/r":      "https://example.com:443/r",
		"https://example.com:8443/r": "https://example.com/r",
		"https://[2001:db8::1]/r":    "https://[2001:db8::1]:443/r",
		"http://localhost/r":         "http://localhost:80/r",
	} {
		s := newSender(t, newFake(t), func(c *twilio.Config) { c.Callback = configured })
		for _, at := range []string{configured, signed} {
			r := status(token, notice(), "delivered", nil)
			if err := r.ParseForm(); err != nil {
				t.Fatal(err)
			}
			signature := twilio.Sign(token, at+"?"+r.URL.RawQuery, r.PostForm)
			r.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(signature))
			if code, all := told(s, r); code != http.StatusNoContent || len(all) != 1 {
				t.Errorf("%s, signed as %s: %d", configured, at, code)
			}
		}
	}
}

// FuzzReceipts signs whatever comes: the parser behind the signature must be
// content with everything, and what it tells must be one of the two states.
func FuzzReceipts(f *testing.F) {
	good := status(token, notice(), "failed", url.Values{"ErrorCode": {"30005"}})
	if err := good.ParseForm(); err != nil {
		f.Fatal(err)
	}
	f.Add(good.URL.RawQuery, good.PostForm.Encode(), true)
	f.Add("message=a&message=b", "AccountSid="+account+"&MessageStatus=delivered", true)
	f.Add("%zz;&=", "a=%zz&;==&\x00", false)
	s := newSender(f, newFake(f), nil)
	f.Fuzz(func(t *testing.T, query, text string, signed bool) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(text))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		form, err := url.ParseQuery(text)
		if signed && err == nil {
			r.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(twilio.Sign(token, callback+"?"+query, form)))
		}
		code, all := told(s, r)
		switch {
		case code != http.StatusNoContent && code != http.StatusForbidden:
			t.Errorf("answered %d", code)
		case len(all) > 0 && (!signed || err != nil || code != http.StatusNoContent):
			t.Errorf("told %+v of what is not signed", all)
		case len(all) > 0 && all[0].Delivery != twinlatch.Delivered && all[0].Delivery != twinlatch.Failed:
			t.Errorf("told %+v", all[0])
		}
	})
}
