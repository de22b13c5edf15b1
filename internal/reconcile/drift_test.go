package reconcile_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

func TestDrift(t *testing.T) {
	in("a foreign edit: detected once, corrected, and gone from the account", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		time.Sleep(time.Hour)
		w.resize("a", 9)
		p := w.pass()
		if fmt.Sprint(p.Detected, p.Corrected) != "[pod/a] [pod/a]" || len(p.Drift()) != 0 {
			t.Errorf("detected %v, corrected %v, left %v", p.Detected, p.Corrected, p.Drift())
		}
		if s := step(p, aPod("a")); len(s.Drift) != 1 || s.Drift[0].Have != "9" || s.Drift[0].Want != "0" {
			t.Errorf("the step does not tell what was changed: %+v", s)
		}
		if p := w.pass(); len(p.Detected)+len(p.Corrected) != 0 || !p.Converged() {
			t.Errorf("once more: %v %v", p.Detected, p.Corrected)
		}
	})
	in("what was put back is told for a day, and of what is wanted only", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}))
		w.settle()
		time.Sleep(time.Hour)
		w.resize("a", 9)
		w.resize("b", 8)
		put := w.pass()
		for range 2 {
			done := w.last().Repairs()
			if d := done[aPod("a")]; len(done) != 2 || len(d.Fields) != 1 || d.Fields[0].Have != "9" || d.At.Before(put.Start) || d.At.After(put.End) {
				t.Errorf("put back: %+v", done)
			}
			time.Sleep(10 * time.Hour)
			w.pass()
		}
		w.git.push(resource.Of(pod{Name: "a"}))
		if done := w.settle().Repairs(); len(done) != 1 {
			t.Errorf("after b is gone: %+v", done)
		}
		time.Sleep(4 * time.Hour)
		if done := w.pass().Repairs(); len(done) != 0 {
			t.Errorf("after a day: %+v", done)
		}
	})
	in("a resource that was removed is drift too", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		time.Sleep(time.Hour)
		w.cloud.Remove(aPod("a"))
		if p := w.pass(); fmt.Sprint(p.Detected, p.Corrected) != "[pod/a] [pod/a]" {
			t.Errorf("detected %v, corrected %v", p.Detected, p.Corrected)
		} else if s := step(p, aPod("a")); s.Verb != plan.Create || len(s.Drift) != 1 || s.Drift[0].Have != "absent" {
			t.Errorf("the step does not tell that it was removed: %+v", s)
		}
	})
	in("what a commit changes is a change, and what it creates is none", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		first := w.pass()
		w.settle()
		w.git.push(resource.Of(pod{Name: "a", Size: 2}), resource.Of(pod{Name: "b"}))
		w.fail(sim.Update, aPod("a"), errAway)
		for _, p := range []reconcile.Pass{first, w.pass()} {
			if len(p.Detected)+len(p.Drift()) != 0 {
				t.Errorf("detected %v, drift %v", p.Detected, p.Drift())
			}
			for _, s := range p.Plan.Steps {
				if s.Verb == plan.Create && len(s.Drift) > 0 {
					t.Errorf("a creation tells of drift: %+v", s)
				}
			}
		}
	})
	in("as long as it cannot be put back it is one drift, since when it was first seen, over restarts too", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		time.Sleep(time.Hour)
		w.resize("a", 9)
		w.fail(sim.Update, aPod("a"), errAway)
		since := time.Now()
		detected := 0
		for n := range 6 {
			if n == 3 {
				w.start(w.memory)
			}
			p := w.pass()
			detected += len(p.Detected)
			if d := p.Drift()[aPod("a")]; len(d.Fields) != 1 || !d.Since.Equal(since) {
				t.Errorf("pass %d: %+v, want one field since %s", n, d, since)
			}
			if p.Converged() || len(p.Corrected) > 0 {
				t.Error(account(p))
			}
			time.Sleep(10 * time.Minute)
		}
		if detected != 1 {
			t.Errorf("detected %d times", detected)
		}
		w.cloud.SetFault(nil)
		if p := w.pass(); len(p.Corrected) != 1 {
			t.Errorf("corrected %v: %s", p.Corrected, account(p))
		}
	})
	in("what somebody else put back was not corrected by us", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.Suspend(aPod("a"), "a look")
		w.resize("a", 9)
		w.pass()
		w.resize("a", 0)
		if p := w.pass(); len(p.Corrected) > 0 || len(p.Drift()) > 0 {
			t.Errorf("corrected %v, drift %v", p.Corrected, p.Drift())
		}
	})
	in("a repair that takes its time is corrected when it is seen to be", t, func(t *testing.T) {
		w := begin(t, resource.Of(house{Name: "h", Size: 1}))
		w.cloud.Delays["house"] = sim.Delay{Update: 5 * time.Minute, Delete: 5 * time.Minute, Create: 5 * time.Minute}
		w.settle()
		w.cloud.Edit(aHouse("h"), func(s any) any { return house{Name: "h", Size: 1, Place: "elsewhere"} })
		detected, corrected := 0, 0
		for range 20 {
			p := w.pass()
			detected, corrected = detected+len(p.Detected), corrected+len(p.Corrected)
			time.Sleep(time.Minute)
		}
		if detected != 1 || corrected != 1 {
			t.Errorf("detected %d, corrected %d", detected, corrected)
		}
	})
	in("without a memory what differs and is ours is drift, what is not ours is not", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "theirs"}))
		w.cloud.Put(pod{Name: "theirs", Size: 7}, "theirs")
		w.pass()
		w.pass()
		w.resize("a", 9)
		w.start(reconcile.Memory{})
		if p := w.pass(); fmt.Sprint(p.Detected) != "[pod/a]" {
			t.Errorf("detected %v", p.Detected)
		}
	})
	in("blind: what was drift stays drift and is not counted anew", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.Suspend(aPod("a"), "a look")
		w.resize("a", 9)
		w.pass()
		w.fail(sim.Observe, resource.Ref{}, errAway)
		if p := w.pass(); len(p.Corrected)+len(p.Drift()) > 0 {
			t.Errorf("corrected %v, and %v is said of what nobody saw", p.Corrected, p.Drift())
		}
		w.cloud.SetFault(nil)
		if p := w.pass(); len(p.Detected) > 0 || len(p.Drift()) != 1 {
			t.Errorf("detected %v again, drift %v", p.Detected, p.Drift())
		}
	})
	in("a stack that only observes counts what it sees and writes nothing", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.Settings.Observe = true
		w.resize("a", 9)
		writes := w.cloud.Writes()
		if p := w.pass(); len(p.Detected) != 1 || len(p.Drift()) != 1 || w.cloud.Writes() != writes || !p.Left() {
			t.Errorf("detected %v, drift %v, left %v", p.Detected, p.Drift(), p.Left())
		}
		w.Settings.Observe = false
		if p := w.pass(); p.Left() {
			t.Error("what is put back is not left as it is")
		}
	})
}

