package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

func TestPreviewIsWhatThePassDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, resource.Of(house{Name: "h"}), resource.Of(pod{Name: "a", In: "h"}), resource.Of(pod{Name: "old"}))
		w.cloud.Put(pod{Name: "theirs"}, "theirs")
		for n := range 12 {
			switch n {
			case 3:
				w.resize("a", 4)
			case 6:
				w.git.push(resource.Of(house{Name: "h", Place: "there"}), resource.Of(pod{Name: "a", In: "h", Size: 1}), resource.Of(pod{Name: "theirs"}))
			}
			before, heard := w.cloud.Writes(), len(w.passes)
			preview := w.Preview(t.Context())
			if w.cloud.Writes() != before || len(w.passes) != heard {
				t.Fatal("a preview was written or recorded")
			}
			if preview.Results != nil {
				t.Errorf("a preview has results: %v", preview.Results)
			}
			p := w.pass()
			if a, b := fmt.Sprint(preview.Plan), fmt.Sprint(p.Plan); a != b {
				t.Errorf("pass %d: previewed\n%s\nand done\n%s", n, a, b)
			}
			time.Sleep(2 * time.Second)
		}
		if p := w.last(); p.Plan.Steps == nil || w.cloud.Writes() < 6 {
			t.Errorf("nothing much happened: %s", account(p))
		}
	})
}

func TestSuspend(t *testing.T) {
	in("the whole stack: looked at, never written, over restarts, until it is resumed", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.Suspend(resource.Ref{}, "an audit")
		w.resize("a", 9)
		writes := w.cloud.Writes()
		p := w.pass()
		if p.Suspended != "an audit" || w.cloud.Writes() != writes || len(p.Drift()) != 1 || p.Converged() {
			t.Error(account(p))
		}
		w.start(w.memory)
		if w.pass(); w.cloud.Writes() != writes {
			t.Error("a restart ended the suspension")
		}
		w.Suspend(resource.Ref{}, "")
		if p := w.settle(); p.Suspended != "" || w.cloud.Writes() != writes+1 {
			t.Errorf("resumed: %s", account(p))
		}
	})
	in("one resource: the rest goes on; also what the stack no longer names", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}), resource.Of(pod{Name: "old"}))
		w.settle()
		w.Suspend(aPod("a"), "an experiment")
		w.Suspend(aPod("old"), "still looked at")
		w.git.push(resource.Of(pod{Name: "a", Size: 2}), resource.Of(pod{Name: "b", Size: 2}))
		p := w.pass()
		if step(p, aPod("a")).Verb != plan.Hold || step(p, aPod("old")).Verb != plan.Hold || result(p, aPod("b")).Outcome != plan.OK {
			t.Error(account(p))
		}
		w.start(w.memory)
		if p := w.pass(); step(p, aPod("a")).Verb != plan.Hold {
			t.Errorf("after a restart: %s", account(p))
		}
		for _, ref := range []resource.Ref{aPod("a"), aPod("old")} {
			if err := w.Suspend(ref, ""); err != nil {
				t.Error(err)
			}
		}
		if err := w.Suspend(aPod("b"), ""); err == nil {
			t.Error("resuming what is not suspended is no mistake?")
		}
		if w.settle(); len(w.cloud.Things()) != 2 {
			t.Errorf("resumed: %v", w.cloud.Things())
		}
	})
}

func TestDestroy(t *testing.T) {
	in("from the top, and it is not through before all has gone", t, func(t *testing.T) {
		free := resource.Of(house{Name: "h", Keeps: true})
		free.Protect = false
		w := begin(t, free, resource.Of(house{Name: "kept", Keeps: true}), resource.Of(pod{Name: "a", In: "h"}))
		w.cloud.Put(pod{Name: "theirs"}, "theirs")
		w.cloud.Delays["house"] = sim.Delay{Create: 8 * time.Minute, Delete: 4 * time.Minute}
		w.cloud.Delays["pod"] = sim.Delay{Delete: 30 * time.Second}
		w.settle()
		applied := w.settle().Applied
		w.git.push(free, resource.Of(house{Name: "kept", Keeps: true}), resource.Of(pod{Name: "a", In: "h", Size: 1}))
		w.start(w.memory)
		w.Destroy = true
		if p := w.Preview(t.Context()); step(p, aHouse("h")).Verb != plan.Delete || step(p, aHouse("kept")).Verb != plan.Hold {
			t.Errorf("preview: %s", account(p))
		}
		if p := w.settle(); p.Applied != applied {
			t.Errorf("%s passes for applied, and was only taken down", p.Applied)
		}
		var left []string
		for _, th := range w.cloud.Things() {
			left = append(left, th.Ref.String())
		}
		if got := strings.Join(left, " "); got != "house/kept pod/theirs" {
			t.Errorf("left is %s", got)
		}
		if wrong := append(w.cloud.Refusals(), w.cloud.Violations()...); len(wrong) > 0 {
			t.Errorf("the cloud had to say: %q", wrong)
		}
	})
}

func TestRecordFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		record := w.Record
		w.Record = func(p reconcile.Pass, m reconcile.Memory) error { record(p, m); return errors.New("disk full") }
		w.pass()
		p := w.settle()
		if !slices.ContainsFunc(p.Plan.Notices, func(n string) bool { return strings.Contains(n, "disk full") }) {
			t.Errorf("nobody is told: %q", p.Plan.Notices)
		}
	})
}

func TestInterrupted(t *testing.T) {
	in("before the steps: none is taken, and nothing is recorded that would pass for a failure", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("the daemon stops"))
		if p := w.Pass(ctx, reconcile.Kick{}); p.Err == nil || len(p.Plan.Steps) > 0 || w.cloud.Writes() > 0 || len(w.passes) > 0 {
			t.Errorf("recorded: %d, %s", len(w.passes), account(p))
		}
	})
}
