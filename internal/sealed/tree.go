package sealed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// node is one value of a YAML or JSON file. A mapping keeps the order of the file, over which SOPS computes its MAC.
type node struct {
	kind         kind
	line, column int
	text         string // of a scalar, as it is written
	null         bool
	items        []*node
	fields       []field
}

type field struct {
	key   string
	value *node
}

type kind uint8

const (
	scalar kind = iota
	list
	mapping
)

// Bounds of a tree, far above any file of secrets.
const (
	maxFile  = 2 << 20
	maxNodes = 20_000
	maxDepth = 20
)

func (n *node) mistake(format string, args ...any) Mistake {
	return Mistake{n.line, n.column, fmt.Sprintf(format, args...)}
}

// get is what a mapping has under a key, or nil.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	i := slices.IndexFunc(n.fields, func(f field) bool { return f.key == key })
	if i < 0 {
		return nil
	}
	return n.fields[i].value
}

// parse reads a file that is one mapping. The error is Mistakes.
func parse(data []byte) (*node, error) {
	whole := func(what string) error { return Mistakes{{What: what}} }
	switch {
	case len(data) > maxFile:
		return nil, whole("too large")
	case isBlank(data):
		return nil, whole("empty; a mapping of keys to values is expected")
	case bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data):
		return nil, whole("not a text in UTF-8; a value of other bytes is taken whole, under the name that key gives")
	}
	r := reader{data: data}
	var tree *node
	if json.Valid(data) { // JSON has escapes that YAML does not know
		r.json = json.NewDecoder(bytes.NewReader(data))
		r.json.UseNumber()
		tree = r.fromJSON(0)
	} else {
		tree = r.fromYAML()
	}
	if len(r.wrong) > 0 {
		return nil, r.wrong.err()
	}
	if tree.kind != mapping {
		return nil, Mistakes{tree.mistake("must be a mapping of keys to values; a file that is one value is named with key")}
	}
	return tree, nil
}

// reader makes nodes, and notes mistakes.
type reader struct {
	data  []byte
	json  *json.Decoder
	nodes int
	wrong Mistakes
}

func (r *reader) fail(at *node, format string, args ...any) {
	r.wrong = append(r.wrong, at.mistake(format, args...))
}

// count keeps hostile files from growing; false: it is enough.
func (r *reader) count(at *node, depth int) bool {
	if r.nodes++; r.nodes > maxNodes || depth > maxDepth {
		if len(r.wrong) == 0 {
			r.fail(at, "too many values, or too deep")
		}
		return false
	}
	return true
}

// add takes in a key once.
func (r *reader) add(to *node, key string, value *node) {
	if to.get(key) != nil {
		r.fail(value, "%q stands here twice", key)
		return
	}
	to.fields = append(to.fields, field{key, value})
}

// fromYAML reads the one document of a YAML file.
func (r *reader) fromYAML() *node {
	at := &node{line: 1, column: 1}
	loader, err := yaml.NewLoader(bytes.NewReader(r.data), yaml.WithUniqueKeys(false)) // duplicates are reported here
	if err != nil {
		r.fail(at, "not YAML that can be read")
		return at
	}
	var doc, more yaml.Node
	err = loader.Load(&doc)
	if err == nil {
		err = loader.Load(&more)
	}
	var load *yaml.LoadError
	switch {
	case err == nil:
		r.fail(&node{line: more.Line, column: more.Column}, "a second document")
	case errors.As(err, &load): // its own words may quote what stands there
		r.fail(&node{line: load.Mark.Line, column: load.Mark.Column}, "not YAML that can be read; does a text need quotes?")
	case !errors.Is(err, io.EOF):
		r.fail(at, "not YAML that can be read")
	case doc.Kind != yaml.DocumentNode || len(doc.Content) != 1:
		r.fail(at, "empty; a mapping of keys to values is expected")
	default:
		return r.yaml(doc.Content[0], 0)
	}
	return at
}

func (r *reader) yaml(y *yaml.Node, depth int) *node {
	n := &node{line: y.Line, column: y.Column}
	if !r.count(n, depth) {
		return n
	}
	switch y.Kind {
	case yaml.AliasNode:
		r.fail(n, "aliases are not used here; write the value out")
	case yaml.SequenceNode:
		n.kind = list
		for _, item := range y.Content {
			n.items = append(n.items, r.yaml(item, depth+1))
		}
	case yaml.MappingNode:
		n.kind = mapping
		for i := 0; i+1 < len(y.Content); i += 2 {
			key := y.Content[i]
			at := &node{line: key.Line, column: key.Column}
			if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
				r.fail(at, "a key must be plain text")
				continue
			}
			r.add(n, key.Value, r.yaml(y.Content[i+1], depth+1))
		}
	default:
		n.text, n.null = y.Value, y.ShortTag() == "!!null"
		if !slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp"}, y.ShortTag()) {
			r.fail(n, "a YAML tag that is not understood here")
		}
	}
	return n
}

// fromJSON reads one value of a text that is known to be valid JSON.
func (r *reader) fromJSON(depth int) *node {
	token, err := r.json.Token()
	n := r.position()
	if err != nil {
		r.fail(n, "not JSON that can be read")
		return n
	}
	if !r.count(n, depth) {
		return n
	}
	switch t := token.(type) {
	case json.Delim:
		n.kind = list
		if t == '{' {
			n.kind = mapping
		}
		for r.json.More() && len(r.wrong) == 0 {
			if n.kind == list {
				n.items = append(n.items, r.fromJSON(depth+1))
				continue
			}
			key, _ := r.json.Token() // a text: the whole is valid
			name, _ := key.(string)
			r.add(n, name, r.fromJSON(depth+1))
		}
		if _, err := r.json.Token(); err != nil && len(r.wrong) == 0 {
			r.fail(n, "not JSON that can be read")
		}
	case string:
		n.text = t
	case nil:
		n.null = true
	default: // a number or a bool
		n.text = fmt.Sprint(t)
	}
	return n
}

// position is where the decoder has come to: the end of the token that was read last.
func (r *reader) position() *node {
	read := r.data[:min(int(r.json.InputOffset()), len(r.data))]
	start := bytes.LastIndexByte(read, '\n') + 1
	return &node{line: 1 + bytes.Count(read, []byte("\n")), column: max(1, utf8.RuneCount(read[start:]))}
}
