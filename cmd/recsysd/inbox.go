package main

import (
	"context"
	"maps"
	"slices"
	"sync"

	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// An inbox takes news from those who must not be kept waiting, a watch or a poll, and hands it on as one kick when there is time.
type inbox struct {
	full chan struct{} // holds one if there is any news

	mu   sync.Mutex
	all  bool
	refs map[resource.Ref]bool // each once, however often it changes before anybody has time
	why  string
}

func newInbox() *inbox { return &inbox{full: make(chan struct{}, 1), refs: map[resource.Ref]bool{}} }

// put adds news; no refs means everything.
func (b *inbox) put(why string, refs ...resource.Ref) {
	b.mu.Lock()
	b.all = b.all || len(refs) == 0
	for _, ref := range refs {
		b.refs[ref] = true
	}
	b.why = why
	b.mu.Unlock()
	select {
	case b.full <- struct{}{}:
	default:
	}
}

// take empties the box. It is not ok if what the sign stood for was taken with an earlier one: a kick without refs would mean everything.
func (b *inbox) take() (k reconcile.Kick, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.all && len(b.refs) == 0 {
		return k, false
	}
	k.Why = b.why
	if !b.all {
		k.Refs = slices.SortedFunc(maps.Keys(b.refs), resource.Ref.Compare)
	}
	b.all, b.refs = false, map[resource.Ref]bool{}
	return k, true
}

// forward gives every kick to send until ctx is done.
func (b *inbox) forward(ctx context.Context, send func(context.Context, reconcile.Kick) bool) error {
	for {
		select {
		case <-b.full:
			if k, ok := b.take(); ok {
				send(ctx, k)
			}
		case <-ctx.Done():
			return nil
		}
	}
}
