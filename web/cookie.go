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
	found := r.CookiesNamed(c.Name())
	if len(found) != 1 {
		return twinlatch.Token{}
	}
	token, err := twinlatch.ParseToken(found[0].Value)
	if err != nil {
		return twinlatch.Token{}
	}
	return token
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
