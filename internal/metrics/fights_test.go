package metrics_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"recsysd.dev/recsysd/internal/metrics"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/sim"
)

// The gauge of fights is there while one lasts and gone after it; the drift that it leaves is one that was detected once and is not corrected.
func TestFights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, src := &sim.Cloud{}, &source{}
		c := metrics.New(metrics.Build{})
		r := stack(cloud, src, "acme-data")
		pass := func(k reconcile.Kick) { c.Record(r.Pass(t.Context(), k)) }
		pass(reconcile.Kick{})
		pass(reconcile.Kick{})
		for range 8 {
			time.Sleep(10 * time.Second)
			switchOn(t, cloud, "acme-data")
			pass(reconcile.Kick{})
		}
		says := func(when, want string) {
			t.Helper()
			err := testutil.CollectAndCompare(c, strings.NewReader(want), "recsysd_drift_fights", "recsysd_drift_detected_total", "recsysd_drift_corrected_total", "recsysd_resource_drift")
			if err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
		const help = `# HELP recsysd_drift_corrected_total Drifted resources that were put back.
# TYPE recsysd_drift_corrected_total counter
recsysd_drift_corrected_total{kind="bucket",stack="recsys"} CORRECTED
# HELP recsysd_drift_detected_total Resources found in drift, once per appearance.
# TYPE recsysd_drift_detected_total counter
recsysd_drift_detected_total{kind="bucket",stack="recsys"} DETECTED
# HELP recsysd_resource_drift Fields in drift when the last pass looked.
# TYPE recsysd_resource_drift gauge
recsysd_resource_drift{kind="bucket",name="acme-data",stack="recsys"} DRIFT
`
		numbers := func(corrected, detected, drift string) string {
			return strings.NewReplacer("CORRECTED", corrected, "DETECTED", detected, "DRIFT", drift).Replace(help)
		}
		says("while it lasts", numbers("3", "4", "1")+`# HELP recsysd_drift_fights 1 while fields of the resource are left alone because another sets them again whenever they are put back.
# TYPE recsysd_drift_fights gauge
recsysd_drift_fights{kind="bucket",name="acme-data",stack="recsys"} 1
`)
		pass(reconcile.Kick{Retry: true}) // somebody asks for another try, and the rival is gone
		says("after it", numbers("4", "4", "0"))
	})
}
