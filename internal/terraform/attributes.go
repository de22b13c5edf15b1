package terraform

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// reader reads the attributes of a resource or of a block in it. What is null is not there; in a state nor is what is empty, since the
// provider writes that where nobody said anything. What cannot be known is reported and is not there.
type reader struct {
	path   string // below the resource, such as versioning.enabled
	filled bool
	values map[string]any
	read   map[string]bool
	report func(place, path, why string)
}

func (r Resource) reader(report func(place, path, why string)) *reader {
	return &reader{filled: r.filled, values: r.Attributes, read: map[string]bool{}, report: report}
}

func (r *reader) at(key string) string { return strings.TrimPrefix(r.path+"."+key, ".") }

// get is a value that is there and known.
func (r *reader) get(key string) (any, bool) {
	r.read[key] = true
	v, ok := r.values[key]
	if !ok || r.nothing(v) {
		return nil, false
	}
	if u, ok := v.(unknown); ok {
		r.report(u.place, r.at(key), u.why)
		return nil, false
	}
	return v, true
}

func (r *reader) nothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return r.filled && v == ""
	case []any:
		return r.filled && len(v) == 0
	case map[string]any:
		return r.filled && len(v) == 0
	}
	return false
}

// wrong reports a value of another type than the provider has.
func (r *reader) wrong(key, want string) { r.report("", r.at(key), "is not "+want) }

func (r *reader) text(key string) (string, bool) {
	v, ok := r.get(key)
	if !ok {
		return "", false
	}
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	r.wrong(key, "a text")
	return "", false
}

func (r *reader) number(key string) (int64, bool) {
	v, ok := r.get(key)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(fmt.Sprint(v), 10, 64)
	if err != nil {
		r.wrong(key, "a whole number")
	}
	return n, err == nil
}

func (r *reader) truth(key string) (bool, bool) {
	v, ok := r.get(key)
	if !ok {
		return false, false
	}
	b, err := strconv.ParseBool(fmt.Sprint(v))
	if err != nil {
		r.wrong(key, "true or false")
	}
	return b, err == nil
}

// asked is truth, but in a state no is what the provider fills in.
func (r *reader) asked(key string) (value, ok bool) {
	value, ok = r.truth(key)
	return value, ok && (value || !r.filled)
}

func (r *reader) texts(key string) ([]string, bool) {
	v, ok := r.get(key)
	if !ok {
		return nil, false
	}
	items, ok := v.([]any)
	if !ok {
		r.wrong(key, "a list")
		return nil, false
	}
	var out []string
	for i, item := range items {
		s, ok := item.(string)
		if u, hidden := item.(unknown); hidden {
			r.report(u.place, fmt.Sprintf("%s[%d]", r.at(key), i), u.why)
			return nil, false
		}
		if !ok {
			r.wrong(key, "a list of texts")
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// labels is a mapping of texts. One that is not known as a whole is not there.
func (r *reader) labels(key string) (map[string]string, bool) {
	v, ok := r.get(key)
	if !ok {
		return nil, false
	}
	m, ok := v.(map[string]any)
	if !ok {
		r.wrong(key, "a mapping")
		return nil, false
	}
	in := &reader{path: r.at(key), filled: false, values: m, read: map[string]bool{}, report: r.report}
	out := map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if s, ok := in.text(k); ok {
			out[k] = s
		}
	}
	return out, len(out) > 0
}

// blocks are the nested blocks of a name.
func (r *reader) blocks(key string) []*reader {
	v, ok := r.get(key)
	if !ok {
		return nil
	}
	items, ok := v.([]any)
	if m, single := v.(map[string]any); single {
		items, ok = []any{m}, true
	}
	if !ok {
		r.wrong(key, "a block")
		return nil
	}
	var out []*reader
	for i, item := range items {
		path := r.at(key)
		if len(items) > 1 {
			path += fmt.Sprintf("[%d]", i)
		}
		switch m := item.(type) {
		case nil: // an empty block, in a state
			out = append(out, &reader{path: path, filled: r.filled, read: map[string]bool{}, report: r.report})
		case map[string]any:
			out = append(out, &reader{path: path, filled: r.filled, values: m, read: map[string]bool{}, report: r.report})
		case unknown:
			r.report(m.place, path, m.why)
		default:
			r.wrong(key, "a block")
		}
	}
	return out
}

// block is the one nested block of a name; one that is not there has nothing in it.
func (r *reader) block(key string) (*reader, bool) {
	all := r.blocks(key)
	if len(all) == 0 {
		return &reader{path: r.at(key), filled: r.filled, read: map[string]bool{}, report: r.report}, false
	}
	return all[0], true
}

// ignore says that attributes need no word.
func (r *reader) ignore(keys ...string) {
	for _, k := range keys {
		r.read[k] = true
	}
}

// says reports whether a value in a state is more than the provider's way of saying nothing.
func says(v any) bool {
	switch v := v.(type) {
	case nil, unknown:
		return false
	case []any:
		return slices.ContainsFunc(v, says)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), says)
	}
	return !slices.Contains([]string{"", "0", "false", "DECRYPTED"}, fmt.Sprint(v))
}

// left are the attributes that nobody has read and that say something.
func (r *reader) left() []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(r.values)) {
		v := r.values[k]
		if r.read[k] || v == nil || r.filled && !says(v) {
			continue
		}
		out = append(out, r.at(k))
	}
	return out
}
