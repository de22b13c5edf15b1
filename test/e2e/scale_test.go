package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// crowd makes w's stack one of n objects in the cluster that a kubeconfig leads to, in files of a hundred: half ConfigMaps of 2 KB, half
// Deployments of no pods. Above a thousand they are ConfigMaps of 1 KB alone.
func (w *world) crowd(n int, stackKeys string) (stack string, files []string) {
	w.Helper()
	w.configure(fmt.Sprintf("kubernetes: {kubeconfig: %q}\n", w.kubeconfig()) + stackKeys)
	filler := strings.Repeat("0123456789abcdef", 128)
	if n > 1000 {
		filler = filler[:1024]
	}
	var file strings.Builder
	for i := range n {
		if i%2 == 1 && n <= 1000 {
			fmt.Fprintf(&file, "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d-%05d}\nspec:\n  replicas: 0\n  selector: {matchLabels: {app: d-%05d}}\n"+
				"  template:\n    metadata: {labels: {app: d-%05d}}\n    spec: {containers: [{name: main, image: \"busybox:1\", resources: {requests: {cpu: 10m, memory: 16Mi}}}]}\n", i, i, i)
		} else {
			fmt.Fprintf(&file, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-%05d}\ndata: {n: \"%d\", filler: %s}\n", i, i, filler)
		}
		if i%100 == 99 || i == n-1 {
			files = append(files, fmt.Sprintf("k8s/%03d.yaml", i/100), file.String())
			file.Reset()
		}
	}
	var patterns []string // one may name 2,000 objects
	for i := 0; i < n; i += 1000 {
		patterns = append(patterns, fmt.Sprintf("k8s/%02d*.yaml", i/1000))
	}
	return fmt.Sprintf("apiVersion: recsysd.dev/v1alpha1\nkind: Stack\nname: %s\nproject: acme\nregion: us-central1\nmanifests: [%s]\n",
		w.stack, `"`+strings.Join(patterns, `", "`)+`"`), files
}

// kubeconfig leads to the shared control plane as the daemon.
func (w *world) kubeconfig() string {
	w.Helper()
	path, err := kube.Kubeconfig(kubetest.Recsysd)
	if err != nil {
		w.Fatal(err)
	}
	return path
}

// What a pass in which nothing has changed costs as a stack grows: processor time of the daemon, requests to the API server, and memory.
// Passes follow each other at a short interval; each turn of the loop is five seconds of them. The floor is a process that holds the same
// objects twice and compares them.
func BenchmarkUnchangedAtScale(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b, fmt.Sprintf("bench-crowd-%d", n))
			w.poll, w.level = "1h", "info"
			stack, files := w.crowd(n, "interval: 50ms\n")
			commit := w.push("the stack", stack, files...)
			began := time.Now()
			w.start()
			w.within(time.Duration(n)*100*time.Millisecond+time.Minute, "the stack converges", w.converged(commit))
			b.ReportMetric(time.Since(began).Seconds(), "first-s")
			peak := high(b, w.daemon)
			const of = "recsysd_passes_total"
			passes := func() float64 {
				v, err := w.metric(of)
				if err != nil {
					b.Fatal(err)
				}
				return v
			}
			time.Sleep(2 * time.Second) // the last events of the first apply
			count := passes()
			mark, before := kube.Mark(), processor(b, w.daemon)
			for b.Loop() {
				time.Sleep(5 * time.Second)
			}
			spent, made := processor(b, w.daemon)-before, passes()-count
			cpu, memory := spent.Seconds()*1000/made, resident(b, w.daemon)
			b.ReportMetric(cpu, "cpu-ms/pass")
			b.ReportMetric(made, "passes")
			b.ReportMetric(memory, "rss-MiB")
			bare := floor(b, "compare", w.kubeconfig(), w.stack, "30")
			b.ReportMetric(cpu/(bare["cpu-ms"]/bare["rounds"]), "cpu-x-floor")
			b.ReportMetric(memory/bare["rss-MiB"], "rss-x-floor")
			b.ReportMetric(peak, "first-peak-MiB")
			requests, err := kube.Requests(kubetest.Recsysd, mark)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(requests))/made, "kube-requests/pass")
			b.ReportMetric(0, "ns/op")
		})
	}
}
