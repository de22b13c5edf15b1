package desired

import (
	"encoding"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// decoder fills structs from values, strictly: every mistake is reported with its place and path, and decoding goes on.
//
// It reads the same tags as the schema does: `yaml:"name"`, `yaml:",inline"`, `yaml:"-"`, and `enum:"a,b"` for the texts
// that a field (or the items of a list) may hold. A type with UnmarshalText is read from a single value; if it is also a struct or a map it
// may be written as a mapping instead.
type decoder struct {
	p      *problems
	places map[string]place // of everything that was read, by path
}

// decode fills out. at is the place of the key that v belongs to.
func (d *decoder) decode(v *value, at place, path, enum string, out reflect.Value) {
	d.places[path] = at
	if v.kind == scalar {
		d.places[path] = v.at
	}
	if out.Kind() == reflect.Pointer {
		if v.null() && out.Type().Elem().Kind() != reflect.Struct {
			d.p.unreadable(v.at, path, "has no value")
			return
		}
		out.Set(reflect.New(out.Type().Elem()))
		out = out.Elem()
	}
	if u, ok := out.Addr().Interface().(encoding.TextUnmarshaler); ok && (v.kind == scalar || !structured(out.Kind())) {
		d.text(v, path, u)
		return
	}
	switch out.Kind() {
	case reflect.Struct:
		d.structure(v, path, out)
	case reflect.Map:
		d.dictionary(v, path, out)
	case reflect.Slice:
		d.slice(v, path, enum, out)
	default:
		d.scalar(v, path, enum, out)
	}
}

// structured kinds may be written out even where a single value would do.
func structured(k reflect.Kind) bool {
	return k == reflect.Struct || k == reflect.Map || k == reflect.Slice
}

// text reads a value with a form of its own. The error of its UnmarshalText is the report.
func (d *decoder) text(v *value, path string, u encoding.TextUnmarshaler) {
	switch {
	case v.kind != scalar:
		d.p.unreadable(v.at, path, "must be a single value, not %s", v.name())
	case v.null():
		d.p.unreadable(v.at, path, "has no value")
	case isNumber(u) && !v.expanded && v.tag == "!!str" && wholeNumber.MatchString(v.text):
		d.p.unreadable(v.at, path, "must be a number, not a text; write %s without quotes", v.text)
	default:
		if err := u.UnmarshalText([]byte(v.text)); err != nil {
			d.p.unreadable(v.at, path, "%v", err)
		}
	}
}

var wholeNumber = regexp.MustCompile(`^[0-9]+$`)

// isNumber reports whether a type that reads itself stands for a number, which in quotes is a text.
func isNumber(u encoding.TextUnmarshaler) bool {
	_, ok := u.(interface{ Number() })
	return ok
}

// structure reads a mapping whose keys are known.
func (d *decoder) structure(v *value, path string, out reflect.Value) {
	if v.null() {
		return // an entry with nothing but its defaults
	}
	if v.kind != mapping {
		d.p.unreadable(v.at, path, "must be a mapping of keys to values, not %s", v.name())
		return
	}
	known := fieldsOf(out.Type())
	for _, f := range v.fields {
		at := joined(path, f.key)
		sf, ok := pick(known, f)
		if !ok {
			hint := suggest(f.key, names(known))
			d.p.unreadable(f.at, at, "unknown field%s", hint)
			if _, meant, ok := strings.Cut(hint, `"`); ok {
				d.places[joined(path, strings.TrimRight(meant, `"?`))] = f.at // where the missing key was meant to stand
			}
			continue
		}
		d.decode(f.value, f.at, at, enumOf(known, f.key, sf), out.FieldByIndex(sf.Index))
	}
}

// dictionary reads a mapping whose keys are free. Left empty, it is no mapping at all.
func (d *decoder) dictionary(v *value, path string, out reflect.Value) {
	if v.null() {
		return
	}
	if v.kind != mapping {
		d.p.unreadable(v.at, path, "must be a mapping of keys to values, not %s", v.name())
		return
	}
	m := reflect.MakeMap(out.Type())
	for _, f := range v.fields {
		item := reflect.New(out.Type().Elem()).Elem()
		d.decode(f.value, f.at, joined(path, f.key), "", item)
		m.SetMapIndex(reflect.ValueOf(f.key), item)
	}
	out.Set(m)
}

// slice reads a list. An empty one is a list: it may mean "none", where nothing at all means "not ours".
func (d *decoder) slice(v *value, path, enum string, out reflect.Value) {
	if v.null() {
		return
	}
	if v.kind != list {
		d.p.unreadable(v.at, path, "must be a list, not %s; write [ ] around it", v.name())
		return
	}
	s := reflect.MakeSlice(out.Type(), len(v.items), len(v.items))
	for i, item := range v.items {
		d.decode(item, item.at, indexed(path, i), enum, s.Index(i))
	}
	out.Set(s)
}

// scalar reads text, a number, true or false. What stands in quotes is text, unless a variable made it.
func (d *decoder) scalar(v *value, path, enum string, out reflect.Value) {
	if v.kind != scalar {
		d.p.unreadable(v.at, path, "must be a single value, not %s", v.name())
		return
	}
	if v.null() {
		d.p.unreadable(v.at, path, "has no value")
		return
	}
	switch out.Kind() {
	case reflect.String:
		if allowed := strings.Split(enum, ","); enum != "" && !slices.Contains(allowed, v.text) {
			d.p.unreadable(v.at, path, "%q is not one of %s%s", v.text, strings.Join(allowed, ", "), suggest(v.text, allowed))
			return
		}
		out.SetString(v.text) // exactly as it is written: 1.10 stays 1.10
	case reflect.Bool:
		if v.text != "true" && v.text != "false" || !v.expanded && v.tag != "!!bool" {
			d.p.unreadable(v.at, path, "must be true or false, not %q", v.text)
			return
		}
		out.SetBool(v.text == "true")
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(v.text, 10, out.Type().Bits())
		if err != nil || !v.expanded && v.tag != "!!int" {
			d.p.unreadable(v.at, path, "must be a whole number, not %q", v.text)
			return
		}
		out.SetInt(n)
	default:
		panic("desired: no way to decode a " + out.Type().String()) // a programming mistake in a section's struct
	}
}

// keyed is a struct's field with the key that the stack file has for it.
type keyed struct {
	key string
	reflect.StructField
}

// fieldsOf lists what a struct takes, inlined structs included. A key may occur more than once: see pick.
func fieldsOf(t reflect.Type) []keyed {
	var all []keyed
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			for _, in := range fieldsOf(f.Type) {
				in.Index = append([]int{i}, in.Index...)
				all = append(all, in)
			}
		case f.IsExported() && name != "" && name != "-":
			f.Index = []int{i}
			all = append(all, keyed{name, f})
		}
	}
	return all
}

// pick finds the field for a key. Where two inlined structs have the same key, as a cluster's own mode and the mode of every
// resource, it is the one whose enum has the value, else the last.
func pick(known []keyed, f *field) (found keyed, ok bool) {
	for _, k := range known {
		if k.key != f.key {
			continue
		}
		found, ok = k, true
		if slices.Contains(strings.Split(k.Tag.Get("enum"), ","), f.value.text) {
			return found, true
		}
	}
	return found, ok
}

// enumOf is what may stand in a field: what any field of that key may hold, if the key occurs more than once.
func enumOf(known []keyed, key string, found keyed) string {
	enums := []string{}
	for _, k := range known {
		if e := k.Tag.Get("enum"); k.key == key && e != "" {
			enums = append(enums, e)
		}
	}
	if len(enums) > 1 {
		return strings.Join(enums, ",")
	}
	return found.Tag.Get("enum")
}

func names(known []keyed) []string {
	var all []string
	for _, k := range known {
		all = append(all, k.key)
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}
