package reconcile_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// A pass in which everything is as before has the account of the one before it, though that is not made again.
func TestAPassLikeTheOneBefore(t *testing.T) {
	stack := []resource.Resource{resource.Of(house{Name: "h"}), resource.Of(pod{Name: "a", In: "h"}), resource.Of(pod{Name: "b", In: "h", On: "a"})}
	in("it tells what a pass that looks anew tells", t, func(t *testing.T) {
		w := begin(t, stack...)
		w.settle()
		w.pass()
		time.Sleep(time.Minute)
		like, anew := w.pass(), w.Pass(t.Context(), reconcile.Kick{Why: "test", Retry: true})
		if !like.Same || anew.Same {
			t.Fatalf("like the one before: %v, and the one asked for by a person: %v", like.Same, anew.Same)
		}
		if !like.Converged() || !like.Start.After(time.Now().Add(-time.Minute)) || like.Why != "test" || like.Applied != anew.Applied || like.Attempted != anew.Attempted {
			t.Errorf("%+v", like)
		}
		if !reflect.DeepEqual(like.Seen, anew.Seen) || !reflect.DeepEqual(like.Plan, anew.Plan) || !reflect.DeepEqual(like.Results, anew.Results) ||
			!reflect.DeepEqual(like.Drift(), anew.Drift()) || !reflect.DeepEqual(like.Fights(), anew.Fights()) {
			t.Errorf("one tells\n%s the other\n%s", account(like), account(anew))
		}
	})
	for _, c := range []struct {
		why  string
		move func(w *world)
	}{
		{"a hand has changed something", func(w *world) { w.resize("a", 7) }},
		{"a hand has removed something", func(w *world) { must(w.t, w.cloud.Remove(aPod("b"))) }},
		{"a commit", func(w *world) { w.git.push(append(stack, resource.Of(pod{Name: "c", In: "h"}))...) }},
		{"a commit that changes no resource", func(w *world) { w.git.push(stack...) }},
		{"a commit that is invalid", func(w *world) { w.git.push() }},
		{"the stack is suspended", func(w *world) { must(w.t, w.Suspend(resource.Ref{}, "a test")) }},
		{"one resource is suspended", func(w *world) { must(w.t, w.Suspend(aPod("a"), "a test")) }},
		{"other settings", func(w *world) { w.Settings.Observe = true }},
		{"something cannot be looked at", func(w *world) { w.fail(sim.Observe, resource.Ref{}, errAway) }},
		{"a listing fails", func(w *world) { w.fail(sim.List, resource.Ref{Kind: "pod"}, errAway) }},
		{"the last pass could not be recorded", func(w *world) {
			record := w.Record
			w.Record = func(p reconcile.Pass, m reconcile.Memory) error {
				w.Record = record
				return errors.New("the disk is full")
			}
			if !w.pass().Same {
				w.t.Error("the pass that is not recorded is like the one before it")
			}
		}},
		{"a part was looked at meanwhile", func(w *world) {
			w.Pass(w.t.Context(), reconcile.Kick{Refs: []resource.Ref{aPod("a")}})
		}},
		{"somebody was shown what would be done, and that was something", func(w *world) {
			w.resize("a", 7)
			w.Preview(w.t.Context())
		}},
	} {
		in("not when "+c.why, t, func(t *testing.T) {
			w := begin(t, stack...)
			w.settle()
			w.pass()
			time.Sleep(time.Minute)
			if !w.pass().Same {
				t.Fatal("without that it is none either")
			}
			c.move(w)
			if p := w.pass(); p.Same {
				t.Errorf("it is like the one before: %s", account(p))
			}
		})
	}
	for _, c := range []struct {
		why  string
		move func(w *world)
	}{
		{"something was removed", func(w *world) { w.git.push(stack[:2]...) }},
		{"what was fought over is no longer wanted", func(w *world) {
			w.Kinds[1] = resource.NewKind[pod]("pod", overruled{sim.NewDriver[pod](w.cloud, "mine"), func() { w.resize("b", 10+w.cloud.Calls(sim.Update)) }})
			w.resize("b", 7)
			w.pass()
			must(w.t, w.cloud.Remove(aPod("b")))
			w.git.push(stack[:2]...)
		}},
		{"a commit asks no longer for what was refused", func(w *world) {
			w.fail(sim.Update, aPod("a"), resource.ErrRejected)
			w.git.push(stack[0], resource.Of(pod{Name: "a", In: "h", Size: 2}), stack[2])
			w.pass()
			w.git.push(stack...)
		}},
	} {
		in("again when all is well after "+c.why, t, func(t *testing.T) {
			w := begin(t, stack...)
			w.settle()
			c.move(w)
			for range 3 { // until no fight is looked out for
				w.settle()
				time.Sleep(time.Hour)
			}
			if w.pass(); !w.pass().Same {
				t.Error("every pass is made from the beginning, for ever")
			}
		})
	}
	in("nor while anything is awaited: that is looked at again soon", t, func(t *testing.T) {
		w := begin(t, stack...)
		w.settle()
		w.cloud.Delays["pod"] = sim.Delay{Update: 2 * time.Hour}
		w.git.push(stack[0], resource.Of(pod{Name: "a", In: "h", Size: 2}), stack[2])
		w.pass()
		time.Sleep(time.Hour)
		passes := len(w.passes)
		w.run(nil, 10*time.Minute)
		if n := len(w.passes) - passes; n < 30 {
			t.Errorf("%d passes in 10 minutes, in which something is being changed", n)
		}
	})
	in("nor while drift was put back lately: three times is a fight", t, func(t *testing.T) {
		w := begin(t, stack...)
		w.settle()
		for range 3 {
			time.Sleep(time.Minute)
			w.resize("a", 7)
			w.pass()
			w.pass()
		}
		w.resize("a", 7)
		if p := w.pass(); len(p.Fought) != 1 {
			t.Errorf("no fight is seen: %s", account(p))
		}
	})
}

// overruled is a driver whose every update is followed by that of another hand.
type overruled struct {
	*sim.Driver[pod]
	hand func()
}

func (d overruled) Update(ctx context.Context, want, live pod, drift []resource.Change) error {
	defer d.hand()
	return d.Driver.Update(ctx, want, live, drift)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
