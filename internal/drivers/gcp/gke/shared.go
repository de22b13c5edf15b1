package gke

import (
	"context"
	"sync"
	"time"
)

// shared is a read that several readers need in the same pass, side by side or shortly one after another. Each answer serves
// each reader once, so that a second look by anybody is a second request, and none that began before a write of ours or too long ago.
type shared[T any] struct {
	mu   sync.Mutex
	last *reading[T]
}

// reading is one request and its answer.
type reading[T any] struct {
	began     time.Time
	served    map[string]bool
	done      chan struct{}
	value     T
	abandoned bool // its reader gave up before there was an answer
}

// shareable is how long after it began a reading serves others: the kinds of a pass look at the same moment.
const shareable = 5 * time.Second

// get is the answer of a reading under way or just over that has not served reader yet, else of a new one. The error is ctx's own.
func (s *shared[T]) get(ctx context.Context, reader string, read func(context.Context) T) (T, error) {
	for {
		r, ours := s.join(reader)
		if ours {
			r.value = read(ctx)
			r.abandoned = ctx.Err() != nil
			close(r.done)
			return r.value, nil
		}
		select {
		case <-r.done:
			if !r.abandoned {
				return r.value, nil
			}
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
	}
}

// join finds the reading to wait for, or begins one that the caller is to carry out.
func (s *shared[T]) join(reader string) (r *reading[T], ours bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.last; r != nil && !r.served[reader] && time.Since(r.began) < shareable {
		r.served[reader] = true
		return r, false
	}
	s.last = &reading[T]{began: time.Now(), served: map[string]bool{reader: true}, done: make(chan struct{})}
	return s.last, true
}

// forget keeps what was read, or is being read, from serving anybody else.
func (s *shared[T]) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = nil
}
