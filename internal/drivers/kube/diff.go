package kube

import (
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	smdvalue "sigs.k8s.io/structured-merge-diff/v6/value"

	recsys "recsysd.dev/recsysd/internal/resource"
)

// Diff reports how live differs. The driver has worked that out with the API server's help for what it observed; any other
// object is compared in what it declares, as it is written.
func (o Object) Diff(live Object) []recsys.Change {
	if o.dry != nil {
		return o.dry.changes
	}
	diffs := compare(normal(o.formed()), normal(live.formed()), nil, true)
	if live.Asleep && !o.Asleep { // which nothing declares
		path := fieldpath.MakePathOrDie("metadata", "annotations", AnnotationAsleep)
		diffs = append(diffs, difference{path, nil, "true"})
	}
	return changes(diffs, o, nil)
}

// difference is one field that differs. nil is absent.
type difference struct {
	path       fieldpath.Path
	want, have any
}

// comparison walks two objects side by side.
type comparison struct {
	declared bool // only what want says is compared
	found    []difference
}

// compare returns where want and have differ. known is a set of owned fields, from which the keys of lists are learnt.
func compare(want, have map[string]any, known *fieldpath.Set, declared bool) []difference {
	c := comparison{declared: declared}
	c.maps(nil, want, have, known)
	return c.found
}

func (c *comparison) values(p fieldpath.Path, want, have any, known *fieldpath.Set) {
	switch w := want.(type) {
	case map[string]any:
		if h, ok := have.(map[string]any); ok {
			c.maps(p, w, h, known)
			return
		}
	case []any:
		if h, ok := have.([]any); ok {
			c.lists(p, w, h, known)
			return
		}
	}
	if reflect.DeepEqual(want, have) || equalNumbers(want, have) || c.declared && equalQuantities(want, have) {
		return
	}
	c.found = append(c.found, difference{p, want, have})
}

func (c *comparison) maps(p fieldpath.Path, want, have map[string]any, known *fieldpath.Set) {
	for k, w := range want {
		e := fieldpath.FieldNameElement(k)
		c.values(extend(p, e), w, have[k], below(known, e))
	}
	if c.declared {
		return
	}
	for k, h := range have {
		if _, ok := want[k]; !ok && h != nil {
			c.found = append(c.found, difference{extend(p, fieldpath.FieldNameElement(k)), nil, h})
		}
	}
}

// lists compares by key where the list has one, in whatever order; else as a whole.
func (c *comparison) lists(p fieldpath.Path, want, have []any, known *fieldpath.Set) {
	keys := keysOf(known)
	if keys == nil && uniqueNames(want) && uniqueNames(have) {
		keys = []string{"name"}
	}
	w, h := byKey(want, keys), byKey(have, keys)
	if keys == nil || w == nil || h == nil {
		if c.declared && len(want) == len(have) && len(objects(want)) == len(want) { // the server fills in items that have no name
			for i := range want {
				c.values(extend(p, fieldpath.IndexElement(i)), want[i], have[i], nil)
			}
			return
		}
		if !reflect.DeepEqual(want, have) {
			c.found = append(c.found, difference{p, want, have})
		}
		return
	}
	for _, i := range w {
		at := slices.IndexFunc(h, i.matches)
		if at < 0 {
			c.found = append(c.found, difference{extend(p, i.element), i.item, nil})
			continue
		}
		c.maps(extend(p, i.element), i.item, h[at].item, below(known, i.element))
	}
	if c.declared {
		return
	}
	for _, i := range h {
		if !slices.ContainsFunc(w, func(o keyed) bool { return o.element.Equals(i.element) }) {
			c.found = append(c.found, difference{extend(p, i.element), nil, i.item})
		}
	}
}

type keyed struct {
	element fieldpath.PathElement
	item    map[string]any
}

// matches reports whether o has the key of k, which may lack what the server adds to a key (a port's protocol).
func (k keyed) matches(o keyed) bool {
	for _, f := range *k.element.Key {
		if !reflect.DeepEqual(f.Value.Unstructured(), o.item[f.Name]) {
			return false
		}
	}
	return true
}

// byKey pairs the items of a list with their keys; nil, for a list that is not empty, if an item has none.
func byKey(l []any, keys []string) []keyed {
	out := make([]keyed, 0, len(l))
	for _, v := range l {
		item, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		var fields smdvalue.FieldList
		for _, k := range keys {
			if item[k] != nil {
				fields = append(fields, smdvalue.Field{Name: k, Value: smdvalue.NewValueInterface(item[k])})
			}
		}
		if len(fields) == 0 {
			return nil
		}
		fields.Sort()
		out = append(out, keyed{fieldpath.PathElement{Key: &fields}, item})
	}
	return out
}

// keysOf learns the key fields of a list from an owned item of it; nil if there is none.
func keysOf(known *fieldpath.Set) (keys []string) {
	if known == nil {
		return nil
	}
	learn := func(e fieldpath.PathElement) {
		if e.Key != nil && len(keys) == 0 {
			for _, f := range *e.Key {
				keys = append(keys, f.Name)
			}
		}
	}
	known.Members.Iterate(learn)
	known.Children.Iterate(learn)
	return keys
}

func uniqueNames(l []any) bool {
	met := map[string]bool{}
	for _, v := range l {
		m, _ := v.(map[string]any)
		name, ok := m["name"].(string)
		if !ok || met[name] {
			return false
		}
		met[name] = true
	}
	return true
}

func below(known *fieldpath.Set, e fieldpath.PathElement) *fieldpath.Set {
	if known == nil {
		return nil
	}
	next, _ := known.Children.Get(e)
	return next
}

func extend(p fieldpath.Path, e fieldpath.PathElement) fieldpath.Path {
	return append(p[:len(p):len(p)], e)
}

func equalNumbers(a, b any) bool {
	x, ok := toFloat(a)
	y, also := toFloat(b)
	return ok && also && x == y
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// equalQuantities: a manifest may write 0.5 for what the server stores as 500m.
func equalQuantities(a, b any) bool {
	x, err := resource.ParseQuantity(fmt.Sprint(a))
	if err != nil {
		return false
	}
	y, err := resource.ParseQuantity(fmt.Sprint(b))
	return err == nil && x.Cmp(y) == 0
}
