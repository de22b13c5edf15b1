package metrics_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/metrics"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
	"recsysd.dev/recsysd/internal/spend"
)

var update = flag.Bool("update", false, "write the golden file anew")

// source has one revision, and an error to go with it if that is set.
type source struct{ err error }

func (s *source) Fetch(context.Context) (reconcile.Revision, error) {
	return reconcile.Revision{Commit: "1a2b3c4d5e6f", Tree: fstest.MapFS{}}, s.err
}
func (s *source) Keep(context.Context, reconcile.Revision) error { return nil }
func (s *source) Kept(context.Context) (reconcile.Revision, bool, error) {
	return reconcile.Revision{}, false, nil
}

var _ fs.FS = fstest.MapFS{}

// stack is a reconciler over a simulated cloud that holds buckets.
func stack(cloud *sim.Cloud, src *source, names ...string) *reconcile.Reconciler {
	return &reconcile.Reconciler{
		Stack: "recsys", Source: src, Kinds: []resource.Kind{resource.NewKind("bucket", sim.NewDriver[bucket.Spec](cloud, "recsys"))},
		Settings: reconcile.Settings{Prune: true, MaxDeletes: 10, Width: 1, Interval: time.Minute, StepTimeout: time.Minute},
		Load: func(context.Context, reconcile.Revision, time.Time) (reconcile.Stack, error) {
			var want []resource.Resource
			for _, n := range names {
				r := resource.Of(spec(n))
				r.Entry = "buckets." + n
				want = append(want, r)
			}
			return reconcile.Stack{Resources: want}, nil
		},
	}
}

func spec(name string) bucket.Spec {
	off := false
	b := bucket.Spec{Name: name, Location: "us-central1", Versioning: &off}
	if name == "acme-data" { // of the other nobody knows what will be stored
		b.Estimate = "50Gi"
	}
	return b
}

func switchOn(t *testing.T, cloud *sim.Cloud, name string) {
	t.Helper()
	on := true
	err := cloud.Edit(spec(name).Ref(), func(s any) any {
		b := s.(bucket.Spec)
		b.Versioning = &on
		return b
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestGolden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, src := &sim.Cloud{}, &source{}
		c := metrics.New(metrics.Build{Version: "v1.2.3", Revision: "abc"})
		registry := prometheus.NewRegistry()
		registry.MustRegister(c)
		book, account := listPrices(t), &spend.Account{}
		c.PriceBook(book)
		r := stack(cloud, src, "acme-data", "acme-logs")
		load := r.Load
		r.Load = func(ctx context.Context, of reconcile.Revision, now time.Time) (reconcile.Stack, error) {
			s, err := load(ctx, of, now)
			s.Budget = &resource.Budget{Monthly: resource.Ratio(12, 10), WarnAt: []int{50, 80, 100}}
			return s, err
		}
		pass := func() {
			p := r.Pass(t.Context(), reconcile.Kick{})
			account.Pass(book, p)
			c.Record(p)
			c.Account(p.Stack, account)
		}

		pass() // creates
		pass() // converged
		switchOn(t, cloud, "acme-data")
		time.Sleep(time.Minute)
		pass() // puts it back
		pass()
		r.Settings.Observe = true
		switchOn(t, cloud, "acme-logs")
		src.err = errors.New("host is down")
		pass() // sees the drift and may not write
		c.Request("storage", "GET", "200")
		c.Request("container", "ListClusters", "PermissionDenied")
		c.ConfigValid(false)
		time.Sleep(7*24*time.Hour + 7*time.Hour) // what was spent grows between passes too: 175 hours and a minute of a month of 730

		if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
			t.Errorf("metrics follow Prometheus' own rules: %v %v", problems, err)
		}
		golden(t, registry)
	})
}

func golden(t *testing.T, g prometheus.Gatherer) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if f.GetName() == "recsysd_build_info" { // it names the Go version
			continue
		}
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	const path = "testdata/metrics.txt"
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s differs (run with -update if that is meant):\n%s", path, b.String())
	}
}

func TestWhatIsGoneLeavesNoSeries(t *testing.T) {
	cloud := &sim.Cloud{}
	c := metrics.New(metrics.Build{})
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	pass := func(r *reconcile.Reconciler) { c.Record(r.Pass(t.Context(), reconcile.Kick{})) }
	series := func() string {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		for _, f := range families {
			if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
				t.Fatal(err)
			}
		}
		return b.String()
	}

	pass(stack(cloud, &source{}, "acme-data", "acme-logs"))
	if !strings.Contains(series(), `name="acme-logs"`) {
		t.Fatal("a bucket that is wanted has series")
	}
	if err := cloud.Remove(spec("acme-logs").Ref()); err != nil {
		t.Fatal(err)
	}
	pass(stack(cloud, &source{}, "acme-data"))
	if strings.Contains(series(), `name="acme-logs"`) {
		t.Error("one that is neither wanted nor there must not")
	}
	c.Forget("recsys")
	if strings.Contains(series(), `stack="recsys"`) {
		t.Errorf("a stack that is no longer configured leaves nothing:\n%s", series())
	}
}
