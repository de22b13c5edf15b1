package reconcile

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Queue is where the stacks of one daemon wait for their turn: so many looks and steps are at work at once, however many stacks there
// are and however much each has to do. A turn goes to the stack that has the fewest, and of those that have as many to the one that was
// given none for longest, so that a stack with a thousand steps holds up a stack with one step by no more than a step.
//
// A turn is for work. What is not through within lent only waits, as a rule for a server that does not answer, and its turn is given to
// another meanwhile, to a stack that waits for fewer: however many stacks hang, the others are held up for that long at most.
type Queue struct {
	mu    sync.Mutex
	width int
	busy  int              // turns that count
	lines map[string]*line // by stack; there are so few that none is forgotten
	turns uint64           // given so far
}

// lent is after how long a turn is given to another, too.
const lent = 2 * time.Second

// line is one stack's.
type line struct {
	held    int             // turns, those included that were lent
	last    uint64          // when it was given its last turn
	waiting []chan struct{} // each closed when its turn has come, the first first
}

// NewQueue makes a queue for so many at once.
func NewQueue(width int) *Queue { return &Queue{width: width, lines: map[string]*line{}} }

// Resize lets so many be at work at once from now on. Nobody loses a turn.
func (q *Queue) Resize(width int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.width = width
	q.admit()
}

// enter waits for a turn of the stack, and for no longer than ctx. Whoever has entered calls leave once. A nil Queue has room for all.
func (q *Queue) enter(ctx context.Context, stack string) (leave func(), err error) {
	if q == nil {
		return func() {}, nil
	}
	come := make(chan struct{})
	q.mu.Lock()
	l := q.lines[stack]
	if l == nil {
		l = &line{}
		q.lines[stack] = l
	}
	l.waiting = append(l.waiting, come)
	q.admit()
	q.mu.Unlock()
	select {
	case <-come:
	case <-ctx.Done():
		q.mu.Lock()
		defer q.mu.Unlock()
		if i := slices.Index(l.waiting, come); i >= 0 {
			l.waiting = slices.Delete(l.waiting, i, i+1)
		} else { // it came at the same moment
			l.held--
			q.release()
		}
		return nil, fmt.Errorf("waiting for its turn: %w", context.Cause(ctx))
	}
	release := sync.OnceFunc(q.release)
	late := time.AfterFunc(lent, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		release()
	})
	return sync.OnceFunc(func() {
		late.Stop()
		q.mu.Lock()
		defer q.mu.Unlock()
		l.held--
		release()
	}), nil
}

// admit gives out the turns that there are. The queue is locked.
func (q *Queue) admit() {
	for q.busy < q.width {
		var next *line
		for _, l := range q.lines {
			if len(l.waiting) > 0 && (next == nil || l.held < next.held || l.held == next.held && l.last < next.last) {
				next = l
			}
		}
		if next == nil {
			return
		}
		q.turns++
		q.busy++
		next.held++
		next.last = q.turns
		close(next.waiting[0])
		next.waiting = slices.Delete(next.waiting, 0, 1)
	}
}

// release takes a turn back. The queue is locked.
func (q *Queue) release() {
	q.busy--
	q.admit()
}
