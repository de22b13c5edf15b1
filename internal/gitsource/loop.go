package gitsource

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// hintGap is the least time between two polls that hints have asked for.
const hintGap = time.Second

// Hint asks Run to poll now, because somebody says that the repository has changed. Hints that come close together are answered by one
// poll, which begins after the last of them, and by no more than one a second.
func (s *Source) Hint() {
	select {
	case s.hints <- struct{}{}:
	default:
	}
}

// Run polls until ctx is done: at the interval, less often while it fails, after a hint, and for a local repository as soon as it changes.
// Its own errors are what Fetch returns.
func (s *Source) Run(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	if w, ok := s.origin.(interface {
		watch(ctx context.Context, changed chan<- struct{})
	}); ok {
		var watching sync.WaitGroup
		watching.Go(func() { w.watch(ctx, changed) })
		defer watching.Wait()
	}
	var hinted time.Time
	for {
		due := time.NewTimer(s.pause(s.Poll(ctx)))
		select {
		case <-ctx.Done():
		case <-changed:
		case <-due.C:
		case <-s.hints:
			s.gather(ctx, hintGap-time.Since(hinted))
			hinted = time.Now()
		}
		due.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// gather waits for further hints, which the same poll will answer.
func (s *Source) gather(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	select {
	case <-s.hints:
	default:
	}
}

// pause is the time to the next poll: the interval, doubled up to three times while polls fail, with a tenth of jitter so
// that many daemons do not ask at once.
func (s *Source) pause(err error) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.cfg.PollInterval
	if err != nil {
		d = max(d, min(d<<min(s.failures, 3), 5*time.Minute))
	}
	return d + rand.N(d/10+1)
}
