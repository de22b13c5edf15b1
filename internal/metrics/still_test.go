package metrics_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"recsysd.dev/recsysd/internal/metrics"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/sim"
)

// A pass that is like the one before it is counted and timed as any other: who watches over its age is not misled by how little it cost.
func TestAPassLikeTheOneBeforeIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		r, c := stack(&sim.Cloud{}, src, "acme-data"), metrics.New(metrics.Build{})
		passes := map[reconcile.Outcome]int{}
		pass := func() reconcile.Pass {
			p := r.Pass(t.Context(), reconcile.Kick{})
			c.Record(p)
			passes[p.Outcome()]++
			return p
		}
		for range 3 {
			pass()
			time.Sleep(time.Hour)
		}
		src.err = errors.New("away") // Git is no part of what a pass is like
		for range 3 {
			time.Sleep(time.Hour)
			if p := pass(); !p.Same {
				t.Fatal("it is not like the one before it")
			}
		}
		want := fmt.Sprintf(`# HELP recsysd_last_converged_timestamp_seconds When the last pass ended that found or left everything as wanted.
# TYPE recsysd_last_converged_timestamp_seconds gauge
recsysd_last_converged_timestamp_seconds{stack="recsys"} %[1]d
# HELP recsysd_last_pass_timestamp_seconds When the last pass ended.
# TYPE recsysd_last_pass_timestamp_seconds gauge
recsysd_last_pass_timestamp_seconds{stack="recsys"} %[1]d
# HELP recsysd_passes_total Passes made, by what they came to.
# TYPE recsysd_passes_total counter
recsysd_passes_total{outcome="converged",stack="recsys"} %[2]d
recsysd_passes_total{outcome="failed",stack="recsys"} %[3]d
recsysd_passes_total{outcome="invalid",stack="recsys"} %[4]d
recsysd_passes_total{outcome="progressing",stack="recsys"} %[5]d
# HELP recsysd_source_up 1 if the repository could be read.
# TYPE recsysd_source_up gauge
recsysd_source_up{stack="recsys"} 0
`, time.Now().Unix(), passes[reconcile.Converged], passes[reconcile.Failed], passes[reconcile.Invalid], passes[reconcile.Progressing])
		err := testutil.CollectAndCompare(c, strings.NewReader(want), "recsysd_last_converged_timestamp_seconds", "recsysd_last_pass_timestamp_seconds",
			"recsysd_passes_total", "recsysd_source_up")
		if err != nil {
			t.Error(err)
		}
	})
}
