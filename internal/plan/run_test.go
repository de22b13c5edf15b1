package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/test/ratio"
)

func named(n int) resource.Ref { return resource.Ref{Kind: "app", Name: fmt.Sprintf("%02d", n)} }

// TestRunWidth: steps run side by side, never more than width, and those that may start do so in the plan's order.
func TestRunWidth(t *testing.T) {
	for _, width := range []int{0, 1, 3, 100} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p Plan
				for n := range 10 {
					p.Steps = append(p.Steps, Step{Ref: named(n), Verb: Create})
				}
				var mu sync.Mutex
				var order []resource.Ref
				running, most := 0, 0
				start := time.Now()
				Run(t.Context(), p, width, func(_ context.Context, s Step) (bool, error) {
					mu.Lock()
					order = append(order, s.Ref)
					running++
					most = max(most, running)
					mu.Unlock()
					time.Sleep(time.Second)
					mu.Lock()
					running--
					mu.Unlock()
					return true, nil
				})
				wide := min(max(width, 1), 10)
				if most != wide {
					t.Errorf("%d ran at once, want %d", most, wide)
				}
				if took, want := time.Since(start), time.Duration((10+wide-1)/wide)*time.Second; took != want {
					t.Errorf("took %s, want %s", took, want)
				}
				if wide == 1 && !slices.IsSortedFunc(order, resource.Ref.Compare) {
					t.Errorf("not in the plan's order: %v", order)
				}
			})
		})
	}
}

// TestRunClears: what a step that waits makes of how the step before it ended.
func TestRunClears(t *testing.T) {
	a, b := named(1), named(2)
	failed, waits, refused := errors.New("503"), fmt.Errorf("cluster: %w", resource.ErrUnavailable), fmt.Errorf("422: %w", resource.ErrRejected)
	for _, c := range []struct {
		reason string
		first  Step
		usable bool
		err    error
		verb   Verb
		want   [2]Outcome
	}{
		{"a thing is built on what has been built", Step{Verb: Create}, true, nil, Create, [2]Outcome{OK, OK}},
		{"not on what is not usable yet, although its step is through", Step{Verb: Create}, false, nil, Create, [2]Outcome{OK, Waiting}},
		{"not on what could not be built", Step{Verb: Create}, false, failed, Create, [2]Outcome{Failed, Waiting}},
		{"but on what works although its change failed", Step{Verb: Update, Usable: true}, true, failed, Create, [2]Outcome{Failed, OK}},
		{"what waits is told from what failed", Step{Verb: Create}, false, waits, Create, [2]Outcome{Waiting, Waiting}},
		{"and from what was refused", Step{Verb: Create}, false, refused, Create, [2]Outcome{Rejected, Waiting}},
		{"on what is kept and works", Step{Verb: Keep, Usable: true}, false, nil, Create, [2]Outcome{None, OK}},
		{"not on what is kept and does not", Step{Verb: Keep}, false, nil, Create, [2]Outcome{None, Waiting}},
		{"a removal goes on when what stood on it is gone", Step{Verb: Delete}, true, nil, Delete, [2]Outcome{OK, OK}},
		{"not while it is going", Step{Verb: Delete}, false, nil, Delete, [2]Outcome{OK, Waiting}},
		{"what is gone is nothing to build on", Step{Verb: Recreate, Within: true}, true, nil, Create, [2]Outcome{OK, Waiting}},
		{"but lets what it lived in be replaced", Step{Verb: Recreate, Within: true}, true, nil, Recreate, [2]Outcome{OK, OK}},
		{"a removal waits for what was to let go and has not, working or not", Step{Verb: Update, Usable: true}, true, failed, Delete, [2]Outcome{Failed, Waiting}},
		{"and goes on when it has", Step{Verb: Update, Usable: true}, true, nil, Delete, [2]Outcome{OK, OK}},
	} {
		c.first.Ref = a
		p := Plan{Steps: []Step{c.first, {Ref: b, Verb: c.verb, After: []resource.Ref{a}}}}
		results := Run(t.Context(), p, 2, func(_ context.Context, s Step) (bool, error) {
			if s.Ref == a {
				return c.usable, c.err
			}
			return true, nil
		})
		if got := [2]Outcome{results[0].Outcome, results[1].Outcome}; got != c.want {
			t.Errorf("%s: got %q, want %q", c.reason, got, c.want)
		}
		if results[1].Outcome == Waiting && !errors.Is(results[1].Err, resource.ErrUnavailable) {
			t.Errorf("%s: waits without saying for what: %v", c.reason, results[1].Err)
		}
	}
}

