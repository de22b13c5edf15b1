package kube

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// follow notes that i, which has come after before, is the same to us, if only others than recsysd and hands have changed anything, and
// nothing but fields of their own: a controller that notes the revision of what it rolls out. An apply leaves such fields as they are, so what
// a dry-run has said of before holds for i. (Where a webhook thinks otherwise, the next time that it is asked anyway finds it out.)
func (i *item) follow(before *item, h hands) {
	if before == nil || before.object.GetUID() != i.object.GetUID() {
		return
	}
	if before.print == i.print {
		i.as = before.as
		return
	}
	was, err := everyOwner(before.object.Object)
	if err != nil {
		return
	}
	now, err := everyOwner(i.object.Object)
	if err != nil {
		return
	}
	all := append(was, now...)
	if slices.ContainsFunc(all, func(o owner) bool { return h.has(o.name) }) || !slices.Equal(recsysds(was), recsysds(now)) {
		return
	}
	ours, theirs, known := &fieldpath.Set{}, &fieldpath.Set{}, &fieldpath.Set{}
	for _, o := range all {
		known = known.Union(o.fields)
		if isRecsysd(o) {
			ours = ours.Union(o.fields)
		} else {
			theirs = theirs.Union(o.fields)
		}
	}
	for _, d := range compare(i.plain, before.plain, known, false) {
		field := pathText(d.path)
		if !covers(theirs, d.path) || covers(ours, d.path) || field == "spec.replicas" || field == "spec.suspend" || strings.Contains(field, "recsysd.dev/") {
			return
		}
	}
	i.as = before.as
}

func isRecsysd(o owner) bool { return strings.HasPrefix(o.name, manager) }

// recsysds are the entries of recsysd itself, as text.
func recsysds(all []owner) (entries []string) {
	for _, o := range all {
		if isRecsysd(o) {
			fields, _ := fieldsOf(o.entry) // they were read a moment ago
			entries = append(entries, fmt.Sprintf("%q %q %q %q %s", o.name, o.operation, o.version, o.subresource, fields))
		}
	}
	slices.Sort(entries)
	return entries
}
