package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

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

// forgetful is a driver whose provider takes every update and keeps none.
type forgetful struct{ *sim.Driver[house] }

func (forgetful) Update(context.Context, house, house, []resource.Change) error { return nil }

func TestAMarkThatIsNotThereAfterwardsWasNotWritten(t *testing.T) {
	in("it is tried again with a growing delay, like anything that failed", t, func(t *testing.T) {
		free := resource.Of(house{Name: "h", Keeps: true})
		free.Protect = false
		w := begin(t, free)
		w.Kinds[0] = resource.NewKind[house]("house", forgetful{sim.NewDriver[house](w.cloud, "mine")})
		w.pass()
		time.Sleep(time.Minute)
		if p := w.pass(); result(p, aHouse("h")).Outcome != plan.Failed || p.Converged() {
			t.Errorf("passes for written: %s", account(p))
		}
	})
}
