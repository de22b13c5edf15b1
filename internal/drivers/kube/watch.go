package kube

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"recsysd.dev/recsysd/internal/resource"
)

// watch keeps the live objects of one kind that carry the stack's label. While it is up, what it holds is as good as a read. One
// goroutine, begun by link.watch and joined by link.close, fills it and follows what happens: see stream.go.
type watch struct {
	s *link
	mapping
	store store
	nudge chan struct{} // asks for an attempt at once

	mu      sync.Mutex
	up      bool
	err     error     // why it is not up; nil before the first attempt has ended
	polled  error     // why the kind cannot be watched although it can be listed: it is listed at every whole look
	ended   bool      // the kind is gone, and with it this watch
	barred  time.Time // until then a refused listing is not tried again
	outcome *outcome  // of the attempt that is made, or of the next

	// Of the goroutine alone.
	version  string // that the store is at; "": it is to be filled
	newest   uint64 // version that the server has told of
	caught   bool   // the stream that runs, or ran last, has come to where the store was up to date
	barren   int    // streams begun since anything came over one
	bookmark bool   // the server sends bookmarks: silence means something
}

// outcome is what an attempt came to: that stays true for those who waited for it, however soon the watch is lost again.
type outcome struct {
	known chan struct{} // closed when err is set
	err   error
}

func newWatch(s *link, m mapping) *watch {
	return &watch{s: s, mapping: m, nudge: make(chan struct{}, 1), outcome: &outcome{known: make(chan struct{})}, store: newStore()}
}

var (
	errClosed = errors.New("the connection to the cluster has been given up")
	errPolled = errors.New("the kind is not watched")
)

// ready returns nil once the watch is up, or why it is not after an attempt made now. A listing that was refused is not
// attempted again for a while: the same refusal is returned. A kind that can only be listed is that now, if whole; else it is errPolled.
func (w *watch) ready(ctx context.Context, whole bool) error {
	w.mu.Lock()
	switch {
	case w.up && w.polled == nil:
		w.mu.Unlock()
		return nil
	case w.polled != nil && !whole:
		w.mu.Unlock()
		return errPolled
	case w.err != nil && (w.ended || time.Now().Before(w.barred)):
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
	case <-outcome.known:
		return outcome.err
	case <-ctx.Done():
		return fmt.Errorf("listing %s: %w", w.gvr.Resource, ctx.Err())
	case <-w.s.ctx.Done():
		return fmt.Errorf("listing %s: %w", w.gvr.Resource, errClosed)
	}
}

// isUp reports whether the store is as good as a read, and stays so.
func (w *watch) isUp() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.up && w.polled == nil
}

// unwatched is why the kind is listed instead of watched; nil if it is not.
func (w *watch) unwatched() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.polled
}

// set says how things stand from now on.
func (w *watch) set(err, polled error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.up, w.err, w.polled, w.barred = err == nil, err, polled, time.Time{}
	if status, ok := answer(err); ok {
		w.ended = status.Code == http.StatusNotFound
		if status.Code == http.StatusForbidden {
			w.barred = time.Now().Add(w.s.o.RetryListing)
		}
	}
	w.outcome.err = err
	close(w.outcome.known)
	w.outcome = &outcome{known: make(chan struct{})}
}

// run keeps the store as good as a read, as far as the server lets it, until ctx is done or the kind is gone. What fails is tried again
// after a pause that grows until a stream has lasted, and at once when somebody asks.
func (w *watch) run(ctx context.Context) {
	const shortest, longest = 200 * time.Millisecond, 30 * time.Second
	wait := shortest
	for ctx.Err() == nil {
		began := time.Now()
		err := w.keep(ctx)
		if refused(err) {
			err = w.poll(ctx, err)
		}
		if status, _ := answer(err); status.Code == http.StatusNotFound {
			w.set(err, nil)
			w.s.forget(w)
			return
		}
		if err != nil {
			w.set(err, nil)
		}
		if wait = min(2*wait, longest); time.Since(began) > longest {
			wait = shortest
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

// refused: the server has understood, and does not let the kind be watched.
func refused(err error) bool {
	status, ok := answer(err)
	return ok && (status.Code == http.StatusForbidden || status.Code == http.StatusMethodNotAllowed)
}

// poll lists the kind whenever it is asked for, as long as it is not time to see whether it may be watched after all. why is what the
// server said to a watch. It returns nil when that time has come, or what the listing failed with.
func (w *watch) poll(ctx context.Context, why error) error {
	over := time.NewTimer(w.s.o.RetryListing)
	defer over.Stop()
	for {
		if err := w.list(ctx); err != nil {
			return err
		}
		w.version = "" // nothing follows it
		w.set(nil, why)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over.C:
			return nil
		case <-w.nudge:
		}
	}
}

func (w *watch) options() metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: LabelStack + "=" + w.s.o.Stack}
}

// notify tells whose compared parts or health have changed.
func (w *watch) notify(changed ...*item) {
	if w.s.o.Notify == nil || len(changed) == 0 || w.s.ctx.Err() != nil {
		return
	}
	refs := make([]resource.Ref, 0, len(changed))
	for _, i := range changed {
		refs = append(refs, i.ref)
	}
	w.s.o.Notify(refs)
}
