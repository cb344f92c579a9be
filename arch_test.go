package twinlatch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/twinlatch/twinlatch"

// layers says what each package may import of this module, by the first row
// that matches its path below the module. A package without a row is an error,
// so that a new one is placed on purpose. "." is the root.
var layers = []struct {
	packages string   // pattern of path.Match
	imports  []string // patterns; nil: only the standard library and others' modules
}{
	{".", nil},
	{"*test", []string{".", "*", "*/*"}}, // twinlatchtest
	{"twinlatchtest/*", nil},             // devices in software
	{"*/*test", []string{"."}},           // methodtest, storetest: one contract each

	{"method/*", []string{"."}},
	{"sender/*", []string{"."}},
	{"sqlstore", []string{"."}},
	{"keyring", []string{"."}},
	{"argon2child", nil},

	{"locale", nil},
	{"web", []string{".", "locale"}},
	{"rules", []string{"."}},
	{"pages", []string{".", "web", "locale", "rules"}},
	{"admin", []string{".", "web", "locale"}},
	{"api", []string{".", "web", "locale"}},
	{"forwardauth", []string{".", "web", "locale", "rules"}},
	{"oidc", []string{".", "web", "locale"}},
	{"notice", []string{".", "web", "locale"}},

	{"config", []string{"."}},
	{"server", []string{".", "web", "pages", "admin", "api", "forwardauth", "oidc", "notice"}},
	{"cmd/twinlatch", []string{".", "*", "*/*"}},

	{"bench", []string{".", "*", "*/*", "*/*/*"}},
	{"bench/*", []string{".", "*", "*/*", "*/*/*"}},
	{"e2e", []string{".", "*", "*/*", "*/*/*"}},
	{"e2e/*", []string{".", "*", "*/*", "*/*/*"}},
	{"interop", []string{".", "*", "*/*", "*/*/*"}},
	{"interop/*", []string{".", "*", "*/*", "*/*/*"}},
	{"examples/*", []string{".", "*", "*/*"}},
}

// testSupport are packages that are written for tests: only _test.go files and
// each other may import them, and the program never links them.
var testSupport = []string{"*test", "twinlatchtest/*", "*/*test", "bench", "bench/*", "e2e", "e2e/*", "interop", "interop/*"}

// jitter are packages that draw how long they wait, which is no secret.
var jitter = []string{"sqlstore"}

// rootMayImport are the modules that everybody who embeds the library takes.
var rootMayImport = []string{"golang.org/x/crypto/", "golang.org/x/text/"}

// pkg is what go list tells of a package.
type pkg struct {
	Dir, ImportPath, Name     string
	GoFiles, IgnoredGoFiles   []string
	TestGoFiles, XTestGoFiles []string
	Imports                   []string
	Standard                  bool
}

func (p pkg) path() string {
	if p.ImportPath == module {
		return "."
	}
	return strings.TrimPrefix(p.ImportPath, module+"/")
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func matches(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	})
}

func TestImports(t *testing.T) {
	for _, p := range list(t, "./...") {
		i := slices.IndexFunc(layers, func(l struct {
			packages string
			imports  []string
		}) bool {
			return matches(p.path(), []string{l.packages})
		})
		if i < 0 {
			t.Errorf("%s has no row in the table of layers", p.path())
			continue
		}
		for _, imported := range p.Imports {
			name := pkg{ImportPath: imported}.path()
			ours := imported == module || strings.HasPrefix(imported, module+"/")
			switch {
			case ours && !matches(name, layers[i].imports):
				t.Errorf("%s must not import %s", p.path(), name)
			case ours && matches(name, testSupport) && !matches(p.path(), testSupport):
				t.Errorf("%s imports %s, which is for tests", p.path(), name)
			case (imported == "math/rand" || imported == "math/rand/v2") && !matches(p.path(), slices.Concat(testSupport, jitter)):
				t.Errorf("%s imports %s: randomness comes from Config.Rand or crypto/rand", p.path(), imported)
			}
		}
	}
}

// TestRootDependsOnLittle looks at what the root links, not only at what it names.
func TestRootDependsOnLittle(t *testing.T) {
	for _, p := range list(t, "-deps", ".") {
		allowed := p.Standard || p.ImportPath == module || strings.HasPrefix(p.ImportPath, "golang.org/x/sys/") ||
			slices.ContainsFunc(rootMayImport, func(prefix string) bool { return strings.HasPrefix(p.ImportPath, prefix) })
		if !allowed {
			t.Errorf("the root depends on %s", p.ImportPath)
		}
	}
}

func TestPackageNamesSaySomething(t *testing.T) {
	vague := []string{"util", "utils", "common", "helper", "helpers", "misc", "base", "shared", "lib", "models", "types", "internal", "pkg"}
	for _, p := range list(t, "./...") {
		for part := range strings.SplitSeq(p.path(), "/") {
			if slices.Contains(vague, part) {
				t.Errorf("package %s: %q says nothing", p.path(), part)
			}
		}
	}
}

