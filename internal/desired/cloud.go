package desired

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/desired/workload"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// defaults writes into the tree what an entry of the cloud leaves out: its name, its location, the stack's labels, and the labels
// that mark the owner. What is only looked at, by a mode of its own, is not marked.
func (b *builder) defaults() {
	project, name, region := b.top.get("project").text, b.top.get("name").text, b.top.get("region").text
	id := strings.ReplaceAll(project[strings.Index(project, ":")+1:], ".", "-")
	for _, s := range fieldsOf(reflect.TypeFor[cloud]()) {
		entries := b.top.get(s.key)
		if entries == nil || entries.kind != mapping {
			continue
		}
		for _, f := range entries.fields {
			if f.value.null() {
				f.value = &value{at: f.at, kind: mapping}
			}
			if f.value.kind != mapping {
				continue
			}
			implied := func(to *value, key, text string, at place) {
				if to.get(key) == nil {
					to.set(key, &value{at: at, text: text, tag: "!!str"})
				}
			}
			implied(f.value, "name", id+"-"+name+"-"+f.key, f.at)
			implied(f.value, "location", region, f.at)
			implied(f.value, "labels", "", f.at)
			labels := f.value.get("labels")
			if labels.kind == scalar && labels.text == "" {
				*labels = value{at: labels.at, kind: mapping}
			}
			if labels.kind != mapping {
				continue
			}
			b.checkReserved(labels, joined(joined(s.key, f.key), "labels"))
			if top := b.top.get("labels"); top != nil {
				for _, l := range top.fields {
					implied(labels, l.key, l.value.text, l.value.at)
				}
			}
			if mode := f.value.get("mode"); mode == nil || mode.text != "observe" {
				implied(labels, gcp.LabelManagedBy, gcp.ManagedBy, f.at)
				implied(labels, gcp.LabelStack, name, f.at)
			}
		}
	}
}

// checkReserved reports labels that would pass for recsysd's own marks.
func (b *builder) checkReserved(labels *value, path string) {
	for _, l := range labels.fields {
		if l.key == gcp.LabelManagedBy || strings.HasPrefix(l.key, "recsysd-") || strings.HasPrefix(l.key, "recsysd.dev/") {
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
	workload.ValidateLabels(b.file.Labels, func(field, format string, args ...any) {
		b.p.add(b.at(field), field, format, args...)
	})
}

// addCloud takes in the entries of the cloud's sections.
func (b *builder) addCloud() {
	for _, s := range b.file.Cloud.sections() {
		for _, key := range s.keys() {
			path := joined(s.name, key)
			e := s.entries[key]
			b.checkKey(path, key)
			b.checkEstimate(path)
			b.p.addValidation(e.validate(), path, b.places)
			r := e.resource()
			b.handle(&r, e.handling(), path)
			r.Entry = path
			b.add(r, b.at(path), path)
		}
	}
}

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
	r.Observe = mode == "observe"
	if h.Suspend == "true" || h.Suspend == "false" {
		b.p.add(b.at(path+".suspend"), path+".suspend", "say why, as a text; to go on, remove the key")
	}
}

func mapsKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
