package smpp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/sender/smpp"
)

func text(body string) twinlatch.Message {
	return twinlatch.Message{
		ID: "one", Channel: twinlatch.Text, To: twinlatch.NewSecret("+447700900167"), Body: twinlatch.NewSecret(body),
		Country: "GB", ExpiresAt: time.Now().Add(10 * time.Minute),
	}
}

// The npm package smpp decodes what we send.
func TestNodeDecodesTexts(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	const (
		basic     = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
		extension = "\f^{}\\[~]|€"
	)
	for name, want := range map[string]taken{
		"the whole alphabet":   {Body: basic, Parts: 1},
		"the extension":        {Body: extension, Parts: 1},
		"160":                  {Body: strings.Repeat("a", 160), Parts: 1},
		"161":                  {Body: strings.Repeat("a", 161), Parts: 2},
		"80 of the extension":  {Body: strings.Repeat("[]", 40), Parts: 1},
		"81 of the extension":  {Body: strings.Repeat("[]€", 27), Parts: 2},
		"ten parts":            {Body: strings.Repeat("0123456789", 153), Parts: 10},
		"UCS-2":                {Body: "Ваш код: 483920 ✓", Coding: 8, Parts: 1},
		"70 of UCS-2":          {Body: strings.Repeat("я", 70), Coding: 8, Parts: 1},
		"71 of UCS-2":          {Body: strings.Repeat("я", 71), Coding: 8, Parts: 2},
		"surrogates":           {Body: strings.Repeat("🔑", 350/2), Coding: 8, Parts: 6},
		"ten parts of UCS-2":   {Body: strings.Repeat("я", 670), Coding: 8, Parts: 10},
		"one letter spoils it": {Body: strings.Repeat("a", 70) + "`", Coding: 8, Parts: 2},
	} {
		for _, payload := range []bool{false, true} {
			s := n.open(nil)
			sender := s.sender(t, func(c *smpp.Config) { c.Payload = payload })
			ref, err := sender.Send(t.Context(), text(want.Body))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			whole := want
			whole.To, whole.Ref, whole.Receipts = "+447700900167", ref, 1
			if payload && want.Parts > 1 {
				whole.Parts, whole.Payload = 1, true
			}
			if all := s.seen().Taken; len(all) != 1 || all[0] != whole {
				t.Errorf("%s: the SMSC got %+v, want %+v", name, all, whole)
			}
		}
	}
}

// ledger is a listener that does not know the first messages it is told of.
type ledger struct {
	mu      sync.Mutex
	unknown int
	told    []twinlatch.Receipt
}

func (l *ledger) tell(_ context.Context, r twinlatch.Receipt) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unknown > 0 {
		l.unknown--
		return twinlatch.ErrNotFound
	}
	l.told = append(l.told, r)
	return nil
}

// Receipts arrive in both forms; what else the SMSC says is answered.
func TestNodeSendsReceipts(t *testing.T) {
	t.Parallel()
	s := startNode(t).open(nil)
	l := &ledger{unknown: 1}
	sender := s.sender(t, nil)
	sender.Receipts(l.tell)
	ref, err := sender.Send(t.Context(), text("483920"))
	if err != nil {
		t.Fatal(err)
	}
	const fine = "deliver_sm_resp"
	from := map[string]any{"source_addr": "447700900167", "destination_addr": "Example"}
	for _, row := range []struct {
		name string
		pdu  map[string]any
		want twinlatch.Receipt // without Ref: none
	}{
		{"text", map[string]any{"esm_class": 4, "short_message": "id:" + ref + " sub:001 dlvrd:001 submit date:2603040506 done date:2603040507 stat:DELIVRD err:000 text:483920"},
			twinlatch.Receipt{Sender: "smpp", Ref: ref, Delivery: twinlatch.Delivered, Detail: "DELIVRD"}},
		{"parameters", map[string]any{"esm_class": 4, "receipted_message_id": ref, "message_state": 5},
			twinlatch.Receipt{Sender: "smpp", Ref: ref, Delivery: twinlatch.Failed, Detail: "UNDELIV"}},
		{"payload", map[string]any{"esm_class": 4, "message_payload": "id:" + ref + " stat:EXPIRED err:01b"},
			twinlatch.Receipt{Sender: "smpp", Ref: ref, Delivery: twinlatch.Failed, Detail: "EXPIRED err:01b"}},
		{"under way", map[string]any{"esm_class": 4, "receipted_message_id": ref, "message_state": 1}, twinlatch.Receipt{}},
		{"from a phone", map[string]any{"short_message": "STOP"}, twinlatch.Receipt{}},
	} {
		for k, v := range from {
			row.pdu[k] = v
		}
		l.mu.Lock()
		l.told = nil
		l.mu.Unlock()
		if got := s.ask("deliver", row.pdu); got != (reply{fine, 0}) {
			t.Errorf("%s: answered %+v", row.name, got)
		}
		l.mu.Lock()
		if row.want.Ref == "" && len(l.told) != 0 || row.want.Ref != "" && !slices.Equal(l.told, []twinlatch.Receipt{row.want}) {
			t.Errorf("%s: told %+v, want %+v", row.name, l.told, row.want)
		}
		l.mu.Unlock()
	}
	if got := s.ask("enquire", nil); got != (reply{"enquire_link_resp", 0}) {
		t.Errorf("enquire_link is answered %+v", got)
	}
	if got := s.ask("query", nil); got != (reply{"generic_nack", 3}) {
		t.Errorf("an unknown command is answered %+v", got)
	}
}

