package reconcile

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// crowd is who works under a queue.
type crowd struct {
	*Queue
	now, most atomic.Int64

	mu    sync.Mutex
	order []string // of those that were through
}

// work takes turns of a stack one after another, each for a while.
func (c *crowd) work(ctx context.Context, stack string, turns int, each time.Duration) {
	for range turns {
		leave, err := c.enter(ctx, stack)
		if err != nil {
			return
		}
		c.most.Store(max(c.most.Load(), c.now.Add(1)))
		time.Sleep(each)
		c.now.Add(-1)
		leave()
		c.mu.Lock()
		c.order = append(c.order, stack)
		c.mu.Unlock()
	}
}

func TestSoManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{Queue: NewQueue(3)}
		var all sync.WaitGroup
		for _, stack := range []string{"a", "b", "c", "d", "e"} {
			for range 4 {
				all.Go(func() { c.work(t.Context(), stack, 5, time.Millisecond) })
			}
		}
		began := time.Now()
		all.Wait()
		if c.most.Load() != 3 {
			t.Errorf("%d were at work at once, want 3", c.most.Load())
		}
		if took := time.Since(began); took != 34*time.Millisecond { // 100 turns, three at a time
			t.Errorf("it took %s: a turn that was free was not given", took)
		}
	})
}

// A stack that has much to do, and began first, holds up one that has little by what is at work, not by what waits.
func TestATurnForEachStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{Queue: NewQueue(1)}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { c.work(t.Context(), "large", 100, 10*time.Millisecond) })
		}
		time.Sleep(15 * time.Millisecond)
		for _, stack := range []string{"small", "other"} {
			all.Go(func() {
				for range 10 {
					began := time.Now()
					c.work(t.Context(), stack, 1, 10*time.Millisecond)
					if took := time.Since(began); took > 40*time.Millisecond { // one of each, after the one at work
						t.Errorf("%s was through after %s", stack, took)
					}
				}
			})
		}
		all.Wait()
	})
}

// Of stacks with several turns each, who has fewest comes next: one that is wide leaves the others their part.
func TestTheFewestComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{Queue: NewQueue(4)}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { c.work(t.Context(), "wide", 4, 100*time.Millisecond) })
		}
		time.Sleep(time.Millisecond)
		for range 2 {
			all.Go(func() { c.work(t.Context(), "narrow", 10, 100*time.Millisecond) })
		}
		all.Wait()
		last := -1
		for i, stack := range c.order {
			if stack == "narrow" {
				last = i
			}
		}
		if last > 90 { // 4 of wide that were there first, then two of each at a time; narrow misses every other round if it is always asked last
			t.Errorf("the narrow stack was through after %d turns of all: %v", last, c.order)
		}
	})
}

// However many stacks hang, and however wide, the others are held up once, for as long as it takes to see that those only wait.
func TestWhoHangsHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{Queue: NewQueue(4)}
		ctx, cancel := context.WithCancel(t.Context())
		var hung, all sync.WaitGroup
		for _, stack := range []string{"h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8"} {
			for range 8 {
				hung.Go(func() {
					for ctx.Err() == nil {
						leave, err := c.enter(ctx, stack)
						if err != nil {
							return
						}
						select { // its time limit
						case <-ctx.Done():
						case <-time.After(2 * time.Minute):
						}
						leave()
					}
				})
			}
		}
		time.Sleep(time.Hour)
		var took []time.Duration
		all.Go(func() {
			for range 1000 {
				time.Sleep(time.Second)
				began := time.Now()
				c.work(t.Context(), "well", 1, 10*time.Millisecond)
				took = append(took, time.Since(began))
			}
		})
		all.Wait()
		slices.Sort(took)
		if longest := took[len(took)-1]; longest > lent+20*time.Millisecond {
			t.Errorf("it waited %s", longest)
		}
		cancel()
		hung.Wait()
		if c.busy != 0 {
			t.Errorf("%d turns are lost", c.busy)
		}
	})
}

// Whoever stops waiting leaves nothing behind, also if its turn comes at that moment.
func TestLeavingTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(1)
		leave, err := q.enter(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		why := errors.New("the daemon stops")
		ctx, cancel := context.WithCancelCause(t.Context())
		var waiting sync.WaitGroup
		for range 3 {
			waiting.Go(func() {
				if _, err := q.enter(ctx, "b"); !errors.Is(err, why) {
					t.Errorf("it ended with %v", err)
				}
			})
		}
		synctest.Wait()
		cancel(why)
		waiting.Wait()
		leave()
		leave() // once more is no harm
		for range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			held, err := q.enter(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			waiting.Go(func() {
				if leave, err := q.enter(ctx, "b"); err == nil {
					leave()
				}
			})
			waiting.Go(cancel)
			waiting.Go(held)
			waiting.Wait()
		}
		if q.busy != 0 || q.lines["b"].held != 0 || len(q.lines["b"].waiting) != 0 {
			t.Errorf("something is left: %d turns, of b %+v", q.busy, q.lines["b"])
		}
		q.Resize(2)
		for range 2 {
			if _, err := q.enter(t.Context(), "c"); err != nil {
				t.Fatal(err)
			}
		}
	})
}
