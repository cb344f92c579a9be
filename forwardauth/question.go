package forwardauth

import (
	"net/http"
	"net/url"
	"strings"
)

// kind is how a proxy asks and what it makes of answers.
type kind struct {
	path   string
	read   func(*http.Request) question // from the headers or the line of the request
	status int                          // of an answer that leads elsewhere, by Location
}

var kinds = [...]kind{
	{path: "/auth/forward", read: forwarded, status: http.StatusFound},
	{path: "/auth/nginx", read: original, status: http.StatusUnauthorized},
	{path: "/auth/envoy/", read: envoy, status: http.StatusFound},
}

// kindOf is the endpoint that was asked; nil: there is none. The path is looked at as
// it was sent: nothing cleans it.
func kindOf(r *http.Request) *kind {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	switch {
	case path == kinds[0].path:
		return &kinds[0]
	case path == kinds[1].path:
		return &kinds[1]
	case strings.HasPrefix(path, kinds[2].path):
		return &kinds[2]
	}
	return nil
}

func (k *kind) redirect(w http.ResponseWriter, to string) {
	h := w.Header()
	h["Location"] = []string{to}
	h["Cache-Control"] = noStore
	w.WriteHeader(k.status)
}

// once is a header that was sent once; "" when it was not, or several times: then
// nobody knows which the proxy means.
func once(r *http.Request, name string) string {
	if v := r.Header[name]; len(v) == 1 {
		return v[0]
	}
	return ""
}

// forwarded reads X-Forwarded-Method, -Proto, -Host and -Uri: what Traefik's
// forwardAuth and Caddy's forward_auth send.
func forwarded(r *http.Request) question {
	return question{
		scheme: once(r, "X-Forwarded-Proto"), host: once(r, "X-Forwarded-Host"),
		uri: once(r, "X-Forwarded-Uri"), method: once(r, "X-Forwarded-Method"),
	}
}

// original reads X-Original-URL and X-Original-Method, which our snippet for nginx
// sets, as its auth_request sends nothing about the request by itself.
func original(r *http.Request) question {
	scheme, rest, _ := strings.Cut(once(r, "X-Original-Url"), "://")
	i := max(0, strings.IndexByte(rest, '/'))
	return question{scheme: scheme, host: rest[:i], uri: rest[i:], method: once(r, "X-Original-Method")}
}

// envoy reads the request itself: ext_authz sends method, host and path of the client,
// the path behind its path_prefix.
func envoy(r *http.Request) question {
	return question{
		scheme: once(r, "X-Forwarded-Proto"), host: r.Host,
		uri: strings.TrimPrefix(r.RequestURI, "/auth/envoy"), method: r.Method,
	}
}

// complete reports whether everything is there.
func (q *question) complete() bool {
	if q.scheme == "" || q.host == "" || q.method == "" || !strings.HasPrefix(q.uri, "/") || len(q.uri) > maxURI {
		return false
	}
	return strings.IndexByte(q.uri, ' ') < 0 && strings.IndexByte(q.uri, '\t') < 0
}

// oneHost reports whether the host can be one. A comma would be a list of several proxies.
func (q *question) oneHost() bool { return !strings.ContainsAny(q.host, ", /@\\?#") }

// maxURI is more than proxies accept by default.
const maxURI = 16 << 10

// view reports whether a person looks at the answer, so that a redirect leads them.
// Browsers say so (Fetch Metadata); of others, and over plain HTTP, it is taken from
// what they accept.
func (q *question) view() bool {
	if q.method != http.MethodGet && q.method != http.MethodHead {
		return false
	}
	if mode := q.r.Header["Sec-Fetch-Mode"]; len(mode) > 0 {
		return mode[0] == "navigate"
	}
	return strings.Contains(q.r.Header.Get("Accept"), "text/html") && q.r.Header.Get("X-Requested-With") == ""
}

// maxPage is how long the path and query of a page to come back to may be, as it is in
// the query of the query of our sign-in page. nginx takes lines of 8 kB.
const maxPage = 7500

// page is where to come back to: the page itself, or the one that a request belongs to
// which is no page view. Of an address that is too long the query is left out, then
// the path.
func (q *question) page() string {
	uri := q.uri
	if !q.view() {
		uri = "/"
		if from, err := url.Parse(q.r.Header.Get("Referer")); err == nil && from.Scheme+"://"+from.Host == q.found.Origin {
			uri = from.RequestURI()
		}
	}
	if strings.HasPrefix(uri, "/.twinlatch/") {
		uri = "/"
	}
	return q.found.Origin + sendable(uri)
}

// sendable is a path and query without what the address of a redirect cannot have.
func sendable(uri string) string {
	var b strings.Builder
	for i := range len(uri) {
		if c := uri[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '#' {
			const digits = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
			continue
		}
		b.WriteByte(uri[i])
	}
	whole := b.String()
	path, _, _ := strings.Cut(whole, "?")
	for _, uri := range []string{whole, path} {
		if len(uri) <= maxPage/2 && len(url.QueryEscape(url.QueryEscape(uri))) <= maxPage {
			return uri
		}
	}
	return "/"
}
