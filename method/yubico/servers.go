package yubico

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Cloud is the validation server of Yubico, for keys as they come from the shop.
const Cloud = "https://api.yubico.com/wsapi/2.0/verify"

const (
	maxServers = 5
	maxAnswer  = 4 << 10 // bytes; an answer has about 250
	nonceSize  = 16      // bytes, and twice as many characters: 16 to 40 are asked for
	minKey     = 8       // bytes; Yubico gives out 20
)

// ServersConfig says which validation servers are asked, and as whom.
type ServersConfig struct {
	URLs    []string         // one to five of the form https://…/wsapi/2.0/verify; http only to this machine
	ID      string           // of the client, a number
	Key     twinlatch.Secret // of the client, in base64: it signs requests and answers
	Timeout time.Duration    // of one validation in all; 0: 5 seconds
	Client  *http.Client     // nil: one with the default transport
}

// Servers is a Validator that asks validation servers by Yubico's protocol 2.0,
// all at once and with the same nonce. The first that knows the answer decides.
// It is safe for concurrent use.
//
// Believed is only what is signed with our key and repeats our password and our
// nonce; BAD_OTP may leave out both, because yubikey-val does, and can at worst
// refuse. The statuses other than OK, BAD_OTP and REPLAYED_OTP decide nothing,
// nor does an OK without the counters of the key.
type Servers struct {
	urls    []*url.URL
	id      string
	key     twinlatch.Secret // decoded
	timeout time.Duration
	client  *http.Client
}

// NewServers checks the settings and asks nobody. Its errors name the field, and
// neither the key nor what a URL may hold.
func NewServers(c ServersConfig) (*Servers, error) {
	s := &Servers{id: c.ID, timeout: c.Timeout, client: &http.Client{}}
	if len(c.URLs) == 0 || len(c.URLs) > maxServers {
		return nil, fmt.Errorf("yubico: %d validation servers; give 1 to %d", len(c.URLs), maxServers)
	}
	for i, text := range c.URLs {
		u, err := address(text)
		if err != nil {
			return nil, fmt.Errorf("yubico: validation server %d: %w", i+1, err)
		}
		if slices.ContainsFunc(s.urls, func(other *url.URL) bool { return *other == *u }) {
			return nil, fmt.Errorf("yubico: validation server %d is there twice", i+1)
		}
		s.urls = append(s.urls, u)
	}
	if c.ID == "" || len(c.ID) > 10 || strings.Trim(c.ID, "0123456789") != "" || strings.HasPrefix(c.ID, "0") {
		return nil, errors.New("yubico: the client ID is not a number as 12345")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(c.Key.Reveal())
	if err != nil || len(key) < minKey {
		return nil, fmt.Errorf("yubico: the key of the client is not at least %d bytes in base64, as Yubico gives it", minKey)
	}
	s.key = twinlatch.NewSecret(string(key))
	switch {
	case c.Timeout < 0:
		return nil, errors.New("yubico: the time limit is less than nothing")
	case c.Timeout == 0:
		s.timeout = 5 * time.Second
	}
	if c.Client != nil {
		*s.client = *c.Client
	}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s, nil
}

func address(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errors.New("want https:// with a host, without user, query and fragment")
	}
	ip, err := netip.ParseAddr(u.Hostname())
	here := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && here) {
		return nil, errors.New("must begin with https://; http:// is for this machine")
	}
	return u, nil
}

// verdict is what one server said. An err that is no verdict tells operators why.
type verdict struct {
	counter int64
	err     error
}

// Authority implements Validator. Servers are one authority: which of them, and as
// which client they are asked, may change.
func (s *Servers) Authority(context.Context, OTP) (string, error) { return "servers", nil }

// Validate implements Validator. The nonce is 16 bytes from rand.
func (s *Servers) Validate(ctx context.Context, rand io.Reader, otp OTP) (int64, error) {
	random := make([]byte, nonceSize)
	if _, err := io.ReadFull(rand, random); err != nil {
		return 0, fmt.Errorf("yubico: no randomness for a nonce: %w", err)
	}
	nonce := hex.EncodeToString(random)
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel() // also the requests whose answer does not matter any more
	verdicts := make(chan verdict, len(s.urls))
	for _, u := range s.urls {
		go func() {
			n, err := s.ask(ctx, u, otp, nonce)
			if err != nil && !isVerdict(err) {
				err = fmt.Errorf("%s %w", u.Host, err)
			}
			verdicts <- verdict{n, err}
		}()
	}
	var reasons []string
	for range s.urls {
		v := <-verdicts
		if v.err == nil || isVerdict(v.err) {
			return v.counter, v.err
		}
		reasons = append(reasons, v.err.Error())
	}
	return 0, fmt.Errorf("yubico: %w: %s", twinlatch.ErrUnavailable, strings.Join(reasons, "; "))
}

// ask is one request. Its error continues a sentence that begins with the server.
func (s *Servers) ask(ctx context.Context, u *url.URL, otp OTP, nonce string) (int64, error) {
	fields := map[string]string{"id": s.id, "otp": otp.Reveal(), "nonce": nonce, "timestamp": "1"}
	fields["h"] = base64.StdEncoding.EncodeToString(sign(s.key, fields))
	query := url.Values{}
	for name, value := range fields {
		query.Set(name, value)
	}
	asked := *u
	asked.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, asked.String(), nil)
	if err != nil {
		return 0, errors.New("cannot be asked: no request can be made of its URL")
	}
	r.Header.Set("User-Agent", "Twinlatch")
	res, err := s.client.Do(r)
	if err != nil {
		return 0, unanswered(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("answered with HTTP status %d", res.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return 0, unanswered(ctx, err)
	case len(text) > maxAnswer:
		return 0, fmt.Errorf("answered with more than %d bytes", maxAnswer)
	}
	a, err := readAnswer(text)
	if err != nil {
		return 0, err
	}
	return a.judge(s.key, otp, nonce)
}
