package spend_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// store is billed for what it holds, which the stack file can only expect.
type store struct {
	Name     string
	Estimate string
	GiB      int64 // of a live one
}

func (s store) Ref() resource.Ref            { return resource.Ref{Kind: "Store", Name: s.Name} }
func (s store) Needs() []resource.Need       { return nil }
func (s store) Lifetime() resource.Lifetime  { return resource.Disposable }
func (s store) Validate() error              { return nil }
func (s store) Diff(store) []resource.Change { return nil }
func (s store) Usage() []resource.Usage {
	const price = "gcs.storage.standard"
	if s.GiB > 0 {
		return []resource.Usage{{Component: resource.ComponentStorage, Price: price, Region: "us-central1", Quantity: resource.Count(s.GiB)}}
	}
	return []resource.Usage{gcp.Estimated(price, "us-central1", s.Estimate)}
}

// What is stored already is known better than the stack file knew it: a bucket without an estimate is in the forecast, and one that has
// outgrown its estimate with all that it has.
func TestTheForecastGoesByWhatIsStored(t *testing.T) {
	for _, c := range []struct{ why, estimate, rate string }{
		{"no estimate: 730 GiB at 0.02 are 0.02 an hour", "", "14.60"},
		{"an estimate of a tenth", "73Gi", "14.60"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.load = func(context.Context, reconcile.Revision, time.Time) (reconcile.Stack, error) {
				return reconcile.Stack{Resources: []resource.Resource{resource.Of(store{Name: "data", Estimate: c.estimate})}}, nil
			}
			r := w.engine()
			r.Kinds = []resource.Kind{resource.NewKind("store", sim.NewDriver[store](w.cloud, "recsys"))}
			r.Pass(t.Context(), reconcile.Kick{})
			before := w.account.At(time.Now()).Forecast
			err := w.cloud.Edit(store{Name: "data"}.Ref(), func(any) any { return store{Name: "data", Estimate: c.estimate, GiB: 730} })
			if err != nil {
				t.Fatal(err)
			}
			r.Pass(t.Context(), reconcile.Kick{})
			f := w.account.At(time.Now())
			// January 2000 has 744 hours, all of them still to come.
			if got := f.Forecast.String(); f.Now.String() != c.rate || got != "14.88" {
				t.Errorf("%s: $%s a month now and $%s forecast, by hand $%s and $14.88; before anything was stored $%s", c.why, f.Now, got, c.rate, before)
			}
		})
	}
}
