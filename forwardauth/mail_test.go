package forwardauth_test

import (
	"context"
	"sync"
	"testing"

	"github.com/twinlatch/twinlatch"
)

// letterbox is where mails arrive, which say nothing but the token of their link.
type letterbox struct {
	mu    sync.Mutex
	links []string
}

func (b *letterbox) Name() string { return "letterbox" }

func (b *letterbox) Carries(by twinlatch.Channel) bool { return by == twinlatch.Email }

func (b *letterbox) Send(_ context.Context, m twinlatch.Message) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.links = append(b.links, m.Body.Reveal())
	return "", nil
}

// into makes a Service send its mails there.
func (b *letterbox) into(c *twinlatch.Config) {
	c.Notice = func(_ twinlatch.Account, e twinlatch.Event, t twinlatch.Token) *twinlatch.Message {
		if e.Type != twinlatch.EventResetAsked {
			return nil
		}
		return &twinlatch.Message{Subject: string(e.Type), Body: twinlatch.NewSecret(t.Reveal())}
	}
	c.Sending.Senders = append(c.Sending.Senders, b)
}

// link is that of the last mail.
func (b *letterbox) link(t *testing.T) twinlatch.Token {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.links) == 0 {
		t.Fatal("no mail")
	}
	token, err := twinlatch.ParseToken(b.links[len(b.links)-1])
	if err != nil {
		t.Fatal(err)
	}
	return token
}
