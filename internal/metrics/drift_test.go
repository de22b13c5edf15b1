package metrics_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"recsysd.dev/recsysd/internal/metrics"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// Since when a resource drifts stands still while the drift lasts, over passes and a new process that remembers, so that its age grows.
func TestTheAgeOfDriftGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, src := &sim.Cloud{}, &source{}
		r := stack(cloud, src, "acme-data")
		var memory reconcile.Memory
		r.Record = func(_ reconcile.Pass, m reconcile.Memory) error { memory = m; return nil }
		r.Pass(t.Context(), reconcile.Kick{})
		r.Pass(t.Context(), reconcile.Kick{})
		r.Settings.Observe = true
		switchOn(t, cloud, "acme-data")
		seen := time.Now()
		says := func(r *reconcile.Reconciler) {
			t.Helper()
			c := metrics.New(metrics.Build{})
			c.Record(r.Pass(t.Context(), reconcile.Kick{}))
			want := fmt.Sprintf(`# HELP recsysd_resource_drift_since_timestamp_seconds When a pass first saw the drift that is there now.
# TYPE recsysd_resource_drift_since_timestamp_seconds gauge
recsysd_resource_drift_since_timestamp_seconds{kind="bucket",name="acme-data",stack="recsys"} %d
`, seen.Unix())
			if err := testutil.CollectAndCompare(c, strings.NewReader(want), "recsysd_resource_drift_since_timestamp_seconds"); err != nil {
				t.Error(err)
			}
		}
		says(r)
		time.Sleep(time.Hour)
		says(r)
		again := stack(cloud, src, "acme-data")
		again.Settings.Observe, again.Memory = true, memory
		time.Sleep(time.Hour)
		says(again)
	})
}

// Writes that nothing explains are counted, each.
func TestUnexplainedWrites(t *testing.T) {
	c := metrics.New(metrics.Build{})
	ref := resource.Ref{Kind: "bucket", Name: "acme-data"}
	for range 2 {
		c.Record(reconcile.Pass{Stack: "recsys", Unexplained: []resource.Ref{ref, ref}})
	}
	const want = `# HELP recsysd_unexplained_writes_total Updates of what nobody had changed since our own last write.
# TYPE recsysd_unexplained_writes_total counter
recsysd_unexplained_writes_total{stack="recsys"} 4
`
	if err := testutil.CollectAndCompare(c, strings.NewReader(want), "recsysd_unexplained_writes_total"); err != nil {
		t.Error(err)
	}
}
