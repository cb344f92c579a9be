package sns_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// This is Signature Version 4 a second time, from the IAM user guide ("Create a
// signed AWS API request"), by which the tests judge what the library makes.

const amzDate = "20060102T150405Z"

// scope is what a signature is good for.
type scope struct{ accessKey, secret, token, region, service string }

var authorizations = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([^/, ]+)/([0-9]{8})/([^/, ]+)/([^/, ]+)/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$`)

// fault is why AWS would refuse a request: a code and what is wrong.
func (s scope) fault(r *http.Request, body []byte, now time.Time) (code, why string) {
	a := authorizations.FindStringSubmatch(r.Header.Get("Authorization"))
	if a == nil {
		return "IncompleteSignature", "no Authorization of the right form"
	}
	accessKey, day, region, service, names, given := a[1], a[2], a[3], a[4], strings.Split(a[5], ";"), a[6]
	date := r.Header.Get("X-Amz-Date")
	at, err := time.Parse(amzDate, date)
	switch {
	case accessKey != s.accessKey:
		return "InvalidClientTokenId", "another access key"
	case r.Header.Get("X-Amz-Security-Token") != s.token:
		return "InvalidClientTokenId", "another session token"
	case region != s.region || service != s.service || err != nil || day != date[:8]:
		return "SignatureDoesNotMatch", "the credential is for something else"
	case now.Sub(at).Abs() > 15*time.Minute:
		return "RequestExpired", "signed at " + date
	}
	must := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") || name == "content-type" {
			must = append(must, name)
		}
	}
	for _, name := range must {
		if !slices.Contains(names, name) {
			return "SignatureDoesNotMatch", name + " is not signed"
		}
	}
	if !slices.IsSorted(names) {
		return "SignatureDoesNotMatch", "the signed headers are not sorted"
	}
	if !hmac.Equal([]byte(given), []byte(s.signature(r, body, names, date))) {
		return "SignatureDoesNotMatch", "the signature is wrong"
	}
	return "", ""
}

func (s scope) signature(r *http.Request, body []byte, names []string, date string) string {
	canonical := r.Method + "\n" + (&url.URL{Path: r.URL.Path}).EscapedPath() + "\n" + r.URL.Query().Encode() + "\n"
	for _, name := range names {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		canonical += name + ":" + strings.Join(strings.Fields(value), " ") + "\n"
	}
	canonical += "\n" + strings.Join(names, ";") + "\n" + sha(body)
	to := fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", date, date[:8], s.region, s.service, sha([]byte(canonical)))
	return hex.EncodeToString(mac(s.key(date[:8]), to))
}

// key is the signing key of a day.
func (s scope) key(day string) []byte {
	key := []byte("AWS4" + s.secret)
	for _, part := range []string{day, s.region, s.service, "aws4_request"} {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// TestJudge holds the second implementation to what AWS published: the example
// of a signing key, and post-x-www-form-urlencoded and get-vanilla of the test
// suite.
func TestJudge(t *testing.T) {
	key := scope{secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", region: "us-east-1", service: "iam"}.key("20120215")
	if want := "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"; hex.EncodeToString(key) != want {
		t.Errorf("the signing key is %x, want %s", key, want)
	}
	s := scope{accessKey: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", region: "us-east-1", service: "service"}
	const date = "20150830T123600Z"
	now, err := time.Parse(amzDate, date)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, body, names, want string }{
		{"POST", "Param1=value1", "content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		{"GET", "", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, "http://example.amazonaws.com/", strings.NewReader(c.body))
		r.Header.Set("X-Amz-Date", date)
		if c.body != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if got := s.signature(r, []byte(c.body), strings.Split(c.names, ";"), date); got != c.want {
			t.Errorf("%s: signature %s, want %s", c.method, got, c.want)
		}
		sign := func(signature string) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders="+c.names+", Signature="+signature)
		}
		sign(c.want)
		for off, want := range map[time.Duration]string{0: "", 15 * time.Minute: "", 16 * time.Minute: "RequestExpired", -16 * time.Minute: "RequestExpired"} {
			if code, why := s.fault(r, []byte(c.body), now.Add(off)); code != want {
				t.Errorf("%s, %v later: %s, %s", c.method, off, code, why)
			}
		}
		if code, _ := s.fault(r, []byte(c.body+"&"), now); code != "SignatureDoesNotMatch" {
			t.Errorf("another body: %q", code)
		}
		sign(strings.Repeat("0", 64))
		if code, _ := s.fault(r, []byte(c.body), now); code != "SignatureDoesNotMatch" {
			t.Errorf("another signature: %q", code)
		}
	}
}
