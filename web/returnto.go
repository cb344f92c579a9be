package web

import (
	"net/url"
	"strings"
)

// maxReturnTo has room for the address of an app, which is escaped in it.
const maxReturnTo = 8192

// ReturnTo is where to go after signing in: a path on our own host, with its
// query. What else to, "//evil.example", "/\evil.example", another scheme, a
// path with a control character, is "".
func ReturnTo(to string) string {
	if len(to) > maxReturnTo || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
		return ""
	}
	if strings.ContainsFunc(to, func(r rune) bool { return r == '\\' || r < ' ' || r == 0x7f || r > 0x7e }) {
		return ""
	}
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" || u.Fragment != "" {
		return ""
	}
	// Paths that browsers, proxies or our own mux may read as another one.
	if strings.Contains(u.Path, "//") || strings.Contains(u.Path, `\`) || strings.Contains(u.Path, "/../") || strings.HasSuffix(u.Path, "/..") ||
		strings.ContainsFunc(u.Path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ""
	}
	return to
}
