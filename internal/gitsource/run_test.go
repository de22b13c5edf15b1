package gitsource

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"recsysd.dev/recsysd/internal/gitsource/gittest"
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

// TestHints: a hint is followed at once, a flood of them by one poll a second, and the last of them always.
func TestHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &awayOrigin{up: true}
		s := open(t, Config{URL: "https://example.com/x", PollInterval: time.Hour})
		s.origin = o
		s.current.Commit = plumbing.ZeroHash.String()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		polls := func() (n int) {
			synctest.Wait()
			o.mu.Lock()
			defer o.mu.Unlock()
			n, o.polls = o.polls, 0
			return n
		}
		polls() // the first, which nobody asked for
		s.Hint()
		if n := polls(); n != 1 {
			t.Errorf("%d polls at once after a hint", n)
		}
		s.Hint()
		if n := polls(); n != 0 {
			t.Errorf("%d polls within a second of the last hint's", n)
		}
		time.Sleep(time.Second)
		if n := polls(); n != 1 {
			t.Errorf("%d polls for the second hint", n)
		}
		for range 10_000 {
			s.Hint()
			time.Sleep(time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		if n := polls(); n < 10 || n > 11 {
			t.Errorf("%d polls for ten seconds of hints", n)
		}
		time.Sleep(30 * time.Minute)
		if n := polls(); n != 0 {
			t.Errorf("%d polls for nothing", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestRun(t *testing.T) {
	w := newWorld(t)
	for name, cfg := range w.ways() {
		if name == "file" {
			continue // as path
		}
		t.Run(name, func(t *testing.T) {
			first := w.commit(t, map[string]string{"stack.yaml": "one"})
			news := make(chan struct{}, 100)
			cfg.Notify = func() { news <- struct{}{} }
			cfg.PollInterval = 20 * time.Millisecond
			if name == "path" || name == "worktree" {
				cfg.PollInterval = time.Hour // a local repository is watched
			}
			s := open(t, cfg)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			wait(t, news)
			wantRevision(t, s, first, "one")
			for i := range 3 {
				content := fmt.Sprint("more ", i)
				next := w.commit(t, map[string]string{"stack.yaml": content})
				if i == 1 { // the reference moves into packed-refs
					must(w.repo.Git("--git-dir="+w.repo.Dir, "pack-refs", "--all"))(t)
					must(w.repo.Git("pack-refs", "--all"))(t)
				}
				wait(t, news)
				wantRevision(t, s, next, content)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run returned %v at its end", err)
			}
		})
	}
}

// TestLocalBranchAppears: neither the repository nor the branch, whose name makes a directory, is there when watching begins.
func TestLocalBranchAppears(t *testing.T) {
	root := t.TempDir()
	news := make(chan struct{}, 100)
	s := open(t, Config{URL: filepath.Join(root, "late.git"), Branch: "team/release", PollInterval: time.Hour, Notify: func() { news <- struct{}{} }})
	wantError(t, s.Poll(t.Context()), "there is no Git repository at")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	repo := must(gittest.NewRepo(root, "late"))(t)
	must(repo.Commit("first", map[string]string{"stack.yaml": "main"}))(t)
	must(repo.Git("checkout", "-q", "-b", "team/release"))(t)
	commit := must(repo.Commit("second", map[string]string{"stack.yaml": "release"}))(t)
	wait(t, news)
	wantRevision(t, s, commit, "release")
	ok(t, os.RemoveAll(repo.Dir))
	wait(t, news)
	if _, err := s.Fetch(t.Context()); err == nil {
		t.Error("the repository is gone and nothing is said of it")
	}
	must(repo.Git("init", "-q", "--bare", repo.Dir))(t)
	commit = must(repo.Commit("third", map[string]string{"stack.yaml": "again"}))(t)
	wait(t, news)
	wantRevision(t, s, commit, "again")
	cancel()
	ok(t, <-ended)
}

func wait(t *testing.T, news <-chan struct{}) {
	t.Helper()
	select {
	case <-news:
	case <-time.After(time.Minute):
		t.Fatal("nothing was noticed for a minute")
	}
}
