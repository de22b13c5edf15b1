package kube

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"recsysd.dev/recsysd/internal/resource"
)

// sweep is the search of all kinds for objects of the stack, made at the start and from time to time. In between, the
// watches of the kinds that it found, and of those wanted, tell of removals.
type sweep struct {
	mu     sync.Mutex
	due    time.Time
	silent []string // kinds that could not be listed
}

// isDue reports whether it is time for the next.
func (s *sweep) isDue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !time.Now().Before(s.due)
}

// search begins a watch for every kind with objects of the stack, if it is time to look for them. Kinds that are wanted
// are watched anyway.
func (s *link) search(ctx context.Context, wanted map[schema.GroupVersionKind]mapping) error {
	s.sweep.mu.Lock()
	defer s.sweep.mu.Unlock()
	if time.Now().Before(s.sweep.due) {
		return nil
	}
	kinds, err := s.kinds.all(ctx)
	if err != nil {
		return err
	}
	skip := map[schema.GroupKind]bool{}
	for gvk := range wanted {
		skip[gvk.GroupKind()] = true
	}
	for _, w := range s.open() {
		skip[w.gvk.GroupKind()] = true
	}
	var g errgroup.Group
	g.SetLimit(s.o.Width)
	var mu sync.Mutex
	var silent []string
	failed := false
	for _, m := range kinds {
		if skip[m.gvk.GroupKind()] {
			continue
		}
		g.Go(func() error {
			some, err := s.has(ctx, m)
			if status, ok := answer(err); ok && status.Code != http.StatusUnauthorized {
				if status.Code == http.StatusNotFound || status.Code == http.StatusMethodNotAllowed {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				silent = append(silent, KindName(m.gvk.GroupKind()))
				failed = failed || status.Code != http.StatusForbidden
				return nil
			}
			if some {
				s.watch(m)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("searching for the stack's objects: %w", err)
	}
	slices.Sort(silent)
	s.sweep.silent = silent
	s.sweep.due = time.Now().Add(s.o.Relist*9/10 + rand.N(s.o.Relist/5))
	if failed { // what is forbidden stays so for a while; what has failed may be well again soon
		s.sweep.due = time.Now().Add(min(s.o.Relist, s.o.RetryListing))
	}
	return nil
}

// has reports whether an object of the stack, made by recsysd, is of kind m. It reads no more than metadata.
func (s *link) has(ctx context.Context, m mapping) (bool, error) {
	o := metav1.ListOptions{LabelSelector: LabelStack + "=" + s.o.Stack, Limit: 500}
	for {
		page, err := s.pageIn(ctx, place{mapping: m}, o)
		if err != nil {
			return false, err
		}
		for i := range page.Items {
			for _, e := range page.Items[i].ManagedFields {
				if e.Manager == manager && e.Subresource == "" {
					return true, nil
				}
			}
		}
		if o.Continue = page.Continue; o.Continue == "" {
			return false, nil
		}
	}
}

// pageIn lists no more than metadata; without a namespace, of all of them.
func (s *link) pageIn(ctx context.Context, at place, o metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return s.meta.Resource(at.gvr).Namespace(at.namespace).List(ctx, o)
}

// notices tells which kinds could not be searched, and which are not watched.
func (s *link) notices() (all []string) {
	s.sweep.mu.Lock()
	defer s.sweep.mu.Unlock()
	if len(s.sweep.silent) > 0 {
		all = append(all, "not searched for objects of the stack, because listing is refused or fails: "+strings.Join(s.sweep.silent, ", "))
	}
	var polled []string
	for _, w := range s.open() {
		if w.unwatched() != nil {
			polled = append(polled, KindName(w.gvk.GroupKind()))
		}
	}
	if len(polled) > 0 {
		slices.Sort(polled)
		all = append(all, "not watched, because that is refused, and so seen no sooner than at the interval: "+strings.Join(polled, ", "))
	}
	return all
}

// unnamed adds what carries the stack's label, was made by recsysd and is not among want, and says which kinds could not
// be listed.
func (l *look) unnamed(seen *resource.Seen[Object], want []Object) {
	met := make(map[resource.Ref]bool, len(want))
	for i := range seen.Live {
		met[seen.Live[i].Spec.Ref()] = true
	}
	if len(met) < len(want) { // some are absent, or were when they were looked at
		for i := range want {
			met[want[i].Ref()] = true
		}
	}
	l.d.mu.Lock()
	cluster, place := l.d.cluster, l.d.place
	l.d.mu.Unlock()
	for _, w := range l.s.open() {
		if err := l.down[w.gvr]; err != nil {
			if status, ok := answer(err); ok && status.Code == http.StatusNotFound {
				continue // a kind that is gone has no objects
			}
			if seen.Unlisted == nil {
				seen.Unlisted = map[string]error{}
			}
			seen.Unlisted[KindName(w.gvk.GroupKind())] = err
			continue
		}
		for _, i := range w.store.all() {
			if met[i.ref] || !i.made {
				continue
			}
			met[i.ref] = true
			o := Object{Manifest: i.object.Object, Cluster: cluster, Billing: Billing{Place: place}}
			seen.Live = append(seen.Live, *l.report(w.mapping, o, i, nil))
		}
	}
}
