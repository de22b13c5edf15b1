package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"recsysd.dev/recsysd/internal/resource"
)

// Observe follows the contract of resource.Driver. What it costs when nothing has changed is nothing: live objects come
// from watches, and what an apply would change is known from the last look.
func (d *Driver) Observe(ctx context.Context, want []Object, list bool) (resource.Seen[Object], error) {
	d.houseOf(want, list)
	s, err := d.reach(ctx)
	if errors.Is(err, resource.ErrUnavailable) {
		return resource.Seen[Object]{}, nil // no cluster: nothing in it
	}
	if err != nil {
		return resource.Seen[Object]{}, err
	}
	l := look{d: d, s: s, began: time.Now(), kinds: map[schema.GroupVersionKind]mapping{}, down: map[schema.GroupVersionResource]error{}}
	if err := l.prepare(ctx, want, list); err != nil {
		return resource.Seen[Object]{}, err
	}
	turns := s.turns()
	seen, err := l.named(ctx, want)
	if err != nil {
		return resource.Seen[Object]{}, err
	}
	if list {
		d.hashes.keep(want)
		d.chosen.keep(want)
		l.unnamed(&seen, want)
		s.verdict.keep(want)
		s.looks.whole()
		seen.Notices = s.notices()
		l.remember(want, seen, turns)
	}
	return seen, nil
}

// houseOf keeps what the objects live in, for those that are found without being wanted. With list, what is known of the last such look is
// forgotten.
func (d *Driver) houseOf(want []Object, list bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if list {
		d.before = nil
	}
	if n := len(want); n > 0 {
		d.cluster, d.place = want[n-1].Cluster, want[n-1].Billing.Place
	}
}

// look is one Observe.
type look struct {
	d     *Driver
	s     *link
	began time.Time
	kinds map[schema.GroupVersionKind]mapping
	down  map[schema.GroupVersionResource]error // watches that are not up, and why
}

// prepare finds the kinds of what is wanted and brings their watches up; with list, also those of whatever else is ours.
func (l *look) prepare(ctx context.Context, want []Object, list bool) error {
	for _, o := range want {
		gvk := o.GVK()
		if _, ok := l.kinds[gvk]; ok {
			continue
		}
		m, ok, err := l.s.kinds.find(ctx, gvk, l.began)
		if err != nil {
			return err
		}
		if ok {
			l.kinds[gvk] = m
		}
	}
	if list {
		if err := l.s.search(ctx, l.kinds); err != nil {
			return err
		}
	}
	for _, m := range l.kinds {
		if m.listable {
			l.s.watch(m)
		}
	}
	open := l.s.open()
	if !list {
		open = slices.DeleteFunc(open, func(w *watch) bool { _, ok := l.kinds[w.gvk]; return !ok })
	}
	return l.raise(ctx, open, list)
}

