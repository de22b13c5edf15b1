package e2e_test

import (
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// What the example costs while nothing changes, with every interval as it is by default. Each turn of the loop is a minute; ten of them
// (-benchtime 10x) outlast the API server's shorter watches. The floor of memory is a process that links the same libraries and sleeps.
func BenchmarkIdle(b *testing.B) {
	w := newWorld(b, "bench-idle")
	w.idle("")
	asleep := floor(b, "idle", "2s")
	w.google.Forget()
	mark, before, began := kube.Mark(), processor(b, w.daemon), time.Now()
	for b.Loop() {
		time.Sleep(time.Minute)
	}
	spent := processor(b, w.daemon) - before
	b.ReportMetric(100*spent.Seconds()/time.Since(began).Seconds(), "cpu-%")
	b.ReportMetric(resident(b, w.daemon), "rss-MiB")
	b.ReportMetric(memory(b, w.daemon, "RssAnon"), "anon-MiB") // without the pages of its binary
	b.ReportMetric(asleep["rss-MiB"], "floor-rss-MiB")
	b.ReportMetric(resident(b, w.daemon)/asleep["rss-MiB"], "rss-x-floor")
	asked := w.questions(mark)
	for _, r := range asked {
		b.Logf("asked of the API server: %s %s", r, r.URI)
	}
	b.ReportMetric(float64(len(asked)), "kube-requests")
	writes := w.google.Writes()
	for _, c := range writes {
		b.Errorf("written at Google: %s", c)
	}
	b.ReportMetric(float64(len(writes)), "google-writes")
	b.ReportMetric(0, "ns/op")
}

// Whether memory, goroutines or open files grow over 10,000 passes of the example in which nothing changes. Passes keep a tenth of a second
// between them, so it takes a quarter of an hour.
func BenchmarkTenThousandPasses(b *testing.B) {
	w := newWorld(b, "bench-passes")
	w.idle("interval: 20ms\n")
	w.passes(1000)
	first := w.holdings()
	for b.Loop() {
		w.passes(9000)
	}
	last := w.holdings()
	for name, v := range last {
		b.ReportMetric(v, name)
		b.ReportMetric(v/first[name], name+"-x-1000")
	}
	b.ReportMetric(0, "ns/op")
}

// Passes in which nothing changes ask nothing of the API server beyond the watches, write nowhere, and leave nothing behind in the daemon.
func TestNothingChangesAndNothingIsAsked(t *testing.T) {
	w := newWorld(t, "idle")
	w.idle("interval: 20ms\n")
	w.passes(50)
	w.google.Forget()
	mark, first := kube.Mark(), w.holdings()
	w.passes(100)
	last := w.holdings()
	for _, r := range w.questions(mark) {
		t.Errorf("asked of the API server: %s %s", r, r.URI)
	}
	for _, c := range w.google.Writes() {
		t.Errorf("written at Google: %s", c)
	}
	// One left behind in every tenth pass would be 10 by now; some come and go with connections and scrapes.
	for _, name := range []string{"goroutines", "open-files"} {
		if last[name] > first[name]+8 {
			t.Errorf("%s: %v at first, %v after 100 passes", name, first[name], last[name])
		}
	}
	if last["heap-MiB"] > 1.5*first["heap-MiB"] {
		t.Errorf("heap in use: %.1f MiB at first, %.1f MiB after 100 passes", first["heap-MiB"], last["heap-MiB"])
	}
}

// idle runs the daemon on the example until it has converged and has nothing left to do. Without stackKeys every interval is as it is by
// default.
func (w *world) idle(stackKeys string) {
	w.Helper()
	w.level = "info"
	w.configure(stackKeys)
	if stackKeys == "" {
		text, err := os.ReadFile(w.config)
		if err != nil {
			w.Fatal(err)
		}
		w.write("config.yaml", regexp.MustCompile(`, pollInterval: \w+|(?m)^  (interval|minGap|stepTimeout): .*\n`).ReplaceAllString(string(text), ""))
	}
	commit := w.push("the stack", w.example())
	w.start()
	w.within(3*time.Minute, "the stack converges", w.converged(commit))
	w.passes(1) // the first in which nothing was left to do
}

// passes waits until n more passes are over. The daemon is looked at seldom, because that costs it more than a pass does.
func (w *world) passes(n float64) {
	w.Helper()
	count := func() float64 {
		v, err := w.metric("recsysd_passes_total")
		if err != nil {
			w.Fatal(err)
		}
		return v
	}
	for until, began := count()+n, time.Now(); count() < until; {
		if time.Since(began) > 3*time.Minute+time.Duration(n)*time.Second {
			w.Fatalf("%v more passes: %v are missing\n%s", n, until-count(), w.account())
		}
		time.Sleep(max(100*time.Millisecond, time.Duration(n)*10*time.Millisecond))
	}
}

// questions is what the daemon has asked of the API server since the mark, beyond watches.
func (w *world) questions(mark int64) (requests []kubetest.Request) {
	w.Helper()
	all, err := kube.Requests(kubetest.Recsysd, mark)
	if err != nil {
		w.Fatal(err)
	}
	for _, r := range all {
		if r.Verb != "watch" {
			requests = append(requests, r)
		}
	}
	return requests
}

// holdings is what the daemon holds: the least of several looks, between which garbage is collected.
func (w *world) holdings() map[string]float64 {
	w.Helper()
	least := map[string]float64{}
	for range 5 {
		for name, metric := range map[string]string{"rss-MiB": "process_resident_memory_bytes", "heap-MiB": "go_memstats_heap_inuse_bytes", "goroutines": "go_goroutines", "open-files": "process_open_fds"} {
			v, err := w.metric(metric)
			if err != nil {
				w.Fatal(err)
			}
			if strings.HasSuffix(name, "MiB") {
				v /= 1 << 20
			}
			if old, known := least[name]; !known {
				least[name] = v
			} else {
				least[name] = math.Min(old, v)
			}
		}
		w.passes(5)
	}
	return least
}
