package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// The first apply of a stack, from the first write that the API server receives to the last that it answers, against a bare loop of
// server-side applies of the same objects with the same width. Both times are from its audit log, both make their namespace first. What comes
// before, the start of the daemon, the commit's way to it and its look at what there is, is in start-ms.
func BenchmarkFirstApply(b *testing.B) {
	for _, n := range []int{16, 1000, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				firstApply(b, fmt.Sprintf("bench-apply-%d-%06d", n, rand.N(1_000_000)), n) // a namespace that is still going has another name
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func firstApply(b *testing.B, name string, n int) {
	w := newWorld(b, name)
	w.poll, w.level = "1h", "info"
	stack, files := w.crowd(n, "interval: 60s\n")
	config, err := kube.Kubeconfig(kubetest.Recsysd)
	if err != nil {
		b.Fatal(err)
	}
	args := []string{config, name + "-bare", "8"}
	for i := 0; i < len(files); i += 2 {
		args = append(args, w.write(strings.ReplaceAll(files[i], "/", "-"), files[i+1]))
	}
	mark := kube.Mark()
	floor := startFloor(b, "apply", args...).wait()
	bareTook, _ := applied(b, w, name+"-bare", mark)

	commit := w.push("the stack", stack, files...)
	mark = kube.Mark()
	began := time.Now()
	w.start()
	w.within(time.Duration(n)*100*time.Millisecond+time.Minute, "the stack converges", w.converged(commit))
	b.ReportMetric(time.Since(began).Seconds()*1000, "converged-ms")
	cpu := processor(b, w.daemon).Seconds() * 1000
	took, first := applied(b, w, name, mark)
	requests, err := kube.Requests(kubetest.Recsysd, mark)
	if err != nil {
		b.Fatal(err)
	}
	about := 0
	for _, r := range requests {
		if r.Namespace == name && r.Verb != "watch" {
			about++
		}
	}
	b.ReportMetric(took.Seconds()*1000, "wall-ms")
	b.ReportMetric(float64(took)/float64(bareTook), "wall-x-floor")
	b.ReportMetric(cpu, "cpu-ms")
	b.ReportMetric(cpu/floor["cpu-ms"], "cpu-x-floor")
	b.ReportMetric(first.Sub(began).Seconds()*1000, "start-ms")
	b.ReportMetric(float64(about)/float64(n), "requests/object")
	b.ReportMetric(high(b, w.daemon), "peak-MiB")
	if err := w.stop(); err != nil {
		b.Error(err)
	}
	for _, namespace := range []string{name, name + "-bare"} { // so many objects would slow down what comes next
		if _, err := kube.Kubectl(b.Context(), kubetest.Admin, "delete", "namespace", namespace, "--wait=false"); err != nil {
			b.Error(err)
		}
	}
}

// applied is how long the writes in a namespace took since mark, that of the namespace included, and when they began.
func applied(b *testing.B, w *world, namespace string, mark int64) (took time.Duration, first time.Time) {
	b.Helper()
	writes, err := kube.Writes(kubetest.Recsysd, mark)
	if err != nil {
		b.Fatal(err)
	}
	var last time.Time
	for _, r := range writes {
		if r.Namespace != namespace && !(r.Resource == "namespaces" && r.Name == namespace) {
			continue
		}
		if r.Code >= 300 {
			b.Errorf("%s", r)
		}
		if first.IsZero() || r.Received.Before(first) {
			first = r.Received
		}
		if r.Answered.After(last) {
			last = r.Answered
		}
	}
	if first.IsZero() {
		b.Fatalf("nothing was written in %s", namespace)
	}
	return last.Sub(first), first
}
