// Package forwardauth is the door for reverse proxies: it answers whether a request to
// a protected app may pass, and leads people to what is missing.
//
// There are three addresses, one for each way in which proxies ask, and none guesses:
//
//	/auth/forward   Traefik, Caddy, HAProxy, Apache: answers with redirects
//	/auth/nginx     auth_request: 401 with Location instead
//	/auth/envoy/…   ext_authz over HTTP: the address asked about is the request's own
//
// A request that may pass is answered 200, with who it is in headers. Of all others a
// page view is led to HandOverPath of our pages and back, and anything else gets 401
// and a problem document (RFC 9457). What no rule names is 403. The door never answers
// 2xx to anybody else, and 5xx only when the database is broken.
//
// A host that the session cookie does not reach gets a cookie of its own by a hand-over:
// see twinlatch.Service.HandOver. What is below /.twinlatch/ of such a host is answered
// by the check itself, so that no proxy needs a route for it.
package forwardauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/locale"
	"github.com/twinlatch/twinlatch/rules"
	"github.com/twinlatch/twinlatch/web"
)

// Prefix is how all addresses of the door begin, but for web.HandOverPath.
const Prefix = "/auth/"

// Config is what the door needs. All but CookieDomain, IDs and Log is required.
type Config struct {
	Service      *twinlatch.Service
	Address      *url.URL   // where our pages are
	Rules        *rules.Set // not empty
	Proxies      []netip.Prefix
	CookieDomain string // that of the pages' cookie; empty: each host has its own
	IDs          bool   // Remote-User is the account's ID; else its login
	Log          *slog.Logger
}

// ErrNoProxies is the error of New without proxies.
var ErrNoProxies = errors.New("forward-auth needs to know its proxies: without them every request would seem to come from the proxy's own address, and nobody would be asked when theirs changes")

// Door is the door as an http.Handler. It is safe for concurrent use.
type Door struct {
	cfg    Config
	shared web.Cookie // that of our pages
	own    web.Cookie // of a host that the other one does not reach, over HTTPS
	told   [1 << 10]atomic.Pointer[told]
	nobody *identity // who passes where it does not matter who comes
	words  *locale.Languages
}

// New builds the door. ErrNoProxies.
func New(cfg Config) (*Door, error) {
	switch {
	case cfg.Service == nil || cfg.Address == nil || cfg.Rules.Empty():
		return nil, errors.New("forwardauth: Service, Address and Rules are required")
	case len(cfg.Proxies) == 0:
		return nil, ErrNoProxies
	case cfg.Rules.Has(cfg.Address.Hostname()):
		return nil, errors.New("an app has the same host as the address of Twinlatch: cookies do not tell ports apart, so each needs a name of its own")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	words, err := locale.All()
	if err != nil {
		return nil, err
	}
	lasts := cfg.Service.Policy().SessionFor
	return &Door{
		cfg:    cfg,
		shared: web.Cookie{Secure: cfg.Address.Scheme == "https", For: lasts, Domain: cfg.CookieDomain},
		own:    web.Cookie{For: lasts},
		nobody: newIdentity([6]string{}),
		words:  words,
	}, nil
}

// question is a request to an app as a proxy describes it.
type question struct {
	kind   *kind
	scheme string
	host   string // with a port that is not the scheme's own
	uri    string // path and query as the client sent them
	method string
	ip     netip.Addr // of the client; invalid: it is unknown
	found  rules.Found
	r      *http.Request // the proxy's own
}

// ServeHTTP answers one question of a proxy.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := kindOf(r)
	q := &question{kind: kind, r: r}
	if kind == nil {
		d.refuse(w, q, problem{status: http.StatusNotFound, name: "not-found", title: "There is no such endpoint."})
		return
	}
	ip, proxied := web.Client(r, d.cfg.Proxies)
	if !proxied {
		d.cfg.Log.WarnContext(r.Context(), "forward-auth was asked by a peer that is not in setting proxies", "peer", r.RemoteAddr)
		d.refuse(w, q, problem{status: http.StatusForbidden, name: "unknown-proxy", title: "This proxy is not one of those in setting proxies."})
		return
	}
	*q = kind.read(r)
	q.kind, q.r, q.ip = kind, r, ip
	complete := q.complete()
	if complete {
		q.found = d.cfg.Rules.Find(q.scheme, q.host, q.uri)
	}
	switch {
	case !complete, q.found.Origin == "" && !q.oneHost():
		d.refuse(w, q, problem{status: http.StatusForbidden, name: "bad-question", title: "The proxy does not say which address was asked for."})
		return
	case q.found.Origin == "":
		d.refuse(w, q, problem{status: http.StatusForbidden, name: "no-rule", title: "No rule names this host.", say: "refused.no_rule"})
		return
	}
	if strings.HasPrefix(q.uri, web.AppPath) {
		d.redeem(w, q)
		return
	}
	if q.found.Public() {
		d.pass(w, d.nobody)
		return
	}
	d.check(w, q)
}

