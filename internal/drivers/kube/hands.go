package kube

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// manager is the name under which recsysd applies. What it notes beside the manifest (the unprotected mark) goes under
// another, so that an apply does not take it away.
const (
	manager     = "recsysd"
	markManager = "recsysd-mark"
)

// owner is one entry of managedFields.
type owner struct {
	name, operation, version, subresource string
	at                                    time.Time // of its last change; zero: not known
	fields                                *fieldpath.Set
	entry                                 map[string]any // as it stands in the object
}

func (o owner) ours() bool { return o.name == manager && o.operation == "Apply" && o.subresource == "" }

// owners reads who owns which field of a live object. Entries on the status are left out.
func owners(live map[string]any) ([]owner, error) {
	all, err := everyOwner(live)
	return slices.DeleteFunc(all, func(o owner) bool { return o.subresource == "status" }), err
}

// everyOwner is the same with those who write the status: a controller may note something beside it with the same write.
func everyOwner(live map[string]any) ([]owner, error) {
	var all []owner
	for _, e := range objects(list(live, "metadata", "managedFields")) {
		o := owner{name: text(e, "manager"), operation: text(e, "operation"), version: text(e, "apiVersion"),
			subresource: text(e, "subresource"), fields: &fieldpath.Set{}, entry: e}
		if at, err := time.Parse(time.RFC3339, text(e, "time")); err == nil {
			o.at = at
		}
		if e["fieldsV1"] == nil {
			continue
		}
		fields, err := fieldsOf(e)
		if err != nil {
			return nil, fmt.Errorf("%w: manager %s: %w", errUnreadable, o.name, err)
		}
		if err := o.fields.FromJSON(strings.NewReader(fields)); err != nil {
			return nil, fmt.Errorf("%w: manager %s: %w", errUnreadable, o.name, err)
		}
		all = append(all, o)
	}
	return all, nil
}

// made reports whether recsysd has applied or created the object, whatever its labels say now.
func made(live map[string]any) bool {
	for _, e := range objects(list(live, "metadata", "managedFields")) {
		if text(e, "manager") == manager && text(e, "subresource") == "" {
			return true
		}
	}
	return false
}

// applied is what recsysd owns by apply.
func applied(all []owner) *fieldpath.Set {
	set := &fieldpath.Set{}
	for _, o := range all {
		if o.ours() {
			set = set.Union(o.fields)
		}
	}
	return set
}

// hands tells which managers are a person's.
type hands []string

func (h hands) has(name string) bool {
	return strings.HasPrefix(name, "kubectl") || name == "before-first-apply" || slices.Contains(h, name)
}

// only returns the fields that nobody but hands own, leaves alone, without those that are never put back.
func (h hands) only(all []owner) *fieldpath.Set {
	theirs, others := &fieldpath.Set{}, &fieldpath.Set{}
	for _, o := range all {
		if h.has(o.name) {
			theirs = theirs.Union(o.fields)
		} else {
			others = others.Union(o.fields)
		}
	}
	left := &fieldpath.Set{}
	for p := range theirs.Difference(others).Leaves().All() {
		if !exempt(p) {
			left.Insert(p.Copy())
		}
	}
	return left
}

// kept are notes that kubectl leaves; they change nothing but when pods were started.
var kept = []string{"kubectl.kubernetes.io/last-applied-configuration", "kubectl.kubernetes.io/restartedAt",
	"kubernetes.io/change-cause", "deployment.kubernetes.io/revision"}

// exempt fields stay as a hand left them: labels belong to who put them, scale to who set it where the manifest does
// not, and what guards or counts an object is not a setting.
func exempt(p fieldpath.Path) bool {
	name := func(i int) string {
		if i < len(p) && p[i].FieldName != nil {
			return *p[i].FieldName
		}
		return ""
	}
	switch name(0) {
	case "status", "apiVersion", "kind":
		return true
	case "metadata":
		return name(1) != "annotations" || len(p) < 3 || slices.Contains(kept, name(2)) || strings.HasPrefix(name(2), "recsysd.dev/")
	case "spec":
		return len(p) == 2 && name(1) == "replicas" || slices.Contains(kept, name(len(p)-1))
	}
	return false
}

