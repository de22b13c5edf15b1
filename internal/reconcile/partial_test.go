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

func TestPartialPass(t *testing.T) {
	in("looks at and writes what it was asked for, lies over the rest, and removes nothing", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}), resource.Of(pod{Name: "old"}))
		w.settle()
		w.git.push(resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}))
		w.Settings.Prune = false
		w.settle()
		w.Settings.Prune = true
		time.Sleep(time.Minute)
		w.resize("a", 7)
		w.resize("b", 7)
		lists := w.cloud.Calls(sim.List)
		p := w.Pass(t.Context(), reconcile.Kick{Refs: []resource.Ref{aPod("a"), aPod("old")}})
		if len(p.Partial) == 0 || w.cloud.Calls(sim.List) != lists {
			t.Error("it was no partial pass")
		}
		if len(p.Seen) != 3 || len(p.Plan.Steps) != 3 {
			t.Errorf("the rest is not in its account: %s", account(p))
		}
		if result(p, aPod("a")).Outcome != plan.OK || w.cloud.Calls(sim.Delete) > 0 {
			t.Error(account(p))
		}
		if p := w.pass(); result(p, aPod("b")).Outcome != plan.OK || result(p, aPod("old")).Outcome != plan.OK {
			t.Errorf("the next pass over everything: %s", account(p))
		}
	})
	in("what stands on what it was asked for is looked at too, and goes on at once", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "base"}), resource.Of(pod{Name: "mid", On: "base"}), resource.Of(pod{Name: "top", On: "mid"}), resource.Of(pod{Name: "z"}))
		w.settle()
		time.Sleep(time.Minute)
		for _, name := range []string{"base", "top", "z"} {
			w.resize(name, 7)
		}
		p := w.Pass(t.Context(), reconcile.Kick{Refs: []resource.Ref{aPod("base")}})
		if got := fmt.Sprint(p.Partial); got != "[pod/base pod/mid pod/top]" {
			t.Errorf("limited to %s", got)
		}
		if result(p, aPod("base")).Outcome != plan.OK || result(p, aPod("top")).Outcome != plan.OK || step(p, aPod("z")).Verb != plan.Keep {
			t.Error(account(p))
		}
		if p := w.pass(); result(p, aPod("z")).Outcome != plan.OK {
			t.Errorf("the next pass over everything: %s", account(p))
		}
	})
	in("what failed and is not tried again in it has failed still", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}))
		w.settle()
		time.Sleep(time.Minute)
		w.resize("b", 7)
		w.fail(sim.Update, aPod("b"), errAway)
		w.pass()
		for range 2 { // with nothing to do, and with something
			p := w.Pass(t.Context(), reconcile.Kick{Refs: []resource.Ref{aPod("a")}})
			if d := p.Drift()[aPod("b")]; p.Outcome() != reconcile.Failed || d.Done != reconcile.DoneFailed || !errors.Is(result(p, aPod("b")).Err, errAway) {
				t.Errorf("%s, drift of b %s: %s", p.Outcome(), d.Done, account(p))
			}
			w.resize("a", 7)
		}
		if w.cloud.Calls(sim.Update) != 2 {
			t.Errorf("%d updates", w.cloud.Calls(sim.Update))
		}
	})
	in("what does not answer in time is unknown, and said to be that", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}))
		w.settle()
		w.cloud.SetFault(func(c sim.Call) sim.Fault { return sim.Fault{Hang: c.Op == sim.Observe} })
		p := w.Pass(t.Context(), reconcile.Kick{Refs: []resource.Ref{aPod("a")}})
		if why := p.Plan.Blind["pod"]; !strings.Contains(why, "no answer within 2m0s") || p.Outcome() != reconcile.Failed || len(p.Drift()) > 0 {
			t.Errorf("blind because %q: %s", why, account(p))
		}
	})
	in("the first pass is always over everything", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}))
		if p := w.Pass(t.Context(), reconcile.Kick{Refs: []resource.Ref{aPod("a")}}); len(p.Partial) > 0 || len(w.cloud.Things()) != 2 {
			t.Error(account(p))
		}
	})
	in("a new commit is looked at as a whole: what was seen before says nothing of it", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}))
		applied := w.settle().Applied
		w.git.push(resource.Of(pod{Name: "a", Size: 2}), resource.Of(pod{Name: "b"}))
		w.fail(sim.Update, aPod("a"), errAway)
		p := w.Pass(t.Context(), reconcile.Kick{Refs: []resource.Ref{aPod("b")}})
		if len(p.Partial) > 0 || p.Converged() || p.Applied != applied || step(p, aPod("a")).Verb != plan.Update {
			t.Errorf("applied %s: %s", p.Applied, account(p))
		}
		if p := w.pass(); len(p.Detected) > 0 {
			t.Errorf("a change that a commit made passes for drift of %v", p.Detected)
		}
	})
	in("so is a stack that reads otherwise than it did, though its commit is the same", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "b"}))
		began := time.Now()
		w.Load = func(_ context.Context, _ reconcile.Revision, now time.Time) (reconcile.Stack, error) {
			hour := int(now.Sub(began) / time.Hour) // as a version that is looked up outside Git would make it
			return reconcile.Stack{
				Resources: []resource.Resource{resource.Of(pod{Name: "a", Size: hour}), resource.Of(pod{Name: "b"})},
				Until:     began.Add(time.Duration(hour+1) * time.Hour),
			}, nil
		}
		w.settle()
		time.Sleep(time.Hour)
		w.fail(sim.Update, aPod("a"), errAway)
		p := w.Pass(t.Context(), reconcile.Kick{Refs: []resource.Ref{aPod("b")}})
		if len(p.Partial) > 0 || p.Converged() || step(p, aPod("a")).Verb != plan.Update {
			t.Errorf("%s", account(p))
		}
		if p := w.pass(); len(p.Detected) > 0 {
			t.Errorf("a change passes for drift of %v", p.Detected)
		}
	})
}
