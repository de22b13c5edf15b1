package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/test/ratio"
)

// still is a driver of pods that are all as they are wanted.
type still struct{}

func (still) Observe(_ context.Context, want []pod, _ bool) (resource.Seen[pod], error) {
	seen := resource.Seen[pod]{Live: make([]resource.Live[pod], 0, len(want))}
	for _, p := range want {
		seen.Live = append(seen.Live, resource.Live[pod]{Spec: p, Owned: true, State: resource.Ready, Version: "1"})
	}
	return seen, nil
}

// AsBefore: nothing ever changes.
func (still) AsBefore(context.Context, []pod) bool { return true }

var errStill = errors.New("nothing is to be written")

func (still) Create(context.Context, pod) error                         { return errStill }
func (still) Update(context.Context, pod, pod, []resource.Change) error { return errStill }
func (still) Delete(context.Context, pod, bool) error                   { return errStill }

// oneCommit is a source that stays as it is.
type oneCommit struct{}

func (oneCommit) Fetch(context.Context) (reconcile.Revision, error) {
	return reconcile.Revision{Commit: "c1", Tree: fstest.MapFS{}}, nil
}
func (oneCommit) Keep(context.Context, reconcile.Revision) error { return nil }
func (oneCommit) Kept(context.Context) (reconcile.Revision, bool, error) {
	return reconcile.Revision{}, false, nil
}

// BenchmarkUnchanged is a pass in which nothing has changed, and one over a single resource of it, without what the drivers and those who
// are told of passes do. The floor is to find each by its name among those that were seen, and to compare the two.
func BenchmarkUnchanged(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		var stack reconcile.Stack
		for i := range n {
			stack.Resources = append(stack.Resources, resource.Of(pod{Name: fmt.Sprintf("pod-%05d", i), On: on(i)}))
		}
		r := &reconcile.Reconciler{
			Stack: "crowd", Source: oneCommit{}, Kinds: []resource.Kind{resource.NewKind("pod", still{})},
			Load:     func(context.Context, reconcile.Revision, time.Time) (reconcile.Stack, error) { return stack, nil },
			Settings: reconcile.Settings{Prune: true, MaxDeletes: 10, Width: 8, Interval: time.Minute, StepTimeout: time.Minute},
		}
		for what, kick := range map[string]reconcile.Kick{"whole": {}, "part": {Refs: []resource.Ref{aPod("pod-00001")}}} {
			b.Run(fmt.Sprintf("%s/%d", what, n), func(b *testing.B) {
				b.ReportAllocs()
				ratio.Loop(b, func() error {
					if p := r.Pass(b.Context(), kick); !p.Converged() {
						return errors.New(account(p))
					}
					return nil
				}, func() error { return bare(stack.Resources) })
			})
		}
	}
}

// bare finds each of wanted among as many that are seen.
func bare(wanted []resource.Resource) error {
	seen := make(map[resource.Ref]pod, len(wanted))
	for _, r := range wanted {
		seen[r.Ref] = r.Spec.(pod)
	}
	for _, r := range wanted {
		if p := r.Spec.(pod); len(p.Diff(seen[r.Ref])) > 0 {
			return errors.New("one differs from itself")
		}
	}
	return nil
}

// on is what the i-th stands on: ten stand on each tenth.
func on(i int) string {
	if i%10 == 0 {
		return ""
	}
	return fmt.Sprintf("pod-%05d", i-i%10)
}
