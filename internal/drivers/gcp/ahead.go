package gcp

import (
	"context"
	"sync"
)

// Ahead is what of each resource is read beside the listing rather than after it, because the last look needed it too: a look then takes as
// long as its slowest request, not as two. What it remembers only says when to begin; losing it costs time. The zero value is ready; it is
// safe for concurrent use.
type Ahead[T any] struct {
	mu     sync.Mutex
	needed map[string]bool // by name: of these the last look needed it
}

// Reads are those of one look.
type Reads[T any] struct {
	ahead *Ahead[T]
	read  func(ctx context.Context, name string) (T, error)
	begun map[string]*begun[T]
	stop  context.CancelFunc
	under sync.WaitGroup
}

// begun is one read; value and err are there when done is closed.
type begun[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// Begin reads what the last look needed of names. Close what it returns when the look is over.
func (a *Ahead[T]) Begin(ctx context.Context, names []string, read func(ctx context.Context, name string) (T, error)) *Reads[T] {
	ctx, stop := context.WithCancel(ctx)
	r := &Reads[T]{ahead: a, read: read, begun: map[string]*begun[T]{}, stop: stop}
	width := make(chan struct{}, aheadWidth)
	for _, name := range names {
		if !a.forget(name) || r.begun[name] != nil {
			continue
		}
		b := &begun[T]{done: make(chan struct{})}
		r.begun[name] = b
		r.under.Go(func() {
			defer close(b.done)
			width <- struct{}{}
			defer func() { <-width }()
			b.value, b.err = read(ctx, name)
		})
	}
	return r
}

// aheadWidth is how many reads are begun at a time.
const aheadWidth = 8

// Get is what was begun of name, or else a new read. The next look will need it too.
func (r *Reads[T]) Get(ctx context.Context, name string) (T, error) {
	r.ahead.remember(name)
	b := r.begun[name]
	if b == nil {
		return r.read(ctx, name)
	}
	select {
	case <-b.done:
		return b.value, b.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// Close ends what nobody has asked for, and waits for that.
func (r *Reads[T]) Close() {
	r.stop()
	r.under.Wait()
}

func (a *Ahead[T]) remember(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.needed == nil {
		a.needed = map[string]bool{}
	}
	a.needed[name] = true
}

// forget reports whether the last look needed it of name. The look that begins says so again, if it does.
func (a *Ahead[T]) forget(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	needed := a.needed[name]
	delete(a.needed, name)
	return needed
}
