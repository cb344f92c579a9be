package yubico

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/yubicotest"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// short is for tests whose servers give no answer.
const short = time.Second

func newServers(t testing.TB, all ...*yubicotest.Server) *Servers {
	t.Helper()
	var urls []string
	for _, s := range all {
		urls = append(urls, s.URL)
	}
	return newServersAt(t, time.Minute, urls...)
}

func newServersAt(t testing.TB, limit time.Duration, urls ...string) *Servers {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	s, err := NewServers(ServersConfig{URLs: urls, ID: clientID, Key: twinlatch.NewSecret(clientKey), Timeout: limit, Client: client})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newService is a validation server and a YubiKey that it knows.
func newService(t testing.TB) (*yubicotest.Server, *twinlatchtest.YubiKey) {
	t.Helper()
	server, k := yubicotest.New(t, clientID, clientKey), twinlatchtest.NewYubiKey()
	server.Add(k.Identity, k.Private[:], k.Key[:])
	return server, k
}

func TestServersAsk(t *testing.T) {
	server, k := newService(t)
	s := newServers(t, server)
	for i := range 3 {
		otp := k.Touch()
		n, err := s.Validate(t.Context(), rand.Reader, parse(t, otp))
		if err != nil || n != int64(1<<8|i) {
			t.Fatalf("%d, %v", n, err)
		}
		if _, err := s.Validate(t.Context(), rand.Reader, parse(t, otp)); !errors.Is(err, twinlatch.ErrReplayed) {
			t.Errorf("again: %v", err)
		}
	}
	if _, err := s.Validate(t.Context(), rand.Reader, parse(t, twinlatchtest.NewYubiKey().Touch())); !errors.Is(err, twinlatch.ErrWrongCode) {
		t.Errorf("a key that nobody knows: %v", err)
	}
	nonces := map[string]bool{}
	for _, q := range server.Asked() {
		if len(q) != 5 || q.Get("id") != clientID || q.Get("timestamp") != "1" || q.Get("h") == "" || len(q.Get("otp")) != 44 || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(q.Get("nonce")) {
			t.Errorf("asked %v", q)
		}
		nonces[q.Get("nonce")] = true
	}
	if len(nonces) != 7 {
		t.Errorf("%d nonces in 7 requests", len(nonces))
	}
}

// The key of the client is not that of the server, or the client is unknown.
func TestServersSayWhatIsWrongWithTheSettings(t *testing.T) {
	server, k := newService(t)
	for name, c := range map[string]struct{ id, key, want string }{
		"another key":    {clientID, base64.StdEncoding.EncodeToString([]byte("twenty other bytes!!")), "BAD_SIGNATURE: the key is not that of the client ID"},
		"another client": {"54321", clientKey, "NO_SUCH_CLIENT: it does not know the client ID"},
	} {
		s, err := NewServers(ServersConfig{URLs: []string{server.URL}, ID: c.id, Key: twinlatch.NewSecret(c.key)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Validate(t.Context(), rand.Reader, parse(t, k.Touch())); !errors.Is(err, twinlatch.ErrUnavailable) || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func silent(_ http.ResponseWriter, r *http.Request, _ yubicotest.Answer) { <-r.Context().Done() }

func lying(w http.ResponseWriter, _ *http.Request, a yubicotest.Answer) {
	a["status"] = "OK"
	_, _ = w.Write([]byte(a.Text(base64.StdEncoding.EncodeToString(make([]byte, 20)))))
}

func status(s *yubicotest.Server, status string) func(http.ResponseWriter, *http.Request, yubicotest.Answer) {
	return func(w http.ResponseWriter, _ *http.Request, a yubicotest.Answer) {
		a["status"] = status
		_, _ = w.Write([]byte(a.Text(s.Sign(a))))
	}
}

// down is where nobody listens.
func down(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String() + yubicotest.Path
}

func TestOneGoodServerIsEnough(t *testing.T) {
	good, k := newService(t)
	bad := yubicotest.New(t, clientID, clientKey)
	for name, instead := range map[string]func(http.ResponseWriter, *http.Request, yubicotest.Answer){
		"silent":        silent,
		"lying":         lying,
		"broken":        status(bad, "BACKEND_ERROR"),
		"alone":         status(bad, "NOT_ENOUGH_ANSWERS"),
		"misconfigured": status(bad, "OPERATION_NOT_ALLOWED"),
		"of the future": status(bad, "GOOD"),
	} {
		bad.Instead(instead)
		for _, urls := range [][]string{{bad.URL, good.URL}, {good.URL, bad.URL}, {down(t), bad.URL, good.URL}} {
			if _, err := newServersAt(t, time.Minute, urls...).Validate(t.Context(), rand.Reader, parse(t, k.Touch())); err != nil {
				t.Errorf("the other is %s: %v", name, err)
			}
		}
	}
}

func TestServersRefuseWhenOneKnowsWhy(t *testing.T) {
	sure, k := newService(t)
	other := yubicotest.New(t, clientID, clientKey)
	for word, want := range map[string]error{"REPLAYED_OTP": twinlatch.ErrReplayed, "BAD_OTP": twinlatch.ErrWrongCode} {
		sure.Instead(status(sure, word))
		for name, instead := range map[string]func(http.ResponseWriter, *http.Request, yubicotest.Answer){"silent": silent, "lying": lying} {
			other.Instead(instead)
			_, err := newServersAt(t, time.Minute, down(t), other.URL, sure.URL).Validate(t.Context(), rand.Reader, parse(t, k.Touch()))
			if !errors.Is(err, want) {
				t.Errorf("%s, and one is %s: %v", word, name, err)
			}
		}
	}
}

// The servers of one service see the same nonce, so the one that comes second
// says that it is the same request, and that decides nothing.
func TestServersOfOneService(t *testing.T) {
	one, k := newService(t)
	s := newServers(t, one, one.Peer(t), one.Peer(t), one.Peer(t), one.Peer(t))
	for range 20 {
		otp := parse(t, k.Touch())
		if _, err := s.Validate(t.Context(), rand.Reader, otp); err != nil {
			t.Error(err)
		}
		if _, err := s.Validate(t.Context(), rand.Reader, otp); !errors.Is(err, twinlatch.ErrReplayed) {
			t.Errorf("again: %v", err)
		}
	}
}

func TestTheSecondOfAServiceIsWaitedFor(t *testing.T) {
	first, k := newService(t)
	second := yubicotest.New(t, clientID, clientKey)
	told := make(chan struct{})
	first.Instead(func(w http.ResponseWriter, r *http.Request, honest yubicotest.Answer) {
		<-told // that it was good is told after the other has said that it knows the request
		_, _ = w.Write([]byte(honest.Text(first.Sign(honest))))
	})
	second.Instead(func(w http.ResponseWriter, r *http.Request, a yubicotest.Answer) {
		status(second, "REPLAYED_REQUEST")(w, r, a)
		close(told)
	})
	if _, err := newServers(t, second, first).Validate(t.Context(), rand.Reader, parse(t, k.Touch())); err != nil {
		t.Error(err)
	}
}

func TestOneAttemptHasOneNonce(t *testing.T) {
	one, k := newService(t)
	two, three := yubicotest.New(t, clientID, clientKey), yubicotest.New(t, clientID, clientKey)
	for _, s := range []*yubicotest.Server{one, two, three} {
		s.Instead(status(s, "BACKEND_ERROR")) // so that all are waited for
	}
	_, err := newServers(t, one, two, three).Validate(t.Context(), rand.Reader, parse(t, k.Touch()))
	if !errors.Is(err, twinlatch.ErrUnavailable) || strings.Count(err.Error(), "BACKEND_ERROR") != 3 {
		t.Error(err)
	}
	if a, b, c := one.Asked()[0], two.Asked()[0], three.Asked()[0]; a.Encode() != b.Encode() || b.Encode() != c.Encode() {
		t.Errorf("%v\n%v\n%v", a, b, c)
	}
}

func TestTheOthersAreNotWaitedFor(t *testing.T) {
	good, k := newService(t)
	slow := yubicotest.New(t, clientID, clientKey)
	came, left := make(chan struct{}), make(chan struct{})
	slow.Instead(func(_ http.ResponseWriter, r *http.Request, _ yubicotest.Answer) {
		close(came)
		<-r.Context().Done()
		close(left)
	})
	good.Instead(func(w http.ResponseWriter, r *http.Request, honest yubicotest.Answer) {
		<-came
		_, _ = w.Write([]byte(honest.Text(good.Sign(honest))))
	})
	if _, err := newServers(t, slow, good).Validate(t.Context(), rand.Reader, parse(t, k.Touch())); err != nil {
		t.Error(err)
	}
	<-left
}

func TestServersFailClosed(t *testing.T) {
	hangs, k := newService(t)
	hangs.Instead(silent)
	liar := yubicotest.New(t, clientID, clientKey)
	liar.Instead(lying)
	_, err := newServersAt(t, short, down(t), hangs.URL, liar.URL).Validate(t.Context(), rand.Reader, parse(t, k.Touch()))
	if !errors.Is(err, twinlatch.ErrUnavailable) || isVerdict(err) {
		t.Fatal(err)
	}
	for _, part := range []string{"connection refused", "gave no answer in time", "not signed", "127.0.0.1:"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("does not say %q: %v", part, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than a line: %q", err)
	}
}

func TestWhoAskedMayLeave(t *testing.T) {
	hangs, k := newService(t)
	ctx, leave := context.WithCancel(t.Context())
	hangs.Instead(func(_ http.ResponseWriter, r *http.Request, _ yubicotest.Answer) {
		leave()
		<-r.Context().Done()
	})
	if _, err := newServers(t, hangs).Validate(ctx, rand.Reader, parse(t, k.Touch())); !errors.Is(err, twinlatch.ErrUnavailable) || !strings.Contains(err.Error(), "was not waited for") {
		t.Error(err)
	}
}

func TestOneOfManyCallsPasses(t *testing.T) {
	one, k := newService(t)
	s, otp := newServers(t, one, one.Peer(t)), parse(t, k.Touch())
	errs := make(chan error)
	for range 16 {
		go func() {
			_, err := s.Validate(t.Context(), rand.Reader, otp)
			errs <- err
		}()
	}
	passed := 0
	for range 16 {
		if err := <-errs; err == nil {
			passed++
		} else if !errors.Is(err, twinlatch.ErrReplayed) {
			t.Error(err)
		}
	}
	if passed != 1 {
		t.Errorf("%d passed", passed)
	}
}

func TestServersWantATrustedCertificate(t *testing.T) {
	server, k := newService(t)
	secure := httptest.NewUnstartedServer(server)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // that the certificate was refused
	secure.StartTLS()
	t.Cleanup(secure.Close)
	c := ServersConfig{URLs: []string{secure.URL + yubicotest.Path}, ID: clientID, Key: twinlatch.NewSecret(clientKey)}
	validate := func() error {
		s, err := NewServers(c)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Validate(t.Context(), rand.Reader, parse(t, k.Touch()))
		return err
	}
	if err := validate(); !errors.Is(err, twinlatch.ErrUnavailable) || !strings.Contains(err.Error(), "has no good certificate") {
		t.Error(err)
	}
	if n := len(server.Asked()); n != 0 {
		t.Errorf("%d passwords were sent", n)
	}
	c.Client = secure.Client()
	if err := validate(); err != nil {
		t.Error(err)
	}
}

func TestNewServers(t *testing.T) {
	good := ServersConfig{URLs: []string{Cloud}, ID: "1", Key: twinlatch.NewSecret("MTIzNDU2Nzg=")}
	for name, urls := range map[string][]string{
		"Yubico's":      {Cloud},
		"here":          {"http://localhost:8080/verify", "http://127.0.0.1/", "http://[::1]:1/x"},
		"five":          {"https://a", "https://b", "https://c", "https://d", "https://e"},
		"without path":  {"https://val.example"},
		"with its port": {"https://val.example:8443/wsapi/2.0/verify"},
	} {
		c := good
		c.URLs = urls
		if s, err := NewServers(c); err != nil || s.timeout != 5*time.Second {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		change func(*ServersConfig)
		want   string
	}{
		"no server":            {func(c *ServersConfig) { c.URLs = nil }, "0 validation servers; give 1 to 5"},
		"six servers":          {func(c *ServersConfig) { c.URLs = slices.Repeat([]string{Cloud}, 6) }, "6 validation servers; give 1 to 5"},
		"one twice":            {func(c *ServersConfig) { c.URLs = []string{Cloud, Cloud} }, "validation server 2 is there twice"},
		"http":                 {func(c *ServersConfig) { c.URLs = []string{"http://val.example/verify"} }, "validation server 1: must begin with https://; http:// is for this machine"},
		"looks like localhost": {func(c *ServersConfig) { c.URLs = []string{"http://localhost.example/verify"} }, "must begin with https://; http:// is for this machine"},
		"another scheme":       {func(c *ServersConfig) { c.URLs = []string{Cloud, "ftp://val.example/verify"} }, "validation server 2: must begin with https://; http:// is for this machine"},
		"no scheme":            {func(c *ServersConfig) { c.URLs = []string{"val.example/verify"} }, "want https:// with a host, without user, query and fragment"},
		"no host":              {func(c *ServersConfig) { c.URLs = []string{"https:///verify"} }, "want https:// with a host, without user, query and fragment"},
		"no URL":               {func(c *ServersConfig) { c.URLs = []string{"https://%zz/hunter2"} }, "want https:// with a host, without user, query and fragment"},
		"a password":           {func(c *ServersConfig) { c.URLs = []string{"https://a:hunter2@val.example/"} }, "want https:// with a host, without user, query and fragment"},
		"a query":              {func(c *ServersConfig) { c.URLs = []string{Cloud + "?id=%d&otp=%s"} }, "want https:// with a host, without user, query and fragment"},
		"an empty query":       {func(c *ServersConfig) { c.URLs = []string{Cloud + "?"} }, "want https:// with a host, without user, query and fragment"},
		"a fragment":           {func(c *ServersConfig) { c.URLs = []string{Cloud + "#a"} }, "want https:// with a host, without user, query and fragment"},
		"no id":                {func(c *ServersConfig) { c.ID = "" }, "the client ID is not a number as 12345"},
		"a word as id":         {func(c *ServersConfig) { c.ID = "example" }, "the client ID is not a number as 12345"},
		"id 0":                 {func(c *ServersConfig) { c.ID = "0" }, "the client ID is not a number as 12345"},
		"the key as id":        {func(c *ServersConfig) { c.ID = "hunter2hunter2=" }, "the client ID is not a number as 12345"},
		"no key":               {func(c *ServersConfig) { c.Key = twinlatch.Secret{} }, "the key of the client is not at least 8 bytes in base64, as Yubico gives it"},
		"a short key":          {func(c *ServersConfig) { c.Key = twinlatch.NewSecret("aHVudGVy") }, "the key of the client is not at least 8 bytes in base64, as Yubico gives it"},
		"a key in another form": {func(c *ServersConfig) { c.Key = twinlatch.NewSecret("hunter2-hunter2-hunter2") },
			"the key of the client is not at least 8 bytes in base64, as Yubico gives it"},
		"less than no time": {func(c *ServersConfig) { c.Timeout = -1 }, "the time limit is less than nothing"},
	} {
		bad := good
		c.change(&bad)
		_, err := NewServers(bad)
		if err == nil || !strings.HasPrefix(err.Error(), "yubico: ") || !strings.HasSuffix(err.Error(), c.want) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestServersDoNotPrintTheKey(t *testing.T) {
	s := newServersAt(t, 0, Cloud)
	if text := fmt.Sprintf("%v %+v %#v", s, *s, *s); strings.Contains(text, "twenty") || strings.Contains(text, clientKey) {
		t.Error(text)
	}
}
