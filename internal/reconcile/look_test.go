package reconcile_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

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
