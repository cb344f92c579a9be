package twinlatch_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch"
)

func syntax(t *testing.T, file string) *ast.File {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// sentinels are the names of the errors in errors.go.
func sentinels(t *testing.T) (names []string) {
	t.Helper()
	ast.Inspect(syntax(t, "errors.go"), func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			for _, name := range v.Names {
				if strings.HasPrefix(name.Name, "Err") {
					names = append(names, name.Name)
				}
			}
		}
		return true
	})
	if len(names) < 16 {
		t.Fatalf("only %d errors were found", len(names))
	}
	return names
}

// A new error does not reach the outside as "internal" by accident.
func TestEveryErrorHasARowInTheTableOfProblems(t *testing.T) {
	t.Parallel()
	rows := map[string]int{}
	ast.Inspect(syntax(t, "web/problem.go"), func(n ast.Node) bool {
		table, ok := n.(*ast.ValueSpec)
		if !ok || table.Names[0].Name != "problems" {
			return true
		}
		for _, row := range table.Values[0].(*ast.CompositeLit).Elts {
			if of, ok := row.(*ast.CompositeLit).Elts[0].(*ast.SelectorExpr); ok && of.X.(*ast.Ident).Name == "twinlatch" {
				rows[of.Sel.Name]++
			}
		}
		return false
	})
	for _, name := range sentinels(t) {
		if rows[name] != 1 {
			t.Errorf("%s has %d rows in problems of web/problem.go, want 1", name, rows[name])
		}
	}
}

// All of them are declared in errors.go, where a reader looks for them.
func TestErrorsAreDeclaredInOnePlace(t *testing.T) {
	t.Parallel()
	for _, file := range rootFiles(t) {
		if file == "errors.go" {
			continue
		}
		for _, d := range syntax(t, file).Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.VAR {
				continue
			}
			for _, spec := range decl.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(name.Name, "Err") {
						t.Errorf("%s is declared in %s", name.Name, file)
					}
				}
			}
		}
	}
}

func TestErrorsWrapWhatTheySay(t *testing.T) {
	t.Parallel()
	for err, is := range map[error]error{
		&twinlatch.LimitError{}:                                  twinlatch.ErrLimited,
		&twinlatch.WrongCodeError{Cause: twinlatch.ErrWrongCode}: twinlatch.ErrWrongCode,
		&twinlatch.WrongCodeError{Cause: twinlatch.ErrReplayed}:  twinlatch.ErrReplayed,
	} {
		if !errors.Is(err, is) || err.Error() != is.Error() {
			t.Errorf("%T: %v", err, err)
		}
	}
	if errors.Is(&twinlatch.WrongCodeError{Cause: twinlatch.ErrReplayed}, twinlatch.ErrWrongCode) {
		t.Error("a replay is no wrong code: the person is told something else")
	}
	field := &twinlatch.FieldError{Field: "code", Key: "err.code.empty"}
	if field.Error() != "code: err.code.empty" {
		t.Error(field)
	}
}
