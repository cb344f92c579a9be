package main

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// post is a mail server that keeps e-mails, or refuses recipients.
type post struct {
	host   string
	refuse *smtp.SMTPError

	mu    sync.Mutex
	taken []string // recipient and e-mail
}

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &letter{post: p}, nil }))
	s.ErrorLog = log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(func() { s.Close() })
	p.host = listener.Addr().String()
	return p
}

func (p *post) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

type letter struct {
	*post
	to string
}

func (*letter) Mail(string, *smtp.MailOptions) error { return nil }

func (l *letter) Rcpt(to string, _ *smtp.RcptOptions) error {
	l.to = to
	if l.refuse != nil {
		return l.refuse
	}
	return nil
}

func (l *letter) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken = append(l.taken, l.to+" "+string(text))
	return err
}

func (*letter) Reset()        {}
func (*letter) Logout() error { return nil }

// typed runs a command line with these settings in the environment.
func typed(env []string, args ...string) (code int, out, errs string) {
	var o, e strings.Builder
	code = run(args, terminal{strings.NewReader(""), &o, &e, env})
	return code, o.String(), e.String()
}

func TestSendTest(t *testing.T) {
	t.Chdir(t.TempDir())
	p := newPost(t)
	down := httptest.NewServer(http.NotFoundHandler())
	defer down.Close()
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"ref":"r-1"}`) }))
	defer gateway.Close()
	mail := []string{"TWINLATCH_MAIL_HOST=" + p.host, "TWINLATCH_MAIL_TLS=none", "TWINLATCH_MAIL_FROM=Example <noreply@example.com>"}
	text := []string{"TWINLATCH_TEXT_SENDERS=webhook", "TWINLATCH_TEXT_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "TWINLATCH_TEXT_WEBHOOK_URL="}
	text[2] += gateway.URL
	broken := append([]string{}, text...)
	broken[2] = "TWINLATCH_TEXT_WEBHOOK_URL=" + down.URL
	const usage = "--to wants an e-mail address, or a number as +447700900167; see twinlatch --help\n"
	for name, c := range map[string]struct {
		env       []string
		to        string
		code      int
		out, errs string
	}{
		"an e-mail":                  {append(mail, text...), "ana@example.com", exitOK, "smtp took it\n", ""},
		"a text message":             {append(text, mail...), "+447700900167", exitOK, "webhook took it\n", ""},
		"a gateway that is down":     {broken, "+447700900167", exitFailure, "", "twinlatch: nobody took it: webhook: status 404\n"},
		"nobody sends e-mails":       {text, "ana@example.com", exitFailure, "", "twinlatch: nobody sends that: set mail.host\n"},
		"nobody sends text messages": {mail, "+447700900167", exitFailure, "", "twinlatch: nobody sends that: set text.senders\n"},
		"neither":                    {mail, "ana", exitUsage, "", usage},
		"a number without +":         {text, "07700900167", exitUsage, "", usage},
		"two addresses":              {mail, "a@example.com,b@example.com", exitUsage, "", usage},
		"half the settings":          {mail[:1], "ana@example.com", exitFailure, "", `twinlatch: setting mail: smtp: From is "", want Example <noreply@example.com>, in ASCII before the @` + "\n"},
	} {
		code, out, errs := typed(c.env, "send-test", "--to", c.to)
		if code != c.code || out != c.out || !strings.HasSuffix(errs, c.errs) || (errs == "") != (c.errs == "") {
			t.Errorf("%s: exit %d, printed %q and %q, want %d, %q and %q", name, code, out, errs, c.code, c.out, c.errs)
		}
	}
	if all := p.all(); len(all) != 1 || !strings.HasPrefix(all[0], "ana@example.com ") || !strings.Contains(all[0], "Subject: A test of Twinlatch\r\n") {
		t.Errorf("the post got %q", all)
	}
	if code, _, _ := typed(mail, "send-test"); code != exitUsage {
		t.Errorf("without a recipient: exit %d", code)
	}
}

func TestSendTestAsJSON(t *testing.T) {
	t.Chdir(t.TempDir())
	p := newPost(t)
	env := []string{"TWINLATCH_MAIL_HOST=" + p.host, "TWINLATCH_MAIL_TLS=none", "TWINLATCH_MAIL_FROM=noreply@example.com"}
	for refuse, want := range map[*smtp.SMTPError]attempt{
		nil: {Channel: "email", Sender: "smtp", Failed: []failure{}},
		{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "ana@example.com unknown"}: {
			Channel: "email", Failed: []failure{{"smtp", "smtp: recipient: refused with 550 5.1.1: this address cannot get messages"}},
		},
	} {
		p.refuse = refuse
		code, out, errs := typed(env, "send-test", "--json", "--to", "ana@example.com")
		var got attempt
		if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Message) != 26 {
			t.Fatalf("printed %q, %q: %v", out, errs, err)
		}
		if (code == exitOK) != (refuse == nil) || got.Sender != want.Sender || len(got.Failed) != len(want.Failed) {
			t.Errorf("exit %d, %+v, want %+v", code, got, want)
		}
		if len(want.Failed) == 1 && got.Failed[0] != want.Failed[0] {
			t.Errorf("failed %q, want %q", got.Failed, want.Failed)
		}
		if strings.Contains(out+errs, "ana@") {
			t.Errorf("the recipient is in %q, %q", out, errs)
		}
	}
}