// A receipt of a message sent before a restart arrives without a Send, and after
// a lost connection without anybody asking.
func TestNodeIsBoundForReceipts(t *testing.T) {
	t.Parallel()
	s := startNode(t).open(nil)
	told := make(chan string, 1)
	s.sender(t, nil).Receipts(func(_ context.Context, r twinlatch.Receipt) error {
		told <- r.Ref
		return nil
	})
	for binds := 1; binds <= 2; binds++ {
		s.call("bound", map[string]any{"server": s.index, "binds": binds}, nil)
		s.ask("deliver", map[string]any{"esm_class": 4, "receipted_message_id": "abc", "message_state": 2})
		if ref := <-told; ref != "abc" {
			t.Errorf("told of %q", ref)
		}
		s.call("drop", map[string]any{"server": s.index}, nil)
	}
}

// A lost connection is made again for the next message. Close unbinds.
func TestNodeLosesTheConnection(t *testing.T) {
	t.Parallel()
	s := startNode(t).open(nil)
	sender := s.sender(t, nil)
	if _, err := sender.Send(t.Context(), text("1")); err != nil {
		t.Fatal(err)
	}
	s.next("drop")
	if _, err := sender.Send(t.Context(), text("2")); err == nil || errors.Is(err, twinlatch.ErrNoRoute) {
		t.Errorf("Send over a lost connection: %v", err)
	}
	if _, err := sender.Send(t.Context(), text("3")); err != nil {
		t.Error(err)
	}
	if err := sender.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if all := s.seen(); len(all.Taken) != 2 || len(all.Binds) != 2 || all.Unbinds != 1 {
		t.Errorf("the SMSC saw %+v", all)
	}
}

func TestNodeRefusesThePassword(t *testing.T) {
	t.Parallel()
	s := startNode(t).open(nil)
	sender := s.sender(t, func(c *smpp.Config) { c.Password = twinlatch.NewSecret("mistake") })
	_, err := sender.Send(t.Context(), text("483920"))
	if err == nil || err.Error() != "smpp: bind refused: 0xe ESME_RINVPASWD, wrong password" {
		t.Errorf("Send: %v", err)
	}
}

// With TLS the certificate must be of the host and of somebody trusted.
func TestNodeWithTLS(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	key, cert, roots := certificate(t)
	s := n.open(map[string]any{"key": key, "cert": cert})
	for name, row := range map[string]struct {
		change func(*smpp.Config)
		fine   bool
	}{
		"good":           {func(c *smpp.Config) { c.TLS, c.Roots = true, roots }, true},
		"unknown signer": {func(c *smpp.Config) { c.TLS = true }, false},
		"another host": {func(c *smpp.Config) {
			c.TLS, c.Roots, c.Address = true, roots, strings.Replace(c.Address, "127.0.0.1", "localhost", 1)
		}, false},
	} {
		_, err := s.sender(t, row.change).Send(t.Context(), text("483920"))
		if (err == nil) != row.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
	plain := n.open(nil)
	if _, err := plain.sender(t, func(c *smpp.Config) { c.TLS, c.Roots = true, roots }).Send(t.Context(), text("483920")); err == nil {
		t.Error("sent to a server without TLS")
	}
	if got := plain.seen(); len(got.Binds) != 0 {
		t.Error("the password went out in clear text")
	}
}

// certificate is one for 127.0.0.1, and the pool that trusts it.
func certificate(t *testing.T) (key, cert string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wanted := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "smsc"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, wanted, wanted, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(block("CERTIFICATE", signed)))
	return block("PRIVATE KEY", der), block("CERTIFICATE", signed), roots
}