// check asks the core who is there.
func (d *Door) check(w http.ResponseWriter, q *question) {
	c := d.client(q)
	if !c.IP.IsValid() {
		why, title := "the proxy has to send X-Forwarded-For", "The proxy does not say from which address the request came."
		if len(q.r.Header["X-Forwarded-For"]) > 0 {
			why, title = "X-Forwarded-For names no client, or only addresses in setting proxies, as for a request from the proxy's own machine",
				"The proxy names no address but those of proxies: try it from another machine."
		}
		d.cfg.Log.WarnContext(q.r.Context(), "forward-auth refused a request from nobody knows where: "+why, "host", q.found.Host)
		d.refuse(w, q, problem{status: http.StatusForbidden, name: "unknown-address", title: title, say: "refused.no_address"})
		return
	}
	cookie, host := d.cookie(q)
	c.Host = host
	found, err := d.cfg.Service.Check(q.r.Context(), cookie.Read(q.r), c)
	if err != nil {
		d.broken(w, q, err)
		return
	}
	need, why := q.found.Need(found)
	if need == rules.Nothing {
		who, _ := found.Passed()
		id, reason := d.known(who)
		if id != nil {
			d.pass(w, id)
			return
		}
		need, why = rules.Forbidden, reason
	}
	d.lead(w, q, need, why, d.cfg.Service.Policy().CodeEvery)
}

// cookie is the one that the app's host has, and the host that its token is for; an
// empty one: it is the token of our pages.
func (d *Door) cookie(q *question) (web.Cookie, string) {
	if d.shares(q) {
		return d.shared, ""
	}
	return d.ownOf(q), q.found.Host
}

// shares reports whether browsers send the cookie of our pages to the app.
func (d *Door) shares(q *question) bool {
	return d.shared.Reaches(q.found.Host) && (!d.shared.Secure || d.ownOf(q).Secure)
}

func (d *Door) ownOf(q *question) web.Cookie {
	c := d.own
	c.Secure = strings.HasPrefix(q.found.Origin, "https:")
	return c
}

func (d *Door) client(q *question) twinlatch.Client {
	c := twinlatch.Client{IP: q.ip}
	if agent := q.r.Header["User-Agent"]; len(agent) > 0 {
		c.UserAgent = agent[0]
	}
	return c
}

// lead sends a page view to what is missing, and tells everything else.
func (d *Door) lead(w http.ResponseWriter, q *question, need rules.Need, why rules.Reason, codeEvery time.Duration) {
	p := problemOf(need, why, codeEvery)
	if need == rules.Forbidden && why != rules.ReasonGroup && why != reasonUnconfirmed {
		d.refuse(w, q, p)
		return
	}
	to := q.page()
	state, known := d.state(q)
	if !known && q.view() {
		state = d.newState(w, q)
	}
	h := web.HandOver{To: to}
	if state.Reveal() != "" {
		h.State = twinlatch.StateDigest(state)
	}
	p.url = d.ours(h.Path())
	if !q.view() {
		d.refuse(w, q, p)
		return
	}
	q.kind.redirect(w, p.url)
}

// ours is an address of our pages.
func (d *Door) ours(path string) string {
	return d.cfg.Address.Scheme + "://" + d.cfg.Address.Host + path
}

func (d *Door) broken(w http.ResponseWriter, q *question, err error) {
	level := slog.LevelError
	if errors.Is(err, context.Canceled) && q.r.Context().Err() != nil { // nobody waits for the answer any more
		level = slog.LevelDebug
	}
	d.cfg.Log.Log(q.r.Context(), level, "forward-auth failed", "host", q.found.Host, "error", err)
	d.refuse(w, q, problem{status: http.StatusServiceUnavailable, name: "unavailable", title: "Something went wrong on our side.", say: "refused.broken", again: true})
}
