package kube

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	recsys "recsysd.dev/recsysd/internal/resource"
)

// refusal makes a prediction of a dry-run that failed: either the server refuses the spec, or nothing is known.
func (d *Driver) refusal(ctx context.Context, s *link, m mapping, want Object, live map[string]any, err error) (*prediction, error) {
	status, ok := answer(err)
	if !ok || !isRefused(status) {
		return nil, err
	}
	known := &fieldpath.Set{}
	all, ownersErr := owners(live)
	if ownersErr != nil {
		return nil, ownersErr
	}
	for _, o := range all {
		known = known.Union(o.fields)
	}
	manifest, _ := declared(want)
	var diffs []difference
	for _, diff := range compare(manifest, compared(live), known, true) {
		if !isNote(diff.path) {
			diffs = append(diffs, diff)
		}
	}
	p := &prediction{changes: changes(diffs, want, all)}
	fields, only := immutable(err)
	only = only && want.Awaits == "" // it could not be made again
	if only {
		_, trialErr := s.trial(ctx, m, want, live)
		if trialErr != nil && ofCluster(trialErr) {
			return nil, trialErr
		}
		only = trialErr == nil || m.gvk.GroupKind() == definitionKind // a definition's name is fixed by what it defines
	}
	if only {
		recreate(p.changes, fields)
		d.claim(p.changes, live)
		return p, nil
	}
	// It may be what a hand has added that makes it invalid: that goes first.
	left, handErr := d.handmade(ctx, s, m, want, all, live)
	if handErr != nil {
		return nil, handErr
	}
	if len(left) > 0 {
		for _, diff := range left {
			p.take = append(p.take, diff.path)
			diffs = slices.DeleteFunc(diffs, func(o difference) bool { return within(o.path, diff.path) })
		}
		p.changes = changes(append(diffs, left...), want, all)
		return p, nil
	}
	p.refused = explain(err, want)
	// Validation judges a dry-run as it judges a write. A webhook or a quota may not.
	p.final = status.Code == http.StatusUnprocessableEntity
	if m.gvk.GroupKind() == claimKind {
		if why := resizing(manifest, live); why != "" {
			p.refused, p.final = why, true
		}
	}
	if len(p.changes) == 0 {
		p.notice = fmt.Sprintf("%s is as declared, but the API server would refuse it now: %s", want, p.refused)
	}
	return p, nil
}

// resizing is why a claim cannot have the size that is declared; "" if its size is not what is refused.
func resizing(manifest, live map[string]any) string {
	path := []string{"spec", "resources", "requests", "storage"}
	want, have := text(manifest, path...), text(live, path...)
	w, errW := resource.ParseQuantity(want)
	h, errH := resource.ParseQuantity(have)
	switch {
	case errW != nil || errH != nil || w.Cmp(h) == 0:
		return ""
	case w.Cmp(h) < 0:
		return fmt.Sprintf("a disk never shrinks, and this one has %s, not %s: ask for %s, or move the data to a new one", have, want, have)
	}
	return fmt.Sprintf("this disk cannot grow from %s to %s: its StorageClass %s does not say allowVolumeExpansion: true",
		have, want, text(live, "spec", "storageClassName"))
}

// recreate marks the changes at the fields that the server named; all if none matches.
func recreate(cs []recsys.Change, fields []string) {
	marked := false
	for i := range cs {
		for _, f := range fields {
			if f == "" || cs[i].Field == f || strings.HasPrefix(cs[i].Field, f+".") || strings.HasPrefix(cs[i].Field, f+"[") ||
				strings.HasPrefix(f, cs[i].Field+".") || strings.HasPrefix(f, cs[i].Field+"[") {
				cs[i].Recreate, marked = true, true
			}
		}
	}
	if !marked {
		for i := range cs {
			cs[i].Recreate = true
		}
	}
}

// fieldOwner is where the mark of ownership differs.
const fieldOwner = "metadata.labels[" + LabelStack + "]"

// claim makes the mark of ownership a write of its own where the rest cannot change in place: taken over first, what is then
// ours may be made anew.
func (d *Driver) claim(cs []recsys.Change, live map[string]any) {
	labels := object(object(live, "metadata"), "labels")
	for i := range cs {
		if cs[i].Field == fieldOwner && labels[LabelStack] != d.o.Stack {
			cs[i].Mark, cs[i].Recreate = true, false
		}
	}
}

// trial creates want under a free name as a dry-run.
func (s *link) trial(ctx context.Context, m mapping, want Object, live map[string]any) (*unstructured.Unstructured, error) {
	manifest, _ := declared(want)
	generated(manifest, want, nil, placeholder)
	name := want.Name()
	object(manifest, "metadata")["name"] = strings.TrimRight(name[:min(len(name), 40)], "-.") + "-" + strings.ToLower(password()[:8])
	if want.GVK().Kind == "Service" && want.GVK().Group == "" {
		unallocated(object(manifest, "spec"), object(live, "spec"))
	}
	return s.create(ctx, m, wire(manifest), true)
}

// unallocated leaves out of a Service's spec what the live one has been given: that is not free for a second one.
func unallocated(spec, live map[string]any) {
	for _, k := range []string{"clusterIP", "healthCheckNodePort"} {
		if spec[k] == live[k] && spec[k] != "None" {
			delete(spec, k)
			if k == "clusterIP" {
				delete(spec, "clusterIPs")
			}
		}
	}
	for _, p := range objects(list(spec, "ports")) {
		for _, taken := range objects(list(live, "ports")) {
			if p["nodePort"] == taken["nodePort"] {
				delete(p, "nodePort")
			}
		}
	}
}
