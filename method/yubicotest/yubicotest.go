// Package yubicotest is a validation server for Yubico OTP, as yubikey-val is
// one, in the process of a test: it speaks "Validation Protocol Version 2.0" of
// developers.yubico.com, checks signatures of requests, remembers counters and
// signs its answers. Like yubikey-val it leaves out the password and the nonce of
// most refusals, and signs what it says to clients that it does not know with an
// empty key.
//
// It shares no code with the package that it tests. Only tests import it.
package yubicotest

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Path is where a server answers.
const Path = "/wsapi/2.0/verify"

// Server is one of a service's validation servers.
type Server struct {
	URL string // with Path

	service *service
	mu      sync.Mutex
	instead func(http.ResponseWriter, *http.Request, Answer)
	asked   []url.Values
}

// service is what servers that replicate share.
type service struct {
	id  string
	key []byte

	mu      sync.Mutex
	devices map[string]*device // by public identity
}

type device struct {
	private, key []byte
	counter      int
	nonce        string // of the newest
}

// Answer is what a server says, by the names of the fields, without h.
type Answer map[string]string

// New starts a server for one client, whose key is as Yubico gives it: in base64.
// It ends with the test.
func New(t testing.TB, id, key string) *Server {
	t.Helper()
	decoded, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, &service{id: id, key: decoded, devices: map[string]*device{}})
}

// Peer starts another server of the same service: what one has seen the other
// knows at once.
func (s *Server) Peer(t testing.TB) *Server {
	t.Helper()
	return start(t, s.service)
}

func start(t testing.TB, of *service) *Server {
	s := &Server{service: of}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL + Path
	return s
}

// Add makes a YubiKey known: its public identity in modhex, its private identity
// of 6 bytes and its AES key of 16 bytes.
func (s *Server) Add(identity string, private, key []byte) {
	s.service.mu.Lock()
	defer s.service.mu.Unlock()
	s.service.devices[identity] = &device{private: private, key: key, counter: -1}
}

// Instead has fn answer from now on, after the server has made up its mind; nil:
// the server answers again.
func (s *Server) Instead(fn func(w http.ResponseWriter, r *http.Request, honest Answer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instead = fn
}

// Asked are the parameters of all requests so far.
func (s *Server) Asked() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Sign is the h of an answer.
func (s *Server) Sign(a Answer) string { return sign(s.service.key, a) }

func sign(key []byte, fields map[string]string) string {
	text := ""
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		text += "&" + name + "=" + fields[name]
	}
	mac := hmac.New(sha1.New, key)
	mac.Write([]byte(strings.TrimPrefix(text, "&")))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Text is an answer with this h as it goes over the wire.
func (a Answer) Text(h string) string {
	text := "h=" + h + "\r\n"
	for _, name := range slices.Sorted(maps.Keys(a)) {
		text += name + "=" + a[name] + "\r\n"
	}
	return text + "\r\n"
}

// ServeHTTP is for net/http.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	s.mu.Lock()
	s.asked = append(s.asked, query)
	instead := s.instead
	s.mu.Unlock()
	if r.Method != http.MethodGet || r.URL.Path != Path {
		http.NotFound(w, r)
		return
	}
	honest, key := s.service.validate(query)
	if instead != nil {
		instead(w, r, honest)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write([]byte(honest.Text(sign(key, honest))))
}

var (
	isNumber = regexp.MustCompile(`^[0-9]+$`)
	isNonce  = regexp.MustCompile(`^[A-Za-z0-9]{16,40}$`)
	isOTP    = regexp.MustCompile(`^[cbdefghijklnrtuv]{32,48}$`)
)

// validate says what is to be answered, and signed with which key, in the order
// of yubikey-val's ykval-verify.php.
func (s *service) validate(query url.Values) (Answer, []byte) {
	given := map[string]string{}
	for name, values := range query {
		given[name] = values[len(values)-1]
	}
	otp, nonce := given["otp"], given["nonce"]
	say := func(status string, more ...string) Answer {
		a := Answer{"status": status, "t": "2026-11-23T12:00:00Z0123"}
		for i := 0; i < len(more); i += 2 {
			a[more[i]] = more[i+1]
		}
		return a
	}
	switch {
	case nonce == "", otp == "":
		return say("MISSING_PARAMETER"), nil
	case !isOTP.MatchString(otp):
		return say("BAD_OTP"), nil
	case !isNumber.MatchString(given["id"]), !isNonce.MatchString(nonce):
		return say("MISSING_PARAMETER"), nil
	case given["id"] != s.id:
		return say("NO_SUCH_CLIENT"), nil
	}
	if h, signed := given["h"]; signed {
		delete(given, "h")
		if !hmac.Equal([]byte(h), []byte(sign(s.key, given))) {
			return say("BAD_SIGNATURE"), s.key
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.devices[otp[:len(otp)-32]]
	if d == nil {
		return say("BAD_OTP"), s.key
	}
	token, ok := d.decrypt(otp[len(otp)-32:])
	if !ok {
		return say("BAD_OTP"), s.key
	}
	usage, use := int(binary.LittleEndian.Uint16(token[6:])), int(token[11])
	n := usage<<8 | use
	switch {
	case n == d.counter && nonce == d.nonce:
		return say("REPLAYED_REQUEST", "otp", otp, "nonce", nonce), s.key
	case n <= d.counter:
		return say("REPLAYED_OTP", "otp", otp, "nonce", nonce), s.key
	}
	d.counter, d.nonce = n, nonce
	a := say("OK", "otp", otp, "nonce", nonce, "sl", "100")
	if given["timestamp"] == "1" {
		a["timestamp"] = strconv.Itoa(int(binary.LittleEndian.Uint16(token[8:])) | int(token[10])<<16)
		a["sessioncounter"], a["sessionuse"] = fmt.Sprint(usage), fmt.Sprint(use)
	}
	return a, s.key
}

func (d *device) decrypt(text string) ([]byte, bool) {
	token := make([]byte, 16)
	for i := range token {
		token[i] = byte(strings.IndexByte("cbdefghijklnrtuv", text[2*i])<<4 | strings.IndexByte("cbdefghijklnrtuv", text[2*i+1]))
	}
	cipher, err := aes.NewCipher(d.key)
	if err != nil {
		return nil, false
	}
	cipher.Decrypt(token, token)
	crc := 0xffff
	for _, b := range token {
		crc ^= int(b)
		for range 8 {
			odd := crc&1 == 1
			if crc >>= 1; odd {
				crc ^= 0x8408
			}
		}
	}
	return token, crc == 0xf0b8 && string(token[:6]) == string(d.private)
}
