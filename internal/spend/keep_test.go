package spend

import (
	"context"
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
