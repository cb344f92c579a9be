package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/web"
)

func TestHeaders(t *testing.T) {
	for _, secure := range []bool{false, true} {
		w := httptest.NewRecorder()
		web.Headers(secure, http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		for name, want := range map[string]string{
			"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
			"Permissions-Policy":        "camera=(), geolocation=(), microphone=()",
			"Strict-Transport-Security": map[bool]string{true: "max-age=63072000"}[secure],
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("secure %v: %s is %q, want %q", secure, name, got, want)
			}
		}
		policy := w.Header().Get("Content-Security-Policy")
		for _, unsafe := range []string{"unsafe", "*", "http:", "https:", "blob:", "'nonce", "'sha", "script-src 'self' "} {
			if strings.Contains(policy, unsafe) {
				t.Errorf("the policy has %s: %s", unsafe, policy)
			}
		}
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("the policy lacks %s: %s", want, policy)
			}
		}
	}
}

// A handler may say that its answer can be kept.
func TestHeadersCanBeChanged(t *testing.T) {
	w := httptest.NewRecorder()
	web.Headers(false, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "public") })).
		ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Header()["Cache-Control"]; len(got) != 1 || got[0] != "public" {
		t.Errorf("Cache-Control %q", got)
	}
}
