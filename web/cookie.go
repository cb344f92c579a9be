package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

// Cookie is the session cookie of a door. There is one; what its token may do is
// decided by the session's row. The zero Cookie is for plain HTTP: not Secure, and
// kept until the browser closes. Cookies do not tell ports apart.
type Cookie struct {
	Secure bool          // the door is reached by HTTPS
	For    time.Duration // how long a browser keeps it; the row may end sooner
	Domain string        // browsers send it to all hosts there; empty: to this one only
}

// Name is "__Host-twinlatch", which browsers accept only with Secure, Path=/ and
// no Domain (RFC 6265bis §4.1.3.2), "__Secure-twinlatch" with a Domain, or "twinlatch"
// without HTTPS.
func (c Cookie) Name() string {
	switch {
	case !c.Secure:
		return "twinlatch"
	case c.Domain != "":
		return "__Secure-twinlatch"
	}
	return "__Host-twinlatch"
}

// Reaches reports whether browsers send it to a host, a name without port, by its
// Domain (RFC 6265 §5.1.3).
func (c Cookie) Reaches(host string) bool {
	return c.Domain != "" && (host == c.Domain || strings.HasSuffix(host, "."+c.Domain))
}

// Read is the token that the browser sent; the zero Token, which opens nothing,
// when there is none, it is malformed, or there are several: then somebody else
// planted one, and we cannot tell which is ours.
func (c Cookie) Read(r *http.Request) twinlatch.Token {
	value, _ := Named(r, c.Name())
	token, err := twinlatch.ParseToken(value)
	if err != nil {
		return twinlatch.Token{}
	}
	return token
}

// Named is the value of a cookie without its quotes (RFC 6265 §4.1.1); false: it was not
// sent, or more than once, and nobody knows which one is ours. It needs no memory, which
// http.Request.Cookie does.
func Named(r *http.Request, name string) (value string, ok bool) {
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			for pair != "" && (pair[0] == ' ' || pair[0] == '\t') {
				pair = pair[1:]
			}
			for pair != "" && (pair[len(pair)-1] == ' ' || pair[len(pair)-1] == '\t') {
				pair = pair[:len(pair)-1]
			}
			if len(pair) <= len(name) || pair[len(name)] != '=' || pair[:len(name)] != name {
				continue
			}
			if ok {
				return "", false
			}
			value, ok = pair[len(name)+1:], true
			if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
				value = value[1 : n-1]
			}
		}
	}
	return value, ok
}

// Write gives the browser a token.
func (c Cookie) Write(w http.ResponseWriter, t twinlatch.Token) {
	c.set(w, t.Reveal(), int(c.For/time.Second))
}

// Clear takes the browser's token away. Do it at sign-out only: an answer to a
// dead token may cross the answer that brings a live one.
func (c Cookie) Clear(w http.ResponseWriter) { c.set(w, "", -1) }

func (c Cookie) set(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: c.Name(), Value: value, Path: "/", Domain: c.Domain, MaxAge: maxAge,
		Secure: c.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
