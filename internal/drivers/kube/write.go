package kube

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"recsysd.dev/recsysd/internal/resource"
)

// way is how want is written: ErrUnavailable as long as its cluster or its kind is not there.
func (d *Driver) way(ctx context.Context, want Object) (*link, mapping, error) {
	s, err := d.reach(ctx)
	if err != nil {
		return nil, mapping{}, err
	}
	m, ok, err := s.kinds.find(ctx, want.GVK(), time.Now())
	if err != nil {
		return nil, mapping{}, err
	}
	if !ok {
		return nil, mapping{}, fmt.Errorf("%w: the cluster has no kind %s in %s", resource.ErrUnavailable, want.GVK().Kind, want.GVK().GroupVersion())
	}
	if m.namespaced != (want.Namespace() != "") {
		has := "has no namespace"
		if m.namespaced {
			has = "lives in a namespace"
		}
		return nil, mapping{}, fmt.Errorf("%w: %s: in this cluster a %s %s", resource.ErrRejected, want, want.GVK().Kind, has)
	}
	return s, m, nil
}

// writing announces a write of want to its watch; written ends it.
func (d *Driver) writing(s *link, m mapping, want Object) {
	if m.listable {
		s.watch(m).store.begin(want.Namespace(), want.Name())
	}
}

// written takes in the answer to a write; it is the next look at the object.
func (d *Driver) written(s *link, m mapping, want Object, now *unstructured.Unstructured, err error, doing string) error {
	if m.listable {
		ours := now
		if err != nil || now.GetLabels()[LabelStack] != d.o.Stack {
			ours = nil
		}
		w := s.watch(m)
		w.notify(w.store.end(want.Namespace(), want.Name(), ours)...)
	}
	if err != nil {
		if status, ok := answer(err); ok && isMissing(status) {
			s.kinds.forget(m.gvk)
		}
		return fmt.Errorf("%s %s: %w", doing, want, translate(err, want))
	}
	if now.GetDeletionTimestamp() != nil {
		return fmt.Errorf("%s %s: it is being removed", doing, want)
	}
	return nil
}

// Update applies want to live, or writes marks alone where drift holds any.
func (d *Driver) Update(ctx context.Context, want, live Object, drift []resource.Change) error {
	s, m, err := d.way(ctx, want)
	if err != nil {
		return err
	}
	if live.seen == nil {
		return fmt.Errorf("updating %s: it was not looked at", want)
	}
	seen := live.seen.item.object
	if marks := notes(want, drift); len(marks) > 0 {
		d.writing(s, m, want)
		now, err := s.guarded(ctx, m, seen, func(ctx context.Context, now *unstructured.Unstructured) (*unstructured.Unstructured, error) {
			return s.mark(ctx, m, now, marks, markManager)
		}, func(fresh *item) bool { return stays(seen, fresh) })
		return d.written(s, m, want, now, err, "updating")
	}
	if want, err = d.writable(want, seen.Object); err != nil {
		return fmt.Errorf("updating %s: %w", want, err)
	}
	d.writing(s, m, want)
	now, err := d.repair(ctx, s, m, want, live.seen)
	return d.written(s, m, want, now, err, "updating")
}

// repair makes the object ready for the apply, and applies.
func (d *Driver) repair(ctx context.Context, s *link, m mapping, want Object, decided *sighting) (*unstructured.Unstructured, error) {
	still := func(since *unstructured.Unstructured) func(*item) bool {
		return func(fresh *item) bool { return stays(since, fresh) && want.unmoved(since, fresh, decided.dry) }
	}
	seen := decided.item.object
	ready, err := s.guarded(ctx, m, seen, func(ctx context.Context, now *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return d.prepare(ctx, s, m, want, decided.dry, now)
	}, still(seen))
	if err != nil {
		return nil, err
	}
	// From here on what counts as moved is what is other than the preparation left it.
	return s.guarded(ctx, m, ready, func(ctx context.Context, now *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		want := want.borrowed(now.Object)
		manifest, _ := declared(want)
		generated(manifest, want, now.Object, password)
		if err := want.yield(manifest, now.Object); err != nil {
			return nil, err
		}
		meta := object(manifest, "metadata")
		meta["uid"], meta["resourceVersion"] = string(now.GetUID()), now.GetResourceVersion()
		return s.apply(ctx, m, wire(manifest), applyOptions{force: true})
	}, still(ready))
}

// notes is what the marks in drift put into an object's metadata; nil takes one away.
func notes(want Object, drift []resource.Change) map[string]any {
	marks := map[string]any{}
	for _, c := range drift {
		switch {
		case !c.Mark:
		case c.Field == fieldOwner:
			marks["labels"] = map[string]any{LabelStack: want.label(LabelStack)}
		case c.Field == resource.FieldUnprotected && c.Want == "":
			marks["annotations"] = map[string]any{AnnotationUnprotected: nil}
		case c.Field == resource.FieldUnprotected:
			marks["annotations"] = map[string]any{AnnotationUnprotected: c.Want}
		}
	}
	return marks
}

