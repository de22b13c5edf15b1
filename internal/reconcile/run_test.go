package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

func TestRun(t *testing.T) {
	in("a cluster that takes ten minutes holds up nothing but what lives in it, and then there is peace", t, func(t *testing.T) {
		w := begin(t, resource.Of(house{Name: "h"}), resource.Of(pod{Name: "a", In: "h"}), resource.Of(pod{Name: "b", In: "h", On: "a"}), resource.Of(pod{Name: "free"}))
		w.cloud.Delays["house"] = sim.Delay{Create: 10 * time.Minute}
		w.cloud.Delays["pod"] = sim.Delay{Start: 20 * time.Second}
		w.run(nil, 30*time.Minute)
		if p := w.last(); !p.Converged() || p.Applied != w.git.newest || w.memory.Applied != w.git.newest {
			t.Fatal(account(p))
		}
		i := slices.IndexFunc(w.passes, reconcile.Pass.Converged)
		if took := w.passes[i].End.Sub(w.passes[0].Start); took < 10*time.Minute || took > 11*time.Minute+30*time.Second {
			t.Errorf("converged after %s", took)
		}
		if w.cloud.Writes() != 4 {
			t.Errorf("%d writes of 4 resources", w.cloud.Writes())
		}
		// 15 seconds apart at most while waiting, 66 in peace.
		if n := len(w.passes); n < 45+16 || n > 100 {
			t.Errorf("%d passes in half an hour", n)
		}
		if first := w.passes[0]; result(first, aPod("free")).Outcome != plan.OK || result(first, aPod("a")).Outcome != plan.Waiting {
			t.Errorf("the first pass: %s", account(first))
		}
	})
	in("at the interval, give or take a tenth", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.run(nil, 2*time.Hour)
		quiet := w.passes[3:]
		gaps := map[time.Duration]bool{}
		for i := 1; i < len(quiet); i++ {
			gap := quiet[i].Start.Sub(quiet[i-1].End)
			gaps[gap] = true
			if gap < 54*time.Second || gap > 66*time.Second {
				t.Errorf("%s between two passes", gap)
			}
		}
		if len(gaps) < 10 {
			t.Errorf("there is no jitter: %v", gaps)
		}
	})
	in("a commit that is pushed starts at once", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		kick := make(chan reconcile.Kick)
		var pushed time.Time
		go func() {
			time.Sleep(10*time.Minute + 17*time.Second)
			w.git.push(resource.Of(pod{Name: "a", Size: 2}))
			pushed = time.Now()
			kick <- reconcile.Kick{Why: "news from Git"}
		}()
		w.run(kick, 20*time.Minute)
		i := slices.IndexFunc(w.passes, func(p reconcile.Pass) bool { return p.Attempted == w.git.newest })
		if late := w.passes[i].Start.Sub(pushed); late > 0 || w.passes[i].Why != "news from Git" {
			t.Errorf("started %s late, for %q", late, w.passes[i].Why)
		}
		if result(w.passes[i], aPod("a")).Outcome != plan.OK {
			t.Error(account(w.passes[i]))
		}
	})
	in("kicks during a pass are answered together by the next, with the most that each allowed", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "keep"}), resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}))
		w.settle()
		w.Settings.MaxDeletes = 1
		w.git.push(resource.Of(pod{Name: "keep"}))
		slow := true
		w.cloud.SetFault(func(c sim.Call) sim.Fault {
			if slow && c.Op == sim.Observe {
				time.Sleep(time.Minute)
			}
			return sim.Fault{}
		})
		kick := make(chan reconcile.Kick)
		answers := make(chan reconcile.Pass, 10)
		before := len(w.passes)
		for n := range 3 {
			go func() {
				time.Sleep(10 * time.Second)
				kick <- reconcile.Kick{Why: fmt.Sprint("sync ", n), MaxDeletes: n, Done: func(p reconcile.Pass) { answers <- p }}
			}()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		w.Run(ctx, kick)
		if len(answers) != 3 {
			t.Fatalf("%d of 3 who asked were answered", len(answers))
		}
		p := <-answers
		for range 2 {
			if q := <-answers; !q.Start.Equal(p.Start) {
				t.Errorf("answered by passes of %s and %s", p.Start, q.Start)
			}
		}
		if held := w.passes[before]; step(held, aPod("a")).Verb != plan.Hold {
			t.Errorf("the pass that had not been asked: %s", account(held))
		}
		if len(w.cloud.Things()) != 1 || step(p, aPod("a")).Verb != plan.Delete {
			t.Errorf("the pass that was allowed 2 removals: %s", account(p))
		}
	})
	in("what maxDeletes is raised to holds until the removals of that commit are through, and for no other", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "keep"}), resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}), resource.Of(pod{Name: "c"}))
		w.settle()
		w.Settings.MaxDeletes = 0
		w.git.push(resource.Of(pod{Name: "keep"}), resource.Of(pod{Name: "c"}))
		w.fail(sim.Delete, aPod("a"), errAway)
		w.Pass(t.Context(), reconcile.Kick{MaxDeletes: 2})
		w.cloud.SetFault(nil)
		time.Sleep(time.Hour)
		if p := w.pass(); step(p, aPod("a")).Verb != plan.Delete {
			t.Error(account(p))
		}
		w.git.push(resource.Of(pod{Name: "keep"}))
		if p := w.pass(); step(p, aPod("c")).Verb != plan.Hold {
			t.Error(account(p))
		}
	})
	in("a flapping resource is written no more than once in its gap", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		kick := make(chan reconcile.Kick)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var hand sync.WaitGroup
		hand.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				w.resize("a", n)
				select {
				case kick <- reconcile.Kick{Refs: []resource.Ref{aPod("a")}, Why: "a watch saw a change", Retry: true}: // not left alone
				case <-ctx.Done():
				}
				time.Sleep(time.Millisecond)
			}
		})
		writes := w.cloud.Writes()
		w.Run(ctx, kick)
		hand.Wait()
		if n := w.cloud.Writes() - writes; n < 50 || n > 61 {
			t.Errorf("%d writes in a minute", n)
		}
		if n := len(w.passes); n > 1000 {
			t.Errorf("%d passes in a minute", n)
		}
	})
	in("passes over a part do not put off the one over everything", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}))
		kick := make(chan reconcile.Kick)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var watch sync.WaitGroup
		watch.Go(func() {
			for ctx.Err() == nil {
				select {
				case kick <- reconcile.Kick{Refs: []resource.Ref{aPod("a")}}:
				case <-ctx.Done():
				}
				time.Sleep(20 * time.Second)
			}
		})
		w.Run(ctx, kick)
		watch.Wait()
		whole := 0
		for _, p := range w.passes {
			if len(p.Partial) == 0 {
				whole++
			}
		}
		if whole < 9 {
			t.Errorf("%d passes over everything in ten minutes", whole)
		}
	})
	in("nobody can kick any longer: it goes on at the interval", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		kick := make(chan reconcile.Kick)
		close(kick)
		w.run(kick, 10*time.Minute)
		if n := len(w.passes); n < 8 || n > 20 {
			t.Errorf("%d passes in ten minutes", n)
		}
	})
	in("on stop, a step in flight is finished and none is started", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b"}))
		w.Settings.Width = 1
		w.cloud.SetFault(func(c sim.Call) sim.Fault {
			if c.Op == sim.Create {
				time.Sleep(30 * time.Second)
			}
			return sim.Fault{}
		})
		w.run(nil, 10*time.Second)
		if things := w.cloud.Things(); len(things) != 1 {
			t.Errorf("there is %v", things)
		}
		p := w.last()
		if result(p, aPod("a")).Outcome != plan.OK || result(p, aPod("b")).Outcome != plan.Waiting {
			t.Error(account(p))
		}
	})
	in("progress is told as it happens", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b", On: "a"}))
		var told []string
		w.Progress = func(r plan.Result) { told = append(told, fmt.Sprintf("%s %s %s", r.Verb, r.Ref, r.Outcome)) }
		w.pass()
		if fmt.Sprint(told) != "[create pod/a ok create pod/b ok]" {
			t.Errorf("told: %v", told)
		}
	})
}
