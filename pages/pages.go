// Package pages is the first door: sign-up, sign-in, the second step and
// Settings > User settings > Security as HTML. Every page works without
// JavaScript.
//
// A handler identifies, parses, makes one call to the core and renders what it
// returned. It never decides where a browser goes next: next.go does.
package pages

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/locale"
	"github.com/twinlatch/twinlatch/rules"
	"github.com/twinlatch/twinlatch/web"
)

// Config is what the pages need. Service and Address are required.
type Config struct {
	Service *twinlatch.Service
	Address *url.URL                          // public; decides the cookie and which origin is ours
	Proxies []netip.Prefix                    // whose X-Forwarded-For is believed
	Apps    *rules.Set                        // that forward-auth protects; nil: none
	Domain  string                            // of the cookie; empty: this host only
	Closed  bool                              // nobody makes an account here
	Request func(context.Context) (id string) // the request's number, for the page that says what broke; optional
	Log     *slog.Logger                      // nil: discarded
	Dev     *Dev                              // development mode; nil: its routes do not exist
}

// Pages is the door as an http.Handler. It is safe for concurrent use.
//
// There is one for each language, with its words and its views; all share the
// rest, and each request is served by the one that its reader understands.
type Pages struct {
	cfg       Config
	service   *twinlatch.Service
	cookie    web.Cookie
	languages *locale.Languages
	in        map[string]*Pages // by language tag
	words     *locale.Language
	files     *assets
	views     *template.Template
	table     []route
	methods   map[twinlatch.Kind]twinlatch.Description
	handler   http.Handler
}

// New builds the door.
func New(cfg Config) (*Pages, error) {
	if cfg.Service == nil || cfg.Address == nil {
		return nil, errors.New("pages: Service and Address are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pages{
		cfg:     cfg,
		service: cfg.Service,
		cookie:  web.Cookie{Secure: cfg.Address.Scheme == "https", For: cfg.Service.Policy().SessionFor, Domain: cfg.Domain},
		methods: map[twinlatch.Kind]twinlatch.Description{},
	}
	for _, d := range cfg.Service.Methods() {
		p.methods[d.Kind] = d
	}
	var err error
	if p.files, err = loadAssets(); err != nil {
		return nil, err
	}
	if err = p.translate(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for i, r := range p.table {
		mux.Handle(r.method+" "+r.path, p.serve(func(p *Pages) route { return p.table[i] }))
	}
	mux.Handle("/", p.serve(func(p *Pages) route { return open("", "/", p.missing) }))
	sameOrigin := http.NewCrossOriginProtection()
	if err := sameOrigin.AddTrustedOrigin(cfg.Address.Scheme + "://" + cfg.Address.Host); err != nil {
		return nil, fmt.Errorf("pages: address: %w", err)
	}
	sameOrigin.SetDenyHandler(p.serve(func(p *Pages) route { return open("", "/", p.foreign) }))
	p.handler = web.Headers(p.cookie.Secure, sameOrigin.Handler(mux))
	return p, nil
}

func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// client is where a request came from, as far as it can be trusted.
func (p *Pages) client(r *http.Request) twinlatch.Client {
	return twinlatch.Client{IP: web.ClientIP(r, p.cfg.Proxies), UserAgent: r.UserAgent(), Locale: p.words.Tag}
}

// serve turns a route, which each language has, into an http.Handler: it asks who
// is there, speaks their language, lets nobody further than the route allows, and
// renders errors.
func (p *Pages) serve(of func(*Pages) route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, err := p.who(r, of(p))
		p := p.speaking(r, d)
		route := of(p)
		if err == nil {
			err = p.enter(w, r, route, d)
		}
		if err != nil {
			p.failed(w, r, route, err)
		}
	})
}

// who asks who is there. What is open to everybody is so while that cannot be
// told, too.
func (p *Pages) who(r *http.Request, route route) (twinlatch.Decision, error) {
	if route.wordless {
		return twinlatch.Decision{}, nil
	}
	d, err := p.service.Check(r.Context(), p.cookie.Read(r), p.client(r))
	if route.open != nil {
		err = nil
	}
	return d, err
}

func (p *Pages) enter(w http.ResponseWriter, r *http.Request, route route, d twinlatch.Decision) error {
	if route.open != nil {
		return route.open(w, r)
	}
	known, firstStep := d.Known()
	enrolling, mayEnroll := d.Enrolling()
	passed, bothSteps := d.Passed()
	switch {
	case !firstStep:
		return p.toSignIn(w, r, route)
	case route.known != nil:
		return route.known(w, r, known)
	case !mayEnroll:
		return p.toVerify(w, r, route)
	case route.enrolling != nil:
		return route.enrolling(w, r, enrolling)
	case !bothSteps:
		return p.toRequired(w, r, route)
	}
	return route.passed(w, r, passed)
}

// missing answers every address that is not a page.
func (p *Pages) missing(http.ResponseWriter, *http.Request) error { return twinlatch.ErrNotFound }

// foreign answers a form that another site posted.
func (p *Pages) foreign(w http.ResponseWriter, r *http.Request) error {
	return p.message(w, r, http.StatusForbidden, "err.origin", nil)
}
