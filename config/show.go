package config

import "strings"

// Value is what a setting has, and why.
type Value struct {
	Key    string `json:"key"`
	Value  string `json:"value"`  // as it would be written; "[secret]" where it may hold a password
	Origin string `json:"origin"` // the file, the name in the environment, the flag or "default"; empty: it has none
}

// Show lists every setting in the order of the table. The values were read and
// are not checked: see Problems.
func Show(src Source) ([]Value, error) {
	given, problems := src.collect()
	if len(problems) > 0 {
		return nil, problems[0]
	}
	var all []Value
	for _, s := range Settings() {
		v := Value{Key: s.Key, Value: s.Default}
		if s.Default != "" {
			v.Origin = "default"
		}
		if g, ok := given[s.Key]; ok {
			v.Value, v.Origin = g.value, g.origin
			if g.secret && !(s.Key == "database" && strings.HasPrefix(g.value, "sqlite:")) { // a path is none
				v.Value = "[secret]"
			}
		}
		all = append(all, v)
	}
	return all, nil
}
