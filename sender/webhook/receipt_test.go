package webhook_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/webhook"
)

// listener remembers what it is told.
type listener struct{ told []twinlatch.Receipt }

func (l *listener) post(s *webhook.Sender, r *http.Request) (code int) {
	w := httptest.NewRecorder()
	s.Receipts(func(_ context.Context, receipt twinlatch.Receipt) error {
		l.told = append(l.told, receipt)
		return nil
	}).ServeHTTP(w, r)
	return w.Code
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func TestReceiptsAreRead(t *testing.T) {
	s := newGateway(t, now, newSecret).sender(t, newSecret)
	long := strings.Repeat("d", 300)
	for _, c := range []struct {
		in   map[string]string
		code int
		want twinlatch.Receipt // zero: not told
	}{
		{map[string]string{"id": "m", "delivery": "delivered"}, 204, twinlatch.Receipt{Message: "m", Delivery: twinlatch.Delivered}},
		{map[string]string{"ref": "r", "delivery": "failed", "detail": "30005 unknown"}, 204, twinlatch.Receipt{Ref: "r", Delivery: twinlatch.Failed, Detail: "30005 unknown"}},
		{map[string]string{"id": "m", "ref": "r", "delivery": "failed"}, 204, twinlatch.Receipt{Message: "m", Ref: "r", Delivery: twinlatch.Failed}},
		{map[string]string{"id": "m", "delivery": "failed", "detail": "a\nb\x1b[1m\u202ec"}, 204, twinlatch.Receipt{Message: "m", Delivery: twinlatch.Failed, Detail: "a b [1m c"}},
		{map[string]string{"id": "m", "delivery": "failed", "detail": "+447700900167 is off"}, 204, twinlatch.Receipt{Message: "m", Delivery: twinlatch.Failed, Detail: "+… is off"}},
		{map[string]string{"id": "m", "delivery": "failed", "detail": long}, 204, twinlatch.Receipt{Message: "m", Delivery: twinlatch.Failed, Detail: long[:200]}},
		{map[string]string{"id": "m", "delivery": "sent"}, 204, twinlatch.Receipt{}},
		{map[string]string{"id": "m", "delivery": "Delivered"}, 400, twinlatch.Receipt{}},
		{map[string]string{"id": "m"}, 400, twinlatch.Receipt{}},
		{map[string]string{"delivery": "delivered"}, 400, twinlatch.Receipt{}},
		{map[string]string{"id": strings.Repeat("m", 65), "delivery": "delivered"}, 400, twinlatch.Receipt{}},
		{map[string]string{"ref": strings.Repeat("r", 201), "delivery": "delivered"}, 400, twinlatch.Receipt{}},
		{map[string]string{"id": "m", "delivery": "delivered", "detail": strings.Repeat("d", 64<<10)}, 413, twinlatch.Receipt{}},
	} {
		l := &listener{}
		code := l.post(s, receipt(t, newSecret, now(), c.in))
		var want []twinlatch.Receipt
		if c.want != (twinlatch.Receipt{}) {
			c.want.Sender = "webhook"
			want = append(want, c.want)
		}
		if code != c.code || !slices.Equal(l.told, want) {
			t.Errorf("%.80v: answered %d, told %+v, want %d, %+v", c.in, code, l.told, c.code, want)
		}
	}
}

func TestReceiptsAreGoodForFiveMinutes(t *testing.T) {
	s := newGateway(t, now, newSecret).sender(t, newSecret)
	for off, want := range map[time.Duration]int{
		0:                               204,
		5 * time.Minute:                 204,
		-5 * time.Minute:                204,
		5*time.Minute + time.Second:     403,
		-(5*time.Minute + time.Second):  403,
		100 * 365 * 24 * time.Hour:      403,
		-(100 * 365 * 24 * time.Hour):   403,
		time.Duration(1<<63 - 1):        403,
		time.Duration(-1 << 63):         403,
		now().Sub(time.Unix(0, 0)) * -1: 403, // 1970
	} {
		l := &listener{}
		if code := l.post(s, receipt(t, newSecret, now().Add(off), map[string]string{"id": "m", "delivery": "delivered"})); code != want {
			t.Errorf("%v off: answered %d, want %d", off, code, want)
		}
	}
}

func TestReceiptsNeedTheirHeaders(t *testing.T) {
	s := newGateway(t, now, newSecret).sender(t, newSecret)
	good := func() *http.Request {
		return receipt(t, newSecret, now(), map[string]string{"id": "m", "delivery": "delivered"})
	}
	right := good().Header.Get("webhook-signature")
	for name, c := range map[string]struct {
		header, value string
		code          int
	}{
		"no ID":                       {"webhook-id", "", 401},
		"no timestamp":                {"webhook-timestamp", "", 401},
		"no signature":                {"webhook-signature", "", 401},
		"a timestamp with a plus":     {"webhook-timestamp", "+1772600767", 403},
		"a timestamp with zeros":      {"webhook-timestamp", "01772600767", 403},
		"a timestamp in milliseconds": {"webhook-timestamp", "1772600767000", 403},
		"a timestamp out of range":    {"webhook-timestamp", "9223372036854775808", 403},
		"a timestamp as text":         {"webhook-timestamp", "now", 403},
		"another version":             {"webhook-signature", strings.Replace(right, "v1,", "v1a,", 1), 403},
		"no version":                  {"webhook-signature", strings.TrimPrefix(right, "v1,"), 403},
		"half a signature":            {"webhook-signature", right[:20], 403},
		"an empty one":                {"webhook-signature", "v1,", 403},
		"the right one of three":      {"webhook-signature", "v1a,abc v1,abc " + right, 204},
		"the right one after many":    {"webhook-signature", strings.Repeat("v1,abc ", 16) + right, 403},
		"the right one":               {"webhook-signature", right, 204},
	} {
		r := good()
		r.Header.Set(c.header, c.value)
		l := &listener{}
		if code := l.post(s, r); code != c.code || (len(l.told) == 1) != (code == 204) {
			t.Errorf("%s: answered %d, told %d, want %d", name, code, len(l.told), c.code)
		}
	}
}

func TestReplayIsToldAgain(t *testing.T) {
	s := newGateway(t, now, newSecret).sender(t, newSecret)
	l := &listener{}
	for range 2 {
		if code := l.post(s, receipt(t, newSecret, now(), map[string]string{"id": "m", "delivery": "delivered"})); code != 204 {
			t.Errorf("answered %d", code)
		}
	}
	if len(l.told) != 2 || l.told[0] != l.told[1] {
		t.Errorf("told %+v", l.told)
	}
}

// TestOurOwnRequestIsNoReceipt is about who throws back what we signed.
func TestOurOwnRequestIsNoReceipt(t *testing.T) {
	var echo *http.Request
	g := newGateway(t, now, newSecret)
	g.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		echo = httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", bytes.NewReader(body))
		echo.Header = r.Header.Clone()
	})
	s := g.sender(t, newSecret)
	if _, err := s.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	l := &listener{}
	if code := l.post(s, echo); code != http.StatusBadRequest || len(l.told) != 0 {
		t.Errorf("answered %d, told %+v", code, l.told)
	}
}