// restless is a driver whose resource never looks as it was wanted, although nothing changes.
type restless struct{ *sim.Driver[pod] }

func (d restless) Observe(ctx context.Context, want []pod, list bool) (resource.Seen[pod], error) {
	seen, err := d.Driver.Observe(ctx, want, list)
	for i := range seen.Live {
		wanted := seen.Live[i].Spec
		wanted.Size++ // what the provider would make of it, says a faulty kind
		seen.Live[i].Want = &wanted
	}
	return seen, err
}

func TestUnexplained(t *testing.T) {
	in("a write that neither a commit nor a hand explains", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(house{Name: "h"}))
		w.Kinds[1] = resource.NewKind[pod]("pod", restless{sim.NewDriver[pod](w.cloud, "mine")})
		unexplained := 0
		for range 5 {
			unexplained += len(w.pass().Unexplained)
			time.Sleep(10 * time.Minute)
		}
		if unexplained < 2 {
			t.Errorf("%d of some 4 pointless writes were noticed", unexplained)
		}
		w.pass()
		for _, k := range []reconcile.Kick{{}, {Refs: []resource.Ref{aHouse("h")}}} {
			if p := w.Pass(t.Context(), k); len(p.Unexplained) > 0 || result(p, aPod("a")).Outcome == plan.OK {
				t.Errorf("what only waits out a failure is no write: %v: %s", p.Unexplained, account(p))
			}
		}
	})
	in("none when hands, commits and slow changes are all there is", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(house{Name: "h"}))
		w.cloud.Delays["house"] = sim.Delay{Update: 3 * time.Minute}
		for n := range 20 {
			switch n % 4 {
			case 1:
				w.resize("a", 9)
			case 2:
				w.git.push(resource.Of(pod{Name: "a", Size: n}), resource.Of(house{Name: "h", Size: n}))
			}
			if p := w.pass(); len(p.Unexplained) > 0 {
				t.Errorf("pass %d: %v: %s", n, p.Unexplained, account(p))
			}
			time.Sleep(time.Minute)
		}
	})
	in("none when the provider refuses every call for a while", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.resize("a", 9)
		w.fail(sim.Update, aPod("a"), errAway)
		for n := range 5 {
			if p := w.pass(); len(p.Unexplained) > 0 || result(p, aPod("a")).Outcome != plan.Failed {
				t.Errorf("pass %d: %v: %s", n, p.Unexplained, account(p))
			}
			time.Sleep(10 * time.Minute)
		}
	})
}
