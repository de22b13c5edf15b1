package kube

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"recsysd.dev/recsysd/internal/resource"
)

// watch keeps the live objects of one kind that carry the stack's label. While it is up, what it holds is as good as a read.
type watch struct {
	s *link
	mapping
	store store
	nudge chan struct{} // asks for an attempt at once

	mu      sync.Mutex
	up      bool
	err     error         // why it is not up; nil before the first attempt has ended
	ended   bool          // the kind is gone, and with it this watch
	barred  time.Time     // until then a refused listing is not tried again
	outcome chan struct{} // closed, and replaced, whenever up or err is set
}

func newWatch(s *link, m mapping) *watch {
	return &watch{s: s, mapping: m, nudge: make(chan struct{}, 1), outcome: make(chan struct{}),
		store: store{items: map[string]*item{}, gone: map[string]uint64{}, ours: map[string]*own{}}}
}

// ready returns nil once the watch is up, or why it is not after an attempt made now. A listing that was refused is not
// attempted again for a while: the same refusal is returned.
func (w *watch) ready(ctx context.Context) error {
	w.mu.Lock()
	if w.up {
		w.mu.Unlock()
		return nil
	}
	if w.err != nil && (w.ended || time.Now().Before(w.barred)) {
		defer w.mu.Unlock()
		return w.err
	}
	outcome := w.outcome
	w.mu.Unlock()
	select {
	case w.nudge <- struct{}{}:
	default: // one is waiting already
	}
	select {
	case <-outcome:
	case <-ctx.Done():
		return fmt.Errorf("listing %s: %w", w.gvr.Resource, ctx.Err())
	case <-w.s.ctx.Done():
		return fmt.Errorf("listing %s: %w", w.gvr.Resource, errClosed)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.up {
		return nil
	}
	return w.err
}

var errClosed = errors.New("the connection to the cluster has been given up")

func (w *watch) set(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.up, w.err, w.barred = err == nil, err, time.Time{}
	if status, ok := answer(err); ok {
		w.ended = status.Code == http.StatusNotFound
		if status.Code == http.StatusForbidden {
			w.barred = time.Now().Add(w.s.o.RetryListing)
		}
	}
	close(w.outcome)
	w.outcome = make(chan struct{})
}

// run lists and watches until ctx is done or the kind is gone.
func (w *watch) run(ctx context.Context) {
	const shortest, longest = 200 * time.Millisecond, 30 * time.Second
	wait := shortest
	for ctx.Err() == nil {
		version, err := w.list(ctx)
		w.set(err)
		switch status, _ := answer(err); {
		case err == nil:
			wait = shortest
			w.set(w.stream(ctx, version))
		case status.Code == http.StatusNotFound:
			w.s.forget(w)
			return
		default:
			wait = min(2*wait, longest)
		}
		pause := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-ctx.Done():
		case <-pause.C:
		case <-w.nudge:
		}
		pause.Stop()
	}
}

func (w *watch) options() metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: LabelStack + "=" + w.s.o.Stack}
}

func (w *watch) list(ctx context.Context) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	l, err := w.s.dynamic.Resource(w.gvr).List(ctx, w.options())
	if err != nil {
		return "", fmt.Errorf("listing %s: %w", w.gvr.Resource, err)
	}
	w.notify(w.store.replace(l.Items, number(l.GetResourceVersion())))
	return l.GetResourceVersion(), nil
}

// stream follows the events after version until that cannot go on; the server ends a stream every few minutes as a
// matter of course, and then the next begins where it ended.
func (w *watch) stream(ctx context.Context, version string) error {
	for {
		began := time.Now()
		last, err := w.follow(ctx, version)
		if err != nil {
			return fmt.Errorf("watching %s: %w", w.gvr.Resource, err)
		}
		if last == version && time.Since(began) < time.Second {
			return fmt.Errorf("watching %s: the stream ends as soon as it begins", w.gvr.Resource)
		}
		version = last
	}
}

func (w *watch) follow(ctx context.Context, version string) (last string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o := w.options()
	seconds := int64(300 + rand.IntN(300))
	o.ResourceVersion, o.AllowWatchBookmarks, o.TimeoutSeconds = version, true, &seconds
	opening := time.AfterFunc(requestTimeout, cancel)
	stream, err := w.s.dynamic.Resource(w.gvr).Watch(ctx, o)
	if !opening.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		return version, err
	}
	defer stream.Stop()
	for e := range stream.ResultChan() {
		if e.Type == apiwatch.Error {
			return version, apierrors.FromObject(e.Object)
		}
		u, ok := e.Object.(*unstructured.Unstructured)
		if !ok {
			return version, fmt.Errorf("unexpected %T in the stream", e.Object)
		}
		version = u.GetResourceVersion()
		switch e.Type {
		case apiwatch.Added, apiwatch.Modified:
			if w.store.put(u) {
				w.notify([]*item{{object: u}})
			}
		case apiwatch.Deleted:
			w.store.drop(u)
			w.notify([]*item{{object: u}})
		}
	}
	return version, ctx.Err()
}

// notify tells whose compared parts or health have changed.
func (w *watch) notify(changed []*item) {
	if w.s.o.Notify == nil || len(changed) == 0 || w.s.ctx.Err() != nil {
		return
	}
	refs := make([]resource.Ref, 0, len(changed))
	for _, i := range changed {
		refs = append(refs, Object{Manifest: i.object.Object}.Ref())
	}
	w.s.o.Notify(refs)
}
