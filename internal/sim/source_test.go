package sim_test

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"
	"time"

	"recsysd.dev/recsysd/internal/reconcile"
)

// source serves the history's commits; while there is trouble it is sometimes away.
type source history

func (s *source) revision(n int) reconcile.Revision {
	return reconcile.Revision{Commit: digits(n) + strings.Repeat("0", 28), Tree: fstest.MapFS{}}
}

func (s *source) Fetch(context.Context) (reconcile.Revision, error) {
	if !s.calm && s.rand.IntN(8) == 0 {
		return s.revision(s.commit), errAway
	}
	return s.revision(s.commit), nil
}

func (s *source) Keep(context.Context, reconcile.Revision) error { return nil }

func (s *source) Kept(context.Context) (reconcile.Revision, bool, error) {
	return s.revision(s.applied), s.applied > 0, nil
}

// load reads a commit's stack, which is sometimes invalid.
func (h *history) load(_ context.Context, r reconcile.Revision, now time.Time) (reconcile.Stack, error) {
	for n, want := range h.told {
		if (*source)(h).revision(n).Commit != r.Commit {
			continue
		}
		if !h.calm && n != h.applied && n%5 == 4 {
			return reconcile.Stack{}, fmt.Errorf("stack.yaml:1:1: %w", fs.ErrInvalid)
		}
		h.applied = n
		return h.asOf(want, now), nil
	}
	return reconcile.Stack{}, fmt.Errorf("no commit %s", r.Commit)
}
