package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// The time from when the API server has answered a foreign edit until it has answered the repair, both from its audit log. Each edit is
// of another field or object, so that none is fought over; each turn of the loop is several. The floor is a process that watches the
// resource and writes the object back.
func BenchmarkRepair(b *testing.B) {
	b.Run("example", func(b *testing.B) {
		w := newWorld(b, "bench-repair")
		w.level = "info"
		w.configure("interval: 60s\n")
		commit := w.push("the stack", w.example())
		w.start()
		w.eventually("the stack converges", w.converged(commit))
		services := []string{"api", "mlflow", "redis", "postgres"}
		repairs(b, w, "services", 12, func(i int) (string, string) {
			return services[i%4], fmt.Sprintf(`{"metadata":{"annotations":{"hand-%d":"x"}}}`, i)
		})
	})
	b.Run("1000", func(b *testing.B) {
		w := newWorld(b, "bench-repair-crowd")
		w.level = "info"
		stack, files := w.crowd(1000, "interval: 60s\n")
		commit := w.push("the stack", stack, files...)
		w.start()
		w.within(5*time.Minute, "the stack converges", w.converged(commit))
		repairs(b, w, "configmaps", 40, func(i int) (string, string) {
			return fmt.Sprintf("c-%05d", 2*(i%500)), fmt.Sprintf(`{"data":{"n":"edited %d"}}`, i)
		})
	})
}

// repairs measures the repairs of so many edits in each turn of the loop, by the daemon and then by the floor.
func repairs(b *testing.B, w *world, resource string, turn int, edit func(i int) (name, patch string)) {
	time.Sleep(time.Second) // the last events of the first apply
	i, began := 0, kube.Mark()
	hands := func(pause time.Duration) {
		for range turn {
			name, patch := edit(i)
			i++
			w.hand(resource, name, patch)
			time.Sleep(pause + rand.N(pause)) // each edit finds the daemon in whatever it is doing
		}
	}
	for b.Loop() {
		hands(400 * time.Millisecond)
	}
	took := w.putBack(kubetest.Recsysd, began)
	if err := w.stop(); err != nil {
		b.Fatal(err)
	}
	path, err := kube.Kubeconfig(kubetest.Recsysd2)
	if err != nil {
		b.Fatal(err)
	}
	bare := startFloor(b, "repair", path, w.stack, resource)
	began = kube.Mark()
	hands(150 * time.Millisecond)
	least := w.putBack(kubetest.Recsysd2, began)
	bare.stop()
	b.ReportMetric(quantile(took, 0.5), "median-ms")
	b.ReportMetric(quantile(took, 0.99), "p99-ms")
	b.ReportMetric(float64(len(took)), "edits")
	b.ReportMetric(quantile(least, 0.5), "floor-median-ms")
	b.ReportMetric(quantile(took, 0.5)/quantile(least, 0.5), "wall-x-floor")
	b.ReportMetric(0, "ns/op")
}

// hand edits one object of the stack as a person would.
func (w *world) hand(resource, name, patch string) {
	w.Helper()
	admin, err := dynamic.NewForConfig(kube.Config(kubetest.Admin))
	if err != nil {
		w.Fatal(err)
	}
	at := schema.GroupVersionResource{Version: "v1", Resource: resource}
	if _, err := admin.Resource(at).Namespace(w.stack).Patch(w.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "kubectl-edit"}); err != nil {
		w.Fatal(err)
	}
}

// putBack is how long each edit since the mark stood until user had put the object back, in order of length.
func (w *world) putBack(user string, mark int64) (took []time.Duration) {
	w.Helper()
	edits, err := kube.Writes(kubetest.Admin, mark)
	if err != nil {
		w.Fatal(err)
	}
	repairs, err := kube.Writes(user, mark)
	if err != nil {
		w.Fatal(err)
	}
	edits = slices.DeleteFunc(edits, func(r kubetest.Request) bool { return r.Namespace != w.stack })
	for i, e := range edits {
		var last time.Time // several writes may be one repair
		for _, r := range repairs {
			if r.Resource == e.Resource && r.Namespace == e.Namespace && r.Name == e.Name && r.Answered.After(e.Received) && (i+1 == len(edits) || r.Answered.Before(edits[i+1].Received)) {
				last = r.Answered
			}
		}
		if last.IsZero() {
			w.Errorf("edit %d of %s %s was not put back before the next by %s", i, e.Resource, e.Name, user)
			continue
		}
		took = append(took, last.Sub(e.Answered))
	}
	if len(took) == 0 {
		w.Fatal("nothing was put back")
	}
	slices.Sort(took)
	return took
}

// quantile of sorted durations, in milliseconds.
func quantile(sorted []time.Duration, q float64) float64 {
	return sorted[int(q*float64(len(sorted)-1))].Seconds() * 1000
}
