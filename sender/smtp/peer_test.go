package smtp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"mime"
	"net"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/smtp"
)

// peer is a server of emersion/go-smtp, which reads commands strictly.
type peer struct {
	*gosmtp.Server
	host  string
	taken chan taken
}

type taken struct {
	user, from, to string
	letter         []byte
}

// serve starts it; change sets what differs.
func serve(t testing.TB, change func(*gosmtp.Server)) *peer {
	t.Helper()
	p := &peer{taken: make(chan taken, 9)}
	p.Server = gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return &session{peer: p}, nil }))
	p.Domain, p.MaxLineLength, p.ErrorLog = "peer", 1000, log.New(io.Discard, "", 0)
	change(p.Server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.Serve(listener) }()
	t.Cleanup(func() { p.Close() })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	p.host = "localhost:" + port
	return p
}

type session struct {
	*peer
	now taken
}

func (*session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(identity, name, word string) error {
		if identity != "" || name != user || word != password {
			return errors.New("who are you")
		}
		s.now.user = name
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *gosmtp.MailOptions) error { s.now.from = from; return nil }

func (s *session) Rcpt(to string, _ *gosmtp.RcptOptions) error { s.now.to += to; return nil }

func (s *session) Data(r io.Reader) (err error) {
	if s.now.letter, err = io.ReadAll(r); err == nil {
		s.taken <- s.now
	}
	return err
}

func (*session) Reset()        {}
func (*session) Logout() error { return nil }

func TestAnotherServer(t *testing.T) {
	trust, roots := certified(t, "localhost", now().AddDate(100, 0, 0))
	p := serve(t, func(s *gosmtp.Server) { s.TLSConfig = trust })
	s := newSender(t, smtp.Config{Host: p.host, User: user, Password: twinlatch.NewSecret(password), From: from, Roots: roots, Clock: now})
	if _, err := s.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	if got := <-p.taken; got.user != user || got.from != "noreply@example.com" || got.to != address {
		t.Errorf("took %+v", got)
	}
}

// FuzzNothingIsInjected: whatever names, subjects, addresses and texts hold, the
// e-mail has the headers that it should have, and one recipient.
func FuzzNothingIsInjected(f *testing.F) {
	p := serve(f, func(*gosmtp.Server) {})
	for _, seed := range [][4]string{
		{"Example", "Hello", address, "Hello\n"},
		{"Příklad, s.r.o.", "Žluťoučký kůň 🔑", "ann@příklad.example", ".\n..\n"},
		{"A\r\nBcc: eve@example.com", "A\r\nBcc: eve@example.com", "ann@example.com\r\nBcc: eve@example.com", "\r\n.\r\nMAIL FROM:<eve@example.com>\r\n"},
		{"=?utf-8?q?A=0D=0ABcc:_eve?=", "=?utf-8?q?A=0D=0ABcc:_eve?=", "ann@example.com> SIZE=1 <eve@example.com", "\n.\n"},
		{`"\" <eve@example.com>, "`, "\r\n\r\n<script>", `"ann> <eve"@example.com`, "\r.\r"},
		{strings.Repeat("ž", 64), strings.Repeat("🔑", 300), "a@b,eve@example.com", strings.Repeat("x", 3000)},
		{"a\u2028b\u0085c", "a\x00b\xff", "ann@example.com\x00", "\xff\x00"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, name, subject, to, text string) {
		who := mail.Address{Name: name, Address: "noreply@example.com"}
		for _, from := range []string{who.String(), name + " <noreply@example.com>"} {
			s, err := smtp.New(smtp.Config{Host: p.host, TLS: smtp.NoTLS, From: from, Clock: now})
			if err != nil {
				continue
			}
			m := message()
			m.Subject, m.To, m.Body, m.HTML = subject, twinlatch.NewSecret(to), twinlatch.NewSecret(text), twinlatch.NewSecret(text)
			if _, err := s.Send(t.Context(), m); err != nil {
				if class(err) == "later" {
					t.Fatal(err)
				}
				m.To = twinlatch.NewSecret(address)
				if _, err := s.Send(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			look(t, <-p.taken, m)
		}
	})
}

// look is what must hold of every e-mail.
func look(t *testing.T, got taken, sent twinlatch.Message) {
	t.Helper()
	if strings.Count(got.to, "@") != 1 || got.from != "noreply@example.com" || strings.ContainsFunc(got.to, unicode.IsControl) {
		t.Fatalf("from %q to %q", got.from, got.to)
	}
	for line := range bytes.SplitSeq(got.letter, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r >= utf8.RuneSelf }) {
			t.Fatalf("a line of %d bytes: %.100q", len(line), line)
		}
	}
	m, err := mail.ReadMessage(bytes.NewReader(got.letter))
	if err != nil {
		t.Fatalf("%v\n%s", err, got.letter)
	}
	names := slices.Sorted(maps.Keys(m.Header))
	want := []string{"Auto-Submitted", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To"}
	if sent.HTML.Reveal() == "" {
		want = slices.Insert(want, 1, "Content-Transfer-Encoding")
	}
	if !slices.Equal(names, want) {
		t.Fatalf("headers %q", names)
	}
	for name, values := range m.Header {
		if len(values) != 1 {
			t.Fatalf("%s: %q", name, values)
		}
	}
	for header, address := range map[string]string{"To": got.to, "From": got.from} {
		if all, err := m.Header.AddressList(header); err != nil || len(all) != 1 || all[0].Address != address {
			t.Fatalf("%s: %v, %v, want %s", header, all, err, address)
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || strings.ContainsFunc(subject, unicode.IsControl) || utf8.RuneCountInString(subject) > 200 {
		t.Fatalf("subject %q, %v", subject, err)
	}
	if clean := strings.TrimSpace(sent.Subject); clean == sent.Subject && utf8.ValidString(clean) && len(clean) < 200 &&
		!strings.ContainsFunc(clean, unicode.IsControl) && subject != clean {
		t.Fatalf("subject %q, want %q", subject, fmt.Sprint(sent.Subject))
	}
}
