package gitsource

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// awayOrigin is a repository that cannot be reached, or (up) one whose only commit is current already.
type awayOrigin struct {
	mu    sync.Mutex
	up    bool
	polls int
}

func (o *awayOrigin) list(context.Context) (listing, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.polls++
	if !o.up {
		return nil, errors.New("away")
	}
	return unchanged{}, nil
}

type unchanged struct{ listing }

func (unchanged) tip() plumbing.Hash { return plumbing.ZeroHash }
func (unchanged) close() error       { return nil }

// TestPollingPace: at the interval while all is well, up to eight times slower while it is not, and a word when that changes.
func TestPollingPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &awayOrigin{up: true}
		told := 0
		s := open(t, Config{URL: "https://example.com/x", PollInterval: 10 * time.Second, Notify: func() { told++ }})
		s.origin = o
		s.current.Commit = plumbing.ZeroHash.String()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		set := func(up bool) (polls int) {
			synctest.Wait()
			o.mu.Lock()
			defer o.mu.Unlock()
			polls, o.polls, o.up = o.polls, 0, up
			return polls
		}
		pace := func(d time.Duration) int {
			set(o.up)
			time.Sleep(d)
			return set(o.up)
		}
		if n := pace(1000 * time.Second); n < 90 || n > 100 {
			t.Errorf("%d polls in 1000 s at an interval of 10 s, want 90 to 100: a tenth of jitter", n)
		}
		if told != 0 {
			t.Errorf("told %d times of nothing new", told)
		}
		set(false)
		pace(200 * time.Second)
		if told != 1 {
			t.Errorf("told %d times that Git is away, want once", told)
		}
		if n := pace(1000 * time.Second); n < 10 || n > 14 {
			t.Errorf("%d polls in 1000 s while Git is away, want about one in 80 s", n)
		}
		set(true)
		pace(100 * time.Second)
		if told != 2 {
			t.Errorf("told %d times when Git was found again, want twice in all", told)
		}
		if n := pace(1000 * time.Second); n < 90 {
			t.Errorf("%d polls in 1000 s after Git is back, want the old pace", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
