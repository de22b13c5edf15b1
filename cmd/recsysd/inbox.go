package main

import (
	"context"
	"sync"

	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// An inbox takes news from those who must not be kept waiting, a watch or a poll, and hands it on as one kick when there is time.
type inbox struct {
	full chan struct{} // holds one if there is any news

	mu   sync.Mutex
	all  bool
	refs []resource.Ref
	why  string
}

func newInbox() *inbox { return &inbox{full: make(chan struct{}, 1)} }

// put adds news; no refs means everything.
func (b *inbox) put(why string, refs ...resource.Ref) {
	b.mu.Lock()
	b.all = b.all || len(refs) == 0
	b.refs = append(b.refs, refs...)
	b.why = why
	b.mu.Unlock()
	select {
	case b.full <- struct{}{}:
	default:
	}
}

func (b *inbox) take() reconcile.Kick {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := reconcile.Kick{Refs: b.refs, Why: b.why}
	if b.all {
		k.Refs = nil
	}
	b.all, b.refs = false, nil
	return k
}

// forward gives every kick to send until ctx is done.
func (b *inbox) forward(ctx context.Context, send func(context.Context, reconcile.Kick) bool) error {
	for {
		select {
		case <-b.full:
			send(ctx, b.take())
		case <-ctx.Done():
			return nil
		}
	}
}