// whole replaces the leaves of a list's item by the item where its own key is among them: the item as such is theirs.
func whole(leaves *fieldpath.Set) []fieldpath.Path {
	items := &fieldpath.Set{}
	for p := range leaves.All() {
		if i := len(p) - 2; i >= 0 && p[i].Key != nil && p[i+1].FieldName != nil {
			for _, k := range *p[i].Key {
				if k.Name == *p[i+1].FieldName {
					items.Insert(p[:i+1].Copy())
				}
			}
		}
	}
	var paths []fieldpath.Path
	for p := range items.All() {
		paths = append(paths, p.Copy())
	}
	for p := range leaves.All() {
		if !slices.ContainsFunc(paths, func(item fieldpath.Path) bool { return within(p, item) }) {
			paths = append(paths, p.Copy())
		}
	}
	return paths
}

// within reports whether p is at or below top.
func within(p, top fieldpath.Path) bool { return len(p) >= len(top) && p[:len(top)].Equals(top) }

// covers reports whether set owns the field at p: itself, something below it, or a whole that it is part of.
func covers(set *fieldpath.Set, p fieldpath.Path) bool {
	for _, e := range p {
		below, deeper := set.Children.Get(e)
		if !deeper {
			return set.Members.Has(e)
		}
		set = below
	}
	return true
}

// who names those other than recsysd that own the field at p, and says when the last of them wrote.
func who(all []owner, p fieldpath.Path) (managers string, at time.Time) {
	var names []string
	for _, o := range all {
		if ownManagers[o.name] || !covers(o.fields, p) {
			continue
		}
		if !slices.Contains(names, o.name) {
			names = append(names, o.name)
		}
		if o.at.After(at) {
			at = o.at
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", "), at
}

// taken returns the object's managedFields after the fields at and below paths have gone from the hands to recsysd's own
// entry for version; nil if no hand has any of them.
func (h hands) taken(live map[string]any, paths []fieldpath.Path, version string, now time.Time) ([]any, error) {
	all, err := owners(live)
	if err != nil {
		return nil, err
	}
	moved, found := &fieldpath.Set{}, false
	entries := slices.Clone(list(live, "metadata", "managedFields"))
	ours := -1
	for i := range entries {
		at := slices.IndexFunc(all, func(o owner) bool { return same(o.entry, entries[i]) })
		switch {
		case at < 0:
		case all[at].ours() && all[at].version == version:
			ours = i
			moved = moved.Union(all[at].fields)
		case h.has(all[at].name):
			stays := &fieldpath.Set{}
			for p := range all[at].fields.All() {
				if slices.ContainsFunc(paths, func(top fieldpath.Path) bool { return within(p, top) }) {
					moved.Insert(p.Copy())
				} else {
					stays.Insert(p.Copy())
				}
			}
			if stays.Size() < all[at].fields.Size() {
				found = true
				if entries[i], err = with(all[at].entry, stays); err != nil {
					return nil, err
				}
			}
		}
	}
	if !found {
		return nil, nil
	}
	entry := map[string]any{"manager": manager, "operation": "Apply", "apiVersion": version, "fieldsType": "FieldsV1"}
	if ours >= 0 {
		entry, _ = entries[ours].(map[string]any)
	}
	if entry, err = with(entry, moved); err != nil {
		return nil, err
	}
	entry["time"] = now.UTC().Format(time.RFC3339)
	if ours >= 0 {
		entries[ours] = entry
	} else {
		entries = append(entries, entry)
	}
	return slices.DeleteFunc(entries, func(e any) bool {
		m, _ := e.(map[string]any)
		fields, err := fieldsOf(m)
		return err == nil && (fields == "" || fields == "{}")
	}), nil
}

func same(a map[string]any, b any) bool {
	m, _ := b.(map[string]any)
	return m != nil && text(a, "manager") == text(m, "manager") && text(a, "operation") == text(m, "operation") &&
		text(a, "apiVersion") == text(m, "apiVersion") && text(a, "subresource") == text(m, "subresource") &&
		text(a, "time") == text(m, "time")
}

// with is an entry with other fields.
func with(entry map[string]any, fields *fieldpath.Set) (map[string]any, error) {
	b, err := fields.ToJSON()
	if err != nil {
		return nil, fmt.Errorf("fields of manager %s: %w", text(entry, "manager"), err)
	}
	out := map[string]any{}
	for k, v := range entry {
		out[k] = v
	}
	out["fieldsV1"] = ownedBy(b)
	return out, nil
}