// TestSource reads every file: taste that a compiler does not have.
func TestSource(t *testing.T) {
	for _, p := range list(t, "./...") {
		documented := false
		for _, name := range p.files() {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			f := parse(t, path.Join(p.path(), name), text)
			f.errorf = t.Errorf
			documented = documented || f.describes(p)
			f.checkFormat()
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f.checkInit()
			f.checkComments()
			if !matches(p.path(), testSupport) {
				f.checkLength()
				f.checkVariables()
			}
		}
		if !documented && len(p.GoFiles) > 0 {
			t.Errorf("package %s has no comment that begins with its name", p.path())
		}
	}
}

// files are all of the package, those for other systems included.
func (p pkg) files() []string {
	return slices.Concat(p.GoFiles, p.IgnoredGoFiles, p.TestGoFiles, p.XTestGoFiles)
}

// source is one parsed file.
type source struct {
	name   string
	text   []byte
	set    *token.FileSet
	tree   *ast.File
	errorf func(format string, args ...any)
}

func parse(t *testing.T, name string, text []byte) *source {
	t.Helper()
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return &source{name: name, text: text, set: set, tree: tree}
}

// complain names a place and what is wrong there.
func (f *source) complain(at token.Pos, why string) { f.errorf("%v: %s", f.set.Position(at), why) }

func (f *source) describes(p pkg) bool {
	text := f.tree.Doc.Text()
	if p.Name == "main" {
		return strings.HasPrefix(text, "Command "+path.Base(p.path())+" ")
	}
	return strings.HasPrefix(text, "Package "+p.Name+" ")
}

func (f *source) checkFormat() {
	if good, err := format.Source(f.text); err != nil || !bytes.Equal(good, f.text) {
		f.complain(f.tree.Package, "not formatted by gofmt")
	}
}

func (f *source) checkLength() {
	const most = 450
	if n := f.set.File(f.tree.Package).LineCount(); n > most {
		f.errorf("%s has %d lines, more than %d: which second noun hides in it?", f.name, n, most)
	}
}

func (f *source) checkInit() {
	for _, d := range f.tree.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			f.complain(fn.Pos(), "init: who starts the program decides what happens")
		}
	}
}

// checkVariables finds package-level variables that could hold state. Allowed
// are those that nobody changes: sentinels, tables of constants, embedded files,
// and what a pure function of constants makes (patterns, templates, encodings).
func (f *source) checkVariables() {
	for _, d := range f.tree.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.VAR {
			continue
		}
		for _, spec := range decl.Specs {
			v := spec.(*ast.ValueSpec)
			embedded := isEmbed(v.Doc) || len(decl.Specs) == 1 && isEmbed(decl.Doc)
			for i, name := range v.Names {
				switch {
				case name.Name == "_", embedded:
				case i >= len(v.Values):
					f.complain(name.Pos(), name.Name+" is a variable of the package: put it in a struct")
				case name.IsExported() && !isSentinel(v.Values[i]):
					f.complain(name.Pos(), name.Name+" can be changed by everybody: make it a function or a constant")
				case !isConstant(v.Values[i]):
					f.complain(name.Pos(), name.Name+" is a variable of the package, or not seen to be constant")
				}
			}
		}
	}
}

func isEmbed(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

func isSentinel(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	return ok && calleeOf(call) == "errors.New"
}

// pure are functions whose result nobody changes afterwards.
var pure = regexp.MustCompile(`^(errors\.New|regexp\.MustCompile|template\.(Must|New)|strings\.NewReplacer|base(32|64)\.NewEncoding|netip\.Must\w+|big\.NewInt|len|min|max|string|\[\]byte|time\.(Duration|Date))$|\.(WithPadding|Strict|Funcs|Parse|ParseFS|Masked)$`)

// isConstant says whether e is written from constants and names alone.
func isConstant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit, *ast.Ident, *ast.FuncLit:
		return true
	case *ast.SelectorExpr:
		return isConstant(e.X)
	case *ast.ParenExpr:
		return isConstant(e.X)
	case *ast.UnaryExpr:
		return e.Op != token.AND && isConstant(e.X)
	case *ast.BinaryExpr:
		return isConstant(e.X) && isConstant(e.Y)
	case *ast.KeyValueExpr:
		return isConstant(e.Key) && isConstant(e.Value)
	case *ast.CompositeLit:
		return !slices.ContainsFunc(e.Elts, func(e ast.Expr) bool { return !isConstant(e) })
	case *ast.CallExpr:
		return pure.MatchString(calleeOf(e)) && !slices.ContainsFunc(e.Args, func(e ast.Expr) bool { return !isConstant(e) })
	}
	return false
}

