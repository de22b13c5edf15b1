package desired

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Retag changes the tags of workloads' images in the stack file, or in its environment's overlay where they stand there. Only
// the tags' own characters are replaced: comments, order and quotes stay. A tag that is one variable and nothing else is changed at the
// variable. It answers the files that changed, whole. The error joins what cannot be changed, each one line with its place.
//
// It does not judge the outcome: whoever uses it loads the files again.
func Retag(tree fs.FS, file, environment string, tags map[string]string) (map[string][]byte, error) {
	r := &retagging{files: files{tree}, content: map[string][]byte{}, set: map[place]string{}}
	if environment != "" {
		r.names = append(r.names, path.Join(path.Dir(file), "environments", environment+".yaml"))
	}
	r.names = append(r.names, file)
	var errs []error
	for _, workload := range slices.Sorted(maps.Keys(tags)) {
		errs = append(errs, r.change(workload, tags[workload]))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r.changed()
}

// retagging is one call of Retag.
type retagging struct {
	files   files
	names   []string          // of the files that may hold a tag: what stands in one is laid over what stands in those after it
	content map[string][]byte // as it is now, by name
	set     map[place]string  // what was written where
}

// soleVariable is a scalar that is one variable and nothing else.
var soleVariable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// change writes one workload's tag.
func (r *retagging) change(workload, tag string) error {
	keys := []string{"workloads", workload, "image", "tag"}
	for range 10 { // a variable may be another one; that they go in no circle is known by whoever has loaded the stack
		at, n, err := r.find(keys)
		if err != nil {
			return err
		}
		if v := soleVariable.FindStringSubmatch(n.Value); v != nil {
			keys = []string{"vars", v[1]}
			continue
		}
		where := fmt.Sprintf("%s: %s", at, strings.Join(keys, "."))
		if strings.Contains(n.Value, "${") {
			return fmt.Errorf("%s: %q is made of several parts, so no tag can be written there; make it one variable, such as ${tag}, or write the tag out", where, n.Value)
		}
		if other, ok := r.set[at]; ok && other != tag {
			return fmt.Errorf("%s: holds the tag of several workloads, and their policies choose %s and %s; give each a variable of its own", where, other, tag)
		}
		if err := r.write(at, n, tag); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		r.set[at] = tag
		return nil
	}
	return fmt.Errorf("%s: workloads.%s.image.tag: variables that lead too far", r.names[len(r.names)-1], workload)
}

// find is the scalar that counts under keys: the overlay's, or that of the stack file.
func (r *retagging) find(keys []string) (place, *yaml.Node, error) {
	for _, name := range r.names {
		if r.content[name] == nil {
			data, err := r.files.read(name)
			if err != nil {
				return place{}, nil, fmt.Errorf("%s: %w", name, err)
			}
			r.content[name] = data
		}
		n, err := descend(r.content[name], keys)
		at := place{file: name}
		if n != nil {
			at.line, at.column = n.Line, n.Column
		}
		if err != nil {
			return place{}, nil, fmt.Errorf("%s: %s: %w", at, strings.Join(keys, "."), err)
		}
		if n != nil {
			return at, n, nil
		}
	}
	return place{}, nil, fmt.Errorf("%s: %s: not found", place{file: r.names[len(r.names)-1]}, strings.Join(keys, "."))
}

var errShared = errors.New("an anchor or an alias; what is written there would change elsewhere too, so write the tag out")

// descend follows keys through the mappings of a file; nil if it ends before. With an error, the node is where that is.
func descend(data []byte, keys []string) (*yaml.Node, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithUniqueKeys(false))
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := loader.Load(&document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 {
		return nil, nil
	}
	n := document.Content[0]
	for _, key := range keys {
		if n.Kind != yaml.MappingNode {
			return nil, nil
		}
		var value *yaml.Node
		for i := 0; i+1 < len(n.Content) && value == nil; i += 2 {
			if n.Content[i].Value == key {
				value = n.Content[i+1]
			}
		}
		if value == nil {
			return nil, nil
		}
		if n = value; n.Kind == yaml.AliasNode || n.Anchor != "" {
			return n, errShared
		}
	}
	if n.Kind != yaml.ScalarNode {
		return n, errors.New("not a single value")
	}
	return n, nil
}

// write replaces the characters of a scalar, which must be what they are taken for: plain or quoted, on one line, without escapes.
func (r *retagging) write(at place, n *yaml.Node, tag string) error {
	data := r.content[at.file]
	begin := offset(data, n.Line, n.Column)
	quote := ""
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		quote = `"`
	case n.Style&yaml.SingleQuotedStyle != 0:
		quote = `'`
	}
	old := quote + n.Value + quote
	if begin < 0 || !bytes.HasPrefix(data[begin:], []byte(old)) {
		return fmt.Errorf("%q is not written as plain or quoted text on one line, so it cannot be replaced", n.Value)
	}
	if quote == "" && !isText(tag) {
		quote = `"`
	}
	r.content[at.file] = slices.Concat(data[:begin], []byte(quote+tag+quote), data[begin+len(old):])
	return nil
}

// offset is where a line and column, both counted from 1, are; columns are characters. -1: nowhere.
func offset(data []byte, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		end := bytes.IndexByte(data[at:], '\n')
		if end < 0 {
			return -1
		}
		at += end + 1
	}
	for ; column > 1; column-- {
		if at >= len(data) {
			return -1
		}
		_, size := utf8.DecodeRune(data[at:])
		at += size
	}
	return at
}

// isText reports whether YAML takes a tag for text without quotes around it; older readers take some words for truth values.
func isText(tag string) bool {
	if slices.Contains([]string{"y", "n", "yes", "no", "on", "off"}, strings.ToLower(tag)) {
		return false
	}
	n, err := descend([]byte("tag: "+tag), []string{"tag"})
	return err == nil && n != nil && n.ShortTag() == "!!str" && n.Value == tag
}

// changed are the files that differ from those of the tree.
func (r *retagging) changed() (map[string][]byte, error) {
	out := map[string][]byte{}
	for name, content := range r.content {
		before, err := r.files.read(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if !bytes.Equal(before, content) {
			out[name] = content
		}
	}
	return out, nil
}
