package resource

import (
	"errors"
	"fmt"
	"strings"
)

// Covers reports whether field, as a Change names it, is what pattern names or stands below it: spec.template covers
// spec.template.spec.containers[api].image. In a step of the pattern, * stands for any characters: containers[*].image.
func Covers(pattern, field string) bool {
	want, err := steps(pattern)
	if err != nil {
		return false
	}
	have, err := steps(field)
	if err != nil { // nothing but itself names a field that has no steps
		return pattern == field
	}
	if len(have) < len(want) {
		return false
	}
	for i, w := range want {
		if !fits(w, have[i]) {
			return false
		}
	}
	return true
}

// CheckField says what is wrong with a pattern of Covers.
func CheckField(pattern string) error {
	all, err := steps(pattern)
	if err != nil {
		return err
	}
	if strings.Trim(all[0], "*") == "" {
		return errors.New("begins with *, which is everything; name a field")
	}
	return nil
}

// IgnoreRule is the rule of a stack file that leaves fields of a resource alone, on one line of YAML.
func IgnoreRule(on string, fields []string) string {
	quoted := make([]string, len(fields))
	for i, f := range fields {
		quoted[i] = scalar(f)
	}
	return fmt.Sprintf("{fields: [%s], on: %s}", strings.Join(quoted, ", "), scalar(on))
}

// scalar is text as it may stand within brackets of YAML.
func scalar(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("./-_", r)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return text
}

// steps cuts a field at its dots and brackets. What stands in brackets is one step, whatever it holds.
func steps(field string) ([]string, error) {
	var all []string
	rest := field
	for rest != "" {
		if rest[0] == '[' {
			inside, after, closed := strings.Cut(rest[1:], "]")
			if !closed || inside == "" {
				return nil, fmt.Errorf("%q: a bracket is empty or not closed", field)
			}
			all = append(all, inside)
			rest = after
			if after != "" && after[0] != '.' && after[0] != '[' {
				return nil, fmt.Errorf("%q: a dot is missing after ]", field)
			}
			if after == "." {
				return nil, fmt.Errorf("%q: ends with a dot", field)
			}
			rest = strings.TrimPrefix(rest, ".")
			continue
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		step := rest[:end]
		if step == "" {
			return nil, fmt.Errorf("%q: nothing stands before a dot", field)
		}
		if strings.ContainsAny(step, "] \t") {
			return nil, fmt.Errorf("%q: %q is no name of a field; write a key with other characters in brackets", field, step)
		}
		all = append(all, step)
		rest = rest[end:]
		if rest == "." {
			return nil, fmt.Errorf("%q: ends with a dot", field)
		}
		rest = strings.TrimPrefix(rest, ".")
	}
	if len(all) == 0 {
		return nil, errors.New("has no value")
	}
	return all, nil
}

// fits reports whether text is pattern, in which * stands for any characters.
func fits(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(text, p)
		if i < 0 {
			return false
		}
		text = text[i+len(p):]
	}
	return strings.HasSuffix(text, last)
}
