package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
)

// cloudOnly is the cloud half of the example.
const cloudOnly = `apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: %s
project: acme
region: us-central1
clusters: {primary: {name: acme-gke, mode: autopilot, releaseChannel: regular}}
buckets: {data: {name: acme-recsys-data, softDelete: 7d, lifecycle: [{action: delete, ageDays: 90}]}}
registries: {images: {name: acme-recsys, format: docker}}
`

// quietReads are the requests of a pass in which nothing has changed, as the floor makes them too.
var quietReads = map[string]float64{"ListClusters": 1, "storage.buckets.list": 1, "storage.buckets.getIamPolicy": 1, "ListRepositories": 1}

// A pass over the three cloud resources in which nothing has changed, in the built daemon, against the same requests made bare: in processor
// time, and in time with servers that answer at once. "slow" has them take 50 ms for each request: a pass takes hardly longer than one.
func BenchmarkCloudReads(b *testing.B) {
	b.Run("prompt", func(b *testing.B) { cloudReads(b, 0) })
	b.Run("slow", func(b *testing.B) { cloudReads(b, 50*time.Millisecond) })
}

func cloudReads(b *testing.B, each time.Duration) {
	w := newWorld(b, "bench-reads")
	w.poll, w.level = "1h", "info"
	w.configure("interval: 20ms\n") // passes begin every 100 ms
	commit := w.push("the stack", fmt.Sprintf(cloudOnly, w.stack))
	w.start()
	w.eventually("the stack converges", w.converged(commit))
	passed := make(chan struct{}, 1)
	w.google.OnCall(func(c gcptest.Call, phase gcptest.Phase) {
		if phase == gcptest.Before {
			time.Sleep(each)
		} else if c.Method == "storage.buckets.list" { // once in every pass
			passed <- struct{}{}
		}
	})
	for range max(10, b.N/5) {
		<-passed
	}
	w.google.Forget()
	before, passes, wall := processor(b, w.daemon), -w.sample("recsysd_pass_duration_seconds_count"), -w.sample("recsysd_pass_duration_seconds_sum")
	for b.Loop() {
		<-passed
	}
	cpu := (processor(b, w.daemon) - before).Seconds() * 1000
	passes, wall = passes+w.sample("recsysd_pass_duration_seconds_count"), wall+w.sample("recsysd_pass_duration_seconds_sum")
	w.asksOnly(quietReads, passes)
	b.ReportMetric(cpu/passes, "cpu-ms/pass")
	b.ReportMetric(wall*1000/passes, "wall-ms/pass")
	b.ReportMetric(0, "ns/op") // the interval's, which says nothing
	if each > 0 {
		b.ReportMetric(wall/passes/each.Seconds(), "wall-x-slowest")
	}
	w.google.OnCall(func(_ gcptest.Call, phase gcptest.Phase) {
		if phase == gcptest.Before {
			time.Sleep(each)
		}
	})
	if err := w.stop(); err != nil {
		b.Fatal(err)
	}
	bare := floor(b, "reads", "-grpc", w.google.Endpoints()[gcp.Container], "-storage", w.google.Endpoints()[gcp.Storage],
		"-token", w.path("token"), "-rounds", fmt.Sprint(b.N), "-bucket-policies", "acme-recsys-data")
	b.ReportMetric(cpu/passes/(bare["cpu-ms"]/bare["rounds"]), "cpu-x-floor")
	b.ReportMetric(wall*1000/passes/bare["wall-ms/round"], "wall-x-floor")
}

// sample is the value of a metric that has one series.
func (w *world) sample(name string) float64 {
	w.Helper()
	v, err := w.metric(name)
	if err != nil {
		w.Fatal(err)
	}
	return v
}

// asksOnly demands that Google was asked that in each pass, and nothing else; one pass more or less may be counted.
func (w *world) asksOnly(want map[string]float64, passes float64) {
	w.Helper()
	have := map[string]float64{}
	for _, c := range w.google.Calls() {
		have[c.Method]++
	}
	for _, m := range slices.Sorted(maps.Keys(have)) {
		if per := have[m] / passes; want[m] == 0 || per < want[m]*0.9-1/passes || per > want[m]*1.1+1/passes {
			w.Errorf("%s: %.2f in a pass, want %g of %s", m, per, want[m], strings.Join(slices.Sorted(maps.Keys(want)), ", "))
		}
	}
}