// TestRunTurns: what falls asleep waits until what stands on it sleeps, and what wakes until what it stands on is awake: it is not
// enough that the other works.
func TestRunTurns(t *testing.T) {
	a, b := named(1), named(2)
	rewritten := []resource.Change{{Field: "replicas"}}
	marked := []resource.Change{{Field: "force", Mark: true}}
	failed := errors.New("503")
	for _, c := range []struct {
		reason string
		first  Step
		usable bool // after it
		err    error
		turn   resource.Turn // of the second
		want   Outcome
	}{
		{"it sleeps", Step{Verb: Update, Drift: rewritten, Turn: resource.Sleep, Usable: true}, true, nil, resource.Sleep, OK},
		{"its pods still stop", Step{Verb: Update, Drift: rewritten, Turn: resource.Sleep, Usable: true}, false, nil, resource.Sleep, Waiting},
		{"it works, because it could not be put to sleep", Step{Verb: Update, Drift: rewritten, Turn: resource.Sleep, Usable: true}, true, failed, resource.Sleep, Waiting},
		{"it works, because its marks came first", Step{Verb: Update, Drift: marked, Turn: resource.Sleep, Usable: true}, true, nil, resource.Sleep, Waiting},
		{"it works, because somebody holds it", Step{Verb: Hold, Turn: resource.Sleep, Usable: true}, true, nil, resource.Sleep, Waiting},
		{"it could not be read", Step{Verb: Hold, Usable: true}, true, nil, resource.Sleep, Waiting},
		{"it sleeps, and its pods stopped meanwhile", Step{Verb: Keep, Usable: true}, true, nil, resource.Sleep, OK},
		{"it is awake", Step{Verb: Update, Drift: rewritten, Turn: resource.Wake, Usable: true}, true, nil, resource.Wake, OK},
		{"its pods still start", Step{Verb: Update, Drift: rewritten, Turn: resource.Wake, Usable: true}, false, nil, resource.Wake, Waiting},
		{"it is well asleep, because it could not be woken", Step{Verb: Update, Drift: rewritten, Turn: resource.Wake, Usable: true}, true, failed, resource.Wake, Waiting},
		{"it is well asleep, because somebody holds it", Step{Verb: Hold, Turn: resource.Wake, Usable: true}, true, nil, resource.Wake, Waiting},
		{"what turns the other way is a change like any other", Step{Verb: Update, Drift: rewritten, Turn: resource.Sleep, Usable: true}, true, failed, resource.Wake, OK},
	} {
		c.first.Ref = a
		p := Plan{Steps: []Step{c.first, {Ref: b, Verb: Update, Drift: rewritten, Turn: c.turn, After: []resource.Ref{a}}}}
		results := Run(t.Context(), p, 2, func(_ context.Context, s Step) (bool, error) {
			if s.Ref == a {
				return c.usable, c.err
			}
			return true, nil
		})
		if results[1].Outcome != c.want {
			t.Errorf("the one before: %s; to %s is %q, want %q", c.reason, c.turn, results[1].Outcome, c.want)
		}
	}
}

// TestRunWithoutGround: a step that lives in what is not in the plan is not tried.
func TestRunWithoutGround(t *testing.T) {
	p := Plan{Steps: []Step{{Ref: named(1), Verb: Create, After: []resource.Ref{named(9)}}}}
	r := Run(t.Context(), p, 1, func(context.Context, Step) (bool, error) { panic("was tried") })
	if r[0].Outcome != Waiting || r[0].Err.Error() != "not available yet: app/09, which it lives in, does not exist" {
		t.Errorf("got %+v", r[0])
	}
}

// TestRunStops: once the context is done nothing starts, and what is in flight is waited for.
func TestRunStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		p := Plan{Steps: []Step{{Ref: named(1), Verb: Create}, {Ref: named(2), Verb: Create}, {Ref: named(3), Verb: Keep, Usable: true}}}
		through := false
		results := Run(ctx, p, 1, func(context.Context, Step) (bool, error) {
			cancel(errors.New("the daemon stops"))
			time.Sleep(time.Minute)
			through = true
			return true, nil
		})
		if !through || results[0].Outcome != OK {
			t.Errorf("the step in flight was left behind: %+v", results[0])
		}
		if results[1].Outcome != Waiting || results[1].Usable || results[1].Err == nil {
			t.Errorf("a step was started, or does not say why not: %+v", results[1])
		}
		if results[2].Outcome != None || !results[2].Usable {
			t.Errorf("what has no step lost its state: %+v", results[2])
		}
	})
}

// BenchmarkMake plans a stack of 1,000 resources in which nothing is to be done. Its floor is to find what was seen of each by its name, and
// what each stands on.
func BenchmarkMake(b *testing.B) {
	var want []resource.Resource
	var v View
	house := resource.Need{Ref: resource.Ref{Kind: "cluster", Name: "main"}, In: true}
	for n := range 1000 {
		r := resource.Resource{Ref: named(n), Needs: []resource.Need{house}}
		if n > 0 {
			r.Needs = append(r.Needs, resource.Need{Ref: named(n - 1)})
		}
		want = append(want, r)
		v.Found = append(v.Found, resource.Observation{Ref: r.Ref, Owned: true, State: resource.Ready, Needs: r.Needs})
	}
	ratio.Loop(b, func() error {
		_, err := Make(want, v, Policy{Prune: true})
		return err
	}, func() error { return bare(want, v) })
}

// bare finds for each that is wanted what was seen of it and of what it stands on, by name.
func bare(want []resource.Resource, v View) error {
	found := make(map[resource.Ref]resource.Observation, len(v.Found))
	for _, o := range v.Found {
		found[o.Ref] = o
	}
	for _, r := range want {
		if o, there := found[r.Ref]; !there || o.State != resource.Ready {
			return errors.New("what was seen is not found again")
		}
		for _, n := range r.Needs {
			if o := found[n.Ref]; o.State == resource.Broken {
				return errors.New("nothing is broken")
			}
		}
	}
	return nil
}
