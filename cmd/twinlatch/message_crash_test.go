package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// gateway is somebody's own gateway for text messages. It answers the first
// request never.
type gateway struct {
	*httptest.Server
	asked chan string // webhook-id of each request
	texts chan string // bodies of what was answered
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{asked: make(chan string, 10), texts: make(chan string, 10)}
	release := make(chan struct{})
	first := true
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Data struct{ Body string }
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("the gateway cannot read: %v", err)
		}
		g.asked <- r.Header.Get("webhook-id")
		if first {
			first = false
			select {
			case <-release:
			case <-r.Context().Done():
			}
			return
		}
		g.texts <- body.Data.Body
	}))
	t.Cleanup(func() { close(release); g.Close() })
	return g
}

// A server is killed while it hands a code to its gateway. The next one hands it
// over again, under the same id, and the code is good.
func TestAMessageSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	g := newGateway(t)
	t.Setenv("TWINLATCH_TEXT_SENDERS", "webhook")
	t.Setenv("TWINLATCH_TEXT_WEBHOOK_URL", g.URL+"/send")
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TWINLATCH_TEXT_WEBHOOK_SECRET_FILE", secret)
	base, kill := startServer(t, dir)
	v := &victim{server: base, email: "ann@example.com"}
	newAccount(t, v.email, "sqlite:"+filepath.Join(dir, "var", "twinlatch.db"), dir)
	v.signIn()
	began := make(chan string)
	go func() {
		_, to, _ := v.post(securityPath+"/add/text", "phone", "+44 7700 900167")
		began <- to
	}()
	id := receive(t, g.asked)
	kill()
	if to := receive(t, began); to != "" {
		t.Fatalf("the killed server sent us to %s", to)
	}

	v.server, _ = startServer(t, dir)
	v.post("/dev/clock", "advance", "31s") // the lease of the dead one ends
	if again := receive(t, g.asked); again != id {
		t.Errorf("the message is %s, and was %s", again, id)
	}
	code := receive(t, g.texts)[:6]
	// The person did not see the page of the code; there it is when asked again.
	v.post("/dev/clock", "advance", "1m")
	to := v.sendAgain(t, g, code)
	if status, to, page := v.post(to, "code", code); status != http.StatusSeeOther || !strings.HasSuffix(to, securityPath) {
		t.Errorf("the code: %d %s %s", status, to, regexp.MustCompile(`(?s)<main.*</main>`).FindString(page))
	}
}

// sendAgain presses the button until the server, which may not yet have written
// down that the message before was taken, sends the same code again.
func (v *victim) sendAgain(t *testing.T, g *gateway, code string) (to string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if status, at, _ := v.post(securityPath+"/add/text", "phone", "+44 7700 900167"); status == http.StatusSeeOther {
			to = at
		}
		select {
		case text := <-g.texts:
			if text[:6] != code {
				t.Errorf("the code is %s, and was %s", text[:6], code)
			}
			return to
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("it was not sent again")
	return to
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}
