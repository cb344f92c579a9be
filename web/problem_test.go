package web_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

func now() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func TestProblemOf(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		name   string
		after  string // Retry-After
	}{
		{&twinlatch.FieldError{Field: "name", Key: "err.name"}, 422, "invalid-field", ""},
		{&http.MaxBytesError{Limit: 1}, 413, "too-large", ""},
		{web.ErrForm, 400, "form", ""},
		{twinlatch.ErrNotFound, 404, "not-found", ""},
		{twinlatch.ErrExists, 422, "exists", ""},
		{twinlatch.ErrNoSession, 401, "sign-in", ""},
		{twinlatch.ErrWrongPassword, 422, "wrong-password", ""},
		{twinlatch.ErrWrongCode, 422, "wrong-code", ""},
		{&twinlatch.WrongCodeError{Cause: twinlatch.ErrWrongCode}, 422, "wrong-code", ""},
		{twinlatch.ErrReplayed, 422, "wrong-code", ""}, // which of the two is nobody else's business
		{&twinlatch.WrongCodeError{Cause: twinlatch.ErrReplayed}, 422, "wrong-code", ""},
		{twinlatch.ErrExpired, 410, "challenge-over", ""},
		{twinlatch.ErrNoTriesLeft, 422, "challenge-over", ""},
		{twinlatch.ErrLimited, 429, "too-many-tries", ""}, // never without a LimitError
		{&twinlatch.LimitError{RetryAt: now().Add(90 * time.Second)}, 429, "too-many-tries", "90"},
		{&twinlatch.LimitError{RetryAt: now().Add(1500 * time.Millisecond)}, 429, "too-many-tries", "2"},
		{&twinlatch.LimitError{RetryAt: now().Add(time.Millisecond)}, 429, "too-many-tries", "1"},
		{&twinlatch.LimitError{RetryAt: now()}, 429, "too-many-tries", "1"},
		{&twinlatch.LimitError{RetryAt: now().Add(-time.Hour)}, 429, "too-many-tries", "1"},
		{&twinlatch.LimitError{}, 429, "too-many-tries", "86400"}, // waiting does not help
		{twinlatch.ErrBusy, 503, "busy", "5"},
		{twinlatch.ErrNotFresh, 401, "verify-again", ""},
		{twinlatch.ErrRecovered, 403, "recovered", ""},
		{twinlatch.ErrTwoStepOff, 409, "two-step-off", ""},
		{twinlatch.ErrUnconfirmed, 403, "unconfirmed", ""},
		{twinlatch.ErrForbidden, 403, "forbidden", ""},
		{twinlatch.ErrUnknownAddress, 403, "unknown-address", ""},
		{twinlatch.ErrDisabled, 403, "account-disabled", ""},
		{twinlatch.ErrWrongKeys, 500, "internal", ""},
		{&twinlatch.TamperError{}, 500, "internal", ""},
		{errors.New("database is on fire"), 500, "internal", ""},
		{nil, 500, "internal", ""},
	} {
		for _, err := range []error{c.err, fmt.Errorf("twinlatch: %w", c.err), errors.Join(errors.New("first"), c.err)} {
			p := web.ProblemOf(err, now())
			h := http.Header{}
			p.SetHeaders(h)
			if p.Status != c.status || p.Type != c.name || h.Get("Retry-After") != c.after {
				t.Errorf("%v: %d %s, Retry-After %q; want %d %s, %q", err, p.Status, p.Type, h.Get("Retry-After"), c.status, c.name, c.after)
			}
		}
	}
}

// Every error that a caller may meet has a row: a new one must not become an
// internal error by being forgotten.
func TestEverySentinelHasARow(t *testing.T) {
	declared := names(t, "../errors.go", func(n ast.Node) string {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Err") {
			return v.Names[0].Name
		}
		return ""
	})
	listed := names(t, "problem.go", func(n ast.Node) string {
		if lit, ok := n.(*ast.CompositeLit); ok && lit.Type == nil && len(lit.Elts) == 3 {
			if s, ok := lit.Elts[0].(*ast.SelectorExpr); ok {
				return s.Sel.Name
			}
		}
		return ""
	})
	if len(declared) < 10 || !slices.Equal(declared, listed) {
		t.Errorf("errors.go declares\n%q, and the table of problems has\n%q", declared, listed)
	}
}

func names(t *testing.T, file string, nameOf func(ast.Node) string) []string {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(tree, func(n ast.Node) bool {
		if name := nameOf(n); name != "" {
			found = append(found, name)
		}
		return true
	})
	slices.Sort(found)
	return found
}