// guarded writes at the version that was looked at. If that is no longer the newest, it writes at the newest as long as
// that is still what was decided on: a status moves all the time, and a controller leaves its notes.
func (s *link) guarded(ctx context.Context, m mapping, at *unstructured.Unstructured,
	write func(context.Context, *unstructured.Unstructured) (*unstructured.Unstructured, error),
	still func(*item) bool) (*unstructured.Unstructured, error) {
	for range 10 {
		now, err := write(ctx, at)
		if status, ok := answer(err); !ok || status.Code != http.StatusConflict {
			return now, err
		}
		fresh, err := s.get(ctx, m, at.GetNamespace(), at.GetName())
		if err != nil {
			return nil, err
		}
		if !still(newItem(fresh)) {
			return nil, errMoved
		}
		at = fresh
	}
	return nil, errMoved
}

// stays reports whether fresh is a version of the same object, which is to stay.
func stays(seen *unstructured.Unstructured, fresh *item) bool {
	return fresh.object.GetUID() == seen.GetUID() && !fresh.leaving
}

// unmoved reports whether what was decided since an object was as it was then holds for a newer version: nothing but annotations is
// other, and none of those that were to be changed or say what is to sleep. What is left to others may move.
func (o Object) unmoved(since *unstructured.Unstructured, now *item, decided *prediction) bool {
	for _, diff := range compare(compared(now.object.Object), compared(since.Object), nil, false) {
		field := pathText(diff.path)
		if o.leaves(diff.path, now.object.Object) {
			continue
		}
		if !strings.HasPrefix(field, "metadata.annotations") || decided == nil ||
			slices.ContainsFunc(decided.changes, func(c resource.Change) bool { return c.Field == field }) {
			return false
		}
	}
	return sameWord(since, now.object)
}

// mark notes something on the object and changes nothing else.
func (s *link) mark(ctx context.Context, m mapping, now *unstructured.Unstructured, notes map[string]any, manager string) (*unstructured.Unstructured, error) {
	notes["resourceVersion"] = now.GetResourceVersion()
	return s.patch(ctx, m, now.GetNamespace(), now.GetName(), types.MergePatchType, map[string]any{"metadata": notes}, manager)
}

// prepare takes from the hands what is to be put back, gives away what is no longer declared, and returns the object as it is then.
func (d *Driver) prepare(ctx context.Context, s *link, m mapping, want Object, p *prediction, now *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if take := want.taken(p, now.Object); len(take) > 0 {
		entries, err := hands(d.o.UndoManagers).taken(now.Object, take, m.gvr.GroupVersion().String(), time.Now())
		if err != nil {
			return nil, err
		}
		if entries != nil {
			body := []any{
				map[string]any{"op": "replace", "path": "/metadata/resourceVersion", "value": now.GetResourceVersion()},
				map[string]any{"op": "replace", "path": "/metadata/managedFields", "value": entries},
			}
			if now, err = s.patch(ctx, m, now.GetNamespace(), now.GetName(), types.JSONPatchType, body, manager); err != nil {
				return nil, err
			}
		}
	}
	want = want.borrowed(now.Object)
	manifest, _ := declared(want)
	if err := want.yield(manifest, now.Object); err != nil {
		return nil, err
	}
	return s.handOver(ctx, m, want, manifest, now)
}

// Delete begins the removal of live, and of what belongs to it, unless that takes along what is not the stack's. With replace, a StatefulSet's pods are left to its successor.
func (d *Driver) Delete(ctx context.Context, live Object, replace bool) error {
	s, err := d.reach(ctx)
	if err != nil {
		return err
	}
	if live.seen == nil {
		return fmt.Errorf("deleting %s: it was not looked at", live)
	}
	if err := s.takesOthers(ctx, live); err != nil {
		return fmt.Errorf("deleting %s: %w", live, err)
	}
	m := live.seen.mapping
	policy := metav1.DeletePropagationBackground
	if replace && m.gvk.GroupKind() == statefulSetKind {
		policy = metav1.DeletePropagationOrphan
	}
	err = s.remove(ctx, m, live.Namespace(), live.Name(), live.seen.item.object.GetUID(), policy)
	status, ok := answer(err)
	switch {
	case err == nil, ok && status.Code == http.StatusNotFound:
		s.refresh(ctx, m, live)
		return nil
	case ok && status.Code == http.StatusConflict: // the uid: what has the name now is another object
		return fmt.Errorf("deleting %s: %w", live, errMoved)
	}
	return fmt.Errorf("deleting %s: %w", live, translate(err, live))
}

// refresh brings a watch up to what a removal has left: nothing, or an object on its way out. Where that cannot be
// read, the event will tell.
func (s *link) refresh(ctx context.Context, m mapping, o Object) {
	if !m.listable {
		return
	}
	w := s.watch(m)
	w.store.begin(o.Namespace(), o.Name())
	now, err := s.get(ctx, m, o.Namespace(), o.Name())
	if err != nil || now.GetLabels()[LabelStack] != s.o.Stack {
		now = nil
	}
	w.notify(w.store.end(o.Namespace(), o.Name(), now)...)
	if status, ok := answer(err); ok && status.Code == http.StatusNotFound {
		w.store.doubt(o.Namespace(), o.Name())
	}
}
