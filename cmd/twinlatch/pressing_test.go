package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// A thousand presses of "Send again" at the same time, over two servers on one
// PostgreSQL, have their gateway asked once.
func TestAThousandPressesSendOnce(t *testing.T) {
	const presses, at = 1000, 40 // so many at a time
	var asked atomic.Int64
	codes := make(chan string, presses)
	gateway := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			Data struct{ Body string }
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("the gateway cannot read: %v", err)
		}
		asked.Add(1)
		codes <- body.Data.Body[:6]
	}))
	defer gateway.Close()
	t.Setenv("TWINLATCH_TEXT_SENDERS", "webhook")
	t.Setenv("TWINLATCH_TEXT_WEBHOOK_URL", gateway.URL)
	t.Setenv("TWINLATCH_TEXT_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	dir, database := t.TempDir(), twinlatchtest.Postgres(t)
	first, _ := startServer(t, dir, "--database", database)
	second, _ := startServer(t, dir, "--database", database)

	ann := &victim{server: first, email: "ann@example.com"}
	newAccount(t, ann.email, database, dir)
	ann.signIn()
	_, confirm, _ := ann.post(securityPath+"/add/text", "phone", "+44 7700 900167")
	ann.post(confirm, "code", receive(t, codes))
	later := func(by string) {
		for _, server := range []string{first, second} {
			(&victim{server: server}).post("/dev/clock", "advance", by)
		}
	}
	later("1m")
	if _, to, _ := ann.signIn(); to != "/verify" {
		t.Fatalf("sign-in led to %q", to)
	}
	right := receive(t, codes)
	_, _, page := ann.get("/verify")
	_, rest, _ := strings.Cut(page, `name="factor" value="`)
	factor, _, _ := strings.Cut(rest, `"`)
	before := asked.Load()
	later("31s")

	var took atomic.Int64
	var all sync.WaitGroup
	queue := make(chan int)
	for range at {
		all.Go(func() {
			for i := range queue {
				hand := &victim{server: []string{first, second}[i%2], session: ann.session}
				switch status, to, _ := hand.post("/verify/ask", "factor", factor); {
				case status == http.StatusSeeOther && to == "/verify":
					took.Add(1)
				case status != http.StatusTooManyRequests:
					t.Errorf("a press is answered %d %s", status, to)
				}
			}
		})
	}
	for i := range presses {
		queue <- i
	}
	close(queue)
	all.Wait()
	if n := asked.Load() - before; n != 1 || took.Load() != 1 {
		t.Errorf("the gateway was asked %d times, %d were told that a code is on its way", n, took.Load())
	}
	if again := receive(t, codes); again != right {
		t.Errorf("another code: %s, was %s", again, right)
	}
	if status, to, _ := ann.post("/verify", "code", right); status != http.StatusSeeOther || to != securityPath {
		t.Errorf("the code: %d %s", status, to)
	}
}
