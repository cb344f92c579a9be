package locale_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/method/text"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/method/webauthn"
	"github.com/twinlatch/twinlatch/method/yubico"
	"golang.org/x/net/html"
)

// This file reads the templates and the Go code of the product and compares the
// words that they use with those of English. That other languages have the same is
// in translation_test.go.

// use is a key in the source. A part that is computed, as in
// printf "method.%s", is a "*".
type use struct {
	at, key string
	names   []string // of the placeholders that get a value
	exact   bool     // names is known
}

// methodNames are what a "*" stands for. Add a method here when it comes.
func methodNames(t *testing.T) []string {
	t.Helper()
	app, err := totp.New("Twinlatch")
	if err != nil {
		t.Fatal(err)
	}
	phone, err := text.New(text.Config{App: "Twinlatch"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := webauthn.New(webauthn.Config{ID: "localhost", Name: "Twinlatch", Origins: []string{"http://localhost:8080"}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range []twinlatch.Method{app, key, phone, yubico.New(nil)} {
		names = append(names, m.Describe().Name)
	}
	return names
}

// allUses are those of templates and code, with every "*" replaced.
func allUses(t *testing.T) []use {
	t.Helper()
	var all []use
	for _, u := range append(usesInTemplates(t), usesInCode(t)...) {
		if !strings.Contains(u.key, "*") {
			all = append(all, u)
			continue
		}
		for _, name := range methodNames(t) {
			of := u
			of.key = strings.ReplaceAll(u.key, "*", name)
			all = append(all, of)
		}
	}
	if len(all) < 200 {
		t.Fatalf("only %d uses of words found: has the source moved?", len(all))
	}
	return all
}

// isSetting: settings are called like messages.
func isSetting(key string) bool {
	return slices.ContainsFunc(config.Settings(), func(s config.Setting) bool { return s.Key == key })
}

func TestEveryKeyInUseExists(t *testing.T) {
	l := english(t)
	for _, u := range allUses(t) {
		if !l.Has(u.key) && !l.Has(u.key+".other") && !isSetting(u.key) {
			t.Errorf("%s: no message %q", u.at, u.key)
		}
	}
}

func TestEveryKeyIsInUse(t *testing.T) {
	l := english(t)
	used := map[string]bool{}
	for _, u := range allUses(t) {
		used[u.key], used[u.key+".one"], used[u.key+".other"] = true, true, true
	}
	for _, key := range l.Keys() {
		if !used[key] {
			t.Errorf("nobody says %q", key)
		}
	}
}

// Whoever says a message gives a value to each of its placeholders, and to no
// other.
func TestPlaceholdersGetTheirValues(t *testing.T) {
	l := english(t)
	checked := 0
	for _, u := range allUses(t) {
		if !u.exact {
			continue
		}
		for _, key := range []string{u.key, u.key + ".other"} {
			if !l.Has(key) {
				continue
			}
			checked++
			want := placeholders(message(t, l, key))
			got := slices.Sorted(slices.Values(u.names))
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q has %q and is given %q", u.at, key, want, got)
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d uses checked", checked)
	}
}

// ---- templates

func templates(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../pages/templates/*.html")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d templates: %v", len(files), err)
	}
	all := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(file)] = string(text)
	}
	return all
}

// trees are the templates of a file.
func trees(t *testing.T, name, text string) []*parse.Tree {
	t.Helper()
	main := parse.New(name)
	main.Mode = parse.SkipFuncCheck
	set := map[string]*parse.Tree{}
	if _, err := main.Parse(text, "{{", "}}", set); err != nil {
		t.Fatal(err)
	}
	var all []*parse.Tree
	for _, tree := range set {
		all = append(all, tree)
	}
	return all
}

// walk visits all nodes below n.
func walk(n parse.Node, visit func(parse.Node)) {
	visit(n)
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				walk(child, visit)
			}
		}
	case *parse.ActionNode:
		walk(n.Pipe, visit)
	case *parse.PipeNode:
		if n != nil {
			for _, c := range n.Cmds {
				walk(c, visit)
			}
		}
	case *parse.CommandNode:
		for _, arg := range n.Args {
			walk(arg, visit)
		}
	case *parse.IfNode:
		walkBranch(&n.BranchNode, visit)
	case *parse.RangeNode:
		walkBranch(&n.BranchNode, visit)
	case *parse.WithNode:
		walkBranch(&n.BranchNode, visit)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			walk(n.Pipe, visit)
		}
	}
}

func walkBranch(b *parse.BranchNode, visit func(parse.Node)) {
	walk(b.Pipe, visit)
	walk(b.List, visit)
	if b.ElseList != nil {
		walk(b.ElseList, visit)
	}
}

// usesInTemplates finds {{t "key" "name" value …}} and {{n "key" count}}, also
// where the key is printf "method.%s" .Name.
func usesInTemplates(t *testing.T) []use {
	t.Helper()
	var all []use
	for name, text := range templates(t) {
		for _, tree := range trees(t, name, text) {
			walk(tree.Root, func(n parse.Node) {
				command, ok := n.(*parse.CommandNode)
				if !ok {
					return
				}
				fn, ok := command.Args[0].(*parse.IdentifierNode)
				if !ok || fn.Ident != "t" && fn.Ident != "n" {
					return
				}
				u := use{at: name + ": " + command.String(), key: keyIn(t, command.Args[1]), exact: true}
				if fn.Ident == "n" {
					u.names = []string{"n"}
				} else {
					for i := 2; i < len(command.Args); i += 2 {
						u.names = append(u.names, command.Args[i].(*parse.StringNode).Text)
					}
				}
				all = append(all, u)
			})
		}
	}
	return all
}

func keyIn(t *testing.T, arg parse.Node) string {
	t.Helper()
	switch arg := arg.(type) {
	case *parse.StringNode:
		return arg.Text
	case *parse.PipeNode:
		args := arg.Cmds[0].Args
		if format, ok := args[1].(*parse.StringNode); ok && args[0].String() == "printf" && strings.Count(format.Text, "%") == 1 {
			return strings.Replace(format.Text, "%s", "*", 1)
		}
	}
	t.Fatalf("the key %s cannot be read", arg)
	return ""
}

// Templates hold keys, never words: neither in text nor in what is read aloud.
func TestTemplatesHoldNoWords(t *testing.T) {
	letters := regexp.MustCompile(`\pL`)
	for name, text := range templates(t) {
		bare := regexp.MustCompile(`(?s)\{\{.*?\}\}`).ReplaceAllString(text, "")
		bare = regexp.MustCompile(`</?noscript>`).ReplaceAllString(bare, "") // what is in it is HTML to those who see it
		for z := html.NewTokenizer(strings.NewReader(bare)); ; {
			kind := z.Next()
			if kind == html.ErrorToken {
				break
			}
			tok := z.Token()
			if kind == html.TextToken && letters.MatchString(tok.Data) {
				t.Errorf("%s: the words %q", name, strings.TrimSpace(tok.Data))
			}
			if kind == html.CommentToken {
				t.Errorf("%s: browsers get the comment %q", name, tok.Data)
			}
			for _, a := range tok.Attr {
				spoken := slices.Contains([]string{"alt", "title", "placeholder", "aria-label", "aria-description", "value", "data-done", "data-fail"}, a.Key)
				if spoken && letters.MatchString(a.Val) && !(tok.Data == "button" && a.Key == "value") {
					t.Errorf("%s: the words %s=%q", name, a.Key, a.Val)
				}
			}
		}
	}
}

// ---- Go code

// usesInCode finds keys in the code: every text that begins as a key does,
// wherever it stands, so that a key in a table or a struct counts as well.
func usesInCode(t *testing.T) []use {
	t.Helper()
	prefixes := map[string]bool{}
	for _, key := range english(t).Keys() {
		prefix, _, _ := strings.Cut(key, ".")
		prefixes[prefix] = true
	}
	var all []use
	for _, folder := range []string{"..", "../pages", "../notice", "../web", "../forwardauth", "../locale", "../method/*", "../cmd/*"} {
		files, err := filepath.Glob(folder + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "methodtest") {
				continue
			}
			set := token.NewFileSet()
			tree, err := parser.ParseFile(set, file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			c := code{set: set, prefixes: prefixes, seen: map[ast.Expr]bool{}}
			ast.Inspect(tree, c.visit)
			all = append(all, c.uses...)
		}
	}
	return all
}

type code struct {
	set      *token.FileSet
	prefixes map[string]bool
	seen     map[ast.Expr]bool // keys with known placeholders
	uses     []use
}

func (c *code) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.ValueSpec: // names of events look like keys
		if id, ok := n.Type.(*ast.Ident); ok && id.Name == "EventType" {
			return false
		}
	case *ast.CallExpr:
		c.call(n)
	case *ast.BinaryExpr, *ast.BasicLit:
		if e := n.(ast.Expr); !c.seen[e] {
			return !c.add(e, nil, false)
		}
		return false
	}
	return true
}

// call knows the functions that take a key and pairs of names and values.
func (c *code) call(call *ast.CallExpr) {
	fn, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 || call.Ellipsis.IsValid() {
		return
	}
	switch fn.Sel.Name {
	case "say", "markup":
	case "count":
		c.add(call.Args[0], []string{"n"}, true)
		return
	default:
		return
	}
	var names []string
	for i := 1; i < len(call.Args); i += 2 {
		name, ok := call.Args[i].(*ast.BasicLit)
		if !ok {
			return
		}
		text, err := strconv.Unquote(name.Value)
		if err != nil {
			return
		}
		names = append(names, text)
	}
	key := call.Args[0]
	if plural, ok := key.(*ast.CallExpr); ok && len(plural.Args) == 2 { // words.Plural(key, n)
		key = plural.Args[0]
	}
	c.add(key, names, true)
}

var looksLikeKey = regexp.MustCompile(`^([a-z]+)\.[a-z0-9_.*]+$`)

func (c *code) add(e ast.Expr, names []string, exact bool) bool {
	key := textOf(e)
	m := looksLikeKey.FindStringSubmatch(key)
	if m == nil || !c.prefixes[m[1]] || slices.Contains([]string{".css", ".js", ".svg", ".html", ".json"}, filepath.Ext(key)) {
		return false
	}
	c.seen[e] = true
	c.uses = append(c.uses, use{at: c.set.Position(e.Pos()).String(), key: key, names: names, exact: exact})
	return true
}

// textOf is a text in the code, with a "*" for each part that is computed.
func textOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return text
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return textOf(e.X) + textOf(e.Y)
		}
	case *ast.ParenExpr:
		return textOf(e.X)
	}
	return "*"
}
