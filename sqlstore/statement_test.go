package sqlstore_test

import (
	"database/sql"
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// statements are all SQL texts of the package, by where they stand: each
// constant expression that begins like SQL, in its full length.
func statements(t *testing.T) map[string]string {
	t.Helper()
	files := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	config := types.Config{Importer: importer.Default(), Error: func(error) {}} // imports do not matter to constants
	_, _ = config.Check("sqlstore", files, all, info)

	begins := regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s`)
	found := map[string]string{}
	for _, f := range all {
		ast.Inspect(f, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			v := info.Types[e].Value
			if v == nil || v.Kind() != constant.String || !begins.MatchString(constant.StringVal(v)) {
				return true
			}
			found[files.Position(e.Pos()).String()] = constant.StringVal(v)
			return false
		})
	}
	if len(found) < 50 {
		t.Fatalf("only %d statements found", len(found))
	}
	return found
}

func TestStatementsPrepare(t *testing.T) {
	for name, database := range databases() {
		t.Run(name, func(t *testing.T) {
			write, _ := open(t, database(t)).Handles()
			for at, query := range statements(t) {
				stmt, err := write.PrepareContext(t.Context(), query)
				if err != nil {
					t.Errorf("%s: %v\n%s", at, err, query)
					continue
				}
				stmt.Close()
			}
		})
	}
}

// No statement reads a whole table, but for those with few rows.
func TestStatementsUseIndexes(t *testing.T) {
	write, _ := open(t, twinlatchtest.SQLite(t)).Handles()
	for at, query := range statements(t) {
		for _, step := range plan(t, write, query) {
			if strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "INDEX") &&
				!strings.HasPrefix(step, "SCAN key_checks") && !strings.HasPrefix(step, "SCAN goose_db_version") && !strings.HasPrefix(step, "SCAN CONSTANT ROW") {
				t.Errorf("%s: %s\n%s", at, step, query)
			}
		}
	}
}

func plan(t *testing.T, db *sql.DB, query string) (steps []string) {
	t.Helper()
	args := make([]any, 0, 16)
	for n := 1; strings.Contains(query, fmt.Sprint("$", n)); n++ {
		args = append(args, nil)
	}
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}
