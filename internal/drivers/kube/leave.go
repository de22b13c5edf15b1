package kube

import (
	"slices"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"recsysd.dev/recsysd/internal/resource"
)

// Leaving is the object with fields that others say, in words that resource.Covers takes. An apply of it sends for each of them what the live
// object has, or nothing where another manager holds the field: it is neither set, nor reset, nor removed with our ownership of it.
func (o Object) Leaving(fields []string) Object {
	o.leave = fields
	return o
}

// leaves reports whether the field at p is not to be touched. What recsysd notes for itself is nobody else's, and what puts an object to
// sleep or wakes it is said by its schedule while it turns, as everything is at creation.
func (o Object) leaves(p fieldpath.Path, live map[string]any) bool {
	if len(o.leave) == 0 || len(p) == 0 {
		return false
	}
	if last := p[len(p)-1].FieldName; last != nil && strings.HasPrefix(*last, "recsysd.dev/") {
		return false
	}
	if off, sleeps := sleepers[o.GVK().GroupKind()]; sleeps && p.Equals(fieldpath.MakePathOrDie("spec", off.field)) &&
		o.Asleep != (text(live, "metadata", "annotations", AnnotationAsleep) == "true") {
		return false
	}
	return leftTo(o.leave, pathText(p))
}

// leftTo reports whether field is one of those that patterns name.
func leftTo(patterns []string, field string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return resource.Covers(pattern, field) })
}

// taken are the fields that are to be taken from hands, without those that are left to them.
func (o Object) taken(p *prediction, live map[string]any) []fieldpath.Path {
	if p == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.take), func(path fieldpath.Path) bool { return o.leaves(path, live) })
}

// yield changes what is to be applied so that the fields that o leaves alone stay as live has them.
func (o Object) yield(manifest, live map[string]any) error {
	if len(o.leave) == 0 {
		return nil
	}
	all, err := owners(live)
	if err != nil {
		return err
	}
	known := &fieldpath.Set{}
	for _, w := range all {
		known = known.Union(w.fields)
	}
	for _, d := range compare(manifest, live, known, true) {
		if !o.leaves(d.path, live) {
			continue
		}
		if d.have == nil || heldByAnother(all, d.path) {
			put(manifest, d.path, nil)
		} else {
			put(manifest, d.path, d.have)
		}
	}
	// What was ours and is declared no longer would go with our ownership.
	for p := range applied(all).Leaves().All() {
		if o.leaves(p, live) && at(manifest, p) == nil && !heldByAnother(all, p) {
			if have := at(live, p); have != nil {
				put(manifest, p, have)
			}
		}
	}
	return nil
}

// heldByAnother reports whether another manager owns exactly the field at p, so that it stays if we let go of it.
func heldByAnother(all []owner, p fieldpath.Path) bool {
	if len(p) == 0 || p[len(p)-1].FieldName == nil {
		return false
	}
	return slices.ContainsFunc(all, func(w owner) bool { return !w.ours() && w.fields.Has(p) })
}

// put sets the value at p, nil removes it. Maps and items on the way are made where they are missing, but none for the sake of a removal.
func put(m map[string]any, p fieldpath.Path, v any) {
	put, _ := laid(m, p, v).(map[string]any)
	for k := range m {
		if _, stays := put[k]; !stays {
			delete(m, k)
		}
	}
	for k, e := range put {
		m[k] = e
	}
}

// laid is in with v at p. in may be nil, where nothing stands yet.
func laid(in any, p fieldpath.Path, v any) any {
	if len(p) == 0 {
		return v
	}
	if in == nil && v == nil {
		return nil
	}
	switch e := p[0]; {
	case e.FieldName != nil:
		m, _ := in.(map[string]any)
		if m == nil {
			m = map[string]any{}
		}
		if now := laid(m[*e.FieldName], p[1:], v); now != nil {
			m[*e.FieldName] = now
		} else {
			delete(m, *e.FieldName)
		}
		return m
	case e.Key != nil:
		l, _ := in.([]any)
		i := slices.IndexFunc(l, func(item any) bool {
			m, ok := item.(map[string]any)
			return ok && (keyed{element: e}).matches(keyed{item: m})
		})
		if i < 0 && v == nil {
			return in
		}
		if i < 0 {
			item := map[string]any{}
			for _, k := range *e.Key {
				item[k.Name] = k.Value.Unstructured()
			}
			l, i = append(l, item), len(l)
		}
		if l[i] = laid(l[i], p[1:], v); l[i] == nil {
			return slices.Delete(l, i, i+1)
		}
		return l
	case e.Index != nil:
		l, _ := in.([]any)
		if *e.Index >= 0 && *e.Index < len(l) {
			l[*e.Index] = laid(l[*e.Index], p[1:], v)
		}
		return l
	case e.Value != nil:
		l, _ := in.([]any)
		i := slices.Index(l, (*e.Value).Unstructured())
		if i < 0 && v != nil {
			return append(l, v)
		}
		if i >= 0 && v == nil {
			return slices.Delete(l, i, i+1)
		}
		return l
	}
	return in
}
