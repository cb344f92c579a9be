package web

import (
	"net/url"
	"strings"
)

// A protected app on a host of its own gets its own cookie by a hand-over: the check
// in front of it sends the browser to HandOverPath of ours, which sends it to
// RedeemPath of the app's host, with a ticket. This file has what both halves write
// and read.
const (
	HandOverPath = "/auth/handover"
	AppPath      = "/.twinlatch/" // what is below it on an app's host is ours
	RedeemPath   = AppPath + "handover"
)

// HandOver is what a browser brings to HandOverPath.
type HandOver struct {
	To    string // an address of the app, not checked
	State string // digest of the secret that the browser has for its host; empty: none
	Again bool   // ask for the second step now, as the app sees another address than we do
	Form  bool   // it comes from a form of ours
}

// Path is where to bring it, on our host.
func (h HandOver) Path() string {
	q := url.Values{"return_to": {h.To}}
	if h.State != "" {
		q.Set("state", h.State)
	}
	if h.Again {
		q.Set("again", "1")
	}
	if h.Form {
		q.Set("form", "1")
	}
	return HandOverPath + "?" + q.Encode()
}

// ReadHandOver reads what Path wrote; false: it is another address.
func ReadHandOver(path string) (HandOver, bool) {
	rest, ok := strings.CutPrefix(path, HandOverPath+"?")
	if !ok {
		return HandOver{}, false
	}
	q, err := url.ParseQuery(rest)
	if err != nil {
		return HandOver{}, false
	}
	return HandOver{q.Get("return_to"), q.Get("state"), q.Get("again") == "1", q.Get("form") == "1"}, true
}

// Redemption is what a browser brings to RedeemPath of an app's host.
type Redemption struct {
	Ticket string
	To     string // path and query on that host
	Again  bool   // the second step was asked for it
}

// Path is where to bring it, on the app's host.
func (r Redemption) Path() string {
	q := url.Values{"ticket": {r.Ticket}, "return_to": {r.To}}
	if r.Again {
		q.Set("again", "1")
	}
	return RedeemPath + "?" + q.Encode()
}

// ReadRedemption reads what Path wrote; false: it is another address.
func ReadRedemption(path string) (Redemption, bool) {
	rest, ok := strings.CutPrefix(path, RedeemPath+"?")
	if !ok {
		return Redemption{}, false
	}
	q, err := url.ParseQuery(rest)
	if err != nil || !strings.HasPrefix(q.Get("return_to"), "/") {
		return Redemption{}, false
	}
	return Redemption{q.Get("ticket"), q.Get("return_to"), q.Get("again") == "1"}, true
}
