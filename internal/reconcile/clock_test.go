package reconcile_test

import (
	"testing"
	"testing/synctest"
	"time"

	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// What an engine sees of a clock that jumps: times that are to come lie far off, or have long gone by. Its own pauses go by the time since
// the machine started, so it neither spins nor sleeps.
func TestClockThatJumps(t *testing.T) {
	for _, c := range []struct {
		reason string
		until  time.Duration // when the stack reads otherwise, seen from any moment at which it is read
	}{
		{"forwards by a day: what was to come is gone by", -24 * time.Hour},
		{"it stands: it is always just due", 0},
		{"backwards by an hour: it comes an hour too late", 26 * time.Hour},
	} {
		in(c.reason, t, func(t *testing.T) {
			w := begin(t, resource.Of(pod{Name: "a", Size: 1}))
			w.git.night = func(now time.Time) (bool, time.Time) { return false, now.Add(c.until) }
			w.run(nil, time.Hour)
			if n := len(w.passes); n < 50 || n > 80 || !w.last().Converged() {
				t.Errorf("%d passes in an hour at an interval of a minute:\n%s", n, account(w.last()))
			}
			if w.git.loads > 80 {
				t.Errorf("the stack was read %d times", w.git.loads)
			}
		})
	}
}

// What is remembered from a time that has not come yet, because the clock was ahead and has gone back, holds up nothing until then.
func TestMemoryFromTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a", Size: 1}))
		w.settle()
		ahead := time.Now().Add(24 * time.Hour)
		w.resize("a", 5)
		m := w.memory
		m.DriftSince = map[resource.Ref]time.Time{aPod("a"): ahead}
		m.Fights = map[resource.Ref][]reconcile.Fight{aPod("a"): {{Field: "size", Want: "1", Have: "5", Since: ahead, Moved: ahead}}}
		w.start(m)
		w.run(nil, 15*time.Minute)
		if p := w.last(); !p.Converged() {
			t.Errorf("a field is left alone until the time at which it is said to have moved:\n%s", account(p))
		}
	})
}
