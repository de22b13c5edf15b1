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

var errAway = errors.New("503: try later")

// in runs a test in a bubble of its own, in which hours take no time.
func in(name string, t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

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

func TestBlindness(t *testing.T) {
	in("a kind that does not answer is blind after a step's time; the others go on, and nothing is removed", t, func(t *testing.T) {
		w := begin(t, resource.Of(house{Name: "h"}), resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "old"}))
		w.settle()
		w.git.push(resource.Of(house{Name: "h"}), resource.Of(pod{Name: "a", Size: 2}), resource.Of(pod{Name: "new"}))
		w.cloud.SetFault(func(c sim.Call) sim.Fault {
			return sim.Fault{Hang: c.Op == sim.Observe && strings.HasSuffix(c.Driver, "house")}
		})
		start := time.Now()
		p := w.pass()
		if took := time.Since(start); took != w.Settings.StepTimeout {
			t.Errorf("took %s, want %s", took, w.Settings.StepTimeout)
		}
		if p.Plan.Blind["house"] == "" || !strings.Contains(p.Plan.Blind["house"], "no answer within 2m0s") || p.Outcome() != reconcile.Failed {
			t.Errorf("blind: %v: %s", p.Plan.Blind, account(p))
		}
		for ref, verb := range map[resource.Ref]plan.Verb{aHouse("h"): plan.Hold, aPod("a"): plan.Update, aPod("new"): plan.Create, aPod("old"): plan.Hold} {
			if s := step(p, ref); s.Verb != verb {
				t.Errorf("%s: %s (%s), want %s", ref, s.Verb, s.Why, verb)
			}
		}
		w.cloud.SetFault(nil)
		w.settle()
		if len(w.cloud.Things()) != 3 {
			t.Errorf("afterwards: %v", w.cloud.Things())
		}
	})
	in("one that cannot be read leaves the others of its kind readable", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}))
		w.settle()
		w.resize("b", 7)
		w.cloud.SetFault(func(c sim.Call) sim.Fault {
			if c.Op == sim.List && c.Ref.Kind == "pod" || c.Op == sim.Get && c.Ref == aPod("a") {
				return sim.Fault{Err: errors.New("403: no permission")}
			}
			return sim.Fault{}
		})
		p := w.pass()
		if step(p, aPod("a")).Verb != plan.Hold || result(p, aPod("b")).Outcome != plan.OK || p.Plan.Blind["pod"] == "" {
			t.Error(account(p))
		}
	})
	in("a listing that is forbidden stops removals of its kind alone", t, func(t *testing.T) {
		w := begin(t, resource.Of(house{Name: "old"}), resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "old"}))
		w.settle()
		w.git.push(resource.Of(pod{Name: "a", Size: 2}), resource.Of(pod{Name: "new"}))
		w.cloud.SetFault(func(c sim.Call) sim.Fault {
			if c.Op == sim.List && c.Ref.Kind == "pod" {
				return sim.Fault{Err: errors.New("403: no permission to list")}
			}
			return sim.Fault{}
		})
		w.settle()
		var names []string
		for _, th := range w.cloud.Things() {
			names = append(names, th.Ref.String())
		}
		if got := strings.Join(names, " "); got != "pod/a pod/new pod/old" {
			t.Errorf("there is %s", got)
		}
		if n := w.last().Plan.Notices; len(n) != 1 || !strings.Contains(n[0], "could not be listed") {
			t.Errorf("notices: %q", n)
		}
	})
}

