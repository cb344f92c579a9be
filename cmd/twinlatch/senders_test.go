package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
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
	if _, err := newSender("pigeon", settings(t, "sns", nil)); err == nil {
		t.Error("a pigeon")
	}
}
