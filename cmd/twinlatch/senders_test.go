package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/sqlstore"
)

// enough are the settings with which each sender starts.
var enough = map[string][]string{
	"twilio":  {"ACCOUNT=AC00112233445566778899aabbccddeeff", "TOKEN=token", "FROM=+15005550006"},
	"vonage":  {"KEY=abcd1234", "SIGNATURE=secret", "FROM=Example"},
	"sns":     {"REGION=eu-west-1", "ACCESS_KEY=AKIDEXAMPLEEXAMPLE00", "SECRET_KEY=secret"},
	"smpp":    {"ADDRESS=localhost:1", "SYSTEM_ID=example", "PASSWORD=secret"},
	"webhook": {"URL=https://gateway.example/", "SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
}

func settings(t *testing.T, sender string, lines []string) *config.Config {
	t.Helper()
	t.Chdir(t.TempDir())
	env := []string{"TWINLATCH_TEXT_SENDERS=" + sender}
	for _, line := range lines {
		env = append(env, "TWINLATCH_TEXT_"+strings.ToUpper(sender)+"_"+line)
	}
	cfg, err := config.Load(config.Source{Dev: true, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Each sender that can be named starts with its settings, and with nothing says
// which it misses.
func TestEachSenderStarts(t *testing.T) {
	for name, lines := range enough {
		all, err := newSenders(settings(t, name, lines))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := all.all[0].Name(); got != name {
			t.Errorf("%s is called %s", name, got)
		}
		handlers := all.listen(func(context.Context, twinlatch.Receipt) error { t.Error("told"); return nil })
		if _, heard := handlers[name]; heard != (name != "sns" && name != "smpp") {
			t.Errorf("%s: receipts by HTTP: %v", name, heard)
		}
		for _, h := range handlers { // nobody signed this
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/receipts/"+name, strings.NewReader("{}")))
			if w.Code < 400 || w.Code > 499 {
				t.Errorf("%s: a forged receipt is %d", name, w.Code)
			}
		}
		if err := all.close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := newSenders(settings(t, name, nil)); err == nil || !strings.HasPrefix(err.Error(), "setting text."+name) {
			t.Errorf("%s without settings: %v", name, err)
		}
	}
	if _, err := newTextSender("pigeon", settings(t, "sns", nil)); err == nil {
		t.Error("a pigeon")
	}
}

// In development mode the outbox has every message, and is the sender where there
// is no other.
func TestSendersInDevelopment(t *testing.T) {
	p := newPost(t)
	gateway := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer gateway.Close()
	t.Chdir(t.TempDir())
	store, err := sqlstore.Open(t.Context(), "sqlite:test.db")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	mail := []string{"TWINLATCH_MAIL_HOST=" + p.host, "TWINLATCH_MAIL_TLS=none", "TWINLATCH_MAIL_FROM=noreply@example.com"}
	text := []string{"TWINLATCH_TEXT_WEBHOOK_URL=" + gateway.URL, "TWINLATCH_TEXT_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
	for name, c := range map[string]struct {
		env                        []string
		forTexts, forMails, others string
	}{
		"nothing set":        {nil, "outbox ", "outbox ", ""},
		"mail":               {mail, "outbox ", "smtp ", "smtp "},
		"text":               {append(text, "TWINLATCH_TEXT_SENDERS=webhook"), "webhook ", "outbox ", "webhook "},
		"text or the outbox": {append(text, "TWINLATCH_TEXT_SENDERS=webhook,outbox"), "webhook outbox ", "outbox ", "webhook "},
		"both":               {append(append(text, "TWINLATCH_TEXT_SENDERS=webhook"), mail...), "webhook ", "smtp ", "webhook smtp "},
	} {
		cfg, err := config.Load(config.Source{Dev: true, Env: c.env})
		if err != nil {
			t.Fatal(err)
		}
		all, err := newSenders(cfg)
		if err != nil {
			t.Fatal(err)
		}
		dev, err := development(t.Context(), cfg, store, all)
		if err != nil {
			t.Fatal(err)
		}
		carried := func(by twinlatch.Channel) (names string) {
			for _, sender := range all.all {
				if sender.Carries(by) {
					names += sender.Name() + " "
				}
			}
			return names
		}
		others := ""
		for _, sender := range all.named {
			others += sender.Name() + " "
		}
		if texts, mails := carried(twinlatch.Text), carried(twinlatch.Email); texts != c.forTexts || mails != c.forMails || others != c.others {
			t.Errorf("%s: texts by %s, e-mails by %s, of others %s", name, texts, mails, others)
		}
		for by, to := range map[twinlatch.Channel]string{twinlatch.Text: "+447700900167", twinlatch.Email: "ana@example.com"} {
			i := slices.IndexFunc(all.all, func(sender twinlatch.Sender) bool { return sender.Carries(by) })
			if _, err := all.all[i].Send(t.Context(), twinlatch.Message{
				ID: "a", Channel: by, To: twinlatch.NewSecret(to), Subject: "Hello", Body: twinlatch.NewSecret("hello"), ExpiresAt: time.Now().Add(time.Minute),
			}); err != nil {
				t.Errorf("%s, %s: %v", name, by, err)
			}
			if kept := dev.Messages(); len(kept) == 0 || kept[0].To != to || kept[0].Subject != "Hello" {
				t.Errorf("%s: the outbox has %+v", name, kept)
			}
		}
	}
	if got := len(p.all()); got != 2 {
		t.Errorf("the post got %d", got)
	}
}
