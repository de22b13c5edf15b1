package reconcile_test

import (
	"errors"
	"slices"
	"testing"

	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

func TestRevisions(t *testing.T) {
	in("git away: goes on with the newest that was reached, and says so", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.git.away = errors.New("git: host is down")
		w.cloud.Remove(aPod("a"))
		if p := w.settle(); p.SourceErr == nil || len(w.cloud.Things()) != 1 {
			t.Errorf("the repair was not made, or the error not told: %s", account(p))
		}
	})
	in("restart without network: the kept revision", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		commit := w.git.newest
		w.git.lost, w.git.away = true, errors.New("git: host is down")
		w.cloud.Remove(aPod("a"))
		w.start(w.memory)
		p := w.settle()
		if len(w.cloud.Things()) != 1 || p.SourceErr == nil || p.Attempted != commit || p.Applied != commit {
			t.Errorf("attempted %s, applied %s: %s", p.Attempted, p.Applied, account(p))
		}
	})
	in("nothing was ever reached: an error, and no call to the cloud", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.git.lost, w.git.away = true, errors.New("git: host is down")
		p := w.pass()
		if p.Err == nil || !errors.Is(p.Err, w.git.away) || p.Outcome() != reconcile.Failed || w.cloud.Calls(sim.Observe) > 0 {
			t.Error(account(p))
		}
	})
	in("invalid: the running stack is kept up as it last was valid", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		good := w.git.newest
		bad := w.git.push()
		w.cloud.Remove(aPod("a"))
		p := w.pass()
		if !errors.Is(p.StackErr, errInvalid) || p.Outcome() != reconcile.Invalid || p.Attempted != bad || p.Applied != good || p.Err != nil {
			t.Errorf("attempted %s, applied %s: %s", p.Attempted, p.Applied, account(p))
		}
		if len(w.cloud.Things()) != 1 {
			t.Error("the stack that was valid is not kept up")
		}
		if w.git.kept != good {
			t.Error("the invalid revision was kept as good")
		}
		w.start(w.memory)
		if p := w.pass(); p.Outcome() != reconcile.Invalid || len(p.Want) != 1 {
			t.Errorf("after a restart: %s", account(p))
		}
		w.git.push(resource.Of(pod{Name: "b"}))
		if p := w.settle(); p.StackErr != nil || p.Applied != w.git.newest {
			t.Errorf("the next push does not mend it: %s", account(p))
		}
	})
	in("empty, twice the same, or a circle: invalid, not an order to remove everything", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		for _, bad := range [][]resource.Resource{
			{}, {resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "a"})}, {resource.Of(pod{Name: "x", On: "y"}), resource.Of(pod{Name: "y", On: "x"})},
		} {
			w.git.push(slices.Clone(bad)...)
			if len(bad) == 0 {
				w.git.stacks[w.git.newest] = []resource.Resource{}
			}
			if p := w.pass(); p.StackErr == nil || p.Outcome() != reconcile.Invalid || len(w.cloud.Things()) != 1 {
				t.Error(account(p))
			}
		}
	})
	in("a stack is loaded once for each commit", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		loads := w.git.loads
		w.pass()
		if w.git.loads != loads {
			t.Error("was loaded again although nothing changed")
		}
	})
	in("a revision that cannot be kept is told, and the pass made", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.git.full = errors.New("disk full")
		p := w.settle()
		if !errors.Is(p.SourceErr, w.git.full) || p.Applied == "" {
			t.Error(account(p))
		}
	})
}
