package config

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A decoder walks a YAML tree and a Go value side by side, so that every mistake of a file is found in one run and named by its
// path, not by a Go type. It serves this configuration alone: structs, lists, strings, numbers, booleans and text units.
type decoder struct {
	file     string
	mistakes []mistake
}

type mistake struct {
	line, column int
	err          error
}

// defaulter is a list entry that does not start from zero.
type defaulter interface{ setDefaults() }

// mistake notes what is wrong at a node. path may be "".
func (d *decoder) mistake(n *yaml.Node, path, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if path != "" {
		what = path + ": " + what
	}
	d.mistakes = append(d.mistakes, mistake{n.Line, n.Column, fmt.Errorf("%s:%d:%d: %s", d.file, n.Line, n.Column, what)})
}

// sorted is the mistakes in the order of the file.
func (d *decoder) sorted() []error {
	slices.SortStableFunc(d.mistakes, func(a, b mistake) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	var errs []error
	for _, m := range d.mistakes {
		errs = append(errs, m.err)
	}
	return errs
}

// parse reads exactly one document and returns its root; nil, with the mistake noted, if there is none.
func (d *decoder) parse(data []byte) *yaml.Node {
	var doc yaml.Node
	err := yaml.Load(data, &doc)
	if err == nil {
		if len(doc.Content) == 1 {
			return doc.Content[0]
		}
		return &doc
	}
	at := &yaml.Node{Line: 1, Column: 1}
	what := err.Error()
	var load *yaml.LoadError
	if errors.As(err, &load) {
		what = strings.TrimPrefix(load.Message, "yaml: ")
		if load.Mark.Line > 0 {
			at.Line, at.Column = load.Mark.Line, load.Mark.Column
		}
	}
	d.mistake(at, "", "not YAML that can be read: %s", what)
	return nil
}

// into decodes n into the value that out points to.
func (d *decoder) into(n *yaml.Node, path string, out any) {
	d.value(n, path, reflect.ValueOf(out).Elem())
}

func (d *decoder) value(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind == yaml.AliasNode {
		d.mistake(n, path, "aliases are not used here; write the value out")
		return
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		if path == "" {
			d.mistake(n, path, "the file is empty")
		}
		return // `key:` with nothing behind it leaves the default
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(n, path, text)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(n, path, v)
	case reflect.Slice:
		d.sequence(n, path, v)
	default:
		d.scalar(n, path, v)
	}
}

func (d *decoder) text(n *yaml.Node, path string, out encoding.TextUnmarshaler) {
	if n.Kind != yaml.ScalarNode {
		d.mistake(n, path, "must be a single value, not %s", shape(n))
		return
	}
	if err := out.UnmarshalText([]byte(n.Value)); err != nil {
		d.mistake(n, path, "%v", err)
	}
}

func (d *decoder) mapping(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.mistake(n, path, "must be a mapping, not %s", shape(n))
		return
	}
	fields := map[string]reflect.Value{}
	var known []string
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		fields[name] = v.Field(i)
		known = append(known, name)
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		at := join(path, key.Value)
		if line, twice := seen[key.Value]; twice {
			d.mistake(key, at, "given twice; first in line %d", line)
			continue
		}
		seen[key.Value] = key.Line
		field, ok := fields[key.Value]
		if !ok {
			d.mistake(key, at, "unknown field%s", didYouMean(key.Value, known))
			continue
		}
		d.value(val, at, field)
	}
}

func (d *decoder) sequence(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.mistake(n, path, "must be a list, not %s", shape(n))
		return
	}
	for i, item := range n.Content {
		elem := reflect.New(v.Type().Elem())
		if e, ok := elem.Interface().(defaulter); ok {
			e.setDefaults()
		}
		d.value(item, fmt.Sprintf("%s[%d]", path, i), elem.Elem())
		v.Set(reflect.Append(v, elem.Elem()))
	}
}

func (d *decoder) scalar(n *yaml.Node, path string, v reflect.Value) {
	words := map[reflect.Kind]string{reflect.String: "text", reflect.Int: "a whole number", reflect.Bool: "true or false"}
	want := words[v.Kind()]
	if n.Kind != yaml.ScalarNode {
		d.mistake(n, path, "must be %s, not %s", want, shape(n))
		return
	}
	tags := map[reflect.Kind]string{reflect.Int: "!!int", reflect.Bool: "!!bool"}
	if tag := tags[v.Kind()]; tag != "" && n.ShortTag() != tag {
		d.mistake(n, path, "must be %s, not %q", want, n.Value)
		return
	}
	if v.Kind() == reflect.String {
		v.SetString(n.Value) // as it is written: a project 123 is text all the same
		return
	}
	if err := n.Load(v.Addr().Interface()); err != nil {
		d.mistake(n, path, "must be %s, not %q", want, n.Value)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func shape(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("%q", n.Value)
	}
}

// didYouMean names the known word that is at most two edits away.
func didYouMean(word string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if n := distance(strings.ToLower(word), strings.ToLower(k)); n < least {
			best, least = k, n
		}
	}
	if best == "" {
		return "; there is " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance counts the edits (Levenshtein) that turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
