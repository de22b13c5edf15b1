package cost

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxBook bounds a file: the whole catalog of Google's compute prices would be below it.
const maxBook = 16 << 20

// Parse reads a price book strictly; name is the file, for messages. With base the book is an override: its prices are laid over those of base, by key
// and region, and it may name the sources of base. The error joins every fault of the file, one line each, as file:line:column: path: what is wrong.
func Parse(name string, data []byte, base *Book) (*Book, error) {
	l := &loader{file: name, base: base, book: &Book{Sources: map[string]Source{}, prices: map[place]*Price{}}, units: map[string]*Price{}}
	if base != nil {
		maps.Copy(l.book.Sources, base.Sources)
		for at, p := range base.prices {
			if first := l.units[at.key]; first == nil || at.region < first.Region { // the same one in every run
				l.units[at.key] = p
			}
		}
	}
	if root := l.root(data); root != nil {
		l.whole(root)
	}
	if len(l.faults) > 0 {
		return nil, l.err()
	}
	l.book.Name = "embedded price book of " + l.book.Compiled
	if base != nil {
		l.book.Name = fmt.Sprintf("%s of %s over the %s", name, l.book.Compiled, base.Name)
		l.book.Compiled = max(l.book.Compiled, base.Compiled)
		for at, p := range base.prices {
			if l.book.prices[at] == nil {
				l.book.prices[at] = p
			}
		}
	}
	return l.book, nil
}

// loader makes one book.
type loader struct {
	file   string
	base   *Book
	book   *Book
	units  map[string]*Price // a price of each key: all of a key are of one unit
	faults []fault
}

type fault struct {
	line, column int
	text         string
}

func (l *loader) fault(n *yaml.Node, path, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if path != "" {
		what = path + ": " + what
	}
	l.faults = append(l.faults, fault{n.Line, n.Column, fmt.Sprintf("%s: %s", l.at(n), what)})
}

func (l *loader) at(n *yaml.Node) string { return fmt.Sprintf("%s:%d:%d", l.file, n.Line, n.Column) }

func (l *loader) err() error {
	slices.SortStableFunc(l.faults, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	errs := make([]error, len(l.faults))
	for i, f := range l.faults {
		errs[i] = errors.New(f.text)
	}
	return errors.Join(errs...)
}

// root is the one document of the file; nil, with the fault noted, if it cannot be read.
func (l *loader) root(data []byte) *yaml.Node {
	start := &yaml.Node{Line: 1, Column: 1}
	if len(data) > maxBook {
		l.fault(start, "", "%d bytes are no price book", len(data))
		return nil
	}
	docs, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithUniqueKeys(false)) // reported here, with both places
	if err != nil {
		l.fault(start, "", "%v", err)
		return nil
	}
	var doc, more yaml.Node
	switch err := docs.Load(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		l.fault(start, "", "the file is empty")
		return nil
	case err != nil:
		what := err.Error()
		var at *yaml.LoadError
		if errors.As(err, &at) {
			what = strings.TrimPrefix(at.Message, "yaml: ")
			if at.Mark.Line > 0 {
				start.Line, start.Column = at.Mark.Line, at.Mark.Column
			}
		}
		l.fault(start, "", "not YAML that can be read: %s", what)
		return nil
	}
	if docs.Load(&more) == nil && len(more.Content) > 0 {
		l.fault(more.Content[0], "", "a second document; a price book is one")
	}
	return doc.Content[0]
}

// entry is a key of a mapping with its value.
type entry struct{ key, value *yaml.Node }

// fields are the entries of a mapping by key. Keys that are not known, or stand there twice, are faults; with no known keys all are.
func (l *loader) fields(n *yaml.Node, path string, known ...string) map[string]entry {
	if n.Kind != yaml.MappingNode {
		l.fault(n, path, "must be a mapping, not %s", shape(n))
		return nil
	}
	all := map[string]entry{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch first, twice := all[key.Value]; {
		case twice:
			l.fault(key, within(path, key.Value), "given twice; first in line %d", first.key.Line)
		case len(known) > 0 && !slices.Contains(known, key.Value):
			l.fault(key, within(path, key.Value), "unknown field; there is %s", strings.Join(known, ", "))
		case value.Kind == yaml.AliasNode:
			l.fault(value, within(path, key.Value), "aliases are not used here; write the value out")
		default:
			all[key.Value] = entry{key, value}
		}
	}
	return all
}

// text is a single value that has to be there.
func (l *loader) text(of map[string]entry, at *yaml.Node, path, key string) string {
	e, ok := of[key]
	switch {
	case !ok:
		l.fault(at, within(path, key), "missing")
		return ""
	case e.value.Kind != yaml.ScalarNode || null(e.value) || e.value.Value == "":
		l.fault(e.value, within(path, key), "must be a single value, not %s", shape(e.value))
		return ""
	}
	return e.value.Value
}

// optional is text that may be missing.
func (l *loader) optional(of map[string]entry, path, key string) string {
	if _, ok := of[key]; !ok {
		return ""
	}
	return l.text(of, nil, path, key)
}

func null(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func within(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func shape(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case null(n):
		return "nothing"
	}
	return fmt.Sprintf("%q", n.Value)
}
