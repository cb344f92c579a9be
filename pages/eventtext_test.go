package pages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/twinlatch/twinlatch"
)

// Every event of the core has words, with and without what it may tell: a new one must
// not be shown by its name in the trail.
func TestEveryEventHasWords(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	tree, err := parser.ParseFile(token.NewFileSet(), "../event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(tree, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		if of, ok := v.Type.(*ast.Ident); !ok || of.Name != "EventType" {
			return true
		}
		name, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found++
		for _, more := range []map[string]string{nil, {"to": "ana@new.example", "group": "staff", "groups": "admin staff", "name": "Ana"}} {
			if text := d.eventText(twinlatch.Event{Type: twinlatch.EventType(name), Detail: twinlatch.Detail{More: more}}); text == name || text == "" {
				t.Errorf("%s has no words", name)
			}
		}
		return true
	})
	if found < 30 {
		t.Errorf("only %d events found", found)
	}
}
