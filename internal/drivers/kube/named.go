package kube

import (
	"context"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"recsysd.dev/recsysd/internal/resource"
)

// named looks at every wanted object.
func (l *look) named(ctx context.Context, want []Object) (resource.Seen[Object], error) {
	found := make([]*resource.Live[Object], len(want))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(l.d.o.Width)
	one := func(n int, m mapping) {
		g.Go(func() (err error) {
			found[n], err = l.one(ctx, m, want[n])
			return err
		})
	}
	unknown := map[place][]int{} // those that no watch has
	for n := range want {
		o := &want[n]
		m, ok := l.kinds[o.GVK()]
		if !ok || m.namespaced != (o.Namespace() != "") {
			continue // of a kind that does not exist (in this scope): it cannot exist itself
		}
		if found[n] = l.same(m, o); found[n] != nil {
			continue
		}
		if l.lacks(m, o) {
			at := place{m, o.Namespace()}
			unknown[at] = append(unknown[at], n)
			continue
		}
		one(n, m)
	}
	for at, some := range unknown {
		names := l.names(ctx, at, len(some))
		for _, n := range some {
			if names == nil || names[want[n].Name()] {
				one(n, at.mapping)
			}
		}
	}
	if err := g.Wait(); err != nil {
		return resource.Seen[Object]{}, err
	}
	seen := resource.Seen[Object]{Live: make([]resource.Live[Object], 0, len(want))}
	for _, f := range found {
		if f != nil {
			seen.Live = append(seen.Live, *f)
		}
	}
	return seen, nil
}

// place is where objects of one kind have their names.
type place struct {
	mapping
	namespace string
}

// lacks reports whether a watch that is up does not have a wanted object: it is absent, or does not carry the stack's label.
func (l *look) lacks(m mapping, want *Object) bool {
	return m.listable && l.down[m.gvr] == nil && l.s.watch(m).store.get(want.Namespace(), want.Name()) == nil
}

// A list of names is worth its cost from so many objects that it may spare a request each, and may have a page more for so many of them.
const worthList, worthPage = 4, 20

// names are those of all objects at a place, whoever they are of; nil where they are not known, or where so many of them are of others that
// it is cheaper to ask for some one by one.
func (l *look) names(ctx context.Context, at place, some int) map[string]bool {
	if some < worthList {
		return nil
	}
	names := map[string]bool{}
	o := metav1.ListOptions{Limit: pageSize}
	for range 1 + some/worthPage {
		page, err := l.s.pageIn(ctx, at, o)
		if err != nil {
			return nil // asked one by one, each says why
		}
		for i := range page.Items {
			names[page.Items[i].Name] = true
		}
		if o.Continue = page.Continue; o.Continue == "" {
			return names
		}
	}
	return nil
}
