package desired

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/desired/workload"
	"recsysd.dev/recsysd/internal/resource"
)

// defaults writes into the tree what an entry of the cloud leaves out: its name, its location, the stack's labels, and the labels
// that mark the owner.
func (b *builder) defaults() {
	project, name := b.top.get("project").text, b.top.get("name").text
	id := strings.ReplaceAll(project[strings.Index(project, ":")+1:], ".", "-")
	for _, s := range fieldsOf(reflect.TypeFor[cloud]()) {
		b.defaultsOf(s, b.top, s.key, id+"-"+name+"-")
	}
	b.completeNetworks()
}

// defaultsOf does that for a section of around, and for the sections of its entries: what is part of an entry is named within it.
func (b *builder) defaultsOf(section keyed, around *value, path, prefix string) {
	entries := around.get(section.key)
	if entries == nil || entries.kind != mapping {
		return
	}
	keys := fieldsOf(section.Type.Elem().Elem())
	for _, f := range entries.fields {
		if f.value.null() {
			f.value = &value{at: f.at, kind: mapping}
		}
		if f.value.kind != mapping {
			continue
		}
		at := joined(path, f.key)
		f.value.imply("name", prefix+f.key, f.at)
		if takes(keys, "location") {
			f.value.imply("location", b.top.get("region").text, f.at)
		}
		for _, key := range []string{"resourceLabels", "labels"} { // where both are taken, labels are something else
			if takes(keys, key) {
				b.labels(f, at, key)
				break
			}
		}
		for _, k := range keys {
			if k.Type.Kind() == reflect.Map && k.Type.Elem().Implements(reflect.TypeFor[cloudEntry]()) {
				b.defaultsOf(k, f.value, joined(at, k.key), "")
			}
		}
	}
}

func takes(keys []keyed, key string) bool {
	return slices.ContainsFunc(keys, func(k keyed) bool { return k.key == key })
}

// labels gives an entry the stack's labels and the marks of its owner. What is only looked at, by a mode of its own, is not marked.
func (b *builder) labels(entry *field, path, key string) {
	common := b.top.field("labels")
	if common == nil || common.value.kind != mapping {
		common = &field{at: entry.at, value: &value{kind: mapping}}
	}
	labels := entry.value.get(key)
	switch {
	case labels == nil:
		labels = &value{at: common.at, kind: mapping}
		entry.value.set(key, labels)
	case labels.null():
		*labels = value{at: labels.at, kind: mapping}
	case labels.kind != mapping:
		return
	}
	b.checkReserved(labels, joined(path, key))
	for _, l := range common.value.fields {
		labels.imply(l.key, l.value.text, l.value.at)
	}
	if mode := entry.value.get("mode"); mode == nil || mode.text != observed {
		labels.imply(cloudManagedBy, managedBy, entry.at)
		labels.imply(cloudStack, b.top.get("name").text, entry.at)
		if ns := b.namespaceText(); strings.HasPrefix(path, "buckets.") && namespaceOK.MatchString(ns) {
			labels.imply(cloudNamespace, ns, entry.at)
		}
	}
}

// imply gives a mapping a key that it lacks.
func (v *value) imply(key, text string, at place) {
	if v.get(key) == nil {
		v.set(key, &value{at: at, text: text, tag: "!!str"})
	}
}

// checkReserved reports labels that would pass for recsysd's own marks.
func (b *builder) checkReserved(labels *value, path string) {
	for _, l := range labels.fields {
		if l.key == cloudManagedBy || strings.HasPrefix(l.key, "recsysd-") || strings.HasPrefix(l.key, "recsysd.dev/") {
			b.p.add(l.at, joined(path, l.key), "set by recsysd alone")
		}
	}
}

// checkStack judges what belongs to no section.
func (b *builder) checkStack() {
	if ns := b.file.Namespace; ns != "" && !namespaceOK.MatchString(ns) {
		b.p.add(b.at("namespace"), "namespace", "%q: lower-case letters, digits and '-', at most 63", ns)
	}
	if labels := b.top.get("labels"); labels != nil {
		b.checkReserved(labels, "labels")
	}
	b.p.addValidation(validateCloudLabels(b.file.Labels), "", b.places)
	workload.ValidateLabels(b.file.Labels, func(field, format string, args ...any) {
		b.p.add(b.at(field), field, format, args...)
	})
}

// addCloud takes in the entries of the cloud's sections.
func (b *builder) addCloud() {
	for _, s := range b.file.Cloud.sections() {
		b.addSection(s, s.name, handling{})
	}
}

// addSection takes in the entries of a section, and what is part of them, which is handled as they are unless it says otherwise.
func (b *builder) addSection(s section, within string, around handling) {
	for _, key := range s.keys() {
		path := joined(within, key)
		e := s.entries[key]
		parts, h := e.parts(), e.handling().within(around)
		b.checkKey(path, key)
		b.checkEstimate(path)
		b.p.addValidation(e.validate(), path, b.places)
		r := e.resource()
		b.handle(&r, h, path)
		r.Entry, r.Foreign = path, h.Mode == "observe"
		b.add(r, b.at(path), path)
		for _, part := range parts {
			b.addSection(part, joined(path, part.name), h)
		}
	}
}

// checkKey judges a key of the stack file that becomes part of names.
func (b *builder) checkKey(path, key string) {
	if !entryKey.MatchString(key) {
		b.p.add(b.at(path), path, "a key is lower-case letters, digits and '-', beginning with a letter, at most 50")
	}
}

// checkEstimate judges an amount that only prices are made from.
func (b *builder) checkEstimate(path string) {
	v := b.top
	for _, key := range strings.Split(path+".estimate", ".") {
		v = v.get(key)
	}
	if v == nil || v.kind != scalar || v.null() {
		return
	}
	if _, err := workload.ParseBytes(v.text); err != nil {
		b.p.add(v.at, path+".estimate", "%v", err)
	}
}

// observed is the mode of what is only looked at.
const observed = "observe"

// handle writes what the stack says about the handling of a resource.
func (b *builder) handle(r *resource.Resource, h handling, path string) {
	r.Protect = b.file.Protect == nil || *b.file.Protect
	if h.Protect != nil {
		r.Protect = *h.Protect
	}
	r.Adopt, r.Suspend = h.Adopt, h.Suspend
	mode := b.file.Mode
	if h.Mode != "" {
		mode = h.Mode
	}
	r.Observe = mode == observed
	if h.Suspend == "true" || h.Suspend == "false" {
		b.p.add(b.at(path+".suspend"), path+".suspend", "say why, as a text; to go on, remove the key")
	}
}

// sortedKeys keeps what is made from a map the same from one time to the next.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