// raise waits for watches and notes those that cannot be up. It fails if the cluster does not answer.
func (l *look) raise(ctx context.Context, watches []*watch, whole bool) error {
	errs := make([]error, len(watches))
	var g errgroup.Group
	for n, w := range watches {
		if w.isUp() {
			continue
		}
		g.Go(func() error {
			errs[n] = w.ready(ctx, whole)
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs, one per watch
	for n, w := range watches {
		if ofCluster(errs[n]) && !errors.Is(errs[n], errPolled) {
			return errs[n]
		}
		if errs[n] != nil {
			l.down[w.gvr] = errs[n]
		}
	}
	return nil
}

// same is what the last look at a wanted object came to, if it would come to the same now; else nil.
func (l *look) same(m mapping, want *Object) *resource.Live[Object] {
	last := l.s.looks.again(want, l.began)
	if last == nil || l.down[m.gvr] != nil || l.s.watch(m) != last.watch || last.watch.store.at(last.key) != last.live {
		return nil
	}
	return last.found
}

// one looks at one wanted object; nil if it is absent. An error means that the cluster is not reached.
func (l *look) one(ctx context.Context, m mapping, want Object) (*resource.Live[Object], error) {
	var failed error
	for try := range 4 {
		live, err := l.read(ctx, m, want, try > 0)
		if err == nil && live == nil {
			return nil, nil
		}
		var p *prediction
		wanted := want
		if err == nil {
			wanted = want.heeding(live.object, l.began)
			p, err = l.compare(ctx, m, wanted, live)
		}
		if err == nil {
			r := l.report(m, wanted, live, p)
			if r.Owned {
				r.State, r.Detail = l.s.rollout(ctx, Object{Manifest: live.object.Object}, r.State, r.Detail)
			}
			if w := l.s.watch(m); m.listable && w.store.get(want.Namespace(), want.Name()) == live {
				r = l.s.looks.note(&want, w, live, r, p)
			}
			return r, nil
		}
		// A dry-run alone may take too long, in somebody's webhook: that is no word on the cluster.
		slow := live != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded)
		if ofCluster(err) && !slow {
			return nil, fmt.Errorf("looking at %s: %w", want, err)
		}
		if failed = err; !errors.Is(err, errMoved) {
			break
		}
	}
	return &resource.Live[Object]{Spec: want, State: resource.Unknown, Detail: explain(failed, want)}, nil
}

// read returns the live object, from the watch if it is there and else, or if that is stale, by name; nil if it is absent.
func (l *look) read(ctx context.Context, m mapping, want Object, stale bool) (*item, error) {
	if m.listable && l.down[m.gvr] == nil && !stale {
		if i := l.s.watch(m).store.get(want.Namespace(), want.Name()); i != nil {
			return i, nil
		}
	}
	u, err := l.s.get(ctx, m, want.Namespace(), want.Name())
	if status, ok := answer(err); ok && status.Code == http.StatusNotFound {
		if status.Details == nil || status.Details.Name == "" {
			l.s.kinds.forget(m.gvk) // the whole kind is gone
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return newItem(u), nil
}

// compare predicts, except for what is not to be written whatever the prediction.
func (l *look) compare(ctx context.Context, m mapping, want Object, live *item) (*prediction, error) {
	// What was itself observed is looked at again after a removal: nothing is wanted of it.
	if want.seen != nil || live.leaving || want.IfAbsent && !l.d.owns(live.object) {
		return &prediction{}, nil
	}
	s, err := l.d.settle(want, live.object.Object)
	if err != nil {
		return nil, err
	}
	if s.missing != "" {
		return s.unknown(live.object.Object), nil
	}
	p, err := l.d.predict(ctx, l.s, m, s.Object, live)
	if err != nil || len(s.notices) == 0 {
		return p, err
	}
	told := *p
	told.notice = strings.TrimPrefix(p.notice+"; "+strings.Join(s.notices, "; "), "; ")
	return &told, nil
}

// owns reports whether a live object that is wanted by name belongs to the stack. Where the label was taken off, that
// recsysd applied it tells it.
func (d *Driver) owns(u *unstructured.Unstructured) bool {
	if stack, ok := u.GetLabels()[LabelStack]; ok {
		return stack == d.o.Stack
	}
	return made(u.Object)
}

// report is what is told of a live object; p is nil for one that is not wanted.
func (l *look) report(m mapping, want Object, live *item, p *prediction) *resource.Live[Object] {
	full := Object{Manifest: live.object.Object}
	owned := l.d.owns(live.object)
	seen := &sighting{item: live, mapping: m, owned: owned, dry: p}
	r := &resource.Live[Object]{
		Spec:  Object{Manifest: live.plain, Cluster: want.Cluster, Billing: want.Billing, seen: seen},
		State: live.state, Locked: live.leaving, Owned: owned, Entry: full.label(LabelEntry),
		Unprotected: full.annotation(AnnotationUnprotected), Detail: live.detail, Version: live.print, Outputs: outputs(full),
	}
	r.Spec.Asleep = full.Rest() != nil && full.annotation(AnnotationAsleep) == "true"
	if m.gvk.GroupKind() == secretKind {
		r.Spec.Manifest = veiled(r.Spec) // the values stay with the item
	}
	if !OwnGroup(m.gvk.Group) {
		r.Spec.Definition = m.gvr.Resource + "." + m.gvr.Group
	}
	seen.know(r.Spec)
	if p != nil {
		w := want
		w.dry = p
		r.Want = &w
		switch {
		case p.refused == "":
		case p.final && len(p.changes) > 0:
			r.Refused = p.refused
		default:
			r.Detail = strings.TrimPrefix(r.Detail+"; the API server refuses what is declared: "+p.refused, "; ")
		}
		if p.missing != "" {
			r.Locked = true
			r.Detail = strings.TrimPrefix(r.Detail+"; "+p.missing, "; ")
		}
		if p.notice != "" {
			r.Notices = append(r.Notices, p.notice)
		}
		if want.Awaits != "" {
			r.Notices = append(r.Notices, "keeps the values that it has: "+want.Awaits)
		}
	}
	return r
}