// calleeOf names what is called; of a method of a result, only the method.
func calleeOf(call *ast.CallExpr) string {
	switch fn := call.Fun.(type) {
	case *ast.Ident:
		return fn.Name
	case *ast.ArrayType:
		if of, ok := fn.Elt.(*ast.Ident); ok && fn.Len == nil {
			return "[]" + of.Name
		}
	case *ast.SelectorExpr:
		switch x := fn.X.(type) {
		case *ast.Ident:
			return x.Name + "." + fn.Sel.Name
		case *ast.CallExpr, *ast.SelectorExpr:
			if isConstant(x) {
				return "." + fn.Sel.Name
			}
		}
	}
	return ""
}

// speaking are methods whose contract is that of an interface of the standard
// library, known to every reader.
var speaking = []string{
	"Error", "Unwrap", "Is", "As", "String", "GoString", "Format", "LogValue", "ServeHTTP",
	"MarshalText", "UnmarshalText", "MarshalJSON", "UnmarshalJSON", "Scan", "Value",
	"Read", "Write", "Close", "WriteHeader", "Len", "Less", "Swap",
}

// checkComments wants a comment at all that another package can name.
func (f *source) checkComments() {
	for _, d := range f.tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			method := d.Recv != nil
			if !d.Name.IsExported() || d.Doc != nil || method && (slices.Contains(speaking, d.Name.Name) || !receiverIsExported(d)) {
				continue
			}
			f.complain(d.Pos(), d.Name.Name+" has no comment")
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				f.checkSpec(d, spec)
			}
		}
	}
}

func (f *source) checkSpec(d *ast.GenDecl, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
			f.complain(s.Pos(), s.Name.Name+" has no comment")
		}
	case *ast.ValueSpec:
		if d.Tok == token.CONST && isEnum(d) { // its type has the comment
			return
		}
		for _, name := range s.Names {
			if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
				f.complain(s.Pos(), name.Name+" has no comment")
			}
		}
	}
}

// isEnum says whether constants are the values of one type.
func isEnum(d *ast.GenDecl) bool {
	return d.Lparen.IsValid() && slices.ContainsFunc(d.Specs, func(s ast.Spec) bool { return s.(*ast.ValueSpec).Type != nil })
}

func receiverIsExported(d *ast.FuncDecl) bool {
	of := d.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if generic, ok := of.(*ast.IndexExpr); ok {
		of = generic.X
	}
	name, ok := of.(*ast.Ident)
	return ok && name.IsExported()
}

// TestRulesBite shows each rule about source a line that it must refuse, or one
// that it must let pass.
func TestRulesBite(t *testing.T) {
	for line, refused := range map[string]bool{
		"func init() {}":                      true,
		"func (t *t) init() {}":               false,
		"var x int":                           true,
		"var x = map[string]int{}":            false, // a table; that nobody writes to it is for the reviewer
		"var X = map[string]int{`a`: 1}":      true,
		"var X = 1 // documented":             true,
		"// Doc.\nvar X = f()":                true,
		"var x = f()":                         true,
		"var x = os.Getenv(`A`)":              true,
		"var x = sync.OnceValue(f)":           true,
		"var x sync.Mutex":                    true,
		"var x = &T{}":                        true,
		"var x = -1":                          false,
		"var x = make(map[int]int)":           true,
		"var x = [...]T{{f(), 1}}":            true,
		"var x = [...]T{{net.A, 1}}":          false,
		"var _ I = (*T)(nil)":                 false,
		"// Doc.\nvar ErrX = errors.New(`x`)": false,
		"var ErrX = errors.New(`x`)":          true, // no comment
		"// Doc.\nvar ErrX = fmt.Errorf(`x`)": true,
		"var x = regexp.MustCompile(`a`)":     false,
		"var x = regexp.MustCompile(f())":     true,
		"var x = base64.StdEncoding.Strict()": false,
		"var x = base32.NewEncoding(`a`).WithPadding(base32.NoPadding)": false,
		"//go:embed x\nvar x embed.FS":                                  false,
		"var (\n\t//go:embed x\n\tx embed.FS\n)":                        false,
		"func F() {}":                                                   true,
		"// F does.\nfunc F() {}":                                       false,
		"func (t T) F() {}":                                             true,
		"func (t *T[A]) F() {}":                                         true,
		"func (t t) F() {}":                                             false,
		"func (t T) Error() string {}":                                  false,
		"func Error() string {}":                                        true,
		"type T struct{}":                                               true,
		"type T struct{} // one":                                        false,
		"const X = 1":                                                   true,
		"const (\n\tX = 1\n)":                                           true,
		"const (\n\tX T = iota\n\tY\n)":                                 false,
		"var  x = 1":                                                    true, // not formatted
	} {
		bites := false
		f := parse(t, "x.go", []byte("package x\n\n"+line+"\n"))
		f.errorf = func(string, ...any) { bites = true }
		f.checkFormat()
		f.checkInit()
		f.checkVariables()
		f.checkComments()
		if bites != refused {
			t.Errorf("%q: refused is %v", line, bites)
		}
	}
}
