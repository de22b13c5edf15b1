package desired

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// value is one YAML value that knows its place, with aliases resolved. A stack's files are small trees of these before they are
// anything else, so that overlays, variables and strict decoding are three plain walks.
type value struct {
	at   place
	kind valueKind

	text     string // of a scalar, as it is written
	tag      string // of a scalar: what YAML takes it for, such as !!int
	expanded bool   // a variable stood in it, so the quotes around it say nothing about its type

	items  []*value // of a list
	fields []*field // of a mapping, in the order of the file
}

type field struct {
	key   string
	at    place
	value *value
}

type valueKind uint8

const (
	scalar valueKind = iota
	list
	mapping
)

const nullTag = "!!null"

func (v *value) null() bool { return v.kind == scalar && v.tag == nullTag }

// field is what a mapping has under a key, or nil.
func (v *value) field(key string) *field {
	if v == nil {
		return nil
	}
	for _, f := range v.fields {
		if f.key == key {
			return f
		}
	}
	return nil
}

// all are the fields of a mapping; none of anything else.
func (v *value) all() []*field {
	if v == nil {
		return nil
	}
	return v.fields
}

// get is the value of a key of a mapping, or nil.
func (v *value) get(key string) *value {
	if f := v.field(key); f != nil {
		return f.value
	}
	return nil
}

// set gives a mapping a key that it lacks.
func (v *value) set(key string, to *value) {
	v.fields = append(v.fields, &field{key: key, at: to.at, value: to})
}

// name is the kind of a value in words.
func (v *value) name() string {
	switch {
	case v.kind == mapping:
		return "a mapping"
	case v.kind == list:
		return "a list"
	case v.null():
		return "nothing"
	}
	return "a single value"
}

// Bounds of what a file may hold. A real stack is far below them; a hostile one ends here.
const (
	maxFile   = 1 << 20 // bytes
	maxDepth  = 64
	maxValues = 100_000 // of one file, aliases resolved
)

// parse reads the YAML documents of one file. What it cannot read is reported, and ok is false.
func parse(file string, data []byte, p *problems) (docs []*value, ok bool) {
	whole := place{file: file}
	if bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data) {
		p.add(whole, "", "not a text file; YAML in UTF-8 is expected")
		return nil, false
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithUniqueKeys(false)) // duplicates are reported here, with both places
	if err != nil {
		p.add(whole, "", "%v", err)
		return nil, false
	}
	t := &transcriber{file: file, p: p}
	for {
		var n yaml.Node
		err := loader.Load(&n)
		if errors.Is(err, io.EOF) {
			return docs, !t.failed
		}
		if err != nil {
			t.syntax(err)
			return nil, false
		}
		if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
			docs = append(docs, t.value(n.Content[0], "", 0))
		}
		if t.failed && t.values > maxValues {
			return nil, false
		}
	}
}

// transcriber makes values from the library's nodes.
type transcriber struct {
	file   string
	p      *problems
	values int
	failed bool
}

func (t *transcriber) fail(at place, path, format string, args ...any) {
	t.failed = true
	t.p.add(at, path, format, args...)
}

// syntax reports a file that is not YAML, at the place where the parser gave up.
func (t *transcriber) syntax(err error) {
	at := place{file: t.file}
	what := err.Error()
	var le *yaml.LoadError
	if errors.As(err, &le) {
		at.line, at.column, what = le.Mark.Line, le.Mark.Column, le.Message
		if le.ContextMsg != "" {
			what = le.ContextMsg + ": " + what
		}
	}
	t.fail(at, "", "not valid YAML: %s", what)
}

func (t *transcriber) place(n *yaml.Node) place { return place{t.file, n.Line, n.Column} }

// value transcribes one node. Aliases are written out, so that nothing is shared and every use counts against the bound.
func (t *transcriber) value(n *yaml.Node, path string, depth int) *value {
	v := &value{at: t.place(n)}
	t.values++
	switch {
	case t.values > maxValues:
		t.fail(place{file: t.file}, "", "more than %d values; aliases that repeat each other are not expanded any further", maxValues)
		return v
	case depth > maxDepth:
		t.fail(v.at, path, "nested more than %d deep", maxDepth)
		return v
	}
	switch n.Kind {
	case yaml.AliasNode:
		target := t.value(n.Alias, path, depth+1)
		target.at = v.at
		return target
	case yaml.SequenceNode:
		v.kind = list
		for i, item := range n.Content {
			v.items = append(v.items, t.value(item, indexed(path, i), depth+1))
		}
	case yaml.MappingNode:
		v.kind = mapping
		t.mapping(v, n, path, depth)
	default:
		v.text, v.tag = n.Value, n.ShortTag()
		if !slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", nullTag, "!!timestamp", "!!merge"}, v.tag) {
			t.fail(v.at, path, "the YAML tag %s is not understood", v.tag)
		}
	}
	return v
}

// mapping transcribes the keys of a node, each once.
func (t *transcriber) mapping(v *value, n *yaml.Node, path string, depth int) {
	seen := map[string]place{}
	for i := 0; i+1 < len(n.Content) && t.values <= maxValues; i += 2 {
		key := n.Content[i]
		at := t.place(key)
		if key.Kind != yaml.ScalarNode {
			t.fail(at, path, "a key must be plain text")
			continue
		}
		name := joined(path, key.Value)
		if key.ShortTag() == "!!merge" {
			t.fail(at, path, "merge keys (<<) are not supported; use vars, or an environment's overlay")
			continue
		}
		if first, ok := seen[key.Value]; ok {
			t.p.add(at, name, "duplicate key; first on line %d", first.line) // the first one stands, and the rest is judged with it
			continue
		}
		seen[key.Value] = at
		v.fields = append(v.fields, &field{key: key.Value, at: at, value: t.value(n.Content[i+1], name, depth+1)})
	}
}

// plain is the value as encoding/json would hold it: map[string]any, []any, string, bool, int64, float64, nil. It is how an object of
// Kubernetes is read.
func (v *value) plain(p *problems, path string) any {
	switch v.kind {
	case mapping:
		m := map[string]any{}
		for _, f := range v.fields {
			m[f.key] = f.value.plain(p, joined(path, f.key))
		}
		return m
	case list:
		l := make([]any, 0, len(v.items))
		for i, item := range v.items {
			l = append(l, item.plain(p, indexed(path, i)))
		}
		return l
	}
	switch v.tag {
	case nullTag:
		return nil
	case "!!str", "!!timestamp", "!!merge":
		return v.text
	}
	n := yaml.Node{Kind: yaml.ScalarNode, Tag: v.tag, Value: v.text}
	var out any
	if err := n.Load(&out); err != nil {
		p.add(v.at, path, "not a value of the type %s", v.tag) // which value is not told: it may be a Secret's
		return nil
	}
	switch x := out.(type) {
	case int:
		return int64(x)
	case uint64:
		return float64(x) // as encoding/json would
	}
	return out
}

// joined and indexed are how paths of mistakes are written: workloads.api.uses[0].
func joined(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func indexed(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
