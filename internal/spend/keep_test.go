package spend

import (
	"context"
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// steady is a source of one revision.
type steady struct{}

func (steady) Fetch(context.Context) (reconcile.Revision, error) {
	return reconcile.Revision{Commit: "1a2b3c4d5e6f", Tree: fstest.MapFS{}}, nil
}
func (steady) Keep(context.Context, reconcile.Revision) error { return nil }
func (steady) Kept(context.Context) (reconcile.Revision, bool, error) {
	return reconcile.Revision{}, false, nil
}

func TestReportsAreKeptUntilSomethingBilledChanges(t *testing.T) {
	book, err := cost.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	cloud := &sim.Cloud{}
	spec := bucket.Spec{Name: "acme-data", Location: "us-central1"}
	wanted := []resource.Resource{resource.Of(spec)}
	r := &reconcile.Reconciler{
		Stack: "recsys", Source: steady{}, Kinds: []resource.Kind{resource.NewKind("bucket", sim.NewDriver[bucket.Spec](cloud, "recsys"))},
		Settings: reconcile.Settings{Width: 1, Interval: time.Minute, StepTimeout: time.Minute},
		Load: func(context.Context, reconcile.Revision, time.Time) (reconcile.Stack, error) {
			return reconcile.Stack{Resources: wanted}, nil
		},
	}
	r.Pass(t.Context(), reconcile.Kick{})
	r.Settings.Observe = true

	var a Account
	pass := func() (desired, live *cost.Report) {
		a.Pass(book, r.Pass(t.Context(), reconcile.Kick{}))
		return a.now.Desired, a.now.Live
	}
	desired, live := pass()
	if d, l := pass(); d != desired || l != live {
		t.Error("a pass that found everything as before made a report anew")
	}
	edit := func(change func(*bucket.Spec)) {
		t.Helper()
		err := cloud.Edit(spec.Ref(), func(old any) any {
			b := old.(bucket.Spec)
			change(&b)
			return b
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	on := true
	edit(func(b *bucket.Spec) { b.Versioning = &on })
	if d, l := pass(); d != desired || l != live {
		t.Error("what costs nothing made a report anew")
	}
	class := "archive"
	edit(func(b *bucket.Spec) { b.Class = &class })
	if d, l := pass(); d != desired || l == live {
		t.Error("what is stored in another class is another price, and what is wanted is the same")
	}
}

// fleet is a pass that saw n workloads, a part of them asleep, by a stack with a budget.
func fleet(tb testing.TB, n int) (first, again reconcile.Pass) {
	tb.Helper()
	cloud := &sim.Cloud{}
	var wanted []resource.Resource
	for i := range n {
		wanted = append(wanted, resource.Of(workload{Name: fmt.Sprint("w-", i), Form: resource.Rest{Asleep: i%3 == 0}}))
	}
	r := &reconcile.Reconciler{
		Stack: "recsys", Source: steady{}, Kinds: []resource.Kind{resource.NewKind("workload", sim.NewDriver[workload](cloud, "recsys"))},
		Settings: reconcile.Settings{Width: 4, Interval: time.Minute, StepTimeout: time.Minute},
		Load: func(context.Context, reconcile.Revision, time.Time) (reconcile.Stack, error) {
			return reconcile.Stack{Resources: wanted, Budget: &resource.Budget{Monthly: resource.Count(1), WarnAt: []int{50, 80, 100}}}, nil
		},
	}
	r.Pass(tb.Context(), reconcile.Kick{})
	first, again = r.Pass(tb.Context(), reconcile.Kick{}), r.Pass(tb.Context(), reconcile.Kick{Retry: true}) // which is never like another
	if len(again.Seen) != n || &first.Seen[0] == &again.Seen[0] {
		tb.Fatalf("%d of %d seen, and not anew", len(again.Seen), n)
	}
	return first, again
}

// workload is billed as pods on Autopilot are, and has a disk that stays while it sleeps.
type workload struct {
	Name string
	Form resource.Rest
}

func (w workload) Ref() resource.Ref                     { return resource.Ref{Kind: "Deployment", Name: w.Name} }
func (w workload) Needs() []resource.Need                { return nil }
func (w workload) Lifetime() resource.Lifetime           { return resource.Disposable }
func (w workload) Validate() error                       { return nil }
func (w workload) Diff(workload) []resource.Change       { return nil }
func (w workload) Rest() *resource.Rest                  { return &w.Form }
func (w workload) WithRest(r resource.Rest) (s workload) { w.Form = r; return w }
func (w workload) Usage() []resource.Usage {
	const pods = "gke.autopilot.general-purpose.regular."
	return []resource.Usage{
		{Component: resource.ComponentCPU, Price: pods + "vcpu", Region: "us-central1", Quantity: resource.Milli(500), Asleep: resource.Ratio(1, 2)},
		{Component: resource.ComponentMemory, Price: pods + "memory", Region: "us-central1", Quantity: resource.Count(1), Asleep: resource.Ratio(1, 2)},
		{Component: resource.ComponentDisk, Price: "pd.balanced", Region: "us-central1", Quantity: resource.Count(10)},
	}
}

func TestAPassInWhichNothingChangedAllocatesNothing(t *testing.T) {
	book, err := cost.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	first, again := fleet(t, 1000)
	var a Account
	a.Pass(book, first)
	report := a.now.Live
	if n := testing.AllocsPerRun(100, func() { a.Pass(book, again) }); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
	if a.now.Live != report || a.now.Live.Month.Sign() == 0 {
		t.Error("the report was made anew, or nothing was reckoned at all")
	}
	if wrote := a.Save(func([]byte) error { return nil }); wrote != nil {
		t.Error(wrote)
	}
	if n := testing.AllocsPerRun(100, func() {
		a.Pass(book, again)
		_ = a.Save(func([]byte) error { t.Error("nothing new was saved"); return nil })
	}); n != 0 {
		t.Errorf("with what is to be saved it allocates %v times", n)
	}
}

// BenchmarkPass is what a pass over 10,000 workloads costs beside the pass itself.
func BenchmarkPass(b *testing.B) {
	book, err := cost.Embedded()
	if err != nil {
		b.Fatal(err)
	}
	first, again := fleet(b, 10_000)
	b.Run("nothing changed", func(b *testing.B) {
		var a Account
		a.Pass(book, first)
		b.ReportAllocs()
		for b.Loop() {
			a.Pass(book, again)
		}
	})
	b.Run("one changed", func(b *testing.B) {
		var a Account
		b.ReportAllocs()
		other := again
		other.Seen = again.Seen[1:]
		for i := 0; b.Loop(); i++ {
			a.Pass(book, []reconcile.Pass{again, other}[i%2])
		}
	})
}