func TestSteps(t *testing.T) {
	in("a write whose answer was lost is seen to have worked, and not made twice", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b", On: "a"}))
		w.cloud.SetFault(func(c sim.Call) sim.Fault {
			if c.Op == sim.Create && c.Ref == aPod("a") {
				return sim.Fault{Err: errAway, After: true}
			}
			return sim.Fault{}
		})
		p := w.pass()
		if result(p, aPod("b")).Outcome != plan.OK {
			t.Errorf("what stands on it waits although it is there: %s", account(p))
		}
		w.settle()
		if n := w.cloud.Calls(sim.Create); n != 2 {
			t.Errorf("%d creations of 2 pods", n)
		}
	})
	in("a failed change does not stop what stands on the thing, nor what does not", t, func(t *testing.T) {
		w := begin(t, resource.Of(house{Name: "h"}))
		w.settle()
		w.git.push(resource.Of(house{Name: "h", Size: 2}), resource.Of(pod{Name: "a", In: "h"}), resource.Of(pod{Name: "b"}))
		w.fail(sim.Update, aHouse("h"), errAway)
		p := w.pass()
		for ref, want := range map[resource.Ref]plan.Outcome{aHouse("h"): plan.Failed, aPod("a"): plan.OK, aPod("b"): plan.OK} {
			if got := result(p, ref).Outcome; got != want {
				t.Errorf("%s: %s, want %s", ref, got, want)
			}
		}
		if p.Outcome() != reconcile.Failed {
			t.Errorf("the pass is %s", p.Outcome())
		}
	})
	in("what failed is tried again later and later, never sooner than a second nor later than some five minutes", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}))
		var tries []time.Time
		w.cloud.SetFault(func(c sim.Call) sim.Fault {
			if c.Op == sim.Create && c.Ref == aPod("a") {
				tries = append(tries, time.Now())
				return sim.Fault{Err: errAway}
			}
			return sim.Fault{}
		})
		w.run(nil, time.Hour)
		if len(tries) < 15 || len(tries) > 30 {
			t.Errorf("%d tries in an hour", len(tries))
		}
		for i := 1; i < len(tries); i++ {
			gap := tries[i].Sub(tries[i-1])
			if gap < 800*time.Millisecond || gap > 8*time.Minute {
				t.Errorf("try %d came %s after the one before", i, gap)
			}
			if i > 3 && i < 8 && gap < tries[i-2].Sub(tries[i-3]) {
				t.Errorf("try %d came sooner (%s) than an earlier one", i, gap)
			}
		}
		p := w.last()
		if p.Outcome() != reconcile.Failed || !errors.Is(result(p, aPod("a")).Err, errAway) {
			t.Errorf("between two tries nobody can tell that it fails: %s", account(p))
		}
	})
	in("a person does not wait out the delay, and a new commit neither", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.fail(sim.Create, aPod("a"), errAway)
		for range 8 {
			w.pass()
			time.Sleep(10 * time.Minute)
		}
		w.pass()
		time.Sleep(2 * time.Second)
		w.cloud.SetFault(nil)
		if p := w.pass(); result(p, aPod("a")).Outcome != plan.Waiting {
			t.Fatalf("the delay is not there: %s", account(p))
		}
		if p := w.Pass(t.Context(), reconcile.Kick{Why: "sync", Retry: true}); result(p, aPod("a")).Outcome != plan.OK {
			t.Errorf("sync waits: %s", account(p))
		}
		w.git.push(resource.Of(pod{Name: "a", Size: 1}))
		w.fail(sim.Update, aPod("a"), errAway)
		for range 8 {
			time.Sleep(10 * time.Minute)
			w.pass()
		}
		w.cloud.SetFault(nil)
		w.git.push(resource.Of(pod{Name: "a", Size: 1}), resource.Of(pod{Name: "b"}))
		time.Sleep(2 * time.Second)
		if p := w.pass(); result(p, aPod("a")).Outcome != plan.OK {
			t.Errorf("a new commit waits: %s", account(p))
		}
	})
	in("what was refused is not tried again until the commit or the resource changes", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}))
		w.settle()
		w.git.push(resource.Of(pod{Name: "a", Size: 2}), resource.Of(pod{Name: "b"}))
		w.fail(sim.Update, aPod("a"), fmt.Errorf("422: size: %w", resource.ErrRejected))
		if p := w.pass(); result(p, aPod("a")).Outcome != plan.Rejected {
			t.Fatal(account(p))
		}
		tried := w.cloud.Calls(sim.Update)
		for range 5 {
			time.Sleep(time.Hour)
			if p := w.pass(); p.Outcome() != reconcile.Failed || !strings.Contains(step(p, aPod("a")).Why, "422: size") {
				t.Errorf("is not told: %s", account(p))
			}
		}
		if n := w.cloud.Calls(sim.Update); n != tried {
			t.Errorf("was tried %d times again", n-tried)
		}
		w.resize("a", 5)
		w.pass()
		if n := w.cloud.Calls(sim.Update); n != tried+1 {
			t.Errorf("the resource changed, and it was tried %d times", n-tried)
		}
		w.git.push(resource.Of(pod{Name: "a", Size: 2}), resource.Of(pod{Name: "b"}))
		time.Sleep(time.Minute)
		w.pass()
		if n := w.cloud.Calls(sim.Update); n != tried+2 {
			t.Errorf("the commit changed, and it was tried %d times", n-tried-1)
		}
	})
	in("a resource is not written again within its gap; the others are", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}))
		w.settle()
		time.Sleep(time.Minute)
		w.resize("a", 7)
		w.pass()
		w.resize("a", 8)
		w.resize("b", 8)
		p := w.pass()
		if result(p, aPod("a")).Outcome != plan.Waiting || result(p, aPod("b")).Outcome != plan.OK {
			t.Error(account(p))
		}
		time.Sleep(time.Second)
		if p := w.pass(); result(p, aPod("a")).Outcome != plan.OK {
			t.Errorf("after the gap: %s", account(p))
		}
	})
	in("a step that hangs ends in its time, and the pass with it", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}))
		w.cloud.SetFault(func(c sim.Call) sim.Fault { return sim.Fault{Hang: c.Op == sim.Create && c.Ref == aPod("a")} })
		start := time.Now()
		p := w.pass()
		if time.Since(start) > 2*w.Settings.StepTimeout {
			t.Errorf("took %s", time.Since(start))
		}
		if r := result(p, aPod("a")); r.Outcome != plan.Failed || !strings.Contains(r.Err.Error(), "no answer within") {
			t.Errorf("got %+v", r)
		}
		if result(p, aPod("b")).Outcome != plan.OK {
			t.Errorf("the other waits: %s", account(p))
		}
	})
	in("a thing is replaced with all that lives in it, and ends as it was wanted", t, func(t *testing.T) {
		free := resource.Of(house{Name: "h", Keeps: true})
		free.Protect = false
		w := begin(t, free, resource.Of(pod{Name: "a", In: "h"}), resource.Of(pod{Name: "b", In: "h", On: "a"}))
		w.cloud.Delays["house"] = sim.Delay{Create: 8 * time.Minute, Delete: 4 * time.Minute}
		w.settle()
		moved := resource.Of(house{Name: "h", Keeps: true, Place: "there"})
		moved.Protect = false
		w.git.push(moved, resource.Of(pod{Name: "a", In: "h"}), resource.Of(pod{Name: "b", In: "h", On: "a"}))
		if p := w.settle(); p.Applied != w.git.newest {
			t.Error(account(p))
		}
		if things := w.cloud.Things(); len(things) != 3 || things[0].Spec.(house).Place != "there" {
			t.Errorf("there is %v", things)
		}
		if wrong := append(w.cloud.Refusals(), w.cloud.Violations()...); len(wrong) > 0 {
			t.Errorf("the cloud had to say: %q", wrong)
		}
	})
}

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
		w.settle()
		w.start(w.memory)
		w.Destroy = true
		if p := w.Preview(t.Context()); step(p, aHouse("h")).Verb != plan.Delete || step(p, aHouse("kept")).Verb != plan.Hold {
			t.Errorf("preview: %s", account(p))
		}
		w.settle()
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
