package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

const (
	defaultFile = "twinlatch.toml"
	envPrefix   = "TWINLATCH_"
	maxFile     = 1 << 20
)

// raw is a value before it is parsed, and where it came from.
type raw struct {
	value, origin string
	secret        bool
}

// collect reads all sources. Later ones win. It goes on behind a problem.
func (src Source) collect() (map[string]raw, []error) {
	values, problems := src.fromFile()
	env, more := src.fromEnv()
	problems = append(problems, more...)
	maps.Copy(values, env)
	for _, key := range slices.Sorted(maps.Keys(src.Flags)) {
		s, ok := find(key)
		if !ok || !s.Flag {
			problems = append(problems, fmt.Errorf("no flag for setting %s", key))
			continue
		}
		values[key] = raw{src.Flags[key], "--" + key, s.secret}
	}
	return values, problems
}

func find(key string) (Setting, bool) {
	all := Settings()
	i := slices.IndexFunc(all, func(s Setting) bool { return s.Key == key })
	if i < 0 {
		return Setting{}, false
	}
	return all[i], true
}

// ---- the file

func (src Source) fromFile() (map[string]raw, []error) {
	name := src.File
	if name == "" {
		name = defaultFile
	}
	values := map[string]raw{}
	text, err := readFile(name)
	if errors.Is(err, fs.ErrNotExist) && src.File == "" {
		return values, nil
	}
	if err != nil {
		return values, []error{fmt.Errorf("configuration file %s: %w", plain(name), err)}
	}
	var tree map[string]any
	if err := toml.Unmarshal(text, &tree); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			row, column := at.Position()
			return values, []error{fmt.Errorf("%s line %d, column %d: %w", plain(name), row, column, err)}
		}
		return values, []error{fmt.Errorf("%s: %w", plain(name), err)}
	}
	return values, flatten(values, "", tree, name)
}

// flatten walks the tables of a file in the order of their keys.
func flatten(values map[string]raw, prefix string, table map[string]any, name string) (problems []error) {
	for _, key := range slices.Sorted(maps.Keys(table)) {
		node, key := table[key], prefix+key
		s, known := find(key)
		if sub, ok := node.(map[string]any); ok && !known && (len(sub) > 0 || isTable(key)) {
			problems = append(problems, flatten(values, key+".", sub, name)...)
			continue
		}
		if err := s.put(values, key, known, node, name); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// put keeps the value that a file gives to a key.
func (s Setting) put(values map[string]raw, key string, known bool, node any, name string) error {
	if isTable(key) {
		return fmt.Errorf("%s in %s is a table of settings: write [%s]", key, plain(name), key)
	}
	if !known {
		return fmt.Errorf("unknown setting %s in %s; %s", plain(key), plain(name), suggest(key, Setting.key))
	}
	if _, twice := values[key]; twice { // a dotted key in quotes beside a table
		return fmt.Errorf("setting %s is in %s twice", key, plain(name))
	}
	value, err := s.text(node)
	if err != nil {
		return fmt.Errorf("setting %s from %s: %w", key, plain(name), err)
	}
	values[key] = raw{value, plain(name), s.secret}
	return nil
}

// isTable says whether settings lie in the table of this name.
func isTable(name string) bool {
	return slices.ContainsFunc(Settings(), func(s Setting) bool { return strings.HasPrefix(s.Key, name+".") })
}

// text is a value of the file as the environment would have it.
func (s Setting) text(node any) (string, error) {
	switch v := node.(type) {
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case []any:
		if !s.list {
			return "", errors.New("want one value, not an array")
		}
		var list []string
		for _, e := range v {
			text, ok := e.(string)
			if !ok {
				return "", errors.New("want an array of text in quotes")
			}
			list = append(list, text)
		}
		return strings.Join(list, ","), nil
	case map[string]any:
		return "", errors.New("want a value, not a table")
	}
	return "", errors.New("want text in quotes")
}

// ---- the environment

func (src Source) fromEnv() (values map[string]raw, problems []error) {
	env := map[string]string{}
	for _, line := range src.Env {
		if name, value, _ := strings.Cut(line, "="); strings.HasPrefix(name, envPrefix) || name == kubernetes {
			env[name] = value
		}
	}
	values = map[string]raw{}
	for _, s := range Settings() {
		name := s.Env()
		value, direct := env[name]
		path, inFile := env[name+"_FILE"]
		switch {
		case direct && inFile:
			problems = append(problems, fmt.Errorf("setting %s is set by both %s and %s_FILE; keep one", s.Key, name, name))
		case direct:
			values[s.Key] = raw{value, name, s.secret}
		case inFile:
			text, err := readFile(path)
			if err != nil {
				problems = append(problems, fmt.Errorf("setting %s from %s_FILE, file %s: %w", s.Key, name, plain(path), err))
				break
			}
			// What the file holds is not shown: it may be another secret by mistake.
			values[s.Key] = raw{strings.TrimSuffix(string(text), "\n"), name + "_FILE", true}
		}
		delete(env, name)
		delete(env, name+"_FILE")
	}
	_, inPod := env[kubernetes]
	delete(env, kubernetes)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if inPod && serviceName.MatchString(name+"="+env[name]) {
			continue
		}
		problems = append(problems, fmt.Errorf("unknown setting %s in the environment; %s", plain(name), suggest(name, Setting.Env)))
	}
	return values, problems
}

// kubernetes is set in every pod.
const kubernetes = "KUBERNETES_SERVICE_HOST"

// serviceName matches what a pod is told about a service whose name begins with
// "twinlatch".
var serviceName = regexp.MustCompile(`^TWINLATCH_(\w+_)?(SERVICE_HOST=|SERVICE_PORT(_\w+)?=|PORT=(tcp|udp|sctp)://|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=)`)

// readFile reads a whole file. Its error does not repeat the name.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, cause(err)
	case len(text) > maxFile:
		return nil, errors.New("larger than 1 MiB")
	}
	return text, nil
}

func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// ---- the nearest name

func (s Setting) key() string { return s.Key }

// suggest names the known setting that is easiest to make of name, when that is
// a matter of a few letters or of the table in front.
func suggest(name string, of func(Setting) string) string {
	best, least := "", -1
	cost := func(s Setting) int { return edits(strings.ToLower(name), strings.ToLower(of(s))) }
	for _, s := range Settings() {
		bare := Setting{Key: s.Key[strings.LastIndex(s.Key, ".")+1:]} // without its table
		if d := min(cost(s), cost(bare)+1); least < 0 || d < least {
			best, least = of(s), d
		}
	}
	if least > len(strings.TrimPrefix(name, envPrefix)) { // more to change than there is
		return "twinlatch serve --help lists the settings"
	}
	return "the nearest known one is " + best
}

// edits is the Levenshtein distance from a to b, where adding a letter costs one
// and taking away or changing one costs two: people leave out more than they add,
// for instance the table.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] += 2
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change += 2
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+2)
		}
	}
	return row[len(b)]
}
