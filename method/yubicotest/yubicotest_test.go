package yubicotest_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/method/yubicotest"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

const id = "12345"

func key(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// ykclient is what Yubico's own client says of a password, and its exit code.
func ykclient(t *testing.T, s *yubicotest.Server, id, key, otp string) (string, int) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ykclient", "--debug", "--url", s.URL, "--apikey", key, id, otp).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return string(out), exit.ExitCode()
	case err != nil:
		t.Fatal(err)
	}
	return string(out), 0
}

// libykclient signs its request and verifies the signature of the answer.
func TestYkclientUnderstandsTheServer(t *testing.T) {
	s := yubicotest.New(t, id, key("twenty bytes of key!"))
	k, stranger := twinlatchtest.NewYubiKey(), twinlatchtest.NewYubiKey()
	s.Add(k.Identity, k.Private[:], k.Key[:])
	first, second := k.Touch(), k.Touch()
	for _, c := range []struct {
		name, id, key, otp, want string
		code                     int
	}{
		{"good", id, key("twenty bytes of key!"), second, "Success", 0},
		{"again", id, key("twenty bytes of key!"), second, "REPLAYED_OTP", 2},
		{"an older one", id, key("twenty bytes of key!"), first, "REPLAYED_OTP", 2},
		{"the next", id, key("twenty bytes of key!"), k.Touch(), "Success", 0},
		{"an unknown key", id, key("twenty bytes of key!"), stranger.Touch(), "BAD_OTP", 3},
		{"a forged one", id, key("twenty bytes of key!"), k.Identity + stranger.Touch()[12:], "BAD_OTP", 3},
		// Its answer is signed, but not with the key that the client has.
		{"a wrong API key", id, key("another key of them!"), k.Touch(), "BAD_SERVER_SIGNATURE", 3},
		{"an unknown client", "54321", key("twenty bytes of key!"), k.Touch(), "BAD_SERVER_SIGNATURE", 3},
	} {
		if out, code := ykclient(t, s, c.id, c.key, c.otp); !strings.Contains(out, c.want) || code != c.code {
			t.Errorf("%s: exit %d\n%s", c.name, code, out)
		}
	}
	for _, q := range s.Asked() {
		if q.Get("h") == "" {
			t.Errorf("not signed: %v", q)
		}
	}
	s.Instead(func(w http.ResponseWriter, _ *http.Request, a yubicotest.Answer) {
		_, _ = w.Write([]byte(a.Text(key("another signature!!!"))))
	})
	if out, code := ykclient(t, s, id, key("twenty bytes of key!"), k.Touch()); !strings.Contains(out, "BAD_SERVER_SIGNATURE") || code != 3 {
		t.Errorf("a forged answer: exit %d\n%s", code, out)
	}
}

// Passwords that libyubikey made.
func TestYkclientWithYkgenerate(t *testing.T) {
	s, k := yubicotest.New(t, id, key("twenty bytes of key!")), twinlatchtest.NewYubiKey()
	s.Add(k.Identity, k.Private[:], k.Key[:])
	out, err := exec.CommandContext(t.Context(), "ykgenerate", hex.EncodeToString(k.Key[:]), hex.EncodeToString(k.Private[:]), "0013", "c0a8", "00", "10").Output()
	if err != nil {
		t.Fatal(err)
	}
	if out, code := ykclient(t, s, id, key("twenty bytes of key!"), k.Identity+strings.TrimSpace(string(out))); code != 0 {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// Passwords of the YubiKey in software are those of a YubiKey to libyubikey.
func TestYkparseReadsTheYubiKey(t *testing.T) {
	k := twinlatchtest.NewYubiKey()
	k.Plug()
	k.Touch()
	out, err := exec.CommandContext(t.Context(), "ykparse", hex.EncodeToString(k.Key[:]), k.Touch()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, line := range []string{"crc check: ok", "cleaned counter: 2 ", "session use: 1 ", "triggered by caps lock: no"} {
		if !strings.Contains(string(out), line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
}

// What yubikey-val refuses before it looks at the password.
func TestServerIsStrict(t *testing.T) {
	s, k := yubicotest.New(t, id, key("twenty bytes of key!")), twinlatchtest.NewYubiKey()
	s.Add(k.Identity, k.Private[:], k.Key[:])
	nonce := strings.Repeat("n", 16)
	for want, changes := range map[string][]url.Values{
		"MISSING_PARAMETER": {{"nonce": nil}, {"nonce": {"short"}}, {"nonce": {strings.Repeat("n", 41)}}, {"nonce": {"not-alphanumeric!"}}, {"otp": nil}, {"id": nil}, {"id": {"one"}}},
		"NO_SUCH_CLIENT":    {{"id": {"54321"}}},
		"BAD_SIGNATURE":     {{"h": {"AAAA"}}, {"h": {""}}},
		"BAD_OTP":           {{"otp": {"cccc"}}, {"otp": {strings.Repeat("a", 44)}}, {"otp": {strings.Repeat("c", 49)}}},
		"OK":                {{}},
	} {
		for _, change := range changes {
			q := url.Values{"id": {id}, "nonce": {nonce}, "otp": {k.Touch()}}
			for name, values := range change {
				q[name] = values
				if values == nil {
					delete(q, name)
				}
			}
			got := ask(t, s, q)
			if !strings.Contains(got, "\r\nstatus="+want+"\r\n") {
				t.Errorf("%v: %q, want %s", q, got, want)
			}
			if strings.Contains(got, "sessioncounter=") {
				t.Errorf("counters that nobody asked for: %q", got)
			}
		}
	}
	q := url.Values{"id": {id}, "nonce": {nonce}, "otp": {k.Touch()}}
	for _, want := range []string{"OK", "REPLAYED_REQUEST", "REPLAYED_REQUEST"} {
		if got := ask(t, s, q); !strings.Contains(got, "\r\nstatus="+want+"\r\n") {
			t.Errorf("the same nonce: %q, want %s", got, want)
		}
	}
	q.Set("nonce", "another"+nonce)
	if got := ask(t, s, q); !strings.Contains(got, "\r\nstatus=REPLAYED_OTP\r\n") {
		t.Errorf("another nonce: %q", got)
	}
}

func ask(t *testing.T, s *yubicotest.Server, q url.Values) string {
	t.Helper()
	res, err := http.Get(s.URL + "?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var text strings.Builder
	if err := res.Write(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
