package e2e_test

import (
	"errors"
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
	i := 0
	hands := func(user string, pause time.Duration) (took []time.Duration) {
		for range turn {
			name, patch := edit(i)
			i++
			took = append(took, w.putBack(user, resource, name, patch, pause+rand.N(pause))) // each edit finds the daemon in whatever it is doing
		}
		return took
	}
	var took []time.Duration
	for b.Loop() {
		took = append(took, hands(kubetest.Recsysd, 400*time.Millisecond)...)
	}
	if err := w.stop(); err != nil {
		b.Fatal(err)
	}
	path, err := kube.Kubeconfig(kubetest.Recsysd2)
	if err != nil {
		b.Fatal(err)
	}
	bare := startFloor(b, "repair", path, w.stack, resource)
	least := hands(kubetest.Recsysd2, 100*time.Millisecond)
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

// putBack edits an object and returns how long the edit stood until user had put it back, at least pause later.
func (w *world) putBack(user, resource, name, patch string, pause time.Duration) time.Duration {
	w.Helper()
	mark := kube.Mark()
	w.hand(resource, name, patch)
	time.Sleep(pause)
	last := func(by string) (answered time.Time) {
		writes, err := kube.Writes(by, mark)
		if err != nil {
			w.Fatal(err)
		}
		for _, r := range writes {
			if r.Resource == resource && r.Namespace == w.stack && r.Name == name {
				answered = r.Answered
			}
		}
		return answered
	}
	repaired := last(user)
	if repaired.IsZero() { // it is late; several writes may be one repair, so what is seen first need not be its end
		w.within(10*time.Second, "the repair of "+name+" by "+user, func() error {
			before := repaired
			if repaired = last(user); repaired.IsZero() || repaired != before {
				return errors.New("not yet")
			}
			return nil
		})
	}
	return repaired.Sub(last(kubetest.Admin))
}

// quantile of durations, in milliseconds.
func quantile(took []time.Duration, q float64) float64 {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[int(q*float64(len(sorted)-1))].Seconds() * 1000
}
